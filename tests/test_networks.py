"""networks: both Kerases build every one, with the sizes of the specification, and the lessons show the same."""

import ast
from pathlib import Path

import keras
import numpy as np
import pytest
import tf_keras

from course_utils import networks

SOURCES = Path(__file__).parents[1] / "notebooks" / "source"
# name: (build, (numbers out of the encoder, numbers into the decoder), parameters where the specification states them)
NETWORKS = {
    "dense autoencoder": (lambda: networks.dense_autoencoder_networks(), (2, 2), None),
    "convolutional autoencoder": (lambda: networks.conv_autoencoder_networks(), (8, 8), None),
    "convolutional VAE": (lambda: networks.conv_vae_networks(), (4, 2), 28_036 + 41_953),
    "dense VAE": (lambda: networks.dense_vae_networks(), (4, 2), None),
    "batch-norm VAE": (lambda: networks.batchnorm_vae_networks(), (4, 2), 208_773 - 384),
    "batch-norm autoencoder": (lambda: networks.batchnorm_vae_networks(outputs=1), (2, 2), None),
}


@pytest.mark.parametrize("kind", [tf_keras, keras], ids=["tf_keras", "Keras 3"])
@pytest.mark.parametrize("name", NETWORKS)
def test_both_kerases_build_it_with_the_same_parameters(name, kind, monkeypatch):
    build, (encoded, latent_dim), parameters = NETWORKS[name]
    monkeypatch.setattr(networks, "keras", kind)
    encoder, decoder = build()
    images = np.random.default_rng(0).random((3, 28, 28, 1), np.float32)
    assert tuple(encoder(images).shape) == (3, encoded)
    assert tuple(decoder(np.zeros((3, latent_dim), np.float32)).shape) == (3, 28, 28, 1)
    if parameters is not None:
        assert encoder.count_params() + decoder.count_params() == parameters


@pytest.mark.parametrize("name", ["dense autoencoder", "convolutional autoencoder", "batch-norm VAE"])
def test_pixel_means_lie_between_0_and_1(name):
    _, decoder = NETWORKS[name][0]()
    latent_dim = NETWORKS[name][1][1]
    pixels = decoder(10 * np.random.default_rng(0).standard_normal((50, latent_dim)).astype(np.float32)).numpy()
    assert pixels.min() >= 0 and pixels.max() <= 1


def lesson_networks(file: str, *names: str) -> list:
    """The networks that a lesson builds, by running only the assignments to those names and the functions they use."""
    tree = ast.parse((SOURCES / file).read_text())
    scope = {"keras": tf_keras, "layers": tf_keras.layers, "latent_dim": 2}
    built = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == "normalised":
            exec(compile(ast.Module([node], []), file, "exec"), scope)
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in names:
            exec(compile(ast.Module([node], []), file, "exec"), scope)
            built.append(scope[node.targets[0].id])
    return built


def recipe(network) -> list:
    """Layer types and what shapes their arithmetic, in order."""
    kept = (
        "filters",
        "kernel_size",
        "strides",
        "padding",
        "use_bias",
        "units",
        "activation",
        "momentum",
        "alpha",
        "target_shape",
    )
    return [
        (type(layer).__name__, {key: value for key, value in layer.get_config().items() if key in kept})
        for layer in network.layers
    ]


def test_lesson_05_shows_the_networks_that_the_package_builds():
    built = lesson_networks("05_fashion_mnist_vae.py", "encoder_network", "decoder_network")
    expected = [*networks.conv_vae_networks(), *networks.batchnorm_vae_networks()]
    assert [recipe(network) for network in built] == [recipe(network) for network in expected]


def test_lesson_01_shows_the_networks_that_the_package_builds():
    tree = ast.parse((SOURCES / "01_autoencoder.py").read_text())
    scope = {"keras": tf_keras, "layers": tf_keras.layers}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == "build_convolutional":
            exec(compile(ast.Module([node], []), "01", "exec"), scope)
    shown = scope["build_convolutional"](8).layers
    assert [recipe(network) for network in shown] == [
        recipe(network) for network in networks.conv_autoencoder_networks()
    ]
    (published,) = lesson_networks("01_autoencoder.py", "published")
    encoder, decoder = networks.dense_autoencoder_networks()
    assert recipe(published) == recipe(encoder) + recipe(decoder)

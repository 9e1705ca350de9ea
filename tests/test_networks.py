"""networks: both Kerases build every one, with the sizes of the specification, and the lessons show the same."""

import ast
from pathlib import Path

import keras
import numpy as np
import pytest
import tf_keras

from course_utils import models, networks, training

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


# --- images of any size


@pytest.mark.parametrize("kind", [tf_keras, keras], ids=["tf_keras", "Keras 3"])
@pytest.mark.parametrize("shape", [(28, 28, 1), (28, 28, 3), (29, 29, 3), (45, 45, 1), (64, 64, 3), (100, 100, 3)])
def test_images_come_back_in_the_size_they_had(shape, kind, monkeypatch):
    monkeypatch.setattr(networks, "keras", kind)
    encoder, decoder = networks.image_vae_networks(shape, 5)
    images = np.random.default_rng(0).random((2, *shape), np.float32)
    assert tuple(encoder(images).shape) == (2, 10)
    pixels = np.asarray(decoder(10 * np.random.default_rng(0).standard_normal((2, 5)).astype(np.float32)))
    assert pixels.shape == (2, *shape) and pixels.min() >= 0 and pixels.max() <= 1


def test_sizes_around_a_halving_come_back():
    for size in (32, 33, 127, 129, 255):
        encoder, decoder = networks.image_vae_networks((size, size, 1), 2)
        assert encoder.input_shape == decoder.output_shape == (None, size, size, 1)
        smallest = [layer.output_shape[1] for layer in decoder.layers if isinstance(layer, tf_keras.layers.Reshape)]
        assert 5 <= smallest[0] <= 8, "as many halvings as the size needs"


def test_the_published_networks_are_members_of_the_family():
    with_sigmoid, published = networks.image_vae_networks((28, 28, 1), 2), networks.conv_vae_networks(2)
    assert recipe(with_sigmoid[0]) == recipe(published[0])
    assert recipe(with_sigmoid[1])[:-1] == recipe(published[1]) and recipe(with_sigmoid[1])[-1][0] == "Activation"
    large = networks.image_vae_networks((256, 256, 3), 200)
    assert [recipe(network) for network in large] == [recipe(network) for network in networks.avatar_vae_networks()]
    trained = sum(int(np.prod(weight.shape)) for network in large for weight in network.trainable_weights)
    assert trained == 2_722_899
    sides = [layer.output_shape[1] for layer in large[0].layers if isinstance(layer, tf_keras.layers.Conv2D)]
    widths = [layer.filters for layer in large[1].layers if isinstance(layer, tf_keras.layers.Conv2DTranspose)]
    assert sides == [128, 64, 32, 16, 8] and widths == [64, 64, 64, 32, 3]


@pytest.mark.parametrize("shape", [(28, 28, 1), (45, 45, 3)])
def test_a_short_training_lowers_the_loss(shape):
    rng = np.random.default_rng(0)
    images = np.repeat(rng.integers(0, 256, (64, 1, 1, shape[2]), np.uint8), shape[0], 1).repeat(shape[1], 2)
    encoder, decoder = networks.image_vae_networks(shape, 3)
    vae = models.VAE(models.posterior_of(encoder), models.calibrated_gaussian_of(decoder), models.standard_normal(3))
    loss = training.fit(vae, images, epochs=6, peak_rate=3e-3, batch_size=16)["loss"]
    assert loss[-1] < loss[0] - 25, "nats per image"


@pytest.mark.parametrize(
    "shape", [(27, 27, 1), (257, 257, 3), (64, 32, 3), (64, 64), (64, 64, 4), (2, 64, 64, 3), (64.0, 64.0, 1)]
)
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match="size from 28 to 256 and 1 or 3 channels, not .*data.load_folder"):
        networks.image_vae_networks(shape, 2)

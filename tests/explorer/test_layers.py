"""explorer: a browser computes what TensorFlow computes."""

import json

import numpy as np
import pytest
import tf_keras as keras
from explored import shaken

from course_utils import networks
from course_utils.explorer import layers, packing, page

NETWORKS = {
    "dense autoencoder": networks.dense_autoencoder_networks,
    "convolutional autoencoder": networks.conv_autoencoder_networks,
    "convolutional VAE": networks.conv_vae_networks,
    "dense VAE": networks.dense_vae_networks,
    "batch-norm VAE": networks.batchnorm_vae_networks,
    "odd sides in colour": lambda: networks.image_vae_networks((45, 45, 3), 7),
    "avatars": networks.avatar_vae_networks,
}


def in_browser(sheet, described, values):
    """What `layers.js` computes."""
    known = {"layers": packing.text_of(described, "float32"), "values": packing.base64_of(values, "float32")}
    text = sheet.evaluate(
        """text => {
            const {layers, values} = JSON.parse(text), {build, unpack} = vaeLayers();
            const out = build(layers)(unpack({kind: "float32", text: values}));
            return Array.from(out).join(" ");
        }""",
        json.dumps(known),
    )
    return np.array(text.split(), np.float64)


@pytest.fixture(scope="module")
def sheet(chromium):
    sheet = chromium.new_page()
    sheet.add_script_tag(content=(page.HERE / "layers.js").read_text())
    yield sheet
    sheet.close()


@pytest.mark.parametrize("name", NETWORKS)
def test_javascript_computes_every_network_as_tensorflow_does(name, sheet):
    for network in NETWORKS[name]():
        shaken(network)
        values = np.random.default_rng(2).normal(0, 1, (1, *network.input_shape[1:])).astype(np.float32)
        expected, described = network(values, training=False).numpy().ravel(), layers.describe(network, "test")
        if name == "convolutional autoencoder" and network.name == "decoder":
            # Its dense layer has 39 million weights: every sixteenth of its outputs is enough.
            described[-2] |= {"kernel": described[-2]["kernel"][:, ::16], "bias": described[-2]["bias"][::16]}
            expected = expected[::16]
        np.testing.assert_allclose(in_browser(sheet, described, values), expected, atol=1e-4)
        assert np.std(expected) > 1e-3


def test_other_strides_paddings_and_activations(sheet):
    stack = keras.Sequential([keras.Input((9, 11, 2))])
    stack.add(keras.layers.Conv2D(5, (3, 4), (2, 1), "same", activation="tanh"))
    stack.add(keras.layers.BatchNormalization())
    stack.add(keras.layers.Conv2DTranspose(3, (2, 5), (3, 2), "valid", activation="leaky_relu"))
    stack.add(keras.layers.BatchNormalization())  # behind an activation: not folded
    stack.add(keras.layers.Conv2DTranspose(2, 1, 2, "valid", activation="relu"))
    stack.add(keras.layers.Conv2DTranspose(2, 4, 2, "same", output_padding=1))
    stack.add(keras.layers.Conv2D(3, 3, 2, "valid"))
    shaken(stack)
    values = np.random.default_rng(3).normal(0, 1, (1, 9, 11, 2)).astype(np.float32)
    described, expected = layers.describe(stack, "test"), stack(values, training=False).numpy().ravel()
    np.testing.assert_allclose(in_browser(sheet, described, values), expected, atol=1e-4)
    np.testing.assert_allclose(layers.compute(described, values).ravel(), expected, atol=1e-4)


@pytest.mark.parametrize("kind", packing.BYTES)
def test_weights_travel_as_text(kind, sheet):
    kernel = np.random.default_rng(4).normal(0, 1, (3, 3, 4, 6)).astype(np.float32)
    (packed,) = packing.text_of([{"kernel": kernel}], kind)
    arrived = sheet.evaluate("packed => Array.from(vaeLayers().unpack(packed))", packed["kernel"])
    (rounded,) = packing.rounded([{"kernel": kernel}], kind)
    np.testing.assert_allclose(np.reshape(arrived, kernel.shape), rounded["kernel"], atol=1e-6)
    np.testing.assert_allclose(rounded["kernel"], kernel, atol={"float32": 0, "float16": 2e-3, "uint8": 2e-2}[kind])


@pytest.mark.parametrize(
    "layer, words",
    [
        (lambda: keras.layers.Lambda(lambda x: x, name="twist"), "'twist' is a Lambda"),
        (lambda: keras.layers.Conv2D(2, 3, dilation_rate=2, name="wide"), "'wide' has dilation"),
        (lambda: keras.layers.Conv2D(2, 3, activation="gelu", name="odd"), "'odd' has the activation gelu"),
        (lambda: keras.layers.Dense(3, name="map"), "'map' is Dense on a map"),
        (lambda: keras.layers.ReLU(6.0, name="six"), "'six' is a ReLU with settings"),
    ],
)
def test_a_layer_without_translation_is_named(layer, words):
    with pytest.raises(ValueError, match=words):
        layers.describe(keras.Sequential([keras.Input((8, 8, 1)), layer()]), "plane")

"""explorer: a browser computes what TensorFlow computes, and a page follows hand, keys and drawings."""

import json

import numpy as np
import pytest
import tf_keras as keras
import tiny_vae

from course_utils import explorer, models, networks
from course_utils.explorer import layers, page

NETWORKS = {
    "dense autoencoder": networks.dense_autoencoder_networks,
    "convolutional autoencoder": networks.conv_autoencoder_networks,
    "convolutional VAE": networks.conv_vae_networks,
    "dense VAE": networks.dense_vae_networks,
    "batch-norm VAE": networks.batchnorm_vae_networks,
    "odd sides in colour": lambda: networks.image_vae_networks((45, 45, 3), 7),
    "avatars": networks.avatar_vae_networks,
}


def shaken(network):
    """Batch normalisation and biases as after a training, so that a mistake in them shows."""
    generator = np.random.default_rng(1)
    for weight in network.weights:
        values = weight.numpy()
        if "variance" in weight.name:
            weight.assign(generator.uniform(0.5, 2, values.shape))
        elif values.ndim == 1:
            weight.assign(values + generator.normal(0, 0.1, values.shape))
    return network


def in_browser(sheet, described, values):
    """What `layers.js` computes."""
    known = {"layers": layers.text_of(described, "float32"), "values": layers.base64_of(values, "float32")}
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


@pytest.mark.parametrize("kind", layers.BYTES)
def test_weights_travel_as_text(kind, sheet):
    kernel = np.random.default_rng(4).normal(0, 1, (3, 3, 4, 6)).astype(np.float32)
    (packed,) = layers.text_of([{"kernel": kernel}], kind)
    arrived = sheet.evaluate("packed => Array.from(vaeLayers().unpack(packed))", packed["kernel"])
    (rounded,) = layers.rounded([{"kernel": kernel}], kind)
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


def test_what_does_not_fit_is_refused():
    vae, images, labels = tiny_vae.vae(), tiny_vae.images(), np.arange(16) % 3
    for changed, words in (
        ({"labels": labels[:5]}, "labels of shape"),
        ({"class_names": ["a"]}, "Name every class"),
        ({"directions": {"up": np.ones(3)}}, "direction 'up' has the shape"),
        ({"model": keras.Sequential()}, "has no encoder"),
        ({"model": tiny_vae.vae(latent_dim=1)}, "at least 2 latent dimensions"),
        ({"images": images[:, :3]}, "4"),
    ):
        with pytest.raises(ValueError, match=words):
            explorer.plane(**({"model": vae, "images": images, "labels": labels} | changed))


def test_networks_beyond_4_megabytes_are_refused(monkeypatch):
    monkeypatch.setattr("course_utils.explorer.payload.MOST", 100)
    with pytest.raises(ValueError, match="too many for a page of 4 MB"):
        explorer.plane(tiny_vae.vae(), tiny_vae.images())


def shown(likelihood, latent_dim, tmp_path, **given):
    keras.utils.set_random_seed(5)
    encoder, decoder = networks.conv_vae_networks(latent_dim)
    for network in (encoder, decoder):
        shaken(network)
        network.layers[-1].kernel.assign(8 * network.layers[-1].kernel)  # far from grey
    decoder.layers[0].kernel.assign(8 * decoder.layers[0].kernel)
    if likelihood is not models.bernoulli_of:
        decoder.add(keras.layers.Activation("sigmoid"))
    vae = models.VAE(models.posterior_of(encoder), likelihood(decoder), models.standard_normal(latent_dim))
    generator = np.random.default_rng(6)
    images = (generator.random((60, 28, 28, 1)) * np.linspace(0.3, 1, 60)[:, None, None, None] * 255).astype(np.uint8)
    path = explorer.save_html(vae, images, np.arange(60) % 3, tmp_path / "plane.html", **given)
    return vae, images, path


def opened(chromium, path, width=1280, scheme="light"):
    context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True)
    sheet, seen = context.new_page(), []
    sheet.on("request", lambda request: seen.append(request.url))
    sheet.on("console", lambda message: seen.append(message.text))
    sheet.on("pageerror", lambda error: seen.append(str(error)))
    sheet.goto(path.as_uri())
    sheet.wait_for_selector(".vae-explorer[data-images]")
    return sheet, seen


def settled(sheet):
    """The code under the point and the picture of it, once nothing moves."""
    sheet.wait_for_timeout(400)
    text, pixels = sheet.evaluate(
        """() => {
            const shown = document.querySelector(".decoded canvas");
            const copy = new OffscreenCanvas(shown.width, shown.height);
            const context = copy.getContext("2d", {willReadFrequently: true});
            context.drawImage(shown, 0, 0);
            const {data} = context.getImageData(0, 0, copy.width, copy.height);
            const red = Array.from(data).filter((_, i) => i % 4 == 0);
            return [document.querySelector(".vae-explorer").dataset.code, red];
        }"""
    )
    return np.array(text.split(), np.float32), np.array(pixels) / 255


def assert_right(vae, code, pixels):
    expected = vae.decoder(code[None], training=False).mean().numpy().ravel()
    assert np.std(expected) > 0.05
    np.testing.assert_allclose(pixels, np.clip(expected, 0, 1), atol=0.6 / 255 + 1e-4)


@pytest.fixture(scope="module")
def binary_plane(tmp_path_factory):
    return shown(models.bernoulli_of, 2, tmp_path_factory.mktemp("binary"), class_names=["one", "two", "<three>"])


def test_a_page_follows_hand_and_keys_without_a_request(chromium, binary_plane):
    vae, images, path = binary_plane
    assert path.stat().st_size < 1e6
    sheet, seen = opened(chromium, path)
    code, first = settled(sheet)
    assert_right(vae, code, first)
    np.testing.assert_array_equal(code, 0)

    box = sheet.locator(".plane canvas").bounding_box()
    sheet.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    sheet.mouse.down()
    sheet.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 0.3 * box["height"], steps=5)
    sheet.mouse.up()
    code, dragged = settled(sheet)
    assert_right(vae, code, dragged)
    assert code[0] > 0.5 and code[1] > 0.3 and np.abs(dragged - first).mean() > 0.01
    np.testing.assert_allclose(code[0] / code[1], 0.6 / 0.4, rtol=0.05)  # right and up, as on paper

    sheet.keyboard.press("ArrowLeft")
    sheet.keyboard.press("Shift+ArrowDown")
    moved, pixels = settled(sheet)
    np.testing.assert_allclose(moved - code, [-0.1, -0.5], atol=1e-5)
    assert_right(vae, moved, pixels)
    words = sheet.inner_text(".words")
    assert words.startswith("At (") and "nearest images" in words
    assert sheet.get_attribute(".words", "aria-live") == "polite"
    sheet.keyboard.press("Home")
    np.testing.assert_array_equal(settled(sheet)[0], 0)

    # An example, a binary image here, lands where TensorFlow says.
    sheet.click(".examples button:nth-child(2)")
    posterior = vae.encoder((images[1:2] > 127).astype(np.float32))
    sheet.wait_for_selector(".draws canvas:nth-child(6)")
    code, pixels = settled(sheet)
    np.testing.assert_allclose(code, posterior.mean()[0], atol=1e-3)
    deviation = sheet.get_attribute(".vae-explorer", "data-deviation").split()
    np.testing.assert_allclose(np.array(deviation, float), posterior.stddev()[0], rtol=1e-3)
    assert_right(vae, code, pixels)

    # And so does what is drawn, or uploaded; what is no image is told.
    pad = sheet.locator(".pad").bounding_box()
    sheet.mouse.move(pad["x"] + 30, pad["y"] + 30)
    sheet.mouse.down()
    sheet.mouse.move(pad["x"] + 80, pad["y"] + 80, steps=4)
    sheet.mouse.up()
    drawn, pixels = settled(sheet)
    assert np.abs(drawn - code).max() > 1e-3
    assert_right(vae, drawn, pixels)
    sheet.set_input_files("input[type=file]", {"name": "x.png", "mimeType": "image/png", "buffer": b"no image"})
    sheet.wait_for_timeout(100)
    assert "not an image" in sheet.inner_text(".words")
    assert [text for text in seen if not text.startswith(("data:", "blob:"))] == [path.as_uri()]
    sheet.context.close()


@pytest.mark.parametrize("width, scheme", [(1280, "light"), (390, "dark")])
def test_it_fits_the_page_light_and_dark(width, scheme, chromium, binary_plane):
    _, _, path = binary_plane
    sheet, _ = opened(chromium, path, width, scheme)
    assert sheet.get_attribute(".vae-explorer", "data-theme") == scheme
    for now in (width, 360):  # and after the window changed
        sheet.set_viewport_size({"width": now, "height": 900})
        sheet.wait_for_timeout(200)
        assert sheet.evaluate("document.documentElement.scrollWidth") <= now
        plane = sheet.locator(".plane canvas").bounding_box()
        assert abs(plane["width"] - plane["height"]) < 1
        assert sheet.evaluate("document.querySelector('.plane canvas').width") >= plane["width"] - 3
        decoded = sheet.locator(".decoded canvas").bounding_box()
        assert decoded["y"] < 400, "picture and plane are seen together"
    sheet.context.close()


def test_sliders_of_the_most_active_dimensions_and_named_directions(chromium, tmp_path):
    up = np.arange(12) / 10
    vae, images, path = shown(models.calibrated_gaussian_of, 12, tmp_path, directions={"glasses": up})
    means = vae.encoder(images.astype(np.float32) / 255).mean().numpy()
    sheet, seen = opened(chromium, path)
    names = sheet.locator(".sliders label span").all_inner_texts()
    order = np.argsort(-means.var(axis=0))[:8]
    assert names == [*(f"dimension {axis + 1}" for axis in order), "glasses"]
    sheet.locator(".sliders input").nth(2).fill("1.5")
    sheet.locator(".sliders input").nth(8).fill("0.5")
    code, pixels = settled(sheet)
    expected = 0.5 * up
    expected[order[2]] += 1.5
    np.testing.assert_allclose(code, expected, atol=1e-5)
    assert_right(vae, code, pixels)
    assert [text for text in seen if not text.startswith(("data:", "blob:"))] == [path.as_uri()]
    sheet.context.close()


@pytest.mark.parametrize("missing", ["a notebook", "anywidget"])
def test_without_a_notebook_or_anywidget_it_is_a_figure(missing, monkeypatch):
    if missing == "anywidget":
        monkeypatch.setattr(page, "_has_kernel", lambda: True)
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    figure = explorer.plane(tiny_vae.vae(), tiny_vae.images(), np.arange(16) % 3)
    assert len(figure.axes) == 2 and figure.axes[1].get_xlim()[1] >= 2.5
    figure.canvas.draw()


def test_in_a_notebook_it_is_a_widget_of_text_with_a_picture_beside_it(monkeypatch):
    pytest.importorskip("anywidget")
    monkeypatch.setattr(page, "_has_kernel", lambda: True)
    widget = explorer.plane(tiny_vae.vae(), tiny_vae.images(), np.arange(16) % 3)
    assert json.loads(widget.payload)["names"] == ["class 0", "class 1", "class 2"]
    assert "export default" in widget._esm and ".vae-explorer" in widget._css
    bundle, _ = widget._repr_mimebundle_()
    assert {"image/png", "application/vnd.jupyter.widget-view+json"} <= set(bundle)

"""Explorers of small models, opened in a browser, and what is seen in them."""

import numpy as np
import tf_keras as keras

from course_utils import explorer, models, networks


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
    number = None
    while number != (number := sheet.get_attribute(".vae-explorer", "data-images")):
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

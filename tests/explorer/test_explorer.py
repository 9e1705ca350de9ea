"""explorer: a page follows hand, keys and drawings; what does not fit is refused; without a browser it is a figure."""

import json

import numpy as np
import pytest
import tf_keras as keras
import tiny_vae
from explored import assert_right, opened, settled, shaken, shown

from course_utils import explorer, models, networks
from course_utils.explorer import page


def test_what_does_not_fit_is_refused():
    vae, images, labels = tiny_vae.vae(), tiny_vae.images(), np.arange(16) % 3
    for changed, words in (
        ({"labels": labels[:5]}, "labels of shape"),
        ({"class_names": ["a"]}, "Name every class"),
        ({"directions": {"up": np.ones(3)}}, "direction 'up' has the shape"),
        ({"along": "principal"}, "leave along out"),
        ({"along": "rows"}, "along='rows'"),
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
    times = []
    for key in ("Home", *["ArrowUp"] * 5, "Home"):
        sheet.keyboard.press(key)
        code, _ = settled(sheet)
        times.append(float(sheet.get_attribute(".vae-explorer", "data-milliseconds")))
    np.testing.assert_array_equal(code, 0)
    assert min(times) < 1000 / 30, times

    # An example, of the second class the most typical image, and binary here, lands where TensorFlow says.
    own = (images[1::3] > 127).astype(np.float32)
    means = vae.encoder(own).mean().numpy()
    chosen = int(np.linalg.norm(means - np.median(means, axis=0), axis=1).argmin())
    sheet.click(".examples button:nth-child(2)")
    posterior = vae.encoder(own[chosen : chosen + 1])
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


def test_axes_along_principal_directions_with_a_direction_that_leans_on_them(chromium, tmp_path):
    up = np.arange(12) / 10
    given = {"directions": {"glasses": up, "dimension 3": np.eye(12)[2]}, "along": "principal"}
    vae, images, path = shown(models.calibrated_gaussian_of, 12, tmp_path, **given)
    means = vae.encoder(images.astype(np.float32) / 255).mean().numpy()
    _, sizes, principal = np.linalg.svd(means - means.mean(axis=0), full_matrices=False)
    assert sizes[1] > 1.01 * sizes[2]
    sheet, _ = opened(chromium, path)
    names = sheet.locator(".sliders label span").all_inner_texts()
    assert names == [*(f"principal {i}" for i in range(1, 9)), "glasses", "dimension 3"]
    sheet.locator(".sliders input").nth(8).fill("0.5")
    sheet.locator(".sliders input").nth(9).fill("-1")
    code, pixels = settled(sheet)
    np.testing.assert_allclose(code, means.mean(axis=0) + 0.5 * up - np.eye(12)[2], atol=1e-4)
    assert_right(vae, code, pixels)

    # The point stands where the code is, and a drag moves it along the two leading directions and no other.
    box = sheet.locator(".plane canvas").bounding_box()
    sheet.mouse.click(box["x"] + 0.7 * box["width"], box["y"] + 0.4 * box["height"])
    dragged, pixels = settled(sheet)
    moved = dragged - code
    np.testing.assert_allclose(moved - principal[:2].T @ (principal[:2] @ moved), 0, atol=1e-4)
    signs = np.sign(principal[np.arange(2), np.abs(principal[:2]).argmax(axis=1)])
    across, upward = signs * (principal[:2] @ dragged)
    np.testing.assert_allclose(across / upward, 0.4 / 0.2, rtol=0.05)
    assert across > 0
    assert_right(vae, dragged, pixels)

    # An image lands at its code; with one, the ellipse is that of the posterior along the axes.
    sheet.click(".examples button:nth-child(1)")
    sheet.wait_for_selector(".draws canvas:nth-child(6)")
    landed = settled(sheet)[0]
    assert np.abs(means[::3] - landed).max(axis=1).min() < 1e-3 < np.abs(means - dragged).max(axis=1).min()
    sheet.context.close()


def test_avatars_stay_under_4_megabytes_close_to_tensorflow_and_quick(chromium, tmp_path):
    encoder, decoder = map(shaken, networks.avatar_vae_networks(200))
    decoder.layers[-2].kernel.assign(6 * decoder.layers[-2].kernel)  # far from grey
    likelihood = models.calibrated_gaussian_of(decoder)
    vae = models.VAE(models.posterior_of(encoder), likelihood, models.standard_normal(200))
    images = np.random.default_rng(7).integers(0, 255, (12, 256, 256, 3), np.uint8)
    glasses = np.random.default_rng(8).normal(0, 1, 200)
    given = {"directions": {"glasses": glasses}, "along": "principal"}
    path = explorer.save_html(vae, images, np.arange(12) % 2, tmp_path / "avatars.html", **given)
    assert 3e6 < path.stat().st_size < 4e6
    sheet, seen = opened(chromium, path)
    times = []
    for strength in (1, 2, 3):
        sheet.locator(".sliders input").last.fill(str(strength))
        code, pixels = settled(sheet)
        times.append(float(sheet.get_attribute(".vae-explorer", "data-milliseconds")))
    mean = vae.encoder(images.astype(np.float32) / 255).mean().numpy().mean(axis=0)
    np.testing.assert_allclose(code, mean + 3 * glasses, atol=1e-3)
    expected = vae.decoder(code[None], training=False).mean().numpy()[0, :, :, 0].ravel()
    assert np.std(expected) > 0.05 and np.abs(pixels - expected).mean() < 1 / 255
    assert min(times) < 1000 / 3, times
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

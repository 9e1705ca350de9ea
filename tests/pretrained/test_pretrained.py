"""The weights that come with the course: whole, small, described, and as good as their cards say."""

import json

import numpy as np
import pytest
import tensorflow as tf

from course_utils import data, elbo, pretrained
from course_utils.pretrained import packing

SAID = {"what", "data", "credit", "licence", "intended use", "command", "steps", "seconds", "cores"} | {
    "held-out",
    "files",
}


@pytest.fixture(scope="module")
def avatars():
    return pretrained.load("avatars")


@pytest.mark.parametrize("name", pretrained.NAMES)
def test_a_card_says_what_one_has_to_know(name):
    card = pretrained.card(name)
    assert SAID <= set(card)
    assert card["command"].startswith(("python tools/pretrain.py ", "python -m course_utils.train "))
    assert card["steps"] > 1000 and card["seconds"] > 60
    assert "/" not in card["data"].replace("256x256", "")


def test_files_are_small_and_without_pickle():
    files = sorted(packing.FOLDER.glob("*.npz"))
    named = {file for name in pretrained.NAMES for file, _ in pretrained.card(name)["files"].values()}
    assert {file.name for file in files} == named
    assert all(file.stat().st_size < 4_000_000 for file in files)
    assert sum(file.stat().st_size for file in files) < 10_000_000
    for file in files:
        with np.load(file, allow_pickle=False) as arrays:
            assert all(arrays[name].dtype in (np.float16, np.float32) for name in arrays.files)


@pytest.mark.parametrize(("name", "load"), [("plane", data.load_fashion_mnist), ("digits", data.load_mnist)])
def test_a_plane_is_as_good_on_held_out_images_as_its_card_says(name, load):
    images, card = load(), pretrained.card(name)
    if not images.is_real:
        pytest.skip("held-out images of the data set are needed")
    report = elbo.evaluate(pretrained.load(name), data.binarise(images.test_images[:2000]))
    error = (report["standard_error"] ** 2 + card["held-out"]["standard_error"] ** 2) ** 0.5
    assert abs(report["negative_elbo"] - card["held-out"]["negative_elbo"]) < 4 * error


def test_codes_are_those_of_the_avatars(avatars):
    known = pretrained.codes()
    assert known.train_mean.shape == known.train_sd.shape == (1782, 200)
    assert known.test_mean.shape == known.test_sd.shape == (218, 200)
    assert known.train_features.shape == (1782, 30) and known.components.shape == (30, 3072)
    np.testing.assert_allclose(known.components @ known.components.T, np.eye(30), atol=5e-3)
    for labels, number in ((known.train_labels, 1782), (known.test_labels, 218)):
        assert set(labels) == set(known.categories)
        for name, values in labels.items():
            assert values.shape == (number,) and -1 <= values.min() and 0 < values.max() < len(known.categories[name])
    # What the decoder makes of the held-out codes lies near the avatars themselves, nearer than another avatar.
    pictures = avatars.decoder(known.test_mean[:40]).mean().numpy()
    small = pictures.reshape(40, 32, 8, 32, 8, 3).mean(axis=(2, 4)).reshape(40, -1)
    found = (small - known.centre) @ known.components.T
    apart = np.linalg.norm(found[:, None] - known.test_features[None, :40], axis=-1)
    assert np.mean(apart.argmin(axis=1) == np.arange(40)) > 0.95


def test_images_have_the_codes_that_are_stored(avatars):
    images = data.load_cartoonset(limit=2000)
    if images.name != "cartoonset-sample" or len(images.test) != 218:
        pytest.skip("the avatars of the card are needed")
    known, posterior = pretrained.codes(), avatars.encoder(data.to_float(images.test_images[:8]))
    np.testing.assert_allclose(posterior.mean(), known.test_mean[:8], atol=0.05)
    np.testing.assert_allclose(posterior.stddev(), known.test_sd[:8], rtol=0.05, atol=2e-3)


def test_draws_have_a_variance_that_training_found(avatars):
    assert float(avatars.decoder.variance) == pytest.approx(pretrained.card("avatars")["variance"])
    assert 0.001 < float(avatars.decoder.variance) < 0.02


def test_an_unknown_name_is_told_which_there_are():
    for function in (pretrained.load, pretrained.card):
        with pytest.raises(ValueError, match="avatars, plane, digits"):
            function("faces")


def test_a_damaged_or_missing_file_is_told(tmp_path, monkeypatch):
    for file in packing.FOLDER.glob("plane*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    monkeypatch.setattr(packing, "FOLDER", tmp_path)
    before = (tmp_path / "plane-decoder.npz").read_bytes()
    (tmp_path / "plane-decoder.npz").write_bytes(before[:-9] + b"x" + before[-8:])
    with pytest.raises(ValueError, match="plane-decoder.npz is damaged.*Install the course again"):
        pretrained.load("plane")
    (tmp_path / "plane-decoder.npz").unlink()
    with pytest.raises(OSError, match="plane-decoder.npz cannot be read.*Install the course again"):
        pretrained.load("plane")


def test_what_is_packed_comes_back(tmp_path, monkeypatch):
    monkeypatch.setattr(packing, "FOLDER", tmp_path)
    kernel, bias = np.random.default_rng(0).normal(size=(30, 20)), np.array([1e-7, 1e6])
    checksum = packing.write("some.npz", [kernel, bias])
    again = packing.read("some.npz", checksum)
    np.testing.assert_allclose(again[0], kernel, rtol=1e-3, atol=1e-6)
    np.testing.assert_array_equal(again[1], bias.astype(np.float32))
    assert packing.write("again.npz", [kernel, bias]) == checksum
    with pytest.raises(ValueError, match="16 bits cannot hold"):
        packing.write("large.npz", [np.full((2, 2), 1e6)])


def test_a_loaded_model_can_be_trained_on_and_saved(tmp_path):
    vae = pretrained.load("plane")
    images = tf.cast(np.random.default_rng(0).random((4, 28, 28, 1)) > 0.5, tf.float32)
    vae.save_weights(tmp_path / "mine.weights.h5")
    again = pretrained.loading.build("plane")
    again.load_weights(tmp_path / "mine.weights.h5")
    np.testing.assert_array_equal(again.encoder(images).mean(), vae.encoder(images).mean())


def test_cards_are_readable_text():
    for name in pretrained.NAMES:
        text = (packing.FOLDER / f"{name}.json").read_text(encoding="utf-8")
        assert json.loads(text) and text.endswith("\n")

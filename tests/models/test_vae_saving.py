"""models: weights survive a file, whole or not there; all other ways to save are refused and do no harm."""

import copy
import pickle
import warnings

import h5py
import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras
import tiny_vae as tiny

from course_utils import models

CODES = np.random.default_rng(5).standard_normal((3, 2)).astype(np.float32)
NAME = "vae.weights.h5"


@pytest.fixture(scope="module")
def trained():
    vae = tiny.vae()
    vae.fit(tiny.images(), epochs=3, verbose=0)
    return vae


def same(one, other):
    weights = [vae.encoder.get_weights() + vae.decoder.get_weights() for vae in (one, other)]
    return all(np.array_equal(a, b) for a, b in zip(*weights, strict=True))


def test_a_fresh_model_takes_the_weights_and_the_file_holds_nothing_else(trained, tmp_path):
    other = tiny.vae()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trained.save_weights(tmp_path / "new" / NAME)
        other.load_weights(str(tmp_path / "new" / NAME))
    assert same(trained, other) and float(other.decoder.variance) != pytest.approx(0.1)
    with h5py.File(tmp_path / "new" / NAME) as file:
        numbers = []
        file.visititems(lambda name, item: numbers.append(item.size) if isinstance(item, h5py.Dataset) else None)
    assert sum(numbers) == trained.encoder.count_params() + trained.decoder.count_params()
    assert [path.name for path in (tmp_path / "new").iterdir()] == [NAME]


def test_files_that_keras_wrote_in_earlier_versions_can_be_read(trained, tmp_path):
    keras.Model.save_weights(trained, tmp_path / NAME)  # with optimizer and metrics
    other = tiny.vae()
    other.load_weights(tmp_path / NAME)
    assert same(trained, other)


def test_weights_of_another_type_of_training_keep_the_model_trainable(trained, tmp_path):
    trained.save_weights(tmp_path / NAME)
    other = tiny.vae()
    other.load_weights(tmp_path / NAME)
    assert np.isfinite(other.fit(tiny.images(), verbose=0).history["loss"][0])


def test_keras_callback_for_the_best_weights_works(tmp_path):
    keeper = keras.callbacks.ModelCheckpoint(tmp_path / NAME, "loss", save_best_only=True, save_weights_only=True)
    vae, other = tiny.vae(), tiny.vae()
    vae.fit(tiny.images(), verbose=0, callbacks=[keeper])
    other.load_weights(tmp_path / NAME)
    assert same(vae, other)


REFUSED = {
    "save, folder": lambda vae, path: vae.save(path / "model"),
    "save, keras": lambda vae, path: vae.save(path / "model.keras"),
    "save, h5": lambda vae, path: vae.save(path / "model.h5"),
    "save_model": lambda vae, path: keras.models.save_model(vae, path / "model"),
    "save_model, keras": lambda vae, path: keras.models.save_model(vae, path / "model.keras"),
    "saved_model": lambda vae, path: tf.saved_model.save(vae, str(path / "model")),
    "export": lambda vae, path: vae.export(path / "model"),
    "to_json": lambda vae, path: vae.to_json(),
    "get_config": lambda vae, path: vae.get_config(),
    "pickle": lambda vae, path: pickle.dumps(vae),
    "deepcopy": lambda vae, path: copy.deepcopy(vae),
    "copy": lambda vae, path: copy.copy(vae),
    "clone": lambda vae, path: keras.models.clone_model(vae),
    "decoder": lambda vae, path: vae.decoder.save(path / "decoder.keras"),
    "encoder": lambda vae, path: keras.models.save_model(vae.encoder, path / "encoder"),
    "callback": lambda vae, path: vae.fit(
        tiny.images(), verbose=0, callbacks=[keras.callbacks.ModelCheckpoint(str(path / "model.keras"))]
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_other_ways_to_save_are_refused_and_do_no_harm(name, trained, tmp_path):
    trained.predict(tiny.images(), verbose=0)
    before = trained.decoder(CODES).mean().numpy()
    with pytest.raises(NotImplementedError, match=r"vae\.save_weights\('vae\.weights\.h5'\).*models\.export_decoder"):
        REFUSED[name](trained, tmp_path)
    assert list(tmp_path.iterdir()) == []
    if name != "callback":  # which has trained for an epoch
        np.testing.assert_array_equal(before, trained.decoder(CODES).mean())
    assert np.isfinite(trained.fit(tiny.images(), verbose=0).history["loss"][0])


@pytest.mark.parametrize("name", ["vae.h5", "vae.keras", "vae", "", None])
def test_the_name_of_a_weight_file_says_what_it_is(name, trained, tmp_path):
    path = name if name is None else str(tmp_path / name)
    for method in (trained.save_weights, trained.load_weights):
        with pytest.raises(ValueError, match=r"ends with \.weights\.h5"):
            method(path)


def test_a_file_is_replaced_whole_or_not_at_all(trained, tmp_path, monkeypatch):
    path = tmp_path / NAME
    trained.save_weights(path)
    good = path.read_bytes()

    def full(self, file, *args, **kwargs):
        with open(file, "wb") as out:
            out.write(b"half a file")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(keras.Model, "save_weights", full)
    with pytest.raises(OSError, match="cannot be written: No space left on device.*as it was before"):
        trained.save_weights(path)
    assert path.read_bytes() == good and [file.name for file in tmp_path.iterdir()] == [NAME]
    monkeypatch.undo()
    with pytest.raises(ValueError, match="exists"):
        trained.save_weights(path, overwrite=False)
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="cannot be written"):
        trained.save_weights(tmp_path / "file" / NAME)


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def overwrite_numbers(path):
    with h5py.File(path, "r+") as file:
        found = []
        file.visititems(lambda name, item: found.append(item) if isinstance(item, h5py.Dataset) else None)
        found[0][()] = 0 * found[0][()]


SPOILT = {
    "cut off": (cut, "is damaged, or no weight file"),
    "other numbers": (overwrite_numbers, "is damaged: its numbers"),
    "text": (lambda path: path.write_text("weights"), "is damaged, or no weight file"),
    "empty": (lambda path: path.write_bytes(b""), "is damaged, or no weight file"),
    "another size": (lambda path: tiny.vae(latent_dim=3).save_weights(path), "does not fit this VAE"),
    "another decoder": (lambda path: tiny.vae(models.bernoulli_of).save_weights(path), "arrays, this VAE has"),
    "another HDF5 file": (lambda path: h5py.File(path, "w").close(), "it holds 0 arrays"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_a_file_that_is_wrong_changes_nothing(name, trained, tmp_path):
    spoil, message = SPOILT[name]
    path = tmp_path / NAME
    trained.save_weights(path)
    spoil(path)
    vae = tiny.vae()
    before = vae.get_weights()
    with pytest.raises(ValueError, match=f"^load_weights: .*{message}"):
        vae.load_weights(path)
    assert all(np.array_equal(a, b) for a, b in zip(before, vae.get_weights(), strict=True))


def test_no_file_and_options_that_load_a_part(trained, tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file"):
        trained.load_weights(tmp_path / NAME)
    with pytest.raises(ValueError, match="skip_mismatch would load a part"):
        trained.load_weights(tmp_path / NAME, skip_mismatch=True)


def test_networks_without_an_input_get_their_weights_from_a_first_call(trained, tmp_path):
    def build():
        layers = keras.layers
        encoder = keras.Sequential([layers.Flatten(), layers.Dense(4)])
        decoder = keras.Sequential([layers.Dense(16), layers.Reshape(tiny.SHAPE)])
        return models.VAE(models.posterior_of(encoder), models.gaussian_of(decoder, 0.1), models.standard_normal(2))

    one, other = build(), build()
    with pytest.raises(ValueError, match=r"^save_weights: .*vae\(images\[:1\]\)"):
        one.save_weights(tmp_path / NAME)
    one(tiny.images()[:1])
    one.save_weights(tmp_path / NAME)
    with pytest.raises(ValueError, match=r"^load_weights: .*vae\(images\[:1\]\)"):
        other.load_weights(tmp_path / NAME)
    other(tiny.images()[:1])  # what the message advises
    other.load_weights(tmp_path / NAME)
    assert same(one, other)


@pytest.mark.parametrize("likelihood", [models.calibrated_gaussian_of, models.bernoulli_of])
def test_an_exported_decoder_returns_the_same_pixels(likelihood, tmp_path):
    vae = tiny.vae(likelihood)
    expected = vae.decoder(CODES).mean()
    loaded = tf.saved_model.load(str(models.export_decoder(vae, tmp_path / "decoder")))
    np.testing.assert_allclose(loaded.decode(CODES), expected, atol=1e-6)
    with pytest.raises(ValueError, match="exists"):
        models.export_decoder(vae, tmp_path / "decoder")

    models.export_decoder(vae, tmp_path / "decoder.tflite")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow advertises the successor of its interpreter
        interpreter = tf.lite.Interpreter(str(tmp_path / "decoder.tflite"))
    codes, pixels = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    interpreter.resize_tensor_input(codes, CODES.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(codes, CODES)
    interpreter.invoke()
    np.testing.assert_allclose(interpreter.get_tensor(pixels), expected, atol=1e-5)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["decoder", "decoder.tflite"]

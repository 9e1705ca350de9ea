"""What fit takes, from both sides: arrays, stored images and datasets train; anything else is told what to be."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras
from tiny_training import IMAGES, Line, same_weights, tiny_vae

from course_utils import models, training

FLOATS = (IMAGES / 255).astype(np.float32)


def fit(images, model=None, **options):
    model = model or Line()
    return model, training.fit(model, images, **({"epochs": 1, "peak_rate": 1e-3} | options))


def dataset(images=FLOATS):
    return tf.data.Dataset.from_tensor_slices(images).batch(8)


def pairs(labels=None):
    labels = np.arange(32) % 10 if labels is None else labels
    return tf.data.Dataset.from_tensor_slices((FLOATS, labels)).batch(8)


class Labelled(models.VAE):
    classes = 10

    def train_step(self, pair):
        return super().train_step(pair[0] * tf.cast(pair[1] < 10, tf.float32)[:, None, None, None])


def test_floats_and_bytes_of_the_same_images_train_alike():
    one, other = fit(IMAGES, batch_size=8)[0], fit(FLOATS, batch_size=8)[0]
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.parametrize("images", [dataset(), dataset(IMAGES)])
def test_a_dataset_trains(images):
    vae, history = fit(images, epochs=2, validation=dataset())
    assert int(vae.optimizer.iterations) == 8 and len(history["val_loss"]) == 2


def test_an_endless_dataset_needs_to_be_told_what_an_epoch_is():
    with pytest.raises(ValueError, match="dataset has no end. Say how many batches make an epoch, by steps_per_epoch="):
        fit(dataset().repeat())
    vae, history = fit(dataset().repeat(), steps_per_epoch=3, epochs=2)
    assert int(vae.optimizer.iterations) == 6 and len(history["loss"]) == 2


def test_a_dataset_of_unknown_length_needs_it_too_and_one_that_ends_early_is_told():
    unknown = dataset().filter(lambda images: True)
    with pytest.raises(ValueError, match="does not know how long it is.*steps_per_epoch="):
        fit(unknown)
    assert int(fit(unknown, steps_per_epoch=4)[0].optimizer.iterations) == 4
    with pytest.raises(ValueError, match="dataset ended before 10 steps were done.*dataset.repeat()"):
        fit(unknown, steps_per_epoch=5, epochs=2)
    assert int(fit(unknown.repeat(), steps_per_epoch=5, epochs=2)[0].optimizer.iterations) == 10


def test_labels_reach_a_model_that_takes_them_and_no_other():
    with pytest.raises(ValueError, match=r"takes images alone.*dataset.map\(lambda images, labels: images\)"):
        fit(pairs(), tiny_vae())
    fit(pairs().map(lambda images, labels: images), tiny_vae())
    vae, _ = fit(pairs(), tiny_vae(kind=Labelled))
    assert int(vae.optimizer.iterations) == 4


@pytest.mark.parametrize("labels", [np.arange(32) - 1, np.arange(32) % 8 + 4])
def test_labels_out_of_range_are_told(labels):
    with pytest.raises(ValueError, match=r"labels run from (-1|4) to (6|11), expected 0 to 9"):
        fit(pairs(labels), tiny_vae(kind=Labelled))


@pytest.mark.parametrize(
    "images, words",
    [
        (list(IMAGES), r"a list of 32.*np.stack\(images\)"),
        ("images/", "the path 'images/'.*Load the images first"),
        ((image for image in IMAGES), "a generator.*from_generator"),
        (None, "NoneType"),
        (IMAGES[..., 0], r"shape \(32, 4, 4\).*images\[..., None\]"),
        (IMAGES[0, 0, 0], r"shape \(1,\)"),
        (IMAGES.astype(np.int64), "type int64"),
        (IMAGES.astype(np.float32), r"from 0 to 255.*data.to_float"),
        (np.full((32, 4, 4, 1), np.nan, np.float32), "nan"),
    ],
)
def test_anything_else_is_told_what_to_be(images, words):
    with pytest.raises(ValueError, match=f"(?i)fit.*{words}"):
        fit(images, tiny_vae())


@pytest.mark.parametrize(
    "images, words",
    [
        (tf.data.Dataset.from_tensor_slices(FLOATS), r"Make batches: dataset.batch\(128\)"),
        (dataset(IMAGES.astype(np.float32)), r"from 0 to 248, where they must lie in \[0, 1\]"),
        (dataset(IMAGES.astype(np.int32)), "expected batches of images"),
        (dataset().take(0), "empty"),
        (dataset().map(lambda images: {"pixels": images}), "expected batches of images"),
    ],
)
def test_a_dataset_of_something_else_is_told(images, words):
    with pytest.raises(ValueError, match=words):
        fit(images)


def test_settings_without_effect_are_refused(tmp_path):
    with pytest.raises(ValueError, match="batches of its own. Leave out batch_size"):
        fit(dataset(), batch_size=8)
    with pytest.raises(ValueError, match="steps_per_epoch is for datasets"):
        fit(IMAGES, batch_size=8, steps_per_epoch=2)
    with pytest.raises(ValueError, match="4 batches, and they make an epoch. Leave out steps_per_epoch"):
        fit(dataset(), steps_per_epoch=2)
    for callback in (keras.callbacks.ReduceLROnPlateau(), keras.callbacks.LearningRateScheduler(lambda epoch: 1e-3)):
        with pytest.raises(ValueError, match="cannot set a learning rate that follows a schedule"):
            fit(IMAGES, batch_size=8, callbacks=[callback])
    with pytest.raises(ValueError, match="checkpoints need images whose order can be repeated"):
        fit(dataset(), checkpoints=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "setting",
    [{"epochs": 0}, {"epochs": 1.5}, {"epochs": True}, {"peak_rate": 0}, {"peak_rate": float("nan")}, {"batch_size": 0}]
    + [{"checkpoint_every": 0}, {"transform": "grey"}, {"callbacks": ["tensorboard"]}, {"callbacks": 3}],
)
def test_settings_out_of_range_are_named(setting):
    (name,) = setting
    with pytest.raises(ValueError, match=f"fit: ({name}|'tensorboard' is no callback|3 is no callback)"):
        fit(IMAGES, **({"batch_size": 8} | setting))


def test_a_tensor_and_an_array_made_of_it():
    with pytest.raises(ValueError, match=r"images.numpy\(\)"):
        fit(tf.constant(FLOATS), batch_size=8)
    assert same_weights(fit(tf.constant(FLOATS).numpy(), batch_size=8)[0], fit(FLOATS, batch_size=8)[0])

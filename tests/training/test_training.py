"""training: the learning rate, the moments of the snapshots, and what fit refuses."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from course_utils import training


class Counter(keras.Model):
    """A model with one weight whose training step counts images."""

    def __init__(self):
        super().__init__()
        self.seen = self.add_weight(name="seen", shape=(), initializer="zeros", trainable=False)

    def train_step(self, images):
        self.seen.assign_add(tf.cast(tf.shape(images)[0], tf.float32))
        return {"loss": self.seen}

    test_step = train_step


def test_the_rate_climbs_to_its_peak_and_falls_to_zero():
    rate = training.warmup_cosine(3e-3, 1000)
    values = np.array([float(rate(step)) for step in range(0, 1001, 10)])
    assert values[0] == 0 and values[-1] < 1e-8
    assert values.max() == pytest.approx(3e-3) and values.argmax() == 5
    assert np.all(np.diff(values[:6]) > 0) and np.all(np.diff(values[5:]) < 0)


def test_snapshots_are_taken_before_within_the_first_epoch_and_after_each():
    camera = training.Snapshots(lambda model: np.full((2, 2), float(model.seen)), every=3)
    images = np.zeros((80, 28, 28, 1), np.uint8)
    training.fit(Counter(), images, epochs=2, peak_rate=1e-3, batch_size=10, callbacks=[camera])
    assert camera.captions == [
        "before training",
        "epoch 1, batch 3",
        "epoch 1, batch 6",
        "after epoch 1",
        "after epoch 2",
    ]
    assert [int(frame[0, 0]) for frame in camera.frames] == [0, 30, 60, 80, 160]


def test_frames_drawn_into_one_buffer_are_kept_apart():
    buffer = np.zeros((2, 2))

    def draw(model):
        buffer[:] = float(model.seen)
        return buffer

    camera = training.Snapshots(draw, every=1000)
    images = np.zeros((20, 28, 28, 1), np.uint8)
    training.fit(Counter(), images, epochs=2, peak_rate=1e-3, batch_size=10, callbacks=[camera])
    assert [int(frame[0, 0]) for frame in camera.frames] == [0, 20, 40]


def test_a_second_run_starts_an_empty_film():
    camera = training.Snapshots(lambda model: np.zeros((2, 2)), every=1000)
    images = np.zeros((20, 28, 28, 1), np.uint8)
    for _ in range(2):
        training.fit(Counter(), images, epochs=1, peak_rate=1e-3, batch_size=10, callbacks=[camera])
    assert camera.captions == ["before training", "after epoch 1"]


def test_validation_images_are_reported_after_every_epoch():
    images = np.zeros((20, 28, 28, 1), np.uint8)
    history = training.fit(Counter(), images, epochs=2, peak_rate=1e-3, batch_size=10, validation=images[:7])
    assert len(history["val_loss"]) == 2


def test_less_than_a_batch_of_images_is_refused():
    with pytest.raises(ValueError, match="5 images make no batch of 10"):
        training.fit(Counter(), np.zeros((5, 28, 28, 1), np.uint8), epochs=1, peak_rate=1e-3, batch_size=10)

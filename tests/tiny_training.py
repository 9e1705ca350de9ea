"""The smallest models that train, for tests of what surrounds a training: a VAE of which every part can be another, and
a line, which is traced in a fifth of the time."""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras as keras

from course_utils import models, runtime, training

tfd = tfp.distributions
IMAGES = np.random.default_rng(0).integers(0, 256, (32, 4, 4, 1), dtype=np.uint8)


def same(value):
    return value


def tiny_vae(
    activation="relu",
    function=same,
    likelihood=models.gaussian_of,
    variance=0.1,
    prior=None,
    kind=models.VAE,
    **options,
):
    runtime.set_seed()
    layers = keras.layers
    encoder = keras.Sequential([keras.Input((4, 4, 1)), layers.Flatten(), layers.Dense(5, activation)])
    encoder.add(layers.Lambda(function))
    encoder.add(layers.Dense(4))
    decoder = keras.Sequential([keras.Input((2,)), layers.Dense(16), layers.Reshape((4, 4, 1))])
    decoder = likelihood(decoder, variance) if likelihood is models.gaussian_of else likelihood(decoder)
    return kind(models.posterior_of(encoder), decoder, prior or models.standard_normal(2), **options)


class Line(keras.Model):
    """One number an image, which is to become 3."""

    def __init__(self):
        super().__init__()
        runtime.set_seed()
        self.dense, self.tracker = keras.layers.Dense(1), keras.metrics.Mean("loss")

    @property
    def metrics(self):
        return [self.tracker]

    def call(self, images, training=None):
        return self.dense(tf.reshape(images, (-1, 16)))

    def train_step(self, images):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((self(images) - 3.0) ** 2)
        self.optimizer.minimize(loss, self.trainable_variables, tape=tape)
        self.tracker.update_state(loss)
        return {"loss": self.tracker.result()}

    def test_step(self, images):
        self.tracker.update_state(tf.reduce_mean((self(images) - 3.0) ** 2))
        return {"loss": self.tracker.result()}


def train(folder, model=None, images=IMAGES, **changes):
    """Two epochs of four steps; returns the model, a line unless it is given, and the history."""
    model = model or Line()
    options = {"epochs": 2, "peak_rate": 1e-2, "batch_size": 8, "checkpoint_every": 1} | changes
    return model, training.fit(model, images, checkpoints=folder, **options)


class At(keras.callbacks.Callback):
    """Do something after a step; without an action, interrupt."""

    watches_only = True

    def __init__(self, step, action=None):
        super().__init__()
        self.step, self.action = step, action

    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.optimizer.iterations.numpy()) == self.step:
            if self.action is None:
                raise KeyboardInterrupt
            self.action(self.model)


def same_weights(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True))

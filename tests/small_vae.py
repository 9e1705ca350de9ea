"""A VAE and a training so small that tests can kill it many times. As a program, it prints each finished step."""

import sys

import numpy as np
import tensorflow as tf
import tf_keras as keras

from course_utils import models, runtime, training


def small_vae(units=8):
    runtime.set_seed()
    layers = keras.layers
    synchronized = tf.distribute.get_strategy().num_replicas_in_sync > 1
    encoder = keras.Sequential([keras.Input((16, 16, 3)), layers.Conv2D(8, 3, 2)])
    encoder.add(layers.BatchNormalization(synchronized=synchronized))
    encoder.add(layers.LeakyReLU(0.3))
    encoder.add(layers.Flatten())
    encoder.add(layers.Dense(2 * units))
    decoder = keras.Sequential([keras.Input((units,)), layers.Dense(8 * 8 * 4), layers.Reshape((8, 8, 4))])
    decoder.add(layers.BatchNormalization(synchronized=synchronized))
    decoder.add(layers.Conv2DTranspose(3, 3, 2, "same", activation="sigmoid"))
    return models.VAE(
        models.posterior_of(encoder), models.calibrated_gaussian_of(decoder), models.standard_normal(units)
    )


def train(folder, callbacks=None, vae=None, **changes):
    """Four epochs of six steps; returns the model and the history."""
    vae = vae or small_vae()
    images = np.random.default_rng(0).integers(0, 256, (50, 16, 16, 3), dtype=np.uint8)
    options = {"epochs": 4, "peak_rate": 1e-2, "batch_size": 8, "checkpoint_every": 2} | changes
    return vae, training.fit(vae, images, checkpoints=folder, callbacks=callbacks, **options)


class Tell(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        print("step", int(self.model.optimizer.iterations.numpy()), flush=True)


if __name__ == "__main__":
    train(sys.argv[1], [Tell()])

"""A VAE of a hundred weights, on images of 4x4 pixels, for whatever depends on no size."""

import numpy as np
import tf_keras as keras

from course_utils import models

SHAPE = (4, 4, 1)


def networks(latent_dim=2, shape=SHAPE, activation="sigmoid"):
    layers = keras.layers
    encoder = keras.Sequential([keras.Input(shape), layers.Flatten(), layers.Dense(2 * latent_dim)])
    decoder = keras.Sequential([keras.Input((latent_dim,)), layers.Dense(np.prod(shape), activation)])
    decoder.add(layers.Reshape(shape))
    return encoder, decoder


def vae(likelihood=models.calibrated_gaussian_of, latent_dim=2, prior=None, beta=1.0, kind=models.VAE):
    encoder, decoder = networks(latent_dim, activation=None if likelihood is models.bernoulli_of else "sigmoid")
    prior = prior or models.standard_normal(latent_dim)
    model = kind(models.posterior_of(encoder), likelihood(decoder), prior, beta)
    model.compile(keras.optimizers.Adam(1e-2, jit_compile=False))
    return model


def images(number=16):
    return np.random.default_rng(0).random((number, *SHAPE)).astype(np.float32)

"""Inputs, answers and usual mistakes of lesson 04: stochastic binarisation, the negative ELBO, what a KL layer counts.

``checks`` says what each function gets and returns.
"""

import functools

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras as keras

from course_utils import models
from course_utils._comparing import REPEATS, Exercise, chance_bound, equals, estimates, fresh_seed, mistake, satisfies

tfd, tfpl = tfp.distributions, tfp.layers

# ---- stochastic binarisation ----


def _draw_grey(rng):
    number, height, width = int(rng.integers(50, 60)), int(rng.integers(20, 24)), int(rng.integers(26, 30))
    images = rng.integers(0, 256, (number, height, width, 1), dtype=np.uint8)
    images[rng.random(images.shape) < 0.2] = 0
    return images, np.random.default_rng(rng.integers(2**32))


def _follows(probability):
    """A test: in each of 16 bands of grey, the share of ones is the mean of ``probability(grey in [0, 1])``."""

    def test(output, images, rng):
        if not np.isin(output, (0, 1)).all():
            return False
        for band in range(16):
            inside = images // 16 == band
            share = probability(images[inside] / 255)
            if abs(np.mean(output[inside] - share)) > chance_bound(inside.sum()):
                return False
        return True

    return test


def _threshold(axis):
    """A test: within each group along ``axis``, lighter than some grey is one and darker is zero, without exception."""

    def test(output, images, rng):
        if not np.isin(output, (0, 1)).all():
            return False
        grey = images.astype(int)
        darkest_one = np.where(output != 0, grey, 256).min(axis=axis)
        lightest_zero = np.where(output == 0, grey, -1).max(axis=axis)
        return bool(np.all(darkest_one >= lightest_zero))

    return test


_SHARED = (_threshold((0, 1, 2, 3)), _threshold((1, 2, 3)), _threshold(0))


def _right_draws(output, images, rng):
    shared = any(test(output, images, rng) for test in _SHARED)
    return output.dtype.kind == "f" and _follows(lambda grey: grey)(output, images, rng) and not shared


BINARISE = Exercise(
    ("images", "rng"),
    _draw_grey,
    _right_draws,
    (
        mistake(
            "these are the grey values themselves. A Bernoulli likelihood is about 0 and 1: draw them.",
            lambda output, images, rng: np.allclose(output, images / 255, atol=0.01) or np.array_equal(output, images),
        ),
        mistake(
            "the draws are inverted: a light pixel becomes 0. Which way must the comparison with the uniform number "
            "point?",
            lambda output, *inputs: _follows(lambda grey: 1 - grey)(output != 0, *inputs),
            lambda output, images, rng: np.array_equal(output != 0, images == 0),
        ),
        mistake(
            "the images are not scaled: a uint8 pixel of 1 is already larger than every number in [0, 1), so "
            "everything lit becomes one.",
            lambda output, images, rng: np.array_equal(output, images > 0),
        ),
        mistake(
            "this is a threshold, not a draw: the same grey always gives the same value. A pixel of 100 must be one "
            "in 39% of the draws.",
            _threshold((0, 1, 2, 3)),
        ),
        mistake(
            "there is one uniform number for each image, which makes it a threshold for the whole image. Give the "
            "uniform numbers the shape of the images.",
            _threshold((1, 2, 3)),
        ),
        mistake(
            "there is one pattern of uniform numbers for all images. Give them the shape of the images, the first "
            "axis too.",
            _threshold(0),
        ),
        mistake(
            "the draws are right, but they are booleans: a network wants float32. `astype` helps.",
            lambda output, *inputs: output.dtype.kind == "b" and _follows(lambda grey: grey)(output, *inputs),
        ),
        mistake(
            "the draws are right, but they are integers: a network wants float32. `astype` helps.",
            lambda output, *inputs: output.dtype.kind in "iu" and _follows(lambda grey: grey)(output, *inputs),
        ),
        mistake(
            "the draws are 0 and 255. A Bernoulli likelihood is about 0 and 1.",
            lambda output, *inputs: (
                np.isin(output, (0, 255)).all() and _follows(lambda grey: grey)(output / 255, *inputs)
            ),
        ),
    ),
    lambda images, rng: dict(zip(("n", "height", "width", "channels"), images.shape, strict=True)),
    ("n", "height", "width", "channels"),
    "The mean of many draws is the grey image.",
    satisfies,
    describe=lambda output, images, rng: (
        f"a pixel of 255 becomes {output[images == 255].mean():.2f} on average, one of 0 becomes "
        f"{output[images == 0].mean():.2f}, and those near 128 become {output[np.abs(images - 128.0) < 9].mean():.2f}. "
        "Right are 1, 0 and 0.50, by draws of 0 and 1."
    ),
    trials=2,
    tensors=False,
    draws=True,
    kinds="fiub",
)


# ---- the negative ELBO ----


LATENT_DIM, SHAPE = 3, (5, 4, 1)


@functools.cache
def _vae():
    """Built once; ``_draw_vae`` sets every weight anew."""
    layers = keras.layers
    encoder = keras.Sequential([keras.Input(SHAPE), layers.Flatten(), layers.Dense(2 * LATENT_DIM)])
    decoder = keras.Sequential([keras.Input((LATENT_DIM,)), layers.Dense(16, "tanh"), layers.Dense(20)])
    decoder.add(layers.Reshape(SHAPE))
    vae = models.VAE(models.posterior_of(encoder), models.bernoulli_of(decoder), models.standard_normal(LATENT_DIM))
    return vae, encoder, decoder


def _draw_vae(rng):
    """A posterior away from the prior, and a decoder that is undecided at the posterior's mean and sure around it.

    So a decoded mean, a forgotten KL and a reversed one all cost several nats.
    """
    vae, encoder, decoder = _vae()
    mean = rng.choice([-1, 1], LATENT_DIM) * rng.uniform(1.2, 2.0, LATENT_DIM)
    log_variance = rng.uniform(-2.4, -1.4, LATENT_DIM)
    encoder.set_weights([rng.normal(0, 0.01, (20, 2 * LATENT_DIM)), np.concatenate([mean, log_variance])])
    edges = rng.normal(0, 4, (LATENT_DIM, 16))
    decoder.set_weights([edges, -mean @ edges, rng.normal(0, rng.uniform(0.3, 0.6), (16, 20)), np.zeros(20)])
    return vae, (rng.random((int(rng.integers(2400, 2600)), *SHAPE)) < 0.5).astype(np.float32)


def _terms(vae, images):
    """log p(x|z), the KL estimated at the same z, log p(x|mean), and the reversed KL; each ``(REPEATS, batch)``.

    The estimated KL scatters more than the analytic one, so the tolerance covers learners who use either.
    """
    posterior = vae.encoder(images)
    posterior = tfd.MultivariateNormalDiag(posterior.mean(), posterior.stddev())
    z = posterior.sample(REPEATS, seed=fresh_seed())
    flat = vae.decoder(tf.reshape(z, (-1, z.shape[-1]))).log_prob(np.tile(images, (REPEATS, 1, 1, 1)))
    decoded_mean = vae.decoder(posterior.mean()).log_prob(images)
    terms = (
        np.reshape(flat, (REPEATS, -1)),
        posterior.log_prob(z) - vae.prior.log_prob(z),
        tf.broadcast_to(decoded_mean, (REPEATS, len(images))),
        tf.broadcast_to(tfd.kl_divergence(vae.prior, posterior), (REPEATS, len(images))),
    )
    return [np.asarray(term, np.float64) for term in terms]


NEGATIVE_ELBO = Exercise(
    ("vae", "images"),
    _draw_vae,
    lambda log_likelihood, kl, *_: kl - log_likelihood,
    (
        mistake(
            "the log-likelihood is averaged over pixels. It is a sum: with the mean, the KL outweighs it and the "
            "codes fall back to the prior.",
            lambda log_likelihood, kl, *_: kl - log_likelihood / 20,
        ),
        mistake(
            "this is summed over the batch: it grows with the batch size. Nats per image are asked for, a mean over "
            "the batch.",
            lambda log_likelihood, kl, *_: kl.shape[1] * (kl - log_likelihood),
        ),
        mistake(
            "the KL alone is summed over the batch, so its weight is the batch size. Average both terms.",
            lambda log_likelihood, kl, *_: kl.shape[1] * kl - log_likelihood,
        ),
        mistake(
            "this is the ELBO, not its negative: an optimizer would minimise it. The sign of the whole is wrong.",
            lambda log_likelihood, kl, *_: log_likelihood - kl,
        ),
        mistake(
            "the KL has the wrong sign: it is a cost, and yours rewards a posterior that is far from the prior.",
            lambda log_likelihood, kl, *_: -log_likelihood - kl,
        ),
        mistake(
            "the KL is reversed: KL(p||q), with the prior first. The bound holds with the posterior first.",
            lambda log_likelihood, kl, at_mean, reversed_kl: reversed_kl - log_likelihood,
        ),
        mistake(
            "you decoded the mean of the posterior instead of a draw. The value is better than the bound, and it is "
            "not an ELBO: `sample`.",
            lambda log_likelihood, kl, at_mean, reversed_kl: kl - at_mean,
        ),
        mistake(
            "the KL is forgotten: what is left is the loss of a noisy autoencoder, and its codes drift as they like.",
            lambda log_likelihood, kl, *_: -log_likelihood,
        ),
        mistake(
            "the KL is averaged over the latent dimensions. Nats of independent dimensions add up.",
            lambda log_likelihood, kl, *_: kl / LATENT_DIM - log_likelihood,
        ),
        mistake(
            "the likelihood hardly enters: is that `prob` instead of `log_prob`? The probability of a whole image is "
            "nearly 0, its logarithm is not.",
            lambda log_likelihood, kl, *_: kl - np.exp(log_likelihood),
            lambda log_likelihood, kl, *_: kl,
        ),
    ),
    lambda vae, images: {"batch": len(images), "latent_dim": LATENT_DIM},
    (),
    "A mean over the batch, in nats per image, at a drawn z.",
    estimates,
    prepare=_terms,
    error_hint=("_prob'", "Use `log_prob`: the probability of a whole image is too small for float32."),
    calls=4,
    trials=2,
)


# ---- what a KL layer really adds ----


FEATURES = 7


@functools.cache
def _layered_vae(layer, exact):
    """A small VAE with the KL in a layer, and its posterior as a function that leaves the model's losses alone.

    Built once for each option; ``_draw_model`` sets the weights anew.
    """
    prior = tfd.MultivariateNormalDiag(tf.zeros(2))
    inputs = keras.Input((FEATURES,))
    dense = keras.layers.Dense(tfpl.MultivariateNormalTriL.params_size(2))
    if layer == "add":
        z = tfpl.KLDivergenceAddLoss(prior, use_exact_kl=exact)(tfpl.MultivariateNormalTriL(2)(dense(inputs)))
    else:
        regularizer = tfpl.KLDivergenceRegularizer(prior, use_exact_kl=exact)
        z = tfpl.MultivariateNormalTriL(2, activity_regularizer=regularizer)(dense(inputs))
    outputs = keras.layers.Dense(tfpl.IndependentNormal.params_size(FEATURES))(z)
    return keras.Model(inputs, tfpl.IndependentNormal(FEATURES)(outputs)), dense, prior


def _draw_model(layer, exact):
    """The model has been called before, on other images, so that its losses are there but stale."""

    def draw(rng):
        model, dense, prior = _layered_vae(layer, exact)
        dense.set_weights([rng.normal(0, 0.5, weight.shape) for weight in dense.get_weights()])
        batch = int(rng.integers(100, 200))

        def posterior_of(images):
            return tfpl.MultivariateNormalTriL.new(dense(images), 2)

        model(3 * rng.normal(size=(2 * batch, FEATURES)).astype(np.float32))
        posterior_of.stale = sum(float(loss) for loss in model.losses)
        return model, rng.normal(size=(batch, FEATURES)).astype(np.float32), posterior_of, prior

    return draw


def _factor(combine):
    """``combine(losses, kl)`` with the losses that the learner's own call left in the model, noise and all."""

    def answer(model, images, posterior_of, prior):
        if sum(float(loss) for loss in model.losses) == posterior_of.stale:
            model(images)
        losses = [float(loss) for loss in model.losses]
        return combine(losses, np.asarray(tfd.kl_divergence(posterior_of(images), prior), np.float64))

    return answer


def _stale(model, images, posterior_of, prior):
    return posterior_of.stale / np.mean(tfd.kl_divergence(posterior_of(images), prior))


KL_FACTOR = Exercise(
    ("model", "images", "posterior_of", "prior"),
    (_draw_model("regularizer", exact=True), _draw_model("add", exact=True), _draw_model("add", exact=False)),
    _factor(lambda losses, kl: sum(losses) / np.mean(kl)),
    (
        mistake(
            "the losses are stale: they belong to the last call of the model, on other images. Call the model on "
            "these images first.",
            _stale,
        ),
        mistake(
            "you divide by the sum of the KL, not by its mean over the images: the factor is too small by the batch "
            "size.",
            _factor(lambda losses, kl: sum(losses) / np.sum(kl)),
        ),
        mistake(
            "the ratio is inverted. The factor is what the model counts, divided by what it should count.",
            _factor(lambda losses, kl: np.mean(kl) / sum(losses)),
        ),
        mistake(
            "your factor is always 1, and these models count 2, the batch size and 1. Measure it, do not round it.",
            lambda *inputs: 1.0,
        ),
        mistake(
            "you count one loss (or the mean of the losses). A layer may add several: `model.losses` must be summed.",
            _factor(lambda losses, kl: losses[0] / np.mean(kl)),
            _factor(lambda losses, kl: losses[-1] / np.mean(kl)),
            _factor(lambda losses, kl: np.mean(losses) / np.mean(kl)),
        ),
        mistake(
            "these are the losses, not divided by the mean KL.",
            _factor(lambda losses, kl: sum(losses)),
        ),
    ),
    lambda model, images, *_: {"batch": len(images), "features": images.shape[1], "latent_dim": 2},
    (),
    "These three models count the KL twice, as often as there are images, and once.",
    equals,
)

"""Inputs, answers and usual mistakes of lesson 04: stochastic binarisation, the negative ELBO, what a KL layer counts.

``checks`` says what each function gets and returns.
"""

import functools
from typing import NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras as keras
from scipy.special import expit

from course_utils import models
from course_utils.checks.comparing import (
    REPEATS,
    Exercise,
    chance_bound,
    estimates,
    estimates_once,
    fresh_seed,
    mistake,
    one_call,
    satisfies,
    scatters,
)

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
        if not np.isin(output, (0, 1)).all() or np.ptp(output.astype(int)) == 0:
            return False
        grey = images.astype(int)
        darkest_one = np.where(output != 0, grey, 256).min(axis=axis)
        lightest_zero = np.where(output == 0, grey, -1).max(axis=axis)
        return bool(np.all(darkest_one >= lightest_zero))

    return test


SHARED = ((0, 1, 2, 3), (1, 2, 3), 0)  # axes along which one uniform number may serve all pixels


def _right_draws(output, images, rng):
    shared = any(_threshold(axis)(output, images, rng) for axis in SHARED)
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
            "two slips: a light pixel becomes 0, so the comparison points the wrong way, and a fixed threshold is no "
            "draw. Compare each pixel with a uniform number of its own.",
            lambda output, images, rng: (
                _threshold((0, 1, 2, 3))(output == 0, images, rng) and not np.array_equal(output == 0, images > 0)
            ),
        ),
        mistake(
            "the draws are inverted: a light pixel becomes 0. Which way must the comparison with the uniform number "
            "point?",
            lambda output, *inputs: _follows(lambda grey: 1 - grey)(output != 0, *inputs),
            lambda output, images, rng: np.array_equal(output != 0, images == 0),
            *(lambda output, *inputs, axis=axis: _threshold(axis)(output == 0, *inputs) for axis in SHARED),
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


LATENT_DIM, SHAPE = 3, (8, 6, 1)
PIXELS = np.prod(SHAPE)


@functools.cache
def _vae():
    """Built once; ``_draw_vae`` sets every weight anew."""
    layers = keras.layers
    encoder = keras.Sequential([keras.Input(SHAPE), layers.Flatten(), layers.Dense(2 * LATENT_DIM)])
    decoder = keras.Sequential([keras.Input((LATENT_DIM,)), layers.Dense(16, "tanh"), layers.Dense(PIXELS)])
    decoder.add(layers.Reshape(SHAPE))
    vae = models.VAE(models.posterior_of(encoder), models.bernoulli_of(decoder), models.standard_normal(LATENT_DIM))
    return vae, encoder, decoder


def _draw_vae(rng):
    """Images drawn from the decoder at a code each, and an encoder that finds the codes by linear regression.

    So images inverted, or scored at the codes of others, cost many nats. The codes lie away from the prior's mean and
    the decoder bends within a posterior, so that a decoded mean, a forgotten KL and a reversed one cost several.
    """
    vae, encoder, decoder = _vae()
    centre = rng.choice([-1, 1], LATENT_DIM) * rng.uniform(2.2, 2.4, LATENT_DIM)
    codes = centre + rng.normal(0, 1.2, (int(rng.integers(2400, 2600)), LATENT_DIM))
    edges, weights = rng.normal(0, 3, (LATENT_DIM, 16)), rng.normal(0, 0.6, (16, PIXELS))
    decoder.set_weights([edges, -centre @ edges, weights, rng.normal(0, 1.5, PIXELS)])
    images = (rng.random((len(codes), *SHAPE)) < expit(decoder(codes))).astype(np.float32)
    average = np.reshape(images, (len(images), -1)).mean(axis=0)
    pixels = np.reshape(images, (len(images), -1)) - average
    to_mean = np.linalg.solve(pixels.T @ pixels + np.eye(PIXELS), pixels.T @ (codes - centre))
    to_log_variance = rng.normal(0, 0.1, (PIXELS, LATENT_DIM))
    kernel = np.hstack([to_mean, to_log_variance])
    bias = np.concatenate([centre, rng.uniform(-1.0, -0.8, LATENT_DIM)])
    encoder.set_weights([kernel, bias - average @ kernel])
    return vae, images


class Terms(NamedTuple):
    """What right and mistaken answers are made of, in nats; each ``(REPEATS, batch)``."""

    log_likelihood: np.ndarray
    kl: np.ndarray  # estimated at another z: the whole then scatters most, and any way to the KL is tolerated
    at_mean: np.ndarray  # log p(x|mean)
    kl_at_mean: np.ndarray  # log q - log p at the mean
    reversed_kl: np.ndarray
    inverted: np.ndarray  # log p(1 - x|z)
    of_others: np.ndarray  # log p(x|z of another image)
    squashed: np.ndarray  # log p(x|z) with a second sigmoid
    narrow: np.ndarray  # log p(x|z), z drawn with the variance as standard deviation
    kl_at_narrow: np.ndarray  # log q - log p at that z
    narrow_kl: np.ndarray  # the KL of the posterior that has this z


def _log_bernoulli(images, logits):
    """Summed over the pixels; for logits that float32 can take the exponential of."""
    return np.sum(images * logits - np.log(1 + np.exp(logits)), axis=-1)


def _log_normal(z, mean, sd):
    """Summed over the latent dimensions, without the constant."""
    return -np.sum(np.log(sd) + 0.5 * ((z - mean) / sd) ** 2, axis=-1)


def _terms(vae, images):
    posterior = vae.encoder(images)
    mean, sd = np.asarray(posterior.mean()), np.asarray(posterior.stddev())
    images = np.reshape(images, (len(images), -1))
    edges, shift, weights, bias = _vae()[2].get_weights()
    rng = np.random.default_rng()
    noise = rng.normal(size=(3, REPEATS, *mean.shape)).astype(np.float32)
    z, z_again, z_narrow = mean + sd * noise[0], mean + sd * noise[1], mean + sd**2 * noise[2]

    def logits(z):
        return np.tensordot(np.tanh(np.tensordot(z, edges, 1) + shift), weights, 1) + bias

    def log_ratio(z, sd=sd):
        return _log_normal(z, mean, sd) - _log_normal(z, 0, 1)

    decoded = logits(z)
    terms = Terms(
        log_likelihood=_log_bernoulli(images, decoded),
        kl=log_ratio(z_again),
        at_mean=_log_bernoulli(images, logits(mean)),
        kl_at_mean=log_ratio(mean),
        reversed_kl=np.asarray(tfd.kl_divergence(vae.prior, posterior)),
        inverted=_log_bernoulli(1 - images, decoded),
        of_others=_log_bernoulli(images, logits(np.stack([rng.permutation(row) for row in z]))),
        squashed=_log_bernoulli(images, expit(decoded)),
        narrow=_log_bernoulli(images, logits(z_narrow)),
        kl_at_narrow=log_ratio(z_narrow),
        narrow_kl=log_ratio(z_narrow, sd**2),
    )
    return (Terms(*(np.broadcast_to(np.float64(term), (REPEATS, len(images))) for term in terms)),)


def _negative_elbo(terms):
    return terms.kl - terms.log_likelihood


NEGATIVE_ELBO = Exercise(
    ("vae", "images"),
    _draw_vae,
    _negative_elbo,
    (
        mistake(
            "the log-likelihood is averaged over pixels. It is a sum: with the mean, the KL outweighs it and the "
            "codes fall back to the prior.",
            lambda t: t.kl - t.log_likelihood / PIXELS,
            lambda t: t.log_likelihood / PIXELS - t.kl,
        ),
        mistake(
            "there are means in both places: the log-likelihood is averaged over pixels, and the KL over the latent "
            "dimensions. Both are sums; only the batch is averaged.",
            lambda t: t.kl / LATENT_DIM - t.log_likelihood / PIXELS,
        ),
        mistake(
            "this is summed over the batch: it grows with the batch size. Nats per image are asked for, a mean over "
            "the batch.",
            lambda t: t.kl.shape[1] * (t.kl - t.log_likelihood),
            lambda t: t.kl.shape[1] * (t.log_likelihood - t.kl),
        ),
        mistake(
            "the KL alone is summed over the batch, so its weight is the batch size. Average both terms.",
            lambda t: t.kl.shape[1] * t.kl - t.log_likelihood,
        ),
        mistake(
            "this is the ELBO, not its negative: an optimizer would minimise it. The sign of the whole is wrong.",
            lambda t: t.log_likelihood - t.kl,
        ),
        mistake(
            "the KL has the wrong sign: it is a cost, and yours rewards a posterior that is far from the prior.",
            lambda t: -t.log_likelihood - t.kl,
        ),
        mistake(
            "the log-likelihood has the wrong sign: it is to grow, and the negative ELBO to fall. Yours rewards a "
            "decoder that gives the images no probability.",
            lambda t: t.log_likelihood + t.kl,
        ),
        mistake(
            "the KL is reversed: KL(p||q), with the prior first. The bound holds with the posterior first.",
            lambda t: t.reversed_kl - t.log_likelihood,
        ),
        mistake(
            "the KL is counted twice, or its 1/2 is missing. With a weight of 2 this is no bound that anybody asked "
            "for, and the codes carry less.",
            lambda t: 2 * t.kl - t.log_likelihood,
        ),
        mistake(
            "you decoded the mean of the posterior instead of a draw. The value is better than the bound, and it is "
            "not an ELBO: `sample`.",
            lambda t: t.kl - t.at_mean,
        ),
        mistake(
            "nothing is drawn: the mean is decoded, and the KL is estimated at the mean as well. An estimate needs a "
            "draw from the posterior: `sample`.",
            lambda t: t.kl_at_mean - t.at_mean,
        ),
        mistake(
            "z is drawn with the variance in place of the standard deviation, so it hardly leaves the mean. Noise is "
            "multiplied by the standard deviation; `sample` of the posterior does it.",
            lambda t: t.kl - t.narrow,
            lambda t: t.kl_at_narrow - t.narrow,
            lambda t: t.narrow_kl - t.narrow,
        ),
        mistake(
            "the KL is forgotten: what is left is the loss of a noisy autoencoder, and its codes drift as they like.",
            lambda t: -t.log_likelihood,
            lambda t: t.log_likelihood,
        ),
        mistake(
            "the KL is averaged over the latent dimensions. Nats of independent dimensions add up.",
            lambda t: t.kl / LATENT_DIM - t.log_likelihood,
        ),
        mistake(
            "the likelihood hardly enters: is that `prob` instead of `log_prob`? The probability of a whole image is "
            "nearly 0, its logarithm is not.",
            lambda t: t.kl - np.exp(t.log_likelihood),
            lambda t: t.kl,
        ),
        mistake(
            "the sigmoid is applied twice: the decoder's distribution has its own, and probabilities are no logits. "
            "Ask the distribution for `log_prob`.",
            lambda t: t.kl - t.squashed,
        ),
        mistake(
            "the images are inverted (1 - x) in the likelihood: the ones are scored with the probability of a zero.",
            lambda t: t.kl - t.inverted,
        ),
        mistake(
            "codes and images belong to different rows: an image is scored at the code of another. Has one of the "
            "two been shuffled or reversed?",
            lambda t: t.kl - t.of_others,
            by=estimates_once,
        ),
        mistake(
            "the calls scatter as if the noise were shared by the batch: one draw for all images, so they err "
            "together. Give each image its own; `sample` of the posterior does.",
            scatters(_negative_elbo),
            by=satisfies,
        ),
    ),
    lambda vae, images: {"batch": len(images), "latent_dim": LATENT_DIM},
    (),
    "A mean over the batch, in nats per image, at a drawn z.",
    estimates,
    prepare=_terms,
    error_hint=("_prob'", "Use `log_prob`: the probability of a whole image is too small for float32."),
    calls=10,
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


def _draw_model(layer, exact, counts):
    """A model with losses of ``counts(batch)`` times the mean KL.

    It has been called before, on other images, so that its losses are there but stale.
    """

    def draw(rng):
        model, dense, prior = _layered_vae(layer, exact)
        dense.set_weights([rng.normal(0, 0.5, weight.shape) for weight in dense.get_weights()])
        batch = int(rng.integers(2000, 2500))

        def posterior_of(images):
            return tfpl.MultivariateNormalTriL.new(dense(images), 2)

        model(3 * rng.normal(size=(2 * batch, FEATURES)).astype(np.float32))
        posterior_of.stale = sum(float(loss) for loss in model.losses)
        posterior_of.counts, posterior_of.exact = counts(batch), exact
        return model, rng.normal(size=(batch, FEATURES)).astype(np.float32), posterior_of, prior

    return draw


class Counted(NamedTuple):
    """What one model has counted, after the learner's function has used it."""

    kl: np.ndarray  # (batch,)
    losses: list  # those of the learner's last call, noise and all
    on_average: list
    tolerance: float  # how far one call or more may lie from the average, as a share of it
    stale: float


def _losses(model, images, stale):
    """The model's losses on the images, or None where a ``tf.function`` has left symbols in their place."""
    if any(tf.is_symbolic_tensor(loss) for loss in model.losses):
        return None
    if sum(float(loss) for loss in model.losses) == stale:
        model(images)
    return [float(loss) for loss in model.losses]


def _counted(model, images, posterior_of, prior):
    posterior, stale = posterior_of(images), posterior_of.stale
    kl = np.asarray(tfd.kl_divergence(posterior, prior), np.float64)
    z = posterior.sample(REPEATS, seed=fresh_seed())
    noise = one_call(np.asarray(posterior.log_prob(z) - prior.log_prob(z), np.float64)) / np.mean(kl)
    on_average = [count * np.mean(kl) for count in posterior_of.counts]
    losses = _losses(model, images, stale) or on_average
    return (Counted(kl, losses, on_average, 1e-4 if posterior_of.exact else 6.5 * noise, stale),)


def _factor(combine):
    """A test: the output is ``combine(losses, kl)`` for the last call's losses, or about that of the average."""

    def test(output, counted):
        last, average = (combine(losses, counted.kl) for losses in (counted.losses, counted.on_average))
        return np.allclose(output, last, rtol=1e-4) or np.allclose(output, average, rtol=counted.tolerance)

    return test


KL_FACTOR = Exercise(
    ("model", "images", "posterior_of", "prior"),
    (
        _draw_model("regularizer", exact=True, counts=lambda batch: (1, 1)),
        _draw_model("add", exact=True, counts=lambda batch: (batch,)),
        _draw_model("add", exact=False, counts=lambda batch: (1,)),
    ),
    _factor(lambda losses, kl: sum(losses) / np.mean(kl)),
    (
        mistake(
            "the losses are stale: they belong to the last call of the model, on other images. Call the model on "
            "these images first.",
            lambda output, counted: np.allclose(output, counted.stale / np.mean(counted.kl), rtol=1e-4),
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
            lambda output, *_: np.allclose(output, 1),
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
    satisfies,
    prepare=_counted,
    describe=lambda output, model, images, posterior_of, prior: (
        f"for one of the models it returns {output:.5g} where {sum(posterior_of.counts)} is right, up to the noise of "
        "a KL that is estimated. What are the losses of that model, and what is its mean KL?"
    ),
)

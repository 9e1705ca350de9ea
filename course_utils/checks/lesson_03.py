"""Inputs, answers and usual mistakes of lesson 03: a reparameterized draw, a log density, a score-function gradient.

``checks`` says what each function gets and returns.
"""

import numpy as np
import tensorflow as tf
from scipy.special import ndtr

from course_utils.checks.comparing import (
    LOG_2PI,
    REPEATS,
    Exercise,
    NotYet,
    averaged,
    constant_along,
    draw_log_variance,
    draw_normal,
    encoded_axes,
    equals,
    estimates,
    in_float64,
    looks_uniform,
    mean_of_rows,
    mistake,
    satisfies,
    scatters,
    sizes,
    slips,
    summed,
    summed_rows,
    uncorrelated,
)

# ---- the reparameterized draw ----


def _draw_posterior(rng):
    batch, latent_dim = int(rng.integers(40_000, 60_000)), int(rng.integers(3, 6))
    mean = rng.normal(0, 2, (batch, latent_dim)).astype(np.float32)
    return mean, rng.uniform(-2, 1.5, (batch, latent_dim)).astype(np.float32)


def _normal_with(scale, location=lambda mean, log_variance: mean, independent=True):
    """A test: z is normal with this location and scale, and independent between entries."""

    def test(z, mean, log_variance):
        mean, log_variance = mean.astype(np.float64), log_variance.astype(np.float64)
        share = ndtr((z - location(mean, log_variance)) / scale(log_variance))
        # Pooled entries can fit while narrow and wide ones err in turn: look at both halves.
        parts = (share[log_variance < 0], share[log_variance >= 0])
        return all(looks_uniform(part) for part in parts) and (not independent or uncorrelated(share))

    return test


def _root_of_log_variance(z, mean, log_variance):
    positive = log_variance > 0
    share = ndtr((z[positive] - mean[positive]) / np.sqrt(log_variance[positive]))
    return np.isnan(z[~positive]).all() and looks_uniform(share)


def _standardised(z, mean, log_variance):
    return (z - mean) / np.exp(0.5 * log_variance)


def _uniform_noise(*inputs):
    """Against the uniform between the extremes; with 100,000 draws those are its ends."""
    noise = _standardised(*inputs)
    return looks_uniform((noise - noise.min()) / np.ptp(noise))


def _bounded(*inputs):
    """The largest of 100,000 normal draws lies beyond 4."""
    return np.abs(_standardised(*inputs)).max() < 2.1


def _gradient_reaches(function, inputs) -> None:
    """dz/dmean = 1 and dz/dlog_variance = (z - mean) / 2, at the z that was drawn."""
    mean, log_variance = (tf.constant(value[:7]) for value in inputs)
    with tf.GradientTape() as tape:
        tape.watch([mean, log_variance])
        z = function(mean, log_variance)
        if tf.is_tensor(z):
            total = tf.reduce_sum(z)
    gradients = tape.gradient(total, [mean, log_variance]) if tf.is_tensor(z) else [None, None]
    names = ("mean", "log_variance")
    lost = [name for name, g in zip(names, gradients, strict=True) if g is None or not np.any(g)]
    if lost:
        raise NotYet(
            f"the draws have the right distribution, but the gradient does not reach {' and '.join(lost)}: the encoder "
            "would not learn. Draw the noise apart, and compute z from it with TensorFlow alone."
        )
    wanted = (np.ones(mean.shape), 0.5 * (z - mean))
    for name, got, want in zip(names, gradients, wanted, strict=True):
        if not np.allclose(got, want, rtol=1e-3, atol=1e-4):
            raise NotYet(f"the draws have the right distribution, but the gradient with respect to {name} is wrong.")


REPARAMETERIZE = Exercise(
    ("mean", "log_variance"),
    _draw_posterior,
    _normal_with(lambda log_variance: np.exp(0.5 * log_variance)),
    (
        mistake(
            "not started, or the noise is missing: this is the mean only. A decoder fed with it is that of an "
            "ordinary autoencoder, with gaps between its codes.",
            lambda z, mean, log_variance: np.allclose(z, mean, atol=1e-6),
        ),
        mistake(
            "there is no noise: you add the standard deviation itself. Every call returns the same z.",
            lambda *inputs: np.allclose(_standardised(*inputs), 1, atol=1e-3),
        ),
        mistake(
            "you multiply the noise by the variance, not by the standard deviation. A dimension with standard "
            "deviation 0.1 gets a tenth of its noise: compare the spread of many draws.",
            _normal_with(np.exp, independent=False),
        ),
        mistake(
            "the log variance is used as the standard deviation. It may be negative: it needs an exponential, and a "
            "half.",
            _normal_with(np.abs, independent=False),
        ),
        mistake(
            "the factor of the log variance is 2, or the 1/2 went to the wrong side: exp(2 * log_variance) is the "
            "variance squared. A root halves a logarithm.",
            _normal_with(lambda log_variance: np.exp(2 * log_variance), independent=False),
        ),
        mistake(
            "you take the square root of the log variance, which is NaN where it is negative. The root belongs to "
            "the variance: exponential first.",
            _root_of_log_variance,
            _normal_with(lambda log_variance: np.sqrt(np.abs(log_variance)), independent=False),
        ),
        mistake(
            "the noise is not multiplied by anything: the spread is 1 everywhere, whatever the encoder says.",
            _normal_with(np.ones_like, independent=False),
        ),
        mistake(
            "the mean is not added: z is the noise alone, scaled.",
            _normal_with(
                lambda log_variance: np.exp(0.5 * log_variance), lambda mean, log_variance: 0 * mean, independent=False
            ),
        ),
        mistake(
            "one number of noise serves everything, all images and all latent dimensions. Give the noise the shape "
            "of `mean`.",
            lambda *inputs: constant_along(_standardised(*inputs), (0, 1)),
        ),
        mistake(
            "one draw is shared by the whole batch: all images of a batch move together. Give the noise the batch "
            "axis too.",
            lambda *inputs: constant_along(_standardised(*inputs), 0),
        ),
        mistake(
            "one draw is shared by all latent dimensions of an image, so the noise only ever points along the "
            "diagonal. Give it the latent axis too.",
            lambda *inputs: constant_along(_standardised(*inputs), 1),
        ),
        mistake(
            "the noise is uniform, not normal: it has a sharp edge, and the KL formula no longer describes your z.",
            _uniform_noise,
        ),
        mistake(
            "the noise is truncated: no draw lies further than two standard deviations away. Use the plain normal.",
            _bounded,
        ),
    ),
    lambda mean, log_variance: {"batch": mean.shape[0], "latent_dim": mean.shape[1]},
    ("batch", "latent_dim"),
    "The right spread, and gradients to both.",
    satisfies,
    describe=lambda z, mean, log_variance: (
        "standardised with mean and standard deviation, your draws have mean "
        f"{_standardised(z, mean, log_variance).mean():.3f} and standard deviation "
        f"{_standardised(z, mean, log_variance).std():.3f}; they must be independent draws from N(0, 1)."
    ),
    trials=2,
    numpy_too=False,
    draws=True,
    nan_hint="Is there a root or a logarithm of the log variance, which may be negative",
    after=_gradient_reaches,
)


# ---- log density of the diagonal normal ----


def _draw_density(rng):
    """One entry lies 20 standard deviations out, where the density itself underflows in float32."""
    batch, latent_dim = sizes(rng, 2)
    z, mean = draw_normal(rng, batch, latent_dim), draw_normal(rng, batch, latent_dim)
    log_variance = draw_log_variance(rng, batch, latent_dim)
    z[0, 0] = mean[0, 0] + 20 * np.exp(0.5 * log_variance[0, 0])
    return z, mean, log_variance


def _density_terms(z, mean, log_variance, constant=LOG_2PI, half=0.5, spread=1.0):
    return -0.5 * (constant + spread * log_variance) - half * (z - mean) ** 2 * np.exp(-log_variance)


def _density(**changes):
    return summed_rows(lambda *inputs: _density_terms(*inputs, **changes))


def _density_terms_without_constant(*inputs):
    return _density_terms(*inputs, constant=0.0)


def _misread(terms):
    """An answer from terms that are wrong themselves, averaged or with the wrong sign as well."""
    return slips(terms, (1, -1), summed, averaged)


LOG_NORMAL_DENSITY = Exercise(
    ("z", "mean", "log_variance"),
    _draw_density,
    _density(),
    (
        mistake(
            "a factor 1/2 is missing. At z = mean and variance 1 the log density of one dimension is -0.919; one "
            "standard deviation away it is 0.5 less.",
            summed_rows(lambda *inputs: 2 * _density_terms(*inputs)),
            _density(half=1.0),
            _density(spread=2.0),
            _density(constant=2 * LOG_2PI),
            _density(spread=2.0, constant=2 * LOG_2PI),
            _density(half=1.0, spread=2.0),
        ),
        mistake(
            "the constant with 2 pi is forgotten. Gradients do not feel it, but every log-likelihood is 0.919 nats "
            "too high for each dimension.",
            *slips(_density_terms_without_constant, (1, 2), summed, averaged),
        ),
        mistake(
            "you average over the dimensions. Densities of independent dimensions multiply, so their logarithms add: "
            "sum over the last axis.",
            *slips(_density_terms, (1, 2), averaged, np.mean),
        ),
        mistake(
            "this is the density, not its logarithm. In many dimensions it underflows to 0, and its logarithm to "
            "minus infinity: stay with logarithms throughout.",
            in_float64(lambda *inputs: np.exp(np.sum(_density_terms(*inputs), axis=-1))),
        ),
        mistake(
            "the sign is wrong: this is minus the log density. Points near the mean must get the highest value.",
            *slips(_density_terms, (-1, -2), summed, averaged, mean_of_rows, np.sum, np.mean),
            *slips(_density_terms_without_constant, (-1, -2), summed, averaged, mean_of_rows, np.sum, np.mean),
        ),
        mistake(
            "the log variance is taken for the variance. It may be negative: divide by its exponential.",
            *_misread(lambda z, mean, variance: -0.5 * (LOG_2PI + np.log(variance) + (z - mean) ** 2 / variance)),
            *_misread(lambda z, mean, variance: -0.5 * (LOG_2PI + variance + (z - mean) ** 2 / variance)),
        ),
        mistake(
            "the log variance is taken for the log standard deviation: 2 ln(sd) is what you are given already.",
            *_misread(lambda z, mean, log_sd: _density_terms(z, mean, 2 * log_sd)),
            *_misread(lambda z, mean, log_sd: -0.5 * (LOG_2PI + log_sd + (z - mean) ** 2 * np.exp(-2 * log_sd))),
        ),
        mistake(
            "the log variance is taken for the standard deviation. It may be negative: it needs an exponential "
            "before it is a spread.",
            *_misread(lambda z, mean, sd: -0.5 * (LOG_2PI + 2 * np.log(sd) + (z - mean) ** 2 / sd**2)),
            *_misread(lambda z, mean, sd: -0.5 * (LOG_2PI + np.log(sd**2) + (z - mean) ** 2 / sd**2)),
        ),
        mistake(
            "the distance is divided by the standard deviation, not by the variance. Double the spread: a point at a "
            "fixed distance in standard deviations must keep its term.",
            *_misread(
                lambda z, mean, log_variance: (
                    -0.5 * (LOG_2PI + log_variance + (z - mean) ** 2 * np.exp(-0.5 * log_variance))
                )
            ),
        ),
        mistake(
            "you sum over the batch too. One log density for each row is asked for, shape (batch,).",
            *slips(_density_terms, (1, 2), np.sum),
        ),
        mistake(
            "you average over the batch. One log density for each row is asked for, shape (batch,).",
            *slips(_density_terms, (1, 2), mean_of_rows),
        ),
    ),
    encoded_axes,
    ("batch",),
    "A sum over dimensions, because independent densities multiply.",
    equals,
    nan_hint="Far out a density underflows to 0, so never take its logarithm, nor that of a negative log variance",
)


# ---- the score-function gradient ----


def _draw_score(rng):
    sd = rng.uniform(0.5, 0.7) if rng.random() < 0.5 else rng.uniform(1.4, 1.8)
    return np.float32(rng.choice([-1, 1]) * rng.uniform(0.8, 1.4)), np.float32(sd), int(rng.integers(30_000, 40_000))


def _score_draws(mean, sd, number):
    return np.random.default_rng().normal(mean, sd, (REPEATS, number)), float(mean), float(sd)


def _score(z, mean, sd):
    return z**2 * (z - mean) / sd**2


SCORE_GRADIENT = Exercise(
    ("mean", "sd", "number"),
    _draw_score,
    _score,
    (
        mistake(
            "the sign is wrong. For a positive mean, raising it raises E[z^2]: the gradient is positive there.",
            lambda z, mean, sd: -(z**2) * (z - mean) / sd**2,
        ),
        mistake(
            "you divide by the standard deviation (or by nothing), and the score of a normal divides by its "
            "variance. With sd = 1 the two agree: try sd = 2.",
            lambda z, mean, sd: z**2 * (z - mean) / sd,
            lambda z, mean, sd: z**2 * (z - mean),
        ),
        mistake(
            "z^2 is not multiplied by the score: this estimates E[z^2] itself, not its derivative.",
            lambda z, mean, sd: z**2,
        ),
        mistake(
            "z^2 is multiplied by the log density, not by the derivative of the log density with respect to the mean.",
            lambda z, mean, sd: z**2 * (-0.5 * ((z - mean) / sd) ** 2 - np.log(sd * np.sqrt(2 * np.pi))),
        ),
        mistake(
            "this is the sum over the draws, not their mean: it grows with `number`.",
            lambda z, mean, sd: z.shape[1] * _score(z, mean, sd),
        ),
        mistake(
            "the score alone has mean zero: it must be multiplied by z^2, the function whose mean you differentiate.",
            lambda z, mean, sd: (z - mean) / sd**2,
        ),
        mistake(
            "the estimates scatter as if each came from one sample only, or from a few. Use all `number` draws.",
            scatters(_score),
            by=satisfies,
        ),
    ),
    lambda mean, sd, number: {"number": number},
    (),
    "The derivative of E[z^2] = mean^2 + sd^2 is 2 mean.",
    estimates,
    prepare=_score_draws,
    calls=16,
    trials=4,
)

"""Inputs, answers and usual mistakes of lesson 02: three ways to a KL divergence.

``checks`` says what each function gets and returns.
"""

import numpy as np
import tensorflow_probability as tfp

from course_utils.checks.comparing import (
    REPEATS,
    Exercise,
    averaged,
    draw_log_variance,
    draw_normal,
    encoded_axes,
    equals,
    estimates,
    fresh_seed,
    mean_of_rows,
    mistake,
    satisfies,
    scatters,
    sizes,
    slips,
    summed,
    summed_rows,
)

tfd = tfp.distributions

# ---- KL of two normals ----


def _draw_normals(rng):
    """Apart enough that no term of the formula is small."""
    mean_q, sd_q, sd_p = rng.normal(), rng.uniform(0.3, 0.8), rng.uniform(1.2, 3.0)
    if rng.random() < 0.5:
        sd_q, sd_p = sd_p, sd_q
    mean_p = mean_q + rng.choice([-1, 1]) * rng.uniform(0.7, 2.0)
    return tuple(np.float32(value) for value in (mean_q, sd_q, mean_p, sd_p))


def _kl(mean_q, sd_q, mean_p, sd_p, log=1.0, half=0.5, constant=-0.5):
    return log * np.log(sd_p / sd_q) + half * (sd_q**2 + (mean_q - mean_p) ** 2) / sd_p**2 + constant


def _kl_of(**changes):
    return lambda *inputs: _kl(*np.float64(inputs), **changes)


def _scaled(answer, *scales):
    return [lambda *inputs, scale=scale: scale * answer(*np.float64(inputs)) for scale in scales]


KL_NORMALS = Exercise(
    ("mean_q", "sd_q", "mean_p", "sd_p"),
    _draw_normals,
    _kl_of(),
    (
        mistake(
            "this is the reversed divergence, KL(p||q). Which of the two do you average under? The reversed one lets "
            "q spread where p is not.",
            *_scaled(lambda mean_q, sd_q, mean_p, sd_p: _kl(mean_p, sd_p, mean_q, sd_q), 1, -1, 2, -2),
        ),
        mistake(
            "the sign is wrong: this is the negated divergence. A KL is never negative, and a loss with this sign "
            "drives q away from p.",
            *_scaled(_kl, -1, -2),
        ),
        mistake(
            "a factor 1/2 is missing (or the constant -1/2). Set q = p: every KL must be 0 there. Then take q = N(1, "
            "1) and p = N(0, 1), which gives 0.5.",
            lambda *inputs: 2 * _kl(*inputs),
            _kl_of(half=1.0),
            _kl_of(half=1.0, constant=-1.0),
            _kl_of(log=2.0),
            _kl_of(constant=0.0),
            _kl_of(constant=-1.0),
        ),
        mistake(
            "standard deviations stand where variances belong. The arguments are standard deviations: square them. "
            "With both equal to 1 you cannot see it.",
            *_scaled(lambda mean_q, sd_q, mean_p, sd_p: _kl(mean_q, sd_q**0.5, mean_p, sd_p**0.5), 1, -1, 2),
            lambda mean_q, sd_q, mean_p, sd_p: np.log(sd_p / sd_q) + (sd_q + (mean_q - mean_p) ** 2) / (2 * sd_p) - 0.5,
            lambda mean_q, sd_q, mean_p, sd_p: (
                np.log(sd_p / sd_q) + (sd_q**2 + (mean_q - mean_p) ** 2) / (2 * sd_p) - 0.5
            ),
            lambda mean_q, sd_q, mean_p, sd_p: (
                np.log(sd_p / sd_q) + (sd_q + (mean_q - mean_p) ** 2) / (2 * sd_p**2) - 0.5
            ),
            _kl_of(log=0.5),
        ),
        mistake(
            "a ratio of the two spreads is upside down. Make q very narrow: it must cost much, because the logarithm "
            "of sd_p / sd_q grows.",
            _kl_of(log=-1.0),
            lambda mean_q, sd_q, mean_p, sd_p: (
                np.log(sd_p / sd_q) + (sd_p**2 + (mean_q - mean_p) ** 2) / (2 * sd_q**2) - 0.5
            ),
            lambda mean_q, sd_q, mean_p, sd_p: (
                np.log(sd_p / sd_q) + sd_p**2 / (2 * sd_q**2) + (mean_q - mean_p) ** 2 / (2 * sd_p**2) - 0.5
            ),
        ),
        mistake(
            "the log term is forgotten. Without it nothing keeps q from shrinking to a point.",
            _kl_of(log=0.0),
        ),
    ),
    lambda *inputs: {},
    (),
    "Zero for q = p, and not the same as KL(p||q).",
    equals,
    trials=6,
)


# ---- KL to the standard normal ----


def _draw_encoded(rng):
    batch, latent_dim = sizes(rng, 2)
    return draw_normal(rng, batch, latent_dim), draw_log_variance(rng, batch, latent_dim)


def _kl_terms(mean, log_variance):
    return 0.5 * (np.exp(log_variance) + mean**2 - 1 - log_variance)


def _misread(terms):
    """An answer from terms that are wrong themselves, with each further slip."""
    return slips(terms, (1, 2, -1, -2), summed, averaged)


KL_TO_STANDARD_NORMAL = Exercise(
    ("mean", "log_variance"),
    _draw_encoded,
    summed_rows(_kl_terms),
    (
        mistake(
            "you average over the latent dimensions, and nats add up: sum over the last axis. The mean makes the KL "
            "latent_dim times too weak in a loss.",
            *slips(_kl_terms, (1, 2), averaged),
        ),
        mistake(
            "this is the mean over the batch and the latent dimensions, one number. Sum over the last axis and leave "
            "the batch: the KL is latent_dim times too weak in yours.",
            *slips(_kl_terms, (1, 2), np.mean),
        ),
        mistake(
            "you sum over the batch too, so the KL grows with the batch size. One value for each image is asked for: "
            "which axis is the latent one?",
            *slips(_kl_terms, (1, 2), np.sum),
        ),
        mistake(
            "this is the scalar mean over the batch. The number is right for a loss, but here one value for each "
            "image is asked for, shape (batch,).",
            *slips(_kl_terms, (1,), mean_of_rows),
        ),
        mistake(
            "a factor 1/2 is missing: mean 1 and variance 1 must give 0.5 in one dimension. In a loss this is a beta "
            "of 2, and the codes carry less.",
            *slips(_kl_terms, (2,), summed, mean_of_rows),
        ),
        mistake(
            "the sign is wrong: this is the negated KL. A KL is never negative, and training would drive the codes "
            "away from the prior without end.",
            *slips(_kl_terms, (-1,), summed, mean_of_rows, np.sum),
        ),
        mistake(
            "two slips: the sign is wrong, so a KL comes out negative, and the 1/2 is forgotten as well. Mean 1 and "
            "variance 1 must give 0.5 in one dimension.",
            *slips(_kl_terms, (-2,), summed, mean_of_rows, np.sum),
        ),
        mistake(
            "two slips: the sign is wrong, so a KL comes out negative, and you take the mean where nats add up. Sum "
            "over the last axis.",
            *slips(_kl_terms, (-1, -2), averaged, np.mean),
        ),
        mistake(
            "the log variance is taken for the variance. It may be negative, a variance may not: which function "
            "turns one into the other?",
            *_misread(lambda mean, variance: 0.5 * (variance + mean**2 - 1 - np.log(variance))),
            *_misread(lambda mean, variance: 0.5 * (variance + mean**2 - 1 - variance)),
            *_misread(lambda mean, variance: 0.5 * (np.exp(variance) + mean**2 - 1 - np.log(variance))),
        ),
        mistake(
            "the log variance is taken for the log standard deviation: the spread enters twice over. ln(variance) is "
            "2 ln(sd) already.",
            *_misread(lambda mean, log_sd: 0.5 * (np.exp(2 * log_sd) + mean**2 - 1 - 2 * log_sd)),
            *_misread(lambda mean, log_sd: 0.5 * (np.exp(2 * log_sd) + mean**2 - 1 - log_sd)),
            *_misread(lambda mean, log_sd: 0.5 * (np.exp(log_sd) + mean**2 - 1 - 2 * log_sd)),
        ),
        mistake(
            "the log variance is taken for the standard deviation. It may be negative: it needs an exponential "
            "before it is a spread.",
            *_misread(lambda mean, sd: 0.5 * (sd**2 + mean**2 - 1 - 2 * np.log(sd))),
            *_misread(lambda mean, sd: 0.5 * (sd**2 + mean**2 - 1 - np.log(sd**2))),
            *_misread(lambda mean, sd: 0.5 * (sd**2 + mean**2 - 1 - sd)),
        ),
        mistake(
            "this is the other direction, KL(N(0, I) || q). The ELBO averages under q: mean and variance of the "
            "first distribution stand on top.",
            *_misread(lambda mean, log_variance: 0.5 * ((1 + mean**2) * np.exp(-log_variance) - 1 + log_variance)),
        ),
    ),
    encoded_axes,
    ("batch",),
    "Nats for each image, summed over the latent dimensions.",
    equals,
    nan_hint="A log variance may be negative, so no logarithm or root of it can be taken",
)


# ---- a Monte-Carlo estimate of the KL ----


def _draw_pair(rng):
    """q narrow and p wide or the other way round, never at the same place; in one dimension or in three."""
    narrow, wide, apart = rng.uniform(0.5, 0.8), rng.uniform(1.3, 1.8), rng.choice([-1, 1]) * rng.uniform(0.5, 1.0)
    sd_q, sd_p = np.float32((narrow, wide) if rng.random() < 0.5 else (wide, narrow))
    if rng.random() < 0.5:
        q, p = tfd.Normal(0.3, sd_q), tfd.Normal(np.float32(0.3 + apart), sd_p)
    else:
        tril = sd_p * np.linalg.cholesky([[1, 0.4, 0], [0.4, 1, 0.2], [0, 0.2, 1]])
        q = tfd.MultivariateNormalDiag(np.float32([0.3, -0.2, 0.1]), sd_q * np.float32([1, 0.9, 1.1]))
        p = tfd.MultivariateNormalTriL(np.float32([0.3 + apart, 0, 0]), tril.astype(np.float32))
    return q, p, int(rng.integers(8_000, 12_000))


def _log_densities(q, p, number):
    """log q and log p at draws from q, then at draws from p; four arrays ``(REPEATS, number)``."""
    draws = [distribution.sample((REPEATS, number), seed=fresh_seed()) for distribution in (q, p)]
    return [np.asarray(d.log_prob(x), np.float64) for x in draws for d in (q, p)]


def _log_ratio(log_q, log_p, *_):
    return log_q - log_p


MONTE_CARLO_KL = Exercise(
    ("q", "p", "number"),
    _draw_pair,
    _log_ratio,
    (
        mistake(
            "the samples come from p, so this is not KL(q||p) but minus the other one. The first distribution of a "
            "KL is the one you average under.",
            lambda _q, _p, log_q, log_p: log_q - log_p,
        ),
        mistake(
            "this is the reversed divergence, KL(p||q). Draw from q, and put log q first.",
            lambda _q, _p, log_q, log_p: log_p - log_q,
        ),
        mistake(
            "the sign is wrong: the negated divergence. A KL is never negative, and its estimate rarely.",
            lambda log_q, log_p, *_: log_p - log_q,
        ),
        mistake(
            "this is the sum over the draws, not their mean: it grows with `number`.",
            lambda log_q, log_p, *_: log_q.shape[1] * (log_q - log_p),
        ),
        mistake(
            "densities stand where their logarithms belong: use `log_prob`, not `prob`.",
            lambda log_q, log_p, *_: np.exp(log_q) - np.exp(log_p),
            lambda log_q, log_p, *_: np.exp(log_q) * (log_q - log_p),
        ),
        mistake(
            "one of the two log densities is missing: a KL compares both at the same draws.",
            lambda log_q, log_p, *_: -log_p,
            lambda log_q, log_p, *_: log_q,
        ),
        mistake(
            "the estimates scatter as if each came from one sample only, or from a few. Use all `number` draws: the "
            "error falls with the root of their number.",
            scatters(_log_ratio),
            by=satisfies,
        ),
    ),
    lambda q, p, number: {"number": number, "event": 3},
    (),
    "The estimate needs no formula, only `sample` and `log_prob`.",
    estimates,
    prepare=_log_densities,
    calls=16,
    trials=3,
)

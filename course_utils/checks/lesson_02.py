"""Lesson 02, the KL divergence: exercises 1 to 3, ``monte_carlo_kl``, ``kl_normals``, ``kl_to_standard_normal``."""

import numpy as np
import tensorflow_probability as tfp

from course_utils.checks.estimating import examine_estimate
from course_utils.checks.judging import exercise
from course_utils.checks.values import Values

tfd = tfp.distributions


@exercise("mean_q, sd_q, mean_p, sd_p", "Zero for q = p, and not the same as KL(p||q).")
def kl_normals(call, rng):
    """Lesson 02, exercise 2. ``function(mean_q, sd_q, mean_p, sd_p)`` returns KL(q || p) of two normals.

    It gets four scalar tensors; the spreads are standard deviations. It returns one number, in nats.
    """
    KL_NORMALS.examine(call, [_normals(rng, *kind) for kind in KINDS * 2])


KINDS = [(narrow, right) for narrow in (True, False) for right in (True, False)]


def _normals(rng, narrow: bool, right: bool):
    """q narrower or wider than p, to its left or to its right; apart enough that no term of the formula is small."""
    mean_q, sds = rng.normal(), (rng.uniform(0.3, 0.8), rng.uniform(1.2, 3.0))
    mean_p = mean_q + (1 if right else -1) * rng.uniform(0.7, 2.0)
    sd_q, sd_p = sds if narrow else sds[::-1]
    return tuple(np.float32(value) for value in (mean_q, sd_q, mean_p, sd_p))


SQUARE = "Standard deviations are given, and variances belong there: square them. With both 1 you cannot see it."
ADDED = "The means are added, and their difference belongs there."
DISTANCE = "(mean_q - mean_p)**2 / (2 * sd_p**2)"
KL_NORMALS = Values(
    terms=("log(sd_p / sd_q)", "sd_q**2 / (2 * sd_p**2)", DISTANCE, "-1/2"),
    stand_ins={
        lambda m, s, n, t: (n, t, m, s): "This is the reversed divergence, KL(p||q). Which of the two do you average "
        "under? The reversed one lets q spread where p is not.",
    },
    other_forms={
        DISTANCE: {
            "(mean_q - mean_p)**2 / 2": "The distance of the means is not divided by sd_p^2.",
            "(mean_q - mean_p) / (2 * sd_p**2)": "The distance of the means is not squared.",
            "abs(mean_q - mean_p) / (2 * sd_p**2)": "The distance of the means is not squared.",
            "(mean_q**2 - mean_p**2) / (2 * sd_p**2)": "",
            "(mean_q - mean_p)**2 / (2 * sd_q**2)": "",
        },
    },
    mistakes={
        "(sd_q**2 / sd_p**2 + sd_p**2 / sd_q**2 + (mean_q - mean_p)**2 * (1 / sd_p**2 + 1 / sd_q**2) - 2) / 4": "This "
        "is the mean of both directions, KL(q||p) and KL(p||q).",
    },
    words={
        "-1": "The sign is wrong: this is the negated divergence. A KL is never negative.",
        **dict.fromkeys(("sqrt(sd_q)", "sqrt(sd_p)", "sqrt(sd_q), sqrt(sd_p)"), SQUARE),
        "sd_p, sd_q": "The spreads of q and p are exchanged: a ratio is upside down. A very narrow q must cost much.",
        "-mean_q": ADDED,
        "-mean_p": ADDED,
    },
)


@exercise(
    "q, p, number",
    "The estimate needs no formula, only `sample` and `log_prob`.",
    error_hint=("KL(", "Not every pair has a formula: `sample` and `log_prob` are all you need."),
)
def monte_carlo_kl(call, rng):
    """Lesson 02, exercise 1. ``function(q, p, number)`` returns an estimate of KL(q || p) from ``number`` draws.

    It gets two TFP distributions of scalar batch shape and an int. It returns one number, in nats. The draws that it
    hands to ``log_prob`` are looked at, so the closed form does not pass.
    """
    examine_estimate(call, _pairs(rng))


def _pairs(rng) -> list[tuple]:
    """q narrower than p and to its left; wider, to its right; three dimensions; a pair whose KL TFP does not know.

    The last two are so near each other that estimates are negative as often as not: an absolute value shows.
    """
    narrow, wide, any_sd = np.float32(rng.uniform([0.5, 1.3, 0.6], [0.8, 1.8, 1.2]))
    left, right, near = np.float32(rng.uniform([-0.7, 0.8, 0.34], [-0.2, 1.3, 0.36]))
    means, sds = np.float32([[0.3, -0.2, 0.1], [1, 0, -0.5]]), np.float32([[1, 0.9, 1.1], rng.uniform(0.7, 1.5, 3)])
    return [
        (tfd.Normal(0.3, narrow), tfd.Normal(right, wide)),
        (tfd.Normal(0.3, wide), tfd.Normal(left, narrow)),
        tuple(tfd.Independent(tfd.Normal(*one), 1) for one in zip(means, sds, strict=True)),
        (tfd.Normal(0.3, any_sd), tfd.Laplace(0.8, 1.0)),
        (tfd.Normal(0.3, 1.0), tfd.Normal(near, 1.0)),
    ]


@exercise(
    "mean, log_variance",
    "Nats for each image, summed over the latent dimensions.",
    nan_hint="A log variance may be negative, so no logarithm or root of it can be taken",
)
def kl_to_standard_normal(call, rng):
    """Lesson 02, exercise 3. ``function(mean, log_variance)`` returns KL(N(mean, exp(log_variance)) || N(0, I)).

    It gets two tensors ``(batch, latent_dim)``. It returns one value for each image, ``(batch,)``, in nats.
    """
    KL_TO_STANDARD_NORMAL.examine(call, [encoded(rng, 2) for _ in range(4)])


SIZES = {"batch": 11, "latent_dim": 5}


def encoded(rng, number: int) -> tuple[np.ndarray, ...]:
    """Arrays of which the last is a log variance: first rows positive, where every mistake is finite, then any sign."""
    *others, log_variance = rng.normal(size=(number, *SIZES.values())).astype(np.float32)
    log_variance[:8] = np.abs(log_variance[:8]) + 0.1
    log_variance[8, 0], log_variance[9, 0] = 4.4, -4.4  # a variance of any size
    return *others, log_variance


TAKEN_FOR = dict.fromkeys(  # with what stands in the place of the last argument
    (
        lambda *inputs: (*inputs[:-1], 2 * np.log(inputs[-1] + 0j)),
        lambda *inputs: (*inputs[:-1], np.log(inputs[-1] ** 2)),
    ),
    "The log variance is taken for the standard deviation. It may be negative: it needs an exponential first.",
)
TAKEN_WORDS = {
    "ln(log_variance)": "The log variance is taken for the variance. A variance is positive: use `exp`.",
    "2 log_variance": "The log variance is taken for the log standard deviation: ln(variance) is 2 ln(sd) already.",
    "log_variance / 2": "The standard deviation stands where the variance belongs, or a root is taken twice.",
    "-log_variance": "The variance is upside down: its log has the wrong sign.",
    "exp(log_variance)": "The variance stands where its logarithm belongs.",
}
KL_TO_STANDARD_NORMAL = Values(
    terms=("mean**2 / 2", "exp(log_variance) / 2", "-1/2", "-log_variance / 2"),
    over=lambda values: values.sum(axis=-1),
    shape=("batch",),
    sizes=SIZES,
    stand_ins=TAKEN_FOR,
    other_forms={
        "mean**2 / 2": {
            "abs(mean) / 2": "The mean is not squared.",
            "mean**2 / exp(log_variance) / 2": "The mean is divided by the variance, as in the other direction.",
            "mean * sum(mean, axis=-1, keepdims=True) / 2": "The sum of the means is squared: sum their squares.",
        },
    },
    mistakes={
        "((1 + mean**2) / exp(log_variance) - 1 + log_variance) / 2": "This is the other direction, KL(N(0, I) || q). "
        "The ELBO averages under q: mean and variance of the first distribution stand on top.",
        "(mean**2 - 1) / 2": TAKEN_WORDS["ln(log_variance)"],
    },
    words={
        "-1": "The sign is wrong: this is the negated KL. A KL is never negative.",
        "2": "A factor 1/2 is missing: mean 0 and variance e must give 0.36 in one dimension.",
        "1/latent_dim": "You average over the latent dimensions, and nats add up: sum over the last axis.",
        **TAKEN_WORDS,
        "sqrt(mean)": "The mean is not squared.",
    },
)

"""Lesson 02, the KL divergence: exercises 1 to 3, ``kl_normals``, ``monte_carlo_kl``, ``kl_to_standard_normal``."""

from collections.abc import Callable

import numpy as np
import tensorflow_probability as tfp

from course_utils.checks.estimating import examine_estimate
from course_utils.checks.judging import judge
from course_utils.checks.values import Values

tfd = tfp.distributions


def kl_normals(function: Callable) -> None:
    """Lesson 02, exercise 1. ``function(mean_q, sd_q, mean_p, sd_p)`` returns KL(q || p) of two normals.

    It gets four scalar tensors; the spreads are standard deviations. It returns one number, in nats.
    """
    rng = np.random.default_rng()
    judge(
        function,
        lambda call: KL_NORMALS.examine(call, [_normals(rng, *kind) for kind in KINDS * 3]),
        "Zero for q = p, and not the same as KL(p||q).",
        arguments=("mean_q", "sd_q", "mean_p", "sd_p"),
    )


KINDS = [(narrow, right) for narrow in (True, False) for right in (True, False)]


def _normals(rng, narrow: bool, right: bool):
    """q narrower or wider than p, to its left or to its right; apart enough that no term of the formula is small."""
    mean_q, sds = rng.normal(), (rng.uniform(0.3, 0.8), rng.uniform(1.2, 3.0))
    mean_p = mean_q + (1 if right else -1) * rng.uniform(0.7, 2.0)
    sd_q, sd_p = sds if narrow else sds[::-1]
    return tuple(np.float32(value) for value in (mean_q, sd_q, mean_p, sd_p))


STANDARD_DEVIATIONS = "Standard deviations stand where variances belong: square them. With both 1 you cannot see it."
UPSIDE_DOWN = "A ratio of the two spreads is upside down. Make q very narrow: it must cost much."


def _kl_of_normals(mean_q, sd_q, mean_p, sd_p):
    return np.log(sd_p / sd_q) + (sd_q**2 + (mean_q - mean_p) ** 2) / (2 * sd_p**2) - 0.5


KL_NORMALS = Values(
    terms=lambda mean_q, sd_q, mean_p, sd_p: {
        "ln(sd_p / sd_q)": np.log(sd_p / sd_q),
        "sd_q^2 / (2 sd_p^2)": sd_q**2 / (2 * sd_p**2),
        "(mean_q - mean_p)^2 / (2 sd_p^2)": (mean_q - mean_p) ** 2 / (2 * sd_p**2),
        "-1/2": np.full_like(sd_p, -0.5),
    },
    other_forms={
        "sd_q^2 / (2 sd_p^2)": {
            STANDARD_DEVIATIONS: lambda mean_q, sd_q, mean_p, sd_p: sd_q / (2 * sd_p),
            f"In sd_p: {STANDARD_DEVIATIONS}": lambda mean_q, sd_q, mean_p, sd_p: sd_q**2 / (2 * sd_p),
            f"In sd_q: {STANDARD_DEVIATIONS}": lambda mean_q, sd_q, mean_p, sd_p: sd_q / (2 * sd_p**2),
            UPSIDE_DOWN: lambda mean_q, sd_q, mean_p, sd_p: sd_p**2 / (2 * sd_q**2),
            "The term with sd_q^2 is not divided by sd_p^2.": lambda mean_q, sd_q, mean_p, sd_p: sd_q**2 / 2,
        },
        "(mean_q - mean_p)^2 / (2 sd_p^2)": {
            f"Below the means: {STANDARD_DEVIATIONS}": lambda mean_q, sd_q, mean_p, sd_p: (
                (mean_q - mean_p) ** 2 / (2 * sd_p)
            ),
            "The distance of the means is divided by the variance of q, and that of p belongs there.": (
                lambda mean_q, sd_q, mean_p, sd_p: (mean_q - mean_p) ** 2 / (2 * sd_q**2)
            ),
            "The distance of the means is not divided by sd_p^2.": lambda mean_q, sd_q, mean_p, sd_p: (
                (mean_q - mean_p) ** 2 / 2
            ),
            "The distance of the means is not squared.": lambda mean_q, sd_q, mean_p, sd_p: (
                (mean_q - mean_p) / (2 * sd_p**2)
            ),
            "The absolute distance of the means stands where its square belongs.": lambda mean_q, sd_q, mean_p, sd_p: (
                np.abs(mean_q - mean_p) / (2 * sd_p**2)
            ),
            "The means are added, and their difference belongs there.": lambda mean_q, sd_q, mean_p, sd_p: (
                (mean_q + mean_p) ** 2 / (2 * sd_p**2)
            ),
            "mean_p is ignored: the distance of the two means counts.": lambda mean_q, sd_q, mean_p, sd_p: (
                mean_q**2 / (2 * sd_p**2)
            ),
            "The difference of the squared means stands where the square of their difference belongs.": (
                lambda mean_q, sd_q, mean_p, sd_p: (mean_q**2 - mean_p**2) / (2 * sd_p**2)
            ),
        },
    },
    mistakes={
        "this is the reversed divergence, KL(p||q). Which of the two do you average under? The reversed one lets q "
        "spread where p is not.": lambda mean_q, sd_q, mean_p, sd_p: _kl_of_normals(mean_p, sd_p, mean_q, sd_q),
        f"variances are read: {STANDARD_DEVIATIONS[0].lower()}{STANDARD_DEVIATIONS[1:]}": (
            lambda mean_q, sd_q, mean_p, sd_p: _kl_of_normals(mean_q, sd_q**0.5, mean_p, sd_p**0.5)
        ),
        "the spreads of q and p are swapped.": lambda mean_q, sd_q, mean_p, sd_p: _kl_of_normals(
            mean_q, sd_p, mean_p, sd_q
        ),
        "this is the mean of both directions, KL(q||p) and KL(p||q).": lambda *inputs: (
            0.5 * (_kl_of_normals(*inputs) + _kl_of_normals(*inputs[2:], *inputs[:2]))
        ),
    },
    words={"-1": "The sign is wrong: this is the negated divergence. A KL is never negative."},
)


def monte_carlo_kl(function: Callable) -> None:
    """Lesson 02, exercise 2. ``function(q, p, number)`` returns an estimate of KL(q || p) from ``number`` draws.

    It gets two TFP distributions of scalar batch shape and an int. It returns one number, in nats. The draws that it
    hands to ``log_prob`` are looked at, so the closed form does not pass.
    """
    rng = np.random.default_rng()
    judge(
        function,
        lambda call: examine_estimate(call, [pair(rng) for pair in PAIRS]),
        "The estimate needs no formula, only `sample` and `log_prob`.",
        arguments=("q", "p", "number"),
        error_hint=("KL(", "Not every pair has a formula: `sample` and `log_prob` are all you need."),
    )


def _one_dimension(narrow, sign):
    def pair(rng):
        sds = np.float32(rng.uniform([0.5, 1.3], [0.8, 1.8]))
        sd_q, sd_p = sds if narrow else sds[::-1]
        return tfd.Normal(0.3, sd_q), tfd.Normal(np.float32(0.3 + sign * rng.uniform(0.5, 1)), sd_p)

    return pair


def _near(rng):
    """So near that estimates are negative as often as not: an absolute value shows."""
    return tfd.Normal(0.3, 1.0), tfd.Normal(np.float32(0.3 + rng.uniform(0.04, 0.06)), 1.0)


def _three_dimensions(rng):
    tril = rng.uniform(0.7, 1.5) * np.linalg.cholesky([[1, 0.4, 0], [0.4, 1, 0.2], [0, 0.2, 1]])
    q = tfd.MultivariateNormalDiag(np.float32([0.3, -0.2, 0.1]), np.float32([1, 0.9, 1.1]))
    return q, tfd.MultivariateNormalTriL(np.float32([1, 0, -0.5]), tril.astype(np.float32))


def _without_formula(rng):
    """TFP knows no KL of this pair."""
    return tfd.Normal(0.3, np.float32(rng.uniform(0.6, 1.2))), tfd.StudentT(4.0, np.float32(0.8), 1.0)


PAIRS = [_one_dimension(narrow, sign) for narrow in (True, False) for sign in (1, -1)]
PAIRS += [_near, _three_dimensions, _without_formula]


def kl_to_standard_normal(function: Callable) -> None:
    """Lesson 02, exercise 3. ``function(mean, log_variance)`` returns KL(N(mean, exp(log_variance)) || N(0, I)).

    It gets two tensors ``(batch, latent_dim)``. It returns one value for each image, ``(batch,)``, in nats.
    """
    rng = np.random.default_rng()
    judge(
        function,
        lambda call: KL_TO_STANDARD_NORMAL.examine(call, [_encoded(rng) for _ in range(4)]),
        "Nats for each image, summed over the latent dimensions.",
        arguments=("mean", "log_variance"),
        nan_hint="A log variance may be negative, so no logarithm or root of it can be taken",
    )


BATCH, LATENT_DIM = 11, 5
AS_VARIANCE = "The log variance is taken for the variance. It may be negative, a variance may not: use `exp`."
AS_SD = "The log variance is taken for the standard deviation. It may be negative: it needs an exponential first."
AS_LOG_SD = "The log variance is taken for the log standard deviation: ln(variance) is 2 ln(sd) already."


def _encoded(rng):
    """The first rows are positive, where every mistaken formula is finite; the others have both signs."""
    mean, log_variance = rng.normal(size=(2, BATCH, LATENT_DIM)).astype(np.float32)
    log_variance[: BATCH - 3] = np.abs(log_variance[: BATCH - 3]) + 0.1
    return mean, log_variance


def _over_dimensions(terms):
    return lambda mean, log_variance: np.sum(terms(mean, log_variance) + 0 * mean, axis=-1)


KL_TO_STANDARD_NORMAL = Values(
    terms=lambda mean, log_variance: {
        "mean^2 / 2": np.sum(mean**2 / 2, axis=-1),
        "variance / 2": np.sum(np.exp(log_variance) / 2, axis=-1),
        "-1/2": np.full(len(mean), -LATENT_DIM / 2),
        "-log_variance / 2": np.sum(-log_variance / 2, axis=-1),
    },
    axes=lambda mean, log_variance: {"batch": BATCH, "latent_dim": LATENT_DIM},
    shape=("batch",),
    sizes={"batch": BATCH, "latent_dim": LATENT_DIM},
    other_forms={
        "variance / 2": {
            AS_VARIANCE: _over_dimensions(lambda mean, variance: variance / 2),
            AS_SD: _over_dimensions(lambda mean, sd: sd**2 / 2),
            AS_LOG_SD: _over_dimensions(lambda mean, log_sd: np.exp(2 * log_sd) / 2),
            "The standard deviation stands where the variance belongs: the exponential has a 1/2 too many.": (
                _over_dimensions(lambda mean, log_variance: np.exp(log_variance / 2) / 2)
            ),
            "The variance is upside down: exp(-log_variance).": _over_dimensions(
                lambda mean, log_variance: np.exp(-log_variance) / 2
            ),
        },
        "-log_variance / 2": {
            "A logarithm is taken of the log variance, which is one already.": _over_dimensions(
                lambda mean, variance: -np.log(variance) / 2
            ),
            "A logarithm is taken of the log variance, which is one already, and of its absolute value.": (
                _over_dimensions(lambda mean, variance: -np.log(np.abs(variance)) / 2)
            ),
            "The variance stands where its logarithm belongs.": _over_dimensions(
                lambda mean, log_variance: -np.exp(log_variance) / 2
            ),
        },
        "mean^2 / 2": {
            "The mean is not squared.": _over_dimensions(lambda mean, log_variance: mean / 2),
            "The absolute mean stands where its square belongs.": _over_dimensions(
                lambda mean, log_variance: np.abs(mean) / 2
            ),
            "The sum of the means is squared, and their squares are to be summed.": lambda mean, log_variance: (
                np.sum(mean, axis=-1) ** 2 / 2
            ),
            "The mean is divided by the variance: that is done in the other direction.": _over_dimensions(
                lambda mean, log_variance: mean**2 * np.exp(-log_variance) / 2
            ),
        },
    },
    mistakes={
        "this is the other direction, KL(N(0, I) || q). The ELBO averages under q: mean and variance of the first "
        "distribution stand on top.": _over_dimensions(
            lambda mean, log_variance: 0.5 * ((1 + mean**2) * np.exp(-log_variance) - 1 + log_variance)
        ),
        AS_VARIANCE: (
            _over_dimensions(lambda mean, variance: 0.5 * (variance + mean**2 - 1 - np.log(variance))),
            _over_dimensions(lambda mean, variance: 0.5 * (mean**2 - 1)),
        ),
        AS_SD: (
            _over_dimensions(lambda mean, sd: 0.5 * (sd**2 + mean**2 - 1 - np.log(sd**2))),
            _over_dimensions(lambda mean, sd: 0.5 * (sd**2 + mean**2 - 1 - 2 * np.log(sd))),
        ),
        AS_LOG_SD: _over_dimensions(lambda mean, log_sd: 0.5 * (np.exp(2 * log_sd) + mean**2 - 1 - 2 * log_sd)),
    },
    words={
        "-1": "The sign is wrong: this is the negated KL. A KL is never negative.",
        "2": "A factor 1/2 is missing: mean 1 and variance 1 must give 0.5 in one dimension.",
        "1/latent_dim": "You average over the latent dimensions, and nats add up: sum over the last axis.",
    },
)

"""Lesson 06, a VAE on avatars: exercises 1 and 2, ``fitted_covariance``, ``attribute_direction``."""

import numpy as np

from course_utils.checks.calling import NotYet, check_shape
from course_utils.checks.judging import exercise
from course_utils.checks.values import Values


@exercise(
    "mean, sd", "The law of total variance: the spread of the means, plus the mean of the spreads.", tensors=False
)
def fitted_covariance(call, rng):
    """Lesson 06, exercise 1. ``function(mean, sd)`` returns the covariance of codes drawn for a whole set of images.

    It gets the means and the standard deviations of the images' posteriors, NumPy arrays ``(n, d)``. It returns
    ``(d, d)``: the covariance of a code that is drawn from the posterior of an image picked at random. The covariance
    of the means may be divided by n or by n - 1.
    """
    trials, problems = [_posteriors(rng) for _ in range(3)], []
    for ddof in (1, 0):
        try:
            return covariance(ddof).examine(call, trials)
        except NotYet as problem:
            problems.append(problem)
    # The divisor with which a mistake has a name, if one has.
    raise min(problems, key=lambda p: ("on fresh inputs" in str(p)) + 2 * ("times, and belongs once" in str(p)))


NUMBER, LATENT_DIM = 41, 5


def _posteriors(rng):
    """Correlated means away from the origin, and spreads that differ between images."""
    mixing = rng.normal(size=(LATENT_DIM, LATENT_DIM)) + np.eye(LATENT_DIM)
    mean = rng.normal(size=(NUMBER, LATENT_DIM)) @ mixing + rng.normal(0, 2, LATENT_DIM)
    return mean.astype(np.float32), rng.uniform(0.2, 2.0, (NUMBER, LATENT_DIM)).astype(np.float32)


MEANS, SPREADS = "covariance(mean)", "diag(average(sd**2))"
WHOLE = f"{MEANS} + {SPREADS}"
ORIGIN = "The mean of the codes is not subtracted: these are second moments about the origin."


def covariance(ddof: int) -> Values:
    return Values(
        terms=(MEANS, SPREADS),
        names={
            "covariance": lambda codes: np.cov(codes.real, rowvar=False, ddof=ddof),
            "average": lambda values: np.mean(values, axis=0),
            "variance": lambda values: np.var(values, axis=0, ddof=ddof),
            "correlation": lambda covariance: covariance / np.sqrt(np.outer(np.diag(covariance), np.diag(covariance))),
            "mean_of": np.mean,
            "eye": np.eye(LATENT_DIM),
            "inv": np.linalg.inv,
            "cholesky": np.linalg.cholesky,
        },
        axes={"n": NUMBER, "latent_dim": LATENT_DIM},
        shape=("latent_dim", "latent_dim"),
        sizes={"images": NUMBER, "squared deviations of the images": NUMBER - 1},
        other_forms={
            MEANS: {
                "mean.T @ mean / len(mean)": ORIGIN,
                "mean.T @ mean / (len(mean) - 1)": ORIGIN,
                "diag(variance(mean))": "Only the diagonal is there, and the dimensions of the codes go together.",
                "correlation(covariance(mean))": "These are correlations: the means were divided by their spread.",
                "diag(sqrt(variance(mean)))": "Of the means, standard deviations stand where variances belong.",
                "abs(covariance(mean))": "Absolute values of the covariances are taken.",
            },
            SPREADS: {
                "diag(average(sd)**2)": "The mean of the standard deviations is squared: square first.",
                "average(sd**2) + 0 * eye": "The posterior variance is added to every entry. The dimensions of a "
                "posterior are independent: it belongs on the diagonal, `np.diag`.",
                "mean_of(sd**2) + 0 * eye": "One mean variance is added to every entry: it belongs on the diagonal.",
                "mean_of(sd**2) * eye": "One mean variance serves all dimensions: average over the images only.",
                "covariance(sd)": "",
                "diag(variance(sd))": "",
                "sd.T @ sd / len(sd)": "",
            },
        },
        mistakes={
            f"correlation({WHOLE})": "These are correlations: the variance of every dimension became 1.",
            f"inv({WHOLE})": "This is the inverse, the precision: the covariance is asked for.",
            f"cholesky({WHOLE})": "This is a Cholesky factor, a root of the covariance.",
        },
        words={
            "sqrt(sd)": "Standard deviations are added where variances belong: square them, then take the mean.",
            "sd^2": "Variances are squared once more.",
            f"{SPREADS}: 1/images": "The mean of the posterior variances is divided by the number of images once more.",
        },
    )


@exercise("codes, wears", "What else differs between the two groups, on average, is in it too.", tensors=False)
def attribute_direction(call, rng):
    """Lesson 06, exercise 2. ``function(codes, wears)`` returns the direction of an attribute in latent space.

    It gets codes, a NumPy array ``(n, latent_dim)``, and ``(n,)`` whole numbers: 1 for an avatar with glasses, 0 for
    one without. It returns ``(latent_dim,)``: the mean code of those with glasses minus the mean code of those without.
    """
    trials = [_codes_and_glasses(rng) for _ in range(3)]
    check_shape(call(*trials[0]).shape, ("latent_dim",), {"n": NUMBER, "latent_dim": LATENT_DIM})
    DIRECTION.examine(call, trials)


WEARERS = 15


def _codes_and_glasses(rng):
    """Codes away from the origin, and fewer avatars with glasses than without, in any order."""
    wears = rng.permutation(np.arange(NUMBER) < WEARERS).astype(np.int64)
    codes, _ = _posteriors(rng)
    return (codes + wears[:, None] * rng.normal(0, 2, LATENT_DIM)).astype(np.float32), wears


WITH, WITHOUT = "wears.T @ codes / sum(wears)", "-(1 - wears).T @ codes / sum(1 - wears)"
DIFFERENCE = f"({WITH} - (1 - wears).T @ codes / sum(1 - wears))"
PICKED = (
    "`codes[wears]` picks rows 0 and 1 again and again: whole numbers are row numbers. Compare first, `wears == 1`."
)
HALF = (
    "Only one of the two groups is averaged alone: with the mean of all avatars in place of the other, it is too short."
)
SHARED = "Each group is divided by the number of all avatars, and not by its own."
ALIGNED = "The codes are multiplied by the labels and averaged: a covariance. It shrinks where an attribute is rare."
DIRECTION = Values(
    terms=(WITH, WITHOUT),
    names={
        "rows": lambda codes, places: codes[np.real(places).astype(int)],
        "unit": lambda vector: vector / np.linalg.norm(vector),
        "inv": np.linalg.inv,
    },
    axes=lambda codes, wears: {"n": NUMBER, "latent_dim": LATENT_DIM},
    shape=("latent_dim",),
    sizes={"latent_dim": LATENT_DIM},
    mistakes={
        "mean(rows(codes, wears), axis=0) - mean(rows(codes, 1 - wears), axis=0)": PICKED,
        "mean(rows(codes, wears), axis=0) - mean(rows(codes, -1 - wears), axis=0)": f"{PICKED} And `~` of 0 is -1.",
        "mean(rows(codes, wears), axis=0)": PICKED,
        f"{WITH} - mean(codes, axis=0)": HALF,
        f"mean(codes, axis=0) {WITHOUT}": HALF,
        "(1 - wears).T @ codes / sum(1 - wears)": "Only the mean code of those without glasses is there.",
        "mean(codes, axis=0)": "This is the mean of all codes: the labels play no part.",
        "wears.T @ codes - (1 - wears).T @ codes": "Sums are subtracted where means belong: the larger group wins.",
        "wears.T @ codes / len(codes) - (1 - wears).T @ codes / len(codes)": SHARED,
        "(wears - mean(wears)).T @ codes / len(codes)": ALIGNED,
        "(wears - mean(wears)).T @ codes / (len(codes) - 1)": ALIGNED,
        f"unit{DIFFERENCE}": "The length became 1. It has a meaning: a strength of 1 is the step from one mean to the "
        "other.",
        "median(codes[wears == 1], axis=0) - median(codes[wears == 0], axis=0)": "Medians of each dimension are "
        "subtracted, and means are asked for.",
        "codes[wears == 1][0] - codes[wears == 0][0]": "This leads from one avatar to one other. They differ in all "
        "else, too: average over each group.",
        f"{DIFFERENCE} / std(codes, axis=0)": "It is divided by the spread of each dimension, and the decoder wants "
        "codes as they are.",
        f"inv(cov(codes.T)) @ {DIFFERENCE}": "It is multiplied by the inverse covariance. That separates the groups "
        "best, and does not lead from one to the other.",
        f"abs({DIFFERENCE})": "Absolute values are taken: where the attribute lowers a dimension, the sign is needed.",
        f"{DIFFERENCE}**2": "The differences are squared: a direction has signs.",
    },
    words={
        "-1": "The sign is wrong: this takes glasses off.",
        "1/2": "It is half the way from one mean to the other.",
        f"{WITHOUT}: 0": "This is the mean code of those with glasses: that of those without is not subtracted.",
        f"{WITHOUT}: -1": "The two means are added: subtract.",
    },
)

"""Lesson 06, a VAE on avatars: exercise 1, ``fitted_covariance``."""

from collections.abc import Callable

import numpy as np

from course_utils.checks.calling import NotYet
from course_utils.checks.judging import judge
from course_utils.checks.values import Values


def fitted_covariance(function: Callable) -> None:
    """Lesson 06. ``function(mean, sd)`` returns the covariance of codes drawn for a whole set of images.

    It gets the means and the standard deviations of the images' posteriors, NumPy arrays ``(n, d)``. It returns
    ``(d, d)``: the covariance of a code that is drawn from the posterior of an image picked at random. The covariance
    of the means may be divided by n or by n - 1.
    """
    rng = np.random.default_rng()
    trials = [_posteriors(rng) for _ in range(3)]

    def examine(call):
        problems = []
        for ddof in (1, 0):
            try:
                return _covariance(ddof).examine(call, trials)
            except NotYet as problem:
                problems.append(problem)
        # The divisor with which a mistake has a name, if one has.
        raise min(problems, key=lambda problem: "on fresh inputs" in str(problem))

    judge(
        function,
        examine,
        "The law of total variance: the spread of the means, plus the mean of the spreads.",
        arguments=("mean", "sd"),
        tensors=False,
    )


NUMBER, LATENT_DIM = 41, 5


def _posteriors(rng):
    """Correlated means away from the origin, and spreads that differ between images."""
    mixing = rng.normal(size=(LATENT_DIM, LATENT_DIM)) + np.eye(LATENT_DIM)
    mean = rng.normal(size=(NUMBER, LATENT_DIM)) @ mixing + rng.normal(0, 2, LATENT_DIM)
    return mean.astype(np.float32), rng.uniform(0.2, 2.0, (NUMBER, LATENT_DIM)).astype(np.float32)


MEANS, SPREADS = "of the means' covariance", "of the posteriors' variance"


def _covariance(ddof: int) -> Values:
    def between(mean, sd=None):
        return np.cov(mean, rowvar=False, ddof=ddof)

    def within(mean, sd):
        return np.diag(np.mean(sd**2, axis=0))

    def both(mean, sd):
        return between(mean) + within(mean, sd)

    return Values(
        terms=lambda mean, sd: {MEANS: between(mean.real), SPREADS: within(mean, sd)},
        axes=lambda mean, sd: {"n": NUMBER, "latent_dim": LATENT_DIM},
        shape=("latent_dim", "latent_dim"),
        sizes={"images": NUMBER, "squared deviations of the images": NUMBER - 1},
        other_forms={
            MEANS: {
                "The mean of the codes is not subtracted: these are second moments about the origin.": (
                    lambda mean, sd: mean.T @ mean / (len(mean) - ddof)
                ),
                "Only the diagonal is there: the dimensions of the codes go together, and that is what makes a face.": (
                    lambda mean, sd: np.diag(np.diag(between(mean)))
                ),
                "These are correlations: the means were divided by their spread.": lambda mean, sd: np.corrcoef(
                    mean, rowvar=False
                ),
                "Of the means, standard deviations stand where variances belong.": lambda mean, sd: np.diag(
                    np.std(mean, axis=0, ddof=ddof)
                ),
                "Absolute values of the covariances are taken.": lambda mean, sd: np.abs(between(mean)),
            },
            SPREADS: {
                "The mean of the standard deviations is squared. The mean of their squares is larger: square first.": (
                    lambda mean, sd: np.diag(np.mean(sd, axis=0) ** 2)
                ),
                "The posterior variance is added to every entry. The dimensions of a posterior are independent: it "
                "belongs on the diagonal, `np.diag`.": lambda mean, sd: np.tile(
                    np.mean(sd**2, axis=0), (LATENT_DIM, 1)
                ),
                "One mean variance is added to every entry: it belongs on the diagonal, one for each dimension.": (
                    lambda mean, sd: np.mean(sd**2) + 0 * within(mean, sd)
                ),
                "One mean variance serves all dimensions: average over the images only.": lambda mean, sd: (
                    np.mean(sd**2) * np.eye(LATENT_DIM)
                ),
                "The covariance of the standard deviations stands where the mean of the variances belongs.": (
                    lambda mean, sd: np.cov(sd, rowvar=False, ddof=ddof)
                ),
                "The variance of the standard deviations stands where the mean of the variances belongs.": (
                    lambda mean, sd: np.diag(np.var(sd, axis=0, ddof=ddof))
                ),
                "A product of the standard deviations is averaged: the dimensions of a posterior are independent.": (
                    lambda mean, sd: sd.T @ sd / len(sd)
                ),
            },
        },
        mistakes={
            "These are correlations: the variance of every dimension became 1.": lambda mean, sd: (
                both(mean, sd) / np.sqrt(np.outer(*[np.diag(both(mean, sd))] * 2))
            ),
            "This is the inverse, the precision: the covariance is asked for.": lambda *i: np.linalg.inv(both(*i)),
            "This is a Cholesky factor, a root of the covariance.": lambda *i: np.linalg.cholesky(both(*i)),
        },
        words={
            "sqrt(sd)": "Standard deviations are added where variances belong: square them, then take the mean.",
            "sd^2": "Variances are squared once more.",
        },
    )

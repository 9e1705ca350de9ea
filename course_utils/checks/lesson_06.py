"""Lesson 06, a VAE on avatars: exercise 1, ``fitted_covariance``."""

import numpy as np

from course_utils.checks.calling import NotYet
from course_utils.checks.judging import exercise
from course_utils.checks.values import Values


@exercise(
    "mean, sd", "The law of total variance: the spread of the means, plus the mean of the spreads.", tensors=False
)
def fitted_covariance(call, rng):
    """Lesson 06. ``function(mean, sd)`` returns the covariance of codes drawn for a whole set of images.

    It gets the means and the standard deviations of the images' posteriors, NumPy arrays ``(n, d)``. It returns
    ``(d, d)``: the covariance of a code that is drawn from the posterior of an image picked at random. The covariance
    of the means may be divided by n or by n - 1.
    """
    trials, problems = [_posteriors(rng) for _ in range(3)], []
    for ddof in (1, 0):
        try:
            return _covariance(ddof).examine(call, trials)
        except NotYet as problem:
            problems.append(problem)
    # The divisor with which a mistake has a name, if one has.
    raise min(problems, key=lambda problem: "on fresh inputs" in str(problem))


NUMBER, LATENT_DIM = 41, 5


def _posteriors(rng):
    """Correlated means away from the origin, and spreads that differ between images."""
    mixing = rng.normal(size=(LATENT_DIM, LATENT_DIM)) + np.eye(LATENT_DIM)
    mean = rng.normal(size=(NUMBER, LATENT_DIM)) @ mixing + rng.normal(0, 2, LATENT_DIM)
    return mean.astype(np.float32), rng.uniform(0.2, 2.0, (NUMBER, LATENT_DIM)).astype(np.float32)


MEANS, SPREADS = "covariance(mean)", "diag(average(sd**2))"
WHOLE = f"{MEANS} + {SPREADS}"
ORIGIN = "The mean of the codes is not subtracted: these are second moments about the origin."


def _covariance(ddof: int) -> Values:
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
        },
    )

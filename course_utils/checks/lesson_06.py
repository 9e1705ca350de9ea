"""Inputs, answer and usual mistakes of lesson 06: the covariance of the codes of a whole data set.

``checks`` says what the function gets and returns.
"""

import numpy as np

from course_utils.checks.comparing import Exercise, mistake, satisfies


def _draw_codes(rng):
    """Correlated means away from the origin, and spreads that differ between images."""
    number, latent_dim = int(rng.integers(30, 60)), int(rng.integers(3, 7))
    mean = rng.normal(size=(number, latent_dim)) @ rng.normal(size=(latent_dim, latent_dim)) + rng.normal(
        0, 2, latent_dim
    )
    return mean.astype(np.float32), rng.uniform(0.2, 2.0, (number, latent_dim)).astype(np.float32)


def _covariance(mean, sd, ddof=0):
    return np.cov(mean, rowvar=False, ddof=ddof) + np.diag(np.mean(sd**2, axis=0))


def _is(formula):
    """A test: the output is what the formula gives, with the number of images or with one less as the divisor."""

    def test(output, mean, sd):
        mean, sd = mean.astype(np.float64), sd.astype(np.float64)
        wanted = [np.asarray(formula(mean, sd, ddof)) for ddof in (0, 1)]
        return any(output.shape == want.shape and np.allclose(output, want, rtol=1e-4, atol=1e-4) for want in wanted)

    return test


def _gap(output, mean, sd):
    want = _covariance(mean, sd)
    row, column = np.unravel_index(np.argmax(np.abs(output - want)), want.shape)
    return f"row {row}, column {column} is {output[row, column]:.4g} where {want[row, column]:.4g} is right."


FITTED_COVARIANCE = Exercise(
    ("mean", "sd"),
    _draw_codes,
    _is(_covariance),
    (
        mistake(
            "the spread of each posterior is left out: this is the covariance of the means alone. Draws from it miss "
            "the clouds around them.",
            _is(lambda mean, sd, ddof: np.cov(mean, rowvar=False, ddof=ddof)),
        ),
        mistake(
            "the covariance of the means is left out: this is the average posterior alone, without the places where "
            "the posteriors sit.",
            _is(lambda mean, sd, ddof: np.diag(np.mean(sd**2, axis=0))),
        ),
        mistake(
            "standard deviations are added where variances belong: square them, then take the mean.",
            _is(lambda mean, sd, ddof: np.cov(mean, rowvar=False, ddof=ddof) + np.diag(np.mean(sd, axis=0))),
        ),
        mistake(
            "the mean of the standard deviations is squared. The mean of their squares is larger: square first.",
            _is(lambda mean, sd, ddof: np.cov(mean, rowvar=False, ddof=ddof) + np.diag(np.mean(sd, axis=0) ** 2)),
        ),
        mistake(
            "only the diagonal is there: the dimensions of the codes go together, and that is what makes a face.",
            _is(lambda mean, sd, ddof: np.diag(np.var(mean, axis=0, ddof=ddof) + np.mean(sd**2, axis=0))),
        ),
        mistake(
            "the mean of the codes is not subtracted: these are second moments about the origin.",
            _is(lambda mean, sd, ddof: mean.T @ mean / (len(mean) - ddof) + np.diag(np.mean(sd**2, axis=0))),
        ),
        mistake(
            "this is the sum over the images, not their mean: it grows with their number.",
            _is(lambda mean, sd, ddof: len(mean) * _covariance(mean, sd)),
            _is(lambda mean, sd, ddof: np.cov(mean, rowvar=False, ddof=ddof) + np.diag(np.sum(sd**2, axis=0))),
        ),
        mistake(
            "these are correlations: the variance of every dimension became 1, or the means were divided by their "
            "spread.",
            _is(lambda mean, sd, ddof: np.corrcoef(mean, rowvar=False)),
            _is(lambda mean, sd, ddof: np.corrcoef(mean, rowvar=False) + np.diag(np.mean(sd**2, axis=0))),
        ),
        mistake(
            "the posterior variance is added to every entry. The dimensions of a posterior are independent: it "
            "belongs on the diagonal, `np.diag`.",
            _is(lambda mean, sd, ddof: np.cov(mean, rowvar=False, ddof=ddof) + np.mean(sd**2, axis=0)),
            _is(lambda mean, sd, ddof: np.cov(mean, rowvar=False, ddof=ddof) + np.mean(sd**2)),
        ),
    ),
    lambda mean, sd: {"batch": mean.shape[0], "latent_dim": mean.shape[1]},
    ("latent_dim", "latent_dim"),
    "The law of total variance: the spread of the means, plus the mean of the spreads.",
    satisfies,
    describe=_gap,
    tensors=False,
)

"""Inputs, right answer and usual mistakes of the exercises whose answer is a formula. ``checks`` has their docstrings."""

import numpy as np
from scipy.special import expit, ndtr, ndtri

from course_utils._checking import Exercise, equals, mistake, satisfies

LOG_2PI = np.log(2 * np.pi)


def _sizes(rng: np.random.Generator, number: int) -> list[int]:
    """Different sizes, so that one axis cannot pass for another."""
    return [int(size) for size in rng.choice(np.arange(3, 10), number, replace=False)]


def _normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.normal(size=shape).astype(np.float32)


def _wide(function):
    """Compute an answer in float64 from the float32 values that the learner is handed."""
    return lambda *inputs: function(*(np.asarray(v, np.float64) if isinstance(v, np.ndarray) else v for v in inputs))


def _rows(terms):
    """The terms of each entry, shape ``(batch, latent_dim)``, summed over the latent dimensions."""
    return _wide(lambda *inputs: np.sum(terms(*inputs), axis=-1))


# ---- lesson 01: PSNR ----


def _draw_images(rng):
    number, height, width = _sizes(rng, 3)
    originals = rng.random((number, height, width, 1), np.float32)
    spread = rng.uniform(0.02, 0.3, (number, 1, 1, 1))
    return np.clip(originals + spread * rng.normal(size=originals.shape), 0, 1).astype(np.float32), originals


def _decibels(factor, error=lambda gap: np.mean(gap**2), logarithm=np.log10):
    return _wide(lambda images, originals: factor * logarithm(error(images - originals)))


PSNR = Exercise(
    ("images", "originals"),
    _draw_images,
    _decibels(-10),
    (
        mistake(
            "this is the natural logarithm, and decibels use log10: your values are 2.3 times too large. Halving the "
            "squared error must add 3.01 dB.",
            _decibels(-10, logarithm=np.log),
        ),
        mistake(
            "the factor 20 belongs to the root of the error, 10 to the squared error. Yours is twice the PSNR: a good "
            "model would look perfect.",
            _decibels(-20),
        ),
        mistake(
            "the minus is missing: a better image must get more decibels, and yours gets fewer.",
            _decibels(10),
        ),
        mistake(
            "you take the sum of the squared errors, not the mean over pixels. The value then falls as images get "
            "larger or more numerous.",
            _decibels(-10, lambda gap: np.sum(gap**2)),
            _wide(lambda a, b: np.mean(-10 * np.log10(np.sum((a - b) ** 2, axis=(1, 2, 3))))),
        ),
        mistake(
            "you take the root of the mean squared error inside 10 log10, which is half of the PSNR. With a factor of "
            "10 the error stays squared.",
            _decibels(-5),
        ),
        mistake(
            "you average the absolute error. PSNR is about the squared error, which counts one large error more than "
            "many small ones.",
            _decibels(-10, lambda gap: np.mean(np.abs(gap))),
            _decibels(-20, lambda gap: np.mean(np.abs(gap))),
        ),
        mistake(
            "the peak is 255 in your formula, and these images end at 1: you are 48.1 dB too high.",
            _wide(lambda a, b: 20 * np.log10(255) - 10 * np.log10(np.mean((a - b) ** 2))),
        ),
        mistake(
            "you average the decibels of the images; take one mean over all pixels first, then the logarithm. Easy "
            "images weigh too much in yours.",
            _wide(lambda a, b: np.mean(-10 * np.log10(np.mean((a - b) ** 2, axis=(1, 2, 3))))),
        ),
    ),
    lambda images, originals: dict(zip(("batch", "height", "width"), images.shape, strict=False)),
    (),
    "Halving the mean squared error adds 3.01 dB.",
    equals,
)


# ---- lesson 02: KL of two normals ----


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


KL_NORMALS = Exercise(
    ("mean_q", "sd_q", "mean_p", "sd_p"),
    _draw_normals,
    _kl_of(),
    (
        mistake(
            "this is the reversed divergence, KL(p||q). Which of the two do you average under? The reversed one lets q "
            "spread where p is not.",
            lambda mean_q, sd_q, mean_p, sd_p: _kl(mean_p, sd_p, mean_q, sd_q),
        ),
        mistake(
            "the sign is wrong: this is the negated divergence. A KL is never negative, and a loss with this sign "
            "drives q away from p.",
            lambda *inputs: -_kl(*inputs),
        ),
        mistake(
            "a factor 1/2 is missing (or the constant -1/2). Set q = p: every KL must be 0 there. Then take q = N(1, 1) "
            "and p = N(0, 1), which gives 0.5.",
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
            lambda mean_q, sd_q, mean_p, sd_p: _kl(mean_q, sd_q**0.5, mean_p, sd_p**0.5),
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
            "a ratio of the two spreads is upside down. Make q very narrow: it must cost much, because the logarithm of "
            "sd_p / sd_q grows.",
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


# ---- lesson 02: KL to the standard normal ----


def _log_variance(rng, batch, latent_dim):
    """The first rows are positive, where every mistaken formula is finite; the others have both signs."""
    log_variance = _normal(rng, batch, latent_dim)
    log_variance[: (batch + 1) // 2] = np.abs(log_variance[: (batch + 1) // 2]) + 0.1
    return log_variance


def _draw_encoded(rng):
    batch, latent_dim = _sizes(rng, 2)
    return _normal(rng, batch, latent_dim), _log_variance(rng, batch, latent_dim)


def _encoded_axes(*inputs):
    return dict(zip(("batch", "latent_dim"), inputs[0].shape, strict=True))


def _kl_terms(mean, log_variance):
    return 0.5 * (np.exp(log_variance) + mean**2 - 1 - log_variance)


KL_TO_STANDARD_NORMAL = Exercise(
    ("mean", "log_variance"),
    _draw_encoded,
    _rows(_kl_terms),
    (
        mistake(
            "you average over the latent dimensions, and nats add up: sum over the last axis. The mean makes the KL "
            "latent_dim times too weak in a loss.",
            _wide(lambda mean, log_variance: np.mean(_kl_terms(mean, log_variance), axis=-1)),
        ),
        mistake(
            "this is the mean over the batch and the latent dimensions, one number. Sum over the last axis and leave "
            "the batch: the KL is latent_dim times too weak in yours.",
            _wide(lambda mean, log_variance: np.mean(_kl_terms(mean, log_variance))),
        ),
        mistake(
            "you sum over the batch too, so the KL grows with the batch size. One value for each image is asked for: "
            "which axis is the latent one?",
            _wide(lambda mean, log_variance: np.sum(_kl_terms(mean, log_variance))),
        ),
        mistake(
            "this is the scalar mean over the batch. The number is right for a loss, but here one value for each image "
            "is asked for, shape (batch,).",
            _wide(lambda mean, log_variance: np.mean(np.sum(_kl_terms(mean, log_variance), axis=-1))),
        ),
        mistake(
            "a factor 1/2 is missing: mean 1 and variance 1 must give 0.5 in one dimension. In a loss this is a beta of "
            "2, and the codes carry less.",
            _rows(lambda mean, log_variance: 2 * _kl_terms(mean, log_variance)),
        ),
        mistake(
            "the sign is wrong: this is the negated KL. A KL is never negative, and training would drive the codes away "
            "from the prior without end.",
            _rows(lambda mean, log_variance: -_kl_terms(mean, log_variance)),
        ),
        mistake(
            "the log variance is taken for the variance. It may be negative, a variance may not: which function turns "
            "one into the other?",
            _rows(lambda mean, variance: 0.5 * (variance + mean**2 - 1 - np.log(variance))),
            _rows(lambda mean, variance: 0.5 * (variance + mean**2 - 1 - variance)),
            _rows(lambda mean, variance: 0.5 * (np.exp(variance) + mean**2 - 1 - np.log(variance))),
        ),
        mistake(
            "the log variance is taken for the log standard deviation: the spread enters twice over. ln(variance) is "
            "2 ln(sd) already.",
            _rows(lambda mean, log_sd: 0.5 * (np.exp(2 * log_sd) + mean**2 - 1 - 2 * log_sd)),
            _rows(lambda mean, log_sd: 0.5 * (np.exp(2 * log_sd) + mean**2 - 1 - log_sd)),
            _rows(lambda mean, log_sd: 0.5 * (np.exp(log_sd) + mean**2 - 1 - 2 * log_sd)),
        ),
        mistake(
            "the log variance is taken for the standard deviation. It may be negative: it needs an exponential before "
            "it is a spread.",
            _rows(lambda mean, sd: 0.5 * (sd**2 + mean**2 - 1 - 2 * np.log(sd))),
            _rows(lambda mean, sd: 0.5 * (sd**2 + mean**2 - 1 - np.log(sd**2))),
            _rows(lambda mean, sd: 0.5 * (sd**2 + mean**2 - 1 - sd)),
        ),
        mistake(
            "this is the other direction, KL(N(0, I) || q). The ELBO averages under q: mean and variance of the first "
            "distribution stand on top.",
            _rows(lambda mean, log_variance: 0.5 * ((1 + mean**2) * np.exp(-log_variance) - 1 + log_variance)),
        ),
    ),
    _encoded_axes,
    ("batch",),
    "Nats for each image, summed over the latent dimensions.",
    equals,
    nan_hint="A log variance may be negative, so no logarithm or root of it can be taken",
)


# ---- lesson 03: log density of the diagonal normal ----


def _draw_density(rng):
    batch, latent_dim = _sizes(rng, 2)
    return (
        *(_normal(rng, batch, latent_dim) for _ in range(2)),
        _log_variance(rng, batch, latent_dim),
    )


def _density_terms(z, mean, log_variance, constant=LOG_2PI, half=0.5, spread=1.0):
    return -0.5 * (constant + spread * log_variance) - half * (z - mean) ** 2 * np.exp(-log_variance)


def _density(**changes):
    return _rows(lambda *inputs: _density_terms(*inputs, **changes))


LOG_NORMAL_DENSITY = Exercise(
    ("z", "mean", "log_variance"),
    _draw_density,
    _density(),
    (
        mistake(
            "a factor 1/2 is missing. At z = mean and variance 1 the log density of one dimension is -0.919; one "
            "standard deviation away it is 0.5 less.",
            _rows(lambda *inputs: 2 * _density_terms(*inputs)),
            _density(half=1.0),
            _density(spread=2.0),
            _density(constant=2 * LOG_2PI),
            _density(spread=2.0, constant=2 * LOG_2PI),
            _density(half=1.0, spread=2.0),
        ),
        mistake(
            "the constant with 2 pi is forgotten. Gradients do not feel it, but every log-likelihood is 0.919 nats too "
            "high for each dimension.",
            _density(constant=0.0),
        ),
        mistake(
            "you average over the dimensions. Densities of independent dimensions multiply, so their logarithms add: "
            "sum over the last axis.",
            _wide(lambda *inputs: np.mean(_density_terms(*inputs), axis=-1)),
            _wide(lambda *inputs: np.mean(_density_terms(*inputs))),
        ),
        mistake(
            "this is the density, not its logarithm. In many dimensions it underflows to 0, and its logarithm to "
            "minus infinity: stay with logarithms throughout.",
            _wide(lambda *inputs: np.exp(np.sum(_density_terms(*inputs), axis=-1))),
        ),
        mistake(
            "the sign is wrong: this is minus the log density. Points near the mean must get the highest value.",
            _rows(lambda *inputs: -_density_terms(*inputs)),
        ),
        mistake(
            "the log variance is taken for the variance. It may be negative: divide by its exponential.",
            _rows(lambda z, mean, variance: -0.5 * (LOG_2PI + np.log(variance) + (z - mean) ** 2 / variance)),
            _rows(lambda z, mean, variance: -0.5 * (LOG_2PI + variance + (z - mean) ** 2 / variance)),
        ),
        mistake(
            "the log variance is taken for the log standard deviation: 2 ln(sd) is what you are given already.",
            _rows(lambda z, mean, log_sd: _density_terms(z, mean, 2 * log_sd)),
            _rows(lambda z, mean, log_sd: -0.5 * (LOG_2PI + log_sd + (z - mean) ** 2 * np.exp(-2 * log_sd))),
        ),
        mistake(
            "the log variance is taken for the standard deviation. It may be negative: it needs an exponential before "
            "it is a spread.",
            _rows(lambda z, mean, sd: -0.5 * (LOG_2PI + 2 * np.log(sd) + (z - mean) ** 2 / sd**2)),
            _rows(lambda z, mean, sd: -0.5 * (LOG_2PI + np.log(sd**2) + (z - mean) ** 2 / sd**2)),
        ),
        mistake(
            "the distance is divided by the standard deviation, not by the variance. Double the spread: a point at a "
            "fixed distance in standard deviations must keep its term.",
            _rows(
                lambda z, mean, log_variance: (
                    -0.5 * (LOG_2PI + log_variance + (z - mean) ** 2 * np.exp(-0.5 * log_variance))
                )
            ),
        ),
        mistake(
            "you sum over the batch too. One log density for each row is asked for, shape (batch,).",
            _wide(lambda *inputs: np.sum(_density_terms(*inputs))),
        ),
        mistake(
            "you average over the batch. One log density for each row is asked for, shape (batch,).",
            _wide(lambda *inputs: np.mean(np.sum(_density_terms(*inputs), axis=-1))),
        ),
    ),
    _encoded_axes,
    ("batch",),
    "A sum over dimensions, because independent densities multiply.",
    equals,
    nan_hint="A log variance may be negative, so no logarithm or root of it can be taken",
)


# ---- lesson 05: Bernoulli log-likelihood from logits ----


def _draw_logits(rng):
    (batch,) = _sizes(rng, 1)
    images = (rng.random((batch, 28, 28, 1)) < 0.3).astype(np.float32)
    return images, 2 * _normal(rng, batch, 28, 28, 1)


def _likelihood_terms(images, logits):
    return images * logits - np.logaddexp(0, logits)


def _pixels(terms, reduce=np.sum):
    return _wide(lambda images, logits: reduce(terms(images, logits), axis=(1, 2, 3)))


def _clipped(floor):
    """What a cross-entropy without ``from_logits=True`` makes of logits, in its own float32."""

    def terms(images, logits):
        inside = np.clip(logits.astype(np.float32), np.float32(1e-7), np.float32(1 - 1e-7))
        return images * np.log(inside + floor) + (1 - images) * np.log(1 - inside + floor)

    return terms


LOG_LIKELIHOOD = Exercise(
    ("images", "logits"),
    _draw_logits,
    _pixels(_likelihood_terms),
    (
        mistake(
            "the sigmoid is applied twice: a function that takes logits got probabilities. No pixel can then be surer "
            "than 0.73, and the images stay grey.",
            _pixels(lambda images, logits: _likelihood_terms(images, expit(logits))),
            _pixels(lambda images, logits: -_likelihood_terms(images, expit(logits))),
        ),
        mistake(
            "the logits are read as probabilities, because the cross-entropy was not told that they are logits: "
            "`from_logits`.",
            *(_pixels(_clipped(np.float32(floor))) for floor in (1e-7, 0)),  # tf_keras and Keras 3
            *(_pixels(lambda *inputs, f=floor: -_clipped(np.float32(f))(*inputs)) for floor in (1e-7, 0)),
        ),
        mistake(
            "you take the mean over pixels. The log-likelihood of an image is the sum: with the mean the KL weighs 784 "
            "times too much, and every code falls back to the prior.",
            _pixels(_likelihood_terms, np.mean),
            _pixels(lambda images, logits: -_likelihood_terms(images, logits), np.mean),
            _wide(lambda images, logits: np.mean(_likelihood_terms(images, logits))),
            _wide(lambda images, logits: -np.mean(_likelihood_terms(images, logits))),
        ),
        mistake(
            "the sign is wrong: this is the cross-entropy, minus the log-likelihood. A log probability is never "
            "positive.",
            _pixels(lambda images, logits: -_likelihood_terms(images, logits)),
        ),
        mistake(
            "the images are inverted (1 - x): the ones are scored with the probability of a zero. Training would draw "
            "the background.",
            _pixels(lambda images, logits: _likelihood_terms(1 - images, logits)),
        ),
        mistake(
            "you take the mean over the batch. One value for each image is asked for, shape (batch,).",
            _wide(lambda images, logits: np.mean(np.sum(_likelihood_terms(images, logits), axis=(1, 2, 3)))),
        ),
        mistake(
            "you take the sum over the batch. One value for each image is asked for, shape (batch,).",
            _wide(lambda images, logits: np.sum(_likelihood_terms(images, logits))),
        ),
    ),
    lambda images, logits: {"batch": len(images), "height or width": 28},
    ("batch",),
    "Nats for each image, summed over its 784 pixels.",
    equals,
    nan_hint="Logits run over all real numbers: a logarithm of them, or of a sigmoid that has reached 0 or 1, is not safe",
)


# ---- lesson 05: the grid of prior quantiles ----


def _axis_values(output):
    """The different values of each of the two columns, in order."""
    return [np.unique(np.round(column.astype(np.float64), 3)) for column in output.T]


def _grid(output, values) -> bool:
    """Whether the rows are all pairs of ``values``, in any order."""
    pairs = np.stack(np.meshgrid(values, values), axis=-1).reshape(-1, 2)
    near = np.abs(output[:, None] - pairs).max(axis=-1) < 1e-3
    return bool((near.sum(axis=0) == 1).all() and (near.sum(axis=1) == 1).all())


def _quantiles(number):
    return (np.arange(number) + 0.5) / number


def _equally_spaced(values) -> bool:
    steps = np.diff(values)
    return len(values) > 2 and bool(np.isfinite(values).all()) and np.ptp(steps) < 0.02 * np.abs(steps).max()


PRIOR_GRID = Exercise(
    ("number",),
    lambda rng: (int(rng.integers(4, 10)),),
    lambda output, number: _grid(output, ndtri(_quantiles(number))),
    (
        mistake(
            "the quantiles 0 and 1 of a normal lie at infinity. Take the middle of each of `number` equal slices of "
            "probability.",
            lambda output, number: np.isinf(output).any(),
        ),
        mistake(
            "these are uniform quantiles, not pushed through the inverse of the normal's distribution function. They "
            "lie in (0, 1): three quarters of the code plane are never shown.",
            lambda output, number: (
                _grid(output, _quantiles(number))
                or (output.min() >= 0 and output.max() <= 1 and all(_equally_spaced(v) for v in _axis_values(output)))
            ),
        ),
        mistake(
            "the codes have equal spacing. The prior does not: space the probabilities equally, and the codes crowd "
            "where the prior is dense.",
            lambda output, number: all(_equally_spaced(values) for values in _axis_values(output)),
        ),
        mistake(
            "these are not all pairs: both coordinates run together, along the diagonal. Each value of one axis meets "
            "each value of the other.",
            lambda output, number: np.allclose(output[:, 0], output[:, 1]),
        ),
        mistake(
            "the codes are normal quantiles, but not at (i + 0.5) / number: the slices do not all hold the same "
            "probability.",
            lambda output, number: all(_equally_spaced(ndtr(values)) for values in _axis_values(output)),
        ),
    ),
    lambda number: {"number * number": number**2, "two": 2},
    ("number * number", "two"),
    "Each code stands for the same share of the prior.",
    satisfies,
    describe=lambda output, number: (
        f"the first coordinate runs from {output[:, 0].min():.3f} to {output[:, 0].max():.3f}; the quantiles of {number} "
        f"equal slices run from {ndtri(0.5 / number):.3f} to {ndtri(1 - 0.5 / number):.3f}, in all pairs."
    ),
    trials=3,
    shape_hint="One pair a row: each of `number` values on one axis with each on the other.",
)


# ---- lesson 05: a straight path between two codes ----


def _draw_ends(rng):
    dimensions, steps = _sizes(rng, 2)
    start, end = _normal(rng, dimensions), _normal(rng, dimensions)
    start[0], end[0] = rng.uniform(0.5, 3, 2)  # where a path through logarithms is finite
    return start, end, steps


def _path(times):
    def path(start, end, steps):
        time = times(steps)[:, None]
        return (1 - time) * start + time * end

    return _wide(path)


def _from_zero_to_one(steps):
    return np.linspace(0, 1, steps)


def _slerp(start, end, steps):
    time = _from_zero_to_one(steps)[:, None]
    angle = np.arccos(start @ end / np.linalg.norm(start) / np.linalg.norm(end))
    return (np.sin((1 - time) * angle) * start + np.sin(time * angle) * end) / np.sin(angle)


def _geometric(start, end, steps):
    return start * (end / start) ** _from_zero_to_one(steps)[:, None]


def _through_logarithms(start, end, steps):
    """The same, but without a value where both ends are negative."""
    time = _from_zero_to_one(steps)[:, None]
    return np.exp((1 - time) * np.log(start) + time * np.log(end))


def _unequal_steps(output, start, end, steps):
    if output.shape != (steps, len(start)):
        return False
    times = (output - start) @ (end - start) / np.sum((end - start) ** 2)
    on_the_line = np.allclose(output, start + times[:, None] * (end - start), atol=1e-3)
    return on_the_line and np.allclose(times[[0, -1]], [0, 1], atol=1e-3)


INTERPOLATE = Exercise(
    ("start", "end", "steps"),
    _draw_ends,
    _path(_from_zero_to_one),
    (
        mistake(
            "the end is missing: the path stops one step short of it. With `steps` points there are steps - 1 gaps.",
            _path(lambda steps: np.arange(steps) / steps),
        ),
        mistake(
            "the start is missing: the path begins one step after it. Both ends belong to it.",
            _path(lambda steps: np.arange(1, steps + 1) / steps),
            _path(lambda steps: np.arange(1, steps + 1) / (steps + 1)),
        ),
        mistake(
            "the path has steps + 1 points. `steps` counts the points, both ends included.",
            _path(lambda steps: np.linspace(0, 1, steps + 1)),
        ),
        mistake(
            "the path is reversed: the first row must be `start`.",
            _path(lambda steps: np.linspace(1, 0, steps)),
        ),
        mistake(
            "this is start + t * end, which overshoots: at t = 1 it must be `end` alone. What must shrink while t "
            "grows?",
            _wide(lambda start, end, steps: start + _from_zero_to_one(steps)[:, None] * end),
        ),
        mistake(
            "the steps are multiplied, not added: a path through logarithms. Codes may be negative, and the steps of a "
            "straight path are all equal.",
            _wide(_geometric),
            _wide(_through_logarithms),
        ),
        mistake(
            "the points lie on the straight line, ends included, but the steps are not equal: is there a logarithm or an "
            "exponential in the times?",
            _unequal_steps,
            by=satisfies,
        ),
        mistake(
            "this is the path along an arc (spherical interpolation). It has its uses in many dimensions, but a "
            "straight line is asked for.",
            _wide(_slerp),
        ),
    ),
    lambda start, end, steps: {"steps": steps, "d": len(start)},
    ("steps", "d"),
    "Both ends included, and all steps equal.",
    equals,
)

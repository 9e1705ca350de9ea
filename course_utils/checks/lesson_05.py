"""Inputs, answers and usual mistakes of lesson 05: a log-likelihood, a grid of prior quantiles, a path between codes.

``checks`` says what each function gets and returns.
"""

import numpy as np
from scipy.special import expit, ndtr, ndtri

from course_utils.checks.comparing import Exercise, draw_normal, equals, in_float64, mistake, satisfies, sizes

# ---- Bernoulli log-likelihood from logits ----


def _draw_logits(rng):
    (batch,) = sizes(rng, 1)
    images = (rng.random((batch, 28, 28, 1)) < 0.3).astype(np.float32)
    return images, 2 * draw_normal(rng, batch, 28, 28, 1)


def _likelihood_terms(images, logits):
    return images * logits - np.logaddexp(0, logits)


def _pixels(terms, reduce=np.sum):
    return in_float64(lambda images, logits: reduce(terms(images, logits), axis=(1, 2, 3)))


def _clipped(floor):
    """What a cross-entropy without ``from_logits=True`` makes of logits, in its own float32."""

    def terms(images, logits):
        inside = np.clip(logits.astype(np.float32), np.float32(1e-7), np.float32(1 - 1e-7))
        return images * np.log(inside + floor) + (1 - images) * np.log(1 - inside + floor)

    return terms


def _either_sign(terms):
    """Answers from terms that are wrong themselves, summed or averaged over pixels, perhaps with the wrong sign too."""
    signed = (terms, lambda *inputs: -terms(*inputs))
    return [_pixels(each, reduce) for each in signed for reduce in (np.sum, np.mean)]


LOG_LIKELIHOOD = Exercise(
    ("images", "logits"),
    _draw_logits,
    _pixels(_likelihood_terms),
    (
        mistake(
            "the sigmoid is applied twice: a function that takes logits got probabilities. No pixel can then be "
            "surer than 0.73, and the images stay grey.",
            *_either_sign(lambda images, logits: _likelihood_terms(images, expit(logits))),
        ),
        mistake(
            "the logits are read as probabilities, because the cross-entropy was not told that they are logits: "
            "`from_logits`.",
            *_either_sign(_clipped(np.float32(1e-7))),  # tf_keras
            *_either_sign(_clipped(np.float32(0))),  # Keras 3
        ),
        mistake(
            "you take the mean over pixels. The log-likelihood of an image is the sum: with the mean the KL weighs "
            "784 times too much, and every code falls back to the prior.",
            _pixels(_likelihood_terms, np.mean),
            _pixels(lambda images, logits: -_likelihood_terms(images, logits), np.mean),
            in_float64(lambda images, logits: np.mean(_likelihood_terms(images, logits))),
            in_float64(lambda images, logits: -np.mean(_likelihood_terms(images, logits))),
        ),
        mistake(
            "the sign is wrong: this is the cross-entropy, minus the log-likelihood. A log probability is never "
            "positive.",
            _pixels(lambda images, logits: -_likelihood_terms(images, logits)),
        ),
        mistake(
            "the images are inverted (1 - x): the ones are scored with the probability of a zero. Training would "
            "draw the background.",
            *_either_sign(lambda images, logits: _likelihood_terms(1 - images, logits)),
        ),
        mistake(
            "you take the mean over the batch. One value for each image is asked for, shape (batch,).",
            in_float64(lambda images, logits: np.mean(np.sum(_likelihood_terms(images, logits), axis=(1, 2, 3)))),
            in_float64(lambda images, logits: -np.mean(np.sum(_likelihood_terms(images, logits), axis=(1, 2, 3)))),
        ),
        mistake(
            "you take the sum over the batch. One value for each image is asked for, shape (batch,).",
            in_float64(lambda images, logits: np.sum(_likelihood_terms(images, logits))),
            in_float64(lambda images, logits: -np.sum(_likelihood_terms(images, logits))),
        ),
    ),
    lambda images, logits: {"batch": len(images), "height or width": 28},
    ("batch",),
    "Nats for each image, summed over its 784 pixels.",
    equals,
    nan_hint="Logits may be negative: do not take their logarithm, nor that of a sigmoid that has reached 0",
)


# ---- the grid of prior quantiles ----


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
            "these are not all pairs: both coordinates run together, along the diagonal. Each value of one axis "
            "meets each value of the other.",
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
        f"the first coordinate runs from {output[:, 0].min():.3f} to {output[:, 0].max():.3f}; the quantiles of "
        f"{number} equal slices run from {ndtri(0.5 / number):.3f} to {ndtri(1 - 0.5 / number):.3f}, in all pairs."
    ),
    trials=3,
    shape_hint="One pair a row: each of `number` values on one axis with each on the other.",
)


# ---- a straight path between two codes ----


def _draw_ends(rng):
    dimensions, steps = sizes(rng, 2)
    start, end = draw_normal(rng, dimensions), draw_normal(rng, dimensions)
    start[0], end[0] = rng.uniform(0.5, 3, 2)  # where a path through logarithms is finite
    return start, end, steps


def _path(times):
    def path(start, end, steps):
        time = times(steps)[:, None]
        return (1 - time) * start + time * end

    return in_float64(path)


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
            in_float64(lambda start, end, steps: start + _from_zero_to_one(steps)[:, None] * end),
        ),
        mistake(
            "the steps are multiplied, not added: a path through logarithms. Codes may be negative, and the steps of "
            "a straight path are all equal.",
            in_float64(_geometric),
            in_float64(_through_logarithms),
        ),
        mistake(
            "the points lie on the straight line, ends included, but the steps are not equal: is there a logarithm "
            "or an exponential in the times?",
            _unequal_steps,
            by=satisfies,
        ),
        mistake(
            "this is the path along an arc (spherical interpolation). It has its uses in many dimensions, but a "
            "straight line is asked for.",
            in_float64(_slerp),
        ),
    ),
    lambda start, end, steps: {"steps": steps, "d": len(start)},
    ("steps", "d"),
    "Both ends included, and all steps equal.",
    equals,
)

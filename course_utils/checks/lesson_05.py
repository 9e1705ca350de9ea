"""Lesson 05, a VAE on Fashion-MNIST: exercises 1 to 3, ``log_likelihood``, ``prior_grid``, ``interpolate``."""

import numpy as np
from scipy.special import expit, ndtr, ndtri

from course_utils.checks.calling import NOTHING, NotYet, check_shape, refuse
from course_utils.checks.judging import exercise
from course_utils.checks.values import Values

OVERFLOW = (
    "Two logits are 120 and -120 here: the sigmoid is then 0 or 1 in float32, and a logarithm of it, or of an "
    "exponential, is not finite. Simplify until neither is left"
)


@exercise("images, logits", "Nats for each image, summed over its 784 pixels.", nan_hint=OVERFLOW)
def log_likelihood(call, rng):
    """Lesson 05, exercise 1. ``function(images, logits)`` returns the Bernoulli log-likelihood of each image.

    It gets two tensors ``(batch, 28, 28, 1)``, binary pixels and real logits, a few of them far from 0. It returns
    ``(batch,)``, in nats.
    """
    trials = [_logits(rng) for _ in range(4)]
    LIKELIHOOD.examine(call, trials)
    for images, logits in trials[:2]:
        # The last image gets two pixels that the logits are sure of, wrongly: where a sigmoid is 0 or 1.
        images[-1, 0, :2, 0], logits[-1, 0, :2, 0] = (1, 0), (-120, 120)
        output, right = call(images, logits), LIKELIHOOD.right(*np.float64((images, logits)))
        call.finite(output)
        if not np.allclose(output, right, rtol=1e-4):
            raise NotYet(
                "the values are right but where a logit is far from 0: with logits of 120 and -120 an image gets "
                f"{output[-1]:.1f} where {right[-1]:.1f} is right. The probability is clipped or rounded: compute from "
                "the logits, without a sigmoid."
            )


BATCH = 5


def _logits(rng):
    images = (rng.random((BATCH, 28, 28, 1)) < 0.3).astype(np.float32)
    return images, (2 * rng.normal(size=images.shape)).astype(np.float32)


def _clipped(floor):
    """What a cross-entropy without ``from_logits=True`` makes of logits, in its own float32."""

    def likelihood(images, logits):
        p = np.clip(logits.astype(np.float32), np.float32(1e-7), np.float32(1 - 1e-7))
        return np.sum(images * np.log(p + floor) + (1 - images) * np.log(1 - p + floor), axis=(1, 2, 3))

    return likelihood


READ = "The logits are read as probabilities: the cross-entropy was not told what they are (`from_logits`)."
ONES, ZEROS = "images * log_sigmoid(logits)", "(1 - images) * log_sigmoid(-logits)"
LIKELIHOOD = Values(
    terms=(ONES, ZEROS),
    over=lambda pixels: np.sum(pixels, axis=(1, 2, 3)),
    axes={"batch": BATCH, "height or width": 28},
    shape=("batch",),
    sizes={"batch": BATCH, "pixels": 784, "rows": 28},
    stand_ins={
        lambda images, logits: (images, expit(logits.real)): "The sigmoid is applied twice: a function that takes "
        "logits got probabilities. No pixel can then be surer than 0.73, and the images stay grey.",
    },
    other_forms={
        ONES: {
            "images * logits": "",
            "images * sigmoid(logits)": "A logarithm is missing: ln p, not p, belongs there.",
        },
        ZEROS: {
            "(1 - images) * sigmoid(-logits)": "A logarithm is missing: ln(1 - p), not 1 - p, belongs there.",
            "log_sigmoid(-logits)": "The factor 1 - images is missing: ln(1 - p) counts for every pixel.",
        },
    },
    mistakes={
        _clipped(np.float32(1e-7)): READ,  # of tf_keras, then of Keras 3
        _clipped(np.float32(0)): READ,
        "images * logits + log_sigmoid(logits)": "The softplus is that of -logits, and that of the logits is right.",
        "images * logits - log_sigmoid(-logits)": "The softplus is added, and it is to be subtracted.",
        "images * logits": "The softplus is missing: images * logits alone is no log probability.",
        "log_sigmoid(-logits)": "images * logits is missing: this is minus the softplus alone.",
        "-(images - sigmoid(logits))**2": "This is a squared error: a Gaussian likelihood, and the pixels are binary.",
    },
    words={
        "-1": "The sign is wrong: this is the cross-entropy. A log probability is never positive.",
        "1/pixels": "You take the mean over pixels. The log-likelihood of an image is the sum: with the mean the KL "
        "weighs 784 times too much, and every code falls back to the prior.",
        "1 - images": "The images are inverted (1 - x), or the logits: the ones are scored with the probability of a "
        "zero.",
    },
)


@exercise(
    "number",
    "Each code stands for the same share of the prior.",
    nan_hint="The quantiles 0 and 1 of a normal lie at infinity, and there are none beyond. Take the middle of each of "
    "`number` equal slices of probability",
)
def prior_grid(call, rng):
    """Lesson 05, exercise 2. ``function(number)`` returns a grid of codes, each for the same share of a prior N(0, I).

    It gets an int. It returns ``(number * number, 2)``: all pairs, in any order, of the quantiles (i + 0.5) / number of
    N(0, 1), for i from 0 to number - 1.
    """
    for number in (5, 4, 9, 40):
        output = call(number)
        axes = {"number * number": number**2, "two": 2}
        hint = "One pair a row: each of `number` values on one axis with each on the other."
        check_shape(output.shape, tuple(axes), axes, hint)
        call.finite(output)
        _check_grid(output.astype(np.float64), number)


def _is_grid(output, values) -> bool:
    """Whether the rows are all pairs of ``values``, in any order."""
    pairs = np.stack(np.meshgrid(values, values), axis=-1).reshape(-1, 2)
    near = np.abs(output[:, None] - pairs).max(axis=-1) < 1e-3
    return bool((near.sum(axis=0) == 1).all() and (near.sum(axis=1) == 1).all())


def _equally_spaced(values) -> bool:
    steps = np.diff(values)
    return len(values) > 2 and np.ptp(steps) < 0.02 * np.abs(steps).max()


def _check_grid(output: np.ndarray, number: int) -> None:
    quantiles = ndtri((np.arange(number) + 0.5) / number)
    if _is_grid(output, quantiles):
        return
    values = [np.unique(np.round(column, 5)) for column in output.T]
    even = all(map(_equally_spaced, values))
    scale = [s for s in (2, 0.5, np.sqrt(2), np.sqrt(0.5)) if _is_grid(output / s, quantiles)]
    refuse(
        {
            NOTHING: not output.any(),
            "these are not all pairs: both coordinates run together, along the diagonal.": np.allclose(*output.T),
            "the values are the quantiles, but these are not all pairs of them: some come twice, some never.": all(
                len(v) == number and np.allclose(v, quantiles, atol=2e-3) for v in values
            ),
            f"every code is the right one times {sum(scale):.3g}, and N(0, 1) has a spread of 1.": scale,
            "these are uniform quantiles, not pushed through the inverse of the normal's distribution function. They "
            "lie in (0, 1): three quarters of the code plane are never shown.": even
            and 0 <= output.min() < output.max() <= 1,
            "the codes have equal spacing. The prior does not: space the probabilities equally, and the codes crowd "
            "where the prior is dense.": even,
            "the codes are normal quantiles, but not at (i + 0.5) / number: the slices do not all hold the same "
            "probability.": all(_equally_spaced(ndtr(v)) for v in values),
        }
    )
    raise NotYet(
        f"the first coordinate has {len(values[0])} values from {output[:, 0].min():.3f} to {output[:, 0].max():.3f}; "
        f"the quantiles of {number} equal slices run from {quantiles[0]:.3f} to {quantiles[-1]:.3f}, in all pairs."
    )


@exercise("start, end, steps", "Both ends included, and all steps equal.")
def interpolate(call, rng):
    """Lesson 05, exercise 3. ``function(start, end, steps)`` returns a straight path of codes from end to end.

    It gets two tensors ``(d,)`` and an int. It returns ``(steps, d)``, equally spaced, both ends included.
    """
    INTERPOLATE.examine(call, [_ends(rng, steps) for steps in (7, 2, 3, 4, 9)])


def _ends(rng, steps):
    start, end = rng.normal(0, steps / 2, (2, 5)).astype(np.float32)  # short ways and long ones
    start[0], end[0] = rng.uniform(0.5, 3, 2)  # where a path through logarithms is finite
    return start, end, steps


def _slerp(start, end, steps):
    angle = np.arccos(start @ end / np.linalg.norm(start) / np.linalg.norm(end))
    time = np.linspace(0, 1, steps)[:, None]
    return (np.sin((1 - time) * angle) * start + np.sin(time * angle) * end) / np.sin(angle)


def _other_times(outputs, trials):
    """What is wrong with a path of points on the right line, or None."""
    found = {}
    for output, (start, end, steps) in zip(outputs, trials, strict=True):
        if output.ndim != 2 or output.shape[1] != len(start) or len(output) < 2:
            return None
        times = (output - start) @ (end - start) / np.sum((end - start) ** 2)
        if not np.allclose(output, start + times[:, None] * (end - start), atol=1e-3):
            return None
        found[steps] = times
    if len({len(times) for times in found.values()}) == 1:
        return f"the path has {len(times)} points whatever `steps` says."
    wrong = (one for one, t in found.items() if len(t) != one or not np.allclose(t, np.linspace(0, 1, one), atol=1e-3))
    steps = max(wrong, default=None)
    if steps is None:
        return None
    times = found[steps]
    if len(times) != steps:
        more = f"steps {'-+'[len(times) > steps]} {abs(len(times) - steps)}"
        return f"the path has {more} points. `steps` counts the points, both ends included."
    shares = f"t = {', '.join(f'{time:.3g}' for time in times[:3])}, ..., {times[-1]:.3g}"
    first, last = np.abs(times[[0, -1]] - [0, 1]) < 1e-3
    if times[-1] < -0.001:
        return f"the path leads away from `end`, {shares}: the difference is reversed, and end - start belongs there."
    if times[-1] > 1.001:
        return f"the path goes on beyond `end`, {shares}: with `steps` points there are steps - 1 gaps."
    if not last:
        missing = "the end is missing" if first else "both ends are missing"
        return f"{missing}: {shares}. `steps` points have steps - 1 gaps."
    if not first:
        return "the start is missing: the path begins one step after it. Both ends belong to it."
    return f"the points lie on the straight line, but the times are not equal steps from 0 to 1: {shares}."


START, END = "(1 - time(steps)) * start", "time(steps) * end"
LOGARITHMS = "The steps are multiplied, not added: a path through logarithms. Those of a straight path are all equal."
INTERPOLATE = Values(
    terms=(START, END),
    names={"time": lambda steps: np.linspace(0, 1, steps)[:, None]},
    axes=lambda start, end, steps: {"steps": steps, "d": len(start)},
    shape=("steps", "d"),
    other_forms={
        START: {"start + 0 * time(steps)": "The start does not shrink with t: at t = 1 `end` stands alone."},
        END: {"end + 0 * time(steps)": "The end does not grow with t."},
    },
    mistakes={
        "start * (end / start)**time(steps)": LOGARITHMS,
        "exp((1 - time(steps)) * log(start) + time(steps) * log(end))": LOGARITHMS,
        _slerp: "This is the path along an arc (spherical interpolation), and a straight line is asked for.",
        "time(steps) * (end - start)": "This is the way from `start`, t * (end - start): `start` is not added.",
    },
    words={"end, start": "The path is reversed: the first row must be `start`."},
    explain=_other_times,
)

"""Exercises that draw: is the noise fresh, independent, and of the right law?

All bounds hold for any number of draws. Chance breaks one less than once in 1e10: Dvoretzky, Kiefer, Wolfowitz and
Massart for a distribution function, Laurent and Massart for a sum of squares, Azuma and Hoeffding for means.
"""

import itertools

import numpy as np
from scipy.special import ndtr

from course_utils.checks.calling import Call, NotYet

LOG_ODDS = np.log(2 / 1e-11)
FIXED = "the same noise comes back on every call. Is there a fixed seed inside the function?"


def chance_bound(number: int) -> float:
    """How far a mean of numbers in [0, 1], or a distribution function, may lie from the truth."""
    return np.sqrt(LOG_ODDS / (2 * number))


def looks_uniform(values: np.ndarray) -> bool:
    """Whether the values look like draws from U(0, 1)."""
    values = np.sort(values, axis=None)
    if not np.isfinite(values).all() or values[0] < -1e-5 or values[-1] > 1 + 1e-5:
        return False
    if values[0] > LOG_ODDS / len(values) or values[-1] < 1 - LOG_ODDS / len(values):  # cut off at an edge
        return False
    steps = np.arange(len(values) + 1) / len(values)
    return max(np.max(steps[1:] - values), np.max(values - steps[:-1])) < chance_bound(len(values))


def looks_standard_normal(values: np.ndarray) -> bool:
    """Whether the values look like draws from N(0, 1): the distribution function, the mean and the spread."""
    number = values.size
    spread = 2 * np.sqrt(LOG_ODDS / number) + 2 * LOG_ODDS / number
    return (
        bool(np.isfinite(values).all())
        and looks_uniform(ndtr(values))
        and abs(np.mean(values)) < np.sqrt(2 * LOG_ODDS / number)
        and abs(np.mean(values**2) - 1) < spread
    )


# ---- shared noise ----


def constant_along(values: np.ndarray, axes) -> bool:
    """Whether the values do not change along the axes; NaN is left out."""
    with np.errstate(all="ignore"):
        low, high = np.nanmin(values, axis=axes), np.nanmax(values, axis=axes)
        return bool(np.nanmax(high - low) < 1e-3 * np.nanstd(values) + 1e-5)


def repeated(values: np.ndarray) -> bool:
    """Whether a tenth of some thousand real numbers come twice, with either sign: of draws, one in a hundred does."""
    values = np.sort(np.abs(values[np.isfinite(values)]))
    return values.size > 20 and np.mean(np.diff(values) < 0.02 * values.std() / values.size) > 0.1


def lag_of_repeat(centred: np.ndarray, axis: int) -> int | None:
    """How far apart along an axis the entries (mean zero, at most 1/2 in size) go together; None if they do not."""
    centred = np.moveaxis(np.nan_to_num(centred), axis, 0)
    size = len(centred)
    waves = np.abs(np.fft.rfft(centred, 2 * size, axis=0)) ** 2  # so that all lags are summed at once
    sums = np.fft.irfft(waves, axis=0).reshape(2 * size, -1).sum(axis=1)[1:size]
    products = np.arange(size - 1, 0, -1) * (centred.size // size)
    far = np.abs(sums) > 0.25 * np.sqrt(2 * (LOG_ODDS + 5 + np.log(size)) * products)
    together = np.abs(sums) / products * far
    return int(np.argmax(together > 0.9 * together.max())) + 1 if far.any() else None


def check_independent(noise: np.ndarray, names: tuple[str, ...], first: str = "") -> None:
    """Raise NotYet unless the noise is drawn afresh for every entry.

    Args:
        noise: standardised, so that independent entries would be alike.
        names: plural names of its axes; along "draws", the calls of the function follow one another.
        first: said before what is wrong.
    """
    axes = [axis for axis in range(noise.ndim) if noise.shape[axis] > 1]
    for number in range(len(axes), 0, -1):
        for along in itertools.combinations(axes, number):
            if constant_along(noise, along):
                which = [names[axis] for axis in along]
                if which == ["draws"]:
                    raise NotYet(first + FIXED)
                raise NotYet(
                    f"{first}one number of noise serves all {' and '.join(which)}, so that they err together. Every "
                    "entry needs one of its own: give the noise the full shape."
                )
    if noise.size <= 5000 and repeated(noise):
        raise NotYet(
            f"{first}the same numbers of noise come more than once: they are tiled, or shared by pairs or parts. Every "
            "entry needs one of its own."
        )
    ranks = np.full(noise.shape, np.nan)
    inside = np.isfinite(noise)
    ranks[inside] = (np.argsort(np.argsort(noise[inside])) + 0.5) / inside.sum() - 0.5
    for axis in axes:
        lag = lag_of_repeat(ranks, axis)
        if lag:
            raise NotYet(
                f"{first}the noise is not independent: {names[axis]} that lie {lag} apart have noise that goes "
                "together, as if it were tiled or shared. Every entry needs one of its own."
            )


# ---- the wrong law ----


def law_of(noise: np.ndarray, name: str = "the noise") -> str:
    """What noise is that is not standard normal."""
    noise = noise[np.isfinite(noise)]
    mean, sd = noise.mean(), noise.std()
    if sd < 1e-3:
        return f"{name} does not vary: where it belongs, {mean:.3g} is added to or taken from everything."
    own = (noise - mean) / sd
    numbers = f"mean {mean:.3g} and standard deviation {sd:.3g}; right are 0 and 1, in units of the one asked for"
    if looks_uniform((noise - noise.min()) / np.ptp(noise)):
        return f"{name} is uniform, not normal: it has a sharp edge, and none lies beyond. It has {numbers}."
    if looks_standard_normal(own):
        return f"{name} is normal, but it has {numbers}."
    if np.abs(own).max() < 2.7 and noise.size > 1000:
        return (
            f"{name} is truncated or bounded: no draw lies far from the mean. Use the plain normal. It has {numbers}."
        )
    return f"{name} is not normal. It has {numbers}."


# ---- from call to call ----


def check_fresh(call: Call, inputs: tuple) -> None:
    """Raise NotYet if the same noise comes back on every call; note where it does not follow the Generator."""
    fresh = tuple(np.random.default_rng() if isinstance(v, np.random.Generator) else v for v in inputs)
    first, again, other = (_first(call(*values)) for values in (inputs, inputs, fresh))
    if np.array_equal(first, other, equal_nan=True):
        raise NotYet(FIXED)
    if not any(isinstance(v, np.random.Generator) for v in inputs):
        return
    if np.array_equal(first, again, equal_nan=True) and not call.drew:
        raise NotYet("a copy of `rng` is drawn from, so the next call gets the same noise. Draw from `rng` itself.")
    if not np.array_equal(first, again):
        call.notes.append("One thing to mend: it does not draw from `rng`, so a seed does not repeat the result.")


def _first(output):
    return output[0] if isinstance(output, tuple) else output

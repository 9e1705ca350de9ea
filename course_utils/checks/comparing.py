"""What an exercise consists of, and how an answer is told from another.

A test of draws holds for any number of them, and chance breaks it less than once in 1e9: Dvoretzky, Kiefer, Wolfowitz
and Massart for a distribution function, Hoeffding for a mean of bounded numbers.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

LOG_2PI = np.log(2 * np.pi)
REPEATS = 6  # rows of the draws that an estimate is compared with


class NotYet(Exception):
    """What is wrong with the learner's function, in words."""


@dataclass(frozen=True)
class Mistake:
    """One usual mistake: what to say, and the answers (or tests) that give it away."""

    says: str
    answers: tuple[Callable, ...]
    by: Callable | None = None  # how to compare, where it is not the exercise's own way


def mistake(says: str, *answers: Callable, by: Callable | None = None) -> Mistake:
    return Mistake(says, answers, by)


@dataclass(frozen=True)
class Exercise:
    """Inputs, right answer and usual mistakes of one exercise.

    Args:
        arguments: names of what the learner's function gets.
        draw: ``Generator -> inputs``, fresh for each trial, or one such function for each; arrays are NumPy's.
        right: ``(*material) -> answer``, or for ``by=satisfies`` ``(output, *material) -> bool``. The same for the
            answers of a ``Mistake``.
        prepare: ``(*inputs) -> material``, what the answers share; the inputs themselves if not given.
        axes: ``(*inputs) -> {name: size}``, all sizes of a trial different; ``shape`` names those of the output.
        insight: said after "Right.".
        describe: ``(output, *inputs) -> str`` for a wrong answer that nobody has a name for.
        by: ``equals``, ``estimates`` or ``satisfies``.
        trials, calls: sets of inputs, and calls on each set.
        tensors: whether arrays are handed in as TensorFlow tensors; ``numpy_too`` whether arrays will do as well.
        draws: whether two calls on the same inputs must differ.
        parts: how many arrays the function returns; with 2 each has shape ``shape``.
    """

    arguments: tuple[str, ...]
    draw: Callable | tuple[Callable, ...]
    right: Callable
    mistakes: tuple[Mistake, ...]
    axes: Callable
    shape: tuple[str, ...]
    insight: str
    by: Callable
    prepare: Callable = lambda *inputs: inputs
    describe: Callable | None = None
    trials: int = 4
    calls: int = 1
    tensors: bool = True
    numpy_too: bool = True
    draws: bool = False
    parts: int = 1
    kinds: str = "fiu"
    nan_hint: str = "Look for the logarithm or the square root of a negative number, or a division by zero"
    shape_hint: str = ""  # instead of a guess at the axis
    error_hint: tuple[str, str] = ("", "")  # what to add to an error whose text holds the first
    after: Callable | None = None  # (function, inputs): a last test of a right answer; raises NotYet


# ---- three ways to compare an output with an entry of the table ----


def equals(entry: Callable, output: np.ndarray, material: tuple, calls: int = 1) -> bool:
    """The entry is an answer; NaN equals NaN. The tolerance is float32's, for sums of some hundred terms."""
    want = np.asarray(entry(*material), np.float64)
    if output.shape != want.shape:
        return False
    scale = np.max(np.abs(want[np.isfinite(want)]), initial=0.0)
    return np.allclose(output.astype(np.float64), want, rtol=1e-4, atol=1e-5 * scale + 3e-6, equal_nan=True)


def satisfies(entry: Callable, output, material: tuple, calls: int = 1) -> bool:
    """The entry is a test of the output."""
    return bool(entry(output, *material))


def estimates(entry: Callable, output: np.ndarray, material: tuple, calls: int = 1) -> bool:
    """The entry is draws; the output is one estimate of their mean for each call.

    The calls may scatter less than the entry does, but not much more: a mean over few draws, or over draws that are
    not independent, can be right by chance.
    """
    value, tolerance = expected(entry, material, calls)
    return bool(abs(output.mean() - value) < tolerance) and _spread(output) < widest(entry, material)


def estimates_once(entry: Callable, output: np.ndarray, material: tuple, calls: int = 1) -> bool:
    """As ``estimates``, for what is chosen once for all calls: which code goes with which image.

    Half a call, because two images may swap their codes.
    """
    return estimates(entry, output, material, 0.5)


def expected(entry: Callable, material: tuple, calls: float) -> tuple[float, float]:
    """Mean of an entry's draws, shape ``(repeats, draws)``, and how far a mean over ``calls`` calls may lie from it.

    6.5 standard errors: less than 1e-10 of right answers lie further off.
    """
    samples = entry(*material)
    error = one_call(samples) * np.sqrt(1 / len(samples) + 1 / calls)
    return samples.mean(), 6.5 * error + 1e-4 * abs(samples.mean())


def one_call(samples: np.ndarray) -> float:
    """Standard deviation of a mean over one row of the draws. Each column has its own distribution."""
    return np.sqrt(np.mean(np.var(samples, axis=0, ddof=1)) / samples.shape[1])


def widest(entry: Callable, material: tuple) -> float:
    """How far calls may scatter: four times what one call does. Chance does not take eight calls that far."""
    samples = entry(*material)
    return 4 * one_call(samples) + 1e-4 * abs(samples.mean())


def _spread(output: np.ndarray) -> float:
    return output.std(ddof=1) if output.size > 1 else 0.0


def apart(exercise: Exercise, material: tuple) -> bool:
    """Whether chance cannot take the right answer for a wrong one here, nor one mistake for another."""
    ways = [(None, exercise.right, exercise.calls)]
    for usual in exercise.mistakes:
        if usual.by is not satisfies:
            calls = 0.5 if usual.by is estimates_once else exercise.calls
            ways += [(usual.says, answer, calls) for answer in usual.answers]
    values = [(says, *expected(answer, material, calls)) for says, answer, calls in ways]
    return all(
        abs(value - other) > tolerance + slack
        for i, (says, value, tolerance) in enumerate(values)
        for words, other, slack in values[:i]
        if says != words
    )


# ---- tests of draws ----


def chance_bound(number: int) -> float:
    """Hoeffding's and Massart's bound alike, for numbers in an interval of length 1."""
    return np.sqrt(np.log(2 / 1e-9) / (2 * number))


def looks_uniform(values: np.ndarray) -> bool:
    """Whether the values look like draws from U(0, 1)."""
    values = np.sort(values, axis=None)
    if not np.isfinite(values).all():
        return False
    steps = np.arange(len(values) + 1) / len(values)
    return max(np.max(steps[1:] - values), np.max(values - steps[:-1])) < chance_bound(len(values))


def constant_along(values: np.ndarray, axis) -> bool:
    """Whether the values do not change along ``axis``; NaN is left out."""
    return bool(np.nanmax(np.nanmax(values, axis=axis) - np.nanmin(values, axis=axis)) < 1e-4)


def uncorrelated(values: np.ndarray) -> bool:
    """Whether uniform values (rows, columns) look independent between columns, and between neighbouring rows."""
    centred = values - 0.5  # a product of two lies in an interval of length 1/2
    between = [np.mean(centred[:, i] * centred[:, j]) for i in range(values.shape[1]) for j in range(i)]
    rows = np.mean(centred[1:] * centred[:-1], axis=0)
    # Neighbouring products share a row, so every second one is independent: half the number counts.
    return np.max(np.abs([*between, *rows]), initial=0) < 0.5 * chance_bound(len(values) // 2)


def fresh_seed() -> tf.Tensor:
    """A fresh stateless seed: the notebook's own random numbers stay as they are."""
    return tf.constant(np.random.default_rng().integers(2**31, size=2), tf.int32)


def scatters(right):
    """A test: the calls differ more than ``estimates`` allows, and lie around the right value."""

    def test(output, *material):
        samples = right(*material)
        around = abs(output.mean() - samples.mean()) < 5 * samples.std()
        return around and _spread(output) >= widest(right, material)

    return test


# ---- inputs ----


def sizes(rng: np.random.Generator, number: int) -> list[int]:
    """Different sizes, so that one axis cannot pass for another."""
    return [int(size) for size in rng.choice(np.arange(3, 10), number, replace=False)]


def draw_normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.normal(size=shape).astype(np.float32)


def in_float64(function):
    """Compute an answer in float64 from the float32 values that the learner is handed."""
    return lambda *inputs: function(*(np.asarray(v, np.float64) if isinstance(v, np.ndarray) else v for v in inputs))


def summed_rows(terms):
    """The terms of each entry, shape ``(batch, latent_dim)``, summed over the latent dimensions."""
    return in_float64(lambda *inputs: np.sum(terms(*inputs), axis=-1))


def summed(terms):
    return np.sum(terms, axis=-1)


def averaged(terms):
    return np.mean(terms, axis=-1)


def mean_of_rows(terms):
    return np.mean(np.sum(terms, axis=-1))


def slips(terms, scales, *reductions):
    """Answers with several slips at once: the terms under each reduction, times each scale (-1: a wrong sign)."""
    return [
        in_float64(lambda *inputs, scale=scale, reduce=reduce: scale * reduce(terms(*inputs)))
        for scale in scales
        for reduce in reductions
    ]


def draw_log_variance(rng, batch, latent_dim):
    """The first rows are positive, where every mistaken formula is finite; the others have both signs."""
    log_variance = draw_normal(rng, batch, latent_dim)
    log_variance[: (batch + 1) // 2] = np.abs(log_variance[: (batch + 1) // 2]) + 0.1
    return log_variance


def encoded_axes(*inputs):
    return dict(zip(("batch", "latent_dim"), inputs[0].shape, strict=True))

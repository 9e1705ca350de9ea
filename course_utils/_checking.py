"""How a check works, whatever the exercise: call, compare with the right answer, then with the usual wrong ones.

``checks`` holds the public functions; ``_answers`` and ``_random_answers`` hold the table of each exercise.
"""

import copy
import inspect
import re
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

tfd = tfp.distributions


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
        right: ``(*inputs) -> answer``, or for ``by=satisfies`` ``(output, *inputs) -> bool``.
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


def equals(entry: Callable, output: np.ndarray, inputs: tuple, calls: int = 1) -> bool:
    """The entry is an answer; NaN equals NaN. The tolerance is float32's, for sums of some hundred terms."""
    want = np.asarray(entry(*inputs), np.float64)
    if output.shape != want.shape:
        return False
    scale = np.max(np.abs(want[np.isfinite(want)]), initial=0.0)
    return np.allclose(output.astype(np.float64), want, rtol=1e-4, atol=1e-5 * scale + 3e-6, equal_nan=True)


def expected(entry: Callable, inputs: tuple, calls: int) -> tuple[float, float]:
    """Mean of an entry's draws, shape ``(repeats, draws)``, and how far a mean over ``calls`` calls may lie from it.

    6.5 standard errors: less than 1e-10 of right answers lie further off. Each column has its own distribution.
    """
    samples = np.asarray(entry(*inputs), np.float64)
    repeats, number = samples.shape
    variance = np.mean(np.var(samples, axis=0, ddof=1)) / number * (1 / repeats + 1 / calls)
    return samples.mean(), 6.5 * np.sqrt(variance) + 1e-4 * abs(samples.mean())


def estimates(entry: Callable, output: np.ndarray, inputs: tuple, calls: int = 1) -> bool:
    """The entry returns draws; the output is one estimate of their mean for each call."""
    value, tolerance = expected(entry, inputs, calls)
    return bool(abs(output.mean() - value) < tolerance)


def apart(exercise: "Exercise", inputs: tuple) -> bool:
    """Whether chance cannot take the right answer for a wrong one on these inputs, nor one mistake for another."""
    ways = [(None, exercise.right), *((m.says, a) for m in exercise.mistakes if m.by is None for a in m.answers)]
    values = [(says, *expected(answer, inputs, exercise.calls)) for says, answer in ways]
    return all(
        abs(value - other) > tolerance + slack
        for i, (says, value, tolerance) in enumerate(values)
        for words, other, slack in values[:i]
        if says != words
    )


def satisfies(entry: Callable, output, inputs: tuple, calls: int = 1) -> bool:
    """The entry is a test of the output."""
    return bool(entry(output, *inputs))


# ---- calling the learner's function ----


def _handed(inputs: tuple, tensors: bool) -> list:
    """Copies, so that a function that writes into its arguments does not change the question."""
    values = []
    for value in inputs:
        if isinstance(value, np.ndarray | np.floating):
            value = tf.convert_to_tensor(value) if tensors else copy.deepcopy(value)
        elif isinstance(value, np.random.Generator):
            value = copy.deepcopy(value)
        values.append(value)
    return values


def _raised(error: BaseException, function: Callable) -> str:
    """Type, message and line of an error, without the traceback and without file names."""
    if isinstance(error, NotImplementedError) and not str(error):
        return "not started yet: the function raises NotImplementedError. Put your code in its place."
    code = getattr(inspect.unwrap(function), "__code__", None)
    frames = [f for f in traceback.extract_tb(error.__traceback__) if code and f.filename == code.co_filename]
    place = ""
    if frames:
        place = f" in line {frames[-1].lineno - code.co_firstlineno + 1} of the function"
        place += f", `{frames[-1].line}`" if frames[-1].line else ""
    text = re.sub(r"\{\{.*?\}\}\s*", "", str(error)).strip()
    text = text.splitlines()[0][:200] if text else "no message"
    return f"the function raises {type(error).__name__}{place}: {text}"


def _call(exercise: Exercise, function: Callable, inputs: tuple, notes: list):
    try:
        return function(*_handed(inputs, exercise.tensors))
    except (Exception, SystemExit) as error:
        problem = _raised(error, function)
    if exercise.tensors and exercise.numpy_too:
        try:
            value = function(*_handed(inputs, tensors=False))
        except (Exception, SystemExit):
            pass
        else:
            notes.append(f"It works with NumPy arrays only. With tensors {problem}")
            return value
    text, hint = exercise.error_hint
    raise NotYet(f"{problem}. {hint}" if text and text in problem else problem)


def _array(value, kinds: str) -> np.ndarray:
    """What the function returned as an array of numbers."""
    if value is None:
        raise NotYet("the function returns nothing: is there a `return`?")
    if value is Ellipsis:
        raise NotYet("not started yet: the function returns `...`. Put your code in its place.")
    if "KerasTensor" in type(value).__name__ or tf.is_symbolic_tensor(value):
        raise NotYet(
            "the function returns a symbolic Keras tensor, a placeholder without values. Compute with the arguments "
            "that it is handed, not with `keras.Input` or a layer's `.output`."
        )
    if isinstance(value, tfd.Distribution):
        raise NotYet("the function returns a distribution, not numbers. Which of its methods gives what is asked for?")
    if callable(value) and not tf.is_tensor(value):
        raise NotYet("the function returns a function, not numbers. Are the parentheses of a call missing?")
    if isinstance(value, str | bytes | dict | set):
        raise NotYet(f"the function returns a {type(value).__name__}, not numbers.")
    if isinstance(value, tuple):
        raise NotYet(f"the function returns a tuple of {len(value)}, and one array or number is asked for.")
    try:
        if tf.is_tensor(value) and value.dtype == tf.bfloat16:
            value = tf.cast(value, tf.float32)
        array = np.asarray(value)
    except Exception as error:
        raise NotYet(f"what the function returns is no array: {str(error).splitlines()[0][:120]}") from error
    if array.dtype.kind == "V":  # NumPy's view of bfloat16
        array = array.astype(np.float32)
    if array.dtype.kind not in kinds:
        raise NotYet(f"the function returns values of dtype {array.dtype}, and numbers are asked for: use float32.")
    return array


def _output(exercise: Exercise, function: Callable, inputs: tuple, notes: list):
    """The output as one array, as a pair of them, or as a stack over the calls."""
    if exercise.parts == 1:
        outputs = [_array(_call(exercise, function, inputs, notes), exercise.kinds) for _ in range(exercise.calls)]
        if len({output.shape for output in outputs}) > 1:
            raise NotYet("the shape of what the function returns changes from call to call.")
        return outputs[0] if exercise.calls == 1 else np.stack(outputs)
    value = _call(exercise, function, inputs, notes)
    if value is None or value is Ellipsis:
        _array(value, exercise.kinds)
    if not isinstance(value, tuple | list) or len(value) != exercise.parts:
        raise NotYet(f"{exercise.parts} arrays are asked for, in one `return` with a comma between them.")
    return tuple(_array(part, exercise.kinds) for part in value)


def _signature(exercise: Exercise, function) -> None:
    if not callable(function):
        raise NotYet(
            f"hand in the function itself, by its name and without parentheses. This is a {type(function).__name__}."
        )
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return  # some built-in functions hide theirs; the call will tell
    try:
        signature.bind(*exercise.arguments)
    except TypeError:
        names = ", ".join(exercise.arguments)
        raise NotYet(f"the function must take {len(exercise.arguments)} arguments ({names}).") from None


# ---- words for what nobody has a name for ----


def _shape(shape, axes: dict[str, int]) -> str:
    names = {size: name for name, size in axes.items()}
    return "(" + ", ".join(f"{names[size]} = {size}" if size in names else str(size) for size in shape) + ")"


def wrong_shape(got: tuple, want: tuple[str, ...], axes: dict[str, int], hint: str = "") -> str:
    """What was expected, what came, and which axis was probably reduced or forgotten."""
    sizes = tuple(axes[name] for name in want)
    lost = [name for name in want if axes[name] not in got]
    kept = [name for name, size in axes.items() if name not in want and size in got]
    if hint:
        pass
    elif sorted(got) == sorted(sizes):
        hint = "The axes are in another order: transpose."
    elif got == ():
        hint = f"Everything was reduced to one number, the axis of {' and '.join(lost)} too: give `axis`."
    elif tuple(size for size in got if size != 1) == sizes:
        hint = "An axis of length 1 is left over: check `keepdims` and `newaxis`."
    elif lost and kept:
        hint = f"The wrong axis was reduced: {lost[0]} is gone, and {kept[0]} is still there."
    elif kept:
        hint = f"The axis of {' and '.join(kept)} is still there: reduce over it."
    elif lost and len(got) < len(sizes):
        hint = f"The axis of {' and '.join(lost)} was reduced as well: check `axis`."
    else:
        hint = f"Check the length along {' and '.join(lost or want) or 'each axis'}."
    wanted = _shape(sizes, axes) if want else "() (one number)"
    return f"the shape is {_shape(got, axes)}, expected {wanted}. {hint}"


def difference(entry: Callable, output: np.ndarray, inputs: tuple) -> str:
    """Size and sign of the error at the entry that is furthest off, and whether it is the same everywhere."""
    want = np.asarray(entry(*inputs), np.float64)
    gap = (output - want).ravel()
    worst = int(np.argmax(np.abs(gap)))
    got, right = float(output.ravel()[worst]), float(want.ravel()[worst])
    text = f"on fresh inputs it returns {got:.5g} where {right:.5g} is right: {abs(got - right):.3g} too "
    text += "large." if got > right else "small."
    ratio = output.ravel() / want.ravel()
    if gap.size > 1 and np.ptp(gap) < 1e-3 * np.max(np.abs(gap)):
        text += f" Every entry is off by the same amount, {gap[0]:.3g}."
    elif gap.size > 1 and np.ptp(ratio) < 1e-3 * np.max(np.abs(ratio)):
        text += f" Every entry is off by the same factor, {ratio[0]:.3g}."
    return text + " Try it on one case that you can work out by hand."


def off_by(entry: Callable, output: np.ndarray, inputs: tuple, calls: int) -> str:
    value, tolerance = expected(entry, inputs, calls)
    return (
        f"over {calls} calls it averages {output.mean():.4g} where {value:.4g} is right, and chance explains a "
        f"difference of at most {tolerance:.2g}."
    )


# ---- the engine ----


def _parts(output) -> tuple:
    return output if isinstance(output, tuple) else (output,)


def _repeats(exercise: Exercise, function: Callable, inputs: tuple, notes: list) -> None:
    """A draw must change from call to call, and follow the Generator that it is given."""
    fresh = tuple(np.random.default_rng() if isinstance(v, np.random.Generator) else v for v in inputs)
    outputs = [_parts(_output(exercise, function, values, [])) for values in (inputs, inputs, fresh)]
    if all(np.array_equal(a, b) for a, b in zip(outputs[0], outputs[2], strict=True)):
        raise NotYet("the same noise comes back on every call. Is there a fixed seed inside the function?")
    if any(isinstance(v, np.random.Generator) for v in inputs):
        if not all(np.array_equal(a, b) for a, b in zip(outputs[0], outputs[1], strict=True)):
            notes.append("One thing to mend: it does not draw from `rng`, so a seed does not repeat the result.")


def _check_shape(exercise: Exercise, output, inputs: tuple) -> None:
    axes = exercise.axes(*inputs)
    for part in _parts(output):
        got = part.shape[1:] if exercise.calls > 1 else part.shape
        if got != tuple(axes[name] for name in exercise.shape):
            raise NotYet(wrong_shape(got, exercise.shape, axes, exercise.shape_hint))


def _name_mistake(exercise: Exercise, trials: list) -> None:
    """Raise NotYet with the first mistake whose answer agrees on every trial."""
    parts = [part for output, _ in trials for part in _parts(output)]
    if not any(np.any(part) for part in parts):
        raise NotYet("not started yet? The function returns zeros only.")
    if not any(np.isfinite(part).any() for part in parts) and exercise.by is not satisfies:
        return  # NaN would agree with every answer that is NaN
    for usual in exercise.mistakes:
        by = usual.by or exercise.by
        for answer in usual.answers:
            if all(by(answer, output, inputs, exercise.calls) for output, inputs in trials):
                raise NotYet(usual.says)
    for i, name in enumerate(exercise.arguments):
        values = [(_parts(output)[0], inputs[i]) for output, inputs in trials]
        numbers = all(isinstance(value, np.ndarray | np.floating) for _, value in values)
        if numbers and all(out.shape[out.ndim - np.ndim(v) :] == np.shape(v) and np.all(out == v) for out, v in values):
            raise NotYet(f"not started yet? The function returns `{name}` as it came.")


def _describe(exercise: Exercise, output, inputs: tuple) -> str:
    """What can be said about a wrong answer that has no name."""
    for part in _parts(output):
        if not np.isfinite(part).all():
            kind = "NaN" if np.isnan(part).any() else "infinite values"
            return f"the function returns {kind}. {exercise.nan_hint}."
    if exercise.describe:
        return exercise.describe(output, *inputs)
    if output.dtype.kind in "iu":
        return f"the function returns whole numbers ({output.dtype}): something rounds. Use float32."
    if exercise.by is estimates:
        return off_by(exercise.right, output, inputs, exercise.calls)
    return difference(exercise.right, output, inputs)


def verdict(exercise: Exercise, function: Callable) -> str:
    """What is said after "Right.".

    Raises:
        NotYet: with the words for what is wrong.
    """
    _signature(exercise, function)
    rng, notes, trials = np.random.default_rng(), [], []
    draws = exercise.draw if isinstance(exercise.draw, tuple) else (exercise.draw,) * exercise.trials
    for draw in draws:
        inputs = draw(rng)
        tries = 0
        while exercise.by is estimates and tries < 50 and not apart(exercise, inputs):
            inputs, tries = draw(rng), tries + 1
        trials.append((_output(exercise, function, inputs, notes), inputs))
        if exercise.by is not equals:  # tests and estimates rely on the shape; an answer may name it
            _check_shape(exercise, *trials[-1])
    wrong = [(o, i) for o, i in trials if not exercise.by(exercise.right, o, i, exercise.calls)]
    if wrong:
        _name_mistake(exercise, trials)
        _check_shape(exercise, *wrong[0])
        raise NotYet(_describe(exercise, *wrong[0]))
    if exercise.draws:
        _repeats(exercise, function, trials[0][1], notes)
    if exercise.after:
        exercise.after(function, trials[0][1])
    return " ".join([exercise.insight, *notes[:1]])


def run(exercise: Exercise, function: Callable) -> None:
    """Print the verdict. Never raises, but lets an interrupt from the keyboard through."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            line = "Right. " + verdict(exercise, function)
        except NotYet as problem:
            line = f"Not yet: {problem}"
        except Exception as error:
            line = f"Not yet: the check cannot read what the function returns ({type(error).__name__})."
    print(line)

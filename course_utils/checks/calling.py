"""Calling a learner's function safely, and reading what comes back as arrays of numbers."""

import copy
import inspect
import itertools
import re
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

tfd = tfp.distributions


class NotYet(Exception):
    """What is wrong with the learner's function, in words."""


def refuse(problems: dict[str, bool]) -> None:
    """Raise NotYet with the first of the sentences that is true."""
    for words, true in problems.items():
        if true:
            raise NotYet(words)


NOTHING = "not started yet? The function returns zeros only."


@dataclass
class Call:
    """A learner's function: called with copies, read as arrays, and every error turned into ``NotYet``.

    Args:
        arguments: names of what the function gets.
        tensors: whether arrays are handed in as TensorFlow tensors; ``numpy_too`` whether arrays will do as well.
        parts: how many arrays the function returns.
        error_hint: what to add to an error whose text holds the first.
        nan_hint: what to add where NaN or infinity comes back.
    """

    function: Callable
    arguments: tuple[str, ...]
    tensors: bool = True
    numpy_too: bool = True
    parts: int = 1
    error_hint: tuple[str, str] = ("", "")
    nan_hint: str = "Look for the logarithm or the square root of a negative number, or a division by zero"
    notes: list[str] = field(default_factory=list)
    written: str = ""  # the argument that the function wrote into
    drew: bool = False  # whether the last call moved its Generator on

    def __call__(self, *inputs):
        """What the function makes of the inputs: an array, or a tuple of ``parts`` arrays."""
        value = self._value(inputs)
        if self.parts == 1 or value is None or value is Ellipsis:
            return _array(value)
        if getattr(value, "shape", ())[:1] == (self.parts,):  # stacked: it unpacks as well
            value = tuple(value)
        if not isinstance(value, tuple | list) or len(value) != self.parts:
            raise NotYet(f"{self.parts} arrays are asked for, in one `return` with a comma between them.")
        return tuple(_array(part) for part in value)

    def loops(self, small: tuple, large: tuple, more: int) -> bool:
        """Whether the function makes one number at a time: a Python call and more for each of ``more`` further numbers.

        Calls are counted, not seconds, so that the trials of a check are the same on a busy machine.
        """
        self(*small)  # the first call may do more than those after it
        counts = []
        for inputs in (small, large):
            calls, before = itertools.count(), sys.getprofile()
            sys.setprofile(lambda frame, event, _, calls=calls: event.endswith("call") and next(calls))
            try:
                self(*inputs)
            finally:
                sys.setprofile(before)
            counts.append(next(calls))
        return counts[1] - counts[0] >= more

    def _value(self, inputs: tuple):
        try:
            handed = _handed(inputs, self.tensors)
            value = self.function(*handed)
            self._watch(inputs, handed)
            return value
        except (Exception, SystemExit) as error:
            problem = _raised(error, self.function)
        if self.tensors and self.numpy_too:
            try:
                value = self.function(*_handed(inputs, tensors=False))
            except (Exception, SystemExit):
                pass
            else:
                self.notes.append(f"It works with NumPy arrays only. With tensors {problem}")
                return value
        text, hint = self.error_hint
        raise NotYet(f"{problem}. {hint}" if text and text in problem else problem)

    def _watch(self, inputs: tuple, handed: list) -> None:
        for name, before, after in zip(self.arguments, inputs, handed, strict=True):
            if isinstance(after, np.random.Generator):
                self.drew = before.bit_generator.state != after.bit_generator.state
            elif isinstance(after, np.ndarray) and not np.array_equal(before, after):
                self.written = name

    def finite(self, output: np.ndarray) -> None:
        """Raise NotYet where the output is not finite."""
        if not np.isfinite(output).all():
            kind = "NaN" if np.isnan(output).any() else "infinite values"
            raise NotYet(f"the function returns {kind}. {self.nan_hint}.")


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


def _array(value) -> np.ndarray:
    """What the function returned as an array of numbers."""
    kind = type(value).__name__
    refuse(
        {
            "the function returns nothing: is there a `return`? A tape returns None as gradient where it has not "
            "watched the tensor.": value is None,
            "not started yet: the function returns `...`. Put your code in its place.": value is Ellipsis,
            "the function returns a symbolic Keras tensor, a placeholder without values. Compute with the arguments "
            "that it is handed, not with `keras.Input` or a layer's `.output`.": "KerasTensor" in kind
            or tf.is_symbolic_tensor(value),
            "the function returns a distribution, not numbers. Which of its methods gives what is asked for?": (
                isinstance(value, tfd.Distribution)
            ),
            "the function returns a function, not numbers. Are the parentheses of a call missing?": callable(value)
            and not tf.is_tensor(value),
            f"the function returns a {kind}, not numbers.": isinstance(value, str | bytes | dict | set),
            "the function returns a tuple, and one array or number is asked for.": isinstance(value, tuple),
        }
    )
    try:
        array = np.asarray(value)
    except Exception as error:
        raise NotYet(f"what the function returns is no array: {str(error).splitlines()[0][:120]}") from error
    if array.dtype.kind == "V":  # NumPy's view of bfloat16
        array = array.astype(np.float32)
    if array.dtype.kind not in "fiub":
        raise NotYet(f"the function returns values of dtype {array.dtype}, and numbers are asked for: use float32.")
    return array


def check_signature(function, arguments: tuple[str, ...]) -> None:
    """Raise NotYet unless this is a function that takes the arguments."""
    if not callable(function):
        raise NotYet(
            f"hand in the function itself, by its name and without parentheses. This is a {type(function).__name__}."
        )
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return  # some built-in functions hide theirs; the call will tell
    try:
        signature.bind(*arguments)
    except TypeError:
        raise NotYet(f"the function must take {len(arguments)} arguments ({', '.join(arguments)}).") from None


# ---- shapes ----


def _shape(shape, axes: dict[str, int]) -> str:
    names = {size: name for name, size in axes.items()}
    return "(" + ", ".join(f"{names[size]} = {size}" if size in names else str(size) for size in shape) + ")"


def check_shape(got: tuple, want: tuple[str, ...], axes: dict[str, int], hint: str = "") -> None:
    """Raise NotYet with what was expected, what came, and which axis was probably reduced or forgotten.

    Args:
        want: names of the axes of the right shape.
        axes: the size of each axis of the inputs, all different.
        hint: said in place of a guess.
    """
    sizes = tuple(axes[name] for name in want)
    if got == sizes:
        return
    lost = [name for name in want if axes[name] not in got]
    kept = [name for name, size in axes.items() if name not in want and size in got]
    guesses = {
        hint: True,
        "The axes are in another order: transpose.": sorted(got) == sorted(sizes),
        f"Everything was reduced to one number, the axis of {' and '.join(lost)} too: give `axis`.": got == (),
        "An axis of length 1 is left over: check `keepdims` and `newaxis`.": tuple(n for n in got if n != 1) == sizes,
        "There are as many numbers as there should be, in another arrangement: `reshape`, or do not flatten.": (
            np.prod(got) == np.prod(sizes)
        ),
        f"The wrong axis was reduced: {lost and lost[0]} is gone, and {kept and kept[0]} is still there.": lost
        and kept,
        f"The axis of {' and '.join(kept)} is still there: reduce over it.": kept,
        f"The axis of {' and '.join(lost)} was reduced as well: check `axis`.": lost and len(got) < len(sizes),
        f"Check the length along {' and '.join(lost or want) or 'each axis'}.": True,
    }
    hint = next(words for words, true in guesses.items() if words and true)
    wanted = _shape(sizes, axes) if want else "() (one number)"
    raise NotYet(f"the shape is {_shape(got, axes)}, expected {wanted}. {hint}")

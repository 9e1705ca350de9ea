"""Calling a learner's function safely, and reading what comes back as arrays of numbers."""

import copy
import inspect
import re
import traceback
from collections.abc import Callable

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from course_utils.checks.comparing import Exercise, NotYet

tfd = tfp.distributions


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


def output_of(exercise: Exercise, function: Callable, inputs: tuple, notes: list):
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


def check_signature(exercise: Exercise, function) -> None:
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

"""How a check works, whatever the exercise: call, compare with the right answer, then with the usual wrong ones.

``checks`` holds the public functions; the modules ``_answers_NN`` hold the table of each exercise.
"""

import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from course_utils.checks.calling import check_signature, output_of
from course_utils.checks.comparing import Exercise, NotYet, apart, equals, estimates, expected, satisfies

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


def difference(entry: Callable, output: np.ndarray, material: tuple) -> str:
    """Size and sign of the error at the entry that is furthest off, and whether it is the same everywhere."""
    want = np.asarray(entry(*material), np.float64)
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


def off_by(entry: Callable, output: np.ndarray, material: tuple, calls: int) -> str:
    value, tolerance = expected(entry, material, calls)
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
    outputs = [_parts(output_of(exercise, function, values, [])) for values in (inputs, inputs, fresh)]
    if all(np.array_equal(a, b) for a, b in zip(outputs[0], outputs[2], strict=True)):
        raise NotYet("the same noise comes back on every call. Is there a fixed seed inside the function?")
    if any(isinstance(v, np.random.Generator) for v in inputs):
        if not all(np.array_equal(a, b) for a, b in zip(outputs[0], outputs[1], strict=True)):
            notes.append("One thing to mend: it does not draw from `rng`, so a seed does not repeat the result.")


class Trial(NamedTuple):
    output: np.ndarray | tuple
    inputs: tuple
    material: tuple

    def agrees(self, exercise: Exercise, entry: Callable, by: Callable | None = None) -> bool:
        return (by or exercise.by)(entry, self.output, self.material, exercise.calls)


def _try(exercise: Exercise, draw: Callable, function: Callable, rng: np.random.Generator, notes: list) -> Trial:
    """One set of inputs, and what the function makes of them."""
    inputs = draw(rng)
    if exercise.by is not estimates:
        return Trial(output_of(exercise, function, inputs, notes), inputs, exercise.prepare(*inputs))
    material = exercise.prepare(*inputs)
    for _ in range(50):
        if apart(exercise, material):
            break
        inputs = draw(rng)
        material = exercise.prepare(*inputs)
    return Trial(output_of(exercise, function, inputs, notes), inputs, material)


def _check_shape(exercise: Exercise, trial: Trial) -> None:
    axes = exercise.axes(*trial.inputs)
    for part in _parts(trial.output):
        got = part.shape[1:] if exercise.calls > 1 else part.shape
        if got != tuple(axes[name] for name in exercise.shape):
            raise NotYet(wrong_shape(got, exercise.shape, axes, exercise.shape_hint))


def _name_mistake(exercise: Exercise, trials: list[Trial]) -> None:
    """Raise NotYet with the first mistake whose answer agrees on every trial."""
    parts = [part for trial in trials for part in _parts(trial.output)]
    if not any(np.any(part) for part in parts):
        raise NotYet("not started yet? The function returns zeros only.")
    if not any(np.isfinite(part).any() for part in parts) and exercise.by is not satisfies:
        return  # NaN would agree with every answer that is NaN
    for usual in exercise.mistakes:
        if any(all(trial.agrees(exercise, answer, usual.by) for trial in trials) for answer in usual.answers):
            raise NotYet(usual.says)
    for i, name in enumerate(exercise.arguments):
        if all(_returned(trial.output, trial.inputs[i]) for trial in trials):
            raise NotYet(f"not started yet? The function returns `{name}` as it came.")


def _returned(output, value) -> bool:
    """Whether the output, or each call's, is this input."""
    if isinstance(output, tuple) or not isinstance(value, np.ndarray | np.floating):
        return False
    return output.shape[output.ndim - np.ndim(value) :] == np.shape(value) and bool(np.all(output == value))


def _describe(exercise: Exercise, trial: Trial) -> str:
    """What can be said about a wrong answer that has no name."""
    for part in _parts(trial.output):
        if not np.isfinite(part).all():
            kind = "NaN" if np.isnan(part).any() else "infinite values"
            return f"the function returns {kind}. {exercise.nan_hint}."
    if exercise.describe:
        return exercise.describe(trial.output, *trial.inputs)
    if trial.output.dtype.kind in "iu":
        return f"the function returns whole numbers ({trial.output.dtype}): something rounds. Use float32."
    if exercise.by is estimates:
        return off_by(exercise.right, trial.output, trial.material, exercise.calls)
    return difference(exercise.right, trial.output, trial.material)


def verdict(exercise: Exercise, function: Callable) -> str:
    """What is said after "Right.".

    Raises:
        NotYet: with the words for what is wrong.
    """
    check_signature(exercise, function)
    rng, notes, trials = np.random.default_rng(), [], []
    draws = exercise.draw if isinstance(exercise.draw, tuple) else (exercise.draw,) * exercise.trials
    for draw in draws:
        trials.append(_try(exercise, draw, function, rng, notes))
        if exercise.by is not equals:  # tests and estimates rely on the shape; an answer may name it
            _check_shape(exercise, trials[-1])
    wrong = [trial for trial in trials if not trial.agrees(exercise, exercise.right)]
    if wrong:
        _name_mistake(exercise, trials)
        _check_shape(exercise, wrong[0])
        raise NotYet(_describe(exercise, wrong[0]))
    if exercise.draws:
        _repeats(exercise, function, trials[0].inputs, notes)
    if exercise.after:
        exercise.after(function, trials[0].inputs)
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

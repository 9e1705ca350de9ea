"""Exercises with one right value: compare, and say what enters with which factor, or in whose place.

An exercise names the terms whose sum is right. An output that is wrong is read as a sum of these terms, with factors
that are fitted to all trials by least squares: of the terms as they are, or with something else in the place of an
argument (its square, its root, its logarithm, nothing at all, another argument), in all terms or in some. The reading
with the fewest slips is told.
"""

import functools
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.special import expit

from course_utils.checks.calling import NOTHING, Call, NotYet, check_shape, refuse
from course_utils.checks.reading import difference, read, tolerance

STAND_INS = {  # what usually is in the place of an argument
    "{}^2": np.square,
    "sqrt({})": lambda v: np.sqrt(v + 0j),
    "exp({})": np.exp,
    "ln({})": lambda v: np.log(v + 0j),
    "-{}": np.negative,
    "2 {}": lambda v: 2 * v,
    "{} / 2": lambda v: v / 2,
    "|{}|": np.abs,
    "0 for {}": np.zeros_like,
    "1 for {}": np.ones_like,
    "1 - {}": lambda v: 1 - v,
}
NAMES = {name: getattr(np, name) for name in "abs cov diag exp log log2 log10 max maximum mean median min pi".split()}
NAMES |= {name: getattr(np, name) for name in "minimum ptp round sqrt std sum var where".split()}
NAMES |= {
    "__builtins__": {},
    "len": len,
    "sigmoid": lambda v: expit(v.real),
    "log_sigmoid": lambda v: -np.log(1 + np.exp(-v)),
}


@functools.cache
def _compiled(formula: str):
    return compile(formula, "formula", "eval")


def evaluate(formula: str, **names):
    """The value of a formula in ``NAMES`` and these names."""
    return eval(_compiled(formula), NAMES, names)


@dataclass
class Values:
    """What a right value consists of, and what is usually made of it.

    A formula is a text, of the arguments by their names and of ``NAMES``, or a function of the arguments.

    Args:
        terms: formulas whose sum is right, or ``{name: formula}``; computed in float64.
        over: what makes a row of the output of an array of the formulas' values, where they are of single entries.
        names: further names of functions and constants.
        sizes: ``{name: size}`` of what may be summed or averaged by mistake, the same in every trial.
        axes: the axes of the arguments, ``{name: size}`` or a function of the arguments; if none, ``sizes``. All are
            different; ``shape`` names those of the output.
        stand_ins: ``{(*inputs) -> inputs: words}``, what is taken for the arguments, next to ``STAND_INS``.
        other_forms: ``{term: {formula: words}}``, what usually is in place of a term; words may be empty.
        mistakes: ``{formula: words}``, answers that are wrong as a whole.
        words: sentences for a factor of the whole ("-1"), of a term ("KL: -1"), or for what stands in place of
            arguments ("sqrt(sd)"), where the general one does not do.
        factors: ``{name: value}`` of further factors of the whole, with sentences in ``words``.
        explain: ``(outputs, trials) -> str | None``, the last try before shapes and numbers.
    """

    terms: tuple[str, ...] | dict[str, str]
    over: Callable | None = None
    names: dict = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    axes: dict[str, int] | Callable = field(default_factory=dict)
    shape: tuple[str, ...] = ()
    stand_ins: dict[Callable, str] = field(default_factory=dict)
    other_forms: dict[str, dict] = field(default_factory=dict)
    mistakes: dict[str | Callable, str] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    factors: dict[str, float] = field(default_factory=dict)
    explain: Callable = lambda outputs, trials: None
    arguments: tuple[str, ...] = ()  # of the function that is examined

    def value(self, formula: str | Callable, inputs: tuple) -> np.ndarray:
        if callable(formula):
            return formula(*inputs)
        values = evaluate(formula, **self.names, **dict(zip(self.arguments, inputs, strict=True)))
        return self.over(values + 0 * np.real(inputs[0])) if self.over else np.asarray(values)

    def parts(self, inputs: tuple) -> dict[str, np.ndarray]:
        """The terms by name, as numbers."""
        terms = self.terms if isinstance(self.terms, dict) else dict(zip(self.terms, self.terms, strict=True))
        return {name: self.value(formula, inputs) for name, formula in terms.items()}

    def right(self, *inputs) -> np.ndarray:
        return sum(self.parts(inputs).values())

    def examine(self, call: Call, trials: Sequence[tuple]) -> None:
        """Raise NotYet unless the function returns the right value in every trial."""
        self.arguments = call.arguments
        outputs = [call(*inputs) for inputs in trials]
        exact = [tuple(np.float64(v) if isinstance(v, np.ndarray | np.floating) else v for v in i) for i in trials]
        rights = [self.right(*inputs) for inputs in exact]
        sizes = [sum(map(np.abs, self.parts(inputs).values())) for inputs in exact]
        if all(
            output.shape == right.shape and bool(np.all(np.abs(output - right) <= tolerance(right, size)))
            for output, right, size in zip(outputs, rights, sizes, strict=True)
        ):
            return
        refuse({NOTHING: not any(np.any(output) for output in outputs)})
        words = self._read(outputs, exact) or self.explain(outputs, exact)
        if words:
            raise NotYet(words)
        for output, inputs in zip(outputs, trials, strict=True):
            axes = self.axes(*inputs) if callable(self.axes) else self.axes or self.sizes
            check_shape(output.shape, self.shape, axes)
        for i, name in enumerate(self.arguments):
            if all(np.array_equal(output, inputs[i]) for output, inputs in zip(outputs, trials, strict=True)):
                raise NotYet(f"not started yet? The function returns `{name}` as it came.")
        for output in outputs:
            call.finite(output)
            if output.dtype.kind in "iu":
                raise NotYet(f"the function returns whole numbers ({output.dtype}): something rounds. Use float32.")
        raise NotYet(difference(outputs, rights))

    def _read(self, outputs: list[np.ndarray], trials: list[tuple]) -> str | None:
        reduced = self.shape != () and all(output.shape == () for output in outputs)

        def column(values: Iterable) -> np.ndarray:
            values = np.concatenate([[np.mean(v)] if reduced else np.ravel(v) for v in values])
            return np.where(np.abs(values.imag) < 1e-9 * np.abs(values.real) + 1e-12, values.real, np.nan)

        def whole(formula) -> list[np.ndarray]:
            return [column(self.value(formula, inputs) for inputs in trials)]

        def split(trials: Iterable[tuple]) -> list[np.ndarray]:
            several = [self.parts(inputs) for inputs in trials]
            return [column(one[name] for one in several) for name in several[0]]

        names, plain = list(self.parts(trials[0])), split(trials)
        candidates = [(0, "", [sum(plain)]), (0, "", plain)]
        candidates += [(1, words, whole(formula)) for formula, words in self.mistakes.items()]
        for i, name in enumerate(names):
            for form, words in self.other_forms.get(name, {}).items():
                words = words or f"In place of {name} stands {form}."
                candidates.append((1.1, words, [*plain[:i], *whole(form), *plain[i + 1 :]]))
        for variants in zip(*map(self.variants, trials), strict=True):
            slips, words = variants[0][:2]
            try:
                other = split(inputs for *_, inputs in variants)
            except TypeError:  # a function that knows no complex numbers
                continue
            changed = [i for i in range(len(names)) if not np.array_equal(plain[i], other[i])]
            if changed:
                candidates.append((slips, words, [sum(other)]))
            for number in range(1, len(changed) + 1) if len(names) > 1 else ():
                for some in itertools.combinations(changed, number):
                    where = "" if number == len(changed) else f" In {' and '.join(names[i] for i in some)}."
                    mixed = [other[i] if i in some else plain[i] for i in range(len(names))]
                    candidates.append((1.2 + 0.1 * bool(where), words + where, mixed))
        return read(column(outputs), names, candidates, self.words, self.sizes, self.factors, reduced)

    def variants(self, inputs: tuple) -> Iterable[tuple[float, str, tuple]]:
        """(slips, words, inputs) with another in the place of one argument or of two, and the exercise's own."""
        numbers = [i for i, value in enumerate(inputs) if isinstance(value, np.ndarray | np.floating)]
        for places in (*((i,) for i in numbers), *itertools.combinations(numbers, 2)):
            own = [self.arguments[i] for i in places]
            for name, function in STAND_INS.items():
                made = tuple(function(v) if i in places else v for i, v in enumerate(inputs))
                yield 1, self._in_place([name.format(v) for v in own], own), made
            if len(places) == 2:
                order = dict(zip(places, places[::-1], strict=True))
                exchanged = tuple(inputs[order.get(i, i)] for i in range(len(inputs)))
                yield 1, self._in_place(own[::-1], own), exchanged
        for function, words in self.stand_ins.items():
            yield 0.95, words, function(*inputs)

    def _in_place(self, made: list[str], own: list[str]) -> str:
        each = [f"{one.split(' for ')[0]} stands where {name} belongs" for one, name in zip(made, own, strict=True)]
        words = " and ".join(each)
        if made[0].startswith("0"):
            words = f"{' and '.join(own)} {'is' if len(own) == 1 else 'are'} ignored"
        return self.words.get(", ".join(made), words + ".")

"""Exercises with one right value: compare, and say what enters with which factor, or in whose place.

An exercise names the terms whose sum is right. An output that is wrong is read as a sum of these terms, with factors
that are fitted to all trials by least squares: of the terms as they are, or with something else in the place of an
argument (its square, its root, its logarithm, nothing at all, another argument), in all terms or in some. The reading
with the fewest slips is told.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.special import expit

from course_utils.checks.calling import Call, NotYet, check_shape

LN_2, LN_10 = np.log(2), np.log(10)
SENTENCES = {
    "-1": "The sign is wrong: this is the negative.",
    "2": "It is twice what it should be: is a 1/2 missing?",
    "1/2": "It is half of what it should be: a 1/2 too many, or is a 2 missing?",
    "1/ln 2": "These are bits: the logarithm has base 2, and nats need the natural one.",
    "1/ln 10": "The logarithm is the decimal one, and the natural one is needed.",
    "ln 10": "The logarithm is natural, and the decimal one is needed.",
}
TABLES = (
    {"": 1.0, "-1": -1.0},
    {"": 1.0, "2": 2.0, "1/2": 0.5},
    {"": 1.0, "1/ln 2": 1 / LN_2, "1/ln 10": 1 / LN_10, "ln 10": LN_10},
)
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
NAMES |= {name: getattr(np, name) for name in "minimum ptp round sqrt std sum var".split()}
NAMES |= {
    "__builtins__": {},
    "len": len,
    "sigmoid": lambda v: expit(v.real),
    "log_sigmoid": lambda v: -np.log(1 + np.exp(-v)),
}


@dataclass
class Values:
    """What a right value consists of, and what is usually made of it.

    A formula is a text, of the arguments by their names and of ``NAMES``, or a function of the arguments.

    Args:
        terms: formulas whose sum is right, or ``(*inputs) -> {name: array}``; in float64.
        over: what makes a row of the output of an array of the formulas' values, where they are of single entries.
        names: further names of functions and constants.
        stand_ins: ``{words: (*inputs) -> inputs}``, what is taken for the arguments, next to ``STAND_INS``; several as
            a tuple.
        other_forms: ``{term: {formula: words}}``, what usually is in place of a term; words may be empty.
        mistakes: ``{formula: words}``, answers that are wrong as a whole; or ``{words: functions}``.
        words: sentences for a factor of the whole ("-1"), of a term ("KL: -1"), or for what stands in place of
            arguments ("sqrt(sd)"), where the general one does not do.
        sizes: ``{name: size}`` of what may be summed or averaged by mistake, the same in every trial.
        factors: ``{name: value}`` of further factors of the whole, with sentences in ``words``.
        axes: ``(*inputs) -> {name: size}``, all sizes different; ``shape`` names those of the output.
        explain: ``(outputs, trials) -> str | None``, the last try before shapes and numbers.
    """

    terms: tuple[str, ...] | Callable
    arguments: tuple[str, ...] = ()
    over: Callable | None = None
    names: dict = field(default_factory=dict)
    axes: Callable = lambda *inputs: {}
    shape: tuple[str, ...] = ()
    stand_ins: dict[str, Callable | tuple[Callable, ...]] = field(default_factory=dict)
    other_forms: dict[str, dict] = field(default_factory=dict)
    mistakes: dict = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    factors: dict[str, float] = field(default_factory=dict)
    explain: Callable = lambda outputs, trials: None

    def value(self, formula: str | Callable, inputs: tuple) -> np.ndarray:
        if callable(formula):
            return formula(*inputs)
        local = dict(zip(self.arguments, inputs, strict=True))
        values = eval(formula, NAMES | self.names, local)
        return self.over(values + 0 * np.real(inputs[0])) if self.over else np.asarray(values)

    def parts(self, *inputs) -> dict[str, np.ndarray]:
        """The terms by name, as numbers."""
        return self.terms(*inputs) if callable(self.terms) else {term: self.value(term, inputs) for term in self.terms}

    def right(self, *inputs) -> np.ndarray:
        return sum(self.parts(*inputs).values())

    def examine(self, call: Call, trials: Sequence[tuple]) -> None:
        """Raise NotYet unless the function returns the right value in every trial."""
        self.arguments = call.arguments
        outputs = [call(*inputs) for inputs in trials]
        exact = [tuple(np.float64(v) if isinstance(v, np.ndarray | np.floating) else v for v in i) for i in trials]
        rights = [self.right(*inputs) for inputs in exact]
        sizes = [sum(map(np.abs, self.parts(*inputs).values())) for inputs in exact]
        if all(
            output.shape == right.shape and bool(np.all(np.abs(output - right) <= tolerance(right, size)))
            for output, right, size in zip(outputs, rights, sizes, strict=True)
        ):
            return
        if not any(np.any(output) for output in outputs):
            raise NotYet("not started yet? The function returns zeros only.")
        words = self._read(call, outputs, exact) or self.explain(outputs, exact)
        if words:
            raise NotYet(words)
        for output, inputs in zip(outputs, trials, strict=True):
            check_shape(output.shape, self.shape, self.axes(*inputs))
        for i, name in enumerate(call.arguments):
            if all(np.array_equal(output, inputs[i]) for output, inputs in zip(outputs, trials, strict=True)):
                raise NotYet(f"not started yet? The function returns `{name}` as it came.")
        for output in outputs:
            call.finite(output)
            if output.dtype.kind in "iu":
                raise NotYet(f"the function returns whole numbers ({output.dtype}): something rounds. Use float32.")
        raise NotYet(difference(outputs, rights))

    def _read(self, call: Call, outputs: list[np.ndarray], trials: list[tuple]) -> str | None:
        reduced = self.shape != () and all(output.shape == () for output in outputs)

        def column(values: Iterable) -> np.ndarray:
            values = np.concatenate([[np.mean(v)] if reduced else np.ravel(v) for v in values])
            return np.where(np.abs(values.imag) < 1e-9 * np.abs(values.real) + 1e-12, values.real, np.nan)

        def whole(formula) -> list[np.ndarray]:
            return [column(self.value(formula, inputs) for inputs in trials)]

        def split(inputs: Iterable[tuple]) -> list[np.ndarray]:
            several = [self.parts(*i) for i in inputs]
            return [column(one[name] for one in several) for name in several[0]]

        names, plain = list(self.parts(*trials[0])), split(trials)
        candidates = [(0, "", [sum(plain)]), (0, "", plain)]
        candidates += [(1, words, whole(formula)) for words, formula in _entries(self.mistakes)]
        for i, name in enumerate(names):
            for words, form in _entries(self.other_forms.get(name, {})):
                words = words or f"In place of {name} stands {form}."
                candidates.append((1.1, words, [*plain[:i], *whole(form), *plain[i + 1 :]]))
        for extra, words, stand_in in self._stand_ins(call.arguments, trials[0]):
            try:
                other = split([stand_in(*inputs) for inputs in trials])
            except TypeError:  # a function that knows no complex numbers
                continue
            changed = [i for i in range(len(names)) if not np.array_equal(plain[i], other[i])]
            if changed:
                candidates.append((1 + extra, words, [sum(other)]))
            for number in range(1, len(changed) + 1) if len(names) > 1 else ():
                for some in itertools.combinations(changed, number):
                    where = "" if number == len(changed) else f" In {' and '.join(names[i] for i in some)}."
                    mixed = [other[i] if i in some else plain[i] for i in range(len(names))]
                    candidates.append((1.2 + 0.1 * bool(where), words + where, mixed))
        return read(column(outputs), names, candidates, self.words, self.sizes, self.factors, reduced)

    def _stand_ins(self, arguments: tuple[str, ...], inputs: tuple) -> Iterable[tuple[float, str, Callable]]:
        """(further slips, words, inputs -> inputs): another in the place of one argument or of two; the exercise's."""
        numbers = [i for i, value in enumerate(inputs) if isinstance(value, np.ndarray | np.floating)]
        for places in (*((i,) for i in numbers), *itertools.combinations(numbers, 2)):
            own = [arguments[i] for i in places]
            for name, function in STAND_INS.items():
                yield (
                    0.0,
                    self._in_place([name.format(v) for v in own], own),
                    lambda *i, places=places, f=function: tuple(f(v) if j in places else v for j, v in enumerate(i)),
                )
            if len(places) == 2:
                order = dict(zip(places, places[::-1], strict=True))
                yield (
                    0.0,
                    self._in_place(own[::-1], own),
                    lambda *i, order=order: tuple(i[order.get(j, j)] for j in range(len(i))),
                )

        yield from ((-0.05, words, one) for words, one in _entries(self.stand_ins))

    def _in_place(self, made: list[str], own: list[str]) -> str:
        each = [f"{one.split(' for ')[0]} stands where {name} belongs" for one, name in zip(made, own, strict=True)]
        words = " and ".join(each)
        if made[0].startswith("0"):
            words = f"{' and '.join(own)} {'is' if len(own) == 1 else 'are'} ignored"
        return self.words.get(", ".join(made), words + ".")


def _entries(table: dict) -> Iterable[tuple]:
    """(words, formula) of ``{formula: words}`` or ``{words: functions}``."""
    for key, value in table.items():
        if isinstance(value, str):
            yield value, key
        else:
            yield from ((key, one) for one in (value if isinstance(value, tuple) else (value,)))


# ---- reading an output ----


def read(y, names, candidates, words, sizes, factors=(), reduced=False) -> str | None:
    """What is wrong, in words, by the candidate that gives ``y`` with the fewest slips; None where none does.

    Args:
        names: of the terms.
        candidates: (slips, words, columns); a column a term, or one for the whole.
        words, sizes, factors: as in ``Values``.
        reduced: ``y`` is one number in place of one for each row, so that the size "batch" is no slip of its own.
    """
    best, fewest = None, 5.0
    table = products(sizes, dict(factors))

    def cost(factor: float) -> float:
        found = factor_name(factor, table)
        return 9 if found is None else len([name for name in found if not (reduced and name == "batch")])

    for slips, first, columns in candidates:
        coefficients = fitted(y, columns) if slips < fewest else None
        if coefficients is None:
            continue
        for common in dict.fromkeys(coefficients if len(columns) == 1 else (1.0, *coefficients)):
            if abs(common) < 1e-3 or cost(common) == 9:
                continue
            off = [(n, c / common) for n, c in zip(names, coefficients, strict=False) if abs(c / common - 1) > 2e-3]
            each = [1 if abs(c) < 1e-3 else min(cost(c), 3) for _, c in off]
            total = slips + sum(each) + cost(common)
            if total < fewest:
                found = factor_name(common, table)
                if reduced:
                    over = "sum" if "batch" in found else "average"
                    found = [name for name in found if name != "batch"]
                    found.append(f"You {over} over the batch, and one value for each row is asked for, shape (batch,).")
                says = [first, *(_of_term(n, c, words, table) for n, c in off), factor_words(found, words)]
                best, fewest = " ".join(filter(None, says)), total
    return best and best[0].lower() + best[1:]


def _of_term(name: str, factor: float, words: dict[str, str], table: dict) -> str:
    if abs(factor) < 1e-3:
        return words.get(f"{name}: 0", f"The term {name} is missing.")
    found = factor_name(factor, table) or []
    own = [words[f"{name}: {one}"] for one in found if f"{name}: {one}" in words]
    if found and len(own) == len(found):
        return " ".join(own)
    generic = {
        "-1": f"The term {name} has the wrong sign.",
        "2": f"The term {name} is counted twice, or its 1/2 is missing.",
        "1/2": f"The term {name} is counted by half: its 1/2 is there twice, or its 2 is missing.",
    }
    if len(found) == 1 and found[0] in generic:
        return generic[found[0]]
    return f"The term {name} is there {factor:.4g} times, and belongs once. {factor_words(found, {})}".strip()


def factor_words(names: list[str], words: dict[str, str]) -> str:
    """Sentences for generic factors; ``words`` holds those of an exercise."""
    sentences = []
    for name in names:
        over, _, under = name.rpartition("/")
        generic = (
            f"You average over the {under} where a sum belongs." if over == "1" else f"It is multiplied by {name}."
        )
        if not over and name not in SENTENCES:
            generic = name if name.endswith(".") else f"You sum over the {name} where a mean belongs."
        sentences.append(words.get(name) or SENTENCES.get(name) or generic)
    return " ".join(sentences)


def products(sizes: dict[str, int], more: dict[str, float] | None = None) -> dict[tuple[str, ...], float]:
    """Products of a sign, a 2, a logarithm's base, and one of: a size, its inverse, a ratio, one of ``more``."""
    last = {"": 1.0, **sizes, **(more or {})}
    last |= {f"1/{under}": 1 / size for under, size in sizes.items()}
    last |= {f"{a}/{b}": sizes[a] / sizes[b] for a, b in itertools.permutations(sizes, 2)}
    table = {}
    for names in sorted(itertools.product(*TABLES, last), key=lambda names: sum(map(bool, names))):
        table[tuple(filter(None, names))] = math.prod(t[name] for t, name in zip((*TABLES, last), names, strict=True))
    return table


def factor_name(value: float, table: dict[tuple[str, ...], float]) -> list[str] | None:
    """The generic factors whose product is ``value``, the fewest that will do; ``[]`` for 1, None for no product."""
    for names, product in table.items():
        if abs(value - product) < 2e-4 * abs(product):
            return list(names)
    return None


def tolerance(value: np.ndarray, magnitude: np.ndarray) -> np.ndarray:
    """Float32's, for sums of some hundred terms whose absolute values sum to ``magnitude``."""
    return 1e-4 * np.abs(value) + 1e-5 * magnitude + 3e-6


def fitted(y: np.ndarray, columns: list[np.ndarray]) -> np.ndarray | None:
    """Coefficients with which the columns give ``y`` in every finite entry, or None.

    The columns may be infinite only where ``y`` is, and something must be where ``y`` is.
    """
    if any(column.shape != y.shape for column in columns):
        return None
    inside = np.isfinite(y)
    table = np.stack(columns, axis=-1)
    finite = np.isfinite(table).all(axis=-1)
    if not np.array_equal(finite, inside) or inside.sum() < len(columns) + 2:
        return None
    table, y = table[inside], y[inside]
    size = np.abs(table).max(axis=0)
    if not size.all() or not np.any(y):
        return None
    # Large entries carry large rounding errors: every equation is weighed by its own size.
    weight = 1 / (np.abs(y) + 1e-3 * np.abs(table / size).max(axis=-1) * np.abs(y).max() + 1e-12)
    coefficients, _, rank, _ = np.linalg.lstsq((table / size) * weight[:, None], y * weight, rcond=1e-6)
    coefficients = coefficients / size
    error = np.abs(table @ coefficients - y)
    if rank < len(columns) or np.any(error > tolerance(y, np.abs(table * coefficients).sum(axis=-1)) * 2):
        return None
    return coefficients


def difference(outputs: list[np.ndarray], rights: list[np.ndarray]) -> str:
    """Size and sign of the error at the entry that is furthest off, and whether it is the same everywhere."""
    output = np.concatenate([np.ravel(v) for v in outputs]).astype(np.float64)
    right = np.concatenate([np.ravel(v) for v in rights])
    gap = output - right
    worst = int(np.argmax(np.abs(gap)))
    text = (
        f"on fresh inputs it returns {output[worst]:.5g} where {right[worst]:.5g} is right: {abs(gap[worst]):.3g} too "
    )
    text += "large." if gap[worst] > 0 else "small."
    with np.errstate(all="ignore"):
        ratio = output / right
    if np.ptp(gap) < 1e-3 * np.max(np.abs(gap)):
        text += f" Every entry is off by the same amount, {gap[0]:.3g}."
    elif np.ptp(ratio) < 1e-3 * np.max(np.abs(ratio)):
        text += f" Every entry is off by the same factor, {ratio[0]:.3g}."
    return text + " Try it on one case that you can work out by hand."

"""Exercises with one right value: compare, and say which term enters with which factor.

An exercise names the terms whose sum is right. An output that is wrong is first read as the right value times a
generic factor, then as a usual mistake, then as a sum of the terms with other factors, or with other forms of a term;
the factors are fitted to all trials by least squares.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

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
SCALES = {"": 1.0, "2": 2.0, "1/2": 0.5}
LOGARITHMS = {"": 1.0, "1/ln 2": 1 / LN_2, "1/ln 10": 1 / LN_10, "ln 10": LN_10}
SIGNS = {"": 1.0, "-1": -1.0}


def size_factors(sizes: dict[str, int]) -> dict[str, float]:
    """One size or its inverse, or the inverse of one times another, by name: "batch", "1/batch", "batch/latent_dim"."""
    single = {name: float(size) for name, size in sizes.items()}
    table = {"": 1.0, **single, **{f"1/{name}": 1 / size for name, size in single.items()}}
    for one, other in itertools.permutations(single, 2):
        table[f"{one}/{other}"] = single[one] / single[other]
    for one, other in itertools.combinations(single, 2):
        table[f"1/({one} * {other})"] = 1 / single[one] / single[other]
    return table


def factor_name(value: float, sizes: dict[str, int], more: dict[str, float] | None = None) -> list[str] | None:
    """The generic factors whose product is ``value``, the fewest that will do; ``[]`` for 1, None for no product."""
    tables = (SIGNS, SCALES, LOGARITHMS, {**size_factors(sizes), **(more or {})})
    for names in sorted(itertools.product(*tables), key=lambda names: sum(map(bool, names))):
        product = np.prod([table[name] for table, name in zip(tables, names, strict=True)])
        if abs(value - product) < 2e-4 * abs(product):
            return [name for name in names if name]
    return None


def factor_words(names: list[str], words: dict[str, str]) -> str:
    """Sentences for generic factors; ``words`` holds those of an exercise."""
    sentences = []
    for name in names:
        over, _, under = name.rpartition("/")
        generic = (
            f"You average over the {under} where a sum belongs." if over == "1" else f"It is multiplied by {name}."
        )
        if not over and name not in SENTENCES:
            generic = f"You sum over the {name} where a mean belongs: the value grows with its size."
        sentences.append(words.get(name) or SENTENCES.get(name) or generic)
    return " ".join(sentences)


@dataclass
class Values:
    """What a right value consists of, and what is usually made of it.

    Args:
        terms: ``(*inputs) -> {name: array}``, the terms of the right value, in float64, each of the output's shape.
        other_forms: ``{name: {words: (*inputs) -> array}}``, what usually stands in place of a term.
        mistakes: ``{words: (*inputs) -> array}``, answers that are wrong as a whole; several as a tuple.
        words: sentences for generic factors of the whole, in place of the general ones.
        sizes: ``{name: size}`` of what may be summed or averaged by mistake, the same in every trial.
        factors: ``{name: value}`` of further factors of the whole, with sentences in ``words``.
        axes: ``(*inputs) -> {name: size}``, all sizes different; ``shape`` names those of the output.
        explain: ``(outputs, trials) -> str | None``, the last try before shapes and numbers.
    """

    terms: Callable
    axes: Callable = lambda *inputs: {}
    shape: tuple[str, ...] = ()
    other_forms: dict[str, dict[str, Callable]] = field(default_factory=dict)
    mistakes: dict[str, Callable | tuple[Callable, ...]] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    factors: dict[str, float] = field(default_factory=dict)
    explain: Callable = lambda outputs, trials: None

    def right(self, *inputs) -> np.ndarray:
        return sum(self.terms(*inputs).values())

    def magnitude(self, *inputs) -> np.ndarray:
        """Sum of the terms' absolute values: rounding errors are a share of it."""
        return sum(np.abs(term) for term in self.terms(*inputs).values())

    def examine(self, call: Call, trials: Sequence[tuple]) -> None:
        """Raise NotYet unless the function returns the right value in every trial."""
        outputs = [call(*inputs) for inputs in trials]
        exact = [[np.float64(v) if isinstance(v, np.ndarray | np.floating) else v for v in i] for i in trials]
        if all(
            output.shape == self.right(*inputs).shape
            and bool(
                np.all(np.abs(output - self.right(*inputs)) <= tolerance(self.right(*inputs), self.magnitude(*inputs)))
            )
            for output, inputs in zip(outputs, exact, strict=True)
        ):
            return
        if not any(np.any(output) for output in outputs):
            raise NotYet("not started yet? The function returns zeros only.")
        self._name(outputs, exact)
        words = self.explain(outputs, exact)
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
        raise NotYet(difference(outputs, [self.right(*inputs) for inputs in exact]))

    # ---- naming ----

    def _name(self, outputs: list[np.ndarray], trials: list) -> None:
        y = np.concatenate([np.ravel(output) for output in outputs]).astype(np.float64)
        rows = self.right(*trials[0]).shape
        reduced = rows != () and all(output.shape == () for output in outputs)

        def column(answer) -> np.ndarray:
            values = [np.asarray(answer(*inputs), np.float64) for inputs in trials]
            return np.concatenate([[np.mean(v)] if reduced else np.ravel(v) for v in values])

        def fit(*answers) -> np.ndarray | None:
            columns = [column(answer) for answer in answers]
            return fitted(y, columns) if all(c.shape == y.shape for c in columns) else None

        def say(first: str, factor: float) -> bool:
            names = factor_name(factor, self.sizes, self.factors)
            if names is None:
                return False
            if reduced:
                over = "sum" if "batch" in names else "average"
                names = [name for name in names if name != "batch"]
                first += f" You {over} over the batch, and one value for each row is asked for, shape (batch,)."
            slips = bool(first) + len(names)
            text = f"{first} {factor_words(names, self.words)}".strip()
            if not text:
                return False  # the right numbers in another shape
            raise NotYet(f"{'two slips: ' if slips == 2 and len(names) else ''}{text[0].lower()}{text[1:]}")

        def cost(factor: float) -> float:
            """How many generic factors it takes; the batch is no slip of its own where the output is one number."""
            names = factor_name(factor, self.sizes, self.factors)
            return 9 if names is None else len([name for name in names if not (reduced and name == "batch")])

        readings = []  # (number of slips, words, factor of the whole)
        for words, answers in {"": self.right, **self.mistakes}.items():
            for answer in answers if isinstance(answers, tuple) else (answers,):
                coefficient = fit(answer)
                if coefficient is not None:
                    readings.append((bool(words) + cost(coefficient[0]), words, coefficient[0]))
        readings += self._term_readings(fit, cost, trials)
        for slips, words, factor in sorted(readings, key=lambda reading: reading[0]):
            if slips < 5:
                say(words, factor)

    def _term_readings(self, fit, cost, trials) -> list[tuple]:
        """Sums of the terms that give the output, each in its right form or another, and with a factor of its own."""
        names, readings, fewest = list(self.terms(*trials[0])), [], 9
        if len(names) == 1:
            return []
        forms = [
            [("", lambda *inputs, name=name: self.terms(*inputs)[name]), *self.other_forms.get(name, {}).items()]
            for name in names
        ]
        for choice in sorted(itertools.product(*forms), key=lambda choice: sum(bool(words) for words, _ in choice)):
            others = [words for words, _ in choice if words]
            if len(others) > fewest:
                break
            coefficients = fit(*(answer for _, answer in choice))
            for common in () if coefficients is None else (1.0, *coefficients):
                if abs(common) > 1e-3 and cost(common) < 9:
                    off = [
                        (n, c / common) for n, c in zip(names, coefficients, strict=True) if abs(c / common - 1) > 2e-3
                    ]
                    unnamed = sum(abs(c) > 1e-3 and cost(c) == 9 for _, c in off)
                    slips = len(others) + len(off) + 2 * unnamed + cost(common)
                    words = " ".join([*others, *(self._term_words(name, c) for name, c in off)])
                    readings.append((slips + 0.1, words, common))
                    fewest = min(fewest, slips)
        return readings

    def _term_words(self, name: str, factor: float) -> str:
        if abs(factor) < 1e-3:
            return f"The term {name} is missing."
        if abs(factor + 1) < 1e-3:
            return f"The term {name} has the wrong sign."
        if abs(factor - 2) < 2e-3:
            return f"The term {name} is counted twice, or its 1/2 is missing."
        if abs(factor - 0.5) < 1e-3:
            return f"The term {name} is counted by half: its 1/2 is there twice, or its 2 is missing."
        names = factor_name(factor, self.sizes)
        words = f": {factor_words(names, {})}" if names else "."
        return f"The term {name} is there {factor:.4g} times, and belongs once{words}"


def tolerance(value: np.ndarray, magnitude: np.ndarray) -> np.ndarray:
    """Float32's, for sums of some hundred terms."""
    return 1e-4 * np.abs(value) + 1e-5 * magnitude + 3e-6


def fitted(y: np.ndarray, columns: list[np.ndarray]) -> np.ndarray | None:
    """Coefficients with which the columns give ``y`` in every finite entry, or None.

    The columns may be infinite only where ``y`` is, and something must be where ``y`` is.
    """
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

"""What is wrong with an output, in words: a fit of what is usual, with factors that have a name."""

import itertools
import math

import numpy as np

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
        error = np.abs(coefficients - 1).max()
        if not slips and np.ptp(coefficients) < 3e-3 and 2e-4 < error < 0.05:  # the whole is a little off, and no term
            return None
        for common in dict.fromkeys(coefficients if len(columns) == 1 else (1.0, *coefficients)):
            if abs(common) < 1e-3 or cost(common) == 9:
                continue
            off = [(n, c / common) for n, c in zip(names, coefficients, strict=False) if abs(c / common - 1) > 2e-3]
            each = [1 if abs(c) < 1e-3 else min(cost(c), 3) for _, c in off]
            total = slips + sum(each) + cost(common)
            if total < fewest:
                found = factor_name(common, table)
                says = [first, *(_of_term(n, c, words, table) for n, c in off)]
                says.append(factor_words([name for name in found if not reduced or name != "batch"], words))
                if reduced:
                    over = "sum" if "batch" in found else "average"
                    says.append(f"You {over} over the batch, and one value for each row is asked for, shape (batch,).")
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
        if over:
            generic = (
                f"You average over the {under} where a sum belongs." if over == "1" else f"It is {name} times that."
            )
        else:
            generic = f"You sum over the {name} where a mean belongs."
        sentences.append((SENTENCES | words).get(name, generic))
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
        f"on fresh inputs it returns {output[worst]:.7g} where {right[worst]:.7g} is right: {abs(gap[worst]):.3g} too "
    )
    text += "large." if gap[worst] > 0 else "small."
    with np.errstate(all="ignore"):
        ratio = output / right
    if np.ptp(gap) < 1e-3 * np.max(np.abs(gap)):
        text += f" Every entry is off by the same amount, {gap[0]:.3g}."
    elif np.ptp(ratio) < 1e-3 * np.max(np.abs(ratio)):
        text += f" Every entry is off by the same factor, {ratio[0]:.5g}."
    return text + " Try it on one case that you can work out by hand."

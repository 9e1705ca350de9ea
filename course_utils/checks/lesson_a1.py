"""Appendix A1, TFP's parts taken apart: exercise 1, ``log_det_jacobian``."""

import numpy as np

from course_utils.checks.judging import exercise
from course_utils.checks.values import Values


@exercise(
    "numbers",
    "What lies below the diagonal is moved and not stretched: a density over triangles pays on the diagonal alone.",
    nan_hint="At -200 a sigmoid is 0 in float32, and at 200 an exponential is infinite: the logarithm of a sigmoid "
    "needs neither, as in `tf.math.log_sigmoid`",
)
def log_det_jacobian(call, rng):
    """Appendix A1. ``function(numbers)`` returns log |det J| of ``FillScaleTriL`` at each row of numbers.

    It gets a tensor ``(batch, d (d + 1) / 2)``, for any d, in the order of TFP's ``FillTriangular``. It returns
    ``(batch,)``: the logarithm of the determinant by which the d (d + 1) / 2 entries on and below the diagonal of the
    triangle are stretched. Numbers may be so far below zero that their softplus is zero in float32.
    """
    for low, high in ((-6, 4), (-300, 200)):  # where every mistake is finite, and where float32 ends
        for d in (4, 3):
            shape = (BATCH, d * (d + 1) // 2)
            LOG_DET[d].examine(call, [(rng.uniform(low, high, shape).astype(np.float32),) for _ in range(3)])


BATCH = 7


def _places(d: int) -> dict[str, np.ndarray]:
    """Where the diagonal stands among the numbers, if they are laid out as by ``FillTriangular``, or otherwise."""
    index = np.arange(d * (d + 1) // 2)
    winding = np.concatenate([index[d:], index[::-1]]).reshape(d, d)  # the rest of them, then all of them backwards
    rows = np.cumsum(np.arange(1, d + 1)) - 1
    return {
        "diagonal": winding.diagonal(),
        "by_rows": rows,
        "by_columns": rows[-1] - rows[::-1],
        "first": index[:d],
        "last": index[-d:],
        "of_three": np.array([3, 4, 0]),  # as the appendix prints them
    }


ORDER = "`FillTriangular` winds around its triangle: print what it makes of 1 to 10."
OF_L = "This is about the determinant of the triangle itself. The Jacobian holds the derivatives of its entries."


def _log_det(d: int) -> Values:
    places = _places(d)
    names = {name: lambda numbers, at=at: numbers[..., at] for name, at in places.items()}
    names |= {
        "softplus": lambda v: np.log(1 + np.exp(v)),
        "product": lambda v: np.prod(v, axis=-1),
        "left": np.arange(d, 0, -1),  # entries in and below each place of the diagonal
        "total": lambda v: np.sum(v, axis=-1),
    }

    def explain(outputs, trials):
        """Eliminating in float32 loses digits of the triangle's determinant: compare it less strictly."""
        of_l = [np.sum(np.log(names["softplus"](names["diagonal"](numbers)) + 1e-5), axis=-1) for (numbers,) in trials]
        if all(
            out.shape == one.shape and np.allclose(out, one, 0.02, 0.1) for out, one in zip(outputs, of_l, strict=True)
        ):
            return OF_L[0].lower() + OF_L[1:]

    return Values(
        terms=("total(log_sigmoid(diagonal(numbers)))",),
        names=names,
        axes=lambda numbers: {"batch": BATCH, "diagonal": d, "numbers": d * (d + 1) // 2},
        shape=("batch",),
        sizes={"batch": BATCH, "diagonal": d},
        mistakes={
            "total(log_sigmoid(numbers))": "All numbers are counted. Those below the diagonal stay as they are: their "
            "derivative is 1, its logarithm 0.",
            "total(log_sigmoid(by_rows(numbers)))": f"The diagonal is where a triangle read row by row has it. {ORDER}",
            "total(log_sigmoid(by_columns(numbers)))": f"The diagonal is where a triangle read column by column has "
            f"it. {ORDER}",
            "total(log_sigmoid(first(numbers)))": f"The first d numbers are taken for the diagonal. {ORDER}",
            "total(log_sigmoid(last(numbers)))": f"The last d numbers are taken for the diagonal. {ORDER}",
            **({} if d == 3 else {"total(log_sigmoid(of_three(numbers)))": f"These are the places for d = 3. {ORDER}"}),
            "total(log(softplus(diagonal(numbers)) + 1e-5))": OF_L,
            "total(log(softplus(diagonal(numbers))))": OF_L,
            "product(softplus(diagonal(numbers)))": OF_L,
            "product(softplus(diagonal(numbers)) + 1e-5)": OF_L,
            "total(softplus(diagonal(numbers)))": "Softpluses are added. The determinant is a product of derivatives: "
            "what is the derivative of a softplus?",
            "total(sigmoid(diagonal(numbers)))": "The derivatives are added. The determinant is their product, so "
            "their logarithms are added.",
            "log(total(sigmoid(diagonal(numbers))))": "The logarithm comes after the sum. A determinant is a product: "
            "the logarithm first, then the sum.",
            "product(sigmoid(diagonal(numbers)))": "This is the determinant, and its logarithm is asked for.",
            "total(log(sigmoid(diagonal(numbers)) + 1e-5))": "A shift has the derivative 1, so the 1e-5 drops out.",
            "total(diagonal(numbers))": "This belongs to an exponential on the diagonal. Here it is a softplus: what "
            "is its derivative?",
            "total(log_sigmoid(-diagonal(numbers)))": "The sigmoid gets the negative of its number. The derivative of "
            "a softplus grows with it, from 0 to 1.",
            "total(log_sigmoid(diagonal(numbers)) + log_sigmoid(-diagonal(numbers)))": "This takes the second "
            "derivative of the softplus. The Jacobian holds the first.",
            "total(log_sigmoid(diagonal(numbers)) + left * log(softplus(diagonal(numbers)) + 1e-5) + log(2))": "You "
            "went on to the covariance, L times its transpose. Stop at L.",
        },
        words={
            "-1": "The sign is wrong: this is the way back, from the triangle to the numbers.",
            "1/diagonal": "You average over the diagonal where a sum belongs: a determinant is a product.",
            "2": "It is twice what it should be. The covariance holds every scale twice, the triangle once.",
        },
        explain=explain,
    )


LOG_DET = {d: _log_det(d) for d in (3, 4)}

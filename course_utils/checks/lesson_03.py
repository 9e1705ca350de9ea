"""Lesson 03, reparameterization: exercises 1 to 3, ``reparameterize``, ``log_normal_density``, ``score_gradient``."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from course_utils.checks.calling import Call, NotYet, check_shape
from course_utils.checks.judging import judge
from course_utils.checks.noise import check_fresh, constant_along, law_of, looks_standard_normal, sharing
from course_utils.checks.values import Values


def reparameterize(function: Callable) -> None:
    """Lesson 03, exercise 1. ``function(mean, log_variance)`` returns one draw of z for each image, with gradients.

    It gets two tensors ``(batch, latent_dim)``. It returns a tensor of the same shape, from N(mean, exp(log_variance)),
    and the gradient reaches both.
    """
    judge(
        function,
        _examine_draw,
        "The right spread, and gradients to both.",
        arguments=("mean", "log_variance"),
        numpy_too=False,
        nan_hint="Is there a root or a logarithm of the log variance, which may be negative",
    )


def _examine_draw(call: Call) -> None:
    """500 images first, and 15,000 where those were fast: a draw from a loop takes a millisecond and more."""
    rng = np.random.default_rng()
    for batch in (500, 15_000):
        mean = rng.normal(0, 2, (batch, 4)).astype(np.float32)
        log_variance = rng.uniform(-2, 1.5, (batch, 4)).astype(np.float32)
        if _check_draw(call, mean, log_variance) > 0.2:
            break
    _check_gradient(call.function, mean[:7], log_variance[:7])


SHARED = {
    (
        "images",
        "latent dimensions",
    ): "one number of noise serves everything, all images and all latent dimensions. Give "
    "the noise the shape of `mean`.",
    ("images",): "one draw is shared by the whole batch: all images of a batch move together. Give the noise the batch "
    "axis too.",
    (
        "latent dimensions",
    ): "one draw is shared by all latent dimensions of an image, so the noise only ever points along "
    "the diagonal. Give it the latent axis too.",
}


def _check_draw(call: Call, mean: np.ndarray, log_variance: np.ndarray) -> float:
    """Raise NotYet with what is wrong with the draws; else the seconds that they took."""
    z = call(mean, log_variance)
    seconds = call.seconds
    check_shape(z.shape, ("batch", "latent_dim"), dict(zip(("batch", "latent_dim"), mean.shape, strict=True)))
    z, mean64, log_variance64 = z.astype(np.float64), mean.astype(np.float64), log_variance.astype(np.float64)
    sd = np.exp(0.5 * log_variance64)
    if np.allclose(z, mean64, atol=1e-6):
        raise NotYet(
            "not started, or the noise is missing: this is the mean only. A decoder fed with it is that of an ordinary "
            "autoencoder, with gaps between its codes."
        )
    root = np.sqrt(np.abs(log_variance64))
    if np.array_equal(np.isnan(z), log_variance64 < 0):
        raise NotYet(
            "you take the square root of the log variance, which is NaN where it is negative. The root belongs to the "
            "variance: exponential first."
        )
    call.finite(z)
    noise = (z - mean64) / sd
    if np.ptp(noise) < 1e-3:
        words = "it is the standard deviation itself that you add" if abs(noise.mean() - 1) < 1e-3 else SHARED[NAMES]
        if np.array_equal(z, call(mean, log_variance)):
            raise NotYet(f"there is no noise: {words}. Every call returns the same z.")
        raise NotYet(words)
    shared = sharing(noise, NAMES, SHARED)
    if shared:
        raise NotYet(shared)
    halves = (
        noise[log_variance < 0],
        noise[log_variance >= 0],
    )  # pooled noise can fit while narrow and wide err in turn
    if all(looks_standard_normal(half) for half in halves):
        check_fresh(call, (mean[:50], log_variance[:50]))
        return seconds
    forms = {
        "you multiply the noise by the variance, not by the standard deviation. A dimension with standard deviation "
        "0.1 "
        "gets a tenth of its noise: compare the spread of many draws.": (mean64, sd**2),
        "the log variance is used as the standard deviation. It may be negative: it needs an exponential, and a "
        "half.": (
            mean64,
            log_variance64,
        ),
        "the factor of the log variance is 2, or the 1/2 went to the wrong side: exp(2 * log_variance) is the variance "
        "squared. A root halves a logarithm.": (mean64, sd**4),
        "you take the square root of the log variance. The root belongs to the variance: exponential first.": (
            mean64,
            root,
        ),
        "the noise is not multiplied by anything: the spread is 1 everywhere, whatever the encoder says.": (
            mean64,
            1.0,
        ),
        "the sign in the exponential is wrong: the noise is divided by the standard deviation.": (mean64, 1 / sd),
        "the noise is divided by the variance.": (mean64, 1 / sd**2),
        "the root is taken twice: the noise is multiplied by the root of the standard deviation.": (mean64, sd**0.5),
        "the mean is not added: z is the noise alone, scaled.": (0.0, sd),
        "neither is the mean added, nor the noise scaled.": (0.0, 1.0),
        "the mean is subtracted.": (-mean64, sd),
        "the mean is added twice.": (2 * mean64, sd),
        "the mean is multiplied by the standard deviation too: it must be added after the noise is scaled.": (
            mean64 * sd,
            sd,
        ),
        "the standard deviation itself is added, next to the scaled noise.": (mean64 + sd, sd),
    }
    for words, (location, scale) in forms.items():
        with np.errstate(all="ignore"):
            other = (z - location) / scale
        if looks_standard_normal(other):
            raise NotYet(words)
        if constant_along(other, 0) or constant_along(other, 1):
            raise NotYet(f"two slips: {words} And {sharing(other, NAMES, SHARED)}")
    if not np.array_equal(z, call(mean, log_variance)):
        raise NotYet(law_of(noise) + " It must be independent draws from N(0, 1).")
    raise NotYet(
        "there is no noise, or always the same: every call returns the same z. " + law_of(noise, "What you add")
    )


NAMES = ("images", "latent dimensions")


def _check_gradient(function: Callable, mean: np.ndarray, log_variance: np.ndarray) -> None:
    """dz/dmean = 1 and dz/dlog_variance = (z - mean) / 2, at the z that was drawn."""
    inputs = {"mean": tf.constant(mean), "log_variance": tf.constant(log_variance)}
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        z = function(*inputs.values())
        total = tf.reduce_sum(z) if tf.is_tensor(z) or isinstance(z, tf.Variable) else None
    gradients = dict.fromkeys(inputs) if total is None else tape.gradient(total, inputs)
    lost = [name for name, gradient in gradients.items() if gradient is None or not np.any(gradient)]
    if lost:
        raise NotYet(
            f"the draws have the right distribution, but the gradient does not reach {' and '.join(lost)}: the encoder "
            "would not learn. Draw the noise apart, and compute z from it with TensorFlow alone."
        )
    wanted = {"mean": np.ones(mean.shape), "log_variance": 0.5 * (np.asarray(z, np.float64) - mean)}
    for name, gradient in gradients.items():
        if not np.allclose(np.asarray(gradient, np.float64), wanted[name], rtol=1e-3, atol=1e-3):
            raise NotYet(f"the draws have the right distribution, but the gradient with respect to {name} is wrong.")


def log_normal_density(function: Callable) -> None:
    """Lesson 03, exercise 2. ``function(z, mean, log_variance)`` returns the log density of the diagonal normal at z.

    It gets three tensors ``(batch, latent_dim)``. It returns ``(batch,)``, in nats.
    """
    rng = np.random.default_rng()
    judge(
        function,
        lambda call: DENSITY.examine(call, [_at(rng) for _ in range(4)]),
        "A sum over dimensions, because independent densities multiply.",
        arguments=("z", "mean", "log_variance"),
        nan_hint="Far out a density underflows to 0, so never take its logarithm, nor that of a negative log variance",
    )


BATCH, LATENT_DIM = 11, 5
LOG_2PI = np.log(2 * np.pi)


def _at(rng):
    """One entry lies 20 standard deviations out, where the density itself underflows in float32.

    The log variances of the first rows are positive, where every mistaken formula is finite.
    """
    z, mean, log_variance = rng.normal(size=(3, BATCH, LATENT_DIM)).astype(np.float32)
    log_variance[: BATCH - 3] = np.abs(log_variance[: BATCH - 3]) + 0.1
    z[0, 0] = mean[0, 0] + 20 * np.exp(0.5 * log_variance[0, 0])
    return z, mean, log_variance


def _rows(terms):
    return lambda z, mean, log_variance: np.sum(terms(z, mean, log_variance), axis=-1)


def _density_of(squared_sd):
    """The log density with another reading of the log variance."""
    return _rows(lambda z, mean, v: -0.5 * (LOG_2PI + np.log(squared_sd(v)) + (z - mean) ** 2 / squared_sd(v)))


DISTANCE = "-(z - mean)^2 / (2 variance)"
DENSITY = Values(
    terms=lambda z, mean, log_variance: {
        "with 2 pi": np.full(len(z), -LATENT_DIM * LOG_2PI / 2),
        "-log_variance / 2": np.sum(-log_variance / 2, axis=-1),
        DISTANCE: np.sum(-0.5 * (z - mean) ** 2 * np.exp(-log_variance), axis=-1),
    },
    axes=lambda *inputs: {"batch": BATCH, "latent_dim": LATENT_DIM},
    shape=("batch",),
    sizes={"batch": BATCH, "latent_dim": LATENT_DIM},
    other_forms={
        "-log_variance / 2": {
            "A logarithm is taken of the log variance, which is one already.": _rows(lambda z, m, v: -np.log(v) / 2),
            "The variance stands where its logarithm belongs.": _rows(lambda z, m, v: -np.exp(v) / 2),
            "The standard deviation stands where its logarithm belongs.": _rows(lambda z, m, v: -np.exp(v / 2) / 2),
        },
        DISTANCE: {
            "The distance is divided by the standard deviation, not by the variance. Double the spread: a point at a "
            "fixed distance in standard deviations must keep its term.": _rows(
                lambda z, m, v: -0.5 * (z - m) ** 2 * np.exp(-v / 2)
            ),
            "The distance is divided by the log variance, taken for the variance: use its exponential.": _rows(
                lambda z, m, v: -0.5 * (z - m) ** 2 / v
            ),
            "The distance is divided by the square of the log variance, taken for the standard deviation.": _rows(
                lambda z, m, v: -0.5 * (z - m) ** 2 / v**2
            ),
            "The distance is divided by the variance squared: the log variance is no log standard deviation.": _rows(
                lambda z, m, v: -0.5 * (z - m) ** 2 * np.exp(-2 * v)
            ),
            "The distance is multiplied by the variance, and is to be divided by it.": _rows(
                lambda z, m, v: -0.5 * (z - m) ** 2 * np.exp(v)
            ),
            "The distance is not divided by the variance.": _rows(lambda z, m, v: -0.5 * (z - m) ** 2),
            "The mean is ignored: the distance is that from 0.": _rows(lambda z, m, v: -0.5 * z**2 * np.exp(-v)),
            "z is ignored: the mean alone is squared.": _rows(lambda z, m, v: -0.5 * m**2 * np.exp(-v)),
            "The mean is added to z, and is to be subtracted.": _rows(lambda z, m, v: -0.5 * (z + m) ** 2 * np.exp(-v)),
            "The distance is not squared.": _rows(lambda z, m, v: -0.5 * (z - m) * np.exp(-v)),
            "The absolute distance stands where its square belongs.": _rows(
                lambda z, m, v: -0.5 * np.abs(z - m) * np.exp(-v)
            ),
            "The absolute distance in standard deviations stands where its square belongs.": _rows(
                lambda z, m, v: -0.5 * np.abs(z - m) * np.exp(-v / 2)
            ),
        },
    },
    mistakes={
        "this is the density, not its logarithm. In many dimensions it underflows to 0, and its logarithm to minus "
        "infinity: stay with logarithms throughout.": (
            lambda *inputs: np.exp(_density_of(np.exp)(*inputs)),
            lambda z, mean, v: np.sum(np.exp(-0.5 * (LOG_2PI + v + (z - mean) ** 2 * np.exp(-v))), axis=-1),
        ),
        "the log variance is taken for the variance. It may be negative: divide by its exponential.": (
            _density_of(lambda v: v),
            _rows(lambda z, mean, v: -0.5 * (LOG_2PI + v + (z - mean) ** 2 / v)),
        ),
        "the log variance is taken for the log standard deviation: 2 ln(sd) is what you are given already.": (
            _density_of(lambda v: np.exp(2 * v))
        ),
        "the log variance is taken for the standard deviation. It may be negative: it needs an exponential before "
        "it is "
        "a spread.": (
            _density_of(lambda v: v**2),
            _rows(lambda z, mean, v: -0.5 * (LOG_2PI + 2 * np.log(v) + (z - mean) ** 2 / v**2)),
        ),
    },
    words={
        "-1": "The sign is wrong: this is minus the log density. Points near the mean must get the highest value.",
        "2": "A factor 1/2 is missing. At z = mean and variance 1 the log density of one dimension is -0.919; one "
        "standard deviation away it is 0.5 less.",
        "1/latent_dim": "You average over the dimensions. Densities of independent dimensions multiply, so their "
        "logarithms add: sum over the last axis.",
    },
)


def score_gradient(function: Callable) -> None:
    """Lesson 03, exercise 3. ``function(mean, sd, number)`` estimates d/dmean E[z^2] for z ~ N(mean, sd^2).

    It gets two scalar tensors and an int. It returns one number, the score-function estimate from ``number`` draws. Any
    other unbiased estimate from draws, of that quality, passes too.
    """
    judge(
        function,
        _examine_score,
        "The derivative of E[z^2] = mean^2 + sd^2 is 2 mean.",
        arguments=("mean", "sd", "number"),
    )


FEW, SOME, MANY = 2, 40, 100_000


def _examine_score(call: Call) -> None:
    """Both signs of the mean, narrow and wide; calls with two draws, where a wrong divisor shows, and with forty."""
    rng = np.random.default_rng()
    kinds = [(sign * rng.uniform(0.8, 1.4), sd) for sd in rng.uniform([0.5, 1.4], [0.7, 1.8]) for sign in (1, -1)]
    kinds = [(np.float32(mean), np.float32(sd)) for mean, sd in kinds]
    first = call(*kinds[0], SOME)
    check_shape(first.shape, (), {"number": SOME})
    call(*kinds[0], SOME)
    slow = int(np.clip(3 / max(call.seconds, 1e-6) / len(kinds), 12, 40))  # a draw at a time takes its time
    estimates = {
        (kind, number): np.array([float(_one(call(*kind, number))) for _ in range(calls)])
        for kind in kinds
        for number, calls in ((FEW, 150), (SOME, slow))
    }
    for values in estimates.values():
        call.finite(values)
    if not any(values.any() for values in estimates.values()):
        raise NotYet("not started yet? The function returns zeros only.")
    for i, name in enumerate(call.arguments):
        if all(np.all(values == [*kind, number][i]) for (kind, number), values in estimates.items()):
            raise NotYet(f"not started yet? The function returns `{name}` as it came.")
    if all(np.ptp(values) == 0 for values in estimates.values()):
        if all(np.allclose(values, 2 * kind[0], rtol=1e-4) for (kind, _), values in estimates.items()):
            raise NotYet(
                "this is the closed form, 2 mean, without a draw. It is the value that the estimate must have on "
                "average; "
                "the exercise asks for the estimate, which also works where there is no formula."
            )
        raise NotYet("the same number comes back on every call: nothing is drawn, or is there a fixed seed inside?")
    _name_mean(estimates)
    _check_scatter(call, kinds[0], {kind: estimates[kind, SOME] for kind in kinds})


def _one(output: np.ndarray) -> np.ndarray:
    check_shape(output.shape, (), {"number": SOME})
    return output


def _variance(mean, sd) -> float:
    """Of z^2 (z - mean) / sd^2 at one draw: its square has moments of the normal up to the sixth."""
    mean, sd = float(mean), float(sd)
    return mean**4 / sd**2 + 14 * mean**2 + 15 * sd**2


def _log_density_times(mean, sd):
    """E[z^2 log q(z)]."""
    return (mean**2 + sd**2) * (-np.log(sd) - 0.5 * LOG_2PI) - 0.5 * (mean**2 + 3 * sd**2)


EXPECTED = {
    "": lambda mean, sd, number: 2 * mean,
    "the sign is wrong. For a positive mean, raising it raises E[z^2]: the gradient is positive there.": (
        lambda mean, sd, number: -2 * mean
    ),
    "you divide by the standard deviation, and the score of a normal divides by its variance. With sd = 1 the two "
    "agree: "
    "try sd = 2.": lambda mean, sd, number: 2 * mean * sd,
    "you do not divide by the variance: the score of a normal is (z - mean) / sd^2.": lambda m, sd, number: (
        2 * m * sd**2
    ),
    "you divide by the variance twice, or by a power of sd too many: sd is the standard deviation already.": (
        lambda mean, sd, number: 2 * mean / sd**2
    ),
    "you divide by sd^3: the score of a normal divides by its variance.": lambda mean, sd, number: 2 * mean / sd,
    "you multiply by the variance, and the score divides by it.": lambda mean, sd, number: 2 * mean * sd**4,
    "z^2 is not multiplied by the score: this estimates E[z^2] itself, not its derivative.": lambda m, sd, number: (
        m**2 + sd**2
    ),
    "z^2 is multiplied by the log density, not by the derivative of the log density with respect to the mean.": (
        lambda mean, sd, number: _log_density_times(mean, sd)
    ),
    "z is not squared: this is the derivative of E[z], which is 1.": lambda mean, sd, number: 1.0,
    "z is cubed, and the function under the mean is z^2.": lambda mean, sd, number: 3 * (mean**2 + sd**2),
    "the mean is subtracted from z before the square: z^2 is meant, the square of the draw itself.": lambda m, sd, n: (
        0.0
    ),
    "the score is that of sd, and the derivative is by the mean.": lambda mean, sd, number: 2 * sd,
    "this is the sum over the draws, not their mean: it grows with `number`.": lambda m, sd, number: 2 * m * number,
    "the sum is divided by `number` - 1, and a mean divides by `number`.": lambda m, sd, number: (
        2 * m * number / (number - 1)
    ),
    "the sum is divided by `number` + 1, and a mean divides by `number`.": lambda m, sd, number: (
        2 * m * number / (number + 1)
    ),
    "the mean is divided by `number` once more.": lambda mean, sd, number: 2 * mean / number,
    "the sum is divided by the root of `number`.": lambda mean, sd, number: 2 * mean * number**0.5,
    "the mean of all draws is subtracted from z^2 with those draws: that takes a share of 1 / `number` of the estimate "
    "away. Divide by `number` - 1, or use other draws for it.": lambda m, sd, number: 2 * m * (number - 1) / number,
    "it is twice the gradient: the score (z - mean) / sd^2 has no factor 2.": lambda mean, sd, number: 4 * mean,
    "it is half of the gradient: the score (z - mean) / sd^2 has no factor 1/2.": lambda mean, sd, number: mean,
    "the logarithm is not the natural one.": lambda mean, sd, number: 2 * mean / np.log(2),
    "an absolute value is taken: for a negative mean the gradient is negative.": lambda mean, sd, number: (
        2 * np.abs(mean)
    ),
}


def _name_mean(estimates: dict) -> None:
    """Raise NotYet unless the calls average 2 mean for every kind; 7 standard errors, by the scatter that is right."""
    means, errors = {}, {}
    for (kind, number), values in estimates.items():
        right = np.sqrt(_variance(*kind) / number / len(values))
        means[kind, number], errors[kind, number] = (
            values.mean(),
            (right, max(right, values.std() / len(values) ** 0.5)),
        )

    def distance(answer, own: bool) -> float:
        return max(
            abs(means[key] - answer(*np.float64(key[0]), key[1])) / (errors[key][own] + 1e-9) for key in estimates
        )

    right = EXPECTED[""]
    pooled = [
        (means[key] / (2 * float(key[0][0])) - 1, errors[key][0] / abs(2 * float(key[0][0])), key[1]) for key in means
    ]
    bias = 0.0
    for number in (FEW, SOME):
        part = [(gap, error) for gap, error, n in pooled if n == number]
        weights = np.array([1 / error**2 for _, error in part])
        bias = max(bias, abs(np.sum(weights * [gap for gap, _ in part])) / np.sqrt(weights.sum()))
    if distance(right, False) < 7 and bias < 7:
        return
    best = min(EXPECTED, key=lambda words: distance(EXPECTED[words], True))
    spread = max(values.std() / np.sqrt(_variance(*kind) / n) for (kind, n), values in estimates.items() if n == SOME)
    if spread > 1.7 and distance(right, True) < 5:
        return  # its mean is right and its scatter is not; that has words of its own
    if best and distance(EXPECTED[best], True) < 5:
        if EXPECTED[best](1.0, 1.0, 2) == 0:
            best = "the score alone has mean zero: multiply it by z^2, the function whose mean you differentiate."
        raise NotYet(best)
    worst = max(means, key=lambda key: abs(means[key] - 2 * key[0][0]) / errors[key][0])
    (mean, sd), number = worst
    raise NotYet(
        f"with mean {mean:.3f}, sd {sd:.3f} and {number} draws, the calls average {means[worst]:.4g} where "
        f"{2 * mean:.4g} is "
        f"right; chance explains a difference of at most {7 * errors[worst][0]:.2g}."
    )


def _check_scatter(call: Call, kind: tuple, estimates: dict) -> None:
    """Raise NotYet where estimates scatter more than those of ``number`` draws: three times the variance and more."""
    ratios = [np.mean((values - 2 * k[0]) ** 2) / (_variance(*k) / SOME) for k, values in estimates.items()]
    calls = sum(map(len, estimates.values()))
    numbers = f"{SOME} draws"
    ratio, limit = float(np.mean(ratios)), 3.0 + 60 / calls
    call(*kind, 50 * SOME)
    if ratio < limit and call.seconds < 0.1:  # and not a draw at a time
        values = np.array([float(call(*kind, MANY)) for _ in range(16)])
        ratio, limit, numbers = (
            float(np.mean((values - 2 * kind[0]) ** 2) / (_variance(*kind) / MANY)),
            5.0,
            f"{MANY} draws",
        )
    if ratio > limit:
        raise NotYet(
            f"the estimates are right on average and scatter too much: with {numbers} asked for, as those of a "
            f"{ratio:.3g}th "
            "of that number do. Use all `number` draws, each of them independent of the others."
        )

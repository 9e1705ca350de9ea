"""Lesson 03, reparameterization: exercises 1 to 3, ``reparameterize``, ``log_normal_density``, ``score_gradient``."""

import itertools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from course_utils.checks.calling import Call, NotYet, check_shape
from course_utils.checks.judging import judge
from course_utils.checks.lesson_02 import SIZES, TAKEN_FOR, TAKEN_WORDS, encoded
from course_utils.checks.noise import check_fresh, constant_along, law_of, looks_standard_normal, sharing
from course_utils.checks.values import NAMES, Values


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


FIRST_BATCH = 300


def _encoded(rng, batch: int) -> tuple[np.ndarray, np.ndarray]:
    return tuple(v.astype(np.float32) for v in (rng.normal(0, 2, (batch, 4)), rng.uniform(-2, 1.5, (batch, 4))))


def _examine_draw(call: Call) -> None:
    """15,000 images, but few where they are drawn one at a time: a draw from a loop takes a millisecond and more."""
    rng = np.random.default_rng()
    mean, log_variance = _encoded(rng, FIRST_BATCH)
    if not call.loops(*((mean[:n], log_variance[:n]) for n in (12, 60)), more=48):
        mean, log_variance = _encoded(rng, 15_000)
    _check_draw(call, mean, log_variance)
    _check_gradient(call.function, mean[:7], log_variance[:7])


def _check_draw(call: Call, mean: np.ndarray, log_variance: np.ndarray) -> None:
    """Raise NotYet with what is wrong with the draws."""
    z = call(mean, log_variance)
    check_shape(z.shape, ("batch", "latent_dim"), dict(zip(("batch", "latent_dim"), mean.shape, strict=True)))
    z, mean64, log_variance64 = z.astype(np.float64), mean.astype(np.float64), log_variance.astype(np.float64)
    sd = np.exp(0.5 * log_variance64)
    if np.allclose(z, mean64, atol=1e-6):
        raise NotYet(
            "not started, or the noise is missing: this is the mean only. A decoder fed with it is that of an ordinary "
            "autoencoder, with gaps between its codes."
        )
    if np.array_equal(np.isnan(z), log_variance64 < 0):
        raise NotYet(
            "you take the square root of the log variance, which is NaN where it is negative. The root belongs to the "
            "variance: exponential first."
        )
    call.finite(z)
    if np.ptp((z - mean64) / sd) < 1e-3 and np.array_equal(z, call(mean, log_variance)):
        raise NotYet(
            "there is no noise: every call returns the same z, the mean and a standard deviation or a constant."
        )
    for (location, of_mean), (scale, of_sd) in itertools.product(LOCATIONS.items(), SCALES.items()):
        names = {"mean": mean64, "log_variance": log_variance64}
        with np.errstate(all="ignore"):
            noise = (z - eval(location, NAMES, names)) / eval(scale, NAMES, names)
        shared = (
            sharing(noise, AXES)
            if not (of_mean or of_sd) or constant_along(noise, 0) or constant_along(noise, 1)
            else ""
        )
        if shared:
            raise NotYet(f"{'two slips: ' * bool(of_mean or of_sd)}{of_mean} {of_sd} {shared}".strip())
        # Pooled noise can fit while narrow and wide err in turn.
        if all(looks_standard_normal(half) for half in (noise[log_variance < 0], noise[log_variance >= 0])):
            if of_mean or of_sd:
                raise NotYet(f"{of_mean} {of_sd}".strip())
            check_fresh(call, (mean[:5], log_variance[:5]))
            return
    noise = (z - mean64) / sd
    if not np.array_equal(z, call(mean, log_variance)):
        raise NotYet(law_of(noise) + " It must be independent draws from N(0, 1).")
    raise NotYet(
        "there is no noise, or always the same: every call returns the same z. " + law_of(noise, "What you add")
    )


AXES = ("images", "latent dimensions")
SCALES = {  # what the noise is multiplied by
    "exp(log_variance / 2)": "",
    "exp(log_variance)": "you multiply the noise by the variance, not by the standard deviation.",
    "exp(2 * log_variance)": "the factor of the log variance is 2, or the 1/2 went to the wrong side: exp(2 * "
    "log_variance) is the variance squared. A root halves a logarithm.",
    "1": "the noise is not multiplied by anything: the spread is 1 everywhere, whatever the encoder says.",
    "exp(-log_variance / 2)": "the sign in the exponential is wrong: the noise is divided by the standard deviation.",
    "exp(-log_variance)": "the noise is divided by the variance.",
    "exp(log_variance / 4)": "the root is taken twice: the noise is multiplied by the root of the standard deviation.",
    "log_variance": "the log variance is used as the standard deviation. It may be negative: it needs an exponential, "
    "and a half.",
    "sqrt(abs(log_variance))": "you take the square root of the log variance. The root belongs to the variance.",
}
LOCATIONS = {  # what it is added to
    "mean": "",
    "0 * mean": "the mean is not added: z is the noise alone.",
    "-mean": "the mean is subtracted.",
    "2 * mean": "the mean is added twice.",
    "mean * exp(log_variance / 2)": "the mean is multiplied by the standard deviation too: add it after scaling.",
    "mean + exp(log_variance / 2)": "the standard deviation itself is added, next to the scaled noise.",
}


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


LOG_2PI = np.log(2 * np.pi)


def _at(rng):
    """One entry lies 20 standard deviations out, where the density itself underflows in float32."""
    z, mean, log_variance = encoded(rng, 3)
    z[0, 0] = mean[0, 0] + 20 * np.exp(0.5 * log_variance[0, 0])
    return z, mean, log_variance


DISTANCE = "-(z - mean)**2 / (2 * exp(log_variance))"
DENSITY = Values(
    terms=("-log(2 * pi) / 2", "-log_variance / 2", DISTANCE),
    over=lambda values: values.sum(axis=-1),
    axes=lambda *inputs: SIZES,
    shape=("batch",),
    sizes=SIZES,
    stand_ins=TAKEN_FOR,
    other_forms={
        DISTANCE: {
            "-(z - mean) / (2 * exp(log_variance))": "The distance is not squared.",
            "-abs(z - mean) / (2 * exp(log_variance))": "The distance is not squared.",
            "-abs(z - mean) / (2 * exp(log_variance / 2))": "The distance is not squared.",
        },
    },
    mistakes={
        "This is the density, not its logarithm. In many dimensions it underflows to 0, and its logarithm to minus "
        "infinity: stay with logarithms throughout.": (
            lambda *inputs: np.exp(np.sum(_log_density(*inputs), axis=-1)),
            lambda *inputs: np.sum(np.exp(_log_density(*inputs)), axis=-1),
        ),
    },
    words={
        "-1": "The sign is wrong: this is minus the log density. Points near the mean must get the highest value.",
        "2": "A factor 1/2 is missing. At z = mean and variance 1 the log density of one dimension is -0.919; one "
        "standard deviation away it is 0.5 less.",
        "1/latent_dim": "You average over the dimensions. Densities of independent dimensions multiply, so their "
        "logarithms add: sum over the last axis.",
        **TAKEN_WORDS,
        "0 for log_variance": "The variance is taken for 1.",
    },
)


def _log_density(z, mean, log_variance):
    return -0.5 * (LOG_2PI + log_variance + (z - mean) ** 2 / np.exp(log_variance))


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


FEW, MANY = 60, 10_000  # draws in a call, where they are made one at a time, and where not


def _examine_score(call: Call) -> None:
    """Both signs of the mean, narrow and wide. Many draws a call, unless the function makes them one at a time."""
    rng = np.random.default_rng()
    kinds = [(sign * rng.uniform(1.0, 1.3), sd) for sd in rng.uniform([0.55, 1.4], [0.65, 1.8]) for sign in (1, -1)]
    kinds = [(np.float32(mean), np.float32(sd)) for mean, sd in kinds]
    check_shape(call(*kinds[0], FEW).shape, (), {"number": FEW})
    number, calls = (FEW, 10) if call.loops((*kinds[0], 10), (*kinds[0], 60), more=50) else (MANY, 12)
    estimates = {kind: np.array([float(call(*kind, number)) for _ in range(calls)]) for kind in kinds}
    for values in estimates.values():
        call.finite(values)
    if not any(values.any() for values in estimates.values()):
        raise NotYet("not started yet? The function returns zeros only.")
    for i, name in enumerate(call.arguments):
        if all(np.all(values == [*kind, number][i]) for kind, values in estimates.items()):
            raise NotYet(f"not started yet? The function returns `{name}` as it came.")
    if all(np.ptp(values) == 0 for values in estimates.values()):
        if all(np.allclose(values, 2 * kind[0], rtol=1e-4) for kind, values in estimates.items()):
            raise NotYet(
                "this is the closed form, 2 mean, without a draw. It is the value that the estimate must have on "
                "average; the exercise asks for the estimate, which also works where there is no formula."
            )
        raise NotYet("the same number comes back on every call: nothing is drawn, or is there a fixed seed inside?")
    _check_mean(estimates, number)
    _check_divisor(call, kinds)


def _variance(mean, sd) -> float:
    """Of z^2 (z - mean) / sd^2 at one draw: its square has moments of the normal up to the sixth."""
    mean, sd = float(mean), float(sd)
    return mean**4 / sd**2 + 14 * mean**2 + 15 * sd**2


def _log_density_times(mean, sd):
    """E[z^2 log q(z)]."""
    return (mean**2 + sd**2) * (-np.log(sd) - 0.5 * LOG_2PI) - 0.5 * (mean**2 + 3 * sd**2)


POWERS = {  # of sd by which the estimate is off
    1: "you divide by the standard deviation, and the score of a normal divides by its variance: try sd = 2.",
    2: "you do not divide by the variance: the score of a normal is (z - mean) / sd^2.",
    4: "you multiply by the variance, and the score divides by it.",
    -1: "you divide by sd^3: the score of a normal divides by its variance.",
    -2: "you divide by the variance twice: sd is the standard deviation already.",
}
NUMBERS = {  # powers of `number`
    1: "this is the sum over the draws, not their mean: it grows with `number`.",
    -1: "the mean is divided by `number` once more.",
    0.5: "the sum is divided by the root of `number`.",
}
SCORE_FACTORS = {
    "the sign is wrong. For a positive mean, raising it raises E[z^2]: the gradient is positive there.": -1.0,
    "it is twice the gradient: the score (z - mean) / sd^2 has no factor 2.": 2.0,
    "it is half of the gradient: the score (z - mean) / sd^2 has no factor 1/2.": 0.5,
    "these are bits: the logarithm has base 2, and the score is that of the natural one.": 1 / np.log(2),
}
OTHERS = {
    "z^2 is not multiplied by the score: this estimates E[z^2] itself, not its derivative.": lambda m, sd: m**2 + sd**2,
    "z^2 is multiplied by the log density, not by the derivative of the log density with respect to the mean.": (
        _log_density_times
    ),
    "z is not squared: this is the derivative of E[z], which is 1.": lambda mean, sd: 1.0,
    "z is cubed, and the function under the mean is z^2.": lambda mean, sd: 3 * (mean**2 + sd**2),
    "the score alone has mean zero: multiply it by z^2, the function whose mean you differentiate.": lambda m, sd: 0.0,
    "the score is that of sd, and the derivative is by the mean.": lambda mean, sd: 2 * sd,
    "an absolute value is taken: for a negative mean the gradient is negative.": lambda mean, sd: 2 * np.abs(mean),
}


def _readings(number: int) -> list[tuple]:
    """(slips, words, expectation) of what an estimate may average."""
    readings = [(0.5, words, answer) for words, answer in OTHERS.items()]
    tables = ({"": 0} | {w: p for p, w in POWERS.items()}, {"": 0} | {w: p for p, w in NUMBERS.items()})
    for (of_sd, p), (of_n, n), (sign, c) in itertools.product(
        *(table.items() for table in (*tables, {"": 1.0} | SCORE_FACTORS))
    ):
        words = [word for word in (of_sd, of_n, sign) if word]
        readings.append(
            (len(words), " And ".join(words), lambda m, sd, p=p, n=n, c=c: c * 2 * m * sd**p * float(number) ** n)
        )
    return readings


def _check_mean(estimates: dict, number: int) -> None:
    """Raise NotYet unless the calls average 2 mean for every kind, and scatter as ``number`` draws do.

    Right may be 7 standard errors off, by the scatter that is right, and have three times the variance and more.
    """
    means = np.array([values.mean() for values in estimates.values()])
    calls = len(next(iter(estimates.values())))
    right = np.array([2 * float(mean) for mean, _ in estimates])
    spread = np.sqrt([_variance(*kind) / number for kind in estimates])
    own = np.array([values.std() for values in estimates.values()])
    gaps, errors = means - right, spread / calls**0.5
    weights = (right / errors) ** 2
    pooled = abs(np.sum(weights * gaps / right)) / np.sqrt(np.sum(weights))
    if (
        np.max(np.abs(gaps) / errors) < 7
        and pooled < 5.5
        and np.mean((own / spread) ** 2) < (3 if number == MANY else 5)
    ):
        return
    own_errors = own / calls**0.5 + 1e-5
    if np.max(np.abs(gaps) / own_errors) < 7 and np.mean(own / spread) > 1.5:
        raise NotYet(
            f"the estimates are right on average and scatter too much: with {number} draws asked for, as those of a "
            f"{np.mean((own / spread) ** 2):.3g}th of that number do. Use all `number` draws, each of them independent "
            "of the others."
        )
    fits = []
    for slips, words, answer in _readings(number):
        expected = np.array([answer(*np.float64(kind)) for kind in estimates])
        distance = np.max(np.abs(means - expected) / (own_errors + 1e-3 * np.abs(expected)))
        if words and distance < 8:
            fits.append((slips, distance, words))
    if fits:
        raise NotYet(min(fits)[2])
    worst = int(np.argmax(np.abs(gaps) / errors))
    mean, sd = list(estimates)[worst]
    raise NotYet(
        f"with mean {mean:.3f}, sd {sd:.3f} and {number} draws, the calls average {means[worst]:.4g} where "
        f"{2 * mean:.4g} is right; chance explains a difference of at most {7 * errors[worst]:.2g}."
    )


def _check_divisor(call: Call, kinds: list) -> None:
    """Raise NotYet where the sum is not divided by ``number``: one draw tells, or else hundreds of calls with two."""
    one = []
    for kind in kinds:
        try:
            one.append(float(call(*kind, 1)))
        except NotYet:  # a division by zero raises in Python
            one.append(np.nan)
    if not any(one):
        raise NotYet(
            "with one draw it returns 0: the mean of all draws is subtracted from z^2 with those draws, which takes a "
            "share of 1 / `number` of the estimate away. Divide by `number` - 1, or use other draws for it."
        )
    if np.isfinite(one).all():
        return
    # A baseline from the other draws has none here, 0 / 0, and is right.
    if np.isinf(one).any() or np.mean([float(call(*kinds[0], 2)) for _ in range(600)]) > 1.45 * 2 * kinds[0][0]:
        raise NotYet("the sum is divided by `number` - 1, and a mean divides by `number`.")

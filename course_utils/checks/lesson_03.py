"""Lesson 03, reparameterization: exercises 1 to 3, ``reparameterize``, ``log_normal_density``, ``score_gradient``."""

import itertools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from course_utils.checks.calling import Call, NotYet, check_shape
from course_utils.checks.judging import exercise
from course_utils.checks.lesson_02 import SIZES, TAKEN_FOR, TAKEN_WORDS, encoded
from course_utils.checks.noise import check_fresh, check_independent, constant_along, law_of, looks_standard_normal
from course_utils.checks.reading import factor_words, products
from course_utils.checks.values import Values, evaluate


@exercise(
    "mean, log_variance",
    "The right spread, and gradients to both.",
    numpy_too=False,
    nan_hint="Is there a square root or a logarithm of the log variance? It may be negative: exponential first",
)
def reparameterize(call, rng):
    """Lesson 03, exercise 1. ``function(mean, log_variance)`` returns one draw of z for each image, with gradients.

    It gets two tensors ``(batch, latent_dim)``. It returns a tensor of the same shape, from N(mean, exp(log_variance)),
    and the gradient reaches both.
    """
    mean, log_variance = _encoded(rng, FIRST_BATCH)
    # Many images, but few where they are drawn one at a time: a draw from a loop takes a millisecond and more.
    if not call.loops(*((mean[:n], log_variance[:n]) for n in (12, 36)), more=24):
        mean, log_variance = _encoded(rng, 15_000)
    _check_draw(call, mean, log_variance)
    _check_gradient(call.function, mean[:7], log_variance[:7])


FIRST_BATCH = 300


def _encoded(rng, batch: int) -> tuple[np.ndarray, np.ndarray]:
    return tuple(v.astype(np.float32) for v in (rng.normal(0, 2, (batch, 4)), rng.uniform(-5, 3, (batch, 4))))


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
    call.finite(z)
    if np.ptp((z - mean64) / sd) < 1e-3 and np.array_equal(z, call(mean, log_variance)):
        raise NotYet(
            "there is no noise: every call returns the same z, the mean and a standard deviation or a constant."
        )
    for (location, of_mean), (scale, of_sd) in itertools.product(LOCATIONS.items(), SCALES.items()):
        where, by = (evaluate(text, mean=mean64, log_variance=log_variance64) for text in (location, scale))
        noise, words = (z - where) / by, f"{of_mean} {of_sd}".strip()
        if not words or constant_along(noise, 0) or constant_along(noise, 1):
            check_independent(noise, ("images", "latent dimensions"), f"two slips: {words} " if words else "")
        # Pooled noise can fit while narrow and wide err in turn.
        if all(looks_standard_normal(half) for half in (noise[log_variance < 0], noise[log_variance >= 0])):
            if words:
                raise NotYet(words)
            check_fresh(call, (mean[:5], log_variance[:5]))
            return
    noise = (z - mean64) / sd
    if not np.array_equal(z, call(mean, log_variance)):
        raise NotYet(law_of(noise) + " It must be independent draws from N(0, 1).")
    raise NotYet(
        "there is no noise, or always the same: every call returns the same z. " + law_of(noise, "What you add")
    )


SCALES = {  # what the noise is multiplied by
    "exp(log_variance / 2)": "",
    "exp(log_variance)": "you multiply the noise by the variance, not by the standard deviation.",
    "exp(2 * log_variance)": "the factor of the log variance is 2, or the 1/2 went to the wrong side: exp(2 * "
    "log_variance) is the variance squared. A root halves a logarithm.",
    "1": "the noise is not multiplied by anything: the spread is 1 everywhere, whatever the encoder says.",
    "exp(-log_variance / 2)": "the sign in the exponential is wrong: the noise is divided by the standard deviation.",
    "exp(-log_variance)": "the noise is divided by the variance.",
    "exp(log_variance / 4)": "the root is taken twice: the noise is multiplied by the root of the standard deviation.",
    "log_variance": "the log variance is used as the standard deviation: it needs an exponential, and a half.",
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
            raise NotYet(
                f"the draws look right, but the gradient with respect to {name} is not that of a mean plus a standard "
                "deviation times noise. Is z computed from all of both, and from nothing else?"
            )


@exercise(
    "z, mean, log_variance",
    "A sum over dimensions, because independent densities multiply.",
    nan_hint="Far out a density underflows to 0, so never take its logarithm, nor that of a negative log variance",
)
def log_normal_density(call, rng):
    """Lesson 03, exercise 2. ``function(z, mean, log_variance)`` returns the log density of the diagonal normal at z.

    It gets three tensors ``(batch, latent_dim)``. It returns ``(batch,)``, in nats.
    """
    DENSITY.examine(call, [_at(rng) for _ in range(4)])


def _at(rng):
    """One row lies 20 standard deviations out, where the density itself underflows, in float64 too."""
    z, mean, log_variance = encoded(rng, 3)
    z[0] = mean[0] + 20 * np.exp(0.5 * log_variance[0])
    return z, mean, log_variance


def _log_density(z, mean, log_variance):
    return -0.5 * (np.log(2 * np.pi) + log_variance + (z - mean) ** 2 / np.exp(log_variance))


UNDERFLOW = (
    "This is the density, not its logarithm. In many dimensions it underflows to 0, and its logarithm to minus "
    "infinity: stay with logarithms throughout."
)
DISTANCE = "-(z - mean)**2 / (2 * exp(log_variance))"
DENSITY = Values(
    terms=("-log(2 * pi) / 2", "-log_variance / 2", DISTANCE),
    over=lambda values: values.sum(axis=-1),
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
        lambda *inputs: np.exp(np.sum(_log_density(*inputs), axis=-1)): UNDERFLOW,
        lambda *inputs: np.sum(np.exp(_log_density(*inputs)), axis=-1): UNDERFLOW,
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


@exercise("mean, sd, number", "The derivative of E[z^2] = mean^2 + sd^2 is 2 mean.")
def score_gradient(call, rng):
    """Lesson 03, exercise 3. ``function(mean, sd, number)`` estimates d/dmean E[z^2] for z ~ N(mean, sd^2).

    It gets two scalar tensors and an int. It returns one number, the score-function estimate from ``number`` draws. Any
    other unbiased estimate from draws, of that quality, passes too.
    """
    # Both signs of the mean, narrow and wide. Many draws a call, unless the function makes them one at a time.
    kinds = [(sign * rng.uniform(1.0, 1.3), sd) for sd in rng.uniform([0.55, 1.4], [0.65, 1.8]) for sign in (1, -1)]
    kinds = [(np.float32(mean), np.float32(sd)) for mean, sd in kinds]
    check_shape(call(*kinds[0], FEW).shape, (), {"number": FEW})
    number, calls = (FEW, 10) if call.loops((*kinds[0], 5), (*kinds[0], 30), more=25) else (MANY, 12)
    estimates = np.array([[float(call(*kind, number)) for _ in range(calls)] for kind in kinds])
    call.finite(estimates)
    if not estimates.any():
        raise NotYet("not started yet? The function returns zeros only.")
    mean, sd = np.float64(kinds).T
    for name, value in {"mean": mean, "sd": sd, "number": np.full(4, number)}.items():
        if np.all(estimates == value[:, None]):
            raise NotYet(f"not started yet? The function returns `{name}` as it came.")
    if np.all(np.ptp(estimates, axis=1) == 0):
        if np.allclose(estimates, 2 * mean[:, None], rtol=1e-4):
            raise NotYet(
                "this is the closed form, 2 mean, without a draw. It is the value that the estimate must have on "
                "average; the exercise asks for the estimate, which also works where there is no formula."
            )
        raise NotYet(
            "the same number comes back on every call: nothing is drawn, it is rounded, or there is a fixed seed."
        )
    _check_mean(estimates, mean, sd, number)
    _check_divisor(call, kinds)


FEW, MANY = 60, 10_000  # draws in a call, where they are made one at a time, and where not


def _check_mean(estimates: np.ndarray, mean: np.ndarray, sd: np.ndarray, number: int) -> None:
    """Raise NotYet unless the calls average 2 mean for every kind, and scatter as ``number`` draws do.

    Right may be 7 standard errors off, by the scatter that is right, and have three times the variance and more.
    """
    calls, averages, own, right = estimates.shape[1], estimates.mean(axis=1), estimates.std(axis=1), 2 * mean
    # Of z^2 (z - mean) / sd^2 at one draw, the variance: its square has moments of the normal up to the sixth.
    spread = np.sqrt((mean**4 / sd**2 + 14 * mean**2 + 15 * sd**2) / number)
    gaps, errors, own_errors = averages - right, spread / calls**0.5, own / calls**0.5 + 1e-5
    weights, excess = (right / errors) ** 2, np.mean((own / spread) ** 2)
    pooled = abs(np.sum(weights * gaps / right)) / np.sqrt(np.sum(weights))
    if np.max(np.abs(gaps) / errors) < 7 and pooled < 5.5 and excess < (3 if number == MANY else 5):
        return
    if np.max(np.abs(gaps) / own_errors) < 7 and np.mean(own / spread) > 1.5:
        raise NotYet(
            f"the estimates are right on average and scatter too much: with {number} draws asked for, as those of a "
            f"{excess:.3g}th of that number do. Use all `number` draws, each of them independent of the others."
        )
    fits = []
    factors = products({"draws": number}, {"root of the number": number**0.5}).items()
    for (formula, words), (names, factor) in itertools.product(AVERAGED.items(), factors):
        expected = factor * (evaluate(formula, mean=mean, sd=sd) + 0 * mean)
        distance = np.max(np.abs(averages - expected) / (own_errors + 1e-3 * np.abs(expected)))
        if distance < 8 and (words or names):
            fits.append((len(names) + 0.5 * bool(words), distance, f"{words} {factor_words(names, FACTORS)}".strip()))
    if fits:
        words = min(fits)[2]
        raise NotYet(words[0].lower() + words[1:])
    worst = int(np.argmax(np.abs(gaps) / errors))
    raise NotYet(
        f"with mean {mean[worst]:.3f}, sd {sd[worst]:.3f} and {number} draws, the calls average {averages[worst]:.4g} "
        f"where {right[worst]:.4g} is right; chance explains a difference of at most {7 * errors[worst]:.2g}."
    )


AVERAGED = {  # what the estimates average, but for a factor
    "2 * mean": "",
    "2 * mean * sd": "You divide by the standard deviation, and the score divides by the variance: try sd = 2.",
    "2 * mean * sd**2": "You do not divide by the variance, or z is drawn with it: the score of a normal is "
    "(z - mean) / sd^2, and z has the standard deviation sd.",
    "2 * mean * sd**4": "You multiply by the variance, and the score divides by it.",
    "2 * mean / sd": "You divide by sd^3: the score of a normal divides by its variance.",
    "2 * mean / sd**2": "You divide by the variance twice: sd is the standard deviation already.",
    "mean**2 + sd**2": "z^2 is not multiplied by the score: this estimates E[z^2] itself, not its derivative.",
    "-(mean**2 + sd**2) * (log(sd) + log(2 * pi) / 2) - (mean**2 + 3 * sd**2) / 2": "z^2 is multiplied by the log "
    "density, not by the derivative of the log density with respect to the mean.",
    "1": "z is not squared: this is the derivative of E[z], which is 1.",
    "3 * (mean**2 + sd**2)": "z is cubed, and the function under the mean is z^2.",
    "0": "It averages zero, as the score alone does, and as its product with z^2 of other draws: multiply each score "
    "by the z^2 of its own draw.",
    "2 * sd": "The score is that of sd, and the derivative is by the mean.",
    "2 * abs(mean)": "An absolute value is taken: for a negative mean the gradient is negative.",
}
FACTORS = {
    "-1": "The sign is wrong. For a positive mean, raising it raises E[z^2]: the gradient is positive there.",
    "2": "It is twice the gradient: the score (z - mean) / sd^2 has no factor 2.",
    "1/2": "It is half of the gradient: the score (z - mean) / sd^2 has no factor 1/2.",
    "1/draws": "The mean is divided by `number` once more.",
    "root of the number": "The sum is divided by the root of `number`.",
}


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
            "with one draw it returns 0: a mean over these very draws is subtracted, which takes a share of "
            "1 / `number` of the estimate away. Use the true mean, or a mean over other draws."
        )
    if np.isfinite(one).all():
        return
    # A baseline from the other draws has none here, 0 / 0, and is right.
    if np.isinf(one).any() or np.mean([float(call(*kinds[0], 2)) for _ in range(600)]) > 1.45 * 2 * kinds[0][0]:
        raise NotYet("the sum is divided by `number` - 1, and a mean divides by `number`.")

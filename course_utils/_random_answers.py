"""Inputs, right answer and usual mistakes of the exercises that draw. ``checks`` has their docstrings.

A right answer is one whose draws have the right distribution. Every bound below holds for any number of draws and is
broken by chance less than once in 1e9: Dvoretzky-Kiefer-Wolfowitz-Massart for a distribution function, Hoeffding for a
mean of bounded numbers.
"""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras as keras
from scipy.special import ndtr

from course_utils import models
from course_utils._checking import Exercise, NotYet, equals, estimates, mistake, satisfies

tfd, tfpl = tfp.distributions, tfp.layers


def _bound(number: int) -> float:
    """Hoeffding's and Massart's bound alike, for numbers in an interval of length 1."""
    return np.sqrt(np.log(2 / 1e-9) / (2 * number))


def _uniform(values: np.ndarray) -> bool:
    """Whether the values look like draws from U(0, 1)."""
    values = np.sort(values, axis=None)
    if not np.isfinite(values).all():
        return False
    steps = np.arange(len(values) + 1) / len(values)
    return max(np.max(steps[1:] - values), np.max(values - steps[:-1])) < _bound(len(values))


def _same(values: np.ndarray, axis) -> bool:
    """Whether the values do not change along ``axis``; NaN is left out."""
    return bool(np.nanmax(np.nanmax(values, axis=axis) - np.nanmin(values, axis=axis)) < 1e-4)


def _uncorrelated(values: np.ndarray) -> bool:
    """Whether uniform values (rows, columns) look independent between columns, and between neighbouring rows."""
    centred = values - 0.5  # a product of two lies in an interval of length 1/2
    between = [np.mean(centred[:, i] * centred[:, j]) for i in range(values.shape[1]) for j in range(i)]
    rows = np.mean(centred[1:] * centred[:-1], axis=0)
    # Neighbouring products share a row, so every second one is independent: half the number counts.
    return np.max(np.abs([*between, *rows]), initial=0) < 0.5 * _bound(len(values) // 2)


def _seed() -> tf.Tensor:
    """A fresh stateless seed: the notebook's own random numbers stay as they are."""
    return tf.constant(np.random.default_rng().integers(2**31, size=2), tf.int32)


# ---- lesson 01: codes drawn between the bounds of each dimension ----


def _draw_codes(rng):
    """Dimension 0 is positive throughout; the others have both signs, and further to reach above zero than below."""
    number, dimensions = int(rng.integers(200, 400)), int(rng.integers(3, 6))
    low = -rng.uniform(0.5, 4, dimensions)
    high = rng.uniform(1, 5, dimensions) - low
    low[0], high[0] = rng.uniform(1, 2), rng.uniform(3, 4)
    codes = low + (high - low) * rng.beta(2, 3, (number, dimensions))
    return codes.astype(np.float32), int(rng.integers(20_000, 30_000)), np.random.default_rng(rng.integers(2**32))


def _between(bounds, independent=True):
    """A test: each dimension uniform between ``bounds(lowest, highest)``."""

    def test(output, codes, number, rng):
        low, high = bounds(codes.min(axis=0).astype(np.float64), codes.max(axis=0).astype(np.float64))
        low, high = np.minimum(low, high), np.maximum(low, high)
        share = (output - low) / (high - low)
        fits = all(_uniform(column) for column in share.T) and share.min() > -1e-5 and share.max() < 1 + 1e-5
        return fits and (not independent or _uncorrelated(share))

    return test


def _looks_normal(output, codes, number, rng):
    """Against the normal of its own mean and standard deviation; a uniform is 0.06 away, sampling noise 0.01."""
    share = np.sort(ndtr((output - output.mean(axis=0)) / output.std(axis=0)), axis=0)
    return np.max(np.abs(share - np.arange(len(share))[:, None] / len(share))) < 0.03


UNIFORM_CODES = Exercise(
    ("codes", "number", "rng"),
    _draw_codes,
    _between(lambda low, high: (low, high)),
    (
        mistake(
            "this is the published x * (max - abs(min)), which never goes below zero. Look at the smallest code that "
            "you draw: half of the code plane is never decoded.",
            _between(lambda low, high: (0 * low, high - np.abs(low)), independent=False),
        ),
        mistake(
            "the draws start at 0: x * (max - min) has the right width, but min is not added. Compare the smallest "
            "draw with the smallest code.",
            _between(lambda low, high: (0 * low, high - low), independent=False),
        ),
        mistake(
            "the draws lie in (0, 1) whatever the codes are: they are not scaled to the bounds.",
            _between(lambda low, high: (0 * low, 0 * high + 1), independent=False),
        ),
        mistake(
            "there is one pair of bounds for all dimensions. Take minimum and maximum along the axis of the codes, or a "
            "narrow dimension is drawn far outside its data.",
            _between(lambda low, high: (low * 0 + low.min(), high * 0 + high.max()), independent=False),
        ),
        mistake(
            "the draws are integers, and codes are real numbers. Which method of `rng` draws real numbers?",
            lambda output, *_: np.array_equal(output, np.round(output)),
        ),
        mistake(
            "these are rows of `codes`, drawn again. They decode to images that you have already; the exercise is about "
            "the space between them.",
            lambda output, codes, *_: np.isin(output, codes).all(),
        ),
        mistake(
            "one draw serves all rows: every code is the same. Give `rng` a size.",
            lambda output, *_: _same(output, 0),
        ),
        mistake(
            "one draw serves all dimensions of a code, so the codes lie on a line, the diagonal of the box. Draw a "
            "number for each dimension.",
            _between(lambda low, high: (low, high), independent=False),
        ),
        mistake(
            "these are normal draws. A uniform one has the same density everywhere between the bounds, and none beyond.",
            _looks_normal,
        ),
    ),
    lambda codes, number, rng: {"n": len(codes), "d": codes.shape[1], "number": number},
    ("number", "d"),
    "Uniform between the bounds of each dimension.",
    satisfies,
    describe=lambda output, codes, *_: (
        f"in dimension 0 the codes run from {codes[:, 0].min():.2f} to {codes[:, 0].max():.2f}, and your draws from "
        f"{output[:, 0].min():.2f} to {output[:, 0].max():.2f} with mean {output[:, 0].mean():.2f}. They are not "
        "uniform between the bounds."
    ),
    trials=2,
    tensors=False,
    draws=True,
)


# ---- lesson 01: a denoising pair ----


def _draw_clean(rng):
    number, height, width = int(rng.integers(60, 70)), int(rng.integers(20, 25)), int(rng.integers(26, 30))
    images = rng.random((number, height, width, 1), np.float32)
    return images, float(rng.uniform(0.1, 0.3)), np.random.default_rng(rng.integers(2**32))


def _noise(output, images):
    """What was added, where clipping did not hide it."""
    noisy = output.astype(np.float64)
    return np.where((noisy > 0) & (noisy < 1), noisy - images, np.nan)


def _clipped_normal(noisy, images, sd) -> bool:
    """Whether ``noisy`` is ``images`` plus normal noise, clipped: its probabilities are uniform.

    A clipped pixel gets a uniform draw from the probabilities of everything that clipping sends there.
    """
    share = ndtr((np.clip(noisy, 0, 1) - images) / sd)
    filler = np.random.default_rng().random(share.shape)
    share = np.where(noisy <= 0, filler * share, np.where(noisy >= 1, 1 - filler * (1 - share), share))
    return _uniform(share)


def _shared_noise(noisy, images) -> bool:
    return _same(_noise(noisy, images), 0) or _same(_noise(noisy, images), (1, 2, 3))


def _is(array, images) -> bool:
    return np.allclose(array, images, atol=1e-6)


def _right_pair(output, images, sd, rng):
    noisy, target = output
    inside = noisy.min() >= 0 and noisy.max() <= 1
    return _is(target, images) and inside and _clipped_normal(noisy, images, sd) and not _shared_noise(noisy, images)


def _describe_pair(output, images, sd, rng):
    noisy, target = output
    if not _is(target, images):
        return "the targets are not the clean images, untouched."
    spread = np.nanstd(_noise(noisy, images)[np.abs(images - 0.5) < 0.1])
    return (
        f"the inputs are not images plus normal noise of standard deviation {sd:.3f}, clipped. Around pixels near 0.5 "
        f"the noise has standard deviation {spread:.3f}."
    )


DENOISING_PAIR = Exercise(
    ("images", "noise_sd", "rng"),
    _draw_clean,
    _right_pair,
    (
        mistake(
            "there is no noise: inputs and targets are both the clean images. A network learns to copy them.",
            lambda output, images, *_: _is(output[0], images) and _is(output[1], images),
        ),
        mistake(
            "the pair is swapped: the clean images are the inputs and the noisy ones the targets. The network would "
            "learn to add noise.",
            lambda output, images, *_: _is(output[0], images),
        ),
        mistake(
            "the targets are noisy as well, with the same noise as the inputs. Copying is then perfect, and nothing is "
            "denoised. Did you write into `images`?",
            lambda output, images, *_: (
                np.allclose(output[0], output[1]) or np.allclose(np.clip(output[1], 0, 1), output[0])
            ),
        ),
        mistake(
            "the targets are noisy as well. The target is what the network is to produce: the clean images.",
            lambda output, images, *_: np.std(output[1] - images) > 0.02 and abs(np.mean(output[1] - images)) < 0.1,
        ),
        mistake(
            "there is one noise pattern for all images. The network subtracts that one pattern and learns nothing else: "
            "give the noise the shape of the images.",
            lambda output, images, *_: _is(output[1], images) and _same(_noise(output[0], images), 0),
        ),
        mistake(
            "there is one number of noise for each image: it makes the whole image lighter or darker. Give the noise "
            "the shape of the images.",
            lambda output, images, *_: _is(output[1], images) and _same(_noise(output[0], images), (1, 2, 3)),
        ),
        mistake(
            "the inputs are not clipped: some pixels are below 0 or above 1, where no image has any.",
            lambda output, images, sd, rng: (
                _is(output[1], images)
                and (output[0].min() < 0 or output[0].max() > 1)
                and _clipped_normal(output[0], images, sd)
            ),
        ),
        mistake(
            "noise_sd is used as a variance (or squared). The noise must have the standard deviation noise_sd: 0.25 as "
            "a variance would be a standard deviation of 0.5.",
            lambda output, images, sd, rng: _is(output[1], images) and _clipped_normal(output[0], images, sd**0.5),
            lambda output, images, sd, rng: _is(output[1], images) and _clipped_normal(output[0], images, sd**2),
        ),
        mistake(
            "the noise is only positive, so every input is lighter than its target. Noise has mean zero: which method "
            "of `rng` draws that?",
            lambda output, images, *_: _is(output[1], images) and np.nanmin(_noise(output[0], images)) > -1e-5,
        ),
        mistake(
            "the noise is uniform, not normal: there is none beyond a fixed bound.",
            lambda output, images, sd, rng: (
                _is(output[1], images) and np.nanmax(np.abs(_noise(output[0], images))) < 1.8 * sd
            ),
        ),
    ),
    lambda images, *_: dict(zip(("n", "height", "width", "channels"), images.shape, strict=True)),
    ("n", "height", "width", "channels"),
    "Noisy inputs, clean targets.",
    satisfies,
    describe=_describe_pair,
    trials=2,
    tensors=False,
    draws=True,
    parts=2,
)


# ---- lesson 02: a Monte-Carlo estimate of the KL ----


def _draw_pair(rng):
    """q narrow and p wide or the other way round, never at the same place; in one dimension or in three."""
    narrow, wide, apart = rng.uniform(0.5, 0.8), rng.uniform(1.3, 1.8), rng.choice([-1, 1]) * rng.uniform(0.5, 1.0)
    sd_q, sd_p = np.float32((narrow, wide) if rng.random() < 0.5 else (wide, narrow))
    if rng.random() < 0.5:
        q, p = tfd.Normal(0.3, sd_q), tfd.Normal(np.float32(0.3 + apart), sd_p)
    else:
        tril = sd_p * np.linalg.cholesky([[1, 0.4, 0], [0.4, 1, 0.2], [0, 0.2, 1]])
        q = tfd.MultivariateNormalDiag(np.float32([0.3, -0.2, 0.1]), sd_q * np.float32([1, 0.9, 1.1]))
        p = tfd.MultivariateNormalTriL(np.float32([0.3 + apart, 0, 0]), tril.astype(np.float32))
    return q, p, int(rng.integers(10_000, 20_000))


REPEATS = 6


def _ratio(function, under=0):
    """``function(q, p, x)`` at x drawn from the first (0) or second (1) distribution, shape ``(REPEATS, number)``."""

    def samples(q, p, number):
        return function(q, p, (q, p)[under].sample((REPEATS, number), seed=_seed()))

    return samples


def _log_ratio(q, p, x):
    return q.log_prob(x) - p.log_prob(x)


def _scatters(right):
    """A test: the calls differ far more than estimates from ``number`` draws do, and lie around the right value."""

    def test(output, *inputs):
        samples = np.asarray(right(*inputs), np.float64)
        one_call = samples.std() / np.sqrt(samples.shape[1])
        spread = output.std(ddof=1)
        return spread > 8 * one_call and abs(output.mean() - samples.mean()) < 5 * samples.std()

    return test


_KL_DRAWS = _ratio(_log_ratio)

MONTE_CARLO_KL = Exercise(
    ("q", "p", "number"),
    _draw_pair,
    _KL_DRAWS,
    (
        mistake(
            "the samples come from p, so this is not KL(q||p) but minus the other one. The first distribution of a KL "
            "is the one you average under.",
            _ratio(_log_ratio, under=1),
        ),
        mistake(
            "this is the reversed divergence, KL(p||q). Draw from q, and put log q first.",
            _ratio(lambda q, p, x: -_log_ratio(q, p, x), under=1),
        ),
        mistake(
            "the sign is wrong: the negated divergence. A KL is never negative, and its estimate rarely.",
            _ratio(lambda q, p, x: -_log_ratio(q, p, x)),
        ),
        mistake(
            "this is the sum over the draws, not their mean: it grows with `number`.",
            lambda q, p, number: number * np.asarray(_KL_DRAWS(q, p, number)),
        ),
        mistake(
            "densities stand where their logarithms belong: use `log_prob`, not `prob`.",
            _ratio(lambda q, p, x: q.prob(x) - p.prob(x)),
            _ratio(lambda q, p, x: q.prob(x) * _log_ratio(q, p, x)),
        ),
        mistake(
            "one of the two log densities is missing: a KL compares both at the same draws.",
            _ratio(lambda q, p, x: -p.log_prob(x)),
            _ratio(lambda q, p, x: q.log_prob(x)),
        ),
        mistake(
            "the estimates scatter as if each came from one sample only, or from a few. Use all `number` draws: the "
            "error falls with the root of their number.",
            _scatters(_KL_DRAWS),
            by=satisfies,
        ),
    ),
    lambda q, p, number: {"number": number, "event": 3},
    (),
    "The estimate needs no formula, only `sample` and `log_prob`.",
    estimates,
    calls=6,
    trials=4,
)


# ---- lesson 03: the reparameterized draw ----


def _draw_posterior(rng):
    batch, latent_dim = int(rng.integers(40_000, 60_000)), int(rng.integers(3, 6))
    mean = rng.normal(0, 2, (batch, latent_dim)).astype(np.float32)
    return mean, rng.uniform(-2, 1.5, (batch, latent_dim)).astype(np.float32)


def _normal_with(scale, location=lambda mean, log_variance: mean, independent=True):
    """A test: z is normal with this location and scale, and independent between entries."""

    def test(z, mean, log_variance):
        mean, log_variance = mean.astype(np.float64), log_variance.astype(np.float64)
        share = ndtr((z - location(mean, log_variance)) / scale(log_variance))
        # Pooled entries can fit while narrow and wide ones err in turn: look at both halves.
        parts = (share[log_variance < 0], share[log_variance >= 0])
        return all(_uniform(part) for part in parts) and (not independent or _uncorrelated(share))

    return test


def _root_of_log_variance(z, mean, log_variance):
    positive = log_variance > 0
    share = ndtr((z[positive] - mean[positive]) / np.sqrt(log_variance[positive]))
    return np.isnan(z[~positive]).all() and _uniform(share)


def _standardised(z, mean, log_variance):
    return (z - mean) / np.exp(0.5 * log_variance)


def _uniform_noise(*inputs):
    """Against the uniform between the extremes; with 100,000 draws those are its ends."""
    noise = _standardised(*inputs)
    return _uniform((noise - noise.min()) / np.ptp(noise))


def _bounded(*inputs):
    """The largest of 100,000 normal draws lies beyond 4."""
    return np.abs(_standardised(*inputs)).max() < 2.1


def _gradient_reaches(function, inputs) -> None:
    """dz/dmean = 1 and dz/dlog_variance = (z - mean) / 2, at the z that was drawn."""
    mean, log_variance = (tf.constant(value[:7]) for value in inputs)
    with tf.GradientTape() as tape:
        tape.watch([mean, log_variance])
        z = function(mean, log_variance)
        if tf.is_tensor(z):
            total = tf.reduce_sum(z)
    gradients = tape.gradient(total, [mean, log_variance]) if tf.is_tensor(z) else [None, None]
    names = ("mean", "log_variance")
    lost = [name for name, g in zip(names, gradients, strict=True) if g is None or not np.any(g)]
    if lost:
        raise NotYet(
            f"the draws have the right distribution, but the gradient does not reach {' and '.join(lost)}: the encoder "
            "would not learn. Draw the noise apart, and compute z from it with TensorFlow alone."
        )
    wanted = (np.ones(mean.shape), 0.5 * (z - mean))
    for name, got, want in zip(names, gradients, wanted, strict=True):
        if not np.allclose(got, want, rtol=1e-3, atol=1e-4):
            raise NotYet(f"the draws have the right distribution, but the gradient with respect to {name} is wrong.")


REPARAMETERIZE = Exercise(
    ("mean", "log_variance"),
    _draw_posterior,
    _normal_with(lambda log_variance: np.exp(0.5 * log_variance)),
    (
        mistake(
            "not started, or the noise is missing: this is the mean only. A decoder fed with it is that of an ordinary "
            "autoencoder, with gaps between its codes.",
            lambda z, mean, log_variance: np.allclose(z, mean, atol=1e-6),
        ),
        mistake(
            "there is no noise: you add the standard deviation itself. Every call returns the same z.",
            lambda *inputs: np.allclose(_standardised(*inputs), 1, atol=1e-3),
        ),
        mistake(
            "you multiply the noise by the variance, not by the standard deviation. A dimension with standard deviation "
            "0.1 gets a tenth of its noise: compare the spread of many draws.",
            _normal_with(np.exp, independent=False),
        ),
        mistake(
            "the log variance is used as the standard deviation. It may be negative: it needs an exponential, and a "
            "half.",
            _normal_with(np.abs, independent=False),
        ),
        mistake(
            "the factor of the log variance is 2, or the 1/2 went to the wrong side: exp(2 * log_variance) is the "
            "variance squared. A root halves a logarithm.",
            _normal_with(lambda log_variance: np.exp(2 * log_variance), independent=False),
        ),
        mistake(
            "you take the square root of the log variance, which is NaN where it is negative. The root belongs to the "
            "variance: exponential first.",
            _root_of_log_variance,
            _normal_with(lambda log_variance: np.sqrt(np.abs(log_variance)), independent=False),
        ),
        mistake(
            "the noise is not multiplied by anything: the spread is 1 everywhere, whatever the encoder says.",
            _normal_with(np.ones_like, independent=False),
        ),
        mistake(
            "the mean is not added: z is the noise alone, scaled.",
            _normal_with(
                lambda log_variance: np.exp(0.5 * log_variance), lambda mean, log_variance: 0 * mean, independent=False
            ),
        ),
        mistake(
            "one number of noise serves everything, all images and all latent dimensions. Give the noise the shape of "
            "`mean`.",
            lambda *inputs: _same(_standardised(*inputs), (0, 1)),
        ),
        mistake(
            "one draw is shared by the whole batch: all images of a batch move together. Give the noise the batch axis "
            "too.",
            lambda *inputs: _same(_standardised(*inputs), 0),
        ),
        mistake(
            "one draw is shared by all latent dimensions of an image, so the noise only ever points along the diagonal. "
            "Give it the latent axis too.",
            lambda *inputs: _same(_standardised(*inputs), 1),
        ),
        mistake(
            "the noise is uniform, not normal: it has a sharp edge, and the KL formula no longer describes your z.",
            _uniform_noise,
        ),
        mistake(
            "the noise is truncated: no draw lies further than two standard deviations away. Use the plain normal.",
            _bounded,
        ),
    ),
    lambda mean, log_variance: {"batch": mean.shape[0], "latent_dim": mean.shape[1]},
    ("batch", "latent_dim"),
    "The right spread, and gradients to both.",
    satisfies,
    describe=lambda z, mean, log_variance: (
        "standardised with mean and standard deviation, your draws have mean "
        f"{_standardised(z, mean, log_variance).mean():.3f} and standard deviation "
        f"{_standardised(z, mean, log_variance).std():.3f}; they must be independent draws from N(0, 1)."
    ),
    trials=2,
    numpy_too=False,
    draws=True,
    nan_hint="Is there a root or a logarithm of the log variance, which may be negative",
    after=_gradient_reaches,
)


# ---- lesson 03: the score-function gradient ----


def _draw_score(rng):
    sd = rng.uniform(0.5, 0.7) if rng.random() < 0.5 else rng.uniform(1.4, 1.8)
    return np.float32(rng.choice([-1, 1]) * rng.uniform(0.8, 1.4)), np.float32(sd), int(rng.integers(30_000, 40_000))


def _score_draws(function):
    def samples(mean, sd, number):
        z = np.random.default_rng().normal(mean, sd, (REPEATS, number))
        return function(z, float(mean), float(sd))

    return samples


_SCORE = _score_draws(lambda z, mean, sd: z**2 * (z - mean) / sd**2)

SCORE_GRADIENT = Exercise(
    ("mean", "sd", "number"),
    _draw_score,
    _SCORE,
    (
        mistake(
            "the sign is wrong. For a positive mean, raising it raises E[z^2]: the gradient is positive there.",
            _score_draws(lambda z, mean, sd: -(z**2) * (z - mean) / sd**2),
        ),
        mistake(
            "you divide by the standard deviation (or by nothing), and the score of a normal divides by its variance. "
            "With sd = 1 the two agree: try sd = 2.",
            _score_draws(lambda z, mean, sd: z**2 * (z - mean) / sd),
            _score_draws(lambda z, mean, sd: z**2 * (z - mean)),
        ),
        mistake(
            "z^2 is not multiplied by the score: this estimates E[z^2] itself, not its derivative.",
            _score_draws(lambda z, mean, sd: z**2),
        ),
        mistake(
            "z^2 is multiplied by the log density, not by the derivative of the log density with respect to the mean.",
            _score_draws(lambda z, mean, sd: z**2 * (-0.5 * ((z - mean) / sd) ** 2 - np.log(sd * np.sqrt(2 * np.pi)))),
        ),
        mistake(
            "this is the sum over the draws, not their mean: it grows with `number`.",
            lambda mean, sd, number: number * _SCORE(mean, sd, number),
        ),
        mistake(
            "the score alone has mean zero: it must be multiplied by z^2, the function whose mean you differentiate.",
            _score_draws(lambda z, mean, sd: (z - mean) / sd**2),
        ),
        mistake(
            "the estimates scatter as if each came from one sample only, or from a few. Use all `number` draws.",
            _scatters(_SCORE),
            by=satisfies,
        ),
    ),
    lambda mean, sd, number: {"number": number},
    (),
    "The derivative of E[z^2] = mean^2 + sd^2 is 2 mean.",
    estimates,
    calls=6,
    trials=4,
)


# ---- lesson 04: stochastic binarisation ----


def _draw_grey(rng):
    number, height, width = int(rng.integers(50, 60)), int(rng.integers(20, 24)), int(rng.integers(26, 30))
    images = rng.integers(0, 256, (number, height, width, 1), dtype=np.uint8)
    images[rng.random(images.shape) < 0.2] = 0
    return images, np.random.default_rng(rng.integers(2**32))


def _follows(probability):
    """A test: in each of 16 bands of grey, the share of ones is the mean of ``probability(grey in [0, 1])``."""

    def test(output, images, rng):
        if not np.isin(output, (0, 1)).all():
            return False
        for band in range(16):
            inside = images // 16 == band
            share = probability(images[inside] / 255)
            if abs(np.mean(output[inside] - share)) > _bound(inside.sum()):
                return False
        return True

    return test


def _threshold(axis):
    """A test: within each group along ``axis``, lighter than some grey is one and darker is zero, without exception."""

    def test(output, images, rng):
        if not np.isin(output, (0, 1)).all():
            return False
        grey = images.astype(int)
        darkest_one = np.where(output != 0, grey, 256).min(axis=axis)
        lightest_zero = np.where(output == 0, grey, -1).max(axis=axis)
        return bool(np.all(darkest_one >= lightest_zero))

    return test


_SHARED = (_threshold((0, 1, 2, 3)), _threshold((1, 2, 3)), _threshold(0))


def _right_draws(output, images, rng):
    shared = any(test(output, images, rng) for test in _SHARED)
    return output.dtype.kind == "f" and _follows(lambda grey: grey)(output, images, rng) and not shared


BINARISE = Exercise(
    ("images", "rng"),
    _draw_grey,
    _right_draws,
    (
        mistake(
            "these are the grey values themselves. A Bernoulli likelihood is about 0 and 1: draw them.",
            lambda output, images, rng: np.allclose(output, images / 255, atol=0.01) or np.array_equal(output, images),
        ),
        mistake(
            "the draws are inverted: a light pixel becomes 0. Which way must the comparison with the uniform number "
            "point?",
            lambda output, *inputs: _follows(lambda grey: 1 - grey)(output != 0, *inputs),
            lambda output, images, rng: np.array_equal(output != 0, images == 0),
        ),
        mistake(
            "the images are not scaled: a uint8 pixel of 1 is already larger than every number in [0, 1), so everything "
            "lit becomes one.",
            lambda output, images, rng: np.array_equal(output, images > 0),
        ),
        mistake(
            "this is a threshold, not a draw: the same grey always gives the same value. A pixel of 100 must be one in "
            "39% of the draws.",
            _threshold((0, 1, 2, 3)),
        ),
        mistake(
            "there is one uniform number for each image, which makes it a threshold for the whole image. Give the "
            "uniform numbers the shape of the images.",
            _threshold((1, 2, 3)),
        ),
        mistake(
            "there is one pattern of uniform numbers for all images. Give them the shape of the images, the first axis "
            "too.",
            _threshold(0),
        ),
        mistake(
            "the draws are right, but they are booleans: a network wants float32. `astype` helps.",
            lambda output, *inputs: output.dtype.kind == "b" and _follows(lambda grey: grey)(output, *inputs),
        ),
        mistake(
            "the draws are right, but they are integers: a network wants float32. `astype` helps.",
            lambda output, *inputs: output.dtype.kind in "iu" and _follows(lambda grey: grey)(output, *inputs),
        ),
        mistake(
            "the draws are 0 and 255. A Bernoulli likelihood is about 0 and 1.",
            lambda output, *inputs: (
                np.isin(output, (0, 255)).all() and _follows(lambda grey: grey)(output / 255, *inputs)
            ),
        ),
    ),
    lambda images, rng: dict(zip(("n", "height", "width", "channels"), images.shape, strict=True)),
    ("n", "height", "width", "channels"),
    "The mean of many draws is the grey image.",
    satisfies,
    describe=lambda output, images, rng: (
        f"a pixel of 255 becomes {output[images == 255].mean():.2f} on average, one of 0 becomes "
        f"{output[images == 0].mean():.2f}, and those near 128 become {output[np.abs(images - 128.0) < 9].mean():.2f}. "
        "Right are 1, 0 and 0.50, by draws of 0 and 1."
    ),
    trials=2,
    tensors=False,
    draws=True,
    kinds="fiub",
)


# ---- lesson 04: the negative ELBO ----


def _draw_vae(rng):
    """A posterior far wider than the prior and a decoder that is undecided only near 0.

    So a decoded mean, a forgotten KL and a reversed one all cost several nats.
    """
    latent_dim, shape = 3, (5, 4, 1)
    encoder = keras.Sequential([keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(2 * latent_dim)])
    decoder = keras.Sequential(
        [
            keras.Input((latent_dim,)),
            keras.layers.Dense(16, "tanh"),
            keras.layers.Dense(20),
            keras.layers.Reshape(shape),
        ]
    )
    bias = np.concatenate([rng.normal(0, 0.1, latent_dim), rng.uniform(2.2, 2.8, latent_dim)])
    encoder.set_weights([rng.normal(0, 0.05, (20, 2 * latent_dim)), bias])
    scale = rng.uniform(0.3, 1.0)
    decoder.set_weights([rng.normal(0, 1, (latent_dim, 16)), np.zeros(16), rng.normal(0, scale, (16, 20)), np.zeros(20)])
    vae = models.VAE(models.posterior_of(encoder), models.bernoulli_of(decoder), models.standard_normal(latent_dim))
    return vae, (rng.random((int(rng.integers(3900, 4100)), *shape)) < 0.5).astype(np.float32)


def _terms(combine, decode_mean=False, reverse=False):
    """Draws of ``combine(log_likelihood, kl)``, shape ``(REPEATS, batch)``, with the KL estimated at the drawn z.

    The estimate scatters more than the analytic KL does, so the tolerance covers learners who use either.
    """

    def samples(vae, images):
        posterior = vae.encoder(images)
        posterior = tfd.MultivariateNormalDiag(posterior.mean(), posterior.stddev())
        z = posterior.sample(REPEATS, seed=_seed())
        kl = posterior.log_prob(z) - vae.prior.log_prob(z)
        if reverse:
            kl = tfd.kl_divergence(vae.prior, posterior)[None] * tf.ones((REPEATS, 1))
        codes = tf.broadcast_to(posterior.mean(), z.shape) if decode_mean else z
        likelihood = vae.decoder(tf.reshape(codes, (-1, codes.shape[-1])))
        log_likelihood = likelihood.log_prob(np.tile(images, (REPEATS, 1, 1, 1)))
        return np.asarray(combine(np.reshape(log_likelihood, (REPEATS, -1)).astype(np.float64), np.float64(kl)))

    return samples


NEGATIVE_ELBO = Exercise(
    ("vae", "images"),
    _draw_vae,
    _terms(lambda log_likelihood, kl: kl - log_likelihood),
    (
        mistake(
            "the log-likelihood is averaged over pixels. It is a sum: with the mean, the KL outweighs it and the codes "
            "fall back to the prior.",
            _terms(lambda log_likelihood, kl: kl - log_likelihood / 20),
        ),
        mistake(
            "this is summed over the batch: it grows with the batch size. Nats per image are asked for, a mean over the "
            "batch.",
            _terms(lambda log_likelihood, kl: kl.shape[1] * (kl - log_likelihood)),
        ),
        mistake(
            "the KL alone is summed over the batch, so its weight is the batch size. Average both terms.",
            _terms(lambda log_likelihood, kl: kl.shape[1] * kl - log_likelihood),
        ),
        mistake(
            "this is the ELBO, not its negative: an optimizer would minimise it. The sign of the whole is wrong.",
            _terms(lambda log_likelihood, kl: log_likelihood - kl),
        ),
        mistake(
            "the KL has the wrong sign: it is a cost, and yours rewards a posterior that is far from the prior.",
            _terms(lambda log_likelihood, kl: -log_likelihood - kl),
        ),
        mistake(
            "the KL is reversed: KL(p||q), with the prior first. The bound holds with the posterior first.",
            _terms(lambda log_likelihood, kl: kl - log_likelihood, reverse=True),
        ),
        mistake(
            "you decoded the mean of the posterior instead of a draw. The value is better than the bound, and it is not "
            "an ELBO: `sample`.",
            _terms(lambda log_likelihood, kl: kl - log_likelihood, decode_mean=True),
        ),
        mistake(
            "the KL is forgotten: what is left is the loss of a noisy autoencoder, and its codes drift as they like.",
            _terms(lambda log_likelihood, kl: -log_likelihood),
        ),
        mistake(
            "the KL is averaged over the latent dimensions. Nats of independent dimensions add up.",
            _terms(lambda log_likelihood, kl: kl / 3 - log_likelihood),
        ),
        mistake(
            "the likelihood hardly enters: is that `prob` instead of `log_prob`? The probability of a whole image is "
            "nearly 0, its logarithm is not.",
            _terms(lambda log_likelihood, kl: kl - np.exp(log_likelihood)),
            _terms(lambda log_likelihood, kl: kl),
        ),
    ),
    lambda vae, images: {"batch": len(images), "latent_dim": 3},
    (),
    "A mean over the batch, in nats per image, at a drawn z.",
    estimates,
    error_hint=("_prob'", "Use `log_prob`: the probability of a whole image is too small for float32."),
    calls=6,
    trials=2,
)


# ---- lesson 04: what a KL layer really adds ----


def _layered_vae(rng, features, layer, **options):
    """A small VAE with the KL in a layer, and its posterior as a function that leaves the model's losses alone."""
    prior = tfd.MultivariateNormalDiag(tf.zeros(2))
    inputs = keras.Input((features,))
    dense = keras.layers.Dense(tfpl.MultivariateNormalTriL.params_size(2))
    if layer == "add":
        z = tfpl.KLDivergenceAddLoss(prior, **options)(tfpl.MultivariateNormalTriL(2)(dense(inputs)))
    else:
        regularizer = tfpl.KLDivergenceRegularizer(prior, **options)
        z = tfpl.MultivariateNormalTriL(2, activity_regularizer=regularizer)(dense(inputs))
    outputs = keras.layers.Dense(tfpl.IndependentNormal.params_size(features))(z)
    model = keras.Model(inputs, tfpl.IndependentNormal(features)(outputs))
    dense.set_weights([rng.normal(0, 0.5, weight.shape) for weight in dense.get_weights()])

    def posterior_of(images):
        return tfpl.MultivariateNormalTriL.new(dense(images), 2)

    return model, posterior_of, prior


def _draw_model(layer, **options):
    """The model has been called before, on other images, so that its losses are there but stale."""

    def draw(rng):
        batch, features = int(rng.integers(100, 200)), int(rng.integers(5, 9))
        model, posterior_of, prior = _layered_vae(rng, features, layer, **options)
        model(3 * rng.normal(size=(2 * batch, features)).astype(np.float32))
        posterior_of.stale = sum(float(loss) for loss in model.losses)
        return model, rng.normal(size=(batch, features)).astype(np.float32), posterior_of, prior

    return draw


def _factor(combine):
    """``combine(losses, kl)`` with the losses that the learner's own call left in the model, noise and all."""

    def answer(model, images, posterior_of, prior):
        if sum(float(loss) for loss in model.losses) == posterior_of.stale:
            model(images)
        losses = [float(loss) for loss in model.losses]
        return combine(losses, np.asarray(tfd.kl_divergence(posterior_of(images), prior), np.float64))

    return answer


def _stale(model, images, posterior_of, prior):
    return posterior_of.stale / np.mean(tfd.kl_divergence(posterior_of(images), prior))


KL_FACTOR = Exercise(
    ("model", "images", "posterior_of", "prior"),
    (
        _draw_model("regularizer", use_exact_kl=True),
        _draw_model("add", use_exact_kl=True),
        _draw_model("add"),
        _draw_model("regularizer", test_points_fn=lambda q: q.sample(5)),
    ),
    _factor(lambda losses, kl: sum(losses) / np.mean(kl)),
    (
        mistake(
            "the losses are stale: they belong to the last call of the model, on other images. Call the model on these "
            "images first.",
            _stale,
        ),
        mistake(
            "you divide by the sum of the KL, not by its mean over the images: the factor is too small by the batch "
            "size.",
            _factor(lambda losses, kl: sum(losses) / np.sum(kl)),
        ),
        mistake(
            "the ratio is inverted. The factor is what the model counts, divided by what it should count.",
            _factor(lambda losses, kl: np.mean(kl) / sum(losses)),
        ),
        mistake(
            "your factor is always 1, and these models count 2, the batch size, 1 and 10. Measure it, do not round it.",
            lambda *inputs: 1.0,
        ),
        mistake(
            "you count one loss (or the mean of the losses). A layer may add several: `model.losses` must be summed.",
            _factor(lambda losses, kl: losses[0] / np.mean(kl)),
            _factor(lambda losses, kl: losses[-1] / np.mean(kl)),
            _factor(lambda losses, kl: np.mean(losses) / np.mean(kl)),
        ),
        mistake(
            "these are the losses, not divided by the mean KL.",
            _factor(lambda losses, kl: sum(losses)),
        ),
    ),
    lambda model, images, *_: {"batch": len(images), "features": images.shape[1], "latent_dim": 2},
    (),
    "These models counted the KL 2 times, batch-size times, once and about 10 times.",
    equals,
)

"""Every check with right answers, with each usual mistake, and with what is no answer at all.

The learners' functions below are written afresh, most of them in TensorFlow, and share nothing with the tables that the
checks compare with.
"""

import math

import jupytext
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras as keras
from scipy.stats import norm
from test_notebooks import SOURCES

from course_utils import checks

tfd = tfp.distributions
LOG_2PI = math.log(2 * math.pi)


def said(capsys, check, function):
    """The one line that the check prints."""
    assert getattr(checks, check)(function) is None
    out, err = capsys.readouterr()
    assert err == "" and "Traceback" not in out
    assert out.count("\n") == 1 and len(out) < 600
    return out


# ---- right answers ----


def right_log_mean(log_weights):
    return tf.reduce_logsumexp(log_weights, axis=0) - math.log(len(log_weights))


def log_mean_by_hand(log_weights):
    highest = np.max(log_weights, axis=0)
    return highest + np.log(np.mean(np.exp(log_weights - highest), axis=0))


def right_free_bits(kl, floor):
    return tf.reduce_sum(tf.maximum(tf.reduce_mean(kl, axis=0), floor))


def right_psnr(images, originals):
    return -10 * tf.math.log(tf.reduce_mean((images - originals) ** 2)) / tf.math.log(10.0)


def right_uniform(codes, number, rng):
    low, high = codes.min(axis=0), codes.max(axis=0)
    return low + (high - low) * rng.random((number, codes.shape[1]))


def right_pair(images, noise_sd, rng):
    return np.clip(images + noise_sd * rng.normal(size=images.shape), 0, 1), images


def pair_in_float32(images, noise_sd, rng):
    noise = rng.standard_normal(images.shape, np.float32)
    return tf.clip_by_value(images + np.float32(noise_sd) * noise, 0.0, 1.0), tf.constant(images)


def right_kl(mean_q, sd_q, mean_p, sd_p):
    return tf.math.log(sd_p / sd_q) + (sd_q**2 + (mean_q - mean_p) ** 2) / (2 * sd_p**2) - 0.5


def kl_in_numpy(mean_q, sd_q, mean_p, sd_p):
    return np.log(sd_p / sd_q) + (sd_q**2 + (mean_q - mean_p) ** 2) / (2 * sd_p**2) - 0.5


def kl_in_math(mean_q, sd_q, mean_p, sd_p):
    return math.log(sd_p / sd_q) + (sd_q**2 + (mean_q - mean_p) ** 2) / (2 * sd_p**2) - 0.5


def right_kl_standard(mean, log_variance):
    return 0.5 * tf.reduce_sum(mean**2 + tf.exp(log_variance) - 1 - log_variance, axis=-1)


def kl_standard_of_tfp(mean, log_variance):
    latent_dim = mean.shape[-1]
    prior = tfd.MultivariateNormalDiag(tf.zeros(latent_dim), tf.ones(latent_dim))
    return tfd.kl_divergence(tfd.MultivariateNormalDiag(mean, tf.exp(log_variance / 2)), prior)


def right_monte_carlo(q, p, number):
    x = q.sample(number)
    return tf.reduce_mean(q.log_prob(x) - p.log_prob(x))


def right_draw(mean, log_variance):
    return mean + tf.exp(0.5 * log_variance) * tf.random.normal(tf.shape(mean))


def right_log_normal(z, mean, log_variance):
    return -0.5 * tf.reduce_sum(LOG_2PI + log_variance + (z - mean) ** 2 / tf.exp(log_variance), axis=-1)


def right_score(mean, sd, number):
    z = tf.random.normal([number], mean, sd)
    return tf.reduce_mean(z**2 * (z - mean) / sd**2)


def score_by_tape(mean, sd, number):
    z = tf.random.normal([number], mean, sd)
    with tf.GradientTape() as tape:
        tape.watch(mean)
        surrogate = tf.reduce_mean(z**2 * tfd.Normal(mean, sd).log_prob(tf.stop_gradient(z)))
    return tape.gradient(surrogate, mean)


def right_binarise(images, rng):
    return (rng.random(images.shape) < images / 255).astype("float32")


def right_elbo(vae, images):
    posterior = vae.encoder(images)
    log_likelihood = vae.decoder(posterior.sample()).log_prob(images)
    return -tf.reduce_mean(log_likelihood - tfd.kl_divergence(posterior, vae.prior))


def elbo_by_sampling(vae, images):
    posterior = vae.encoder(images)
    z = posterior.sample()
    log_joint = vae.decoder(z).log_prob(images) + vae.prior.log_prob(z)
    return float(np.mean(posterior.log_prob(z) - log_joint))


def elbo_of_five_draws(vae, images):
    posterior = vae.encoder(images)
    log_likelihood = tf.add_n([vae.decoder(posterior.sample()).log_prob(images) for _ in range(5)]) / 5
    z = posterior.sample()
    kl = posterior.log_prob(z) - vae.prior.log_prob(z)
    return tf.reduce_mean(kl) - tf.reduce_mean(log_likelihood)


def elbo_by_hand(vae, images):
    """From means and standard deviations, through probabilities and a cross-entropy."""
    posterior = vae.encoder(images)
    mean, sd = posterior.mean(), posterior.stddev()
    loc, scale = vae.prior.mean(), vae.prior.stddev()
    kl = 0.5 * tf.reduce_sum(((mean - loc) ** 2 + sd**2) / scale**2 - 1 - 2 * tf.math.log(sd / scale), axis=-1)
    probabilities = vae.decoder(mean + sd * tf.random.normal(tf.shape(mean))).mean()
    cross_entropy = tf.reduce_sum(keras.losses.binary_crossentropy(images, probabilities), axis=(1, 2))
    return tf.reduce_mean(kl + cross_entropy)


def right_factor(model, images, posterior_of, prior):
    model(images)
    return float(sum(model.losses)) / float(tf.reduce_mean(tfd.kl_divergence(posterior_of(images), prior)))


def factor_of_many_calls(model, images, posterior_of, prior):
    """Over the mean of 20 calls, which is steadier than one."""
    added = []
    for _ in range(20):
        model(images)
        added.append(float(tf.add_n(model.losses)))
    return np.mean(added) / np.mean(tfd.kl_divergence(posterior_of(images), prior))


def factor_in_a_graph(calls):
    def factor(model, images, posterior_of, prior):
        @tf.function
        def added():
            model(images)
            return tf.add_n(model.losses)

        return np.mean([added() for _ in range(calls)]) / np.mean(tfd.kl_divergence(posterior_of(images), prior))

    return factor


def right_likelihood(images, logits):
    return -tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(images, logits), axis=(1, 2, 3))


def likelihood_of_tfp(images, logits):
    return tfd.Independent(tfd.Bernoulli(logits=logits), 3).log_prob(images)


def likelihood_in_numpy(images, logits):
    return np.sum(images * logits - np.logaddexp(0, logits), axis=(1, 2, 3))


def right_grid(number):
    values = norm.ppf((np.arange(number) + 0.5) / number)
    return np.stack(np.meshgrid(values, values), -1).reshape(-1, 2)


def grid_in_tensorflow(number):
    values = tfd.Normal(0.0, 1.0).quantile((tf.range(number, dtype=tf.float32) + 0.5) / number)
    first, second = tf.meshgrid(values, values[::-1])
    return tf.stack([tf.reshape(first, [-1]), tf.reshape(second, [-1])], axis=1)


def right_path(start, end, steps):
    time = tf.linspace(0.0, 1.0, steps)[:, None]
    return (1 - time) * start + time * end


def right_covariance(mean, sd):
    centred = mean - tf.reduce_mean(mean, axis=0)
    between = tf.matmul(centred, centred, transpose_a=True) / len(mean)
    return between + tf.linalg.diag(tf.reduce_mean(sd**2, axis=0))


def right_direction(codes, wears):
    return codes[wears == 1].mean(axis=0) - codes[wears == 0].mean(axis=0)


def direction_by_regression(codes, wears):
    """The slope of each dimension over the label."""
    table = np.stack([np.ones(len(wears)), wears], axis=1)
    return np.linalg.lstsq(table, codes, rcond=None)[0][1]


def diagonal_of(numbers):
    return tf.linalg.diag_part(tfp.math.fill_triangular(numbers))


def right_log_det(numbers):
    return tf.reduce_sum(tf.math.log_sigmoid(diagonal_of(numbers)), axis=-1)


def log_det_in_numpy(numbers):
    """The triangle laid out by hand: what is left after the first d numbers, then all of them backwards."""
    d = int(np.sqrt(2 * numbers.shape[1]))
    triangle = np.concatenate([numbers[:, d:], numbers[:, ::-1]], axis=1).reshape(-1, d, d)
    return -np.logaddexp(0, -np.diagonal(triangle, axis1=1, axis2=2)).sum(axis=1)


RIGHT = {
    "psnr": [
        right_psnr,
        lambda images, originals: -10 * np.log10(np.mean((images - originals) ** 2)),
        lambda images, originals: 10 * np.log10(1 / ((images - originals) ** 2).mean()),  # a method of arrays only
    ],
    "uniform_codes": [
        right_uniform,
        lambda codes, number, rng: rng.uniform(codes.min(0), codes.max(0), (number, codes.shape[1])),
        lambda codes, number, rng: tf.constant(right_uniform(codes, number, rng), tf.float32),
    ],
    "denoising_pair": [right_pair, pair_in_float32],
    "kl_normals": [
        right_kl,
        kl_in_numpy,
        kl_in_math,
        lambda mean_q, sd_q, mean_p, sd_p: tfd.kl_divergence(tfd.Normal(mean_q, sd_q), tfd.Normal(mean_p, sd_p)),
    ],
    "kl_to_standard_normal": [
        right_kl_standard,
        kl_standard_of_tfp,
        lambda mean, log_variance: 0.5 * np.sum(np.exp(log_variance) + mean**2 - 1 - log_variance, axis=1),
        lambda mean, log_variance: [float(row) for row in right_kl_standard(mean, log_variance)],
    ],
    "monte_carlo_kl": [
        right_monte_carlo,
        lambda q, p, number: float(np.mean([right_monte_carlo(q, p, number) for _ in range(2)])),
    ],
    "reparameterize": [
        right_draw,
        lambda mean, log_variance: mean + tf.sqrt(tf.exp(log_variance)) * tf.random.normal(mean.shape),
        lambda mean, log_variance: tf.random.normal(mean.shape, mean, tf.exp(log_variance / 2)),
        lambda mean, log_variance: tfd.Normal(mean, tf.exp(log_variance / 2)).sample(),
        lambda mean, log_variance: mean + tf.exp(0.5 * log_variance) * np.random.default_rng().normal(size=mean.shape),
    ],
    "log_normal_density": [
        right_log_normal,
        lambda z, mean, log_variance: tfd.MultivariateNormalDiag(mean, tf.exp(log_variance / 2)).log_prob(z),
        lambda z, mean, log_variance: np.sum(norm.logpdf(z, mean, np.exp(log_variance / 2)), axis=-1),
    ],
    "score_gradient": [right_score, score_by_tape],
    "binarise": [
        right_binarise,
        lambda images, rng: rng.binomial(1, images / 255).astype(float),
        lambda images, rng: tf.cast(rng.random(images.shape) < images / 255, tf.float32),
    ],
    "negative_elbo": [
        right_elbo,
        elbo_by_sampling,
        elbo_of_five_draws,
        elbo_by_hand,
        lambda vae, images: vae.negative_elbo(images)[0],
    ],
    "kl_factor": [right_factor, factor_of_many_calls, factor_in_a_graph(1), factor_in_a_graph(20)],
    "log_likelihood": [right_likelihood, likelihood_of_tfp, likelihood_in_numpy],
    "prior_grid": [right_grid, grid_in_tensorflow],
    "interpolate": [
        right_path,
        lambda start, end, steps: tf.linspace(start, end, steps),
        lambda start, end, steps: np.linspace(start, end, steps),
        lambda start, end, steps: tf.stack([start + i / (steps - 1) * (end - start) for i in range(steps)]),
    ],
    "fitted_covariance": [
        right_covariance,
        lambda mean, sd: np.cov(mean.T) + np.diag((sd**2).mean(axis=0)),
        lambda mean, sd: tfp.stats.covariance(mean) + tf.linalg.diag(tf.reduce_mean(sd**2, axis=0)),
    ],
    "attribute_direction": [
        right_direction,
        direction_by_regression,
        lambda codes, wears: np.average(codes, axis=0, weights=wears) - np.average(codes, axis=0, weights=1 - wears),
        lambda codes, wears: tf.reduce_mean(codes[wears == 1], 0) - tf.reduce_mean(codes[wears == 0], 0),
        lambda codes, wears: (
            np.mean([c for c, w in zip(codes, wears, strict=True) if w], axis=0)
            - np.mean([c for c, w in zip(codes, wears, strict=True) if not w], axis=0)
        ),
    ],
    "importance_weighted": [
        right_log_mean,
        lambda log_weights: tfp.math.reduce_logmeanexp(log_weights, axis=0),
        log_mean_by_hand,
    ],
    "free_bits": [
        right_free_bits,
        lambda kl, floor: np.maximum(np.mean(kl, axis=0), floor).sum(),
        lambda kl, floor: tf.reduce_sum(floor + tf.nn.relu(tf.reduce_mean(kl, axis=0) - floor)),
    ],
    "log_det_jacobian": [
        right_log_det,
        log_det_in_numpy,
        lambda numbers: tfp.bijectors.FillScaleTriL().forward_log_det_jacobian(numbers),
        lambda numbers: -tf.reduce_sum(tf.nn.softplus(-diagonal_of(numbers)), axis=1),
    ],
}
FORMULAS = ["psnr", "kl_normals", "kl_to_standard_normal", "log_normal_density", "log_likelihood", "interpolate"]
FORMULAS += ["importance_weighted", "free_bits", "log_det_jacobian"]
CASES = [(check, function) for check, functions in RIGHT.items() for function in functions]
ARGUMENTS = {
    check: functions[0].__code__.co_varnames[: functions[0].__code__.co_argcount] for check, functions in RIGHT.items()
}


@pytest.mark.parametrize("check, function", CASES)
def test_right_answers_pass(capsys, check, function):
    line = said(capsys, check, function)
    assert line.startswith("Right. "), line
    assert "mend" not in line


@pytest.mark.parametrize("check", list(RIGHT))
def test_right_answers_pass_every_time(capsys, check):
    for _ in range(20 if check in FORMULAS + ["prior_grid"] else 2):
        line = said(capsys, check, RIGHT[check][0])
        assert line.startswith("Right. "), line


# ---- usual mistakes ----


def kl_terms(mean, log_variance):
    return 0.5 * (mean**2 + tf.exp(log_variance) - 1 - log_variance)


def normal_terms(z, mean, log_variance):
    return -0.5 * (LOG_2PI + log_variance + (z - mean) ** 2 / tf.exp(log_variance))


def squared(images, originals):
    return (images - originals) ** 2


def log10(x):
    return tf.math.log(x) / math.log(10)


def on_diagonal(places):
    """The right derivatives, at the places among the numbers that a wrong order gives for the diagonal."""

    def function(numbers):
        d = int(np.sqrt(2 * numbers.shape[1]))
        return tf.reduce_sum(tf.math.log_sigmoid(tf.gather(numbers, places(d), axis=1)), axis=1)

    return function


def jacobian(function, numbers):
    """log |det J| of a function from numbers to a triangle, row by row, by the tape."""
    with tf.GradientTape() as tape:
        tape.watch(numbers)
        triangle = tfp.math.fill_triangular_inverse(function(numbers))
    return tf.linalg.slogdet(tape.batch_jacobian(triangle, numbers))[1]


def by_the_tape(numbers):
    return jacobian(tfp.bijectors.FillScaleTriL(), numbers)


def log_det_of_the_covariance(numbers):
    def covariance(numbers):
        triangle = tfp.bijectors.FillScaleTriL()(numbers)
        return triangle @ tf.linalg.matrix_transpose(triangle)

    return jacobian(covariance, numbers)


def into_images(images, noise_sd, rng):
    images += noise_sd * rng.standard_normal(images.shape, np.float32)
    return np.clip(images, 0, 1), np.clip(images, 0, 1)


def noisy(images, noise_sd, rng, shape=None):
    return np.clip(images + noise_sd * rng.normal(size=shape or images.shape), 0, 1)


def sampled(vae, images):
    posterior = vae.encoder(images)
    return posterior, vae.decoder(posterior.sample()).log_prob(images), tfd.kl_divergence(posterior, vae.prior)


def elbo_of(combine):
    return lambda vae, images: combine(*sampled(vae, images)[1:])


def elbo_with(z=None, log_likelihood=None):
    """With an analytic KL, and another z or another likelihood."""
    z = z or (lambda posterior: posterior.sample())
    log_likelihood = log_likelihood or (lambda vae, z, images: vae.decoder(z).log_prob(images))

    def elbo(vae, images):
        posterior = vae.encoder(images)
        kl = tfd.kl_divergence(posterior, vae.prior)
        return tf.reduce_mean(kl) - tf.reduce_mean(log_likelihood(vae, z(posterior), images))

    return elbo


def elbo_estimated_at(z):
    """With the KL estimated at the z that is decoded."""

    def elbo(vae, images):
        posterior = vae.encoder(images)
        code = z(posterior)
        log_joint = vae.decoder(code).log_prob(images) + vae.prior.log_prob(code)
        return tf.reduce_mean(posterior.log_prob(code) - log_joint)

    return elbo


def draw_with_variance(posterior):
    return posterior.mean() + posterior.variance() * tf.random.normal(posterior.mean().shape)


def draw_for_the_batch(posterior):
    return posterior.mean() + posterior.stddev() * tf.random.normal([1, 5])


def variance_as_scale(vae, images):
    posterior = vae.encoder(images)
    posterior = tfd.MultivariateNormalDiag(posterior.mean(), posterior.variance())
    return tf.reduce_mean(tfd.kl_divergence(posterior, vae.prior) - vae.decoder(posterior.sample()).log_prob(images))


def twice_squashed(vae, z, images):
    probabilities = vae.decoder(z).mean()
    return -tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(images, probabilities), axis=(1, 2, 3))


def mean_decoded(vae, images):
    posterior = vae.encoder(images)
    log_likelihood = vae.decoder(posterior.mean()).log_prob(images)
    return tf.reduce_mean(tfd.kl_divergence(posterior, vae.prior) - log_likelihood)


def reversed_elbo(vae, images):
    posterior, log_likelihood, _ = sampled(vae, images)
    return tf.reduce_mean(tfd.kl_divergence(vae.prior, posterior) - log_likelihood)


def with_prob(vae, images):
    posterior = vae.encoder(images)
    z = posterior.sample()
    return tf.reduce_mean(posterior.log_prob(z) - vae.prior.log_prob(z) - vae.decoder(z).prob(images))


def factor_of(combine):
    def factor(model, images, posterior_of, prior):
        model(images)
        return combine([float(v) for v in model.losses], tfd.kl_divergence(posterior_of(images), prior).numpy())

    return factor


def stale_factor(model, images, posterior_of, prior):
    return sum(float(v) for v in model.losses) / np.mean(tfd.kl_divergence(posterior_of(images), prior))


def grid_of(values):
    return np.stack(np.meshgrid(values, values), -1).reshape(-1, 2)


def spherical(start, end, steps):
    angle = math.acos(float(tf.tensordot(start, end, 1) / tf.norm(start) / tf.norm(end)))
    time = tf.linspace(0.0, 1.0, steps)[:, None]
    return (tf.sin((1 - time) * angle) * start + tf.sin(time * angle) * end) / math.sin(angle)


def path_of(times):
    return lambda start, end, steps: start + times(steps)[:, None] * (end - start)


def monte_carlo(function, under=0):
    def estimate(q, p, number):
        return tf.reduce_mean(function(q, p, (q, p)[under].sample(number)))

    return estimate


def score(function, reduce=tf.reduce_mean):
    def estimate(mean, sd, number):
        z = tf.random.normal([number], mean, sd)
        return reduce(function(z, mean, sd))

    return estimate


def draw(function):
    return lambda m, lv: function(m, lv, tf.random.normal(m.shape))


MISTAKES = {
    "psnr": {
        "natural logarithm": [lambda a, b: -10 * tf.math.log(tf.reduce_mean(squared(a, b)))],
        "factor 20": [lambda a, b: -20 * log10(tf.reduce_mean(squared(a, b)))],
        "minus is missing": [lambda a, b: 10 * log10(tf.reduce_mean(squared(a, b)))],
        "sum of the squared": [lambda a, b: -10 * log10(tf.reduce_sum(squared(a, b)))],
        "root of the mean": [lambda a, b: -10 * log10(tf.sqrt(tf.reduce_mean(squared(a, b))))],
        "absolute error": [lambda a, b: -10 * log10(tf.reduce_mean(tf.abs(a - b)))],
        "peak is 255": [lambda a, b: 10 * log10(255**2 / tf.reduce_mean(squared(a, b)))],
        "average the decibels": [
            lambda a, b: tf.reduce_mean(tf.image.psnr(a, b, 1.0)),
        ],
    },
    "uniform_codes": {
        "max - abs(min)": [lambda c, n, r: r.random((n, c.shape[1])) * (c.max(0) - np.abs(c.min(0)))],
        "min is not added": [lambda c, n, r: r.random((n, c.shape[1])) * (c.max(0) - c.min(0))],
        "width of a dimension": [
            lambda c, n, r: c.min(0) + c.max(0) * r.random((n, c.shape[1])),
            lambda c, n, r: c.min(0) + (c.max(0) + np.abs(c.min(0))) * r.random((n, c.shape[1])),
            lambda c, n, r: (c.max(0) + np.abs(c.min(0))) * r.random((n, c.shape[1])),
            lambda c, n, r: c.min(0) + (c.max(0) - np.abs(c.min(0))) * r.random((n, c.shape[1])),
            lambda c, n, r: c.max(0) * r.random((n, c.shape[1])),
        ],
        "(0, 1)": [lambda c, n, r: r.random((n, c.shape[1]))],
        "one pair of bounds": [lambda c, n, r: r.uniform(c.min(), c.max(), (n, c.shape[1]))],
        "integers": [
            lambda c, n, r: r.integers(np.floor(c.min(0)).astype(int), np.ceil(c.max(0)).astype(int), (n, c.shape[1])),
            lambda c, n, r: right_uniform(c, n, r).round(),
        ],
        "drawn again": [lambda c, n, r: r.choice(c, n)],
        "serves all rows": [lambda c, n, r: np.tile(right_uniform(c, 1, r), (n, 1))],
        "serves all dimensions": [lambda c, n, r: c.min(0) + (c.max(0) - c.min(0)) * r.random((n, 1))],
        "normal draws": [
            lambda c, n, r: r.normal(c.mean(0), c.std(0), (n, c.shape[1])),
            lambda c, n, r: r.normal(size=(n, c.shape[1])),
        ],
    },
    "denoising_pair": {
        "no noise": [lambda x, s, r: (x, x)],
        "swapped": [lambda x, s, r: (x, noisy(x, s, r))],
        "same noise as": [
            into_images,
            lambda x, s, r: (noisy(x, s, r),) * 2,
            lambda x, s, r: (lambda y: (np.clip(y, 0, 1), y))(x + s * r.normal(size=x.shape)),
        ],
        "targets are noisy as well. ": [lambda x, s, r: (noisy(x, s, r), noisy(x, s, r))],
        "replaced": [
            lambda x, s, r: (x * (r.random(x.shape) > 0.3), x),
            lambda x, s, r: (x * (r.random((1, *x.shape[1:])) > s), x),
            lambda x, s, r: (np.where(r.random(x.shape) < s, r.integers(0, 2, x.shape), x), x),
            lambda x, s, r: (np.where(r.random(x.shape) < 0.1, 1.0, x), x),
            lambda x, s, r: (np.where(r.random(x.shape) < s, r.random(x.shape), x), x),
        ],
        "serves all images": [lambda x, s, r: (noisy(x, s, r, (1, *x.shape[1:])), x)],
        "one number of noise": [
            lambda x, s, r: (noisy(x, s, r, (len(x), 1, 1, 1)), x),
        ],
        "not clipped": [lambda x, s, r: (x + s * r.normal(size=x.shape), x)],
        "variance": [lambda x, s, r: (noisy(x, np.sqrt(s), r), x), lambda x, s, r: (noisy(x, s**2, r), x)],
        "only positive": [
            lambda x, s, r: (np.clip(x + s * r.random(x.shape), 0, 1), x),
            lambda x, s, r: (np.clip(x + np.abs(s * r.normal(size=x.shape)), 0, 1), x),
        ],
        "uniform, not normal": [lambda x, s, r: (np.clip(x + s * r.uniform(-1, 1, x.shape), 0, 1), x)],
    },
    "kl_normals": {
        "KL(p||q). Which": [lambda a, s, b, t: right_kl(b, t, a, s), lambda a, s, b, t: -right_kl(b, t, a, s)],
        "negated": [lambda a, s, b, t: -right_kl(a, s, b, t), lambda a, s, b, t: -2 * right_kl(a, s, b, t)],
        "twice": [
            lambda a, s, b, t: 2 * right_kl(a, s, b, t),
            lambda a, s, b, t: tf.math.log(t / s) + (s**2 + (a - b) ** 2) / t**2 - 0.5,
            lambda a, s, b, t: tf.math.log(t**2 / s**2) + (s**2 + (a - b) ** 2) / (2 * t**2) - 0.5,
        ],
        "-1/2 is missing": [lambda a, s, b, t: tf.math.log(t / s) + (s**2 + (a - b) ** 2) / (2 * t**2)],
        "square them": [
            lambda a, s, b, t: tf.math.log(t / s) + (s + (a - b) ** 2) / (2 * t) - 0.5,
            lambda a, s, b, t: 0.5 * (tf.math.log(t / s) + (s + (a - b) ** 2) / t - 1),
        ],
        "log(sd_p / sd_q) has the wrong sign": [
            lambda a, s, b, t: tf.math.log(s / t) + (s**2 + (a - b) ** 2) / (2 * t**2) - 0.5,
        ],
        "upside down": [lambda a, s, b, t: tf.math.log(t / s) + (t**2 / s**2 + (a - b) ** 2 / t**2) / 2 - 0.5],
        "log(sd_p / sd_q) is missing": [lambda a, s, b, t: (s**2 + (a - b) ** 2) / (2 * t**2) - 0.5],
    },
    "kl_to_standard_normal": {
        "average over the latent": [
            lambda m, lv: tf.reduce_mean(kl_terms(m, lv), axis=-1),
            lambda m, lv: tf.reduce_mean(2 * kl_terms(m, lv), axis=-1),
        ],
        "average over the batch, and one value": [lambda m, lv: -0.5 * tf.reduce_mean(1 + lv - m**2 - tf.exp(lv))],
        "sum over the batch": [lambda m, lv: tf.reduce_sum(kl_terms(m, lv))],
        "You average over the batch|you average over the batch": [
            lambda m, lv: tf.reduce_mean(right_kl_standard(m, lv))
        ],
        "1/2 is missing": [lambda m, lv: tf.reduce_sum(m**2 + tf.exp(lv) - 1 - lv, -1)],
        "negated": [
            lambda m, lv: -right_kl_standard(m, lv),
            lambda m, lv: 0.5 * tf.reduce_mean(tf.reduce_sum(1 + lv - m**2 - tf.exp(lv), -1)),
        ],
        "factor 1/2 is missing": [lambda m, lv: tf.reduce_sum(1 + lv - m**2 - tf.exp(lv), -1)],
        "sum over the last axis": [
            lambda m, lv: 0.5 * tf.reduce_mean(1 + lv - m**2 - tf.exp(lv), -1),
            lambda m, lv: 0.5 * tf.reduce_mean(1 + lv - m**2 - tf.exp(lv)),
            lambda m, lv: tf.reduce_mean(1 + lv - m**2 - tf.exp(lv), -1),
        ],
        "for the variance": [
            lambda m, v: 0.5 * tf.reduce_sum(m**2 + v - 1 - tf.math.log(v), -1),
            lambda m, v: 0.5 * tf.reduce_sum(m**2 + v - 1 - v, -1),
            lambda m, v: 0.5 * tf.reduce_sum(1 + tf.math.log(v) - m**2 - v, -1),
            lambda m, v: tf.reduce_mean(m**2 + v - 1 - tf.math.log(v), -1),
        ],
        "for the log standard": [lambda m, ls: 0.5 * tf.reduce_sum(m**2 + tf.exp(ls) ** 2 - 1 - 2 * ls, -1)],
        "for the standard": [
            lambda m, s: 0.5 * tf.reduce_sum(m**2 + s**2 - 1 - tf.math.log(s**2), -1),
            lambda m, s: 0.5 * tf.reduce_sum(m**2 + s**2 - 1 - 2 * tf.math.log(s), -1),
        ],
        "other direction": [
            lambda m, lv: 0.5 * tf.reduce_sum((1 + m**2) / tf.exp(lv) - 1 + lv, -1),
            lambda m, lv: 0.5 * tf.reduce_mean((1 + m**2) / tf.exp(lv) - 1 + lv, -1),
        ],
    },
    "monte_carlo_kl": {
        "come from p": [monte_carlo(lambda q, p, x: q.log_prob(x) - p.log_prob(x), 1)],
        "reversed": [monte_carlo(lambda q, p, x: p.log_prob(x) - q.log_prob(x), 1)],
        "negated": [monte_carlo(lambda q, p, x: p.log_prob(x) - q.log_prob(x))],
        "sum over the draws": [lambda q, p, number: number * right_monte_carlo(q, p, number)],
        "use `log_prob`": [monte_carlo(lambda q, p, x: q.prob(x) - p.prob(x))],
        "is missing": [monte_carlo(lambda q, p, x: -p.log_prob(x))],
        "whatever `number` says": [
            lambda q, p, number: right_monte_carlo(q, p, 1),
            lambda q, p, number: right_monte_carlo(q, p, 100),
        ],
    },
    "reparameterize": {
        "the mean only": [lambda m, lv: m + 0 * lv],
        "there is no noise": [lambda m, lv: m + tf.exp(lv / 2)],
        "by the variance": [draw(lambda m, lv, e: m + tf.exp(lv) * e)],
        "used as the standard": [draw(lambda m, lv, e: m + lv * e)],
        "factor of the log": [draw(lambda m, lv, e: m + tf.exp(2 * lv) * e)],
        "square root": [draw(lambda m, lv, e: m + tf.sqrt(lv) * e)],
        "not multiplied": [draw(lambda m, lv, e: m + e)],
        "mean is not added": [draw(lambda m, lv, e: tf.exp(lv / 2) * e)],
        "serves all images and latent dimensions": [lambda m, lv: m + tf.exp(lv / 2) * tf.random.normal([])],
        "serves all images": [lambda m, lv: m + tf.exp(lv / 2) * tf.random.normal([1, m.shape[1]])],
        "serves all latent dimensions": [lambda m, lv: m + tf.exp(lv / 2) * tf.random.normal([len(m), 1])],
        "uniform": [
            lambda m, lv: m + tf.exp(lv / 2) * tf.random.uniform(m.shape),
            lambda m, lv: m + tf.exp(lv / 2) * tf.random.uniform(m.shape, -1.0, 1.0),
        ],
        "truncated": [lambda m, lv: m + tf.exp(lv / 2) * tf.random.truncated_normal(m.shape)],
        "same noise": [
            lambda m, lv: m + tf.exp(lv / 2) * tf.random.stateless_normal(m.shape, [1, 2]),
        ],
        "does not reach mean and log_variance": [
            lambda m, lv: tf.stop_gradient(right_draw(m, lv)),
            lambda m, lv: right_draw(m, lv).numpy(),
            lambda m, lv: tf.constant(np.random.default_rng().normal(m, np.exp(lv / 2)), tf.float32),
        ],
        "does not reach log_variance": [
            lambda m, lv: m + np.exp(lv / 2) * tf.random.normal(m.shape),
            lambda m, lv: m + tf.stop_gradient(tf.exp(lv / 2)) * tf.random.normal(m.shape),
        ],
        "does not reach mean:": [lambda m, lv: right_draw(tf.stop_gradient(m), lv)],
        "respect to mean": [lambda m, lv: right_draw(2 * m - tf.stop_gradient(m), lv)],
    },
    "log_normal_density": {
        "1/2 is missing": [
            lambda z, m, lv: 2 * right_log_normal(z, m, lv),
            lambda z, m, lv: -tf.reduce_sum(0.5 * (LOG_2PI + lv) + (z - m) ** 2 / tf.exp(lv), -1),
            lambda z, m, lv: -tf.reduce_sum(0.5 * LOG_2PI + lv + 0.5 * (z - m) ** 2 / tf.exp(lv), -1),
        ],
        "-log(2 * pi) / 2 is missing": [
            lambda z, m, lv: -0.5 * tf.reduce_sum(lv + (z - m) ** 2 / tf.exp(lv), -1),
            lambda z, m, lv: -tf.reduce_sum(lv + (z - m) ** 2 / tf.exp(lv), -1),
        ],
        "average over the dim": [lambda z, m, lv: tf.reduce_mean(normal_terms(z, m, lv), -1)],
        "not its logarithm": [lambda z, m, lv: tf.exp(right_log_normal(z, m, lv))],
        "sign is wrong": [
            lambda z, m, lv: -right_log_normal(z, m, lv),
            lambda z, m, lv: tf.reduce_sum(LOG_2PI + lv + (z - m) ** 2 / tf.exp(lv), -1),
            lambda z, m, lv: 0.5 * tf.reduce_sum(lv + (z - m) ** 2 / tf.exp(lv), -1),
            lambda z, m, lv: -tf.reduce_mean(right_log_normal(z, m, lv)),
        ],
        "for the variance": [
            lambda z, m, v: -0.5 * tf.reduce_sum(LOG_2PI + tf.math.log(v) + (z - m) ** 2 / v, -1),
            lambda z, m, v: -0.5 * tf.reduce_sum(LOG_2PI + v + (z - m) ** 2 / v, -1),
        ],
        "for the log standard": [lambda z, m, ls: right_log_normal(z, m, 2 * ls)],
        "for the standard": [lambda z, m, s: np.sum(norm.logpdf(z, m, s), -1)],
        "where the variance belongs": [
            lambda z, m, lv: -0.5 * tf.reduce_sum(LOG_2PI + lv + (z - m) ** 2 / tf.exp(lv / 2), -1)
        ],
        "sum over the batch": [lambda z, m, lv: tf.reduce_sum(normal_terms(z, m, lv))],
        "You average over the batch|you average over the batch": [
            lambda z, m, lv: tf.reduce_mean(right_log_normal(z, m, lv))
        ],
    },
    "score_gradient": {
        "sign is wrong": [score(lambda z, m, s: z**2 * (m - z) / s**2)],
        "by the standard": [score(lambda z, m, s: z**2 * (z - m) / s)],
        "do not divide by the variance": [score(lambda z, m, s: z**2 * (z - m))],
        "not multiplied by the score": [score(lambda z, m, s: z**2)],
        "by the log density": [score(lambda z, m, s: z**2 * tfd.Normal(m, s).log_prob(z))],
        "sum over the draws": [score(lambda z, m, s: z**2 * (z - m) / s**2, tf.reduce_sum)],
        "score alone": [score(lambda z, m, s: (z - m) / s**2)],
        "scatter too much": [
            lambda mean, sd, number: right_score(mean, sd, 1),
            lambda mean, sd, number: right_score(mean, sd, 100),
        ],
    },
    "binarise": {
        "inverted": [
            lambda x, r: (x / 255 < r.random(x.shape)).astype("float32"),
            lambda x, r: (x < r.random(x.shape)).astype("float32"),
            lambda x, r: r.random(x.shape) > x / 255,
            lambda x, r: (r.random((len(x), 1, 1, 1)) > x / 255).astype("float32"),
            lambda x, r: (r.random((1, *x.shape[1:])) > x / 255).astype("float32"),
        ],
        "two slips": [
            lambda x, r: (x < 127).astype("float32"),
            lambda x, r: x / 255 < 0.5,
            lambda x, r: 1 - np.round(x / 255),
        ],
        "not scaled": [lambda x, r: (r.random(x.shape) < x).astype("float32")],
        "grey values": [lambda x, r: x / 255, lambda x, r: x.astype("float32")],
        "a threshold, not": [lambda x, r: (x > 127).astype("float32"), lambda x, r: np.round(x / 255)],
        "serves all rows and columns": [lambda x, r: (r.random((len(x), 1, 1, 1)) < x / 255).astype("float32")],
        "serves all images": [lambda x, r: (r.random((1, *x.shape[1:])) < x / 255).astype("float32")],
        "booleans": [lambda x, r: r.random(x.shape) < x / 255],
        "integers": [lambda x, r: r.binomial(1, x / 255)],
        "0 and 255": [lambda x, r: 255 * right_binarise(x, r)],
        "fixed seed": [lambda x, r: right_binarise(x, np.random.default_rng(7))],
    },
    "negative_elbo": {
        "KL outweighs": [elbo_of(lambda ll, kl: tf.reduce_mean(kl - ll / 48))],
        "averaged over pixels": [elbo_of(lambda ll, kl: tf.reduce_mean(kl / 5 - ll / 48))],
        "his is summed over the batch": [
            elbo_of(lambda ll, kl: tf.reduce_sum(kl - ll)),
            elbo_of(lambda ll, kl: tf.reduce_sum(ll - kl)),
        ],
        "KL alone is summed": [elbo_of(lambda ll, kl: tf.reduce_sum(kl) - tf.reduce_mean(ll))],
        "not its negative": [elbo_of(lambda ll, kl: tf.reduce_mean(ll - kl))],
        "KL has the wrong sign": [elbo_of(lambda ll, kl: -tf.reduce_mean(ll + kl))],
        "log-likelihood has the wrong sign": [elbo_of(lambda ll, kl: tf.reduce_mean(kl + ll))],
        "KL is reversed": [reversed_elbo],
        "counted twice": [elbo_of(lambda ll, kl: tf.reduce_mean(2 * kl - ll))],
        "decoded the mean": [mean_decoded],
        "nothing is drawn": [elbo_estimated_at(lambda posterior: posterior.mean())],
        "variance in place|variance is taken for": [
            elbo_with(z=draw_with_variance),
            elbo_estimated_at(draw_with_variance),
            variance_as_scale,
        ],
        "applied twice": [
            elbo_with(log_likelihood=twice_squashed),
            elbo_with(
                log_likelihood=lambda vae, z, images: tfd.Independent(
                    tfd.Bernoulli(logits=vae.decoder(z).mean()), 3
                ).log_prob(images)
            ),
        ],
        "inverted": [elbo_with(log_likelihood=lambda vae, z, images: vae.decoder(z).log_prob(1 - images))],
        "different rows": [
            elbo_with(z=lambda posterior: tf.reverse(posterior.sample(), [0])),
            elbo_with(z=lambda posterior: tf.roll(posterior.sample(), 1, axis=0)),
            elbo_with(z=lambda posterior: tf.random.shuffle(posterior.sample())),
            elbo_with(log_likelihood=lambda vae, z, images: vae.decoder(z).log_prob(images[::-1])),
        ],
        "serves all images": [elbo_with(z=draw_for_the_batch), elbo_estimated_at(draw_for_the_batch)],
        "KL is forgotten": [elbo_of(lambda ll, kl: -tf.reduce_mean(ll)), elbo_of(lambda ll, kl: tf.reduce_mean(ll))],
        "KL is averaged": [elbo_of(lambda ll, kl: tf.reduce_mean(kl / 5 - ll))],
        "probability of a whole image": [with_prob, elbo_of(lambda ll, kl: tf.reduce_mean(kl - tf.exp(ll)))],
        "axis of batch is still there": [elbo_of(lambda ll, kl: kl - ll)],
    },
    "kl_factor": {
        "stale": [stale_factor],
        "sum of the KL": [
            factor_of(lambda losses, kl: sum(losses) / np.sum(kl)),
            lambda model, images, *rest: factor_of_many_calls(model, images, *rest) / len(images),
            lambda model, images, *rest: factor_in_a_graph(1)(model, images, *rest) / len(images),
        ],
        "inverted": [
            factor_of(lambda losses, kl: np.mean(kl) / sum(losses)),
            lambda *inputs: 1 / factor_of_many_calls(*inputs),
            lambda *inputs: 1 / factor_in_a_graph(1)(*inputs),
        ],
        "always 1": [lambda model, images, posterior_of, prior: 1.0],
        "count one loss": [
            factor_of(lambda losses, kl: losses[0] / np.mean(kl)),
            factor_of(lambda losses, kl: np.mean(losses) / np.mean(kl)),
        ],
        "not divided": [factor_of(lambda losses, kl: sum(losses))],
    },
    "log_likelihood": {
        "applied twice": [
            lambda x, lo: right_likelihood(x, tf.sigmoid(lo)),
            lambda x, lo: -right_likelihood(x, tf.sigmoid(lo)),
            lambda x, lo: right_likelihood(x, tf.sigmoid(lo)) / 784,
        ],
        "read as probabilities": [
            lambda x, lo: 28 * 28 * -tf.reduce_mean(keras.losses.binary_crossentropy(x, lo), axis=(1, 2)),
            lambda x, lo: tf.reduce_mean(keras.losses.binary_crossentropy(x, lo), axis=(1, 2)),
        ],
        "mean over pixels": [
            lambda x, lo: right_likelihood(x, lo) / 784,
            lambda x, lo: tf.reduce_mean(keras.losses.binary_crossentropy(x, lo, from_logits=True), axis=(1, 2)),
            lambda x, lo: tf.reduce_mean(keras.losses.binary_crossentropy(x, lo, from_logits=True)),
        ],
        "sign is wrong": [lambda x, lo: -right_likelihood(x, lo)],
        "inverted": [lambda x, lo: right_likelihood(1 - x, lo)],
        "average over the batch": [
            lambda x, lo: tf.reduce_mean(right_likelihood(x, lo)),
            lambda x, lo: -tf.reduce_mean(right_likelihood(x, lo)),
        ],
        "sum over the batch": [lambda x, lo: tf.reduce_sum(right_likelihood(x, lo))],
    },
    "prior_grid": {
        "infinity": [lambda n: grid_of(norm.ppf(np.linspace(0, 1, n)))],
        "uniform quantiles": [lambda n: grid_of((np.arange(n) + 0.5) / n), lambda n: grid_of(np.linspace(0, 1, n))],
        "equal spacing": [lambda n: grid_of(np.linspace(-3, 3, n)), lambda n: grid_of(np.linspace(-1.5, 2, n))],
        "not all pairs": [lambda n: np.tile(norm.ppf((np.arange(n) + 0.5) / n)[:, None], (n, 2))],
        "(i + 0.5)": [
            lambda n: grid_of(norm.ppf(np.linspace(0.05, 0.95, n))),
            lambda n: grid_of(norm.ppf(np.arange(1, n + 1) / (n + 1))),
        ],
        "One pair a row": [
            lambda n: right_grid(n + 1),
            lambda n: right_grid(n).T,
            lambda n: right_grid(n).reshape(n, n, 2),
            lambda n: np.tile(norm.ppf((np.arange(n) + 0.5) / n)[:, None], (1, 2)),
        ],
    },
    "interpolate": {
        "end is missing": [path_of(lambda n: np.arange(n, dtype=np.float32) / n)],
        "start is missing": [path_of(lambda n: np.arange(1, n + 1, dtype=np.float32) / n)],
        "steps + 1": [path_of(lambda n: tf.linspace(0.0, 1.0, n + 1))],
        "path is reversed": [lambda start, end, n: right_path(end, start, n)],
        "start does not shrink": [lambda start, end, n: start + tf.linspace(0.0, 1.0, n)[:, None] * end],
        "through logarithms": [
            lambda start, end, n: start * (end / start) ** tf.linspace(0.0, 1.0, n)[:, None],
            lambda start, end, n: tf.exp(right_path(tf.math.log(start), tf.math.log(end), n)),
        ],
        "along an arc": [spherical],
        "not equal steps": [path_of(lambda n: np.expm1(np.linspace(0, 2, n, dtype=np.float32)) / np.expm1(2))],
    },
    "fitted_covariance": {
        "diag(average(sd**2)) is missing": [
            lambda mean, sd: np.cov(mean.T),
            lambda mean, sd: tfp.stats.covariance(mean),
        ],
        "covariance(mean) is missing": [lambda mean, sd: tf.linalg.diag(tf.reduce_mean(sd**2, axis=0))],
        "where variances belong": [lambda mean, sd: np.cov(mean.T) + np.diag(sd.mean(axis=0))],
        "square first": [lambda mean, sd: np.cov(mean.T) + np.diag(sd.mean(axis=0) ** 2)],
        "nly the diagonal": [
            lambda mean, sd: np.diag(mean.var(axis=0) + (sd**2).mean(axis=0)),
            lambda mean, sd: tf.linalg.diag(tf.linalg.diag_part(right_covariance(mean, sd))),
        ],
        "not subtracted": [lambda mean, sd: mean.T @ mean / len(mean) + np.diag((sd**2).mean(axis=0))],
        "sum over the images": [
            lambda mean, sd: len(mean) * right_covariance(mean, sd),
            lambda mean, sd: np.cov(mean.T) + np.diag((sd**2).sum(axis=0)),
        ],
        "correlations": [lambda mean, sd: np.corrcoef(mean.T)],
        "every entry": [lambda mean, sd: np.cov(mean.T) + (sd**2).mean(axis=0)],
    },
    "attribute_direction": {
        "takes glasses off": [lambda codes, wears: codes[wears == 0].mean(axis=0) - codes[wears == 1].mean(axis=0)],
        "half the way": [lambda codes, wears: right_direction(codes, wears) / 2],
        "whole numbers are row numbers": [
            lambda codes, wears: codes[wears].mean(axis=0) - codes[1 - wears].mean(axis=0),
            lambda codes, wears: codes[wears].mean(axis=0),
        ],
        "`~` of 0 is -1": [lambda codes, wears: codes[wears].mean(axis=0) - codes[~wears].mean(axis=0)],
        "that of those without is not subtracted": [lambda codes, wears: codes[wears == 1].mean(axis=0)],
        "nly the mean code of those without": [lambda codes, wears: codes[wears == 0].mean(axis=0)],
        "added: subtract": [lambda codes, wears: codes[wears == 1].mean(axis=0) + codes[wears == 0].mean(axis=0)],
        "too short": [
            lambda codes, wears: codes[wears == 1].mean(axis=0) - codes.mean(axis=0),
            lambda codes, wears: codes.mean(axis=0) - codes[wears == 0].mean(axis=0),
        ],
        "labels play no part": [lambda codes, wears: codes.mean(axis=0)],
        "ums are subtracted": [lambda codes, wears: codes[wears == 1].sum(axis=0) - codes[wears == 0].sum(axis=0)],
        "number of all avatars": [
            lambda codes, wears: (codes[wears == 1].sum(axis=0) - codes[wears == 0].sum(axis=0)) / len(codes),
            lambda codes, wears: tf.reduce_mean((2 * wears - 1)[:, None] * codes, axis=0),
        ],
        "a covariance": [
            lambda codes, wears: ((wears - wears.mean())[:, None] * codes).mean(axis=0),
            lambda codes, wears: np.cov(np.column_stack([codes, wears]).T)[-1, :-1],
        ],
        "length became 1": [
            lambda codes, wears: right_direction(codes, wears) / np.linalg.norm(right_direction(codes, wears))
        ],
        "edians": [lambda codes, wears: np.median(codes[wears == 1], 0) - np.median(codes[wears == 0], 0)],
        "one avatar to one other": [lambda codes, wears: codes[wears == 1][0] - codes[wears == 0][0]],
        "spread of each dimension": [lambda codes, wears: right_direction(codes, wears) / codes.std(axis=0)],
        "separates the groups": [
            lambda codes, wears: np.linalg.inv(np.cov(codes.T)) @ right_direction(codes, wears),
        ],
        "bsolute values": [lambda codes, wears: np.abs(right_direction(codes, wears))],
        "squared": [lambda codes, wears: right_direction(codes, wears) ** 2],
        "the axis of latent_dim too": [lambda codes, wears: codes[wears == 1].mean() - codes[wears == 0].mean()],
        "latent_dim is gone|expected (latent_dim": [
            lambda codes, wears: (codes - codes[wears == 0].mean(axis=0)).mean(axis=1),
            lambda codes, wears: codes - codes[wears == 0].mean(axis=0),
        ],
        "broadcast": [lambda codes, wears: codes[wears == 1] - codes[wears == 0]],
    },
    "importance_weighted": {
        "the ELBO from k draws": [lambda log_weights: tf.reduce_mean(log_weights, axis=0)],
        "term -log k is missing": [lambda log_weights: tf.reduce_logsumexp(log_weights, axis=0)],
        "term -log k has the wrong sign": [
            lambda log_weights: tf.reduce_logsumexp(log_weights, axis=0) + math.log(len(log_weights))
        ],
        "k itself is subtracted": [lambda log_weights: tf.reduce_logsumexp(log_weights, axis=0) - len(log_weights)],
        "number of images": [
            lambda log_weights: tf.reduce_logsumexp(log_weights, axis=0) - math.log(log_weights.shape[1])
        ],
        "divided by k": [lambda log_weights: tf.reduce_logsumexp(log_weights, axis=0) / len(log_weights)],
        "exp(-150) is 0": [
            lambda log_weights: tf.math.log(tf.reduce_mean(tf.exp(log_weights), axis=0)),
            lambda log_weights: np.log(np.exp(np.asarray(log_weights, np.float64)).mean(axis=0)),
        ],
        "largest weight alone": [lambda log_weights: tf.reduce_max(log_weights, axis=0)],
        "one z": [lambda log_weights: log_weights[0]],
        "axis of k is still there|batch is gone": [
            lambda log_weights: tf.reduce_logsumexp(log_weights, axis=1) - math.log(log_weights.shape[1])
        ],
        "and one value for each row is asked for": [
            lambda log_weights: tf.reduce_mean(right_log_mean(log_weights)),
        ],
        "sign is wrong": [lambda log_weights: -right_log_mean(log_weights)],
    },
    "free_bits": {
        "every image by itself": [
            lambda kl, floor: tf.reduce_mean(tf.reduce_sum(tf.maximum(kl, floor), axis=1)),
            lambda kl, floor: np.maximum(kl, floor).mean(axis=0).sum(),
        ],
        "plain KL": [lambda kl, floor: tf.reduce_mean(tf.reduce_sum(kl, axis=-1))],
        "never pays more": [lambda kl, floor: tf.reduce_sum(tf.minimum(tf.reduce_mean(kl, axis=0), floor))],
        "lies above the floor": [lambda kl, floor: tf.reduce_sum(tf.nn.relu(tf.reduce_mean(kl, axis=0) - floor))],
        "applied to the sum": [
            lambda kl, floor: tf.maximum(tf.reduce_mean(tf.reduce_sum(kl, axis=1)), kl.shape[1] * floor),
            lambda kl, floor: tf.reduce_mean(tf.maximum(tf.reduce_sum(kl, axis=1), kl.shape[1] * floor)),
        ],
        "average over the latent_dim": [lambda kl, floor: tf.reduce_mean(tf.maximum(tf.reduce_mean(kl, 0), floor))],
        "sum over the batch": [lambda kl, floor: len(kl) * right_free_bits(kl, floor)],
        "floor is added": [lambda kl, floor: tf.reduce_sum(tf.reduce_mean(kl, axis=0) + floor)],
        "the other way round": [lambda kl, floor: tf.reduce_sum(tf.maximum(tf.reduce_mean(kl, axis=1), floor))],
        "one number": [lambda kl, floor: tf.maximum(tf.reduce_mean(kl, axis=0), floor)],
    },
    "log_det_jacobian": {
        "below the diagonal stay": [
            lambda numbers: tf.reduce_sum(tf.math.log_sigmoid(numbers), axis=-1),
            lambda numbers: -np.logaddexp(0, -np.asarray(numbers)).sum(axis=1),
        ],
        "row by row": [on_diagonal(lambda d: np.cumsum(np.arange(1, d + 1)) - 1)],
        "column by column": [on_diagonal(lambda d: np.cumsum([0, *range(d, 1, -1)]))],
        "first d numbers": [on_diagonal(lambda d: np.arange(d))],
        "last d numbers": [on_diagonal(lambda d: np.arange(d * (d + 1) // 2 - d, d * (d + 1) // 2))],
        "places for d = 3": [on_diagonal(lambda d: [3, 4, 0])],
        "triangle itself": [
            lambda numbers: tf.linalg.slogdet(tfp.bijectors.FillScaleTriL()(numbers))[1],
            lambda numbers: tf.math.log(tf.reduce_prod(tf.nn.softplus(diagonal_of(numbers)), axis=-1)),
            lambda numbers: tf.linalg.det(tfp.bijectors.FillScaleTriL()(numbers)),
        ],
        "derivative of a softplus": [lambda numbers: tf.reduce_sum(tf.nn.softplus(diagonal_of(numbers)), axis=-1)],
        "derivatives are added": [lambda numbers: tf.reduce_sum(tf.sigmoid(diagonal_of(numbers)), axis=-1)],
        "comes after the sum": [
            lambda numbers: tf.math.log(tf.reduce_sum(tf.sigmoid(diagonal_of(numbers)), axis=-1)),
        ],
        "is the determinant, and its logarithm": [
            lambda numbers: tf.reduce_prod(tf.sigmoid(diagonal_of(numbers)), axis=-1),
            lambda numbers: tf.exp(right_log_det(numbers)),
        ],
        "1e-5 drops out": [
            lambda numbers: tf.reduce_sum(tf.math.log(tf.sigmoid(diagonal_of(numbers)) + 1e-5), axis=-1),
        ],
        "an exponential on the diagonal": [lambda numbers: tf.reduce_sum(diagonal_of(numbers), axis=-1)],
        "gets the negative": [
            lambda numbers: tf.reduce_sum(tf.math.log_sigmoid(-diagonal_of(numbers)), axis=-1),
            lambda numbers: tf.reduce_sum(tf.math.log(1 - tf.sigmoid(diagonal_of(numbers))), axis=-1),
        ],
        "second derivative": [
            lambda numbers: right_log_det(numbers) - tf.reduce_sum(tf.nn.softplus(diagonal_of(numbers)), axis=-1),
        ],
        "on to the covariance": [log_det_of_the_covariance],
        "way back": [
            lambda numbers: -right_log_det(numbers),
            lambda numbers: tfp.bijectors.FillScaleTriL().inverse_log_det_jacobian(
                tfp.bijectors.FillScaleTriL()(numbers), 2
            ),
        ],
        "a determinant is a product": [
            lambda numbers: tf.reduce_mean(tf.math.log_sigmoid(diagonal_of(numbers)), axis=-1),
        ],
        "every scale twice": [lambda numbers: 2 * right_log_det(numbers)],
        "axis of diagonal is still there": [lambda numbers: tf.math.log_sigmoid(diagonal_of(numbers))],
        "base 2": [lambda numbers: right_log_det(numbers) / math.log(2)],
        "one value for each row": [
            lambda numbers: tf.reduce_sum(tf.math.log_sigmoid(diagonal_of(numbers))),
            lambda numbers: tf.reduce_mean(right_log_det(numbers)),
        ],
        "At -200": [
            lambda numbers: tf.reduce_sum(tf.math.log(tf.sigmoid(diagonal_of(numbers))), axis=-1),
            lambda numbers: tf.math.log(tf.reduce_prod(tf.sigmoid(diagonal_of(numbers)), axis=-1)),
            lambda numbers: -tf.reduce_sum(tf.math.log(1 + tf.exp(-diagonal_of(numbers))), axis=-1),
            lambda numbers: by_the_tape(numbers),
        ],
    },
}
MISTAKEN = [
    pytest.param(check, keyword, function, id=f"{check}-{keyword}-{i}")
    for check, table in MISTAKES.items()
    for keyword, functions in table.items()
    for i, function in enumerate(functions)
]


@pytest.mark.parametrize("check, keyword, function", MISTAKEN)
def test_mistakes_are_named(capsys, check, keyword, function):
    line = said(capsys, check, function)
    assert line.startswith("Not yet: ")
    assert any(words in line for words in keyword.split("|")), line


def test_every_check_has_its_tests():
    assert set(checks.__all__) == set(RIGHT) == set(MISTAKES)


# ---- what is no answer ----


class Caught(dict):
    """Stands for `checks` in a cell of a lesson, and keeps the functions that are handed in."""

    def __getattr__(self, check):
        return lambda function: self.update({check: function})


def scaffolds():
    """The functions of all exercises, as a reader finds them."""
    caught = Caught()
    for source in SOURCES:
        for cell in jupytext.read(source).cells:
            if "exercise" in cell.metadata.get("tags", []) and "checks." in cell.source:
                exec(cell.source, {"np": np, "tf": tf, "tfd": tfd, "checks": caught})
    return caught


SCAFFOLDS = scaffolds()
# Scaffolds that return something get told what it is; the others, that they were not started.
SAID = {
    "uniform_codes": "not scaled to the bounds",
    "denoising_pair": "there is no noise",
    "binarise": "grey values themselves",
    "kl_factor": "factor is always 1",
    "prior_grid": "equal spacing",
}


def test_every_exercise_has_a_check_and_every_check_an_exercise():
    assert set(SCAFFOLDS) == set(RIGHT)


@pytest.mark.parametrize("check", list(SCAFFOLDS))
def test_an_untouched_scaffold_is_told_so(capsys, check):
    line = said(capsys, check, SCAFFOLDS[check])
    assert line.startswith("Not yet: ") and SAID.get(check, "not started") in line, line


def takes(check, body):
    """A function with the arguments of the exercise that returns what ``body`` makes of them."""
    names = ", ".join(ARGUMENTS[check])
    return eval(f"lambda {names}: body({names})", {"body": body})


def boom(*inputs):
    raise ValueError("a message of my own\nand more")


def pair_or(check, value):
    return (value, value) if check == "denoising_pair" else value


NO_ANSWERS = {
    "`return`": lambda check: takes(check, lambda *_: None),
    "a message of my own": lambda check: boom,
    "str": lambda check: takes(check, lambda *_: pair_or(check, "3.5")),
    "dtype": lambda check: takes(check, lambda *_: pair_or(check, np.array([1j, 2.0]))),
    "symbolic Keras tensor": lambda check: takes(check, lambda *_: pair_or(check, keras.Input((2,)))),
    "a function, not numbers": lambda check: takes(check, lambda *_: pair_or(check, math.log)),
    "a distribution": lambda check: takes(check, lambda *_: pair_or(check, tfd.Normal(0.0, 1.0))),
    "tuple|asked for": lambda check: takes(check, lambda *_: (1.0, 2.0, 3.0)),
    "no array": lambda check: takes(check, lambda *_: pair_or(check, [[1.0, 2.0], [3.0]])),
    "hand in the function itself": lambda check: 3.14,
    "must take": lambda check: lambda a, b, c, d, e, f: 0.0,
    "NotImplementedError": lambda check: takes(check, lambda *_: (_ for _ in ()).throw(NotImplementedError)),
    "SystemExit": lambda check: takes(check, lambda *_: exit(3)),
    "shape": lambda check: takes(check, lambda *_: pair_or(check, np.full((2, 1, 11), 0.3))),
}


@pytest.mark.parametrize("check", list(RIGHT))
def test_what_is_no_answer_gets_a_line(capsys, check):
    for words, make in NO_ANSWERS.items():
        line = said(capsys, check, make(check))
        assert line.startswith("Not yet: "), (words, line)
        assert any(word in line for word in words.split("|")), (words, line)


def nan_like(check):
    def function(*inputs):
        right = RIGHT[check][0](*inputs)
        if check == "denoising_pair":
            return right[0] * np.nan, right[1]
        return tf.cast(right, tf.float32) * np.nan

    return takes(check, function)


@pytest.mark.parametrize("check", list(RIGHT))
def test_nan_is_named(capsys, check):
    assert "NaN" in said(capsys, check, nan_like(check))


@pytest.mark.parametrize("check", list(RIGHT))
def test_a_small_error_without_a_name_is_wrong(capsys, check):
    """A tenth too much; the line gives numbers."""

    def function(*inputs):
        right = RIGHT[check][0](*inputs)
        if check == "denoising_pair":
            return np.clip(1.1 * right[0], 0, 1), right[1]
        return 1.1 * tf.cast(right, tf.float32)

    line = said(capsys, check, takes(check, function))
    assert line.startswith("Not yet: ") and any(character.isdigit() for character in line), line


@pytest.mark.parametrize(
    "spoil",
    [lambda images: 1 - images, lambda images: tf.cast(tf.random.uniform(images.shape) < 0.5, tf.float32)],
    ids=["inverted throughout", "coins instead"],
)
def test_a_bound_on_other_images_is_wrong(capsys, spoil):
    line = said(capsys, "negative_elbo", lambda vae, images: right_elbo(vae, spoil(images)))
    assert line.startswith("Not yet: "), line


def test_the_error_is_located_in_the_function(capsys):
    def divides(images, originals):
        error = images - originals
        return 1 / len("") + error

    line = said(capsys, "psnr", divides)
    assert 'ZeroDivisionError in line 3 of the function, `return 1 / len("") + error`' in line
    assert ".py" not in line


@pytest.mark.parametrize(
    "function, words",
    [
        (lambda m, lv: tf.reduce_sum(kl_terms(m, lv), 0), "wrong axis was reduced: batch is gone"),
        (kl_terms, "axis of latent_dim is still there"),
        (lambda m, lv: right_kl_standard(m, lv)[:, None], "keepdims"),
        (lambda m, lv: tf.tile(right_kl_standard(m, lv), [50]), "Check the length along batch"),
    ],
)
def test_the_shape_says_which_axis(capsys, function, words):
    line = said(capsys, "kl_to_standard_normal", function)
    assert "expected (batch = " in line and words in line


def test_a_transposed_path_is_told_so(capsys):
    assert "transpose" in said(
        capsys, "interpolate", lambda start, end, steps: tf.transpose(right_path(start, end, steps))
    )


def test_the_difference_has_size_and_sign(capsys):
    assert "same amount, 1" in said(capsys, "log_likelihood", lambda x, lo: right_likelihood(x, lo) + 1)
    assert "same factor, 3" in said(capsys, "log_likelihood", lambda x, lo: right_likelihood(x, lo) * 3)
    assert "too small" in said(capsys, "psnr", lambda x, y: right_psnr(x, y) - 2)
    assert "whole numbers" in said(capsys, "interpolate", lambda *inputs: tf.cast(right_path(*inputs), tf.int32))


def test_numpy_only_code_is_right_with_a_note(capsys):
    line = said(capsys, "kl_to_standard_normal", lambda m, lv: (0.5 * (m**2 + np.exp(lv) - 1 - lv)).sum(axis=1))
    assert line.startswith("Right. ")
    line = said(capsys, "psnr", lambda a, b: -10 * np.log10(((a - b) ** 2).mean()))
    assert line.startswith("Right. ") and "NumPy arrays only" in line


@pytest.mark.parametrize(
    "check, function",
    [
        ("binarise", lambda images, rng: right_binarise(images, np.random.default_rng())),
        ("uniform_codes", lambda codes, number, rng: right_uniform(codes, number, np.random.default_rng())),
        ("denoising_pair", lambda images, noise_sd, rng: right_pair(images, noise_sd, np.random.default_rng())),
    ],
)
def test_draws_that_ignore_the_generator_are_right_with_a_note(capsys, check, function):
    line = said(capsys, check, function)
    assert line.startswith("Right. ") and "does not draw from `rng`" in line


@pytest.mark.parametrize("check", ["uniform_codes", "denoising_pair"])
def test_a_fixed_seed_is_named(capsys, check):
    def function(*inputs):
        return RIGHT[check][0](*inputs[:-1], np.random.default_rng(3))

    assert "fixed seed" in said(capsys, check, takes(check, function))


def test_a_density_that_underflows_is_found(capsys):
    def through_the_density(z, mean, log_variance):
        return tf.math.log(tf.exp(right_log_normal(z, mean, log_variance)))

    line = said(capsys, "log_normal_density", through_the_density)
    assert "infinite values" in line and "underflows" in line


def test_half_precision_is_read(capsys):
    line = said(capsys, "interpolate", lambda *inputs: tf.cast(right_path(*inputs), tf.bfloat16))
    assert line.startswith("Not yet: on fresh inputs it returns")


def test_the_notebook_keeps_its_random_numbers(capsys):
    """A check of a function without draws leaves the global seeds where they were."""

    def after(check):
        keras.utils.set_random_seed(1)
        if check:
            said(capsys, "psnr", right_psnr)
            said(capsys, "kl_normals", right_kl)
        return float(tf.random.normal([])), np.random.normal()  # noqa: NPY002

    assert after(check=True) == after(check=False)

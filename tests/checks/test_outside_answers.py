"""Kinds of answers that came from outside: wrong ones that passed or had no name, right ones that were not accepted."""

import copy
import math
import time

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras as keras
from scipy.stats import norm

from course_utils import checks
from course_utils.checks import bound, judging, lesson_03

tfd = tfp.distributions
LN_2, LOG_2PI = math.log(2), math.log(2 * math.pi)


def said(capsys, check, function):
    assert getattr(checks, check)(function) is None
    line = capsys.readouterr().out
    assert line.count("\n") == 1 and len(line) < 600
    return line


def ratio(q, p, x):
    return q.log_prob(x) - p.log_prob(x)


def kl_rows(mean, log_variance):
    return 0.5 * (mean**2 + tf.exp(log_variance) - 1 - log_variance)


def log_normal_rows(z, mean, log_variance):
    return -0.5 * (LOG_2PI + log_variance + (z - mean) ** 2 / tf.exp(log_variance))


def log_bernoulli(images, logits):
    return tf.reduce_sum(images * logits - tf.nn.softplus(logits), axis=[1, 2, 3])


def score(mean, sd, z):
    return z**2 * (z - mean) / sd**2


def box(codes, share):
    return codes.min(0) + (codes.max(0) - codes.min(0)) * share


def noisy(images, noise):
    return np.clip(images + noise, 0, 1), images


def with_noise(function):
    return lambda mean, log_variance: mean + tf.exp(log_variance / 2) * function(mean.shape)


def tiled(draw, parts=2):
    """The noise of a part of the batch, again for the others."""
    return lambda shape: np.tile(draw((shape[0] // parts, *shape[1:])), (parts,) + (1,) * (len(shape) - 1))


def in_pairs(draw):
    return lambda shape: np.repeat(draw((shape[0] // 2, *shape[1:])), 2, axis=0)


def normal32(shape):
    return np.random.default_rng().normal(size=shape).astype(np.float32)


def shared_by_pairs(shape):
    return np.repeat(normal32((shape[0], *shape[1:])), 2, axis=0)[: shape[0]]


def shared_by_halves(shape):
    return np.tile(normal32((shape[0] // 2 + 1, *shape[1:])), (2, 1))[: shape[0]]


def elbo(combine, z=lambda posterior: posterior.sample(), prior=lambda vae: vae.prior):
    def negative_elbo(vae, images):
        posterior = vae.encoder(images)
        log_likelihood = vae.decoder(z(posterior)).log_prob(images)
        return combine(log_likelihood, tfd.kl_divergence(posterior, prior(vae)))

    return negative_elbo


def own(posterior, noise):
    return posterior.mean() + posterior.stddev() * tf.cast(noise(tuple(posterior.mean().shape)), tf.float32)


def nelbo(log_likelihood, kl):
    return tf.reduce_mean(kl - log_likelihood)


def importance_weighted(vae, images):
    posterior = vae.encoder(images)
    weights = []
    for _ in range(5):
        z = posterior.sample()
        weights.append(vae.decoder(z).log_prob(images) + vae.prior.log_prob(z) - posterior.log_prob(z))
    return -tf.reduce_mean(tf.reduce_logsumexp(weights, axis=0) - math.log(5))


def factor(combine):
    def kl_factor(model, images, posterior_of, prior):
        model(images)
        return combine(float(sum(model.losses)), posterior_of(images), prior)

    return kl_factor


def mean_kl(posterior, prior):
    return float(tf.reduce_mean(tfd.kl_divergence(posterior, prior)))


def on_other_images(model, images, posterior_of, prior):
    """The losses that are left belong to the learner's own call, on other images."""
    model(0 * images)
    return float(sum(model.losses)) / mean_kl(posterior_of(images), prior)


def fixed_normal(shape):
    return tf.random.stateless_normal(shape, [3, 4])


STANDARD = tfd.MultivariateNormalDiag(tf.zeros(5))


def centred_in_place(mean, sd):
    mean -= mean.mean(axis=0)
    return np.cov(mean.T) + np.diag((sd**2).mean(axis=0))


def noise_in_place(images, noise_sd, rng):
    images += noise_sd * rng.normal(size=images.shape)
    return np.clip(images, 0, 1, out=images)


def own_draws(distribution, number):
    return tf.reduce_mean(distribution.log_prob(distribution.sample(number)))


def density_by_a_product(z, mean, log_variance):
    return np.log(np.prod(norm.pdf(z, mean, np.exp(np.asarray(log_variance) / 2)), axis=-1))


def apart(mean, sd, number):
    """z^2 and the score at draws of their own."""
    z, other = tf.random.normal([2, number], mean, sd)
    return tf.reduce_mean(z**2) * tf.reduce_mean((other - mean) / sd**2)


def counted(model, images, posterior_of, prior, losses=slice(None)):
    model(images)
    return sum(model.losses[losses]) / tf.reduce_mean(tfd.kl_divergence(posterior_of(images), prior))


def at_the_mean(log_q_at, log_p_at):
    def function(vae, images):
        q = vae.encoder(images)
        z = q.sample()
        kl = q.log_prob(log_q_at(q, z)) - vae.prior.log_prob(log_p_at(q, z))
        return tf.reduce_mean(kl - vae.decoder(z).log_prob(images))

    return function


def from_the_prior(vae, images):
    z = vae.prior.sample(len(images))
    return tf.reduce_mean(tfd.kl_divergence(vae.encoder(images), vae.prior) - vae.decoder(z).log_prob(images))


def one_shift_for_all(log_weights):
    highest = tf.reduce_max(log_weights)
    return highest + tf.math.log(tf.reduce_mean(tf.exp(log_weights - highest), axis=0))


WRONG = [
    # ---- holes in the inputs ----
    (
        "log_likelihood",
        "120",
        lambda x, lo: tf.reduce_sum(tf.math.log(tf.where(x > 0, tf.sigmoid(lo), 1 - tf.sigmoid(lo))), [1, 2, 3]),
    ),
    (
        "log_likelihood",
        "clipped or rounded",
        lambda x, lo: tf.reduce_sum(
            x * tf.math.log(tf.sigmoid(lo) + 1e-7) + (1 - x) * tf.math.log(1 - tf.sigmoid(lo) + 1e-7), [1, 2, 3]
        ),
    ),
    ("log_likelihood", "120", lambda x, lo: tf.reduce_sum(x * lo - tf.math.log(1 + tf.exp(lo)), [1, 2, 3])),
    ("binarise", "serves all columns,", lambda x, r: (r.random((*x.shape[:2], 1, 1)) < x / 255).astype("float32")),
    (
        "binarise",
        "serves all rows,",
        lambda x, r: (r.random((len(x), 1, x.shape[2], 1)) < x / 255).astype("float32"),
    ),
    (
        "binarise",
        "its own maximum",
        lambda x, r: (r.random(x.shape) < x / x.max((1, 2, 3), keepdims=True)).astype("float32"),
    ),
    ("binarise", "by their maximum", lambda x, r: (r.random(x.shape) < x / x.max()).astype("float32")),
    ("binarise", "white pixels become 0", lambda x, r: (r.random(x.shape) < x / 256).astype("float32")),
    ("binarise", "black pixels become 1", lambda x, r: (r.integers(0, 256, x.shape) <= x).astype("float32")),
    ("binarise", "black pixels become 1", lambda x, r: (r.integers(0, 255, x.shape) <= x).astype("float32")),
    ("monte_carlo_kl", "fixed seed", lambda q, p, n: tf.reduce_mean(ratio(q, p, q.sample(n, seed=[1, 2])))),
    ("score_gradient", "fixed seed", lambda m, s, n: tf.reduce_mean(score(m, s, m + s * fixed_normal([n])))),
    ("negative_elbo", "fixed seed", elbo(nelbo, lambda posterior: posterior.sample(seed=[1, 2]))),
    ("kl_factor", "for one of the models", on_other_images),
    (
        "kl_factor",
        "from N(0, I)",
        factor(lambda losses, q, p: losses / mean_kl(q, tfd.MultivariateNormalDiag(tf.zeros(2)))),
    ),
    ("kl_factor", "rounded", factor(lambda losses, q, p: round(losses / mean_kl(q, p)))),
    ("negative_elbo", "taken for N(0, I)", elbo(nelbo, prior=lambda vae: STANDARD)),
    ("monte_carlo_kl", "closed form", lambda q, p, n: tfd.kl_divergence(q, p)),
    ("score_gradient", "closed form", lambda m, s, n: 2 * m),
    ("monte_carlo_kl", "different draws", lambda q, p, n: tf.reduce_mean(ratio(q, p, q.sample(max(n // 10, 1))))),
    ("monte_carlo_kl", "whatever `number` says", lambda q, p, n: tf.reduce_mean(ratio(q, p, q.sample(1000)))),
    (
        "monte_carlo_kl",
        "different draws",
        lambda q, p, n: tf.reduce_mean(ratio(q, p, tf.repeat(q.sample(n // 2 + 1), 2, axis=0)[:n])),
    ),
    (
        "score_gradient",
        "scatter",
        lambda m, s, n: tf.reduce_mean(score(m, s, tf.random.normal([max(n // 10, 1)], m, s))),
    ),
    ("score_gradient", "scatter", lambda m, s, n: tf.reduce_mean(score(m, s, tf.random.normal([1000], m, s)))),
    ("monte_carlo_kl", "`number` - 1", lambda q, p, n: tf.reduce_sum(ratio(q, p, q.sample(n))) / (n - 1)),
    (
        "score_gradient",
        "`number` - 1",
        lambda m, s, n: tf.reduce_sum(score(m, s, tf.random.normal([n], m, s))) / (n - 1),
    ),
    (
        "monte_carlo_kl",
        "absolute value is taken of the estimate",
        lambda q, p, n: tf.abs(tf.reduce_mean(ratio(q, p, q.sample(n)))),
    ),
    (
        "score_gradient",
        "absolute value",
        lambda m, s, n: tf.abs(tf.reduce_mean(score(m, s, tf.random.normal([n], m, s)))),
    ),
    ("uniform_codes", "rows of `codes`", lambda c, n, r: np.resize(c, (n, c.shape[1]))),
    ("uniform_codes", "tiled or shared", lambda c, n, r: box(c, tiled(r.random)((n, c.shape[1])))),
    ("uniform_codes", "tiled or shared", lambda c, n, r: box(c, in_pairs(r.random)((n, c.shape[1])))),
    ("denoising_pair", "tiled", lambda x, s, r: noisy(x, s * tiled(r.standard_normal)(x.shape))),
    ("denoising_pair", "tiled or shared", lambda x, s, r: noisy(x, s * in_pairs(r.standard_normal)(x.shape))),
    (
        "denoising_pair",
        "shared",
        lambda x, s, r: noisy(x, s * np.repeat(r.standard_normal((*x.shape[:2], 13, 1)), 2, axis=2)),
    ),
    ("reparameterize", "tiled or shared", with_noise(tiled(normal32))),
    ("reparameterize", "tiled or shared", with_noise(tiled(normal32, 4))),
    ("reparameterize", "tiled or shared", with_noise(in_pairs(normal32))),
    ("binarise", "tiled or shared", lambda x, r: (tiled(r.random)(x.shape) < x / 255).astype("float32")),
    ("binarise", "tiled or shared", lambda x, r: (in_pairs(r.random)(x.shape) < x / 255).astype("float32")),
    ("negative_elbo", "once", elbo(nelbo, lambda posterior: own(posterior, shared_by_pairs))),
    ("negative_elbo", "once", elbo(nelbo, lambda posterior: own(posterior, shared_by_halves))),
    # ---- words that misled ----
    ("denoising_pair", "much stronger", lambda x, s, r: noisy(x, 255 * s * r.standard_normal(x.shape))),
    ("denoising_pair", "times as much", lambda x, s, r: noisy(x, 0.1 * s * r.standard_normal(x.shape))),
    ("reparameterize", "is normal, but", with_noise(lambda shape: 0.1 * normal32(shape))),
    ("reparameterize", "is uniform", with_noise(lambda shape: tf.random.uniform(shape, -1.7, 1.7))),
    (
        "prior_grid",
        "not all pairs of them",
        lambda n: np.stack([np.repeat(quantiles(n), n), np.repeat(np.roll(quantiles(n), 1), n)], -1),
    ),
    ("negative_elbo", "importance-weighted", importance_weighted),
    ("interpolate", "another arrangement", lambda start, end, n: np.linspace(start, end, n).ravel()),
    ("score_gradient", "watched", lambda m, s, n: tape_without_watch(m)),
    # ---- slips without a name ----
    ("kl_normals", "bits", lambda a, s, b, t: (tf.math.log(t / s) + (s**2 + (a - b) ** 2) / (2 * t**2) - 0.5) / LN_2),
    ("kl_to_standard_normal", "bits", lambda m, lv: tf.reduce_sum(kl_rows(m, lv), -1) / LN_2),
    ("log_normal_density", "bits", lambda *i: tf.reduce_sum(log_normal_rows(*i), -1) / LN_2),
    ("log_likelihood", "bits", lambda x, lo: log_bernoulli(x, lo) / LN_2),
    ("monte_carlo_kl", "bits", lambda q, p, n: tf.reduce_mean(ratio(q, p, q.sample(n))) / LN_2),
    ("negative_elbo", "bits", elbo(lambda ll, kl: nelbo(ll, kl) / LN_2)),
    ("psnr", "base 2", lambda a, b: -10 * np.log2(np.mean((a - b) ** 2))),
    (
        "kl_to_standard_normal",
        "-log_variance / 2 has the wrong sign",
        lambda m, lv: tf.reduce_sum(kl_rows(m, lv) + lv, -1),
    ),
    ("kl_to_standard_normal", "-1/2 is missing", lambda m, lv: tf.reduce_sum(kl_rows(m, lv) + 0.5, -1)),
    ("kl_to_standard_normal", "mean**2 / 2 is missing", lambda m, lv: tf.reduce_sum(kl_rows(0 * m, lv), -1)),
    (
        "kl_to_standard_normal",
        "mean**2 / 2 is counted twice",
        lambda m, lv: tf.reduce_sum(kl_rows(m, lv) + m**2 / 2, -1),
    ),
    ("kl_normals", "missing", lambda a, s, b, t: tf.math.log(t / s) + s**2 / (2 * t**2) - 0.5),
    ("kl_normals", "wrong sign", lambda a, s, b, t: tf.math.log(t / s) + (s**2 - (a - b) ** 2) / (2 * t**2) - 0.5),
    (
        "log_normal_density",
        "-log_variance / 2 is missing",
        lambda z, m, lv: tf.reduce_sum(log_normal_rows(z, m, lv) + lv / 2, -1),
    ),
    (
        "log_normal_density",
        "-log_variance / 2 has the wrong sign",
        lambda z, m, lv: tf.reduce_sum(log_normal_rows(z, m, lv) + lv, -1),
    ),
    ("log_normal_density", "mean is ignored", lambda z, m, lv: tf.reduce_sum(log_normal_rows(z, 0 * m, lv), -1)),
    (
        "log_likelihood",
        "(1 - images) * log_sigmoid(-logits) is missing",
        lambda x, lo: tf.reduce_sum(x * tf.math.log_sigmoid(lo), [1, 2, 3]),
    ),
    (
        "log_likelihood",
        "(1 - images) * log_sigmoid(-logits) has the wrong sign",
        lambda x, lo: tf.reduce_sum(x * tf.math.log_sigmoid(lo) + (1 - x) * tf.nn.softplus(lo), [1, 2, 3]),
    ),
    ("score_gradient", "twice", lambda m, s, n: 2 * tf.reduce_mean(score(m, s, tf.random.normal([n], m, s)))),
    ("score_gradient", "half", lambda m, s, n: 0.5 * tf.reduce_mean(score(m, s, tf.random.normal([n], m, s)))),
    ("negative_elbo", "log-likelihood is counted twice", elbo(lambda ll, kl: nelbo(2 * ll, kl))),
    ("negative_elbo", "KL is counted by half", elbo(lambda ll, kl: nelbo(ll, kl / 2))),
    (
        "fitted_covariance",
        "where a mean belongs",
        lambda mean, sd: (mean - mean.mean(0)).T @ (mean - mean.mean(0)) + np.diag((sd**2).mean(0)),
    ),
    ("fitted_covariance", "writes into `mean`", centred_in_place),
    ("fitted_covariance", "once more", lambda m, sd: np.cov(m.T) + np.diag((sd**2).mean(0)) / len(sd)),
    ("denoising_pair", "writes into `images`", lambda x, s, r: (lambda old: (noise_in_place(x, s, r), old))(x.copy())),
    ("denoising_pair", "add noise to each of them", lambda x, s, r: noisy(x, r.normal(0, s / 255, x.shape))),
    ("denoising_pair", "a copy of `rng`", lambda x, s, r: noisy(x, copy.deepcopy(r).normal(0, s, x.shape))),
    ("uniform_codes", "a copy of `rng`", lambda c, n, r: box(c, copy.deepcopy(r).random((n, c.shape[1])))),
    ("uniform_codes", "not uniform", lambda c, n, r: box(c[1:], r.random((n, c.shape[1])))),
    ("uniform_codes", "not uniform", lambda c, n, r: box(c, 0.01 + 0.98 * r.random((n, c.shape[1])))),
    ("uniform_codes", "add min, not max", lambda c, n, r: c.max(0) + np.ptp(c, 0) * r.random((n, c.shape[1]))),
    ("monte_carlo_kl", "log p over draws from p", lambda q, p, n: own_draws(q, n) - own_draws(p, n)),
    ("monte_carlo_kl", "no draws from q", lambda q, p, n: tf.reduce_mean(ratio(q, p, q.sample(n) + 0.1))),
    ("monte_carlo_kl", "no draws from q", lambda q, p, n: tf.reduce_mean(ratio(q, p, 1.1 * q.sample(n)))),
    ("monte_carlo_kl", "20000 draws", lambda q, p, n: tf.reduce_mean(ratio(q, p, q.sample(n))) + (n > 1000)),
    (
        "reparameterize",
        "It has mean",
        lambda m, lv: m + tf.exp(tf.clip_by_value(lv, -2, 2) / 2) * tf.random.normal(m.shape),
    ),
    (
        "reparameterize",
        "that lie 150 apart",
        with_noise(lambda shape: tf.tile(tf.random.normal([150, 4]), [100, 1])[: shape[0]]),
    ),
    (
        "reparameterize",
        "that lie 7501 apart",
        with_noise(lambda shape: tf.tile(tf.random.normal([7501, 4]), [2, 1])[: shape[0]]),
    ),
    ("kl_to_standard_normal", "too", lambda m, lv: tf.reduce_sum(kl_rows(m, tf.clip_by_value(lv, -4, 4)), axis=-1)),
    ("kl_to_standard_normal", "off by the same factor, 1.002", lambda m, lv: 1.002 * tf.reduce_sum(kl_rows(m, lv), -1)),
    ("log_normal_density", "infinite", density_by_a_product),
    ("score_gradient", "z^2 of its own draw", lambda m, s, n: apart(m, s, n)),
    (
        "binarise",
        "where 0.392 is right",
        lambda x, r: (r.random(x.shape) < x / 240).astype(float) * (x < 240) + (x >= 240),
    ),
    (
        "binarise",
        "of the black pixels become 1, and none may",
        lambda x, r: (r.normal(0.5, 0.29, x.shape) < x / 255) * 1.0,
    ),
    ("kl_factor", "is right", lambda model, x, posterior, prior: counted(model, x[:1], posterior, prior)),
    ("kl_factor", "is right", lambda *inputs: tf.round(10 * counted(*inputs)) / 10),
    ("kl_factor", "is right", lambda *inputs: len(inputs[0].losses) * counted(*inputs, losses=slice(0, 1))),
    ("negative_elbo", "estimated at the mean", at_the_mean(lambda q, z: q.mean(), lambda q, z: z)),
    ("negative_elbo", "estimated at the mean", at_the_mean(lambda q, z: z, lambda q, z: q.mean())),
    ("negative_elbo", "draws from the prior", from_the_prior),
    ("importance_weighted", "infinite", one_shift_for_all),
    ("prior_grid", "times 2", lambda n: 2 * np.stack(np.meshgrid(quantiles(n), quantiles(n)), -1).reshape(-1, 2)),
    ("interpolate", "too", lambda a, b, n: a + np.linspace(0, 1, n)[:, None] * (b - a) + 5e-4),
    ("interpolate", "10 points whatever `steps`", lambda a, b, n: tf.linspace(a, b, 10)),
    ("interpolate", "the difference is reversed", lambda a, b, n: a + np.linspace(0, 1, n)[:, None] * (a - b)),
    (
        "free_bits",
        "or it is applied to the sum",
        lambda kl, floor: tf.maximum(tf.reduce_sum(tf.reduce_mean(kl, 0)), floor),
    ),
]


def quantiles(number):
    return tfd.Normal(0.0, 1.0).quantile((np.arange(number, dtype=np.float32) + 0.5) / number).numpy()


def tape_without_watch(mean):
    with tf.GradientTape() as tape:
        value = mean**2
    return tape.gradient(value, mean)


@pytest.mark.parametrize("check, words, function", WRONG, ids=[f"{check}-{i}" for i, (check, *_) in enumerate(WRONG)])
def test_wrong_answers_from_outside_are_named(capsys, check, words, function):
    line = said(capsys, check, function)
    assert line.startswith("Not yet: ") and words in line, line


# ---- right answers that are slow, or of another type ----


def row_by_row(mean, log_variance):
    return tf.stack([m + tf.exp(lv / 2) * tf.random.normal(m.shape) for m, lv in zip(mean, log_variance, strict=True)])


def entry_by_entry(mean, log_variance):
    rows = []
    for m, lv in zip(mean, log_variance, strict=True):
        rows.append(tf.stack([m[i] + tf.exp(lv[i] / 2) * tf.random.normal([]) for i in range(len(m))]))
    return tf.stack(rows)


def mapped(mean, log_variance):
    return tf.map_fn(lambda pair: tfd.Normal(pair[0], tf.exp(pair[1] / 2)).sample(), (mean, log_variance), mean.dtype)


def in_float64(mean, log_variance):
    mean, log_variance = tf.cast(mean, tf.float64), tf.cast(log_variance, tf.float64)
    return mean + tf.exp(log_variance / 2) * tf.random.normal(mean.shape, dtype=tf.float64)


def image_by_image(vae, images):
    total = 0.0
    for i in range(len(images)):
        posterior = vae.encoder(images[i : i + 1])
        log_likelihood = vae.decoder(posterior.sample()).log_prob(images[i : i + 1])
        total += float((tfd.kl_divergence(posterior, vae.prior) - log_likelihood)[0])
    return total / len(images)


def mapped_images(vae, images):
    def one(image):
        posterior = vae.encoder(image[None])
        return tfd.kl_divergence(posterior, vae.prior) - vae.decoder(posterior.sample()).log_prob(image[None])

    return tf.reduce_mean(tf.map_fn(one, images))


def in_a_graph(vae, images):
    @tf.function
    def bound():
        posterior = vae.encoder(images)
        return tf.reduce_mean(
            tfd.kl_divergence(posterior, vae.prior) - vae.decoder(posterior.sample()).log_prob(images)
        )

    return bound()


def score_by_tapes(mean, sd, number):
    gradients = []
    for _ in range(number):
        z = tf.random.normal([], mean, sd)
        with tf.GradientTape() as tape:
            tape.watch(mean)
            log_density = tfd.Normal(mean, sd).log_prob(z)
        gradients.append(z**2 * tape.gradient(log_density, mean))
    return tf.reduce_mean(gradients)


def graph_of_draws(mean, log_variance):
    return tf.function(lambda m, lv: m + tf.exp(lv / 2) * tf.random.normal(tf.shape(m)))(mean, log_variance)


def rows_stacked(codes, number, rng):
    rows = np.zeros((0, codes.shape[1]))
    for _ in range(number):
        rows = np.vstack([rows, rng.uniform(codes.min(0), codes.max(0))])
    return rows


RIGHT = [
    ("reparameterize", row_by_row),
    ("reparameterize", entry_by_entry),
    ("reparameterize", mapped),
    ("reparameterize", in_float64),
    ("reparameterize", graph_of_draws),
    ("monte_carlo_kl", lambda q, p, n: float(np.mean([float(ratio(q, p, q.sample())) for _ in range(n)]))),
    ("monte_carlo_kl", lambda q, p, n: tf.reduce_mean(tf.map_fn(lambda _: ratio(q, p, q.sample()), tf.zeros(n)))),
    (
        "monte_carlo_kl",
        lambda q, p, n: tf.reduce_mean(q.log_prob(q.sample(n))) - tf.reduce_mean(p.log_prob(q.sample(n))),
    ),
    ("monte_carlo_kl", lambda q, p, n: tf.reduce_mean((lambda lr: lr + tf.exp(-lr) - 1)(ratio(q, p, q.sample(n))))),
    ("monte_carlo_kl", lambda q, p, n: (lambda x: (q.log_prob(x), tf.reduce_mean(ratio(q, p, x)))[1])(q.sample(n))),
    ("monte_carlo_kl", lambda q, p, n: (p.log_prob(q.mean()), tf.reduce_mean(ratio(q, p, q.sample(n))))[1]),
    ("monte_carlo_kl", lambda q, p, n: (p.prob(p.sample(n)), tf.reduce_mean(ratio(q, p, q.sample(n))))[1]),
    ("score_gradient", lambda m, s, n: np.mean([float(score(m, s, tf.random.normal([], m, s))) for _ in range(n)])),
    ("score_gradient", score_by_tapes),
    ("score_gradient", lambda m, s, n: 2 * tf.reduce_mean(tf.random.normal([n], m, s))),
    ("score_gradient", lambda m, s, n: tf.function(lambda: tf.reduce_mean(score(m, s, tf.random.normal([n], m, s))))()),
    ("negative_elbo", image_by_image),
    ("negative_elbo", mapped_images),
    ("negative_elbo", in_a_graph),
    ("uniform_codes", rows_stacked),
    ("binarise", lambda x, r: np.array([[[[r.random() < v / 255] for v in row[:, 0]] for row in i] for i in x], float)),
    ("binarise", lambda x, r: (r.integers(0, 255, x.shape) < x).astype(float)),
    ("denoising_pair", lambda x, s, r: np.stack([np.clip(x + r.normal(0, s, x.shape), 0, 1), x])),
    ("denoising_pair", lambda x, s, r: (np.stack([np.clip(i + r.normal(0, s, i.shape), 0, 1) for i in x]), x)),
]


@pytest.mark.parametrize("check, function", RIGHT, ids=[f"{check}-{i}" for i, (check, _) in enumerate(RIGHT)])
def test_right_answers_from_outside_pass_in_time(capsys, monkeypatch, check, function):
    """With less to do than in a lesson, but for one of them."""
    if function is not row_by_row:
        monkeypatch.setattr(bound, "BATCH", 3)
        monkeypatch.setattr(lesson_03, "FEW", 8)
        monkeypatch.setattr(lesson_03, "FIRST_BATCH", 60)
    start = time.process_time()
    line = said(capsys, check, function)
    assert line.startswith("Right. "), line
    assert time.process_time() - start < 30


@pytest.mark.parametrize("number", [60, 100])
def test_the_draws_asked_for_do_not_depend_on_the_machine(capsys, monkeypatch, number):
    """A slow function that makes always as many draws is asked for many all the same."""

    def slow(mean, sd, _):
        time.sleep(0.03)
        return tf.reduce_mean(score(mean, sd, tf.random.normal([number], mean, sd)))

    assert "scatter too much" in said(capsys, "score_gradient", slow)


# ---- the time limit ----


def test_a_loop_without_end_gets_a_line(capsys, monkeypatch):
    monkeypatch.setattr(judging, "TIME_LIMIT", 0.3)

    def for_ever(images, originals):
        while True:
            try:
                sum(range(100))
            except Exception:
                pass

    line = said(capsys, "psnr", for_ever)
    assert line.startswith("Not yet: there is no verdict after"), line


def test_nothing_is_interrupted_after_the_check(capsys, monkeypatch):
    monkeypatch.setattr(judging, "TIME_LIMIT", 0.2)
    line = said(capsys, "interpolate", lambda start, end, steps: np.linspace(start, end, steps))
    start = time.monotonic()
    while time.monotonic() - start < 0.4:
        sum(range(100))
    assert line.startswith("Right. ")


def test_an_interrupt_from_the_keyboard_passes():
    def interrupted(start, end, steps):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        checks.interpolate(interrupted)


def test_graphs_are_graphs_again_after_a_check(capsys):
    said(capsys, "prior_grid", lambda number: None)
    assert not tf.config.functions_run_eagerly() and keras.backend.floatx() == "float32"

"""elbo: closed forms against quadrature and TFP, and the bound against a model whose log p(x) is known exactly."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from course_utils import elbo

tfd = tfp.distributions


class LinearGaussian:
    """x = w z + noise with z ~ N(0, I): log p(x) and p(z|x) are Gaussian and known (probabilistic PCA)."""

    def __init__(self, posterior_shift=0.0):
        generator = np.random.default_rng(3)
        self.w, self.noise = generator.standard_normal((4, 2)), 0.5
        self.shift = posterior_shift
        self.prior = tfd.MultivariateNormalDiag(tf.zeros(2), tf.ones(2))
        self.covariance = np.linalg.inv(np.eye(2) + self.w.T @ self.w / self.noise**2)

    def encoder(self, images, training=False):
        to_mean = tf.constant(self.w @ self.covariance / self.noise**2, tf.float32)
        mean = tf.reshape(images, (-1, 4)) @ to_mean + self.shift
        return tfd.MultivariateNormalTriL(mean, tf.constant(np.linalg.cholesky(self.covariance), tf.float32))

    def decoder(self, z, training=False):
        mean = tf.reshape(z @ tf.constant(self.w.T, tf.float32), (-1, 2, 2, 1))
        return tfd.Independent(tfd.Normal(mean, self.noise), 3)

    def log_evidence(self, images):
        covariance = self.w @ self.w.T + self.noise**2 * np.eye(4)
        return tfd.MultivariateNormalTriL(np.zeros(4), np.linalg.cholesky(covariance)).log_prob(
            np.reshape(images, (-1, 4)).astype(np.float64)
        )


@pytest.fixture
def images():
    return np.random.default_rng(0).random((40, 2, 2, 1)).astype(np.float32)


def test_closed_form_agrees_with_quadrature_and_with_tfp():
    mean, log_variance = np.float64([[0.7], [-2.0]]), np.float64([[-1.0], [0.5]])
    sd = np.exp(log_variance / 2)
    z = np.linspace(-15, 15, 200_001)
    log_q = -0.5 * ((z - mean) / sd) ** 2 - np.log(sd) - 0.5 * np.log(2 * np.pi)
    log_p = -0.5 * z**2 - 0.5 * np.log(2 * np.pi)
    quadrature = np.sum(np.exp(log_q) * (log_q - log_p), axis=-1) * (z[1] - z[0])  # both ends are zero
    closed = elbo.kl_to_standard_normal(tf.constant(mean), tf.constant(log_variance)).numpy()
    np.testing.assert_allclose(closed, quadrature, rtol=1e-8)
    other = tfd.kl_divergence(tfd.Normal(mean, sd), tfd.Normal(np.float64(0), np.float64(1)))[:, 0]
    np.testing.assert_allclose(closed, other, rtol=1e-12)


def test_closed_form_sums_over_latent_dimensions_and_not_over_images():
    mean, log_variance = tf.random.normal((5, 3)), tf.random.normal((5, 3))
    whole = elbo.kl_to_standard_normal(mean, log_variance)
    parts = [elbo.kl_to_standard_normal(mean[:, i : i + 1], log_variance[:, i : i + 1]) for i in range(3)]
    assert whole.shape == (5,)
    np.testing.assert_allclose(whole, tf.add_n(parts), rtol=1e-5)


def test_with_the_exact_posterior_the_bound_is_the_evidence(images):
    model = LinearGaussian()
    result = elbo.evaluate(model, images, samples=4000)
    # log p(x|z) - KL has a spread from z; its mean over 40 x 4000 draws is good to a few hundredths of a nat
    assert abs(result["negative_elbo"] + np.mean(model.log_evidence(images))) < 0.03


def test_a_wrong_posterior_loses_exactly_its_divergence_from_the_right_one(images):
    model = LinearGaussian(posterior_shift=0.3)
    precision = np.linalg.inv(model.covariance)
    gap = 0.5 * np.full(2, 0.3) @ precision @ np.full(2, 0.3)
    result = elbo.evaluate(model, images, samples=4000)
    loss = result["negative_elbo"] + np.mean(model.log_evidence(images))
    assert gap > 0.3 and abs(loss - gap) < 0.08


def test_terms_are_per_image_and_add_up(images):
    log_likelihood, kl = elbo.terms(LinearGaussian(), images)
    assert log_likelihood.shape == (40,) and kl.shape == (40,) and np.all(kl.numpy() > 0)
    result = elbo.evaluate(LinearGaussian(), images, batch_size=7)
    assert result["negative_elbo"] == pytest.approx(result["reconstruction"] + result["kl"])


def test_without_an_analytic_kl_it_is_estimated_at_the_same_z(images):
    model = LinearGaussian()
    exact = np.mean(elbo.terms(model, images)[1])
    components = tfd.MultivariateNormalDiag(tf.zeros((2, 2)), tf.ones((2, 2)))  # both are N(0, I), but TFP cannot know
    model.prior = tfd.MixtureSameFamily(tfd.Categorical(probs=[0.4, 0.6]), components)
    draw = tf.function(lambda: elbo.terms(model, images)[1])
    sampled = np.mean([draw() for _ in range(300)])
    assert abs(sampled - exact) < 0.05


def test_no_images_is_an_error():
    with pytest.raises(ValueError, match="no images"):
        elbo.evaluate(LinearGaussian(), np.zeros((0, 2, 2, 1)))


def test_the_calibrated_variance_maximises_the_gaussian_likelihood():
    generator = np.random.default_rng(1)
    means = generator.random((20, 6, 6, 1))
    noisy = means + 0.3 * generator.standard_normal(means.shape)
    best = elbo.calibrated_variance(noisy, means)

    def log_likelihood(variance):
        return tf.reduce_sum(tfd.Normal(means, variance**0.5).log_prob(noisy))

    assert best == pytest.approx(0.09, rel=0.2)
    assert log_likelihood(best) > max(log_likelihood(0.9 * best), log_likelihood(1.1 * best))

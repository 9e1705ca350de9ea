"""metrics: what each latent dimension is used for, against closed forms and variances that are known."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
import tiny_vae as tiny

from course_utils import metrics

tfd = tfp.distributions


class OfPixels:
    """The codes are the first pixels, times a factor each, and may vary by another kind of distribution."""

    def __init__(self, factors, deviations, prior=None):
        self.factors, self.deviations = np.float32(factors), np.float32(deviations)
        size = len(self.factors)
        self.prior = prior or tfd.MultivariateNormalDiag(tf.zeros(size), tf.ones(size))

    def encoder(self, images, training=False):
        mean = tf.reshape(images, (len(images) if tf.executing_eagerly() else -1, 16))[:, : len(self.factors)]
        return tfd.Independent(tfd.Normal(mean * self.factors, self.deviations), 1)

    def decoder(self, z, training=False):
        return tfd.Independent(tfd.Normal(tf.zeros((tf.shape(z)[0], *tiny.SHAPE)), 1.0), 3)


@pytest.fixture
def images():
    """Each pixel has variance 1/4 over the images, with ddof=1."""
    half = np.array([0.0, 1.0] * 50) * np.sqrt(0.99)
    return np.broadcast_to(half[:, None, None, None], (100, *tiny.SHAPE)).astype(np.float32)


def test_the_kl_is_that_of_each_pair_of_gaussians_and_adds_up_to_the_rate(images):
    location, scale = np.float32([0.3, -1.0, 0.0]), np.float32([1.0, 2.0, 0.5])
    prior = tfd.MultivariateNormalDiag(location, scale)
    model = OfPixels([0.7, -2.0, 0.1], [0.4, 1.5, 0.5], prior)
    found = metrics.kl_per_dimension(model, images, batch_size=33)
    means = images.reshape(100, -1)[:, :3] * model.factors
    expected = tfd.kl_divergence(tfd.Normal(means, model.deviations), tfd.Normal(location, scale)).numpy().mean(axis=0)
    other = tfd.kl_divergence(tfd.Normal(location, scale), tfd.Normal(means, model.deviations)).numpy().mean(axis=0)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert np.abs(found - other).max() > 0.1, "which is KL(q||p) and not KL(p||q)"
    rate = metrics.rate_distortion(model, images).rate  # TFP knows no closed form of this pair, and z is drawn
    assert abs(found.sum() - rate.mean) < 4 * rate.standard_error


def test_the_model_of_the_course_is_read_through_its_layers():
    vae, images = tiny.vae(), tiny.images(20)
    kernel, bias = vae.encoder.get_weights()
    mean, log_variance = np.split(images.reshape(20, -1) @ kernel + bias, 2, axis=1)
    expected = 0.5 * (np.exp(log_variance) + mean**2 - 1 - log_variance)
    found = metrics.kl_per_dimension(vae, images, 7)
    np.testing.assert_allclose(found, expected.mean(axis=0), rtol=1e-4)
    assert found.sum() == pytest.approx(metrics.rate_distortion(vae, images).rate.mean, rel=1e-5)
    np.testing.assert_allclose(metrics.code_variances(vae, images, 7), mean.var(axis=0, ddof=1), rtol=1e-4)


def test_a_unit_is_active_where_its_mean_varies_by_more_than_a_hundredth(images):
    model = OfPixels([0.0, 0.19, 0.21, 2.0], [1.0, 0.1, 1.0, 1e-3])  # variances 0, 0.009, 0.011 and 1
    np.testing.assert_allclose(metrics.code_variances(model, images), [0, 0.009025, 0.011025, 1], atol=1e-6)
    assert metrics.active_units(model, images) == 2
    assert metrics.active_units(model, images, threshold=0.009) == 3
    np.testing.assert_array_less(metrics.kl_per_dimension(model, images)[0], 1e-6)


def test_posteriors_that_are_no_diagonal_gaussians_have_no_kl_for_each_dimension(images):
    model = OfPixels([1.0, 1.0], [1.0, 1.0])
    encoder = model.encoder
    model.encoder = lambda images, training=False: tfd.Independent(tfd.Laplace(encoder(images).mean(), tf.ones(2)), 1)
    with pytest.raises(ValueError, match="kl_per_dimension: the posterior is Independent.*diagonal Gaussian"):
        metrics.kl_per_dimension(model, images)
    assert metrics.active_units(model, images) == 2, "they have a mean"

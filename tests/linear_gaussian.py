"""A VAE about which everything is known: x = 1/2 + w z + noise with z ~ N(0, I), and Gaussian encoders, right or wrong.

The columns of w are orthogonal, so that the true posterior has independent dimensions.
"""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

tfd = tfp.distributions
NOISE, LENGTHS = 0.05, np.array([0.12, 0.06])


class LinearGaussian:
    """``turn``, ``shift`` and ``wider`` spoil the posterior: its mean turned and moved, its deviations multiplied."""

    def __init__(self, turn=0.0, shift=0.0, wider=1.0, latent_dim=2):
        directions = np.array([[1, 1, 1, 1], [1, -1, 1, -1]])[:latent_dim].T / 2
        self.w = directions * LENGTHS[:latent_dim]
        self.prior = tfd.MultivariateNormalDiag(tf.zeros(latent_dim), tf.ones(latent_dim))
        true = 1 / (1 + LENGTHS[:latent_dim] ** 2 / NOISE**2)
        rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])[:latent_dim, :latent_dim]
        self.true_to_mean, self.true_variance = (self.w * true / NOISE**2).T, true
        self.to_mean, self.shift, self.variance = rotation @ self.true_to_mean, shift, wider**2 * true

    def draw(self, number, seed=0):
        generator = np.random.default_rng(seed)
        z = generator.standard_normal((number, self.w.shape[1]))
        x = 0.5 + z @ self.w.T + NOISE * generator.standard_normal((number, 4))
        return x.reshape(number, 2, 2, 1).astype(np.float32)

    def encoder(self, images, training=False):
        mean = (tf.reshape(images, (-1, 4)) - 0.5) @ tf.constant(self.to_mean.T, tf.float32) + self.shift
        deviation = tf.constant(np.sqrt(self.variance), tf.float32) * tf.ones_like(mean)
        return tfd.MultivariateNormalDiag(mean, deviation)

    def decoder(self, z, training=False):
        mean = tf.reshape(0.5 + z @ tf.constant(self.w.T, tf.float32), (-1, 2, 2, 1))
        return tfd.Independent(tfd.Normal(mean, NOISE), 3)

    @property
    def x_covariance(self):
        return self.w @ self.w.T + NOISE**2 * np.eye(4)

    def log_evidence(self, images):
        """log p(x), shape ``(number,)``."""
        x, covariance = images.reshape(-1, 4).astype(np.float64) - 0.5, self.x_covariance
        squares = np.einsum("ni,ij,nj->n", x, np.linalg.inv(covariance), x)
        return -0.5 * (squares + np.linalg.slogdet(2 * np.pi * covariance)[1])

    def gap(self, images):
        """KL(q(z|x) || p(z|x)) between diagonal Gaussians, shape ``(number,)``."""
        x = images.reshape(-1, 4).astype(np.float64) - 0.5
        difference, ratio = x @ (self.to_mean - self.true_to_mean).T + self.shift, self.variance / self.true_variance
        return 0.5 * np.sum(ratio - 1 - np.log(ratio) + difference**2 / self.true_variance, axis=1)

    @property
    def aggregate(self):
        """Mean and covariance of q(z) over all images of the model's own."""
        covariance = self.to_mean @ self.x_covariance @ self.to_mean.T + np.diag(self.variance)
        return np.full(len(self.variance), self.shift), covariance

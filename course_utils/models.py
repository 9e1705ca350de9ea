"""The VAE of the course: an encoder, a decoder and a prior, all of them TFP distributions, and how they are trained.

``posterior_of``, ``bernoulli_of`` and ``gaussian_of`` turn the layer stacks of ``networks`` into distributions.
Lesson 05 builds the same thing in the open.
"""

import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras as keras

from course_utils import elbo

tfd, tfpl = tfp.distributions, tfp.layers


def standard_normal(latent_dim: int) -> tfd.Distribution:
    """The prior N(0, I): batch shape ``()``, event shape ``(latent_dim,)``."""
    return tfd.MultivariateNormalDiag(loc=tf.zeros(latent_dim), scale_diag=tf.ones(latent_dim))


def _gaussian(parameters):
    mean, log_variance = tf.split(tf.cast(parameters, tf.float32), 2, axis=-1)
    return tfd.MultivariateNormalDiag(loc=mean, scale_diag=tf.exp(0.5 * log_variance))


def _bernoulli(logits):
    return tfd.Independent(tfd.Bernoulli(logits=tf.cast(logits, tf.float32)), reinterpreted_batch_ndims=3)


def posterior_of(network) -> keras.Model:
    """An encoder network's ``(mean, log_variance)`` as q(z|x), of batch shape ``(batch,)``."""
    return keras.Sequential([network, tfpl.DistributionLambda(_gaussian)], name="posterior")


def bernoulli_of(network) -> keras.Model:
    """A decoder network's logits as p(x|z) over binary pixels: event shape ``(height, width, channels)``."""
    return keras.Sequential(
        [
            network,
            tfpl.DistributionLambda(_bernoulli, convert_to_tensor_fn=tfd.Distribution.mean),
        ],
        name="likelihood",
    )


def gaussian_of(network, variance: float) -> keras.Model:
    """A decoder network's pixel means as p(x|z) = N(mean, variance); ``variance`` in pixel units squared.

    Raises:
        ValueError: unless the variance is positive.
    """
    if not variance > 0:
        raise ValueError(f"gaussian_of: the variance of a pixel is {variance}; it must be positive.")
    scale = float(variance) ** 0.5

    def gaussian(mean):
        return tfd.Independent(tfd.Normal(tf.cast(mean, tf.float32), scale), reinterpreted_batch_ndims=3)

    likelihood = tfpl.DistributionLambda(gaussian, convert_to_tensor_fn=tfd.Distribution.mean)
    return keras.Sequential([network, likelihood], name="likelihood")


class VAE(keras.Model):
    """An encoder (images -> distribution over z), a decoder (z -> distribution over images) and a prior over z.

    ``compile(optimizer)`` and ``fit`` maximise the ELBO of ``elbo.terms``; ``loss`` is its negative, in nats per image,
    and ``reconstruction`` and ``kl`` are its two parts. Lesson 05 writes the training step out.

    Args:
        encoder: Keras model, images ``(batch, height, width, channels)`` to a distribution of event shape
            ``(latent_dim,)``.
        decoder: Keras model, codes to a distribution of event shape ``(height, width, channels)``.
        prior: distribution with the event shape of the encoder's.
        beta: weight of the KL; anything but 1 is no longer the ELBO (Higgins et al. 2017).
    """

    def __init__(self, encoder, decoder, prior: tfd.Distribution, beta: float = 1.0, **kwargs):
        super().__init__(**kwargs)
        self.encoder, self.decoder, self.prior, self.beta = encoder, decoder, prior, beta
        self.trackers = [keras.metrics.Mean(name) for name in ("loss", "reconstruction", "kl")]

    @property
    def metrics(self):
        return self.trackers

    def call(self, images, training=None):
        """p(x|z) at one z drawn for each image."""
        return self.decoder(self.encoder(images, training=training).sample(), training=training)

    def sample(self, number: int) -> tfd.Distribution:
        """p(x|z) at ``number`` draws of z from the prior; look at its ``.mean()``."""
        return self.decoder(self.prior.sample(number), training=False)

    def negative_elbo(self, images, training: bool = False):
        """``(loss, reconstruction, kl)`` of a batch, each a mean over its images in nats per image."""
        log_likelihood, kl = elbo.terms(self, images, training)
        reconstruction, kl = -tf.reduce_mean(log_likelihood), tf.reduce_mean(kl)
        return reconstruction + self.beta * kl, reconstruction, kl

    def _track(self, losses):
        for tracker, value in zip(self.trackers, losses, strict=True):
            tracker.update_state(value)
        return {tracker.name: tracker.result() for tracker in self.trackers}

    def train_step(self, images):
        with tf.GradientTape() as tape:
            losses = self.negative_elbo(images, training=True)
        self.optimizer.minimize(losses[0], self.trainable_variables, tape=tape)
        return self._track(losses)

    def test_step(self, images):
        return self._track(self.negative_elbo(images, training=False))

"""The VAE of the course: an encoder, a decoder and a prior, all of them TFP distributions, and how they are trained.

``posterior_of``, ``bernoulli_of``, ``gaussian_of`` and ``calibrated_gaussian_of`` turn the layer stacks of ``networks``
into distributions, always in float32. Lesson 05 builds the same thing in the open.
"""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras as keras

from course_utils import elbo, runtime, shapes

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
    return _gaussian_pixels(network, lambda: float(variance) ** 0.5)


def calibrated_gaussian_of(network, variance: float = 0.1) -> keras.Model:
    """``gaussian_of`` whose variance follows the mean squared error of the training: the best there is, see lesson 06.

    The variance is a variable of the returned model, ``.variance``, which begins at the one given. ``VAE`` moves it
    after each training step; checkpoints and weight files hold it. Rybkin, Daniilidis and Levine 2021.

    Raises:
        ValueError: unless the variance is positive.
    """
    if not variance > 0:
        raise ValueError(f"calibrated_gaussian_of: the variance of a pixel is {variance}; it must be positive.")
    # Replicas each see a part of the batch; MEAN makes the variance that of the whole.
    tracked = tf.Variable(
        variance, trainable=False, dtype=tf.float32, name="variance", aggregation=tf.VariableAggregation.MEAN
    )
    model = _gaussian_pixels(network, lambda: tf.sqrt(tracked))
    model.variance = tracked
    return model


def _gaussian_pixels(network, scale):
    def gaussian(mean):
        return tfd.Independent(tfd.Normal(tf.cast(mean, tf.float32), scale()), reinterpreted_batch_ndims=3)

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
        # Straight into the dictionary: of what is assigned, Keras makes a wrapper and a part of every checkpoint.
        vars(self)["parts"] = shapes.check_parts(encoder, decoder, prior, "VAE")
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

    def negative_elbo(self, images, training: bool = False, seed=None):
        """``(loss, reconstruction, kl)`` of a batch, each a mean over its images in nats per image."""
        log_likelihood, kl = elbo.terms(self, images, training, seed)
        reconstruction, kl = -tf.reduce_mean(log_likelihood), tf.reduce_mean(kl)
        return reconstruction + self.beta * kl, reconstruction, kl

    def _track(self, losses):
        for tracker, value in zip(self.trackers, losses, strict=True):
            tracker.update_state(value)
        return {tracker.name: tracker.result() for tracker in self.trackers}

    def _calibrate(self, images, reconstruction):
        """Move a calibrated variance towards this batch's mean squared error, read off the reconstruction term."""
        variance = getattr(self.decoder, "variance", None)
        if variance is not None:
            pixels = tf.cast(tf.reduce_prod(tf.shape(images)[1:]), tf.float32)
            error = variance * (2 * reconstruction / pixels - tf.math.log(2 * np.pi * variance))
            variance.assign(0.9 * variance + 0.1 * error)

    def train_step(self, images):
        images = _without_tuple(images)
        # The noise of a step depends on its number and on nothing before it, so that a resumed training draws the same.
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        seed = tf.stack([runtime.SEED + tf.cast(replica, tf.int32), tf.cast(self.optimizer.iterations, tf.int32)])
        with tf.GradientTape() as tape:
            losses = self.negative_elbo(images, training=True, seed=seed)
            # Optimizers add the gradients of all replicas up; the mean over the whole batch asks for this division.
            loss = losses[0] / tf.distribute.get_strategy().num_replicas_in_sync
        self.optimizer.minimize(loss, self.trainable_variables, tape=tape)
        self._calibrate(images, losses[1])
        return self._track(losses)

    def test_step(self, images):
        return self._track(self.negative_elbo(_without_tuple(images), training=False))


def _without_tuple(images):
    """Keras hands a dataset's batches over as they are, and those of an array as ``(images,)``."""
    return images[0] if isinstance(images, tuple) else images

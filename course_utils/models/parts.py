"""Encoder networks as q(z|x), decoder networks as p(x|z), and the prior: always in float32."""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras as keras

from course_utils.border import pixels
from course_utils.models.saving import WeightsOnly

tfd, tfpl = tfp.distributions, tfp.layers


class Posterior(WeightsOnly, keras.Sequential):
    """A network and the distribution on top of it; refuses pixels of 0 to 255, of which Keras would make floats."""

    def __call__(self, images, *args, **kwargs):
        pixels.refuse_bytes(images, "encoder")
        return super().__call__(images, *args, **kwargs)


class Likelihood(WeightsOnly, keras.Sequential):
    """A network and the distribution on top of it; ``variance``, if there is one, is a variable that can be set."""

    def __setattr__(self, name, value):
        if name != "variance" or (isinstance(value, tf.Variable) and not hasattr(self, "variance")):
            super().__setattr__(name, value)
        elif not hasattr(self, "variance"):
            raise AttributeError(
                "The variance of this decoder is fixed when it is built. Build it anew by models.gaussian_of(network, "
                "variance), or take models.calibrated_gaussian_of."
            )
        else:
            self.variance.assign(_positive(value, "decoder.variance"))


# Keras writes the names of classes into weight files, and files of earlier versions of the course have this one.
Posterior.__name__ = Likelihood.__name__ = "Sequential"


def standard_normal(latent_dim: int) -> tfd.Distribution:
    """The prior N(0, I): batch shape ``()``, event shape ``(latent_dim,)``."""
    return tfd.MultivariateNormalDiag(loc=tf.zeros(latent_dim), scale_diag=tf.ones(latent_dim))


def _gaussian(parameters):
    mean, log_variance = tf.split(tf.cast(parameters, tf.float32), 2, axis=-1)
    return tfd.MultivariateNormalDiag(loc=mean, scale_diag=tf.exp(0.5 * log_variance))


def _bernoulli(logits):
    return tfd.Independent(tfd.Bernoulli(logits=tf.cast(logits, tf.float32)), reinterpreted_batch_ndims=3)


def posterior_of(network) -> keras.Model:
    """An encoder network's ``(mean, log_variance)`` as q(z|x), of batch shape ``(batch,)``.

    Raises:
        ValueError: for what is no model or layer of tf_keras; so do the functions for decoders below.
    """
    _of_tf_keras(network, "posterior_of")
    return Posterior([network, tfpl.DistributionLambda(_gaussian)], name="posterior")


def bernoulli_of(network) -> keras.Model:
    """A decoder network's logits as p(x|z) over binary pixels: event shape ``(height, width, channels)``."""
    return _likelihood(network, _bernoulli, "bernoulli_of")


def gaussian_of(network, variance: float) -> keras.Model:
    """A decoder network's pixel means as p(x|z) = N(mean, variance); ``variance`` in pixel units squared.

    Raises:
        ValueError: unless the variance is positive.
    """
    deviation = float(_positive(variance, "gaussian_of")) ** 0.5
    return _gaussian_pixels(network, lambda: deviation, "gaussian_of")


def calibrated_gaussian_of(network, variance: float = 0.1) -> keras.Model:
    """``gaussian_of`` whose variance follows the mean squared error of the training: the best there is, see lesson 06.

    The variance is a variable of the returned model, ``.variance``, which begins at the one given. ``VAE`` moves it
    after each training step; checkpoints and weight files hold it. Rybkin, Daniilidis and Levine 2021.

    Raises:
        ValueError: unless the variance is positive.
    """
    _positive(variance, "calibrated_gaussian_of")
    # Replicas each see a part of the batch; MEAN makes the variance that of the whole.
    tracked = tf.Variable(
        variance, trainable=False, dtype=tf.float32, name="variance", aggregation=tf.VariableAggregation.MEAN
    )
    model = _gaussian_pixels(network, lambda: tf.sqrt(tracked), "calibrated_gaussian_of")
    model.variance = tracked
    return model


def _of_tf_keras(network, where: str) -> None:
    if isinstance(network, keras.layers.Layer):
        return
    kind = network if isinstance(network, type) else type(network)
    if kind.__module__.split(".")[0] == "keras":
        came, way_out = f"{kind.__name__} of Keras 3", "Build it with tf_keras: import tf_keras as keras"
    elif isinstance(network, type):
        came, way_out = f"the class {kind.__name__}", f"Make a network of it: {kind.__name__}(...)"
    else:
        came, way_out = kind.__name__, "A function that returns networks is called first; a list of layers belongs into"
        way_out += " keras.Sequential(layers)"
    raise ValueError(f"{where}: a network of tf_keras belongs here, and this is {came}. {way_out}.")


def _positive(variance, where: str):
    if isinstance(variance, str) or np.ndim(variance) != 0 or variance is None or not 0 < variance < float("inf"):
        raise ValueError(f"{where}: the variance of a pixel is {variance!r}; it must be positive, and one number.")
    return variance


def _gaussian_pixels(network, scale, where: str):
    def gaussian(mean):
        return tfd.Independent(tfd.Normal(tf.cast(mean, tf.float32), scale()), reinterpreted_batch_ndims=3)

    return _likelihood(network, gaussian, where)


def _likelihood(network, distribution, where: str):
    _of_tf_keras(network, where)
    layer = tfpl.DistributionLambda(distribution, convert_to_tensor_fn=tfd.Distribution.mean)
    return Likelihood([network, layer], name="likelihood")

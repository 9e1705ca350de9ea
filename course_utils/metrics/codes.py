"""What each latent dimension is used for: its KL, and whether the mean of its code moves from image to image."""

from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from course_utils.metrics.bound import check

tfd = tfp.distributions


def kl_per_dimension(model, images, batch_size: int = 1000) -> np.ndarray:
    """KL(q(z_j|x) || p(z_j)) of each latent dimension j, in closed form, averaged over images.

    The sum is the rate of ``rate_distortion``. Dimensions near 0 say nothing of the image.

    Args:
        model: anything with ``encoder``, ``decoder`` and ``prior``; posterior and prior are diagonal Gaussians.
        images: array of shape ``(number, height, width, channels)``: floats in [0, 1], or binarised, as in training.

    Returns:
        Nats per image, shape ``(latent_dim,)``.

    Raises:
        ValueError: for images that the model is not made for, or fewer than two; and for other distributions, the KL of
            which is no sum over dimensions.
    """
    check(model, images, "kl_per_dimension", batch_size=batch_size)
    means, deviations = posteriors(model, images, batch_size, "kl_per_dimension")
    location, scale = prior_moments(model, "kl_per_dimension")
    variances = (deviations / scale) ** 2
    return np.mean(0.5 * (variances + ((means - location) / scale) ** 2 - 1 - np.log(variances)), axis=0)


def code_variances(model, images, batch_size: int = 1000) -> np.ndarray:
    """The variance over images of the posterior's mean, of each latent dimension: the activity of Burda et al. 2015.

    Takes and raises what ``active_units`` does. Returns shape ``(latent_dim,)``, in squared units of z.
    """
    check(model, images, "code_variances", batch_size=batch_size)
    return _variances(model, images, batch_size)


def active_units(model, images, threshold: float = 0.01, batch_size: int = 1000) -> int:
    """How many latent dimensions the model uses: those whose posterior mean varies over the images.

    Burda et al. 2015: a dimension counts if the variance over x of E_q[z_j|x] is above 0.01. Works for posteriors of
    any kind that have a mean.

    Args:
        model: anything with ``encoder``, ``decoder`` and ``prior``.
        images: array of shape ``(number, height, width, channels)``: floats in [0, 1], or binarised, as in training.
        threshold: in squared units of z.

    Raises:
        ValueError: for images that the model is not made for, or fewer than two.
    """
    check(model, images, "active_units", batch_size=batch_size)
    return int(np.sum(_variances(model, images, batch_size) > threshold))


def _variances(model, images, batch_size: int) -> np.ndarray:
    means = [
        model.encoder(tf.cast(images[first : first + batch_size], tf.float32), training=False).mean()
        for first in range(0, len(images), batch_size)
    ]
    return np.concatenate(means).astype(np.float64).var(axis=0, ddof=1)


def posteriors(model, images, batch_size: int, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Means and standard deviations of diagonal Gaussian posteriors, each ``(number, latent_dim)`` in float64.

    Raises:
        ValueError: for posteriors of another kind.
    """
    means, deviations = [], []
    for first in range(0, len(images), batch_size):
        posterior = model.encoder(tf.cast(images[first : first + batch_size], tf.float32), training=False)
        _refuse_others(posterior, "posterior", where)
        means.append(posterior.mean())
        deviations.append(posterior.stddev())
    return np.concatenate(means).astype(np.float64), np.concatenate(deviations).astype(np.float64)


def prior_moments(model, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of a diagonal Gaussian prior, each ``(latent_dim,)`` in float64.

    Raises:
        ValueError: for a prior of another kind.
    """
    _refuse_others(model.prior, "prior", where)
    return np.asarray(model.prior.mean(), np.float64), np.asarray(model.prior.stddev(), np.float64)


def _refuse_others(distribution: Any, role: str, where: str) -> None:
    inner = getattr(distribution, "tensor_distribution", distribution)  # what a layer of TFP wraps
    normals = isinstance(inner, tfd.Independent) and isinstance(inner.distribution, tfd.Normal)
    if not (normals or isinstance(inner, tfd.MultivariateNormalDiag)):
        raise ValueError(
            f"{where}: the {role} is {type(inner).__name__}, and must be a diagonal Gaussian, the dimensions of which "
            "are independent: tfd.MultivariateNormalDiag, or tfd.Independent of tfd.Normal."
        )

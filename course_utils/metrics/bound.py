"""The bound on log p(x), in nats per image: the negative ELBO with its two terms, and the importance-weighted bound."""

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from course_utils import elbo
from course_utils.border import shapes


class Estimate(NamedTuple):
    """A mean over images, and its standard error over the images: numbers, or arrays of one shape."""

    mean: Any
    standard_error: Any


class RateDistortion(NamedTuple):
    """The negative ELBO and what it is the sum of."""

    negative_elbo: Estimate
    distortion: Estimate
    rate: Estimate


def estimate(values: np.ndarray) -> Estimate:
    """The mean over images, along the first axis, with its standard error."""
    values = np.asarray(values, np.float64)
    mean, error = values.mean(axis=0), values.std(axis=0, ddof=1) / len(values) ** 0.5
    return Estimate(float(mean), float(error)) if mean.ndim == 0 else Estimate(mean, error)


def check(model: Any, images: Any, where: str, **numbers: int) -> None:
    """Raise ``ValueError`` for images that the model is not made for, fewer than two, or numbers below 1."""
    for name, number in numbers.items():
        if isinstance(number, bool) or not isinstance(number, int | np.integer) or number < 1:
            raise ValueError(f"{where}: {name}={number!r} must be a whole number of 1 or more.")
    shapes.check_model(model, images, where)
    if len(images) < 2:
        raise ValueError(f"{where}: one image, and what is estimated over images needs two or more.")


def rate_distortion(model, images, batch_size: int = 1000, samples: int = 1) -> RateDistortion:
    """The negative ELBO of a set of images at sampled z, and its terms, each with its standard error.

    The distortion is E_q[-log p(x|z)], the rate KL(q(z|x) || p(z)): names of Alemi et al. 2018, who draw one against
    the other. Their sum is the negative ELBO, whatever beta the model was trained with. The rate is analytic where TFP
    knows the pair of distributions, and estimated at the same z where it does not. The estimates have no bias.

    Args:
        model: anything with ``encoder``, ``decoder`` and ``prior``.
        images: array of shape ``(number, height, width, channels)``: floats in [0, 1], or binarised, as in training.
        batch_size: images at a time; take fewer where they are large.
        samples: draws of z for each image, where the likelihood is averaged.

    Returns:
        Nats per image: summed over pixels and latent dimensions, averaged over images. The standard errors are over
        images, and hold the noise of z as well.

    Raises:
        ValueError: for images that the model is not made for, or fewer than two, and for numbers below 1.
    """
    check(model, images, "rate_distortion", batch_size=batch_size, samples=samples)
    distortion, rate = (np.asarray(term, np.float64) for term in elbo.each(model, images, batch_size, samples))
    return RateDistortion(estimate(distortion + rate), estimate(distortion), estimate(rate))


def importance_weighted_bound(model, images, k: int, batch_size: int = 1000) -> Estimate:
    """A lower bound on log p(x) that is the ELBO at k = 1 and rises to log p(x) with k (Burda et al. 2015).

    For each image E[log of the mean of w over k draws], with w = p(x|z) p(z) / q(z|x) and z drawn from q(z|x). In
    expectation it is never above log p(x), so that minus its value is too large a negative log-likelihood, if anything.
    The logarithm of the sum runs over chunks: k = 5,000 takes as much memory as k = ``batch_size``.

    Args:
        model: anything with ``encoder``, ``decoder`` and ``prior``.
        images: array of shape ``(number, height, width, channels)``: floats in [0, 1], or binarised, as in training.
        k: draws of z for each image.
        batch_size: codes that the decoder gets at a time, at most, and images that the encoder gets;
            take fewer where images are large.

    Returns:
        Nats per image, averaged over images; as a rule negative for binary pixels.

    Raises:
        ValueError: for images that the model is not made for, or fewer than two, and for numbers below 1.
    """
    check(model, images, "importance_weighted_bound", k=k, batch_size=batch_size)
    graph = tf.function(lambda batch, draws: _log_weights(model, batch, draws), reduce_retracing=True)
    at_once, bounds = max(1, batch_size // k), []
    for first in range(0, len(images), at_once):
        batch, log_sum = tf.cast(images[first : first + at_once], tf.float32), -np.inf
        for done in range(0, k, batch_size):
            part = graph(batch, tf.constant(min(batch_size, k - done))).numpy().astype(np.float64)
            log_sum = np.logaddexp(log_sum, np.logaddexp.reduce(part, axis=0))
        bounds.append(log_sum - np.log(k))
    return estimate(np.concatenate(bounds))


def _log_weights(model, images: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
    """log p(x|z) + log p(z) - log q(z|x), shape ``(draws, batch)``."""
    posterior = model.encoder(images, training=False)
    z = posterior.sample(draws)
    codes = tf.reshape(z, tf.concat([[-1], tf.shape(z)[2:]], 0))
    repeated = tf.tile(images, [draws, 1, 1, 1])
    log_likelihood = model.decoder(codes, training=False).log_prob(repeated)
    return tf.reshape(log_likelihood, tf.shape(z)[:2]) + model.prior.log_prob(z) - posterior.log_prob(z)

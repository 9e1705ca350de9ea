"""The mean KL taken apart: what the codes tell of the images, and how far all codes together are from the prior.

Hoffman and Johnson 2016, "ELBO surgery". With q(z), the aggregate posterior, as the mixture of the posteriors of N
images,

    mean of KL(q(z|x) || p(z))  =  I(n; z)  +  KL(q(z) || p(z))

exactly, where I(n; z), the mutual information of the number of an image and its code, is the mean of
KL(q(z|x) || q(z)), and never above log N. The same holds for each latent dimension by itself.

For the N images at hand the estimates have no bias. Taken as those of all images that there could be, they have: a
mixture of N lies nearer to its own members than that of all. Mutual information then comes out too small (also by its
ceiling of log N), and the KL of the aggregate posterior too large by the same amount. Both shrink with N.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from course_utils.metrics.bound import Estimate, check, estimate
from course_utils.metrics.codes import posteriors, prior_moments

CELLS = 200_000  # of a table of draws by images, so that it fits in the cache of a processor


class KLDecomposition(NamedTuple):
    """The two parts of the mean KL: I(n; z), and KL(q(z) || p(z)) of the aggregate posterior from the prior."""

    mutual_information: Estimate
    aggregate_kl: Estimate


def kl_decomposition(model, images, batch_size: int = 1000) -> KLDecomposition:
    """Mutual information of image and code, and the KL of the aggregate posterior from the prior, in nats.

    The sum of the two means is the rate of these images, but for the noise of z. Time goes with the square of the
    number of images: 10,000 take seconds. For sign and cause of the bias see the head of this file: with fewer images,
    less mutual information and a larger KL.

    Args:
        model: anything with ``encoder``, ``decoder`` and ``prior``; the posterior is a diagonal Gaussian, the prior any
            distribution with a density.
        images: array of shape ``(number, height, width, channels)``: floats in [0, 1], or binarised, as in training.
        batch_size: images that the encoder gets at a time.

    Returns:
        Two estimates with standard errors over images, which do not hold the bias.

    Raises:
        ValueError: for images that the model is not made for, or fewer than two, and for posteriors of another kind.
    """
    check(model, images, "kl_decomposition", batch_size=batch_size)
    means, deviations = posteriors(model, images, batch_size, "kl_decomposition")
    z, log_posterior = _draw(means, deviations)
    log_posterior = log_posterior.sum(axis=1)
    log_aggregate = _log_mixture(z, means, deviations)
    log_prior = model.prior.log_prob(tf.cast(z, tf.float32)).numpy().astype(np.float64)
    return KLDecomposition(estimate(log_posterior - log_aggregate), estimate(log_aggregate - log_prior))


def kl_decomposition_per_dimension(model, images, batch_size: int = 1000) -> KLDecomposition:
    """``kl_decomposition`` of each latent dimension by itself: I(n; z_j), and KL(q(z_j) || p(z_j)).

    For each j the two add up to ``kl_per_dimension``, but for the noise of z. Over all j, KL(q(z_j) || p(z_j)) adds up
    to no more than KL(q(z) || p(z)); the difference is the total correlation of the aggregate posterior (Chen et al.
    2018). Takes as long as ``kl_decomposition`` for each dimension, and has its bias.

    Args:
        model: as in ``kl_decomposition``, with a prior that is a diagonal Gaussian too.
        images: as there.

    Returns:
        Two estimates whose numbers are arrays of shape ``(latent_dim,)``, in nats.

    Raises:
        ValueError: what ``kl_decomposition`` raises, and for a prior of another kind.
    """
    where = "kl_decomposition_per_dimension"
    check(model, images, where, batch_size=batch_size)
    location, scale = prior_moments(model, where)
    means, deviations = posteriors(model, images, batch_size, where)
    z, log_posterior = _draw(means, deviations)
    each = [slice(j, j + 1) for j in range(z.shape[1])]
    log_aggregate = np.stack([_log_mixture(z[:, j], means[:, j], deviations[:, j]) for j in each], axis=1)
    log_prior = _log_normal((z - location) / scale, scale)
    return KLDecomposition(estimate(log_posterior - log_aggregate), estimate(log_aggregate - log_prior))


def _log_normal(standardised: np.ndarray, deviations: np.ndarray) -> np.ndarray:
    return -0.5 * (standardised**2 + np.log(2 * np.pi)) - np.log(deviations)


def _draw(means: np.ndarray, deviations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One z for each image, and its log q(z_j|x) in each dimension, both ``(number, latent_dim)``."""
    noise = tf.random.normal(means.shape, dtype=tf.float64).numpy()
    return means + deviations * noise, _log_normal(noise, deviations)


def _log_mixture(z: np.ndarray, means: np.ndarray, deviations: np.ndarray) -> np.ndarray:
    """log q(z) of the mixture of all posteriors, shape ``(number,)``."""
    precisions = deviations**-2.0
    constant = np.sum(-0.5 * (means**2 * precisions + np.log(2 * np.pi)) - np.log(deviations), axis=1)
    rows, log_density = max(1, CELLS // len(means)), []
    for first in range(0, len(z), rows):
        some = z[first : first + rows]  # the square is multiplied out, so that the sum over dimensions is a product
        table = constant + some @ (means * precisions).T - 0.5 * some**2 @ precisions.T
        highest = table.max(axis=1, keepdims=True)  # in place, five times as fast as scipy.special.logsumexp
        table -= highest
        log_density.append(highest[:, 0] + np.log(np.exp(table, out=table).sum(axis=1)))
    return np.concatenate(log_density) - np.log(len(means))

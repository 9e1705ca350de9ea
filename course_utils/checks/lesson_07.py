"""Lesson 07, how good a VAE is: exercises 1 and 2, ``importance_weighted``, ``free_bits``."""

from collections.abc import Callable

import numpy as np
from scipy.special import logsumexp

from course_utils.checks.judging import judge
from course_utils.checks.values import Values


def importance_weighted(function: Callable) -> None:
    """Lesson 07, exercise 1. ``function(log_weights)`` returns the importance-weighted bound of each image.

    It gets a tensor ``(k, batch)``: log p(x, z) - log q(z|x) for k draws of z for each image. It returns ``(batch,)``,
    in nats: the logarithm of the mean weight. Burda, Grosse and Salakhutdinov 2015.
    """
    rng = np.random.default_rng()
    judge(
        function,
        lambda call: IMPORTANCE_WEIGHTED.examine(call, [_log_weights(rng, level) for level in (-2, -3, -150, -900)]),
        "The logarithm of a mean is never below the mean of the logarithms: that is Jensen's inequality.",
        arguments=("log_weights",),
        nan_hint="exp(-150) is 0 in float32, and log(0) is no bound: the largest log weight has to come out of the "
        "sum before the exponential, as in `tf.reduce_logsumexp`",
    )


K, BATCH = 11, 17


def _log_weights(rng, level):
    """Spread enough for mean, maximum and log-mean to differ; from a certain level on, exp underflows."""
    spread = rng.uniform(0.5, 2, BATCH)
    return ((level + rng.normal(0, 0.5, BATCH) + spread * rng.normal(size=(K, BATCH))).astype(np.float32),)


def _log_mean(log_weights):
    return logsumexp(log_weights, axis=0) - np.log(len(log_weights))


IMPORTANCE_WEIGHTED = Values(
    terms=lambda log_weights: {
        "log of the summed weights": logsumexp(log_weights, axis=0),
        "-log k": np.full(BATCH, -np.log(K)),
    },
    axes=lambda log_weights: {"k": K, "batch": BATCH},
    shape=("batch",),
    other_forms={
        "-log k": {
            "k itself is subtracted, and log k belongs there.": lambda log_weights: np.full(BATCH, -float(K)),
            "The logarithm is that of the number of images, and log k belongs there.": lambda log_weights: np.full(
                BATCH, -np.log(BATCH)
            ),
        },
    },
    mistakes={
        "this is the mean of the logarithms: the ELBO from k draws. The logarithm comes last, after the mean.": (
            lambda log_weights: log_weights.mean(axis=0)
        ),
        "this is the log of the largest weight alone, and all k count.": lambda log_weights: log_weights.max(axis=0),
        "the log of the summed weights is divided by k. Divide the sum: that subtracts log k.": lambda log_weights: (
            logsumexp(log_weights, axis=0) / K
        ),
        "this is the mean of the weights, and its logarithm is asked for.": lambda log_weights: np.exp(
            _log_mean(log_weights)
        ),
        "the log weights are averaged as if they were weights: log of their mean does not exist, they are negative.": (
            lambda log_weights: np.log(np.abs(log_weights.mean(axis=0)))
        ),
        "this is the median of the log weights, and the log of their mean weight is asked for.": (
            lambda log_weights: np.median(log_weights, axis=0)
        ),
        "this is the first draw alone: the ELBO at one z.": lambda log_weights: log_weights[0],
    },
)


def free_bits(function: Callable) -> None:
    """Lesson 07, exercise 2. ``function(kl, floor)`` returns the KL term of a loss with free bits.

    It gets a tensor ``(batch, latent_dim)``, the KL of each image in each latent dimension, and a floor in nats. It
    returns one number: the batch mean in each dimension, no less than the floor, summed over dimensions. Kingma et al.
    2016, "Improving Variational Inference with Inverse Autoregressive Flow".
    """
    rng = np.random.default_rng()
    judge(
        function,
        lambda call: FREE_BITS.examine(call, [_kl(rng, scale) for scale in 4 * (1.0, 0.6)]),
        "Below the floor a dimension costs the same whatever it says, so its gradient is that of the likelihood alone.",
        arguments=("kl", "floor"),
    )


IMAGES, LATENT_DIM = 13, 6


def _kl(rng, scale):
    """Means and single images on both sides of the floor; a scale of 0.6 brings the sum below that of the floors."""
    floor = float(rng.uniform(0.3, 0.8))
    means = scale * floor * np.array([0.2, 0.5, 0.8, 1.3, 2.0, 3.0]) * rng.uniform(0.9, 1.1, LATENT_DIM)
    kl = rng.permutation(means) * rng.gamma(1.0, 1.0, (IMAGES, LATENT_DIM))
    return kl.astype(np.float32), floor


FREE_BITS = Values(
    terms=lambda kl, floor: {"KL": np.sum(np.maximum(kl.mean(axis=0), floor))},
    axes=lambda kl, floor: {"batch": IMAGES, "latent_dim": LATENT_DIM},
    sizes={"batch": IMAGES, "latent_dim": LATENT_DIM},
    mistakes={
        "the floor is applied to every image by itself. First the mean over the batch, then the floor: a dimension may "
        "say much of few images.": lambda kl, floor: np.sum(np.maximum(kl, floor).mean(axis=0)),
        "this is the plain KL: the floor has no effect.": lambda kl, floor: np.sum(kl.mean(axis=0)),
        "the smaller of the two is taken, so that a dimension never pays more than the floor. It is to pay no less.": (
            lambda kl, floor: np.sum(np.minimum(kl.mean(axis=0), floor))
        ),
        "this is what lies above the floor. The gradient is right, but the value is no longer a KL: too small by the "
        "floor of every dimension.": lambda kl, floor: np.sum(np.maximum(kl.mean(axis=0) - floor, 0)),
        "the floor is applied to the sum. One dimension can then carry all of it, and the others stay silent.": (
            lambda kl, floor: np.maximum(kl.sum(axis=1).mean(), floor),
            lambda kl, floor: np.maximum(kl.sum(axis=1).mean(), LATENT_DIM * floor),
            lambda kl, floor: np.maximum(kl.sum(axis=1), floor).mean(),
            lambda kl, floor: np.maximum(kl.sum(axis=1), LATENT_DIM * floor).mean(),
        ),
        "the floor is added to every dimension, and those above it get nothing more.": lambda kl, floor: np.sum(
            kl.mean(axis=0) + floor
        ),
        "the mean runs over the dimensions, and the floor over the images: the other way round.": lambda kl, floor: (
            np.sum(np.maximum(kl.mean(axis=1), floor))
        ),
        "dimensions below the floor count nothing here, and they count the floor.": lambda kl, floor: np.sum(
            np.where(kl.mean(axis=0) > floor, kl.mean(axis=0), 0)
        ),
    },
)

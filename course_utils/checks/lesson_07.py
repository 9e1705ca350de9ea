"""Lesson 07, how good a VAE is: exercises 1 and 2, ``importance_weighted``, ``free_bits``."""

import numpy as np
from scipy.special import logsumexp

from course_utils.checks.judging import exercise
from course_utils.checks.values import Values


@exercise(
    "log_weights",
    "The logarithm of a mean is never below the mean of the logarithms: that is Jensen's inequality.",
    nan_hint="exp(-150) is 0 in float32, and log(0) is no bound: the largest log weight has to come out of the sum "
    "before the exponential, as in `tf.reduce_logsumexp`",
)
def importance_weighted(call, rng):
    """Lesson 07, exercise 1. ``function(log_weights)`` returns the importance-weighted bound of each image.

    It gets a tensor ``(k, batch)``: log p(x, z) - log q(z|x) for k draws of z for each image. It returns ``(batch,)``,
    in nats: the logarithm of the mean weight. Burda, Grosse and Salakhutdinov 2015.
    """
    IMPORTANCE_WEIGHTED.examine(call, [_log_weights(rng, level) for level in (-2, -3, -150, None)])


K, BATCH = 11, 17


def _log_weights(rng, level):
    """Spread enough for mean, maximum and log-mean to differ; from a certain level on, exp underflows.

    Without a level every image has one of its own, and some have draws that lie hundreds of nats apart.
    """
    spread = rng.uniform(0.5, 2, BATCH)
    if level is None:
        level, spread[:5] = rng.uniform(-900, -20, BATCH), 100
    return ((level + rng.normal(0, 0.5, BATCH) + spread * rng.normal(size=(K, BATCH))).astype(np.float32),)


SUMMED = "log_sum_exp(log_weights)"
IMPORTANCE_WEIGHTED = Values(
    terms={"log of the summed weights": SUMMED, "-log k": "-log(k)"},
    over=lambda values: values[0],  # each formula is of a whole column
    names={"k": K, "batch": BATCH, "log_sum_exp": lambda values: logsumexp(values, axis=0)},
    axes={"k": K, "batch": BATCH},
    shape=("batch",),
    other_forms={
        "-log k": {
            "-k": "k itself is subtracted, and log k belongs there.",
            "-log(batch)": "The logarithm is that of the number of images, and log k belongs there.",
        },
    },
    mistakes={
        "mean(log_weights, axis=0)": "the logarithm comes before the mean: the ELBO from k draws.",
        "max(log_weights, axis=0)": "this is the log of the largest weight alone, and all k count.",
        f"{SUMMED} / k": "the log of the summed weights is divided by k. Divide the sum: that subtracts log k.",
        f"exp({SUMMED}) / k": "this is the mean of the weights, and its logarithm is asked for.",
        "log(abs(mean(log_weights, axis=0)))": "the log weights are averaged as if they were weights.",
        "median(log_weights, axis=0)": "this is the median of the log weights, not the log of their mean.",
        "log_weights[0]": "this is the first draw alone: the ELBO at one z.",
    },
)


@exercise(
    "kl, floor",
    "Below the floor a dimension costs the same whatever it says, so its gradient is that of the likelihood alone.",
)
def free_bits(call, rng):
    """Lesson 07, exercise 2. ``function(kl, floor)`` returns the KL term of a loss with free bits.

    It gets a tensor ``(batch, latent_dim)``, the KL of each image in each latent dimension, and a floor in nats. It
    returns one number: the batch mean in each dimension, no less than the floor, summed over dimensions. Kingma et al.
    2016, "Improving Variational Inference with Inverse Autoregressive Flow".
    """
    FREE_BITS.examine(call, [_kl(rng, scale) for scale in 4 * (1.0, 0.6)])


IMAGES, LATENT_DIM = 13, 6


def _kl(rng, scale):
    """Means and single images on both sides of the floor; a scale of 0.6 brings the sum below that of the floors."""
    floor = float(rng.uniform(0.3, 0.8))
    means = scale * floor * np.array([0.2, 0.5, 0.8, 1.3, 2.0, 3.0]) * rng.uniform(0.9, 1.1, LATENT_DIM)
    kl = rng.permutation(means) * rng.gamma(1.0, 1.0, (IMAGES, LATENT_DIM))
    return kl.astype(np.float32), floor


OF_THE_SUM = "the floor is applied to the sum. One dimension can then carry all of it, and the others stay silent."
FREE_BITS = Values(
    terms={"KL": "sum(maximum(each(kl), floor))"},
    names={"each": lambda kl: np.mean(kl, axis=0), "of_images": lambda kl: np.sum(kl, axis=1), "d": LATENT_DIM},
    sizes={"batch": IMAGES, "latent_dim": LATENT_DIM},
    mistakes={
        "sum(each(maximum(kl, floor)))": "the floor is applied to every image by itself. First the mean over the "
        "batch, then the floor: a dimension may say much of few images.",
        "sum(each(kl))": "this is the plain KL: the floor has no effect, or it is applied to the sum, which "
        "lies above it.",
        "sum(minimum(each(kl), floor))": "the smaller of the two is taken, so that a dimension never pays more than "
        "the floor. It is to pay no less.",
        "sum(maximum(each(kl) - floor, 0))": "this is what lies above the floor. The gradient is right, but the value "
        "is no longer a KL: too small by the floor of every dimension.",
        "maximum(mean(of_images(kl)), d * floor)": OF_THE_SUM,
        "mean(maximum(of_images(kl), floor))": OF_THE_SUM,
        "mean(maximum(of_images(kl), d * floor))": OF_THE_SUM,
        "sum(each(kl) + floor)": "the floor is added to every dimension, and those above it get nothing more.",
        "sum(maximum(mean(kl, axis=1), floor))": "the mean runs over the dimensions: the other way round.",
        "sum(where(each(kl) > floor, each(kl), 0))": "dimensions below the floor count nothing, not the floor.",
    },
)

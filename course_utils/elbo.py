"""The terms of the evidence lower bound, in nats per image.

ELBO = E_q[log p(x|z)] - KL(q(z|x) || p(z)). The log-likelihood is summed over pixels, the KL over latent dimensions;
both are averaged over images only at the very end. Kingma and Welling 2013; derived in lesson 02.
"""

import tensorflow as tf
import tensorflow_probability as tfp

from course_utils.border import pixels, shapes

tfd = tfp.distributions


def kl_to_standard_normal(mean: tf.Tensor, log_variance: tf.Tensor) -> tf.Tensor:
    """KL(N(mean, exp(log_variance)) || N(0, I)) in closed form.

    Args:
        mean, log_variance: shape ``(batch, latent_dim)``.

    Returns:
        Nats per image, shape ``(batch,)``. Lesson 02 derives it line by line.
    """
    return 0.5 * tf.reduce_sum(tf.exp(log_variance) + mean**2 - 1.0 - log_variance, axis=-1)


def terms(model, images: tf.Tensor, training: bool = False, seed=None) -> tuple[tf.Tensor, tf.Tensor]:
    """Log-likelihood at one sampled z, and the KL of the posterior from the prior.

    Args:
        model: anything with ``encoder``, ``decoder`` and ``prior`` (see ``models.VAE``).
        images: shape ``(batch, height, width, channels)``, of the kind that the decoder's distribution is about.
        training: handed to both networks (batch norm and dropout read it).
        seed: two integers that fix the draw of z, whatever was drawn before; ``None`` for a fresh draw.

    Returns:
        ``(log_likelihood, kl)``, nats per image, each of shape ``(batch,)``. The KL is analytic where TFP knows the
        pair of distributions, and estimated at the same z where it does not.
    """
    pixels.refuse_bytes(images, "elbo.terms")
    images = tf.cast(images, tf.float32)
    posterior = model.encoder(images, training=training)
    z = posterior.sample(seed=seed)
    log_likelihood = model.decoder(z, training=training).log_prob(images)
    inner = getattr(posterior, "tensor_distribution", posterior)  # what a layer of TFP wraps
    if isinstance(inner, tfd.MultivariateNormalDiag):
        # TensorFlow adds three gradients up in the order in which they are ready, and the last digits vary from run to
        # run. The scale would get three of them. With one more node, for the KL, there are two sums of two.
        posterior = tfd.MultivariateNormalDiag(posterior.mean(), posterior.stddev())
    try:
        kl = tfd.kl_divergence(posterior, model.prior)
    except NotImplementedError:
        kl = posterior.log_prob(z) - model.prior.log_prob(z)
    return log_likelihood, kl


def each(model, images, batch_size: int, samples: int) -> tuple[tf.Tensor, tf.Tensor]:
    """The two parts of the negative ELBO of every image: ``evaluate`` without the means over images.

    Returns:
        ``(reconstruction, kl)``, nats per image, each of shape ``(number,)``.
    """
    graph = tf.function(lambda batch: terms(model, batch), reduce_retracing=True)
    reconstruction, kl = [], []
    for first in range(0, len(images), batch_size):
        batch = tf.cast(images[first : first + batch_size], tf.float32)
        draws = [graph(batch) for _ in range(samples)]
        reconstruction.append(-tf.reduce_mean([draw[0] for draw in draws], axis=0))
        kl.append(tf.reduce_mean([draw[1] for draw in draws], axis=0))
    return tf.concat(reconstruction, 0), tf.concat(kl, 0)


def evaluate(model, images, batch_size: int = 1000, samples: int = 1) -> dict[str, float]:
    """The negative ELBO of a set of images and its two parts, means over the images, in nats per image.

    Args:
        images: array of shape ``(number, height, width, channels)``: floats in [0, 1], or binarised, as in training.
        samples: draws of z for each image. More draws make the figure steadier; its expectation stays the same.

    Returns:
        ``{"negative_elbo", "reconstruction", "kl", "standard_error"}``; the last is that of ``negative_elbo`` over the
        images.

    Raises:
        ValueError: for images that are none, or that the model is not made for, and for a model whose parts do not fit.
    """
    if min(batch_size, samples) < 1:
        raise ValueError(f"evaluate: batch_size={batch_size} and samples={samples} must be 1 or more.")
    shapes.check_model(model, images, "evaluate")
    reconstruction, kl = each(model, images, batch_size, samples)
    total = reconstruction + kl
    return {
        "negative_elbo": float(tf.reduce_mean(total)),
        "reconstruction": float(tf.reduce_mean(reconstruction)),
        "kl": float(tf.reduce_mean(kl)),
        "standard_error": float(tf.math.reduce_std(total)) / len(images) ** 0.5,
    }


def calibrated_variance(images: tf.Tensor, means: tf.Tensor) -> float:
    """The variance of a Gaussian likelihood that fits best: the mean squared error itself (pixel units squared).

    Rybkin, Daniilidis and Levine 2021, "Simple and Effective VAE Training with Calibrated Decoders".
    """
    return float(tf.reduce_mean(tf.math.squared_difference(images, means)))

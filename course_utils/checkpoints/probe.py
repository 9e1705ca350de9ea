"""What networks answer to a fixed probe at fixed weights: it tells apart what no configuration shows."""

import contextlib
from collections.abc import Iterator

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras as keras

tfd = tfp.distributions
KEPT = 8  # numbers of each answer


@contextlib.contextmanager
def fixed_weights(model: keras.Model) -> Iterator[None]:
    """Lend a model weights that depend on their shapes and places only; its own are back after the block."""
    own = model.get_weights()
    try:
        model.set_weights([_fixed(number, weight) for number, weight in enumerate(own)])
        yield
    finally:
        model.set_weights(own)


def answers(model: keras.Model, image_shape: tuple) -> dict[str, list[float]]:
    """A few numbers that each part of a model computes for two fixed images, at the weights that it has."""
    images = _numbers((2, *image_shape), 0.1, 0.9)
    if not hasattr(model, "prior"):
        return {"model": _some(model(images, training=False))}
    codes = _numbers((2, *model.prior.event_shape), -1.0, 1.0)
    return {
        "encoder": _some(model.encoder(images, training=False), codes),
        "decoder": _some(model.decoder(codes, training=False), images),
        "prior": _some(model.prior, codes),
    }


def likelihood_of(model: keras.Model, image_shape: tuple) -> tuple[str, str]:
    """The kind of p(x|z), and the variance of a pixel: a number where it is fixed, else how it comes about."""
    likelihood = model.decoder(_numbers((2, *model.prior.event_shape), -1.0, 1.0), training=False)
    likelihood = getattr(likelihood, "tensor_distribution", likelihood)
    kind = type(likelihood).__name__
    while isinstance(likelihood, tfd.Independent):
        likelihood = likelihood.distribution
        kind = type(likelihood).__name__
    if getattr(model.decoder, "variance", None) is not None:
        return kind, "follows the training"
    try:
        variance = np.asarray(likelihood.variance())
    except (NotImplementedError, AttributeError):
        return kind, "unknown"
    fixed = np.allclose(variance, variance.flat[0], rtol=1e-6, atol=0)
    return kind, f"{variance.flat[0]:.7g}" if fixed else "of each pixel"


def _fixed(number: int, weight: np.ndarray) -> np.ndarray:
    if not np.issubdtype(weight.dtype, np.floating):
        return weight
    rng = np.random.default_rng([2013, number])
    if weight.ndim < 2:
        return rng.uniform(0.5, 1.5, weight.shape).astype(weight.dtype)
    return (rng.standard_normal(weight.shape) / np.prod(weight.shape[:-1]) ** 0.5).astype(weight.dtype)


def _numbers(shape: tuple, low: float, high: float) -> tf.Tensor:
    return tf.constant(np.random.default_rng(2013).uniform(low, high, [int(each) for each in shape]), tf.float32)


def _some(answer, point=None) -> list[float]:
    """A few numbers of an answer: of a tensor, or of a distribution's moments and its density at a point."""
    if not isinstance(answer, tfd.Distribution) and not hasattr(answer, "tensor_distribution"):
        flat = np.concatenate([np.ravel(np.asarray(tf.cast(part, tf.float32))) for part in tf.nest.flatten(answer)])
        return [float(value) for value in flat[np.linspace(0, len(flat) - 1, KEPT).astype(int)]]
    found = []
    for ask in (answer.mean, answer.stddev, lambda: answer.log_prob(point)):
        with contextlib.suppress(NotImplementedError, AttributeError, ValueError, tf.errors.InvalidArgumentError):
            found += _some(ask())
    return found

"""Where an encoder, a decoder, a prior and images meet: their shapes are compared once, before anything is traced.

TensorFlow broadcasts what does not fit, and trains on it to a wrong number. ``check_parts`` is for ``models.VAE``,
``check_model`` for whatever takes a model with images: ``training.fit``, ``elbo.evaluate``. Both only read.
"""

import contextlib
import functools
from typing import Any, NamedTuple

import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras as keras

from course_utils.border import pixels
from course_utils.border.pixels import words

tfd = tfp.distributions


class Parts(NamedTuple):
    """What is known of a model's images before any is there: their shape (None where not), and if they are binary."""

    image_shape: tuple | None
    binary: bool


def check_model(model: Any, images: Any, where: str, *, uint8: bool = False, binarised: bool = False) -> None:
    """Raise unless these images can train or evaluate this model: ``pixels.check_images`` and ``check_parts`` in one.

    Args:
        model: anything; its networks are looked at if it has ``encoder``, ``decoder`` and ``prior``. A ``models.VAE``
            was looked at when it was built, which costs nothing here.
        images: what ``pixels.check_images`` takes.
        where: the name of the function that was called, for the message.
        uint8: as in ``pixels.check_images``.
        binarised: whether the caller binarises these images itself.

    Raises:
        ValueError: what ``check_images`` and ``check_parts`` raise.
    """
    parts = getattr(model, "parts", Parts(None, False))
    has_parts = all(hasattr(model, name) for name in ("encoder", "decoder", "prior"))
    takes = _input_shape(model.encoder) if has_parts else None
    shape = parts.image_shape or (takes[1:] if isinstance(takes, tuple) else None)
    pixels.check_array(images, where, shape, uint8)
    if has_parts and parts.image_shape is None:
        parts = check_parts(model.encoder, model.decoder, model.prior, where, tuple(images.shape[1:]))
    pixels.check_range(images, where, uint8, parts.binary and not binarised)


def check_parts(encoder: Any, decoder: Any, prior: Any, where: str, image_shape: tuple | None = None) -> Parts:
    """Raise unless an encoder, a decoder and a prior fit each other, and images of this shape if it is given.

    Without ``image_shape`` it is that of the encoder's input; where this is open, networks are compared later.

    Returns:
        The shape of the images and whether their pixels are binary, as far as it is known.

    Raises:
        ValueError: for an encoder or decoder that returns a tensor, a prior that is no distribution, and for batch and
            event shapes that do not fit.
    """
    _check_prior(prior, where)
    if isinstance(_input_shape(encoder), list):
        return Parts(None, False)  # several inputs: the model of a subclass, with a training step of its own
    takes = _input_shape(encoder)
    if takes is not None and image_shape is not None and not tf.TensorShape(takes[1:]).is_compatible_with(image_shape):
        pixels.check_shape(tf.TensorShape([None, *image_shape]), where, takes[1:])
    shape = image_shape or (takes[1:] if takes is not None else None)
    if shape is None or None in shape:
        return Parts(None, False)
    shape, event = tuple(shape), tuple(prior.event_shape)

    posterior = _distribution(encoder, shape, where, "encoder", f"images of shape {words((None, *shape))}")
    if posterior.batch_shape.rank != 1:
        raise ValueError(_not_independent(where, "encoder", posterior, "one code for each image"))
    if not posterior.event_shape.is_compatible_with(event):
        raise ValueError(
            f"{where}: the encoder's codes have event shape {words(tuple(posterior.event_shape))}, those of the prior "
            f"{words(event)}. Give both one latent_dim, for instance models.standard_normal("
            f"{posterior.event_shape.num_elements()})."
        )
    codes = _input_shape(decoder)
    if isinstance(codes, tuple) and not tf.TensorShape(codes[1:]).is_compatible_with(event):
        raise ValueError(
            f"{where}: the decoder takes codes of shape {words(codes[1:])}, the prior and the encoder have "
            f"{words(event)}. Build encoder, decoder and prior for one latent_dim."
        )
    likelihood = _distribution(decoder, event, where, "decoder", f"codes of shape {words((None, *event))}")
    if likelihood.batch_shape.rank != 1:
        raise ValueError(_not_independent(where, "decoder", likelihood, "one image for each code"))
    if not likelihood.event_shape.is_compatible_with(shape):
        raise ValueError(
            f"{where}: the encoder takes images of shape {words(shape)}, the decoder's have "
            f"{words(tuple(likelihood.event_shape))}. Build both for the images that you have; a last layer "
            f"keras.layers.Reshape({words(shape)}) in the decoder gives pixels their places."
        )
    return Parts(shape, _is_bernoulli(likelihood))


def _check_prior(prior: Any, where: str) -> None:
    if not isinstance(prior, tfd.Distribution):
        raise ValueError(
            f"{where}: the prior is {type(prior).__name__}, and must be a distribution of TFP, for instance "
            "models.standard_normal(latent_dim)."
        )
    if prior.batch_shape.rank != 0:
        raise ValueError(
            f"{where}: the prior has batch shape {words(tuple(prior.batch_shape))} and event shape "
            f"{words(tuple(prior.event_shape))}; it must be one distribution over a code, of batch shape (). "
            "tfd.Independent(prior, 1) or tfd.MultivariateNormalDiag makes the last axis one event."
        )
    if tf.as_dtype(prior.dtype) != tf.float32:
        raise ValueError(
            f"{where}: the prior is of type {tf.as_dtype(prior.dtype).name}; build it from float32 numbers."
        )


def _input_shape(network: Any):
    """What a Keras model says that it takes, batch axis first; None if it does not say."""
    try:
        return network.input_shape
    except AttributeError:
        layers = network.layers if isinstance(network, keras.Sequential) else []
        return _input_shape(layers[0]) if layers else None


def _distribution(network: Any, shape: tuple, where: str, role: str, inputs: str) -> tfd.Distribution:
    """What a network returns, symbolically: nothing is computed, and the random numbers drawn later stay the same."""
    look, size = functools.partial(network, training=False), shape
    if isinstance(network, keras.Sequential) and len(network.layers) > 1:
        with contextlib.suppress(AttributeError, TypeError, RuntimeError):  # raised unless the layers before are built
            size, last = network.layers[-2].output_shape[1:], network.layers[-1]
            # What a layer of TFP returns, without the draw that stands in for it where a tensor is needed.
            look = getattr(last, "_make_distribution_fn", last)
    found = []

    try:
        tf.function(lambda values: found.append(look(values)), autograph=False).get_concrete_function(
            tf.TensorSpec((None, *size), tf.float32)
        )
    except Exception as error:  # whatever a layer of the user's raises
        raise ValueError(f"{where}: the {role} does not take {inputs}: {str(error).strip().splitlines()[0]}") from error
    if not isinstance(found[0], tfd.Distribution):
        makers = {"encoder": "posterior_of", "decoder": "bernoulli_of, gaussian_of or calibrated_gaussian_of"}
        kind = (
            f"a tensor of shape {words(tuple(found[0].shape))}" if tf.is_tensor(found[0]) else type(found[0]).__name__
        )
        raise ValueError(
            f"{where}: the {role} returns {kind}, and must return a distribution: wrap the network in "
            f"models.{makers[role]}, or end it with a layer of tfp.layers."
        )
    return found[0]


def _not_independent(where: str, role: str, distribution: tfd.Distribution, meaning: str) -> str:
    extra = (distribution.batch_shape.rank or 0) - 1
    wrap = f" Wrap it: tfd.Independent(distribution, {extra})." if extra > 0 else ""
    return (
        f"{where}: the {role}'s distribution has batch shape {words(tuple(distribution.batch_shape))} and event shape "
        f"{words(tuple(distribution.event_shape))}; its batch shape must be (batch,), {meaning}.{wrap}"
    )


def _is_bernoulli(distribution: tfd.Distribution) -> bool:
    inner = getattr(distribution, "tensor_distribution", distribution)
    while isinstance(inner, (tfd.Independent, tfd.Sample)):
        inner = inner.distribution
    return isinstance(inner, tfd.Bernoulli)

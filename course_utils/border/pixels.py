"""Where a user's images enter: their type, shape and range are checked here, once, before anything broadcasts.

``check_images`` is for whatever takes images alone; ``shapes.check_model`` for what takes a model with them.
"""

from typing import Any

import numpy as np
import tensorflow as tf

SHAPE = "(number, height, width, channels)"
CHUNK = 1000  # images looked at together, so that a large set needs no second copy of itself
ROUNDING = 1e-4  # how far a resized image may leave [0, 1]


def check_images(images: Any, where: str, shape: tuple | None = None, *, uint8: bool = False, binary: bool = False):
    """Raise unless these are images, of the shape and with the pixels that are expected.

    Args:
        images: array or tensor of shape ``(number, height, width, channels)``; of stored images only the type is read.
        where: the name of the function that was called, for the message.
        shape: ``(height, width, channels)`` that must be there; None in it, or in its place, is anything.
        uint8: True for pixels as they are stored, of 0 to 255; False for floats in [0, 1], or booleans.
        binary: a Bernoulli likelihood takes pixels of 0 and 1 (or 0 and 255) only.

    Raises:
        ValueError: for something that is no array, another type of number, rank or shape, no images at all, pixels out
            of range, and grey ones for a Bernoulli.
    """
    check_array(images, where, shape, uint8)
    check_range(images, where, uint8, binary)


def refuse_bytes(images: Any, where: str) -> None:
    """Raise ``ValueError`` for pixels of 0 to 255, of which a network makes a wrong answer without a word.

    What has fewer than three axes are features of another kind, in any range.
    """
    if not isinstance(images, (np.ndarray, tf.Tensor, tf.Variable)) or (tf.TensorShape(images.shape).rank or 0) < 3:
        return
    dtype = tf.as_dtype(images.dtype)
    if not (dtype.is_bool or dtype.is_floating):
        check_array(images, where, None, False)
    values = images.numpy() if hasattr(images, "numpy") and tf.executing_eagerly() else images
    if isinstance(values, np.ndarray) and values.size and values.min() >= 0 and values.max() > 2:
        check_range(values, where, False, False)


def check_array(images: Any, where: str, shape: tuple | None, uint8: bool) -> None:
    """The part of ``check_images`` that does not look at pixels."""
    if isinstance(images, (list, tuple)):
        raise ValueError(
            f"{where}: a {type(images).__name__} of {len(images)} where one array of images {SHAPE} belongs. "
            "Images of one shape: np.stack(images). Images with labels: hand in the images alone."
        )
    try:
        dtype, came = tf.as_dtype(images.dtype), tf.TensorShape(images.shape)
    except (AttributeError, TypeError, ValueError):
        raise ValueError(
            f"{where}: {type(images).__name__} where an array of images {SHAPE} belongs. Hand in a NumPy array or a "
            "tensor; an image set of `data` has them as .train_images and .test_images."
        ) from None
    if came.rank is not None:
        check_shape(came, where, shape)
    if uint8 and dtype != tf.uint8:
        raise ValueError(
            f"{where}: images of type {dtype.name}, where uint8 pixels of 0 to 255 belong. "
            "Pixels in [0, 1]: np.rint(255 * images).astype(np.uint8); floats of 0 to 255: images.astype(np.uint8)."
        )
    if not uint8 and not (dtype.is_floating or dtype.is_bool):
        raise ValueError(
            f"{where}: images of type {dtype.name}, where floats in [0, 1] belong. Pixels of 0 to 255 as uint8: "
            "data.to_float(images), or data.binarise(images) for a Bernoulli decoder. Pixels of 0 and 1: "
            "images.astype(np.float32)."
        )


def check_shape(came: tf.TensorShape, where: str, shape: tuple | None) -> None:
    """Raise ``ValueError`` unless images of shape ``came`` are images of shape ``(height, width, channels)``."""
    wanted = tf.TensorShape(shape)
    dimensions = tuple(came)
    if came.rank == 4 and 0 in dimensions:
        raise ValueError(f"{where}: no images: the array has shape {dimensions}. It must be {SHAPE}.")
    if came.rank == 4 and came[1:].is_compatible_with(wanted):
        return
    expected = f"({', '.join(['number', *map(_word, shape)])})" if shape is not None else SHAPE
    raise ValueError(f"{where}: images of shape {words(dimensions)}, expected {expected}. {_way_out(came, wanted)}")


def _word(dimension) -> str:
    return "any" if dimension is None else str(dimension)


def words(dimensions: tuple) -> str:
    """A shape for a message."""
    return f"({', '.join(map(_word, dimensions))}{',' * (len(dimensions) == 1)})"


def _way_out(came: tf.TensorShape, wanted: tf.TensorShape) -> str:
    """What to do about a shape that does not fit."""
    known = wanted.rank == 3
    if came.rank == 3 and known and came.is_compatible_with(wanted):
        return "The axis of the images is missing. One image: image[None]."
    if came.rank == 3:
        if known and wanted[2] not in (None, 1):
            return (
                f"The channel axis is missing: grey images in {wanted[2]} channels are np.stack([images] * 3, axis=-1)."
            )
        return "The channel axis is missing: images[..., None]."
    if came.rank == 2 and known and wanted.num_elements() == came[1]:
        return f"Rows of pixels become images by images.reshape(-1, {', '.join(map(str, wanted))})."
    if came.rank != 4:
        labels = " These look like labels: hand in the images." if came.rank == 1 else ""
        return f"Images have four axes.{labels}"
    if tf.TensorShape([came[2], came[3], came[1]]).is_compatible_with(wanted):
        return "The channels come first here, and belong last: np.moveaxis(images, 1, -1)."
    if came[1:3].is_compatible_with(wanted[:2]):
        grey = " Grey images: images.mean(axis=-1, keepdims=True)." if (came[3], wanted[2]) == (3, 1) else ""
        return f"The channels differ.{grey} Or build networks for images of shape {words(tuple(came[1:]))}."
    height, width = wanted[0], wanted[1]
    return (
        f"Height and width differ. Resize them: tf.image.resize(images, ({height}, {width})).numpy(). "
        f"Or build networks for images of shape {words(tuple(came[1:]))}."
    )


def check_range(images: Any, where: str, uint8: bool, binary: bool) -> None:
    """The part of ``check_images`` that looks at every pixel; at nothing of symbolic tensors."""
    top, number = 255 if uint8 else 1, 0
    if isinstance(images, (np.ndarray, tf.Variable)) or (tf.is_tensor(images) and hasattr(images, "numpy")):
        number = len(images) if binary or not uint8 else 0
    elif binary and not tf.is_tensor(images):
        number = min(CHUNK // 10, len(images))  # images on disk: a look at the first ones
    for first in range(0, number, CHUNK):
        part = np.asarray(images[first : min(first + CHUNK, number)])
        if not uint8 and part.dtype != bool:
            low, high = float(part.min()), float(part.max())  # NaN, if there is any
            if not np.isfinite([low, high]).all():
                raise ValueError(
                    f"{where}: pixels that are NaN or infinite, in images {first} to {first + len(part) - 1}. "
                    "Leave those images out: images[np.isfinite(images).all(axis=(1, 2, 3))]."
                )
            if low < -ROUNDING or high > 1 + ROUNDING:
                raise ValueError(
                    f"{where}: pixels from {low:g} to {high:g}, where they must lie in [0, 1]. Pixels of 0 to 255: "
                    "data.to_float(images.astype(np.uint8)); of -1 to 1: (images + 1) / 2."
                )
        if binary and part.dtype != bool and np.any((part > 0) & (part < top)):
            raise ValueError(
                f"{where}: grey pixels for a decoder with a Bernoulli likelihood, which is one over pixels of 0 and 1. "
                + ("Train with transform='binarise'," if uint8 else "Hand in data.binarise(images),")
                + " or take a decoder of models.calibrated_gaussian_of."
            )

"""From pixels of 0 to 255 to batches that a network takes: scaled, binarised, shuffled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from course_utils.data.streaming import StoredImages

if TYPE_CHECKING:
    import tensorflow as tf


def to_float(images: np.ndarray) -> np.ndarray:
    """Return images of any shape as float32 in [0, 1]: uint8 is divided by 255, floats in [0, 1] keep their values.

    Raises `ValueError` for another type or for floats outside [0, 1], such as pixels that still run to 255.
    """
    images = np.asarray(images)
    if images.dtype == np.uint8:
        return images.astype(np.float32) / np.float32(255)
    if not np.issubdtype(images.dtype, np.floating):
        raise ValueError(f"Images must be uint8 or floats in [0, 1], not {images.dtype}.")
    if images.size and not (images.min() >= 0 and images.max() <= 1):
        raise ValueError(f"Float images must lie in [0, 1], these run from {images.min():g} to {images.max():g}.")
    return images.astype(np.float32)


def binarise(images: np.ndarray, threshold: float = 0.5) -> np.ndarray:
    """Return float32 images in {0, 1}: 1 where the pixel, on the scale of [0, 1], is greater than `threshold`.

    Ink stays 1. Mind the direction: the often written `image < threshold`, or `image < uniform`, gives the negative.
    Takes what `to_float` takes and raises what it raises.
    """
    return (to_float(images) > threshold).astype(np.float32)


def batches(
    images: np.ndarray | StoredImages,
    batch_size: int,
    seed: int,
    *,
    labels: np.ndarray | None = None,
    transform: str = "float",
    shuffle: bool = True,
    drop_remainder: bool = False,
) -> tf.data.Dataset:
    """Return a dataset of float32 batches `(batch_size, ...)`, or of pairs with `labels`, in a new order every epoch.

    `images` are what `to_float` takes. `transform` is "float" (in [0, 1]) or "binarise" (in {0, 1}, threshold 0.5).
    The same `seed`, under the same `tf.random.set_seed`, gives the same orders. The images stay one array: indices are
    shuffled and whole batches gathered, which is faster than to shuffle images one by one. Stored images stay on disk.
    Raises `ValueError` for an unknown `transform`, unequal lengths, or too few images for one batch.
    """
    import tensorflow as tf  # here, so that `import course_utils.data` stays light

    if transform not in ("float", "binarise"):
        raise ValueError(f"transform must be 'float' or 'binarise', not {transform!r}.")
    if labels is not None and len(labels) != len(images):
        raise ValueError(f"There are {len(images)} images but {len(labels)} labels.")
    if not 1 <= batch_size or len(images) < (batch_size if drop_remainder else 1):
        raise ValueError(f"{len(images)} images do not fill one batch of {batch_size}.")
    stored = isinstance(images, StoredImages)
    images = images if stored else np.asarray(images)
    with tf.device("CPU:0"):  # the input pipeline runs there; a GPU would copy the array back
        pixels = None if stored else tf.constant(images if images.dtype == np.uint8 else to_float(images))
        targets = None if labels is None else tf.constant(labels)

    def gather(index: tf.Tensor) -> tf.Tensor | tuple[tf.Tensor, tf.Tensor]:
        batch = tf.cast(images.gather(index) if stored else tf.gather(pixels, index), tf.float32)
        if images.dtype == np.uint8:
            batch = batch / 255.0
        if transform == "binarise":
            batch = tf.cast(batch > 0.5, tf.float32)
        return batch if targets is None else (batch, tf.gather(targets, index))

    order = tf.data.Dataset.range(len(images))
    if shuffle:
        order = order.shuffle(len(images), seed=seed, reshuffle_each_iteration=True)
    return order.batch(batch_size, drop_remainder=drop_remainder).map(gather).prefetch(tf.data.AUTOTUNE)

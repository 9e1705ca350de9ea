"""What ``training.fit`` is fed with: arrays, stored images, or a dataset of TensorFlow; anything else is told apart."""

import types
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf
import tf_keras as keras

from course_utils import data, runtime
from course_utils.border import shapes

KINDS = "images as an array (number, height, width, channels), or a tf.data.Dataset of them,"


class Feed(NamedTuple):
    """Images on their way into a training.

    Attributes:
        steps: of one epoch.
        batches: function of the step at which the training goes on; returns a dataset.
        ends: whether the dataset comes to an end after each epoch.
        batch_size: None where a dataset decides.
    """

    steps: int
    batches: Callable[[int], tf.data.Dataset]
    ends: bool
    batch_size: int | None


def of(
    model: keras.Model,
    images,
    batch_size: int | None,
    transform: str,
    steps_per_epoch: int | None,
    repeatable: bool,
    mirror: bool = False,
) -> Feed:
    """What ``fit`` is handed, checked, as batches.

    Args:
        repeatable: whether the order of the images must be known, for a training that may be resumed.

    Raises:
        ValueError: for what is no images, or settings that would have no effect.
    """
    if transform not in ("float", "binarise"):
        raise ValueError(f"fit: transform must be 'float' or 'binarise', not {transform!r}.")
    for name, value in {"batch_size": batch_size, "steps_per_epoch": steps_per_epoch}.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1):
            raise ValueError(f"fit: {name} is {value!r}; it must be a whole number of 1 or more.")
    if not isinstance(images, tf.data.Dataset):
        check_kind(model, images, "fit", transform)
        if steps_per_epoch is not None:
            raise ValueError("fit: steps_per_epoch is for datasets; of an array, all full batches make an epoch.")
        return of_array(images, batch_size or 128, transform, mirror)
    if mirror:
        raise ValueError("fit: mirror is for arrays. In a dataset, dataset.map(tf.image.random_flip_left_right).")
    if repeatable:
        raise ValueError(
            "fit: checkpoints need images whose order can be repeated from any step, and a dataset has an order of its "
            "own. Hand in the images as an array or stored, or leave checkpoints out."
        )
    if batch_size is not None:
        raise ValueError(
            "fit: the dataset has batches of its own. Leave out batch_size, or change them in the dataset."
        )
    return of_dataset(model, images, transform, steps_per_epoch)


def of_array(images, batch_size: int, transform: str, mirror: bool = False) -> Feed:
    """Full batches of images, in memory or stored, in an order that depends on the seed and the epoch only.

    Raises:
        ValueError: with fewer images than one batch.
    """
    if len(images) < batch_size:
        raise ValueError(f"fit: {len(images)} images make no batch of {batch_size}. Hand in more, or lower batch_size.")

    def batches(first_step: int) -> tf.data.Dataset:
        options = {"first_step": first_step, "transform": transform, "mirror": mirror}
        return data.stream(images, batch_size, seed=runtime.SEED, **options)

    return Feed(len(images) // batch_size, batches, False, batch_size)


def of_dataset(model: keras.Model, dataset: tf.data.Dataset, transform: str, steps_per_epoch: int | None) -> Feed:
    """The batches of a dataset as they come.

    Raises:
        ValueError: for a dataset whose batches are no images, or images with labels where the model takes none; whose
            length is not known; without a batch; or with pixels or labels out of range in its first batch.
    """
    paired = _check_elements(model, dataset.element_spec)
    length = int(dataset.cardinality())
    ends = length >= 0
    if not ends and steps_per_epoch is None:
        known = "has no end" if length == tf.data.INFINITE_CARDINALITY else "does not know how long it is"
        raise ValueError(f"fit: the dataset {known}. Say how many batches make an epoch, by steps_per_epoch=.")
    if ends and steps_per_epoch is not None:
        raise ValueError(f"fit: the dataset has {length} batches, and they make an epoch. Leave out steps_per_epoch.")
    if length == 0:
        raise ValueError("fit: the dataset is empty. Hand in one with a batch of images.")
    _check_first_batch(model, dataset, paired, transform)

    def prepare(images, *labels):
        images = tf.cast(images, tf.float32) / (255.0 if images.dtype == tf.uint8 else 1.0)
        images = tf.cast(images > 0.5, tf.float32) if transform == "binarise" else images
        return (images, *labels) if labels else images

    prepared = dataset.map(prepare, num_parallel_calls=2, deterministic=True).prefetch(2)
    return Feed(length if ends else steps_per_epoch, lambda first_step: prepared, ends, None)


def held_out(model: keras.Model, validation, transform: str, repeatable: bool) -> tf.data.Dataset | None:
    """Batches for validation: images as ``fit`` takes them, in their order."""
    if validation is None:
        return None
    if isinstance(validation, tf.data.Dataset):
        if repeatable:
            raise ValueError("fit: with checkpoints, validation must be an array or stored images, not a dataset.")
        return of_dataset(model, validation, transform, None).batches(0)
    check_kind(model, validation, "fit, validation", transform)
    return data.batches(validation, 500, seed=runtime.SEED, transform=transform, shuffle=False)


def check_kind(model: keras.Model, images, name: str, transform: str) -> None:
    """Raise ``ValueError`` unless these are images for this model, in an array or on disk: with the way to one."""
    kind = "tensor" if tf.is_tensor(images) else type(images).__name__
    came, way_out = f"a {kind}", ""
    if isinstance(images, (str, Path)):
        came, way_out = f"the path '{images}'", "Load the images first, with a function of course_utils.data."
    elif isinstance(images, (types.GeneratorType, keras.utils.Sequence)):
        way_out = "Make a dataset of it: tf.data.Dataset.from_generator(function, output_signature=...)."
    elif hasattr(images, "train_images"):
        way_out = "Hand in its .train_images."
    elif tf.is_tensor(images):
        way_out = "A tensor becomes an array by images.numpy()."
    if way_out:
        raise ValueError(f"{name}: {came} where {KINDS} belong. {way_out}")
    uint8 = getattr(images, "dtype", None) == np.uint8
    shapes.check_model(model, images, name, uint8=uint8, binarised=transform == "binarise")
    if images.dtype == bool:
        raise ValueError(f"{name}: images of type bool, where uint8 or floats belong. Try images.astype(np.float32).")


def _check_elements(model, spec) -> bool:
    """Whether a dataset pairs images with labels; raises ``ValueError`` unless its batches suit the model."""
    paired = isinstance(spec, tuple) and len(spec) == 2
    images = spec[0] if paired else spec
    if not isinstance(images, tf.TensorSpec) or not (images.dtype == tf.uint8 or images.dtype.is_floating):
        raise ValueError(f"fit: the dataset gives {spec}, expected batches of images, uint8 or floats in [0, 1].")
    if images.shape.rank is not None and images.shape.rank != 4:
        way_out = " Make batches: dataset.batch(128)." if images.shape.rank == 3 else ""
        raise ValueError(
            f"fit: the dataset gives images of shape {images.shape}, and not (batch, height, width, channels).{way_out}"
        )
    if paired and getattr(model, "_trains_as_here", False):  # a VAE with the training step of the course
        raise ValueError(
            "fit: the dataset gives images with labels, and this model takes images alone. Leave the labels out: "
            "dataset.map(lambda images, labels: images). A conditional VAE is a subclass with a train_step of its own."
        )
    return paired


def _check_first_batch(model, dataset, paired: bool, transform: str) -> None:
    first = next(iter(dataset.take(1)), None)
    if first is None:
        raise ValueError("fit: the dataset is empty. Hand in one with a batch of images.")
    images = np.asarray(first[0] if paired else first)
    binarised = transform == "binarise"
    shapes.check_model(
        model, images, "fit, first batch of the dataset", uint8=images.dtype == np.uint8, binarised=binarised
    )
    if paired:
        labels, classes = np.asarray(first[1]), getattr(model, "classes", None)
        if len(labels) != len(images):
            raise ValueError(f"fit: the dataset pairs {len(images)} images with {len(labels)} labels in a batch.")
        if np.issubdtype(labels.dtype, np.integer) and (labels.min() < 0 or labels.max() >= (classes or np.inf)):
            top = f" to {classes - 1}" if classes else " upwards"
            raise ValueError(f"fit: labels run from {labels.min()} to {labels.max()}, expected 0{top}.")

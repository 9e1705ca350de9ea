"""What Keras is given to train or evaluate a VAE on: images and nothing beside them, in an array or a dataset."""

from typing import Any

import numpy as np
import tensorflow as tf

from course_utils.border import pixels, shapes

NO_EFFECT = (
    "{} no effect on a VAE, which learns from images alone. Leave it out; a conditional VAE is a subclass with a "
    "train_step of its own."
)


def images_of(batch: Any, where: str = "fit") -> Any:
    """Keras hands a dataset's batches over as they are, and those of an array as ``(images,)``.

    Raises:
        ValueError: for labels, which would be dropped.
    """
    if not isinstance(batch, tuple):
        return batch
    if len(batch) != 1:
        raise ValueError(f"{where}: {NO_EFFECT.format('what stands beside the images in a batch (labels?) has')}")
    return batch[0]


def check_given(model: Any, given: dict, where: str) -> None:
    """Raise ``ValueError`` unless the arguments of a method of Keras are what the training step of a VAE takes.

    Args:
        given: arguments by name: ``x``, and what must not be there, ``y``, ``sample_weight``, ``class_weight``.
        where: the name of the method, for the message.
    """
    for name in ("y", "sample_weight", "class_weight"):
        if given.get(name) is not None:
            raise ValueError(f"{where}: {NO_EFFECT.format(name + ' has')}")
    images = given.get("x")
    if isinstance(images, tf.data.Dataset):
        images = images_of(images.element_spec, where)
        if isinstance(images, tf.TensorSpec) and images.shape.rank == 3 and images.shape[-1] in (1, 3):
            raise ValueError(f"{where}: the dataset has single images {images.shape}. Use dataset.batch(128).")
        pixels.check_array(images, where, model.parts.image_shape, False)
    elif isinstance(images, (np.ndarray, list, tuple)) or tf.is_tensor(images):
        shapes.check_model(model, images, where)


def watched(dataset: tf.data.Dataset, where: str, binary: bool, found: list[str]) -> tf.data.Dataset:
    """The same dataset, which stops at the first batch with pixels out of range, and says so in ``found``."""

    def tell(images):
        try:
            pixels.check_range(images, where, False, binary)
        except ValueError as error:
            found.append(str(error))
            raise
        return True

    def look(*batch):
        images = tf.cast(images_of(batch, where), tf.float32)
        fine = (tf.reduce_min(images) >= -pixels.ROUNDING) & (tf.reduce_max(images) <= 1 + pixels.ROUNDING)
        if binary:
            fine &= tf.reduce_all((images == 0) | (images == 1))
        checked = tf.cond(fine, lambda: True, lambda: tf.numpy_function(tell, [images], tf.bool))
        with tf.control_dependencies([checked]):
            return tf.identity(images)

    return dataset.map(look)

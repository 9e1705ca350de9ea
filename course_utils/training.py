"""Fitting a model: batches, learning rate, what is kept along the way. Lesson 05 writes the loop out once."""

from collections.abc import Callable

import numpy as np
import tf_keras as keras

from course_utils import data, runtime


def warmup_cosine(peak_rate: float, steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
    """A learning rate that climbs from 0 to its peak in a twentieth of the steps and then falls to 0 along a cosine.

    Args:
        peak_rate: the largest rate, per step.
        steps: length of the whole training, in steps.

    Loshchilov and Hutter 2017 (cosine); the warm-up keeps Adam's first, ill-estimated steps small.
    """
    warmup = max(1, steps // 20)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0,
        decay_steps=max(1, steps - warmup),
        warmup_target=peak_rate,
        warmup_steps=warmup,
    )


def fit(
    model: keras.Model,
    images: np.ndarray,
    *,
    epochs: int,
    peak_rate: float,
    batch_size: int = 128,
    transform: str = "float",
    validation: np.ndarray | None = None,
    callbacks: list | None = None,
    verbose: int = 0,
) -> dict[str, list[float]]:
    """Train a VAE (or any model whose ``train_step`` takes images) with Adam and a warm-up to ``peak_rate``.

    Args:
        images: uint8, shape ``(number, height, width, channels)``, at least one batch of them.
        transform: ``"float"`` for pixels in [0, 1] or ``"binarise"`` for pixels in {0, 1}.
        validation: uint8 images whose losses are reported after every epoch.

    Returns:
        The Keras history: a list of one figure an epoch for each name.

    Raises:
        ValueError: with fewer images than one batch.
    """
    if len(images) < batch_size:
        raise ValueError(f"fit: {len(images)} images make no batch of {batch_size}. Hand in more, or lower batch_size.")
    steps = epochs * (len(images) // batch_size)
    model.compile(keras.optimizers.Adam(warmup_cosine(peak_rate, steps), jit_compile=False))
    held_out = None
    if validation is not None:
        held_out = data.batches(validation, 500, seed=runtime.SEED, transform=transform, shuffle=False)
    batches = data.batches(images, batch_size, seed=runtime.SEED, transform=transform, drop_remainder=True)
    return model.fit(batches, epochs=epochs, validation_data=held_out, callbacks=callbacks, verbose=verbose).history


class Snapshots(keras.callbacks.Callback):
    """Keep pictures of a model as it learns: before training, every ``every`` batches of the first epoch, every epoch.

    The frames live in this object and nowhere else, so a film never shows frames of an earlier run.

    Args:
        draw: function of the model that returns an array; it is called at each of those moments.
        every: batches between two pictures of the first epoch.

    Attributes:
        frames: what ``draw`` returned, in order.
        captions: when, for instance ``"epoch 1, batch 75"``.
    """

    def __init__(self, draw: Callable, every: int = 75):
        super().__init__()
        self.draw, self.every = draw, every

    def _keep(self, caption: str):
        self.frames.append(np.asarray(self.draw(self.model)))
        self.captions.append(caption)

    def on_train_begin(self, logs=None):
        self.frames, self.captions, self.epoch = [], [], 0
        self._keep("before training")

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.epoch == 0 and (batch + 1) % self.every == 0:
            self._keep(f"epoch 1, batch {batch + 1}")

    def on_epoch_end(self, epoch, logs=None):
        self._keep(f"after epoch {epoch + 1}")

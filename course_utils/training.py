"""Fitting a model: batches, learning rate, what is kept along the way. Lesson 05 writes the loop out once."""

import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf
import tf_keras as keras

from course_utils import data, runtime, shapes
from course_utils.checkpoints import Checkpoints
from course_utils.models import KLWarmup as KLWarmup


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
    checkpoints: str | Path | None = None,
    checkpoint_every: int = 100,
) -> dict[str, list[float]]:
    """Train a VAE (or any model whose ``train_step`` takes images) with Adam and a warm-up to ``peak_rate``.

    With a folder for checkpoints, a training that was cut off goes on where the last one was written, when ``fit`` is
    called again on a new model with the same arguments. A VAE then ends with the same weights as one that was not cut
    off: to the last bit on one CPU. Taught in lesson 06.

    Args:
        images: uint8, shape ``(number, height, width, channels)``, at least one batch of them; in memory or stored.
            Their order is new in every epoch and depends on nothing but ``runtime.SEED`` and the epoch's number.
        transform: ``"float"`` for pixels in [0, 1] or ``"binarise"`` for pixels in {0, 1}.
        validation: uint8 images whose losses are reported after every epoch.
        checkpoints: a folder, which is made as needed; on Colab it may lie on a mounted Drive.
        checkpoint_every: steps between two checkpoints; there is one after every epoch as well.

    Returns:
        The Keras history, of all epochs from the first one: a list of one figure an epoch for each name.

    Raises:
        ValueError: for images that are none, or that the model is not made for (``shapes.check_model``); with fewer of
            them than one batch; and for a folder with the checkpoints of another training.
        OSError: for a folder that cannot be written.
        MemoryError: when the device has not enough for a batch; it says which size to try.
    """
    for given, name in ((images, "fit"), (validation, "fit, validation")):
        if given is not None:
            shapes.check_model(model, given, name, uint8=True, binarised=transform == "binarise")
    if len(images) < batch_size:
        raise ValueError(f"fit: {len(images)} images make no batch of {batch_size}. Hand in more, or lower batch_size.")
    steps = len(images) // batch_size
    with model.distribute_strategy.scope():
        model.compile(adam(model, warmup_cosine(peak_rate, epochs * steps)))
    held_out = None
    if validation is not None:
        held_out = data.batches(validation, 500, seed=runtime.SEED, transform=transform, shuffle=False)
    keepers, done = [], 0
    try:
        if checkpoints is not None:
            settings = {
                "images": list(images.shape),
                "batch size": batch_size,
                "epochs": epochs,
                "peak rate": peak_rate,
                "transform": transform,
                "steps an epoch": steps,
                "precision": _computes_in(model),
                "devices": model.distribute_strategy.num_replicas_in_sync,
                "first images": zlib.crc32(np.ascontiguousarray(images[:8])),
            }
            keepers = [_keeper(model, checkpoints, settings, checkpoint_every)]
            with model.distribute_strategy.scope():
                done = keepers[0].restore(model)
            if done:
                print(f"Resumed at step {done:,} of {epochs * steps:,}.")
            # Keras asks this method where to begin, and has an answer for its own backups only.
            model._maybe_load_initial_counters_from_ckpt = lambda *_: divmod(done, steps)
        try:
            history = model.fit(
                data.stream(images, batch_size, seed=runtime.SEED, first_step=done, transform=transform),
                epochs=epochs,
                steps_per_epoch=steps,
                validation_data=held_out,
                callbacks=[*(callbacks or []), *keepers],  # the keeper comes last, and writes what all others have seen
                verbose=verbose,
            ).history
        except KeyboardInterrupt:
            for keeper in keepers:
                keeper.save()
            raise
        return keepers[0].history if keepers else history
    except tf.errors.ResourceExhaustedError as error:
        way_out = f"Try batch_size={batch_size // 2}." if batch_size > 1 else "Close what else uses it."
        raise MemoryError(f"The device has not enough memory for batches of {batch_size} images. {way_out}") from error


def _keeper(model: keras.Model, folder: str | Path, settings: dict, every: int) -> Checkpoints:
    """The callback that writes checkpoints, made where the model's variables are."""
    with model.distribute_strategy.scope():
        model(tf.zeros((1, *settings["images"][1:])))  # now its weights exist, and can be counted and restored
        parameters = int(sum(np.prod(weight.shape) for weight in model.weights))
        return Checkpoints(folder, model, settings | {"parameters": parameters}, every)


def adam(model: keras.Model, rate) -> keras.optimizers.Optimizer:
    """Adam, with a scaled loss where layers compute in float16: its smallest numbers would become zero. Lesson 06.

    Args:
        rate: a number or a schedule.
    """
    optimizer = keras.optimizers.Adam(rate, jit_compile=False)
    return keras.mixed_precision.LossScaleOptimizer(optimizer) if _computes_in(model) == "float16" else optimizer


def _computes_in(model: keras.Model) -> str:
    """The number type of most of the work: a half-precision one where any layer has it, else float32."""
    found = {layer.compute_dtype for layer in model._flatten_layers()}
    return next((name for name in ("float16", "bfloat16") if name in found), "float32")


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
        self.frames.append(np.array(self.draw(self.model)))  # a copy: the next draw may use the same memory
        self.captions.append(caption)

    def on_train_begin(self, logs=None):
        self.frames, self.captions, self.epoch = [], [], 0
        resumed = int(self.model.optimizer.iterations.numpy()) > 0
        self._keep("resumed" if resumed else "before training")

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.epoch == 0 and (batch + 1) % self.every == 0:
            self._keep(f"epoch 1, batch {batch + 1}")

    def on_epoch_end(self, epoch, logs=None):
        self._keep(f"after epoch {epoch + 1}")

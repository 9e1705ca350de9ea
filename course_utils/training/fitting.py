"""Fitting a model: batches, learning rate, what is kept along the way. Lesson 05 writes the loop out once."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf
import tf_keras as keras

from course_utils import data
from course_utils.checkpoints import kept
from course_utils.checkpoints.identity import computes_in
from course_utils.models.callbacks import check_callbacks
from course_utils.training import feeding
from course_utils.training.stopping import FiniteLoss, too_little_memory


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
    images: np.ndarray | data.StoredImages | tf.data.Dataset,
    *,
    epochs: int,
    peak_rate: float,
    batch_size: int | None = None,
    transform: str = "float",
    validation: np.ndarray | data.StoredImages | tf.data.Dataset | None = None,
    callbacks: list | None = None,
    verbose: int = 0,
    checkpoints: str | Path | None = None,
    checkpoint_every: int = 100,
    steps_per_epoch: int | None = None,
    mirror: bool = False,
) -> dict[str, list[float]]:
    """Train a VAE (or any model whose ``train_step`` takes images) with Adam and a warm-up to ``peak_rate``.

    With a folder for checkpoints, a training that was cut off goes on where the last one was written, when ``fit`` is
    called again on a new model with the same arguments. A VAE then ends with the same weights as one that was not cut
    off: to the last bit on one CPU. What callbacks remember is kept as well. Taught in lesson 06.

    A finished training goes on when more epochs are asked for, with its Adam and with the learning rate that a training
    of so many epochs has from there on: the cosine, which had fallen to 0, is higher again and falls to 0 at the new
    end. The result is near to that of a training which was long from the start, and not the same.

    Args:
        images: uint8 or floats in [0, 1], shape ``(number, height, width, channels)``, at least one batch of them; in
            memory or stored. Their order is new in every epoch and depends on nothing but ``runtime.SEED`` and the
            epoch's number. Or a dataset of batches, which decides their order by itself; of pairs with labels for a
            model with a training step of its own.
        batch_size: of arrays, 128 unless given; a dataset has its own.
        transform: ``"float"`` for pixels in [0, 1] or ``"binarise"`` for pixels in {0, 1}.
        validation: images, as above, whose losses are reported after every epoch.
        checkpoints: a folder, which is made as needed; on Colab it may lie on a mounted Drive. Not with a dataset,
            whose order nobody can repeat. Images are told from others by all of them; stored ones beyond 512 MB by a
            sample.
        checkpoint_every: steps between two checkpoints; there is one after every epoch as well.
        steps_per_epoch: batches of an epoch, for a dataset that does not know its length.
        mirror: whether half of the images of an array, others in each epoch, have left and right exchanged.

    Returns:
        The Keras history, of all epochs from the first one: a list of one figure an epoch for each name.

    Raises:
        ValueError: for what is no images, fewer than one batch, settings out of range or without effect, and
            a folder with the checkpoints of another training: it says what differs.
        OSError: for a folder that cannot be written, or where another training is at work.
        FloatingPointError: when a loss is not finite; checkpoints from before stay.
        MemoryError: when the device has not enough for a batch; it says which size to try.
    """
    feed = feeding.of(model, images, batch_size, transform, steps_per_epoch, checkpoints is not None, mirror)
    held_out = feeding.held_out(model, validation, transform, repeatable=checkpoints is not None)
    _check_settings(epochs, peak_rate, checkpoint_every)
    steps = epochs * feed.steps
    with model.distribute_strategy.scope():
        model.compile(adam(model, warmup_cosine(peak_rate, steps)))
    check_callbacks(callbacks, model.optimizer)
    callbacks = tf.nest.flatten(callbacks or [])
    finite, keeper = FiniteLoss(steps, peak_rate, computes_in(model)), None
    settings = {
        "batch size": feed.batch_size,
        "epochs": epochs,
        "steps an epoch": feed.steps,
        "peak rate": float(peak_rate),
        "schedule": "a warm-up over a twentieth, then a cosine to 0",
        "transform": transform,
    } | ({"mirror": True} if mirror else {})
    try:
        with kept(model, checkpoints, images, validation, settings, checkpoint_every, callbacks) as (done, keeper):
            finite.kept = keeper
            history = model.fit(
                feed.batches(done),
                epochs=epochs,
                steps_per_epoch=None if feed.ends else feed.steps,
                validation_data=held_out,
                # The keeper comes last, and writes what all others have seen.
                callbacks=[finite, *callbacks, *([keeper] if keeper else [])],
                verbose=verbose,
            ).history
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:
        raise too_little_memory(feed.batch_size, keeper) from error
    if keeper is None and not model.stop_training and finite.seen < steps:
        raise ValueError(
            f"fit: the dataset ended before {steps} steps were done. Lower steps_per_epoch, or repeat it: "
            "dataset.repeat()."
        )
    return keeper.history if keeper else history


def _check_settings(epochs, peak_rate, checkpoint_every) -> None:
    for name, value in {"epochs": epochs, "checkpoint_every": checkpoint_every}.items():
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
            raise ValueError(f"fit: {name} is {value!r}; it must be a whole number of 1 or more.")
    if not (isinstance(peak_rate, (int, float, np.number)) and 0 < peak_rate < float("inf")):
        raise ValueError(f"fit: peak_rate is {peak_rate!r}; it must be a number above 0, for instance 0.001.")


def adam(model: keras.Model, rate) -> keras.optimizers.Optimizer:
    """Adam, with a scaled loss where layers compute in float16: its smallest numbers would become zero. Lesson 06.

    Args:
        rate: a number or a schedule.
    """
    optimizer = keras.optimizers.Adam(rate, jit_compile=False)
    return keras.mixed_precision.LossScaleOptimizer(optimizer) if computes_in(model) == "float16" else optimizer


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

    watches_only = True  # the film of a resumed training begins where it was resumed

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

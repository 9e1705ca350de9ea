"""Where a training goes on, and what keeps its checkpoints meanwhile."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import tensorflow as tf
import tf_keras as keras

from course_utils.border import files
from course_utils.checkpoints import identity
from course_utils.checkpoints.callback_states import States
from course_utils.checkpoints.keeper import Keeper


class Kept(NamedTuple):
    """Where a training goes on, and the callback that keeps its checkpoints: None without a folder for them."""

    done: int = 0
    keeper: Keeper | None = None


@contextlib.contextmanager
def kept(
    model: keras.Model,
    folder: str | Path | None,
    images,
    validation,
    settings: dict,
    every: int,
    callbacks: list,
) -> Iterator[Kept]:
    """Keep checkpoints of what ``model.fit`` does inside the block, and begin where the last one was written.

    Args:
        model: compiled.
        folder: it is made, and nobody else may train in it meanwhile. None keeps nothing.
        images, validation: arrays or stored images; the second may be None.
        settings: of the training by name, "epochs" and "steps an epoch" among them. Those of the model and the images
            are added here.
        every: steps between two checkpoints.
        callbacks: all others that ``model.fit`` will get.

    Raises:
        ValueError: for the checkpoints of another training, or if none can be read.
        OSError: for a folder that cannot be written, or where another training is at work.
    """
    if folder is None:
        yield Kept()
        return
    folder = files.make_writable(folder, "The folder for checkpoints")
    strategy = model.distribute_strategy
    steps, epochs = settings["steps an epoch"], settings["epochs"]
    with contextlib.ExitStack() as stack:
        if getattr(strategy.extended, "should_checkpoint", True):  # the others of several workers only read
            stack.enter_context(files.only_one(folder, "for checkpoints"))
        with strategy.scope():
            model(tf.zeros((1, *images.shape[1:])))  # now its weights exist, and can be counted and restored
            states = States(callbacks)
            settings = settings | identity.of_images(images, validation) | identity.of_model(model, images.shape[1:])
            settings = identity.plain(settings | {"callbacks": states.settings()})
            keeper = Keeper(folder, model, settings, every, states)
            done = keeper.restore(model)
        if done:
            print(_told(keeper, done))
        begin = (epochs, 0) if keeper.stopped else divmod(done, steps)
        # Keras asks this method where to begin, and has an answer for its own backups only.
        model._maybe_load_initial_counters_from_ckpt = lambda *_: begin
        stack.callback(delattr, model, "_maybe_load_initial_counters_from_ckpt")  # the next fit begins where it likes
        try:
            yield Kept(done, keeper)
        except KeyboardInterrupt:
            keeper.save()
            raise


def _told(keeper: Keeper, done: int) -> str:
    """One sentence on where the training goes on; a second one where its schedule has changed."""
    record = keeper.found[1]
    epochs, before, steps = keeper.settings["epochs"], record["settings"]["epochs"], keeper.settings["steps an epoch"]
    sentence = f"Resumed at step {done:,} of {epochs * steps:,}."
    if keeper.stopped:
        return f"{sentence} There a callback had stopped the training."
    if before != epochs:
        optimizer = keeper.state.optimizer  # its own learning_rate is that of the last step it has made
        rate = float(getattr(optimizer, "inner_optimizer", optimizer)._learning_rate(done))
        sentence += (
            f" The {before} epochs were finished, with a learning rate of 0. From here it is that of a training of "
            f"{epochs} epochs: {rate:.2g} now, and 0 at the end."
        )
    return sentence

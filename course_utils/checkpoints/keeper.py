"""Checkpoints that survive a kill: renamed when whole, the last two kept."""

import shutil
from pathlib import Path

import numpy as np
import tensorflow as tf
import tf_keras as keras

from course_utils.checkpoints import records
from course_utils.checkpoints.callback_states import States
from course_utils.checkpoints.identity import differences


class Keeper(keras.callbacks.Callback):
    """Save a model, its optimizer, its callbacks and the history so far, every ``every`` steps and after every epoch.

    A checkpoint is a folder ``step-00000300``, which gets this name when it is complete. In it are the state in
    TensorFlow's format, settings and history in JSON, and arrays that callbacks remember. The last two are kept.

    Args:
        folder: where; it exists. One training a folder.
        settings: what must be the same for a training to be continued, as ``identity`` describes it.
        every: steps between two checkpoints.
        states: of the other callbacks, all of which are called before this one.
    """

    def __init__(self, folder: Path, model: keras.Model, settings: dict, every: int, states: States):
        super().__init__()
        self.folder, self.settings, self.every, self.states = folder, settings, every, states
        self.history: dict[str, list[float]] = {}
        self.sums = None  # running sums of a half-finished epoch
        self.saved = self.seen = -1  # the step of the last checkpoint, and the last that every callback has seen
        self.found = None  # the checkpoint from which the training goes on, and what is written in it
        self.stopped = False  # by a callback, before its last epoch
        self.state = tf.train.Checkpoint(model=model, optimizer=model.optimizer)
        # Of several workers one keeps the result; without a strategy there is nobody else.
        self.writes = getattr(tf.distribute.get_strategy().extended, "should_checkpoint", True)
        model.optimizer.build(model.trainable_variables)

    def restore(self, model: keras.Model) -> int:
        """Continue from the newest checkpoint that can be read; returns its step, 0 without one.

        Raises:
            ValueError: for a checkpoint of another training, and when there are checkpoints but none can be read.
        """
        unreadable = []
        for path in records.complete(self.folder):
            try:
                record = records.read(path)
                if records.step_of(path) == 0 and differences(record["settings"], self.settings):
                    continue  # nothing was trained there yet: it stands in nobody's way
                self._refuse_other(record, path)
                self.state.read(str(path / "state")).assert_existing_objects_matched().expect_partial()
            except Other as error:
                raise ValueError(f"{error} Or name another folder to begin anew.") from None
            except Exception as error:  # TensorFlow has many names for a damaged file, IndexError among them
                if records.step_of(path) == 0:
                    continue
                if isinstance(error, records.Older):
                    raise ValueError(
                        f"{error}, which noted too little of a training to go on with it. Name another folder to begin "
                        "anew, or finish it with the version that began it."
                    ) from None
                unreadable.append(path.name)
                print(f"{path.name} in {self.folder} cannot be read ({type(error).__name__}); trying the one before.")
                continue
            self.found, self.history, self.stopped = (path, record), record["history"], record["stopped"]
            self.saved = self.seen = records.step_of(path)
            if self.saved % self.settings["steps an epoch"]:  # an epoch that begins anew begins with empty sums
                self.sums = [variable.numpy() for variable in _sums(model)]
            return self.saved
        if unreadable:
            raise ValueError(
                f"None of the checkpoints in {self.folder} can be read: {', '.join(unreadable)}. They are damaged. "
                "Put back a copy, or name another folder to begin anew."
            )
        return 0

    def _refuse_other(self, record: dict, path: Path) -> None:
        theirs, ours = record["settings"], self.settings
        found = differences(theirs, ours)
        if records.step_of(path) == theirs["epochs"] * theirs["steps an epoch"]:  # finished: it may go on to more
            rest = differences(theirs | {"epochs": ours["epochs"]}, ours)
            if not rest and theirs["epochs"] > ours["epochs"]:
                raise Other(
                    f"The training in {self.folder} has done {theirs['epochs']} epochs, and {ours['epochs']} are asked "
                    f"for: nothing is left to train. Ask for {theirs['epochs']} epochs to get that model, or for more."
                )
            found = rest
        if found:
            told = "; ".join(found[:6]) + (f"; and {len(found) - 6} more" if len(found) > 6 else "")
            later = ""
            if len(found) == 1 and found[0].startswith("epochs "):
                later = " A callback had stopped it before its end: it goes no further."
                later = later if record["stopped"] else " More epochs can follow once it has finished."
            raise Other(
                f"The checkpoints in {self.folder} are of another training: {told}. Use the same settings to go "
                f"on.{later}"
            )
        try:
            self.states.check(record["callbacks"])
        except ValueError as error:
            raise Other(f"The training in {self.folder} cannot go on here. {error}") from None

    def save(self) -> None:
        """Write a checkpoint, unless there is one of this step, or what belongs to it is not complete.

        The figures of a finished epoch may be still to come; a callback may not have seen the step; and a state that
        is not finite helps nobody.
        """
        step = int(self.model.optimizer.iterations.numpy())
        epochs_done = max(map(len, self.history.values()), default=0)
        if step == self.saved or step // self.settings["steps an epoch"] > epochs_done:
            return
        if (step != self.seen and self.states.changed()) or not is_finite(self.model):
            return
        part = self.folder / f"step-{step:08d}.part{'' if self.writes else '-worker'}"
        shutil.rmtree(part, ignore_errors=True)
        try:
            part.mkdir()  # not its parents: where a Drive was unmounted, a folder of that name is not the Drive
            record = {"settings": self.settings, "history": self.history, "stopped": self.stopped}
            records.write(part, record | {"callbacks": self.states.save(part)})
            self.state.write(str(part / "state"))
            if self.writes:
                shutil.rmtree(part.with_suffix(""), ignore_errors=True)
                part.rename(part.with_suffix(""))
        except (OSError, tf.errors.OpError) as error:
            shutil.rmtree(part, ignore_errors=True)
            reason = error.strerror if isinstance(error, OSError) and error.strerror else error
            raise OSError(
                f"The checkpoint of step {step} cannot be written to {self.folder}: {reason}. {self._way_out()}"
            ) from error
        if not self.writes:  # all workers take part, one keeps the result
            shutil.rmtree(part, ignore_errors=True)
            self.saved = step
            return
        self.saved = step
        for path in [*records.complete(self.folder)[2:], *self.folder.glob("step-*.part")]:
            shutil.rmtree(path, ignore_errors=True)

    def _way_out(self) -> str:
        """What is left to go on with, by a look into the folder."""
        for path in records.complete(self.folder):
            if records.step_of(path):
                return (
                    f"The one of step {records.step_of(path)} is intact. Make room and start again: the training goes "
                    "on from there. Or copy the folder to where there is room, and name the copy."
                )
        return "None is left there. Make room, or name another folder, and start again: the training begins anew."

    def on_train_begin(self, logs=None):
        if self.found is not None and (self.stopped or not self.saved % self.settings["steps an epoch"]):
            self._restore_states()
        self.seen = int(self.model.optimizer.iterations.numpy())
        self.save()  # at once, so that a folder which cannot be written stops nothing that has run for hours

    def on_epoch_begin(self, epoch, logs=None):
        if self.sums is not None:
            for variable, value in zip(_sums(self.model), self.sums, strict=True):
                variable.assign(value)
            self.sums = None
        if self.found is not None:  # in the middle of an epoch, whose begin the callbacks have now seen twice
            self._restore_states()

    def _restore_states(self) -> None:
        path, record = self.found
        self.states.restore(record["callbacks"], path)
        self.found = None

    def on_train_batch_end(self, batch, logs=None):
        self.seen = int(self.model.optimizer.iterations.numpy())
        if self.seen % self.every == 0:
            self.save()

    def on_epoch_end(self, epoch, logs=None):
        self.stopped = bool(self.model.stop_training)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(float(value))
        self.save()


class Other(ValueError):
    """A checkpoint of another training."""


def is_finite(model: keras.Model) -> bool:
    """Whether every weight of a model is a finite number."""
    return all(np.isfinite(weight).all() for weight in model.get_weights())


def _sums(model: keras.Model) -> list:
    return [variable for metric in model.metrics for variable in metric.variables]

"""Checkpoints that survive a kill: renamed when whole, the last two kept. ``training.fit`` is the door to this."""

import contextlib
import json
import shutil
from pathlib import Path

import tensorflow as tf
import tf_keras as keras


def complete(folder: str | Path) -> list[Path]:
    """The checkpoints in a folder, newest first."""
    found = [path for path in Path(folder).glob("step-????????") if path.is_dir()]
    return sorted(found, key=lambda path: path.name, reverse=True)


def recorded_settings(folder: str | Path) -> dict:
    """The settings of the training whose checkpoints lie in a folder; empty without any that can be read."""
    for path in complete(folder):
        with contextlib.suppress(OSError, ValueError, KeyError):
            return json.loads((path / "training.json").read_text())["settings"]
    return {}


class Checkpoints(keras.callbacks.Callback):
    """Save a model, its optimizer and the history so far, every ``every`` steps and after every epoch.

    A checkpoint is a folder ``step-00000300``, which gets this name when it is complete. In it are the state in
    TensorFlow's format, and settings and history in JSON. The last two are kept.

    Args:
        folder: where; it is made. One training a folder.
        settings: what must be the same for a training to be continued: readable names and numbers.
        every: steps between two checkpoints.

    Raises:
        OSError: when the folder cannot be written.
    """

    def __init__(self, folder: str | Path, model: keras.Model, settings: dict, every: int):
        super().__init__()
        self.folder, self.settings, self.every = Path(folder), settings, every
        self.history: dict[str, list[float]] = {}
        self.sums = None  # running sums of a half-finished epoch
        self.saved = -1
        self.state = tf.train.Checkpoint(model=model, optimizer=model.optimizer)
        # Of several workers one keeps the result; without a strategy there is nobody else.
        self.writes = getattr(tf.distribute.get_strategy().extended, "should_checkpoint", True)
        model.optimizer.build(model.trainable_variables)

    def restore(self, model) -> int:
        """Continue from the newest checkpoint that can be read; returns its step, 0 without one.

        Raises:
            ValueError: for a checkpoint of another training, and when there are checkpoints but none can be read.
        """
        unreadable = []
        for path in complete(self.folder):
            try:
                training = json.loads((path / "training.json").read_text())
                theirs, self.history = training["settings"], training["history"]
                if theirs != self.settings:
                    break
                self.state.read(str(path / "state")).assert_existing_objects_matched()
            except Exception as error:  # TensorFlow has many names for a damaged file, IndexError among them
                unreadable.append(path.name)
                print(f"{path.name} in {self.folder} cannot be read ({type(error).__name__}); trying the one before.")
                continue
            self.saved = int(path.name[5:])
            if self.saved % self.settings["steps an epoch"]:  # an epoch that begins anew begins with empty sums
                self.sums = [variable.numpy() for metric in model.metrics for variable in metric.variables]
            return self.saved
        else:
            if unreadable:
                raise ValueError(
                    f"None of the checkpoints in {self.folder} can be read: {', '.join(unreadable)}. They are damaged, "
                    "or of other networks. Put back a copy, or name another folder to begin anew."
                )
            return 0
        differing = [name for name in self.settings if theirs.get(name) != self.settings[name]]
        told = "; ".join(f"{name} {theirs.get(name)} there, {self.settings[name]} here" for name in differing)
        raise ValueError(
            f"The checkpoints in {self.folder} are of another training: {told}. Use the same settings to go on, or "
            "name another folder to begin anew."
        )

    def save(self) -> None:
        """Write a checkpoint, unless there is one of this step or the figures of a finished epoch are still to come."""
        step = int(self.model.optimizer.iterations.numpy())
        epochs_done = max(map(len, self.history.values()), default=0)
        if step == self.saved or step // self.settings["steps an epoch"] > epochs_done:
            return
        part = self.folder / f"step-{step:08d}.part{'' if self.writes else '-worker'}"
        shutil.rmtree(part, ignore_errors=True)
        try:
            part.mkdir()  # not its parents: where a Drive was unmounted, a folder of that name is not the Drive
            (part / "training.json").write_text(json.dumps({"settings": self.settings, "history": self.history}))
            self.state.write(str(part / "state"))
            if self.writes:
                shutil.rmtree(part.with_suffix(""), ignore_errors=True)
                part.rename(part.with_suffix(""))
        except (OSError, tf.errors.OpError) as error:
            raise OSError(
                f"The checkpoint of step {step} cannot be written to {self.folder}: {error}. Earlier ones are intact. "
                "Make room or name another folder, and start again: the training goes on from there."
            ) from error
        if not self.writes:  # all workers take part, one keeps the result
            shutil.rmtree(part, ignore_errors=True)
            return
        self.saved = step
        for path in [*complete(self.folder)[2:], *self.folder.glob("step-*.part")]:
            shutil.rmtree(path, ignore_errors=True)

    def on_train_begin(self, logs=None):
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OSError(
                f"The folder for checkpoints, {self.folder}, cannot be made: {error}. Name another."
            ) from error
        self.save()  # at once, so that a folder which cannot be written stops nothing that has run for hours

    def on_epoch_begin(self, epoch, logs=None):
        if self.sums is not None:
            variables = [variable for metric in self.model.metrics for variable in metric.variables]
            for variable, value in zip(variables, self.sums, strict=True):
                variable.assign(value)
            self.sums = None

    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.optimizer.iterations.numpy()) % self.every == 0:
            self.save()

    def on_epoch_end(self, epoch, logs=None):
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(float(value))
        self.save()

"""What callbacks remember, kept in a checkpoint: a resumed training stops where a whole one does."""

import collections
import hashlib
import inspect
import warnings
from pathlib import Path

import numpy as np
import tensorflow as tf
import tf_keras as keras

callbacks = keras.callbacks
WATCHERS = (
    callbacks.BaseLogger,
    callbacks.CSVLogger,
    callbacks.History,
    callbacks.LambdaCallback,
    callbacks.ProgbarLogger,
    callbacks.RemoteMonitor,
    callbacks.TensorBoard,
    callbacks.TerminateOnNaN,
)
OF_KERAS = {"model", "params", "validation_data", "_chief_worker_only", "_supports_tf_logs"}
PLAIN = (bool, int, float, str, type(None))
SEQUENCES = {"list": list, "tuple": tuple, "set": set, "deque": collections.deque}
WAY_OUT = (
    "Keep it in numbers, texts, arrays, lists or dictionaries; or, if the callback only watches and changes nothing "
    "about the training, give its class the line `watches_only = True`."
)


class Unkeepable(Exception):
    """A value that no checkpoint can hold."""


class States:
    """What the callbacks of a training remember. Those that only watch are left alone: they begin anew.

    Args:
        given: the callbacks, in the order in which they are called.
    """

    def __init__(self, given: list):
        self.callbacks = {}
        for callback in given:
            if not isinstance(callback, WATCHERS) and not getattr(callback, "watches_only", False):
                name = type(callback).__name__
                count = sum(key.startswith(f"{name} ") for key in self.callbacks)
                self.callbacks[f"{name} {count + 1}"] = callback
        self.before = {key: self._of(callback, {})[0] for key, callback in self.callbacks.items()}
        for key, callback in self.callbacks.items():
            if unkept := self._of(callback, {})[1]:
                warnings.warn(
                    f"The callback {key.split()[0]} holds what no checkpoint can keep: {', '.join(unkept)}. This "
                    f"training can be cut off, but not resumed. {WAY_OUT}",
                    stacklevel=5,
                )

    def settings(self) -> dict:
        """The callbacks that change what is trained, by what they were made with: a part of the training's identity."""
        found = {}
        for key, callback in self.callbacks.items():
            kind = type(callback)
            if isinstance(callback, callbacks.EarlyStopping) or kind.__module__.startswith("course_utils."):
                made_with = (name for name in inspect.signature(kind.__init__).parameters if hasattr(callback, name))
                values = {name: getattr(callback, name) for name in made_with}
                found[key] = {name: value for name, value in values.items() if isinstance(value, PLAIN)}
        return found

    def changed(self) -> bool:
        """Whether any of them has noted something since the training began, or is known to act on it."""
        now = {key: self._of(callback, {})[0] for key, callback in self.callbacks.items()}
        return now != self.before or bool(self.settings())

    def save(self, path: Path) -> dict:
        """Write the arrays among the states to a file in ``path``; returns the rest, for JSON."""
        arrays, record = {}, {}
        for key, callback in self.callbacks.items():
            state, unkept = self._of(callback, arrays)
            record[key] = {"state": state, "unkept": unkept, "changed": state != self.before[key]}
        if arrays:
            np.savez(path / "callbacks.npz", **arrays)
        return record

    def check(self, record: dict) -> None:
        """Raise ``ValueError`` if a training with these states cannot go on with the callbacks that are here."""
        for key, entry in record.items():
            name = key.split()[0]
            if key not in self.callbacks:
                if entry["changed"]:
                    raise ValueError(
                        f"The callback {name} was a part of the training and remembers something of it. Hand one in."
                    )
                continue
            if entry["unkept"]:
                raise ValueError(
                    f"The callback {name} holds what no checkpoint can keep: {', '.join(entry['unkept'])}. So the "
                    f"training cannot go on as if it had not been cut off. {WAY_OUT} Then begin anew in another folder."
                )

    def restore(self, record: dict, path: Path) -> None:
        """Give the callbacks the states of a checkpoint."""
        arrays = {}
        if (path / "callbacks.npz").exists():
            with np.load(path / "callbacks.npz", allow_pickle=False) as file:
                arrays = dict(file)
        for key, callback in self.callbacks.items():
            for name, value in record.get(key, {"state": {}})["state"].items():
                present = getattr(callback, name, None)
                if isinstance(present, tf.Variable):
                    present.assign(_decoded(value, arrays))
                elif isinstance(present, np.random.Generator):
                    present.bit_generator.state = _decoded(value, arrays)
                elif isinstance(present, collections.deque):
                    present.clear()
                    present.extend(_decoded(value, arrays))  # into this one, which knows how many it may hold
                else:
                    setattr(callback, name, _decoded(value, arrays))

    @staticmethod
    def _of(callback, arrays: dict) -> tuple[dict, list[str]]:
        state, unkept = {}, []
        for name, value in vars(callback).items():
            if name in OF_KERAS or _is_tool(value):
                continue
            try:
                state[name] = _encoded(value, arrays)
            except Unkeepable as kind:
                if not type(callback).__module__.startswith("tf_keras."):  # its own hold options, and no more
                    unkept.append(f"{name} ({kind})")
        return state, unkept


def _is_tool(value) -> bool:
    """What a callback was given to work with, and does not remember anything by."""
    return callable(value) or isinstance(value, (tf.data.Dataset, Path)) or hasattr(value, "gather")


def _encoded(value, arrays: dict):
    if isinstance(value, PLAIN):
        return value
    if isinstance(value, np.random.Generator):
        return _encoded(value.bit_generator.state, arrays)
    if isinstance(value, (np.ndarray, np.generic, tf.Tensor, tf.Variable)):
        array = np.asarray(value)
        if array.dtype.kind not in "biufcSU":
            raise Unkeepable(type(value).__name__)
        content = hashlib.blake2b(np.ascontiguousarray(array), digest_size=8).hexdigest()
        key = f"{array.dtype.name}-{'x'.join(map(str, array.shape))}-{content}"
        arrays[key] = array
        return {"array": key, "as": type(value).__name__ if isinstance(value, np.generic) else ""}
    if isinstance(value, dict):
        return {"dict": [[_encoded(key, arrays), _encoded(each, arrays)] for key, each in value.items()]}
    for name, kind in SEQUENCES.items():
        if type(value) is kind:
            items = sorted(value, key=repr) if kind is set else value
            return {name: [_encoded(each, arrays) for each in items]}
    raise Unkeepable(type(value).__name__)


def _decoded(value, arrays: dict):
    if not isinstance(value, dict):
        return value
    if "array" in value:
        array = arrays[value["array"]]
        return array[()] if value["as"] else array
    if "dict" in value:
        return {_decoded(key, arrays): _decoded(each, arrays) for key, each in value["dict"]}
    ((name, items),) = value.items()
    return SEQUENCES[name](_decoded(each, arrays) for each in items)

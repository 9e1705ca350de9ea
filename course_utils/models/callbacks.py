"""Callbacks: a KL that is warmed up, and a check that refuses what would have no effect."""

from typing import Any

import tensorflow as tf
import tf_keras as keras


class KLWarmup(keras.callbacks.Callback):
    """Let the weight of the KL climb in a straight line, from ``start`` of the VAE's ``beta`` to the whole of it.

    So the decoder learns to use the code before the code has to pay for it (Bowman et al. 2016; lesson 07). The weight
    follows from the number of the step alone: a training that is resumed goes on at the right one.

    Args:
        epochs: length of the climb; or
        steps: the same in batches. Give one of the two.
        start: fraction of ``beta`` at the first step.

    Raises:
        ValueError: unless one length of 1 or more is given, and a start in [0, 1]; in ``fit``, for a model that is no
            ``models.VAE``, and for epochs of a dataset whose length Keras does not know.
    """

    def __init__(self, epochs: int | None = None, *, steps: int | None = None, start: float = 0.0):
        super().__init__()
        length = epochs if steps is None else steps
        if (epochs is None) == (steps is None) or not length >= 1 or not 0 <= start <= 1:
            raise ValueError(
                f"KLWarmup: epochs={epochs}, steps={steps}, start={start}. Give epochs or steps, 1 or more, and a "
                "start in [0, 1], a fraction of the VAE's beta."
            )
        self.epochs, self.steps, self.start = epochs, steps, start

    def on_train_begin(self, logs=None):
        if not hasattr(self.model, "weigh_kl"):
            raise ValueError(
                f"KLWarmup: {type(self.model).__name__} is no models.VAE. In a model of your own, let beta be a "
                "tf.Variable(trainable=False), and assign to it in a callback."
            )
        if self.steps is None and not self.params.get("steps"):
            raise ValueError("KLWarmup: the length of an epoch is not known. Give steps=, or fit(steps_per_epoch=).")
        self.length = self.steps or self.epochs * self.params["steps"]
        self._set()

    def on_train_batch_begin(self, batch, logs=None):
        self._set()

    def on_train_end(self, logs=None):
        self._set()

    def _set(self):
        step = int(self.model.optimizer.iterations.numpy())
        self.model.weigh_kl(self.start + (1 - self.start) * min(1.0, step / self.length))


def check_callbacks(callbacks: Any, optimizer: Any, where: str = "fit") -> None:
    """Raise ``ValueError`` for callbacks of Keras 3, for what is no callback, and for those that set a learning rate
    which a schedule sets already.

    Args:
        callbacks: what ``fit`` takes: None, a callback, or a list of them.
        optimizer: the compiled one.
        where: the name of the function that was called, for the message.
    """
    if callbacks is None or isinstance(callbacks, keras.callbacks.CallbackList):
        return
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    scheduled = isinstance(getattr(inner, "_learning_rate", None), keras.optimizers.schedules.LearningRateSchedule)
    for callback in tf.nest.flatten(callbacks):
        kind = callback if isinstance(callback, type) else type(callback)
        if any(base.__module__.split(".")[0] == "keras" for base in kind.__mro__):
            raise ValueError(
                f"{where}: {kind.__name__} is a callback of Keras 3, and the course's models are of tf_keras: "
                f"import tf_keras as keras, then keras.callbacks.{kind.__name__}."
            )
        if not isinstance(callback, keras.callbacks.Callback):
            call = f" Call it: {kind.__name__}(...)." if kind is callback else ""
            raise ValueError(
                f"{where}: {callback!r} is no callback, which is an object of a class made from "
                f"keras.callbacks.Callback.{call}"
            )
        if scheduled and isinstance(
            callback, (keras.callbacks.ReduceLROnPlateau, keras.callbacks.LearningRateScheduler)
        ):
            raise ValueError(
                f"{where}: {kind.__name__} cannot set a learning rate that follows a schedule, as in training.fit. "
                "Leave the callback out; or vae.compile(keras.optimizers.Adam(1e-3)) with a number, and "
                "vae.fit(data.batches(images, 128, seed=1), epochs=..., callbacks=[...])."
            )

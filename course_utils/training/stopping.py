"""What stops a training before its end, said so that somebody knows what to do: a loss that is no number, memory."""

import math

import numpy as np
import tf_keras as keras


class FiniteLoss(keras.callbacks.Callback):
    """Stop the training at the first loss, or weight after an epoch, that is NaN or infinite.

    It comes before all other callbacks, so that none of them counts such a loss, and no checkpoint gets it.

    Args:
        steps: of the whole training.
        peak_rate: its largest learning rate.
        precision: in which most layers compute.

    Raises:
        FloatingPointError: at that step.
    """

    watches_only = True

    def __init__(self, steps: int, peak_rate: float, precision: str):
        super().__init__()
        self.steps, self.peak_rate, self.precision = steps, peak_rate, precision
        self.kept = None  # the callback of ``checkpoints.kept``
        self.seen = 0  # steps

    def on_train_batch_end(self, batch, logs=None):
        self.seen += 1
        value = (logs or {}).get("loss", 0.0)
        if np.ndim(value) == 0 and not math.isfinite(value):
            self._stop(f"The loss is {float(value)}")

    def on_epoch_end(self, epoch, logs=None):
        if not all(np.isfinite(weight).all() for weight in self.model.get_weights()):
            self._stop("There are weights which are no finite numbers")
        value = (logs or {}).get("val_loss", 0.0)
        if np.ndim(value) == 0 and not math.isfinite(value):
            self._stop(f"The loss of the validation images is {float(value)}")

    def _stop(self, what: str):
        step = int(self.model.optimizer.iterations.numpy())
        number_type = "" if self.precision == "float32" else f", or float32 in place of {self.precision}"
        sentences = [
            f"{what} at step {step:,} of {self.steps:,}.",
            f"A lower peak_rate helps most often: try {self.peak_rate / 10:g}{number_type}.",
        ]
        saved, folder = saved_step(self.kept), getattr(self.kept, "folder", None)
        if saved:
            sentences.append(
                f"The checkpoint of step {saved:,} in {folder} is finite, and the same settings lead from there to the "
                "same end: with others, name another folder to begin anew."
            )
        raise FloatingPointError(" ".join(sentences))


def saved_step(keeper) -> int:
    """The step of the last checkpoint; 0 where nothing that was trained has been written."""
    return max(keeper.saved, 0) if keeper else 0


def too_little_memory(batch_size: int | None, keeper) -> MemoryError:
    """The error to raise when a batch does not fit into memory."""
    if not batch_size:
        way_out = "Make its batches smaller."
    elif batch_size == 1:
        way_out = "Close what else uses it."
    else:
        elsewhere = f" and another folder than {keeper.folder}, to begin anew" if saved_step(keeper) else ""
        way_out = f"Try batch_size={batch_size // 2}{elsewhere}."
    images = f"batches of {batch_size} images" if batch_size else "a batch of this dataset"
    return MemoryError(f"The device has not enough memory for {images}. {way_out}")

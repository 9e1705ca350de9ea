"""Images that stay on disk: reading rows of a prepared file, and batches of them in an order that can be resumed."""

import copy
import functools
import math
import os
import threading
import weakref
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from course_utils.data.cache import DataError, cause

if TYPE_CHECKING:
    import tensorflow as tf

AVATAR = (256, 256, 3)  # the shape of one image of Cartoon Set
_seeking = threading.Lock()


class StoredImages:
    """Images in a file, which reads like a uint8 array `(n, height, width, channels)` that cannot be written to.

    Index the first axis, with a number, a slice or an array of row numbers: what comes back is an array in memory. A
    `np.memmap` would do the same, but its pages count as memory of the process: reading keeps the peak at one batch,
    however many images there are. The file stays open, so that a running training survives its deletion.

    Args:
        path: file of images, one after the other, without a header.
        rows: which of them, and in which order.
        shape: of one image.
        sums: the CRC-32 of each image of the file, `(images,)`, to be compared with whenever one is read: a disk may
            give back zeros, and black images would be trained on without a word. It costs 0.1 ms an image.

    Raises:
        DataError: if the file cannot be opened; and while reading, if it cannot be read or holds something else.
    """

    def __init__(
        self,
        path: Path,
        rows: np.ndarray,
        *,
        shape: tuple[int, int, int] = AVATAR,
        sums: np.ndarray | None = None,
    ):
        self.path, self.rows, self.sums = Path(path), np.asarray(rows, np.int64), sums
        self.image_shape, self.image_bytes = tuple(shape), math.prod(shape)
        try:
            self._file = os.open(self.path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        except OSError as error:
            raise DataError(f"{self.path} cannot be opened: {cause(error)}. Load the set again.") from error
        weakref.finalize(self, os.close, self._file)

    dtype = np.dtype(np.uint8)
    ndim = 4

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return (len(self.rows), *self.image_shape)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index) -> np.ndarray:
        rows = self.rows[index]
        images = np.empty((*np.shape(rows), *self.image_shape), np.uint8)
        for row, place in zip(np.ravel(rows).tolist(), images.reshape(-1, self.image_bytes), strict=True):
            self._read(row, place)
        return images

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        """All of them, in memory: `np.asarray` of a few rows is fine, of a large set it is not."""
        return self[:] if dtype is None else self[:].astype(dtype)

    def __repr__(self) -> str:
        return f"StoredImages of shape {self.shape}, uint8, on disk"

    def at(self, rows: np.ndarray) -> "StoredImages":
        """These rows as images of their own. Nothing is read."""
        part = copy.copy(self)
        part.rows, part.whole = self.rows[rows], self  # which closes the file once nobody reads it any more
        return part

    def gather(self, index: "tf.Tensor") -> "tf.Tensor":
        """The images of an index tensor `(batch,)`, uint8 `(batch, height, width, channels)`, for a pipeline."""
        import tensorflow as tf

        images = tf.numpy_function(self.__getitem__, [index], tf.uint8, stateful=False)
        return tf.ensure_shape(images, (None, *self.image_shape))

    def _read(self, row: int, place: np.ndarray) -> None:
        try:
            if hasattr(os, "preadv"):
                got = os.preadv(self._file, [place], row * self.image_bytes)
            else:
                with _seeking:
                    os.lseek(self._file, row * self.image_bytes, os.SEEK_SET)
                    content = os.read(self._file, self.image_bytes)
                got = len(content)
                place[:got] = np.frombuffer(content, np.uint8)
        except OSError as error:
            raise DataError(f"{self.path}, image {row}, cannot be read: {cause(error)}. Load the set again.") from error
        advice = f"Delete {self.path.parent}, and load the set again."
        if got != self.image_bytes:
            raise DataError(f"{self.path} ends before image {row}. {advice}")
        if self.sums is not None and zlib.crc32(place) != self.sums[row]:
            raise DataError(f"{self.path} is damaged: image {row} is not what was stored. {advice}")


def epoch_order(number: int, seed: int, epoch: int) -> np.ndarray:
    """The order of `number` images in one epoch: int64 `(number,)`, a function of its arguments and of nothing else.

    A training that is resumed in epoch 7 asks for epoch 7, and need not draw the six before it.
    """
    return np.random.default_rng([seed, epoch]).permutation(number)


def stream(
    images: np.ndarray | StoredImages,
    batch_size: int,
    seed: int,
    *,
    first_step: int = 0,
    transform: str = "float",
    mirror: bool = False,
) -> "tf.data.Dataset":
    """Return an endless dataset of full float32 batches, which begins with the batch of `first_step`.

    Step `s` lies in epoch `s // (len(images) // batch_size)`, and takes its part of that epoch's `epoch_order`; the
    last images of an order, too few for a batch, are left to the next epochs. So a run that stops after step 100 and
    one which begins with `first_step=100` see together what a single run sees. `images` are uint8, or floats in [0, 1],
    in memory or on disk; `transform` is "float" (in [0, 1]) or "binarise" (in {0, 1}, threshold 0.5). With `mirror`,
    half of the images of each epoch, other ones in the next, have left and right exchanged.
    Raises `ValueError` for other pixels, an unknown `transform`, a negative step, or too few images for a batch.
    """
    import tensorflow as tf

    if transform not in ("float", "binarise"):
        raise ValueError(f"transform must be 'float' or 'binarise', not {transform!r}.")
    if images.dtype != np.uint8 and not np.issubdtype(images.dtype, np.floating):
        raise ValueError(f"stream takes images as uint8 or as floats in [0, 1], not {images.dtype}.")
    if not 1 <= batch_size <= len(images):
        raise ValueError(f"{len(images)} images do not fill one batch of {batch_size}.")
    if first_step < 0:
        raise ValueError(f"first_step must be 0 or more, not {first_step}.")
    steps = len(images) // batch_size
    order = functools.lru_cache(2)(lambda epoch: epoch_order(len(images), seed, epoch))
    mirrored = functools.lru_cache(2)(lambda epoch: epoch_order(len(images), seed + 1, epoch) % 2 == 0)

    kind, top = (np.uint8, 255.0) if images.dtype == np.uint8 else (np.float32, 1.0)

    def read(step: np.ndarray) -> np.ndarray:
        epoch, place = divmod(int(step), steps)
        rows = order(epoch)[place * batch_size : (place + 1) * batch_size]
        batch = np.asarray(images[rows], kind)
        return np.where(mirrored(epoch)[rows, None, None, None], batch[:, :, ::-1], batch) if mirror else batch

    def load(step: "tf.Tensor") -> "tf.Tensor":
        batch = tf.numpy_function(read, [step], kind, stateful=False)
        batch = tf.cast(tf.ensure_shape(batch, (batch_size, *images.shape[1:])), tf.float32) / top
        return batch if transform == "float" else tf.cast(batch > 0.5, tf.float32)

    numbers = tf.data.Dataset.range(first_step, np.iinfo(np.int64).max)
    return numbers.map(load, num_parallel_calls=2, deterministic=True).prefetch(2)

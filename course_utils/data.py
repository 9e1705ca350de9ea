"""MNIST and Fashion-MNIST as arrays: from your folder, the cache, a download, or drawn in code, in this order.

`COURSE_DATA_DIR` names a folder of yours with `mnist/` and `fashion-mnist/`, each with the four official `.gz` files.
It is only read. `COURSE_CACHE_DIR` moves the cache, which otherwise lies where the operating system keeps caches.
Every file is checked against its known md5 before it is used. Print the loaded set: it says where it comes from.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import math
import os
import tempfile
import threading
import time
import warnings
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import numpy as np
import pooch

from course_utils import drawn

if TYPE_CHECKING:
    import tensorflow as tf

SOURCES = ("auto", "real", "drawn")
PLACES = {"folder": "from the folder in COURSE_DATA_DIR", "cache": "from the cache", "download": "downloaded now"}
# The order of the files is the order of the first four fields of ImageSet.
FILES = tuple(f"{part}-{kind}-ubyte.gz" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1"))
NAMES = {"mnist": "MNIST", "fashion-mnist": "Fashion-MNIST"}
CLASSES = {
    "mnist": tuple("0123456789"),
    "fashion-mnist": tuple("T-shirt/top,Trouser,Pullover,Dress,Coat,Sandal,Shirt,Sneaker,Bag,Ankle boot".split(",")),
}
MIRRORS = {
    "mnist": ["https://storage.googleapis.com/cvdf-datasets/mnist/", "https://ossci-datasets.s3.amazonaws.com/mnist/"],
    "fashion-mnist": [
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ],
}
MD5 = {
    "mnist": {
        "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
        "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
        "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
    },
    "fashion-mnist": {
        "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
        "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
        "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
    },
}
CONNECT_SECONDS, READ_SECONDS = 6.0, 20.0
DRAWN_SIZES, DRAWN_SEED = (20_000, 4_000), 20_131_220
# For each cache that cannot be written: the folder which takes its new files until Python ends.
_stand_ins: dict[Path, tempfile.TemporaryDirectory] = {}


class DataError(RuntimeError):
    """Image files are missing, damaged or not to be had; the message names the file and the way out."""


@dataclass(frozen=True, eq=False, repr=False)
class ImageSet:
    """A labelled image set. Images are uint8 `(n, 28, 28, 1)` in 0 to 255, labels uint8 `(n,)` in 0 to 9.

    `source` is "folder", "cache", "download" or "drawn"; `reason` says why images were drawn. `print` shows `origin`.
    """

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    class_names: tuple[str, ...]
    name: str
    source: str
    reason: str = ""

    @property
    def is_real(self) -> bool:
        """Whether these are the published images, and not drawn ones."""
        return self.source != "drawn"

    @property
    def origin(self) -> str:
        """One sentence for a notebook: what was loaded, and from where. It contains no path of this machine."""
        counts = f"{self.name}: {len(self.train_images):,} training and {len(self.test_images):,} test images"
        if not self.is_real:
            return f"{counts} DRAWN IN CODE, because {self.reason}; figures from them are not {self.name} results"
        return f"{counts}, {PLACES[self.source]}"

    def __str__(self) -> str:
        return self.origin

    __repr__ = __str__


def load_mnist(source: str = "auto") -> ImageSet:
    """Load MNIST (LeCun, Cortes, Burges): 60,000 training and 10,000 test images of digits, `(n, 28, 28, 1)` uint8.

    `source="auto"` takes your folder, else the cache, else a download, else 20,000 + 4,000 images drawn in code.
    "real" raises `DataError` where "auto" would draw. "drawn" always draws; the drawing has a fixed seed.
    Raises `DataError` for a damaged or incomplete `COURSE_DATA_DIR` and `ValueError` for another `source`.
    """
    return _load("mnist", source)


def load_fashion_mnist(source: str = "auto") -> ImageSet:
    """Load Fashion-MNIST (Xiao, Rasul, Vollgraf, 2017): garments, in the sizes, sources and errors of `load_mnist`."""
    return _load("fashion-mnist", source)


def to_float(images: np.ndarray) -> np.ndarray:
    """Return images of any shape as float32 in [0, 1]: uint8 is divided by 255, floats in [0, 1] keep their values.

    Raises `ValueError` for another type or for floats outside [0, 1], such as pixels that still run to 255.
    """
    images = np.asarray(images)
    if images.dtype == np.uint8:
        return images.astype(np.float32) / np.float32(255)
    if not np.issubdtype(images.dtype, np.floating):
        raise ValueError(f"Images must be uint8 or floats in [0, 1], not {images.dtype}.")
    if images.size and not (images.min() >= 0 and images.max() <= 1):
        raise ValueError(f"Float images must lie in [0, 1], these run from {images.min():g} to {images.max():g}.")
    return images.astype(np.float32)


def binarise(images: np.ndarray, threshold: float = 0.5) -> np.ndarray:
    """Return float32 images in {0, 1}: 1 where the pixel, on the scale of [0, 1], is greater than `threshold`.

    Ink stays 1. Mind the direction: the often written `image < threshold`, or `image < uniform`, gives the negative.
    Takes what `to_float` takes and raises what it raises.
    """
    return (to_float(images) > threshold).astype(np.float32)


def batches(
    images: np.ndarray,
    batch_size: int,
    seed: int,
    *,
    labels: np.ndarray | None = None,
    transform: str = "float",
    shuffle: bool = True,
    drop_remainder: bool = False,
) -> tf.data.Dataset:
    """Return a dataset of float32 batches `(batch_size, ...)`, or of pairs with `labels`, in a new order every epoch.

    `images` are what `to_float` takes. `transform` is "float" (in [0, 1]) or "binarise" (in {0, 1}, threshold 0.5).
    The same `seed`, under the same `tf.random.set_seed`, gives the same orders. The images stay one array: indices are
    shuffled and whole batches gathered, which is faster than to shuffle images one by one.
    Raises `ValueError` for an unknown `transform`, unequal lengths, or too few images for one batch.
    """
    import tensorflow as tf  # here, so that `import course_utils.data` stays light

    if transform not in ("float", "binarise"):
        raise ValueError(f"transform must be 'float' or 'binarise', not {transform!r}.")
    if labels is not None and len(labels) != len(images):
        raise ValueError(f"There are {len(images)} images but {len(labels)} labels.")
    if not 1 <= batch_size or len(images) < (batch_size if drop_remainder else 1):
        raise ValueError(f"{len(images)} images do not fill one batch of {batch_size}.")
    images = np.asarray(images)
    with tf.device("CPU:0"):  # the input pipeline runs there; a GPU would copy the array back
        pixels = tf.constant(images if images.dtype == np.uint8 else to_float(images))
        targets = None if labels is None else tf.constant(labels)

    def gather(index: tf.Tensor) -> tf.Tensor | tuple[tf.Tensor, tf.Tensor]:
        batch = tf.cast(tf.gather(pixels, index), tf.float32)
        if pixels.dtype == tf.uint8:
            batch = batch / 255.0
        if transform == "binarise":
            batch = tf.cast(batch > 0.5, tf.float32)
        return batch if targets is None else (batch, tf.gather(targets, index))

    order = tf.data.Dataset.range(len(images))
    if shuffle:
        order = order.shuffle(len(images), seed=seed, reshuffle_each_iteration=True)
    return order.batch(batch_size, drop_remainder=drop_remainder).map(gather).prefetch(tf.data.AUTOTUNE)


def _load(key: str, source: str) -> ImageSet:
    if source not in SOURCES:
        raise ValueError(f"source must be one of {', '.join(map(repr, SOURCES))}, not {source!r}.")
    if source == "drawn":
        return _drawn(key, "source='drawn' was asked for")
    arrays, place = _from_folder(key), "folder"
    if arrays is None:
        try:
            arrays, place = _from_cache_or_download(key)
        except DataError as error:
            if source == "auto":
                return _drawn(key, str(error))
            raise DataError(
                f"{NAMES[key]} was asked for, but {error}. Connect to the network once: the files then stay in "
                f"{_caches()[0] / key}. Or put {', '.join(FILES)} into a folder named {key}, and set COURSE_DATA_DIR "
                f"to the folder which contains {key}."
            ) from error
    for part in (0, 2):
        if len(arrays[part]) != len(arrays[part + 1]):
            counts = f"{len(arrays[part])} images, but {FILES[part + 1]} has {len(arrays[part + 1])} labels"
            raise DataError(f"{NAMES[key]} from the {place}: {FILES[part]} has {counts}. Replace both files.")
    return ImageSet(*arrays, CLASSES[key], NAMES[key], place)


def _from_folder(key: str) -> list[np.ndarray] | None:
    """The arrays from the user's folder, or None if it has no subfolder for this set. A bad folder is an error."""
    if not os.environ.get("COURSE_DATA_DIR"):
        return None
    root = Path(os.environ["COURSE_DATA_DIR"]).expanduser().absolute()
    advice = "Correct COURSE_DATA_DIR, or unset it to use the cache or a download."
    if not root.is_dir():
        raise DataError(f"COURSE_DATA_DIR names {root}, which is not an existing folder. {advice}")
    folder = root / key
    if not os.path.lexists(folder):
        return None
    missing = [file for file in FILES if not os.path.lexists(folder / file)]
    if missing:
        raise DataError(f"{folder} lacks {', '.join(missing)}. Add what is missing ({MIRRORS[key][0]}). {advice}")
    try:
        return [_read(folder / file, MD5[key][file]) for file in FILES]
    except DataError as error:
        raise DataError(f"{error} Your file is left as it is. Replace it from {MIRRORS[key][0]}. {advice}") from error


def _read(path: Path, md5: str) -> np.ndarray:
    """Images `(n, 28, 28, 1)` or labels `(n,)` of one gz file. The very bytes that were checked are the ones parsed."""
    try:
        packed = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {_cause(error)}.") from error
    found = hashlib.md5(packed, usedforsecurity=False).hexdigest()
    if found != md5:
        raise DataError(f"{path} is not the official file: {len(packed):,} bytes with md5 {found}, expected md5 {md5}.")
    try:
        raw = gzip.decompress(packed)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} is not a whole gzip file: {error}.") from error
    rank = 3 if "idx3" in path.name else 1
    start = 4 + 4 * rank
    if raw[:4] != bytes([0, 0, 8, rank]) or len(raw) < start:
        raise DataError(f"{path} is no idx file of bytes in {rank} dimensions: it begins with {raw[:4].hex(' ')}.")
    shape = tuple(int(size) for size in np.frombuffer(raw, ">u4", rank, offset=4))
    if shape[1:] != (28, 28)[: rank - 1] or len(raw) - start != math.prod(shape):
        sizes = f"{shape} and holds {len(raw) - start:,} bytes"
        raise DataError(f"{path} announces the shape {sizes}; expected (n, 28, 28) or (n,), and as many bytes.")
    array = np.frombuffer(raw, np.uint8, offset=start).reshape(shape + (1,) * (rank == 3))
    return array.copy()  # which, unlike the buffer, may be written to


def _cause(error: OSError) -> str:
    return error.strerror or type(error).__name__  # pooch raises errors that carry a text with paths, and no strerror


def _caches() -> list[Path]:
    """The cache folder, then its stand-in if it has one; new files go to the last."""
    cache = Path(os.environ.get("COURSE_CACHE_DIR") or pooch.os_cache("vae-course")).expanduser().absolute()
    return [cache, Path(_stand_ins[cache].name)] if cache in _stand_ins else [cache]


def _from_cache_or_download(key: str) -> tuple[list[np.ndarray], str]:
    arrays, place, mirrors = [], "cache", list(MIRRORS[key])
    for file in FILES:
        for path in [folder / key / file for folder in _caches() if os.path.lexists(folder / key / file)]:
            try:
                arrays.append(_read(path, MD5[key][file]))
                break
            except DataError as error:
                warnings.warn(f"In the cache, {error} It is downloaded anew.", stacklevel=4)
        else:
            arrays.append(_download(key, file, mirrors))
            place = "download"
    return arrays, place


def _download(key: str, file: str, mirrors: list[str]) -> np.ndarray:
    """One file from the first mirror that has it. A mirror that fails moves to the end of `mirrors` for later files."""
    import requests

    failures = []
    for base in tuple(mirrors):
        try:
            _ask(base + file)
            try:
                return _retrieve(base, key, file)
            except requests.RequestException:  # which is an OSError, but says nothing about the disk
                raise
            except OSError as error:
                _open_stand_in(file, error)
                return _retrieve(base, key, file)
        except requests.HTTPError as error:
            why = f"answered {error.response.status_code}"
        except requests.exceptions.ChunkedEncodingError:
            why = "broke off"
        except requests.RequestException:
            why = "no connection"
        except OSError as error:
            reason = f"neither in the cache nor in a temporary folder: {_cause(error)}"
            raise DataError(f"{file} could not be stored, {reason}") from error
        except ValueError:
            why = "sent other bytes than the official file"
        failures.append(f"{urlsplit(base).netloc}: {why}")
        mirrors.append(mirrors.pop(mirrors.index(base)))
    raise DataError(f"{file} could not be downloaded ({'; '.join(failures)})")


def _open_stand_in(file: str, error: OSError) -> None:
    """Let a temporary folder take new files, since the cache cannot. Raise `error` again if there is one already."""
    if len(_caches()) > 1:
        raise error
    cache = _caches()[0]
    _stand_ins[cache] = tempfile.TemporaryDirectory(prefix="vae-course-")
    warnings.warn(
        f"{file} cannot be stored in the cache {cache}: {_cause(error)}. Files which were whole still are. New ones "
        "go to a temporary folder until Python ends. Make room there, or set COURSE_CACHE_DIR to another folder.",
        stacklevel=6,
    )


def _ask(url: str) -> None:
    """Raise `requests.RequestException` unless the server answers in `CONNECT_SECONDS`.

    A thread keeps the time: the time-out of requests covers neither a name look-up nor a name with many addresses.
    """
    import requests

    outcome: list[requests.RequestException] = [requests.ConnectTimeout(f"no answer in {CONNECT_SECONDS:g} seconds")]

    def head() -> None:
        try:
            requests.head(url, timeout=CONNECT_SECONDS)
            outcome.clear()
        except requests.RequestException as error:
            outcome[0] = error

    thread = threading.Thread(target=head, daemon=True)
    thread.start()
    thread.join(CONNECT_SECONDS)
    if outcome:
        raise outcome[0]


def _retrieve(base: str, key: str, file: str) -> np.ndarray:
    """Download with pooch, which writes a temporary file beside the goal, checks its md5, and only then renames it."""
    folder = _caches()[-1] / key
    for left in folder.glob("tmp????????"):  # of a process that was killed; one at work wrote to its file lately
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > 3600:
                left.unlink()
    pooch.get_logger().setLevel("WARNING")  # its notes show the paths of this machine
    # Not pooch's default: it would wait 30 seconds for a connection, and its pieces of 1 kB slow a download down.
    fetch = pooch.HTTPDownloader(progressbar=True, chunk_size=2**16, timeout=(CONNECT_SECONDS, READ_SECONDS))
    pooch.retrieve(base + file, f"md5:{MD5[key][file]}", file, folder, downloader=fetch)
    return _read(folder / file, MD5[key][file])


def _drawn(key: str, reason: str) -> ImageSet:
    """The drawn set from the cache, where a file name tells the code that drew it, or drawn now and put there."""
    draw, class_names = {"mnist": (drawn.digits, drawn.DIGITS), "fashion-mnist": (drawn.garments, drawn.GARMENTS)}[key]
    code = hashlib.sha256(Path(drawn.__file__).read_bytes()).hexdigest()[:12]
    path = _caches()[0] / "drawn" / f"{key}-{DRAWN_SIZES[0]}-{DRAWN_SIZES[1]}-{DRAWN_SEED}-{code}.npz"
    names = ("train_images", "train_labels", "test_images", "test_labels")
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = [stored[name] for name in names]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):  # not there, or broken: drawing costs seconds
        arrays = []
        for size, stream in zip(DRAWN_SIZES, np.random.SeedSequence(DRAWN_SEED).spawn(2), strict=True):
            images, labels = draw(size, np.random.default_rng(stream))
            arrays += [np.asarray(images, np.uint8), np.asarray(labels, np.uint8)]
        with contextlib.suppress(OSError):  # without a cache they are drawn again next time
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
                np.savez(Path(scratch) / path.name, **dict(zip(names, arrays, strict=True)))
                os.replace(Path(scratch) / path.name, path)
    return ImageSet(*arrays, tuple(class_names), NAMES[key], "drawn", reason)

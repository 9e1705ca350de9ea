"""MNIST and Fashion-MNIST as arrays: from your folder, the cache, a download, or drawn in code, in this order.

`COURSE_DATA_DIR` names a folder of yours with `mnist/` and `fashion-mnist/`, each with the four official `.gz` files.
It is only read, and where it lacks the folder that is wanted, a warning says so; `COURSE_DATA_DIR=drawn` asks for drawn
images. `COURSE_CACHE_DIR` moves the cache, which otherwise lies where the operating system keeps caches.
Every file is checked against its known md5 before it is used. Print the loaded set: it says where it comes from.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from course_utils import drawn
from course_utils.data.cache import DataError, caches, locked
from course_utils.data.data_dir import drawn_asked, passed_over
from course_utils.data.mnist_files import FILES, CacheUnreadable, from_cache_or_download, from_folder

SOURCES = ("auto", "real", "drawn")
PLACES = {"folder": "from the folder in COURSE_DATA_DIR", "cache": "from the cache", "download": "downloaded now"}
NAMES = {"mnist": "MNIST", "fashion-mnist": "Fashion-MNIST"}
CLASSES = {
    "mnist": tuple("0123456789"),
    "fashion-mnist": tuple("T-shirt/top,Trouser,Pullover,Dress,Coat,Sandal,Shirt,Sneaker,Bag,Ankle boot".split(",")),
}
ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")
DRAWN_SIZES, DRAWN_SEED = (20_000, 4_000), 20_131_220


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


def _load(key: str, source: str) -> ImageSet:
    if not isinstance(source, str) or source not in SOURCES:
        raise ValueError(f"source must be one of {', '.join(map(repr, SOURCES))}, not {source!r}.")
    if source == "drawn":
        return _drawn(key, "source='drawn' was asked for")
    if source == "auto" and (reason := drawn_asked()):
        return _drawn(key, reason)
    arrays, place = from_folder(key), "folder"
    if arrays is None:
        try:
            arrays, place = from_cache_or_download(key)
        except DataError as error:
            reason = ", and ".join(filter(None, (passed_over(f"folder `{key}`"), str(error))))
            if source == "auto" and not isinstance(error, CacheUnreadable):
                return _drawn(key, reason)
            raise DataError(
                f"{NAMES[key]} was asked for, but {reason}. Connect to the network once: the files then stay in "
                f"{caches()[0] / key}. Or put {', '.join(FILES)} into a folder named {key}, and set COURSE_DATA_DIR "
                f"to the folder which contains {key}."
            ) from error
    for part in (0, 2):
        if len(arrays[part]) != len(arrays[part + 1]):
            counts = f"{len(arrays[part])} images, but {FILES[part + 1]} has {len(arrays[part + 1])} labels"
            raise DataError(f"{NAMES[key]} from the {place}: {FILES[part]} has {counts}. Replace both files.")
    return ImageSet(*arrays, CLASSES[key], NAMES[key], place)


def _drawn(key: str, reason: str) -> ImageSet:
    """The drawn set from the cache, where a file name tells the code that drew it, or drawn now and put there."""
    draw, class_names = {"mnist": (drawn.digits, drawn.DIGITS), "fashion-mnist": (drawn.garments, drawn.GARMENTS)}[key]
    modules = sorted(Path(drawn.__file__).parent.glob("*.py"))
    code = hashlib.sha256(b"".join(module.read_bytes() for module in modules)).hexdigest()[:12]
    path = caches()[0] / "drawn" / f"{key}-{DRAWN_SIZES[0]}-{DRAWN_SIZES[1]}-{DRAWN_SEED}-{code}.npz"
    try:
        arrays = _stored(path)
    except Exception:  # not there, or broken in whatever way: drawing costs seconds
        arrays = []
        for size, stream in zip(DRAWN_SIZES, np.random.SeedSequence(DRAWN_SEED).spawn(2), strict=True):
            images, labels = draw(size, np.random.default_rng(stream))
            arrays += [np.asarray(images, np.uint8), np.asarray(labels, np.uint8)]
        with contextlib.suppress(OSError):  # without a cache they are drawn again next time
            _store(path, f"{key}-", arrays)
    return ImageSet(*arrays, tuple(class_names), NAMES[key], "drawn", reason)


def _stored(path: Path) -> list[np.ndarray]:
    """The four arrays of a drawn set. Raises some error unless they are of its sizes and type."""
    with np.load(path, allow_pickle=False) as stored:
        arrays = [stored[name] for name in ARRAYS]
    shapes = [shape for size in DRAWN_SIZES for shape in ((size, 28, 28, 1), (size,))]
    if [array.shape for array in arrays] != shapes or {array.dtype for array in arrays} != {np.dtype(np.uint8)}:
        raise ValueError(f"{path} holds other arrays")
    return arrays


def _store(path: Path, beginning: str, arrays: list[np.ndarray]) -> None:
    """Write a drawn set, whole or not at all. What a kill or older code left of it makes room. Raises `OSError`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with locked(path.parent.with_suffix(".lock"), "drawn images"):
        for old in path.parent.glob(f"{beginning}*"):
            old.unlink(missing_ok=True)
        new = path.with_name(f"{path.name}.new")
        with open(new, "wb") as file:
            np.savez(file, **dict(zip(ARRAYS, arrays, strict=True)))
        os.replace(new, path)

"""Images of one's own: a folder of pictures of any kind, size and shape becomes a set like the others."""

import functools
import hashlib
import operator
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from course_utils.data import prepared, resizing
from course_utils.data.cache import DataError, named_path, store_of
from course_utils.data.data_dir import kind_of
from course_utils.data.file_kinds import CLAIMS, TAKEN
from course_utils.data.image_files import LABELS, read_tables, scan
from course_utils.data.labelling import LABEL_COLUMNS, attributes_of, classes_of
from course_utils.data.streaming import StoredImages

SIZES, CHANNELS = (28, 256), (1, 3)
KINDS = "JPEG, PNG, WebP, GIF, BMP and TIFF"
VERSION = 2  # of what preparing does to images; a new one prepares anew


@dataclass(frozen=True, eq=False, repr=False)
class OwnImages:
    """Images of a folder, prepared on disk. `images` is uint8 `(n, size, size, channels)` in 0 to 255 (`StoredImages`).

    `labels` are integers `(n,)` and `class_names` name them: from a folder a class, else from a column `label`, `class`
    or `category` of `labels.csv`, else from its only column; None where there are none of these. `attributes` has an
    integer array `(n,)` for each column of `labels.csv`, `categories` names the values. -1 is unknown, and `unlabelled`
    has the reason by name. `train` and `test` are row numbers: a tenth is held out by a hash of the name, so that more
    images do not move the others. `names` are paths below the folder; `left_out` has the reason for each file that was
    not taken. `films` counts those of which the first frame was taken; `total` is how many images there are without a
    limit. `print` shows `origin`.
    """

    images: StoredImages
    labels: np.ndarray | None
    class_names: tuple[str, ...]
    attributes: dict[str, np.ndarray]
    categories: dict[str, tuple[str, ...]]
    train: np.ndarray
    test: np.ndarray
    names: tuple[str, ...]
    left_out: dict[str, str]
    unlabelled: dict[str, str]
    fit: str
    films: int
    total: int

    @property
    def train_images(self) -> StoredImages:
        return self.images.at(self.train)

    @property
    def test_images(self) -> StoredImages:
        return self.images.at(self.test)

    @property
    def origin(self) -> str:
        """What was loaded and how it was made square, for a notebook. It contains no path of this machine."""
        _, side, _, channels = self.images.shape
        made = {"crop": "cropped to the middle square", "pad": "padded to a square with white"}[self.fit]
        facts = [
            f"Your own images: {len(self.train):,} training and {len(self.test):,} test images of {side}x{side} pixels "
            f"in {'grey' if channels == 1 else 'colour'}, {made}, from your folder"
        ]
        if self.class_names:
            facts.append(f"{len(self.class_names):,} classes")
        if self.films:
            facts.append(f"{self.films:,} of them films, of which the first frame is taken")
        if self.left_out:
            facts.append(f"{len(self.left_out):,} files left out (left_out says why)")
        if self.unlabelled:
            facts.append(f"{len(self.unlabelled):,} images without a label (unlabelled says why)")
        return f"{'; '.join(facts)}. Their licence, and whom to credit, are yours to state"

    def __str__(self) -> str:
        return self.origin

    __repr__ = __str__


def load_folder(
    path: str | Path, *, size: int = 64, channels: int = 3, fit: str = "crop", limit: int | None = None
) -> OwnImages:
    """Load a folder of your own images, prepared once in a cache on disk: square, of one size, on white.

    JPEG, PNG, WebP, GIF, BMP and TIFF files are taken, in any nesting, of any size and shape, in grey, palette, RGB or
    CMYK, with 8 or 16 bits (which keep their range), with or without transparency; what they are is told by their
    bytes, not by their names. They are turned as EXIF says. Of a film the first frame is taken. All other files are
    listed in `left_out`, with the reason. An interrupted call goes on where it was. Used in appendix A5.

    Args:
        path: the folder. Folders in it are the classes, if there are two or more that hold images; those named `train`,
            `test` or the like are looked through. Tables named `labels.csv`, with a column `file`, give attributes.
        size: of the images, 28 to 256 pixels a side.
        channels: 1 for grey, 3 for colour.
        fit: "crop" takes the middle square of each image, "pad" all of it, with white beside it.
        limit: load at most so many images. A later call with more goes on where this one ended.

    Raises:
        DataError: for a folder that is missing or holds no images; for too many pictures that had to be left out (more
            than 10 and more than 1%); and for a full disk.
        ValueError: for other arguments.
    """
    root = _folder(path)
    shape = _shape(size, channels, fit, limit)
    files, tables, _ = scan(root, None)
    pictures = [name for name in files if name.lower().endswith(TAKEN)]
    if not files:
        raise DataError(f"{root} holds no files. Put images there, in any nesting, or name another folder.")
    place = f"{root}\n{size} {channels} {fit}"  # each has a store of its own: one does not take the other's place
    with warnings.catch_warnings():  # of threads: here, as the filters are those of the whole process
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        warnings.filterwarnings("ignore", module="PIL")
        index = prepared.prepare(
            store := store_of("own-images", place, f"{VERSION} {place} {_mark(files)}"),
            files.items,
            functools.partial(resizing.square, size=shape[0], channels=shape[2], fit=fit),
            lambda _, films: {"films": films},
            label="your images",
            expected=len(pictures) or None,
            limit=limit,
            shape=shape,
        )
    _refuse_too_many(root, index)
    names = tuple(index["names"][:limit])
    everything = [name for name in files if name not in index["left_out"]]
    texts = read_tables([], {name: file for name, file in tables.items() if file.name == LABELS})
    attributes, categories, unlabelled = attributes_of(names, everything, texts)
    labels, class_names, astray = _labels(names, everything, attributes, categories)
    held_out = np.array([_is_held_out(name) for name in names])
    return OwnImages(
        StoredImages(store / "images.bin", np.arange(len(names)), shape=shape, sums=np.array(index["sums"], np.uint32)),
        *(labels, class_names, attributes, categories),
        *(np.flatnonzero(~held_out), np.flatnonzero(held_out)),
        *(names, index["left_out"], unlabelled | astray, fit, sum(index["films"][:limit])),
        len(index["names"]) if index["finished"] else max(len(pictures), len(index["names"])),
    )


def _folder(path: str | Path) -> Path:
    if path == "":
        raise DataError("The folder of images is named '', as by a variable that is not set. Name one.")
    root = named_path(path, "The folder of images")
    kind = kind_of(root)
    if kind == "file":
        raise DataError(f"{root} is a file. Name the folder which holds your images; unpack an archive first.")
    if kind != "folder":
        raise DataError(f"{root} is not an existing folder. Correct the name.")
    return root


def _shape(size: int, channels: int, fit: str, limit: int | None) -> tuple[int, int, int]:
    if not _is_whole(size) or not SIZES[0] <= size <= SIZES[1]:
        raise ValueError(f"size must be a whole number from {SIZES[0]} to {SIZES[1]}, not {size!r}.")
    if not _is_whole(channels) or channels not in CHANNELS:
        raise ValueError(f"channels must be 1 (grey) or 3 (colour), not {channels!r}.")
    if fit not in resizing.FITS:
        raise ValueError(f"fit must be 'crop' or 'pad', not {fit!r}.")
    if limit is not None and (not _is_whole(limit) or limit < 1):
        raise ValueError(f"limit must be None or at least 1, not {limit!r}.")
    return int(size), int(size), int(channels)


def _is_whole(value: object) -> bool:
    try:
        return not isinstance(value, bool) and operator.index(value) is not None
    except TypeError:
        return False


def _is_held_out(name: str) -> bool:
    """One in ten, by a hash of the name with its folders: classes often have files of the same names."""
    digest = hashlib.blake2b(name.encode(errors="surrogateescape"), digest_size=8).digest()
    return int.from_bytes(digest, "big") % 10 == 0


def _mark(files: dict[str, Path]) -> str:
    """A fingerprint of files. Tables are not among them: whoever corrects a label need not wait for the images."""
    marks = []
    for name, path in sorted(files.items()):
        status = path.stat()
        marks.append(f"{name}\t{status.st_size}\t{status.st_mtime_ns}\n")
    return hashlib.sha256("".join(marks).encode(errors="surrogateescape")).hexdigest()


def _refuse_too_many(root: Path, index: dict) -> None:
    """Raise `DataError` if more than 10 and more than 1% of what claims to be a picture was left out, or all."""
    claimed = {name: why for name, why in index["left_out"].items() if name.lower().endswith(CLAIMS)}
    number, seen = len(claimed), len(claimed) + len(index["names"])
    if index["names"] and (number <= 10 or number <= seen / 100):
        return
    shown = list((claimed or index["left_out"]).items())[:5]
    some = "; ".join(f"{name} {why}" for name, why in shown).encode(errors="backslashreplace").decode()
    if not seen:
        raise DataError(f"{root} holds no images ({some}). {KINDS} files are taken. Name another folder.")
    raise DataError(
        f"{number:,} of {seen:,} pictures in {root} cannot be taken: {some}. {KINDS} files are. Replace the others, or "
        "take them away."
    )


def _labels(
    names: tuple[str, ...], everything: list[str], attributes: dict, categories: dict
) -> tuple[np.ndarray | None, tuple[str, ...], dict[str, str]]:
    """Labels, the names of the classes, and the reason by name where there is no label in spite of folders."""
    found = classes_of(names, everything)
    if found is not None:
        astray = [name for name, label in zip(names, found[0], strict=True) if label < 0]
        return *found, dict.fromkeys(astray, "lies in no folder of a class")
    several = [column for column in attributes if len(categories[column]) > 1]
    named = [column for column in several if column.lower() in LABEL_COLUMNS]
    if named or (several and len(attributes) == 1):
        column = (named or several)[0]
        return attributes[column], categories[column], {}
    return None, (), {}

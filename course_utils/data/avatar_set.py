"""The avatars that a lesson gets: stored images, their attributes, a split, and a sentence that says what they are."""

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from course_utils.data.cache import DataError
from course_utils.data.image_files import file_key
from course_utils.data.streaming import StoredImages

PLACES = {"folder": "from your folder", "cache": "from the cache", "download": "downloaded now"}
OWN = "own-images"  # the name of a set that is none of the published ones
SETS = {"cartoonset100k": 100_000, "cartoonset10k": 10_000, "cartoonset-sample": None}  # images, where published


@dataclass(frozen=True, eq=False, repr=False)
class AvatarSet:
    """Avatars, prepared on disk. `images` is uint8 `(n, 256, 256, 3)` in 0 to 255, read when indexed (`StoredImages`).

    `attributes` has an integer array `(n,)` for each name, -1 where unknown; `categories` names the values. `train` and
    `test` are row numbers: a tenth is held out by a hash of the file name, so more images do not move the others.
    `left_out` and `unlabelled` have the reason by file name. `source` is "folder", "cache", "download" or "drawn", and
    `reason` says why images were drawn. `total` is how many there are without a limit, None where nobody has counted.
    `print` shows `origin`.
    """

    images: StoredImages
    attributes: dict[str, np.ndarray]
    categories: dict[str, tuple[str, ...]]
    train: np.ndarray
    test: np.ndarray
    names: tuple[str, ...]
    left_out: dict[str, str]
    unlabelled: dict[str, str]
    name: str
    source: str
    reason: str = ""
    total: int | None = None

    @property
    def train_images(self) -> StoredImages:
        return self.images.at(self.train)

    @property
    def test_images(self) -> StoredImages:
        return self.images.at(self.test)

    @property
    def is_real(self) -> bool:
        """Whether these are published images or your own, and not drawn ones."""
        return self.source != "drawn"

    @property
    def origin(self) -> str:
        """What was loaded, from where, and whom to credit, for a notebook. It contains no path of this machine."""
        counts = f"{len(self.train):,} training and {len(self.test):,} test images of 256x256 pixels"
        if not self.is_real:
            counts = f"Avatars: {counts} DRAWN IN CODE, because {self.reason}"
            return f"{counts}; figures from them are not Cartoon Set results"
        title = "Your own images" if self.name == OWN else f"Cartoon Set ({self.name})"
        facts = [f"{title}: {counts}, {PLACES[self.source]}"]
        if self.left_out:
            facts.append(f"{len(self.left_out):,} files left out (left_out says why)")
        if self.unlabelled:
            facts.append(f"{len(self.unlabelled):,} images without attributes (unlabelled says why)")
        if self.name == OWN:
            return f"{'; '.join(facts)}. Their licence, and whom to credit, are yours to state"
        change = "cropped and scaled" if self.name == "cartoonset-sample" else "on white and scaled"
        return f"{'; '.join(facts)}. Images: Cartoon Set, Google LLC, CC BY 4.0, {change}"

    def __str__(self) -> str:
        return self.origin

    __repr__ = __str__


def avatars_of(
    store: Path,
    index: dict,
    name: str,
    source: str,
    limit: int | None,
    *,
    reason: str = "",
    expected: int | None = None,
) -> AvatarSet:
    """The set of a store, or its first `limit` images; `expected` is how many files there are, if known.

    Raises `DataError` if too many files had to be left out.
    """
    names, left_out = tuple(index["names"][:limit]), index["left_out"]
    seen = len(index["names"]) + len(left_out)
    if not seen:
        raise DataError(f"{name} holds no images: there are no files with the name of one. Name another archive.")
    if not names or (len(left_out) > 10 and len(left_out) > seen / 100):
        some = "; ".join(f"{file} {why}" for file, why in list(left_out.items())[:5])
        some = some.encode(errors="backslashreplace").decode()  # a name that is not UTF-8 cannot be printed
        advice = "Replace them. Images of your own, of any kind and size, are loaded by load_folder."
        raise DataError(f"{name}: {len(left_out):,} of {seen:,} files are no images of the set: {some}. {advice}")
    if index["finished"] and SETS.get(name) not in (None, seen):
        warnings.warn(f"{name} was published with {SETS[name]:,} images; there are {seen:,} here.", stacklevel=4)
    held_out = np.array([file_key(file) % 10 == 0 for file in names])
    return AvatarSet(
        StoredImages(store / "images.bin", np.arange(len(names)), sums=np.array(index["sums"], np.uint32)),
        {key: np.array(values[:limit]) for key, values in index["attributes"].items()},
        {key: tuple(kinds) for key, kinds in index["categories"].items()},
        *(np.flatnonzero(~held_out), np.flatnonzero(held_out), names, left_out),
        {file: index["unlabelled"][file] for file in names if file in index["unlabelled"]},
        *(name, source, reason),
        len(index["names"]) if index["finished"] else expected or SETS.get(name),
    )

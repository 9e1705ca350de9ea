"""Cartoon Set: where the images come from, in which order of preference. ``data`` is the door to this."""

import hashlib
import os
import re
import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from course_utils import drawn
from course_utils.data import archive_download, image_files, labelling, prepared, resizing
from course_utils.data.avatar_set import OWN, SETS, AvatarSet, avatars_of
from course_utils.data.cache import DataError, caches, named_path, remedy, shelf, shelved, store_of
from course_utils.data.data_dir import data_dir, drawn_asked, kind_of, passed_over

SOURCES = ("auto", "real", "drawn")
DRAWN_NUMBER, DRAWN_SEED = 4_000, 20_131_220
VERSION = 2  # of what preparing does to images and tables; a new one prepares anew


def load_cartoonset(
    source: str = "auto", *, folder: str | Path | None = None, download: str | None = None, limit: int | None = None
) -> AvatarSet:
    """Load Cartoon Set (Google, 2018): avatars, prepared once as 256x256 RGB images on white in a cache on disk.

    Args:
        source: "auto" takes a folder, else what the cache has, else a download if that was asked for, else images drawn
            in code, with a warning if the download failed. "real" raises where "auto" would draw. "drawn" always draws;
            the drawing has a fixed seed.
        folder: a folder with PNG images in any nesting, or a .tgz archive, or a folder which contains `cartoonset100k`,
            `cartoonset10k` or `cartoonset-sample` as such. Without it, `COURSE_DATA_DIR` is searched for these three.
            Its images are used, or there is an error: nothing takes their place.
        download: "10k" (450 MB) or "100k" (4.4 GB): accept only this set, and fetch it if it is nowhere. Nothing is
            downloaded without this. The prepared images need another 2.0 or 19.7 GB.
        limit: load at most so many images. A later call with more goes on where this one ended.

    Raises:
        DataError: for a folder that is missing, holds no images, or is not what `download` names; for too many files
            that had to be left out (more than 10 and more than 1%); for a full disk; and with "real" if there are no
            real images.
        ValueError: for other arguments, and for "drawn" together with a folder or a download.
    """
    _refuse_wrong(source, folder, download, limit)
    if source == "drawn":
        return _drawn(limit, "source='drawn' was asked for")
    if source == "auto" and folder is download is None and (reason := drawn_asked()):
        return _drawn(limit, reason)
    wanted = (f"cartoonset{download}",) if download else tuple(SETS)
    found = _in_folder(folder, wanted)
    if found:
        return _from_files(*found, "folder", limit)
    for name in wanted:
        for cache in caches():
            for store in [cache / "cartoonset" / entry for entry in shelved(cache) if entry.startswith(f"{name}-")]:
                if (index := prepared.read_index(store, limit)) is not None:
                    return avatars_of(store, index, name, "cache", limit)
            if kind_of(archive := cache / "cartoonset" / f"{name}.tgz") == "file":
                return _from_files(name, archive, "cache", limit)
    passing = passed_over(" or ".join(f"`{name}`" for name in wanted))
    reason = f"{passing or 'no folder is named'}, and no cache has enough Cartoon Set images"
    if download:
        if passing:
            advice = "If you have it already, name the folder which contains it."
            warnings.warn(f"{passing}: it is downloaded. {advice}", stacklevel=2)
        try:
            return _from_files(wanted[0], _fetch(wanted[0]), "download", limit)
        except archive_download.NotFetched as error:
            reason = ", and ".join(filter(None, (passing, str(error))))
        if source == "auto":
            advice = "Once you are connected, call this again. With source='real' this is an error."
            warnings.warn(f"{reason}. Avatars drawn in code take the place of {wanted[0]}. {advice}", stacklevel=2)
            return _drawn(limit, reason)
    if source == "auto":
        return _drawn(limit, f"{reason} (load_cartoonset(download='10k') fetches 450 MB)")
    raise DataError(
        f"Cartoon Set was asked for, but {reason}. Fetch it once, with a network, by load_cartoonset(download='10k'), "
        "in a terminal --download 10k, for 450 MB; or name a folder with the images, or with cartoonset10k.tgz, by "
        "folder=..., in a terminal --data, or by COURSE_DATA_DIR."
    )


def is_cartoonset(folder: str | Path) -> bool:
    """Whether what a user names is Cartoon Set, for `load_cartoonset`, and not images of their own, for `load_folder`.

    An archive is; a folder is by its name, by that of a folder or an archive in it, or by its files `cs<digits>.png`.
    """
    root = Path(folder).expanduser().absolute()
    if not os.fspath(folder) or root.is_file() or root.name in SETS:
        return bool(os.fspath(folder))
    if any(os.path.lexists(root / f"{name}{end}") for name in SETS for end in ("", ".tgz")):
        return True
    return any(re.fullmatch(r"cs\d{10,}\.png", file) for _, _, files in os.walk(root) for file in files)


def _refuse_wrong(source: str, folder: str | Path | None, download: str | None, limit: int | None) -> None:
    if not isinstance(source, str) or source not in SOURCES:
        raise ValueError(f"source must be one of {', '.join(map(repr, SOURCES))}, not {source!r}.")
    if download is not None and (not isinstance(download, str) or download not in ("10k", "100k")):
        raise ValueError(f"download must be None, '10k' or '100k', not {download!r}.")
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int | np.integer) or limit < 1):
        raise ValueError(f"limit must be None or a whole number of at least 1, not {limit!r}.")
    if isinstance(folder, str) and not folder:
        raise DataError(
            "The folder of images is named '', as by a variable that is not set. Name one, or leave it out."
        )
    if source == "drawn" and (folder is not None or download):
        raise ValueError("Avatars are to be drawn, and a folder or a download is named too. Leave out one of the two.")


def _in_folder(folder: str | Path | None, wanted: tuple[str, ...]) -> tuple[str, Path] | None:
    """Name and path of the user's images, or None. A folder that was named, and cannot be used, is an error."""
    root = data_dir() if folder is None else named_path(folder, "The folder of images")
    if root is None:
        return None
    if kind_of(root) not in ("folder", "file"):
        raise DataError(f"The folder of images, {root}, does not exist. Correct its name, or leave it out.")
    for name in wanted:
        for path in (root / name, root / f"{name}.tgz"):
            if kind_of(path):
                return name, path
    if folder is None:
        return None
    stem = root.name.removesuffix(".tgz")
    if stem in wanted or len(wanted) > 1:
        return (stem if stem in SETS else OWN), root
    raise DataError(
        f"The folder of images, {root}, has no {wanted[0]} and no {wanted[0]}.tgz. Leave out the download to take the "
        f"images that are there, or leave out the folder to fetch {wanted[0]}."
    )


def _from_files(name: str, path: Path, source: str, limit: int | None) -> AvatarSet:
    """The images of a folder or an archive, prepared if they are not yet."""
    texts = image_files.Tables()
    if kind_of(path) == "folder":
        images, tables, mark = image_files.scan(path)
        if not images:
            raise DataError(f"{path} holds no images. Put the PNG files there, in any nesting, or name another folder.")
        entries, expected = images.items, len(images)

        def describe(names: list, _: list) -> dict:
            return labelling.cartoonset_attributes(names, image_files.read_tables(names, tables))
    else:
        if kind_of(path) != "file":
            raise DataError(f"{path} is neither a folder nor an archive. Replace it, or take it away.")
        expected, status = SETS.get(name), path.stat()
        mark = f"{status.st_size} {status.st_mtime_ns}" if source == "folder" else archive_download.checked(path)

        def entries() -> Iterable[tuple[str, bytes]]:
            return image_files.archive_entries(path, texts)

        def describe(names: list, _: list) -> dict:
            return labelling.cartoonset_attributes(names, texts)

    store = store_of(name, str(path), f"{VERSION} {mark}")
    options = {"label": name, "expected": expected, "limit": limit}
    try:
        index = prepared.prepare(store, entries, resizing.avatar, describe, **options)
    except image_files.Damaged as error:
        if source != "folder":
            archive_download.give_up(path, error)
        raise
    if source != "folder":
        archive_download.trust(path, mark)
    return avatars_of(store, index, name, source, limit, expected=expected)


def _drawn(limit: int | None, reason: str) -> AvatarSet:
    """Avatars drawn one by one, each with a generator of its own, so that the first hundred are always the same."""
    modules = sorted(Path(drawn.__file__).parent.glob("*.py"))
    code = hashlib.sha256(b"".join(module.read_bytes() for module in modules)).hexdigest()

    def draw(number: int) -> tuple[np.ndarray, dict[str, int]]:
        images, factors = drawn.avatars(1, np.random.default_rng([DRAWN_SEED, number]))
        return images[0], {name: int(values[0]) for name, values in factors.items()}

    def describe(_: list, records: list) -> dict:
        values = {name: [record[name] for record in records] for name in drawn.AVATAR_FACTORS}
        return {"attributes": values, "categories": drawn.AVATAR_FACTORS, "unlabelled": {}}

    limit = min(limit or DRAWN_NUMBER, DRAWN_NUMBER)
    store = store_of("drawn", "", f"{DRAWN_SEED} {code}")
    entries = {f"drawn-{number}": number for number in range(DRAWN_NUMBER)}.items
    options = {"label": "drawn avatars", "expected": DRAWN_NUMBER, "limit": limit}
    index = prepared.prepare(store, entries, draw, describe, **options)
    return avatars_of(store, index, "drawn", "drawn", limit, reason=reason, expected=DRAWN_NUMBER)


def _fetch(name: str) -> Path:
    folder = shelf(f"{name}.tgz")
    try:
        return archive_download.download(name, folder)
    except OSError as error:
        advice = f"What has arrived is kept. {remedy(error)}, or set COURSE_CACHE_DIR to another folder."
        raise DataError(f"{name}.tgz could not be stored in {folder}: {error.strerror or error}. {advice}") from error

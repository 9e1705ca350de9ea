"""The cache: its folders, the lock of each, and files that are whole or not there; and the error of all that load."""

import contextlib
import errno
import hashlib
import os
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import pooch

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
    import msvcrt


# For each cache that cannot be written: the folder which takes its new files until Python ends.
stand_ins: dict[Path, tempfile.TemporaryDirectory] = {}


class DataError(RuntimeError):
    """Image files are missing, damaged or not to be had; the message names the file and the way out."""


def named_path(setting: str | os.PathLike, what: str) -> Path:
    """The absolute path that a user names. Raises `DataError` for one that cannot be, `ValueError` for no path."""
    if not isinstance(setting, str | os.PathLike):
        raise ValueError(f"{what} must name a path, not {setting!r}.")
    try:
        path = Path(setting).expanduser().absolute()
    except RuntimeError as error:
        raise DataError(
            f"{what} names {setting}, and there is no such home folder. Write the path in full, from the root."
        ) from error
    if "\0" in str(path):
        raise DataError(f"{what} names {str(path)!r}, which has a character that no path has. Correct it.")
    return path


def caches() -> list[Path]:
    """The cache folder, then its stand-in if it has one; new files go to the last."""
    if setting := os.environ.get("COURSE_CACHE_DIR"):
        cache = named_path(setting, "COURSE_CACHE_DIR")
    else:
        usual = Path(pooch.os_cache("vae-course"))
        homeless = str(usual).startswith("~")  # a user without a home, as in some containers
        cache = Path(tempfile.gettempdir(), "vae-course") if homeless else usual.absolute()
    return [cache, Path(stand_ins[cache].name)] if cache in stand_ins else [cache]


def open_stand_in(file: str, error: OSError) -> None:
    """Let a temporary folder take new files, since the cache cannot. Raise `error` again if there is one already."""
    if len(caches()) > 1:
        raise error
    cache = caches()[0]
    stand_ins[cache] = tempfile.TemporaryDirectory(prefix="vae-course-")
    warnings.warn(
        f"{file} cannot be stored in the cache {cache}: {cause(error)}. Files which were whole still are. New ones "
        f"go to a temporary folder until Python ends. {remedy(error)}, or set COURSE_CACHE_DIR to another folder.",
        stacklevel=6,
    )


def cause(error: OSError) -> str:
    """Why the system refused, in its words, without a path."""
    return error.strerror or type(error).__name__  # pooch raises errors that carry a text with paths, and no strerror


def is_full(error: OSError) -> bool:
    """Whether there was no room; errors of ours, which say how much is needed, have no number."""
    return error.errno in {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC), None}


def remedy(error: OSError) -> str:
    """What to do about a folder that could not be written to."""
    return "Make room there" if is_full(error) else "Make it writable"


def in_words(size: float) -> str:
    """A number of bytes as people say it: 812 bytes, 11.8 MB, 2.0 GB."""
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size >= unit:
            return f"{size / unit:,.1f} {name}"
    return f"{size:.0f} bytes"


def shelf(label: str) -> Path:
    """The folder of stores and archives: in the cache, or in its stand-in if the cache cannot be written."""
    while True:
        folder = caches()[-1] / "cartoonset"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "README.txt").write_text("Prepared images of the course. Everything here may be deleted.\n")
            return folder
        except OSError as error:
            try:
                open_stand_in(label, error)
            except OSError:
                advice = f"{remedy(error)}, or set COURSE_CACHE_DIR to another folder."
                raise DataError(f"{label} cannot be stored in {folder}: {cause(error)}. {advice}") from error


def shelved(cache: Path) -> list[str]:
    """What lies on the shelf of a cache, in order. Raises `DataError` if one may not look."""
    try:
        return sorted(os.listdir(cache / "cartoonset"))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise DataError(
            f"The cache {cache} cannot be looked into: {cause(error)}. Make it readable, or set COURSE_CACHE_DIR to "
            "another folder."
        ) from error


def store_of(name: str, place: str, mark: str) -> Path:
    """The folder for what is prepared from these very files, of which `mark` is the fingerprint.

    A store of the same place with another fingerprint is of no use any more, and it is large: it is deleted.
    """
    place_bytes = place.encode(errors="surrogateescape")  # a folder's name need not be UTF-8
    first = f"{name}-{hashlib.sha256(place_bytes).hexdigest()[:8]}"
    key = f"{first}-{hashlib.sha256(mark.encode()).hexdigest()[:12]}"
    for cache in caches():
        if os.path.exists(cache / "cartoonset" / key / "index.json"):
            return cache / "cartoonset" / key
    folder = shelf(name)
    for old in folder.glob(f"{first}-*"):
        if old.is_dir() and old.name != key:
            discard(old)
    return folder / key


def write_whole(path: Path, text: str) -> None:
    """Write a file which is either the old one or the whole new one, also for a process that reads it now.

    For the holder of a lock: a kill leaves one file beside it, which the next writer takes over.
    """
    new = path.with_name(f"{path.name}.new")
    with open(new, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)


@contextlib.contextmanager
def locked(path: Path, label: str) -> Iterator[None]:
    """Be the only process in the block. The system drops the lock of a process that dies, so nothing is left behind."""
    with open(path, "ab") as file:
        waiting = False
        while not _lock(file):
            if not waiting:
                print(f"Another process works on {label}; waiting for it.", file=sys.stderr)
            waiting = True
            time.sleep(0.2)
        yield


def discard(store: Path) -> None:
    """Delete a store, unless another process works on it."""
    with contextlib.suppress(OSError), open(store.with_name(store.name + ".lock"), "ab") as file:
        if _lock(file):
            shutil.rmtree(store)


def _lock(file) -> bool:
    try:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    except (BlockingIOError, PermissionError):
        return False
    return True

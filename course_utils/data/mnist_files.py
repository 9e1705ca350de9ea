"""The files of MNIST and Fashion-MNIST: found in a folder or the cache, or downloaded, and checked byte for byte.

``data`` is the door to this; here are the failures. A file is read whole, compared with its md5, and only then parsed.
"""

import contextlib
import gzip
import hashlib
import io
import math
import os
import warnings
import zlib
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from course_utils.data.cache import DataError, caches, cause, locked, open_stand_in
from course_utils.data.data_dir import data_dir, kind_of, passed_over
from course_utils.data.download import done, fetch
from course_utils.data.network import Refused

# The order of the files is the order of the first four fields of ImageSet.
FILES = tuple(f"{part}-{kind}-ubyte.gz" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1"))
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
MOST, UNPACKED = 1 << 25, 1 << 26  # bytes of a file, and of what is in it: the largest have 26 MB and 47 MB


class CacheUnreadable(DataError):
    """A file may be in the cache, and one may not look; to draw images instead would hide that."""


def from_folder(key: str) -> list[np.ndarray] | None:
    """The arrays from the user's folder, or None if it has no subfolder for this set. A bad folder is an error."""
    root = data_dir()
    if root is None or not kind_of(folder := root / key):
        return None
    advice = "Correct COURSE_DATA_DIR, or unset it to use the cache or a download."
    missing = [file for file in FILES if not kind_of(folder / file)]
    if missing:
        raise DataError(f"{folder} lacks {', '.join(missing)}. Add what is missing ({MIRRORS[key][0]}). {advice}")
    try:
        return [_read(folder / file, MD5[key][file]) for file in FILES]
    except OSError as error:
        raise DataError(f"{error.filename} cannot be read: {cause(error)}. Make it readable. {advice}") from error
    except DataError as error:
        raise DataError(f"{error} Your file is left as it is. Replace it from {MIRRORS[key][0]}. {advice}") from error


def _read(path: Path, md5: str) -> np.ndarray:
    """Images `(n, 28, 28, 1)` or labels `(n,)` of one gz file. The very bytes that were checked are the ones parsed.

    Raises `DataError` for another file, and `OSError` where it cannot be read.
    """
    with open(path, "rb") as file:
        packed = file.read(MOST + 1)
    found = hashlib.md5(packed, usedforsecurity=False).hexdigest()
    if found != md5:
        length = f"{len(packed):,}" if len(packed) <= MOST else f"more than {MOST:,}"
        raise DataError(f"{path} is not the official file: {length} bytes with md5 {found}, expected md5 {md5}.")
    try:
        with gzip.open(io.BytesIO(packed)) as file:
            raw = file.read(UNPACKED + 1)
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


def from_cache_or_download(key: str) -> tuple[list[np.ndarray], str]:
    """The arrays, and where they are from. Raises `DataError`, and `CacheUnreadable` if that is the reason."""
    arrays, place, mirrors = [], "cache", list(MIRRORS[key])
    for file in FILES:
        found, hindered = _from_cache(key, file)
        if found is None:
            if place == "cache" and (why := passed_over(f"folder `{key}`")):
                advice = f"name the folder which contains `{key}`"
                warnings.warn(f"{why}: {key} is downloaded. If you have it already, {advice}.", stacklevel=4)
            try:
                found, place = _download(key, file, mirrors), "download"
            except DataError as error:
                if not hindered:
                    raise
                raise CacheUnreadable(f"{file} cannot be read in the cache ({hindered}), and {error}") from error
        arrays.append(found)
    return arrays, place


def _from_cache(key: str, file: str) -> tuple[np.ndarray | None, str]:
    """The array of a file in the cache, and why one that may be there could not be read."""
    hindered = ""
    for path in [folder / key / file for folder in caches()]:
        try:
            return _read(path, MD5[key][file]), ""
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            hindered = cause(error)
            warnings.warn(
                f"In the cache, {path} cannot be read: {hindered}. It is downloaded anew. Make it readable, or set "
                "COURSE_CACHE_DIR to another folder.",
                stacklevel=5,
            )
        except DataError as error:
            warnings.warn(f"In the cache, {error} It is downloaded anew.", stacklevel=5)
    return None, hindered


def _download(key: str, file: str, mirrors: list[str]) -> np.ndarray:
    """One file from the first mirror that has it. A mirror that fails moves to the end of `mirrors` for later files."""
    failures = []
    for base in tuple(mirrors):
        try:
            try:
                return _retrieve(base, key, file)
            except OSError as error:
                open_stand_in(file, error)
                return _retrieve(base, key, file)
        except Refused as error:
            why = str(error)
        except OSError as error:
            reason = f"neither in the cache nor in a temporary folder: {cause(error)}"
            raise DataError(f"{file} could not be stored, {reason}") from error
        failures.append(f"{urlsplit(base).netloc}: {why}")
        mirrors.append(mirrors.pop(mirrors.index(base)))
    raise DataError(f"{file} could not be downloaded ({'; '.join(failures)})")


def _retrieve(base: str, key: str, file: str) -> np.ndarray:
    """The array of a file which is downloaded under another name, checked, and only then given its own."""
    cache = caches()[-1]
    goal, part, md5 = cache / key / file, cache / key / f"{file}.part", MD5[key][file]
    goal.parent.mkdir(parents=True, exist_ok=True)
    with locked(cache / f"{key}.lock", file):
        if goal.exists():  # from the process we waited for, or a bad one
            with contextlib.suppress(DataError, OSError):
                return _read(goal, md5)
        fetch(base + file, part, most=MOST, attempts=1)
        try:
            array = _read(part, md5)
        except DataError as error:
            done(part)
            raise Refused("sent other bytes than the official file") from error
        os.replace(part, goal)
        done(part)
        return array

"""The files of MNIST and Fashion-MNIST: found in a folder or the cache, or downloaded, and checked byte for byte.

``data`` is the door to this; here are the failures. A file is read whole, compared with its md5, and only then parsed.
"""

import contextlib
import gzip
import hashlib
import math
import os
import time
import warnings
import zlib
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pooch

from course_utils.data import network
from course_utils.data.cache import DataError, caches, cause, open_stand_in
from course_utils.data.data_dir import passed_over

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


def from_folder(key: str) -> list[np.ndarray] | None:
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
        raise DataError(f"{path} cannot be read: {cause(error)}.") from error
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


def from_cache_or_download(key: str) -> tuple[list[np.ndarray], str]:
    arrays, place, mirrors = [], "cache", list(MIRRORS[key])
    for file in FILES:
        for path in [folder / key / file for folder in caches() if os.path.lexists(folder / key / file)]:
            try:
                arrays.append(_read(path, MD5[key][file]))
                break
            except DataError as error:
                warnings.warn(f"In the cache, {error} It is downloaded anew.", stacklevel=4)
        else:
            if place == "cache" and (why := passed_over(f"folder `{key}`")):
                advice = f"name the folder which contains `{key}`"
                warnings.warn(f"{why}: {key} is downloaded. If you have it already, {advice}.", stacklevel=4)
            arrays.append(_download(key, file, mirrors))
            place = "download"
    return arrays, place


def _download(key: str, file: str, mirrors: list[str]) -> np.ndarray:
    """One file from the first mirror that has it. A mirror that fails moves to the end of `mirrors` for later files."""
    import requests

    failures = []
    for base in tuple(mirrors):
        try:
            network.ask(base + file)
            try:
                return _retrieve(base, key, file)
            except requests.RequestException:  # which is an OSError, but says nothing about the disk
                raise
            except OSError as error:
                open_stand_in(file, error)
                return _retrieve(base, key, file)
        except requests.HTTPError as error:
            why = f"answered {error.response.status_code}"
        except requests.exceptions.ChunkedEncodingError:
            why = "broke off"
        except requests.RequestException:
            why = "no connection"
        except OSError as error:
            reason = f"neither in the cache nor in a temporary folder: {cause(error)}"
            raise DataError(f"{file} could not be stored, {reason}") from error
        except ValueError:
            why = "sent other bytes than the official file"
        failures.append(f"{urlsplit(base).netloc}: {why}")
        mirrors.append(mirrors.pop(mirrors.index(base)))
    raise DataError(f"{file} could not be downloaded ({'; '.join(failures)})")


def _retrieve(base: str, key: str, file: str) -> np.ndarray:
    """Download with pooch, which writes a temporary file beside the goal, checks its md5, and only then renames it."""
    folder = caches()[-1] / key
    for left in folder.glob("tmp????????"):  # of a process that was killed; one at work wrote to its file lately
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > 3600:
                left.unlink()
    pooch.get_logger().setLevel("WARNING")  # its notes show the paths of this machine
    # Not pooch's default: it would wait 30 seconds for a connection, and its pieces of 1 kB slow a download down.
    limits = (network.CONNECT_SECONDS, network.READ_SECONDS)
    fetch = pooch.HTTPDownloader(progressbar=True, chunk_size=2**16, timeout=limits)
    pooch.retrieve(base + file, f"md5:{MD5[key][file]}", file, folder, downloader=fetch)
    return _read(folder / file, MD5[key][file])

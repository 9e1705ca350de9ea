"""The Cartoon Set archives: downloaded with progress, taken up again where a connection broke, and compared over time.

No checksum of them is published here, so the first one seen is written down beside the archive and holds from then on.
"""

import contextlib
import hashlib
import json
import os
import shutil
import time
from pathlib import Path
from urllib.parse import urlsplit

import requests
from tqdm.auto import tqdm

from course_utils.data import network
from course_utils.data.cache import DataError, locked, write_whole

MIRRORS = ["https://storage.googleapis.com/cartoonset_public_files/"]
ATTEMPTS, PAUSE = 5, 1.0  # connections in a row that brought nothing; seconds of patience after the first of them
PIECE = 1 << 16  # what a broken connection may cost


class NotFetched(DataError):
    """No mirror could be asked, or none had the archive."""


def download(name: str, folder: Path) -> Path:
    """Return `<folder>/<name>.tgz`, downloaded if it is not there.

    Raises `NotFetched` with the reason of each mirror, and `DataError` for an archive that is not the one seen before.
    What has arrived lies in `<name>.tgz.part` until it is whole; a later call goes on from there, also after a kill.
    """
    goal = folder / f"{name}.tgz"
    with locked(folder / f"{name}.tgz.lock", goal.name):
        if goal.exists():  # from the process we waited for
            return goal
        failures = []
        for base in MIRRORS:
            try:
                network.ask(base + goal.name)
                _fetch(base + goal.name, goal.with_name(goal.name + ".part"))
                break
            except requests.HTTPError as error:
                why = f"answered {error.response.status_code}"
            except requests.RequestException as error:
                why = str(error) if isinstance(error, _Broken) else "no connection"
            failures.append(f"{urlsplit(base).netloc}: {why}")
        else:
            raise NotFetched(f"{goal.name} could not be downloaded ({'; '.join(failures)})")
        part = goal.with_name(goal.name + ".part")
        try:
            compare(goal, part)
        except DataError:
            part.unlink()  # it is whole, and another file: there is nothing to go on with
            raise
        os.replace(part, goal)
        with contextlib.suppress(OSError):
            _tag(part).unlink()
        return goal


def compare(archive: Path, content: Path | None = None) -> str:
    """Return the sha256 of an archive, written down beside it when first seen. Raises `DataError` if it has changed."""
    digest, record = hashlib.sha256(), archive.with_name(archive.name + ".json")
    with open(content or archive, "rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    try:
        first = json.loads(record.read_text())["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        with contextlib.suppress(OSError):  # a cache that can only be read
            write_whole(record, json.dumps({"sha256": digest.hexdigest()}))
        return digest.hexdigest()
    if first != digest.hexdigest():
        raise DataError(
            f"{archive.name} has changed: sha256 {digest.hexdigest()}, but {first} when it was first seen. Delete "
            f"{archive} to download it again. If the new file is right, delete {record} to accept it."
        )
    return first


class _Broken(requests.RequestException):
    """A connection that ended too early too often, or sent something else."""


def _tag(part: Path) -> Path:
    """The file for the server's tag of the version whose beginning `part` holds."""
    return part.with_name(part.name + ".tag")


def _fetch(url: str, part: Path) -> None:
    """Complete `part` from `url`. An attempt asks for the rest; one that brings nothing counts against `ATTEMPTS`."""
    idle = 0
    while idle < ATTEMPTS:
        start = part.stat().st_size if part.exists() else 0
        try:
            if _attempt(url, part, start):
                return
        except requests.HTTPError:
            raise
        except requests.RequestException:
            pass
        grown = part.exists() and part.stat().st_size > start
        idle = 0 if grown else idle + 1
        time.sleep(PAUSE * idle)
    have = part.stat().st_size if part.exists() else 0
    raise _Broken(f"broke off after {have / 1e6:,.1f} MB, which are kept: the next call goes on from there")


def _attempt(url: str, part: Path, start: int) -> bool:
    """One connection. Returns whether `part` is whole now; a server without ranges sends, and gets stored, all anew."""
    headers = {"Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
        with contextlib.suppress(OSError):
            headers["If-Range"] = _tag(part).read_text()
    limits = (network.CONNECT_SECONDS, network.READ_SECONDS)
    with requests.get(url, headers=headers, stream=True, timeout=limits) as answer:
        total = answer.headers.get("Content-Range", "").rpartition("/")[2]
        if answer.status_code == 416:  # nothing lies beyond the end of `part`
            if total == str(start):
                return True
            part.unlink()
            return False
        answer.raise_for_status()
        begins = answer.headers.get("Content-Range", "").startswith(f"bytes {start}-")
        start = start if answer.status_code == 206 and begins else 0
        if answer.status_code == 206 and not start:
            raise _Broken("sent another part than was asked for")
        size = int(total) if start and total.isdigit() else int(answer.headers.get("Content-Length", 0))
        free = shutil.disk_usage(part.parent).free
        if size - start > free:
            raise OSError(f"{(size - start) / 1e9:.1f} GB are to come, and {free / 1e9:.1f} GB are free")
        if not start and "ETag" in answer.headers and not answer.headers["ETag"].startswith("W/"):
            _tag(part).write_text(answer.headers["ETag"])
        title = part.name.removesuffix(".part")
        with (
            open(part, "ab" if start else "wb") as file,
            tqdm(total=size or None, initial=start, desc=title, unit="B", unit_scale=True) as bar,
        ):
            for piece in answer.iter_content(PIECE):
                if not file.tell() and piece[:2] != b"\x1f\x8b":
                    raise _Broken("sent no archive")
                file.write(piece)
                bar.update(len(piece))
        if size and part.stat().st_size > size:  # glued together from answers that do not fit
            part.unlink()
            return False
        return size in (0, part.stat().st_size)

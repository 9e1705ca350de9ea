"""The Cartoon Set archives: downloaded, and compared over time.

No checksum of them is published here. So the first one that could be read to its end is written down beside the
archive, and holds from then on.
"""

import contextlib
import hashlib
import json
import os
from pathlib import Path
from urllib.parse import urlsplit

from course_utils.data.cache import DataError, locked, write_whole
from course_utils.data.download import done, fetch
from course_utils.data.network import PIECE, Refused

MIRRORS = ["https://storage.googleapis.com/cartoonset_public_files/"]
MOST = {"cartoonset10k": 1 << 30, "cartoonset100k": 8 << 30}  # bytes; they have 450 MB and 4.4 GB
ATTEMPTS = 5  # connections in a row that brought nothing


class NotFetched(DataError):
    """No mirror could be asked, or none had the archive."""


def download(name: str, folder: Path) -> Path:
    """Return `<folder>/<name>.tgz`, downloaded if it is not there.

    Raises `NotFetched` with the reason of each mirror, and `DataError` for an archive that is not the one seen before.
    """
    goal = folder / f"{name}.tgz"
    part = goal.with_name(goal.name + ".part")
    with locked(folder / f"{name}.tgz.lock", goal.name):
        if goal.exists():  # from the process we waited for
            return goal
        failures = []
        for base in MIRRORS:
            try:
                fetch(base + goal.name, part, most=MOST[name], attempts=ATTEMPTS)
                break
            except Refused as error:
                failures.append(f"{urlsplit(base).netloc}: {error}")
        else:
            raise NotFetched(f"{goal.name} could not be downloaded ({'; '.join(failures)})")
        first, now = _trusted(goal), _digest(part)
        if first not in (None, now):
            done(part)  # it is whole, and another file: there is nothing to go on with
            raise DataError(
                f"The server has another {goal.name} than before: sha256 {now}, but {first} when it was first read. "
                f"Call again to download it again. If the new one is right, delete {_record(goal)} to accept it."
            )
        os.replace(part, goal)
        done(part)
        return goal


def checked(archive: Path) -> str:
    """The sha256 of an archive in the cache. Raises `DataError` if it is not the one that was read before."""
    first, now = _trusted(archive), _digest(archive)
    if first not in (None, now):
        raise DataError(
            f"{archive.name} has changed: sha256 {now}, but {first} when it was first read. Delete {archive} to "
            f"download it again. If the new file is right, delete {_record(archive)} to accept it."
        )
    return now


def trust(archive: Path, digest: str) -> None:
    """Write down that this archive was read to its end."""
    if _trusted(archive) is None:
        with contextlib.suppress(OSError):  # a cache that can only be read
            write_whole(_record(archive), json.dumps({"sha256": digest}))


def give_up(archive: Path, error: DataError) -> None:
    """Delete an archive that came damaged, so that the next call gets another. One that was whole before stays."""
    if _trusted(archive) is not None:
        raise error
    archive.unlink(missing_ok=True)
    raise DataError(f"{error} It came so, and is deleted: the next call downloads it again.") from error


def _record(archive: Path) -> Path:
    return archive.with_name(archive.name + ".json")


def _trusted(archive: Path) -> str | None:
    try:
        first = json.loads(_record(archive).read_text())["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return first if isinstance(first, str) and len(first) == 64 else None


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()

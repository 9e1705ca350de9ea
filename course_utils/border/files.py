"""Folders that can be written, files that are whole or not there, and one writer a folder."""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: there, two writers are not told from one
    fcntl = None


def make_writable(folder: str | Path, what: str, way_out: str = "Name another.") -> Path:
    """Make a folder, and try to write in it, before there is anything to lose.

    Args:
        what: how to call it in the message: "The folder of the run".
        way_out: what to do if it cannot be used.

    Returns:
        The folder, as a path.

    Raises:
        ValueError: for an empty name, as of a variable that is not set; it would be the current folder.
        OSError: for a folder that cannot be made or written.
    """
    if not str(folder).strip():
        raise ValueError(f"{what} is named '{folder}', as by a variable that is not set. {way_out}")
    folder = Path(folder).expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = "a file is in its place" if folder.is_file() else error.strerror
        raise OSError(f"{what}, {folder}, cannot be made: {reason}. {way_out}") from error
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"room for this, and permission")
            file.flush()
    except OSError as error:
        raise OSError(f"{what}, {folder}, cannot be written: {error.strerror}. {way_out}") from error
    return folder


@contextlib.contextmanager
def only_one(folder: str | Path, what: str) -> Iterator[None]:
    """Be the only process that works in a folder. The system drops the lock of one that is killed.

    Some network drives know no locks; there this does nothing.

    Raises:
        BlockingIOError: when another one is at work.
    """
    if fcntl is None:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BlockingIOError(
                f"Another training is at work in {folder}. Wait until it has ended, or name another folder {what}."
            ) from error
        except OSError:
            pass
        yield
    finally:
        os.close(handle)


def write_whole(path: str | Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` make a file under another name beside ``path``; it gets its name when it is whole.

    Raises:
        OSError: when it cannot be written. What was there under its name stays.
    """
    path = Path(path)
    part = path.with_name(f".part-{path.name}")  # the ending stays: some writers go by it
    try:
        write(part)
        with open(part, "rb") as file:
            os.fsync(file.fileno())  # before the name is given: a power cut may not leave an empty file
        os.replace(part, path)
    except OSError as error:
        raise OSError(
            f"{path} cannot be written: {error.strerror or error}. What was there before is untouched. Make room, and "
            "start again: the training is in the checkpoints."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)

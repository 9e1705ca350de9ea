"""What can be known before TensorFlow starts: the folder of the run, who else works in it, and memory."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from course_utils.border import files

try:
    import resource
except ImportError:  # Windows
    resource = None

WEIGHTS, PICTURE, LOGS, CHECKPOINTS = "model.weights.h5", "picture.png", "logs", "checkpoints"
NAME_ANOTHER = "Name another by --resume."
# Bytes, measured in float32 on a CPU: of addresses and of memory for the libraries, and of memory for each image of
# 256x256 in a batch (benchmarks/README.md).
ADDRESSES, RESIDENT, AN_IMAGE = 3.3e9, 0.85e9, 26e6


@contextlib.contextmanager
def run_folder(folder: Path, keeps: bool = True) -> Iterator[None]:
    """Make the folder of the run, see that all of it can be written, and be alone in it.

    Args:
        keeps: whether this process writes the results: of several workers, one does.

    Raises:
        OSError: for a folder that cannot be made or written, a file or a folder in the place of the other, and when
            another training is at work there.
    """
    files.make_writable(folder, "The folder of the run", NAME_ANOTHER)
    for name in (LOGS, CHECKPOINTS):
        if os.path.lexists(folder / name):
            files.make_writable(folder / name, f"The folder {name} of the run", NAME_ANOTHER)
    for name in (WEIGHTS, PICTURE):
        if (folder / name).is_dir():
            raise OSError(f"{folder / name} is a folder, and a file goes there. Take it away. {NAME_ANOTHER}")
    with files.only_one(folder, "by --resume") if keeps else contextlib.nullcontext():
        yield


def refuse_little_memory(batch: int, side: int = 256) -> None:
    """Raise ``MemoryError`` where TensorFlow and a batch of avatars cannot fit: it would crash, or crawl."""
    image = AN_IMAGE * (side / 256) ** 2
    limit, need = _address_limit(), ADDRESSES + batch * image
    if limit is not None and limit < need:
        way_out = _way_out((limit - ADDRESSES) // image, batch, "Raise the limit (ulimit -v unlimited)")
        raise MemoryError(
            f"A process may use {limit / 1e9:.1f} GB of addresses here (ulimit -v), and a training with batches of "
            f"{batch} needs {need / 1e9:.1f} GB. {way_out}"
        )
    free, need = _free_memory(), RESIDENT + batch * image
    if free is not None and free < need:
        way_out = _way_out((free - RESIDENT) // image, batch, "Close what else uses it")
        raise MemoryError(
            f"{free / 1e9:.1f} GB of memory are free, and a training with batches of {batch} needs {need / 1e9:.1f} "
            f"GB. {way_out}"
        )


def _way_out(fits: float, batch: int, otherwise: str) -> str:
    return f"{otherwise}, or take --batch {int(fits)}." if 1 <= fits < batch else f"{otherwise}."


def _address_limit() -> int | None:
    if resource is None:
        return None
    soft = resource.getrlimit(resource.RLIMIT_AS)[0]
    return None if soft == resource.RLIM_INFINITY else soft


def _free_memory() -> int | None:
    """Bytes that a process could get, by the machine and by the limit of its container; None where nobody says."""
    found = []
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text().splitlines()
        found.append(1024 * int(next(line for line in lines if line.startswith("MemAvailable")).split()[1]))
    with contextlib.suppress(OSError, ValueError):  # "max" is no number, and no limit
        limit = int(Path("/sys/fs/cgroup/memory.max").read_text())
        statistics = dict(line.split() for line in Path("/sys/fs/cgroup/memory.stat").read_text().splitlines())
        used = int(Path("/sys/fs/cgroup/memory.current").read_text()) - int(statistics.get("inactive_file", 0))
        found.append(limit - used)
    return min(found, default=None)

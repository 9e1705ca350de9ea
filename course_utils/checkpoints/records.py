"""What a folder of checkpoints says about itself: which are there, of which training, and whether they are whole."""

import contextlib
import hashlib
import json
from pathlib import Path

FORMAT = 2  # of training.json; the first one noted too little of a training to tell it from others


class Older(ValueError):
    """A checkpoint of an earlier version of the course."""


def complete(folder: str | Path) -> list[Path]:
    """The checkpoints in a folder, newest first."""
    found = [path for path in Path(folder).glob("step-????????") if path.is_dir() and path.name[5:].isdigit()]
    return sorted(found, key=lambda path: path.name, reverse=True)


def step_of(path: Path) -> int:
    """How many steps a checkpoint has behind it."""
    return int(path.name[5:])


def write(path: Path, record: dict) -> None:
    """Write ``training.json`` into a checkpoint: settings, history and states, with a checksum."""
    record = record | {"format": FORMAT}
    path.joinpath("training.json").write_text(json.dumps(record | {"checksum": _checksum(record)}))


def read(path: Path) -> dict:
    """Read it back.

    Raises:
        OSError, ValueError: for a file that is missing or damaged, also one that still parses.
        Older: for one of an earlier format.
    """
    record = json.loads((path / "training.json").read_text())
    if not isinstance(record, dict):
        raise ValueError("no record of a training")
    if "format" not in record and set(record) == {"settings", "history"}:
        raise Older(f"{path} was written by an earlier version of the course")
    if record.pop("checksum", None) != _checksum(record) or record.get("format") != FORMAT:
        raise ValueError("its checksum differs")
    return record


def recorded_settings(folder: str | Path) -> dict:
    """The settings of the training whose checkpoints lie in a folder; empty without any that can be read."""
    for path in complete(folder):
        with contextlib.suppress(OSError, ValueError):
            return read(path)["settings"]
    return {}


def _checksum(record: dict) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()

"""Images prepared once and kept: decoded, scaled, appended to one file, in a way that survives a kill and two writers.

A store is a folder with three files. `images.bin` holds uint8 images of one shape, one after the other. `journal.jsonl`
gets a line for every chunk that is safely in there: which files it came from, and which were left out and why.
`index.json` appears, whole, at the end. Whoever goes on with a store first cuts both files back to
the last whole chunk.
"""

import collections
import contextlib
import itertools
import json
import math
import os
import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from course_utils.data.cache import DataError, locked, write_json
from course_utils.data.streaming import AVATAR

CHUNK, WORKERS = 64, 2


class LeftOut(Exception):
    """A file that is no image of the set; the text is the reason."""


def prepare(
    store: Path,
    entries: Callable[[], Iterable[tuple[str, object]]],
    decode: Callable,
    describe: Callable[[list, list], dict],
    *,
    label: str,
    expected: int | None = None,
    limit: int | None = None,
    shape: tuple[int, int, int] = AVATAR,
) -> dict:
    """Bring a store to all images, or to the first `limit`, and return its index.

    Args:
        store: its folder, made if need be; the folder above must exist.
        entries: gives pairs of a name and whatever `decode` takes, in the same order at every call.
        decode: gives an image, uint8 of that `shape`, and a record for the journal or None; or raises `LeftOut`.
        describe: gets all names and records at the end; what it returns joins the index.
        expected: the number of entries, if known, for the progress bar and the room on the disk.

    Returns:
        The index: `names`, one a row; `left_out`, reason by name; `finished`, whether no entry is left; `shape`; and
        the rest.

    Raises:
        DataError: if the disk is full or cannot be written. What is there stays, and the next call goes on with it.
    """
    index = read_index(store, limit, shape)
    if index is not None:
        return index
    try:
        with locked(store.with_name(store.name + ".lock"), label):
            index = read_index(store, limit, shape)  # by the process we waited for
            if index is not None:
                return index
            store.mkdir(exist_ok=True)
            goal = limit if expected is None else min(limit or expected, expected)
            names, left_out, records, finished = _append(store, entries, decode, goal, limit, label, shape)
            index = {"names": names, "left_out": left_out, "finished": finished, "shape": list(shape)}
            index |= describe(names, records)
            write_json(store / "index.json", index)
            return index
    except OSError as error:
        raise DataError(
            f"{label} could not be prepared: {store} cannot be written: {error.strerror or error}. What is done stays "
            "there. Make room, set COURSE_CACHE_DIR to another folder, or ask for fewer images (limit)."
        ) from error


def read_index(store: Path, limit: int | None = None, shape: tuple[int, int, int] = AVATAR) -> dict | None:
    """The index of a store with all images of this shape or at least `limit` of them; None if there is none, whole."""
    try:
        index = json.loads((store / "index.json").read_text())
        if (store / "images.bin").stat().st_size < len(index["names"]) * math.prod(shape):
            return None
        if index.get("shape", list(AVATAR)) != list(shape):
            return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return index if index["finished"] or (limit is not None and len(index["names"]) >= limit) else None


def _journalled(store: Path, image_bytes: int) -> tuple[list[str], dict[str, str], list]:
    """What is safely in the store. Both files are cut back to it: a kill may have left half a chunk or half a line."""
    names, left_out, records, whole = [], {}, [], 0
    (store / "images.bin").touch()
    (store / "journal.jsonl").touch()
    room = (store / "images.bin").stat().st_size // image_bytes
    with open(store / "journal.jsonl", "rb") as lines:
        for line in lines:
            try:
                chunk = json.loads(line)
            except ValueError:
                break
            if not line.endswith(b"\n") or len(names) + len(chunk["names"]) > room:
                break
            names += chunk["names"]
            left_out |= chunk["left_out"]
            records += chunk["records"]
            whole += len(line)
    os.truncate(store / "journal.jsonl", whole)
    os.truncate(store / "images.bin", len(names) * image_bytes)
    return names, left_out, records


def _append(
    store: Path, entries: Callable, decode: Callable, goal: int | None, limit: int | None, label: str, shape: tuple
) -> tuple[list[str], dict[str, str], list, bool]:
    image_bytes = math.prod(shape)
    names, left_out, records = _journalled(store, image_bytes)
    need, free = (goal or 0) - len(names), shutil.disk_usage(store).free
    if need * image_bytes > free:
        raise OSError(f"{need:,} images need {need * image_bytes / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free")
    done = {*names, *left_out}
    rest = ((name, item) for name, item in entries() if name not in done)
    ahead = collections.deque()  # one chunk is decoded while the one before is written, and an archive is read
    with contextlib.ExitStack() as stack:  # Pillow decodes and scales without the interpreter lock: threads will do
        images = stack.enter_context(open(store / "images.bin", "ab"))
        journal = stack.enter_context(open(store / "journal.jsonl", "a"))
        pool = stack.enter_context(ThreadPoolExecutor(WORKERS))
        stack.callback(lambda: [future.cancel() for _, futures in ahead for future in futures])
        bar = stack.enter_context(tqdm(total=goal, initial=len(names), desc=f"Preparing {label}", unit=" images"))
        while limit is None or len(names) < limit:
            while len(ahead) < 2 and (chunk := list(itertools.islice(rest, CHUNK))):
                ahead.append(([name for name, _ in chunk], [pool.submit(decode, item) for _, item in chunk]))
            if not ahead:
                break
            kept, bad, notes = [], {}, []
            for name, future in zip(*ahead.popleft(), strict=True):
                try:
                    image, note = future.result()
                except LeftOut as reason:
                    bad[name] = str(reason)
                    continue
                images.write(np.ascontiguousarray(image))
                kept.append(name)
                notes.append(note)
            images.flush()
            os.fsync(images.fileno())  # before the journal says so: a power cut may not turn images black
            journal.write(json.dumps({"names": kept, "left_out": bad, "records": notes}) + "\n")
            journal.flush()
            names += kept
            left_out |= bad
            records += notes
            bar.update(len(kept))
        # Read on to the end of an archive: it shows that the archive is whole, and collects the attributes.
        finished = sum(1 for _ in rest) == 0 and not ahead
    return names, left_out, records, finished

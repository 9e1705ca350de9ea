"""Images prepared once and kept: decoded, scaled, appended to one file, in a way that survives a kill and two writers.

A store is a folder with three files. `images.bin` holds uint8 images of one shape, one after the other. `journal.jsonl`
gets a line for every chunk that is safely in there: which files it came from, which were left out and why, and a
checksum of each image. `index.json` appears, whole, at the end. Whoever goes on with a store first cuts both files back
to the last whole chunk. What is wrong with a file is remembered; what hindered its reading is not.
"""

import collections
import contextlib
import errno
import itertools
import math
import os
import shutil
import zlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from course_utils.data.cache import DataError, in_words, is_full, locked, write_whole
from course_utils.data.sealed import seal, unseal
from course_utils.data.streaming import AVATAR

CHUNK, WORKERS = 64, 2


class LeftOut(Exception):
    """A file that is no image of the set; the text is the reason."""


class Unreadable(Exception):
    """A file that could not be read for a reason outside it, such as a permission; the text names both."""


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
        decode: gives an image, uint8 of that `shape`, and a record for the journal or None; or raises `LeftOut`, or
            `Unreadable` for what may be otherwise next time.
        describe: gets all names and records at the end; what it returns joins the index.
        expected: the number of entries, if known, for the progress bar and the room on the disk.

    Returns:
        The index: `names`, one a row, and `sums`, the CRC-32 of each; `left_out`, reason by name; `finished`, whether
        no entry is left; `shape`; and the rest.

    Raises:
        DataError: if files cannot be read, or the disk is full or cannot be written. What is there stays, and the next
            call goes on with it.
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
            done, finished = _append(store, entries, decode, goal, limit, label, shape)
            names, records = done["names"], done.pop("records")
            index = {**done, "finished": finished, "shape": list(shape), **describe(names, records)}
            write_whole(store / "index.json", seal(index))
            return index
    except OSError as error:
        raise DataError(f"{label} could not be prepared: {_way_out(store, error)}") from error


def _way_out(store: Path, error: OSError) -> str:
    if error.errno == errno.ENOENT and not store.exists():
        return f"{store} was deleted meanwhile. Load the set again."
    if is_full(error):
        advice = "Make room, set COURSE_CACHE_DIR to another folder, or ask for fewer images (limit)."
    else:
        advice = "Make it writable, or set COURSE_CACHE_DIR to another folder."
    why = error.strerror or str(error)
    return f"{store} cannot be written: {why}. What is done stays there. {advice}"


def read_index(store: Path, limit: int | None = None, shape: tuple[int, int, int] = AVATAR) -> dict | None:
    """The index of a store with all images of this shape or at least `limit` of them; None if there is none, whole."""
    try:
        index = unseal((store / "index.json").read_bytes())
        if (store / "images.bin").stat().st_size < len(index["names"]) * math.prod(shape):
            return None
        if index["shape"] != list(shape):
            return None
    except (OSError, ValueError):
        return None
    return index if index["finished"] or (limit is not None and len(index["names"]) >= limit) else None


def _journalled(store: Path, image_bytes: int) -> dict:
    """What is safely in the store. Both files are cut back to it: a kill may have left half a chunk or half a line."""
    done, whole = {"names": [], "sums": [], "left_out": {}, "records": []}, 0
    (store / "images.bin").touch()
    (store / "journal.jsonl").touch()
    room = (store / "images.bin").stat().st_size // image_bytes
    with open(store / "journal.jsonl", "rb") as lines:
        for line in lines:
            try:
                chunk = unseal(line)
            except ValueError:
                break
            if not line.endswith(b"\n") or len(done["names"]) + len(chunk["names"]) > room:
                break
            _join(done, chunk)
            whole += len(line)
    os.truncate(store / "journal.jsonl", whole)
    os.truncate(store / "images.bin", len(done["names"]) * image_bytes)
    return done


def _join(done: dict, chunk: dict) -> None:
    for field in ("names", "sums", "records"):
        done[field] += chunk[field]
    done["left_out"] |= chunk["left_out"]


def _append(
    store: Path, entries: Callable, decode: Callable, goal: int | None, limit: int | None, label: str, shape: tuple
) -> tuple[dict, bool]:
    image_bytes = math.prod(shape)
    done = _journalled(store, image_bytes)
    need, free = ((goal or 0) - len(done["names"])) * image_bytes, shutil.disk_usage(store).free
    if need > free:
        raise OSError(f"{goal:,} images need another {in_words(need)}, and {in_words(free)} are free")
    known = {*done["names"], *done["left_out"]}
    rest = ((name, item) for name, item in entries() if name not in known)
    ahead = collections.deque()  # one chunk is decoded while the one before is written, and an archive is read
    with contextlib.ExitStack() as stack:  # Pillow decodes and scales without the interpreter lock: threads will do
        images = stack.enter_context(open(store / "images.bin", "ab"))
        journal = stack.enter_context(open(store / "journal.jsonl", "a"))
        pool = stack.enter_context(ThreadPoolExecutor(WORKERS))
        stack.callback(lambda: [future.cancel() for _, futures in ahead for future in futures])
        bar = stack.enter_context(
            tqdm(total=goal, initial=len(done["names"]), desc=f"Preparing {label}", unit=" images")
        )
        while limit is None or len(done["names"]) < limit:
            while len(ahead) < 2 and (part := list(itertools.islice(rest, CHUNK))):
                ahead.append(([name for name, _ in part], [pool.submit(decode, item) for _, item in part]))
            if not ahead:
                break
            chunk, unread = {"names": [], "sums": [], "left_out": {}, "records": []}, []
            for name, future in zip(*ahead.popleft(), strict=True):
                try:
                    image, note = future.result()
                except Unreadable as reason:
                    unread.append(str(reason))
                    continue
                except LeftOut as reason:
                    if not unread:
                        chunk["left_out"][name] = str(reason)
                    continue
                if unread:  # what comes behind would lie in another row than after an undisturbed preparation
                    continue
                pixels = np.ascontiguousarray(image)
                images.write(pixels)
                chunk["names"].append(name)
                chunk["sums"].append(zlib.crc32(pixels))
                chunk["records"].append(note)
            images.flush()
            os.fsync(images.fileno())  # before the journal says so: a power cut may not turn images black
            journal.write(seal(chunk) + "\n")
            journal.flush()
            _join(done, chunk)
            bar.update(len(chunk["names"]))
            if unread:
                _refuse_unread(label, unread)
        # Read on to the end of an archive: it shows that the archive is whole, and collects the attributes.
        finished = sum(1 for _ in rest) == 0 and not ahead
    return done, finished


def _refuse_unread(label: str, unread: list[str]) -> None:
    some = "; ".join(unread[:5]).encode(errors="backslashreplace").decode()
    more = f"; and {len(unread) - 5} more" if len(unread) > 5 else ""
    raise DataError(
        f"{label}: {len(unread)} of the next {CHUNK} images cannot be read: {some}{more}. They are not left out for "
        "that: see to it that they can be read, and load the set again. What is prepared stays."
    )

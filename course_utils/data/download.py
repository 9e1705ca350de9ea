"""One file from one server: with progress, taken up again where a connection broke, never longer than it can be.

What has arrived lies in a `.part` until it is whole, also after a kill: the next call goes on from there.
"""

import contextlib
import itertools
import re
import shutil
import time
from pathlib import Path

from tqdm.auto import tqdm

from course_utils.data import network
from course_utils.data.cache import in_words
from course_utils.data.network import Pace, Refused

PAUSE = 1.0  # seconds of patience after the first connection that brought nothing
TAG = '"[!-~]*"'  # of one version, byte for byte
GZIP = b"\x1f\x8b"  # how every file here begins
LOG_IN = "sent a web page, as networks do that want a log-in first"


def fetch(url: str, part: Path, *, most: int, attempts: int) -> None:
    """Complete `part`, a gzip file of `most` bytes at most, from `url`.

    An attempt asks for the rest; one that brings nothing counts against `attempts`. Raises `network.Refused` with the
    reason if the server does not give the file, and `OSError` if it cannot be stored.
    """
    import requests
    import urllib3

    idle, pace, why = 0, Pace(), "broke off"
    try:
        network.ask(url)
        while idle < attempts:
            start = _size(part)
            try:
                if _attempt(url, part, start, most, pace):
                    return
            except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
                if not network.is_passing(error):
                    raise
                why = network.reason(error)
            idle = 0 if _size(part) > start else idle + 1
            time.sleep(PAUSE * idle if idle < attempts else 0)
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        why = network.reason(error)
    except Refused as error:
        why = str(error)
    kept = f" after {in_words(_size(part))}, which are kept: the next call goes on from there" if _size(part) else ""
    raise Refused(why + kept)


def done(part: Path) -> None:
    """Forget what belongs to a part that is none any more."""
    for path in (part, _tag(part)):
        with contextlib.suppress(OSError):
            path.unlink()


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _tag(part: Path) -> Path:
    """The file for the server's tag of the version whose beginning `part` holds."""
    return part.with_name(part.name + ".tag")


def _attempt(url: str, part: Path, start: int, most: int, pace: Pace) -> bool:
    """One connection. Returns whether `part` is whole now; a server without ranges sends, and gets stored, all anew."""
    headers = {"Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
        with contextlib.suppress(OSError, ValueError):
            if re.fullmatch(TAG, tag := _tag(part).read_text()):
                headers["If-Range"] = tag
    pace.add(0)
    with network.answer(url, headers) as answer:
        total = answer.headers.get("Content-Range", "").rpartition("/")[2]
        if answer.status_code == 416:  # nothing lies beyond the end of `part`
            if total == str(start):
                return True
            done(part)
            return False
        answer.raise_for_status()
        if answer.status_code == 206 and not answer.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            raise Refused("sent another part than was asked for")
        start = start if answer.status_code == 206 else 0
        if answer.headers.get("Content-Type", "").startswith("text/html"):
            raise Refused(LOG_IN)
        size = _number(total) if start else _number(answer.headers.get("Content-Length", ""))
        if size > most:
            raise Refused(f"announces {in_words(size)}, and the file has {in_words(most)} at most")
        stream = network.pieces(answer, pace)
        head = b""
        while len(head) < len(GZIP) and (piece := next(stream, b"")):
            head += piece
        if not start and head and not head.startswith(GZIP):
            raise Refused("sent other bytes than those of the file")
        if not head:
            return bool(start) and size == start
        if size - start > (free := shutil.disk_usage(part.parent).free):
            raise OSError(f"{in_words(size - start)} are to come, and {in_words(free)} are free")
        if not start:  # only now may what was kept be given up
            done(part)
            if re.fullmatch(TAG, tag := answer.headers.get("ETag", "")):
                _tag(part).write_text(tag)
        return _store(part, itertools.chain([head], stream), start, size, most)


def _number(text: str) -> int:
    return int(text) if re.fullmatch("[0-9]{1,15}", text) else 0


def _store(part: Path, stream, start: int, size: int, most: int) -> bool:
    title, have = part.name.removesuffix(".part"), start
    with (
        open(part, "ab") as file,
        tqdm(total=size or None, initial=start, desc=title, unit="B", unit_scale=True) as bar,
    ):
        for piece in stream:
            file.write(piece)
            file.flush()  # a kill should not cost what has arrived
            bar.update(len(piece))
            have += len(piece)
            if have > most:
                break
    if have > (size or most):  # glued together from answers that do not fit, or without an end
        done(part)
        if have > most:
            raise Refused(f"sent more than {in_words(most)}, which the file has at most")
        return False
    return size in (0, have)

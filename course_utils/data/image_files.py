"""Image files and CSV tables, in a folder of any nesting or in a .tgz archive. Nothing is decoded here."""

import gzip
import hashlib
import itertools
import os
import stat
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from course_utils.data.cache import DataError, cause
from course_utils.data.prepared import Unreadable

SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp")  # what claims to be an image
LABELS = "labels.csv"
# What is read at most, whatever a file claims: 500x500 RGBA is 1 MB even without compression, a CSV of Cartoon Set has
# 500 bytes, and 100,000 of them have 50 MB. From an archive 128 images are in memory at a time.
MAX_BYTES, ARCHIVED_BYTES, CSV_BYTES, TABLES_BYTES = 1 << 24, 1 << 21, 1 << 16, 1 << 28
HEADER_BYTES, MEMBERS = 1 << 20, 1_000_000  # between two files of an archive; in an archive


class Damaged(DataError):
    """An archive that is cut off or damaged."""


def file_key(name: str) -> int:
    """A fixed pseudo-random number of a file name without folders, for orders and splits that no new file upsets."""
    name = PurePosixPath(name).name.encode(errors="surrogateescape")  # not every system keeps to UTF-8
    return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "big")


def scan(root: Path, suffixes: tuple[str, ...] | None = SUFFIXES) -> tuple[dict[str, Path], dict[str, Path], str]:
    """Images in the order of `file_key`, and CSVs, below a folder, both by relative name; and their fingerprint.

    Images are told by their `suffixes`; with None, all files but CSVs and hidden ones are returned. Links are followed.
    Raises `DataError` for a folder that cannot be looked into, a link that leads nowhere, or a pipe
    or device with the name of an image: what is named is used whole, or refused.
    """
    images, tables, marks, seen = {}, {}, [], set()
    for folder, folders, files in os.walk(root, onerror=_refuse, followlinks=True):
        status = _status(folder)
        if (status.st_dev, status.st_ino) in seen:  # a link that leads back
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for file in files:
            suffix, path = os.path.splitext(file)[1].lower(), Path(folder, file)
            wanted = suffixes is None or suffix in (*suffixes, ".csv")
            counts = suffix in (*SUFFIXES, ".csv", "")  # without a suffix: a link to a folder, perhaps
            if file.startswith(".") or not (wanted or counts) or not (counts or path.is_file()):
                continue
            status = _status(path)
            if not wanted:
                continue
            if not stat.S_ISREG(status.st_mode):
                raise DataError(f"{path} is neither a file nor a folder. Take it away, or name another folder.")
            name = path.relative_to(root).as_posix()
            marks.append(f"{name}\t{status.st_size}\t{status.st_mtime_ns}\n")
            (tables if suffix == ".csv" else images)[name] = path
    ordered = {name: images[name] for name in sorted(images, key=lambda name: (file_key(name), name))}
    mark = "".join(sorted(marks)).encode(errors="surrogateescape")
    return ordered, tables, hashlib.sha256(mark).hexdigest()


def _refuse(error: OSError) -> None:
    if error.filename and os.path.islink(error.filename) and not os.path.exists(error.filename):
        raise DataError(f"{error.filename} is a link that leads nowhere. Mend it, or take it away.") from error
    raise DataError(
        f"{error.filename} cannot be looked into: {cause(error)}. Make it readable, or take it away: a folder is used "
        "whole or not at all."
    ) from error


def _status(path: str | Path) -> os.stat_result:
    try:
        return os.stat(path)
    except OSError as error:
        return _refuse(error)


def read_file(path: Path) -> bytes:
    """Its bytes, one more than `MAX_BYTES` at most. Raises `Unreadable`."""
    try:
        with open(path, "rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise Unreadable(f"{path}: {cause(error)}") from error


def read_tables(names: list[str], tables: dict[str, Path]) -> dict[str, bytes]:
    """The bytes of the CSVs that belong to these images. Raises `DataError` for one that cannot be read."""
    texts, beside = Tables(), {str(PurePosixPath(name).with_suffix(".csv")) for name in names}
    for name, path in tables.items():
        if name in beside or path.name == LABELS:
            try:
                texts.add(name, read_file(path))
            except Unreadable as error:
                raise DataError(f"The table {error}. Make it readable, or take it away, and load again.") from error
    return texts


class Tables(dict[str, bytes]):
    """The bytes of CSVs by name, as many as a set of images has: a small archive can hold a great length of them."""

    def add(self, name: str, content: bytes) -> None:
        """Keep a table, unless it is too long to be one of an image. Raises `DataError` for too much in all."""
        own = PurePosixPath(name).name != LABELS
        if own and len(content) > CSV_BYTES:
            return
        self[name] = content
        self.total = getattr(self, "total", 0) + len(content)
        if len(content) > MAX_BYTES or self.total > TABLES_BYTES:
            what = "The tables" if self.total > TABLES_BYTES else name
            most = TABLES_BYTES if self.total > TABLES_BYTES else MAX_BYTES
            raise DataError(f"{what} hold more than {most >> 20} MB, more than a set of images needs. Take them away.")


class _Metered:
    """A stream for tarfile, which keeps in memory whatever stands between two files of an archive: here, 1 MB of it."""

    def __init__(self, raw: gzip.GzipFile, path: Path):
        self.raw, self.path, self.position, self.end = raw, path, 0, HEADER_BYTES

    def read(self, size: int) -> bytes:
        if self.position > self.end:
            raise DataError(f"{self.path} has a header of more than {HEADER_BYTES >> 20} MB. Do not use it.")
        content = self.raw.read(size)
        self.position += len(content)
        return content

    def pass_on(self, member: tarfile.TarInfo) -> None:
        """Let this file be read too, and what stands behind it."""
        self.end = member.offset_data + member.size + 2 * tarfile.RECORDSIZE + HEADER_BYTES


def archive_entries(path: Path, texts: Tables) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of every image in a .tgz, in its order. CSVs go into `texts`. Nothing is unpacked to the disk.

    Raises `DataError` for a file that cannot be read or is no .tgz, for an archive that is cut off or damaged, or has
    what a set of images does not have: a member with an absolute name or `..`, a link, a device, a header of 1 GB.
    """
    try:
        with open(path, "rb") as file:
            start = file.read(2)
        if not b"\x1f\x8b".startswith(start):
            raise DataError(
                f"{path} is no .tgz, the kind of archive that is expected: it begins with {start!r}. Get the .tgz, or "
                "unpack what you have and name the folder with the images."
            )
        with gzip.open(path) as raw, tarfile.open(fileobj=(meter := _Metered(raw, path)), mode="r|") as archive:
            for number in itertools.count():
                # Opening reads the first header. Where there is none, Python 3.10 would seek in front of the start.
                member = archive.next() if archive.offset else None
                if member is None:
                    break
                if number == MEMBERS:
                    raise DataError(f"{path} has more than {MEMBERS:,} files. Do not use it.")
                meter.pass_on(member)
                archive.members.clear()  # they would be kept to the end
                archive.pax_headers.clear()
                name = PurePosixPath(member.name)
                if name.is_absolute() or ".." in name.parts or "\\" in member.name or ":" in member.name:
                    raise DataError(f"{path}: the member {member.name!r} leads out of the archive. Do not use it.")
                if not (member.isreg() or member.isdir()):
                    raise DataError(f"{path}: {member.name!r} is a link or a device, not a file. Do not use it.")
                suffix = name.suffix.lower()
                if not member.isreg() or name.name.startswith(".") or suffix not in (*SUFFIXES, ".csv"):
                    continue
                if suffix == ".csv":
                    longest = MAX_BYTES if name.name == LABELS else CSV_BYTES
                    texts.add(str(name), archive.extractfile(member).read(longest + 1))
                else:
                    yield str(name), archive.extractfile(member).read(ARCHIVED_BYTES + 1)
            while raw.read(1 << 20):  # to the end, where gzip has its checksum
                pass
    except (EOFError, zlib.error, tarfile.TarError, ValueError, OverflowError, OSError) as error:
        if getattr(error, "errno", None) is not None:  # the system's, not that of gzip
            raise DataError(f"{path} cannot be read: {cause(error)}. Make it readable, and load again.") from error
        raise Damaged(f"{path} cannot be read to its end: {error}. It is cut off or damaged: get it anew.") from error

"""Image files and CSV tables, in a folder of any nesting or in a .tgz archive. Nothing is decoded here."""

import contextlib
import gzip
import hashlib
import os
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from course_utils.data.cache import DataError

SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp")  # what claims to be an image
MAX_BYTES = 1 << 24  # 500x500 RGBA is 1 MB even without compression
LABELS = "labels.csv"


def file_key(name: str) -> int:
    """A fixed pseudo-random number of a file name without folders, for orders and splits that no new file upsets."""
    name = PurePosixPath(name).name.encode(errors="surrogateescape")  # not every system keeps to UTF-8
    return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "big")


def scan(root: Path, suffixes: tuple[str, ...] | None = SUFFIXES) -> tuple[dict[str, Path], dict[str, Path], str]:
    """Images in the order of `file_key`, and CSVs, below a folder, both by relative name; and their fingerprint.

    Images are told by their `suffixes`; with None, all files but CSVs and hidden ones are returned.
    """
    images, tables, marks = {}, {}, []
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for file in files:
            suffix, path = os.path.splitext(file)[1].lower(), Path(folder, file)
            wanted = suffixes is None or suffix in (*suffixes, ".csv")
            if file.startswith(".") or not wanted or not path.is_file():
                continue
            name, status = path.relative_to(root).as_posix(), path.stat()
            marks.append(f"{name}\t{status.st_size}\t{status.st_mtime_ns}\n")
            (tables if suffix == ".csv" else images)[name] = path
    ordered = {name: images[name] for name in sorted(images, key=lambda name: (file_key(name), name))}
    mark = "".join(sorted(marks)).encode(errors="surrogateescape")
    return ordered, tables, hashlib.sha256(mark).hexdigest()


def read_tables(names: list[str], tables: dict[str, Path]) -> dict[str, bytes]:
    """The bytes of the CSVs that belong to these images; one that cannot be read counts as missing."""
    texts = {}
    beside = {str(PurePosixPath(name).with_suffix(".csv")) for name in names}
    for name, path in tables.items():
        if name in beside or path.name == LABELS:
            with contextlib.suppress(OSError), open(path, "rb") as file:
                texts[name] = file.read(MAX_BYTES)
    return texts


def archive_entries(path: Path, texts: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of every image in a .tgz, in its order. CSVs go into `texts`. Nothing is unpacked to the disk.

    Raises `DataError` for a file that is no .tgz, for an archive that is cut off or damaged, or has a member which a
    set of images does not have: one with an absolute name or `..`, a link, a device.
    """
    try:
        with open(path, "rb") as file:
            start = file.read(2)
        if not b"\x1f\x8b".startswith(start):
            raise DataError(
                f"{path} is no .tgz, the kind of archive that is expected: it begins with {start!r}. Get the .tgz, or "
                "unpack what you have and name the folder with the images."
            )
        with gzip.open(path) as raw, tarfile.open(fileobj=raw, mode="r|") as archive:
            for member in archive:
                name = PurePosixPath(member.name)
                if name.is_absolute() or ".." in name.parts or "\\" in member.name or ":" in member.name:
                    raise DataError(f"{path}: the member {member.name!r} leads out of the archive. Do not use it.")
                if not (member.isreg() or member.isdir()):
                    raise DataError(f"{path}: {member.name!r} is a link or a device, not a file. Do not use it.")
                suffix = name.suffix.lower()
                if not member.isreg() or name.name.startswith(".") or suffix not in (*SUFFIXES, ".csv"):
                    continue
                content = archive.extractfile(member).read(MAX_BYTES + 1)
                if suffix == ".csv":
                    texts[str(name)] = content
                else:
                    yield str(name), content
            while raw.read(1 << 20):  # to the end, where gzip has its checksum
                pass
    except (EOFError, zlib.error, tarfile.TarError, OSError) as error:
        raise DataError(f"{path} cannot be read to its end: {error}. It is cut off or damaged: get it anew.") from error

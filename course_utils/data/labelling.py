"""Labels of one's own images: from a folder a class, and from tables named `labels.csv`, also from a spreadsheet."""

import collections
import csv
import io
import os
import unicodedata
from collections.abc import Iterator
from pathlib import PurePosixPath

import numpy as np

SPLITS = ("train", "training", "test", "testing", "val", "valid", "validation")  # folders that say nothing of a class
LABEL_COLUMNS = ("label", "class", "category")
VALUES = 1_000  # an attribute with more is none
COLUMNS, LINES = 100, 500_000  # of a table, which is in memory as a whole


def classes_of(names: list[str], everything: list[str]) -> tuple[np.ndarray, tuple[str, ...]] | None:
    """Labels `(names,)` and names of the classes, from the folders that `everything` lies in; None with less than two.

    A class is the first folder below the one that holds everything; folders named `train`, `test` or the like are
    looked through. An image that lies in none has the label -1.
    """
    folders = {}
    for name in everything:
        folders[name] = [part for part in PurePosixPath(name).parts[:-1] if part.lower() not in SPLITS]
    depth = len(os.path.commonprefix(list(folders.values())))
    kinds = tuple(sorted({parts[depth] for parts in folders.values() if len(parts) > depth}))
    if len(kinds) < 2:
        return None
    number = {kind: place for place, kind in enumerate(kinds)}
    labels = [number[folders[name][depth]] if len(folders[name]) > depth else -1 for name in names]
    return np.array(labels, np.int64), kinds


def attributes_of(
    names: list[str], everything: list[str], tables: dict[str, bytes]
) -> tuple[dict[str, np.ndarray], dict[str, tuple[str, ...]], dict[str, str]]:
    """Attributes, their categories, and the reason by name for images without, from `labels.csv` files.

    A line belongs to the image at the path in its column `file`, seen from the folder of the table, or else to the only
    image of that file name. A column with another value in every line, such as a checksum, is no attribute.
    """
    if not tables:
        return {}, {}, {}
    by_file_name = collections.Counter(_normal(PurePosixPath(name).name) for name in everything)
    lines, columns, broken = {}, {}, []
    for table, content in sorted(tables.items()):
        try:
            read = _read(content)
        except ValueError as error:
            broken.append(f"{table} {error}")
            continue
        for line in read:
            file = _normal(line.pop("file").replace("\\", "/").removeprefix("./"))
            columns.update(dict.fromkeys(line))
            lines.setdefault(_normal(str(PurePosixPath(table).parent / file)), []).append(line)
            if "/" not in file:
                lines.setdefault(("anywhere", file), []).append(line)
    rows, unlabelled = [], {}
    for name in names:
        own, file = lines.get(_normal(name)), _normal(PurePosixPath(name).name)
        found = own or lines.get(("anywhere", file), [])
        if not found:
            unlabelled[name] = "; ".join(broken) or "has no line in labels.csv"
        elif not own and by_file_name[file] > 1:
            unlabelled[name] = "has a name that others have too: labels.csv must say in which folder it lies"
        elif any(line != found[0] for line in found):
            unlabelled[name] = "has several lines in labels.csv, which differ"
        rows.append({} if name in unlabelled else found[0])
    attributes, categories = {}, {}
    known = [found for key, found in lines.items() if isinstance(key, str)]
    for column in columns:
        kinds = sorted({line[column] for found in known for line in found if line.get(column)})
        if 0 < len(kinds) <= VALUES and len(kinds) < max(len(known), 11):
            number = {kind: place for place, kind in enumerate(kinds)}
            attributes[column] = np.array([number.get(row.get(column), -1) for row in rows], np.int64)
            categories[column] = tuple(kinds)
    return attributes, categories, unlabelled


def _normal(name: str) -> str:
    """A name with its accents composed: some systems take them apart in names of files, spreadsheets do not."""
    return unicodedata.normalize("NFC", name)


def _read(content: bytes) -> list[dict[str, str]]:
    """The lines of a table with a column `file`, as people and spreadsheets save one: with a byte-order mark or
    without, in UTF-8, UTF-16 or Windows-1252, with commas, semicolons or tabs. Raises `ValueError` with the reason."""
    try:
        text = content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
    if text[:4].lower() == "sep=":  # a line for the spreadsheet
        text = text.partition("\n")[2]
    first = text.partition("\n")[0]
    try:
        for delimiter in sorted(",;\t", key=first.count, reverse=True):
            lines = csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True, strict=True)
            head = [cell.strip() for cell in next(lines, [])]
            head = ["file" if cell.lower() == "file" else cell for cell in head]
            if "file" in head and len(head) > COLUMNS + 1:
                raise ValueError(f"has {len(head):,} columns, and {COLUMNS} beside 'file' are read at most")
            if "file" in head:
                cells = [[cell.strip() for cell in line] for line in _bounded(lines)]
                return [{"file": "", **dict(zip(head, line, strict=False))} for line in cells if any(line)]
    except csv.Error as error:
        raise ValueError(f"is no whole table: {error}") from error
    raise ValueError(f"has no column 'file'; its first line is {first.strip()[:80]!r}")


def _bounded(lines: Iterator[list[str]]) -> Iterator[list[str]]:
    for number, line in enumerate(lines):
        if number == LINES:
            raise ValueError(f"has more than {LINES:,} lines")
        yield line

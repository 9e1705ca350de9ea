"""Labels and attributes: from a folder a class, from tables named `labels.csv`, from the CSVs of Cartoon Set.

Those lie beside the official images: `cs<digits>.csv` beside `cs<digits>.png`, with lines `"attribute", value, count`.
"""

import collections
import csv
import io
import itertools
import os
import unicodedata
from collections.abc import Container, Iterator
from pathlib import PurePosixPath

import numpy as np

from course_utils.data.image_files import LABELS

SPLITS = ("train", "training", "test", "testing", "val", "valid", "validation")  # folders that say nothing of a class
LABEL_COLUMNS = ("label", "class", "category")
LINES = 500_000  # of a table
ATTRIBUTES, VALUES = 100, 1_000  # at most: Cartoon Set has 18 attributes, with up to 111 values


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
    image of that file name. A column with another value in every line, such as a checksum, is no attribute; nor is one
    with more than `VALUES` values.
    """
    if not tables:
        return {}, {}, {}
    alike = collections.Counter(_normal(PurePosixPath(name).name) for name in everything)
    lines, kinds, files, broken = collections.defaultdict(list), collections.defaultdict(set), set(), []
    for table, content in sorted(tables.items()):
        try:
            kept, values, named = _bounded(content, alike)
        except ValueError as error:
            broken.append(f"{table} {error}")
            continue
        files |= named
        for column, some in values.items():
            kinds[column] |= some
        for file, line in kept:
            lines[_normal(str(PurePosixPath(table).parent / file))].append(line)
            if "/" not in file:
                lines["anywhere", file].append(line)
    rows, unlabelled = [], {}
    for name in names:
        own, file = lines.get(_normal(name)), _normal(PurePosixPath(name).name)
        found = own or lines.get(("anywhere", file), [])
        if not found:
            unlabelled[name] = "; ".join(broken) or f"has no line in {LABELS}"
        elif not own and alike[file] > 1:
            unlabelled[name] = f"has a name that others have too: {LABELS} must say in which folder it lies"
        elif any(line != found[0] for line in found):
            unlabelled[name] = f"has several lines in {LABELS}, which differ"
        rows.append({} if name in unlabelled else found[0])
    most = min(VALUES, max(len(files) - 1, 10))
    categories = {column: tuple(sorted(values)) for column, values in kinds.items() if 0 < len(values) <= most}
    attributes = {}
    for column, values in categories.items():
        number = {value: place for place, value in enumerate(values)}
        attributes[column] = np.array([number.get(row.get(column), -1) for row in rows], np.int64)
    return attributes, categories, unlabelled


def cartoonset_attributes(names: list[str], texts: dict[str, bytes]) -> dict:
    """The attributes of these images from the CSVs, whose bytes `texts` gives by name.

    Returns a dict: `attributes`, a list of one integer an image for each attribute, -1 where unknown or empty;
    `categories`, the names of its values; `unlabelled`, the reason by image name. All are empty if there are no CSVs.
    """
    table = next((texts[name] for name in sorted(texts, key=len) if PurePosixPath(name).name == LABELS), None)
    rows, schemas = {}, collections.Counter()
    for name in names:
        text = texts.get(str(PurePosixPath(name).with_suffix(".csv")))
        rows[name] = _official(text) if text is not None else None
        schemas[rows[name] and rows[name][0]] += 1
    del schemas[None]
    if not schemas:
        return _of_table(names, table)
    schema = schemas.most_common(1)[0][0]
    unlabelled, columns = {}, []
    for name in names:
        if rows[name] is None:
            unlabelled[name] = "has no CSV in the official form"
        elif rows[name][0] != schema:
            unlabelled[name] = "has a CSV with other attributes than most"
        columns.append([-1] * len(schema) if name in unlabelled else rows[name][1])
    values = dict(zip([name for name, _ in schema], map(list, zip(*columns, strict=True)), strict=True))
    categories = {name: [str(value) for value in range(count)] for name, count in schema}
    return {"attributes": values, "categories": categories, "unlabelled": unlabelled}


def _official(text: bytes) -> tuple[tuple, tuple] | None:
    """Attributes with their counts, and the values, from one CSV; None if it is not in the official form."""
    try:
        content, delimiter = _text(text)
        lines = csv.reader(io.StringIO(content), delimiter=delimiter, skipinitialspace=True)
        lines = list(itertools.islice(filter(None, lines), ATTRIBUTES + 1))
        cells = [(name, int(value), int(count)) for name, value, count in lines]
    except (ValueError, csv.Error):
        return None
    if not 0 < len(cells) <= ATTRIBUTES or len({name for name, _, _ in cells}) < len(cells):
        return None
    if not all(0 <= value < count <= VALUES for _, value, count in cells):  # a count becomes as many names
        return None
    return tuple((name, count) for name, _, count in cells), tuple(value for _, value, _ in cells)


def _of_table(names: list[str], table: bytes | None) -> dict:
    attributes, categories, unlabelled = attributes_of(names, names, {} if table is None else {LABELS: table})
    values = {column: numbers.tolist() for column, numbers in attributes.items()}
    return {"attributes": values, "categories": categories, "unlabelled": unlabelled}


def _normal(name: str) -> str:
    """A name with its accents composed: some systems take them apart in names of files, spreadsheets do not."""
    return unicodedata.normalize("NFC", name)


def _bounded(content: bytes, alike: Container[str]) -> tuple[list, dict[str, set[str]], set[str]]:
    """The lines of a table for files with these names, the values of each column, and the files of all lines.

    Other lines are not kept, nor many values of a column: there may be far more of them than images.
    """
    kept, values, files = [], collections.defaultdict(set), set()
    for line in _lines(content):
        file = _normal(line.pop("file").replace("\\", "/").removeprefix("./"))
        files.add(file)
        for column, value in line.items():
            if value and len(values[column]) <= VALUES:
                values[column].add(value)
        if PurePosixPath(file).name in alike:
            kept.append((file, line))
    return kept, values, files


def _text(content: bytes) -> tuple[str, str]:
    """Text and likely delimiter of a table, as people and spreadsheets save one: with a byte-order mark or without, in
    UTF-8, UTF-16 or Windows-1252, with commas, semicolons or tabs, with a line that names the delimiter."""
    try:
        text = content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
    if text[:4].lower() == "sep=":
        text = text.partition("\n")[2]
    return text, max(",;\t", key=text.partition("\n")[0].count)


def _lines(content: bytes) -> Iterator[dict[str, str]]:
    """The lines of a table with a column `file`, cell by column. Raises `ValueError` with the reason."""
    text, delimiter = _text(content)
    lines = csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True, strict=True)
    try:
        head = [cell.strip() for cell in next(lines, [])]
        head = ["file" if cell.lower() == "file" else cell for cell in head]
        if "file" not in head:
            first = text.partition("\n")[0].strip()[:80]
            raise ValueError(f"is no table with a column 'file'; its first line is {first!r}")
        if len(head) > ATTRIBUTES + 1:
            raise ValueError(f"has {len(head):,} columns: beside 'file' it may have at most {ATTRIBUTES} others")
        for number, line in enumerate(lines):
            if number == LINES:
                raise ValueError(f"has more than {LINES:,} lines")
            cells = [cell.strip() for cell in line]
            if any(cells):
                yield {"file": "", **dict(zip(head, cells, strict=False))}
    except csv.Error as error:
        raise ValueError(f"is no whole table: {error}") from error

"""The files of Cartoon Set: images and CSVs in a folder or a .tgz archive, and what makes a file no image of the set.

Official: `cs<digits>.png`, 500x500 RGBA, with `cs<digits>.csv` beside it, whose lines are `"attribute", value, count`.
Sample: 256x256 RGB images, and one `labels.csv` with a column `file` and a column for each attribute.
"""

import collections
import csv
import io
import itertools
import struct
import zlib
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from course_utils.data import image_files
from course_utils.data.image_files import LABELS
from course_utils.data.prepared import LeftOut

SIDE, SIZES = 256, (256, 500)
ATTRIBUTES, VALUES = 100, 1_000  # at most: Cartoon Set has 18 attributes, with up to 111 values


def decode(item: Path | bytes) -> tuple[np.ndarray, None]:
    """One image as uint8 `(256, 256, 3)`, on white, scaled with antialiasing. Raises `LeftOut` with the reason, and
    `Unreadable` where the file may be good.

    Size and type are read from the first bytes, so that a picture of a million by a million pixels is never unpacked.
    """
    most = image_files.MAX_BYTES if isinstance(item, Path) else image_files.ARCHIVED_BYTES
    if isinstance(item, Path):
        item = image_files.read_file(item)
    if len(item) > most:
        raise LeftOut(f"is longer than {most:,} bytes")
    if len(item) < 24 or item[:8] != b"\x89PNG\r\n\x1a\n" or item[12:16] != b"IHDR":
        raise LeftOut("is no PNG image")
    width, height = struct.unpack(">II", item[16:24])
    if width != height or width not in SIZES:
        raise LeftOut(f"is {width}x{height}, expected 500x500 or 256x256")
    try:
        with Image.open(io.BytesIO(item), formats=["PNG"]) as image:
            if image.mode not in ("RGB", "RGBA"):
                raise LeftOut(f"has the colours {image.mode}, expected RGB or RGBA")
            image.load()
            return np.asarray(_on_white(image)), None
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error) as error:
        raise LeftOut(f"is truncated or damaged: {error}") from error


def _on_white(image: Image.Image) -> Image.Image:
    """Composite on white, then scale to 256x256. Only the part that is not transparent is worked on: a quarter."""
    if image.size == (SIDE, SIDE) and image.mode == "RGB":
        return image
    scale, whole, box = image.width / SIDE, Image.new("RGB", (SIDE, SIDE), "white"), image.getbbox()
    if image.mode == "RGB":
        box = (0, 0, *image.size)  # there, getbbox would look for what is not black
    if box is None:
        return whole
    # Two pixels of the result more than that on each side: the filter, which reaches two pixels of the original, finds
    # nothing but white at the edges of the crop, so that the pixels are those of the whole picture.
    left, top = (max(0, int(edge / scale) - 2) for edge in box[:2])
    right, bottom = (min(SIDE, int(edge / scale) + 3) for edge in box[2:])
    x, y = int(left * scale), int(top * scale)
    crop = image.crop((x, y, *(min(image.width, int(edge * scale) + 1) for edge in (right, bottom))))
    flat = Image.new("RGB", crop.size, "white")
    flat.paste(crop, mask=crop if crop.mode == "RGBA" else None)
    source = (left * scale - x, top * scale - y, right * scale - x, bottom * scale - y)
    whole.paste(flat.resize((right - left, bottom - top), Image.Resampling.HAMMING, box=source), (left, top))
    return whole


def attributes(names: list[str], texts: dict[str, bytes]) -> dict:
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
        return _from_table(names, table)
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


def _text(content: bytes) -> tuple[str, str]:
    """Text and delimiter of a CSV, also of one saved by a spreadsheet: semicolons, byte-order marks, UTF-16."""
    try:
        text = content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError("is no text in UTF-8") from error
    return text, max(",;\t", key=text.partition("\n")[0].count)


def _from_table(names: list[str], table: bytes | None) -> dict:
    """The attributes from a `labels.csv`. A column with another value in every line, such as a checksum, is none.

    Nor is one with more than `VALUES` values.
    """
    if table is None:
        return {"attributes": {}, "categories": {}, "unlabelled": {}}
    wanted, lines, files = {PurePosixPath(name).name for name in names}, {}, set()
    try:
        content, delimiter = _text(table)
        reader = csv.DictReader(io.StringIO(content), delimiter=delimiter, strict=True)
        columns = [name for name in reader.fieldnames or () if name != "file"]
        if "file" not in (reader.fieldnames or ()) or len(columns) > ATTRIBUTES:
            raise ValueError(f"is no table with a column 'file' and at most {ATTRIBUTES} others")
        found = {name: set() for name in columns}
        for line in reader:
            files.add(line["file"])
            if line["file"] in wanted:
                lines[line["file"]] = line
            for name, kinds in found.items():
                if line[name] and len(kinds) <= VALUES:
                    kinds.add(line[name])
    except (ValueError, csv.Error) as error:
        reason = f"{LABELS} {error}" if isinstance(error, ValueError) else f"{LABELS} is no whole table: {error}"
        return {"attributes": {}, "categories": {}, "unlabelled": dict.fromkeys(names, reason)}
    most = min(VALUES, len(files) - 1)
    categories = {name: sorted(kinds) for name, kinds in found.items() if 0 < len(kinds) <= most}
    places = {name: {kind: place for place, kind in enumerate(kinds)} for name, kinds in categories.items()}
    unlabelled, values = {}, {name: [] for name in categories}
    for name in names:
        line = lines.get(PurePosixPath(name).name, {})
        if not line:
            unlabelled[name] = f"has no line in {LABELS}"
        for column, place in places.items():
            values[column].append(place[line[column]] if line.get(column) else -1)
    return {"attributes": values, "categories": categories, "unlabelled": unlabelled}

"""Images decoded, put on white, and scaled to one size: those of Cartoon Set by `avatar`, any others by `square`.

Cartoon Set: official files have 500x500 pixels with transparency, those of the sample 256x256 in RGB; nothing else is
taken for one of the set. Others are of any kind, size and shape: they are turned, and cropped or padded to a square.
"""

import contextlib
import io
import math
import re
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from course_utils.data import image_files
from course_utils.data.cache import cause
from course_utils.data.file_kinds import FORMATS, HEAD, why_not_taken
from course_utils.data.prepared import LeftOut, Unreadable

SIDE, SIZES = 256, (256, 500)  # of Cartoon Set: what comes out, what goes in
FITS = ("crop", "pad")
MAX_BYTES, MAX_PIXELS = 200_000_000, 120_000_000  # of one file of others; a telephone takes 108 million at most
LARGE, BAND = 8_000_000, 1 << 20  # pixels: larger images are decoded one at a time; converted at once
SMALLEST = 8  # pixels of a side: less is a dot on a web page
MARGIN = 3  # how many times the wanted size is left to the careful filter, after the quick one
# The value of the EXIF tag 274, and how the image has to be turned for it.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_alone = ThreadPoolExecutor(1)  # one thread, as each keeps for itself the memory that it once had


def avatar(item: Path | bytes) -> tuple[np.ndarray, None]:
    """An image file of Cartoon Set as uint8 `(256, 256, 3)`, on white, scaled with antialiasing.

    Size and type are read from the first bytes, so that a picture of a million by a million pixels is never unpacked.
    Raises `LeftOut` with the reason, and `Unreadable` where the file may be good.
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
            return np.asarray(_avatar_on_white(image)), None
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error) as error:
        raise LeftOut(f"is truncated or damaged: {error}") from error


def _avatar_on_white(image: Image.Image) -> Image.Image:
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


def square(path: Path, size: int, channels: int, fit: str) -> tuple[np.ndarray, bool]:
    """One image file as uint8 `(size, size, channels)`, and whether it is a film of which this is the first frame.

    It is turned as its EXIF data say; its middle is cropped to a square, or it is padded to one with white; transparent
    parts become white; pixels of 16 bits keep their range; and it is scaled with antialiasing. Grey is the luma of
    ITU-R 601.

    Raises `LeftOut` with the reason. The size is read before anything is unpacked, and no more than one large image is
    in memory at a time, so that the peak is some 600 MB whatever the files are.
    """
    content = _content(path)
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            width, height = image.size
            if min(width, height) < SMALLEST:
                raise LeftOut(f"is {width}x{height} pixels, too small: a side has {SMALLEST} at least")
            if width * height > MAX_PIXELS:
                raise LeftOut(f"is {width}x{height} pixels, more than {MAX_PIXELS:,}: scale it down")
            if image.format in ("JPEG", "MPO"):  # decoded at a half, a quarter or an eighth, in as much less time
                image.draft(None, _least(image.size, size, fit))
            unpacked = (width, height) if image.info.get("progressive") else image.size  # whole, before it is small
            large = unpacked[0] * unpacked[1] > LARGE
            wish = (image, size, channels, fit)
            return _alone.submit(_square, *wish).result() if large else _square(*wish), _is_film(content)
    except (LeftOut, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        number = re.search(r"\d+", str(error))  # Pillow has a limit of its own, and says how many pixels there are
        counted = f"{int(number[0]):,}" if number else "far more"
        raise LeftOut(f"has {counted} pixels, more than {MAX_PIXELS:,}: scale it down") from error
    except UnidentifiedImageError as error:
        raise LeftOut("is damaged, or of a rare kind: save it anew as PNG or JPEG") from error
    except Exception as error:  # decoders raise whatever they trip over in a damaged file
        raise LeftOut(f"is truncated or damaged: {error}") from error


def _content(path: Path) -> bytes:
    """The bytes of a file that begins like an image."""
    try:
        with open(path, "rb") as file:
            head = file.read(HEAD)
            if (why := why_not_taken(path.name, head)) is not None:
                raise LeftOut(why)
            content = head + file.read(MAX_BYTES + 1 - len(head))
    except OSError as error:
        raise Unreadable(f"{path}: {cause(error)}") from error
    if len(content) > MAX_BYTES:
        raise LeftOut(f"is longer than {MAX_BYTES // 1_000_000} MB")
    return content


def _least(size: tuple[int, int], wanted: int, fit: str) -> tuple[int, int]:
    """The sides that an image must keep so that the careful filter has enough to work on."""
    side = min(size) if fit == "crop" else max(size)
    return tuple(max(1, math.ceil(each * MARGIN * wanted / side)) for each in size)


def _is_film(content: bytes) -> bool:
    """Whether there is more than one frame, or page. Not so the two pictures that a telephone puts into one JPEG."""
    with contextlib.suppress(Exception), Image.open(io.BytesIO(content), formats=FORMATS) as image:
        return image.format not in ("JPEG", "MPO") and bool(getattr(image, "is_animated", False))
    return False


def _square(image: Image.Image, size: int, channels: int, fit: str) -> np.ndarray:
    image.load()
    levels = _levels(image)
    with contextlib.suppress(Exception):  # EXIF data that are damaged turn nothing
        turn = _TURNS.get(image.getexif().get(274))
        image = image if turn is None else image.transpose(turn)
    width, height = image.size
    side = min(width, height) if fit == "crop" else max(width, height)
    left, top = ((width - side) // 2, (height - side) // 2) if fit == "crop" else (0, 0)
    box = (left, top, min(width, left + side), min(height, top + side))
    factor = max(1, side // (MARGIN * size))
    mode = "RGB" if channels == 3 else "L"
    small = _reduced(image, levels, box, factor, mode)
    scale = size / side
    goal = [max(1, round(scale * (box[axis + 2] - box[axis]))) for axis in (0, 1)]
    part = (0, 0, (box[2] - left) / factor, (box[3] - top) / factor)  # the last column may stand for a part of one
    scaled = small if small.size == tuple(goal) else small.resize(goal, Image.Resampling.BICUBIC, box=part)
    whole = Image.new(mode, (size, size), "white")
    whole.paste(scaled, ((size - goal[0]) // 2, (size - goal[1]) // 2))
    image.close()  # before the next one is loaded
    return np.asarray(whole).reshape(size, size, channels)


def _reduced(image: Image.Image, levels: float | None, box: tuple, factor: int, mode: str) -> Image.Image:
    """A part of an image on white, each side a whole number of times smaller; in bands, for the sake of memory."""
    left, top, right, bottom = box
    small = Image.new(mode, (math.ceil((right - left) / factor), math.ceil((bottom - top) / factor)))
    rows = factor * max(1, BAND // (factor * (right - left)))
    for first in range(top, bottom, rows):
        band = image.crop((left, first, right, min(first + rows, bottom)))
        small.paste(_on_white(band, levels).convert(mode).reduce(factor), (0, (first - top) // factor))
    return small


def _levels(image: Image.Image) -> float | None:
    """The largest value of a pixel, where it has more than 8 bits; None for 8 bits or less."""
    if image.mode.startswith("I;16"):
        bits = image.tag_v2.get(258, (16,))[0] if image.format == "TIFF" else 16
        return float((1 << bits) - 1)
    if image.mode == "I" and image.format == "PNG":  # grey of 16 bits, in older versions of Pillow
        return 65_535.0
    if image.mode == "F":
        least, most = image.getextrema()
        if 0 <= least and most <= 1:
            return 1.0
        raise LeftOut(f"has pixels from {least:g} to {most:g}: scale them to 0 to 255, or floats to 0 to 1")
    if image.mode == "I":
        raise LeftOut("has whole numbers of 32 bits as pixels: save it with 8 or 16 bits")
    return None


def _on_white(image: Image.Image, levels: float | None) -> Image.Image:
    """An image of 8 bits, in grey or colours, without transparency."""
    if levels is not None:
        values = np.nan_to_num(np.asarray(image).astype(np.float32))
        grey = np.rint(values * (255 / levels)).astype(np.uint8)
        transparent = image.info.get("transparency")
        return Image.fromarray(grey if transparent is None else np.where(values == transparent, np.uint8(255), grey))
    if image.has_transparency_data or image.mode in ("LA", "La", "RGBa", "PA"):
        image = image.convert("RGBA")
        flat = Image.new("RGB", image.size, "white")
        flat.paste(image, mask=image)
        return flat
    if image.mode in ("L", "RGB"):
        return image
    try:
        return image.convert("L" if image.mode == "1" else "RGB")
    except ValueError as error:
        raise LeftOut(f"has the colours {image.mode}, which are not read here: save it in RGB") from error

"""What a file is, by its first bytes: an image that can be taken, or something else, and then what to do with it."""

from pathlib import PurePosixPath

# Formats of Pillow that are taken, in the words of a user: keep it in step with `is_taken`.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
HEAD = 1024  # bytes that are looked at
TAKEN = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff")
RAW = (".arw", ".cr2", ".cr3", ".dng", ".nef", ".nrw", ".orf", ".pef", ".raf", ".rw2", ".srw")
OTHERS = (".heic", ".heif", ".avif", ".svg", ".svgz", ".psd", ".jp2", ".jxl", ".ico", ".eps", ".exr", ".hdr", ".dcm")
# The end of a name that claims to be a picture. What else lies in a folder is no picture, and is not missed.
CLAIMS = (*TAKEN, *RAW, *OTHERS)

_EXPORT = "which is not read here: export it as PNG or JPEG"
_BEGINNINGS = (
    (b"%PDF", "is a PDF document: export its pages or pictures as PNG"),
    (b"8BPS", f"is a Photoshop document, {_EXPORT}"),
    (b"%!PS", f"is a PostScript drawing, {_EXPORT}"),
    (b"\xff\x0a", f"is a JPEG XL image, {_EXPORT}"),
    (b"\x00\x00\x00\x0cJXL ", f"is a JPEG XL image, {_EXPORT}"),
    (b"\x00\x00\x00\x0cjP  ", f"is a JPEG 2000 image, {_EXPORT}"),
    (b"\xff\x4f\xff\x51", f"is a JPEG 2000 image, {_EXPORT}"),
    (b"\x00\x00\x01\x00", f"is an icon, {_EXPORT}"),
    (b"\x76\x2f\x31\x01", f"is an OpenEXR image, {_EXPORT}"),
    (b"#?RADIANCE", f"is a Radiance image, {_EXPORT}"),
    (b"PK\x03\x04", "is a ZIP archive or an office document: unpack it, or export its pictures"),
    (b"\x1f\x8b", "is compressed: unpack it"),
    (b"version https://git-lfs", "is a pointer of Git LFS: fetch the file itself by `git lfs pull`"),
)
_BRANDS = (
    ((b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"), "is a HEIC photograph, as phones keep"),
    ((b"avif", b"avis"), "is an AVIF image"),
)
_BMP_HEADERS = (12, 40, 52, 56, 64, 108, 124)


def is_taken(head: bytes) -> bool:
    """Whether a file that begins so is of one of the `FORMATS`."""
    return (
        head.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a"))
        or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
        or head.startswith((b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"))
        or (head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS)
    )


def why_not_taken(name: str, head: bytes) -> str | None:
    """Why a file is not taken, for a user, as the end of a sentence that begins with its name; None if it is."""
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in RAW or head[8:10] == b"CR" and head[:2] == b"II":
        return "is a raw photograph: develop it, and export it as JPEG or PNG"
    if is_taken(head):
        return None
    if not head:
        return "is empty"
    for start, words in _BEGINNINGS:
        if head.startswith(start):
            return words
    if head[4:8] == b"ftyp":
        words = next((words for brands, words in _BRANDS if head[8:12] in brands), None)
        return f"{words}, {_EXPORT}" if words else "is a film: export single pictures of it"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<svg", b"<?xml", b"<!--", b"<!doctype svg")) and b"<svg" in text:
        return "is an SVG drawing, which has no pixels yet: export it as PNG"
    if text.startswith((b"<!doctype html", b"<html")):
        return "is a web page, as from a download that failed: fetch the image itself"
    return f"is no image, whatever its name says: it begins with {head[:8]!r}" if suffix in CLAIMS else "is no image"

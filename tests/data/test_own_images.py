"""Images of one's own: which files are taken, what becomes of their pixels, what is left out, and the labels."""

import io
import os
import signal
import struct
import subprocess
import sys
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from course_utils import data
from course_utils.data import own_images, prepared, resizing

ROOT = Path(data.__file__).parents[2]
# Four quarters of different colours, which no turn and no flip leaves in place.
COLOURS = np.array([[[220, 40, 40], [40, 180, 60]], [[50, 80, 210], [240, 230, 60]]], np.uint8)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.delenv("COURSE_DATA_DIR", raising=False)
    monkeypatch.setenv("COURSE_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(prepared, "CHUNK", 4)
    return tmp_path / "cache" / "cartoonset"


@pytest.fixture
def decoded(monkeypatch):
    """The names of the files that were decoded since the test began."""
    names, square = [], resizing.square

    def counting(path, **options):
        names.append(path.name)
        return square(path, **options)

    monkeypatch.setattr(resizing, "square", counting)
    return names


def picture(width=120, height=120, mode="RGB"):
    """The middle square has the four quarters; what lies beside it is black."""
    side = min(width, height)
    image = Image.new("RGB", (width, height))
    quarters = Image.fromarray(COLOURS).resize((side, side), Image.Resampling.NEAREST)
    image.paste(quarters, ((width - side) // 2, (height - side) // 2))
    return image.convert(mode)


def encoded(image, kind, **options):
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def png_of_16_bits(pixels, colour_type):
    """A PNG by hand, as Pillow writes none with 16 bits in colour."""

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", pixels.shape[1] // (1 + colour_type), pixels.shape[0], 16, colour_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def put(folder, files):
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def quarters(pixels):
    """The colours in the middle of the four quarters, `(2, 2, channels)`."""
    near, far = len(pixels) // 4, 3 * len(pixels) // 4
    return np.asarray(pixels, int)[[[near, near], [far, far]], [[near, far], [near, far]]]


def only(folder, **options):
    """The one image of a folder."""
    images = data.load_folder(folder, **options)
    assert not images.left_out and len(images.images) == 1
    return images.images[0]


def by_name(images):
    return dict(zip(images.names, images.images[:], strict=True))


GOOD = {f"own{number}.png": encoded(picture(60 + number, 50), "PNG") for number in range(12)}
HALF = picture().convert("RGBA")
HALF.putalpha(128)


# --- every kind of file


def film(kind):
    others = [Image.new("RGB", (120, 120), colour) for colour in ("black", "white")]
    return encoded(
        picture(), kind, save_all=True, append_images=others, **({"lossless": True} if kind == "WEBP" else {})
    )


KINDS = {
    "own.png": encoded(picture(), "PNG"),
    "own.jpg": encoded(picture(), "JPEG", quality=95),
    "progressive.jpg": encoded(picture(), "JPEG", quality=95, progressive=True),
    "telephone.jpg": encoded(picture(), "MPO", quality=95, save_all=True, append_images=[Image.new("RGB", (120, 120))]),
    "CMYK.jpg": encoded(picture(mode="CMYK"), "JPEG", quality=95),
    "lossless.webp": encoded(picture(), "WEBP", lossless=True),
    "lossy.webp": encoded(picture(), "WEBP", quality=95),
    "own.gif": encoded(picture(), "GIF"),
    "own.bmp": encoded(picture(), "BMP"),
    "own.tif": encoded(picture(), "TIFF"),
    "compressed.tiff": encoded(picture(), "TIFF", compression="tiff_lzw"),
    "CMYK.tif": encoded(picture(mode="CMYK"), "TIFF"),
    "palette.png": encoded(picture().convert("P", palette=Image.Palette.ADAPTIVE), "PNG"),
    "opaque.png": encoded(picture(mode="RGBA"), "PNG"),
    "16 bits.png": png_of_16_bits(np.asarray(picture()).astype(int).reshape(120, 360) * 257, 2),
    "film.gif": film("GIF"),
    "film.webp": film("WEBP"),
    "film.png": film("PNG"),
    "pages.tif": film("TIFF"),
    "wrong.jpg": encoded(picture(), "PNG"),
    "wrong.png": encoded(picture(), "JPEG", quality=95),
    "no suffix": encoded(picture(), "JPEG", quality=95),
    "other.dat": encoded(picture(), "WEBP", lossless=True),
    "UPPER.JPG": encoded(picture(), "JPEG", quality=95),
}


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_image_is_taken(name, tmp_path):
    images = data.load_folder(put(tmp_path / "some", {name: KINDS[name]}), size=48)
    assert images.names == (name,) and not images.left_out
    assert images.images.shape == (1, 48, 48, 3) and images.images.dtype == np.uint8
    assert abs(quarters(images.images[0]) - COLOURS).max() < 12
    assert images.films == (name.startswith(("film", "pages")))
    assert ("the first frame is taken" in str(images)) == bool(images.films)


GREYS = {
    "grey.png": encoded(picture(mode="L"), "PNG"),
    "grey.jpg": encoded(picture(mode="L"), "JPEG", quality=95),
    "grey alpha.png": encoded(picture(mode="LA"), "PNG"),
    "colour.png": encoded(picture(), "PNG"),
    "16 bits.png": png_of_16_bits(np.asarray(picture(mode="L")).astype(int) * 257, 0),
    "16 bits.tif": encoded(Image.fromarray(np.asarray(picture(mode="L")).astype(np.uint16) * 257), "TIFF"),
    "floats.tif": encoded(Image.fromarray(np.asarray(picture(mode="L")).astype(np.float32) / 255), "TIFF"),
}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", GREYS)
def test_grey_and_colour(name, channels, tmp_path):
    pixels = only(put(tmp_path / "some", {name: GREYS[name]}), size=48, channels=channels)
    assert pixels.shape == (48, 48, channels)
    expected = np.asarray(Image.fromarray(COLOURS).convert("L"), int)[..., None]
    if (name, channels) == ("colour.png", 3):
        expected = COLOURS
    assert abs(quarters(pixels) - expected).max() < 5


def test_black_and_white(tmp_path):
    pixels = only(
        put(tmp_path / "some", {"fax.tif": encoded(picture(mode="L").point(lambda v: 255 * (v > 110), "1"), "TIFF")})
    )
    assert quarters(pixels)[..., 0].tolist() == [[0, 255], [0, 255]]


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bits_keep_their_range(kind, tmp_path):
    """A ramp over the whole range, and a faint one: scaled, neither clipped nor stretched."""
    for name, most in (("whole", 65_535), ("faint", 4_095)):
        ramp = np.linspace(0, most, 64).round().astype(np.uint16)
        content = encoded(Image.fromarray(np.tile(ramp, (64, 1))), kind)
        pixels = only(put(tmp_path / name, {f"ramp.{kind.lower()}": content}), channels=1)
        np.testing.assert_allclose(pixels[20, :, 0], ramp / 257, atol=1)


# --- shape, turn and ground


@pytest.mark.parametrize("fit", ["crop", "pad"])
@pytest.mark.parametrize("shape", [(300, 120), (120, 300), (120, 121), (47, 30), (3000, 1200), (9000, 100)])
def test_crop_takes_the_middle_and_pad_takes_all(shape, fit, tmp_path):
    pixels = only(put(tmp_path / "some", {"own.png": encoded(picture(*shape), "PNG")}), size=60, fit=fit)
    if fit == "crop":
        assert abs(quarters(pixels) - COLOURS).max() < 12
        return
    dark = np.flatnonzero((pixels == 0).all(axis=2).any(axis=int(shape[0] > shape[1])))
    white = (pixels == 255).all(axis=2).all(axis=int(shape[0] > shape[1]))
    inside = 60 - 60 * min(shape) / max(shape)
    assert abs(white.sum() - inside) <= 2, "white beside it, in proportion"
    assert abs(white[:30].sum() - white[30:].sum()) <= 1, "as much on either side"
    assert len(dark) or inside < 2, "what lies beside the middle is there too"


@pytest.mark.parametrize("fit", ["crop", "pad"])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_turned_as_exif_says_before_cropping(kind, orientation, fit, tmp_path):
    upright = picture(240, 120)
    ImageDraw.Draw(upright).rectangle((0, 0, 59, 119), fill="white")  # the left end is another than the right one
    undo = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    exif = Image.Exif()
    exif[274] = orientation
    lossless = {"JPEG": {"quality": 95}, "WEBP": {"lossless": True}}.get(kind, {})
    content = encoded(upright if undo is None else upright.transpose(undo), kind, exif=exif, **lossless)
    pixels = only(put(tmp_path / "some", {f"own.{kind.lower()}": content}), size=64, fit=fit)
    expected = only(put(tmp_path / "upright", {"own.png": encoded(upright, "PNG")}), size=64, fit=fit)
    assert abs(pixels.astype(int) - expected).mean() < 2


def test_damaged_exif_data_leave_the_image(tmp_path):
    content = encoded(picture(), "JPEG", quality=95, exif=b"Exif\0\0MM\0*\xff\xff\xff\xff nothing of use")
    assert abs(quarters(only(put(tmp_path / "some", {"own.jpg": content}))) - COLOURS).max() < 12


TRANSPARENT = {
    "RGBA.png": encoded(HALF, "PNG"),
    "RGBA.webp": encoded(HALF, "WEBP", lossless=True),
    "RGBA.tif": encoded(HALF, "TIFF"),
}


@pytest.mark.parametrize("name", TRANSPARENT)
def test_transparent_parts_are_put_on_white(name, tmp_path):
    pixels = only(put(tmp_path / "some", {name: TRANSPARENT[name]}))
    assert abs(quarters(pixels) - (COLOURS.astype(int) * 128 + 255 * 127) / 255).max() < 3


@pytest.mark.parametrize("kind", ["GIF", "PNG"])
@pytest.mark.parametrize("mode", ["P", "RGB", "L", "I;16"])
def test_a_transparent_colour_is_white(mode, kind, tmp_path):
    if kind == "GIF" and mode != "P":
        return
    if mode == "I;16":
        image, transparent = Image.fromarray(np.full((64, 64), 300, np.uint16)), 300
    else:
        image = Image.new("RGB", (64, 64), (1, 2, 3)).convert(mode, palette=Image.Palette.ADAPTIVE)
        transparent = image.getpixel((0, 0))
    assert (
        only(put(tmp_path / "some", {f"own.{kind.lower()}": encoded(image, kind, transparency=transparent)})) == 255
    ).all()


@pytest.mark.parametrize("side", [130, 517, 4000])
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_scaling_has_antialiasing(side, kind, tmp_path):
    """Stripes one pixel wide become grey. Without a wider filter they become broad stripes."""
    stripes = np.zeros((side, side), np.uint8)
    stripes[:, ::2] = 255
    pixels = only(put(tmp_path / "some", {f"own.{kind.lower()}": encoded(Image.fromarray(stripes), kind)}))
    inside = pixels[4:-4, 4:-4].astype(float)
    assert inside.std() < 20 and abs(inside.mean() - 127) < 4


def test_large_images_are_where_small_ones_are(tmp_path):
    """The quick filter in front of the careful one shifts nothing, whatever the factor; nor do the bands."""
    for side in (517, 2_222, 5_001):
        pixels = only(put(tmp_path / str(side), {"own.png": encoded(picture(side, side), "PNG")}), size=64)
        exact = picture(side, side).resize((64, 64), Image.Resampling.BICUBIC)
        assert abs(pixels.astype(int) - np.asarray(exact, int)).max() < 16, side


def test_small_images_are_enlarged(tmp_path):
    assert abs(quarters(only(put(tmp_path / "some", {"own.png": encoded(picture(8, 8), "PNG")}))) - COLOURS).max() < 12


def test_cartoon_set_looks_as_it_does_at_256(tmp_path):
    """Both ways to the same file differ by their filter only."""
    rng = np.random.default_rng(3)
    smooth = Image.fromarray(rng.integers(0, 256, (6, 6, 4), np.uint8)).resize((500, 500), Image.Resampling.BICUBIC)
    folder = put(tmp_path / "some", {"cs1.png": encoded(smooth, "PNG")})
    avatar = data.load_cartoonset(folder=folder).images[0]
    assert abs(only(folder, size=256).astype(int) - avatar).mean() < 1


# --- files that are left out


def bomb(side=30_000):
    content = bytearray(encoded(picture(), "PNG"))
    content[16:24] = struct.pack(">II", side, side)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    return bytes(content)


def box(brand):
    return struct.pack(">I", 24) + b"ftyp" + brand + bytes(400)


LEFT_OUT = {
    "IMG_1.HEIC": (
        box(b"heic"),
        "is a HEIC photograph, as phones keep, which is not read here: export it as PNG or JPEG",
    ),
    "heic.jpg": (box(b"mif1"), "is a HEIC photograph"),
    "own.avif": (box(b"avif"), "is an AVIF image, which is not read here: export it"),
    "clip.mov": (box(b"qt  "), "is a film: export single pictures"),
    "drawing.svg": (
        b'<?xml version="1.0"?>\n<svg width="9"/>',
        "is an SVG drawing, which has no pixels yet: export it as PNG",
    ),
    "plain.svg": (b"\xef\xbb\xbf <svg/>", "is an SVG drawing"),
    "paper.pdf": (b"%PDF-1.7 ...", "is a PDF document: export its pages"),
    "layers.psd": (b"8BPS" + bytes(40), "is a Photoshop document"),
    "own.jxl": (b"\xff\x0a" + bytes(40), "is a JPEG XL image"),
    "own.jp2": (b"\x00\x00\x00\x0cjP  \r\n" + bytes(40), "is a JPEG 2000 image"),
    "page.ico": (b"\x00\x00\x01\x00" + bytes(40), "is an icon"),
    "IMG.CR2": (b"II*\x00\x10\x00\x00\x00CR" + bytes(40), "is a raw photograph: develop it"),
    "DSC.nef": (b"MM\x00*" + bytes(40), "is a raw photograph"),
    "all.zip": (b"PK\x03\x04" + bytes(40), "is a ZIP archive"),
    "404.jpg": (b"<!DOCTYPE html><html>not found</html>", "is a web page, as from a download that failed"),
    "pointer.png": (b"version https://git-lfs.github.com/spec/v1\noid", "is a pointer of Git LFS"),
    "empty.jpg": (b"", "is empty"),
    "text.png": (b"no image at all", "is no image, whatever its name says: it begins with b'no image'"),
    "notes.txt": (b"BMW is no bitmap, as its name may say", "is no image"),
    "dot.gif": (encoded(Image.new("RGB", (1, 1)), "GIF"), "is 1x1 pixels, too small: a side has 8 at least"),
    "line.png": (encoded(Image.new("RGB", (700, 3)), "PNG"), "is 700x3 pixels, too small"),
    "cut.jpg": (encoded(picture(900, 900), "JPEG")[:4_000], "is truncated or damaged"),
    "cut.png": (GOOD["own3.png"][:100], "is truncated or damaged"),
    "cut.webp": (KINDS["lossy.webp"][:60], "damaged"),
    "cut.gif": (KINDS["own.gif"][:200], "damaged"),
    "cut.tif": (KINDS["own.tif"][:-20_000], "damaged"),
    "header.bmp": (KINDS["own.bmp"][:40], "damaged"),
    "bomb.png": (bomb(), "has 900,000,000 pixels, more than 120,000,000: scale it down"),
    "large.png": (bomb(11_000), "is 11000x11000 pixels, more than 120,000,000: scale it down"),
    "floats.tif": (encoded(Image.fromarray(np.full((64, 64), 300, np.float32)), "TIFF"), "floats to 0 to 1"),
    "integers.tif": (encoded(Image.fromarray(np.full((64, 64), 70_000, np.int32)), "TIFF"), "32 bits"),
}


def test_what_is_left_out_is_listed_with_the_reason(tmp_path, recwarn):
    """All at once, so that the rest shows that the others are not to blame. There are too many of them for an error."""
    files = GOOD | {name: content for name, (content, _) in LEFT_OUT.items()}
    files |= {f"more{number}.png": GOOD["own1.png"] for number in range(100 * len(LEFT_OUT))}
    images = data.load_folder(put(tmp_path / "some", files), size=28)
    assert len(images.images) == len(files) - len(LEFT_OUT)
    assert images.left_out.keys() == LEFT_OUT.keys() and f"{len(LEFT_OUT)} files left out" in str(images)
    for name, (_, reason) in LEFT_OUT.items():
        assert reason in images.left_out[name], (name, images.left_out[name])
    assert not recwarn.list


@pytest.mark.parametrize("name", LEFT_OUT)
def test_a_folder_of_such_files_is_refused(name, tmp_path):
    content, reason = LEFT_OUT[name]
    with pytest.raises(data.DataError) as caught:
        data.load_folder(put(tmp_path / "some", {name: content}))
    for words in (name, reason, "JPEG, PNG, WebP, GIF, BMP and TIFF files are"):
        assert words in str(caught.value)


def test_too_many_left_out_are_an_error(tmp_path):
    bad = {f"IMG_{number}.HEIC": box(b"heic") for number in range(11)}
    folder = put(tmp_path / "some", {**GOOD, **bad})
    for _ in range(2):
        with pytest.raises(data.DataError, match="11 of 23 pictures in .*HEIC photograph.*Replace the others, or take"):
            data.load_folder(folder)
    (folder / "IMG_10.HEIC").unlink()
    assert len(data.load_folder(folder).left_out) == 10, "ten are allowed in any set"


def test_files_that_claim_to_be_no_pictures_are_listed_and_no_error(tmp_path):
    notes = {f"own{number}.txt": b"what is to be seen" for number in range(50)}
    images = data.load_folder(put(tmp_path / "some", {**GOOD, **notes}))
    assert len(images.images) == 12 and images.left_out == dict.fromkeys(images.left_out, "is no image")
    assert len(images.left_out) == 50


def test_hidden_files_are_passed_over(tmp_path):
    images = data.load_folder(put(tmp_path / "some", {**GOOD, "._own1.png": b"a shadow", ".git/x.png": b"0"}))
    assert len(images.images) == 12 and not images.left_out


def test_long_files_are_not_read_to_their_end(tmp_path, monkeypatch):
    monkeypatch.setattr(resizing, "MAX_BYTES", 5_000)
    images = data.load_folder(put(tmp_path / "some", {**GOOD, "long.png": GOOD["own1.png"] + bytes(9_000)}))
    assert "is longer than" in images.left_out["long.png"] and len(images.images) == 12


def test_memory_stays_bounded(tmp_path):
    """Four images of 36 million pixels, 144 MB each as Pillow keeps them: one at a time, and converted in bands."""
    image = Image.new("RGBA", (6_000, 6_000), (200, 100, 50, 128))
    content = encoded(image, "PNG", compress_level=1)
    put(tmp_path / "some", {f"own{number}.png": content for number in range(4)})
    put(tmp_path / "few", dict(list(GOOD.items())[:2]))
    code = """
import sys
from course_utils import data
def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) // 1000
for folder in sys.argv[1:]:
    images = data.load_folder(folder)
    print(peak(), images.images[0][30, 30].tolist())
"""
    if not Path("/proc/self/status").exists():
        pytest.skip("this system does not tell the peak of a process")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code, str(tmp_path / "few"), str(tmp_path / "some")]
    first, last = subprocess.run(
        command, env=environment, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    assert last.split(maxsplit=1)[1] == "[227, 177, 152]"
    assert int(last.split()[0]) - int(first.split()[0]) < 230, "MB"


# --- labels


def test_a_folder_is_a_class_and_equal_names_count_twice(tmp_path):
    content = list(GOOD.values())
    files = {f"{kind}/{number}.png": content[number] for kind in ("cats", "dogs") for number in range(6)}
    images = data.load_folder(put(tmp_path / "some", files | {"dogs/small/9.png": content[9]}))
    assert len(images.images) == 13 and images.class_names == ("cats", "dogs") and "2 classes" in str(images)
    assert [images.class_names[label] for label in images.labels] == [name.split("/")[0] for name in images.names]
    assert not images.attributes and not images.unlabelled


@pytest.mark.parametrize(
    "names, classes",
    [
        (["all/cats/1.png", "all/dogs/1.png"], ("cats", "dogs")),
        (["train/cats/1.png", "test/dogs/1.png", "Validation/cats/2.png"], ("cats", "dogs")),
        (["all/1.png", "all/2.png"], ()),
        (["train/1.png", "test/2.png"], ()),
        (["1.png", "cats/2.png"], ()),
    ],
)
def test_which_folders_are_classes(names, classes, tmp_path):
    images = data.load_folder(put(tmp_path / "some", {name: GOOD["own1.png"] for name in names}))
    assert images.class_names == classes and (images.labels is None) == (not classes)


def test_an_image_in_no_class_folder_has_no_label(tmp_path):
    files = {"cats/1.png": GOOD["own1.png"], "dogs/1.png": GOOD["own2.png"], "2.png": GOOD["own3.png"]}
    images = data.load_folder(put(tmp_path / "some", files))
    assert images.labels[images.names.index("2.png")] == -1 and sorted(images.labels) == [-1, 0, 1]
    assert images.unlabelled == {"2.png": "lies in no folder of a class"}


TABLE = "file,colour,größe\n" + "\n".join(
    f"own{number}.png,{'red' if number % 2 else 'blue'},{number % 3}" for number in range(12)
)
SAVED = {
    "plain": TABLE.encode(),
    "byte-order mark and semicolons": TABLE.replace(",", ";").replace("\n", "\r\n").encode("utf-8-sig"),
    "UTF-16 and tabs": TABLE.replace(",", "\t").encode("utf-16"),
    "Windows": TABLE.replace(",", ";").encode("cp1252"),
    "separator line": b"sep=;\r\n" + TABLE.replace(",", ";").encode(),
    "quotes and blanks": TABLE.replace(",", '", "').replace("\n", '"\n"').join('""').encode(),
    "File": TABLE.replace("file", "File").encode(),
    "paths": TABLE.replace("\nown", "\n./own").encode(),
    "empty lines": TABLE.replace("\n", "\n,,\n").encode() + b"\n\n",
}


@pytest.mark.parametrize("saved", SAVED)
def test_a_table_as_people_and_spreadsheets_save_it(saved, tmp_path):
    images = data.load_folder(put(tmp_path / "some", {**GOOD, "labels.csv": SAVED[saved]}))
    assert images.categories == {"colour": ("blue", "red"), "größe": ("0", "1", "2")} and not images.unlabelled
    numbers = np.array([int(name[3:-4]) for name in images.names])
    np.testing.assert_array_equal(images.attributes["colour"], numbers % 2)
    np.testing.assert_array_equal(images.attributes["größe"], numbers % 3)
    assert images.labels is None


@pytest.mark.parametrize("column, named", [("label", True), ("Class", True), ("mood", False)])
def test_labels_from_a_table(column, named, tmp_path):
    table = f"file,{column}{',other' if named else ''}\n"
    table += "\n".join(
        f"own{number}.png,{'red' if number % 2 else 'blue'}{',x' if named else ''}" for number in range(11)
    )
    images = data.load_folder(put(tmp_path / "some", {**GOOD, "labels.csv": table.encode()}))
    assert images.class_names == ("blue", "red") and images.unlabelled == {"own11.png": "has no line in labels.csv"}
    assert images.labels.tolist() == [-1 if name == "own11.png" else int(name[3:-4]) % 2 for name in images.names]


@pytest.mark.parametrize(
    "table, reason",
    [
        (
            b"name,colour\nown1.png,red\n",
            "labels.csv is no table with a column 'file'; its first line is 'name,colour'",
        ),
        (b'file,colour\n"own1.png,red\n', "labels.csv is no whole table"),
        (b"", "labels.csv is no table with a column 'file'"),
        (b"file,colour\nown1.png,red\nown1.png,blue\n", "has several lines in labels.csv, which differ"),
    ],
)
def test_a_table_that_is_none(table, reason, tmp_path):
    images = data.load_folder(put(tmp_path / "some", {"own1.png": GOOD["own1.png"], "labels.csv": table}))
    assert reason in images.unlabelled["own1.png"] and "1 images without a label" in str(images)


def test_a_table_names_the_folder_where_names_are_not_enough(tmp_path):
    files = {f"{kind}/1.png": GOOD["own1.png"] for kind in ("cats", "dogs")} | {"cats/2.png": GOOD["own2.png"]}
    folder = put(tmp_path / "some", {**files, "labels.csv": b"file,mood\n1.png,good\n2.png,bad\n"})
    images = data.load_folder(folder)
    assert images.unlabelled.keys() == {"cats/1.png", "dogs/1.png"} and images.class_names == ("cats", "dogs")
    assert "labels.csv must say in which folder it lies" in images.unlabelled["cats/1.png"]
    put(folder, {"labels.csv": b"file,mood\ncats\\1.png,good\ndogs/1.png,bad\n2.png,bad\n"})
    images = data.load_folder(folder)
    moods = dict(zip(images.names, images.attributes["mood"].tolist(), strict=True))
    assert moods == {"cats/1.png": 1, "dogs/1.png": 0, "cats/2.png": 0} and not images.unlabelled


def test_a_corrected_table_prepares_nothing_anew(tmp_path, decoded):
    folder = put(tmp_path / "some", {**GOOD, "labels.csv": SAVED["plain"]})
    data.load_folder(folder)
    put(folder, {"labels.csv": SAVED["plain"].replace(b"red", b"green")})
    assert data.load_folder(folder).categories["colour"] == ("blue", "green") and len(decoded) == 12


# --- the split, the store, and what survives


def test_a_tenth_is_held_out_whatever_else_is_there(tmp_path):
    many = {f"{kind}/{number}.png": GOOD["own1.png"] for kind in "abcde" for number in range(40)}
    few = dict(list(many.items())[:70])
    sets = [data.load_folder(put(tmp_path / name, files), size=28) for name, files in (("many", many), ("few", few))]
    held_out = [{images.names[row] for row in images.test} for images in sets]
    assert held_out[1] == held_out[0] & few.keys() and 8 <= len(held_out[0]) <= 32
    for images in sets:
        assert sorted([*images.train, *images.test]) == list(range(len(images.images)))
        np.testing.assert_array_equal(images.test_images[0], images.images[images.test[0]])
        assert len(images.train_images) == len(images.train)


def test_prepared_once_for_each_size_and_fit(tmp_path, decoded):
    folder = put(tmp_path / "some", GOOD)
    wishes = ({}, {"size": 28}, {"fit": "pad"}, {"channels": 1})
    for options in 3 * wishes:
        images = data.load_folder(folder, **options)
        assert images.images.shape == (12, options.get("size", 64), options.get("size", 64), options.get("channels", 3))
    assert len(decoded) == 12 * len(wishes)
    put(folder, {"new.png": GOOD["own1.png"]})
    assert len(data.load_folder(folder).images) == 13


def test_a_limit_is_a_beginning(tmp_path, decoded):
    folder = put(tmp_path / "some", GOOD)
    few = data.load_folder(folder, limit=5)
    assert len(few.images) == len(few.names) == 5 and few.total == 12
    everything = data.load_folder(folder)
    assert everything.names[:5] == few.names and everything.total == 12 and len(decoded) <= 12 + 4, (
        "what was safe is not done again"
    )
    np.testing.assert_array_equal(few.images[:], everything.images[:5])


def start_process(folder, cache, code):
    """Another Python that works on the same cache, in chunks of four."""
    patch = (
        "import itertools, sys, time\nfrom course_utils import data\nfrom course_utils.data import prepared, resizing\n"
    )
    patch += "prepared.CHUNK, square, count = 4, resizing.square, itertools.count(1)\n"
    environment = {**os.environ, "COURSE_CACHE_DIR": str(cache.parent), "PYTHONPATH": str(ROOT)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", patch + code, str(folder)], env=environment, **pipes)


def test_a_killed_preparation_is_continued(tmp_path, cache, decoded):
    folder = put(tmp_path / "some", GOOD)
    code = """
def stopping(path, **options):
    if next(count) == 10:
        time.sleep(60)
    return square(path, **options)
resizing.square = stopping
data.load_folder(sys.argv[1])
"""
    process = start_process(folder, cache, code)
    for _ in range(1200):
        if sum(len(file.read_bytes().splitlines()) for file in cache.glob("*/journal.jsonl")) == 2:
            break
        assert process.poll() is None, process.communicate()
        threading.Event().wait(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=10)
    assert process.returncode == -signal.SIGKILL
    images = data.load_folder(folder)
    assert len(decoded) == 4, "eight of twelve images were safe"
    again = data.load_folder(folder, fit="crop", size=64)
    assert again.names == images.names and len(decoded) == 4
    for name, pixels in by_name(images).items():
        np.testing.assert_array_equal(pixels, resizing.square(folder / name, size=64, channels=3, fit="crop")[0])


def test_two_processes_at_once(tmp_path, cache):
    folder = put(tmp_path / "some", GOOD)
    code = """
def slowly(path, **options):
    print("decoded")
    time.sleep(0.05)
    return square(path, **options)
resizing.square = slowly
print(data.load_folder(sys.argv[1]))
"""
    processes = [start_process(folder, cache, code) for _ in range(2)]
    outputs = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert sum(output.count("decoded") for output, _ in outputs) == 12, "each image once, whoever prepared it"


def test_a_store_of_another_shape_is_not_taken(tmp_path, cache):
    folder = put(tmp_path / "some", GOOD)
    data.load_folder(folder)
    (store,) = [path for path in cache.iterdir() if path.is_dir()]
    assert prepared.read_index(store, shape=(64, 64, 3))["shape"] == [64, 64, 3]
    assert prepared.read_index(store, shape=(64, 64, 1)) is None and prepared.read_index(store) is None


# --- what is refused


@pytest.mark.parametrize(
    "options, message",
    [
        ({"size": 27}, "size must be a whole number from 28 to 256, not 27"),
        ({"size": 257}, "size must be"),
        ({"size": 64.0}, "size must be"),
        ({"size": True}, "size must be"),
        ({"size": "64"}, "size must be"),
        ({"channels": 4}, "channels must be 1 .grey. or 3 .colour., not 4"),
        ({"fit": "stretch"}, "fit must be 'crop' or 'pad', not 'stretch'"),
        ({"limit": 0}, "limit must be None or at least 1"),
    ],
)
def test_other_arguments_are_refused(options, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        data.load_folder(put(tmp_path / "some", GOOD), **options)


def test_numbers_of_numpy_are_taken(tmp_path):
    folder = put(tmp_path / "some", GOOD)
    assert data.load_folder(str(folder), size=np.int64(30), channels=np.int32(1), limit=np.int64(3)).images.shape == (
        3,
        30,
        30,
        1,
    )


@pytest.mark.parametrize(
    "name, message",
    [
        ("", "named '', as by a variable that is not set"),
        ("gone", "gone is not an existing folder"),
        ("afile", "is a file"),
    ],
)
def test_a_folder_must_be_there(name, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "afile").write_bytes(GOOD["own1.png"])
    with pytest.raises(data.DataError, match=message):
        data.load_folder(name)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(data.DataError, match="holds no files. Put images there"):
        data.load_folder(put(tmp_path, {}))


def test_whose_images_they_are(tmp_path):
    images = data.load_folder(put(tmp_path / "some", GOOD), channels=1, fit="pad")
    assert str(images) == repr(images) == images.origin and str(tmp_path) not in str(images)
    assert "of 64x64 pixels in grey, padded to a square with white, from your folder" in str(images)
    assert str(images).endswith("Their licence, and whom to credit, are yours to state")
    assert (
        "cropped to the middle square" in str(data.load_folder(tmp_path / "some"))
        and own_images.OwnImages is data.OwnImages
    )


def test_the_drawings_that_readme_speaks_of_are_taken_whole(tmp_path):
    command = [sys.executable, str(ROOT / "tools" / "drawings.py"), str(tmp_path / "drawings"), "14"]
    subprocess.run(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True, capture_output=True)
    images = data.load_folder(tmp_path / "drawings", size=32)
    assert len(images.images) == 14 and not images.left_out and not images.unlabelled
    assert images.class_names == ("blue", "green", "red", "yellow") and "hair" in images.attributes
    shapes = set()
    for name in images.names:
        with Image.open(tmp_path / "drawings" / name) as image:
            shapes.add(image.size)
    assert len(shapes) == 14 and len({Path(name).suffix for name in images.names}) > 3
    blue = images.images[int(np.flatnonzero(images.labels == 0)[0])]
    assert blue[0, 0, 2] > blue[0, 0, 0] + 30 or np.ptp(blue[0, 0].astype(int)) < 5, "on blue paper, unless it is grey"

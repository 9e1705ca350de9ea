"""Cartoon Set from folders, archives and the cache: what is taken, what is left out, and what preparing survives."""

import errno
import gzip
import io
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import tarfile
import threading
import warnings
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageDraw

from course_utils import data
from course_utils.data import archive_download, cartoonset, image_files, prepared, resizing
from course_utils.data import cache as caching

ROOT = Path(data.__file__).parents[2]
ORIGINALS = Path(os.environ.get("COURSE_DATA_DIR", "missing")) / "cartoonset-originals"


def picture(seed, side=500, mode="RGBA"):
    """A blob with a soft edge, on a transparent ground, somewhere in the picture; now and then cut by its border."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGBA", (side, side))
    centre, size = rng.uniform(0.1, 0.9, 2) * side, rng.uniform(0.05, 0.3, 2) * side
    colours = rng.integers(0, 256, (2, 3)).tolist()
    ImageDraw.Draw(image).ellipse((*(centre - size), *(centre + size)), (*colours[0], 255), (*colours[1], 120), 5)
    return image.convert(mode)


def png(image):
    content = io.BytesIO()
    image.save(content, "PNG", compress_level=1)
    return content.getvalue()


GOOD = [png(picture(seed)) for seed in range(12)]
FILES = {f"cs{seed}.png": content for seed, content in enumerate(GOOD)}


def expected_pixels(content):
    """The definition: the whole picture on white, then scaled."""
    image = Image.open(io.BytesIO(content)).convert("RGBA")
    white = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return np.asarray(white.resize((256, 256), Image.Resampling.HAMMING))


def put(folder, files):
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def pack(path, files, **special):
    """A .tgz of these files, and one member more with these fields, if any."""
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        if special:
            member = tarfile.TarInfo(special.pop("name"))
            for field, value in special.items():
                setattr(member, field, value)
            archive.addfile(member)
    return path


def by_name(avatars):
    return {Path(name).name: avatars.images[row] for row, name in enumerate(avatars.names)}


def check(avatars, files=FILES):
    found = by_name(avatars)
    assert set(found) == {Path(name).name for name in files} and len(avatars.images) == len(files)
    for name, content in files.items():
        np.testing.assert_array_equal(found[Path(name).name], expected_pixels(content), err_msg=name)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache, no folder, no network, and a quick drawing: a test adds what it needs."""

    def draw(number, rng):
        pen.calls += 1
        return rng.integers(0, 256, (number, 256, 256, 3), np.uint8), {"hair": rng.integers(0, 3, number)}

    (tmp_path / "code").mkdir()
    code = tmp_path / "code" / "drawn.py"
    code.write_text("version 1")
    pen = SimpleNamespace(avatars=draw, AVATAR_FACTORS={"hair": ("none", "short", "long")}, __file__=str(code), calls=0)
    monkeypatch.delenv("COURSE_DATA_DIR", raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("COURSE_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(caching, "stand_ins", {})
    monkeypatch.setattr(archive_download, "MIRRORS", ["http://127.0.0.1:9/"])
    monkeypatch.setattr(cartoonset, "drawn", pen)
    monkeypatch.setattr(cartoonset, "DRAWN_NUMBER", 30)
    monkeypatch.setattr(prepared, "CHUNK", 4)
    return tmp_path / "cache" / "cartoonset"


@pytest.fixture
def decoded(monkeypatch):
    """How many images were decoded since the test began."""
    count, decode, lock = SimpleNamespace(calls=0), resizing.avatar, threading.Lock()

    def counting(item):
        with lock:
            count.calls += 1
        return decode(item)

    monkeypatch.setattr(resizing, "avatar", counting)
    return count


def stores(cache):
    return [path for path in cache.iterdir() if path.is_dir()]


# --- pixels


@pytest.mark.parametrize("side", [500, 256])
@pytest.mark.parametrize("mode", ["RGBA", "RGB"])
def test_images_are_put_on_white_and_scaled(side, mode):
    for seed in range(20):
        content = png(picture(seed, side, mode))
        np.testing.assert_array_equal(resizing.avatar(content)[0], expected_pixels(content), err_msg=str(seed))


def test_originals():
    """The published files, where a folder with them is set; without it, pictures that touch every border."""
    contents = [path.read_bytes() for path in sorted(ORIGINALS.glob("*.png"))]
    for edge in ((0, 0, 9, 9), (490, 490, 499, 499), (0, 250, 499, 251), (250, 0, 250, 499), (0, 0, 499, 499)):
        image = Image.new("RGBA", (500, 500))
        ImageDraw.Draw(image).rectangle(edge, (10, 120, 200, 180))
        contents.append(png(image))
    for content in contents:
        np.testing.assert_array_equal(resizing.avatar(content)[0], expected_pixels(content))


def test_transparent_is_white_and_small_rgb_is_taken_as_it_is():
    assert (resizing.avatar(png(Image.new("RGBA", (500, 500))))[0] == 255).all()
    pixels = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    np.testing.assert_array_equal(resizing.avatar(png(Image.fromarray(pixels)))[0], pixels)


def test_scaling_has_antialiasing():
    """Stripes one pixel wide become grey. Without a wider filter they become broad stripes."""
    stripes = np.zeros((500, 500, 3), np.uint8)
    stripes[:, ::2] = 255
    pixels = resizing.avatar(png(Image.fromarray(stripes)))[0][:, 2:-2].astype(float)
    assert pixels.std() < 20 and abs(pixels.mean() - 127) < 3


# --- files that are left out


def bomb(side=100_000):
    content = bytearray(GOOD[0])
    content[16:24] = struct.pack(">II", side, side)
    return bytes(content)


def flipped():
    """A byte changed in the middle of the pixels, the checksum of the chunk with it."""
    content = bytearray(png(picture(5)))
    content[len(content) // 2] ^= 255
    return bytes(content)


def jpeg():
    content = io.BytesIO()
    picture(0, 500, "RGB").save(content, "JPEG")
    return content.getvalue()


BROKEN = {
    "truncated": (GOOD[3][: len(GOOD[3]) // 2], "truncated or damaged"),
    "flipped": (flipped(), "truncated or damaged"),
    "header only": (GOOD[3][:40], "truncated or damaged"),
    "empty": (b"", "is no PNG image"),
    "text": (b"<html>404 not found, and more of it</html>", "is no PNG image"),
    "jpeg": (jpeg(), "is no PNG image"),
    "larger": (png(picture(1, 512)), "is 512x512, expected 500x500 or 256x256"),
    "oblong": (png(picture(1).crop((0, 0, 500, 256))), "is 500x256, expected"),
    "bomb": (bomb(), "is 100000x100000, expected"),
    "grey": (png(picture(1, mode="L")), "has the colours L, expected RGB or RGBA"),
    "grey alpha": (png(picture(1, mode="LA")), "has the colours LA"),
    "palette": (png(picture(1, mode="RGB").convert("P")), "has the colours P"),
}


@pytest.mark.parametrize("kind", BROKEN)
@pytest.mark.parametrize("packed", [False, True])
def test_broken_files_are_listed_and_left_out(kind, packed, tmp_path):
    content, reason = BROKEN[kind]
    files = {**FILES, "cs77.png": content}
    path = pack(tmp_path / "some.tgz", files) if packed else put(tmp_path / "some", files)
    for _ in range(2):  # prepared now, and then found
        avatars = data.load_cartoonset("real", folder=path)
        check(avatars)
        assert list(avatars.left_out) == ["cs77.png"] and reason in avatars.left_out["cs77.png"]
        assert "1 files left out" in str(avatars)


def test_size_is_known_before_anything_is_unpacked(monkeypatch):
    monkeypatch.setattr(Image, "open", lambda *args, **options: pytest.fail("a bomb was opened"))
    with pytest.raises(prepared.LeftOut, match="100000x100000"):
        resizing.avatar(bomb())


def test_endless_file_is_not_read_to_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(image_files, "MAX_BYTES", max(map(len, GOOD)))
    monkeypatch.setattr(image_files, "ARCHIVED_BYTES", max(map(len, GOOD)))
    long = {"cs88.png": GOOD[0] + bytes(image_files.MAX_BYTES)}
    for path in (put(tmp_path / "some", {**FILES, **long}), pack(tmp_path / "some.tgz", {**FILES, **long})):
        avatars = data.load_cartoonset("real", folder=path)
        check(avatars)
        assert "is longer than" in avatars.left_out["cs88.png"]


def test_too_many_broken_files_are_an_error(tmp_path):
    bad = {f"bad{number}.png": b"no image" for number in range(11)}
    folder = put(tmp_path / "some", {**FILES, **bad})
    for _ in range(2):
        with pytest.raises(data.DataError) as caught:
            data.load_cartoonset(folder=folder)
        for part in ("11 of 23 files", "bad", "is no PNG image", "Replace them"):
            assert part in str(caught.value)
    (folder / "bad10.png").unlink()
    assert len(data.load_cartoonset(folder=folder).left_out) == 10, "ten are allowed in any set"


def test_one_in_a_hundred_may_be_broken(tmp_path):
    small = png(picture(0, 256, "RGB"))
    files = {f"cs{number}.png": small for number in range(1_100)}
    folder = put(tmp_path / "some", {**files, **{f"bad{number}.png": b"" for number in range(11)}})
    avatars = data.load_cartoonset(folder=folder)
    assert len(avatars.images) == 1_100 and len(avatars.left_out) == 11
    put(folder, {f"worse{number}.png": b"" for number in range(2)})
    with pytest.raises(data.DataError, match="13 of 1,113 files"):
        data.load_cartoonset(folder=folder)


@pytest.mark.parametrize("files", [{}, {"notes.txt": b"1"}, {".hidden.png": GOOD[0]}])
def test_folder_without_images_is_an_error(files, tmp_path):
    (tmp_path / "some").mkdir()
    with pytest.raises(data.DataError, match="some holds no images.*name another folder"):
        data.load_cartoonset(folder=put(tmp_path / "some", files))


def test_nothing_usable_is_an_error(tmp_path):
    with pytest.raises(data.DataError, match="1 of 1 files are no images of the set: cs1.png is no PNG image"):
        data.load_cartoonset(folder=put(tmp_path / "some", {"cs1.png": b"0"}))
    with pytest.raises(data.DataError, match="own-images holds no images.*Name another archive"):
        data.load_cartoonset(folder=pack(tmp_path / "some.tgz", {}))


# --- layouts and archives


@pytest.mark.filterwarnings("ignore:cartoonset.* was published")
@pytest.mark.parametrize("prefix", ["", "./", "cartoonset10k/", "cartoonset100k/{}/"])
def test_layouts(prefix, tmp_path):
    files = {prefix.format(number % 10) + name: content for number, (name, content) in enumerate(FILES.items())}
    extra = {prefix.format(0) + "._cs1.png": b"a shadow that macOS packs", prefix.format(0) + "readme.txt": b"text"}
    check(data.load_cartoonset("real", folder=put(tmp_path / "some", {**files, **extra})))
    check(data.load_cartoonset("real", folder=pack(tmp_path / "some.tgz", {**files, **extra})))


@pytest.mark.parametrize(
    ("member", "message"),
    [
        ({"name": "/etc/cs1.png"}, "'/etc/cs1.png' leads out of the archive"),
        ({"name": "a/../../cs1.png"}, "leads out of the archive"),
        ({"name": "..\\cs1.png"}, "leads out of the archive"),
        ({"name": "C:cs1.png"}, "leads out of the archive"),
        ({"name": "cs1.png", "type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}, "'cs1.png' is a link or a device"),
        ({"name": "cs1.png", "type": tarfile.LNKTYPE, "linkname": "cs2.png"}, "is a link or a device"),
        ({"name": "cs1.png", "type": tarfile.CHRTYPE}, "is a link or a device"),
        ({"name": "cs1.png", "type": tarfile.FIFOTYPE}, "is a link or a device"),
    ],
)
def test_members_that_no_image_set_has_are_refused(member, message, tmp_path, cache):
    path = pack(tmp_path / "some.tgz", FILES, **member)
    with pytest.raises(data.DataError) as caught:
        data.load_cartoonset(folder=path)
    assert message in str(caught.value) and str(path) in str(caught.value)
    assert not list(cache.glob("*/index.json")), "the set of a bad archive was finished"


def without_checksum(content):
    return content[:-8] + bytes([content[-8] ^ 1]) + content[-7:]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda content: content[:-9],
        without_checksum,
        lambda content: content[: len(content) // 2] + b"\xff" * 64 + content[len(content) // 2 + 64 :],
        lambda content: b"",
        lambda content: gzip.compress(b"no tar file" * 100),
    ],
    ids=["half", "end", "checksum", "middle", "empty", "no tar"],
)
def test_damaged_archive_is_an_error(damage, tmp_path, cache):
    path = pack(tmp_path / "cartoonset10k.tgz", FILES)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(data.DataError, match="cartoonset10k.tgz cannot be read to its end.*get it anew"):
        data.load_cartoonset(folder=tmp_path, limit=2)  # also the part that is not asked for
    assert not list(cache.glob("*/index.json"))
    pack(path, FILES)
    with pytest.warns(UserWarning, match="was published with 10,000 images; there are 12 here"):
        check(data.load_cartoonset(folder=tmp_path))


@pytest.mark.parametrize("name", ["mine.zip", "cartoonset10k.tgz"])
def test_another_kind_of_archive_is_named(name, tmp_path):
    with zipfile.ZipFile(tmp_path / name, "w") as archive:
        archive.writestr("cs1.png", GOOD[1])
    with pytest.raises(data.DataError) as caught:
        data.load_cartoonset(folder=tmp_path / name)
    for part in (str(tmp_path / name), "is no .tgz", "b'PK'", "unpack what you have and name the folder"):
        assert part in str(caught.value)
    assert "damaged" not in str(caught.value)


NOT_UTF8 = os.fsdecode(b"\xff\xfe.png")


@pytest.mark.parametrize("packed", [False, True])
def test_names_that_are_not_utf8(packed, tmp_path):
    for content, left_out in ((GOOD[0], []), (b"no image", [NOT_UTF8])):
        files = {**FILES, NOT_UTF8: content}
        some = f"some-{len(left_out)}-{os.fsdecode(bytes([0xFF]))}"
        try:
            path = pack(tmp_path / f"{some}.tgz", files) if packed else put(tmp_path / some, files)
        except OSError:
            pytest.skip("this file system takes nothing but UTF-8")
        for _ in range(2):  # prepared now, and then found
            avatars = data.load_cartoonset("real", folder=path)
            check(avatars, FILES if left_out else files)
            assert list(avatars.left_out) == left_out and str(avatars).isprintable()


def test_the_error_about_names_that_are_not_utf8_can_be_printed(tmp_path):
    with pytest.raises(data.DataError, match=r"1 of 1 files .*: \\udcff\\udcfe.png is no PNG image"):
        data.load_cartoonset(folder=put(tmp_path / "some", {NOT_UTF8: b"no image"}))


# --- attributes


def table(*lines):
    return "".join(f'"{name}", {value}, {count}\n' for name, value, count in lines).encode()


def with_tables(files=FILES):
    tables = {
        name.replace(".png", ".csv"): table(("hair", k % 5, 111), ("eye_lid", k % 2, 2)) for k, name in enumerate(files)
    }
    return {**files, **tables}


@pytest.mark.filterwarnings("ignore:cartoonset.* was published")
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("first", ["png", "csv"])
def test_official_attributes(packed, first, tmp_path):
    files = with_tables({f"cartoonset10k/{name}": content for name, content in FILES.items()})
    files = dict(sorted(files.items(), key=lambda pair: not pair[0].endswith(first)))
    path = pack(tmp_path / "some.tgz", files) if packed else put(tmp_path / "some", files)
    avatars = data.load_cartoonset(folder=path)
    assert list(avatars.attributes) == ["hair", "eye_lid"] and not avatars.unlabelled
    assert len(avatars.categories["hair"]) == 111 and avatars.categories["eye_lid"] == ("0", "1")
    numbers = np.array([int(Path(name).stem[2:]) for name in avatars.names])
    np.testing.assert_array_equal(avatars.attributes["hair"], numbers % 5)
    np.testing.assert_array_equal(avatars.attributes["eye_lid"], numbers % 2)


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"\xff\xfe\x00",
        b'"hair", 1\n"eye_lid", 1\n',
        table(("hair", "blond", 111), ("eye_lid", 1, 2)),
        table(("hair", 111, 111), ("eye_lid", 1, 2)),
        table(("hair", -1, 111), ("eye_lid", 1, 2)),
        table(("hair", 1, 111)),
        table(("hair", 1, 110), ("eye_lid", 1, 2)),
        table(("hair", 1, 111), ("hair", 1, 111)),
    ],
)
def test_image_with_a_missing_or_malformed_csv_stays(content, tmp_path):
    files = with_tables()
    del files["cs7.csv"]
    avatars = data.load_cartoonset(
        folder=put(tmp_path / "some", files | ({} if content is None else {"cs7.csv": content}))
    )
    check(avatars)
    row = avatars.names.index("cs7.png")
    assert list(avatars.unlabelled) == ["cs7.png"] and "1 images without attributes" in str(avatars)
    assert [values[row] for values in avatars.attributes.values()] == [-1, -1]
    assert row > 0 and not data.load_cartoonset(folder=tmp_path / "some", limit=row).unlabelled
    assert all((np.delete(values, row) >= 0).all() for values in avatars.attributes.values())


def test_attributes_of_the_sample(tmp_path):
    lines = [
        f"{number}.png,{'blond' if number % 3 else 'bald'},{'' if number == 4 else number % 2},x{number}"
        for number in range(11)
    ]
    files = {f"images/{number}.png": png(picture(number, 256, "RGB")) for number in range(12)}
    files["labels.csv"] = "\n".join(["file,hair,eyeglasses,sha256", *lines]).encode()
    put(tmp_path / "cartoonset-sample", files)
    avatars = data.load_cartoonset(folder=tmp_path)
    assert avatars.categories == {"hair": ("bald", "blond"), "eyeglasses": ("0", "1")}, "a checksum is no attribute"
    for row, name in enumerate(avatars.names):
        number = int(Path(name).stem)
        hair, glasses = (int(avatars.attributes[key][row]) for key in ("hair", "eyeglasses"))
        assert (hair, glasses) == (
            (-1, -1) if number == 11 else (int(number % 3 > 0), -1 if number == 4 else number % 2)
        )
    assert list(avatars.unlabelled) == ["images/11.png"] and "cropped and scaled" in str(avatars)


@pytest.mark.parametrize("content", [b"name,hair\n1.png,blond\n", b'file,hair\n"1.png', b"\xff\xff\xff"])
def test_broken_table_of_the_sample(content, tmp_path):
    avatars = data.load_cartoonset(folder=put(tmp_path / "some", {**FILES, "labels.csv": content}))
    check(avatars)
    assert avatars.attributes == {} and set(avatars.unlabelled) == set(FILES)


def test_real_sample():
    if not (ORIGINALS.parent / "cartoonset-sample").is_dir():
        pytest.skip("COURSE_DATA_DIR has no cartoonset-sample")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_DATA_DIR", str(ORIGINALS.parent))
        avatars = data.load_cartoonset("real", limit=120)
        assert len(avatars.images) == 120 and avatars.source == "folder" and not avatars.left_out
        assert str(avatars).endswith("Images: Cartoon Set, Google LLC, CC BY 4.0, cropped and scaled")
        assert set(avatars.categories["hair"]) == {"bald", "blond", "ginger", "brown", "black", "grey"}
        first = Image.open(next(ORIGINALS.parent.glob(f"cartoonset-sample/{avatars.names[0]}")))
        np.testing.assert_array_equal(avatars.images[0], np.asarray(first))


# --- the split


def test_a_tenth_is_held_out_whatever_else_is_there(tmp_path):
    small = {f"cs{number}.png": png(picture(number, 256, "RGB")) for number in range(60)}
    few = data.load_cartoonset(folder=put(tmp_path / "few", dict(list(small.items())[:40])))
    many = data.load_cartoonset(
        folder=pack(tmp_path / "many.tgz", {f"deep/{name}": small[name] for name in reversed(small)})
    )
    held_out = [{Path(avatars.names[row]).name for row in avatars.test} for avatars in (few, many)]
    assert held_out[0] == held_out[1] & {Path(name).name for name in few.names} and held_out[0]
    for avatars in (few, many):
        assert sorted([*avatars.train, *avatars.test]) == list(range(len(avatars.images)))
        np.testing.assert_array_equal(avatars.test_images[0], avatars.images[avatars.test[0]])
        assert len(avatars.train_images) == len(avatars.train)
    share = np.mean([image_files.file_key(f"cs{number}.png") % 10 == 0 for number in range(20_000)])
    assert abs(share - 0.1) < 0.01


# --- where images come from


def test_the_order_of_sources(tmp_path, cache, monkeypatch):
    put(tmp_path / "mine" / "cartoonset-sample", FILES)
    put(tmp_path / "other", dict(list(FILES.items())[:5]))
    avatars = data.load_cartoonset()
    assert avatars.source == "drawn" and not avatars.is_real
    for part in ("30 DRAWN", "DRAWN IN CODE", "download='10k'", "not Cartoon Set results"):
        assert part in str(avatars).replace(f"{len(avatars.train)} training", "30 DRAWN")
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path / "mine"))
    assert data.load_cartoonset().source == "folder" and len(data.load_cartoonset().images) == 12
    assert len(data.load_cartoonset(folder=tmp_path / "other").images) == 5
    monkeypatch.delenv("COURSE_DATA_DIR")
    shutil.rmtree(tmp_path / "mine")
    avatars = data.load_cartoonset("real")
    check(avatars)
    assert avatars.source == "cache" and avatars.is_real, "what was prepared serves without the folder"
    assert str(avatars) == repr(avatars) and "Cartoon Set, Google LLC, CC BY 4.0" in str(avatars)
    assert os.sep not in str(avatars).replace("Cartoon Set (cartoonset-sample)", "")


def test_whose_images_they_are(tmp_path):
    mine = data.load_cartoonset(folder=put(tmp_path / "some", FILES))
    assert str(mine).endswith("from your folder. Their licence, and whom to credit, are yours to state")
    assert "Google" not in str(mine) and "Cartoon Set" not in str(mine) and mine.is_real
    sample = data.load_cartoonset(folder=put(tmp_path / "cartoonset-sample", FILES))
    assert str(sample).endswith("from your folder. Images: Cartoon Set, Google LLC, CC BY 4.0, cropped and scaled")


def test_larger_set_is_preferred(tmp_path, monkeypatch):
    monkeypatch.setitem(data.load_cartoonset.__globals__["SETS"], "cartoonset100k", 3)
    put(tmp_path / "cartoonset-sample", FILES)
    pack(tmp_path / "cartoonset100k.tgz", dict(list(FILES.items())[:3]))
    assert data.load_cartoonset(folder=tmp_path).name == "cartoonset100k"


def test_real_refuses_and_says_what_to_do(tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path / "mine"))
    with pytest.raises(data.DataError) as caught:
        data.load_cartoonset("real")
    for part in ("download='10k'", "450 MB", "cartoonset10k.tgz", "folder=", "COURSE_DATA_DIR"):
        assert part in str(caught.value)


@pytest.mark.parametrize("name", ["cartoonset10k", "typo"])
def test_a_folder_that_is_passed_over_is_named(name, tmp_path, monkeypatch):
    """One level too deep, or spelt otherwise: the images would be there, and are not found."""
    monkeypatch.setenv("COURSE_DATA_DIR", str(put(tmp_path / name, FILES)))
    reason = data.load_cartoonset().reason
    assert f"COURSE_DATA_DIR names {name}, which has no `cartoonset100k` or `cartoonset10k`" in reason
    with pytest.raises(data.DataError, match=f"asked for, but COURSE_DATA_DIR names {name}, which has no"):
        data.load_cartoonset("real")
    assert str(tmp_path) not in reason


@pytest.mark.parametrize("options", [{}, {"source": "real"}, {"download": "10k"}, {"source": "drawn"}])
def test_an_empty_folder_name_is_refused(options):
    with pytest.raises(data.DataError, match="folder of images is named ''.*variable that is not set.*leave it out"):
        data.load_cartoonset(folder="", **options)


@pytest.mark.parametrize("options", [{"folder": "some"}, {"download": "10k"}])
def test_real_images_are_not_named_and_then_drawn(options):
    with pytest.raises(ValueError, match="are to be drawn, and a folder or a download is named too"):
        data.load_cartoonset("drawn", **options)


@pytest.mark.parametrize("argument", [True, False])
def test_folder_must_exist(argument, tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path / "typo"))
    words = "The folder of images, .*typo, does not exist" if argument else "COURSE_DATA_DIR names .*typo, which is not"
    with pytest.raises(data.DataError, match=words):
        data.load_cartoonset(folder=tmp_path / "typo" if argument else None)


@pytest.mark.parametrize("options", [{"source": "Real"}, {"download": "1k"}, {"limit": 0}, {"download": True}])
def test_other_arguments_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        data.load_cartoonset(**options)


def test_drawn_avatars_are_kept_and_the_first_are_always_the_same(tmp_path, cache):
    pen = cartoonset.drawn
    few = data.load_cartoonset("drawn", limit=7)
    assert len(few.images) == 7 and few.categories == {"hair": ("none", "short", "long")}
    all_of_them = data.load_cartoonset("drawn", limit=1_000)
    assert len(all_of_them.images) == 30 and pen.calls <= 30 + 2 * prepared.CHUNK
    np.testing.assert_array_equal(few.images[:], all_of_them.images[:7])
    np.testing.assert_array_equal(few.attributes["hair"], all_of_them.attributes["hair"][:7])
    calls = pen.calls
    data.load_cartoonset("drawn")
    assert pen.calls == calls and len(stores(cache)) == 1
    Path(pen.__file__).write_text("version 2")
    data.load_cartoonset("drawn")
    assert pen.calls == calls + 30 and len(stores(cache)) == 1, "the old drawings are of no use and should be gone"


# --- preparing


def test_prepared_once(tmp_path, decoded):
    folder = put(tmp_path / "some", FILES)
    check(data.load_cartoonset(folder=folder))
    check(data.load_cartoonset(folder=folder))
    assert decoded.calls == 12


def test_changed_folder_is_prepared_anew(tmp_path, cache):
    folder = put(tmp_path / "some", FILES)
    before = data.load_cartoonset(folder=folder)
    changed = {**FILES, "cs3.png": GOOD[4], "more/cs50.png": GOOD[5]}
    check(data.load_cartoonset(folder=put(folder, changed)), changed)
    assert len(stores(cache)) == 1, "the old store is of no use and should be gone"
    check(before)  # which a training may still be reading


@pytest.mark.parametrize("packed", [False, True])
def test_limit_is_a_beginning_that_can_be_continued(packed, tmp_path, decoded):
    path = pack(tmp_path / "some.tgz", with_tables()) if packed else put(tmp_path / "some", with_tables())
    few = data.load_cartoonset(folder=path, limit=5)
    assert len(few.images) == len(few.names) == len(few.attributes["hair"]) == 5 and decoded.calls <= 12
    check(few, {name: FILES[name] for name in few.names})
    everything = data.load_cartoonset(folder=path)
    check(everything)
    assert everything.names[:5] == few.names and decoded.calls <= 12 + 4
    assert data.load_cartoonset(folder=path, limit=3).names == few.names[:3] and decoded.calls <= 16


@pytest.mark.filterwarnings("ignore:cartoonset.* was published")
def test_how_many_a_limit_leaves_out(tmp_path):
    folder, archive = put(tmp_path / "some", FILES), pack(tmp_path / "some.tgz", FILES)
    put(tmp_path / "cartoonset10k", FILES)
    assert data.load_cartoonset(folder=folder, limit=3).total == 12
    assert data.load_cartoonset(folder=archive, limit=3).total is None, "nobody has counted the rest"
    assert data.load_cartoonset(folder=archive, limit=12).total == data.load_cartoonset(folder=archive).total == 12
    assert data.load_cartoonset(folder=archive, limit=3).total == 12, "now they are counted"
    assert data.load_cartoonset("drawn", limit=3).total == 30
    assert data.load_cartoonset(folder=tmp_path, limit=3).total == 12


def damage_half_chunk(store):
    with open(store / "images.bin", "ab") as file:
        file.write(b"half an image")


def damage_half_line(store):
    journal = store / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-20])


def damage_lost_images(store):
    os.truncate(store / "images.bin", 5 * 256 * 256 * 3 + 99)


def damage_index(store):
    (store / "index.json").write_text('{"names": [')


def damage_other_index(store):
    (store / "index.json").write_text("[1]")


def damage_journal(store):
    (store / "journal.jsonl").write_bytes(b"\xff\n")
    (store / "index.json").unlink()


@pytest.mark.parametrize(
    ("damage", "again"),
    [
        (damage_half_chunk, 0),
        (damage_half_line, 0),
        (damage_lost_images, 8),
        (damage_index, 0),
        (damage_other_index, 0),
        (damage_journal, 12),
    ],
)
def test_damaged_store_is_repaired(damage, again, tmp_path, cache, decoded):
    folder = put(tmp_path / "some", FILES)
    data.load_cartoonset(folder=folder)
    (store,) = stores(cache)
    damage(store)
    check(data.load_cartoonset(folder=folder))
    assert decoded.calls == 12 + again


def start_process(folder, cache, code):
    """Another Python that works on the same cache, in chunks of four."""
    patch = "import sys\nfrom course_utils import data\nfrom course_utils.data import prepared, resizing\n"
    patch += "prepared.CHUNK = 4\n"
    environment = {**os.environ, "COURSE_CACHE_DIR": str(cache.parent), "PYTHONPATH": str(ROOT)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", patch + code, str(folder)], env=environment, **pipes)


STOP_AT_TENTH = """
import itertools, time
decode, count = resizing.avatar, itertools.count(1)
def stopping(item):
    if next(count) == 10:
        time.sleep(60)
    return decode(item)
resizing.avatar = stopping
data.load_cartoonset(folder=sys.argv[1])
"""


@pytest.mark.parametrize("packed", [False, True])
def test_killed_process_is_continued(packed, tmp_path, cache, decoded):
    path = pack(tmp_path / "some.tgz", with_tables()) if packed else put(tmp_path / "some", with_tables())
    process = start_process(path, cache, STOP_AT_TENTH)
    journal = lambda: [line for file in cache.glob("*/journal.jsonl") for line in file.read_bytes().splitlines()]  # noqa: E731
    for _ in range(600):
        if len(journal()) == 2:
            break
        assert process.poll() is None, process.communicate()
        threading.Event().wait(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=10)
    assert process.returncode == -signal.SIGKILL and len(journal()) == 2
    (store,) = stores(cache)
    damage_half_chunk(store)  # what a kill in the middle of a write leaves
    avatars = data.load_cartoonset(folder=path)
    check(avatars)
    assert decoded.calls == 4, "eight of twelve images were safe"
    np.testing.assert_array_equal(avatars.attributes["hair"], [int(Path(name).stem[2:]) % 5 for name in avatars.names])
    shutil.rmtree(cache)
    again = data.load_cartoonset(folder=path)
    assert again.names == avatars.names, "an interruption changed the order"


def test_two_processes_at_once(tmp_path, cache):
    slow = "decode = resizing.avatar\nimport time\n"
    slow += "def slowly(item):\n    time.sleep(0.05)\n    print('decoded')\n    return decode(item)\n"
    slow += "resizing.avatar = slowly\nprint(data.load_cartoonset(folder=sys.argv[1]))"
    folder = put(tmp_path / "some", FILES)
    processes = [start_process(folder, cache, slow) for _ in range(2)]
    outputs = []
    for process in processes:
        output, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        assert "Your own images: 11 training and 1 test images" in output
        outputs.append(output)
    assert sum(output.count("decoded") for output in outputs) == 12, "each image once, whoever prepared it"
    check(data.load_cartoonset(folder=folder))
    (store,) = stores(cache)
    assert (store / "images.bin").stat().st_size == 12 * 256 * 256 * 3
    assert {path.name for path in store.iterdir()} == {"images.bin", "journal.jsonl", "index.json"}


def test_full_disk_in_the_middle(tmp_path, cache, monkeypatch, decoded):
    folder, sync, calls = put(tmp_path / "some", FILES), os.fsync, []

    def full(file):
        calls.append(file)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(file)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(data.DataError) as caught:
        data.load_cartoonset(folder=folder)
    for part in ("No space left on device", str(cache), "What is done stays there", "COURSE_CACHE_DIR", "limit"):
        assert part in str(caught.value)
    done = decoded.calls
    check(data.load_cartoonset(folder=folder))
    assert decoded.calls == done + 8, "four images were safe"


def test_too_little_room_is_known_before(tmp_path, monkeypatch, decoded):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1_000_000))
    folder = put(tmp_path / "some", FILES)
    with pytest.raises(data.DataError, match="12 images need another 2.4 MB, and 1.0 MB are free.*limit"):
        data.load_cartoonset(folder=folder)
    assert decoded.calls == 0 and len(data.load_cartoonset(folder=folder, limit=5).images) == 5


def test_write_that_fails_half_way(tmp_path, cache):
    """A limit on the size of a file stops a true write in the middle of an image."""
    limit = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, 1_500_000))\n"
    folder = put(tmp_path / "some", FILES)
    process = start_process(folder, cache, limit + "data.load_cartoonset(folder=sys.argv[1])")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1 and "File too large" in errors and "What is done stays there" in errors
    check(data.load_cartoonset(folder=folder))


def test_cache_that_cannot_be_written(tmp_path, monkeypatch):
    """Below a regular file nobody can make a folder, not even root."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("COURSE_CACHE_DIR", str(tmp_path / "file" / "cache"))
    folder = put(tmp_path / "some", FILES)
    with pytest.warns(UserWarning, match="own-images cannot be stored in the cache.*set COURSE_CACHE_DIR"):
        check(data.load_cartoonset(folder=folder))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check(data.load_cartoonset(folder=folder))
        assert data.load_cartoonset().source == "drawn"


def test_no_place_to_write(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("COURSE_CACHE_DIR", str(tmp_path / "file" / "cache"))

    def refuse(**options):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(caching.tempfile, "TemporaryDirectory", refuse)
    with pytest.raises(data.DataError, match="own-images cannot be stored in .*Not a directory.*set COURSE_CACHE_DIR"):
        data.load_cartoonset(folder=put(tmp_path / "some", FILES))


def test_finished_store_in_a_cache_that_cannot_be_written(tmp_path, cache, monkeypatch):
    folder = put(tmp_path / "some", FILES)
    data.load_cartoonset(folder=folder)
    monkeypatch.setattr(Path, "mkdir", lambda *args, **options: pytest.fail("a finished store needs no writing"))
    monkeypatch.setattr(prepared, "locked", lambda *args: pytest.fail("a finished store needs no lock"))
    check(data.load_cartoonset(folder=folder))


def test_index_is_whole_or_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "index.json"
    caching.write_whole(path, '{"a": 1}')
    monkeypatch.setattr(os, "replace", lambda *args: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
    with pytest.raises(OSError, match="full"):
        caching.write_whole(path, '{"a": 2}')
    assert json.loads(path.read_text()) == {"a": 1}


@pytest.mark.parametrize("field", ["names", "sums", "left_out", "finished", "attributes", "categories", "unlabelled"])
@pytest.mark.parametrize("value", ["gone", None, 5, "text", [1], {"a": 1}])
def test_an_index_that_parses_and_is_not_ours(field, value, tmp_path, cache, decoded):
    """Whatever became of a field, the index is made anew from the journal, and no image is decoded again."""
    folder = put(tmp_path / "some", with_tables())
    before = data.load_cartoonset(folder=folder)
    (store,) = stores(cache)
    index = json.loads((store / "index.json").read_text())
    if value == "gone":
        del index["content"][field]
    else:
        index["content"][field] = value
    (store / "index.json").write_text(json.dumps(index))
    avatars = data.load_cartoonset(folder=folder)
    check(avatars)
    np.testing.assert_array_equal(avatars.attributes["hair"], before.attributes["hair"])
    assert decoded.calls == 12 and json.loads((store / "index.json").read_text())["content"]["finished"] is True


@pytest.mark.parametrize("text", ["null", "5", '"text"', "[]", "{}", '{"crc32": 1}', '{"content": 1, "crc32": null}'])
def test_an_index_of_another_kind(text, tmp_path, cache, decoded):
    folder = put(tmp_path / "some", FILES)
    data.load_cartoonset(folder=folder)
    (store,) = stores(cache)
    (store / "index.json").write_text(text)
    check(data.load_cartoonset(folder=folder))
    assert decoded.calls == 12


@pytest.mark.parametrize("field", ["names", "sums", "left_out", "records"])
@pytest.mark.parametrize("value", ["gone", None, 5, ["a"], {"a": 1}])
def test_a_journal_that_parses_and_is_not_ours(field, value, tmp_path, cache, decoded):
    """The first of three chunks is believed, the second is not, and the rest is decoded again."""
    folder = put(tmp_path / "some", FILES)
    data.load_cartoonset(folder=folder)
    (store,) = stores(cache)
    (store / "index.json").unlink()
    lines = (store / "journal.jsonl").read_text().splitlines()
    chunk = json.loads(lines[1])
    if value == "gone":
        del chunk["content"][field]
    else:
        chunk["content"][field] = value
    lines[1] = json.dumps(chunk)
    (store / "journal.jsonl").write_text("\n".join(lines) + "\n")
    check(data.load_cartoonset(folder=folder))
    assert decoded.calls == 12 + 8


def test_drawn_avatars_whose_journal_lost_a_record(cache):
    first = data.load_cartoonset("drawn")
    (store,) = stores(cache)
    (store / "index.json").unlink()
    lines = (store / "journal.jsonl").read_text().replace('"hair"', '"hare"').splitlines(keepends=True)
    (store / "journal.jsonl").write_text("".join(lines))
    again = data.load_cartoonset("drawn")
    np.testing.assert_array_equal(first.images[:], again.images[:])
    np.testing.assert_array_equal(first.attributes["hair"], again.attributes["hair"])


@pytest.mark.parametrize("damage", ["zeros", "one byte", "swapped"])
def test_images_that_are_not_what_was_stored(damage, tmp_path, cache):
    folder, row = put(tmp_path / "some", FILES), 256 * 256 * 3
    avatars = data.load_cartoonset(folder=folder)
    (store,) = stores(cache)
    content = bytearray((store / "images.bin").read_bytes())
    if damage == "zeros":
        content = bytes(len(content))
    elif damage == "one byte":
        content[5 * row + 77] ^= 1
    else:
        content[5 * row : 7 * row] = content[6 * row : 7 * row] + content[5 * row : 6 * row]
    (store / "images.bin").write_bytes(content)
    for images in (avatars.images, data.load_cartoonset(folder=folder).images):
        with pytest.raises(data.DataError) as caught:
            images[5]
        assert f"images.bin is damaged: image 5 is not what was stored. Delete {store}, and" in str(caught.value)
    if damage != "zeros":
        np.testing.assert_array_equal(avatars.images[[0, 4, 7]], avatars.images[[0, 4, 7]])
    shutil.rmtree(store)  # the advice
    check(data.load_cartoonset(folder=folder))


def test_a_kill_while_an_index_is_written_leaves_one_file(tmp_path, monkeypatch):
    def killed(*args):
        raise KeyboardInterrupt

    for pid in (1, 2, 3):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(os, "getpid", lambda: pid)  # noqa: B023
            patch.setattr(os, "replace", killed)
            caching.write_whole(tmp_path / "index.json", "text")
    assert len(list(tmp_path.glob("index*"))) == 1
    caching.write_whole(tmp_path / "index.json", "text")
    assert [path.name for path in tmp_path.glob("index*")] == ["index.json"]

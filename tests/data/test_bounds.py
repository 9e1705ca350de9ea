"""Numbers in files from elsewhere: what is read is bounded before it is believed."""

import gzip
import io
import itertools
import re
import struct
import subprocess
import sys
import tarfile
import tracemalloc
import zlib

import pytest
from test_cartoonset import FILES, ROOT, cache, check, decoded, pack, put, table, with_tables  # noqa: F401

from course_utils import data
from course_utils.data import image_files, labelling

MB = 1 << 20
FEW = dict(itertools.islice(FILES.items(), 2))


def peak(load):
    """MB of Python's memory, at most, while this ran; pixels of images are a part of it."""
    tracemalloc.start()
    try:
        load()
        return tracemalloc.get_traced_memory()[1] / MB
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("count", [1_001, 99_999_999, 10**4000])
def test_a_csv_that_claims_many_values(count, packed, tmp_path):
    files = {**with_tables(), "cs7.csv": f'"hair", 1, {count}\n"eye_lid", 1, 2\n'.encode()}
    path = pack(tmp_path / "some.tgz", files) if packed else put(tmp_path / "some", files)
    avatars = data.load_cartoonset(folder=path)
    check(avatars)
    assert avatars.unlabelled == {"cs7.png": "has no CSV in the official form"}
    every = {name: table(("hair", 1, 99_999_999)) for name in files if name.endswith(".csv")}
    path = put(tmp_path / "all", {**files, **every})
    assert peak(lambda: data.load_cartoonset(folder=path)) < 100
    assert data.load_cartoonset(folder=path).attributes == {}


def test_as_many_values_and_attributes_as_allowed(tmp_path):
    lines = [(f"attribute {number}", 999, 1_000) for number in range(100)]
    every = {name.replace("png", "csv"): table(*lines) for name in FILES}
    avatars = data.load_cartoonset(folder=put(tmp_path / "some", {**FILES, **every}))
    assert len(avatars.attributes) == 100 and len(avatars.categories["attribute 0"]) == 1_000
    every = {name.replace("png", "csv"): table(*lines, ("one more", 0, 1)) for name in FILES}
    assert data.load_cartoonset(folder=put(tmp_path / "some", {**FILES, **every})).attributes == {}


@pytest.mark.parametrize("packed", [False, True])
def test_many_large_csvs(packed, tmp_path, monkeypatch):
    large = {f"cs{number}.csv": b'"a", 0, 1\n' * 200_000 for number in range(60)}  # 120 MB
    path = pack(tmp_path / "some.tgz", {**large, **FEW}) if packed else put(tmp_path / "some", {**large, **FEW})
    assert peak(lambda: data.load_cartoonset(folder=path)) < 50
    monkeypatch.setattr(image_files, "TABLES_BYTES", 3 * MB)
    small = {f"{number}.csv": b'"a", 0, 1\n' * 6_000 for number in range(100)}  # each is short enough
    some = {f"{number}.png": content for number, content in zip(range(100), itertools.cycle(FEW.values()))}  # noqa: B905
    path = pack(tmp_path / "more.tgz", {**small, **some}) if packed else put(tmp_path / "more", {**small, **some})
    with pytest.raises(data.DataError, match="The tables hold more than 3 MB.*Take them away"):
        data.load_cartoonset(folder=path)


def test_a_table_that_is_too_long(tmp_path, monkeypatch):
    monkeypatch.setattr(image_files, "MAX_BYTES", 1 << 16)
    folder = put(tmp_path / "some", {"a.png": FILES["cs0.png"], "labels.csv": b"file,hair\n" + b"a.png,red\n" * 7_000})
    with pytest.raises(data.DataError, match="labels.csv hold.* more than"):
        data.load_cartoonset(folder=folder)


def test_a_table_with_many_columns_or_lines(tmp_path):
    wide = ",".join(["file", *map(str, range(100_000))]) + "\n" + "cs0.png" + ",1" * 100_000 + "\n"
    path = put(tmp_path / "wide", {**FILES, "labels.csv": wide.encode()})
    avatars = data.load_cartoonset(folder=path)
    assert avatars.attributes == {} and "at most 100 others" in avatars.unlabelled["cs0.png"]
    lines = "".join(f"x{number}.png,{number % 3},{number % 40_000}\n" for number in range(80_000))
    path = put(tmp_path / "long", {**FILES, "labels.csv": f"file,hair,number\ncs0.png,1,7\n{lines}".encode()})
    avatars = data.load_cartoonset(folder=path)
    assert avatars.categories == {"hair": ("0", "1", "2")} and len(avatars.unlabelled) == 11


def header(kind, size, name="././@LongLink"):
    member = tarfile.TarInfo(name)
    member.type, member.size = kind, size
    return member.tobuf(tarfile.GNU_FORMAT)


def sparse():
    """A pax header that announces a list of holes, which is as long as the rest of the archive."""
    member = tarfile.TarInfo("cs1.png")
    member.size = 200 * MB
    member.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}
    return member.tobuf(tarfile.PAX_FORMAT) + b"99999999999\n" + b"0\n" * MB


LONG = {
    "long name": header(tarfile.GNUTYPE_LONGNAME, 200 * MB),
    "long link": header(tarfile.GNUTYPE_LONGLINK, 200 * MB),
    "pax": header(tarfile.XHDTYPE, 200 * MB),
    "global pax": header(tarfile.XGLTYPE, 200 * MB),
    "sparse": sparse(),
}


@pytest.mark.parametrize("kind", LONG)
def test_an_archive_header_of_200_mb(kind, tmp_path):
    """A hundredth of that when packed. The files before it are read as far as they go."""
    with gzip.open(tmp_path / "some.tgz", "wb", compresslevel=1) as file:
        good = io.BytesIO()
        with tarfile.open(fileobj=good, mode="w") as archive:
            member = tarfile.TarInfo("cs0.png")
            member.size = len(FILES["cs0.png"])
            archive.addfile(member, io.BytesIO(FILES["cs0.png"]))
        file.write(good.getvalue()[: 512 + -(-member.size // 512) * 512] + LONG[kind])
        for _ in range(200 if kind != "sparse" else 0):
            file.write(bytes(MB))

    def load():
        with pytest.raises(data.DataError, match="some.tgz has a header of more than 1 MB. Do not use it"):
            data.load_cartoonset(folder=tmp_path / "some.tgz")

    assert peak(load) < 40


def test_long_names_and_many_small_headers_are_fine(tmp_path):
    files = {f"{'very-' * 30}long/{'name-' * 30}{name}": content for name, content in FILES.items()}
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        with tarfile.open(tmp_path / "some.tgz", "w:gz", format=form, pax_headers={"comment": "x" * 1000}) as archive:
            for number, (name, content) in enumerate(files.items()):
                member = tarfile.TarInfo(name)
                member.size, member.pax_headers = len(content), {"comment": "y" * 5000 * (number % 2)}
                archive.addfile(member, io.BytesIO(content))
        check(data.load_cartoonset(folder=tmp_path / "some.tgz"), files)


def test_too_many_members(tmp_path, monkeypatch):
    monkeypatch.setattr(image_files, "MEMBERS", 12)
    check(data.load_cartoonset(folder=pack(tmp_path / "some.tgz", FILES)))
    with pytest.raises(data.DataError, match="has more than 12 files"):
        data.load_cartoonset(folder=pack(tmp_path / "more.tgz", {**FILES, "cs12.png": FILES["cs1.png"]}))


def test_many_large_images_of_an_archive(tmp_path):
    """They are zeros, so that the archive is small; two chunks of them are in memory at a time."""
    large = {f"cs{number}.png": FILES["cs0.png"] + bytes(8 * MB) for number in range(100, 108)}
    path = pack(tmp_path / "some.tgz", {**FILES, **large})
    assert peak(lambda: data.load_cartoonset(folder=path)) < 30
    avatars = data.load_cartoonset(folder=path)
    assert set(avatars.left_out) == set(large) and "is longer than 2,097,152 bytes" in avatars.left_out["cs100.png"]


def test_what_tarfile_cannot_parse_is_damaged(tmp_path):
    for number, value in enumerate(("1,x", "7,7,7", "-1,-1")):
        member = tarfile.TarInfo("cs1.png")
        member.pax_headers = {"GNU.sparse.map": value}
        path = tmp_path / f"{number}.tgz"
        path.write_bytes(gzip.compress(member.tobuf(tarfile.PAX_FORMAT) + bytes(1024)))
        with pytest.raises(data.DataError):
            data.load_cartoonset(folder=path)


def test_a_png_that_claims_much_takes_little(tmp_path):
    """The text of a PNG, packed a thousandfold, and a colour profile of the same kind."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    good, bomb = FILES["cs0.png"], zlib.compress(bytes(200 * MB), 9)
    for kind, start in ((b"zTXt", b"key\0\0"), (b"iCCP", b"name\0\0"), (b"iTXt", b"key\0\1\0\0\0")):
        content = good[:33] + chunk(kind, start + bomb) + good[33:]
        folder = put(tmp_path / kind.decode(), {**FEW, "cs9.png": content})
        assert peak(lambda: data.load_cartoonset(folder=folder)) < 50  # noqa: B023


def test_memory_of_the_process_is_bounded_too(tmp_path):
    """What tracemalloc cannot see: a whole process with 700 MB to live in meets each of the large ones."""
    every = {name: table(("hair", 1, 99_999_999)) for name in ("cs0.csv", "cs1.csv")}
    put(tmp_path / "claims", {**FEW, **every})
    with gzip.open(tmp_path / "header.tgz", "wb", compresslevel=1) as file:
        file.write(header(tarfile.GNUTYPE_LONGNAME, 1 << 30))
        for _ in range(600):
            file.write(bytes(MB))
    code = "import resource, sys\nfrom course_utils import data\nimport PIL.Image, tqdm.auto\n"
    code += "from course_utils.data import archive_download\n"
    code += "now = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize() if sys.platform == 'linux'"
    code += " else 1 << 30\n"
    code += "resource.setrlimit(resource.RLIMIT_AS, (now + (400 << 20),) * 2)\n"
    code += "for path in sys.argv[1:]:\n"
    code += "    try:\n        print(data.load_cartoonset(folder=path).attributes)\n"
    code += "    except data.DataError as error:\n        print(error)\n"
    command = [sys.executable, "-c", code, str(tmp_path / "claims"), str(tmp_path / "header.tgz")]
    run = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120)
    lines = run.stdout.splitlines()
    assert run.returncode == 0 and lines[0] == "{}" and "has a header of more than 1 MB" in lines[1], run.stderr


# --- tables as spreadsheets save them


PLAIN = "file,hair,glasses\ncs0.png,blond,no\ncs1.png,brün,yes\ncs2.png,blond,no\n"
SAVED = {
    "mark": PLAIN.encode("utf-8-sig"),
    "semicolons": PLAIN.replace(",", ";").encode("utf-8-sig"),
    "tabs": PLAIN.replace(",", "\t").encode("utf-16"),
    "windows": PLAIN.replace("\n", "\r\n").encode(),
    "windows 1252": PLAIN.replace(",", ";").encode("cp1252"),
    "quoted": PLAIN.replace("blond", '"blond"').encode(),
}


@pytest.mark.parametrize("kind", SAVED)
def test_a_table_saved_by_a_spreadsheet(kind, tmp_path):
    avatars = data.load_cartoonset(folder=put(tmp_path / "some", {**FILES, "labels.csv": SAVED[kind]}))
    assert avatars.categories == {"hair": ("blond", "brün"), "glasses": ("no", "yes")}
    assert "cs0.png" not in avatars.unlabelled and avatars.unlabelled["cs3.png"] == "has no line in labels.csv"


def test_an_official_csv_saved_by_a_spreadsheet(tmp_path):
    csvs = {name.replace("png", "csv"): "hair;1;111\r\neye_lid;0;2\r\n".encode("utf-8-sig") for name in FILES}
    avatars = data.load_cartoonset(folder=put(tmp_path / "some", {**FILES, **csvs}))
    assert not avatars.unlabelled and set(avatars.attributes) == {"hair", "eye_lid"}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (PLAIN.replace("file", "name").encode(), "is no table with a column 'file'"),
        (b"file,hair\n" + b'"cs0.png,x', "is no whole table"),
        (b"", "is no table with a column 'file'"),
    ],
)
def test_why_a_table_is_none(content, why, tmp_path):
    avatars = data.load_cartoonset(folder=put(tmp_path / "some", {**FILES, "labels.csv": content}))
    assert set(avatars.unlabelled) == set(FILES) and f"labels.csv {why}" in avatars.unlabelled["cs0.png"]
    assert image_files.LABELS == "labels.csv"


@pytest.mark.parametrize("part", ["columns", "lines"])
def test_a_table_of_own_images_that_is_too_large(part, tmp_path, monkeypatch):
    """The images stay, and the table says why it is none."""
    monkeypatch.setattr(labelling, "LINES", 500)
    head, line = (
        ("file" + ",x" * 101, "1.png") if part == "columns" else ("file,hair", "1.png,red\n" * 500 + "1.png,red")
    )
    for text, why in ((f"{head}\n{line}\n", f"labels.csv has .* {part}"), ("file,hair\n1.png,red\n", "")):
        avatars = data.load_folder(put(tmp_path / "some", {"1.png": FILES["cs1.png"], "labels.csv": text.encode()}))
        assert len(avatars.images) == 1 and bool(avatars.unlabelled) == bool(why)
        assert all(re.search(why, reason) for reason in avatars.unlabelled.values())

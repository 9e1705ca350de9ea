"""Every way an image set can come, and every way that can fail. No network: a small server on 127.0.0.1 stands in."""

import errno
import gzip
import hashlib
import http.server
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pooch
import pytest

from course_utils import data, drawn
from course_utils.data import cache as caching
from course_utils.data import mnist, mnist_files, network

REAL_DIR, REAL_MD5, REAL_SIZES = os.environ.get("COURSE_DATA_DIR"), mnist_files.MD5, mnist.DRAWN_SIZES
LOADERS = {"mnist": data.load_mnist, "fashion-mnist": data.load_fashion_mnist}
FILES = TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = mnist_files.FILES
DEAD = "http://127.0.0.1:9/"  # the discard port: nobody listens


def idx(array, magic=8):
    """The bytes of an idx.gz file, the same ones every time."""
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, magic, array.ndim, *array.shape)
    return gzip.compress(header + array.tobytes(), mtime=0)


def md5(content):
    return hashlib.md5(content).hexdigest()


def make_files(seed=0, train=300, test=200):
    """Noise does not compress, so that the image files are longer than one piece of a download."""
    rng = np.random.default_rng(seed)
    arrays = []
    for size in (train, test):
        arrays += [rng.integers(0, 256, (size, 28, 28), np.uint8), rng.integers(0, 10, size, np.uint8)]
    return {file: idx(array) for file, array in zip(FILES, arrays, strict=True)}


GOOD, OTHER = make_files(0), make_files(1)


def put(folder, contents):
    folder.mkdir(parents=True, exist_ok=True)
    for file, content in contents.items():
        (folder / file).write_bytes(content)
    return folder


def whole(folder, files=FILES):
    """Whether the folder holds these files, all good, and nothing else: no half file, no temporary one."""
    return {path.name: path.read_bytes() for path in folder.iterdir()} == {file: GOOD[file] for file in files}


def serve_well(handler, content):
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)


def serve_404(handler, content):
    handler.send_error(404)


def serve_half(handler, content):
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content[: len(content) // 2])


def serve_wrong(handler, content):
    serve_well(handler, content[::-1])


class Server(http.server.ThreadingHTTPServer):
    """Serves GOOD under any folder by `self.serve`, and writes down which files were asked for (GET only)."""

    daemon_threads = True

    def __init__(self, serve=serve_well):
        super().__init__(("127.0.0.1", 0), Handler)
        self.serve, self.got = serve, []
        self.url = f"http://127.0.0.1:{self.server_port}/"
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self):
        self.send_response(200)
        self.end_headers()

    def do_GET(self):
        file = self.path.split("/")[-1]
        self.server.got.append(file)
        self.server.serve(self, GOOD[file])

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    servers = []

    def start(serve=serve_well):
        servers.append(Server(serve))
        return servers[-1]

    yield start
    for one in servers:
        one.shutdown()
        one.server_close()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache, no folder, no network, small files, and a quick drawing: a test adds what it needs."""

    def draw(number, rng):
        pen.calls += 1
        return rng.integers(0, 256, (number, 28, 28, 1), np.uint8), rng.integers(0, 10, number)

    code = tmp_path / "drawn.py"
    code.write_text("version 1")
    names = tuple(f"kind {i}" for i in range(10))
    pen = SimpleNamespace(digits=draw, garments=draw, DIGITS=names, GARMENTS=names, __file__=str(code), calls=0)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.delenv("COURSE_DATA_DIR", raising=False)
    monkeypatch.setenv("COURSE_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(mnist_files, "MD5", {key: {file: md5(GOOD[file]) for file in FILES} for key in LOADERS})
    monkeypatch.setattr(mnist_files, "MIRRORS", {key: [DEAD, DEAD + "second/"] for key in LOADERS})
    monkeypatch.setattr(caching, "stand_ins", {})
    monkeypatch.setattr(mnist, "DRAWN_SIZES", (30, 12))
    monkeypatch.setattr(mnist, "drawn", pen)
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The user's folder, whole, for both sets."""
    for key in LOADERS:
        put(tmp_path / "mine" / key, GOOD)
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path / "mine"))
    return tmp_path / "mine"


def mirrors(monkeypatch, *urls):
    monkeypatch.setattr(mnist_files, "MIRRORS", {key: list(urls) for key in LOADERS})


def start_process(cache, url, code="print(data.load_mnist('real'))"):
    """Another Python which loads MNIST from `url` into `cache`."""
    tables = json.dumps({"MD5": mnist_files.MD5, "MIRRORS": {key: [url] for key in LOADERS}})
    patch = "from course_utils import data\nfrom course_utils.data import mnist_files\n"
    patch += "vars(mnist_files).update(json.loads(sys.argv[1]))"
    script = f"import json, sys\n{patch}\n{code}"
    root = str(Path(drawn.__file__).parents[2])
    environment = {**os.environ, "COURSE_CACHE_DIR": str(cache), "PYTHONPATH": root}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", script, tables], env=environment, **pipes)


def check_arrays(images):
    for part, names in (("train", FILES[:2]), ("test", FILES[2:])):
        pixels, labels = getattr(images, f"{part}_images"), getattr(images, f"{part}_labels")
        assert pixels.shape == (len(labels), 28, 28, 1) and pixels.dtype == labels.dtype == np.uint8
        assert gzip.decompress(GOOD[names[0]])[16:] == pixels.tobytes()
        assert gzip.decompress(GOOD[names[1]])[8:] == labels.tobytes()


# --- the four places


@pytest.mark.parametrize("key", LOADERS)
def test_folder_comes_first(key, folder, cache, server, monkeypatch):
    put(cache / key, OTHER)  # would be a warning, and a download, if it were read
    mirrors(monkeypatch, (site := server()).url)
    images = LOADERS[key]("real")
    check_arrays(images)
    assert images.source == "folder" and images.is_real and not site.got
    assert images.name == {"mnist": "MNIST", "fashion-mnist": "Fashion-MNIST"}[key]
    assert images.class_names[9] == {"mnist": "9", "fashion-mnist": "Ankle boot"}[key] and len(images.class_names) == 10
    assert str(images) == f"{images.name}: 300 training and 200 test images, from the folder in COURSE_DATA_DIR"
    images.train_images[0] = 0  # the arrays may be written to


def test_cache_then_download(cache, server, monkeypatch):
    mirrors(monkeypatch, (site := server()).url)
    first = data.load_fashion_mnist()
    second = data.load_fashion_mnist("real")
    check_arrays(first)
    check_arrays(second)
    assert (first.source, second.source) == ("download", "cache")
    assert site.got == list(FILES), "the second load asked the server again"
    assert whole(cache / "fashion-mnist") and not (cache / "mnist").exists()
    assert str(second) == repr(second) == "Fashion-MNIST: 300 training and 200 test images, from the cache"


def test_the_default_cache_is_that_of_the_system(monkeypatch):
    monkeypatch.delenv("COURSE_CACHE_DIR")
    assert caching.caches() == [pooch.os_cache("vae-course")]


def test_without_network_images_are_drawn_and_say_so(tmp_path):
    images = data.load_fashion_mnist()
    assert images.source == "drawn" and not images.is_real and images.class_names[3] == "kind 3"
    assert images.train_images.shape == (30, 28, 28, 1) and images.test_images.shape == (12, 28, 28, 1)
    assert images.train_images.dtype == images.train_labels.dtype == images.test_labels.dtype == np.uint8
    for part in ("30 training and 12 test images DRAWN IN CODE", "no connection", "not Fashion-MNIST results"):
        assert part in images.origin
    assert str(tmp_path) not in images.origin and os.sep not in images.origin


def test_real_refuses_drawn_images_and_says_what_to_do(cache):
    with pytest.raises(data.DataError) as caught:
        data.load_mnist("real")
    for part in ("COURSE_DATA_DIR", *FILES, str(cache / "mnist"), "Connect to the network", "no connection"):
        assert part in str(caught.value)


def test_drawn_can_be_asked_for(folder):
    images = data.load_mnist("drawn")
    assert images.source == "drawn" and "asked for" in images.origin


@pytest.mark.parametrize("source", ["Real", "", None, "folder"])
def test_other_sources_are_refused(source, folder):
    with pytest.raises(ValueError, match="'auto', 'real', 'drawn'"):
        data.load_mnist(source)


def test_real_files():
    """The published sets, where a folder with them is set. Without it only the table is looked at."""
    assert all(set(table) == set(FILES) for table in REAL_MD5.values()) and REAL_SIZES == (20_000, 4_000)
    assert len({value for table in REAL_MD5.values() for value in table.values()}) == 8
    if not REAL_DIR:
        pytest.skip("COURSE_DATA_DIR is not set, so the published files are not here to be read")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_DATA_DIR", REAL_DIR)
        patch.setattr(mnist_files, "MD5", REAL_MD5)
        for load in LOADERS.values():
            images = load("real")
            assert images.train_images.shape == (60_000, 28, 28, 1) and images.test_images.shape == (10_000, 28, 28, 1)
            assert set(images.train_labels) == set(images.test_labels) == set(range(10)) and images.source == "folder"


# --- the user's folder: refused when bad, never changed


def other_md5(content):
    return OTHER[TRAIN_IMAGES]  # a valid idx file, only not this one


DAMAGES = {
    "truncated": lambda content: content[:-100],
    "wrong": lambda content: b"<html>404</html>",
    "empty": lambda content: b"",
    "another version": other_md5,
}


@pytest.mark.parametrize("source", ["auto", "real"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_bad_file_in_the_folder_is_refused(damage, source, folder, server, monkeypatch):
    mirrors(monkeypatch, (site := server()).url)
    path = folder / "mnist" / TRAIN_IMAGES
    bad = DAMAGES[damage](GOOD[TRAIN_IMAGES])
    path.write_bytes(bad)
    with pytest.raises(data.DataError) as caught:
        data.load_mnist(source)
    for part in (str(path), md5(bad), md5(GOOD[TRAIN_IMAGES]), f"{len(bad):,} bytes", "Replace it", "unset it"):
        assert part in str(caught.value)
    assert path.read_bytes() == bad and not site.got
    data.load_fashion_mnist(source)  # the other set is not touched by this


def test_unreadable_file_in_the_folder_is_refused(folder):
    path = folder / "mnist" / TEST_LABELS
    path.unlink()
    path.mkdir()  # reading fails even for root, for whom permissions do not count
    with pytest.raises(data.DataError, match=f"{TEST_LABELS} cannot be read: Is a directory. Make it readable"):
        data.load_mnist()
    assert path.is_dir()


def test_missing_files_in_the_folder_are_named(folder):
    for file in (TRAIN_LABELS, TEST_IMAGES):
        (folder / "mnist" / file).unlink()
    with pytest.raises(data.DataError) as caught:
        data.load_mnist()
    assert f"lacks {TRAIN_LABELS}, {TEST_IMAGES}." in str(caught.value) and TRAIN_IMAGES not in str(caught.value)


@pytest.mark.parametrize("kind", ["missing", "file"])
def test_data_dir_must_be_a_folder(kind, tmp_path, monkeypatch):
    path = tmp_path / "typo"
    if kind == "file":
        path.write_text("")
    monkeypatch.setenv("COURSE_DATA_DIR", str(path))
    with pytest.raises(data.DataError, match="COURSE_DATA_DIR names .*typo, which is not an existing folder.*unset"):
        data.load_mnist()


def test_folder_without_this_set_leads_on_to_the_cache(folder, cache):
    shutil.rmtree(folder / "mnist")
    put(cache / "mnist", GOOD)
    assert data.load_mnist("real").source == "cache" and data.load_fashion_mnist().source == "folder"


@pytest.mark.parametrize(("place", "spelt"), [("mnist", "mnist"), ("mine", "MNIST_data")])
def test_folder_that_is_passed_over_is_named(place, spelt, tmp_path, server, monkeypatch):
    """One level too deep, or spelt otherwise: said before a download, and as a reason to draw."""
    put(tmp_path / "mine" / spelt, GOOD)
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path / "mine" / ("" if place == "mine" else place)))
    why = f"COURSE_DATA_DIR names {place}, which has no folder `mnist`"
    with pytest.warns(UserWarning, match=why):
        images = data.load_mnist()
    assert f"because {why}, and {TRAIN_IMAGES} could not be downloaded" in str(images)
    assert str(tmp_path) not in str(images)
    with pytest.warns(UserWarning, match=why), pytest.raises(data.DataError, match=f"asked for, but {why}, and"):
        data.load_mnist("real")
    mirrors(monkeypatch, server().url)
    with pytest.warns(
        UserWarning, match=f"{why}: mnist is downloaded. .*name the folder which contains `mnist`"
    ) as said:
        check_arrays(data.load_mnist())
    assert len(said) == 1 and said[0].filename == __file__, "one warning, which points at the call"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert data.load_mnist().source == "cache"


SMALL = np.zeros((5, 28, 28), np.uint8)
BAD_IDX = [
    (TRAIN_IMAGES, idx(SMALL)[:-9], "is not a whole gzip file"),
    (TRAIN_IMAGES, b"plain text", "is not a whole gzip file"),
    (TRAIN_IMAGES, idx(SMALL)[:10] + b"\xff" + idx(SMALL)[11:], "is not a whole gzip file"),
    (TRAIN_IMAGES, idx(SMALL, magic=13), "begins with 00 00 0d 03"),
    (TRAIN_IMAGES, idx(SMALL.ravel()), "begins with 00 00 08 01"),
    (TRAIN_LABELS, idx(SMALL), "begins with 00 00 08 03"),
    (TRAIN_LABELS, gzip.compress(b"\0\0\x08\x01\0\0", mtime=0), "begins with 00 00 08 01"),
    (TRAIN_IMAGES, idx(SMALL[:, :, 1:]), "(5, 28, 27)"),
    (TRAIN_IMAGES, gzip.compress(gzip.decompress(idx(SMALL))[:-1], mtime=0), "holds 3,919 bytes"),
    (TRAIN_IMAGES, gzip.compress(gzip.decompress(idx(SMALL)) + b"\0", mtime=0), "holds 3,921 bytes"),
    (TRAIN_LABELS, idx(np.zeros(7, np.uint8)), "300 images, but train-labels-idx1-ubyte.gz has 7 labels"),
    (TEST_IMAGES, idx(SMALL), "t10k-images-idx3-ubyte.gz has 5 images"),
]


@pytest.mark.parametrize(("file", "content", "message"), BAD_IDX)
def test_idx_files_are_parsed_strictly(file, content, message, folder, monkeypatch):
    """The md5 agrees here, so that what speaks is the parser."""
    put(folder / "mnist", {file: content})
    monkeypatch.setitem(mnist_files.MD5["mnist"], file, md5(content))
    with pytest.raises(data.DataError) as caught:
        data.load_mnist()
    assert file in str(caught.value) and message in str(caught.value)


# --- the cache: replaced when bad


@pytest.mark.parametrize("damage", DAMAGES)
def test_bad_file_in_the_cache_is_replaced(damage, cache, server, monkeypatch):
    put(cache / "mnist", {**GOOD, TRAIN_IMAGES: DAMAGES[damage](GOOD[TRAIN_IMAGES])})
    mirrors(monkeypatch, (site := server()).url)
    with pytest.warns(UserWarning, match=f"{TRAIN_IMAGES} is not the official file.*downloaded anew"):
        images = data.load_mnist()
    check_arrays(images)
    assert images.source == "download" and site.got == [TRAIN_IMAGES] and whole(cache / "mnist")


def test_bad_file_in_the_cache_without_network(cache):
    put(cache / "mnist", {**GOOD, TEST_IMAGES: b"half"})
    with pytest.warns(UserWarning, match=TEST_IMAGES):
        images = data.load_mnist()
    assert images.source == "drawn" and f"{TEST_IMAGES} could not be downloaded" in images.origin
    with pytest.warns(UserWarning, match=TEST_IMAGES), pytest.raises(data.DataError, match=TEST_IMAGES):
        data.load_mnist("real")


def test_cache_that_cannot_be_written(tmp_path, server, monkeypatch):
    """Below a regular file nobody can make a folder, not even root."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("COURSE_CACHE_DIR", str(tmp_path / "file" / "cache"))
    mirrors(monkeypatch, (site := server()).url)
    with pytest.warns(UserWarning, match="cannot be stored in the cache.*set COURSE_CACHE_DIR") as caught:
        first = data.load_mnist()
    check_arrays(first)
    assert len(caught) == 1 and first.source == "download"
    check_arrays(data.load_mnist("real"))
    assert site.got == list(FILES), "the temporary folder should have served the second load"
    (stand_in,) = caching.stand_ins.values()
    assert whole(Path(stand_in.name) / "mnist")
    images = data.load_mnist("drawn")
    assert len(images.train_images) == 30 and (tmp_path / "file").read_text() == ""


@pytest.mark.parametrize("mode", [0o500, 0o000])
def test_cache_without_permission(mode, ordinary, server, monkeypatch):
    mirrors(monkeypatch, server().url)
    (ordinary / "cache").mkdir(mode=mode)
    with pytest.warns(UserWarning, match="cannot be stored in the cache .*: Permission denied. "):
        check_arrays(data.load_mnist("real"))


@pytest.mark.parametrize("source", ["auto", "real"])
@pytest.mark.parametrize("place", [".", "mnist", f"mnist/{TEST_IMAGES}"])
def test_cache_that_cannot_be_read_is_not_an_empty_one(place, source, ordinary, monkeypatch):
    put(ordinary / "cache" / "mnist", GOOD)
    (ordinary / "cache" / place).chmod(0)
    with pytest.raises(data.DataError, match="cannot be read in the cache .Permission denied., and .*no connection"):
        with pytest.warns(UserWarning, match="In the cache, .* cannot be read: Permission denied.*Make it readable"):
            data.load_mnist(source)
    (ordinary / "cache" / place).chmod(0o700)
    check_arrays(data.load_mnist(source))


@pytest.mark.parametrize("source", ["auto", "real"])
@pytest.mark.parametrize("mode", [0o000, 0o444])
@pytest.mark.parametrize("place", [".", "mnist"])
def test_folder_without_permission_does_not_lack_files(place, mode, source, ordinary, server, monkeypatch):
    mirrors(monkeypatch, (site := server()).url)
    put(ordinary / "mine" / "mnist", GOOD)
    monkeypatch.setenv("COURSE_DATA_DIR", str(ordinary / "mine"))
    (ordinary / "mine" / place).chmod(mode)
    for _ in range(2):
        with pytest.raises(data.DataError, match="mine/mnist.* cannot be looked at: Permission denied") as caught:
            data.load_mnist(source)
        assert "lacks" not in str(caught.value) and not site.got
    (ordinary / "mine" / place).chmod(0o755)
    assert data.load_mnist(source).source == "folder"
    (ordinary / "mine" / "mnist" / TEST_LABELS).chmod(0)
    with pytest.raises(data.DataError, match=f"{TEST_LABELS} cannot be read: Permission denied. Make it readable"):
        data.load_mnist(source)


def full_disk(monkeypatch, *folders):
    """Let every download into one of these folders fail at its last step, as a full disk does."""
    replace = os.replace

    def fail_or_replace(start, goal):
        if any(Path(goal).is_relative_to(one) for one in folders):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(goal))
        return replace(start, goal)

    monkeypatch.setattr(os, "replace", fail_or_replace)


def test_full_cache_disk(cache, server, monkeypatch):
    put(cache / "mnist", {TRAIN_IMAGES: GOOD[TRAIN_IMAGES], TRAIN_LABELS: b"bad before"})
    full_disk(monkeypatch, cache)
    mirrors(monkeypatch, server().url)
    with pytest.warns(UserWarning) as caught:
        check_arrays(data.load_mnist("real"))
    message = str(caught[-1].message)
    assert TRAIN_LABELS in message and str(cache) in message and "No space left" in message
    left = {path.name: path.read_bytes() for path in (cache / "mnist").iterdir() if ".part" not in path.name}
    assert left == {TRAIN_IMAGES: GOOD[TRAIN_IMAGES], TRAIN_LABELS: b"bad before"}, "the old state was not kept"


def test_full_disks_everywhere(cache, server, monkeypatch, tmp_path):
    full_disk(monkeypatch, cache, tempfile.gettempdir())
    mirrors(monkeypatch, (site := server()).url)
    with pytest.warns(UserWarning, match="No space left"):
        with pytest.raises(data.DataError, match=f"{TRAIN_IMAGES} could not be stored.*No space left.*COURSE_DATA_DIR"):
            data.load_mnist("real")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # the temporary folder is there now; a second one would be no better
        images = data.load_mnist()
    assert images.source == "drawn" and "No space left" in images.origin and str(tmp_path) not in images.origin
    assert set(site.got) == {TRAIN_IMAGES}, "a full disk is no reason to ask for the other files"


def test_write_that_fails_half_way(cache, server):
    """A limit on the size of a file stops a true write in the middle: the first file is too long, the second is not."""
    put(cache / "mnist", {TRAIN_LABELS: GOOD[TRAIN_LABELS]})
    limit = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
    process = start_process(cache, server().url, limit + "print(data.load_mnist('real'))")
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 1 and f"{TRAIN_IMAGES} could not be stored" in errors and "File too large" in errors
    for path in (cache / "mnist").glob(f"{TRAIN_IMAGES}.part*"):  # as long as was allowed, to be gone on with
        path.unlink()
    assert whole(cache / "mnist", [TRAIN_LABELS])


# --- the download


@pytest.mark.parametrize(
    ("serve", "why"), [(serve_404, "answered 404"), (serve_half, "broke off"), (serve_wrong, "sent other bytes")]
)
def test_bad_mirror(serve, why, cache, server, monkeypatch):
    bad, good = server(serve), server()
    mirrors(monkeypatch, bad.url, good.url)
    images = data.load_mnist("real")
    check_arrays(images)
    assert whole(cache / "mnist") and good.got == list(FILES)
    assert set(bad.got) == {TRAIN_IMAGES}, "a mirror that failed is not to be asked first for the next file"
    shutil.rmtree(cache)
    mirrors(monkeypatch, bad.url, server(serve).url)
    with pytest.raises(data.DataError, match=f"{TRAIN_IMAGES} could not be downloaded .*: {why}.*; .*: {why}"):
        data.load_mnist("real")
    kept = {f"{TRAIN_IMAGES}.part"} if serve is serve_half else set()
    assert {path.name for path in (cache / "mnist").iterdir()} == kept, "only what can be gone on with is kept"


def test_dead_network_is_asked_once_for_each_mirror(monkeypatch):
    asked = []

    def no_name(host, *args, **options):
        asked.append(host)
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_name)
    mirrors(monkeypatch, "https://first.invalid/", "https://second.invalid/")
    assert "first.invalid: no connection; second.invalid: no connection" in data.load_mnist().origin
    assert asked == ["first.invalid", "second.invalid"]


def test_network_that_never_answers_is_left_soon(monkeypatch):
    done = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: done.wait(20) and [])
    monkeypatch.setattr(network, "CONNECT_SECONDS", 0.2)
    start = time.monotonic()
    assert data.load_mnist().source == "drawn"
    assert time.monotonic() - start < 5
    done.set()


def test_server_that_falls_silent_is_left(server, monkeypatch):
    done = threading.Event()
    monkeypatch.setattr(network, "READ_SECONDS", 0.2)
    mirrors(monkeypatch, server(lambda handler, content: done.wait(20)).url)
    start = time.monotonic()
    assert data.load_mnist().source == "drawn"
    assert time.monotonic() - start < 5
    done.set()


def test_second_run_takes_up_where_the_first_ended(cache, server, monkeypatch):
    mirrors(monkeypatch, server(lambda h, c: (serve_404 if TEST_IMAGES in h.path else serve_well)(h, c)).url)
    assert data.load_mnist().source == "drawn"
    assert whole(cache / "mnist", FILES[:2])
    mirrors(monkeypatch, (site := server()).url)
    check_arrays(data.load_mnist())
    assert site.got == [TEST_IMAGES, TEST_LABELS]


def test_two_processes_at_once(cache, server):
    def serve(handler, content):
        time.sleep(0.3)  # the other process comes meanwhile, and waits
        serve_well(handler, content)

    site = server(serve)
    processes = [start_process(cache, site.url) for _ in range(2)]
    for process in processes:
        output, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        assert output.startswith("MNIST: 300 training and 200 test images, ")
        assert str(cache) not in errors, "a path of this machine would land in a notebook"
    assert sorted(site.got) == sorted(FILES) and whole(cache / "mnist"), "each file once, whoever fetched it"


def test_killed_process_leaves_nothing_half_read(cache, server, monkeypatch):
    half_sent, done = threading.Event(), threading.Event()

    def serve(handler, content):
        if TEST_IMAGES not in handler.path:
            return serve_well(handler, content)
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content[:-1000])
        half_sent.set()
        done.wait(20)

    process = start_process(cache, server(serve).url)
    assert half_sent.wait(20)
    end = time.monotonic() + 10
    part = cache / "mnist" / f"{TEST_IMAGES}.part"
    while not (part.exists() and part.stat().st_size > 60_000):
        assert time.monotonic() < end, "the download did not begin"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=10)
    done.set()
    assert process.returncode == -signal.SIGKILL and not (cache / "mnist" / TEST_IMAGES).exists()
    mirrors(monkeypatch, (site := server()).url)
    check_arrays(data.load_mnist("real"))
    assert site.got == [TEST_IMAGES, TEST_LABELS] and whole(cache / "mnist"), "a kill left something behind"


# --- drawn images


def test_drawn_images_are_reproducible_and_the_parts_differ(cache):
    first = data.load_mnist("drawn")
    shutil.rmtree(cache)
    second = data.load_mnist("drawn")
    np.testing.assert_array_equal(first.train_images, second.train_images)
    np.testing.assert_array_equal(first.test_labels, second.test_labels)
    assert not any((image == first.train_images).all((1, 2, 3)).any() for image in first.test_images)


def test_drawn_images_are_kept_until_their_code_changes(tmp_path, cache):
    first = data.load_mnist("drawn")
    second = data.load_mnist("drawn")
    assert mnist.drawn.calls == 2, "one call for the training images and one for the test images"
    for field in ("train_images", "train_labels", "test_images", "test_labels"):
        np.testing.assert_array_equal(getattr(first, field), getattr(second, field))
    assert len(list((cache / "drawn").iterdir())) == 1
    data.load_fashion_mnist("drawn")
    assert mnist.drawn.calls == 4
    (tmp_path / "drawn.py").write_text("version 2")
    data.load_mnist("drawn")
    assert mnist.drawn.calls == 6 and len(list((cache / "drawn").iterdir())) == 2, "old drawings are of no use"


@pytest.mark.parametrize("broken", ["empty", "truncated", "flipped", "other", "pickle", "shapes", "types", "huge"])
def test_broken_file_of_drawn_images_is_drawn_anew(broken, cache):
    first = data.load_mnist("drawn")
    (path,) = (cache / "drawn").iterdir()
    good = path.read_bytes()
    if broken == "empty":
        path.write_bytes(b"")
    elif broken == "truncated":
        path.write_bytes(good[: len(good) // 2])
    elif broken == "flipped":
        path.write_bytes(good[:5000] + bytes([good[5000] ^ 1]) + good[5001:])
    elif broken == "other":
        np.savez(path, something=np.zeros(3))
    elif broken in ("shapes", "types"):
        with np.load(path) as stored:
            change = (lambda array: array[1:]) if broken == "shapes" else (lambda array: array.astype(float))
            np.savez(path, **{field: change(stored[field]) for field in stored.files})
    elif broken == "huge":  # a header that claims 8 exabytes
        path.write_bytes(good.replace(b"(30, 28, 28, 1)", b"(99999999999,1)", 1))
    else:
        fields = ("train_images", "train_labels", "test_images", "test_labels")
        np.savez(path, **{field: np.array([{"an": "object"}], dtype=object) for field in fields})
    again = data.load_mnist("drawn")
    np.testing.assert_array_equal(first.train_images, again.train_images)
    assert mnist.drawn.calls == 4
    data.load_mnist("drawn")
    assert mnist.drawn.calls == 4, "the broken file was not replaced"


def test_kills_while_a_drawn_set_is_stored_leave_one_file(cache, monkeypatch):
    def killed(*args):
        raise SystemExit

    for _ in range(3):
        with monkeypatch.context() as patch, pytest.raises(SystemExit):
            patch.setattr(os, "replace", killed)
            data.load_mnist("drawn")
        assert len(list((cache / "drawn").iterdir())) == 1, "each kill leaves more behind"
    data.load_mnist("drawn")
    data.load_fashion_mnist("drawn")
    assert len(list((cache / "drawn").iterdir())) == 2 and not list((cache / "drawn").glob("*.new"))


def test_full_disk_does_not_hinder_drawing(cache, monkeypatch):
    def no_space(*args, **options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(np, "savez", no_space)
    assert len(data.load_mnist("drawn").test_images) == 12
    assert not list((cache / "drawn").glob("*.npz"))


@pytest.mark.parametrize("key", LOADERS)
def test_the_drawing_module_fits(key, monkeypatch):
    monkeypatch.setattr(mnist, "drawn", drawn)
    monkeypatch.setattr(mnist, "DRAWN_SIZES", (40, 10))
    images = LOADERS[key]("drawn")
    assert images.train_images.shape == (40, 28, 28, 1) and images.train_images.dtype == np.uint8
    assert images.train_images.max() > 127 and len(images.class_names) == 10 and images.train_labels.max() < 10


# --- pixels


def test_to_float():
    pixels = np.array([[0, 51, 255]], np.uint8)
    result = data.to_float(pixels)
    np.testing.assert_allclose(result, [[0, 0.2, 1]], atol=1e-7)
    assert result.dtype == np.float32 and data.to_float(result.astype(np.float64)).dtype == np.float32
    np.testing.assert_array_equal(data.to_float(result), result)


@pytest.mark.parametrize("pixels", [[0.0, 255.0], [-1.0, 1.0], [float("nan")], [0, 1], [True]])
def test_to_float_refuses_other_scales(pixels):
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        data.to_float(np.array(pixels))


def test_binarise():
    pixels = np.array([0, 127, 128, 255], np.uint8)
    result = data.binarise(pixels)
    assert result.tolist() == [0, 0, 1, 1] and result.dtype == np.float32
    assert data.binarise(pixels, threshold=0.7).tolist() == [0, 0, 0, 1]
    assert data.binarise(np.array([0.0, 0.5, 0.51])).tolist() == [0, 0, 1], "greater than, not equal"
    assert data.binarise(pixels / 255).tolist() == result.tolist()


# --- batches

NUMBERED = np.broadcast_to(np.arange(100, dtype=np.uint8)[:, None, None, None], (100, 28, 28, 1))


def epoch(dataset):
    """The number of each image, in the order of one epoch."""
    return [int(round(float(image[5, 5, 0]) * 255)) for batch in dataset for image in batch.numpy()]


def test_batches_shuffle_anew_every_epoch_and_lose_nothing():
    dataset = data.batches(NUMBERED, 32, seed=3)
    first, second = epoch(dataset), epoch(dataset)
    assert sorted(first) == sorted(second) == list(range(100))
    assert first != second and first != list(range(100))
    again = data.batches(NUMBERED, 32, seed=3)
    assert [epoch(again), epoch(again)] == [first, second]
    assert epoch(data.batches(NUMBERED, 32, seed=4)) != first
    assert epoch(data.batches(NUMBERED, 32, seed=3, shuffle=False)) == list(range(100))


@pytest.mark.parametrize(("drop", "sizes"), [(False, [32, 32, 32, 4]), (True, [32, 32, 32])])
def test_batches_have_their_size(drop, sizes):
    dataset = data.batches(NUMBERED, 32, seed=0, drop_remainder=drop)
    assert [len(batch) for batch in dataset] == sizes and len(dataset) == len(sizes)
    assert dataset.element_spec.shape.as_list() == [32 if drop else None, 28, 28, 1]


@pytest.mark.parametrize(("transform", "function"), [("float", data.to_float), ("binarise", data.binarise)])
@pytest.mark.parametrize("pixels", [np.arange(256, dtype=np.uint8), np.arange(256) / 256])  # 0.5 is in the second
def test_batches_transform_as_the_functions_do(transform, function, pixels):
    pixels = pixels.reshape(4, 8, 8, 1)
    (batch,) = data.batches(pixels, 4, seed=0, transform=transform, shuffle=False)
    assert batch.dtype == "float32"
    np.testing.assert_array_equal(batch, function(pixels))


def test_batches_keep_labels_with_their_images():
    for images, labels in data.batches(NUMBERED, 32, seed=0, labels=np.arange(100)):
        np.testing.assert_array_equal(np.round(images[:, 0, 0, 0] * 255), labels)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"transform": "binary"}, "'float' or 'binarise'"),
        ({"labels": np.zeros(99)}, "100 images but 99 labels"),
        ({"batch_size": 101, "drop_remainder": True}, "do not fill one batch of 101"),
        ({"batch_size": 0}, "do not fill one batch of 0"),
        ({"images": NUMBERED[:0]}, "0 images"),
        ({"images": NUMBERED.astype(float)}, r"must lie in \[0, 1\]"),
    ],
)
def test_batches_refuse(options, message):
    with pytest.raises(ValueError, match=message):
        data.batches(**{"images": NUMBERED, "batch_size": 32, "seed": 0, **options})


def test_import_is_light():
    code = "import sys, course_utils.data; print({'tensorflow', 'requests'} & set(sys.modules))"
    root = str(Path(drawn.__file__).parents[2])
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": root}
    )
    assert result.stdout == "set()\n", result.stderr


def test_good_files_give_no_warning(folder):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data.load_mnist()

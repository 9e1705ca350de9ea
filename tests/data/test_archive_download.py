"""The download of an archive, and every way that can fail. No network: a small server on 127.0.0.1 stands in."""

import contextlib
import errno
import hashlib
import http.server
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import warnings
from types import SimpleNamespace

import pytest
import urllib3
from test_cartoonset import FILES, ROOT, cache, check, pack, put  # noqa: F401  (cache is a fixture)

from course_utils import data
from course_utils.data import archive_download, network
from course_utils.data import download as downloading

NAME = "cartoonset10k.tgz"


@pytest.fixture
def shelf(cache):  # noqa: F811  (pytest finds fixtures by their names)
    """The folder of archives and stores in an empty cache."""
    return cache


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    return pack(tmp_path_factory.mktemp("archive") / NAME, FILES).read_bytes()


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves one archive with ranges and a tag, as object storage does; `server.serve` may do something else."""

    def do_HEAD(self):
        self.send_response(200)
        self.end_headers()

    def do_GET(self):
        self.server.got.append(self.headers.get("Range"))
        (self.server.serve or Handler.well)(self)

    def well(self, ranges=True, upto=None):
        content, asked = self.server.content, self.headers.get("Range")
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and ranges else 0
        if self.headers.get("If-Range", self.server.tag) != self.server.tag:
            start = 0
        if start >= len(content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("ETag", self.server.tag)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start : start + (upto or len(content))])

    def log_message(self, *args):
        pass


@pytest.fixture
def server(content, monkeypatch):
    one = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    one.daemon_threads, one.content, one.tag, one.got, one.serve = True, content, '"1"', [], None
    one.url = f"http://127.0.0.1:{one.server_port}/"
    threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    monkeypatch.setattr(archive_download, "MIRRORS", [one.url])
    monkeypatch.setattr(network, "PIECE", 1000)
    monkeypatch.setattr(downloading, "PAUSE", 0.01)
    monkeypatch.setitem(data.load_cartoonset.__globals__["SETS"], "cartoonset10k", len(FILES))
    yield one
    one.shutdown()
    one.server_close()


def left(shelf):
    """The files beside the archive, but for locks and stores."""
    return {path.name for path in shelf.iterdir() if path.is_file() and path.suffix not in (".lock", ".txt")}


def test_download_then_cache(shelf, server, content):
    assert data.load_cartoonset().source == "drawn" and not server.got, "nobody asked for a download"
    first = data.load_cartoonset(download="10k")
    second = data.load_cartoonset("real")
    for avatars, source in ((first, "download"), (second, "cache")):
        check(avatars)
        assert avatars.source == source and avatars.name == "cartoonset10k"
    assert "downloaded now" in str(first) and server.got == [None]
    assert (shelf / NAME).read_bytes() == content and left(shelf) == {NAME, NAME + ".json"}
    assert json.loads((shelf / f"{NAME}.json").read_text())["sha256"] == hashlib.sha256(content).hexdigest()


def test_named_set_is_not_replaced_by_another(shelf, server, tmp_path, monkeypatch):
    pack(tmp_path / "cartoonset100k.tgz", FILES)
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path))
    with pytest.warns(UserWarning, match="names .*, which has no `cartoonset10k`: it is downloaded"):
        assert data.load_cartoonset("real", download="10k").name == "cartoonset10k" and server.got == [None]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert data.load_cartoonset("real", download="10k").source == "cache"


def test_a_folder_without_the_named_set_is_refused(shelf, server, tmp_path):
    """Neither another set nor a download takes the place of what was named."""
    put(tmp_path / "mine", FILES)
    with pytest.raises(data.DataError) as caught:
        data.load_cartoonset(folder=tmp_path / "mine", download="10k")
    for part in (str(tmp_path / "mine"), "has no cartoonset10k and no cartoonset10k.tgz", "Leave out the download"):
        assert part in str(caught.value)
    assert not server.got
    check(data.load_cartoonset(folder=pack(tmp_path / NAME, FILES), download="10k"))


def test_a_download_that_fails_is_an_error_or_a_warning(shelf, tmp_path, monkeypatch):
    """The lesson asks for a download at its full budget, and goes on with drawn avatars where there is no network."""
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path / "data"))
    why = "COURSE_DATA_DIR names data, which has no `cartoonset10k`, and cartoonset10k.tgz could not be downloaded"
    with pytest.warns(UserWarning) as caught:
        avatars = data.load_cartoonset(download="10k")
    assert avatars.source == "drawn" and why in avatars.reason
    assert why in str(caught[-1].message) and "Avatars drawn in code take the place of cartoonset10k" in str(caught[-1])
    assert caught[-1].filename == __file__, "the warning should point at the call"
    with pytest.warns(UserWarning, match="is downloaded"), pytest.raises(data.DataError, match=f"but {why}"):
        data.load_cartoonset("real", download="10k")


def test_archive_in_the_cache_serves_a_larger_limit(shelf, server):
    assert len(data.load_cartoonset("real", download="10k", limit=5).images) == 5
    avatars = data.load_cartoonset("real")
    check(avatars)
    assert avatars.source == "cache" and server.got == [None]


def test_broken_connection_is_resumed(shelf, server, content):
    third = len(content) // 3 // 1000 * 1000 + 1000
    server.serve = lambda handler: handler.well(upto=third)
    check(data.load_cartoonset("real", download="10k"))
    assert server.got == [None, f"bytes={third}-", f"bytes={2 * third}-"]


def test_server_without_ranges(shelf, server, content):
    half = len(content) // 2000 * 1000
    server.serve = lambda handler: handler.well(ranges=False, upto=half if len(server.got) == 1 else None)
    check(data.load_cartoonset("real", download="10k"))
    assert server.got == [None, f"bytes={half}-"] and (shelf / NAME).read_bytes() == content


def test_server_that_sends_another_part(shelf, server, content):
    def wrong(handler):
        handler.send_response(206)
        handler.send_header("Content-Range", f"bytes 7-{len(content) - 1}/{len(content)}")
        handler.send_header("Content-Length", str(len(content) - 7))
        handler.end_headers()
        handler.wfile.write(content[7:])

    half = len(content) // 2000 * 1000
    server.serve = lambda handler: handler.well(upto=half) if len(server.got) == 1 else wrong(handler)
    with pytest.raises(data.DataError, match="sent another part than was asked for after .* kB, which are kept"):
        data.load_cartoonset("real", download="10k")
    assert (shelf / f"{NAME}.part").read_bytes() == content[:half]


def test_server_that_sends_too_much(shelf, server, content):
    """Its answer fits the question, and is ten bytes longer than it says."""
    half = len(content) // 2000 * 1000

    def longer(handler):
        handler.send_response(206)
        handler.send_header("Content-Range", f"bytes {half}-{len(content) - 1}/{len(content)}")
        handler.send_header("Content-Length", str(len(content) - half + 10))
        handler.end_headers()
        handler.wfile.write(content[half:] + bytes(10))

    answers = [lambda handler: handler.well(upto=half), longer, Handler.well]
    server.serve = lambda handler: answers[len(server.got) - 1](handler)
    check(data.load_cartoonset("real", download="10k"))
    assert server.got == [None, f"bytes={half}-", None] and (shelf / NAME).read_bytes() == content


def test_early_end_that_nobody_reports(shelf, server, content, monkeypatch):
    """Older versions of urllib3 take the end of a connection for the end of the file."""
    read = network.pieces

    def quiet(*args):
        with contextlib.suppress(urllib3.exceptions.HTTPError):
            yield from read(*args)

    monkeypatch.setattr(network, "pieces", quiet)
    half = len(content) // 2000 * 1000
    server.serve = lambda handler: handler.well(upto=half if len(server.got) == 1 else None)
    check(data.load_cartoonset("real", download="10k"))
    assert server.got == [None, f"bytes={half}-"] and (shelf / NAME).read_bytes() == content


def test_connection_that_stays_broken(shelf, server, content):
    half = len(content) // 2000 * 1000
    server.serve = lambda handler: handler.well(upto=half) if len(server.got) == 1 else handler.close_connection
    with pytest.warns(UserWarning, match="which are kept: the next call goes on from there"):
        avatars = data.load_cartoonset(download="10k")
    assert avatars.source == "drawn" and "which are kept: the next call goes on from there" in str(avatars)
    server.serve = None
    server.got.clear()
    (shelf / f"{NAME}.part").write_bytes(content[:half])
    check(data.load_cartoonset("real", download="10k"))
    assert server.got == [f"bytes={half}-"]


def test_another_version_on_the_server_is_not_glued_to_the_first_half(shelf, server, content):
    half = len(content) // 2000 * 1000
    server.content, server.tag = bytes(content[:2]) + bytes(len(content) - 2), '"0"'

    def change_then_serve(handler):
        if len(server.got) == 1:
            handler.well(upto=half)
            server.content, server.tag = content, '"1"'
        else:
            handler.well()

    server.serve = change_then_serve
    check(data.load_cartoonset("real", download="10k"))
    assert server.got == [None, f"bytes={half}-"] and (shelf / NAME).read_bytes() == content


@pytest.mark.parametrize("extra", [0, 10])
def test_part_that_is_whole_or_longer(extra, shelf, server, content):
    shelf.mkdir(parents=True)
    (shelf / f"{NAME}.part").write_bytes(content + bytes(extra))
    check(data.load_cartoonset("real", download="10k"))
    assert server.got == [f"bytes={len(content) + extra}-"] + [None] * (extra > 0)


def test_killed_download_is_resumed(shelf, server, content):
    half, done = len(content) // 2, threading.Event()

    def stall(handler):
        handler.well(upto=half)
        done.wait(30)

    server.serve = stall
    script = "import sys\nfrom course_utils.data import archive_download\nfrom course_utils import data\n"
    script += "archive_download.MIRRORS = [sys.argv[1]]\n"
    environment = {**os.environ, "COURSE_CACHE_DIR": str(shelf.parent), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", script + "data.load_cartoonset('real', download='10k')", server.url]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    part = shelf / f"{NAME}.part"
    for _ in range(600):
        if part.exists() and part.stat().st_size > half // 2:
            break
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    assert process.wait(10) == -signal.SIGKILL and not (shelf / NAME).exists()
    done.set()
    have = part.stat().st_size
    server.serve = None
    server.got.clear()
    check(data.load_cartoonset("real", download="10k"))
    assert server.got == [f"bytes={have}-"] and 0 < have <= half


def test_changed_archive_is_reported_with_both_sums(shelf, server, content, tmp_path):
    data.load_cartoonset("real", download="10k")
    other = pack(tmp_path / NAME, dict(list(FILES.items())[:4])).read_bytes()
    sums = [hashlib.sha256(each).hexdigest() for each in (content, other)]
    for store in [path for path in shelf.iterdir() if path.is_dir()]:
        shutil.rmtree(store)
    (shelf / NAME).unlink()
    server.content = other
    for source in ("real", "auto"):
        with pytest.raises(data.DataError) as caught:
            data.load_cartoonset(source, download="10k")
        for part in (*sums, f"The server has another {NAME}", f"{NAME}.json to accept it"):
            assert part in str(caught.value)
    assert left(shelf) == {f"{NAME}.json"}
    (shelf / f"{NAME}.json").unlink()
    with pytest.warns(UserWarning, match="published with 12 images; there are 4"):
        assert len(data.load_cartoonset("real", download="10k").images) == 4


def test_damaged_archive_in_the_cache_is_reported(shelf, server, content):
    data.load_cartoonset("real", download="10k", limit=2)
    (shelf / NAME).write_bytes(content[:-100])
    with pytest.raises(data.DataError, match=f"{NAME} has changed.*to download it again"):
        data.load_cartoonset("real", download="10k")
    (shelf / NAME).unlink()
    check(data.load_cartoonset("real", download="10k"))


@pytest.mark.parametrize(
    ("serve", "why"),
    [
        (lambda handler: handler.send_error(404), "answered 404"),
        (lambda handler: handler.send_error(503), "answered 503"),
        (
            lambda handler: setattr(handler.server, "content", b"<html>log in</html>") or handler.well(),
            "sent other bytes than those of the file",
        ),
    ],
    ids=["404", "503", "html"],
)
def test_bad_mirror(serve, why, shelf, server, content, monkeypatch):
    server.serve = serve
    with pytest.raises(data.DataError, match=f"{NAME} could not be downloaded .127.0.0.1:[0-9]*: {why}"):
        data.load_cartoonset("real", download="10k")
    with pytest.warns(UserWarning, match=f"could not be downloaded .*{why}"):
        assert data.load_cartoonset(download="10k").source == "drawn"
    assert not (shelf / NAME).exists()
    good = lambda handler: setattr(server, "content", content) or handler.well()  # noqa: E731
    server.serve = lambda handler: (good if "second" in handler.path else serve)(handler)
    monkeypatch.setattr(archive_download, "MIRRORS", [server.url, server.url + "second/"])
    check(data.load_cartoonset("real", download="10k"))


def test_no_network_and_a_silent_server(shelf, server, monkeypatch):
    done = threading.Event()
    server.serve = lambda handler: done.wait(20)
    monkeypatch.setattr(network, "READ_SECONDS", 0.1)
    start = time.monotonic()
    monkeypatch.setattr(network, "CONNECT_SECONDS", 0.5)
    with pytest.warns(UserWarning, match="127.0.0.1:[0-9]*: no answer"):
        assert data.load_cartoonset(download="10k").source == "drawn"
    monkeypatch.setattr(archive_download, "MIRRORS", ["http://127.0.0.1:9/"])
    with pytest.warns(UserWarning, match="no connection"):
        assert "127.0.0.1:9: no connection" in str(data.load_cartoonset(download="10k"))
    assert time.monotonic() - start < 10
    done.set()


def test_full_disk(shelf, server, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
        with pytest.raises(
            data.DataError,
            match=f"{NAME} could not be stored.*are to come, and 1.0 kB are free. What has arrived is kept. Make room",
        ):
            data.load_cartoonset(download="10k")

    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(data.DataError, match=f"{NAME} could not be stored.*No space left"):
            data.load_cartoonset("real", download="10k")
    assert not (shelf / NAME).exists()
    check(data.load_cartoonset("real", download="10k"))


def test_two_processes_download_once(shelf, server):
    script = "import sys\nfrom course_utils import data\nfrom course_utils.data import archive_download\n"
    script += "archive_download.MIRRORS = [sys.argv[1]]\n"
    script += "print(data.load_cartoonset('real', download='10k'))"
    environment = {**os.environ, "COURSE_CACHE_DIR": str(shelf.parent), "PYTHONPATH": str(ROOT)}
    environment["PYTHONWARNINGS"] = "ignore"
    server.serve = lambda handler: time.sleep(1) or handler.well()
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    command = [sys.executable, "-c", script, server.url]
    processes = [subprocess.Popen(command, env=environment, **pipes) for _ in range(2)]
    for process in processes:
        output, errors = process.communicate(timeout=60)
        assert process.returncode == 0 and "Cartoon Set (cartoonset10k)" in output, errors
    assert server.got == [None]

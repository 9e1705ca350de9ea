"""Servers and networks that fail, in the words a user gets: the true cause, an end in sight, nothing good given up."""

import functools
import json
import threading
import time

import pytest
import requests
import urllib3
from test_archive_download import NAME, content, left, server, shelf  # noqa: F401  (fixtures)
from test_cartoonset import FILES, cache, check, pack  # noqa: F401

from course_utils import data
from course_utils.data import archive_download, download, mnist_files, network


def html(handler):
    page = b"<html>Welcome to the hotel. Please log in.</html>"
    handler.send_response(200)
    handler.send_header("Content-Type", "text/html; charset=utf-8")
    handler.send_header("Content-Length", str(len(page)))
    handler.end_headers()
    handler.wfile.write(page)


def circle(handler):
    handler.send_response(302)
    handler.send_header("Location", handler.path + "x")
    handler.send_header("Content-Length", "0")
    handler.end_headers()


PORTALS = [
    (html, "sent a web page, as networks do that want a log-in"),
    (circle, "sends from one address to the next in a circle"),
]


@pytest.mark.parametrize(("serve", "why"), PORTALS)
@pytest.mark.parametrize("kept", [0, 9_000])
def test_portals_and_circles_are_named_and_cost_nothing(serve, why, kept, shelf, server, content):  # noqa: F811
    shelf.mkdir(parents=True)
    if kept:
        (shelf / f"{NAME}.part").write_bytes(content[:kept])
    server.serve = serve
    with pytest.raises(data.DataError, match=f"{NAME} could not be downloaded .127.0.0.1:[0-9]*: {why}") as caught:
        data.load_cartoonset("real", download="10k")
    assert ("9.0 kB, which are kept: the next call goes on" in str(caught.value)) == bool(kept)
    assert "0.0 MB" not in str(caught.value) and left(shelf) == ({f"{NAME}.part"} if kept else set())
    server.serve = None
    server.got.clear()
    check(data.load_cartoonset("real", download="10k"))
    assert server.got == [f"bytes={kept}-" if kept else None], "what was kept was not gone on with"


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (requests.exceptions.SSLError("certificate verify failed"), "its certificate is not accepted"),
        (urllib3.exceptions.SSLError("bad"), "its certificate is not accepted"),
        (requests.exceptions.ProxyError("407"), "the proxy that HTTPS_PROXY or HTTP_PROXY names does not let it"),
        (requests.exceptions.InvalidProxyURL("http://"), "the proxy that HTTPS_PROXY or HTTP_PROXY names"),
        (requests.TooManyRedirects(), "sends from one address to the next in a circle"),
        (requests.ReadTimeout(), "no answer"),
        (requests.ConnectTimeout(), "no answer"),
        (urllib3.exceptions.ReadTimeoutError(None, None, "slow"), "no answer"),
        (urllib3.exceptions.IncompleteRead(1, 2), "broke off"),
        (requests.ConnectionError("refused"), "no connection"),
        (urllib3.exceptions.LocationParseError("x"), r"failed .LocationParseError"),
    ],
)
@pytest.mark.parametrize("load", [data.load_mnist, functools.partial(data.load_cartoonset, download="10k")])
def test_causes_have_their_words(error, why, load, monkeypatch):
    def fail(*args, **options):
        raise error

    monkeypatch.setitem(mnist_files.MIRRORS, "mnist", ["http://127.0.0.1:9/"])
    monkeypatch.setattr(requests, "head", fail)
    with pytest.raises(data.DataError, match=f"could not be downloaded .*: {why}") as caught:
        load("real")
    assert ("no connection" in str(caught.value)) == (why == "no connection")


def test_a_certificate_and_a_proxy_that_are_truly_refused(shelf, server, monkeypatch):  # noqa: F811
    """Encryption is spoken to a server that has none; a proxy says that it wants a password."""
    monkeypatch.setattr(archive_download, "MIRRORS", [server.url.replace("http:", "https:")])
    with pytest.raises(data.DataError, match="its certificate is not accepted"):
        data.load_cartoonset("real", download="10k")

    class Proxy(server.RequestHandlerClass):
        def do_CONNECT(self):
            self.send_error(407)

    server.RequestHandlerClass = Proxy
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.setenv("HTTPS_PROXY", server.url)
    monkeypatch.setattr(archive_download, "MIRRORS", ["https://storage.invalid/"])
    with pytest.raises(data.DataError, match="storage.invalid: the proxy that HTTPS_PROXY or HTTP_PROXY names"):
        data.load_cartoonset("real", download="10k")


def trickle(handler, headers=False):
    if headers:
        handler.wfile.write(b"HTTP/1.0 200 OK\r\nX-Long: ")
    else:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(handler.server.content)))
        handler.end_headers()
    for place in range(400):
        handler.wfile.write(handler.server.content[place : place + 1] if not headers else b"x")
        if handler.server.stop.wait(0.05):
            return


@pytest.mark.parametrize("kind", ["body", "headers"])
@pytest.mark.parametrize("key", ["mnist", "cartoonset"])
def test_a_server_that_trickles_is_left(kind, key, shelf, server, monkeypatch, capsys):  # noqa: F811
    server.stop = threading.Event()
    server.serve = lambda handler: trickle(handler, kind == "headers")
    monkeypatch.setattr(network, "SLOW_SECONDS", 1.0)
    monkeypatch.setattr(network, "CONNECT_SECONDS", 0.8)
    monkeypatch.setattr(network, "READ_SECONDS", 0.8)
    monkeypatch.setattr(download, "PAUSE", 0.0)
    monkeypatch.setattr(archive_download, "ATTEMPTS", 2)
    monkeypatch.setitem(mnist_files.MIRRORS, "mnist", [server.url])
    start = time.monotonic()
    with pytest.raises(data.DataError) as caught:
        data.load_mnist("real") if key == "mnist" else data.load_cartoonset("real", download="10k")
    server.stop.set()
    assert time.monotonic() - start < 8
    if kind == "headers":
        assert "no answer" in str(caught.value) or "sends too slowly: 0 bytes" in str(caught.value)
        return
    assert "sends too slowly: " in str(caught.value) and "bytes, which are kept" in str(caught.value)
    bar = capsys.readouterr().err
    assert "/29.8k" in bar and any(f"{number}.0/" in bar for number in range(5, 30)), "no byte is seen to arrive"


def test_a_slow_server_is_waited_for(shelf, server, content, monkeypatch):  # noqa: F811
    """Ten times the least speed, over more than the time that is looked at."""
    monkeypatch.setattr(network, "SLOW_SECONDS", 0.3)
    monkeypatch.setattr(network, "SLOW_BYTES", 1_000)

    def slowly(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        for place in range(0, len(content), 2_000):
            handler.wfile.write(content[place : place + 2_000])
            time.sleep(0.06)

    server.serve = slowly
    check(data.load_cartoonset("real", download="10k"))
    assert server.got == [None]


def test_connections_that_bring_a_byte_each_have_an_end(shelf, server, monkeypatch):  # noqa: F811
    monkeypatch.setattr(network, "SLOW_SECONDS", 0.5)
    server.serve = lambda handler: handler.well(upto=10)
    with pytest.raises(data.DataError, match="sends too slowly"):
        data.load_cartoonset("real", download="10k")


def without_length(handler, share=1.0):
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(handler.server.content[: int(len(handler.server.content) * share)])


def test_half_an_archive_is_not_what_the_next_is_compared_with(shelf, server):  # noqa: F811
    """Without its length a half archive looks whole: it is told when it is read, deleted, and not remembered."""
    server.serve = lambda handler: without_length(handler, 0.5)
    for source in ("real", "auto"):
        with pytest.raises(data.DataError, match="cannot be read to its end.*is deleted: the next call downloads it"):
            data.load_cartoonset(source, download="10k")
        assert not left(shelf), "a damaged archive, or what was known of it, is still there"
    server.serve = without_length
    check(data.load_cartoonset("real", download="10k"))  # the advice
    assert left(shelf) == {NAME, f"{NAME}.json"} and server.got == [None] * 3
    assert len(json.loads((shelf / f"{NAME}.json").read_text())["sha256"]) == 64


@pytest.mark.parametrize(
    "record", ["{}", "[]", "null", '{"sha256": 5}', '{"sha256": null}', "half {", '{"sha256": ""}']
)
def test_a_record_that_parses_and_is_not_ours(record, shelf, server):  # noqa: F811
    shelf.mkdir(parents=True)
    (shelf / f"{NAME}.json").write_text(record)
    check(data.load_cartoonset("real", download="10k"))
    assert len(json.loads((shelf / f"{NAME}.json").read_text())["sha256"]) == 64


@pytest.mark.parametrize("tag", [b"", b"\0\0\0\0", b"W/weak", b'"two\nlines"', b"\xff\xfe"])
def test_a_damaged_tag_is_not_sent(tag, shelf, server, content):  # noqa: F811
    shelf.mkdir(parents=True)
    (shelf / f"{NAME}.part").write_bytes(content[:9_000])
    (shelf / f"{NAME}.part.tag").write_bytes(tag)
    check(data.load_cartoonset("real", download="10k"))
    assert server.got == ["bytes=9000-"]


def endless(handler):
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(handler.server.content[:2])
    try:
        for _ in range(2_000):
            handler.wfile.write(bytes(10_000))
    except OSError:
        pass


def announced(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", str(10**14))
    handler.end_headers()
    handler.wfile.write(handler.server.content)


@pytest.mark.parametrize(("serve", "why"), [(endless, "sent more than 1.0 MB"), (announced, "announces 100,000.0 GB")])
def test_a_file_without_an_end_does_not_fill_the_disk(serve, why, shelf, server, monkeypatch):  # noqa: F811
    monkeypatch.setitem(archive_download.MOST, "cartoonset10k", 1_000_000)
    server.serve = serve
    with pytest.raises(data.DataError, match=why):
        data.load_cartoonset("real", download="10k")
    assert not left(shelf)


@pytest.mark.parametrize("length", ["", "many", "-5", "\u00b2", "1e9"])
def test_lengths_that_are_no_numbers(length, shelf, server, content):  # noqa: F811
    def odd(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", length)
        handler.end_headers()
        handler.wfile.write(content)

    server.serve = odd
    check(data.load_cartoonset("real", download="10k"))

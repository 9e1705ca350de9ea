"""Questions to servers: how long to wait for them, how slow they may be, and what went wrong, in words."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import requests

CONNECT_SECONDS, READ_SECONDS = 6.0, 20.0  # until a server answers at all; of silence
SLOW_SECONDS, SLOW_BYTES = 60.0, 30_000  # a server that sends less in this time is left
PIECE = 1 << 16


class Refused(Exception):
    """A server that does not give the file. The text says why, so that it fits behind the name of the server."""


def reason(error: Exception) -> str:
    """What an error of requests or urllib3 means for a user, without an address."""
    import requests
    import urllib3

    certificate = "its certificate is not accepted; a proxy that reads along, or a wrong clock, may be the cause"
    proxy = "the proxy that HTTPS_PROXY or HTTP_PROXY names does not let it through"
    broken = (urllib3.exceptions.ProtocolError, urllib3.exceptions.IncompleteRead)
    kinds = (
        (requests.TooManyRedirects, "sends from one address to the next in a circle"),
        ((requests.exceptions.SSLError, urllib3.exceptions.SSLError), certificate),
        ((requests.exceptions.ProxyError, urllib3.exceptions.ProxyError, requests.exceptions.InvalidProxyURL), proxy),
        ((requests.Timeout, urllib3.exceptions.TimeoutError), "no answer"),
        ((requests.exceptions.ChunkedEncodingError, *broken), "broke off"),
        (requests.ConnectionError, "no connection"),
    )
    if isinstance(error, requests.HTTPError):
        return f"answered {error.response.status_code}"
    return next((words for kind, words in kinds if isinstance(error, kind)), f"failed ({type(error).__name__})")


def is_passing(error: Exception) -> bool:
    """Whether it may be otherwise a moment later."""
    return reason(error) in ("no answer", "broke off", "no connection")


def ask(url: str) -> None:
    """Raise an error of requests or urllib3 unless the server answers in `CONNECT_SECONDS`."""
    import requests

    _within(CONNECT_SECONDS, lambda: requests.head(url, timeout=CONNECT_SECONDS))


def answer(url: str, headers: dict[str, str]) -> "requests.Response":
    """The answer of a server, of which nothing but the headers is read yet. Raises what `ask` raises."""
    import requests

    limits = (CONNECT_SECONDS, READ_SECONDS)
    get = lambda: requests.get(url, headers=headers, stream=True, timeout=limits)  # noqa: E731
    return _within(CONNECT_SECONDS + READ_SECONDS, get)


class Pace:
    """How fast something arrives, over all connections that it takes."""

    def __init__(self):
        self.since, self.arrived = time.monotonic(), 0

    def add(self, number: int) -> None:
        """Raise `Refused` if `SLOW_SECONDS` have brought less than `SLOW_BYTES`."""
        self.arrived += number
        seconds = time.monotonic() - self.since
        if seconds < SLOW_SECONDS:
            return
        if self.arrived < SLOW_BYTES:
            raise Refused(f"sends too slowly: {self.arrived:,} bytes in {seconds:.0f} seconds")
        self.since, self.arrived = time.monotonic(), 0


def pieces(found: "requests.Response", pace: Pace) -> Iterator[bytes]:
    """What arrives, as soon as it does: to wait for a full piece would hide a trickle from the bar and the clock."""
    while piece := found.raw.read1(PIECE, decode_content=False):
        pace.add(len(piece))
        yield piece


def _within(seconds: float, question: Callable):
    """What the question gives, or `requests.Timeout`.

    A thread keeps the time: the time-out of requests covers neither a name look-up nor a name with many addresses nor
    headers that trickle in.
    """
    import requests

    outcome = queue.SimpleQueue()

    def work() -> None:
        try:
            outcome.put((question(), None))
        except Exception as error:  # whatever it is, it is raised where somebody waits for it
            outcome.put((None, error))

    threading.Thread(target=work, daemon=True).start()
    try:
        result, error = outcome.get(timeout=seconds)
    except queue.Empty:
        raise requests.Timeout(f"no answer in {seconds:g} seconds") from None
    if error is not None:
        raise error
    return result

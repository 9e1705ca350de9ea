"""Questions to servers: how long to wait for an answer, and whether one comes at all."""

import threading

CONNECT_SECONDS, READ_SECONDS = 6.0, 20.0


def ask(url: str) -> None:
    """Raise `requests.RequestException` unless the server answers in `CONNECT_SECONDS`.

    A thread keeps the time: the time-out of requests covers neither a name look-up nor a name with many addresses.
    """
    import requests

    outcome: list[requests.RequestException] = [requests.ConnectTimeout(f"no answer in {CONNECT_SECONDS:g} seconds")]

    def head() -> None:
        try:
            requests.head(url, timeout=CONNECT_SECONDS)
            outcome.clear()
        except requests.RequestException as error:
            outcome[0] = error

    thread = threading.Thread(target=head, daemon=True)
    thread.start()
    thread.join(CONNECT_SECONDS)
    if outcome:
        raise outcome[0]

"""Several machines that wait for each other: whom this one waits for is said, and the wait has an end.

While TensorFlow waits for other machines, no line of Python runs in its thread: not the one that answers Ctrl-C, and
SIGTERM it catches itself. So a second thread looks after signals and peers.
"""

import contextlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator

from course_utils.command.cluster import Cluster

AGAIN = "Start the same line on all machines again: the training goes on from its last checkpoint."


class Watch:
    """A thread that says for whom this machine waits, and ends the process when it has to.

    Args:
        cluster: the machines.
        every: seconds between two looks at the others.
        patience: seconds after which a machine that was there and is gone ends the training.
        grace: seconds which the process has to end by itself after a signal.
    """

    def __init__(self, cluster: Cluster, every: float = 2.0, patience: float = 30.0, grace: float = 10.0):
        self.cluster, self.every, self.patience, self.grace = cluster, every, patience, grace
        self.told: set[str] | None = None
        self.met: set[str] = set()
        self.gone: dict[str, float] = {}  # since when
        self.over = threading.Event()

    def look(self, now: float) -> str | None:
        """Try to reach the other machines, and say what has changed; returns why to end, or None."""
        absent = {name for name, address in self.cluster.others.items() if not _answers(address)}
        self.met |= self.cluster.others.keys() - absent
        lost = absent & self.met
        self.gone = {name: self.gone.get(name, now) for name in lost}
        if absent != self.told:
            self._say(absent, lost)
            self.told = absent
        for name, since in self.gone.items():
            if now - since >= self.patience:
                return f"{self._name(name)} has not answered for {now - since:.0f} seconds. The training ends. {AGAIN}"
        return None

    def _name(self, name: str) -> str:
        return f"{name} at {self.cluster.addresses[name]}"

    def _say(self, absent: set, lost: set) -> None:
        if not absent:
            print("All machines are there.", flush=True)
        for name in sorted(absent):
            if name in lost:
                print(f"{self._name(name)} is gone; waiting {self.patience:.0f} seconds for it.", flush=True)
            else:
                print(f"Waiting for {self._name(name)}: start the same line there, with its own index.", flush=True)

    def run(self, signals: socket.socket) -> None:
        """Until the watch is over: look every few seconds, and at once when a signal comes."""
        signals.settimeout(self.every)
        while not self.over.is_set():
            try:
                number = signals.recv(1)
            except TimeoutError:
                if not self.over.is_set() and (reason := self.look(time.monotonic())):
                    _end(reason, 1)
                continue
            if number and number[0] in (signal.SIGINT, signal.SIGTERM) and not self.over.wait(self.grace):
                _end(f"Interrupted, in the middle of work with other machines. {AGAIN}", 128 + number[0])


@contextlib.contextmanager
def watched(cluster: Cluster | None, **settings) -> Iterator[None]:
    """Look after signals and the other machines inside the block; without a cluster of several do nothing."""
    if cluster is None or not cluster.others:
        yield
        return
    watch = Watch(cluster, **settings)
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    wakeup = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
    thread = threading.Thread(target=watch.run, args=[ours], daemon=True)
    thread.start()
    try:
        take_signals()
        yield
    finally:
        watch.over.set()
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
        theirs.close()
        thread.join(timeout=5)
        ours.close()


def take_signals() -> None:
    """Answer Ctrl-C and SIGTERM by an interruption."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)


def retake_signals() -> None:
    """Have the signals back that TensorFlow took for itself when it met the other machines."""
    if signal.getsignal(signal.SIGTERM) is _interrupt:
        take_signals()


def _interrupt(number, frame):
    raise KeyboardInterrupt


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    with contextlib.suppress(OSError), socket.create_connection((host.strip("[]"), int(port)), timeout=2):
        return True
    return False


def _end(reason: str, code: int) -> None:
    """End the process from this thread: the main one hears nothing."""
    print(f"\n{reason}", file=sys.stderr, flush=True)
    sys.stdout.flush()
    os._exit(code)

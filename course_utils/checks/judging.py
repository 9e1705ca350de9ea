"""From a learner's function to one printed line: "Right." with an insight, or "Not yet:" with what is wrong."""

import ctypes
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import tensorflow as tf

from course_utils.checks.calling import Call, NotYet, check_signature

TIME_LIMIT = 90.0  # seconds of computing, or ten times as many of waiting; one number at a time takes a quarter of it


class TooSlow(BaseException):
    """Raised inside the learner's function when its time is over; no ``except Exception`` there swallows it."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise ``TooSlow`` in this thread after ``seconds`` of computing, on every system and inside a notebook's kernel.

    A second thread waits and then has Python raise it here, so the learner's code runs where it always runs, and
    no thread is left behind. A single operation of TensorFlow or NumPy ends before the exception arrives.
    """
    here, over, late, lock = threading.get_ident(), threading.Event(), threading.Event(), threading.Lock()

    def interrupt() -> None:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(here), ctypes.py_object(TooSlow))

    def wait() -> None:
        busy, start = time.process_time(), time.monotonic()
        while not over.wait(min(1.0, seconds)):
            with lock:
                if time.process_time() - busy > seconds or time.monotonic() - start > 10 * seconds:
                    late.set()
                if late.is_set() and not over.is_set():
                    interrupt()  # again and again, for a function that swallows the first

    threading.Thread(target=wait, daemon=True).start()
    try:
        yield
    finally:
        with lock:
            over.set()
        if late.is_set():  # one may be on its way: have it arrive here
            try:
                interrupt()
                while True:
                    pass
            except TooSlow:
                pass


@contextmanager
def undisturbed() -> Iterator[None]:
    """Without warnings, and with every ``tf.function`` run as plain Python.

    A ``tf.function`` made inside an answer would otherwise repeat its draws under the notebook's global seed.
    """
    eager = tf.config.functions_run_eagerly()
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        tf.config.run_functions_eagerly(True)
        try:
            yield
        finally:
            tf.config.run_functions_eagerly(eager)


def exercise(arguments: str, insight: str, **call) -> Callable[[Callable], Callable[[Callable], None]]:
    """Make an exercise's public check of ``examine(call, rng)``, which raises ``NotYet`` with what is wrong.

    The check takes the learner's function and prints the verdict. It never raises, but lets an interrupt from the
    keyboard through. Its name and its docstring are those of ``examine``.

    Args:
        arguments: what the learner's function gets, as between the parentheses of its ``def``.
        insight: said after "Right.".
        call: further fields of ``Call``.
    """

    def check_of(examine: Callable) -> Callable[[Callable], None]:
        def check(function: Callable) -> None:
            print(_verdict(Call(function, tuple(arguments.split(", ")), **call), examine, insight))

        check.__name__, check.__qualname__, check.__module__ = examine.__name__, examine.__name__, examine.__module__
        check.__doc__ = examine.__doc__
        return check

    return check_of


def _verdict(call: Call, examine: Callable, insight: str) -> str:
    try:
        check_signature(call.function, call.arguments)
        with undisturbed(), time_limit(TIME_LIMIT):
            examine(call, np.random.default_rng())
            if call.written:
                raise NotYet(
                    f"what comes back is right, but the function writes into `{call.written}`: whoever calls it has "
                    "other numbers there afterwards. Work on a new array."
                )
    except NotYet as problem:
        return f"Not yet: {problem}"
    except TooSlow:
        return (
            f"Not yet: there is no verdict after {TIME_LIMIT:.0f} seconds of computing. Does a loop never end? If the "
            "function is only slow, compute with whole arrays in place of one number at a time."
        )
    except Exception as error:
        return f"Not yet: the check cannot read what the function returns ({type(error).__name__})."
    return " ".join(["Right.", insight, *call.notes[:1]])

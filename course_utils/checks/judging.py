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


def judge(function: Callable, examine: Callable[[Call], None], insight: str, **call) -> None:
    """Print the verdict. Never raises, but lets an interrupt from the keyboard through.

    Args:
        function: the learner's.
        examine: gets the function as a ``Call``, and raises ``NotYet`` with the words for what is wrong.
        insight: said after "Right.".
        call: the fields of ``Call``.
    """
    call = Call(function, **call)
    try:
        check_signature(function, call.arguments)
        with undisturbed(), time_limit(TIME_LIMIT):
            examine(call)
        line = " ".join(["Right.", insight, *call.notes[:1]])
    except NotYet as problem:
        line = f"Not yet: {problem}"
    except TooSlow:
        line = (
            f"Not yet: there is no verdict after {TIME_LIMIT:.0f} seconds of computing. Does a loop never end? If the "
            "function is only slow, compute with whole arrays in place of one number at a time."
        )
    except Exception as error:
        line = f"Not yet: the check cannot read what the function returns ({type(error).__name__})."
    print(line)

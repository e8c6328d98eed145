"""Requests to stop: Ctrl-C, and where the system has them SIGTERM (a cancelled CI job) and SIGHUP.

On Windows SIGBREAK is Ctrl-Break, a cancelled job of GitHub Actions, and a console window that is closed.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

STOP_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
_asked = threading.Event()


@contextmanager
def on_stop_request(callback: Callable[[], None]) -> Iterator[None]:
    """Call ``callback`` for each request to stop, as long as the context lasts.

    It is called between any two instructions of the main thread, so it should do one safe thing: raise,
    or put something into a ``queue.SimpleQueue``. Outside the main thread signals are somebody else's.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in STOP_SIGNALS if hasattr(signal, name)]
    _asked.clear()

    def stop(*_: object) -> None:
        _asked.set()
        callback()

    before = {
        number: signal.signal(number, stop)
        for number in numbers
        # What was told to be ignored stays so: nohup.
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            # Ignored meanwhile: see ignore_stop_requests.
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, handler)


def asked_to_stop() -> bool:
    """Whether somebody has asked meanwhile: for what waits long.

    An exception that the callback raises is lost where Python can't let it out, in a finalizer.
    """
    return _asked.is_set()


@contextmanager
def undisturbed() -> Iterator[None]:
    """Ignore requests to stop for as long as the context lasts: what has to be removed is removed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in STOP_SIGNALS if hasattr(signal, name)]
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def ignore_stop_requests() -> None:
    """From here on ignore them: the program stops already, and has only to say so."""
    if threading.current_thread() is threading.main_thread():
        for name in STOP_SIGNALS:
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), signal.SIG_IGN)

"""Work that repeats: inside a web service as a thread, or as the whole of a service without a port."""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from psycopg import OperationalError

HEARTBEAT = Path("/tmp/heartbeat")
HEARTBEAT_MAX_AGE_S = 30

_log = logging.getLogger(__name__)


def _attempt(step: Callable[[], object], seconds: float) -> bool:
    """Run a step; log what goes wrong. A neighbour that is away for a while is worth one line only."""
    try:
        step()
    except (OSError, OperationalError) as error:
        _log.warning("%s; trying again in %s s", error, seconds)
    except Exception:
        _log.exception("a step failed; trying again in %s s", seconds)
    else:
        return True
    return False


class Repeat:
    """Call a function every few seconds until told to stop. An error is logged; the next turn tries again."""

    def __init__(self, step: Callable[[], object], seconds: float) -> None:
        self._step = step
        self._seconds = seconds
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Let the step in progress finish, for at most ten seconds."""
        self._stopping.set()
        self._thread.join(timeout=10)

    def _run(self) -> None:
        while not self._stopping.is_set():
            _attempt(self._step, self._seconds)
            self._stopping.wait(self._seconds)


def run_until_stopped(step: Callable[[], object], seconds: float) -> None:
    """The main loop of a service without a port. SIGTERM ends it after the step in progress.

    Each successful step touches the heartbeat file, which is what the health check looks at.
    """
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    while not stopping.is_set():
        if _attempt(step, seconds):
            HEARTBEAT.touch()
        stopping.wait(seconds)
    _log.info("stopped")


def heartbeat_age_s() -> float:
    """Seconds since the last successful step."""
    return time.time() - HEARTBEAT.stat().st_mtime if HEARTBEAT.exists() else float("inf")


if __name__ == "__main__":  # python -m homeiq_common.workers: the health check
    sys.exit(0 if heartbeat_age_s() < HEARTBEAT_MAX_AGE_S else 1)

"""Callers of one service that count what they miss while it is deployed, for the demo."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from collections import Counter


class Callers:
    """Ask a URL for its version again and again, from several threads, each time by a new connection."""

    def __init__(self, url: str, threads: int = 4, pause: float = 0.02) -> None:
        self.url, self.pause = url, pause
        self.answers: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(threads)]

    def __enter__(self) -> Callers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def describe(self) -> str:
        """What was answered and what wasn't, in one line."""
        versions = ", ".join(
            f"{count} by version {version}" for version, count in sorted(self.answers.items())
        )
        reasons = "".join(f"; {count} x {what}" for what, count in self.failures.items())
        return (
            f"{self.answers.total()} requests answered ({versions}), {self.failures.total()} failed{reasons}"
        )

    def _ask(self) -> None:
        while not self._stop.is_set():
            try:
                with urllib.request.urlopen(self.url, timeout=10) as answer:  # noqa: S310 - loopback
                    version, failure = str(json.load(answer)["version"]), ""
            except (OSError, ValueError, KeyError) as error:
                version, failure = "", f"{type(error).__name__}: {error}"
            with self._lock:
                (self.failures if failure else self.answers)[failure or version] += 1
            time.sleep(self.pause)

"""A second engine (second_engine.py) that goes away for a while, as when an administrator restarts it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import engine_facts

_SECONDS = 60


@contextlib.contextmanager
def stopped(host: str) -> Iterator[None]:
    """The engine at ``host`` is stopped inside, and runs again afterwards, with the same settings."""
    engine = _process_of(host)
    argv, home = _argv(engine), _parent(engine)
    subprocess.run(["kill", str(engine)], check=True)
    _wait(lambda: not _argv(engine), "the engine doesn't stop")
    yield
    # In the namespaces of the first one, so that it ends with them.
    again = subprocess.Popen(
        ["nsenter", f"--target={home}", "--net", "--mount", "--pid", "--", *argv],
        env={**os.environ, "PATH": engine_facts.search_path(os.environ)},
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    threading.Thread(target=again.wait, daemon=True).start()
    _wait(lambda: _answers(host), "the engine doesn't come back")


def _process_of(host: str) -> int:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            argv = _argv(int(entry.name))
            if argv and Path(argv[0]).name == "dockerd" and f"--host={host}" in argv:
                return int(entry.name)
    raise AssertionError(f"no engine listens at {host}")


def _argv(process: int) -> list[str]:
    """Empty for one that has ended, even where nobody has taken notice of that yet."""
    try:
        return Path(f"/proc/{process}/cmdline").read_text(encoding="utf-8").split("\0")[:-1]
    except OSError:
        return []


def _parent(process: int) -> int:
    after_name = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2]
    return int(after_name.split()[1])


def _answers(host: str) -> bool:
    return subprocess.run(["docker", "--host", host, "info"], capture_output=True).returncode == 0


def _wait(there: Callable[[], bool], otherwise: str) -> None:
    end = time.monotonic() + _SECONDS
    while not there():
        assert time.monotonic() < end, otherwise
        time.sleep(0.1)

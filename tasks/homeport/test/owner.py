"""Whose a test's things are, and what is left of tests that were killed."""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import psutil

RUN_LABEL = "io.homeport.test.run"
OWNER_LABEL = "io.homeport.test.owner"
_STRANGER_SECONDS = 24 * 3600.0
"""How old a run of another machine has to be before it counts as dead: nobody here can look."""


@dataclass(frozen=True)
class Owner:
    """A process that tests: its machine, its number and when it began (seconds since the epoch)."""

    host: str
    pid: int
    began: float

    def __str__(self) -> str:
        return f"{self.host} {self.pid} {self.began:.2f}"

    def alive(self, host: str, now: float, began_of: Callable[[int], float | None]) -> bool:
        """Whether it may still be at work, seen from ``host``, where ``began_of`` knows the processes."""
        if self.host != host:
            return now - self.began < _STRANGER_SECONDS
        began = began_of(self.pid)
        return began is not None and abs(began - self.began) < 1


def me() -> Owner:
    """This process."""
    return Owner(socket.gethostname(), os.getpid(), psutil.Process().create_time())


def began_of(pid: int) -> float | None:
    """When a process of this machine began; None if there is none."""
    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return None


def parse(text: str) -> Owner | None:
    """An owner as it stands in a label; None for anything else."""
    try:
        host, pid, began = text.split(" ")
        return Owner(host, int(pid), float(began))
    except ValueError:
        return None


def orphans(
    found: Mapping[str, Mapping[str, str]],
    host: str,
    now: float | None = None,
    began: Callable[[int], float | None] = began_of,
) -> dict[str, Mapping[str, str]]:
    """What of these things (labels by name) belongs to a test that is dead."""
    at = time.time() if now is None else now
    owners = {name: parse(labels.get(OWNER_LABEL, "")) for name, labels in found.items()}
    return {
        name: found[name]
        for name, owner in owners.items()
        if owner is not None and not owner.alive(host, at, began)
    }


def run_id() -> str:
    """A name that no other run has."""
    return secrets.token_hex(4)

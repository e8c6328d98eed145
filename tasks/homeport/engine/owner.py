"""Whose the things of a run are, and what is left of runs that were killed."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

_ENDED = "ZXx"
"""A zombie, and a dead process, as proc_pid_stat(5) calls them."""
VARIABLE = "HOMEPORT_OWNER"
"""The environment variable by which programs say whose they are, and those that they start, too."""
_STRANGER_SECONDS = 24 * 3600.0
"""How old a run of another machine has to be before it counts as dead: nobody here can look."""


@dataclass(frozen=True)
class Owner:
    """A process at work: where its number means something, the number, a mark that no other process with
    this number has, and when the run began (seconds since the epoch)."""

    place: str
    pid: int
    mark: str
    since: float

    def __str__(self) -> str:
        return f"{self.place} {self.pid} {self.mark} {self.since:.0f}"

    def alive(self, place: str, now: float, mark_of: Callable[[int], str | None]) -> bool:
        """Whether it may still be at work, seen from ``place``, where ``mark_of`` knows the processes."""
        if self.place != place:
            return now - self.since < _STRANGER_SECONDS
        mark = mark_of(self.pid)
        return mark is not None and mark in {"", self.mark}


def me() -> Owner:
    """This process."""
    return Owner(_place(), os.getpid(), mark_of(os.getpid()) or "", time.time())


def _place() -> str:
    """Where process numbers are these, and whose: a machine since it was started; on Linux a namespace of it.

    With the user: other users' processes may be hidden, and what is theirs is theirs to remove.
    """
    parts = [socket.gethostname().replace(" ", "_")]
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id")  # posix: elsewhere it isn't there
        parts.append(boot.read_text(encoding="ascii").strip())
        parts.append(os.readlink("/proc/self/ns/pid"))  # noqa: PTH115 - no path  # posix: as above
    if own := getattr(os, "getuid", None):  # posix: elsewhere there is none
        parts.append(str(own()))
    return "/".join(parts)


def mark_of(pid: int) -> str | None:
    """What tells a process of this machine from others with its number; None: there is none, or it has ended
    and nobody has asked how (a container's first process may never). Empty: there is one of which no more can
    be seen."""
    if not psutil.pid_exists(pid):
        return None
    try:
        # Ticks since the system was started: no clock that is set moves them (proc_pid_stat(5), field 22).
        said = Path(f"/proc/{pid}/stat")  # posix: elsewhere psutil says less
        fields = said.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return None if fields[0] in _ENDED else fields[19]
    except (OSError, IndexError):
        pass
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else f"{process.create_time():.1f}"
    except psutil.NoSuchProcess:
        return None
    except psutil.Error:
        return ""


def parse(text: str) -> Owner | None:
    """An owner as it stands in a label; None for anything else."""
    try:
        place, pid, mark, since = text.split(" ")
        return Owner(place, int(pid), mark, float(since))
    except ValueError:
        return None


def orphans(
    found: Mapping[str, Mapping[str, str]],
    label: str,
    place: str,
    now: float | None = None,
    mark: Callable[[int], str | None] = mark_of,
) -> dict[str, Mapping[str, str]]:
    """What of these things (labels by name) belongs to a run that is dead; ``label`` names its owner."""
    at = time.time() if now is None else now
    owners = {name: parse(labels.get(label, "")) for name, labels in found.items()}
    return {
        name: found[name]
        for name, owner in owners.items()
        if owner is not None and not owner.alive(place, at, mark)
    }


def variables() -> dict[str, str]:
    """What the programs of this process are given, so that they are found if it is killed."""
    return {VARIABLE: str(me())}


def strays(place: str, mark: Callable[[int], str | None] = mark_of) -> list[psutil.Process]:
    """The programs that runs of this place have started which are dead by now."""
    found = []
    for one in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):  # gone, or somebody else's
            owner = parse(one.environ().get(VARIABLE, ""))
            if owner is not None and owner.place == place and not owner.alive(place, time.time(), mark):
                found.append(one)
    return found


def end(programs: Sequence[psutil.Process], grace: float = 5.0) -> None:
    """Ask programs to end; those that still run after ``grace`` seconds are killed."""
    for one in programs:
        with contextlib.suppress(psutil.Error):
            one.terminate()
    for one in psutil.wait_procs(programs, timeout=grace)[1]:
        with contextlib.suppress(psutil.Error):
            one.kill()


def run_id() -> str:
    """A name that no other run has."""
    return secrets.token_hex(4)

"""What is kept with the engine: the releases of a stack, and the lock that a deploy holds.

Both are volumes with labels (see engine/volumes.py), so whoever uses the engine sees the same.
"""

from __future__ import annotations

import getpass
import json
import os
import platform
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from homeport.engine import volumes
from homeport.errors import HomeportError
from homeport.model.release import Release, from_json, to_json

RELEASE_LABEL = "io.homeport.release"
LOCK_LABEL = "io.homeport.lock"
_WAIT_STEP = 0.5


class Locked(HomeportError):
    """Somebody else is at work on the stack."""

    exit_code = 2


@dataclass(frozen=True)
class Holder:
    """Who holds a lock, since when (seconds since the epoch), and what for."""

    who: str
    host: str
    pid: int
    since: float
    reason: str
    nonce: str

    @property
    def gone(self) -> bool:
        """Whether the process that took the lock ended on this machine without giving it back."""
        return self.host == platform.node() and not _runs(self.pid)


def releases(stack: str) -> tuple[Release, ...]:
    """All releases of a stack that are kept, in their order."""
    found = volumes.labelled(f"{RELEASE_LABEL}.stack={stack}")
    read = (from_json(labels.get(RELEASE_LABEL, "")) for labels in found.values())
    return tuple(sorted((one for one in read if one is not None), key=lambda one: one.number))


def write(release: Release) -> None:
    """Keep a release. Raises ContainerProblem."""
    labels = {RELEASE_LABEL: to_json(release), f"{RELEASE_LABEL}.stack": release.stack}
    volumes.make(_name(release.stack, release.id), labels)


def forget(stack: str, gone: Iterable[Release]) -> None:
    """Let go of releases."""
    volumes.remove(_name(stack, release.id) for release in gone)


class Lock:
    """The lock of one stack, as a context: held inside."""

    def __init__(self, stack: str, reason: str, wait: float, say: Callable[[str], None]) -> None:
        self._stack, self._wait, self._say = stack, wait, say
        self._own = Holder(_user(), platform.node(), os.getpid(), time.time(), reason, secrets.token_hex(8))

    def __enter__(self) -> Lock:
        end, told = time.monotonic() + self._wait, False
        while True:
            holder = _holder(volumes.make(_lock_name(self._stack), self._labels()))
            if holder is not None and holder.nonce == self._own.nonce:
                return self
            if holder is None or holder.gone:
                # Two that find it so at once may both take it away, and one of them gets it then.
                unlock(self._stack)
                continue
            if time.monotonic() >= end:
                raise Locked(
                    f"{self._stack} is locked: {describe(holder)}.",
                    cause="Two deploys at once would undo each other.",
                    hint="Wait for it (--lock-wait SECONDS), or, if that is gone, 'homeport unlock'.",
                )
            if not told:
                told = True
                self._say(f"Waiting for the lock: {describe(holder)}.")
            time.sleep(_WAIT_STEP)

    def __exit__(self, *exc_info: object) -> None:
        held = holder_of(self._stack)
        # Somebody may have broken it, and another may have taken it since.
        if held is not None and held.nonce == self._own.nonce:
            unlock(self._stack)

    def _labels(self) -> dict[str, str]:
        return {LOCK_LABEL: json.dumps(self._own.__dict__)}


def holder_of(stack: str) -> Holder | None:
    """Who holds the lock of a stack; None if nobody does."""
    return _holder(volumes.labelled(LOCK_LABEL).get(_lock_name(stack), {}))


def unlock(stack: str) -> None:
    """Take the lock away, whoever holds it."""
    volumes.remove([_lock_name(stack)])


def describe(holder: Holder) -> str:
    """A holder in one line."""
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(holder.since))
    return f"{holder.reason} by {holder.who} on {holder.host} since {at}"


def who() -> str:
    """Who runs this, by the system, or by CI."""
    return os.environ.get("GITHUB_ACTOR") or _user()


def host() -> str:
    """The machine that this runs on."""
    return platform.node()


def _holder(labels: dict[str, str]) -> Holder | None:
    try:
        return Holder(**json.loads(labels.get(LOCK_LABEL, "")))
    except (ValueError, TypeError):
        return None


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container's number without a name
        return "unknown"


def _runs(pid: int) -> bool:
    import psutil

    return bool(psutil.pid_exists(pid))


def _name(stack: str, identity: str) -> str:
    return f"homeport-{stack}-{identity}"


def _lock_name(stack: str) -> str:
    return f"homeport-{stack}-lock"

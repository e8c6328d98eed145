"""What is kept with the engine: the releases of a stack, and the lock that a deploy holds.

Both are volumes with labels (see engine/volumes.py), so whoever uses the engine sees the same. A swarm has
another ``keep``: its configs (see engine/configs.py), which every manager sees.
"""

from __future__ import annotations

import getpass
import json
import os
import platform
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Protocol

from homeport.engine import volumes
from homeport.engine.containers import ContainerProblem
from homeport.errors import HomeportError
from homeport.model.release import Release, from_json, to_json

RELEASE_LABEL = "io.homeport.release"
PIN_LABEL = "io.homeport.pin"
LOCK_LABEL = "io.homeport.lock"
BEGUN_LABEL = "io.homeport.begun"
_BREAKER = f"{LOCK_LABEL}.breaker"
_WAIT_STEP = 0.5
_SHORT_STEP = 0.05


class Keeper(Protocol):
    """What keeps names with labels, each made by one atomic call: the module volumes (None), or configs."""

    def labelled(self, label: str) -> dict[str, dict[str, str]]: ...

    def make(self, name: str, labels: Mapping[str, str]) -> dict[str, str]: ...

    def remove(self, names: Iterable[str]) -> None: ...


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


def releases(stack: str, keep: Keeper | None = None) -> tuple[Release, ...]:
    """All releases of a stack that are kept, in their order."""
    found = (keep or volumes).labelled(f"{RELEASE_LABEL}.stack={stack}")
    read = (from_json(labels.get(RELEASE_LABEL, "")) for labels in found.values())
    return tuple(sorted((one for one in read if one is not None), key=lambda one: one.number))


def releases_elsewhere(stack: str) -> tuple[Release, ...]:
    """All releases of the other stacks of this engine."""
    read = (from_json(labels.get(RELEASE_LABEL, "")) for labels in volumes.labelled(RELEASE_LABEL).values())
    return tuple(one for one in read if one is not None and one.stack != stack)


def write(release: Release) -> None:
    """Keep a release. Raises ContainerProblem."""
    labels = {RELEASE_LABEL: to_json(release), f"{RELEASE_LABEL}.stack": release.stack}
    if volumes.make(name_of(release.stack, release.id), labels) != labels:
        raise ContainerProblem(
            f"Release {release.id} can't be written down.",
            cause=f"The engine has something else under the name {name_of(release.stack, release.id)}.",
        )


def next_number(stack: str, keep: Keeper | None = None) -> int:
    """The number that no release of the stack has, readable or not."""
    names = (keep or volumes).labelled(f"{RELEASE_LABEL}.stack={stack}")
    numbers = (name.removeprefix(name_of(stack, "r")) for name in names)
    return max((int(number) for number in numbers if number.isdecimal()), default=0) + 1


def pinned(stack: str, keep: Keeper | None = None) -> frozenset[int]:
    """The numbers of the releases that are never let go."""
    marks = (keep or volumes).labelled(f"{PIN_LABEL}={stack}")
    numbers = (name.removeprefix(name_of(stack, "pin-r")) for name in marks)
    return frozenset(int(number) for number in numbers if number.isdecimal())


def pin(release: Release, *, on: bool, keep: Keeper | None = None) -> None:
    """Keep a release for good, or no longer. Raises ContainerProblem."""
    name = name_of(release.stack, f"pin-{release.id}")
    if on:
        (keep or volumes).make(name, {PIN_LABEL: release.stack})
    else:
        (keep or volumes).remove([name])


def begin(stack: str, plain: Iterable[str]) -> None:
    """Note that containers are about to be changed, until :func:`end`. Raises ContainerProblem.

    ``plain`` are the ids of those that run and that homeport hasn't made. If a deploy before this one never
    ended, what it noted counts.
    """
    volumes.mark(_begun_name(stack), {BEGUN_LABEL: " ".join(plain)})


def end(stack: str) -> None:
    """What runs is a release again."""
    volumes.remove([_begun_name(stack)])


def broken_off(stack: str) -> tuple[str, ...] | None:
    """What a deploy noted that has begun and never ended, because it was killed; None if there is none."""
    found = volumes.labelled(BEGUN_LABEL).get(_begun_name(stack))
    return None if found is None else tuple(found.get(BEGUN_LABEL, "").split())


def forget(stack: str, gone: Iterable[Release], keep: Keeper | None = None) -> None:
    """Let go of releases."""
    (keep or volumes).remove(name_of(stack, release.id) for release in gone)


def forget_all(stack: str, keep: Keeper | None = None) -> None:
    """Let go of all releases, and of what was pinned."""
    (keep or volumes).remove(
        [
            *(keep or volumes).labelled(f"{RELEASE_LABEL}.stack={stack}"),
            *(keep or volumes).labelled(f"{PIN_LABEL}={stack}"),
        ]
    )


_UNREADABLE = Holder("somebody", "an unknown machine", 0, 0.0, "something", "")
"""Whoever wrote a lock that can't be read."""
_GIVE_UP = 10.0


class Lock:
    """The lock of one stack, as a context: held inside."""

    def __init__(
        self, stack: str, reason: str, wait: float, say: Callable[[str], None], keep: Keeper | None = None
    ) -> None:
        self._stack, self._wait, self._say, self._keep = stack, wait, say, keep or volumes
        self._reason, self._nonce = reason, secrets.token_hex(8)

    def __enter__(self) -> Lock:
        start, told = time.monotonic(), False
        end = start + self._wait
        while True:
            labels = self._keep.make(_lock_name(self._stack), self._labels())
            # None where the volume went away between being made and being looked at.
            holder = (_holder(labels) or _UNREADABLE) if labels else None
            if holder is not None and holder.nonce == self._nonce:
                return self
            if holder is not None and holder.gone and time.monotonic() < start + _GIVE_UP:
                _break(self._stack, holder, self._keep)
            elif time.monotonic() >= end and (holder is not None or time.monotonic() >= end + _GIVE_UP):
                raise Locked(
                    f"{self._stack} is locked: {describe(holder or _UNREADABLE)}.",
                    cause="Two deploys at once would undo each other.",
                    hint="Wait for it (--lock-wait SECONDS), or, if that is gone, 'homeport unlock'.",
                )
            elif holder is not None and not told:
                told = True
                self._say(f"Waiting for the lock: {describe(holder)}.")
            time.sleep(_WAIT_STEP if told else _SHORT_STEP)

    def __exit__(self, *exc_info: object) -> None:
        held = holder_of(self._stack, self._keep)
        # Somebody may have broken it, and another may have taken it since.
        if held is not None and held.nonce == self._nonce:
            unlock(self._stack, self._keep)

    def _labels(self) -> dict[str, str]:
        own = Holder(_user(), platform.node(), os.getpid(), time.time(), self._reason, self._nonce)
        return {LOCK_LABEL: json.dumps(own.__dict__)}


def _break(stack: str, gone: Holder, keep: Keeper) -> None:
    """Take away the lock of a process that is gone, and never one that somebody has taken meanwhile."""
    mark, own = f"{_lock_name(stack)}-{gone.nonce}", {_BREAKER: secrets.token_hex(8)}
    if keep.make(mark, own) != own:
        return  # somebody else is at it
    held = holder_of(stack, keep)
    if held is not None and held.nonce == gone.nonce:
        unlock(stack, keep)
    keep.remove([mark])


def holder_of(stack: str, keep: Keeper | None = None) -> Holder | None:
    """Who holds the lock of a stack; None if nobody does."""
    return _holder((keep or volumes).labelled(LOCK_LABEL).get(_lock_name(stack), {}))


def unlock(stack: str, keep: Keeper | None = None) -> None:
    """Take the lock away, whoever holds it, with what somebody may have left who was about to."""
    marks = [
        name for name in (keep or volumes).labelled(_BREAKER) if name.startswith(f"{_lock_name(stack)}-")
    ]
    (keep or volumes).remove([_lock_name(stack), *marks])


def describe(holder: Holder) -> str:
    """A holder in one line."""
    if holder == _UNREADABLE:
        return "by a lock that can't be read"
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
        # A later version may say more of itself.
        said = json.loads(labels.get(LOCK_LABEL, ""))
        return Holder(**{field.name: said[field.name] for field in fields(Holder)})
    except (ValueError, TypeError, LookupError):
        return None


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container's number without a name
        return "unknown"


def _runs(pid: int) -> bool:
    import psutil

    return bool(psutil.pid_exists(pid))


def name_of(stack: str, identity: str) -> str:
    """The name under which something of a stack is kept, such as a release by its id."""
    return f"homeport-{stack}-{identity}"


def _begun_name(stack: str) -> str:
    return f"homeport-{stack}-begun"


def _lock_name(stack: str) -> str:
    return f"homeport-{stack}-lock"

"""What each service went through during a deploy, read from the events. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from homeport.deploy.work import Event


class Kind(Enum):
    """What a service, or whoever calls it, was in for a while; the value is how people read it."""

    COMMAND = "its command runs"
    STARTING = "starting"
    SERVING = "new release serves"
    DRAINING = "draining"
    STOPPING = "stopping"
    WAITING = "callers wait"
    GAP = "no service"
    UNDOING = "undoing"


# What begins a phase, and what ends which; "stop" may begin a gap as well, see below.
_BEGINS = {
    "before": Kind.COMMAND,
    "after": Kind.COMMAND,
    "start": Kind.STARTING,
    "hold": Kind.WAITING,
    "switch": Kind.SERVING,
    "front": Kind.SERVING,
    "drain": Kind.DRAINING,
    "stop": Kind.STOPPING,
    "undo": Kind.UNDOING,
}
_ENDS = {
    "passed": (Kind.STARTING,),
    "failed": (Kind.STARTING, Kind.COMMAND),
    "ran": (Kind.COMMAND,),
    "hold": (Kind.GAP,),
    "switch": (Kind.WAITING, Kind.GAP),
    "front": (Kind.WAITING, Kind.GAP),
    "pause": (Kind.WAITING, Kind.GAP),
    "drained": (Kind.DRAINING,),
    "stopped": (Kind.STOPPING,),
    "undo": (Kind.COMMAND, Kind.STARTING, Kind.SERVING),
    "undone": tuple(Kind),
}


@dataclass(frozen=True)
class Phase:
    """From ``start`` to ``end``, in seconds since the deploy began. One that isn't ``complete`` has no
    event that ended it: it went on when the deploy ended."""

    kind: Kind
    start: float
    end: float
    complete: bool = True

    @property
    def seconds(self) -> float:
        return self.end - self.start


@dataclass(frozen=True)
class Course:
    """All phases of one service, in the order in which they began; ``failed`` is when it failed."""

    service: str
    phases: tuple[Phase, ...]
    passed: bool = False
    failed: float | None = None
    undone: bool = False

    def of(self, *kinds: Kind) -> tuple[Phase, ...]:
        """Its phases of these kinds."""
        return tuple(phase for phase in self.phases if phase.kind in kinds)

    def seconds(self, kind: Kind) -> float | None:
        """How long it was in such phases, all together; None for never."""
        found = self.of(kind)
        return sum(phase.seconds for phase in found) if found else None


def courses(events: Iterable[Event], seconds: float) -> tuple[Course, ...]:
    """What each service went through until ``seconds``, when the deploy ended; first come, first in line."""
    ordered = sorted(events, key=lambda event: event.at)
    by_service: dict[str, list[Event]] = {}
    for event in ordered:
        by_service.setdefault(event.service, []).append(event)
    end = max([seconds, *(event.at for event in ordered)])
    return tuple(_course(service, own, end) for service, own in by_service.items())


def _course(service: str, events: list[Event], end: float) -> Course:
    begun: dict[Kind, float] = {}
    phases: list[Phase] = []
    seen: set[str] = set()
    failed = None
    for event in events:
        for kind in _ENDS.get(event.what, ()):
            if kind in begun:
                phases.append(Phase(kind, begun.pop(kind), event.at))
        if event.what in _BEGINS:
            begun.setdefault(_BEGINS[event.what], event.at)
        if event.what == "stop" and Kind.WAITING not in begun:
            begun.setdefault(Kind.GAP, event.at)
        if event.what == "undo" and "stop" in seen and Kind.WAITING not in begun:
            # What was stopped isn't back yet, and what is new goes. Until now that may have served.
            begun[Kind.GAP] = event.at if "passed" in seen else begun.get(Kind.GAP, event.at)
        if event.what == "failed":
            failed = event.at
        seen.add(event.what)
    if Kind.UNDOING not in begun:
        # Nothing took the place of what was stopped since: it had been replaced before, or is removed.
        begun.pop(Kind.GAP, None)
    phases += [Phase(kind, start, end, complete=False) for kind, start in begun.items()]
    phases.sort(key=lambda phase: phase.start)
    return Course(service, tuple(phases), "passed" in seen, failed, "undone" in seen)

"""From what the engine counted to what each service used. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from homeport.engine.usage import Member, Reading


@dataclass(frozen=True)
class Seen:
    """What was seen of a stack: the facts that all else is worked out from.

    ``ticks`` are the times at which it was looked at, in seconds since the first. By container:
    ``first`` and ``last`` what it was, ``readings`` the number of the tick with what was counted then,
    ``states`` its state at the end ("removed" if it was gone), ``paused`` at how many ticks it was paused,
    ``kills`` how often meanwhile the kernel killed a process of it for its memory.
    ``gaps`` is how often the engine gave no answer; ``silent``: it gave none at the end. ``direct``: it was
    asked by its socket.
    """

    ticks: tuple[float, ...]
    first: Mapping[str, Member] = field(hash=False)
    last: Mapping[str, Member] = field(hash=False)
    readings: Mapping[str, Sequence[tuple[int, Reading]]] = field(hash=False)
    states: Mapping[str, str] = field(default_factory=dict, hash=False)
    paused: Mapping[str, int] = field(default_factory=dict, hash=False)
    kills: Mapping[str, int] = field(default_factory=dict, hash=False)
    gaps: int = 0
    silent: bool = False
    interrupted: bool = False
    direct: bool = True

    @property
    def seconds(self) -> float:
        return self.ticks[-1] - self.ticks[0] if self.ticks else 0.0


@dataclass(frozen=True)
class Interval:
    """What a container did between two readings, ``tick`` being the later one's number.

    ``cores`` are those it used on average, ``wanted`` those it would have used without its limit, as far as
    that can be told: the time for which it was stopped counts as if it had run. ``memory`` is that then.
    """

    tick: int
    seconds: float
    cores: float
    wanted: float
    memory: int
    received: int = 0
    sent: int = 0
    periods: int = 0
    throttled: int = 0


@dataclass(frozen=True)
class ContainerUse:
    """One container over the time that it was seen. Memory is bytes; ``seconds`` lie between its readings."""

    member: Member
    intervals: tuple[Interval, ...]
    memory: int
    peak_memory: int
    state: str = "running"
    restarts: int = 0
    paused: bool = False
    kills: int = 0
    network: bool = True

    @property
    def killed(self) -> bool:
        """Whether the kernel killed a process of it for its memory, meanwhile or since it was started."""
        return self.kills > 0 or self.member.killed

    @property
    def seconds(self) -> float:
        return sum(one.seconds for one in self.intervals)

    @property
    def cores(self) -> float:
        """Cores on average."""
        return sum(one.cores * one.seconds for one in self.intervals) / (self.seconds or 1.0)

    @property
    def peak_cores(self) -> float:
        return max((one.cores for one in self.intervals), default=0.0)

    @property
    def wanted(self) -> float:
        """The most cores that it would have used in an interval."""
        return max((one.wanted for one in self.intervals), default=0.0)

    @property
    def periods(self) -> int:
        return sum(one.periods for one in self.intervals)

    @property
    def throttled(self) -> float:
        """The share of its periods in which it was stopped, 0 to 1."""
        return sum(one.throttled for one in self.intervals) / (self.periods or 1)


@dataclass(frozen=True)
class Point:
    """All containers of a service together at one tick; ``at`` in seconds since the first."""

    at: float
    cores: float
    memory: int


@dataclass(frozen=True)
class ServiceUse:
    """A service, or its front, over the whole time: what its containers used together.

    ``count`` is how many of them ran at the end. Limits hold for each of them.
    """

    name: str
    front: bool
    containers: tuple[ContainerUse, ...]
    points: tuple[Point, ...]

    @property
    def count(self) -> int:
        return sum(one.state not in ("removed", "exited", "dead", "created") for one in self.containers)

    @property
    def newest(self) -> ContainerUse:
        """The container whose limits count: a deploy may have given them others."""
        return max(self.containers, key=lambda one: one.member.container.started)

    @property
    def measured(self) -> bool:
        """Whether any of it ran for long enough to tell what it used."""
        return any(one.intervals for one in self.containers)

    @property
    def cores(self) -> float:
        return sum(point.cores for point in self.points) / (len(self.points) or 1)

    @property
    def peak_cores(self) -> float:
        return max((point.cores for point in self.points), default=0.0)

    @property
    def peak_memory(self) -> int:
        alone = max((one.peak_memory for one in self.containers), default=0)
        return max((point.memory for point in self.points), default=alone)

    @property
    def memory(self) -> int:
        return self.points[-1].memory if self.points else 0

    @property
    def throttled(self) -> float:
        """Of the container that was stopped most."""
        return max(one.throttled for one in self.containers)

    @property
    def restarts(self) -> int:
        return sum(one.restarts for one in self.containers)

    @property
    def network(self) -> bool:
        return any(one.network for one in self.containers)

    @property
    def received(self) -> int:
        return sum(step.received for one in self.containers for step in one.intervals)

    @property
    def sent(self) -> int:
        return sum(step.sent for one in self.containers for step in one.intervals)


def services(seen: Seen, last: int = 0) -> tuple[ServiceUse, ...]:
    """What each service used, by name, its front behind it; ``last``: only in so many of the last ticks."""
    since = max(len(seen.ticks) - last, 0) if last else 0
    groups: dict[tuple[str, bool], list[str]] = {}
    for name, member in seen.first.items():
        groups.setdefault((member.service, member.front), []).append(name)
    found = []
    for (service, front), names in sorted(groups.items()):
        names.sort(key=lambda name: seen.first[name].container.name)
        used = {name: _container(seen, name, since) for name in names}
        memory = {name: {tick: one.memory for tick, one in seen.readings.get(name, ())} for name in names}
        points = tuple(_points(seen, used.values(), memory.values(), since))
        found.append(ServiceUse(service, front, tuple(used.values()), points))
    return tuple(found)


def _container(seen: Seen, name: str, since: int) -> ContainerUse:
    readings = [(tick, one) for tick, one in seen.readings.get(name, ()) if tick >= since]
    first, last = seen.first[name], seen.last.get(name, seen.first[name])
    return ContainerUse(
        # One that was started again meanwhile says nothing any more of how it had ended.
        replace(last, killed=last.killed or first.killed),
        intervals(readings),
        readings[-1][1].memory if readings else 0,
        max((one.memory for _, one in readings), default=0),
        seen.states.get(name, last.container.state),
        # Somebody who starts it by hand begins its count anew.
        max(last.container.restarts - first.container.restarts, 0),
        bool(seen.paused.get(name)),
        seen.kills.get(name, 0),
        any(one.received is not None for _, one in readings),
    )


def _points(
    seen: Seen, used: Iterable[ContainerUse], memory: Iterable[Mapping[int, int]], since: int
) -> Iterable[Point]:
    """A point for each tick at which any of them was seen; at the first one no cores are known yet."""
    cores: dict[int, float] = {}
    for step in (step for one in used for step in one.intervals):
        cores[step.tick] = cores.get(step.tick, 0.0) + step.cores
    held: dict[int, int] = {}
    for tick, amount in (item for one in memory for item in one.items() if item[0] >= since):
        held[tick] = held.get(tick, 0) + amount
    for tick in sorted(held):
        if tick in cores:
            yield Point(seen.ticks[tick], cores[tick], held[tick])


def intervals(readings: Sequence[tuple[int, Reading]]) -> tuple[Interval, ...]:
    """What happened between each two readings of one container, in the order of time."""
    found = (_interval(tick, before, after) for (_, before), (tick, after) in pairwise(readings))
    return tuple(one for one in found if one)


def _interval(tick: int, before: Reading, after: Reading) -> Interval | None:
    seconds = after.at - before.at
    # The clock was put back, or the engine gave the same counts twice: nothing can be told.
    if seconds <= 0:
        return None
    # A container that starts again counts from 0: what it counts then is the least that it did since.
    again = (
        after.cpu < before.cpu
        or (after.periods or 0) < (before.periods or 0)
        or after.throttled < before.throttled
        or after.throttled_seconds < before.throttled_seconds
    )
    start = Reading(before.at, 0.0, 0) if again else before
    cores = (after.cpu - start.cpu) / seconds if after.cores is None else after.cores
    return Interval(
        tick,
        seconds,
        cores,
        cores + (after.throttled_seconds - start.throttled_seconds) / seconds,
        after.memory,
        # It may have left a network meanwhile, so that these count less while the others go on.
        _grown(before.received, after.received),
        _grown(before.sent, after.sent),
        (after.periods or 0) - (start.periods or 0),
        after.throttled - start.throttled,
    )


def _grown(before: int | None, after: int | None) -> int:
    if before is None or after is None:
        return 0
    return after - before if after >= before else after

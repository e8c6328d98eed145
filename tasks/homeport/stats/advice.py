"""What to change about the limits, by what was seen. Pure.

``homeport resources`` only adds limits that a service lacks, so advice about one that is there names the line
of the Compose file.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from homeport.model.finding import Severity
from homeport.model.tiers import Policy
from homeport.report.words import binary_size, plural, seconds
from homeport.stats.measure import ContainerUse, ServiceUse

THROTTLED = 0.25
"""The share of periods that is too much: kubernetes-mixin warns at the same one (config.libsonnet,
``cpuThrottlingPercent: 25``). Less is usual where a service starts threads for a moment."""

SOME_THROTTLING = 0.05
"""The share worth a word: one in twenty of its moments of work takes up to 0.1 s longer."""

MINIMUM_PERIODS = 20
"""Periods are 0.1 s long (the engine's default) and counted only while a service works: in less than 2 s of
work one burst decides the share."""

NEAR_LIMIT = 0.9
"""The share of its memory that is too much: the kernel kills what goes over, and a tenth is what an allocator
or a burst of requests takes at once."""

SOON_NEAR = 0.8
"""The share worth a word."""

ROOM = 0.75
"""How full a limit should be after it was raised: under :data:`SOON_NEAR`, so that the advice ends."""

CORES_MARGIN = 1.1
"""What is wanted is worked out from time that was spent stopped, and that counts only when its period of
0.1 s ends: in readings of a second it may be a tenth too little."""

OVER_RESERVED = 0.25
"""Far over-reserved is four times as much as was used at most: less lies between one hour and another."""

WORTH_CORES = 0.1
WORTH_MEMORY = 32 * 1024**2
"""What is worth a change: less makes no room for another service."""

MINIMUM_SECONDS = 30.0
"""Under this nothing is said to be over-reserved: that something isn't used is seen only by waiting, and a
health check comes round every 30 s by default (Compose specification, ``interval``)."""

_STEP_CORES = 0.25
"""The tiers are in steps of this (model/tiers.py)."""
_STEP_MEMORY = 32 * 1024**2
_USUAL = "If that is its usual load, set"


@dataclass(frozen=True)
class Context:
    """What else counts: the tiers, the host's cores, and by service the cores that its Compose file reserves.

    The engine doesn't know reservations of cores: Compose only reads them.
    """

    policy: Policy = field(default_factory=Policy)
    host_cores: float = 0.0
    reserved_cores: Mapping[str, float] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Advice:
    """Something to change. ``what`` was seen, ``fix`` is what to do; ``kind`` names the rule."""

    kind: str
    severity: Severity
    service: str
    what: str
    fix: str


def advise(services: Sequence[ServiceUse], context: Context) -> tuple[Advice, ...]:
    """All advice, warnings first, by service."""
    found = [one for service in services for one in _of(service, context)]
    order = (Severity.ERROR, Severity.WARNING, Severity.NOTE)
    return tuple(sorted(found, key=lambda one: (order.index(one.severity), one.service, one.kind)))


def too_short(services: Iterable[ServiceUse], watched: float) -> tuple[str, ...]:
    """What can't be said because the time was too short."""
    if watched < MINIMUM_SECONDS:
        words = f"Watched for {seconds(watched)}: too short to tell what is over-reserved"
        return (f"{words} ({MINIMUM_SECONDS:.0f} s at least, better an hour of usual load).",)
    new = [
        one.name
        for one in services
        if not one.front and max((used.seconds for used in one.containers), default=0.0) < MINIMUM_SECONDS
    ]
    return (f"Seen for too short a time to tell what is over-reserved: {', '.join(new)}.",) if new else ()


def unlimited(services: Iterable[ServiceUse]) -> tuple[str, ...]:
    """Which services have no limit, in a line for each kind; fronts are homeport's own."""
    own = [one for one in services if not one.front]
    lines = []
    for kind, names in (
        ("cores", [one.name for one in own if not one.newest.member.held.cores]),
        ("memory", [one.name for one in own if not one.newest.member.held.memory]),
    ):
        if names:
            shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
            words = f"No limit of {kind}: {plural(len(names), 'service')} ({shown})."
            lines.append(f"{words} 'homeport resources' plans one for each by its tier.")
    return tuple(lines)


def _of(service: ServiceUse, context: Context) -> Iterator[Advice]:
    yield from _ended(service)
    # A front's limits are none of the user's.
    if not service.front:
        yield from _cores(service, context)
        yield from _memory(service, context)
        yield from _over_reserved(service, context)


def _ended(service: ServiceUse) -> Iterator[Advice]:
    name = _name(service)
    logs = f"'homeport logs --services {service.name}' says why."
    killed = [one for one in service.containers if one.killed]
    if killed:
        count = sum(one.kills for one in killed)
        when = "" if not count else " once while watched" if count == 1 else f" {count} times while watched"
        limit = killed[-1].member.held.memory
        most = f"the limit is {binary_size(limit)}" if limit else "it has no limit: the host had none left"
        fix = f"Raise deploy.resources.limits.memory of {service.name}; {logs}" if limit else logs
        yield Advice(
            "killed", Severity.WARNING, name, f"the kernel killed a process for its memory{when}; {most}", fix
        )
    if service.restarts:
        times = "once" if service.restarts == 1 else f"{service.restarts} times"
        yield Advice("restarts", Severity.WARNING, name, f"was started again {times} while watched", logs)


def _cores(service: ServiceUse, context: Context) -> Iterator[Advice]:
    """By the container that was stopped most: each has a limit of its own."""
    enough = [one for one in service.containers if one.periods >= MINIMUM_PERIODS and one.member.held.cores]
    if not enough:
        return
    worst = max(enough, key=lambda one: one.throttled)
    if worst.throttled < SOME_THROTTLING:
        return
    limit, wanted = worst.member.held.cores, _within(worst.wanted, context.host_cores)
    severity = Severity.WARNING if worst.throttled >= THROTTLED else Severity.NOTE
    what = f"throttled in {_percent(worst.throttled)} of its periods; "
    what += f"CPU limit {limit:g}, it wanted ~{_round(wanted)}"
    better = _within(_up(wanted * CORES_MARGIN, _STEP_CORES), context.host_cores)
    if better <= limit:
        # Stopped in bursts shorter than a reading: the average fits, its moments don't.
        better = _within(_up(limit + _STEP_CORES / 2, _STEP_CORES), context.host_cores)
    if better <= limit:
        yield Advice("throttled", severity, service.name, what, "The host has no more cores than that.")
        return
    fix = f"Set deploy.resources.limits.cpus of {service.name} to '{better:g}'"
    yield Advice("throttled", severity, service.name, what, f"{fix}{_as_tier(better, context)}, then deploy.")


def _as_tier(cores: float, context: Context) -> str:
    """Which tier gives so much, the smallest: for who would rather have the limit planned."""
    fitting = [(tier.cpus, name) for name, tier in context.policy.tiers.items() if tier.cpus >= cores]
    if not fitting:
        return ""
    most, name = min(fitting, key=lambda one: one[0])
    return (
        f" (or take the line out, put it into tier '{name}' with {most:g} under [resources.services], "
        "and run 'homeport resources --apply')"
    )


def _memory(service: ServiceUse, context: Context) -> Iterator[Advice]:
    limited = [one for one in service.containers if one.member.held.memory and one.peak_memory]
    if not limited:
        return
    worst = max(limited, key=_fullness)
    full, limit = _fullness(worst), worst.member.held.memory
    if full < SOON_NEAR:
        return
    near = full >= NEAR_LIMIT
    severity = Severity.WARNING if near else Severity.NOTE
    what = f"used {binary_size(worst.peak_memory)} of its {binary_size(limit)} of memory ({_percent(full)})"
    what += "; the kernel kills what goes over" if near else ""
    better = max(_up(worst.peak_memory / ROOM, _STEP_MEMORY), limit + _STEP_MEMORY)
    fix = f"Set deploy.resources.limits.memory of {service.name} to {_compose_size(better)}, then deploy."
    yield Advice("memory", severity, service.name, what, fix)


def _fullness(one: ContainerUse) -> float:
    return one.peak_memory / (one.member.held.memory or 1)


def _over_reserved(service: ServiceUse, context: Context) -> Iterator[Advice]:
    """A note only: a watch of minutes doesn't see the evening."""
    watched = [one for one in service.containers if one.seconds >= MINIMUM_SECONDS]
    if not watched:
        return
    long = seconds(max(one.seconds for one in watched))
    cores, most = context.reserved_cores.get(service.name, 0.0), max(one.wanted for one in watched)
    if most < OVER_RESERVED * cores and cores - most >= WORTH_CORES:
        enough = max(_up(most * CORES_MARGIN, 0.05), 0.05)
        what = f"reserves {cores:g} cores and used {most:.2f} at most in {long}"
        fix = f"{_USUAL} deploy.resources.reservations.cpus of {service.name} to '{enough:g}'."
        yield Advice("over-reserved cores", Severity.NOTE, service.name, what, fix)
    reserved, peak = watched[-1].member.held.reserved_memory, max(one.peak_memory for one in watched)
    if peak < OVER_RESERVED * reserved and reserved - peak >= WORTH_MEMORY:
        what = f"reserves {binary_size(reserved)} of memory and used {binary_size(peak)} at most in {long}"
        fix = f"{_USUAL} deploy.resources.reservations.memory of {service.name} to "
        fix += f"{_compose_size(_up(peak / ROOM, _STEP_MEMORY))}, then deploy."
        yield Advice("over-reserved memory", Severity.NOTE, service.name, what, fix)


def _name(service: ServiceUse) -> str:
    return f"{service.name} (front)" if service.front else service.name


def _within(cores: float, host: float) -> float:
    return min(cores, host) if host else cores


def _up(value: float, step: float) -> float:
    """Up to the next multiple of ``step``; what is one but for rounding stays."""
    return round(math.ceil(value / step - 1e-6) * step, 6)


def _round(cores: float) -> str:
    return f"{cores:.1f}" if cores >= 0.1 else f"{cores:.2f}"


def _percent(share: float) -> str:
    """Down to whole percents: 100 % is what is full, and no limit is reached at 89.6 %."""
    return f"{math.floor(share * 100 + 1e-9)} %"


def _compose_size(count: float) -> str:
    """Bytes as a Compose file has them: ``640M`` are 640 times 1024 * 1024."""
    return f"{round(count / 1024**2)}M"

"""Look at a stack again and again, for a time: the only part that asks the engine."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from homeport.engine import usage
from homeport.engine.usage import Member, Reading
from homeport.stats.measure import Seen

_MOST_GAPS = 3
"""So many looks without an answer, one after the other, mean that the engine is gone and not only busy."""
REMOVED = "removed"
_ACTIVE = ("running", "restarting", "paused")


@dataclass
class _Notes:
    """What was seen so far."""

    asked: float
    """Until when it is known what was killed, in seconds since the epoch."""
    began: float
    """The end of the first look, by the monotonic clock: the time that was asked for lies behind it."""
    ticks: list[float] = field(default_factory=list)
    first: dict[str, Member] = field(default_factory=dict)
    last: dict[str, Member] = field(default_factory=dict)
    readings: dict[str, list[tuple[int, Reading]]] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    paused: Counter[str] = field(default_factory=Counter)
    kills: Counter[str] = field(default_factory=Counter)
    beside: set[str] = field(default_factory=set)
    """Containers that don't count: of other services than those asked for, or commands beside them."""
    gaps: int = 0
    silent: bool = False
    interrupted: bool = False


def watch(
    stack: str,
    duration: float,
    interval: float,
    *,
    direct: bool,
    services: Collection[str] = (),
    show: Callable[[Seen], None] = lambda seen: None,
) -> Seen:
    """Look at a stack for so many seconds; ``services``: only at these.

    ``show`` is called after each look. Ctrl-C ends it, and so does an engine that answers no more: what was
    seen until then is returned.
    """
    notes, missed = _Notes(time.time(), time.monotonic()), 0
    try:
        while True:
            try:
                _look(notes, stack, direct, services)
                missed = 0
                show(_seen(notes, direct))
            except usage.Silent:
                notes.gaps += 1
                missed += 1
                notes.silent = missed >= _MOST_GAPS
            passed = time.monotonic() - notes.began
            # The last look has to have an answer, too: else nobody knows how it ended.
            if notes.silent or (passed >= duration and not missed):
                break
            # By the clock and not by the last look: a look may take longer than the interval.
            following = (passed // interval + 1) * interval
            following = min(following, duration) if passed < duration else following
            time.sleep(max(notes.began + following - time.monotonic(), 0.0))
        if not notes.silent:
            _note(notes, list(notes.first), direct)
    except usage.Silent:
        notes.silent = True
    except KeyboardInterrupt:
        notes.interrupted = True
    return _seen(notes, direct)


def _look(notes: _Notes, stack: str, direct: bool, services: Collection[str]) -> None:
    """Add what is to be seen now. Raises Silent."""
    states = usage.active(stack, direct=direct)
    new = usage.members(states.keys() - notes.first.keys() - notes.beside, direct=direct)
    for name, member in new.items():
        if member.counts and (not services or member.service in services):
            notes.first[name] = notes.last[name] = member
        else:
            notes.beside.add(name)
    there = [name for name in notes.first if name in states]
    readings = usage.read(there, direct=direct)
    tick = len(notes.ticks)
    if not tick:
        notes.began = time.monotonic()
    notes.ticks.append(time.monotonic() - notes.began)
    for name, reading in readings.items():
        notes.readings.setdefault(name, []).append((tick, reading))
    for name in there:
        notes.states[name] = states[name]
        notes.paused[name] += states[name] == "paused"
    _count_kills(notes, stack, direct)
    # Asked at once: what is stopped now may be removed at the next look, and then nobody says why it ended.
    ended = [name for name in notes.first if name not in states and notes.states.get(name) in _ACTIVE]
    _note(notes, [*ended, *_again(notes, there, tick)], direct)


def _count_kills(notes: _Notes, stack: str, direct: bool) -> None:
    now = time.time()
    notes.kills.update(usage.kills(stack, notes.asked, now, direct=direct))
    notes.asked = now


def _again(notes: _Notes, names: Collection[str], tick: int) -> list[str]:
    """Which of them have begun anew since the last look: their counts went back."""
    found = []
    for name in names:
        known = notes.readings.get(name, [])
        if len(known) > 1 and known[-1][0] == tick and known[-1][1].cpu < known[-2][1].cpu:
            found.append(name)
    return found


def _note(notes: _Notes, names: Collection[str], direct: bool) -> None:
    """Note what these containers are now: how often they were restarted, how they ended. Raises Silent."""
    found = usage.members(names, direct=direct)
    for name in names:
        if name in found:
            notes.last[name] = found[name]
            notes.states[name] = found[name].container.state
        else:
            notes.states[name] = REMOVED


def _seen(notes: _Notes, direct: bool) -> Seen:
    return Seen(
        tuple(notes.ticks),
        notes.first,
        notes.last,
        notes.readings,
        notes.states,
        notes.paused,
        notes.kills,
        notes.gaps,
        notes.silent,
        notes.interrupted,
        direct,
    )

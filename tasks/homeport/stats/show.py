"""What ``stats`` shows: the table, live and at the end, the advice; and all of it as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from homeport.model.finding import Severity
from homeport.report.table import plain_table
from homeport.report.words import binary_size, plural, printable, seconds, size
from homeport.stats import advice as rules
from homeport.stats.advice import Advice
from homeport.stats.measure import ContainerUse, Seen, ServiceUse, services

SCHEMA = "homeport.stats/1"
NO_LIMIT = "no limit"
_WINDOW = 10
"""The live table shows what happened in so many of the last looks."""
_STYLES = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "dim"}
_FIGURES = ("cores", "peak", "cpu limit", "throttled", "memory", "mem limit", "in", "out", "restarts")
_ON_WIDE_SCREENS = ("peak", "in", "out", "restarts")
_WIDE = 110
_FIGURES_WIDTH = 64
"""What the other columns take on a narrow screen."""


class Watching:
    """A live table where somebody looks; elsewhere nothing until the end."""

    def __init__(self, console: Console, duration: float) -> None:
        self._duration = duration
        self._live = (
            Live(console=console, refresh_per_second=4, transient=True) if console.is_terminal else None
        )
        self._console = console

    def __enter__(self) -> Watching:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, seen: Seen) -> None:
        if self._live is not None:
            self._live.update(self._picture(seen))

    def _picture(self, seen: Seen) -> RenderableType:
        found = services(seen, _WINDOW)
        most = max(3, self._console.height - 4)
        # Those that use most of the processor are worth the screen, where there isn't room for all.
        busy = {(one.name, one.front) for one in sorted(found, key=lambda one: -one.cores)[:most]}
        shown = [one for one in found if (one.name, one.front) in busy]
        more = f"  (+{len(found) - most} more)" if len(found) > most else ""
        words = f"{seconds(seen.seconds)} of {seconds(self._duration)}, Ctrl-C ends it{more}"
        return Group(table(shown, seen.direct, self._console.width), Text(words, style="dim"))


def table(found: Iterable[ServiceUse], direct: bool, width: int) -> Table:
    """A line for each service, and for each front; on a narrow screen without what limits nothing."""
    shown = [heading for heading in _FIGURES if width >= _WIDE or heading not in _ON_WIDE_SCREENS]
    made = plain_table()
    # Names give way before figures do, which are worth nothing without their end.
    room = width - _FIGURES_WIDTH if width < _WIDE else None
    made.add_column("service", no_wrap=True, overflow="ellipsis", max_width=room and max(room, 12))
    for heading in shown:
        made.add_column(heading, justify="right", no_wrap=True)
    made.add_column("")
    for one in found:
        cells = dict(zip(_FIGURES, figures(one, direct), strict=True))
        again = [f"restarted {one.restarts}x"] * bool(one.restarts and "restarts" not in shown)
        note = Text(", ".join([*again, *notes(one)]), style="yellow")
        made.add_row(Text(label(one)), *(Text(cells[heading]) for heading in shown), note)
    return made


def label(one: ServiceUse) -> str:
    """A service's name, that of its front, and how many containers it has if not one."""
    front = " (front)" if one.front else ""
    return printable(one.name) + front + (f" x{one.count}" if one.count > 1 else "")


def figures(one: ServiceUse, direct: bool) -> tuple[str, ...]:
    """The cells of a service under the headings; ``direct``: the engine says how often it was throttled."""
    held = one.newest.member.held
    times = f"{one.count}x " if one.count > 1 else ""
    some = one.measured
    stopped = "0 %" if not one.throttled else f"{max(one.throttled * 100, 1):.0f} %"
    return (
        cores(one.cores) if some else "-",
        cores(one.peak_cores) if some else "-",
        f"{times}{held.cores:g}" if held.cores else NO_LIMIT,
        (stopped if held.cores else "") if some and direct else "-",
        binary_size(one.peak_memory) if one.peak_memory else "-",
        f"{times}{binary_size(held.memory)}" if held.memory else NO_LIMIT,
        size(one.received) if one.network else "-",
        size(one.sent) if one.network else "-",
        str(one.restarts),
    )


def cores(value: float) -> str:
    return f"{value:.2f}"


def notes(one: ServiceUse) -> tuple[str, ...]:
    """What else happened to its containers."""
    ended = [used.state for used in one.containers if used.state not in ("running", "paused")]
    words = [
        f"{ended.count(state)} {state}" if len(one.containers) > 1 else state
        for state in dict.fromkeys(ended)
    ]
    if any(used.paused or used.state == "paused" for used in one.containers):
        words.append("paused")
    if any(used.killed for used in one.containers):
        words.append("killed for memory")
    return tuple(words)


def result(
    found: Sequence[ServiceUse],
    advised: Iterable[Advice],
    said: Iterable[str],
    seen: Seen,
    console: Console,
) -> None:
    """The table at the end, the advice below it, and what can't be said."""
    console.print(table(found, seen.direct, console.width))
    console.print()
    for one in advised:
        head = (f"{one.severity.value}: ", _STYLES[one.severity])
        console.print(Text.assemble(head, f"{printable(one.service)}: {one.what}"), soft_wrap=True)
        console.print(Text.assemble((" next: ", "bold"), one.fix), soft_wrap=True)
    for line in said:
        console.print(Text(line, style="dim"), soft_wrap=True)


def remarks(found: Sequence[ServiceUse], seen: Seen) -> tuple[str, ...]:
    """What the table and the advice don't say, and can't."""
    lines = [*rules.unlimited(found), *rules.too_short(found, seen.seconds)]
    if not seen.direct:
        lines.append("Throttling isn't known: the docker command doesn't say, and there is no socket to ask.")
    if seen.gaps:
        lines.append(f"The engine gave no answer at {plural(seen.gaps, 'look')}.")
    return tuple(lines)


def last_line(found: Sequence[ServiceUse], advised: Sequence[Advice], seen: Seen, stack: str) -> str:
    """How many services were watched for how long, and how much is to be done."""
    names = {one.name for one in found}
    warnings = sum(one.severity is Severity.WARNING for one in advised)
    words = f"{plural(len(names), 'service')} of {stack} watched for {seconds(seen.seconds)}"
    words += f", {plural(len(seen.ticks), 'look')}: "
    more = len(advised) - warnings
    counts = [plural(warnings, "warning")] * bool(warnings) + [plural(more, "note")] * bool(more)
    return words + (", ".join(counts) or "nothing to change") + "."


def document(
    stack: str,
    found: Sequence[ServiceUse],
    advised: Iterable[Advice],
    said: Iterable[str],
    seen: Seen,
    reserved: dict[str, float],
) -> dict[str, Any]:
    """All of it as JSON: cores, bytes, seconds, shares from 0 to 1; null: not known, or no limit."""
    return {
        "schema": SCHEMA,
        "stack": stack,
        "seconds": round(seen.seconds, 3),
        "looks": len(seen.ticks),
        "gaps": seen.gaps,
        "interrupted": seen.interrupted,
        "ok": not any(one.severity is Severity.WARNING for one in advised),
        "services": [_service(one, seen.direct, reserved) for one in found],
        "advice": [
            {
                "kind": one.kind,
                "severity": one.severity.value,
                "service": one.service,
                "what": one.what,
                "fix": one.fix,
            }
            for one in advised
        ],
        "remarks": list(said),
    }


def _service(one: ServiceUse, direct: bool, reserved: dict[str, float]) -> dict[str, Any]:
    return {
        "name": one.name,
        "front": one.front,
        "running": one.count,
        "cores": round(one.cores, 4) if one.measured else None,
        "peak_cores": round(one.peak_cores, 4) if one.measured else None,
        "peak_memory": one.peak_memory,
        "received": one.received if one.network else None,
        "sent": one.sent if one.network else None,
        "restarts": one.restarts,
        "reserved_cores": None if one.front else reserved.get(one.name),
        "containers": [_container(used, direct) for used in one.containers],
        "points": [[round(point.at, 3), round(point.cores, 4), point.memory] for point in one.points],
    }


def _container(used: ContainerUse, direct: bool) -> dict[str, Any]:
    held, some = used.member.held, bool(used.intervals)
    return {
        "name": used.member.container.name,
        "state": used.state,
        "paused": used.paused,
        "seconds": round(used.seconds, 3),
        "cores": round(used.cores, 4) if some else None,
        "peak_cores": round(used.peak_cores, 4) if some else None,
        "wanted_cores": round(used.wanted, 4) if some and direct else None,
        "cpu_limit": held.cores or None,
        "periods": used.periods if direct else None,
        "throttled": round(used.throttled, 4) if direct else None,
        "memory": used.memory,
        "peak_memory": used.peak_memory,
        "memory_limit": held.memory or None,
        "reserved_memory": held.reserved_memory or None,
        "killed_for_memory": used.killed,
        "kills": used.kills if direct else None,
        "restarts": used.restarts,
        "restarts_in_all": used.member.container.restarts,
    }

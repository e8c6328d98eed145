"""What ``resources`` shows: the plan as a table, the difference, sums; and all of it as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.text import Text

from homeport.report.difference import difference
from homeport.report.table import plain_table
from homeport.report.words import plural, printable, size
from homeport.resources.host import Host
from homeport.resources.plan import (
    CPUS,
    MEMORY,
    PIDS,
    RESERVED_CPUS,
    RESERVED_MEMORY,
    Adds,
    ResourcePlan,
    State,
    Step,
    Sum,
)
from homeport.resources.verify import Verified
from homeport.sources.compose import ComposeFiles

SCHEMA = "homeport.resources/1"

_STYLES = {
    State.CHANGE: "green",
    State.COMPLETE: "dim",
    State.UNKNOWN: "yellow",
    State.REFUSED: "red",
    State.LATER: "dim",
}


def table(plan: ResourcePlan, console: Console) -> None:
    """A line for each service: its tier, why, its limits now and then."""
    found = plain_table()
    for heading in ("service", "tier", "why", "now", "then"):
        found.add_column(heading, no_wrap=heading in ("service", "tier"))
    for step in plan.steps:
        found.add_row(
            Text(printable(step.service)),
            Text(step.tier or "unknown", style=_STYLES[step.state]),
            Text(step.why, style="dim"),
            Text(limits(step.now)),
            Text(_then(step), style=_STYLES[step.state]),
        )
    console.print(found)


def _then(step: Step) -> str:
    if step.state is State.CHANGE:
        return limits(step.then) + (f" ({step.note})" if step.note else "")
    if step.state is State.COMPLETE:
        return "as it is"
    return f"not changed: {step.note or 'give it a tier by name or label'}"


def limits(values: Adds) -> str:
    """Limits in short, each with its reservation behind a stroke: ``1.0/0.5 cores, 512M/256M, 200 pids``."""
    parts = []
    for limit, reserved, unit in ((CPUS, RESERVED_CPUS, " cores"), (MEMORY, RESERVED_MEMORY, " memory")):
        if limit in values or reserved in values:
            parts.append(f"{values.get(limit, '-')}/{values.get(reserved, '-')}{unit}")
    if PIDS in values:
        parts.append(f"{values[PIDS]} pids")
    if size_ := values.get(("logging", "options", "max-size")):
        parts.append(f"logs {size_}")
    return ", ".join(parts) or "none"


def changes(facts: ComposeFiles, plan: ResourcePlan) -> str:
    """The unified diff of all files that would change."""
    documents = facts.project.documents
    return difference((facts.shown(path), documents[path].text, text) for path, text in plan.texts.items())


def totals(found: Iterable[Sum], host: Host | None, console: Console) -> None:
    """What is reserved together, by profile, against what the host has."""
    for one in found:
        name = f"with profile {one.profile}" if one.profile else "without profiles"
        text = f"Reserved {name}: {one.cores:g}"
        text += f" of {host.cores:g} cores" if host and host.cores else " cores"
        text += f", {size(one.memory)}" + (f" of {size(host.memory)}" if host and host.memory else "")
        line = Text(f"{text} ({plural(one.services, 'service')}).")
        if one.too_much:
            line.append(f" More {' and '.join(one.too_much)} than there is.", style="yellow")
        console.print(line)


def verified(found: Verified, console: Console) -> None:
    """What the engine took, and what wasn't asked of it."""
    console.print(
        Text(f"The engine has the limits of {plural(len(found.services), 'service')} as they are written.")
    )
    for name, why in found.left_out.items():
        console.print(Text(f"  {printable(name)}: not verified, {why}", style="dim"))


def last_line(plan: ResourcePlan, applied: bool) -> str:
    """How many services have what."""
    counts = {state: sum(step.state is state for step in plan.steps) for state in State}
    verb = "changed" if applied else "would change"
    words = [f"{plural(counts[State.CHANGE], 'service')} of {len(plan.steps)} {verb}"]
    words.append(f"{counts[State.COMPLETE]} complete")
    for state, word in (
        (State.LATER, "left for later"),
        (State.REFUSED, "refused"),
        (State.UNKNOWN, "unknown"),
    ):
        if counts[state]:
            words.append(f"{counts[state]} {word}")
    return ", ".join(words) + "."


def document(
    facts: ComposeFiles, plan: ResourcePlan, found: Iterable[Sum], host: Host | None, applied: bool
) -> dict[str, Any]:
    """The plan as JSON; limits under the names that they have below the service, memory of hosts in bytes."""
    return {
        "schema": SCHEMA,
        "applied": applied,
        "ok": not plan.missing,
        "host": {"cores": host.cores, "memory": host.memory} if host else None,
        "warnings": list(plan.warnings),
        "services": [
            {
                "name": step.service,
                "tier": step.tier,
                "why": step.why,
                "state": step.state.value,
                "now": _named(step.now),
                "adds": _named(step.adds),
                "file": facts.shown(step.path) if step.adds else "",
                "note": step.note,
            }
            for step in plan.steps
        ],
        "reserved": [
            {"profile": one.profile, "cores": one.cores, "memory": one.memory, "too_much": list(one.too_much)}
            for one in found
        ],
        "files": [facts.shown(path) for path in plan.texts],
        "diff": changes(facts, plan),
    }


def _named(values: Adds) -> dict[str, str]:
    return {".".join(path): value for path, value in values.items()}

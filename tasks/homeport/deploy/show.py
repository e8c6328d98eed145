"""What a deploy shows: its plan, its events, its result; as text and as JSON."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.text import Text

from homeport.deploy.plan import Action, DeployPlan
from homeport.deploy.work import Event
from homeport.errors import HomeportError, WorkFailed
from homeport.model.release import Release
from homeport.report.console import make_console, show_error
from homeport.report.table import plain_table
from homeport.report.words import plural, seconds

PLAN_SCHEMA = "homeport.deploy-plan/1"
RESULT_SCHEMA = "homeport.deploy/1"

_QUIET = {"drain", "stopped", "undo", "ran", "failed"}
"""Ends and beginnings that only the picture needs: the next line, or the error, says the same."""

_LONG = 2.0
"""Seconds after which the end of something old is worth a line all the same."""

_STYLES = {
    Action.UNCHANGED: "dim",
    Action.NEW: "green",
    Action.START_FIRST: "green",
    Action.STOP_FIRST: "yellow",
    Action.RUN: "cyan",
    Action.REMOVED: "red",
}


def plan(found: DeployPlan, console: Console) -> None:
    """What would happen to each service, and why."""
    table = plain_table()
    for heading in ("service", "what", "from", "to", "why"):
        table.add_column(heading, no_wrap=heading != "why")
    for step in found.steps.values():
        table.add_row(
            Text(step.service),
            Text(step.action.value, style=_STYLES[step.action]),
            Text(step.before or ("plain" if step.plain else "")),
            Text(step.target.name if step.target else ""),
            Text(step.why, style="dim"),
        )
    console.print(table)
    for warning in found.warnings:
        console.print(Text.assemble(("warning: ", "yellow"), warning), soft_wrap=True)
    console.print(f"{plural(len(found.changes), 'service')} of {len(found.steps)} would change.")


def plan_document(found: DeployPlan) -> dict[str, Any]:
    return {
        "schema": PLAN_SCHEMA,
        "stack": found.stack,
        "batches": [list(batch) for batch in found.batches],
        "warnings": list(found.warnings),
        "services": _services(found),
    }


def _services(found: DeployPlan) -> list[dict[str, Any]]:
    return [
        {
            "name": step.service,
            "action": step.action.value,
            "why": step.why,
            "before": step.before,
            "after": step.target.name if step.target else "",
            "front": bool(step.front),
            "new_front": step.new_front,
        }
        for step in found.steps.values()
    ]


def teller(console: Console) -> Callable[[Event], None]:
    """A function that shows an event as it happens."""
    stopping: dict[str, float] = {}

    def tell(event: Event) -> None:
        if event.what == "stop":
            stopping[event.service] = event.at
        long = event.what == "stopped" and event.at - stopping.get(event.service, event.at) > _LONG
        if event.what in _QUIET and not long:
            return
        console.print(
            Text.assemble(
                (f"{seconds(event.at):>9}  ", "dim"),
                (f"{event.what:<8}  ", "cyan"),
                event.service,
                (f"  {event.detail}" if event.detail else "", "dim"),
            ),
            soft_wrap=True,
        )

    return tell


def result(release: Release, events: Iterable[Event], console: Console) -> None:
    """What came of it, in a line or two."""
    back = f" (again what r{release.of} was)" if release.of else ""
    console.print(
        f"Release {release.id} of {release.stack}{back}: {plural(len(release.changed), 'service')} changed "
        f"in {seconds(release.seconds)}.",
        markup=False,
    )
    if release.of:
        console.print("  The next 'homeport deploy' brings back what the Compose file says.", markup=False)
    for event in events:
        if event.what in {"front", "pause", "drained", "cut"} and event.detail:
            console.print(f"  {event.service}: {event.detail} ({event.what})", markup=False)


def left_behind(failed: Mapping[str, HomeportError]) -> int:
    """Say which services went back alone; returns the exit code."""
    if not failed:
        return 0
    error = WorkFailed(
        f"{', '.join(failed)} failed and runs as before; the rest of the release runs.",
        cause="'failure_action: continue' says that such a failure concerns nobody else.",
        detail="\n".join(f"{error.what}\n{error.detail}" for error in failed.values()),
    )
    show_error(error, make_console(sys.stderr))
    return error.exit_code


def result_document(
    release: Release, plan: DeployPlan, events: Iterable[Event], failed: Mapping[str, HomeportError]
) -> dict[str, Any]:
    return {
        "schema": RESULT_SCHEMA,
        "release": {**asdict(release), "id": release.id, "outcome": release.outcome.value},
        "services": _services(plan),
        "failed": {name: error.as_dict() for name, error in failed.items()},
        "events": [asdict(event) for event in events],
    }

"""What a deploy shows: its plan, its events, its result; as text and as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.text import Text

from homeport.deploy.plan import Action, DeployPlan
from homeport.deploy.work import Event
from homeport.model.release import Release
from homeport.report.table import plain_table
from homeport.report.words import plural, seconds

PLAN_SCHEMA = "homeport.deploy-plan/1"
RESULT_SCHEMA = "homeport.deploy/1"

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
        "services": [
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
        ],
    }


def teller(console: Console) -> Callable[[Event], None]:
    """A function that shows an event as it happens."""

    def tell(event: Event) -> None:
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
    for event in events:
        if event.what in {"front", "pause", "drained", "cut"} and event.detail:
            console.print(f"  {event.service}: {event.detail} ({event.what})", markup=False)


def result_document(release: Release, events: Iterable[Event]) -> dict[str, Any]:
    return {
        "schema": RESULT_SCHEMA,
        "release": {**asdict(release), "id": release.id, "outcome": release.outcome.value},
        "events": [asdict(event) for event in events],
    }

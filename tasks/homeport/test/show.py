"""What ``test`` shows: each check as it ends, one table, the words of what failed; and all of it as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from homeport.model.checks import Check, Outcome, ok
from homeport.report.table import plain_table
from homeport.report.words import one_line, plural, printable, seconds
from homeport.test.probes import Probe
from homeport.test.stack import Trial
from homeport.test.units import Unit

SCHEMA = "homeport.test/1"
_STYLES = {
    Outcome.PASSED: "green",
    Outcome.FAILED: "bold red",
    Outcome.NONE: "yellow",
    Outcome.LEFT_OUT: "dim",
    Outcome.INTERRUPTED: "yellow",
}
_MOST = 100


def progress(check: Check, console: Console) -> None:
    """A line as a check ends."""
    line = Text.assemble(
        (f"{check.outcome.value:<11}", _STYLES[check.outcome]),
        f" {check.kind:<11} {printable(check.name)}  {seconds(check.seconds)}",
        (f"  {one_line(check.detail, _MOST)}" if check.detail else "", "dim"),
    )
    console.print(line, soft_wrap=True)


def plan(units: Sequence[Unit], trial: Trial | None, probes: Sequence[Probe], paths: Sequence[str],
         console: Console) -> None:  # fmt: skip
    """What would be run."""
    for unit in units:
        how = {"stage": unit.why, "image": f"{unit.why} in its image"}.get(unit.how, unit.why or "no tests")
        console.print(Text(f"unit         {unit.target}: {how}"), soft_wrap=True)
    if trial is not None:
        services = len(trial.isolated.document["services"])
        console.print(Text(f"smoke        {plural(services, 'service')} as a project of their own"))
        for probe in probes:
            console.print(Text(f"smoke        {probe.what}"))
    for path in paths:
        console.print(Text(f"integration  {path}"))


def plan_document(
    units: Sequence[Unit], trial: Trial | None, probes: Sequence[Probe], paths: Sequence[str]
) -> dict[str, Any]:
    """What would be run, as JSON."""
    return {
        "schema": SCHEMA,
        "dry_run": True,
        "unit": [{"target": unit.target, "how": unit.how, "why": unit.why} for unit in units],
        "services": sorted(trial.isolated.document["services"]) if trial else [],
        "left_out": dict(trial.isolated.left_out) if trial else {},
        "probes": [{"name": probe.name, "what": probe.what} for probe in probes],
        "integration": list(paths),
    }


def table(checks: Sequence[Check], console: Console) -> None:
    """One line for each check that is worth one, and how many there were."""
    console.print()
    shown = plain_table()
    for heading in ("kind", "what", "result"):
        shown.add_column(heading, no_wrap=True)
    shown.add_column("time", justify="right", no_wrap=True)
    shown.add_column("", overflow="ellipsis")
    for check in checks:
        if check.outcome is Outcome.NONE:
            continue  # a warning names them, all at once
        shown.add_row(
            check.kind,
            Text(printable(check.name)),
            Text(check.outcome.value, style=_STYLES[check.outcome]),
            seconds(check.seconds) if check.seconds else "",
            Text(one_line(check.detail, _MOST), style="dim"),
        )
    console.print(shown)
    counts = [
        f"{number} {outcome.value}"
        for outcome in Outcome
        if (number := sum(check.outcome is outcome for check in checks))
    ]
    console.print()
    console.print(Text(", ".join(counts) or "There was nothing to test."))


def failures(checks: Sequence[Check], console: Console) -> None:
    """What those that failed said last."""
    for check in checks:
        if check.outcome is Outcome.FAILED:
            console.print()
            console.print(
                Text(f"{check.kind} {printable(check.name)}: {check.detail}", style="bold"), soft_wrap=True
            )
            for line in check.log:
                console.print(Text(f"  {line}"), soft_wrap=True)


def document(
    checks: Sequence[Check],
    warnings: Sequence[str],
    took: float,
    left_out: Mapping[str, str],
    *,
    strict: bool,
) -> dict[str, Any]:
    """All of it as JSON."""
    return {
        "schema": SCHEMA,
        "ok": ok(checks, strict=strict),
        "seconds": round(took, 3),
        "checks": [
            {
                "kind": check.kind,
                "name": check.name,
                "outcome": check.outcome.value,
                "seconds": round(check.seconds, 3),
                "detail": check.detail,
                "log": list(check.log),
            }
            for check in checks
        ],
        "left_out": dict(left_out),
        "warnings": list(warnings),
    }

"""What ``ci.generate`` shows: the shards, the files, the difference; and all of it as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from homeport.ci.marked import State, Step
from homeport.model.shards import Shards
from homeport.report.difference import difference
from homeport.report.table import plain_table
from homeport.report.words import plural, printable

SCHEMA = "homeport.ci/1"
_STYLES = {
    State.NEW: "green",
    State.SAME: "dim",
    State.CHANGED: "yellow",
    State.EDITED: "red",
    State.FOREIGN: "red",
    State.ELSEWHERE: "red",
}


def shards(found: Shards, console: Console) -> None:
    """A line for each machine: what it builds."""
    table = plain_table()
    table.add_column("shard", no_wrap=True)
    table.add_column("targets")
    for name, part in found.named.items():
        table.add_row(name, Text(printable(", ".join(part))))
    console.print(table)


def files(steps: Sequence[Step], console: Console) -> None:
    """A line for each file: what becomes of it."""
    for step in steps:
        line = Text(f"  {step.path}: ")
        line.append(step.state.value, style=_STYLES[step.state])
        if step.lost:
            line.append(f", no place any more for what is kept in {', '.join(step.lost)}", style="red")
        console.print(line, soft_wrap=True)


def changes(steps: Sequence[Step]) -> str:
    """The unified diff of all files that would change; line ends of Windows are no difference."""
    return difference(
        (step.path, (step.before or "").replace("\r\n", "\n"), step.after)
        for step in steps
        if step.state is not State.SAME
    )


def last_line(steps: Sequence[Step], wrote: bool) -> str:
    """How many files are as they should be."""
    other = sum(step.state is not State.SAME for step in steps)
    if not other:
        return f"{plural(len(steps), 'file')}, all up to date."
    forced = " with --force" if any(step.refused for step in steps) else ""
    return f"{plural(other, 'file')} of {len(steps)} {'written' if wrote else f'would be written{forced}'}."


def document(found: Shards, steps: Sequence[Step], warnings: Sequence[str], wrote: bool) -> dict[str, Any]:
    """The plan or what was done as JSON."""
    return {
        "schema": SCHEMA,
        "written": wrote,
        "ok": wrote or all(step.state is State.SAME for step in steps),
        "warnings": list(warnings),
        "bases": list(found.bases),
        "shards": [list(part) for part in found.parts],
        "files": [
            {"path": step.path, "state": step.state.name.lower(), "lost": list(step.lost)} for step in steps
        ],
        "diff": changes(steps),
    }

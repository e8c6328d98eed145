"""The commands that only look: status and releases; and the one that breaks a lock."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict
from pathlib import Path

from rich.text import Text

from homeport.deploy import facts, notes
from homeport.deploy.status import marks, statuses
from homeport.engine import compose, docker
from homeport.errors import EXIT_FAILED
from homeport.model.release import current
from homeport.report.console import make_console
from homeport.report.document import write_json
from homeport.report.table import plain_table
from homeport.report.words import plural, seconds

STATUS_SCHEMA = "homeport.status/1"
RELEASES_SCHEMA = "homeport.releases/1"


def status(cwd: Path, files: tuple[str, ...], json: str) -> int:
    """Show what runs; 0 if it is what the last release says, else 1."""
    name = _stack(cwd, files)
    running, _ = facts.look(name)
    releases = notes.releases(name)
    now, holder = current(releases), notes.holder_of(name)
    found = statuses(running, releases)
    wrong = [one for one in found if one.problems]
    console = make_console(sys.stderr if json == "-" else sys.stdout)
    table = plain_table()
    for heading in ("service", "serves", "up", "front", "problem"):
        table.add_column(heading, no_wrap=heading != "problem")
    for one in found:
        up = f"{one.up}/{one.wanted}" if one.wanted else "-"
        problem = Text("; ".join(one.problems), style="red")
        table.add_row(Text(one.name), Text(one.serving), up, Text(one.front), problem)
    console.print(table)
    release = f"Release {now.id} of {name}" if now else f"No release of {name} yet"
    console.print(
        f"{release}: {plural(len(found), 'service')}, {len(wrong)} not as they should be.", markup=False
    )
    if holder is not None:
        console.print(f"Locked: {notes.describe(holder)}.", markup=False)
    if wrong and now:
        console.print("'homeport deploy' mends it.")
    if json:
        services = [asdict(one) for one in found]
        lock = notes.describe(holder) if holder else None
        document = {"schema": STATUS_SCHEMA, "release": now.id if now else None, "lock": lock}
        write_json(json, {**document, "services": services})
    return EXIT_FAILED if wrong else 0


def releases(cwd: Path, files: tuple[str, ...], json: str) -> int:
    """List the releases, the latest first."""
    name = _stack(cwd, files)
    found = sorted(notes.releases(name), key=lambda one: -one.number)
    said = marks(found)
    console = make_console(sys.stderr if json == "-" else sys.stdout)
    table = plain_table()
    for heading in ("release", "", "when", "took", "who", "revision", "changed", "message"):
        table.add_column(heading, no_wrap=heading not in {"changed", "message"})
    for one in found:
        at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(one.started))
        revision = one.revision[:10] + ("+" if one.dirty else "")
        what = f"again r{one.of}: " if one.of else ""
        changed = what + (", ".join(one.changed[:4]) + (" ..." if len(one.changed) > 4 else ""))
        row = (one.id, said[one.number], at, seconds(one.seconds), f"{one.who}@{one.host}", revision, changed)
        table.add_row(*map(Text, (*row, one.message)))
    console.print(table)
    if json:
        documents = [{**asdict(one), "id": one.id, "outcome": one.outcome.value} for one in found]
        write_json(json, {"schema": RELEASES_SCHEMA, "stack": name, "releases": documents})
    return 0


def unlock(cwd: Path, files: tuple[str, ...]) -> int:
    """Break the lock, and say whose it was."""
    name = _stack(cwd, files)
    holder = notes.holder_of(name)
    notes.unlock(name)
    console = make_console()
    was = f"Unlocked {name}: it was {notes.describe(holder)}." if holder else f"{name} isn't locked."
    console.print(was, markup=False, soft_wrap=True)
    return 0


def _stack(cwd: Path, files: tuple[str, ...]) -> str:
    docker.engine()
    return str(compose.config(files, cwd).get("name") or "")

"""The commands that only look: status and releases; and the one that breaks a lock."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from homeport.deploy import facts, notes
from homeport.deploy.plan import Running
from homeport.deploy.retention import kept_names
from homeport.deploy.status import ServiceStatus, marks, statuses
from homeport.engine import compose, containers, docker, images, stacks, volumes
from homeport.errors import EXIT_FAILED, UsageError, did_you_mean
from homeport.model.release import Release, choose, current
from homeport.report.console import make_console, show_warnings
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
    show_status(name, now, holder, found, console)
    if wrong and now and not any(one.up for one in running.values()):
        console.print("Nothing of it is up: 'homeport deploy' starts it.")
    elif wrong and now:
        back = f"; 'homeport rollback --to {now.id}' goes back to {now.id}" if _astray(now, running) else ""
        ill = [
            one.name for one in wrong if len(one.problems) == 1 and _is_ill(running.get(one.name, Running()))
        ]
        if len(ill) < len(wrong):
            console.print(f"'homeport deploy' mends it{back}.", markup=False)
        for name in ill:
            words = f"{name} runs, and its health check fails: see 'homeport logs --services {name}'."
            console.print(words, markup=False, soft_wrap=True)
    if json:
        write_json(json, status_document(now, holder, found))
    return EXIT_FAILED if wrong else 0


def show_status(
    name: str,
    now: Release | None,
    holder: notes.Holder | None,
    found: Sequence[ServiceStatus],
    console: Console,
) -> None:
    """What runs of a stack whose current release is ``now``, as a table, and who holds its lock."""
    table = plain_table()
    for heading in ("service", "serves", "up", "front", "problem"):
        table.add_column(heading, no_wrap=heading != "problem")
    for one in found:
        up = f"{one.up}/{one.wanted}" if one.wanted else "-"
        problem = Text("; ".join(one.problems), style="red")
        table.add_row(Text(one.name), Text(one.serving), up, Text(one.front), problem)
    console.print(table)
    release = f"Release {now.id} of {name}" if now else f"No release of {name} yet"
    wrong = sum(bool(one.problems) for one in found)
    console.print(f"{release}: {plural(len(found), 'service')}, {wrong} not as they should be.", markup=False)
    if holder is not None:
        console.print(f"Locked: {notes.describe(holder)}.", markup=False)


def status_document(
    now: Release | None, holder: notes.Holder | None, found: Sequence[ServiceStatus]
) -> dict[str, Any]:
    """The same for ``--json``."""
    services = [asdict(one) for one in found]
    lock = notes.describe(holder) if holder else None
    return {
        "schema": STATUS_SCHEMA, "release": now.id if now else None, "lock": lock, "services": services
    }  # fmt: skip


def releases(cwd: Path, files: tuple[str, ...], json: str, *, pin: str = "", unpin: str = "") -> int:
    """List the releases, the latest first; ``pin`` and ``unpin`` name one of them. Raises UsageError."""
    name = _stack(cwd, files)
    found = sorted(notes.releases(name), key=lambda one: -one.number)
    for wanted, on in ((pin, True), (unpin, False)):
        if wanted:
            notes.pin(choose(found, wanted), on=on)
    running, _ = facts.look(name)
    show_releases(name, found, marks(found, notes.pinned(name), running), json)
    return 0


def show_releases(name: str, found: Sequence[Release], said: Mapping[int, str], json: str) -> None:
    """Releases in this order, as a table and for ``--json``; ``said`` is by number a word on each."""
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
        documents = [
            {
                **asdict(one),
                "id": one.id,
                "outcome": one.outcome.value,
                "marks": [word for word in said[one.number].split(", ") if word],
            }
            for one in found
        ]
        write_json(json, {"schema": RELEASES_SCHEMA, "stack": name, "releases": documents})


def logs(
    cwd: Path, files: tuple[str, ...], services: tuple[str, ...], *, follow: bool, lines: int, since: str
) -> int:
    """Show what the containers write that serve now; all of them, or those of some services."""
    name = _stack(cwd, files)
    running, _ = facts.look(name)
    for service in services:
        if service not in running:
            raise UsageError(
                f"No container of a service '{service}' is there.",
                cause=did_you_mean(service, running),
                hint=f"There are: {', '.join(sorted(running)) or 'none'}.",
            )
    wanted = services or tuple(running)
    # The front's own words are few, and only about what it can't reach.
    chosen = {
        one.service
        for found in map(running.__getitem__, wanted)
        for one in (*found.plain, *found.sets.get(found.live, ()), *filter(None, [found.front]))
    }
    return compose.logs(name, sorted(chosen), follow=follow, lines=lines, since=since) if chosen else 0


def down(cwd: Path, files: tuple[str, ...], lock_wait: float, *, everything: bool = False) -> int:
    """Stop and remove all containers and networks of the stack.

    ``everything``: its volumes with their data, too, its releases, and the names that images are kept by.
    """
    name = _stack(cwd, files)
    console = make_console()
    with notes.Lock(name, "down", lock_wait, lambda text: console.print(text, markup=False)):
        there = containers.of_project(name)
        compose.down(name)
        notes.end(name)
        data = volumes.labelled(f"{containers.PROJECT_LABEL}={name}") if everything else {}
        if everything:
            volumes.remove(data)
            own, others = notes.releases(name), notes.releases_elsewhere(name)
            images.untag(sorted(kept_names(own) - kept_names(others)))
            notes.forget_all(name)
    words = f"{name}: {plural(len(there), 'container')}"
    words += f", {plural(len(data), 'volume')} and all releases removed." if everything else " removed."
    rest = "Volumes and the list of releases are kept; to what they were, only a new deploy leads back."
    console.print(words if everything else f"{words} {rest}", markup=False, soft_wrap=True)
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


def _astray(release: Release, running: Mapping[str, Running]) -> bool:
    """Whether something serves that the release doesn't have, as after a deploy that was killed."""
    return any(
        running[name].live not in {"", one.replica_set}
        for name, one in release.services.items()
        if name in running and not one.one_shot
    )


def _is_ill(runs: Running) -> bool:
    """Whether it is what it should be, and its health check says no: another deploy changes nothing then."""
    members = runs.sets.get(runs.live, ())
    return all(one.running for one in members) and any(one.health == "unhealthy" for one in members)


def _stack(cwd: Path, files: tuple[str, ...]) -> str:
    """The stack's name; where it is a guess, a warning says so."""
    docker.engine()
    found = stacks.of(cwd, files)
    show_warnings((found.warning,) if found.warning else (), make_console(sys.stderr))
    return found.name

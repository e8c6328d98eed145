"""The commands that only look, on Swarm: status, releases and logs; and down and unlock."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from homeport.deploy import look, notes
from homeport.deploy.status import ServiceStatus
from homeport.deploy.swarm import records, verdict
from homeport.deploy.swarm.plan import ended, form_of
from homeport.engine import compose, configs, docker, swarm, volumes
from homeport.engine.swarm import STACK_LABEL, Service
from homeport.errors import EXIT_FAILED, UsageError, did_you_mean
from homeport.model.release import Deployed, Outcome, Release, choose, current
from homeport.report.console import make_console
from homeport.report.document import write_json
from homeport.report.words import plural


def status(cwd: Path, files: tuple[str, ...], json: str) -> int:
    """Show what runs; 0 if it is what the last release says, else 1."""
    name = _stack(cwd, files)
    now, holder = current(notes.releases(name, configs)), notes.holder_of(name, configs)
    found = statuses(swarm.services(name), now.services if now else {})
    console = make_console(sys.stderr if json == "-" else sys.stdout)
    look.show_status(name, now, holder, found, console)
    if json:
        write_json(json, look.status_document(now, holder, found))
    return EXIT_FAILED if any(one.problems for one in found) else 0


def statuses(running: Mapping[str, Service], release: Mapping[str, Deployed]) -> tuple[ServiceStatus, ...]:
    """The services of the current release, and whatever else the stack has. Pure."""
    names = sorted({*running, *release})
    return tuple(_status(name, running.get(name), release.get(name)) for name in names)


def _status(name: str, runs: Service | None, should: Deployed | None) -> ServiceStatus:
    if should is not None and should.one_shot:
        done = runs is not None and form_of(runs) == should.replica_set and ended(runs)
        problem = () if done else ("it hasn't run to its end in this form",)
        return ServiceStatus(name, should.replica_set, 0, 0, "", problem)
    if runs is None:
        return ServiceStatus(name, "", 0, should.count if should else 0, "", ("Swarm doesn't have it",))
    problems = []
    if should is None:
        problems.append("no release has it" if form_of(runs) else "it runs without homeport")
    elif form_of(runs) != should.replica_set:
        problems.append(f"{form_of(runs) or 'something else'} serves, not {should.replica_set}")
    elif runs.image != should.image_name:
        problems.append("somebody gave it another image")
    elif should.count not in {0, runs.count}:
        problems.append(f"somebody wants {runs.count} tasks of it, not {should.count}")
    if not verdict.all_well(runs):
        up = f"{verdict.well(runs)} of {runs.count} tasks are well"
        problems.append(f"{up}: {verdict.waiting_for(runs)}")
    if runs.update in {"paused", "rollback_paused"}:
        problems.append(f"Swarm stopped half-way: {runs.said}")
    return ServiceStatus(name, form_of(runs), verdict.well(runs), runs.count, "", tuple(problems))


def releases(cwd: Path, files: tuple[str, ...], json: str, *, pin: str = "", unpin: str = "") -> int:
    """List the releases, the latest first; ``pin`` and ``unpin`` name one of them. Raises UsageError."""
    name = _stack(cwd, files)
    found = sorted(notes.releases(name, configs), key=lambda one: -one.number)
    for wanted, on in ((pin, True), (unpin, False)):
        if wanted:
            notes.pin(choose(found, wanted), on=on, keep=configs)
    said = _marks(found, notes.pinned(name, configs), running=bool(swarm.services(name)))
    look.show_releases(name, found, said, json)
    return 0


def _marks(found: Iterable[Release], pinned: Iterable[int], *, running: bool) -> dict[int, str]:
    """By number what is to be said of a release."""
    everything, kept = list(found), set(pinned)
    now = current(everything)
    marks = {}
    for one in everything:
        words = [("runs" if running else "current") if now and one.number == now.number else ""]
        words += [one.outcome.value if one.outcome is not Outcome.PASSED else ""]
        words += ["pinned" * (one.number in kept), "irreversible" * one.irreversible]
        marks[one.number] = ", ".join(filter(None, words))
    return marks


def logs(
    cwd: Path, files: tuple[str, ...], services: tuple[str, ...], *, follow: bool, lines: int, since: str
) -> int:
    """Show what services write, one after the other. Raises UsageError."""
    name = _stack(cwd, files)
    there = swarm.services(name)
    for service in services:
        if service not in there:
            raise UsageError(
                f"Swarm has no service '{service}' of {name}.",
                cause=did_you_mean(service, there),
                hint=f"There are: {', '.join(sorted(there)) or 'none'}.",
            )
    wanted = services or tuple(sorted(there))
    if follow and len(wanted) > 1:
        raise UsageError("Swarm follows one service at a time.", hint="Name it: --services NAME.")
    codes = [swarm.logs(name, one, follow=follow, lines=lines, since=since) for one in wanted]
    return max(codes, default=0)


def down(cwd: Path, files: tuple[str, ...], lock_wait: float, *, everything: bool = False) -> int:
    """Stop and remove all services and networks of the stack.

    ``everything``: its releases, secrets and configs, too, and the volumes that this machine has of it.
    """
    name = _stack(cwd, files)
    console = make_console()
    with notes.Lock(name, "down", lock_wait, lambda text: console.print(text, markup=False), configs):
        there = swarm.services(name)
        swarm.remove_stack(name)
        data = volumes.labelled(f"{STACK_LABEL}={name}") if everything else {}
        if everything:
            volumes.remove(data)
            records.forget_all(name)
    words = f"{name}: {plural(len(there), 'service')}"
    words += f", {plural(len(data), 'volume')} of this machine" if everything else ""
    rest = "Volumes and the list of releases are kept; to what they were, only a new deploy leads back."
    words += (
        " and all releases removed; other machines keep their volumes." if everything else f" removed. {rest}"
    )
    console.print(words, markup=False, soft_wrap=True)
    return 0


def unlock(cwd: Path, files: tuple[str, ...]) -> int:
    """Break the lock, and say whose it was."""
    name = _stack(cwd, files)
    holder = notes.holder_of(name, configs)
    notes.unlock(name, configs)
    was = f"Unlocked {name}: it was {notes.describe(holder)}." if holder else f"{name} isn't locked."
    make_console().print(was, markup=False, soft_wrap=True)
    return 0


def _stack(cwd: Path, files: tuple[str, ...]) -> str:
    """The stack's name. Raises EnvironmentProblem if the engine manages no swarm."""
    docker.engine()
    swarm.nodes()
    return str(compose.config(files, cwd).get("name") or "")

"""The stack under test: a project of its own beside whatever runs, started, waited for, always removed."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from homeport.engine import containers, gate, projects
from homeport.engine.containers import Container, ContainerProblem
from homeport.errors import HomeportError
from homeport.model.checks import Check, Outcome
from homeport.model.isolation import Isolated, isolate
from homeport.model.stack import parse_stack
from homeport.report.document import write_text
from homeport.test import owner

LOG_LINES = 40
_ALL_LINES = 10_000


@dataclass(frozen=True)
class Stack:
    """A stack that is up: its project, and by service and port of the container the port of this machine."""

    project: str
    ports: Mapping[str, Mapping[int, int]] = field(hash=False)
    host: str = "127.0.0.1"


@dataclass
class Trial:
    """One start of the stack, and how it went: a check for each service."""

    run: str
    isolated: Isolated
    checks: list[Check] = field(default_factory=list)
    stack: Stack | None = None
    """None: not everything in it is well."""

    @property
    def project(self) -> str:
        return str(self.isolated.document["name"])

    def write_logs(self, folder: Path) -> None:
        """Write what each container has said into a file of its own. Raises UsageError."""
        for one in containers.of_project(self.project):
            lines = containers.logs(one.id, _ALL_LINES)
            write_text(folder / f"{one.service}.log", "\n".join(lines) + "\n")


def plan(
    document: Mapping[str, Any],
    ports: Mapping[str, Collection[int]],
    kept: Callable[[str], bool],
    *,
    fast_checks: bool,
) -> Trial:
    """The project that would be started. ``ports`` are reached from here beside those that are published."""
    run = owner.run_id()
    project = f"{document.get('name')}-test-{run}"
    labels = {owner.RUN_LABEL: run, owner.OWNER_LABEL: str(owner.me())}
    made = isolate(document, project, labels, ports=ports, kept=kept, fast_checks=fast_checks)
    return Trial(run, made)


def sweep() -> tuple[str, ...]:
    """Remove what tests left that were killed; returns what was removed, in words."""
    dead = owner.orphans(projects.labelled(owner.RUN_LABEL), owner.me().host)
    if not dead:
        return ()
    runs = {labels[owner.RUN_LABEL] for labels in dead.values()}
    said = projects.remove(dead)
    what = f"Removed what {len(runs)} test{'s' * (len(runs) > 1)} left that had been killed"
    return (f"{what}, but for: {said}" if said else f"{what}.",)


@contextlib.contextmanager
def started(trial: Trial, cwd: Path, seconds: float, tell: Callable[[Check], None]) -> Iterator[Trial]:
    """Start it and wait until all of it is well, at most so many seconds; removed at the end of the block.

    Whatever fails is a failed check with the service's last words, and no exception.
    """
    try:
        _start(trial, cwd, seconds, tell)
        yield trial
    finally:
        remove(trial)


def remove(trial: Trial) -> None:
    """Remove everything of a trial. Raises ContainerProblem for what can't be."""
    label = f"{owner.RUN_LABEL}={trial.run}"
    said = ""
    for _ in range(3):
        found = projects.labelled(label)
        if not found:
            return
        said = projects.remove(found)
        time.sleep(0.2)
    if left := projects.labelled(label):
        raise ContainerProblem(
            f"Of the stack under test this is left: {', '.join(left)}.",
            detail=said,
            hint="The next 'homeport test' removes it.",
        )


def _start(trial: Trial, cwd: Path, seconds: float, tell: Callable[[Check], None]) -> None:
    began = time.monotonic()
    end = began + seconds
    problem = ""
    try:
        projects.start(trial.isolated.document, cwd, seconds)
    except HomeportError as error:
        problem = " ".join(filter(None, (error.what, error.cause)))
    found = containers.of_project(trial.project)
    services = parse_stack(trial.isolated.document).services
    for name, service in services.items():
        own = [one for one in found if one.service == name]
        if service.replicas:
            one_shot = service.one_shot and not service.has_health_check and not service.published
            check = _check(name, own, service.replicas, end, problem, one_shot=service.awaited or one_shot)
            trial.checks.append(Check("smoke", name, check[0], time.monotonic() - began, check[1], check[2]))
            tell(trial.checks[-1])
    if problem and not any(check.outcome is Outcome.FAILED for check in trial.checks):
        trial.checks.append(Check("smoke", "start", Outcome.FAILED, time.monotonic() - began, problem))
        tell(trial.checks[-1])
    if not any(check.outcome is Outcome.FAILED for check in trial.checks):
        ports = {
            name: {port: at.port for one in own[:1] for port, at in one.reached.items()}
            for name in services
            if (own := [one for one in containers.of_project(trial.project) if one.service == name])
        }
        trial.stack = Stack(trial.project, ports)


def _check(
    name: str, own: list[Container], wanted: int, end: float, problem: str, *, one_shot: bool
) -> tuple[Outcome, str, tuple[str, ...]]:
    """How a service went, what is to say of it, and its last lines."""
    if len(own) < wanted:
        return Outcome.FAILED, problem or "it was not started", ()
    left = max(end - time.monotonic(), 1.0)
    if problem:
        # Nothing more will come: what isn't well by now is named, with why.
        left = 1.0
    for one in own:
        if one.state == "created":
            return Outcome.LEFT_OUT, "not started, because something that it waits for isn't well", ()
    ended = one_shot or all(one.state == "exited" and one.exit_code == 0 for one in own)
    if ended:
        verdicts = [gate.wait_for_end(one.id, left) for one in own]
    else:
        verdicts = [gate.wait([one.id for one in own], left)]
    for verdict in verdicts:
        if verdict.problem:
            log = [] if verdict.container is None else list(containers.logs(verdict.container.id, LOG_LINES))
            said = verdict.container.health_log if verdict.container else ""
            log += [f"health check: {line}" for line in said.splitlines()[-5:]]
            return Outcome.FAILED, verdict.problem, tuple(log)
    return Outcome.PASSED, "ran to its end" if ended else "", ()

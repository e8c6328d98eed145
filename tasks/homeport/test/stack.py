"""The stack under test: a project of its own beside whatever runs, started, waited for, always removed."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from homeport.engine import containers, gate, killed, owner, projects
from homeport.engine.containers import Container, ContainerProblem
from homeport.engine.signals import undisturbed
from homeport.errors import HomeportError
from homeport.model.checks import Check, Outcome
from homeport.model.isolation import Isolated, Source, isolate
from homeport.model.stack import parse_stack
from homeport.report.document import file_name, write_text

RUN_LABEL = "io.homeport.test.run"
OWNER_LABEL = "io.homeport.test.owner"
LOG_LINES = 40
_ALL_LINES = 10_000
_AT_ONCE = 8

T = TypeVar("T")


@dataclass(frozen=True)
class Stack:
    """A stack that is up: its project; by service and port of the container the ports of this machine."""

    project: str
    ports: Mapping[str, Mapping[int, tuple[int, ...]]] = field(hash=False)
    host: str = "127.0.0.1"


@dataclass
class Trial:
    """One start of the stack, and how it went: a check for each service."""

    run: str
    isolated: Isolated
    ending: frozenset[str] = frozenset()
    """The services that run to their end."""
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
            name = file_name(f"{one.name.removeprefix(f'{self.project}-')}.log")
            write_text(folder / name, "\n".join(lines) + "\n")


def plan(
    document: Mapping[str, Any],
    ports: Mapping[str, Collection[int]],
    source: Callable[[str], Source],
    *,
    fast_checks: bool,
) -> Trial:
    """The project that would be started. ``ports`` are reached from here beside those that are published."""
    run = owner.run_id()
    project = f"{document.get('name')}-test-{run}"
    labels = {RUN_LABEL: run, OWNER_LABEL: str(owner.me())}
    made = isolate(document, project, labels, ports=ports, source=source, fast_checks=fast_checks)
    # By what the project says itself: under test nothing is started again.
    services = parse_stack(document).services
    return Trial(run, made, frozenset(name for name, one in services.items() if one.one_shot))


def sweep() -> tuple[str, ...]:
    """Remove what runs left that were killed, and end what they had started; returns that in words."""
    return killed.sweep(RUN_LABEL, OWNER_LABEL)


@contextlib.contextmanager
def started(trial: Trial, cwd: Path, seconds: float, tell: Callable[[Check], None]) -> Iterator[Trial]:
    """Start it and wait until all of it is well, at most so many seconds; removed at the end of the block.

    Whatever fails is a failed check with the service's last words, and no exception.
    """
    try:
        _start(trial, cwd, seconds, tell)
        yield trial
    finally:
        with undisturbed():
            remove(trial)


def remove(trial: Trial) -> None:
    """Remove everything of a trial. Raises ContainerProblem for what can't be."""
    label = f"{RUN_LABEL}={trial.run}"
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

    def note(name: str, outcome: Outcome, detail: str = "", log: tuple[str, ...] = ()) -> None:
        trial.checks.append(Check("smoke", name, outcome, time.monotonic() - began, detail, log))
        tell(trial.checks[-1])

    for name, why in trial.isolated.left_out.items():
        note(name, Outcome.LEFT_OUT, why)
    services = parse_stack(trial.isolated.document).services
    if not any(service.replicas for service in services.values()):
        return
    try:
        projects.start(trial.isolated.document, cwd, seconds)
    except HomeportError as error:
        problem = " ".join(filter(None, (error.what, error.cause)))
    found = containers.of_project(trial.project)

    def check(name: str) -> tuple[Outcome, str, tuple[str, ...]]:
        own = [one for one in found if one.service == name]
        return _check(own, services[name].replicas, end, problem, ends=name in trial.ending)

    wanted = [name for name, service in services.items() if service.replicas]
    for name, verdict in zip(wanted, _several(check, wanted), strict=True):
        note(name, *verdict)
    if problem and not _failed(trial):
        note("start", Outcome.FAILED, problem)
    if not _failed(trial) and look_again(trial, tell):
        trial.stack = Stack(trial.project, _ports(containers.of_project(trial.project)))


def _several(check: Callable[[str], T], names: Sequence[str]) -> Iterator[T]:
    """Check several services at a time, in their order: each takes two seconds if nothing checks it.

    Interrupted, it doesn't wait for them: they end when their containers are gone.
    """
    pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="gate")
    try:
        yield from pool.map(check, names)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _failed(trial: Trial) -> bool:
    return any(check.outcome is Outcome.FAILED for check in trial.checks)


def _ports(found: Iterable[Container]) -> dict[str, dict[int, tuple[int, ...]]]:
    ports: dict[str, dict[int, tuple[int, ...]]] = {}
    for one in found:
        own = ports.setdefault(one.service, {})
        for port, at in one.reached.items():
            own[port] = (*own.get(port, ()), at.port)
    return ports


def look_again(trial: Trial, tell: Callable[[Check], None]) -> bool:
    """Whether everything that was well still is; what isn't becomes a failed check."""
    well = True
    services = parse_stack(trial.isolated.document).services
    for position, check in enumerate(trial.checks):
        if check.outcome is not Outcome.PASSED or check.name in trial.ending:
            continue
        own = containers.of_project(trial.project, check.name)
        verdict = gate.still({one.id: 0 for one in own})
        if len(own) < services[check.name].replicas:
            verdict = gate.Verdict(None, "its container is gone")
        if verdict.problem:
            well = False
            problem = f"it was well at first, then {verdict.problem}"
            trial.checks[position] = Check(
                "smoke", check.name, Outcome.FAILED, check.seconds, problem, _words(verdict)
            )
            tell(trial.checks[position])
    return well


def _check(
    own: list[Container], wanted: int, end: float, problem: str, *, ends: bool
) -> tuple[Outcome, str, tuple[str, ...]]:
    """How a service went, what is to say of it, and its last lines."""
    if len(own) < wanted:
        return Outcome.FAILED, problem or "it was not started", ()
    if any(one.state == "created" for one in own):
        return Outcome.LEFT_OUT, "not started, because something that it waits for isn't well", ()
    # Where Compose has given up nothing more will come: what isn't well by now is named, with why.
    left = 1.0 if problem else max(end - time.monotonic(), 1.0)
    if ends:
        verdicts = [gate.wait_for_end(one.id, left) for one in own]
    else:
        verdicts = [gate.wait([one.id for one in own], left)]
    for verdict in verdicts:
        if verdict.problem:
            return Outcome.FAILED, verdict.problem, _words(verdict)
    return Outcome.PASSED, "ran to its end" if ends else "", ()


def _words(verdict: gate.Verdict) -> tuple[str, ...]:
    """The last lines of a container, and of its health check."""
    if verdict.container is None:
        return ()
    said = verdict.container.health_log.splitlines()[-5:]
    return (*containers.logs(verdict.container.id, LOG_LINES), *(f"health check: {line}" for line in said))

"""``stats`` from end to end: watch -> what was used -> advice -> report."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.text import Text

from homeport.engine import containers, docker, stacks, usage
from homeport.errors import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EnvironmentProblem,
    UsageError,
    WorkFailed,
    did_you_mean,
)
from homeport.model.finding import Severity
from homeport.model.tiers import Policy, cores_of
from homeport.report.console import make_console, show_warnings
from homeport.report.document import check_file, make_folder, write_json
from homeport.report.words import plural, seconds
from homeport.stats import advice, page, show
from homeport.stats.measure import Seen, services
from homeport.stats.watch import watch

MOST_LOOKS = 3600
"""All of them are kept for the report: an hour, second by second, or a day, each half a minute."""


@dataclass(frozen=True)
class Request:
    """What is asked for; ``seconds`` and ``interval`` are how long and how often, ``report`` is a folder."""

    cwd: Path
    policy: Policy = field(default_factory=Policy)
    files: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    seconds: int = 30
    interval: int = 1
    check: bool = False
    json: str = ""
    report: str = ""


def check(request: Request) -> None:
    """Raise UsageError for a time that can't be watched, before anything is asked of the engine."""
    if request.seconds == 0:
        raise UsageError("--seconds 0 sees nothing.", hint="What is used shows between two looks: 1 or more.")
    if request.interval == 0:
        raise UsageError("--interval takes at least 1 second.", hint="Say --interval 1, or leave it out.")
    if request.interval > request.seconds:
        raise UsageError(
            f"--interval {request.interval} is longer than --seconds {request.seconds}: too few looks.",
            hint=f"For example --interval {max(request.seconds // 10, 1)}.",
        )
    if request.seconds / request.interval > MOST_LOOKS:
        wide = -(-request.seconds // MOST_LOOKS)
        raise UsageError(
            f"That would be {request.seconds // request.interval} looks, more than {MOST_LOOKS}.",
            hint=f"Look less often, for example --interval {wide}.",
        )


def run(request: Request) -> int:
    """Watch, show, write; returns 1 if ``check`` and there is a warning, 130 if it was interrupted, else 0.

    Raises HomeportError; WorkFailed if the engine went away, after showing what was seen until then.
    """
    check(request)
    if request.json:
        check_file(request.json, "--json")
    if request.report:
        make_folder(Path(request.report))
    console = make_console(sys.stderr if request.json == "-" else sys.stdout)
    engine = docker.engine()
    if engine.platform.startswith("windows/"):
        raise EnvironmentProblem(
            "Windows containers have other counts, which homeport doesn't read.",
            hint="'docker stats' shows them; switch the engine to Linux containers for this.",
        )
    found = stacks.of(request.cwd, request.files)
    show_warnings((found.warning,) if found.warning else (), make_console(sys.stderr))
    direct = usage.directly()
    names = _running(found, direct, request)
    began = time.time()
    words = f"Watching {plural(len(names), 'service')} of {found.name} for {seconds(request.seconds)} ..."
    console.print(Text(words, style="dim"))
    with show.Watching(console, request.seconds) as watching:
        seen = watch(
            found.name,
            request.seconds,
            request.interval,
            direct=direct,
            services=request.services,
            show=watching.show,
        )
    return _report(request, found, float(engine.cpus), seen, began)


def _report(request: Request, found: stacks.Found, cpus: float, seen: Seen, began: float) -> int:
    console = make_console(sys.stderr if request.json == "-" else sys.stdout)
    used = services(seen)
    reserved = reserved_cores(found.document)
    advised = advice.advise(used, advice.Context(request.policy, cpus, reserved))
    said = show.remarks(used, seen)
    if used:
        show.result(used, advised, said, seen, console)
    last = show.last_line(used, advised, seen, found.name)
    console.print(Text(f"Interrupted. {last}" if seen.interrupted else last), soft_wrap=True)
    document = show.document(found.name, used, advised, said, seen, reserved)
    if request.report:
        path = page.write(Path(request.report), found.name, used, advised, said, seen, began, document)
        console.print(Text(f"Report: {path}"), soft_wrap=True)
    if seen.silent:
        error = WorkFailed(
            f"The engine gave no answer any more after {seconds(seen.seconds)}.",
            cause="It was stopped or restarted, or the connection to it is gone.",
            hint="'docker info' says whether it is back; what was seen until then is above.",
        )
        error.document = document
        raise error
    if request.json:
        write_json(request.json, document)
    if seen.interrupted:
        return EXIT_INTERRUPTED
    warned = any(one.severity is Severity.WARNING for one in advised)
    return EXIT_FAILED if request.check and warned else 0


def _running(found: stacks.Found, direct: bool, request: Request) -> set[str]:
    """The services that run, of those asked for. Raises UsageError or EnvironmentProblem."""
    try:
        members = usage.members(usage.active(found.name, direct=direct), direct=direct).values()
    except usage.Silent:
        raise docker.not_running("") from None
    running = {one.service for one in members if one.counts}
    if not running:
        raise EnvironmentProblem(
            f"Nothing of the stack {found.name} runs.",
            cause=_others(found.name, request.cwd),
            hint="Start it ('homeport deploy', 'docker compose up --detach'), or set COMPOSE_PROJECT_NAME.",
        )
    for name in request.services:
        if name not in running:
            stopped = name in (found.document.get("services") or {})
            cause = "The Compose file has it, but it isn't started."
            raise UsageError(
                f"No container of a service '{name}' runs.",
                cause=cause if stopped else did_you_mean(name, running),
                hint=f"Running: {', '.join(sorted(running))}.",
            )
    return set(request.services) or running


def _others(name: str, cwd: Path) -> str:
    """What else was started from this folder, under other names."""
    others = [one for one in containers.projects_of(cwd) if one != name]
    return f"From this folder there is {' and '.join(others)}." if others else ""


def reserved_cores(document: Mapping[str, Any]) -> dict[str, float]:
    """By service the cores that a resolved Compose project reserves: the engine isn't told of them."""
    found = {}
    for name, spec in (document.get("services") or {}).items():
        resources = ((spec or {}).get("deploy") or {}).get("resources") or {}
        cores = cores_of(str((resources.get("reservations") or {}).get("cpus") or ""))
        if cores:
            found[str(name)] = cores
    return found

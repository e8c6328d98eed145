"""``resources`` from end to end: facts -> plan -> proof -> write -> report."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rich.text import Text

from homeport.engine import docker
from homeport.errors import EXIT_FAILED, DefinitionError, HomeportError
from homeport.model.tiers import Policy
from homeport.report.console import make_console, show_warnings
from homeport.report.difference import show_difference
from homeport.report.document import check_file, write_json
from homeport.resources import plan as planning
from homeport.resources import proof, show, verify
from homeport.resources.host import Host, parse_host
from homeport.sources import compose
from homeport.sources.replace import write


@dataclass(frozen=True)
class Request:
    """What is asked for. ``host`` is as in ``--host``; empty: the engine is asked."""

    cwd: Path
    policy: Policy
    files: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    limit: int = 0
    host: str = ""
    apply: bool = False
    check: bool = False
    verify: bool = False
    json: str = ""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)


def run(request: Request) -> int:
    """Show the plan, and carry it out with ``apply``; returns 1 if ``check`` finds something missing, else 0.

    Raises HomeportError; then no file was changed.
    """
    console = make_console(sys.stderr if request.json == "-" else sys.stdout)
    if request.json:
        check_file(request.json, "--json")
    host = parse_host(request.host) if request.host else None
    found = compose.read(request.cwd, request.files, request.environment)
    if not found.project.services:
        raise DefinitionError(
            f"{' and '.join(found.shown(path) for path in found.files)} defines no services.",
            hint="Name the Compose file with --file.",
        )
    plan = planning.make(found, request.policy, limit=request.limit, services=request.services)
    files = proof.proven(found, plan)
    host = host or _engines_host()
    reserved = planning.sums(plan, host)
    show.table(plan, console)
    show_warnings((*plan.warnings, *_about(planning.too_big(plan, host))), console)
    if not request.apply and files:
        console.print()
        show_difference(show.changes(found, plan), console)
    if request.apply:
        write(files, found.sources)
    console.print()
    show.totals(reserved, host, console)
    console.print(Text(show.last_line(plan, request.apply)))
    if files and not request.apply:
        console.print(Text("Nothing was written: --apply does it.", style="dim"))
    if request.verify:
        names = [step.service for step in plan.steps if step.service in (request.services or (step.service,))]
        done = verify.verify(request.files, request.cwd, names)
        show.verified(done, console)
    if request.json:
        write_json(request.json, show.document(found, plan, reserved, host, request.apply))
    left = [
        step
        for step in plan.missing
        if not (request.apply and step.state is planning.State.CHANGE)
        and step.service in (request.services or (step.service,))
    ]
    return EXIT_FAILED if request.check and left else 0


def _about(services: tuple[str, ...]) -> tuple[str, ...]:
    if not services:
        return ()
    return (
        f"the limit of {', '.join(services)} is more cores than the host has: the engine would not start "
        f"{'it' if len(services) == 1 else 'them'}",
    )


def _engines_host() -> Host | None:
    """The engine's machine, if an engine answers."""
    try:
        engine = docker.engine()
    except HomeportError:
        return None
    return Host(float(engine.cpus), engine.memory)

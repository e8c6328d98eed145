"""The test command from end to end: facts -> plan -> apply -> report."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from homeport.engine.containers import ContainerProblem
from homeport.engine.docker import version_tuple
from homeport.errors import EXIT_FAILED, EnvironmentProblem, UsageError, did_you_mean
from homeport.model.checks import Check, Outcome, ok
from homeport.model.config import BuildConfig, ChecksConfig
from homeport.model.targets import bake_name
from homeport.report import junit
from homeport.report.console import make_console, show_warnings
from homeport.report.document import check_file, make_folder, write_json, write_text
from homeport.report.words import plural
from homeport.sources.mounted import Sources
from homeport.test import facts as reading
from homeport.test import integration, probes, show, stack, units
from homeport.test.facts import Facts
from homeport.test.probes import Probe
from homeport.test.running import Running
from homeport.test.stack import Trial
from homeport.test.units import Unit

KINDS = ("unit", "smoke", "integration")
Unnoticed = Callable[[Facts, Mapping[str, Mapping[str, Any]]], tuple[str, ...]]
"""From the facts and what bake was given, by name, to warnings about files that BuildKit didn't notice."""
_START_INTERVAL_ENGINE = (25,)
"""The first engine that knows ``healthcheck.start_interval`` (moby 25.0 release notes)."""


@dataclass(frozen=True)
class Request:
    """What is asked for. ``targets``: those whose unit tests count; none: all. ``affected`` narrows them to
    those whose images changes can be about (None: no matter), and those whose tests have ``changed``."""

    root: Path
    config: ChecksConfig = field(default_factory=ChecksConfig)
    build: BuildConfig = field(default_factory=BuildConfig)
    targets: tuple[str, ...] = ()
    affected: tuple[str, ...] | None = None
    changed: frozenset[str] = frozenset()
    unbuilt: tuple[str, ...] = ()
    """Targets whose build has failed: what the engine has of them is older."""
    kinds: tuple[str, ...] = KINDS
    builder: str = ""
    jobs: int = 4
    again: bool = False
    strict: bool = False
    dry_run: bool = False
    json: str = ""
    junit: str = ""
    report: str = ""


@dataclass(frozen=True)
class _Plan:
    units: tuple[Unit, ...]
    trial: Trial | None
    probes: tuple[Probe, ...]
    paths: tuple[str, ...]


def check_kinds(kinds: tuple[str, ...]) -> tuple[str, ...]:
    """What ``--only`` names, all of it for none. Raises UsageError for what there isn't."""
    for kind in kinds:
        if kind not in KINDS:
            raise UsageError(
                f"There are no {kind!r} tests.",
                cause=did_you_mean(kind, KINDS),
                hint=f"There are {', '.join(KINDS)}.",
            )
    return kinds or KINDS


def knows_start_interval(engine: str) -> bool:
    """Whether an engine of this version knows ``healthcheck.start_interval``."""
    return version_tuple(engine) >= _START_INTERVAL_ENGINE


def check(request: Request) -> None:
    """Find whatever is wrong with a request before anything is built. Raises HomeportError."""
    for option, path in (("--json", request.json), ("--junit", request.junit)):
        if path:
            check_file(path, option)
    if request.report and not request.dry_run:
        make_folder(Path(request.report))
    if request.junit == "-":
        raise UsageError("--junit is a file.", hint="Standard output is for --json -.")
    if not request.config.start or not request.config.limit:
        raise UsageError("[test] 'start' and 'limit' are seconds, and more than 0.")
    _plan(_facts(request), request)


def run(request: Request, unnoticed: Unnoticed = lambda found, specs: ()) -> int:
    """Test, show, and return 0 if nothing failed, else 1.

    ``unnoticed`` gives warnings about what builds were sent, which a flow can't know of another one.
    Raises HomeportError for what is found before anything was started.
    """
    console = make_console(sys.stderr if request.json == "-" else sys.stdout)
    began = time.monotonic()
    found = _facts(request)
    plan = _plan(found, request)
    warnings = found.warnings
    if plan.trial is not None:
        warnings += tuple(f"{note[0].upper()}{note[1:]}." for note in plan.trial.isolated.notes)
    if request.dry_run:
        show_warnings(warnings, console)
        show.plan(plan.units, plan.trial, plan.probes, plan.paths, console)
        if request.json:
            write_json(request.json, show.plan_document(plan.units, plan.trial, plan.probes, plan.paths))
        return 0
    warnings += stack.sweep()
    show_warnings(warnings, console)
    checks: list[Check] = []
    try:
        _checks(plan, found, request, console, checks)
    except ContainerProblem as error:
        # What was found is worth more than that something is left, which the next run removes.
        said = f"{error.what} {error.detail}".strip()
        checks.append(Check("smoke", "clean up", Outcome.FAILED, 0.0, said))
    for check in _nothing(plan, found, request):
        show.progress(check, console)
        checks.append(check)
    specs = {name: spec for unit in plan.units for name, spec in unit.document.get("target", {}).items()}
    stale = unnoticed(found, specs) if specs else ()
    _report(checks, warnings, stale, time.monotonic() - began, plan, request, console)
    return 0 if ok(checks, strict=request.strict) else EXIT_FAILED


def _facts(request: Request) -> Facts:
    return reading.read(
        request.root,
        build_files=request.build.files,
        targets=request.targets or request.build.targets,
        builder=request.builder or request.build.builder,
        compose_files=request.config.files,
        folders={bake_name(name): one.folder for name, one in request.config.unit.items() if one.folder},
    )


def _plan(found: Facts, request: Request) -> _Plan:
    config = request.config
    chosen: tuple[Unit, ...] = ()
    if "unit" in request.kinds:
        chosen = units.plan(
            found,
            config,
            affected=request.affected,
            changed=request.changed,
            unbuilt=request.unbuilt,
            again=request.again,
        )
    smoke = bool(found.document) and bool({"smoke", "integration"} & {*request.kinds})
    if not smoke:
        return _Plan(chosen, None, (), ())
    if not found.engine.local:
        raise EnvironmentProblem(
            "The stack can't be tested: the engine is on another machine.",
            cause="The ports under test are open there, and for that machine alone.",
            hint="Run this on that machine, or leave it at --only unit.",
        )
    asked = probes.plan(found.document, config.probes)
    paths = (config.integration or found.integration) if "integration" in request.kinds else ()
    integration.check(paths, found.root)
    fast = knows_start_interval(found.engine.version)
    trial = stack.plan(found.document, probes.ports(asked), Sources(found.root), fast_checks=fast)
    kept = tuple(one for one in asked if one.service in trial.isolated.document["services"])
    return _Plan(chosen, trial, kept if "smoke" in request.kinds else (), paths)


def _checks(plan: _Plan, found: Facts, request: Request, console: Console, checks: list[Check]) -> None:
    """Carry a plan out; what comes of it is put into ``checks`` as it does."""

    def tell(check: Check) -> None:
        show.progress(check, console)

    checks += Running(found, request.config.limit).all(plan.units, request.jobs, tell)
    if plan.trial is None:
        return
    services = len(plan.trial.isolated.document["services"])
    console.print(Text(f"Starting {plural(services, 'service')} as {plan.trial.project}."))
    with stack.started(plan.trial, found.root, request.config.start, tell) as trial:
        up, more = trial.stack, []
        if up is not None:
            more += probes.ask_all(plan.probes, up, tell)
            if plan.paths:
                found_ = integration.run(plan.paths, found.root, up, request.config.limit)
                for check in found_:
                    tell(check)
                more += found_
            stack.look_again(trial, tell)
        else:
            why = "the stack isn't well"
            more += [Check("integration", path, Outcome.LEFT_OUT, 0.0, why) for path in plan.paths]
        checks += [*trial.checks, *more]
        if request.report:
            trial.write_logs(Path(request.report) / "logs")


def _nothing(plan: _Plan, found: Facts, request: Request) -> list[Check]:
    """What was asked for by its kind, and isn't there at all; everything, where nothing is."""
    no_stack = "" if found.document else "there is no Compose file"
    no_paths = "" if plan.paths else "there is no folder tests/integration, and [test] names no other"
    missing = {
        "unit": "" if plan.units or request.affected is not None else "there are no targets",
        "smoke": no_stack,
        "integration": no_stack or no_paths,
    }
    there = request.affected is not None or any(not missing[kind] for kind in request.kinds)
    if there and request.kinds == KINDS:
        return []
    return [Check(kind, kind, Outcome.NONE, 0.0, missing[kind]) for kind in request.kinds if missing[kind]]


def _report(
    checks: list[Check],
    warnings: tuple[str, ...],
    stale: tuple[str, ...],
    took: float,
    plan: _Plan,
    request: Request,
    console: Console,
) -> None:
    show.failures(checks, console)
    show.table(checks, console)
    show_warnings(stale, console)
    warnings += stale
    if none := [check.name for check in checks if check.outcome is Outcome.NONE]:
        names = ", ".join(none)
        if request.strict:
            said = f"{names}: no tests, which is a failure with --strict."
            console.print(Text.assemble(("error: ", "bold red"), said), soft_wrap=True)
        else:
            said = f"{names}: no tests. With --strict that is a failure."
            show_warnings((said,), console)
        warnings = (*warnings, said)
    left_out = plan.trial.isolated.left_out if plan.trial else {}
    document = show.document(checks, warnings, took, left_out, strict=request.strict)
    if request.report:
        write_text(Path(request.report) / "junit.xml", junit.text(checks))
        write_json(str(Path(request.report) / "test.json"), document)
    if request.junit:
        write_text(Path(request.junit), junit.text(checks))
    if request.json:
        write_json(request.json, document)

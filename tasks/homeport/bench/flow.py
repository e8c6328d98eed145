"""The bench command from end to end: facts -> plan -> apply -> report."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from homeport.bench import against as earlier
from homeport.bench import apply, cleanup, copies, figures, page, scenarios, show
from homeport.bench import plan as planning
from homeport.bench.against import Earlier
from homeport.bench.apply import Results
from homeport.bench.facts import Facts
from homeport.bench.figures import Change, State
from homeport.bench.names import Names
from homeport.bench.work import Lent, Work
from homeport.engine import owner
from homeport.engine.signals import undisturbed
from homeport.errors import EXIT_FAILED, EXIT_INTERRUPTED, UsageError
from homeport.model.config import BenchConfig, BuildConfig, DeployConfig
from homeport.report.console import make_console, show_warnings
from homeport.report.document import check_file, make_folder, write_json, write_text
from homeport.report.words import seconds


@dataclass(frozen=True)
class Request:
    """What is asked for. ``probes``: by service and port of the container the path that callers ask for."""

    scenarios: tuple[str, ...]
    services: tuple[str, ...]
    rounds: int
    config: BenchConfig
    build: BuildConfig
    deploy: DeployConfig
    probes: Mapping[tuple[str, int], str] = field(default_factory=dict)
    dry_run: bool = False
    check: bool = False
    against: str = ""
    json: str = ""
    report: str = ""


def check(request: Request) -> Earlier | None:
    """Find whatever is wrong with a request before anything is read; returns the run that is compared with.

    Raises UsageError.
    """
    scenarios.check_names(request.scenarios)
    scenarios.expectations(request.config.expect)
    if not request.rounds:
        raise UsageError("--rounds must be 1 or more.", hint="3 is the default; 1 says nothing of noise.")
    if not request.config.rate or not request.config.limit:
        raise UsageError(
            "[bench] 'rate' and 'limit' are more than 0.", hint="Without them the defaults count."
        )
    if request.check and not request.against:
        raise UsageError(
            "--check needs something to compare with.", hint="Name an earlier run: --against FILE."
        )
    if request.json:
        check_file(request.json, "--json")
    return earlier.read(request.against) if request.against else None


def run(request: Request, read: Callable[[], tuple[Facts, tuple[str, ...]]], lent: Lent) -> int:
    """Measure and show; returns the exit code: 1 if a scenario failed, or something is slower and that is
    asked for with ``check``.

    ``read`` reads the facts and gives warnings. Raises HomeportError for what is found before anything runs.
    """
    console = make_console(sys.stderr if request.json == "-" else sys.stdout)
    before = check(request)
    found, warnings = read()
    plan = planning.make(found, scenarios.check_names(request.scenarios), request.rounds, request.services)
    show_warnings(warnings, console)
    medians = before.medians if before else {}
    if request.dry_run:
        show.plan(plan, medians, console)
        if request.json:
            write_json(request.json, show.plan_document(plan, medians))
        return 0
    if request.report:
        make_folder(Path(request.report))
    me = owner.me()
    show_warnings(cleanup.sweep(me.place), console)
    names = Names(owner.run_id(), str(me))
    place = copies.Workplace(names, found.source, len(plan.copies))
    results = Results(plan)

    def tell(words: str) -> None:
        console.print(f"{time.strftime('%H:%M:%S')}  {words}", markup=False, soft_wrap=True)

    work = Work(found, plan, names, place, request.config, request.build, request.deploy, lent, tell,
                request.probes)  # fmt: skip
    began, interrupted = time.time(), False
    left: tuple[str, ...] = ()
    try:
        apply.run(plan, apply.actions(work), results, tell)
    except KeyboardInterrupt:
        interrupted = True
        tell("interrupted: what was made is removed, and what was measured is shown")
    finally:
        with undisturbed():
            left = cleanup.run(names, work.pulled, found.builder.name)
            place.remove()
    show_warnings(tuple(f"Not removed: {one} The next bench removes it." for one in left), console)
    return _report(request, work, results, before, began, interrupted=interrupted, console=console)


def _report(
    request: Request,
    work: Work,
    results: Results,
    before: Earlier | None,
    began: float,
    *,
    interrupted: bool,
    console: Console,
) -> int:
    found, plan = work.facts, work.plan
    measured = results.figures
    judged = figures.judge(measured, scenarios.expectations(request.config.expect))
    targets = plan.builds.order if plan.builds else ()
    compared = figures.compare(before.values, measured, request.config.noise) if before else ()
    differences = before.differences(found.environment, targets, plan.services) if before else ()
    took = time.time() - began
    console.print()
    show.figures(measured, console)
    show.promises(judged, console)
    if before:
        show.comparison(compared, differences, before.name, console)
    console.print(f"\nMeasured in {seconds(took)}.", markup=False)
    about: dict[str, Any] = {
        "run": work.names.run,
        "interrupted": interrupted,
        "project": found.root.name,
        "started_at": round(began, 3),
        "seconds": round(took, 3),
        "rounds": plan.rounds,
        "environment": dict(found.environment),
        "targets": list(targets),
        "services": list(plan.services),
        "against": request.against,
    }
    document = show.document(measured, judged, compared, differences, about)
    if request.report:
        folder = Path(request.report)
        html = page.html(
            found.root.name, began, measured, judged, compared, differences, found.environment,
            against=request.against, interrupted=interrupted,
        )  # fmt: skip
        write_text(folder / "bench.html", html)
        write_json(str(folder / "bench.json"), document)
        console.print(f"Report: {folder / 'bench.html'}", soft_wrap=True, markup=False)
    if request.json:
        write_json(request.json, document)
    if interrupted:
        return EXIT_INTERRUPTED
    failed = any(one.state is State.FAILED for one in measured.values())
    slower = request.check and any(one.change is Change.SLOWER for one in compared)
    return EXIT_FAILED if failed or slower else 0

"""The build command from end to end: facts -> plan -> apply -> report.

What only some runs need is loaded where it is needed: most often there is nothing to build, and the program's
own start is then half of the time.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from homeport.build import plan as planning
from homeport.build import privileges
from homeport.build.assess import Assessment
from homeport.build.carry import Carried, carry, publish
from homeport.build.facts import BuildFacts, definition_files
from homeport.build.options import BuildOptions
from homeport.build.plan import BuildPlan, Skip
from homeport.build.record import Record, default_path
from homeport.build.standing import Standing
from homeport.engine import buildx
from homeport.engine.distribution import Distribution
from homeport.engine.git import changes_since
from homeport.engine.waiting import result_of
from homeport.errors import EXIT_FAILED, EXIT_INTERRUPTED
from homeport.model.reference import repository
from homeport.model.result import BuildResult, Status, TargetResult
from homeport.model.targets import select
from homeport.report.console import make_console, show_warnings
from homeport.report.document import build_document, check_file, make_folder, write_json, write_text
from homeport.report.summary import show_result
from homeport.report.words import plural

MOST_ANNOTATIONS = 10
"""GitHub shows no more errors of a step; the summary and the console have them all."""


@dataclass(frozen=True)
class Request:
    """What the command line and configuration ask for; paths are relative to ``cwd``."""

    cwd: Path
    options: BuildOptions
    files: tuple[str, ...] = ()
    dry_run: bool = False
    explain: tuple[str, ...] | None = None
    """Targets to explain instead of building; none of them named: all."""
    changed_since: str = ""
    """A git commit: only what changes since then can affect."""
    json: str = ""
    report: str = ""
    aside: bool = False
    """Show everything on standard error: standard output is for somebody else's document."""


def run(request: Request, facts_read: Future[BuildFacts]) -> int:
    """Build what is asked for and show it; returns the exit code.

    ``facts_read`` is what :func:`facts.start` returned. Raises HomeportError for everything that is found
    before anything is touched.
    """
    console = make_console(sys.stderr if request.aside or request.json == "-" else sys.stdout)
    if request.report:
        make_folder(Path(request.report))
    if request.json:
        check_file(request.json, "--json")
    facts = result_of(facts_read)
    with Distribution() as distribution:
        assessment = Assessment(facts, request.cwd, request.options, Record(default_path()), distribution)
        looks_only = request.dry_run or request.explain is not None
        if request.options.refresh:
            only = ("--refresh fetches images and is left out here: this is for those that the engine has.",)
            show_warnings(only if looks_only else assessment.refresh(), console)
        if request.changed_since:
            facts = _narrow(assessment, request, console)
            if not facts.definition.requested:
                return _show_nothing(request)
        standing = assessment.standing()
        plan = _plan(facts, request, standing)
        if looks_only:
            show_warnings(plan.warnings, console)
            return _show(plan, standing, request, console)
        plan, carried = _carry(plan, facts, request, standing, distribution)
        show_warnings(plan.warnings, console)
        result = _settled(_built(plan, request, console), plan, carried, assessment, standing, distribution)
    _report(result, facts, request, console)
    if result.interrupted:
        console.print("Interrupted: what ran has been stopped, what was built stays.", style="yellow")
        return EXIT_INTERRUPTED
    return 0 if result.ok else EXIT_FAILED


def _narrow(assessment: Assessment, request: Request, console: Console) -> BuildFacts:
    """Leave what changes since a commit can affect, and say how much that is."""
    changes = changes_since(request.cwd, request.changed_since)
    show_warnings((changes.warning,) if changes.warning else (), console)
    before = assessment.facts.definition.requested
    found = assessment.narrow(changes.paths, definition_files(request.cwd, request.files))
    left = assessment.facts.definition.requested
    console.print(
        f"{len(left)} of {plural(len(before), 'target')} can be affected by "
        f"{plural(len(changes.paths), 'file')} changed since {request.changed_since} ({changes.base[:12]}).",
        soft_wrap=True,
        markup=False,
    )
    for name in left if request.dry_run or request.explain is not None else ():
        console.print(f"  {name}: {found[name]}", soft_wrap=True, markup=False)
    return assessment.facts


def _plan(facts: BuildFacts, request: Request, standing: Standing) -> BuildPlan:
    plan = planning.make(facts, request.options, standing)
    planned = [facts.definition.targets[target.name] for target in plan.targets]
    privileges.require(planned, request.options.allow, request.cwd, os.environ)
    return plan


def _built(plan: BuildPlan, request: Request, console: Console) -> BuildResult:
    if not plan.targets:
        return BuildResult((), time.time(), 0.0, plan.jobs, (), plan.warnings, project=request.cwd.name)
    from homeport.build.execute import execute

    return execute(plan, request.cwd, console)


def _show(plan: BuildPlan, standing: Standing, request: Request, console: Console) -> int:
    from homeport.build.show import plan_document, show_explanation, show_plan

    if request.explain is not None:
        names = select(request.explain, tuple(standing.fingerprints), ())
        show_explanation(plan, standing, names, console)
    else:
        show_plan(plan, console)
    if request.json:
        write_json(request.json, plan_document(plan, standing))
    return 0


def _show_nothing(request: Request) -> int:
    from homeport.build.show import nothing_document

    if request.json:
        write_json(request.json, nothing_document(request.changed_since))
    return 0


def _carry(
    plan: BuildPlan, facts: BuildFacts, request: Request, standing: Standing, distribution: Distribution
) -> tuple[BuildPlan, dict[str, Carried]]:
    """Do what is left to do for targets that need no build; those whose image is gone meanwhile are built."""
    while True:
        carried = carry(plan.skips, distribution)
        lost = {name: done.problem for name, done in carried.items() if done.problem}
        if not lost:
            return plan, carried
        kept = {name: found for name, found in standing.found.items() if name not in lost}
        more = tuple(f"{name}: {problem}; building it instead." for name, problem in lost.items())
        standing = replace(standing, found=kept, warnings=(*standing.warnings, *more))
        plan = _plan(facts, request, standing)


def _settled(
    result: BuildResult,
    plan: BuildPlan,
    carried: Mapping[str, Carried],
    assessment: Assessment,
    standing: Standing,
    distribution: Distribution,
) -> BuildResult:
    """Note what was built, let others find it, and put what was skipped into the result."""
    settled = assessment.settle(result, standing)
    planned = {target.name: target for target in plan.targets}
    pushed = [
        (
            target.name,
            settled.sound[target.name],
            target.digest,
            tuple(dict.fromkeys(map(repository, planned[target.name].pushes))),
        )
        for target in result.having(Status.BUILT)
        if target.name in settled.sound and planned[target.name].pushes
    ]
    skipped = tuple(
        TargetResult(
            skip.name,
            Status.SKIPPED,
            skip.why,
            tags=skip.tags,
            digest=carried[skip.name].image,
            remote="" if skip.found.image or carried[skip.name].loaded else skip.found.in_registry,
            stale=not skip.found.image and standing.current.get(skip.name) is not None,
            note=_carried_note(skip, carried[skip.name]),
        )
        for skip in plan.skips
    )
    loaded = [target for target in skipped if carried[target.name].loaded]
    warnings = (
        *settled.warnings,
        *publish(pushed, distribution),
        *assessment.note(loaded, standing.fingerprints),
    )
    return replace(
        result,
        targets=(*result.targets, *skipped),
        warnings=(*result.warnings, *warnings),
        late_warnings=warnings,
    )


def _carried_note(skip: Skip, done: Carried) -> str:
    notes = [
        f"renamed {', '.join(skip.found.renames)}" if skip.found.image and skip.found.renames else "",
        f"tagged {', '.join(done.moved)}" if done.moved else "",
        f"loaded from {skip.found.in_registry}" if done.loaded else "",
    ]
    return "; ".join(filter(None, notes))


def _facts_shown(facts: BuildFacts, request: Request) -> dict[str, str]:
    return {
        "engine": facts.engine.version,
        "buildx": facts.engine.plugin("buildx").version or buildx.version(facts.buildx),
        "builder": f"{facts.builder.name} ({facts.builder.driver})",
        "image store": "containerd" if facts.engine.containerd_store else facts.engine.storage,
        "registry": request.options.registry or "none",
        "branch": facts.branch or "none",
    }


def _report(result: BuildResult, facts: BuildFacts, request: Request, console: Console) -> None:
    if request.json or request.report:
        result = replace(result, facts=_facts_shown(facts, request))
    if os.environ.get("GITHUB_ACTIONS") == "true":
        _report_to_actions(result, console)
    else:
        show_result(result, console)
    show_warnings(result.late_warnings, console)
    if request.report:
        # Loaded only here: who asks for no report shouldn't wait for it.
        from homeport.report import page, timeline, trace

        folder = Path(request.report)
        document = build_document(result)
        write_text(folder / "build.html", page.html(result))
        write_text(folder / "build.svg", timeline.svg(result))
        write_json(str(folder / "build-trace.json"), trace.document(result))
        write_json(str(folder / "build.json"), document)
        console.print(f"Report: {folder / 'build.html'}", soft_wrap=True)
    if request.json:
        write_json(request.json, build_document(result))


def _report_to_actions(result: BuildResult, console: Console) -> None:
    from homeport.report import github

    # What a build printed must not be taken for a command to the runner.
    show_result(result, console, clean=github.safe_log_line)
    for target in result.having(Status.FAILED)[:MOST_ANNOTATIONS]:
        print(github.annotation(target), file=console.file)
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        try:
            with Path(summary).open("a", encoding="utf-8", errors="replace", newline="\n") as file:
                file.write(github.step_summary(result))
        except OSError as error:
            show_warnings((f"The step summary can't be written: {error.strerror}.",), console)

"""The build command from end to end: facts -> plan -> apply -> report."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from homeport.build import facts as reading
from homeport.build import plan as planning
from homeport.build import privileges
from homeport.build.apply import Run
from homeport.build.facts import BuildFacts
from homeport.build.plan import BuildOptions, PlannedTarget
from homeport.build.show import plan_document, show_plan
from homeport.errors import EXIT_FAILED, EXIT_INTERRUPTED
from homeport.model.result import BuildResult, Status, TargetResult
from homeport.model.solve import Solve
from homeport.report import github, page, timeline, trace
from homeport.report.console import Progress, make_console, show_result, show_warnings
from homeport.report.document import build_document, check_json, make_folder, write_json, write_text

MOST_ANNOTATIONS = 10
"""GitHub shows no more errors of a step; the summary and the console have them all."""


@dataclass(frozen=True)
class Request:
    """What the command line and configuration ask for; paths are relative to ``cwd``."""

    cwd: Path
    targets: tuple[str, ...]
    files: tuple[str, ...]
    options: BuildOptions
    builder: str = ""
    dry_run: bool = False
    json: str = ""
    report: str = ""


def run(request: Request) -> int:
    """Build what is asked for and show it; returns the exit code.

    Raises HomeportError for everything that is found before anything is touched.
    """
    console = make_console(sys.stderr if request.json == "-" else sys.stdout)
    if request.report:
        make_folder(Path(request.report))
    if request.json:
        check_json(request.json)
    facts = reading.read(
        request.cwd,
        files=request.files,
        names=request.targets,
        builder=request.builder,
        registry_prefix=request.options.registry,
    )
    plan = planning.make(facts, request.options)
    planned = [facts.definition.targets[target.name] for target in plan.targets]
    privileges.require(planned, request.options.allow, request.cwd, os.environ)
    show_warnings(plan.warnings, console)
    if request.dry_run:
        show_plan(plan, console)
        if request.json:
            write_json(request.json, plan_document(plan))
        return 0
    with Progress(console, len(plan.targets)) as progress:
        listener = _Listener(progress, console)
        result = Run(plan, request.cwd, listener).run(request.cwd.name, _facts_shown(facts, request))
    _report(result, request, console)
    if result.interrupted:
        console.print("Interrupted: what ran has been stopped, what was built stays.", style="yellow")
        return EXIT_INTERRUPTED
    return 0 if result.ok else EXIT_FAILED


def _facts_shown(facts: BuildFacts, request: Request) -> dict[str, str]:
    return {
        "engine": facts.engine.version,
        "buildx": facts.engine.plugin("buildx").version,
        "builder": f"{facts.builder.name} ({facts.builder.driver})",
        "image store": "containerd" if facts.engine.containerd_store else facts.engine.storage,
        "registry": request.options.registry or "none",
        "branch": facts.branch or "none",
    }


def _report(result: BuildResult, request: Request, console: Console) -> None:
    in_actions = github.is_active(os.environ)
    # What a build printed must not be taken for a command to the runner.
    show_result(result, console, clean=github.safe_log_line if in_actions else None)
    if in_actions:
        for target in result.having(Status.FAILED)[:MOST_ANNOTATIONS]:
            print(github.annotation(target), file=console.file)
        if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
            try:
                with Path(summary).open("a", encoding="utf-8", errors="replace") as file:
                    file.write(github.step_summary(result))
            except OSError as error:
                show_warnings((f"The step summary can't be written: {error.strerror}.",), console)
    if request.report:
        folder = Path(request.report)
        document = build_document(result)
        write_text(folder / "build.html", page.html(result))
        write_text(folder / "build.svg", timeline.svg(result))
        write_json(str(folder / "build-trace.json"), trace.document(result))
        write_json(str(folder / "build.json"), document)
        console.print(f"Report: {folder / 'build.html'}", soft_wrap=True)
    if request.json:
        write_json(request.json, build_document(result))


class _Listener:
    """Passes what happens on to the console; inside GitHub Actions also each target's log, folded."""

    def __init__(self, progress: Progress, console: Console) -> None:
        self._progress = progress
        self._console = console
        self._logs: dict[str, list[str]] | None = {} if github.is_active(os.environ) else None

    def started(self, target: PlannedTarget, attempt: int) -> None:
        self._progress.started(target.name, attempt)

    def log(self, target: PlannedTarget, step: str, line: str) -> None:
        if self._logs is not None:
            self._logs.setdefault(target.name, []).append(line)

    def retrying(self, target: PlannedTarget, why: str, seconds: float) -> None:
        self._progress.retrying(target.name, why, seconds)

    def finished(self, result: TargetResult) -> None:
        self._progress.finished(result)
        lines = self._logs.pop(result.name, []) if self._logs is not None else []
        if lines:
            file = self._console.file
            print(github.group_start(f"log of {result.name}"), file=file)
            for line in lines:
                print(github.safe_log_line(line), file=file)
            print(github.group_end(), file=file)

    def tick(self, running: dict[str, Solve]) -> None:
        self._progress.tick(running)

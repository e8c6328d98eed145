"""Apply a plan while a person looks on."""

from __future__ import annotations

import os
from pathlib import Path

from rich.console import Console

from homeport.build.apply import Run
from homeport.build.plan import BuildPlan, PlannedTarget
from homeport.model.result import BuildResult, TargetResult
from homeport.model.solve import Solve
from homeport.report import github
from homeport.report.progress import Progress


def execute(plan: BuildPlan, cwd: Path, console: Console) -> BuildResult:
    """Build what is planned and tell the console what happens; returns how it went."""
    with Progress(console, len(plan.targets)) as progress:
        return Run(plan, cwd, _Listener(progress, console)).run(cwd.name)


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

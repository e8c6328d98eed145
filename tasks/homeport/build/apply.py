"""Walk a plan: start each target when its own dependencies are done, never more than ``jobs`` at a time.

The only part of a build with effects. One thread a running target reads its progress; everything that
decides happens in the calling thread, which is told by a queue.
"""

from __future__ import annotations

import queue
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any, Protocol

from homeport.build.plan import BuildPlan, PlannedTarget
from homeport.build.retry import backoff, transient_class
from homeport.engine import buildx
from homeport.engine.process import Child
from homeport.model.graph import dependents
from homeport.model.result import BuildResult, Status, StepResult, TargetResult
from homeport.model.solve import Failure, Solve, failure_of

TICK_SECONDS = 0.2


class Listener(Protocol):
    """Who is told what happens while it happens. All calls come from the thread that called ``run``."""

    def started(self, target: PlannedTarget, attempt: int) -> None: ...

    def log(self, target: PlannedTarget, step: str, line: str) -> None: ...

    def retrying(self, target: PlannedTarget, why: str, seconds: float) -> None: ...

    def finished(self, result: TargetResult) -> None: ...

    def tick(self, running: dict[str, Solve]) -> None: ...


@dataclass
class _Running:
    """One target in flight; ``solve`` is only touched by the calling thread."""

    target: PlannedTarget
    started: float
    thread: threading.Thread
    solve: Solve = field(default_factory=Solve)
    attempts: int = 1
    retried: list[str] = field(default_factory=list)
    child: Child | None = None
    again_at: float = 0.0


@dataclass(frozen=True)
class _Message:
    name: str
    message: dict[str, Any]


@dataclass(frozen=True)
class _End:
    name: str
    outcome: buildx.Outcome


@dataclass(frozen=True)
class _Crash:
    name: str
    error: BaseException


class Run:
    """One walk of a plan. ``start`` is injected, so that tests of the order need no engine."""

    def __init__(
        self,
        plan: BuildPlan,
        cwd: Path,
        listener: Listener,
        *,
        start: Callable[[PlannedTarget, BuildPlan, Path, Path], Child] | None = None,
    ) -> None:
        self.plan = plan
        self.cwd = cwd
        self.listener = listener
        self._start = start or start_build
        self._by_name = {target.name: target for target in plan.targets}
        # What most others wait for goes first, so that no job idles behind a base that came late.
        graph = plan.graph()
        weight = {name: len(dependents(graph, name)) for name in graph}
        self._rank = {
            name: position for position, name in enumerate(sorted(graph, key=lambda name: -weight[name]))
        }
        self._events: queue.Queue[_Message | _End | _Crash] = queue.Queue()
        self._running: dict[str, _Running] = {}
        self._results: dict[str, TargetResult] = {}
        self._stopping = ""
        self._epoch = time.time()
        self._zero = time.monotonic()

    def run(self, project: str = "", facts: dict[str, str] | None = None) -> BuildResult:
        """Build everything that can be built; returns the result, also when something failed.

        Ctrl-C stops what runs and is told in the result.
        """
        sorter = TopologicalSorter(self.plan.graph())
        sorter.prepare()
        interrupted = False
        with tempfile.TemporaryDirectory(prefix="homeport-") as folder:
            try:
                self._walk(sorter, Path(folder))
            except KeyboardInterrupt:
                interrupted = True
                self._stop_all("interrupted")
                while self._running:
                    self._wait(Path(folder))
            except BaseException:
                self._stop_all("stopped by an error")
                raise
        results = tuple(
            self._results.get(target.name) or self._unstarted(target) for target in self.plan.targets
        )
        return BuildResult(
            results,
            self._epoch,
            time.monotonic() - self._zero,
            self.plan.jobs,
            self.plan.batches,
            self.plan.warnings,
            interrupted,
            project,
            self.plan.cpus,
            facts or {},
        )

    def _walk(self, sorter: TopologicalSorter[str], folder: Path) -> None:
        waiting: list[str] = []
        while True:
            waiting = sorted((*waiting, *sorter.get_ready()), key=self._rank.__getitem__)
            while waiting and len(self._running) < self.plan.jobs and not self._stopping:
                name = waiting.pop(0)
                if self._blocked(self._by_name[name]):
                    sorter.done(name)
                    waiting = sorted((*waiting, *sorter.get_ready()), key=self._rank.__getitem__)
                else:
                    self._launch(self._by_name[name], folder)
            if not self._running:
                return
            for name in self._wait(folder):
                sorter.done(name)

    def _blocked(self, target: PlannedTarget) -> bool:
        """Give up on a target that needs one which wasn't built; true if so."""
        broken = [need for need in target.needs if self._results[need].status is not Status.BUILT]
        if broken:
            self._finish(self._unstarted(target, f"needs {', '.join(broken)}"))
        return bool(broken)

    def _unstarted(self, target: PlannedTarget, note: str = "") -> TargetResult:
        note = note or self._stopping
        return TargetResult(target.name, Status.SKIPPED, target.why, target.needs, target.tags, note=note)

    def _launch(self, target: PlannedTarget, folder: Path) -> None:
        now = time.monotonic()
        running = _Running(target, now, threading.Thread())
        self._running[target.name] = running
        self.listener.started(target, 1)
        self._attempt(running, folder)

    def _attempt(self, running: _Running, folder: Path) -> None:
        """Start one attempt; its thread ends with an ``end`` event, whatever happens."""
        name = running.target.name
        metadata = folder / f"{self._rank[name]}-{running.attempts}.json"
        running.again_at = 0.0
        running.solve = Solve(running.target.name if len(running.target.document["target"]) > 1 else "")
        # Started here and not in the thread: a child that exists can be stopped.
        child = self._start(running.target, self.plan, self.cwd, metadata)
        running.child = child

        def work() -> None:
            try:
                outcome = buildx.build(
                    child,
                    name,
                    running.target.document,
                    metadata,
                    lambda message: self._events.put(_Message(name, message)),
                )
            except BaseException as error:  # noqa: BLE001 - handed to the calling thread, which raises it
                self._events.put(_Crash(name, error))
            else:
                self._events.put(_End(name, outcome))

        running.thread = threading.Thread(target=work, name=f"build {name}", daemon=True)
        running.thread.start()

    def _wait(self, folder: Path) -> list[str]:
        """Take in events until a target ends or a tick has passed; returns the targets that ended."""
        ended: list[str] = []
        deadline = time.monotonic() + TICK_SECONDS
        while not ended and (left := deadline - time.monotonic()) > 0:
            try:
                event = self._events.get(timeout=left)
            except queue.Empty:
                break
            running = self._running[event.name]
            if isinstance(event, _Crash):
                raise event.error
            if isinstance(event, _End):
                if self._ended(running, event.outcome):
                    ended.append(event.name)
            else:
                for step, line in running.solve.feed(event.message):
                    self.listener.log(running.target, step.name, line)
        for running in list(self._running.values()):
            if running.again_at and (self._stopping or time.monotonic() >= running.again_at):
                if self._stopping:
                    self._finish(self._result(running, Status.CANCELLED, note=self._stopping))
                    ended.append(running.target.name)
                else:
                    running.attempts += 1
                    self.listener.started(running.target, running.attempts)
                    self._attempt(running, folder)
        self.listener.tick({name: running.solve for name, running in self._running.items()})
        return ended

    def _ended(self, running: _Running, outcome: buildx.Outcome) -> bool:
        """Decide what a finished attempt means; true if the target is done with."""
        target = running.target
        if outcome.code == 0:
            self._finish(self._result(running, Status.BUILT, outcome))
            return True
        if self._stopping:
            self._finish(self._result(running, Status.CANCELLED, note=self._stopping))
            return True
        failure = failure_of(running.solve, outcome.tail)
        if failure.line and target.dockerfile:
            failure = replace(failure, dockerfile=target.dockerfile)
        why = transient_class(failure.message)
        if why and running.attempts <= self.plan.retries:
            wait = backoff(running.attempts)
            running.retried.append(why)
            running.again_at = time.monotonic() + wait
            self.listener.retrying(target, why, wait)
            return False
        self._finish(self._result(running, Status.FAILED, outcome, failure))
        if not self.plan.keep_going:
            self._stop_all(f"stopped, because {target.name} failed")
        return True

    def _stop_all(self, why: str) -> None:
        self._stopping = why
        stoppers = [
            threading.Thread(target=running.child.stop)
            for running in self._running.values()
            if running.child is not None
        ]
        for stopper in stoppers:
            stopper.start()
        try:
            for stopper in stoppers:
                stopper.join()
        except KeyboardInterrupt:
            # Pressed again: whoever waits for a graceful end has waited enough.
            for running in self._running.values():
                if running.child is not None:
                    running.child.stop(grace=0.0)

    def _finish(self, result: TargetResult) -> None:
        self._running.pop(result.name, None)
        self._results[result.name] = result
        self.listener.finished(result)

    def _result(
        self,
        running: _Running,
        status: Status,
        outcome: buildx.Outcome | None = None,
        failure: Failure | None = None,
        note: str = "",
    ) -> TargetResult:
        solve = running.solve
        target = running.target
        steps = tuple(
            StepResult(
                step.name,
                max(0.0, step.started - self._epoch),
                max(0.0, (step.completed or time.time()) - step.started),
                step.cached,
                step.is_instruction,
            )
            for step in solve.steps.values()
            if step.started is not None and step.own
        )
        return TargetResult(
            target.name,
            status,
            target.why,
            target.needs,
            target.tags,
            running.started - self._zero,
            time.monotonic() - running.started,
            solve.cached,
            solve.executed,
            solve.context_bytes,
            outcome.digest if outcome else "",
            outcome.record if outcome else "",
            running.attempts,
            tuple(running.retried),
            note,
            failure,
            steps,
            tuple(dict.fromkeys(solve.warnings)),
        )


def start_build(target: PlannedTarget, plan: BuildPlan, cwd: Path, metadata: Path) -> Child:
    """Start buildx for one target; the definition is written to it by ``buildx.build``."""
    argv = buildx.build_argv(plan.buildx, metadata=metadata, builder_name=plan.builder, allow=plan.allow)
    return Child(argv, env=buildx.BUILD_ENVIRONMENT, cwd=cwd)

"""Walk a plan: start each target when its own dependencies are done, never more than ``jobs`` at a time.

The only part of a build with effects. One thread a process reads its progress; everything that decides
happens in the calling thread, which is told by a queue. Which targets share a process: see grouping.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any, Protocol

from homeport.build.grouping import joined, next_group
from homeport.build.plan import BuildPlan, PlannedTarget
from homeport.build.retry import backoff, transient_class
from homeport.engine import buildx, folders, owner
from homeport.engine.process import GRACE_SECONDS, Child
from homeport.engine.signals import ignore_stop_requests, on_stop_request
from homeport.model.graph import dependents
from homeport.model.result import BuildResult, Status, StepResult, TargetResult
from homeport.model.solve import Failure, Solve, Stream, failure_of, wrote_result

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
    """One target in flight; ``again_at`` is when a target that waits for another try starts it."""

    target: PlannedTarget
    started: float
    solve: Solve = field(default_factory=Solve)
    attempts: int = 1
    retried: list[str] = field(default_factory=list)
    again_at: float = 0.0
    exact: bool = False
    """Build with bake's own links, because an image of this run has lost its name to another build."""


@dataclass(eq=False)
class _Process:
    """One buildx process and the targets that it builds; only the calling thread touches them."""

    members: tuple[_Running, ...]
    stream: Stream
    child: Child

    @property
    def shared(self) -> bool:
        return len(self.members) > 1


@dataclass(frozen=True)
class _Message:
    process: _Process
    message: dict[str, Any]


@dataclass(frozen=True)
class _End:
    process: _Process
    outcome: buildx.Outcome


@dataclass(frozen=True)
class _Crash:
    process: _Process
    error: BaseException


@dataclass(frozen=True)
class _StopRequest:
    pass


class Run:
    """One walk of a plan. ``start`` is injected, so that tests of the order need no engine."""

    def __init__(
        self,
        plan: BuildPlan,
        cwd: Path,
        listener: Listener,
        *,
        start: Callable[[BuildPlan, Path, Path], Child] | None = None,
    ) -> None:
        self.plan = plan
        self.cwd = cwd
        self.listener = listener
        self._start = start or start_build
        self._by_name = {target.name: target for target in plan.targets}
        # What most others wait for goes first, so that no job idles behind a base that came late.
        graph = plan.graph()
        weight = {name: len(dependents(graph, name)) for name in graph}
        self._shareable = {
            target.name
            for target in plan.targets
            if target.exports and not weight[target.name] and not plan.keep_going
        }
        self._rank = {
            name: position for position, name in enumerate(sorted(graph, key=lambda name: -weight[name]))
        }
        # A SimpleQueue, because a signal handler puts into it, too.
        self._events: queue.SimpleQueue[_Message | _End | _Crash | _StopRequest] = queue.SimpleQueue()
        self._running: dict[str, _Running] = {}
        self._processes: list[_Process] = []
        self._started = 0
        self._held = 0.0
        self._results: dict[str, TargetResult] = {}
        self._stopping = ""
        self._interrupted = False
        self._epoch = time.time()
        self._zero = time.monotonic()

    def run(self, project: str = "", facts: dict[str, str] | None = None) -> BuildResult:
        """Build everything that can be built; returns the result, also when something failed.

        Ctrl-C stops what runs and is told in the result.
        """
        sorter = TopologicalSorter(self.plan.graph())
        sorter.prepare()
        with (
            folders.for_a_while("homeport-build-") as folder,
            # By the queue and not as an exception: that could come between a child's start and its entry.
            on_stop_request(self.interrupt),
        ):
            try:
                self._walk(sorter, folder)
            except BaseException:
                for stopper in self._stop_all("stopped by an error"):
                    stopper.join()
                raise
            if self._interrupted:
                ignore_stop_requests()
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
            self._interrupted,
            project,
            self.plan.cpus,
            facts or {},
        )

    def interrupt(self) -> None:
        """Ask the run to stop what runs and start nothing new; a second time, to kill what still runs."""
        self._events.put(_StopRequest())

    def _walk(self, sorter: TopologicalSorter[str], folder: Path) -> None:
        waiting: list[str] = []
        while True:
            waiting = sorted((*waiting, *sorter.get_ready()), key=self._rank.__getitem__)
            blocked = [name for name in waiting if self._blocked(self._by_name[name])]
            if blocked:
                sorter.done(*blocked)
                waiting = [name for name in waiting if name not in blocked]
                continue
            while not self._stopping and (group := self._next_group(waiting)):
                waiting = [name for name in waiting if name not in group]
                self._launch(group, folder)
            if not self._running and not self._processes:
                return
            sorter.done(*self._wait(folder))

    def _next_group(self, waiting: list[str]) -> list[str]:
        free, now = self.plan.jobs - len(self._running), time.monotonic()
        group = next_group(waiting, free, self.plan.jobs, self._shareable, held=now - (self._held or now))
        self._held = 0.0 if group or not waiting or free <= 0 else self._held or now
        return group

    def _blocked(self, target: PlannedTarget) -> bool:
        """Give up on a target that needs one which wasn't built; true if so."""
        broken = [need for need in target.needs if self._results[need].status is not Status.BUILT]
        if broken:
            self._finish(self._unstarted(target, f"needs {', '.join(broken)}"))
        return bool(broken)

    def _unstarted(self, target: PlannedTarget, note: str = "") -> TargetResult:
        note = note or self._stopping
        return TargetResult(target.name, Status.UNBUILT, target.why, target.needs, target.tags, note=note)

    def _launch(self, names: list[str], folder: Path) -> None:
        for name in names:
            self._running[name] = _Running(self._by_name[name], time.monotonic())
            self.listener.started(self._by_name[name], 1)
        self._start_process([self._running[name] for name in names], folder)

    def _start_process(self, members: list[_Running], folder: Path) -> None:
        """Start one process for ``members``; its thread ends with an event, whatever happens."""
        document = joined([self._document(member) for member in members])
        names = [member.target.name for member in members]
        stream = Stream(names, linked=len(document["target"]) > len(names))
        for member in members:
            member.again_at = 0.0
            member.solve = stream.solves[member.target.name]
        self._started += 1
        metadata = folder / f"{self._started}.json"
        # Started here and not in the thread: a child that exists can be stopped.
        child = self._start(self.plan, self.cwd, metadata)
        process = _Process(tuple(members), stream, child)
        self._processes.append(process)

        def work() -> None:
            try:
                outcome = buildx.build(
                    child, document, metadata, lambda message: self._events.put(_Message(process, message))
                )
            except BaseException as error:  # noqa: BLE001 - handed to the calling thread, which raises it
                self._events.put(_Crash(process, error))
            else:
                self._events.put(_End(process, outcome))

        threading.Thread(target=work, name=f"build {' '.join(names)}", daemon=True).start()

    def _document(self, member: _Running) -> Mapping[str, Any]:
        """The target's document with the images of this run pinned to the digests that were built."""
        target = member.target
        if member.exact:
            return target.exact
        spec = dict(target.document["target"][target.name])
        contexts = dict(spec.get("contexts") or {})
        for key, maker in target.pins.items():
            contexts[key] = f"{contexts[key]}@{self._results[maker].digest}"
        if target.pins:
            spec["contexts"] = contexts
        return {**target.document, "target": {**target.document["target"], target.name: spec}}

    def _wait(self, folder: Path) -> list[str]:
        """Take in events until a target ends or a tick has passed; returns the targets that ended."""
        before = set(self._results)
        deadline = time.monotonic() + TICK_SECONDS
        while len(self._results) == len(before) and (left := deadline - time.monotonic()) > 0:
            try:
                event = self._events.get(timeout=left)
            except queue.Empty:
                break
            if isinstance(event, _Crash):
                raise event.error
            if isinstance(event, _StopRequest):
                # Who asks again has waited enough for a graceful end.
                self._stop_all("interrupted", grace=0.0 if self._interrupted else GRACE_SECONDS)
                self._interrupted = True
            elif isinstance(event, _End):
                self._processes.remove(event.process)
                self._ended(event.process, event.outcome)
            else:
                self._progressed(event.process, event.message)
        for running in list(self._running.values()):
            if running.again_at and self._stopping:
                self._finish(self._result(running, Status.CANCELLED, note=self._stopping))
            elif running.again_at and time.monotonic() >= running.again_at:
                if running.retried:
                    self.listener.started(running.target, running.attempts)
                self._start_process([running], folder)
        self.listener.tick({name: running.solve for name, running in self._running.items()})
        return [name for name in self._results if name not in before]

    def _progressed(self, process: _Process, message: dict[str, Any]) -> None:
        for name, step, line in process.stream.feed(message):
            self.listener.log(self._by_name[name], step.name, line)
        if not process.shared or not wrote_result(message):
            return
        for member in process.members:
            # Nothing waits for a target that shares its process, so all it holds is a job: free it now.
            if self._is_running(member) and member.solve.exported >= member.target.exports:
                self._finish(self._result(member, Status.BUILT))

    def _is_running(self, member: _Running) -> bool:
        return self._running.get(member.target.name) is member

    def _ended(self, process: _Process, outcome: buildx.Outcome) -> None:
        """Decide what the end of a process means for its targets that haven't ended before."""
        left = [member for member in process.members if self._is_running(member)]
        if outcome.code == 0:
            for member in left:
                self._finish(self._result(member, Status.BUILT))
            for name, (digest, record) in outcome.images.items():
                if name in self._results:
                    self._results[name] = replace(
                        self._results[name], digest=digest or self._results[name].digest, record=record
                    )
            return
        named = [member for member in left if f"target {member.target.name}: " in outcome.tail]
        guilty = named or [member for member in left if member.solve.failed is not None] or left
        for member in guilty:
            if not self._stopping:
                self._failed(member, outcome)
        for member in left:
            if not self._is_running(member) or member.again_at:
                continue
            if self._stopping:
                self._finish(self._result(member, Status.CANCELLED, note=self._stopping))
            else:
                # Cancelled only because it shared a process with one that failed: once more, alone.
                member.again_at = time.monotonic()

    def _failed(self, member: _Running, outcome: buildx.Outcome) -> None:
        """Try a target again after a transient failure; else it has failed, and so has the run."""
        target = member.target
        failure = failure_of(member.solve, outcome.tail)
        if failure.line and target.dockerfile:
            failure = replace(failure, dockerfile=target.dockerfile)
        if not member.exact and any(self._results[m].digest in failure.message for m in target.pins.values()):
            # Another build has moved the tag since: what was built here is only reachable by a link.
            member.exact = True
            member.retried.append("base-replaced")
            member.attempts += 1
            member.again_at = time.monotonic()
            self.listener.retrying(target, "base-replaced", 0.0)
            return
        why = transient_class(failure.message)
        if why and member.attempts <= self.plan.retries:
            wait = backoff(member.attempts)
            member.retried.append(why)
            member.attempts += 1
            member.again_at = time.monotonic() + wait
            self.listener.retrying(target, why, wait)
            return
        self._finish(self._result(member, Status.FAILED, failure))
        if not self.plan.keep_going:
            self._stop_all(f"stopped, because {target.name} failed")

    def _stop_all(self, why: str, *, grace: float = GRACE_SECONDS) -> list[threading.Thread]:
        """Start to stop everything, for the reason ``why``; what runs ends by its own events."""
        self._stopping = self._stopping or why
        stoppers = [
            threading.Thread(target=process.child.stop, args=(grace,), daemon=True)
            for process in self._processes
        ]
        for stopper in stoppers:
            stopper.start()
        return stoppers

    def _finish(self, result: TargetResult) -> None:
        self._running.pop(result.name, None)
        self._results[result.name] = result
        self.listener.finished(result)

    def _result(
        self,
        running: _Running,
        status: Status,
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
            solve.digest if status is Status.BUILT else "",
            "",
            running.attempts,
            tuple(running.retried),
            note,
            failure,
            steps,
            tuple(dict.fromkeys(solve.warnings)),
        )


def start_build(plan: BuildPlan, cwd: Path, metadata: Path) -> Child:
    """Start buildx for one target or several; the definition is written to it by ``buildx.build``."""
    argv = buildx.build_argv(plan.buildx, metadata=metadata, builder_name=plan.builder, allow=plan.allow)
    return Child(argv, env={**buildx.BUILD_ENVIRONMENT, **owner.variables()}, cwd=cwd)

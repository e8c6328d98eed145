"""The order, the limits and the failures of a run, with builds that only pretend."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeport.build import apply
from homeport.build.apply import Run
from homeport.build.plan import BuildPlan, PlannedTarget
from homeport.engine.process import Child
from homeport.model.graph import batches
from homeport.model.result import BuildResult, Status, TargetResult
from homeport.model.solve import Solve

Behave = Callable[[int], tuple[int, list[str]]]


def succeed(attempt: int) -> tuple[int, list[str]]:
    return 0, []


def fail(attempt: int) -> tuple[int, list[str]]:
    return 1, ["ERROR: failed to solve: RUN x did not complete successfully: exit code: 1"]


def fail_twice(attempt: int) -> tuple[int, list[str]]:
    return (1, ["ERROR: read tcp: connection reset by peer"]) if attempt < 3 else (0, [])


@dataclass
class Stage:
    """Where pretended builds meet: who runs, who has run, and the most at the same time."""

    behave: dict[str, Behave] = field(default_factory=dict)
    seconds: float = 0.005
    lock: threading.Lock = field(default_factory=threading.Lock)
    running: set[str] = field(default_factory=set)
    finished: list[str] = field(default_factory=list)
    most: int = 0
    attempts: dict[str, int] = field(default_factory=dict)
    seen_done: dict[str, set[str]] = field(default_factory=dict)

    def start(self, target: PlannedTarget, plan: BuildPlan, cwd: Path, metadata: Path) -> Child:
        with self.lock:
            self.attempts[target.name] = self.attempts.get(target.name, 0) + 1
            self.running.add(target.name)
            self.most = max(self.most, len(self.running))
            self.seen_done.setdefault(target.name, set(self.finished))
        return cast("Child", Pretended(self, target.name, metadata))


@dataclass
class Pretended:
    stage: Stage
    name: str
    metadata: Path
    stopped: threading.Event = field(default_factory=threading.Event)

    def stderr_lines(self, stdin: str) -> Iterator[str]:
        assert json.loads(stdin)["target"]
        yield json.dumps(
            {"vertexes": [{"digest": "a", "name": "[1/1] RUN x", "started": "2026-01-01T00:00:00Z"}]}
        )
        self.stopped.wait(self.stage.seconds)
        behave = self.stage.behave.get(self.name, succeed)
        self.code, tail = behave(self.stage.attempts[self.name])
        if self.stopped.is_set():
            self.code, tail = 1, ["ERROR: context canceled"]
        yield from tail
        if self.code == 0:
            document = {self.name: {"containerimage.digest": f"sha256:{self.name}"}}
            self.metadata.write_text(json.dumps(document), encoding="utf-8")
        with self.stage.lock:
            self.stage.running.discard(self.name)
            if self.code == 0:
                self.stage.finished.append(self.name)

    def wait(self) -> int:
        return self.code

    def stop(self, grace: float = 0.0) -> None:
        self.stopped.set()


class Quiet:
    """A listener that keeps what it was told."""

    def __init__(self, on_tick: Callable[[], None] = lambda: None) -> None:
        self.told: list[str] = []
        self.on_tick = on_tick

    def started(self, target: PlannedTarget, attempt: int) -> None:
        self.told.append(f"start {target.name} {attempt}")

    def log(self, target: PlannedTarget, step: str, line: str) -> None: ...

    def retrying(self, target: PlannedTarget, why: str, seconds: float) -> None:
        self.told.append(f"retry {target.name} {why}")

    def finished(self, result: TargetResult) -> None:
        self.told.append(f"{result.status.value} {result.name}")

    def tick(self, running: dict[str, Solve]) -> None:
        self.on_tick()


def plan(
    graph: dict[str, list[str]], jobs: int = 4, *, keep_going: bool = False, retries: int = 0
) -> BuildPlan:
    order = batches(graph)
    targets = tuple(
        PlannedTarget(name, "requested", tuple(graph[name]), {"target": {name: {}}})
        for batch in order
        for name in batch
    )
    return BuildPlan(targets, order, jobs, keep_going, retries, "b", ("buildx",), (), ())


def walk(the_plan: BuildPlan, stage: Stage, listener: Quiet | None = None) -> BuildResult:
    return Run(the_plan, Path(), listener or Quiet(), start=stage.start).run()


def statuses(result: BuildResult) -> dict[str, str]:
    return {target.name: target.status.value for target in result.targets}


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, list[str]]:
    names = [f"t{index}" for index in range(draw(st.integers(0, 8)))]
    return {
        name: draw(st.lists(st.sampled_from(names[:index]), unique=True)) if index else []
        for index, name in enumerate(names)
    }


@settings(max_examples=25, deadline=None)
@given(graphs(), st.integers(1, 4), st.sets(st.integers(0, 7)), st.booleans())
def test_any_graph(graph: dict[str, list[str]], jobs: int, failing: set[int], keep_going: bool) -> None:
    stage = Stage({f"t{index}": fail for index in failing}, seconds=0.001)
    result = walk(plan(graph, jobs, keep_going=keep_going), stage)
    found = statuses(result)
    assert set(found) == set(graph)
    assert stage.most <= jobs
    for name, done in stage.seen_done.items():
        assert set(graph[name]) <= done, "started before what it needs was built"
    for name, needs in graph.items():
        if any(found[need] != "built" for need in needs):
            assert found[name] == "skipped"
        elif keep_going:
            assert found[name] == ("failed" if int(name[1:]) in failing else "built")
    assert result.ok == all(status == "built" for status in found.values())


def test_independent_targets_run_at_the_same_time() -> None:
    stage = Stage(seconds=0.05)
    walk(plan({f"t{index}": [] for index in range(6)}, 3), stage)
    assert stage.most == 3


def test_a_target_starts_when_its_own_needs_are_done_not_its_batch() -> None:
    class Slow(Stage):
        def start(self, target: PlannedTarget, plan: BuildPlan, cwd: Path, metadata: Path) -> Child:
            child = super().start(target, plan, cwd, metadata)
            cast("Any", child).stage = self if target.name != "slow" else self.sleepy
            return child

        sleepy: Stage

    stage = Slow()
    stage.sleepy = Stage(seconds=0.3, attempts=stage.attempts, lock=stage.lock, finished=stage.finished)
    walk(plan({"slow": [], "quick": [], "after-quick": ["quick"]}), stage)
    assert stage.finished == ["quick", "after-quick", "slow"]


def test_what_most_wait_for_goes_first() -> None:
    stage = Stage()
    walk(plan({"a": [], "b": [], "base": [], "x": ["base"], "y": ["base"]}, 1), stage)
    assert stage.finished[0] == "base"


def test_a_failure_stops_what_runs_and_starts_nothing_new() -> None:
    class Mixed(Stage):
        def start(self, target: PlannedTarget, plan: BuildPlan, cwd: Path, metadata: Path) -> Child:
            self.seconds = 0.01 if target.name == "bad" else 30
            return super().start(target, plan, cwd, metadata)

    stage = Mixed({"bad": fail})
    before = time.monotonic()
    result = walk(plan({"bad": [], "long": [], "later": ["long"], "child": ["bad"]}, 2), stage)
    assert time.monotonic() - before < 20
    assert statuses(result) == {"bad": "failed", "long": "cancelled", "later": "skipped", "child": "skipped"}
    assert (
        next(target.note for target in result.targets if target.name == "long")
        == "stopped, because bad failed"
    )


def test_keep_going_builds_what_it_can() -> None:
    stage = Stage({"bad": fail})
    result = walk(
        plan({"bad": [], "fine": [], "child": ["bad"], "grandchild": ["child"]}, keep_going=True), stage
    )
    assert statuses(result) == {"bad": "failed", "fine": "built", "child": "skipped", "grandchild": "skipped"}
    notes = {target.name: target.note for target in result.targets}
    assert (notes["child"], notes["grandchild"]) == ("needs bad", "needs child")
    assert not result.ok


def test_transient_failures_are_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apply, "backoff", lambda attempt: 0.001)
    listener = Quiet()
    result = walk(plan({"a": []}, retries=2), Stage({"a": fail_twice}), listener)
    assert result.ok
    assert result.targets[0].attempts == 3
    assert result.targets[0].retried == ("connection", "connection")
    assert listener.told == [
        "start a 1",
        "retry a connection",
        "start a 2",
        "retry a connection",
        "start a 3",
        "built a",
    ]


def test_retries_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apply, "backoff", lambda attempt: 0.001)
    result = walk(plan({"a": []}, retries=1), Stage({"a": fail_twice}))
    assert statuses(result) == {"a": "failed"}
    assert result.targets[0].attempts == 2


def test_a_failed_step_is_never_tried_again() -> None:
    result = walk(plan({"a": []}, retries=5), Stage({"a": fail}))
    assert result.targets[0].attempts == 1


def test_ctrl_c_stops_everything_and_says_so() -> None:
    stage = Stage(seconds=30)

    def interrupt() -> None:
        if len(stage.running) == 2:
            listener.on_tick = lambda: None
            raise KeyboardInterrupt

    listener = Quiet(interrupt)
    result = walk(plan({"a": [], "b": [], "c": ["a"]}), stage, listener)
    assert result.interrupted
    assert not result.ok
    assert statuses(result) == {"a": "cancelled", "b": "cancelled", "c": "skipped"}
    assert not stage.running


def test_our_own_bugs_come_out_and_leave_nothing_running() -> None:
    stage = Stage(seconds=30)

    def bug() -> None:
        raise RuntimeError("bug")

    with pytest.raises(RuntimeError, match="bug"):
        walk(plan({"a": []}), stage, Quiet(bug))
    deadline = time.monotonic() + 5
    while stage.running and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not stage.running


def test_digests_and_steps_come_with_the_result() -> None:
    result = walk(plan({"a": []}), Stage())
    target = result.targets[0]
    assert (target.status, target.digest) == (Status.BUILT, "sha256:a")
    assert [step.name for step in target.steps] == ["[1/1] RUN x"]

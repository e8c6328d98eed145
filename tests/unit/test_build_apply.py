"""The order, the limits and the failures of a run, with builds that only pretend."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
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

    groups: list[list[str]] = field(default_factory=list)
    documents: list[dict[str, Any]] = field(default_factory=list)
    slow: dict[str, float] = field(default_factory=dict)

    def start(self, plan: BuildPlan, cwd: Path, metadata: Path) -> Child:
        return cast("Child", Pretended(self, metadata))

    def begin(self, names: list[str]) -> None:
        with self.lock:
            self.groups.append(names)
            for name in names:
                self.attempts[name] = self.attempts.get(name, 0) + 1
                self.running.add(name)
                self.seen_done.setdefault(name, set(self.finished))
            self.most = max(self.most, len(self.running))

    def end(self, name: str, code: int) -> None:
        with self.lock:
            self.running.discard(name)
            if code == 0:
                self.finished.append(name)


@dataclass
class Pretended:
    """One buildx process: its targets end one after the other, and one that fails takes the rest with it."""

    stage: Stage
    metadata: Path
    code: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)

    def stderr_lines(self, stdin: str) -> Iterator[str]:
        given = json.loads(stdin)
        self.stage.documents.append(given)
        names: list[str] = given["group"]["default"]["targets"]
        self.stage.begin(names)
        yield from (vertex(names, name, "[1/1] RUN x", f"run {name}") for name in names)
        document, canceled = {}, False
        for name in sorted(names, key=lambda name: self.stage.slow.get(name, 0.0)):
            self.stopped.wait(0 if canceled else self.stage.slow.get(name, self.stage.seconds))
            code, tail = self.stage.behave.get(name, succeed)(self.stage.attempts[name])
            if canceled or self.stopped.is_set():
                code, tail = 1, [vertex(names, name, "[1/1] RUN x", f"run {name}", error="context canceled")]
            elif code == 0:
                yield vertex(names, name, "exporting to image", f"export {name}", completed=LATER)
                document[name] = {"containerimage.digest": f"sha256:{name}"}
            else:
                tail = [line.replace("ERROR: ", f"ERROR: target {name}: ") for line in tail]
            self.stage.end(name, code)
            yield from tail
            self.code, canceled = max(self.code, code), canceled or code != 0
        if self.code == 0:
            self.metadata.write_text(json.dumps(document), encoding="utf-8")

    def wait(self) -> int:
        return self.code

    def stop(self, grace: float = 0.0) -> None:
        self.stopped.set()


NOW, LATER = "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"


def vertex(names: list[str], name: str, step: str, digest: str, **more: str) -> str:
    """A line of progress; with several targets in the process, buildx puts the target before the step."""
    if len(names) > 1:
        step = f"[{name} {step[1:]}" if step.startswith("[") else f"[{name}] {step}"
    return json.dumps({"vertexes": [{"digest": digest, "name": step, "started": NOW, **more}]})


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
        PlannedTarget(name, "requested", tuple(graph[name]), document(name), exports=1)
        for batch in order
        for name in batch
    )
    return BuildPlan(targets, order, jobs, keep_going, retries, "b", ("buildx",), (), ())


def document(name: str) -> dict[str, Any]:
    return {"group": {"default": {"targets": [name]}}, "target": {name: {}}}


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


@settings(max_examples=25)
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
            assert found[name] == "unbuilt"
        elif keep_going:
            assert found[name] == ("failed" if int(name[1:]) in failing else "built")
    assert result.ok == all(status == "built" for status in found.values())


def test_independent_targets_run_at_the_same_time() -> None:
    stage = Stage(seconds=0.05)
    walk(plan({f"t{index}": [] for index in range(6)}, 3), stage)
    assert stage.most == 3


def test_a_target_starts_when_its_own_needs_are_done_not_its_batch() -> None:
    stage = Stage(slow={"slow": 0.3})
    walk(plan({"slow": [], "quick": [], "after-quick": ["quick"]}), stage)
    assert stage.finished == ["quick", "after-quick", "slow"]


def test_leaves_share_processes_and_bases_do_not() -> None:
    stage = Stage(seconds=0.01)
    leaves = {f"t{index}": ["base"] for index in range(12)}
    result = walk(plan({"base": [], **leaves}, 8), stage)
    assert result.ok
    assert [len(group) for group in stage.groups][:2] == [1, 8]
    assert all(len(group) >= 2 for group in stage.groups[2:])
    assert {target.digest for target in result.targets} == {f"sha256:{name}" for name in ("base", *leaves)}


def test_a_target_that_is_done_frees_its_job_before_its_process_ends() -> None:
    stage = Stage(slow={"long": 1.0, "a": 0.01, "b": 0.02, "c": 0.03})
    graph: dict[str, list[str]] = {"long": [], "a": [], "b": [], "c": [], "late": []}
    result = walk(plan(graph, 4), stage)
    assert result.ok
    assert stage.finished.index("late") < stage.finished.index("long")
    took = {target.name: target.seconds for target in result.targets}
    assert took["a"] < took["long"]


def test_one_that_fails_for_a_moment_costs_the_others_in_its_process_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(apply, "backoff", lambda attempt: 0.001)
    stage = Stage({"b": fail_twice}, slow={"a": 0.01, "b": 0.02, "c": 0.03})
    result = walk(plan({"a": [], "b": [], "c": []}, 3, retries=2), stage)
    assert result.ok
    assert {target.name: target.attempts for target in result.targets} == {"a": 1, "b": 3, "c": 1}
    assert stage.groups[0] == ["a", "b", "c"]
    assert sorted(stage.groups[1:]) == [["b"], ["b"], ["c"]]


def test_one_that_fails_in_a_shared_process_is_the_one_that_is_named() -> None:
    stage = Stage({"b": fail}, slow={"a": 0.01, "b": 0.02, "c": 0.03})
    result = walk(plan({"a": [], "b": [], "c": []}, 3), stage)
    assert statuses(result) == {"a": "built", "b": "failed", "c": "cancelled"}
    assert stage.groups == [["a", "b", "c"]]


def test_what_most_wait_for_goes_first() -> None:
    stage = Stage()
    walk(plan({"a": [], "b": [], "base": [], "x": ["base"], "y": ["base"]}, 1), stage)
    assert stage.finished[0] == "base"


def test_a_failure_stops_what_runs_and_starts_nothing_new() -> None:
    stage = Stage({"bad": fail}, slow={"long": 30.0})
    before = time.monotonic()
    result = walk(plan({"bad": [], "long": [], "later": ["long"], "child": ["bad"]}, 2), stage)
    assert time.monotonic() - before < 20
    assert statuses(result) == {"bad": "failed", "long": "cancelled", "later": "unbuilt", "child": "unbuilt"}
    long = next(target for target in result.targets if target.name == "long")
    assert long.note == "stopped, because bad failed"


def test_keep_going_builds_what_it_can() -> None:
    stage = Stage({"bad": fail})
    result = walk(
        plan({"bad": [], "fine": [], "child": ["bad"], "grandchild": ["child"]}, keep_going=True), stage
    )
    assert statuses(result) == {"bad": "failed", "fine": "built", "child": "unbuilt", "grandchild": "unbuilt"}
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


def test_images_of_this_run_are_pinned_and_linked_exactly_when_somebody_took_them() -> None:
    def taken(attempt: int) -> tuple[int, list[str]]:
        return (1, ["ERROR: failed to resolve x/base@sha256:base: not found"]) if attempt == 1 else (0, [])

    pinned = {**document("app"), "target": {"app": {"contexts": {"b": "docker-image://x/base"}}}}
    exact = {**document("app"), "target": {"app": {"contexts": {"b": "target:base"}}, "base": {}}}
    whole = plan({"base": [], "app": ["base"]})
    app = replace(whole.targets[1], document=pinned, pins={"b": "base"}, exact=exact)
    stage = Stage({"app": taken})
    result = walk(replace(whole, targets=(whole.targets[0], app)), stage)
    assert result.ok
    assert result.targets[1].retried == ("base-replaced",)
    assert stage.documents[1]["target"]["app"]["contexts"] == {"b": "docker-image://x/base@sha256:base"}
    assert stage.documents[2] == exact


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
            run.interrupt()

    run = Run(plan({"a": [], "b": [], "c": ["a"]}), Path(), Quiet(interrupt), start=stage.start)
    result = run.run()
    assert result.interrupted
    assert not result.ok
    assert statuses(result) == {"a": "cancelled", "b": "cancelled", "c": "unbuilt"}
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
    assert [step.name for step in target.steps] == ["[1/1] RUN x", "exporting to image"]

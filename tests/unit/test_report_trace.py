from __future__ import annotations

import json
from collections import defaultdict
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.model.result import BuildResult, Status, StepResult, TargetResult
from homeport.report.trace import document, lanes
from report_samples import TEXTS, build, saying, steps, target

times = st.floats(0, 1000, allow_nan=False)
intervals = st.tuples(times, st.floats(0, 50)).map(lambda pair: (pair[0], pair[0] + pair[1]))
step_results = st.builds(
    StepResult, st.just("[1/2] RUN x"), times, st.floats(0, 60), st.booleans(), st.booleans()
)


def events(result: BuildResult, category: str = "") -> list[dict[str, Any]]:
    """The complete events, of one category if it is given."""
    found = document(result)["traceEvents"]
    return [event for event in found if event["ph"] == "X" and category in ("", event["cat"])]


def in_flight(found: list[dict[str, Any]]) -> int:
    """How many events there are at the same time, at most."""
    edges = [(event["ts"], 1) for event in found] + [(event["ts"] + event["dur"], -1) for event in found]
    now, most = 0, 0
    for _, change in sorted(edges):
        now += change
        most = max(most, now)
    return most


def assert_nested(result: BuildResult) -> None:
    """Read the trace as a viewer does: by thread and in order of time, every event inside of the open one."""
    threads: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for event in events(result):
        assert isinstance(event["ts"], int)
        assert event["dur"] > 0
        threads[event["tid"]].append(event)
    for found in threads.values():
        open_ends: list[int] = []
        # A stable sort, as theirs is: of two events with one start, the first in the file is the outer one.
        for event in sorted(found, key=lambda event: int(event["ts"])):
            while open_ends and open_ends[-1] <= event["ts"]:
                open_ends.pop()
            end = event["ts"] + event["dur"]
            assert not open_ends or end <= open_ends[-1], event
            open_ends.append(end)
            assert len(open_ends) <= 2


@given(st.lists(intervals, max_size=30))
def test_lanes_never_overlap_and_are_as_few_as_can_be(found: list[tuple[float, float]]) -> None:
    placed = lanes(found)
    by_lane: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for interval, lane in zip(found, placed, strict=True):
        by_lane[lane].append(interval)
    for members in by_lane.values():
        members.sort()
        assert all(one[1] <= other[0] for one, other in pairwise(members))
    real = [(start, end) for start, end in found if end > start]
    most = max((sum(start <= at < end for start, end in real) for at, _ in real), default=0)
    assert set(placed) == set(range(len(by_lane)))
    assert len(by_lane) <= most + (len(real) < len(found))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([], []),
        ([(0, 1), (1, 2)], [0, 0]),
        ([(0, 2), (1, 3), (2, 4)], [0, 1, 0]),
        ([(5, 6), (0, 9), (1, 2)], [1, 0, 1]),
    ],
)
def test_lanes(found: list[tuple[float, float]], expected: list[int]) -> None:
    assert lanes(found) == expected


@pytest.mark.parametrize(("count", "jobs"), [(0, 1), (1, 1), (16, 4), (50, 7), (300, 8)])
def test_as_many_lanes_as_targets_in_flight(count: int, jobs: int) -> None:
    result = build(count, jobs=jobs)
    found = events(result, "target")
    assert len(found) == count
    assert len({event["tid"] for event in found}) == in_flight(found) <= jobs
    assert_nested(result)


@given(st.lists(st.tuples(times, st.floats(0, 50), st.lists(step_results, max_size=8)), max_size=8))
def test_a_viewer_can_nest_every_thread(found: list[tuple[float, float, list[StepResult]]]) -> None:
    targets = tuple(
        target(f"t{index}", started, seconds, steps=tuple(steps))
        for index, (started, seconds, steps) in enumerate(found)
    )
    assert_nested(BuildResult(targets, 0, 1000, 8, ()))


def test_times_are_microseconds_since_the_start() -> None:
    (event,) = events(BuildResult((target("a", 1.5, 2.25),), 0, 4, 1, (("a",),)))
    assert (event["ts"], event["dur"]) == (1_500_000, 2_250_000)


def test_steps_at_the_same_time_are_in_threads_of_their_own_below() -> None:
    result = build(1)
    found = {event["name"]: event["tid"] for event in events(result)}
    assert found["base"] == found["[builder 3/5] RUN pip install -r requirements.txt"] == 1
    assert found["[web 2/3] RUN npm ci"] == 2
    names = {
        event["tid"]: event["args"]["name"]
        for event in document(result)["traceEvents"]
        if event["name"] == "thread_name"
    }
    assert names == {1: "lane 1", 2: "lane 1, parallel steps 2"}


def test_a_step_outside_of_its_target_is_cut_or_left_out() -> None:
    inside = StepResult("[1/2] RUN a", 4.0, 3.0, False, True)
    outside = StepResult("[2/2] RUN b", 20.0, 3.0, False, True)
    result = BuildResult((target("a", 5.0, 1.0, steps=(inside, outside)),), 0, 6, 1, (("a",),))
    (event,) = events(result, "instruction")
    assert (event["ts"], event["dur"]) == (5_000_000, 1_000_000)
    assert event["args"] == {"cached": False, "seconds": 3.0, "step": "[1/2] RUN a"}


def test_targets_that_never_started_are_left_out() -> None:
    skipped = TargetResult("a", Status.UNBUILT, "no image yet")
    assert events(BuildResult((skipped,), 0, 1, 1, (("a",),))) == []


def test_arguments_tell_what_a_target_did() -> None:
    event = events(build(2), "target")[1]
    assert event["args"] == {
        "result": "built",
        "why": "no image yet",
        "cached": 2,
        "executed": 3,
        "context_bytes": 12345,
        "digest": f"sha256:{1:064x}",
        "tries": 1,
        "critical_path": True,
        "needs": "base",
        "message": "",
    }


def test_a_failure_is_told() -> None:
    failed = next(
        event for event in events(build(16, broken=(4,)), "target") if event["args"]["result"] == "failed"
    )
    assert "exit code: 1" in failed["args"]["message"]


def test_the_document_says_where_it_came_from() -> None:
    assert document(build(1))["otherData"] == {
        "engine": "28.2.2",
        "buildx": "v0.29.1",
        "builder": "default (docker)",
        "registry": "none",
        "project": "homeiq",
        "started_at": 1_760_000_000.0,
        "jobs": 4,
    }


@given(TEXTS)
def test_any_text_is_json(text: str) -> None:
    written = document(saying(text))
    assert json.loads(json.dumps(written)) == written


def test_steps_of_a_sample_do_overlap() -> None:
    assert max(lanes([(step.started, step.started + step.seconds) for step in steps(0, 10)])) > 0

"""A build as a Chrome trace, for https://ui.perfetto.dev and chrome://tracing.

The format: https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from homeport.model.result import BuildResult, StepResult, TargetResult
from homeport.report.words import one_line

_PROCESS = 1
_LONGEST_NAME = 200


@dataclass(frozen=True)
class _Slice:
    """A half-open interval in microseconds since the run's start, at least one long."""

    start: int
    end: int


def lanes(intervals: Sequence[tuple[float, float]]) -> list[int]:
    """A lane from 0 for each half-open interval, so that none overlaps another in its lane.

    As few lanes as possible: as many as there are intervals at the same time at most. Of those with one
    start, the longest gets the first free lane.
    """
    found = [0] * len(intervals)
    busy: list[tuple[float, int]] = []
    free: list[int] = []
    for index in sorted(range(len(intervals)), key=lambda index: (intervals[index][0], -intervals[index][1])):
        start, end = intervals[index]
        while busy and busy[0][0] <= start:
            heapq.heappush(free, heapq.heappop(busy)[1])
        lane = heapq.heappop(free) if free else len(busy)
        found[index] = lane
        heapq.heappush(busy, (end, lane))
    return found


def document(result: BuildResult) -> dict[str, Any]:
    """The trace as JSON data: one lane (thread) for each target in flight, steps nested in their target.

    A viewer needs the events of one thread to nest, but BuildKit runs steps of one target at the same
    time: what overlaps goes to further threads, shown below their lane.
    """
    ran = sorted((target for target in result.targets if target.attempts), key=lambda target: target.started)
    outer = [_slice(target.started, target.seconds) for target in ran]
    lane_of = lanes([(piece.start, piece.end) for piece in outer])
    steps = [_steps(target, piece) for target, piece in zip(ran, outer, strict=True)]
    depth = [0] * (max(lane_of, default=-1) + 1)
    for lane, placed in zip(lane_of, steps, strict=True):
        depth[lane] = max(depth[lane], 1, *(sub + 1 for sub, _, _ in placed))
    places = [(lane, sub) for lane, most in enumerate(depth) for sub in range(most)]
    threads = {place: thread for thread, place in enumerate(places, 1)}
    events = [_metadata(0, "process_name", name=one_line(f"homeport build {result.project}", _LONGEST_NAME))]
    for (lane, sub), thread in threads.items():
        name = f"lane {lane + 1}" + (f", parallel steps {sub + 1}" if sub else "")
        events.append(_metadata(thread, "thread_name", name=name))
        events.append(_metadata(thread, "thread_sort_index", sort_index=thread))
    critical = set(result.critical_path()[0])
    for target, piece, lane, placed in zip(ran, outer, lane_of, steps, strict=True):
        # The target first: of two events with one start, viewers take the first for the outer one.
        events.append(_target_event(target, piece, threads[lane, 0], target.name in critical))
        events.extend(_step_event(step, inner, threads[lane, sub]) for sub, inner, step in placed)
    return {
        "traceEvents": events,
        "displayTimeUnit": "ms",
        "otherData": {
            "project": result.project,
            "started_at": round(result.started_at, 3),
            "jobs": result.jobs,
            **result.facts,
        },
    }


def _slice(started: float, seconds: float) -> _Slice:
    # Both ends are rounded, not the duration: what doesn't overlap still doesn't after it.
    start, end = round(started * 1e6), round((started + seconds) * 1e6)
    return _Slice(start, max(end, start + 1))


def _steps(target: TargetResult, outer: _Slice) -> list[tuple[int, _Slice, StepResult]]:
    """A target's steps, first one first, each with its sub-lane and its part inside of the target's time.

    BuildKit's clock may differ from ours, and a step that several targets share may have begun with
    another: what lies outside of the target's time is cut off, what lies outside entirely is left out.
    """
    kept: list[tuple[_Slice, StepResult]] = []
    for step in sorted(target.steps, key=lambda step: (step.started, -step.seconds)):
        whole = _slice(step.started, step.seconds)
        start, end = max(whole.start, outer.start), min(whole.end, outer.end)
        if start < end:
            kept.append((_Slice(start, end), step))
    placed = lanes([(piece.start, piece.end) for piece, _ in kept])
    return [(sub, piece, step) for sub, (piece, step) in zip(placed, kept, strict=True)]


def _target_event(target: TargetResult, piece: _Slice, thread: int, critical: bool) -> dict[str, Any]:
    args = {
        "result": target.status.value,
        "why": target.why,
        "cached": target.cached,
        "executed": target.executed,
        "context_bytes": target.context_bytes,
        "digest": target.digest,
        "tries": target.attempts,
        "critical_path": critical,
        "needs": ", ".join(target.needs),
        "message": target.failure.message if target.failure else target.note,
    }
    return _complete(target.name, "target", piece, thread, args)


def _step_event(step: StepResult, piece: _Slice, thread: int) -> dict[str, Any]:
    category = "instruction" if step.instruction else "buildkit"
    args = {"cached": step.cached, "seconds": round(step.seconds, 6), "step": step.name}
    return _complete(step.name, category, piece, thread, args)


def _complete(name: str, category: str, piece: _Slice, thread: int, args: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": one_line(name, _LONGEST_NAME),
        "cat": category,
        "ph": "X",
        "ts": piece.start,
        "dur": piece.end - piece.start,
        "pid": _PROCESS,
        "tid": thread,
        "args": args,
    }


def _metadata(thread: int, kind: str, **args: str | int) -> dict[str, Any]:
    return {"name": kind, "ph": "M", "ts": 0, "pid": _PROCESS, "tid": thread, "args": args}

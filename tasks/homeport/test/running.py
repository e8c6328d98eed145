"""Unit tests carried out: a build for each target, several at a time, each with an end."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from homeport.engine import buildx, folders, owner
from homeport.engine.process import Child
from homeport.engine.waiting import result_of
from homeport.model.checks import Check, Outcome
from homeport.model.solve import Solve, failure_of
from homeport.test.facts import Facts
from homeport.test.units import Unit

_EXIT_CODE = re.compile(r"exit code: (\d+)")
_NO_TESTS = 5
"""pytest's exit code where it found no test: https://docs.pytest.org/en/stable/reference/exit-codes.html"""
_SUMMARY = re.compile(r"\b\d+ (?:passed|failed|errors?|skipped)\b.* in [\d.]+s")
_LOG_LINES = 40


class Running:
    """The builds under way, so that all of them can be stopped."""

    def __init__(self, facts: Facts, seconds: float) -> None:
        self._facts = facts
        self._seconds = seconds
        self._lock = threading.Lock()
        self._children: set[Child] = set()
        self._stopped = False

    def all(self, units: Sequence[Unit], jobs: int, tell: Callable[[Check], None]) -> list[Check]:
        """Run the unit tests of targets, at most ``jobs`` at a time; ``tell`` is called as each ends."""
        with ThreadPoolExecutor(max(jobs, 1), thread_name_prefix="unit") as pool:
            try:
                futures = [pool.submit(self._told, unit, tell) for unit in units]
                return [result_of(future) for future in futures]
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                self._stop()
                raise

    def _told(self, unit: Unit, tell: Callable[[Check], None]) -> Check:
        check = self._one(unit)
        tell(check)
        return check

    def _stop(self) -> None:
        with self._lock:
            self._stopped = True
            children = list(self._children)
        for child in children:
            child.stop(grace=1.0)

    def _one(self, unit: Unit) -> Check:
        if not unit.how:
            outcome = Outcome.LEFT_OUT if unit.why else Outcome.NONE
            return Check("unit", unit.target, outcome, 0.0, unit.why or "no tests were found")
        began, solve = time.monotonic(), Solve()
        late = threading.Event()
        with folders.for_a_while("homeport-test-") as folder:
            metadata = folder / "metadata.json"
            argv = buildx.build_argv(
                self._facts.buildx, metadata=metadata, builder_name=self._facts.builder.name
            )
            with self._lock:
                if self._stopped:
                    return Check("unit", unit.target, Outcome.INTERRUPTED)
                # buildx has files of its own for a while, too.
                env = {**buildx.BUILD_ENVIRONMENT, **owner.variables(), **folders.variables(folder)}
                child = Child(argv, cwd=self._facts.root, env=env)
                self._children.add(child)

            def feed(message: dict[str, Any]) -> None:
                solve.feed(message)

            def end() -> None:
                late.set()
                child.stop(grace=1.0)

            clock = threading.Timer(self._seconds, end)
            clock.start()
            try:
                done = buildx.build(child, unit.document, metadata, feed)
            finally:
                clock.cancel()
                with self._lock:
                    self._children.discard(child)
        took = time.monotonic() - began
        if self._stopped and done.code != 0:
            return Check("unit", unit.target, Outcome.INTERRUPTED, took)
        return _judged(unit, solve, done.code, done.tail, took, self._seconds if late.is_set() else 0)


def _judged(unit: Unit, solve: Solve, code: int, tail: str, took: float, limit: float) -> Check:
    """How a build went, as a check; ``limit`` is not 0 if it was stopped after so many seconds."""
    said = _said(solve)
    if code == 0:
        cached = all(step.cached for step in solve.steps.values() if step.is_instruction)
        words = "as before: nothing that counts has changed" if cached else said
        return Check("unit", unit.target, Outcome.PASSED, took, words)
    if limit:
        # That it was stopped is told of each step by now: the one that began last is where it hung.
        begun = [step for step in solve.steps.values() if step.started is not None]
        last = max(begun, key=lambda step: step.started or 0.0, default=None)
        lines = tuple(last.last_lines()[-_LOG_LINES:]) if last else ()
        return Check("unit", unit.target, Outcome.FAILED, took, f"no end after {limit:.0f} s", lines)
    failure = failure_of(solve, tail, lines=_LOG_LINES)
    found = _EXIT_CODE.search(failure.message)
    if unit.how == "image" and found and int(found[1]) == _NO_TESTS and "pytest" in failure.step:
        return Check("unit", unit.target, Outcome.NONE, took, f"pytest found no test in {unit.why}")
    step = re.sub(r"^\[[^\]]*\]\s+", "", failure.step)
    return Check("unit", unit.target, Outcome.FAILED, took, said or step or failure.message, failure.log)


def _said(solve: Solve) -> str:
    """The last line in which a test program says how many tests passed."""
    for step in reversed(list(solve.steps.values())):
        for line in reversed(step.last_lines()):
            if found := _SUMMARY.search(line):
                return found[0]
    return ""

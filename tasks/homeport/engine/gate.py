"""The gate: whether a new replica may get traffic, by its own health check."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from homeport.engine import containers
from homeport.engine.containers import Container

POLL_SECONDS = 0.1
CHECK_SECONDS = 0.4
"""How long after one look by the health check itself the next may come: the engine looks once a second."""
_CHECKS = threading.BoundedSemaphore(2)
"""More of them at once would only slow down what they look at."""
RECOVERY_SECONDS = 10.0
"""How long one that was ill before the deploy, as one that was paused, has to get well."""
_ILL = "its health check fails"
STEADY_SECONDS = 2.0
"""How long a container without a health check has to run before it passes."""


@dataclass(frozen=True)
class Verdict:
    """How the gate ended: ``problem`` is empty for a replica that passed."""

    container: Container | None
    problem: str = ""


def wait(
    ids: Iterable[str],
    limit: float,
    *,
    look: Callable[[Iterable[str]], tuple[Container, ...]] = containers.inspect,
    check: Callable[[Container], bool] = containers.passes,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Verdict:
    """Wait until all of these containers have passed, or one can't; ``limit`` is in seconds.

    Those with a health check must pass it once, whether the engine asks or we do (``check``); others must run
    without a restart for STEADY_SECONDS.
    """
    wanted = list(ids)
    began, up_since = clock(), 0.0
    due = dict.fromkeys(wanted, began + CHECK_SECONDS / 2)
    passed: set[str] = set()
    restarts: dict[str, int] = {}
    ill: set[str] | None = None
    while True:
        found = look(wanted)
        # So it was before this deploy, while it was paused, say: that it has to pass now is all that counts.
        ill = {one.id for one in found if one.health == "unhealthy"} if ill is None else ill
        if len(found) < len(wanted) or not wanted:
            return Verdict(None, "its container is gone")
        for one in found:
            # What it did before, on another day, isn't this deploy's fault.
            problem = _problem(one, restarts.setdefault(one.id, one.restarts))
            recovers = one.id in ill and clock() - began < RECOVERY_SECONDS
            if problem and not (problem == _ILL and recovers):
                return Verdict(one, problem)
            open_ = one.health == "starting" or one.id in ill
            if one.running and open_ and one.id not in passed and clock() >= due[one.id]:
                with _CHECKS:
                    passed |= {one.id} if check(one) else set()
                due[one.id] = clock() + CHECK_SECONDS
        up_since = up_since or clock() if all(one.running for one in found) else 0.0
        steady = bool(up_since) and clock() - up_since >= STEADY_SECONDS
        waited_for = [
            one
            for one in found
            if not one.running or not (one.health == "healthy" or one.id in passed if one.health else steady)
        ]
        if not waited_for:
            return Verdict(None)
        if clock() - began >= limit:
            late = waited_for[0]
            state = f"its health check says '{late.health}'" if late.health else f"it is {late.state}"
            return Verdict(late, f"{state} after {limit:.0f} s")
        sleep(POLL_SECONDS)


def wait_for_end(
    name: str,
    limit: float,
    *,
    look: Callable[[Iterable[str]], tuple[Container, ...]] = containers.inspect,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Verdict:
    """Wait until a one-shot container has ended; only exit code 0 passes."""
    began = clock()
    while True:
        found = look([name])
        if not found:
            return Verdict(None, "its container is gone")
        if found[0].state in {"exited", "dead"}:
            code = found[0].exit_code
            return Verdict(found[0], "" if code == 0 else f"it ended with exit code {code}")
        if clock() - began >= limit:
            return Verdict(found[0], f"it hasn't ended after {limit:.0f} s")
        sleep(POLL_SECONDS)


def _problem(one: Container, restarts: int) -> str:
    if one.state == "removing":
        return "somebody removed its container"
    if one.state in {"exited", "dead"}:
        return f"it ended with exit code {one.exit_code}"
    if one.restarts > restarts:
        return "it crashed and was started again"
    if one.health == "unhealthy":
        return _ILL
    return ""


def still(
    before: Mapping[str, int],
    *,
    look: Callable[[Iterable[str]], tuple[Container, ...]] = containers.inspect,
) -> Verdict:
    """Whether containers that have passed are still what they were.

    ``before`` says by id how often each had been restarted then.
    """
    found = look(before)
    if len(found) < len(before):
        return Verdict(None, "its container is gone")
    for one in found:
        if problem := _problem(one, before[one.id]):
            return Verdict(one, problem)
        if not one.running:
            return Verdict(one, f"it is {one.state}")
    return Verdict(None)

"""The gate: whether a new replica may get traffic, by its own health check."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from homeport.engine import containers
from homeport.engine.containers import Container

POLL_SECONDS = 0.1
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
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Verdict:
    """Wait until all of these containers have passed, or one can't; ``limit`` is in seconds.

    Those with a health check must get "healthy" by it; others must run without a restart for STEADY_SECONDS.
    """
    wanted = list(ids)
    began, up_since = clock(), 0.0
    restarts: dict[str, int] = {}
    while True:
        found = look(wanted)
        if len(found) < len(wanted):
            return Verdict(None, "its container is gone")
        for one in found:
            # What it did before, on another day, isn't this deploy's fault.
            if problem := _problem(one, restarts.setdefault(one.id, one.restarts)):
                return Verdict(one, problem)
        if all(one.running for one in found):
            up_since = up_since or clock()
            steady = clock() - up_since >= STEADY_SECONDS
            if all(one.health == "healthy" if one.health else steady for one in found):
                return Verdict(None)
        if clock() - began >= limit:
            late = next((one for one in found if one.health != "healthy"), found[0])
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
    if one.state in {"exited", "dead"}:
        return f"it ended with exit code {one.exit_code}"
    if one.restarts > restarts:
        return "it crashed and was started again"
    if one.health == "unhealthy":
        return "its health check fails"
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
        if not one.running or one.health not in {"", "healthy"}:
            return Verdict(one, f"it is {one.health if one.running else one.state}")
    return Verdict(None)

"""Memory for old and new replicas side by side."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from homeport.deploy import preflight
from homeport.deploy.plan import Action, DeployPlan, Running, Step
from homeport.engine.containers import Container
from homeport.errors import EnvironmentProblem

MIB = 1 << 20


def container(identity: str, state: str = "running") -> Container:
    return Container(identity, identity, "sha256:1", state, {})


def used(ids: Iterable[str]) -> dict[str, int]:
    return dict.fromkeys(ids, 100 * MIB)


RUNNING = {
    "api": Running({"api-r1": (container("a"), container("b"), container("gone", "exited"))}, live="api-r1"),
    "db": Running({"db-r1": (container("c"),)}, live="db-r1"),
}
STEPS = {
    "api": Step("api", Action.START_FIRST, "", before="api-r1"),
    "db": Step("db", Action.STOP_FIRST, "", before="db-r1"),
    "new": Step("new", Action.NEW, ""),
}
PLAN = DeployPlan("shop", STEPS, {})


def test_what_runs_twice_must_have_room() -> None:
    preflight.memory(PLAN, RUNNING, 200 * MIB, used)
    with pytest.raises(EnvironmentProblem) as caught:
        preflight.memory(PLAN, RUNNING, 200 * MIB - 1, used)
    assert "2 old and new replicas" in caught.value.what
    assert caught.value.exit_code == 2


def test_nothing_is_asked_of_what_does_not_run() -> None:
    asked: list[str] = []

    def note(ids: Iterable[str]) -> dict[str, int]:
        asked.extend(ids)
        return {}

    preflight.memory(PLAN, RUNNING, 0, note)
    assert asked == ["a", "b"]

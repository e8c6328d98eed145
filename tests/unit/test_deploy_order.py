"""In which order the services of a deploy begin, of those that wait for no other."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any, cast

from homeport.deploy.apply import _launch
from homeport.deploy.desired import Desired, ReplicaSet
from homeport.deploy.plan import Action, DeployPlan, Step
from homeport.deploy.work import Work
from homeport.model.stack import Stack


class Pool:
    """Takes what is to be done, and does nothing."""

    def submit(self, *_: Any) -> Future[None]:
        return Future()


def rounds(actions: dict[str, Action], fronts: str, needs: dict[str, tuple[str, ...]]) -> list[list[str]]:
    """What is begun at the same time, if everything begun has ended before the next look."""
    steps = {
        name: Step(name, action, "", ReplicaSet(name, f"{name}-r1", "", 1, {}))
        for name, action in actions.items()
    }
    plan = DeployPlan("shop", steps, {name: needs.get(name, ()) for name in steps})
    stack, wanted = Stack("shop", {}, {}), Desired("shop", {}, {}, {})
    held: Any = dict.fromkeys(fronts.split())
    work = Work(plan, stack, wanted, {}, held, Path(), lambda event: None, 1.0, 600.0)
    sorter = TopologicalSorter(plan.needs)
    sorter.prepare()
    running: dict[Future[None], tuple[str, ...]] = {}
    late: list[str] = []
    begun = []
    while sorter.is_active():
        _launch(work, sorter, running, cast("ThreadPoolExecutor", Pool()), late)
        names = sorted(name for group in running.values() for name in group)
        assert names, "nothing goes on"
        begun.append(names)
        running.clear()
        sorter.done(*names)
    return begun


def test_who_makes_callers_wait_comes_last_and_one_after_the_other() -> None:
    actions = {
        "one": Action.STOP_FIRST,
        "api": Action.START_FIRST,
        "two": Action.STOP_FIRST,
        "job": Action.STOP_FIRST,
        "tool": Action.STOP_FIRST,
        "web": Action.NEW,
    }
    assert rounds(actions, "one two api", {}) == [["api", "web"], ["one"], ["two"], ["job", "tool"]]


def test_what_depends_on_one_of_them_comes_before_the_next() -> None:
    actions = {"one": Action.STOP_FIRST, "two": Action.STOP_FIRST, "api": Action.START_FIRST}
    assert rounds(actions, "one two api", {"api": ("one",)}) == [["one"], ["api"], ["two"]]


def test_without_fronts_nobody_is_held_and_all_go_at_once() -> None:
    actions = {"one": Action.STOP_FIRST, "two": Action.STOP_FIRST}
    assert rounds(actions, "", {}) == [["one", "two"]]

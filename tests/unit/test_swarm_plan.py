"""What should run and what Swarm has -> what a deploy does to each service, and why."""

from __future__ import annotations

from typing import Any

import pytest

from homeport.deploy.desired import ReplicaSet
from homeport.deploy.plan import Action, Step
from homeport.deploy.swarm import plan
from homeport.engine.swarm import Service
from swarm_samples import Spec, foreign, one_set, running, task

WEB: Spec = {"expose": ["8000"]}


def step(one: ReplicaSet, runs: Service | None, was: ReplicaSet | None = None, why: str = "") -> Step:
    there = {one.service: runs} if runs else {}
    known = {one.service: was} if was else {}
    made = plan.make("shop", {one.service: one}, there, needs={}, was=known, whys={one.service: why})
    return made.steps[one.service]


def test_what_does_not_run_is_new() -> None:
    assert step(one_set(), None).action is Action.NEW


def test_what_runs_as_it_should_is_left_alone() -> None:
    one = one_set()
    found = step(one, running(one))
    assert (found.action, found.before) == (Action.UNCHANGED, one.name)


@pytest.mark.parametrize(("spec", "action"), [(WEB, Action.START_FIRST), ({}, Action.STOP_FIRST)])
def test_another_form_is_updated_in_its_order(spec: Spec, action: Action) -> None:
    old, new = one_set(**spec), one_set(**spec, environment={"V": "2"})
    found = step(new, running(old), old, "because")
    assert (found.action, found.why) == (action, "environment changed; because")
    assert found.before == old.name
    assert found.target == new


@pytest.mark.parametrize(
    ("was", "now", "why"),
    [
        ({}, {"deploy": {"replicas": 3}}, "deploy.replicas changed; its containers stay"),
        ({"command": ["a"]}, {"command": ["b"], "init": True}, "command, init changed"),
        ({"deploy": {"labels": {"a": "1"}}}, {"deploy": {"labels": {"a": "2"}}},
         "deploy.labels changed; its containers stay"),
        ({"labels": {"a": "1"}}, {}, "labels changed"),
    ],
)  # fmt: skip
def test_the_reason_names_fields_and_no_values(was: Spec, now: Spec, why: str) -> None:
    old, new = one_set(**was), one_set(**now)
    assert step(new, running(old), old).why == why


def test_where_the_old_form_is_not_known_the_reason_says_less() -> None:
    old, new = one_set(), one_set(environment={"V": "2"})
    assert step(new, running(old)).why == "it has another form"
    assert step(new, running(old), new).why == "it has another form"


def test_what_somebody_deployed_without_homeport_is_taken_over() -> None:
    found = step(one_set(), foreign())
    assert (found.action, found.why) == (Action.STOP_FIRST, "it was deployed without homeport")
    assert found.before == ""


@pytest.mark.parametrize("change", [{"image": "x/api:2@sha256:bb"}, {"count": 5}])
def test_what_somebody_changed_since_is_put_right(change: dict[str, Any]) -> None:
    one = one_set()
    found = step(one, running(one, **change))
    assert (found.action, found.why) == (Action.STOP_FIRST, "somebody changed it since")


def test_a_global_service_has_as_many_tasks_as_there_are_machines() -> None:
    one = one_set(deploy={"mode": "global"})
    assert step(one, running(one, count=5)).action is Action.UNCHANGED


JOB: Spec = {"restart": "no"}


def test_what_runs_to_its_end_runs_once_in_each_form() -> None:
    one, other = one_set(**JOB), one_set(**JOB, command=["other"])
    done = running(one, task(one, "complete", wanted=False))
    assert step(one, None).action is Action.RUN
    assert step(one, done).action is Action.UNCHANGED
    assert (step(other, done, one).action, step(other, done, one).why) == (Action.RUN, "command changed")


@pytest.mark.parametrize("state", ["failed", "running", "pending"])
def test_what_did_not_get_to_its_end_runs_again(state: str) -> None:
    one = one_set(**JOB)
    found = step(one, running(one, task(one, state)))
    assert (found.action, found.why) == (Action.RUN, "it hasn't run to its end in this form")


def test_a_service_that_becomes_one_that_ends_runs() -> None:
    assert step(one_set(**JOB), running(one_set(**WEB))).action is Action.RUN


def test_services_that_leave_are_removed_and_only_if_they_are_there() -> None:
    old = one_set("old")
    made = plan.make("shop", {}, {"old": running(old)}, needs={}, was={}, leaving=["old", "gone"])
    assert {name: one.action for name, one in made.steps.items()} == {"old": Action.REMOVED}
    assert made.changes == ("old",)


def test_services_come_after_those_that_they_wait_for() -> None:
    wanted = {name: one_set(name) for name in ("web", "api", "db")}
    needs = {"web": ("api",), "api": ("db", "elsewhere")}
    made = plan.make("shop", wanted, {}, needs=needs, was={})
    assert made.batches == (("db",), ("api",), ("web",))


def test_warnings_are_part_of_the_plan() -> None:
    assert plan.make("shop", {}, {}, needs={}, was={}, warnings=("a",)).warnings == ("a",)


def test_fields_that_only_one_document_has_count() -> None:
    assert plan.changed({"init": True}, {"user": "a", "deploy": {"mode": "global"}}) == (
        "deploy.mode", "init", "user",
    )  # fmt: skip

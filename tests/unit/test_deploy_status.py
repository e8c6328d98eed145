"""What runs of a stack, against what its last release says."""

from __future__ import annotations

from typing import Any

import pytest

from homeport.deploy.plan import Running
from homeport.deploy.status import ServiceStatus, marks, statuses
from homeport.engine.containers import Container
from homeport.model.release import Deployed, Outcome, Release

Members = tuple[Container, ...]


def container(state: str = "running", health: str = "", **more: Any) -> Container:
    networks = more.pop("networks", {"shop_default": "192.0.2.1"})
    return Container("1", "shop-1", "sha256:1", state, {}, health=health, networks=networks, **more)


UP = container()
WELL = container(health="healthy")
SICK = container(health="unhealthy")
DOWN = container("exited", exit_code=137)


def runs(*members: Container, live: str = "api-r1", **more: Any) -> Running:
    """A service whose set ``api-r1`` has these containers."""
    return Running({"api-r1": members}, live=live, **more)


KEPT = {"api": runs(UP)}


def release(number: int = 1, outcome: Outcome = Outcome.PASSED, **services: Deployed) -> Release:
    found = services or {"api": Deployed("api-r1", "sha256:1")}
    return Release(number, "shop", 1.0, 2.0, outcome, found)


def status(
    running: Running | None, count: int = 1, *, front: bool = False, one_shot: bool = False
) -> ServiceStatus:
    """What is said of a service that should run so."""
    should = release(api=Deployed("api-r1", "sha256:1", "x/api", count, front, one_shot))
    (found,) = statuses({} if running is None else {"api": running}, [should])
    return found


@pytest.mark.parametrize("member", [UP, WELL], ids=["unchecked", "healthy"])
def test_what_runs_as_the_release_says_has_no_problems(member: Container) -> None:
    assert status(runs(member)) == ServiceStatus("api", "api-r1", 1, 1, "")
    assert status(runs(member, member), 2) == ServiceStatus("api", "api-r1", 2, 2, "")


def test_a_front_that_runs_is_shown() -> None:
    assert status(runs(WELL, front=UP), front=True) == ServiceStatus("api", "api-r1", 1, 1, "front")


@pytest.mark.parametrize("member", [SICK, DOWN, container("paused", health="healthy")])
def test_only_containers_that_run_and_are_not_sick_are_well(member: Container) -> None:
    found = status(runs(WELL, member), 2)
    assert (found.up, found.wanted) == (1, 2)
    assert found.problems == ("1 of 2 containers are well",)


def test_more_containers_than_the_release_had_are_counted() -> None:
    found = status(runs(UP, UP, UP), 2)
    assert (found.up, found.wanted) == (3, 2)


def test_a_service_of_which_nothing_is_there() -> None:
    found = status(None, front=True)
    assert (found.serving, found.up, found.wanted, found.front) == ("", 0, 1, "")
    assert found.problems == (
        "nothing serves, not api-r1",
        "0 of 1 containers are well",
        "its front is gone",
    )


def test_another_set_than_the_release_says_serves() -> None:
    both = Running({"api-r1": (DOWN,), "api-r2": (UP,)}, live="api-r2")
    found = status(both)
    assert (found.serving, found.up) == ("api-r2", 1)
    assert found.problems == ("api-r2 serves, not api-r1",)


def test_a_front_that_should_be_there_is_gone() -> None:
    assert status(runs(UP), front=True).problems == ("its front is gone",)
    assert status(runs(UP), front=False).problems == ()


def test_a_front_that_is_down() -> None:
    found = status(runs(UP, front=DOWN), front=True)
    assert (found.front, found.problems) == ("front down", ("its front doesn't run",))


def test_callers_that_wait_are_a_problem() -> None:
    found = status(runs(UP, front=UP, held=True), front=True)
    assert found.problems == ("its callers wait: a deploy ended in the middle",)


def test_what_somebody_started_beside_it_with_plain_compose_is_a_problem() -> None:
    assert status(runs(UP, plain=(UP,))).problems == ("somebody started it with plain Compose",)
    assert status(runs(UP, plain=(DOWN,))).problems == ()


def test_what_runs_beside_the_set_that_serves_is_named() -> None:
    sets = {"api-r1": (UP,), "api-r7": (DOWN,), "api-r8": (DOWN, UP), "api-r9": (container("created"),)}
    (problem,) = status(Running(sets, live="api-r1")).problems
    assert "api-r8" in problem
    assert not {"api-r1", "api-r7", "api-r9"} & set(problem.replace(",", " ").split())


def test_a_one_shot_that_ran_to_its_end_needs_nothing_more() -> None:
    ended = runs(container("exited", exit_code=0), live="")
    assert status(ended, one_shot=True) == ServiceStatus("api", "api-r1", 0, 0, "")
    assert status(ended).problems, "a service that stays must not have ended"


def test_a_one_shot_that_did_not_end_well_is_a_problem() -> None:
    assert status(runs(container("exited", exit_code=1), live=""), one_shot=True).problems
    older = Running({"api-r0": (container("exited", exit_code=0),)})
    assert status(older, one_shot=True).problems


def test_what_no_release_has_is_said_in_either_case() -> None:
    found = statuses({"new": runs(UP), "plain": Running(plain=(UP,))}, [])
    assert [one.problems for one in found] == [("no release has it",), ("it runs without homeport",)]
    assert [one.wanted for one in found] == [0, 0]


def test_services_of_the_release_and_all_others_by_name() -> None:
    should = release(web=Deployed("web-r1", "1"), api=Deployed("api-r1", "1"))
    found = statuses({"zoo": runs(UP), "api": runs(UP), "old": runs(UP)}, [should])
    assert [one.name for one in found] == ["api", "old", "web", "zoo"]


def test_the_last_release_that_passed_counts() -> None:
    history = [
        release(1, api=Deployed("api-r0", "1")),
        release(3, Outcome.UNDONE, api=Deployed("api-r2", "1")),
        release(2, api=Deployed("api-r1", "1")),
        release(4, Outcome.BROKEN, api=Deployed("api-r3", "1")),
    ]
    (found,) = statuses({"api": runs(UP)}, iter(history))
    assert found == ServiceStatus("api", "api-r1", 1, 1, "")


def test_nothing_runs_and_nothing_was_deployed() -> None:
    assert statuses({}, []) == ()


def test_marks_say_which_release_runs_and_how_others_failed() -> None:
    history = [
        release(1),
        release(2, Outcome.UNDONE),
        release(3),
        release(4, Outcome.BROKEN),
    ]
    assert marks(iter(history), (), KEPT) == {1: "", 2: "undone", 3: "runs", 4: "broken"}


def test_marks_say_which_release_can_not_run_again() -> None:
    job = Deployed("job-r1", "sha256:2", one_shot=True)
    history = [
        release(1, api=Deployed("api-r0", "sha256:1")),
        release(2, api=Deployed("api-r1", "sha256:1", count=2)),
        release(3, api=Deployed("api-r1", "sha256:1"), job=job),
    ]
    assert marks(history, (1,), KEPT) == {1: "pinned, gone", 2: "gone", 3: "runs"}


def test_marks_where_none_has_passed() -> None:
    assert marks([release(1, Outcome.BROKEN)], (), {}) == {1: "broken"}
    assert marks([], (), {}) == {}


def test_a_stack_that_is_down_runs_no_release() -> None:
    assert marks([release(1)], (), {"api": runs(DOWN)}) == {1: "current"}

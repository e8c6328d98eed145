"""What Swarm says of a service and its tasks -> whether that is well, failed, or still going on."""

from __future__ import annotations

import pytest

from homeport.deploy.swarm import look, verdict
from homeport.deploy.swarm.verdict import State
from homeport.model.release import Deployed
from swarm_samples import foreign, one_set, running, task

OLD = one_set(expose=["8000"], environment={"V": "1"})
NEW = one_set(expose=["8000"], environment={"V": "2"})
TWO = one_set(deploy={"replicas": 2})
GONE = task(OLD, "shutdown", wanted=False)


def state(*args: object, new: bool = False, update: str = "") -> State:
    return verdict.forward(running(NEW, *args, update=update), NEW, new=new)[0]  # type: ignore[arg-type]


def test_all_tasks_run_and_the_update_is_over() -> None:
    assert state(task(NEW), GONE, update="completed") is State.WELL
    assert state(task(NEW), new=True) is State.WELL


@pytest.mark.parametrize("how", ["new", "pending", "preparing", "starting"])
def test_a_task_that_comes_up_is_waited_for(how: str) -> None:
    assert state(task(NEW, how), task(OLD), update="updating") is State.GOING
    assert state(task(NEW, how), new=True) is State.GOING


def test_swarm_still_watches_the_new_task() -> None:
    assert state(task(NEW), GONE, update="updating") is State.GOING


def test_before_swarm_has_begun_the_old_task_is_not_taken_for_the_new_one() -> None:
    assert state(task(OLD)) is State.GOING


def test_one_of_two_is_not_enough() -> None:
    one = running(TWO, task(TWO))
    assert verdict.forward(one, TWO, new=True)[0] is State.GOING
    assert verdict.forward(running(TWO), TWO, new=True)[0] is State.WELL


@pytest.mark.parametrize("update", ["rollback_started", "rollback_completed", "rollback_paused", "paused"])
def test_swarm_gave_it_up(update: str) -> None:
    found = running(OLD, before=NEW, update=update)
    assert verdict.forward(found, NEW, new=False)[0] is State.FAILED


def test_what_is_gone_or_was_told_something_else_has_failed() -> None:
    assert verdict.forward(None, NEW, new=False)[0] is State.FAILED
    assert verdict.forward(running(OLD), NEW, new=False)[0] is State.FAILED


def test_a_new_service_may_fail_once_for_swarm_starts_it_again() -> None:
    once = task(NEW, "failed", wanted=False, error="exit (1)", at="1")
    twice = task(NEW, "failed", wanted=False, error="exit (2)", at="2")
    assert state(once, task(NEW, "starting"), new=True) is State.GOING
    assert verdict.forward(running(NEW, twice, once), NEW, new=True) == (State.FAILED, "exit (2)")


def test_what_a_machine_rejects_is_tried_more_often() -> None:
    many = [task(NEW, "rejected", wanted=False, error="no network", at=str(at)) for at in range(5)]
    assert state(*many[:4], task(NEW, "starting"), new=True) is State.GOING
    assert verdict.forward(running(NEW, *many), NEW, new=True) == (State.FAILED, "no network")


def test_of_an_update_swarm_decides_itself() -> None:
    bad = [task(NEW, "failed", wanted=False, at=str(at)) for at in range(3)]
    assert state(*bad, task(NEW, "starting"), update="updating") is State.GOING


def test_what_failed_in_an_older_form_does_not_count() -> None:
    bad = [task(OLD, "failed", wanted=False, at=str(at)) for at in range(3)]
    assert state(*bad, task(NEW), new=True) is State.WELL
    assert verdict.failed(running(NEW, *bad), NEW.name) == []


def test_what_is_waited_for_is_said_by_the_task_itself() -> None:
    stuck = task(NEW, "pending", error="no suitable node")
    assert verdict.waiting_for(running(NEW, stuck)) == "no suitable node"
    assert verdict.waiting_for(running(NEW, task(NEW, "starting"))) == "starting"
    assert "updating" in verdict.waiting_for(running(NEW, task(NEW), update="updating"))


def test_what_runs_to_its_end_is_well_when_it_has() -> None:
    job = one_set(restart="no")
    ends = {state: verdict.forward(running(job, task(job, state)), job, new=True)[0] for state in (
        "pending", "running", "complete", "failed", "rejected",
    )}  # fmt: skip
    assert ends == {
        "pending": State.GOING, "running": State.GOING, "complete": State.WELL,
        "failed": State.FAILED, "rejected": State.FAILED,
    }  # fmt: skip


# -- status -----------------------------------------------------------------------------------------------

RELEASED = Deployed(NEW.name, NEW.image, str(NEW.spec["image"]))


def problems(runs: object, should: Deployed | None = RELEASED) -> tuple[str, ...]:
    there = {"api": runs} if runs else {}
    (found,) = look.statuses(there, {"api": should} if should else {})  # type: ignore[arg-type]
    return found.problems


def test_what_runs_as_released_has_no_problem() -> None:
    assert problems(running(NEW)) == ()


def test_each_difference_is_a_problem() -> None:
    assert problems(None) == ("Swarm doesn't have it",)
    assert problems(running(OLD)) == (f"{OLD.name} serves, not {NEW.name}",)
    assert problems(foreign())[0] == f"something else serves, not {NEW.name}"
    assert problems(running(NEW, image="x/api:2")) == ("somebody gave it another image",)
    assert problems(running(TWO, task(TWO), count=1), Deployed(TWO.name, "", str(TWO.spec["image"]), 2)) == (
        "somebody wants 1 tasks of it, not 2",
    )
    assert problems(running(NEW, task(NEW, "starting"))) == ("0 of 1 tasks are well: starting",)
    assert problems(running(NEW, update="paused", said="as told")) == ("Swarm stopped half-way: as told",)


def test_what_ran_to_its_end_has_no_task_that_runs() -> None:
    job = one_set(restart="no")
    should = Deployed(job.name, "", str(job.spec["image"]), one_shot=True)
    assert problems(running(job, task(job, "complete")), should) == ()
    for runs in (None, running(job, task(job, "failed")), running(NEW)):
        assert problems(runs, should) == ("it hasn't run to its end in this form",)


def test_what_no_release_has_is_a_problem_too() -> None:
    assert problems(running(NEW), None) == ("no release has it",)
    assert problems(foreign(), None)[0] == "it runs without homeport"

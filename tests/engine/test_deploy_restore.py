"""After a deploy that was killed: the next one that fails leads back to the last release."""

from __future__ import annotations

import time

import pytest

from deploy_forms import BAD, QUICK, answers, killed_at, listens, publish, renamed, running, worker
from engine_fixtures import docker
from live_stack import OFTEN, MakeStack


@pytest.mark.parametrize(("event", "fronts"), [("stop", False), ("start", True)])
def test_after_a_kill_half_way_through_a_new_name_a_failure_leads_to_the_last_release(
    stack: MakeStack, event: str, fronts: bool
) -> None:
    made = stack()
    made.homeport("deploy", *(["--zero-downtime"] if fronts else []))
    before = {name for name, state in made.containers().items() if state == "running"}
    renamed(made, "app", "web")
    killed_at(made, event)
    time.sleep(1)
    made.compose["services"]["web"] |= BAD
    made.write()
    assert "everything runs as in r1 again" in made.homeport("deploy", "--gate", "5", code=3).said
    assert answers(made) == "1"
    assert {name for name, state in made.containers().items() if state == "running"} == before
    assert made.homeport("status").code == 0


def test_after_a_kill_of_the_first_deploy_a_failure_leads_to_what_compose_had_made(stack: MakeStack) -> None:
    made = stack(OFTEN)
    docker("compose", "--project-directory", str(made.folder), "up", "--detach", "--wait")
    before = made.containers()
    deploy = made.deploy_until("stop", "--zero-downtime")
    deploy.process.kill()
    deploy.end(None)
    made.compose["services"]["app"] |= BAD
    made.write()
    made.homeport("deploy", "--zero-downtime", "--gate", "5", code=3)
    assert answers(made) == "1"
    states = made.containers()
    assert {name: states[name] for name in before} == before
    assert not running(made, "app")


def test_what_ran_to_its_end_is_never_started_again(stack: MakeStack) -> None:
    once = worker("echo ran >> /data/log", volumes=["data:/data"], restart="no")
    made = stack(OFTEN, job=once)
    made.compose["volumes"] = {"data": {}}
    made.compose["services"]["app"]["depends_on"] = {"job": {"condition": "service_completed_successfully"}}
    made.write()
    docker("compose", "--project-directory", str(made.folder), "up", "--detach", "--wait", "app")
    made.compose["services"]["job"]["environment"] = {"A": "2"}
    made.change("app", VERSION="2")
    deploy = made.deploy_until("passed", "--zero-downtime")
    deploy.process.kill()
    deploy.end(None)
    made.compose["services"]["app"] |= BAD
    made.write()
    made.homeport("deploy", "--zero-downtime", "--gate", "5", code=3)
    volume = f"{made.name}_data:/data"
    log = docker("run", "--rm", "--volume", volume, "--entrypoint=cat", made.image, "/data/log")
    assert log.split() == ["ran", "ran"]
    assert answers(made) == "1"


def test_after_a_kill_one_that_fails_alone_is_as_in_the_last_release(stack: MakeStack) -> None:
    alone = {"deploy": {"update_config": {"failure_action": "continue"}}}
    made = stack(alone, other={**QUICK, "environment": {"VERSION": "9"}})
    made.homeport("deploy", "--zero-downtime")
    made.compose["services"]["app"]["ports"] = [f"127.0.0.1:{made.port + 1}:8000"]
    made.change("app", VERSION="2")
    killed_at(made, "front")
    made.compose["services"]["app"] |= BAD
    made.change("other", VERSION="10")
    made.homeport("deploy", "--gate", "5", code=1)
    assert answers(made) == "1"
    assert not listens(made.port + 1)
    assert made.homeport("status").code == 0


def test_what_can_not_be_had_back_after_a_kill_is_said(stack: MakeStack) -> None:
    made = stack()
    made.homeport("deploy", "--zero-downtime")
    (front,) = [name for name in made.containers() if ".front" in name]
    publish(made, app=made.port + 1)
    killed_at(made, "front")
    docker("rm", "--force", front)
    made.compose["services"]["app"] |= BAD
    made.write()
    said = made.homeport("deploy", "--gate", "5", code=4).said
    assert "Its front of the last release" in said


def test_only_a_deploy_that_was_killed_counts_as_one(stack: MakeStack) -> None:
    made = stack(other={**QUICK, "environment": {"VERSION": "9"}})
    made.homeport("deploy", "--zero-downtime")
    made.change("other", VERSION="10")
    made.homeport("deploy", "--services", "other")
    made.compose["services"]["app"] |= BAD
    made.write()
    assert "Everything runs as before" in made.homeport("deploy", "--gate", "3", code=3).said


def test_what_a_deploy_that_was_killed_at_its_end_had_still_to_stop(stack: MakeStack) -> None:
    made = stack()
    made.homeport("deploy", "--zero-downtime")
    made.change("app", VERSION="2")
    killed_at(made, "drained")
    made.change("app", VERSION="3", HEALTH="bad")
    made.homeport("deploy", "--gate", "3", code=3)
    assert answers(made) == "2"
    assert len(running(made, "app")) == 1
    assert made.homeport("status").code == 0

"""What killed deploys, crashing and paused containers leave behind, and what becomes of it."""

from __future__ import annotations

import time

import pytest

from deploy_forms import QUICK, WRITES, answers, killed_at, paused, renamed, running, worker
from engine_fixtures import docker
from live_stack import MakeStack


@pytest.mark.parametrize(("event", "way"), [("stop", "deploy"), ("start", "rollback")])
def test_the_old_form_again_after_a_kill_while_callers_were_held(
    stack: MakeStack, event: str, way: str
) -> None:
    made = stack({**QUICK, "volumes": ["data:/data"]})
    made.compose["volumes"] = {"data": {}}
    made.write()
    made.homeport("deploy", "--zero-downtime")
    made.change("app", VERSION="2")
    killed_at(made, event)
    time.sleep(1)  # what the engine was asked for already may still happen
    if way == "deploy":
        made.change("app", VERSION="1")
        made.homeport("deploy")
    else:
        made.homeport("rollback", "--to", "r1")
    assert answers(made) == "1"
    assert len(running(made, "app")) == 1
    assert made.homeport("status").code == 0


def test_callers_that_a_killed_deploy_held_are_let_go_by_one_that_fails_elsewhere(stack: MakeStack) -> None:
    made = stack(
        {**QUICK, "volumes": ["data:/data"], "depends_on": ["web"]}, web={**QUICK, "expose": ["8000"]}
    )
    made.compose["volumes"] = {"data": {}}
    made.write()
    made.homeport("deploy", "--zero-downtime")
    made.change("app", VERSION="2")
    killed_at(made, "stop")
    made.compose["services"]["web"]["healthcheck"] = {
        "test": ["CMD", "false"],
        "interval": "1s",
        "retries": 2,
    }
    made.write()
    made.homeport("deploy", "--gate", "4", code=3)
    assert answers(made) == "1"
    assert made.homeport("status").code == 0


@pytest.mark.parametrize("fronts", [True, False])
def test_what_a_killed_deploy_started_has_to_pass_its_gate(stack: MakeStack, fronts: bool) -> None:
    made = stack(QUICK, work=worker())
    made.homeport("deploy", *(["--zero-downtime"] if fronts else []))
    bad = {"test": ["CMD", "false"], "interval": "1s", "retries": 99}
    made.compose["services"]["work"] |= {"healthcheck": bad, "environment": {"A": "2"}}
    made.write()
    killed_at(made, "start")
    time.sleep(1.5)
    said = made.homeport("deploy", "--gate", "3", code=3).said
    assert "work doesn't pass its gate" in said
    assert made.homeport("releases").document["releases"][0]["outcome"] == "undone"
    made.homeport("rollback", "--to", "r1")
    assert made.homeport("status").code == 0


@pytest.mark.parametrize("fronts", [True, False])
def test_what_a_killed_deploy_had_stopped_comes_back_when_the_next_one_fails(
    stack: MakeStack, fronts: bool
) -> None:
    bad = {"healthcheck": {"test": ["CMD", "false"], "interval": "1s", "retries": 2}}
    made = stack({"volumes": ["data:/data"]}, work=worker())
    made.compose["volumes"] = {"data": {}}
    made.compose["services"]["work"]["depends_on"] = ["app"]
    made.write()
    made.homeport("deploy", *(["--zero-downtime"] if fronts else []))
    made.change("app", VERSION="2")
    killed_at(made, "stop")
    # Whether it came to that depends on who is quicker: here it did.
    docker("stop", *running(made, "app"))
    made.compose["services"]["work"] |= bad
    made.change("app", VERSION="3")
    made.homeport("deploy", "--gate", "5", code=3)
    assert answers(made) == "1"
    assert made.homeport("status").code == 0


def test_a_rollback_takes_away_what_a_killed_deploy_brought(stack: MakeStack) -> None:
    made = stack(QUICK, base=worker(WRITES, volumes=["data:/data"]))
    made.compose["volumes"] = {"data": {}}
    made.write()
    made.homeport("deploy", "--zero-downtime")
    renamed(made, "base", "database")
    killed_at(made, "start")
    time.sleep(1)
    made.homeport("rollback", "--to", "r1")
    assert running(made, "database") == []
    assert len(running(made, "base")) == 1
    assert made.homeport("status").code == 0


def test_one_that_crashes_all_the_time_is_stopped_like_any_other(stack: MakeStack) -> None:
    once = "test -e /tmp/x && exit 1; touch /tmp/x; sleep 3; exit 1"
    made = stack(QUICK, work=worker(once, restart="always"), gone=worker(once, restart="always"))
    made.homeport("deploy")
    end = time.monotonic() + 60
    while {made.containers()[name] for service in ("work", "gone") for name in made.replicas(service)} != {
        "restarting"
    }:
        assert time.monotonic() < end
        time.sleep(0.2)
    made.compose["services"]["work"]["entrypoint"] = ["sh", "-c", "sleep 1001"]
    del made.compose["services"]["gone"]
    made.write()
    made.homeport("deploy")
    assert len(running(made, "work")) == 1
    assert running(made, "gone") == []
    assert made.homeport("status").code == 0


def test_a_paused_container_goes_on(stack: MakeStack) -> None:
    made = stack(QUICK)
    made.homeport("deploy", "--zero-downtime")
    paused(made.replicas()[0])
    assert made.homeport("status", code=1).said
    made.homeport("deploy")
    assert answers(made) == "1"


def test_interrupted_after_the_release_has_passed(stack: MakeStack) -> None:
    made = stack({"stop_grace_period": "20s", "x-homeport": {"drain": "20s", "mode": "http"}})
    made.homeport("deploy", "--zero-downtime")
    made.change("app", VERSION="2")
    with made.load(12, rate=20, kinds="slow,new,ws"):
        deploy = made.deploy_until("switch")
        time.sleep(1.5)
        deploy.process.terminate()
        said = deploy.end(130)
    assert "Release r2 has passed and runs" in said
    made.homeport("deploy")
    assert made.homeport("status").code == 0

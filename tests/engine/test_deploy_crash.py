"""A deploy that is killed at any moment leaves the stack serving, and the next one brings it to its end."""

from __future__ import annotations

import signal
import time
from typing import Any

import pytest

from engine_fixtures import docker
from live_stack import LiveStack, Load, MakeStack

START_FIRST = ("start", "passed", "switch", "drained", "stop")
STOP_FIRST = ("hold", "stop", "start", "passed", "switch")


def kill_after(stack: LiveStack, event: str) -> str:
    """Start a deploy and kill it as soon as it says that this has happened."""
    process = stack.start("deploy")
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if line.split()[2:3] == [event]:
            break
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=90)
    assert process.returncode == -signal.SIGKILL, "".join(said)
    return "".join(said)


def converges(stack: LiveStack, load: Load | None = None) -> None:
    stack.homeport("deploy")
    assert stack.homeport("status").document["services"]
    running = [name for name, state in stack.containers().items() if state == "running"]
    assert len([name for name in running if "-r" in name and "caller" not in name]) == 1, running


@pytest.mark.parametrize("volumes", [[], ["data:/data"]], ids=["start-first", "stop-first"])
def test_killed_at_each_step_in_turn(volumes: list[str], stack: MakeStack) -> None:
    made = stack({"volumes": volumes})
    made.compose["volumes"] = {"data": {}}
    made.write()
    made.homeport("deploy", "--zero-downtime")
    events = STOP_FIRST if volumes else START_FIRST
    # Connections that stay open are in flight for the whole load: each drain would take its full limit.
    kinds = "new,keep,post,slow"
    with made.load(rate=40 if volumes else 100, kinds=kinds) as load:
        for number, event in enumerate(events, 2):
            made.change("app", VERSION=str(number))
            kill_after(made, event)
            converges(made)
    assert load.failures == []
    assert load.sent > 1000
    assert load.versions >= {"1", str(len(events) + 1)}


def test_killed_and_then_another_version_deployed(stack: MakeStack) -> None:
    made = stack()
    made.homeport("deploy", "--zero-downtime")
    with made.load(rate=100, kinds="new,keep,post,slow") as load:
        for first, second, event in (("2", "3", "start"), ("4", "5", "switch"), ("6", "5", "switch")):
            made.change("app", VERSION=first)
            kill_after(made, event)
            made.change("app", VERSION=second)
            converges(made)
    assert load.failures == []


def test_interrupted_undoes_what_it_did(stack: MakeStack) -> None:
    made = stack()
    made.homeport("deploy", "--zero-downtime")
    before = made.containers()
    made.change("app", VERSION="2", START_SECONDS="20")
    deploy = made.deploy_until("start")
    time.sleep(1)
    deploy.process.terminate()
    said = deploy.end(130)
    assert "Everything runs as before" in said
    assert made.containers() == before
    assert made.homeport("status").document["lock"] is None


def test_two_at_once(stack: MakeStack) -> None:
    made = stack({"environment": {"VERSION": "1", "START_SECONDS": "3"}})
    first = made.start("deploy", "--zero-downtime")
    time.sleep(1.5)
    refused = made.homeport("deploy", "--zero-downtime", code=2)
    assert "is locked: deploy by" in refused.said
    waited = made.homeport("deploy", "--lock-wait", "30")
    assert "Waiting for the lock" in waited.said
    said, _ = first.communicate(timeout=60)
    assert first.returncode == 0, said


def test_a_front_that_was_killed_is_mended(stack: MakeStack) -> None:
    made = stack({"restart": "unless-stopped"})
    made.homeport("deploy", "--zero-downtime")
    front = next(name for name in made.containers() if ".front" in name)
    docker("rm", "--force", front)
    wrong: dict[str, Any] = made.homeport("status", code=1).document
    assert wrong["services"][0]["problems"] == ["its front is gone"]
    made.homeport("deploy", "--zero-downtime")
    made.homeport("status")
    with made.load(2) as load:
        pass
    assert load.failures == []


def test_a_plain_stack_gets_fronts_with_a_short_gap(stack: MakeStack) -> None:
    made = stack()
    check = made.compose["services"]["app"]["healthcheck"]
    check |= {"start_interval": "1s", "start_period": "30s"}  # plain Compose waits half a minute otherwise
    made.write()
    docker("compose", "--project-directory", str(made.folder), "up", "--detach", "--wait")
    plan = made.homeport("deploy", "--zero-downtime", "--dry-run")
    assert plan.actions == {"app": "start-first"}
    assert "handed over once" in plan.said
    with made.load(rate=100, kinds="new") as load:
        done = made.homeport("deploy", "--zero-downtime")
    gaps = [event["detail"] for event in done.document["events"] if event["what"] == "front"]
    assert gaps
    assert "s without service" in gaps[0]
    at = [failure[0] for failure in load.failures]
    assert not at or max(at) - min(at) < 3
    assert made.homeport("deploy", "--dry-run").actions == {"app": "unchanged"}

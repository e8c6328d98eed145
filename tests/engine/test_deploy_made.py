"""Single writers: their new containers are made before anybody waits, and are what Compose would start."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from typing import Any

import pytest

from deploy_forms import BAD, QUICK, answers, killed_at
from engine_fixtures import docker
from live_stack import CHECK, LiveStack, MakeStack


def writer(stack: MakeStack, **more: Any) -> LiveStack:
    made = stack({**QUICK, "volumes": ["data:/data"], "stop_grace_period": "2s", **more})
    made.compose["volumes"] = {"data": {}}
    return made


def test_what_compose_puts_into_a_container_when_it_starts(stack: MakeStack) -> None:
    there = "grep -q inline /conf && grep -q value /run/secrets/token && test -e /begun"
    made = writer(
        stack,
        configs=[{"source": "conf", "target": "/conf"}],
        secrets=["token"],
        post_start=[{"command": ["touch", "/begun"]}],
        healthcheck={"test": ["CMD-SHELL", there], "interval": "30s"},
    )
    made.compose["configs"] = {"conf": {"content": "inline"}}
    made.compose["secrets"] = {"token": {"environment": "TOKEN"}}
    (made.folder / ".env").write_text("TOKEN=value\n", encoding="utf-8")
    made.write()
    made.homeport("deploy", "--zero-downtime")
    made.change("app", VERSION="2")
    killed_at(made, "hold")
    assert "created" in made.containers().values()
    made.homeport("deploy", "--gate", "15")
    assert answers(made) == "2"
    made.change("app", VERSION="3")
    made.homeport("deploy", "--gate", "15")
    assert answers(made) == "3"


def test_one_that_can_not_be_made_or_started(stack: MakeStack) -> None:
    made = writer(stack)
    made.write()
    made.homeport("deploy", "--zero-downtime")
    before, app = made.containers(), made.compose["services"]["app"]
    nowhere = {"type": "bind", "source": "/nowhere", "target": "/x", "bind": {"create_host_path": False}}
    app["volumes"].append(nowhere)
    made.write()
    failed = made.homeport("deploy", code=3)
    assert "/nowhere" in failed.said
    assert "hold" not in [what for _, what in failed.events], "nobody has to wait for that"
    assert made.containers() == before
    app["volumes"].remove(nowhere)
    app["command"] = ["/no/such/program"]
    made.write()
    assert "The engine can't start app." in made.homeport("deploy", code=3).said
    assert made.containers() == before
    assert answers(made) == "1"


def test_callers_wait_while_the_last_release_comes_back_after_a_kill(stack: MakeStack) -> None:
    slow = {"environment": {"VERSION": "1", "START_SECONDS": "3"}, "healthcheck": {"test": CHECK}}
    made = writer(stack, **slow, deploy={"update_config": {"monitor": "5s"}})
    made.write()
    made.homeport("deploy", "--zero-downtime")
    made.change("app", VERSION="2")
    killed_at(made, "switch")
    made.change("app", VERSION="3", HEALTH="bad")
    with made.load(rate=40, kinds="new,post") as load:
        made.homeport("deploy", "--gate", "5", code=3)
    assert load.failures == []
    assert load.versions >= {"1", "2"}
    assert answers(made) == "1"
    assert made.homeport("status").code == 0


def test_callers_go_on_when_the_front_has_found_again_what_was_stopped(stack: MakeStack) -> None:
    made = writer(stack)
    made.write()
    made.homeport("deploy", "--zero-downtime")
    with made.load(rate=40, kinds="new,post") as load:
        for version in ("2", "3"):
            # It passes as soon as it runs: before the engine's name service has been asked again.
            made.compose["services"]["app"] |= BAD
            made.change("app", VERSION=version)
            made.homeport("deploy", "--gate", "5", code=3)
    assert load.failures == []
    assert load.versions == {"1"}


def test_nobody_waits_for_what_crashes_after_a_deploy_was_paused(stack: MakeStack) -> None:
    paused = {"depends_on": ["app"], "deploy": {"update_config": {"failure_action": "pause"}}}
    made = stack({**QUICK, "x-homeport": {"mode": "http"}}, web={**QUICK, "expose": ["8000"], **paused})
    made.homeport("deploy", "--zero-downtime")
    old = made.replicas()
    made.compose["services"]["web"] |= BAD
    made.change("app", VERSION="2")
    made.homeport("deploy", "--gate", "4", code=4)
    docker("kill", *[name for name in made.replicas() if name not in old])
    time.sleep(0.1)
    with pytest.raises(urllib.error.HTTPError, match="503"):
        urllib.request.urlopen(f"http://127.0.0.1:{made.port}/", timeout=20)

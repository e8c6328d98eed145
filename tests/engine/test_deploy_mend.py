"""What a deploy left half-way, or somebody broke since, the next one mends; nothing needed is lost."""

from __future__ import annotations

import json
import time
import urllib.request
from typing import Any

from engine_fixtures import docker
from live_stack import OFTEN, LiveStack, MakeStack

QUICK: dict[str, Any] = {"healthcheck": {"test": ["CMD", "true"], "interval": "30s"}}


def well(stack: LiveStack, *versions: str) -> None:
    with stack.load(1, rate=50, kinds="new") as load:
        pass
    assert load.failures == []
    assert load.versions == set(versions)
    assert stack.homeport("status").code == 0


def test_one_of_two_replicas_that_was_killed(stack: MakeStack) -> None:
    made = stack({"deploy": {"replicas": 2}})
    made.homeport("deploy", "--zero-downtime")
    docker("kill", made.replicas()[0])
    assert "1 of 2" in made.homeport("status", code=1).said
    with made.load(rate=60, kinds="new") as load:
        made.homeport("deploy")
    assert load.failures == []
    well(made, "1")


def test_a_plain_container_beside_a_service_with_a_front(stack: MakeStack) -> None:
    made = stack(QUICK, beside={**QUICK, "expose": ["8000"], "environment": {"VERSION": "1"}})
    made.homeport("deploy", "--zero-downtime")
    docker("compose", "--project-directory", str(made.folder), "up", "--detach", "beside")
    made.homeport("status", code=1)
    made.homeport("deploy")
    well(made, "1")
    assert f"{made.name}-beside-1" not in made.containers()


def test_an_adoption_that_was_killed_as_soon_as_the_front_had_the_name(stack: MakeStack) -> None:
    made = stack(OFTEN)
    docker("compose", "--project-directory", str(made.folder), "up", "--detach", "--wait")
    deploy = made.deploy_until("front", "--zero-downtime")
    deploy.process.kill()
    deploy.end(None)
    made.homeport("deploy")
    well(made, "1")


def test_a_network_that_is_defined_in_another_way(stack: MakeStack) -> None:
    made = stack(QUICK)
    made.homeport("deploy", "--zero-downtime")
    made.compose["networks"] = {"default": {"internal": True}}
    made.change("app", VERSION="2")
    for words in (["deploy"], ["deploy", "--dry-run"]):
        assert "is defined in another way" in made.homeport(*words, code=2).said
    well(made, "1")
    # What the message advises: another name.
    made.compose["networks"] = {"default": {"name": f"{made.name}-inner", "labels": {"a": "b"}}}
    made.write()
    made.homeport("deploy")
    assert made.homeport("status").code == 0
    with urllib.request.urlopen(f"http://127.0.0.1:{made.port}/") as answer:
        assert json.load(answer)["version"] == "2"


def test_a_volume_that_is_defined_in_another_way_stays(stack: MakeStack) -> None:
    made = stack({**QUICK, "volumes": ["data:/data"]})
    made.compose["volumes"] = {"data": {}}
    made.write()
    made.homeport("deploy", "--zero-downtime")
    made.compose["volumes"] = {"data": {"labels": {"other": "one"}}}
    made.change("app", VERSION="2")
    done = made.homeport("deploy")
    assert f"The volume {made.name}_data is defined in another way" in done.said
    well(made, "2")


def test_what_is_between_two_releases_has_two_ways_out(stack: MakeStack) -> None:
    made = stack()
    made.homeport("deploy", "--zero-downtime")
    made.change("app", VERSION="2")
    deploy = made.deploy_until("switch")
    deploy.process.kill()
    deploy.end(None)
    assert "'homeport rollback --to r1' goes back to r1" in made.homeport("status", code=1).said
    made.change("app", VERSION="3", HEALTH="bad")
    failed = made.homeport("deploy", "--gate", "4", code=3)
    assert failed.document["release"]["outcome"] == "undone"
    assert failed.document["error"]["exit_code"] == 3
    assert failed.document["events"]
    made.homeport("rollback", "--to", "r1")
    well(made, "1")


def test_a_rollback_says_that_secrets_are_those_of_today(stack: MakeStack) -> None:
    made = stack({**QUICK, "secrets": ["token"]})
    made.compose["secrets"] = {"token": {"file": "./token"}}
    (made.folder / "token").write_text("first-secret", encoding="utf-8")
    made.write()
    made.homeport("deploy", "--zero-downtime")
    (made.folder / "token").write_text("second-secret", encoding="utf-8")
    made.homeport("deploy")
    done = made.homeport("rollback")
    assert "app reads its secrets and configs from the files as they are today" in done.said
    assert "-secret" not in done.said + str(done.document)


def test_a_rollback_that_fails_leaves_the_old_release_able_to_run(stack: MakeStack) -> None:
    made = stack({**QUICK, "x-homeport": {"mode": "http"}})
    made.homeport("deploy", "--zero-downtime")
    made.change("app", VERSION="2")
    made.homeport("deploy")
    before = made.containers()
    config = made.folder / "homeport.toml"
    config.write_text("[deploy]\nafter = ['false']\n", encoding="utf-8")
    made.homeport("rollback", code=3)
    assert made.containers() == before
    config.unlink()
    assert made.homeport("rollback").document["release"]["of"] == 1
    well(made, "1")


def test_more_and_fewer_replicas_lose_nobody(stack: MakeStack) -> None:
    made = stack({"x-homeport": {"drain": "6s"}})
    made.homeport("deploy", "--zero-downtime")
    with made.load(rate=60, kinds="new,post,slow") as load:
        for count, drain in ((3, "6s"), (1, "7s")):
            made.compose["services"]["app"] |= {"deploy": {"replicas": count}, "x-homeport": {"drain": drain}}
            made.write()
            made.homeport("deploy")
    assert load.failures == []
    assert made.noted() == dict.fromkeys(load.posted, 1)


def test_a_worker_on_an_image_that_exposes_ports(stack: MakeStack) -> None:
    worker = {**QUICK, "command": ["sleep", "1000"], "x-homeport": {"ports": []}, "environment": {}}
    made = stack(QUICK, worker=worker)
    made.homeport("deploy", "--zero-downtime")
    assert not any("worker.front" in name for name in made.containers())
    well(made, "1")


def test_commands_of_a_deploy_that_was_killed(stack: MakeStack) -> None:
    log = "import pathlib,time; time.sleep(2); pathlib.Path('/log/x').open('a').write('{} ')"
    made = stack(
        {
            **QUICK,
            "volumes": ["log:/log"],
            "deploy": {"update_config": {"order": "start-first"}},
            "x-homeport": {when: ["python3", "-c", log.format(when)] for when in ("before", "after")},
        }
    )
    made.compose["volumes"] = {"log": {}}
    made.write()
    for event in ("before", "after"):
        deploy = made.deploy_until(event, "--zero-downtime")
        time.sleep(0.7)
        deploy.process.kill()
        deploy.end(None)
    made.homeport("deploy", "--zero-downtime")
    name = next(name for name in made.replicas())
    # Each was waited for by the deploy after the one that was killed, and didn't run again.
    assert docker("exec", name, "cat", "/log/x").split() == ["before", "after"]
    assert made.homeport("deploy", "--dry-run").actions == {"app": "unchanged"}
    well(made, "1")

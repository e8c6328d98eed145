"""What can be wrong before and during a deploy: each has its message and exit code, and the stack serves."""

from __future__ import annotations

import json
import socket

import pytest

from engine_fixtures import docker
from live_stack import LiveStack, MakeStack


def serves(stack: LiveStack, version: str = "1") -> None:
    with stack.load(1, rate=50, kinds="new") as load:
        pass
    assert load.failures == []
    assert load.versions == {version}


def test_what_is_found_before_anything_is_touched(stack: MakeStack) -> None:
    made = stack()
    made.homeport("deploy", "--zero-downtime")
    before = made.containers()
    unknown = made.homeport("deploy", "--services", "ap", code=2)
    assert "There is no service 'ap'" in unknown.said
    assert "did you mean 'app'?" in unknown.said
    nowhere = made.homeport("rollback", "--to", "r7", code=2)
    assert "There is no release 'r7'" in nowhere.said
    assert "There is no previous release" in made.homeport("rollback", code=2).said

    good = dict(made.compose["services"]["app"])
    for change, said in (
        ({"image": f"{made.name}/nowhere:1"}, "is not there and can't be pulled"),
        ({"no_such_field": 1}, "Compose can't read the project"),
        ({"x-homeport": {"drian": "1s"}}, "did you mean 'drain'?"),
        ({"env_file": ["missing.env"]}, "missing.env"),
    ):
        made.compose["services"]["app"] = {**good, **change}
        made.write()
        assert said in made.homeport("deploy", code=2).said
    made.compose["services"]["app"] = {**good, "secrets": ["token"]}
    made.compose["secrets"] = {"token": {"file": "missing.txt"}}
    made.write()
    assert "missing.txt" in made.homeport("deploy", code=2).said
    del made.compose["secrets"]
    made.compose["networks"] = {"far": {"external": True, "name": f"{made.name}-far"}}
    made.compose["volumes"] = {"near": {"external": True, "name": f"{made.name}-near"}}
    mounted = [{"type": "volume", "source": "near", "target": "/data"}]
    made.compose["services"]["app"] = {**good, "networks": ["default", "far"], "volumes": mounted}
    made.write()
    absent = f"the external network {made.name}-far of app isn't there"
    assert absent in made.homeport("deploy", "--dry-run").said
    failed = made.homeport("deploy", code=2)
    assert absent in failed.said
    assert f"the external volume {made.name}-near of app isn't there" in failed.said
    assert made.containers() == before


def test_a_secret_with_another_content_is_another_configuration(stack: MakeStack) -> None:
    made = stack({"secrets": ["token"]})
    made.compose["secrets"] = {"token": {"file": "token.txt"}}
    (made.folder / "token.txt").write_text("first-word", encoding="utf-8")
    made.write()
    made.homeport("deploy", "--zero-downtime")
    assert made.homeport("deploy", "--dry-run").actions == {"app": "unchanged"}
    (made.folder / "token.txt").write_text("second-word", encoding="utf-8")
    done = made.homeport("deploy")
    assert ("app", "switch") in done.events
    notes = docker("volume", "ls", "--quiet", "--filter", f"label=io.homeport.release.stack={made.name}")
    kept = docker("volume", "inspect", *notes.split())
    assert "second-word" not in kept
    assert '"VERSION"' not in kept


def test_a_port_that_something_else_has(stack: MakeStack) -> None:
    made = stack()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", made.port))
        taken.listen()
        failed = made.homeport("deploy", "--zero-downtime", code=2)
    assert f"port {made.port} of app is taken by another program" in failed.said
    assert [name for name in made.containers() if "-r" in name] == []
    made.homeport("deploy", "--zero-downtime")
    serves(made)


def test_names_with_odd_characters(stack: MakeStack) -> None:
    made = stack(**{"Odd_Name.x-1": {"expose": ["8000"], "environment": {"VERSION": "1"}}})
    made.homeport("deploy", "--zero-downtime")
    made.change("Odd_Name.x-1", VERSION="2")
    done = made.homeport("deploy")
    assert ("Odd_Name.x-1", "switch") in done.events
    answer = docker(
        "run", "--rm", f"--network={made.name}_default", made.image, "python3", "-c",
        "import urllib.request as r; print(r.urlopen('http://Odd_Name.x-1:8000/').read().decode())",
    )  # fmt: skip
    assert json.loads(answer)["version"] == "2"


def test_a_front_killed_in_the_middle(stack: MakeStack) -> None:
    made = stack()
    made.homeport("deploy", "--zero-downtime")
    made.change("app", VERSION="2", START_SECONDS="3")
    process = made.start("deploy")
    assert process.stdout is not None
    process.stdout.readline()
    docker("rm", "--force", next(name for name in made.containers() if ".front" in name))
    said, _ = process.communicate(timeout=120)
    assert process.returncode in (3, 4), said
    assert "a bug in homeport" not in said
    made.homeport("deploy", "--zero-downtime")
    made.homeport("status")
    serves(made, "2")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"network_mode": "host", "ports": []}, "its network is host"),
        ({"ports": ["127.0.0.1:0:8000/udp"]}, "it serves UDP"),
    ],
)
def test_what_can_have_no_front_is_planned_so(change: dict[str, object], why: str, stack: MakeStack) -> None:
    made = stack(change)
    plan = made.homeport("deploy", "--zero-downtime", "--dry-run")
    (service,) = plan.document["services"]
    assert not service["front"]
    made.homeport("deploy", "--zero-downtime")
    made.change("app", VERSION="2")
    (service,) = made.homeport("deploy", "--dry-run").document["services"]
    assert service["action"] == "stop-first"
    assert why in service["why"]
    made.homeport("deploy")


def test_an_image_that_is_scaled_up_and_down(stack: MakeStack) -> None:
    made = stack()
    made.homeport("deploy", "--zero-downtime")
    for count in (3, 1):
        made.compose["services"]["app"]["scale"] = count
        made.write()
        made.homeport("deploy")
        running = [name for name, state in made.containers().items() if state == "running" and "-r" in name]
        assert len(running) == count
    serves(made)


def test_fronts_whose_image_is_nowhere_are_left_as_they_are(stack: MakeStack) -> None:
    made = stack()
    made.homeport("deploy", "--zero-downtime")
    before = made.containers()
    made.env = {**made.env, "HAPROXY_IMAGE": "127.0.0.1:9/none/haproxy:1"}
    failed = made.homeport("deploy", code=2)
    assert "The image of the fronts, 127.0.0.1:9/none/haproxy:1, is not there" in failed.said
    assert made.containers() == before
    serves(made)


def test_fronts_that_somebody_removed_are_made_again_without_being_asked_for(stack: MakeStack) -> None:
    made = stack()
    made.homeport("deploy", "--zero-downtime")
    docker("rm", "--force", *(name for name in made.containers() if ".front" in name))
    assert "its front is gone" in made.homeport("status", code=1).said
    made.homeport("deploy")
    assert made.homeport("status").code == 0
    serves(made)


def test_a_secret_from_a_variable_of_the_env_file(stack: MakeStack) -> None:
    made = stack({"secrets": ["token"]})
    made.compose["secrets"] = {"token": {"environment": "TOKEN"}}
    made.write()
    env = made.folder / ".env"
    env.write_text("TOKEN=one-secret-word\n", encoding="utf-8")
    first = made.homeport("deploy", "--zero-downtime")
    assert made.homeport("deploy", "--dry-run").actions == {"app": "unchanged"}
    env.write_text("TOKEN=another-secret-word\n", encoding="utf-8")
    plan = made.homeport("deploy", "--dry-run")
    assert plan.actions == {"app": "start-first"}
    for said in (first.said, json.dumps(first.document), plan.said, json.dumps(plan.document)):
        assert "secret-word" not in said

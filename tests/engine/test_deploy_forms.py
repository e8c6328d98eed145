"""Services that change their kind or number between two deploys, and the ways back; what is around them."""

from __future__ import annotations

import dataclasses
import json
import time
import urllib.request

import pytest

from deploy_forms import QUICK, answers, running, worker
from engine_fixtures import DockerSession, docker
from homeport.model.config import DeployConfig
from live_stack import MakeStack


def test_two_stacks_on_one_network_keep_their_callers_apart(
    stack: MakeStack, docker_session: DockerSession
) -> None:
    network = docker_session.name("common")
    docker("network", "create", "--label", docker_session.label, network)
    made = []
    for _ in range(2):
        one = stack({**QUICK, "networks": ["shared"]})
        one.compose["networks"] = {"shared": {"external": True, "name": network}}
        one.write()
        one.homeport("deploy", "--zero-downtime")
        made.append(one)
    for one in made:
        (own,) = [docker("inspect", "--format", "{{.Config.Hostname}}", name) for name in one.replicas()]
        said = set()
        for _ in range(10):
            with urllib.request.urlopen(f"http://127.0.0.1:{one.port}/", timeout=10) as answer:
                said.add(json.load(answer)["host"])
        assert said == {own}


def test_a_front_that_can_be_no_more_goes_and_comes_back(stack: MakeStack) -> None:
    made = stack({"x-homeport": {"mode": "http"}})
    made.homeport("deploy", "--zero-downtime")
    made.compose["services"]["app"]["ports"].append(f"127.0.0.1:{made.port}:8000/udp")
    made.change("app", VERSION="2")
    made.homeport("deploy")
    assert answers(made) == "2"
    assert made.homeport("status").code == 0
    assert made.homeport("deploy", "--dry-run").actions == {"app": "unchanged"}
    made.homeport("rollback")
    assert answers(made) == "1"
    assert made.homeport("status").code == 0


@pytest.mark.parametrize(
    ("first", "second", "fronts"), [(1, 3, True), (3, 1, True), (3, 1, False), (1, 0, False)]
)
def test_a_rollback_over_another_number_of_replicas(
    stack: MakeStack, first: int, second: int, fronts: bool
) -> None:
    made = stack({**QUICK, "x-homeport": {"mode": "http"}})
    if not fronts:
        made.compose["services"]["app"]["ports"] = []
    made.compose["services"]["app"]["scale"] = first
    made.write()
    made.homeport("deploy", *(["--zero-downtime"] if fronts else []))
    made.compose["services"]["app"]["scale"] = second
    made.write()
    made.homeport("deploy")
    assert len(running(made, "app")) == second
    made.homeport("rollback")
    assert len(running(made, "app")) == first
    assert made.homeport("status").code == 0
    if fronts:
        assert answers(made) == "1"


def test_somebodys_compose_run_is_left_alone(stack: MakeStack) -> None:
    made = stack(QUICK)
    made.homeport("deploy", "--zero-downtime")
    words = ["compose", "--project-directory", str(made.folder), "run", "--detach", "--entrypoint", "sleep"]
    own = docker(*words, "app", "300").split()[-1]
    assert made.homeport("status").code == 0
    assert "Nothing to deploy" in made.homeport("deploy").said
    made.change("app", VERSION="2")
    made.homeport("deploy")
    assert docker("inspect", "--format", "{{.State.Status}}", own) == "running"


def test_a_service_that_left_the_file_while_it_was_down_leaves_the_release(stack: MakeStack) -> None:
    made = stack(QUICK, work=worker())
    made.homeport("deploy", "--zero-downtime")
    made.run(["down"], made.folder, dict(made.env))
    del made.compose["services"]["work"]
    made.write()
    made.homeport("deploy")
    assert made.homeport("status").code == 0


def test_a_broken_compose_file_stops_only_what_needs_it(stack: MakeStack) -> None:
    made = stack(QUICK)
    made.homeport("deploy", "--zero-downtime")
    file = made.folder / "compose.yml"
    file.write_text("services: [", encoding="utf-8")
    for command in ("status", "releases"):
        said = made.homeport(command).said
        assert f"So this is about {made.name}" in said
    assert made.homeport("deploy", code=2).said
    for command in ("logs", "unlock", "down"):
        done = made.run([command], made.folder, dict(made.env))
        assert done.returncode == 0, done.stderr
    assert made.containers() == {}


def test_one_that_is_ill_is_no_matter_for_another_deploy(stack: MakeStack) -> None:
    check = {"test": ["CMD", "test", "!", "-e", "/ill"], "interval": "1s", "retries": 1}
    made = stack({"healthcheck": check})
    made.homeport("deploy", "--zero-downtime")
    docker("exec", made.replicas()[0], "touch", "/ill")
    end = time.monotonic() + 90
    while (done := made.homeport("status", code=None)).code == 0:
        assert time.monotonic() < end
    assert "app runs, and its health check fails" in done.said
    assert "mends it" not in done.said


def test_down_with_everything_leaves_nothing(stack: MakeStack) -> None:
    made = stack({**QUICK, "volumes": ["data:/data"]})
    made.compose["volumes"] = {"data": {}}
    made.write()
    made.homeport("deploy", "--zero-downtime")
    made.homeport("releases", "--pin", "r1")
    own = [f"name={made.name}", f"label=com.docker.compose.project={made.name}"]
    assert docker("volume", "ls", "--quiet", "--filter", own[0])
    repository = made.image.rpartition(":")[0]
    assert "homeport-" in docker("image", "ls", "--format", "{{.Tag}}", repository)
    assert made.run(["down"], made.folder, dict(made.env)).returncode == 0
    assert "Nothing of it is up" in made.homeport("status", code=1).said
    done = made.run(["down", "--volumes"], made.folder, dict(made.env))
    assert done.returncode == 0, done.stderr
    assert docker("volume", "ls", "--quiet", "--filter", own[0]) == ""
    assert docker("network", "ls", "--quiet", "--filter", own[1]) == ""
    assert made.containers() == {}
    assert "There is no previous release" in made.homeport("rollback", code=2).said


def test_the_image_of_the_fronts_may_stand_in_dotenv(stack: MakeStack) -> None:
    made = stack(QUICK)
    image = made.env.get("HAPROXY_IMAGE", DeployConfig.front_image)
    (made.folder / ".env").write_text(f"HAPROXY_IMAGE={image}\n", encoding="utf-8")
    bare = dataclasses.replace(made, env={})
    bare.homeport("deploy", "--zero-downtime")
    assert made.homeport("deploy", "--dry-run").actions == {"app": "unchanged"}
    other = f"{made.name}-front"
    docker("tag", image, other)
    try:
        (made.folder / ".env").write_text(f"HAPROXY_IMAGE={other}\n", encoding="utf-8")
        said = bare.homeport("deploy", "--dry-run").said
        assert f"its front changes from {image} to" in " ".join(said.split())
    finally:
        docker("rmi", other)

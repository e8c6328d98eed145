"""Something interferes with a deploy: it says so, its exit code is right, and the stack serves."""

from __future__ import annotations

import getpass
import json
import platform
import subprocess
import time
from collections.abc import Iterator, Mapping

import pytest

import engine_restart
from engine_fixtures import another_engine, docker
from homeport.model.config import DeployConfig
from live_stack import CHECK, LiveStack, MakeStack

CHECKED = {"test": CHECK, "interval": "30s"}
ALL_BUT_SOCKETS = "new,keep,post,slow,tcp"


def serves(stack: LiveStack, version: str) -> None:
    """Callers of both sides get answers of this version, and ``status`` finds nothing wrong."""
    with stack.load(1, rate=50, kinds="new,tcp") as load:
        pass
    assert load.failures == []
    assert load.versions == {version}
    assert stack.homeport("status").document["lock"] is None


def front_of(stack: LiveStack) -> str:
    return next(name for name in stack.containers() if ".front" in name)


def new_replica(stack: LiveStack, before: list[str]) -> str:
    """The replica that a deploy has just started."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        states = stack.containers()
        for name in stack.replicas():
            if name not in before and states.get(name) == "running":
                return name
        time.sleep(0.1)
    raise AssertionError(f"no new replica: {stack.containers()}")


def test_a_new_replica_that_somebody_kills(stack: MakeStack) -> None:
    made = stack()
    made.homeport("deploy", "--zero-downtime")
    before, old = made.containers(), made.replicas()
    made.change("app", VERSION="2", START_SECONDS="20")
    with made.load(rate=60, kinds=ALL_BUT_SOCKETS) as load:
        deploy = made.deploy_until("start")
        docker("kill", new_replica(made, old))
        said = deploy.end(3)
    assert "app doesn't pass its gate: it ended with exit code 137." in said
    assert "Everything runs as before" in said
    assert load.failures == []
    assert load.versions == {"1"}
    assert made.containers() == before


def test_a_new_replica_that_is_killed_while_it_is_watched(stack: MakeStack) -> None:
    made = stack()
    made.homeport("deploy", "--zero-downtime")
    before, old = made.containers(), made.replicas()
    made.compose["services"]["app"]["deploy"] = {"update_config": {"monitor": "20s"}}
    made.change("app", VERSION="2")
    with made.load(rate=60, kinds="new") as load:
        deploy = made.deploy_until("switch")
        time.sleep(1)
        began = time.time()
        docker("kill", new_replica(made, old))
        killed = time.time()
        said = deploy.end(3)
    assert "app doesn't pass its gate: it ended with exit code 137." in said
    assert "Everything runs as before" in said
    # Who was being answered at that moment can't be helped; all others wait for the old one to be back.
    assert all(began <= at < killed + 1 for at, *_ in load.failures), load.failures
    assert load.versions == {"1", "2"}
    assert made.containers() == before
    serves(made, "1")


def test_a_front_that_crashes_and_comes_back(stack: MakeStack) -> None:
    made = stack()
    made.homeport("deploy", "--zero-downtime")
    made.change("app", VERSION="2", START_SECONDS="3")
    with made.load(rate=60, kinds="new") as load:
        deploy = made.deploy_until("start")
        crashed = time.time()
        docker("exec", front_of(made), "sh", "-c", "kill -9 -1")
        deploy.end(0)
    assert load.failures, "nobody can serve while the front is away"
    assert all(crashed <= at < crashed + 3 for at, *_ in load.failures), load.failures
    serves(made, "2")


def test_the_second_of_two_says_who_is_at_it(stack: MakeStack) -> None:
    made = stack()
    made.homeport("deploy", "--zero-downtime")
    made.change("app", VERSION="2", START_SECONDS="3")
    with made.load(rate=60, kinds=ALL_BUT_SOCKETS) as load:
        first = made.deploy_until("start")
        refused = made.homeport("rollback", "--to", "r1", code=2)
        assert f"is locked: deploy by {getpass.getuser()} on {platform.node()} since" in refused.said
        first.end(0)
    assert load.failures == []
    serves(made, "2")


def test_names_of_every_shape(stack: MakeStack) -> None:
    names = ("UPPER.case_and-1.2", "1st", "x" * 53)
    made = stack(**{name: {"environment": {"VERSION": "1"}, "healthcheck": CHECKED} for name in names})
    made.homeport("deploy", "--zero-downtime")
    for name in names:
        made.change(name, VERSION="2")
    done = made.homeport("deploy")
    assert {service for service, what in done.events if what == "switch"} == set(names)
    assert asked(made, names) == dict.fromkeys(names, "2")
    made.homeport("rollback")
    assert asked(made, names) == dict.fromkeys(names, "1")


def asked(stack: LiveStack, names: tuple[str, ...]) -> dict[str, str]:
    """By service the version that answers by its name, to somebody beside it."""
    program = (
        "import json, sys, urllib.request as r\n"
        "get = lambda name: json.load(r.urlopen(f'http://{name}:8000/', timeout=5))['version']\n"
        "print(json.dumps({name: get(name) for name in sys.argv[1:]}))"
    )
    words = (f"--network={stack.name}_default", stack.image, "python3", "-c", program, *names)
    found: dict[str, str] = json.loads(docker("run", "--rm", *words))
    return found


def test_what_no_front_can_hand_over_is_shown_as_that(stack: MakeStack) -> None:
    made = stack(
        host={"network_mode": "host", "environment": {"VERSION": "1", "LISTEN": "127.0.0.2"}},
        udp={"expose": ["5353/udp"], "environment": {"VERSION": "1"}},
    )
    made.change("host", PORT=str(made.port))
    made.homeport("deploy", "--zero-downtime")
    for service in ("app", "host", "udp"):
        made.change(service, VERSION="2")
    plan = made.homeport("deploy", "--dry-run")
    assert plan.actions == {"app": "start-first", "host": "stop-first", "udp": "stop-first"}
    assert "its network is host, where no front can be" in plan.said
    assert "it serves UDP, which no front can hand over" in plan.said
    with made.load(rate=60, kinds=ALL_BUT_SOCKETS) as load:
        done = made.homeport("deploy")
    assert load.failures == []
    assert {service for service, what in done.events if what == "pause"} == {"host", "udp"}
    serves(made, "2")


@pytest.fixture
def own_engine(service_image: str, base_images: Mapping[str, str]) -> Iterator[str]:
    """DOCKER_HOST of an engine that a test may stop; it has the images that a stack needs."""
    front = base_images.get("HAPROXY_IMAGE", DeployConfig.front_image)
    if "HAPROXY_IMAGE" not in base_images:
        docker("pull", "--quiet", front)
    with another_engine(size_mb=1500) as host:
        saved = subprocess.Popen(["docker", "save", service_image, front], stdout=subprocess.PIPE)
        subprocess.run(["docker", "--host", host, "load", "--quiet"], stdin=saved.stdout, check=True)
        saved.communicate()
        yield host


def test_a_new_replica_that_somebody_removes(stack: MakeStack) -> None:
    made = stack()
    made.homeport("deploy", "--zero-downtime")
    before, old = made.containers(), made.replicas()
    made.change("app", VERSION="2", START_SECONDS="5")
    with made.load(rate=60, kinds=ALL_BUT_SOCKETS) as load:
        deploy = made.deploy_until("start")
        name = new_replica(made, old)
        time.sleep(1)  # Compose has come back, and the gate waits
        docker("rm", "--force", name)
        said = deploy.end(3)
    assert "app doesn't pass its gate" in said
    assert "Everything runs as before" in said
    assert load.failures == []
    assert load.versions == {"1"}
    assert made.containers() == before
    serves(made, "1")


def test_a_front_that_somebody_kills(stack: MakeStack) -> None:
    made = stack()
    made.homeport("deploy", "--zero-downtime")
    made.change("app", VERSION="2", START_SECONDS="3")
    deploy = made.deploy_until("start")
    docker("kill", front_of(made))
    said = deploy.end(3)
    assert "front" in said
    serves(made, "1")
    made.homeport("deploy")
    serves(made, "2")


def test_a_front_that_loses_its_network(stack: MakeStack) -> None:
    made = stack()
    made.homeport("deploy", "--zero-downtime")
    made.change("app", VERSION="2", START_SECONDS="3")
    deploy = made.deploy_until("start")
    docker("network", "disconnect", f"{made.name}_default", front_of(made))
    said = deploy.end(4)
    assert "The front of app is in no network any more" in said
    assert "it or its front is in no network" in made.homeport("status", code=1).said
    made.homeport("deploy")
    serves(made, "2")


def test_names_that_haproxy_or_dns_take_badly(stack: MakeStack) -> None:
    names = ("_low", "x" * 60)
    made = stack(**{name: {"environment": {"VERSION": "1"}, "healthcheck": CHECKED} for name in names})
    made.homeport("deploy", "--zero-downtime")
    for name in names:
        made.change(name, VERSION="2")
    made.homeport("deploy")
    assert asked(made, names) == dict.fromkeys(names, "2")
    made.homeport("rollback")
    assert asked(made, names) == dict.fromkeys(names, "1")


def test_an_engine_that_is_restarted(stack: MakeStack, own_engine: str) -> None:
    made = stack({"restart": "unless-stopped"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", own_engine)
        made.homeport("deploy", "--zero-downtime")
        made.change("app", VERSION="2", START_SECONDS="5")
        old = made.replicas()
        deploy = made.deploy_until("start")
        new_replica(made, old)
        with engine_restart.stopped(own_engine):
            said = deploy.end(4)
        assert "could not be undone" in said
        assert "homeport deploy" in said
        # What it advises.
        made.homeport("deploy")
        assert asked(made, ("app",)) == {"app": "2"}
        made.homeport("status")

"""What is looked at before a deploy: memory, disk, ports."""

from __future__ import annotations

import socket
from collections.abc import Iterable

import pytest

from homeport.deploy import preflight
from homeport.deploy.desired import Desired, Front, ReplicaSet
from homeport.deploy.plan import Action, DeployPlan, Running, Step
from homeport.engine.containers import Container
from homeport.engine.images import Image
from homeport.errors import EnvironmentProblem
from homeport.model.ports import Published

MIB = 1 << 20


def container(identity: str, state: str = "running") -> Container:
    return Container(identity, identity, "sha256:1", state, {})


def used(ids: Iterable[str]) -> dict[str, int]:
    return dict.fromkeys(ids, 100 * MIB)


RUNNING = {
    "api": Running({"api-r1": (container("a"), container("b"), container("gone", "exited"))}, live="api-r1"),
    "db": Running({"db-r1": (container("c"),)}, live="db-r1"),
}
STEPS = {
    "api": Step("api", Action.START_FIRST, "", before="api-r1"),
    "db": Step("db", Action.STOP_FIRST, "", before="db-r1"),
    "new": Step("new", Action.NEW, ""),
}
PLAN = DeployPlan("shop", STEPS, {})


def test_what_runs_twice_must_have_room() -> None:
    preflight.memory(PLAN, RUNNING, 200 * MIB, used)
    with pytest.raises(EnvironmentProblem) as caught:
        preflight.memory(PLAN, RUNNING, 200 * MIB - 1, used)
    assert "2 old and new replicas" in caught.value.what
    assert caught.value.exit_code == 2


def test_nothing_is_asked_of_what_does_not_run() -> None:
    asked: list[str] = []

    def note(ids: Iterable[str]) -> dict[str, int]:
        asked.extend(ids)
        return {}

    preflight.memory(PLAN, RUNNING, 0, note)
    assert asked == ["a", "b"]


def test_a_disk_that_is_full() -> None:
    preflight.disk(None)
    preflight.disk(preflight.LEAST_DISK)
    with pytest.raises(EnvironmentProblem, match="disk is full"):
        preflight.disk(preflight.LEAST_DISK - 1)


WEB, LOCAL, DNS = Published("", 80, "tcp"), Published("127.0.0.1", 80, "tcp"), Published("", 53, "udp")


def spec(*ports: Published) -> dict[str, object]:
    return {
        "ports": [
            {"target": 1, "published": str(one.port), "host_ip": one.address, "protocol": one.protocol}
            for one in ports
        ]
    }


def holder(name: str, *ports: Published, stack: str = "other") -> Container:
    labels = {"com.docker.compose.project": stack}
    return Container(name, name, "sha256:1", "running", labels, published=ports)


def free(port: Published) -> bool:
    return False


def test_only_ports_that_a_service_does_not_have_yet_are_new() -> None:
    steps = {name: Step(name, Action.NEW, "") for name in ("api", "dns", "old")}
    wanted = Desired(
        "shop",
        {
            "api": ReplicaSet("api", "api-r1", "sha256:1", 1, spec(Published("", 9, "tcp"))),
            "dns": ReplicaSet("dns", "dns-r1", "sha256:1", 1, spec(DNS, WEB)),
        },
        {"api": Front("api", "api.front", "x", spec(LOCAL, WEB))},
        {},
    )
    has = Running({}, front=holder("f", LOCAL, stack="shop"))
    found = preflight.new_ports(DeployPlan("shop", steps, {}), wanted, {"api": has})
    assert found == {"api": [WEB], "dns": [DNS, WEB]}


def test_ranges_and_ports_that_the_engine_chooses_are_left_to_it() -> None:
    ports = {
        "ports": [{"target": 80, "published": "8000-8010"}, {"target": 81}, {"target": 8, "published": "0"}]
    }
    wanted = Desired("shop", {"api": ReplicaSet("api", "api-r1", "sha256:1", 1, ports)}, {}, {})
    plan = DeployPlan("shop", {"api": Step("api", Action.NEW, "")}, {})
    assert preflight.new_ports(plan, wanted, {}) == {}


@pytest.mark.parametrize(
    ("wanted", "other", "taken"),
    [
        (WEB, WEB, True),
        (WEB, LOCAL, True),
        (LOCAL, WEB, True),
        (LOCAL, LOCAL, True),
        (LOCAL, Published("192.0.2.1", 80, "tcp"), False),
        (WEB, Published("", 80, "udp"), False),
        (WEB, Published("", 81, "tcp"), False),
    ],
)
def test_a_port_that_a_container_has(wanted: Published, other: Published, taken: bool) -> None:
    if not taken:
        preflight.ports({"api": [wanted]}, [holder("web", other)], "shop", free)
        return
    with pytest.raises(EnvironmentProblem, match="port 80 of api is taken by the container web"):
        preflight.ports({"api": [wanted]}, [holder("web", other)], "shop", free)


def test_a_port_of_the_same_stack_may_change_hands() -> None:
    preflight.ports({"api": [WEB]}, [holder("web", WEB, stack="shop")], "shop", lambda port: True)


def test_a_port_that_a_program_has() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = Published("127.0.0.1", server.getsockname()[1], "tcp")
        assert preflight.bound(port)
        with pytest.raises(EnvironmentProblem, match="taken by another program"):
            preflight.ports({"api": [port]}, [], "shop", preflight.bound)
    assert not preflight.bound(port)
    assert not preflight.bound(Published("192.0.2.1", 80, "tcp"))  # no address of this machine


def test_the_image_of_fronts_is_there_or_pulled() -> None:
    pulled: list[str] = []

    def pull(name: str) -> tuple[bool, str]:
        pulled.append(name)
        return name != "none:1", "no such host"

    there = {"haproxy:3": Image("sha256:1", frozenset())}
    find = lambda names: {name: there.get(name) for name in names}  # noqa: E731
    preflight.front_images(["haproxy:3", "haproxy:4"], find, pull)
    assert pulled == ["haproxy:4"]
    with pytest.raises(EnvironmentProblem, match="none:1, is not there") as caught:
        preflight.front_images(["none:1"], find, pull)
    assert caught.value.cause == "no such host"


def test_what_is_external_must_be_there() -> None:
    used = {("network", "proxy"): "api", ("volume", "data"): "db"}
    assert preflight.externals(used, lambda things: []) == ()
    assert preflight.externals(used, list) == (
        "the external network proxy of api isn't there",
        "the external volume data of db isn't there",
    )

"""Renamed services, ports that move: what leaves, what takes its place, and the ways back."""

from __future__ import annotations

import pytest

from deploy_forms import QUICK, WRITES, answers, killed_at, renamed, worker
from engine_fixtures import docker
from live_stack import MakeStack


@pytest.mark.parametrize("fronts", [True, False])
def test_a_service_by_another_name_takes_its_port_and_volume(stack: MakeStack, fronts: bool) -> None:
    made = stack(QUICK, base=worker(WRITES, volumes=["data:/data"]))
    made.compose["volumes"] = {"data": {}}
    services = made.compose["services"]
    services["base"]["container_name"] = f"{made.name}-named"
    made.write()
    made.homeport("deploy", *(["--zero-downtime"] if fronts else []))
    services["renamed"], services["database"] = services.pop("app"), services.pop("base")
    made.write()
    plan = made.homeport("deploy", "--dry-run")
    assert f"renamed takes port {made.port} of app, which goes first" in plan.said
    made.homeport("deploy")
    assert answers(made) == "1"
    assert made.homeport("status").code == 0
    log = docker(
        "run", "--rm", "--volume", f"{made.name}_data:/data", "--entrypoint=cat", made.image, "/data/log"
    )
    hosts = log.split()
    assert len(set(hosts)) == 2
    assert hosts == sorted(hosts, key=hosts.index), "two wrote by turns"
    made.homeport("rollback")
    assert answers(made) == "1"


def test_three_names_in_a_row_and_all_the_way_back(stack: MakeStack) -> None:
    made = stack()
    made.compose["services"]["app"]["container_name"] = f"{made.name}-own"
    made.write()
    made.homeport("deploy", "--zero-downtime")
    for old, new in (("app", "web"), ("web", "api"), ("api", "app")):
        renamed(made, old, new)
        made.homeport("deploy")
        assert answers(made) == "1"
    for _ in range(2):
        made.homeport("rollback", "--to", "r1")
        assert answers(made) == "1"
        made.homeport("rollback", "--to", "r2")
        assert answers(made) == "1"
    assert made.homeport("status").code == 0


@pytest.mark.parametrize("way", ["stopped", "killed"])
def test_another_name_while_the_old_one_is_down(stack: MakeStack, way: str) -> None:
    made = stack(other={**QUICK, "environment": {"VERSION": "1"}})
    made.compose["services"]["app"]["container_name"] = f"{made.name}-own"
    made.write()
    made.homeport("deploy", "--zero-downtime")
    if way == "stopped":
        docker("stop", *[name for name, state in made.containers().items() if state == "running"])
        renamed(made, "app", "web")
    else:
        renamed(made, "app", "web")
        killed_at(made, "stop")
        made.change("other", VERSION="2")
    made.homeport("deploy")
    assert answers(made) == "1"
    assert made.homeport("status").code == 0


def test_a_service_that_comes_back_and_fails_leaves_its_front_as_it_was(stack: MakeStack) -> None:
    made = stack()
    made.homeport("deploy", "--zero-downtime")
    renamed(made, "app", "web")
    made.homeport("deploy")
    renamed(made, "web", "app", environment={"HEALTH": "bad"})
    for _ in range(2):
        made.homeport("deploy", "--gate", "3", code=3)
        assert answers(made) == "1"
    renamed(made, "app", "web", environment={"VERSION": "1", "START_SECONDS": "0.5"})
    made.homeport("deploy")
    assert made.homeport("status").code == 0


def test_a_renamed_service_that_fails_is_never_alone_with_that(stack: MakeStack) -> None:
    made = stack({"deploy": {"update_config": {"failure_action": "continue"}}})
    made.homeport("deploy", "--zero-downtime")
    renamed(made, "app", "web", environment={"HEALTH": "bad"})
    made.homeport("deploy", "--gate", "3", code=3)
    assert answers(made) == "1"
    assert made.homeport("status").code == 0


def test_a_port_moves_from_one_service_to_another(stack: MakeStack) -> None:
    made = stack(other={**QUICK, "expose": ["8000"], "environment": {"VERSION": "9"}})
    made.homeport("deploy", "--zero-downtime")
    services = made.compose["services"]
    services["other"]["ports"], services["app"]["ports"] = [f"127.0.0.1:{made.port}:8000"], []
    made.change("app", START_SECONDS="3")
    made.homeport("deploy")
    assert answers(made) == "9"
    assert made.homeport("status").code == 0


def test_two_services_swap_their_ports(stack: MakeStack) -> None:
    made = stack(other={**QUICK, "environment": {"VERSION": "9"}})
    services, port = made.compose["services"], made.port
    services["app"]["ports"], services["other"]["ports"] = (
        [f"127.0.0.1:{port}:8000"],
        [f"127.0.0.1:{port + 1}:8000"],
    )
    made.write()
    made.homeport("deploy", "--zero-downtime")
    assert answers(made) == "1"
    services["app"]["ports"], services["other"]["ports"] = (
        services["other"]["ports"],
        services["app"]["ports"],
    )
    made.change("app", START_SECONDS="4")
    made.homeport("deploy")
    assert answers(made) == "9"
    assert made.homeport("status").code == 0


def test_a_renamed_service_that_fails_gives_back_what_it_took(stack: MakeStack) -> None:
    made = stack()
    made.homeport("deploy", "--zero-downtime")
    services = made.compose["services"]
    services["renamed"] = services.pop("app")
    services["renamed"]["environment"]["HEALTH"] = "bad"
    made.write()
    made.homeport("deploy", "--gate", "3", code=3)
    assert answers(made) == "1"
    assert made.homeport("status").code == 0


def test_a_stopped_container_with_the_service_s_own_name_is_no_obstacle(stack: MakeStack) -> None:
    made = stack(QUICK, work=worker())
    name = f"{made.name}-own"
    made.compose["services"]["work"]["container_name"] = name
    made.write()
    made.homeport("deploy", "--zero-downtime")
    docker("stop", name)
    made.compose["services"]["work"]["environment"] = {"A": "2"}
    made.write()
    made.homeport("deploy")
    assert made.containers()[name] == "running"
    made.homeport("rollback", "--to", "r1")
    assert made.containers()[name] == "running"
    assert made.homeport("status").code == 0

"""Ways back that need what only one can have: ports of the host, names, and the fronts that had them."""

from __future__ import annotations

import pytest

from deploy_forms import BAD, QUICK, answers, listens, publish, renamed, running, worker
from engine_fixtures import docker
from live_stack import MakeStack


@pytest.mark.parametrize("fronts", [True, False])
def test_a_rollback_takes_a_port_back(stack: MakeStack, fronts: bool) -> None:
    made = stack()
    made.homeport("deploy", *(["--zero-downtime"] if fronts else []))
    publish(made, app=made.port + 1)
    made.homeport("deploy")
    assert (listens(made.port), listens(made.port + 1)) == (False, True)
    made.homeport("rollback")
    assert (listens(made.port), listens(made.port + 1)) == (True, False)
    assert answers(made) == "1"
    assert made.homeport("status").code == 0
    made.homeport("rollback")
    assert (listens(made.port), listens(made.port + 1)) == (False, True)
    assert made.homeport("status").code == 0
    assert made.homeport("deploy", "--dry-run").actions == {"app": "unchanged"}


@pytest.mark.parametrize("fronts", [True, False])
def test_a_rollback_of_a_port_that_moved_to_another_service(stack: MakeStack, fronts: bool) -> None:
    made = stack(other={**QUICK, "environment": {"VERSION": "9"}})
    publish(made, app=made.port, other=made.port + 1)
    made.homeport("deploy", *(["--zero-downtime"] if fronts else []))
    publish(made, app=made.port + 1, other=made.port)
    made.homeport("deploy")
    assert answers(made) == "9"
    made.homeport("rollback")
    assert answers(made) == "1"
    assert listens(made.port + 1)
    assert made.homeport("status").code == 0


def test_a_deploy_that_fails_gives_a_front_its_name_and_ports_back(stack: MakeStack) -> None:
    made = stack(work=worker())
    made.compose["services"]["work"]["depends_on"] = ["app"]
    made.compose["services"]["app"]["container_name"] = f"{made.name}-own"
    made.write()
    made.homeport("deploy", "--zero-downtime")
    before = made.containers()
    publish(made, app=made.port + 1)
    made.compose["services"]["work"] |= BAD
    made.change("app", VERSION="2")
    assert "Everything runs as before" in made.homeport("deploy", "--gate", "5", code=3).said
    assert answers(made) == "1"
    assert not listens(made.port + 1)
    assert made.containers() == before
    assert made.homeport("status").code == 0


def test_services_that_swap_their_ports_and_fail_have_them_as_before(stack: MakeStack) -> None:
    made = stack(other={**QUICK, "environment": {"VERSION": "9"}}, work=worker())
    made.compose["services"]["work"]["depends_on"] = ["app", "other"]
    publish(made, app=made.port, other=made.port + 1)
    made.homeport("deploy", "--zero-downtime")
    publish(made, app=made.port + 1, other=made.port)
    made.compose["services"]["work"] |= BAD
    made.write()
    made.homeport("deploy", "--gate", "5", code=3)
    assert answers(made) == "1"
    assert made.homeport("status").code == 0


def test_a_name_comes_back_with_the_service_that_had_it(stack: MakeStack) -> None:
    made = stack(one=worker())
    made.compose["services"]["one"]["container_name"] = f"{made.name}-own"
    made.write()
    made.homeport("deploy")
    renamed(made, "one", "two")
    made.homeport("deploy")
    said = made.homeport("rollback").said
    assert running(made, "one") == [f"{made.name}-own"]
    assert "no health check" not in said
    made.homeport("rollback")
    assert running(made, "two") == [f"{made.name}-own"]
    assert made.homeport("status").code == 0


def test_old_fronts_go_with_the_releases_that_had_them(stack: MakeStack) -> None:
    made = stack()
    (made.folder / "homeport.toml").write_text("[deploy]\nkeep = 2\n", encoding="utf-8")
    for number in range(4):
        publish(made, app=made.port + number)
        made.homeport("deploy", "--zero-downtime")
    fronts = docker(
        "ps", "--all", "--quiet", "--filter", "label=io.homeport.role=front",
        "--filter", f"label=com.docker.compose.project={made.name}",
    ).split()  # fmt: skip
    assert len(fronts) == 2


def test_a_front_that_can_be_no_more_is_not_used(stack: MakeStack) -> None:
    made = stack()
    made.homeport("deploy", "--zero-downtime")
    made.compose["services"]["app"]["ports"].append(f"127.0.0.1:{made.port}:8000/udp")
    for version in ("2", "3"):
        made.change("app", VERSION=version)
        made.homeport("deploy")
        assert answers(made) == version
        assert made.homeport("status").code == 0
    made.homeport("rollback")
    assert answers(made) == "2"
    made.homeport("rollback", "--to", "r1")
    assert answers(made) == "1"
    assert made.homeport("status").code == 0


def test_a_release_whose_front_was_removed_can_not_run_again(stack: MakeStack) -> None:
    made = stack()
    made.homeport("deploy", "--zero-downtime")
    (front,) = [name for name in made.containers() if ".front" in name]
    publish(made, app=made.port + 1)
    made.homeport("deploy")
    docker("rm", front)
    said = made.homeport("rollback", code=2).said
    assert "app (its front)" in said
    assert listens(made.port + 1)
    first = next(one for one in made.homeport("releases").document["releases"] if one["id"] == "r1")
    assert "gone" in first["marks"]


def test_a_name_moves_to_a_new_service(stack: MakeStack) -> None:
    made = stack(work=worker())
    services, name = made.compose["services"], f"{made.name}-own"
    services["work"]["container_name"] = name
    made.write()
    made.homeport("deploy", "--zero-downtime")
    services["work"]["container_name"] = f"{name}-2"
    services["new"] = {**services["work"], "container_name": name}
    made.write()
    made.homeport("deploy")
    assert running(made, "new") == [name]
    assert running(made, "work") == [f"{name}-2"]
    made.homeport("rollback")
    assert running(made, "work") == [name]
    assert made.homeport("status").code == 0

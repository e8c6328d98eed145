"""What an old release ran, by the containers that are kept of it."""

from __future__ import annotations

from typing import Any

import pytest

from homeport.deploy import past
from homeport.deploy.facts import DeployFacts
from homeport.deploy.haproxy import Route
from homeport.deploy.plan import Running
from homeport.deploy.succession import host_ports, other_name
from homeport.engine.containers import Container
from homeport.errors import UsageError
from homeport.model.ports import Published
from homeport.model.release import Deployed, Outcome, Release
from homeport.model.stack import STOP_FIRST, parse_stack

IMAGE = "sha256:" + "1" * 64
EIGHTY = Published("127.0.0.1", 80, "tcp")


def container(name: str, service: str, role: str = "replica", **more: Any) -> Container:
    labels = {
        "io.homeport.service": service,
        "io.homeport.role": role,
        "com.docker.compose.service": name,
        "io.homeport.config": f"config of {name}",
    }
    return Container(more.pop("id", name), f"shop-{name}-1", IMAGE, "exited", labels, image_name="x", **more)


def facts(
    running: dict[str, Running], routes: dict[str, Route] | None = None, **services: Any
) -> DeployFacts:
    stack = parse_stack({"name": "shop", "services": services})
    return DeployFacts(stack, {}, running, routes or {}, {}, (), "", False)


def release(**services: Deployed) -> Release:
    return Release(1, "shop", 1.0, 2.0, Outcome.PASSED, services)


def test_a_kept_container_says_which_ports_and_name_it_takes() -> None:
    kept = container("app-r1", "app", bindings=(EIGHTY,))
    found = facts({"app": Running({"app-r1": (kept,)})}, app={"image": "x"})
    _, wanted = past.of_release(release(app=Deployed("app-r1", IMAGE)), found, force=False)
    assert list(host_ports(wanted.sets["app"].spec)) == [EIGHTY]
    assert wanted.sets["app"].spec["container_name"] == "shop-app-r1-1"
    assert wanted.fronts == {}


def test_the_name_is_the_one_that_it_was_made_with() -> None:
    kept = container("app-r1", "app")
    given_up = container("app-r1", "app")
    given_up = Container(kept.id, other_name(kept), IMAGE, "exited", kept.labels)
    found = facts({"app": Running({"app-r1": (given_up,)})}, app={"image": "x"})
    _, wanted = past.of_release(release(app=Deployed("app-r1", IMAGE)), found, force=False)
    assert wanted.sets["app"].spec["container_name"] == kept.name


def test_of_several_replicas_none_has_a_name_for_itself() -> None:
    two = tuple(container("app-r1", "app", id=str(number)) for number in range(2))
    found = facts({"app": Running({"app-r1": two})}, app={"image": "x", "scale": 2})
    _, wanted = past.of_release(release(app=Deployed("app-r1", IMAGE, count=2)), found, force=False)
    assert "container_name" not in wanted.sets["app"].spec


@pytest.mark.parametrize("had", ["app.front-1", "app.front-2"])
def test_the_front_is_the_one_that_the_release_had(had: str) -> None:
    now = container("app.front-2", "app", "front")
    before = container("app.front-1", "app", "front", bindings=(EIGHTY,))
    runs = Running({"app-r1": (container("app-r1", "app"),)}, (), now, spare=(before,))
    deployed = Deployed("app-r1", IMAGE, front=True, front_name=had)
    _, wanted = past.of_release(release(app=deployed), facts({"app": runs}, app={"image": "x"}), force=False)
    front = wanted.fronts["app"]
    assert (front.name, front.config) == (had, f"config of {had}")
    assert list(host_ports(front.spec)) == ([EIGHTY] if had == "app.front-1" else [])


def test_where_that_front_is_gone_another_one_is_no_answer() -> None:
    now = container("app.front-2", "app", "front")
    runs = Running({"app-r1": (container("app-r1", "app"),)}, (), now)
    deployed = Deployed("app-r1", IMAGE, front=True, front_name="app.front-1")
    with pytest.raises(UsageError) as caught:
        past.of_release(release(app=deployed), facts({"app": runs}, app={"image": "x"}), force=False)
    assert caught.value.detail == "app (its front)"


def test_without_any_front_it_can_not_run_again() -> None:
    runs = Running({"app-r1": (container("app-r1", "app"),)})
    deployed = Deployed("app-r1", IMAGE, front=True)
    with pytest.raises(UsageError) as caught:
        past.of_release(release(app=deployed), facts({"app": runs}, app={"image": "x"}), force=False)
    assert caught.value.detail == "app (its front)"


def test_a_service_that_the_file_has_no_more_is_what_its_containers_say() -> None:
    kept = container("old-r1", "old", written=("shop_data",), check=("true",))
    runs = Running({"old-r1": (kept,)}, (), container("old.front-1", "old", "front"))
    found = facts({"old": runs}, {"old": Route("a", "old-r1", ports=(8000,))})
    deployed = Deployed("old-r1", IMAGE, front=True, front_name="old.front-1")
    stack, _ = past.of_release(release(old=deployed), found, force=False)
    old = stack.services["old"]
    assert old.ports == (8000,)
    assert old.has_health_check
    assert old.order == (STOP_FIRST, "it may write to shop_data, and two of it might harm that")

"""What leaves a stack, what takes its place, and in which order. Pure plans."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from homeport.deploy.desired import desired
from homeport.deploy.haproxy import Route
from homeport.deploy.plan import Action, DeployPlan, Running, make, sort
from homeport.deploy.succession import other_name, own_name
from homeport.engine.containers import Container
from homeport.model.ports import Published
from homeport.model.stack import parse_stack

IMAGE = "sha256:" + "1" * 64


def document(**services: Any) -> dict[str, Any]:
    return {"name": "shop", "services": services, "volumes": {"data": {"name": "shop_data"}}}


def api(port: int = 8000, **more: Any) -> dict[str, Any]:
    ports = [{"target": 80, "published": str(port), "protocol": "tcp"}]
    return {"image": "x", "ports": ports, "healthcheck": {"test": ["CMD", "true"]}, **more}


def writer(**more: Any) -> dict[str, Any]:
    volume = {"type": "volume", "source": "data", "target": "/data"}
    return {"image": "x", "volumes": [volume], "healthcheck": {"test": ["CMD", "true"]}, **more}


def container(name: str, service: str, role: str, *, state: str = "running", **more: Any) -> Container:
    labels = {
        "io.homeport.service": service,
        "io.homeport.role": role,
        "com.docker.compose.service": name,
        "io.homeport.slots": "4",
    }
    networks = {"shop_default": "192.0.2.1"}
    return Container(name, f"shop-{name}-1", IMAGE, state, labels, networks=networks, **more)


def plan(text: dict[str, Any], running: dict[str, Running], **more: Any) -> DeployPlan:
    stack = parse_stack(text)
    wanted = desired(stack, dict.fromkeys(stack.select(()), IMAGE), {}, front_image="haproxy:3.0")
    return make(stack, wanted, running, **{"whole": True, **more})


def fronted(service: str, port: int) -> Running:
    front = container(f"{service}.front", service, "front", published=(Published("", port, "tcp"),))
    return Running(
        {f"{service}-r1": (container(f"{service}-r1", service, "replica"),)}, (), front, f"{service}-r1"
    )


def test_a_service_by_another_name_waits_for_the_old_one() -> None:
    found = plan(document(web=api()), {"app": fronted("app", 8000)})
    assert found.steps["app"].first
    assert "app" in found.needs["web"]
    assert found.warnings == (
        "web takes port 8000 of app, which goes first: with a gap until web has passed.",
    )


def test_another_port_is_nothing_to_wait_for() -> None:
    found = plan(document(web=api(8001)), {"app": fronted("app", 8000)})
    assert not found.steps["app"].first
    assert found.needs["web"] == ()


def test_what_is_written_by_both() -> None:
    old = container("db-r1", "db", "replica", written=("shop_data",))
    found = plan(document(pg=writer()), {"db": Running({"db-r1": (old,)}, live="db-r1")})
    assert found.steps["db"].first
    assert "what is in data" in found.warnings[0]


def test_a_name() -> None:
    old = Running({"app-r1": (container("app-r1", "app", "replica"),)}, live="app-r1")
    found = plan(document(web=writer(container_name="shop-app-r1-1")), {"app": old})
    assert found.steps["app"].first


def test_one_that_is_scaled_to_0_and_depends_on_its_heir_is_no_circle() -> None:
    text = document(app=api(depends_on={"web": {"condition": "service_started"}}, scale=0), web=api())
    found = plan(text, {"app": fronted("app", 8000)})
    assert found.batches == (("app",), ("web",))


def test_a_port_that_moves_between_two_that_stay() -> None:
    text = document(a=api(8001), b=api(8000))
    found = plan(text, {"a": fronted("a", 8000), "b": fronted("b", 8002)})
    assert "a" in found.needs["b"]
    assert "b" not in found.needs["a"]


def test_ports_that_are_swapped_are_no_circle() -> None:
    found = plan(document(a=api(8001), b=api(8000)), {"a": fronted("a", 8000), "b": fronted("b", 8001)})
    assert found.batches == (("a", "b"),)
    assert all(step.swaps for step in found.steps.values())


def test_services_that_swap_their_ports_wait_for_what_any_of_them_needs() -> None:
    text = document(a=api(8001, depends_on={"c": {}}), b=api(8000), c=writer())
    found = plan(text, {"a": fronted("a", 8000), "b": fronted("b", 8001)})
    assert found.batches == (("c",), ("a", "b"))


def test_one_that_swaps_its_port_does_not_wait_for_what_waits_for_it() -> None:
    text = document(a=api(8001, depends_on={"c": {}}), b=api(8000), c={**writer(), "depends_on": {"b": {}}})
    found = plan(text, {"a": fronted("a", 8000), "b": fronted("b", 8001)})
    assert found.needs["b"] == ()
    assert set(found.needs["a"]) == {"b", "c"}


def test_in_a_rollback_what_came_later_goes_before_what_comes_back() -> None:
    found = plan(document(app=api()), {"web": fronted("web", 8000)}, whole=False, leaving=("web",))
    assert found.steps["web"].action is Action.REMOVED
    assert found.steps["web"].first
    assert found.warnings == (
        "app takes port 8000 of web, which goes first: with a gap until app has passed.",
    )


@pytest.mark.parametrize("released", [None, {"app": "the target"}, {}, {"app": "another"}])
def test_only_what_has_passed_is_left_alone(released: dict[str, str] | None) -> None:
    text = document(app=writer())
    (target,) = plan(text, {}).steps.values()
    assert target.target is not None
    name = target.target.name
    there = Running({name: (container(name, "app", "replica"),)}, live=name)
    said = (
        None
        if released is None
        else {key: name if value == "the target" else value for key, value in released.items()}
    )
    step = plan(text, {"app": there}, released=said).steps["app"]
    passed = released is None or released.get("app") == "the target"
    assert (step.action is Action.UNCHANGED) is passed


@pytest.mark.parametrize(
    ("front", "states", "live"),
    [
        ("running", {"app-r1": "running", "app-r2": "running"}, "app-r2"),
        ("exited", {"app-r1": "running", "app-r2": "running"}, "app-r2"),
        ("exited", {"app-r1": "running", "app-r2": "exited"}, "app-r1"),
        ("exited", {"app-r1": "exited", "app-r2": "exited"}, ""),
        ("running", {"app-r1": "exited", "app-r2": "exited"}, "app-r2"),
    ],
)
def test_which_set_is_live(front: str, states: dict[str, str], live: str) -> None:
    from homeport.deploy.haproxy import Route

    everything = [container(name, "app", "replica", state=state) for name, state in states.items()]
    everything.append(container("app.front", "app", "front", state=front))
    assert sort(everything, {"app": Route("a", "app-r2")})["app"].live == live


def test_somebodys_compose_run_is_nobodys_replica() -> None:
    own = container("app", "app", "")
    labels = {**own.labels, "com.docker.compose.oneoff": "True"}
    one = Container("1", "shop-app-run-1", IMAGE, "running", labels)
    assert sort([one], {}) == {}


@pytest.mark.parametrize("role", ["replica", "front", "hook", ""])
def test_a_name_that_was_given_up_is_known_again(role: str) -> None:
    one = container("app-r1", "app", role)
    given_up = replace(one, name=other_name(one))
    assert given_up.name != one.name
    assert own_name(given_up) == own_name(one) == one.name


def test_of_several_fronts_the_one_counts_that_runs() -> None:
    old = container("app.front-1", "app", "front", state="exited", started="2026-01-02")
    new = container("app.front-2", "app", "front", started="2026-01-01")
    found = sort([old, new, container("app-r1", "app", "replica")], {"app": Route("a", "app-r1")})["app"]
    assert (found.front, found.spare, found.live) == (new, (old,), "app-r1")


def test_of_several_fronts_that_stand_still_the_last_one_counts() -> None:
    started = {"app.front-1": "2026-01-02", "app.front-2": "2026-01-01", "app.front-3": "0001-01-01"}
    fronts = [container(name, "app", "front", state="exited", started=when) for name, when in started.items()]
    found = sort(fronts, {})["app"]
    assert found.front is not None
    assert found.front.service == "app.front-1"
    assert [one.service for one in found.spare] == ["app.front-3", "app.front-2"]
    assert set(found.fronts) == set(fronts)

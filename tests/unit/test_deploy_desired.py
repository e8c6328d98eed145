"""What homeport makes of a Compose project: replica sets with names that stand for what runs, and fronts."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from homeport.deploy.desired import (
    CONFIG_LABEL,
    SLOTS_LABEL,
    Desired,
    Front,
    ReplicaSet,
    desired,
    front_name,
)
from homeport.deploy.haproxy import host_of
from homeport.model.roles import FRONT, REPLICA, ROLE_LABEL, SERVICE_LABEL, STACK_LABEL
from homeport.model.stack import parse_stack, seconds_of

Spec = dict[str, Any]

API: Spec = {
    "image": "x/api:1",
    "build": {"context": "."},
    "container_name": "the-api",
    "command": ["serve"],
    "depends_on": {"db": {"condition": "service_healthy"}},
    "environment": {"A": "1", "B": "2"},
    "expose": ["8000"],
    "links": ["db:database"],
    "healthcheck": {"test": ["CMD", "curl", "http://localhost:8000/"], "interval": "30s"},
    "labels": {"team": "blue"},
    "networks": {
        "default": None,
        "back": {
            "aliases": ["api.local"],
            "ipv4_address": "10.0.0.5",
            "ipv6_address": "fd00::5",
            "mac_address": "02:42:ac:11:00:05",
            "priority": 7,
        },
    },
    "ports": [{"target": 8000, "published": "80", "protocol": "tcp"}],
    "profiles": ["web"],
    "restart": "on-failure",
    "scale": 2,
    "secrets": [{"source": "key", "target": "/run/secrets/key"}],
    "x-homeport": {"drain": "20s"},
}
DB: Spec = {"image": "pg", "expose": ["5432"]}
VPN: Spec = {"image": "vpn", "expose": ["1194"]}
FILES = {"secrets key": "digest-1", "secrets other": "digest-2", "configs key": "digest-3"}


def document(**services: Spec) -> Spec:
    return {
        "name": "shop",
        "networks": {"default": {"name": "shop_default"}, "back": {"name": "shop_back"}},
        "secrets": {"key": {"name": "shop_key", "file": "/key"}},
        "volumes": {},
        "x-other": 1,
        "services": services,
    }


def made(
    found: Spec | None = None,
    *,
    images: dict[str, str] | None = None,
    files: dict[str, str] | None = None,
    exposed: dict[str, tuple[int, ...]] | None = None,
    checked: set[str] | None = None,
    **options: Any,
) -> Desired:
    whole = found or document(api=API, db=DB)
    ids = images or {name: f"sha256:{name}" for name in whole["services"]}
    more = {"front_image": "haproxy:2.6", **options}
    return desired(parse_stack(whole, exposed, checked or ()), ids, FILES if files is None else files, **more)


def replica_set(spec: Spec | None = None, **more: Any) -> ReplicaSet:
    return made(document(api=API if spec is None else spec), **more).sets["api"]


def front(spec: Spec | None = None, **more: Any) -> Front:
    return made(document(api=API if spec is None else spec), **more).fronts["api"]


def test_a_replica_set_is_the_service_as_it_is_written_with_its_image_pinned() -> None:
    found = replica_set()
    assert (found.service, found.image, found.count) == ("api", "sha256:api", 2)
    assert found.spec["image"] == "x/api:homeport-api"
    assert found.spec["pull_policy"] == "never"
    assert found.spec["scale"] == 2
    for key in ("command", "environment", "expose", "restart", "secrets"):
        assert found.spec[key] == API[key]


@pytest.mark.parametrize(
    ("parts", "count"), [({}, 1), ({"scale": 3}, 3), ({"scale": 1, "deploy": {"replicas": 2}}, 2)]
)
def test_a_replica_set_says_itself_how_many_of_it_run(parts: Spec, count: int) -> None:
    found = replica_set({**DB, **parts})
    assert (found.count, found.spec["scale"]) == (count, count)


def test_a_replica_set_has_nothing_that_only_one_can_have() -> None:
    spec = replica_set().spec
    gone = {"container_name", "ports", "depends_on", "build", "profiles", "x-homeport", "links"}
    assert gone.isdisjoint(spec)
    own = {"aliases": [host_of(replica_set().name)]}
    assert spec["networks"] == {"default": own, "back": {"priority": 7, **own}}


def test_a_replica_set_keeps_its_labels_and_says_whose_it_is() -> None:
    assert replica_set().spec["labels"] == {
        "team": "blue",
        STACK_LABEL: "shop",
        SERVICE_LABEL: "api",
        ROLE_LABEL: REPLICA,
    }


def test_the_name_is_the_service_and_eight_characters() -> None:
    assert re.fullmatch(r"api-r[0-9a-f]{8}", replica_set().name)
    assert front_name("api", "1a2b3c4d") == "api.front-1a2b3c4d"


def test_what_is_given_stays_as_it_is() -> None:
    whole = document(api=API, db=DB)
    before = copy.deepcopy(whole)
    made(whole)
    assert whole == before


def change(**parts: Any) -> Callable[[Spec], None]:
    return lambda spec: spec.update(parts)


def reverse(spec: Spec) -> None:
    spec["environment"] = dict(reversed(spec["environment"].items()))
    for key in reversed(list(spec)):
        spec[key] = spec.pop(key)


SAME: dict[str, Callable[[Spec], None]] = {
    "nothing": lambda spec: None,
    "depends_on": change(depends_on={"cache": {"condition": "service_started"}}),
    "no depends_on": lambda spec: spec.pop("depends_on"),
    "ports": change(ports=[{"target": 8000, "published": "81"}]),
    "container_name": change(container_name="another"),
    "the order of keys": reverse,
    "build": change(build={"context": "elsewhere"}),
    "profiles": change(profiles=[]),
    "how it is deployed": change(deploy={"update_config": {"order": "stop-first", "monitor": "9s"}}),
    "drain": change(**{"x-homeport": {"drain": "5s"}}),
    "the name of the image, but not the image": change(image="x/api:2"),
    "aliases": lambda spec: spec["networks"]["back"].update(aliases=["another"]),
    "address": lambda spec: spec["networks"]["back"].update(ipv4_address="10.0.0.6"),
}

OTHER: dict[str, Callable[[Spec], None]] = {
    "a value of the environment": change(environment={"A": "1", "B": "3"}),
    "one more variable": change(environment={"A": "1", "B": "2", "C": ""}),
    "command": change(command=["serve", "--fast"]),
    "labels": change(labels={"team": "red"}),
    "volumes": change(volumes=[{"type": "volume", "source": "data", "target": "/data"}]),
    "health check": change(healthcheck={"test": ["CMD", "true"]}),
    "no health check": lambda spec: spec.pop("healthcheck"),
    "networks": change(networks={"default": None}),
    "limits": change(deploy={"resources": {"limits": {"memory": "1g"}}}),
    "a secret less": change(secrets=[]),
    "another secret": change(secrets=[{"source": "other", "target": "/run/secrets/key"}]),
    "restart": change(restart="unless-stopped"),
    "scale": change(scale=5),
    "replicas": change(deploy={"replicas": 5}),
    "when it is started again": change(deploy={"restart_policy": {"condition": "none"}}),
    "stop_grace_period": change(stop_grace_period="1m0s"),
    "order of the words of its command": change(command=["--fast", "serve"]),
}


@pytest.mark.parametrize("edit", SAME.values(), ids=SAME)
def test_the_name_stays_where_the_same_thing_runs(edit: Callable[[Spec], None]) -> None:
    spec = copy.deepcopy(API)
    edit(spec)
    assert replica_set(spec).name == replica_set().name


@pytest.mark.parametrize("edit", OTHER.values(), ids=OTHER)
def test_the_name_changes_with_what_decides_what_runs(edit: Callable[[Spec], None]) -> None:
    spec = copy.deepcopy(API)
    edit(spec)
    assert replica_set(spec).name != replica_set().name


def test_another_image_is_another_name() -> None:
    assert replica_set(images={"api": "sha256:new"}).name != replica_set().name


@pytest.mark.parametrize(
    ("kind", "edited", "same"),
    [
        ("secrets", "secrets key", False),
        ("secrets", "secrets other", True),
        ("secrets", "configs key", True),
        ("configs", "configs key", False),
        ("configs", "secrets key", True),
    ],
)
def test_the_content_of_a_file_counts_where_it_is_used(kind: str, edited: str, same: bool) -> None:
    spec = {"image": "x", "expose": ["80"], kind: [{"source": "key", "target": "/key"}]}
    after = replica_set(spec, files={**FILES, edited: "digest-9"})
    assert (after.name == replica_set(spec).name) is same


@pytest.mark.parametrize("kind", ["secrets", "configs"])
@pytest.mark.parametrize(("used", "same"), [("key", False), ("other", True)])
def test_content_that_stands_in_the_compose_file_counts_where_it_is_used(
    kind: str, used: str, same: bool
) -> None:
    spec = {"image": "x", "expose": ["80"], kind: [{"source": used, "target": "/key"}]}
    whole = document(api=spec)
    before, after = (
        made({**whole, kind: {"key": {"content": text}, "other": {"content": "c"}}}) for text in ("a", "b")
    )
    assert (before.sets["api"].name == after.sets["api"].name) is same


@pytest.mark.parametrize("kind", ["secrets", "configs"])
def test_content_that_the_document_does_not_have_is_no_problem(kind: str) -> None:
    whole = document(api={"image": "x", kind: [{"source": "gone"}]})
    assert list(made({**whole, kind: None}).sets) == ["api"]


def test_another_service_of_the_stack_changes_nothing() -> None:
    assert made(document(api=API, db=DB)).sets["api"] == replica_set()
    renamed = {**document(api=API), "name": "another"}
    assert made(renamed).sets["api"].name != replica_set().name


def test_a_health_check_is_fast_at_first() -> None:
    found = replica_set().spec["healthcheck"]
    assert found.items() > API["healthcheck"].items()
    assert set(found) - set(API["healthcheck"]) == {"start_interval", "start_period"}
    assert 0.0 < seconds_of(found["start_interval"], 0.0) <= 1.0
    assert seconds_of(found["start_period"], 0.0) >= 10.0


def test_a_health_check_keeps_what_it_says_of_its_start() -> None:
    said = {"test": ["CMD", "true"], "start_interval": "5s", "start_period": "10s"}
    assert replica_set({**API, "healthcheck": said}).spec["healthcheck"] == said


@pytest.mark.parametrize("said", [{"disable": True}, {"test": ["CMD", "true"], "disable": True}])
def test_a_health_check_that_is_off_stays_off(said: Spec) -> None:
    assert replica_set({**API, "healthcheck": said}).spec["healthcheck"] == said


def test_without_a_health_check_there_is_none() -> None:
    assert "healthcheck" not in replica_set(DB).spec
    assert "healthcheck" not in replica_set(DB, checked={"db"}).spec


@pytest.mark.parametrize("said", [{"test": ["NONE"]}, {"disable": True}])
def test_a_health_check_of_the_image_that_the_file_takes_away_stays_off(said: Spec) -> None:
    assert replica_set({**DB, "healthcheck": said}, checked={"api"}).spec["healthcheck"] == said


def test_the_health_check_of_an_image_is_fast_at_first_and_stays_its_own() -> None:
    found = replica_set(DB, checked={"api"}).spec["healthcheck"]
    assert 0.0 < seconds_of(found["start_interval"], 0.0) <= 1.0
    assert "test" not in found
    said = {"interval": "7s", "start_interval": "2s"}
    assert (
        replica_set({**DB, "healthcheck": said}, checked={"api"}).spec["healthcheck"].items() >= said.items()
    )


def test_limits_and_when_it_is_started_again_are_kept_and_how_it_is_replaced_is_not() -> None:
    kept = {
        "resources": {"limits": {"memory": "1g"}},
        "labels": {"team": "blue"},
        "restart_policy": {"condition": "on-failure"},
    }
    deploy = {**kept, "replicas": 3, "update_config": {"order": "stop-first"}, "mode": "replicated"}
    assert replica_set({**DB, "deploy": deploy}).spec["deploy"] == kept
    assert "deploy" not in replica_set({**DB, "deploy": {"replicas": 3}}).spec


def test_a_front_has_the_names_the_addresses_and_the_ports() -> None:
    found = front()
    assert (found.service, found.name) == ("api", front_name("api", found.name[-8:]))
    assert found.spec["image"] == "haproxy:2.6"
    assert found.spec["container_name"] == "the-api"
    assert found.spec["ports"] == API["ports"]
    assert found.spec["networks"] == {
        "default": {"aliases": ["api"]},
        "back": {**API["networks"]["back"], "aliases": ["api", "api.local"]},
    }


def test_a_front_says_whose_it_is_and_finishes_what_is_in_flight() -> None:
    found = front()
    assert found.spec["labels"] == {
        STACK_LABEL: "shop",
        SERVICE_LABEL: "api",
        ROLE_LABEL: FRONT,
        CONFIG_LABEL: found.config,
        SLOTS_LABEL: "4",
    }
    assert (found.spec["stop_signal"], found.spec["stop_grace_period"]) == ("SIGUSR1", "20s")
    assert found.spec["restart"] == "unless-stopped"


def test_a_front_has_nothing_of_what_runs_behind_it() -> None:
    private = {"environment", "secrets", "command", "healthcheck", "volumes", "depends_on", "build"}
    spec = front().spec
    assert private & set(spec) == {"command"}
    assert spec["command"][0] == "haproxy"
    assert "team" not in spec["labels"]


def test_a_front_without_names_of_its_own_is_in_the_default_network() -> None:
    found = front(DB)
    assert found.spec["networks"] == {"default": {"aliases": ["api"]}}
    assert {"container_name", "ports"}.isdisjoint(found.spec)


def test_a_front_for_many_has_room_for_many() -> None:
    assert front({**API, "scale": 5}).spec["labels"][SLOTS_LABEL] == "10"


@pytest.mark.parametrize(
    "parts",
    [
        {"ports": [{"target": 8000, "published": "81"}]},
        {"container_name": "another"},
        {"networks": {"default": None}},
        {"networks": {"default": {"aliases": ["more"]}, "back": API["networks"]["back"]}},
        {"expose": ["8000", "9000"]},
        {"x-homeport": {"drain": "20s", "ports": [9000]}},
        {"x-homeport": {"drain": "20s", "mode": "tcp"}},
        {"healthcheck": {"test": ["CMD", "true"]}},  # it said that the port speaks HTTP
    ],
)
def test_a_front_is_another_when_its_container_has_to_be(parts: Spec) -> None:
    assert front({**API, **parts}).config != front().config


@pytest.mark.parametrize(
    "parts",
    [
        {"environment": {}},
        {"depends_on": {}},
        {"command": ["x"]},
        {"scale": 1},  # for which there is the same room
        {"image": "x/api:2"},
        {"secrets": []},
    ],
)
def test_a_front_stays_when_only_what_is_behind_it_changes(parts: Spec) -> None:
    assert front({**API, **parts}).config == front().config


def test_a_port_of_the_image_that_goes_away_is_another_front() -> None:
    assert front(DB, exposed={"api": (9000,)}).config != front(DB).config
    assert front(DB, exposed={"api": (5432,)}).config == front(DB).config


def test_another_image_for_fronts_is_another_front() -> None:
    assert front(front_image="haproxy:3").config != front().config


NO_FRONT: dict[str, Spec] = {
    "no port": {"image": "x"},
    "udp": {"image": "x", "ports": [{"target": 53, "protocol": "udp"}, {"target": 53, "protocol": "tcp"}]},
    "host network": {"image": "x", "expose": ["80"], "network_mode": "host"},
    "no network": {"image": "x", "expose": ["80"], "network_mode": "none"},
    "volumes of another": {"image": "x", "expose": ["80"], "volumes_from": ["vpn:ro"]},
    "udp exposed": {"image": "x", "expose": ["80", "53/udp"]},
    "network of another": {"image": "x", "expose": ["80"], "network_mode": "service:vpn"},
    "scaled to zero": {"image": "x", "expose": ["80"], "scale": 0},
    "one-shot": {"image": "x", "restart": "no"},
}


@pytest.mark.parametrize("spec", NO_FRONT.values(), ids=NO_FRONT)
def test_a_service_that_cannot_have_a_front_has_none(spec: Spec) -> None:
    found = made(document(api=spec, vpn=VPN))
    assert set(found.fronts) == {"vpn"}
    assert not any(name.startswith("api.front") for name in found.document["services"])
    assert found.sets["api"].name in found.document["services"]


def test_a_service_whose_end_others_wait_for_has_no_front() -> None:
    waits = {"image": "x", "depends_on": {"migrate": {"condition": "service_completed_successfully"}}}
    assert set(made(document(api=waits, migrate=DB, db=DB)).fronts) == {"db"}


def test_without_fronts_every_service_keeps_its_names_addresses_and_ports() -> None:
    found = made(fronts=False)
    assert found.fronts == {}
    assert set(found.document["services"]) == {found.sets["api"].name, found.sets["db"].name}
    spec = found.sets["api"].spec
    assert (spec["container_name"], spec["ports"]) == ("the-api", API["ports"])
    assert spec["networks"]["back"] == {**API["networks"]["back"], "aliases": ["api", "api.local"]}
    assert found.sets["db"].spec["networks"] == {"default": {"aliases": ["db"]}}
    assert found.sets["api"].name != made().sets["api"].name


def test_a_port_of_the_image_is_enough_for_a_front() -> None:
    assert set(made(document(api={"image": "x"}), exposed={"api": (8000,)}).fronts) == {"api"}


UDP: Spec = {
    **API,
    "ports": [{"target": 53, "published": "53", "protocol": "udp"}],
    "networks": API["networks"],
}


def test_without_a_front_a_replica_set_has_the_names_the_addresses_and_the_ports() -> None:
    spec = replica_set(UDP).spec
    assert spec["container_name"] == "the-api"
    assert spec["ports"] == UDP["ports"]
    assert spec["networks"] == {
        "default": {"aliases": ["api"]},
        "back": {**API["networks"]["back"], "aliases": ["api", "api.local"]},
    }
    assert {"build", "depends_on", "profiles", "x-homeport"}.isdisjoint(spec)


@pytest.mark.parametrize(
    "parts",
    [
        {"container_name": "another"},
        {"ports": [{"target": 53, "published": "54", "protocol": "udp"}]},
        {"networks": {"default": None}},
    ],
)
def test_without_a_front_its_name_changes_with_them(parts: Spec) -> None:
    assert replica_set({**UDP, **parts}).name != replica_set(UDP).name
    assert replica_set({**UDP, "depends_on": {}, "build": None}).name == replica_set(UDP).name


def test_without_a_front_others_find_it_in_the_default_network() -> None:
    assert replica_set({"image": "x"}).spec["networks"] == {"default": {"aliases": ["api"]}}
    for mode in ("host", "none", "service:vpn"):
        assert "networks" not in replica_set({"image": "x", "network_mode": mode}).spec


@pytest.mark.parametrize("key", ["network_mode", "pid", "ipc"])
def test_a_partner_is_called_by_its_new_name(key: str) -> None:
    found = made(document(api={"image": "x", key: "service:vpn"}, vpn=VPN))
    assert found.sets["api"].spec[key] == f"service:{found.sets['vpn'].name}"
    assert list(found.sets) == ["api", "vpn"]


def test_volumes_of_a_partner_are_taken_from_its_new_name() -> None:
    mounted = ["vpn:ro", "container:abc:ro", "db"]
    found = made(document(api={"image": "x", "volumes_from": mounted}, vpn=VPN, db=DB))
    names = {name: one.name for name, one in found.sets.items()}
    assert found.sets["api"].spec["volumes_from"] == [f"{names['vpn']}:ro", "container:abc:ro", names["db"]]


def test_all_partners_are_called_by_their_new_names() -> None:
    app = {"image": "x", "network_mode": "service:vpn", "pid": "service:db", "ipc": "service:vpn"}
    found = made(document(app=app, vpn=VPN, db=DB))
    vpn, db, spec = found.sets["vpn"].name, found.sets["db"].name, found.sets["app"].spec
    assert (spec["network_mode"], spec["pid"], spec["ipc"]) == (
        f"service:{vpn}",
        f"service:{db}",
        f"service:{vpn}",
    )


def test_a_second_partner_that_has_one_itself_comes_before_who_shares_with_it() -> None:
    app, pods = (
        {"image": "x", "ipc": "service:vpn", "volumes_from": ["pods"]},
        {"image": "x", "pid": "service:vpn"},
    )
    found = made(document(app=app, pods=pods, vpn=VPN))
    assert found.sets["app"].spec["volumes_from"] == [found.sets["pods"].name]


def test_a_partner_of_a_partner_in_any_order() -> None:
    first = {"image": "x", "network_mode": "service:middle"}
    middle = {"image": "x", "network_mode": "service:vpn"}
    for services in ({"a": first, "middle": middle, "vpn": VPN}, {"vpn": VPN, "middle": middle, "a": first}):
        sets = made(document(**services)).sets
        assert sets["a"].spec["network_mode"] == f"service:{sets['middle'].name}"
        assert sets["middle"].spec["network_mode"] == f"service:{sets['vpn'].name}"
        assert list(sets) == list(services)


@pytest.mark.parametrize(
    "shared",
    [
        {"network_mode": "service:vpn"},
        {"pid": "service:vpn"},
        {"ipc": "service:vpn"},
        {"volumes_from": ["vpn"]},
        {"network_mode": "service:db", "ipc": "service:vpn"},
    ],
)
def test_who_shares_something_of_another_changes_with_it(shared: Spec) -> None:
    app = {"image": "x", **shared}
    before, after = (
        made(document(app=app, vpn=vpn, db=DB)) for vpn in (VPN, {**VPN, "environment": {"A": "1"}})
    )
    assert before.sets["vpn"].name != after.sets["vpn"].name
    assert before.sets["app"].name != after.sets["app"].name


@pytest.mark.parametrize("mode", ["host", "none", "container:abc"])
def test_other_network_modes_stay(mode: str) -> None:
    assert replica_set({"image": "x", "network_mode": mode}).spec["network_mode"] == mode


def test_the_document_holds_all_of_it() -> None:
    found = made()
    assert found.stack == "shop"
    assert set(found.document) == {"name", "networks", "secrets", "services"}
    assert found.document["name"] == "shop"
    assert found.document["networks"] == document()["networks"]
    services = found.document["services"]
    assert set(services) == {
        found.sets["api"].name,
        found.sets["db"].name,
        found.fronts["api"].name,
        found.fronts["db"].name,
    }
    assert services[found.sets["api"].name] == found.sets["api"].spec
    assert services[found.fronts["api"].name] == found.fronts["api"].spec
    assert json.loads(json.dumps(found.document)) == found.document


def test_only_the_services_with_an_image_are_made() -> None:
    found = made(document(api=API, db=DB), images={"db": "sha256:db"})
    assert set(found.sets) == {"db"}
    assert set(found.fronts) == {"db"}
    assert set(found.document["services"]) == {found.sets["db"].name, found.fronts["db"].name}


@pytest.mark.parametrize(
    ("spec", "restart"),
    [
        ({"restart": "always"}, "unless-stopped"),
        ({"deploy": {"restart_policy": {"condition": "any"}}}, "unless-stopped"),
        ({"deploy": {"restart_policy": {}}}, "unless-stopped"),
        ({"restart": "on-failure:3"}, "on-failure:3"),
        ({"restart": "no", "deploy": {"restart_policy": {"condition": "any"}}}, "no"),
        ({"deploy": {"restart_policy": {"condition": "on-failure"}}}, None),
        ({}, None),
    ],
)
def test_what_is_stopped_stays_so_when_the_engine_starts(spec: dict[str, Any], restart: str | None) -> None:
    stack = parse_stack({"name": "shop", "services": {"api": {"image": "x", **spec}}})
    found = desired(stack, {"api": "sha256:1"}, {}, front_image="haproxy").sets["api"].spec
    assert found.get("restart") == restart


HOOKED: Spec = {**API, "x-homeport": {"before": "alembic upgrade head", "after": ["sh", "-c", "warm up"]}}


def test_a_command_runs_in_a_container_like_the_new_ones_without_what_only_they_should_have() -> None:
    found = made(document(api={**HOOKED, "deploy": {"restart_policy": {"condition": "any"}}}))
    assert set(found.hooks) == {("api", "before"), ("api", "after")}
    before, own = found.hooks["api", "before"], found.sets["api"]
    assert (before.name, before.count, before.image) == (f"{own.name}.before", 1, own.image)
    assert before.spec["command"] == ["alembic", "upgrade", "head"]
    assert found.hooks["api", "after"].spec["command"] == ["sh", "-c", "warm up"]
    assert before.spec["restart"] == "no"
    assert before.spec["healthcheck"] == {"disable": True}
    assert before.spec["image"] == own.spec["image"]
    assert before.spec["environment"] == own.spec["environment"]
    assert before.spec["labels"]["io.homeport.role"] == "hook"
    assert not {"ports", "container_name", "deploy"} & set(before.spec)
    assert found.document["services"][before.name] == before.spec


def test_a_command_has_no_name_of_its_service_without_a_front_either() -> None:
    hook = made(document(api=HOOKED), fronts=False).hooks["api", "before"]
    assert not any((entry or {}).get("aliases") for entry in hook.spec["networks"].values())


def test_another_command_alone_is_no_other_replica_set() -> None:
    assert replica_set(HOOKED).name == replica_set().name


@pytest.mark.parametrize("parts", [{"scale": 3}, {"x-homeport": {"drain": "40s"}}, {"scale": 50}])
def test_a_front_stays_whatever_it_can_learn_while_it_runs(parts: Spec) -> None:
    assert front({**API, **parts}).config == front().config

"""A project made into another one that disturbs nobody."""

from __future__ import annotations

from typing import Any

import pytest

from homeport.model.isolation import Isolated, isolate

LABELS = {"io.homeport.test.run": "1"}


def made(
    services: dict[str, Any], *, ports: dict[str, list[int]] | None = None, kept: str = "", **rest: Any
) -> Isolated:
    document = {"name": "home", "services": services, **rest}
    return isolate(document, "home-test-1", LABELS, ports=ports or {}, kept=lambda path: path == kept)


def one(**spec: Any) -> dict[str, Any]:
    """What becomes of a service that says this."""
    found: dict[str, Any] = made({"api": {"image": "i", **spec}}).document["services"]["api"]
    return found


def test_what_only_one_can_have_goes() -> None:
    found = one(
        container_name="home-api",
        mac_address="02:42:ac:11:00:02",
        build={"context": "."},
        links=["db"],
        restart="always",
        ports=[{"target": 80, "published": "8080", "host_ip": "0.0.0.0", "protocol": "tcp"}],  # noqa: S104
        networks={"inner": {"ipv4_address": "10.0.0.2", "aliases": ["a"]}, "default": None},
        deploy={"restart_policy": {"condition": "any"}, "resources": {"limits": {"memory": "1g"}}},
    )
    assert found == {
        "image": "i",
        "labels": LABELS,
        "restart": "no",
        "ports": [{"target": 80, "host_ip": "127.0.0.1", "protocol": "tcp"}],
        "networks": {"inner": {"aliases": ["a"]}, "default": None},
        "deploy": {"resources": {"limits": {"memory": "1g"}}},
        "volumes": [],
        "depends_on": {},
        "healthcheck": {"start_period": "2m0s", "start_interval": "1s"},
    }


def test_ports_that_are_asked_for_come_to_those_that_are_published() -> None:
    udp = {"target": 53, "published": "53", "protocol": "udp"}
    found = made(
        {"api": {"ports": [udp, {"target": 80}, {"target": 80}]}, "db": {}}, ports={"db": [5432], "api": [81]}
    )
    services = found.document["services"]
    assert [port["target"] for port in services["api"]["ports"]] == [80, 81]
    assert services["db"]["ports"] == [{"target": 5432, "host_ip": "127.0.0.1", "protocol": "tcp"}]
    assert "ports" not in made({"api": {"network_mode": "none"}}).document["services"]["api"]


def test_its_own_health_check_is_asked_sooner_and_keeps_the_rest() -> None:
    check = {"test": ["CMD", "x"], "interval": "30s", "start_period": "5s", "start_interval": "9s"}
    assert one(healthcheck=check)["healthcheck"] == {**check, "start_interval": "1s"}
    document = {"name": "x", "services": {"api": {}}}
    old = isolate(document, "y", {}, ports={}, kept=bool, fast_checks=False)
    assert "healthcheck" not in old.document["services"]["api"]


@pytest.mark.parametrize("mode", ["host", "container:other"])
def test_the_network_of_the_host_and_of_strangers_can_not_be_had_twice(mode: str) -> None:
    found = made(
        {
            "sniffer": {"network_mode": mode},
            "beside": {"network_mode": "service:sniffer"},
            "third": {"volumes_from": ["beside:ro"]},
            "api": {
                "depends_on": {
                    "sniffer": {"condition": "service_started"},
                    "db": {"condition": "service_healthy"},
                }
            },
            "db": {},
        }
    )
    assert set(found.left_out) == {"sniffer", "beside", "third"}
    assert found.left_out["third"] == "it shares something of beside, which is left out"
    assert found.document["services"]["api"]["depends_on"] == {"db": {"condition": "service_healthy"}}


def test_volumes_and_networks_are_new_ones() -> None:
    found = made(
        {"api": {"volumes": [{"type": "volume", "source": "data", "target": "/data"}]}},
        volumes={
            "data": {"name": "home_data"},
            "theirs": {"name": "theirs", "external": True},
            "disk": {"driver": "local", "driver_opts": {"type": "none", "o": "bind", "device": "/srv"}},
        },
        networks={
            "inner": {
                "name": "home_inner",
                "internal": True,
                "ipam": {"config": [{"subnet": "10.0.0.0/24"}]},
            },
            "outer": {"name": "traefik", "external": True},
        },
    )
    assert found.document["volumes"] == {name: {"labels": LABELS} for name in ("data", "theirs", "disk")}
    assert found.document["networks"] == {
        "inner": {"internal": True, "labels": LABELS},
        "outer": {"labels": LABELS},
    }
    assert len(found.notes) == 2
    assert found.document["services"]["api"]["volumes"] == [
        {"type": "volume", "source": "data", "target": "/data"}
    ]


def test_folders_of_this_machine_are_not_written_to() -> None:
    mounts: list[dict[str, Any]] = [
        {"type": "bind", "source": "/repo/config", "target": "/etc/app"},
        {"type": "bind", "source": "/repo/data", "target": "/data"},
        {"type": "bind", "source": "/repo/other", "target": "/ro", "read_only": True},
        {"type": "bind", "source": "/var/run/docker.sock", "target": "/var/run/docker.sock"},
        {"type": "tmpfs", "target": "/tmp"},  # noqa: S108
    ]
    found = made({"api": {"volumes": mounts}}, kept="/repo/config")
    service = found.document["services"]["api"]
    assert service["volumes"] == [
        {**mounts[0], "read_only": True},
        {"type": "volume", "source": "api-folder-1", "target": "/data"},
        *mounts[2:],
    ]
    assert found.document["volumes"] == {"api-folder-1": {"labels": LABELS}}
    assert len(found.notes) == 3


def test_what_the_document_says_besides_stays() -> None:
    found = made({"api": {}}, secrets={"token": {"file": "/x"}}, configs={"c": {"content": "y"}})
    assert found.document["secrets"] == {"token": {"file": "/x"}}
    assert found.document["configs"] == {"c": {"content": "y"}}
    assert found.document["name"] == "home-test-1"

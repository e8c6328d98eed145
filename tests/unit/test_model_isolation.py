"""A project made into another one that disturbs nobody."""

from __future__ import annotations

from typing import Any

import pytest

from homeport.model.isolation import Isolated, Source, isolate

LABELS = {"io.homeport.test.run": "1"}


def made(
    services: dict[str, Any], *, ports: dict[str, list[int]] | None = None, kept: str = "", **rest: Any
) -> Isolated:
    document = {"name": "home", "services": services, **rest}

    def source(path: str) -> Source:
        return Source.KEPT if path == kept else Source.MISSING if "missing" in path else Source.DATA

    return isolate(document, "home-test-1", LABELS, ports=ports or {}, source=source)


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
        labels={"traefik.enable": "true"},
        logging={"driver": "syslog"},
        cgroup_parent="/x",
        ports=[{"target": 80, "published": "8080", "host_ip": "0.0.0.0", "protocol": "tcp"}],  # noqa: S104
        networks={"inner": {"ipv4_address": "10.0.0.2", "aliases": ["a"]}, "default": None},
        deploy={"restart_policy": {"condition": "any"}, "resources": {"limits": {"memory": "1g"}}},
    )
    assert found == {
        "image": "i",
        "labels": LABELS,
        "restart": "no",
        "pull_policy": "missing",
        "logging": {"driver": "json-file"},
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
    old = isolate(document, "y", {}, ports={}, source=lambda _: Source.KEPT, fast_checks=False)
    assert "healthcheck" not in old.document["services"]["api"]


@pytest.mark.parametrize(
    "spec",
    [
        {"network_mode": "host"},
        {"network_mode": "container:other"},
        {"network_mode": "somebodys-net"},
        {"pid": "host"},
        {"pid": "container:other"},
        {"ipc": "host"},
        {"uts": "host"},
        {"cgroup": "host"},
        {"privileged": True},
        {"devices": [{"source": "/dev/ttyUSB0", "target": "/dev/ttyUSB0"}]},
        {"provider": {"type": "x"}},
        {"use_api_socket": True},
        {"volumes_from": ["container:other"]},
        {"volumes": [{"type": "bind", "source": "/var/run/docker.sock", "target": "/s", "read_only": True}]},
        {"volumes": [{"type": "bind", "source": "/var/run/", "target": "/s"}]},
        {"volumes": [{"type": "bind", "source": "/", "target": "/host", "read_only": True}]},
    ],
)
def test_who_reaches_out_of_the_project_is_left_out_and_who_shares_that(spec: dict[str, Any]) -> None:
    needs = {"out": {"condition": "service_started"}, "db": {"condition": "service_healthy"}, "gone": {}}
    services = {
        "out": spec,
        "beside": {"network_mode": "service:out"},
        "third": {"volumes_from": ["beside:ro"]},
        "api": {"depends_on": needs},
        "db": {"pid": "service:api", "ipc": "private"},
    }
    found = made(services)
    assert set(found.left_out) == {"out", "beside", "third"}
    assert found.left_out["third"] == "it shares something of beside, which is left out"
    assert found.document["services"]["api"]["depends_on"] == {"db": {"condition": "service_healthy"}}


def test_an_alias_of_a_link_is_one_of_the_network() -> None:
    found = made(
        {
            "api": {"links": ["db:database", "db"], "networks": {"default": None}},
            "db": {"networks": {"default": None, "inner": {"aliases": ["a"]}}},
        }
    )
    assert found.document["services"]["db"]["networks"] == {
        "default": {"aliases": ["database"]},
        "inner": {"aliases": ["a", "database"]},
    }


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
        {"type": "bind", "source": "/repo/missing", "target": "/m", "read_only": True},
        {"type": "tmpfs", "target": "/scratch"},
    ]
    shared = [{"type": "bind", "source": "/repo/data", "target": "/d"}]
    found = made({"api": {"volumes": mounts}, "other": {"volumes": shared}}, kept="/repo/config")
    services = found.document["services"]
    assert services["api"]["volumes"] == [
        {**mounts[0], "read_only": True},
        {"type": "volume", "source": "folder-0", "target": "/data"},
        mounts[2],
        {"type": "volume", "source": "folder-1", "target": "/m"},
        mounts[4],
    ]
    assert services["other"]["volumes"] == [{"type": "volume", "source": "folder-0", "target": "/d"}]
    assert found.document["volumes"] == {name: {"labels": LABELS} for name in ("folder-0", "folder-1")}


def test_what_the_document_says_besides_stays() -> None:
    found = made({"api": {}}, secrets={"token": {"file": "/x"}}, configs={"c": {"content": "y"}})
    assert found.document["secrets"] == {"token": {"file": "/x"}}
    assert found.document["configs"] == {"c": {"content": "y"}}
    assert found.document["name"] == "home-test-1"

"""What is asked of the engine to verify limits, and what its answer is compared with."""

from __future__ import annotations

from typing import Any

import pytest

from homeport.engine.limits import Held, parse
from homeport.resources.verify import alone, differences

SPEC: dict[str, Any] = {
    "image": "x",
    "container_name": "only-one",
    "ports": [{"target": 80, "published": "80"}],
    "volumes": [{"type": "volume", "source": "data", "target": "/data"}],
    "networks": {"default": None},
    "environment": {"SECRET": "1"},
    "mem_limit": "1073741824",
    "deploy": {
        "replicas": 3,
        "resources": {
            "limits": {"cpus": 0.5, "memory": "1073741824", "pids": 50},
            "reservations": {"cpus": 0.25, "memory": "1024"},
        },
    },
}


def test_containers_have_limits_and_nothing_else() -> None:
    assert alone({"api": SPEC, "other": SPEC}, ["api"], "x-limits-1") == {
        "name": "x-limits-1",
        "services": {
            "api": {
                "image": "x",
                "mem_limit": "1073741824",
                "deploy": {"resources": SPEC["deploy"]["resources"]},
                "command": ["true"],
                "network_mode": "none",
                "pull_policy": "never",
            }
        },
    }


@pytest.mark.parametrize(
    ("found", "lines"),
    [
        (Held(0.5, 1024**3, 1024, 50), []),
        (Held(1.0, 1024**3, 1024, 50), ["api: 0.5 cores in the files, 1 in the engine"]),
        (
            Held(0.5, 1024, 0, 0),
            [
                "api: 1.07374e+09 bytes of memory in the files, 1024 in the engine",
                "api: 1024 reserved bytes of memory in the files, 0 in the engine",
                "api: 50 pids in the files, 0 in the engine",
            ],
        ),
    ],
)
def test_differences(found: Held, lines: list[str]) -> None:
    assert differences({"api": SPEC}, {"api": found}) == lines
    assert differences({"bare": {"image": "x"}}, {}) == []


def test_the_engines_description_of_a_container() -> None:
    labels = {"com.docker.compose.service": "api"}
    host = {"NanoCpus": 500000000, "Memory": 10, "MemoryReservation": 5, "PidsLimit": None}
    assert parse({"Config": {"Labels": labels}, "HostConfig": host}) == ("api", Held(0.5, 10, 5, 0))

"""Compose's short forms, written out."""

from __future__ import annotations

from typing import Any

import pytest

from homeport.model.shorthand import HostPort, Mount, dependencies, mounts, ports


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ("80", [HostPort("", 0, 80)]),
        ("8080:80", [HostPort("", 8080, 80)]),
        ("127.0.0.1:8080:80", [HostPort("127.0.0.1", 8080, 80)]),
        ("0.0.0.0:8080:80", [HostPort("", 8080, 80)]),
        ("[::1]:8080:80", [HostPort("::1", 8080, 80)]),
        ("::1:8080:80", [HostPort("::1", 8080, 80)]),
        ("127.0.0.1::80", [HostPort("127.0.0.1", 0, 80)]),
        ("53:53/udp", [HostPort("", 53, 53, "udp")]),
        ("8000-8001:9000-9001", [HostPort("", 8000, 9000), HostPort("", 8001, 9001)]),
        ("9000-9001", [HostPort("", 0, 9000), HostPort("", 0, 9001)]),
        ("8000-8005:80", []),
        ("${PORT}:80", []),
        ("web:80", []),
        ("1-99999:1-99999", []),
        ({"target": "80", "published": "8080", "host_ip": "127.0.0.1"}, [HostPort("127.0.0.1", 8080, 80)]),
        ({"target": "80"}, [HostPort("", 0, 80)]),
        ({"target": "53", "published": "53", "protocol": "udp"}, [HostPort("", 53, 53, "udp")]),
    ],
)
def test_ports(item: Any, expected: list[HostPort]) -> None:
    assert list(ports({"ports": [item]})) == expected


@pytest.mark.parametrize("spec", [{}, {"ports": None}, {"ports": "80:80"}, {"ports": {}}])
def test_no_ports(spec: dict[str, Any]) -> None:
    assert list(ports(spec)) == []


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        (HostPort("", 80, 1), HostPort("127.0.0.1", 80, 2), True),
        (HostPort("127.0.0.1", 80, 1), HostPort("127.0.0.1", 80, 2), True),
        (HostPort("127.0.0.1", 80, 1), HostPort("127.0.0.2", 80, 2), False),
        (HostPort("", 80, 1), HostPort("", 81, 1), False),
        (HostPort("", 53, 53), HostPort("", 53, 53, "udp"), False),
        (HostPort("", 0, 80), HostPort("", 0, 80), False),
    ],
)
def test_only_one_can_have_a_port(one: HostPort, other: HostPort, meet: bool) -> None:
    assert one.meets(other) is other.meets(one) is meet


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ("data:/data", Mount("volume", "data", "/data")),
        ("./conf:/etc/conf:ro", Mount("bind", "./conf", "/etc/conf", True)),
        ("/run/docker.sock:/var/run/docker.sock", Mount("bind", "/run/docker.sock", "/var/run/docker.sock")),
        ("~/x:/x:rw,z", Mount("bind", "~/x", "/x")),
        ("/cache", Mount("volume", "", "/cache")),
        ("C:\\data:/data", Mount("bind", "C:\\data", "/data")),
        ("C:/data:/data:ro", Mount("bind", "C:/data", "/data", True)),
        (
            {"type": "bind", "source": "./x", "target": "/x", "read_only": "true"},
            Mount("bind", "./x", "/x", True),
        ),
        ({"type": "tmpfs", "target": "/run"}, Mount("tmpfs", "", "/run")),
        ({"target": "/x"}, Mount("volume", "", "/x")),
    ],
)
def test_mounts(item: Any, expected: Mount) -> None:
    assert list(mounts({"volumes": [item]})) == [expected]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (["a", "b"], {"a": "service_started", "b": "service_started"}),
        ({"a": {"condition": "service_healthy"}, "b": None, "c": {}}, {
            "a": "service_healthy", "b": "service_started", "c": "service_started",
        }),
        (None, {}),
        ("a", {}),
        ({"a": "b"}, {}),
    ],
)  # fmt: skip
def test_dependencies(said: Any, expected: dict[str, str]) -> None:
    assert dependencies({"depends_on": said}) == expected

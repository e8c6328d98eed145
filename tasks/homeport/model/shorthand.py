"""Compose's short forms of ports, volumes and dependencies, written out. Pure.

Rules: https://github.com/compose-spec/compose-spec/blob/main/05-services.md (ports, volumes, depends_on) and
compose-go v2 (format/volume.go; docker/go-connections: nat/parse.go). What is written wrongly, or holds a
variable without a value, is left out: Compose will say so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from homeport.model.ports import Published, address_of

_RANGE = re.compile(r"(\d+)(?:-(\d+))?")
_MOST_PORTS = 1000


@dataclass(frozen=True)
class HostPort:
    """A port of the host that leads to a port of a container; ``address`` is empty for all of the host's.

    ``outer`` is 0 for any that is free.
    """

    address: str
    outer: int
    inner: int
    protocol: str = "tcp"

    def meets(self, other: HostPort) -> bool:
        """Whether only one of the two can be had."""
        own, its = (Published(one.address, one.outer, one.protocol) for one in (self, other))
        return bool(self.outer) and own.meets(its)


def ports(spec: Mapping[str, Any]) -> Iterator[HostPort]:
    """The ports that a service publishes, ranges one by one."""
    for item in _list(spec.get("ports")):
        if isinstance(item, Mapping):
            outer, inner = str(item.get("published") or ""), str(item.get("target") or "")
            address, protocol = str(item.get("host_ip") or ""), str(item.get("protocol") or "tcp")
        else:
            said, _, protocol = str(item).strip().partition("/")
            address, outer, inner = ["", "", *said.rsplit(":", 2)][-3:]
            address, protocol = address.strip("[]"), protocol or "tcp"
        address = address_of(address)
        inside, outside = _range(inner), _range(outer)
        if (outer and not outside) or (len(inside) == 1 and len(outside) > 1):
            continue  # nobody can tell, or one of several, whichever is free
        for position, one in enumerate(inside):
            yield HostPort(address, outside[position] if position < len(outside) else 0, one, protocol)


@dataclass(frozen=True)
class Mount:
    """What a container mounts. ``kind`` is the long form's ``type``; ``source`` may be empty."""

    kind: str
    source: str
    target: str
    read_only: bool = False


def mounts(spec: Mapping[str, Any]) -> Iterator[Mount]:
    """The volumes and folders that a service mounts."""
    for item in _list(spec.get("volumes")):
        if isinstance(item, Mapping):
            kind, source = str(item.get("type") or "volume"), str(item.get("source") or "")
            read_only = str(item.get("read_only") or "").lower() == "true"
            yield Mount(kind, source, str(item.get("target") or ""), read_only)
            continue
        # A drive of Windows has a colon of its own.
        drive = re.match(r"[A-Za-z]:[\\/]", str(item))
        head, rest = (drive[0], str(item)[drive.end() :]) if drive else ("", str(item))
        parts = rest.split(":")
        if len(parts) == 1 and not drive:
            yield Mount("volume", "", parts[0])
            continue
        source = head + parts[0]
        modes = parts[2].split(",") if len(parts) > 2 else []
        path = drive or source.startswith((".", "/", "~", "\\"))
        yield Mount("bind" if path else "volume", source, parts[1] if len(parts) > 1 else "", "ro" in modes)


def dependencies(spec: Mapping[str, Any]) -> dict[str, str]:
    """By name the services that one waits for, each with the condition."""
    said = spec.get("depends_on")
    if isinstance(said, Mapping):
        return {
            str(name): str((item or {}).get("condition") or "service_started")
            for name, item in said.items()
            if isinstance(item, Mapping | None)
        }
    return {str(name): "service_started" for name in _list(said)}


def _range(text: str) -> list[int]:
    match = _RANGE.fullmatch(text)
    if not match:
        return []
    first, last = int(match[1]), int(match[2] or match[1])
    return list(range(first, last + 1)) if 0 <= last - first < _MOST_PORTS else []


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []

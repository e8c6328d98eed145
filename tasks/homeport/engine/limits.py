"""The limits that the engine makes of a Compose document, read back from containers that never start."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from homeport.engine import compose, process

_SERVICE = "com.docker.compose.service"
_PROJECT = "com.docker.compose.project"
_PERIOD = 100_000
"""Microseconds: the kernel's own, where a quota is set without a period (sched-bwc)."""


@dataclass(frozen=True)
class Held:
    """The limits of a container; sizes are bytes, 0 is no limit."""

    cores: float = 0.0
    memory: int = 0
    reserved_memory: int = 0
    pids: int = 0


def held(document: Mapping[str, Any], services: Sequence[str], cwd: Path) -> dict[str, Held]:
    """By service the limits of a container that is made, read and removed; nothing runs.

    ``document`` must be a project of its own. Raises ContainerProblem with Compose's or the engine's words.
    """
    project = str(document["name"])
    try:
        compose.create(document, services, cwd)
        listed = ["docker", "ps", "--all", "--quiet", "--filter", f"label={_PROJECT}={project}"]
        ids = process.run(listed).stdout.split()
        said = process.run(["docker", "container", "inspect", "--", *ids]).stdout if ids else "[]"
        return dict(parse(item) for item in json.loads(said or "[]"))
    finally:
        compose.down(project)


def parse(document: Mapping[str, Any]) -> tuple[str, Held]:
    """A container's service and limits from the engine's description of it."""
    host = document["HostConfig"]
    return str(document["Config"]["Labels"].get(_SERVICE) or ""), Held(
        cores=_cores(host),
        memory=int(host.get("Memory") or 0),
        reserved_memory=int(host.get("MemoryReservation") or 0),
        pids=max(int(host.get("PidsLimit") or 0), 0),
    )


def _cores(host: Mapping[str, Any]) -> float:
    """Cores at most: Compose's ``cpus`` is the one, its ``cpu_quota`` the other, never both."""
    if nano := int(host.get("NanoCpus") or 0):
        return nano / 1e9
    return max(int(host.get("CpuQuota") or 0), 0) / (int(host.get("CpuPeriod") or 0) or _PERIOD)

"""Whether the engine takes the limits: containers are made with them, read back and removed.

They have the service's image and limits, and nothing else of it: no name, port, network or volume. None
starts, so this may be done on a machine where the stack is at work. Reservations of cores can't be read back,
for Compose doesn't hand them to the engine.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from homeport.engine import compose, images, limits
from homeport.engine.limits import Held
from homeport.errors import WorkFailed
from homeport.model.tiers import bytes_of, cores_of
from homeport.resources.plan import CPUS, MEMORY, PIDS, RESERVED_MEMORY, existing

_KEYS = ("image", "cpus", "mem_limit", "mem_reservation", "pids_limit")


@dataclass(frozen=True)
class Verified:
    """Services whose limits the engine has as the files say them, and why others were not looked at."""

    services: tuple[str, ...]
    left_out: Mapping[str, str]


def verify(files: Sequence[str], cwd: Path, services: Sequence[str]) -> Verified:
    """Compare what the files say of these services with what the engine makes of it.

    Compose resolves the files, so it must be able to. Raises WorkFailed for differences, ContainerProblem
    where the engine refuses a limit, DefinitionError where Compose can't read the project.
    """
    project = compose.config(files, cwd)
    specs: dict[str, Any] = project["services"]
    here = images.find({str(specs[name]["image"]) for name in services if name in specs})
    left_out = {}
    for name in services:
        if name not in specs:
            left_out[name] = "its profile isn't on"
        elif here.get(str(specs[name]["image"])) is None:
            left_out[name] = "its image isn't in the engine"
    chosen = [name for name in services if name not in left_out]
    if not chosen:
        return Verified((), left_out)
    document = alone(specs, chosen, f"{project.get('name')}-limits-{secrets.token_hex(3)}")
    wrong = differences({name: specs[name] for name in chosen}, limits.held(document, chosen, cwd))
    if wrong:
        raise WorkFailed("The engine has other limits than the files say.", detail="\n".join(wrong))
    return Verified(tuple(chosen), left_out)


def alone(specs: Mapping[str, Any], services: Sequence[str], project: str) -> dict[str, Any]:
    """A document with the images and limits of services of the resolved project, and nothing else of them."""
    found = {}
    for name in services:
        spec = specs[name]
        resources = (spec.get("deploy") or {}).get("resources") or {}
        found[name] = {
            **{key: spec[key] for key in _KEYS if key in spec},
            "deploy": {"resources": resources},
            "command": ["true"],
            "network_mode": "none",
            "pull_policy": "never",
        }
    return {"name": project, "services": found}


def differences(specs: Mapping[str, Any], found: Mapping[str, Held]) -> list[str]:
    """A line for each limit that a service has in the files and otherwise, or not, in the engine."""
    lines = []
    for name, spec in specs.items():
        said, has = existing(spec), found.get(name, Held())
        pairs = (
            ("cores", cores_of(said.get(CPUS, "")), has.cores),
            ("bytes of memory", bytes_of(said.get(MEMORY, "")), has.memory),
            ("reserved bytes of memory", bytes_of(said.get(RESERVED_MEMORY, "")), has.reserved_memory),
            ("pids", cores_of(said.get(PIDS, "")), has.pids),
        )
        lines += [
            f"{name}: {want:g} {what} in the files, {got:g} in the engine"
            for what, want, got in pairs
            if want and abs(want - got) > 1e-6 * want
        ]
    return lines

"""Facts, plans and figures of a bench, for tests that need no engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from homeport.bench.copies import Listing
from homeport.bench.definition import Builds
from homeport.bench.facts import Facts
from homeport.bench.figures import Figure, State
from homeport.bench.scenarios import MEASURES
from homeport.engine.buildx import Builder
from homeport.engine.docker import Engine
from homeport.model.targets import Definition, Target

ENVIRONMENT = {"cores": "2", "engine": "28.5.2", "buildx": "0.29.1"}


def builds(specs: Mapping[str, Mapping[str, Any]], *requested: str,
           tagged: Mapping[str, Mapping[str, str]] | None = None) -> Builds:  # fmt: skip
    """Targets as bake would print them; all are asked for unless some are named."""
    targets = {name: Target(name, spec) for name, spec in specs.items()}
    links = tagged or {}
    graph = {name: (*one.linked, *links.get(name, {}).values()) for name, one in targets.items()}
    return Builds(Definition(targets, requested or tuple(targets)), graph, links)


STACK = builds(
    {
        "base": {"context": ".", "dockerfile": "base/Dockerfile", "tags": ["shop/base"]},
        "api": {"context": "api", "contexts": {"base": "target:base"}, "tags": ["shop/api:1"]},
        "web": {"context": "web", "tags": ["shop/web:1"]},
    },
    "api",
    "web",
)
PROJECT: Mapping[str, Any] = {
    "name": "shop",
    "services": {
        "db": {"image": "postgres:16", "volumes": []},
        "api": {"image": "shop/api:1", "depends_on": {"db": {"condition": "service_started"}},
                "ports": [{"target": 8000, "published": "80", "protocol": "tcp"}]},
        "web": {"image": "shop/web:1", "depends_on": {"api": {"condition": "service_started"}}},
    },
}  # fmt: skip


def facts(
    own: Builds | None = STACK, project: Mapping[str, Any] | None = PROJECT, *, local: bool = True
) -> Facts:
    engine = Engine(
        "28.5.2", "overlayfs", True, 2, 8 << 30, 4 << 30, "/var/lib/docker", local, "", "", "", {}
    )
    return Facts(
        Path("/repo"), Listing(Path("/repo"), (), 0), engine, Builder("default", "docker"),
        own, "" if own else "there is no bake file", project, "" if project else "there is no Compose file",
        ENVIRONMENT,
    )  # fmt: skip


def figure(key: str, *values: float, state: State | None = None, reason: str = "") -> Figure:
    chosen = state or (State.MEASURED if values else State.NOT_MEASURED)
    return Figure(MEASURES[key], tuple(values), chosen, reason)


def figures(*found: Figure) -> dict[str, Figure]:
    return {one.measure.key: one for one in found}


def document(values: Mapping[str, Sequence[float]], **more: Any) -> dict[str, Any]:
    """What ``bench --json`` writes of these values."""
    return {
        "schema": "homeport.bench/1",
        "environment": dict(ENVIRONMENT),
        "targets": ["base", "api", "web"],
        "services": ["db", "api", "web"],
        "figures": [{"key": key, "state": "measured", "values": list(own)} for key, own in values.items()],
        **more,
    }

"""Facts made up for tests of plans: an engine, and a repository's targets."""

from __future__ import annotations

from typing import Any

from homeport.build.facts import BuildFacts
from homeport.engine.buildx import Builder
from homeport.engine.docker import Engine, Plugin
from homeport.engine.registry import Answer
from homeport.errors import DefinitionError
from homeport.model.targets import Definition, Target

Targets = dict[str, dict[str, Any]]
GIB = 1024**3


def engine(**more: Any) -> Engine:
    values: dict[str, Any] = {
        "version": "28.5.2",
        "storage": "overlayfs",
        "containerd_store": True,
        "cpus": 2,
        "memory": 24 * GIB,
        "free_memory": 20 * GIB,
        "root": "/var/lib/docker",
        "local": True,
        "time": "",
        "context": "default",
        "name": "host",
        "plugins": {"buildx": Plugin("buildx", "0.29.1", "/plugins/docker-buildx")},
    }
    return Engine(**{**values, **more})


def facts(
    targets: Targets,
    *requested: str,
    images: dict[str, tuple[str, ...]] | None = None,
    driver: str = "docker",
    branch: str | None = "topic",
    answer: Answer | None = None,
    problems: dict[str, DefinitionError] | None = None,
    **about_engine: Any,
) -> BuildFacts:
    found = {name: Target(name, spec) for name, spec in targets.items()}
    return BuildFacts(
        Definition(found, requested or tuple(found)),
        {name: (images or {}).get(name, ()) for name in found},
        engine(**about_engine),
        Builder("b", driver),
        ("/plugins/docker-buildx",),
        branch,
        problems or {},
        answer,
    )

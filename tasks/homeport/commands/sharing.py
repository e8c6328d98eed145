"""Targets shared out over machines: for CI's workflows, and for one machine's part by hand."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from homeport.build import facts
from homeport.build.links import tag_dependencies
from homeport.ci import flow, pipeline
from homeport.ci.pipeline import Work
from homeport.model.config import CiConfig, Config
from homeport.model.graph import closure
from homeport.model.shards import parse_shard
from homeport.report.console import make_console
from homeport.report.document import write_json


def work(
    cwd: Path, *, files: Sequence[str], names: Sequence[str], config: CiConfig
) -> tuple[Work, tuple[str, ...]]:
    """The targets as a build would read them, and warnings: a flow calls no other one."""
    found = facts.read(cwd, files=files, names=names)
    warnings = [*found.warnings]
    targets, requested = found.definition.targets, found.definition.requested
    tagged = tag_dependencies(found.definition, found.images, warnings)
    graph = {
        target.name: tuple(dict.fromkeys((*target.linked, *tagged[target.name].values())))
        for target in found.definition
    }
    needed = closure(graph, requested)
    return Work(
        {name: graph[name] for name in graph if name in needed},
        tuple(name for name in requested if targets[name].tags),
        tuple(name for name in requested if not targets[name].tags),
        () if config.targets else tuple(name for name in targets if name not in needed),
    ), tuple(warnings)


def members(
    shard: str, cwd: Path, config: Config, files: Sequence[str], names: Sequence[str], registry: str
) -> tuple[str, ...]:
    """The targets of ``--shard``, as a matrix of ``ci.generate`` with as many shards lists them.

    ``files``, ``names`` and ``registry`` are what the command line says, else the configuration counts.
    Raises UsageError for what is no shard. Empty where there is nothing in it.
    """
    chosen = parse_shard(shard)
    wanted = names or config.ci.targets or config.build.targets
    found, _ = work(cwd, files=files or config.build.files, names=wanted, config=config.ci)
    times = flow.seconds(cwd, config.ci)
    return chosen.of(pipeline.shares(found, registry or config.build.registry, times, chosen.count))


def show_nothing(shard: str, json: str, document: dict[str, Any]) -> int:
    """Say that a shard has nothing in it, which is no failure; ``document`` is what ``--json`` then gets."""
    make_console(sys.stderr if json == "-" else sys.stdout).print(
        f"Nothing to do: there is nothing in shard {shard}, the targets are shared out over fewer.",
        soft_wrap=True,
        markup=False,
    )
    if json:
        write_json(json, document)
    return 0

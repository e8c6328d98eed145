"""``ci.generate``: workflows for CI, made from what the repository is."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homeport.commands.adapter import command

if TYPE_CHECKING:
    from homeport.ci.pipeline import Work
    from homeport.model.config import Config


@command(
    help={
        "provider": "Whose workflows: github or gitlab (default: what [ci] says).",
        "check": "Write nothing; exit with 1 if the files would be others, and show the difference.",
        "force": "Overwrite files that were edited by hand, too.",
        "dry-run": "Show the difference and write nothing.",
        "json": "Write the plan or result as JSON; '-' is standard output.",
    }
)
def generate(
    c: Any,
    provider: str = "",
    check: bool = False,
    force: bool = False,
    dry_run: bool = False,
    json: str = "",
) -> int:
    """Write the workflows that build, test, scan and deploy this repository in CI."""
    from homeport.ci import flow
    from homeport.commands import settings

    cwd = Path.cwd()
    config = settings.read(cwd)
    given = dataclasses.replace(config.ci, provider=provider or config.ci.provider)
    flow.choose(given.provider)  # before anything is asked for
    work, warnings = _work(cwd, config)
    return flow.run(
        flow.Request(
            cwd,
            work,
            given,
            config.build,
            check=check,
            dry_run=dry_run,
            force=force,
            json=json,
            warnings=warnings,
        )
    )


def _work(cwd: Path, config: Config) -> tuple[Work, tuple[str, ...]]:
    """The targets as a build would read them, and warnings: a flow calls no other one."""
    from homeport.build import facts
    from homeport.build.links import tag_dependencies
    from homeport.ci.pipeline import Work
    from homeport.model.graph import closure

    found = facts.read(cwd, files=config.build.files, names=config.ci.targets or config.build.targets)
    warnings = [*found.warnings]
    targets, requested = found.definition.targets, found.definition.requested
    tagged = tag_dependencies(found.definition, found.images, warnings)
    graph = {
        target.name: tuple(dict.fromkeys((*target.linked, *tagged[target.name].values())))
        for target in found.definition
    }
    needed = closure(graph, requested)
    work = Work(
        {name: graph[name] for name in graph if name in needed},
        tuple(name for name in requested if targets[name].tags),
        tuple(name for name in requested if not targets[name].tags),
        () if config.ci.targets else tuple(name for name in targets if name not in needed),
    )
    return work, tuple(warnings)

"""``ci.generate``: workflows for CI, made from what the repository is."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from homeport.commands.adapter import command

_NO_GIT = "This folder is in no git repository: the files are for one that has it as its top level."


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
    from homeport.commands import settings, sharing
    from homeport.engine import git

    cwd = Path.cwd()
    config = settings.read(cwd)
    given = dataclasses.replace(config.ci, provider=provider or config.ci.provider)
    flow.choose(given.provider)  # before anything is asked for
    place = git.place(cwd)
    work, warnings = sharing.work(
        cwd, files=config.build.files, names=config.ci.targets or config.build.targets, config=config.ci
    )
    return flow.run(
        flow.Request(
            cwd,
            work,
            place.top if place else cwd,
            place.folder if place else "",
            config=given,
            build=config.build,
            check=check,
            dry_run=dry_run,
            force=force,
            json=json,
            warnings=warnings if place else (*warnings, _NO_GIT),
        )
    )

"""``init``: the first settings of a repository."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from homeport.commands.adapter import command


@command(
    help={
        "tasks": "Write a tasks.py, too, for 'invoke build' and tasks of your own beside it.",
        "dry-run": "Show the files and write nothing.",
        "json": "Write what was done as JSON; '-' is standard output.",
    }
)
def init(c: Any, tasks: bool = False, dry_run: bool = False, json: str = "") -> int:
    """Write a homeport.toml for this repository; nothing that is there is changed."""
    from homeport.init import flow

    return flow.run(flow.Request(Path.cwd(), tasks=tasks, dry_run=dry_run, json=json))

"""``resources``: give every service its limits, by its tier."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from homeport.commands.adapter import command, names, whole_number


@command(
    help={
        "apply": "Write the lines into the Compose files (default: show them only).",
        "check": "Exit with 1 if any service lacks limits; for CI.",
        "verify": "Make containers with the limits of the files, read them back, remove them; none starts.",
        "limit": "Only so many services, the first ones that lack something (default: all).",
        "services": "Only these services, separated by commas (default: all).",
        "file": "Compose files, separated by commas (default: where Compose looks).",
        "host": "What the stack runs on, such as 4cpu,16g (default: the engine's machine, if it answers).",
        "json": "Write the plan as JSON; '-' is standard output.",
    }
)
def resources(
    c: Any,
    apply: bool = False,
    check: bool = False,
    verify: bool = False,
    limit: str = "",
    services: str = "",
    file: str = "",
    host: str = "",
    json: str = "",
) -> int:
    """Plan the limits of every service by its tier, and write them into the Compose files."""
    from homeport.commands import settings
    from homeport.model.tiers import make_policy
    from homeport.resources import flow

    cwd = Path.cwd()
    config = settings.read(cwd).resources
    return flow.run(
        flow.Request(
            cwd,
            make_policy(config.tiers, config.services),
            files=names(file) or config.files,
            services=names(services),
            limit=whole_number(limit, "--limit", 0),
            host=host or config.host,
            apply=apply,
            check=check,
            verify=verify,
            json=json,
            environment=os.environ,
        )
    )

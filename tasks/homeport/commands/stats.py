"""``stats``: what a running stack uses of its limits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from homeport.commands.adapter import command, names, whole_number


@command(
    help={
        "seconds": "How long to watch (default: 30).",
        "interval": "Seconds between two looks (default: 1).",
        "services": "Only these services, separated by commas (default: all that run).",
        "check": "Exit with 1 if there is a warning: throttled, near a memory limit, killed, restarted.",
        "file": "Compose files, separated by commas (default: where Compose looks).",
        "json": "Write what was seen as JSON; '-' is standard output.",
        "report": "Write an HTML page and JSON into this folder.",
    }
)
def stats(
    c: Any,
    seconds: str = "",
    interval: str = "",
    services: str = "",
    check: bool = False,
    file: str = "",
    json: str = "",
    report: str = "",
) -> int:
    """Watch what a running stack uses of its limits, and say what to change about them."""
    from homeport.commands import settings
    from homeport.model.tiers import make_policy
    from homeport.stats import flow

    cwd = Path.cwd()
    config = settings.read(cwd)
    return flow.run(
        flow.Request(
            cwd,
            make_policy(config.resources.tiers, config.resources.services),
            files=names(file) or config.deploy.files,
            services=names(services),
            seconds=whole_number(seconds, "--seconds", 30),
            interval=whole_number(interval, "--interval", 1),
            check=check,
            json=json,
            report=report,
        )
    )

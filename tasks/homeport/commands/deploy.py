"""``deploy`` and ``rollback``: put a stack of services into operation, and an old release back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from homeport.commands.adapter import command, names, whole_number

FRONT_IMAGE = "haproxy:3.0"

_HELP = {
    "file": "Compose files, separated by commas (default: where Compose looks).",
    "lock-wait": "Seconds to wait for somebody else's deploy to end (default: 0).",
    "gate": "Seconds that a new replica has to get healthy (default: 120).",
    "message": "What this is for, in the list of releases.",
    "dry-run": "Show the plan and touch nothing.",
    "json": "Write the plan or result as JSON; '-' is standard output.",
}


@command(
    help={
        **_HELP,
        "zero-downtime": "Put a front before each service that can have one; those that have one keep it.",
        "services": "Services, separated by commas (default: all).",
    }
)
def deploy(
    c: Any,
    zero_downtime: bool = False,
    services: str = "",
    file: str = "",
    lock_wait: str = "",
    gate: str = "",
    message: str = "",
    dry_run: bool = False,
    json: str = "",
) -> int:
    """Deploy the services of this repository's Compose file."""
    from homeport.deploy import flow

    return flow.deploy(
        flow.Request(
            Path.cwd(),
            names(file),
            names(services),
            zero_downtime,
            os.environ.get("HAPROXY_IMAGE") or FRONT_IMAGE,
            float(whole_number(gate, "--gate", 120)),
            float(whole_number(lock_wait, "--lock-wait", 0)),
            message,
            dry_run,
            json,
        )
    )


@command(help={**_HELP, "to": "'previous', a release id such as r12, or a git revision."})
def rollback(
    c: Any,
    to: str = "previous",
    file: str = "",
    lock_wait: str = "",
    gate: str = "",
    message: str = "",
    dry_run: bool = False,
    json: str = "",
) -> int:
    """Go back to an old release."""
    from homeport.deploy import flow

    request = flow.Request(
        Path.cwd(),
        names(file),
        gate_seconds=float(whole_number(gate, "--gate", 120)),
        lock_wait=float(whole_number(lock_wait, "--lock-wait", 0)),
        message=message,
        dry_run=dry_run,
        json=json,
    )
    return flow.rollback(request, to)

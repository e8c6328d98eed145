"""``deploy`` and ``rollback``: put a stack of services into operation, and an old release back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homeport.commands.adapter import command, names, whole_number
from homeport.commands.settings import backend

if TYPE_CHECKING:
    from homeport.deploy.request import Request

_HELP = {
    "file": "Compose files, separated by commas (default: where Compose looks).",
    "lock-wait": "Seconds to wait for somebody else's deploy to end (default: 0).",
    "gate": "Seconds that a new replica has to get healthy (default: 120).",
    "message": "What this is for, in the list of releases.",
    "dry-run": "Show the plan and touch nothing.",
    "json": "Write the plan or result as JSON; '-' is standard output.",
    "report": "Write an HTML page and a picture into this folder.",
    "probe": "Send requests to this URL meanwhile, and report what came back.",
}


@command(
    help={
        **_HELP,
        "zero-downtime": "Put a front before each service that can have one; those that have one keep it.",
        "services": "Services, separated by commas (default: all).",
        "irreversible": "Mark the release: no rollback past it without --force.",
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
    irreversible: bool = False,
    dry_run: bool = False,
    json: str = "",
    report: str = "",
    probe: str = "",
) -> int:
    """Deploy the services of this repository's Compose file."""
    request = replace(
        _request(file, lock_wait, gate, message, dry_run=dry_run, json=json, report=report, probe=probe),
        services=names(services),
        zero_downtime=zero_downtime,
        irreversible=irreversible,
    )
    return backend().deploy(request)


@command(
    help={
        **_HELP,
        "to": "'previous', a release id such as r12, or a git revision.",
        "force": "Go back past releases that are marked as irreversible.",
    }
)
def rollback(
    c: Any,
    to: str = "previous",
    file: str = "",
    lock_wait: str = "",
    gate: str = "",
    message: str = "",
    force: bool = False,
    dry_run: bool = False,
    json: str = "",
    report: str = "",
    probe: str = "",
) -> int:
    """Go back to an old release."""
    return backend().rollback(
        _request(file, lock_wait, gate, message, dry_run=dry_run, json=json, report=report, probe=probe),
        to,
        force=force,
    )


def _request(file: str, lock_wait: str, gate: str, message: str, **output: Any) -> Request:
    from homeport.commands import settings
    from homeport.deploy.request import Request

    cwd = Path.cwd()
    config = settings.read(cwd).deploy
    return Request(
        cwd,
        names(file) or config.files,
        front_image=config.front_image,
        gate_seconds=float(whole_number(gate, "--gate", config.gate)),
        run_seconds=float(config.run),
        lock_wait=float(whole_number(lock_wait, "--lock-wait", 0)),
        keep=config.keep,
        before=config.before,
        after=config.after,
        message=message,
        **output,
    )

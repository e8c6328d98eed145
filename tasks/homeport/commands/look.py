"""``status``, ``releases`` and ``unlock``: what runs, what ran, and who is at work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from homeport.commands.adapter import command, names, whole_number
from homeport.commands.settings import backend

_FILE = {"file": "Compose files, separated by commas (default: where Compose looks)."}
_JSON = {"json": "Write it as JSON; '-' is standard output."}


def _files(file: str) -> tuple[str, ...]:
    from homeport.commands import settings

    return names(file) or settings.read(Path.cwd()).deploy.files


@command(help={**_FILE, **_JSON})
def status(c: Any, file: str = "", json: str = "") -> int:
    """Show what runs, and whether that is what the last release says (exit code 1 if not)."""
    return backend().status(Path.cwd(), _files(file), json)


@command(
    help={
        **_FILE,
        **_JSON,
        "pin": "Keep this release for good, such as r12.",
        "unpin": "Keep it only as long as others.",
    }
)
def releases(c: Any, pin: str = "", unpin: str = "", file: str = "", json: str = "") -> int:
    """List the releases of this stack, the latest first; or pin one."""
    return backend().releases(Path.cwd(), _files(file), json, pin=pin, unpin=unpin)


@command(help=_FILE)
def unlock(c: Any, file: str = "") -> int:
    """Break the lock of a deploy that is gone."""
    return backend().unlock(Path.cwd(), _files(file))


@command(
    help={
        **_FILE,
        "services": "Services, separated by commas (default: all).",
        "follow": "Go on showing what comes.",
        "lines": "Only so many of the last lines of each container (default: 100; 0: all).",
        "since": "Only what is newer, such as 10m or 2026-01-31T12:00:00.",
    }
)
def logs(
    c: Any, services: str = "", follow: bool = False, lines: str = "", since: str = "", file: str = ""
) -> int:
    """Show what the containers write that serve now."""
    most = whole_number(lines, "--lines", 100)
    return backend().logs(Path.cwd(), _files(file), names(services), follow=follow, lines=most, since=since)


@command(
    help={
        **_FILE,
        "lock-wait": "Seconds to wait for somebody else's deploy to end (default: 0).",
        "volumes": "Remove the volumes with their data, too, and all releases.",
    }
)
def down(c: Any, file: str = "", lock_wait: str = "", volumes: bool = False) -> int:
    """Stop and remove the stack; volumes and the list of releases stay."""
    wait = float(whole_number(lock_wait, "--lock-wait", 0))
    return backend().down(Path.cwd(), _files(file), wait, everything=volumes)

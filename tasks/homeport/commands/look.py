"""``status``, ``releases`` and ``unlock``: what runs, what ran, and who is at work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from homeport.commands.adapter import command, names

_FILE = {"file": "Compose files, separated by commas (default: where Compose looks)."}
_JSON = {"json": "Write it as JSON; '-' is standard output."}


@command(help={**_FILE, **_JSON})
def status(c: Any, file: str = "", json: str = "") -> int:
    """Show what runs, and whether that is what the last release says (exit code 1 if not)."""
    from homeport.deploy import look

    return look.status(Path.cwd(), names(file), json)


@command(help={**_FILE, **_JSON})
def releases(c: Any, file: str = "", json: str = "") -> int:
    """List the releases of this stack, the latest first."""
    from homeport.deploy import look

    return look.releases(Path.cwd(), names(file), json)


@command(help=_FILE)
def unlock(c: Any, file: str = "") -> int:
    """Break the lock of a deploy that is gone."""
    from homeport.deploy import look

    return look.unlock(Path.cwd(), names(file))

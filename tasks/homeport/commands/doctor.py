"""``doctor``: is everything here that homeport needs?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from homeport.commands.adapter import command


@command(
    help={
        "registry": "A registry to ask, too (default: the configured one).",
        "json": "Write the findings as JSON; '-' is standard output.",
    }
)
def doctor(c: Any, registry: str = "", json: str = "") -> int:
    """Check engine, buildx, Compose, image store, registry, disk, memory and clock."""
    from homeport.commands import settings
    from homeport.doctor import flow
    from homeport.model.config import check_registry

    if registry:
        check_registry(registry, "--registry")
    registry = registry or settings.read(Path.cwd()).build.registry
    return flow.run(registry=registry.rstrip("/"), json=json)

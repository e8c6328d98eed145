"""Networks and volumes: what services share, and what can't be made another way under them. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from typing import Any

from homeport.errors import DefinitionError

KINDS = ("networks", "volumes")


def digests(stack: str, document: Mapping[str, Any]) -> dict[str, str]:
    """How a resolved Compose document defines its networks and volumes: a digest by kind and engine's name.

    External ones are somebody else's.
    """
    return {
        f"{kind} {(entry or {}).get('name') or f'{stack}_{key}'}": _digest(entry or {})
        for kind in KINDS
        for key, entry in (document.get(kind) or {}).items()
        if not (entry or {}).get("external")
    }


def externals(
    document: Mapping[str, Any], specs: Mapping[str, Mapping[str, Any]]
) -> dict[tuple[str, str], str]:
    """What services (``specs`` by name) use of others' networks and volumes: by kind and engine's name the
    first of them that does."""
    found: dict[tuple[str, str], str] = {}
    for service, spec in specs.items():
        volumes = [one.get("source") for one in spec.get("volumes") or () if one.get("type") == "volume"]
        for kind, keys in zip(KINDS, (spec.get("networks") or (), volumes), strict=True):
            for key in keys:
                entry = (document.get(kind) or {}).get(key) or {}
                if entry.get("external"):
                    found.setdefault((kind.removesuffix("s"), str(entry.get("name") or key)), service)
    return found


def check(before: Mapping[str, str], now: Mapping[str, str], in_use: Collection[str]) -> tuple[str, ...]:
    """Compare two results of :func:`digests`, the last release's and the Compose file's.

    ``in_use`` are the networks that containers of the stack are in. Raises DefinitionError for one of those:
    to change it, Compose would have to take everything off it. Returns warnings about volumes.
    """
    changed = [name for name, digest in now.items() if before.get(name, digest) != digest]
    networks = [name for kind, _, name in (one.partition(" ") for one in changed) if kind == "networks"]
    if used := [name for name in networks if name in in_use]:
        raise DefinitionError(
            f"The network {used[0]} is defined in another way than when it was made.",
            cause="A network can't be changed while containers are in it, and all services there would stop.",
            hint="Give it another 'name', or take the stack down ('homeport down') and deploy it again.",
            detail="\n".join(f"also: {name}" for name in used[1:]),
        )
    return tuple(
        f"The volume {name} is defined in another way than when it was made: it stays as it was."
        for kind, _, name in (one.partition(" ") for one in changed)
        if kind == "volumes"
    )


def _digest(entry: Mapping[str, Any]) -> str:
    text = json.dumps(entry, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:8]

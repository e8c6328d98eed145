"""Which stack a folder is about: by its Compose files, or where these can't be read by its containers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from homeport.engine import compose, containers
from homeport.errors import DefinitionError


@dataclass(frozen=True)
class Found:
    """A stack's name, and its Compose project; nothing of it, but a warning, where Compose can't read it."""

    name: str
    document: Mapping[str, Any] = field(hash=False)
    warning: str = ""


def of(cwd: Path, files: Sequence[str]) -> Found:
    """The stack of a folder. A Compose file that can't be read is no reason to show or stop nothing.

    Raises DefinitionError where containers don't say it either: there are none, or of several stacks.
    """
    try:
        document = compose.config(files, cwd)
    except DefinitionError as error:
        names = containers.projects_of(cwd)
        if len(names) != 1:
            raise
        told = f"{error.what} {error.cause}".strip()
        return Found(names[0], {}, f"{told} So this is about {names[0]}, by its containers.")
    return Found(str(document.get("name") or ""), document)

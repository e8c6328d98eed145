"""Where a command's defaults come from: homeport.toml, or ``[tool.homeport]`` in pyproject.toml."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homeport.errors import UsageError
from homeport.model.config import Config, parse_config

if TYPE_CHECKING:
    from homeport.deploy.backends import Backend

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def read(cwd: Path) -> Config:
    """The configuration of the repository in ``cwd``; none is needed.

    Raises UsageError for a file that is no TOML or has an unknown key.
    """
    where = path(cwd)
    if where.name == "homeport.toml" and where.is_file():
        return parse_config(_load(where), where.name)
    if where.is_file():
        tools = _load(where).get("tool")
        table = tools.get("homeport", {}) if isinstance(tools, dict) else {}
        if not isinstance(table, dict):
            raise UsageError("pyproject.toml: 'tool.homeport' must be a table, [tool.homeport].")
        return parse_config(table, "pyproject.toml, [tool.homeport]")
    return Config()


def backend() -> Backend:
    """What this repository is deployed with. Raises UsageError."""
    from homeport.deploy import backends

    return backends.of(read(Path.cwd()).deploy.backend)


def path(cwd: Path) -> Path:
    """The file that the configuration is read from, or would be if there were one."""
    own, project = cwd / "homeport.toml", cwd / "pyproject.toml"
    return project if project.is_file() and not own.is_file() else own


def _load(path: Path) -> dict[str, Any]:
    try:
        # Some editors on Windows begin a file with a mark of its encoding, which TOML doesn't know.
        document: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        return document
    except (ValueError, OSError, RecursionError) as error:
        raise UsageError(
            f"{path.name} can't be read: {error}.", hint="Correct it there; it must be TOML in UTF-8."
        ) from error

"""The Compose files of a folder, found and read as Compose does it, without the docker command."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from homeport.errors import DefinitionError
from homeport.model.project import Project, loader, read_project

NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
OVERRIDES = (
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)
"""Where Compose looks, in its order (compose-go, cli/options.go)."""

_ASSIGNMENT = re.compile(r"^[ \t]*(?:export[ \t]+)?([A-Za-z_]\w*)=[\"']?([^\"'\r\n#]*)", re.MULTILINE)


@dataclass(frozen=True, eq=False)
class ComposeFiles:
    """The project, the bytes of each of its files as they were read, and where the repository begins."""

    project: Project
    sources: Mapping[Path, bytes] = field(hash=False)
    folder: Path
    """What paths are shown from."""
    inside: tuple[Path, ...]
    """Folders whose files may be changed."""
    environment: Mapping[str, str] = field(hash=False, repr=False)
    files: tuple[Path, ...] = ()

    def shown(self, path: Path) -> str:
        """A file's name as people read it."""
        return shown(path, self.folder)


def read(cwd: Path, files: Sequence[str], environment: Mapping[str, str]) -> ComposeFiles:
    """Read the Compose files of ``cwd``, and what they include and extend.

    ``files`` are as for ``docker compose --file``; none: Compose's own look-up. Variables in names of files,
    images and ports get their values from ``environment``, from ``.env`` if there is one, or their defaults.
    Raises DefinitionError for files that are missing or can't be read.
    """
    chosen = [_absolute(cwd, name) for name in files] or look_up(cwd, environment)
    sources: dict[Path, bytes] = {}

    def load(path: Path) -> bytes:
        try:
            sources[path] = path.read_bytes()
        except OSError as error:
            raise DefinitionError(
                f"{shown(path, cwd)} can't be read: {error.strerror or error}.",
                hint="Make it readable."
                if isinstance(error, PermissionError)
                else "Name Compose files with --file, or correct the 'include' or 'extends' that names it.",
            ) from error
        return sources[path]

    environment = {**_dotenv(chosen[0].parent), **environment}
    project = read_project(chosen, loader(load, lambda path: shown(path, cwd)), environment)
    named = tuple(path.parent for path in chosen) if files else ()
    return ComposeFiles(project, sources, cwd, (_root(cwd), *named), environment, tuple(chosen))


def look_up(cwd: Path, environment: Mapping[str, str]) -> list[Path]:
    """The files that Compose would take in ``cwd``: COMPOSE_FILE's, or the first of its names and override.

    Raises DefinitionError if there is none.
    """
    if listed := environment.get("COMPOSE_FILE") or _dotenv(cwd).get("COMPOSE_FILE"):
        separator = environment.get("COMPOSE_PATH_SEPARATOR") or os.pathsep
        return [_absolute(cwd, name) for name in listed.split(separator) if name]
    for folder in (cwd, *cwd.parents):
        for name in NAMES:
            if (folder / name).is_file():
                over = [folder / other for other in OVERRIDES if (folder / other).is_file()]
                return [folder / name, *over[:1]]
    raise DefinitionError(
        f"There is no Compose file in {cwd}.",
        hint="Run this in your repository's root, or name the file with --file.",
    )


def shown(path: PurePath, folder: PurePath) -> str:
    """A path from ``folder``, or the whole of it where it lies elsewhere."""
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)


def _absolute(cwd: Path, name: str) -> Path:
    return Path(os.path.normpath(cwd / name))


def _root(cwd: Path) -> Path:
    return next((folder for folder in (cwd, *cwd.parents) if (folder / ".git").exists()), cwd)


def _dotenv(folder: Path) -> dict[str, str]:
    """The variables of a folder's ``.env``, if it has one. What they say is shown nowhere."""
    try:
        text = (folder / ".env").read_text(encoding="utf-8-sig", errors="replace")
    except OSError:
        return {}
    return {match[1]: match[2].strip() for match in _ASSIGNMENT.finditer(text)}

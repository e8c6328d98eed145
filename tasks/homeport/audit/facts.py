"""The Dockerfiles and Compose projects of a repository, and what they call by a name, read once."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from homeport.audit.transfer import Build
from homeport.errors import DefinitionError
from homeport.model.project import Service, interpolated
from homeport.model.yaml_tree import entry
from homeport.sources import compose
from homeport.sources.compose import ComposeFiles

_NAME = re.compile(
    r"^((.+\.)?(Dockerfile|Containerfile)|(Dockerfile|Containerfile)([.-].+)?)$", re.IGNORECASE
)
_NONE = re.compile(
    r"\.(dockerignore|md|txt|py|sh|js|ts|ya?ml|json|tmp|bak|orig|old|swp)$|[._-](backup|bak)([._-]|$)",
    re.IGNORECASE,
)
_SKIPPED = {
    ".git",
    "node_modules",
    ".venv",
    "venv",
    "__pycache__",
    ".tox",
    ".nox",
    ".mypy_cache",
    "site-packages",
}
_DEFINES = re.compile(r"^(.*\.hcl|docker-bake(\..+)?\.json|(docker-)?compose(\..+)?\.ya?ml)$", re.IGNORECASE)
_CONTEXT = re.compile(
    r"""(?<![\w./:@-])([\w./:@-]+?)["']?\s*[=:]\s*["']?(?:target:|service:|docker-image://|oci-layout://)""",
)
_LARGEST = 1 << 20
"""Bytes: no Dockerfile is larger, and something else may have such a name."""


@dataclass(frozen=True)
class Source:
    """A file: its path, how it is shown, its bytes, and its text, in which every byte has its place."""

    path: Path
    shown: str
    data: bytes

    @property
    def text(self) -> str:
        return self.data.decode("utf-8", "surrogateescape")


@dataclass(frozen=True)
class Built:
    """A Compose service and what it is built of."""

    service: Service
    build: Build


@dataclass(frozen=True)
class AuditFacts:
    """What an audit looks at, and what it couldn't read."""

    dockerfiles: tuple[Source, ...]
    problems: tuple[str, ...] = ()
    contexts: frozenset[str] = frozenset()
    """Names that stand for a context, so that a FROM with one of them is no image."""
    projects: tuple[ComposeFiles, ...] = ()
    unreadable: tuple[tuple[str, DefinitionError], ...] = ()
    """Compose projects by the file that each begins with, and why they can't be read."""
    built: tuple[Built, ...] = ()


def read(root: Path, files: Sequence[str] = (), environment: Mapping[str, str] | None = None) -> AuditFacts:
    """Find and read the Dockerfiles and Compose projects below ``root``.

    Folders of tools and links to folders are left out. ``files`` are Compose files, as for ``docker compose
    --file``; without, each folder with a file that Compose looks for is a project, unless another one
    includes it. ``environment`` gives variables their values.
    """
    found, problems = [], []
    contexts: set[str] = set()
    folders: dict[Path, Path] = {}
    for path in _files(root):
        if path.name in compose.NAMES:
            folders.setdefault(path.parent, path)
        shown = path.relative_to(root).as_posix()
        try:
            state = path.stat()
            if not stat.S_ISREG(state.st_mode):
                continue  # a pipe would never end
            if state.st_size > _LARGEST:
                problems.append(f"{shown} is larger than a Dockerfile can be, and was left out.")
                continue
            if _DEFINES.match(path.name):
                contexts |= set(_CONTEXT.findall(path.read_bytes().decode("utf-8", "replace")))
            else:
                found.append(Source(path, shown, path.read_bytes()))
        except OSError as error:
            problems.append(f"{shown} can't be read: {error.strerror}.")
    projects, unreadable = _projects(root, files, folders, environment or {})
    built = [each for one in projects for each in _built(one)]
    return AuditFacts(
        tuple(found), tuple(problems), frozenset(contexts), tuple(projects), tuple(unreadable), tuple(built)
    )


def _projects(
    root: Path, files: Sequence[str], folders: Mapping[Path, Path], environment: Mapping[str, str]
) -> tuple[list[ComposeFiles], list[tuple[str, DefinitionError]]]:
    found: list[ComposeFiles] = []
    unreadable = []
    known: set[Path] = set()
    # What COMPOSE_FILE says is about the folder that somebody stands in.
    elsewhere = {name: value for name, value in environment.items() if name != "COMPOSE_FILE"}
    chosen = {root: root} if files or environment.get("COMPOSE_FILE") else {}
    for folder, first in {**chosen, **({} if files else folders)}.items():
        if folder != root and any((folder / name) in known for name in compose.NAMES):
            continue
        try:
            one = compose.read(folder, files, environment if folder == root else elsewhere)
        except DefinitionError as error:
            unreadable.append((compose.shown(first, root) if first != root else ", ".join(files), error))
            continue
        known |= set(one.sources)
        found.append(replace(one, folder=root))
    return found, unreadable


def _built(files: ComposeFiles) -> Iterator[Built]:
    """What the services of a project are built of, as far as that is a folder of this machine."""
    for service in files.project.services.values():
        said = service.spec.get("build")
        said = {"context": said} if isinstance(said, str) else said
        place = next((one for one in reversed(service.layers) if entry(one.node, "build")), None)
        if not isinstance(said, Mapping) or place is None or said.get("dockerfile_inline"):
            continue
        named = interpolated(str(said.get("context") or "."), files.environment)
        own = interpolated(str(said.get("dockerfile") or "Dockerfile"), files.environment)
        if "://" in named or "$" in named + own or named.startswith("git@"):
            continue
        folder = Path(os.path.normpath(files.project.folder_of(place.path) / named))
        dockerfile = Path(os.path.normpath(folder / own))
        build = Build(
            folder,
            dockerfile,
            files.shown(dockerfile),
            _pairs(said.get("args"), files.environment),
            interpolated(str(said.get("target") or ""), files.environment),
            frozenset(_pairs(said.get("additional_contexts"), files.environment)),
        )
        yield Built(service, build)


def _pairs(said: Any, environment: Mapping[str, str]) -> dict[str, str]:
    if isinstance(said, list):
        pairs = (str(item).partition("=") for item in said)
        said = {name: value if sign else environment.get(name) for name, sign, value in pairs}
    return {
        str(name): interpolated(str(value), environment)
        for name, value in (said.items() if isinstance(said, Mapping) else ())
        if value is not None
    }


def _files(root: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in _SKIPPED)
        for name in sorted(files):
            if _DEFINES.match(name) or (_NAME.match(name) and not _NONE.search(name)):
                yield Path(folder, name)

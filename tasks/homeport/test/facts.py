"""What there is to test, read once: targets with Dockerfiles and tests, the Compose project, the engine."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from homeport.engine import buildx, compose, docker, images
from homeport.engine.buildx import Builder
from homeport.engine.docker import Engine
from homeport.errors import DefinitionError
from homeport.model.dockerfile import parse
from homeport.model.instruction import DockerfileSyntaxError
from homeport.model.targets import Definition, Target
from homeport.sources.tracked import tracked

COMPOSE_FILES = buildx.COMPOSE_FILES
_FOLDERS = ("tests", "test")
_SYSTEM = ("/proc", "/sys", "/dev", "/run", "/var/run", "/etc", "/lib/modules")
"""What of this machine is mounted to be looked at, and is no service's data."""


@dataclass(frozen=True)
class Subject:
    """What is known of a target: the stages of its Dockerfile, the folder with its tests (relative to the
    repository, empty without one), a file that names what they need, the user of its image and its tag, if
    the engine has one."""

    stages: frozenset[str] = frozenset()
    folder: str = ""
    needs: str = ""
    image: str = ""
    user: str = ""


@dataclass(frozen=True)
class Facts:
    """Everything read. ``document`` is the Compose project, empty where there is none."""

    root: Path
    engine: Engine
    buildx: tuple[str, ...]
    builder: Builder
    definition: Definition | None
    tested: Mapping[str, Subject] = field(hash=False)
    document: Mapping[str, Any] = field(hash=False)
    integration: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def read(
    root: Path,
    *,
    build_files: Sequence[str],
    targets: Sequence[str],
    builder: str,
    compose_files: Sequence[str],
    folders: Mapping[str, str],
) -> Facts:
    """Read the facts. ``folders`` are those with tests, by target, that somebody named.

    Raises DefinitionError, UsageError or EnvironmentProblem.
    """
    engine = docker.engine()
    command = buildx.command(engine.plugin("buildx"))
    warnings: tuple[str, ...] = ()
    with ThreadPoolExecutor(3) as pool:
        chosen = pool.submit(buildx.builder, command, builder)
        resolved = pool.submit(project, compose_files, root)
        try:
            definition, warnings = buildx.definition(command, build_files, targets, root)
        except DefinitionError:
            if targets or not resolved.result():
                raise
            definition = None  # a project of images that others build can be tested, too
        document = resolved.result()
    wanted = definition.requested if definition else ()
    tested = {
        name: _tested(definition.targets[name], root, folders.get(name, "")) for name in wanted if definition
    }
    tags = {name: tag for name in wanted if definition for tag in definition.targets[name].tags[:1]}
    found = images.find(tags.values())
    tested = {
        name: Subject(
            one.stages,
            one.folder,
            one.needs,
            tags[name] if found.get(tags.get(name, "")) else "",
            image.user if (image := found.get(tags.get(name, ""))) else "",
        )
        for name, one in tested.items()
    }
    return Facts(
        root, engine, command, chosen.result(), definition, tested, document, _integration(root), warnings
    )


def project(files: Sequence[str], root: Path) -> dict[str, Any]:
    """The Compose project as Compose resolves it; empty where there is none. Raises DefinitionError."""
    if not files and not any((root / name).is_file() for name in COMPOSE_FILES):
        return {}
    return compose.config(files, root)


def _integration(root: Path) -> tuple[str, ...]:
    return ("tests/integration",) if (root / "tests" / "integration").is_dir() else ()


def _tested(target: Target, root: Path, folder: str) -> Subject:
    context = root / target.context
    path = context / target.dockerfile
    text = target.inline_dockerfile
    if text is None:
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return Subject()  # the build has said so, or it is fetched from elsewhere
    try:
        froms = [one.value.split() for one in parse(text).instructions if one.keyword == "FROM"]
    except DockerfileSyntaxError:
        return Subject()
    stages = frozenset(words[2].lower() for words in froms if len(words) >= 3 and words[1].upper() == "AS")
    places = [path.parent, *([context] if context.resolve() != root.resolve() else [])]
    found = root / folder if folder else next(filter(None, map(_tests_in, places)), None)
    if found is None:
        return Subject(stages)
    needs = [found.parent / name for name in ("requirements-test.txt", "requirements-dev.txt")]
    return Subject(
        stages,
        Path(os.path.relpath(found, root)).as_posix(),
        next((one.name for one in needs if one.is_file()), ""),
    )


def _tests_in(place: Path) -> Path | None:
    """The folder of a service that holds tests as pytest names them."""
    for name in _FOLDERS:
        if any((place / name).rglob("test_*.py")) or any((place / name).rglob("*_test.py")):
            return place / name
    return None


class Kept:
    """Whether a path is mounted as it is: files, what git keeps, and what is the system's own."""

    def __init__(self, root: Path) -> None:
        self._tracked = tracked(root)

    def __call__(self, path: str) -> bool:
        if Path(path).is_file() or path.startswith(_SYSTEM):
            return True
        return self._tracked is not None and self._tracked.holds(os.path.realpath(path))

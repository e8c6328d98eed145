"""What there is to test, read once: targets with Dockerfiles and tests, the Compose project, the engine."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from homeport.engine import buildx, compose, docker, images
from homeport.engine.buildx import Builder
from homeport.engine.docker import Engine
from homeport.errors import DefinitionError
from homeport.model.dockerfile import parse
from homeport.model.instruction import DockerfileSyntaxError, Instruction
from homeport.model.targets import Definition, Target

COMPOSE_FILES = buildx.COMPOSE_FILES
_FOLDERS = ("tests", "test")


@dataclass(frozen=True)
class Subject:
    """What is known of a target: the stages of its Dockerfile, the folder with its tests (relative to the
    repository, empty without one), a file that names what they need, the user of its image and its tag, if
    the engine has one."""

    stages: frozenset[str] = frozenset()
    """Those with a step of their own, in lower case."""
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
        name: subject_of(definition.targets[name], root, folders.get(name, ""))
        for name in wanted
        if definition
    }
    tags = {name: tag for name in wanted if definition for tag in definition.targets[name].tags[:1]}
    if document and len(tags) < len(wanted):
        # As a build does: what has no name in the file gets Compose's.
        names = compose.image_names(compose_files, root)
        tags |= {name: names[name][0] for name in wanted if name not in tags and names.get(name)}
    found = images.find(tags.values())
    tested = {
        name: Subject(
            one.stages,
            one.folder,
            one.needs,
            tags[name] if found.get(tags.get(name, "")) else "",
            image.user if (image := found.get(tags.get(name, ""))) else one.user,
        )
        for name, one in tested.items()
    }
    return Facts(
        root, engine, command, chosen.result(), definition, tested, document, _integration(root), warnings
    )


def project(files: Sequence[str], root: Path) -> dict[str, Any]:
    """The Compose project as Compose resolves it; empty where there is none. Raises DefinitionError."""
    said = os.environ.get("COMPOSE_FILE") or _says_which(root / ".env")
    if not files and not said and not any((root / name).is_file() for name in COMPOSE_FILES):
        return {}
    return compose.config(files, root)


def _says_which(path: Path) -> bool:
    """Whether a .env names the Compose files."""
    try:
        return "COMPOSE_FILE=" in path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def _integration(root: Path) -> tuple[str, ...]:
    return ("tests/integration",) if (root / "tests" / "integration").is_dir() else ()


def subject_of(target: Target, root: Path, folder: str) -> Subject:
    """What the files say of a target; ``folder`` is the one with its tests, if somebody named it."""
    context = root / target.context
    path = context / target.dockerfile
    if path.name == "Dockerfile" and not path.exists():
        path = path.with_name("dockerfile")  # buildx takes either name
    text = target.inline_dockerfile
    if text is None:
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return Subject()  # the build has said so, or it is fetched from elsewhere
    try:
        instructions = parse(text).instructions
    except DockerfileSyntaxError:
        return Subject()
    stages = frozenset(_with_steps(instructions))
    user = next((one.value.strip() for one in reversed(instructions) if one.keyword == "USER"), "")
    places = [path.parent, *([context] if context.resolve() != root.resolve() else [])]
    found = root / folder if folder else next(filter(None, map(_tests_in, places)), None)
    if found is None:
        return Subject(stages, user=user)
    needs = [found.parent / name for name in ("requirements-test.txt", "requirements-dev.txt")]
    return Subject(
        stages,
        Path(os.path.relpath(found, root)).as_posix(),
        next((one.name for one in needs if one.is_file()), ""),
        user=user,
    )


def _with_steps(instructions: Sequence[Instruction]) -> Iterator[str]:
    """The names of stages that run something: building another one tests nothing."""
    name = ""
    for one in instructions:
        if one.keyword == "FROM":
            words = one.value.split()
            name = words[2].lower() if len(words) >= 3 and words[1].upper() == "AS" else ""
        elif one.keyword == "RUN" and name:
            yield name


def _tests_in(place: Path) -> Path | None:
    """The folder of a service that holds tests as pytest names them."""
    for name in _FOLDERS:
        if any((place / name).rglob("test_*.py")) or any((place / name).rglob("*_test.py")):
            return place / name
    return None

"""Everything a build is decided by, read once: targets, Dockerfiles, engine, builder, registry, git."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from homeport.engine import buildx, docker, git, registry
from homeport.engine.buildx import Builder
from homeport.engine.compose import image_names as compose_images
from homeport.engine.docker import Engine
from homeport.errors import DefinitionError, UsageError
from homeport.model.dockerfile import Dockerfile, parse
from homeport.model.instruction import DockerfileSyntaxError
from homeport.model.reading import Reading, platform_args
from homeport.model.reading import read as read_stages
from homeport.model.targets import Definition, Target

_REMOTE = re.compile(r"^([a-z][a-z0-9+.-]*://|git@|github\.com/)", re.IGNORECASE)


@dataclass(frozen=True)
class BuildFacts:
    """The facts of one build.

    By target: ``images`` are the images and contexts its Dockerfile names, ``problems`` what makes it
    impossible to build, ``dockerfiles`` and ``readings`` (by platform) what could be read of its Dockerfile,
    ``unreadable`` why it couldn't. ``branch`` is empty for a detached commit and None without git.
    """

    definition: Definition
    images: Mapping[str, tuple[str, ...]] = field(hash=False)
    engine: Engine
    builder: Builder
    buildx: tuple[str, ...]
    branch: str | None
    problems: Mapping[str, DefinitionError] = field(hash=False)
    registry_answer: registry.Answer | None
    warnings: tuple[str, ...] = ()
    dockerfiles: Mapping[str, Dockerfile] = field(default_factory=dict, hash=False)
    readings: Mapping[str, Mapping[str, Reading]] = field(default_factory=dict, hash=False)
    unreadable: Mapping[str, str] = field(default_factory=dict, hash=False)


def start(cwd: Path, **about: Any) -> Future[BuildFacts]:
    """:func:`read` in the background: what it waits for takes as long as loading the rest of this program."""
    pool = ThreadPoolExecutor(1, thread_name_prefix="facts")
    future = pool.submit(read, cwd, **about)
    pool.shutdown(wait=False)
    return future


def read(
    cwd: Path,
    *,
    files: Sequence[str] = (),
    names: Sequence[str] = (),
    builder: str = "",
    registry_prefix: str = "",
) -> BuildFacts:
    """Read the facts for the targets or groups ``names`` in ``cwd``.

    Raises DefinitionError, UsageError or EnvironmentProblem; nothing has been touched then.
    """
    for file in files:
        if file == "-":
            raise UsageError("--file can't read standard input.", hint="Write the definition into a file.")
        if not _REMOTE.match(file) and not (cwd / file).is_file():
            raise UsageError(f"There is no file {file!r} in {cwd}.", hint="Correct --file or [build] files.")
    # The engine is asked first: where it is missing, what buildx says about it is much harder to read.
    engine = docker.engine()
    command = buildx.command(engine.plugin("buildx"))
    with ThreadPoolExecutor(3) as pool:
        asked = pool.submit(registry.ask, registry_prefix) if registry_prefix else None
        chosen = pool.submit(buildx.builder, command, builder)
        branch = pool.submit(git.branch, cwd)
        definition, warnings = _definition(command, files, names, cwd)
        definition = _with_compose_names(definition, files, cwd)
        answer = asked.result() if asked else None
        if answer is not None and answer.state == "down" and not engine.local:
            # It may well be the engine's neighbour, and unreachable from here.
            warnings = (
                *warnings,
                f"The registry {registry_prefix} doesn't answer here; the engine may reach it.",
            )
            answer = None
        found = BuildFacts(
            definition,
            {},
            engine,
            chosen.result(),
            command,
            branch.result(),
            {target.name: wrong for target in definition if (wrong := problem_of(target, cwd))},
            answer,
            warnings,
        )
    return read_dockerfiles(found, cwd)


def read_dockerfiles(facts: BuildFacts, cwd: Path) -> BuildFacts:
    """The same facts with the Dockerfiles as they are now."""
    dockerfiles, unreadable = _dockerfiles(facts.definition, cwd)
    readings = {
        target.name: _readings(target, dockerfiles[target.name], facts.engine.platform)
        for target in facts.definition
        if target.name in dockerfiles
    }
    images = {target.name: images_of(readings.get(target.name, {})) for target in facts.definition}
    return replace(facts, images=images, dockerfiles=dockerfiles, readings=readings, unreadable=unreadable)


def definition_files(cwd: Path, files: Sequence[str]) -> dict[str, str]:
    """The texts of the files that say what is built, by their absolute paths; a deleted one has none."""
    names = [*files] or [*buildx.BAKE_FILES, *buildx.COMPOSE_FILES]
    found: dict[str, str] = {}
    for name in names:
        path = Path(os.path.realpath(cwd)) / name
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            text = ""
        found |= {str(path): text, os.path.realpath(path): text}
    return found


def _definition(
    command: Sequence[str], files: Sequence[str], names: Sequence[str], cwd: Path
) -> tuple[Definition, tuple[str, ...]]:
    """Bake's own look-up; where its Compose half can't be loaded, the bake files alone, with a warning.

    Bake merges every Compose file it finds with the bake files. A repository whose Compose file needs
    secrets or an .env that isn't there could then build nothing, although its bake file is complete.
    """
    try:
        return buildx.definition(command, files, names, cwd)
    except DefinitionError as error:
        alone = [name for name in buildx.BAKE_FILES if (cwd / name).is_file()]
        if files or not alone or not any((cwd / name).is_file() for name in buildx.COMPOSE_FILES):
            raise
        # Where the bake files are at fault, too, it is their error that counts.
        definition, warnings = buildx.definition(command, alone, names, cwd)
        left_out = (
            f"The Compose file was left out, because bake can't load it ({error.cause or error.what}); "
            f"what counts is {', '.join(alone)} alone. Say which files count with [build] files."
        )
        return definition, (left_out, *warnings)


def _with_compose_names(definition: Definition, files: Sequence[str], cwd: Path) -> Definition:
    """Give the images of Compose services that have no ``image`` the names that Compose gives them."""
    compose = [file for file in files if file.endswith((".yaml", ".yml"))]
    there = compose or (not files and any((cwd / name).is_file() for name in buildx.COMPOSE_FILES))
    if not there or all(target.tags for target in definition):
        return definition
    names = compose_images(compose, cwd)
    targets = {
        target.name: Target(target.name, MappingProxyType({**target.spec, "tags": list(names[target.name])}))
        if not target.tags and names.get(target.name)
        else target
        for target in definition
    }
    return Definition(MappingProxyType(targets), definition.requested)


def _dockerfiles(definition: Definition, cwd: Path) -> tuple[dict[str, Dockerfile], dict[str, str]]:
    """By target its Dockerfile, or why it can't be read here; a file that several use is read once."""
    found: dict[str, Dockerfile] = {}
    unreadable: dict[str, str] = {}
    parsed: dict[Path | str, Dockerfile] = {}
    for target in definition:
        where = (
            target.inline_dockerfile if target.inline_dockerfile is not None else dockerfile_path(target, cwd)
        )
        try:
            if where is None:
                unreadable[target.name] = "its Dockerfile is fetched from elsewhere"
                continue
            if where not in parsed:
                # Line ends as they are: a carriage return alone is no line end for BuildKit.
                parsed[where] = parse(
                    where if isinstance(where, str) else where.read_bytes().decode(errors="replace")
                )
            found[target.name] = parsed[where]
        except OSError as error:
            unreadable[target.name] = f"its Dockerfile can't be read: {error.strerror}"
        except DockerfileSyntaxError as error:
            unreadable[target.name] = f"its Dockerfile can't be read: {error}"
    return found, unreadable


def _readings(target: Target, file: Dockerfile, platform: str) -> dict[str, Reading]:
    """What building the target looks at, by platform; ``platform`` is the engine's own."""
    return {
        wanted: read_stages(
            file,
            args=target.args,
            platform=platform_args(wanted, platform),
            stage=target.stage,
            contexts=tuple(target.contexts),
        )
        for wanted in map(str, target.spec.get("platforms") or [platform])
    }


def images_of(readings: Mapping[str, Reading]) -> tuple[str, ...]:
    """Images and named contexts that a target's Dockerfile refers to; none where it can't be read here."""
    return tuple(dict.fromkeys(name for reading in readings.values() for name in reading.references))


def dockerfile_path(target: Target, cwd: Path) -> Path | None:
    """Where the target's Dockerfile lies on this machine; None for a remote context."""
    if is_remote(target.context):
        return None
    path = local_path(target.context, cwd) / target.dockerfile
    lower = path.with_name("dockerfile")
    # buildx takes a lower-case name, too, where the usual one is not there.
    return lower if path.name == "Dockerfile" and not path.exists() and lower.is_file() else path


def local_path(context: str, cwd: Path) -> Path:
    """A context's folder; ``cwd://`` is bake's word for the working directory."""
    return cwd / context.removeprefix("cwd://")


def is_remote(context: str) -> bool:
    """Whether a context is fetched by BuildKit instead of sent from here."""
    return context == "-" or (bool(_REMOTE.match(context)) and not context.startswith("cwd://"))


def problem_of(target: Target, cwd: Path) -> DefinitionError | None:
    """What makes the target impossible to build: a context or a Dockerfile that isn't there."""
    if is_remote(target.context):
        return None
    context = local_path(target.context, cwd)
    if not context.is_dir() and not context.is_file():
        return DefinitionError(
            f"Target '{target.name}': its context {target.context!r} is not there.",
            cause=f"Looked for {os.path.normpath(context)}.",
            hint="Correct 'context' in the bake or Compose file, or check the folder out.",
        )
    path = dockerfile_path(target, cwd)
    if context.is_dir() and target.inline_dockerfile is None and path is not None and not path.is_file():
        return DefinitionError(
            f"Target '{target.name}': its Dockerfile {target.dockerfile!r} is not there.",
            cause=f"Looked for {os.path.normpath(path)}.",
            hint="Correct 'dockerfile' in the bake or Compose file, or add the file.",
        )
    return None

"""Everything a build is decided by, read once: targets, Dockerfiles, engine, builder, registry, git."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from homeport.engine import buildx, docker, git, registry
from homeport.engine.buildx import Builder
from homeport.engine.compose import image_names as compose_images
from homeport.engine.docker import Engine
from homeport.errors import DefinitionError, UsageError
from homeport.model import dockerfile
from homeport.model.targets import Definition, Target

_REMOTE = re.compile(r"^([a-z][a-z0-9+.-]*://|git@|github\.com/)", re.IGNORECASE)


@dataclass(frozen=True)
class BuildFacts:
    """The facts of one build.

    ``images`` are, by target, the images and contexts its Dockerfile names; ``problems`` what makes a
    target impossible to build; ``branch`` is empty for a detached commit and None without git.
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
        return BuildFacts(
            definition,
            {target.name: images_of(target, cwd, engine.platform) for target in definition},
            engine,
            chosen.result(),
            command,
            branch.result(),
            {target.name: wrong for target in definition if (wrong := problem_of(target, cwd))},
            answer,
            warnings,
        )


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


def images_of(target: Target, cwd: Path, platform: str) -> tuple[str, ...]:
    """Images and named contexts that the target's Dockerfile refers to; none where it can't be read here.

    ``platform`` is the engine's own, for a target that asks for none.
    """
    text = dockerfile_text(target, cwd)
    found: dict[str, None] = {}
    for wanted in target.spec.get("platforms") or [platform] if text is not None else []:
        stages = dockerfile.stages(text or "", target.args, dockerfile.platform_args(str(wanted)))
        found |= dict.fromkeys(dockerfile.images(stages, target.stage))
    return tuple(found)


def dockerfile_text(target: Target, cwd: Path) -> str | None:
    """The Dockerfile's text, or None for one that lies in a remote context or isn't there."""
    if target.inline_dockerfile is not None:
        return target.inline_dockerfile
    path = dockerfile_path(target, cwd)
    try:
        return None if path is None else path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


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

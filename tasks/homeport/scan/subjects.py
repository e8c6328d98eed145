"""Which images are scanned: those of bake targets, or of Compose services without a bake file. Pure."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from homeport.engine.buildx import BAKE_FILES, COMPOSE_FILES
from homeport.engine.images import Image
from homeport.errors import EnvironmentProblem, UsageError, did_you_mean
from homeport.model.targets import Definition, bake_name


@dataclass(frozen=True)
class Wanted:
    """An image that somebody asks for: target or service, the image's name, and the file it comes from.

    ``file`` is relative to the repository, with ``/``: what a finding of the image is shown at.
    """

    target: str
    reference: str
    file: str
    built: bool = True
    """Whether ``homeport build`` makes it; else it is fetched."""


@dataclass(frozen=True)
class Subject:
    """One image of the engine, by its id; several targets may have the same one."""

    id: str
    reference: str
    targets: tuple[str, ...]
    file: str


def has_bake(cwd: Path, files: Sequence[str]) -> bool:
    """Whether a bake file says what is built; ``files`` are those of ``[build]``, if it names any."""
    if files:
        return not all(file.endswith((".yaml", ".yml")) for file in files)
    return any((cwd / name).is_file() for name in BAKE_FILES)


def definition_file(cwd: Path, files: Sequence[str]) -> str:
    """The file that says what is built or run: where findings are shown that have no Dockerfile here."""
    looked_for = files or (*BAKE_FILES, *COMPOSE_FILES)
    return next((name for name in looked_for if (cwd / name).is_file()), "")


def of_targets(definition: Definition, cwd: Path, fallback: str) -> tuple[list[Wanted], tuple[str, ...]]:
    """The images of the targets that were asked for, and a warning for those that have no name.

    ``fallback`` is the file of a target whose Dockerfile doesn't lie in ``cwd``. Raises UsageError.
    """
    wanted, nameless = [], []
    for name in definition.requested:
        target = definition.targets[name]
        if target.tags:
            file = cwd / target.context.removeprefix("cwd://") / target.dockerfile
            wanted.append(Wanted(name, target.tags[0], shown_file(file, cwd) or fallback))
        else:
            nameless.append(name)
    if not wanted:
        raise UsageError(
            "No target has a tag, so there is no image to be found.",
            hint="Give the targets 'tags' in the bake file, or name others with --targets.",
        )
    warning = f"Not scanned, for they have no tag by which the engine knows them: {', '.join(nameless)}."
    return wanted, (warning,) if nameless else ()


def of_services(document: Mapping[str, Any], names: Sequence[str], cwd: Path, fallback: str) -> list[Wanted]:
    """The images of a resolved Compose project's services; ``names`` choose some. Raises UsageError."""
    services: Mapping[str, Mapping[str, Any]] = document["services"]
    # Where services are built, their targets have these names.
    known = {bake_name(name): name for name in services}
    for name in names:
        if name not in services and bake_name(name) not in known:
            raise UsageError(
                f"There is no service named {name!r}.",
                cause=did_you_mean(name, services),
                hint=f"Services: {', '.join(services)}.",
            )
    chosen = [name if name in services else known[bake_name(name)] for name in names] or services
    wanted = []
    for name in dict.fromkeys(chosen):
        build = services[name].get("build")
        file = fallback
        if build:
            path = Path(str(build.get("context") or cwd)) / str(build.get("dockerfile") or "Dockerfile")
            file = shown_file(path, cwd) or fallback
        wanted.append(Wanted(name, str(services[name]["image"]), file, built=bool(build)))
    return wanted


def subjects(wanted: Iterable[Wanted], found: Mapping[str, Image | None]) -> list[Subject]:
    """The images as the engine has them now, each once. Raises EnvironmentProblem for a missing one."""
    wanted = list(wanted)
    missing = [one for one in wanted if found.get(one.reference) is None]
    if missing:
        names = ", ".join(f"{one.target} ({one.reference})" for one in missing)
        fetched = [one.target for one in missing if not one.built]
        raise EnvironmentProblem(
            f"Not in the engine, so it can't be scanned: {names}.",
            cause="It was never built or fetched on this engine, or has been removed since.",
            hint="Run 'homeport build' first."
            if not fetched
            else f"Run 'docker compose pull {' '.join(fetched)}' first"
            + (", and 'homeport build'." if len(fetched) < len(missing) else "."),
        )
    by_id: dict[str, list[Wanted]] = {}
    for one in wanted:
        image = found[one.reference]
        if image is not None:
            by_id.setdefault(image.id, []).append(one)
    return [
        Subject(id, ones[0].reference, tuple(dict.fromkeys(one.target for one in ones)), ones[0].file)
        for id, ones in by_id.items()  # noqa: A001 - an image's own word for it
    ]


def shown_file(path: PurePath, cwd: PurePath) -> str:
    """A path as findings show it: relative to ``cwd``, with ``/``; empty for what lies elsewhere."""
    try:
        relative = type(path)(os.path.normpath(path)).relative_to(os.path.normpath(cwd))
    except ValueError:
        return ""
    return relative.as_posix()

"""What there is to measure, read once: the repository, what it builds, its Compose project, the machine."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from homeport import __version__
from homeport.bench import copies
from homeport.bench.copies import Listing
from homeport.bench.definition import Builds, Places
from homeport.engine import buildx, compose, docker, git
from homeport.engine.buildx import Builder
from homeport.engine.docker import Engine
from homeport.errors import DefinitionError
from homeport.report.words import size


@dataclass(frozen=True)
class Facts:
    """Everything read. Of ``builds`` and ``project`` (Compose's, as it resolves it) each may be missing; then
    ``no_builds`` and ``no_project`` say why. ``environment`` says where this is measured."""

    root: Path
    source: Listing
    engine: Engine
    builder: Builder
    builds: Builds | None
    no_builds: str
    project: Mapping[str, Any] | None = field(hash=False)
    no_project: str
    environment: Mapping[str, str] = field(hash=False)
    front_image: str = ""
    """What .env says that fronts run; empty where it says nothing."""

    @property
    def places(self) -> Places:
        return Places(self.root, self.source.top)


def read(
    root: Path,
    *,
    builds: Builds | None,
    no_builds: str,
    builder: str,
    compose_files: Sequence[str],
    front_variable: str,
) -> Facts:
    """Read the facts; ``builds`` has been read already, by who knows how.

    Raises UsageError without git, EnvironmentProblem without an engine, DefinitionError if there is neither
    anything to build nor to deploy.
    """
    root = Path(os.path.realpath(root))
    source = copies.listing(root)
    engine = docker.engine()
    command = buildx.command(engine.plugin("buildx"))
    with ThreadPoolExecutor(3) as pool:
        chosen = pool.submit(buildx.builder, command, builder)
        version = pool.submit(buildx.version, command)
        composed = pool.submit(compose.version)
        try:
            project: dict[str, Any] | None = compose.config(compose_files, root)
            no_project = ""
        except DefinitionError as error:
            project, no_project = None, " ".join(filter(None, (error.what, error.cause)))
    if builds is None and project is None:
        raise DefinitionError(
            "There is nothing to measure: no build definition and no Compose project.",
            cause=no_builds,
            hint="Run this in your repository's root, or name the files in homeport.toml.",
            detail=no_project,
        )
    front = ""
    if project is not None and (root / ".env").is_file():
        front = compose.variable(front_variable, compose.environment(compose_files, root)).strip()
    places = _environment(root, engine, chosen.result(), version.result(), composed.result())
    return Facts(root, source, engine, chosen.result(), builds, no_builds, project, no_project, places, front)


def _environment(
    root: Path, engine: Engine, builder: Builder, buildx_version: str, compose_version: str
) -> dict[str, str]:
    revision, dirty = git.revision(root)
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "cores": str(engine.cpus),
        "memory": size(engine.memory),
        "free memory": size(engine.free_memory),
        "busy before": f"{psutil.cpu_percent(interval=0.5):.0f} %",
        "system": f"{platform.system()} {platform.machine()}",
        "engine": engine.version,
        "buildx": buildx_version,
        "compose": compose_version,
        "image store": "containerd" if engine.containerd_store else engine.storage,
        "builder": f"{builder.name} ({builder.driver})",
        "homeport": __version__,
        "python": platform.python_version(),
        "revision": f"{revision or 'none'}{', with changes' if dirty else ''}",
    }

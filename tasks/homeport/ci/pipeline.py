"""What a provider writes workflows from: checked settings, and who builds which targets. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from homeport.errors import UsageError
from homeport.model.config import BuildConfig, CiConfig
from homeport.model.graph import Graph
from homeport.model.shards import Shards, share
from homeport.report.document import BUILD_SCHEMA

GITHUB_REGISTRY = "ghcr.io"
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]*")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
_FOLDER = re.compile(r"[\w.@+ -]+(/[\w.@+ -]+)*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Work:
    """The repository's targets: what each builds on, and those that CI is to build and have a name."""

    graph: Graph = field(hash=False)
    wanted: tuple[str, ...]
    unnamed: tuple[str, ...] = ()
    """Targets to build that have no tag, so they can't be pushed."""
    others: tuple[str, ...] = ()
    """Targets that nobody asks for and that nothing needs."""


@dataclass(frozen=True)
class Pipeline:
    """Everything that decides the workflows; texts may stand in YAML between quotation marks."""

    shards: Shards
    config: CiConfig
    registry: str
    main_branch: str
    folder: str = ""
    """Where the stack is, from git's top level; empty for the top."""

    @property
    def prefix(self) -> str:
        """What the names of files, workflows and what is unique in a repository begin with."""
        return f"{self.config.name}-" if self.config.name else ""

    @property
    def report(self) -> str:
        """The folder of a job's report, from git's top level."""
        return f"{self.folder}/report" if self.folder else "report"

    @property
    def host(self) -> str:
        """The registry to log in at; empty for none."""
        first = self.registry.partition("/")[0]
        return first if not first or "." in first or ":" in first or first == "localhost" else "docker.io"

    @property
    def install(self) -> str:
        """The command line that installs homeport."""
        return f"python -m pip install {shlex.quote(self.config.homeport)}"


class Provider(Protocol):
    """A CI system: a module with these functions."""

    def files(self, pipeline: Pipeline) -> dict[str, str]:
        """By path from git's top level the text of each file, without the header of :mod:`marked`.

        Raises UsageError for settings that this provider can't have.
        """
        ...


def make(
    work: Work, config: CiConfig, build: BuildConfig, seconds: Mapping[str, float], folder: str = ""
) -> Pipeline:
    """The pipeline of the stack in ``folder``. Raises UsageError for settings that no workflow can have."""
    check(config, build, folder)
    shards = shares(work, build.registry, seconds, config.shards)
    return Pipeline(shards, config, build.registry.rstrip("/"), build.main_branch, folder)


def shares(work: Work, registry: str, seconds: Mapping[str, float], count: int) -> Shards:
    """Who builds what: the same for CI and for ``--shard`` by hand."""
    # Without a registry nothing is pushed, and a target needs no name.
    return share(work.graph, work.wanted if registry else (*work.wanted, *work.unnamed), seconds, count)


def warnings(work: Work, build: BuildConfig) -> tuple[str, ...]:
    """What is in no shard, by name."""
    found = []
    if work.unnamed and build.registry:
        found.append(
            f"{', '.join(work.unnamed)}: without a tag, so not pushed; built only with what needs it."
        )
    if work.others:
        found.append(
            f"CI builds what 'homeport build' builds, which leaves out {', '.join(work.others)}. "
            "Choose with [ci] targets."
        )
    return tuple(found)


def check(config: CiConfig, build: BuildConfig, folder: str = "") -> None:
    """Raise UsageError for the first setting that can't stand in a workflow."""
    if config.name and not _NAME.fullmatch(config.name):
        raise UsageError(
            f"[ci] name: {config.name!r} can't begin the name of a workflow.",
            hint="Small letters, digits and _ - can.",
        )
    # Paths of artifacts are patterns: https://github.com/actions/upload-artifact, "path".
    if folder and not _FOLDER.fullmatch(folder):
        raise UsageError(
            f"The folder {folder!r} can't stand in a workflow.",
            hint="Letters, digits, blanks and . _ - @ + can.",
        )
    lists = {
        "runner": config.runner,
        "deploy-runner": config.deploy_runner,
        "environments": config.environments,
        "python": (config.python,),
    }
    if not config.environments:
        raise UsageError("[ci] environments is empty.", hint='Name one: [ci] environments = ["production"].')
    for key, values in lists.items():
        for value in values:
            if not _LABEL.fullmatch(value):
                raise UsageError(
                    f"[ci] {key}: {value!r} can't stand in a workflow.",
                    hint="Letters, digits, blanks and . _ - can.",
                )
    for key, value in {
        "registry-user": config.registry_user,
        "registry-password": config.registry_password,
    }.items():
        if value and not _VARIABLE.fullmatch(value):
            raise UsageError(
                f"[ci] {key} is the name of a variable, not {value!r}.",
                hint="Its value belongs into the provider's own settings, never into a file.",
            )
    for key, value in {"[ci] homeport": config.homeport, "[build] main-branch": build.main_branch}.items():
        if not value or "${{" in value or not value.isprintable():
            raise UsageError(f"{key}: {value!r} can't stand in a workflow.")
    for key, number in {"shards": config.shards, "minutes": config.minutes}.items():
        if not number:
            raise UsageError(f"[ci] {key} must be 1 or more.")


def times(document: Any, source: str) -> dict[str, float]:
    """By target the seconds in a document of ``build --json``. Raises UsageError for anything else."""
    if not isinstance(document, Mapping) or document.get("schema") != BUILD_SCHEMA:
        raise UsageError(
            f"{source} is no result of a build.",
            cause=f"Its 'schema' is not {BUILD_SCHEMA!r}.",
            hint=f"'homeport build --parallel --no-skip --json {source}' writes one.",
        )
    found: dict[str, float] = {}
    targets: Sequence[Any] = document.get("targets") or ()
    for target in targets if isinstance(targets, list) else ():
        if isinstance(target, Mapping) and target.get("status") == "built":
            seconds = target.get("seconds")
            if isinstance(seconds, int | float) and seconds > 0:
                found[str(target.get("name"))] = float(seconds)
    return found

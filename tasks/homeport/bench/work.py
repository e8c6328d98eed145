"""What all steps have in hand: copies of the repository, names, and programs that are timed in them."""

from __future__ import annotations

import json
import os
import secrets
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import psutil

from homeport.bench import mounts
from homeport.bench.copies import Workplace
from homeport.bench.definition import Builds, bake_document, dockerfile
from homeport.bench.facts import Facts
from homeport.bench.names import Names
from homeport.bench.plan import COPIES, BenchPlan
from homeport.engine import images, process
from homeport.engine.process import Timed
from homeport.errors import HomeportError
from homeport.model.config import BenchConfig, BuildConfig, DeployConfig
from homeport.report.words import one_line
from homeport.sources.cache import VARIABLE as CACHE_VARIABLE

GRACE_SECONDS = 40.0
"""What a homeport that is stopped may take: it stops what it has started first."""
_IDLE_PERCENT = 15.0


class StepFailed(Exception):
    """A step did not do what it is about; its figure means nothing."""


class NotMeasured(Exception):
    """Something can't be measured here, and that is nobody's failure."""


@dataclass(frozen=True)
class Value:
    """What a step measured: the key of the measure, the value, and what is to be known of it."""

    key: str
    value: float
    notes: tuple[str, ...] = ()


class Load(Protocol):
    """What callers saw: requests that were sent, and those that got no answer or one of a server at fault."""

    @property
    def sent(self) -> Sequence[Any]: ...

    @property
    def failed(self) -> Sequence[Any]: ...

    @property
    def errors(self) -> Mapping[str, int]: ...


class Caller(Protocol):
    """Sends requests for as long as its block lasts."""

    @property
    def result(self) -> Load: ...


@dataclass(frozen=True)
class Sent:
    """Bytes that a target's build is sent at most: without ignore files, with them, with mended ones."""

    without: int
    present: int
    mended: int


@dataclass(frozen=True)
class Lent:
    """What other rooms do for this one, handed over by the command: a flow calls no other one."""

    call: Callable[[str, float], AbstractContextManager[Caller]]
    """A caller of a URL, so many requests a second."""
    sent: Callable[[Builds], tuple[Mapping[str, Sent], tuple[str, ...]]]
    """By target what is sent, and what couldn't be told."""
    cache_rules: tuple[str, ...]
    """The rules of ``audit`` that are about cache mounts."""


@dataclass
class Work:
    """One run at work."""

    facts: Facts
    plan: BenchPlan
    names: Names
    place: Workplace
    config: BenchConfig
    build: BuildConfig
    deploy: DeployConfig
    lent: Lent
    tell: Callable[[str], None]
    probes: Mapping[tuple[str, int], str] = field(default_factory=dict)
    """By service and port of the container the path to ask for."""
    pulled: list[str] = field(default_factory=list)
    """Images that the engine didn't have before."""
    _trees: dict[str, Path] = field(default_factory=dict)

    @property
    def builds(self) -> Builds:
        if self.plan.builds is None:
            raise NotMeasured(self.facts.no_builds)
        return self.plan.builds

    @property
    def allow(self) -> tuple[str, ...]:
        """What bake may do: as the settings say, whether that is meant of the repository or of its copy."""
        found = [*self.build.allow]
        for entry in self.build.allow:
            what, _, path = entry.partition("=")
            if what.startswith("fs") and path and not Path(path).is_absolute():
                found.append(f"{what}={os.path.normpath(self.facts.root / path)}")
        if self.facts.root != self.facts.source.top:
            found.append(f"fs.read={self.place.folder}")
        if self.facts.builds and any(one.spec.get("secret") for one in self.facts.builds.definition):
            # Secrets aren't copied.
            found.append(f"fs.read={self.facts.source.top}")
        return tuple(found)

    # -- copies ---------------------------------------------------------------------------------------------

    def tree(self, step: str) -> Path:
        """The copy that a step works in: the folder in it that stands for the repository's."""
        return self.tree_named(COPIES[step])

    def tree_named(
        self,
        name: str,
        edit: Callable[[str], str] | None = None,
        prepare: Callable[[Path], None] | None = None,
    ) -> Path:
        """A copy, made when it is asked for first. ``prepare`` gets its folder then, before anything else is
        done with it, ``edit`` the text of each Dockerfile."""
        if name not in self._trees:
            top = self.place.copy(name)
            root = top / self.facts.root.relative_to(self.facts.source.top)
            root.mkdir(parents=True, exist_ok=True)
            (root / "homeport.toml").write_text(self._settings(), encoding="utf-8", newline="\n")
            if prepare:
                prepare(root)
            for path in dict.fromkeys(self.dockerfiles(root).values()):
                text = edit(read(path)) if edit else read(path)
                write(path, self._own_caches(name, text, path))
            self._trees[name] = root
        return self._trees[name]

    def without_caches(self, tree: str) -> str:
        """Give the cache mounts of a copy new ids, so that all of them are empty; returns what these begin
        with, after the run's own name."""
        root = self.tree_named(tree)
        marked = f"{tree}-{secrets.token_hex(4)}"
        for path in dict.fromkeys(self.dockerfiles(root).values()):
            original = self.facts.source.top / path.relative_to(self.place.folder / tree)
            write(path, self._own_caches(marked, read(original), path))
        return marked

    def dockerfiles(self, root: Path) -> dict[str, Path]:
        """By target the Dockerfile in a copy."""
        found = {}
        for name in self.builds.order if self.plan.builds else ():
            path = dockerfile(self.builds.definition.targets[name], root, self.facts.places)
            if path is not None:
                found[name] = path
        return found

    def _own_caches(self, tree: str, text: str, path: Path) -> str:
        """Cache mounts get ids of this run: what the user keeps in theirs is neither used nor changed."""
        try:
            return mounts.own(text, f"{self.names.prefix}-{tree}")
        except mounts.NotEditable as error:
            raise StepFailed(f"the cache mounts of {path.name} can't be kept apart: {error}") from error

    def _settings(self) -> str:
        """homeport.toml of the copy: nothing of the user's that reaches out of it, such as a registry."""
        build = {
            "allow": list(self.allow),
            "retries": 0,
            "jobs": self.build.jobs,
            "builder": self.build.builder,
        }
        deploy = {"gate": self.deploy.gate, "run": self.deploy.run, "front-image": self._front()}
        lines = ["[build]", *_toml(build), "[deploy]", *_toml(deploy)]
        return "".join(f"{line}\n" for line in lines)

    def _front(self) -> str:
        return self.facts.front_image or self.deploy.front_image

    def deploy_folder(self, kind: str) -> Path:
        """An empty folder for a deploy, with the settings."""
        folder = self.place.make(kind)
        (folder / "homeport.toml").write_text(self._settings(), encoding="utf-8", newline="\n")
        return folder

    # -- definitions ----------------------------------------------------------------------------------------

    def define(
        self, kind: str, tree: str, builds: Builds, *, uncached: bool = False
    ) -> tuple[Path, dict[str, Any]]:
        """Write the definition of ``builds`` under names of their own ``kind``: the file, and what is in it.

        ``tree`` begins the ids of cache mounts of Dockerfiles that stand in the definition. ``uncached``:
        each step runs, whatever is cached.
        """
        order = builds.order
        inline = {
            name: self._own_caches(tree, text, Path(name))
            for name in order
            if (text := builds.definition.targets[name].inline_dockerfile) is not None
        }
        made = bake_document(
            builds,
            self.names.tags(tuple(builds.definition.targets), kind),
            self.names.labels,
            self.facts.places,
            uncached=order if uncached else (),
            inline=inline,
        )
        path = self.place.folder / f"{kind}.json"
        path.write_text(json.dumps(made), encoding="utf-8", newline="\n")
        return path, made

    def untag(self, made: Mapping[str, Any]) -> None:
        """Take away the images of a definition, so that they don't pile up."""
        images.untag(tag for spec in made["target"].values() for tag in spec["tags"])

    # -- programs -------------------------------------------------------------------------------------------

    def homeport(
        self, words: Sequence[str], folder: Path, cache: str, env: Mapping[str, str] | None = None
    ) -> tuple[Timed, dict[str, Any]]:
        """Run homeport as a person would: how it went and its JSON. ``cache`` names what it remembers.

        Raises StepFailed with its own words.
        """
        out = self.place.folder / "out.json"
        out.unlink(missing_ok=True)
        more = {
            **self._environment(),
            CACHE_VARIABLE: str(self.place.folder / f"cache-{cache}"),
            **(env or {}),
        }
        self.settle()
        done = self.timed([sys.executable, "-m", "homeport", *words, "--json", str(out)], folder, more)
        if done.code != 0:
            raise StepFailed(words_of(done, self.config.limit))
        return done, json.loads(out.read_text(encoding="utf-8")) if out.is_file() else {}

    def timed(self, argv: Sequence[str], folder: Path, env: Mapping[str, str] | None = None) -> Timed:
        """Run a program and take the time."""
        return process.timed(
            argv, cwd=folder, env=env or self._environment(), limit=self.config.limit, grace=GRACE_SECONDS
        )

    def _environment(self) -> dict[str, str]:
        return {
            # Nothing of the copy may be taken for a module of homeport's.
            "PYTHONSAFEPATH": "1",
            "PYTHONDONTWRITEBYTECODE": "",
            # Another project, and no files but those that are named.
            "COMPOSE_FILE": "", "COMPOSE_PROFILES": "", "COMPOSE_ENV_FILES": "", "COMPOSE_PROJECT_NAME": "",
            # In CI nobody wants a summary of these.
            "GITHUB_ACTIONS": "", "GITHUB_STEP_SUMMARY": "",
            "NO_COLOR": "1",
        }  # fmt: skip

    def settle(self) -> None:
        """Wait for an idle machine: engines tidy up after work, at the cost of whoever works next."""
        end = time.monotonic() + self.config.settle
        while time.monotonic() < end and psutil.cpu_percent(interval=0.5) > _IDLE_PERCENT:
            pass

    def image(self, name: str) -> None:
        """Make sure that the engine has an image. Raises NotMeasured."""
        if images.find([name])[name] is not None:
            return
        self.tell(f"fetching {name}")
        worked, said = images.pull(name)
        if not worked:
            raise NotMeasured(f"the image {name} can't be had: {one_line(said, 160)}")
        self.pulled.append(name)


def read(path: Path) -> str:
    """A Dockerfile, with line ends and whatever isn't UTF-8 as they are."""
    return path.read_bytes().decode("utf-8", "surrogateescape")


def write(path: Path, text: str) -> None:
    """Write what :func:`read` gave."""
    path.write_bytes(text.encode("utf-8", "surrogateescape"))


def words_of(done: Timed, limit: float) -> str:
    """Why a program failed, in its own words: the error and its cause, else its last line."""
    if done.code is None:
        return f"no end after {limit:.0f} s"
    lines = [line.strip() for line in done.said.splitlines() if line.strip()]
    said = [line for line in lines if line.lower().startswith(("error:", "cause:"))]
    # Of several errors the first is the cause; of a line and its cause both count.
    found = said[:2] if said and said[0].startswith("error:") else said[-1:]
    return one_line(" ".join(found) or (lines[-1] if lines else f"exit code {done.code}"), 300)


def reason_of(error: HomeportError) -> str:
    """An error in one line."""
    return one_line(" ".join(filter(None, (error.what, error.cause, error.detail))), 300)


def _toml(values: Mapping[str, Any]) -> list[str]:
    # JSON's strings, numbers and lists of strings are TOML's, too.
    return [f"{key} = {json.dumps(value)}" for key, value in values.items()]

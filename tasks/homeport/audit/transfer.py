"""What a build is sent of its context: which files, how large, and which of them stand out.

Rules: BuildKit collects what COPY, ADD and bind mounts of the stages that are built name, and asks the client
for that and no more; for all of it, if one of them names the whole context (moby/buildkit
frontend/dockerfile/dockerfile2llb/convert.go, ``filterPaths``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from homeport.audit import secretfiles
from homeport.audit.generated import VERSION_FILES, Generated, Kind
from homeport.model.dockerfile import Dockerfile, foreign, parse
from homeport.model.ignore import Ignore, PatternError
from homeport.model.instruction import DockerfileSyntaxError, Instruction, mounts, paths
from homeport.model.reading import Reading, Source, platform_args, read
from homeport.sources.context import Choice, Contexts
from homeport.sources.disk import Item
from homeport.sources.tree import Node

_PLATFORM = "linux/amd64"
"""What ``$TARGETARCH`` in a path stands for: sizes hardly depend on it."""
_UNCLEAR = re.compile(r"^(line |an ONBUILD |ADD of what )")
_QUOTES = re.compile(r"[\"']\s*,\s*[\"']|[\"']")
_EVERYTHING = Source("", "/")


@dataclass(frozen=True)
class Build:
    """One build: absolute folder and Dockerfile.

    A finding is reported at ``shown``. ``arguments`` are given to the build, ``target`` is the stage (empty:
    the last), ``contexts`` are the names of named contexts.
    """

    folder: Path
    dockerfile: Path
    shown: str
    arguments: Mapping[str, str] = field(default_factory=dict, hash=False)
    target: str = ""
    contexts: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Copied:
    """Sources of instructions that put files into a stage, and patterns that keep some of them out."""

    sources: tuple[Source, ...]
    excluded: tuple[str, ...] = ()


@dataclass(frozen=True)
class Demand:
    """What a Dockerfile asks of its context.

    ``instructions`` are those of the stages that are built, as text; ``unknown`` is why it can't be told what
    is asked for, and then ``sources`` is everything.
    """

    sources: tuple[Source, ...]
    copied: tuple[Copied, ...]
    instructions: str
    unknown: str = ""


@dataclass(frozen=True)
class Offender:
    """Something that need not be sent: ``bytes`` of it are. ``path`` is relative to the context.

    ``paths`` are its own and those below it, as far as they are sent.
    """

    path: str
    kind: Kind
    bytes: int
    paths: tuple[str, ...] = field(repr=False, compare=False)


@dataclass(frozen=True)
class Transfer:
    """What is sent: bytes by path (folders: 0), and what stands out.

    ``secrets`` says what each is, ``projects`` are files that may say where a version comes from.
    """

    sizes: Mapping[str, int] = field(hash=False)
    files: int
    offenders: Mapping[str, Offender] = field(hash=False)
    secrets: Mapping[str, str] = field(hash=False)
    projects: tuple[Item, ...] = ()

    @cached_property
    def bytes(self) -> int:
        return sum(self.sizes.values())


def demand(build: Build) -> Demand | None:
    """What the build's Dockerfile asks for; None where it can't be built or read. Raises OSError."""
    text = build.dockerfile.read_bytes().decode("utf-8", "surrogateescape")
    try:
        file = parse(text)
    except DockerfileSyntaxError:
        return None
    whole = _read(file, build)
    instructions = "\n".join(map(_plain, whole.stages.values()))
    frontend = build.arguments.get("BUILDKIT_SYNTAX") or file.syntax
    if foreign(frontend):
        return Demand((_EVERYTHING,), (), instructions, f"its frontend {frontend} may read anything")
    sources = _local(whole)
    if reason := next(filter(_UNCLEAR.match, whole.unknown), ""):
        return Demand((_EVERYTHING,), (), instructions, reason)
    if _EVERYTHING in sources and any(map(_varies, file.instructions)):
        return Demand((_EVERYTHING,), (), instructions, "a variable of its base image may be in a path")
    return Demand(sources, tuple(_copied(file, build)), instructions)


def _plain(stage: str) -> str:
    """The instructions of a stage (``Reading.stages``) as text: each on a line of its own, without quotes."""
    return "\n".join(" ".join(_strings(one)) for one in json.loads(stage))


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, list):
        for each in value:
            yield from _strings(each)
    elif isinstance(value, str):
        yield _QUOTES.sub(" ", value)


def _read(file: Dockerfile, build: Build) -> Reading:
    return read(
        file,
        args=build.arguments,
        platform=platform_args(_PLATFORM),
        stage=build.target,
        contexts=build.contexts,
    )


def _local(reading: Reading) -> tuple[Source, ...]:
    return tuple(source for source in reading.sources if not source.of)


def _takes(instruction: Instruction) -> bool:
    """Whether it copies from the context."""
    return instruction.keyword in {"COPY", "ADD"} and not dict(instruction.flags).get("from")


def _varies(instruction: Instruction) -> bool:
    """Whether a path of the context has a variable in it."""
    try:
        if _takes(instruction):
            return any("$" in source for source in paths(instruction)[0])
        if instruction.keyword == "RUN":
            return any(
                "$" in mount.get("source", "") for mount in mounts(instruction) if not mount.get("from")
            )
    except DockerfileSyntaxError:
        return True
    return False


def _copied(file: Dockerfile, build: Build) -> Iterator[Copied]:
    """What gets into a stage: not what is only mounted, and not what ``--exclude`` leaves out."""
    choosy = [one for one in file.instructions if _takes(one) and "exclude" in dict(one.flags)]
    rest = (one for one in file.instructions if one.keyword != "RUN" and one not in choosy)
    yield Copied(_local(_read(replace(file, instructions=tuple(rest)), build)))
    for one in choosy:
        only = (
            each for each in file.instructions if each is one or not (_takes(each) or each.keyword == "RUN")
        )
        patterns = tuple(value for name, value in one.flags if name == "exclude")
        if not any("$" in pattern for pattern in patterns):
            yield Copied(_local(_read(replace(file, instructions=tuple(only)), build)), patterns)


def reaches(copied: Copied, contexts: Contexts, build: Build, path: str) -> bool:
    """Whether an instruction puts this file of the context into a stage."""
    try:
        excluded = Ignore(copied.excluded)
    except PatternError:
        return False
    for node in contexts.choose(build.folder, build.dockerfile, copied.sources).nodes:
        if not (path == node.path or not node.path or path.startswith(f"{node.path}/")):
            continue
        below = path[len(node.path) :].lstrip("/")
        # Relative to the source or to the context, at any depth: rather left out than wrongly named.
        if not any(excluded.excludes(name) for name in {path, below, path.rpartition("/")[2]} if name):
            return True
    return False


class Transfers:
    """One look at what builds are sent: each choice of files is walked once."""

    def __init__(self, contexts: Contexts, generated: Generated) -> None:
        self._contexts = contexts
        self._generated = generated
        self._found: dict[tuple[int, tuple[str, ...], tuple[str, ...]], Transfer] = {}
        self._secrets: dict[str, str] = {}

    def of(self, choice: Choice) -> Transfer:
        """Sizes and what stands out. Raises SourceProblem."""
        key = (
            id(choice.tree),
            tuple(node.path for node in choice.nodes),
            tuple(node.path for node in choice.above),
        )
        if key not in self._found:
            self._found[key] = self._walk(choice)
        return self._found[key]

    def _walk(self, choice: Choice) -> Transfer:
        sizes: dict[str, int] = dict.fromkeys((node.path for node in choice.above), 0)
        parts: dict[str, tuple[Kind, list[str]]] = {}
        secrets: dict[str, str] = {}
        projects: list[Item] = []
        files = 0
        for node, kind, at in self._nodes(choice):
            size = node.item.size if node.item.kind == "f" else 0
            sizes[node.path] = size
            files += node.item.kind == "f"
            if kind:
                parts.setdefault(at, (kind, []))[1].append(node.path)
            elif node.item.kind == "f":
                if words := self._secret(node):
                    secrets[node.path] = words
                if VERSION_FILES.match(node.item.name):
                    projects.append(node.item)
        offenders = {
            at: Offender(at, kind, sum(sizes[path] for path in own), tuple(own))
            for at, (kind, own) in parts.items()
        }
        return Transfer(sizes, files, offenders, secrets, tuple(projects))

    def _nodes(self, choice: Choice) -> Iterator[tuple[Node, Kind | None, str]]:
        """Each node that is sent, and the kind and path of what it belongs to that was generated."""
        for top in choice.nodes:
            stack = [(top, *self._above(choice, top))]
            while stack:
                node, kind, at = stack.pop()
                if kind is None:
                    kind, at = self._generated.kind(node.item) if node.path else None, node.path
                if node.path:
                    yield node, kind, at
                if node.is_folder:
                    stack += [(child, kind, at) for child in choice.tree.children(node).values()]

    def _above(self, choice: Choice, node: Node) -> tuple[Kind | None, str]:
        """What the folders above a chosen node were generated as."""
        if "/" in node.path:
            for folder in choice.tree.above(node):
                if kind := self._generated.kind(folder.item):
                    return kind, folder.path
        return None, ""

    def _secret(self, node: Node) -> str:
        place = node.item.path
        if place not in self._secrets:
            self._secrets[place] = secretfiles.kind(node.path, lambda: secretfiles.first_bytes(place))
        return self._secrets[place]


def sent_paths(choice: Choice) -> frozenset[str]:
    """The paths of all that a choice brings along. Raises SourceProblem."""
    return frozenset(
        [
            *(node.path for top in choice.nodes for node in choice.tree.walk(top) if node.path),
            *(node.path for node in choice.above),
        ]
    )


def taken_paths(text: str) -> list[str]:
    """What a Dockerfile takes from its context in all stages, by COPY, ADD and bind mounts; as written."""
    try:
        instructions = parse(text).instructions
    except DockerfileSyntaxError:
        return []
    found: list[str] = []
    for one in instructions:
        try:
            if one.keyword in {"COPY", "ADD"} and "from" not in dict(one.flags):
                found += paths(one)[0]
            elif one.keyword == "RUN":
                found += [
                    each.get("source", "")
                    for each in mounts(one)
                    if each["type"] == "bind" and "from" not in each
                ]
        except DockerfileSyntaxError:
            continue
    return found

"""What building one stage of a Dockerfile looks at: stages, arguments, images, contexts, files.

Rules: moby/buildkit frontend/dockerfile/dockerfile2llb/convert.go. Where the text alone can't tell (a
variable that may come from a base image), more is named than is read, never less.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from homeport.model.dockerfile import Dockerfile, parse
from homeport.model.expansion import ExpansionError, expansion
from homeport.model.instruction import (
    DockerfileSyntaxError,
    Instruction,
    assignments,
    declarations,
    mounts,
    paths,
)
from homeport.model.reference import familiar

_REMOTE = re.compile(r"^([a-z][a-z0-9+.-]*://|[\w.-]+@[\w.-]+:)", re.IGNORECASE)
_CHECKSUM = re.compile(r"^(sha(256|384|512):[0-9a-f]{64,}|[0-9a-f]{40}|[0-9a-f]{64})$")
_GIT = re.compile(r"^((git|ssh)://|[\w.-]+@[\w.-]+:|https?://[^?#]*\.git(?=[?#]|$))", re.IGNORECASE)
_COMMIT = re.compile(r"(#|[?&](?:checksum|commit)=)([0-9a-f]{40}|[0-9a-f]{64})(?=[:&#]|$)")
_ALWAYS_THERE = re.compile(r"^(BUILDKIT_.*|SOURCE_DATE_EPOCH)$")
_SECONDS = re.compile(r"[+-]?[0-9]+")
_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""What BuildKit gives a stage that has no PATH of its own (util/system/path.go), except on Windows."""
_SPACED = {"COPY", "ADD", "EXPOSE", "STOPSIGNAL"}
"""Where the number of spaces means nothing, unlike in RUN or ENV."""


@dataclass(frozen=True)
class Source:
    """Files that are read: ``of`` is empty for the build context, else what ``--from`` names.

    ``path`` may hold wildcards; with ``parents`` they are those of ``COPY --parents``.
    """

    of: str
    path: str
    parents: bool = False


@dataclass(frozen=True)
class Reading:
    """What building one stage looks at.

    ``stages`` are the needed stages' instructions in one canonical text each, ``args`` the arguments whose
    value
    counts, ``references`` what is named and is no stage of the file (images and named contexts), ``bases``
    those
    of them that a FROM names, ``unknown`` why it can't be known, ``triggers`` the ONBUILD instructions that
    the result carries.
    """

    stages: Mapping[str, str] = field(default_factory=dict, hash=False)
    args: Mapping[str, str] = field(default_factory=dict, hash=False)
    references: tuple[str, ...] = ()
    bases: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    unknown: tuple[str, ...] = ()
    triggers: tuple[str, ...] = ()


def platform_args(platform: str, engine: str = "") -> dict[str, str]:
    """The arguments that BuildKit declares by itself, for a platform such as ``linux/arm64/v8``.

    ``engine`` is the platform that builds; empty: the same.
    """
    found: dict[str, str] = {}
    for side, text in (("TARGET", platform), ("BUILD", engine or platform)):
        system, _, rest = text.partition("/")
        architecture, _, variant = rest.partition("/")
        parts = {"PLATFORM": text, "OS": system, "ARCH": architecture, "VARIANT": variant, "OSVERSION": ""}
        found |= {f"{side}{name}": value for name, value in parts.items()}
    return found


@dataclass
class _Stage:
    index: int
    name: str
    base: str
    platform: str
    instructions: list[Instruction] = field(default_factory=list)
    parent: _Stage | None = None
    replaced: bool = False
    """A named context of the same name takes its place."""
    scope: dict[str, str] = field(default_factory=dict)
    closed: bool = False
    """Whether every variable it can have is known: nothing comes from an image."""

    @property
    def external(self) -> str:
        """The image or context that it begins with; empty for a stage of the file and for nothing."""
        if self.replaced:
            return self.name
        return "" if self.parent or self.base == "scratch" else self.base


def read(
    file: Dockerfile,
    *,
    args: Mapping[str, str] | None = None,
    platform: Mapping[str, str] | None = None,
    stage: str = "",
    contexts: Collection[str] = (),
    triggers: Mapping[str, tuple[str, ...]] | None = None,
) -> Reading:
    """What building ``stage`` (name or number; empty is the last) looks at.

    ``args`` are the build arguments given from outside, ``platform`` those of :func:`platform_args`,
    ``contexts`` the names of the definition's named contexts, ``triggers`` the ONBUILD instructions of images
    and contexts. A stage that isn't there reads nothing: the build will say so.
    """
    return _Reader(file, args or {}, platform or {}, stage, contexts, triggers or {}).read()


class _Reader:
    def __init__(
        self,
        file: Dockerfile,
        args: Mapping[str, str],
        platform: Mapping[str, str],
        wanted: str,
        contexts: Collection[str],
        triggers: Mapping[str, tuple[str, ...]],
    ) -> None:
        self._args = args
        # Instructions of a base (ONBUILD) are expanded with this file's escape character, too.
        self._escape = file.escape
        self._contexts = {name for name in contexts if "::" not in name}
        self._for_platforms = {name.partition("::")[0] for name in contexts if "::" in name}
        self._triggers = triggers
        self._globals: dict[str, str] = {name: args.get(name, value) for name, value in platform.items()}
        self._stages: list[_Stage] = []
        self._by_name: dict[str, _Stage] = {}
        self._canonical: dict[str, str] = {}
        self._used: dict[str, str] = {}
        self._references: dict[str, None] = {}
        self._bases: dict[str, None] = {}
        self._sources: dict[Source, None] = {}
        self._unknown: dict[str, None] = {}
        first = [each for each in file.instructions if each.keyword == "FROM"]
        words = first[-1].value.split() if first else []
        last = words[2] if len(words) >= 3 else ""
        self._globals["TARGETSTAGE"] = args.get("TARGETSTAGE", wanted or last.lower() or "default")
        for instruction in file.instructions:
            self._place(instruction)
        self._target = self._find(wanted, numbers=True) if wanted else ([None, *self._stages])[-1]
        self._keys: dict[int, str] = {}

    def read(self) -> Reading:
        needed = self._needed()
        self._keys = dict(zip((each.index for each in needed), _keys(needed), strict=True))
        for each in needed:
            self._read_stage(each)
        for name in (*self._references, *(each.name for each in needed if each.name)):
            if familiar(name) in self._for_platforms:
                self._unknown[f"a context takes the place of {name} for some platforms only"] = None
        for name, value in {**self._globals, **self._args}.items():
            if _ALWAYS_THERE.match(name):
                self._used[name] = value
        epoch = self._used.get("SOURCE_DATE_EPOCH", "")
        if epoch and not _SECONDS.fullmatch(epoch):
            self._unknown["SOURCE_DATE_EPOCH is taken from a source"] = None
        return Reading(
            self._canonical,
            self._used,
            tuple(self._references),
            tuple(self._bases),
            tuple(self._sources),
            tuple(self._unknown),
            tuple(_triggers(self._target)) if self._target and not self._target.replaced else (),
        )

    def _place(self, instruction: Instruction) -> None:
        """Put an instruction into its stage; those before the first FROM declare global arguments."""
        if instruction.keyword == "FROM":
            words = instruction.value.split()
            name = words[2].lower() if len(words) >= 3 and words[1].upper() == "AS" else ""
            platform = dict(instruction.flags).get("platform", "")
            found = _Stage(
                len(self._stages),
                name,
                self._expand(words[0], self._globals, instruction) if words else "",
                self._expand(platform, self._globals, instruction),
            )
            found.replaced = bool(name) and familiar(name) in self._contexts
            # As it is written: names of stages are lower-case, and BuildKit doesn't fold this one.
            found.parent = self._by_name.get(found.base)
            self._stages.append(found)
            if name:
                self._by_name[name] = found
        elif self._stages:
            self._stages[-1].instructions.append(instruction)
        elif instruction.keyword == "ARG":
            for name, default in self._declarations(instruction):
                if name in self._args:
                    self._globals[name] = self._args[name]
                elif default is not None:
                    self._globals[name] = self._expand(default, self._globals, instruction)

    def _find(self, name: str, *, numbers: bool) -> _Stage | None:
        if numbers and name.isascii() and name.isdigit():
            return self._stages[int(name)] if int(name) < len(self._stages) else None
        return self._by_name.get(name.lower())

    def _needed(self) -> list[_Stage]:
        """The stages that the target needs, in the file's order."""
        found: dict[int, _Stage] = {}
        stack = [self._target] if self._target else []
        while stack:
            stage = stack.pop()
            if stage.index in found:
                continue
            found[stage.index] = stage
            if stage.replaced:
                continue
            if stage.parent:
                stack.append(stage.parent)
            for instruction in self._instructions(stage):
                named = (
                    self._find(name, numbers=numbers) for name, numbers in self._stages_named(instruction)
                )
                stack += [other for other in named if other]
        return [found[index] for index in sorted(found)]

    def _stages_named(self, instruction: Instruction) -> Iterator[tuple[str, bool]]:
        """What ``--from`` and mounts name, and whether it may be a number."""
        if instruction.keyword == "COPY":
            yield from ((value, True) for name, value in instruction.flags if name == "from" and value)
        elif instruction.keyword == "RUN":
            try:
                yield from ((mount["from"], False) for mount in mounts(instruction) if mount.get("from"))
            except DockerfileSyntaxError as error:
                self._give_up(instruction, error)

    def _instructions(self, stage: _Stage) -> list[Instruction]:
        """A stage's instructions, after those that its base runs in whatever builds on it."""
        if stage.replaced:
            return []
        parent = stage.parent
        inherited = _triggers(parent) if parent else list(self._triggers.get(stage.external, ()))
        run: list[Instruction] = []
        for text in inherited:
            try:
                run += parse(text).instructions
            except DockerfileSyntaxError as error:
                self._unknown[f"an ONBUILD instruction of {stage.base} can't be read: {error}"] = None
        return [*run, *stage.instructions]

    def _read_stage(self, stage: _Stage) -> None:
        origin = stage.base
        if stage.external:
            self._references[stage.external] = None
            self._bases[stage.external] = None
            if stage.replaced:
                self._sources[Source(stage.external, "/")] = None
                return
            if familiar(stage.external) in self._contexts:
                self._sources[Source(stage.external, "/")] = None
        elif stage.parent:
            origin = self._keys[stage.parent.index]
            stage.scope, stage.closed = dict(stage.parent.scope), stage.parent.closed
        else:
            stage.closed = True
            if self._globals.get("TARGETOS") != "windows":
                stage.scope["PATH"] = _DEFAULT_PATH
        # With another escape character the same text means something else.
        escape = [self._escape] if self._escape != "\\" else []
        canonical: list[object] = [["FROM", stage.platform, origin, *escape]]
        for each in self._instructions(stage):
            try:
                canonical.append(self._read_instruction(each, stage))
            except (DockerfileSyntaxError, ExpansionError) as error:
                self._give_up(each, error)
        self._canonical[self._keys[stage.index]] = json.dumps(canonical, ensure_ascii=True)

    def _read_instruction(self, instruction: Instruction, stage: _Stage) -> list[object]:
        """Note what an instruction reads; returns its canonical form."""
        flags = [[name, self._canonical_flag(name, value, instruction)] for name, value in instruction.flags]
        value = instruction.value
        if instruction.keyword == "ARG":
            declared = self._declarations(instruction)
            return ["ARG", [self._declare(name, default, stage, instruction) for name, default in declared]]
        if instruction.keyword == "ENV":
            before = dict(stage.scope)
            for name, text in assignments(instruction):
                named = expansion(name, before, self._escape)
                if named.missing and not stage.closed:
                    stage.scope.clear()  # it may have been any of them
                self._set(stage, named.text, text, before)
        elif instruction.keyword in {"COPY", "ADD"}:
            self._read_copy(instruction, stage)
        elif instruction.keyword == "RUN":
            self._read_mounts(instruction, stage)
        if instruction.keyword in _SPACED and not set("\"'\\[") & set(value):
            value = " ".join(value.split())
        heredocs = [[each.name, each.content, each.expand, each.chomp] for each in instruction.heredocs]
        return [instruction.keyword, flags, value, heredocs]

    def _canonical_flag(self, name: str, value: str, instruction: Instruction) -> str:
        """A stage that a flag names by number, by the name that it has here."""
        if name == "from" and value.isdigit():
            stage = self._find(value, numbers=True)
            return self._keys.get(stage.index, value) if stage else value
        return value

    def _declare(
        self, name: str, default: str | None, stage: _Stage, instruction: Instruction
    ) -> list[str | None]:
        if name in self._args:
            self._used[name] = stage.scope[name] = self._args[name]
            return [name]
        if default is not None:
            self._set(stage, name, default, stage.scope)
            return [name, default]
        if name in self._globals:
            self._used[name] = stage.scope[name] = self._globals[name]
        return [name]

    def _set(self, stage: _Stage, name: str, text: str, scope: Mapping[str, str]) -> None:
        """Give a variable its value; one that depends on the base image's variables is unknown, too."""
        found = expansion(text, scope, self._escape)
        if found.missing and not stage.closed:
            stage.scope.pop(name, None)
        else:
            stage.scope[name] = found.text

    def _read_copy(self, instruction: Instruction, stage: _Stage) -> None:
        flags = dict(instruction.flags)
        of = flags.get("from", "")
        if of and self._find(of, numbers=True):
            return
        if of:
            self._references[of] = None
        sources, _ = paths(instruction)
        for source in sources:
            text = self._path(source, stage, instruction)
            if not text and instruction.keyword == "ADD":
                self._unknown[f"ADD of what only its base image can tell (line {instruction.line})"] = None
            elif instruction.keyword == "ADD" and _REMOTE.match(text):
                checksum = self._expand(flags.get("checksum", ""), stage.scope, instruction)
                if not _CHECKSUM.match(checksum) and not (_GIT.match(text) and _COMMIT.search(text)):
                    self._unknown[f"ADD of a URL without a checksum (line {instruction.line})"] = None
            else:
                self._sources[Source(of, text or "/", "parents" in flags and bool(text))] = None

    def _read_mounts(self, instruction: Instruction, stage: _Stage) -> None:
        for mount in mounts(instruction, lambda text: self._path(text, stage, instruction)):
            of, kind = mount.get("from", ""), mount["type"]
            if kind in {"tmpfs", "secret", "ssh"} or (kind == "cache" and not of):
                continue
            if of and (of == "scratch" or self._find(of, numbers=False)):
                continue
            if of:
                self._references[of] = None
            text = mount.get("source", "")
            # A mount takes its path as it is: wildcards are names there.
            self._sources[Source(of, re.sub(r"([*?\[\\])", r"\\\1", text) or "/")] = None

    def _path(self, text: str, stage: _Stage, instruction: Instruction) -> str:
        """A path with its variables; empty, for everything, where one may come from the base image."""
        try:
            found = expansion(text, stage.scope, self._escape)
        except ExpansionError:
            return ""
        return "" if found.missing and not stage.closed else found.text

    def _expand(self, text: str, scope: Mapping[str, str], instruction: Instruction) -> str:
        try:
            return expansion(text, scope, self._escape).text
        except ExpansionError as error:
            self._give_up(instruction, error)
            return ""

    def _declarations(self, instruction: Instruction) -> tuple[tuple[str, str | None], ...]:
        try:
            return declarations(instruction)
        except DockerfileSyntaxError as error:
            self._give_up(instruction, error)
            return ()

    def _give_up(self, instruction: Instruction, error: ValueError) -> None:
        """BuildKit will refuse it, and say so better: what counts here is that nothing is skipped."""
        self._unknown[f"line {instruction.line} of its Dockerfile can't be read: {error}"] = None


def _triggers(stage: _Stage) -> list[str]:
    """What a stage makes whatever builds on it run, as the texts that BuildKit would keep."""
    return [
        each.value + "".join(f"\n{heredoc.content}{heredoc.name}" for heredoc in each.heredocs)
        for each in stage.instructions
        if each.keyword == "ONBUILD"
    ]


def _keys(stages: list[_Stage]) -> list[str]:
    """A name for each stage that doesn't depend on stages that nobody needs."""
    names = [each.name for each in stages]
    return [
        f"stage {each.name}" if each.name and names.count(each.name) == 1 else f"stage {number}"
        for number, each in enumerate(stages, 1)
    ]

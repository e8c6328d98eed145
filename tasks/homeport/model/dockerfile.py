"""A reader of Dockerfiles, as far as the order of builds needs it: which images a file builds on.

Rules: https://docs.docker.com/reference/dockerfile/ (parser directives, line continuation, comments,
here-documents, ``FROM``, ``COPY --from``, ``RUN --mount=from=``, ARG scope and expansion).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from homeport.model.expansion import expand

_DIRECTIVE = re.compile(r"^#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$")
# A here-document is a shell word of its own (buildkit: frontend/dockerfile/parser, reHeredoc).
_HEREDOC = re.compile(r"^\d*<<(-?)([^<]+)$")
_WORD = re.compile(r"""(?:[^\s"'\\]|\\.|"(?:\\.|[^"\\])*"|'[^']*')+""")
_FLAG = re.compile(r"^--([a-z0-9-]+)(?:=(\S*))?(?:\s+|$)", re.IGNORECASE)
_HEREDOC_INSTRUCTIONS = {"RUN", "COPY", "ADD", "ONBUILD"}


@dataclass(frozen=True)
class Instruction:
    """One instruction: upper-case keyword, its flags in order, the rest of its text, its first line."""

    keyword: str
    flags: tuple[tuple[str, str], ...]
    value: str
    line: int


@dataclass(frozen=True)
class Stage:
    """One ``FROM``: its name (may be empty), position, base as written and what its body refers to."""

    name: str
    index: int
    base: str
    references: tuple[str, ...]
    """Values of ``COPY --from`` and ``RUN --mount=from=``: a stage, its number, a context or an image."""


def instructions(text: str) -> Iterator[Instruction]:
    """The instructions of a Dockerfile, here-documents swallowed by the instruction they belong to."""
    lines = text.removeprefix("\ufeff").splitlines()
    escape, position = _escape_character(lines)
    while position < len(lines):
        first = position
        logical, position = _logical_line(lines, position, escape)
        if not logical.strip():
            continue
        keyword, _, rest = logical.strip().partition(" ")
        keyword, tabbed, remainder = keyword.partition("\t")
        if tabbed:
            rest = f"{remainder} {rest}"
        keyword = keyword.upper()
        if keyword in _HEREDOC_INSTRUCTIONS:
            position = _skip_heredocs(lines, position, rest)
        flags, value = _split_flags(rest.strip())
        yield Instruction(keyword, flags, value, first + 1)


def platform_args(platform: str) -> dict[str, str]:
    """The arguments that BuildKit declares by itself for a platform such as ``linux/arm64/v8``."""
    system, _, rest = platform.partition("/")
    architecture, _, variant = rest.partition("/")
    parts = {"PLATFORM": platform, "OS": system, "ARCH": architecture, "VARIANT": variant}
    return {f"{side}{name}": value for side in ("TARGET", "BUILD") for name, value in parts.items()}


def stages(
    text: str, args: Mapping[str, str] | None = None, platform: Mapping[str, str] | None = None
) -> tuple[Stage, ...]:
    """The stages of a Dockerfile with variables expanded as BuildKit does for ``FROM``.

    ``args`` are the build arguments given from outside; they replace defaults of global ARGs only where
    the file declares them. ``platform`` are those that are there without being declared. A variable without
    a value expands to nothing.
    """
    given = args or {}
    scope: dict[str, str] = dict(platform or {})
    found: list[Stage] = []
    for instruction in instructions(text):
        if instruction.keyword == "FROM":
            words = instruction.value.split()
            base = _unquoted(expand(words[0], scope)) if words else ""
            name = words[2] if len(words) >= 3 and words[1].upper() == "AS" else ""
            found.append(Stage(name.lower(), len(found), base, ()))
        elif instruction.keyword == "ARG" and not found:
            for name, default in _arg_words(instruction.value):
                value = given.get(name, default)
                if value is not None:
                    scope[name] = expand(value, scope)
        elif found:
            last = found[-1]
            references = (*last.references, *_references(instruction, scope))
            found[-1] = Stage(last.name, last.index, last.base, references)
    return tuple(found)


def reachable(all_stages: tuple[Stage, ...], wanted: str = "") -> tuple[Stage, ...]:
    """The stages that building ``wanted`` (name or number; empty is the last) really needs, in order."""
    if not all_stages:
        return ()
    start = _stage_named(all_stages, wanted.lower(), len(all_stages)) if wanted else all_stages[-1]
    if start is None:
        return ()
    found: set[int] = set()
    stack = [start]
    while stack:
        stage = stack.pop()
        if stage.index in found:
            continue
        found.add(stage.index)
        for reference in (stage.base, *stage.references):
            needed = _stage_named(all_stages, reference.lower(), stage.index)
            if needed is not None:
                stack.append(needed)
    return tuple(stage for stage in all_stages if stage.index in found)


def images(all_stages: tuple[Stage, ...], wanted: str = "") -> tuple[str, ...]:
    """What the needed stages name that is no stage of this file: images or named contexts, each once."""
    found: dict[str, None] = {}
    for stage in reachable(all_stages, wanted):
        for position, reference in enumerate((stage.base, *stage.references)):
            # FROM sees earlier stages by name only; --from sees numbers too.
            local = _stage_named(all_stages, reference.lower(), stage.index, numbers=position > 0)
            if reference and local is None and reference.lower() != "scratch":
                found[reference] = None
    return tuple(found)


def _stage_named(
    all_stages: tuple[Stage, ...], name: str, before: int, *, numbers: bool = True
) -> Stage | None:
    for stage in reversed(all_stages[:before]):
        if stage.name and stage.name == name:
            return stage
    if numbers and name.isascii() and name.isdigit() and int(name) < before:
        return all_stages[int(name)]
    return None


def _references(instruction: Instruction, scope: Mapping[str, str]) -> Iterator[str]:
    if instruction.keyword in {"COPY", "ADD"}:
        yield from (_unquoted(value) for flag, value in instruction.flags if flag == "from" and value)
    elif instruction.keyword == "RUN":
        for flag, value in instruction.flags:
            if flag == "mount":
                options = dict(part.partition("=")[::2] for part in next(csv.reader([value]), []))
                if options.get("from"):
                    yield expand(options["from"], scope)
    elif instruction.keyword == "ONBUILD":
        keyword, _, rest = instruction.value.partition(" ")
        flags, value = _split_flags(rest.strip())
        yield from _references(Instruction(keyword.upper(), flags, value, instruction.line), scope)


def _escape_character(lines: list[str]) -> tuple[str, int]:
    """The escape character and the position after the parser directives at the file's top."""
    escape = "\\"
    for position, line in enumerate(lines):
        directive = _DIRECTIVE.match(line.strip())
        if directive is None:
            return escape, position
        if directive[1].lower() == "escape":
            escape = directive[2]
    return escape, len(lines)


def _logical_line(lines: list[str], position: int, escape: str) -> tuple[str, int]:
    """Join continued lines; comments and blank lines within a continuation are skipped as Docker does."""
    continued = re.compile(re.escape(escape) + r"[ \t]*$")
    parts: list[str] = []
    while position < len(lines):
        line = lines[position]
        position += 1
        if line.lstrip().startswith("#") or (parts and not line.strip()):
            if not parts:
                return "", position
            continue
        if continued.search(line):
            parts.append(continued.sub("", line))
            continue
        parts.append(line)
        break
    return "".join(parts), position


def _skip_heredocs(lines: list[str], position: int, rest: str) -> int:
    for word in _WORD.findall(rest):
        match = _HEREDOC.match(word)
        if match is None:
            continue
        end = _unquoted(match[2])
        for number in range(position, len(lines)):
            if (lines[number].lstrip("\t") if match[1] else lines[number]) == end:
                position = number + 1
                break
        # Without an end it is no file that BuildKit would build: better to read on than to swallow it.
    return position


def _unquoted(text: str) -> str:
    return re.sub(r"[\"']", "", text)


def _split_flags(text: str) -> tuple[tuple[tuple[str, str], ...], str]:
    flags: list[tuple[str, str]] = []
    while match := _FLAG.match(text):
        flags.append((match[1].lower(), match[2] or ""))
        text = text[match.end() :]
    return tuple(flags), text


def _arg_words(value: str) -> Iterator[tuple[str, str | None]]:
    for word in re.findall(r"(?:[^\s\"']|\"[^\"]*\"|'[^']*')+", value):
        name, equals, default = word.partition("=")
        yield name, _unquoted(default) if equals else None

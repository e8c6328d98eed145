"""The cache mounts of a Dockerfile, made the bench's own or left out, with nothing else changed. Pure.

Fields: https://docs.docker.com/reference/dockerfile/#run---mounttypecache. Without an ``id`` a mount's
target is its id, and whoever has the same id on the same builder shares the cache.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from homeport.model.dockerfile import parse
from homeport.model.instruction import DockerfileSyntaxError, Instruction, mounts

_FLAG = re.compile(r"--mount=(?P<fields>[^\s\"'\\`]+)[ \t]*")
_TARGETS = ("target", "dst", "destination")


class NotEditable(Exception):
    """A Dockerfile has a cache mount that isn't plainly written, or can't be read."""


def own(text: str, prefix: str) -> str:
    """The Dockerfile with ``prefix`` before the id of each cache mount: the user's caches are left alone.

    Raises NotEditable.
    """

    def renamed(fields: list[str]) -> str | None:
        given = next((value for key, value in _pairs(fields) if key == "id"), "")
        target = next((value for key, value in _pairs(fields) if key in _TARGETS), "")
        rest = [field for field in fields if field.partition("=")[0].lower() != "id"]
        return f"--mount={','.join([*rest, f'id={prefix}{given or target}'])} "

    return _edited(text, renamed)


def without(text: str) -> str:
    """The Dockerfile without its cache mounts. Raises NotEditable."""
    return _edited(text, lambda _: None)


def again(text: str, nonce: str) -> str:
    """The Dockerfile with an argument in each stage by which every RUN runs again; cache mounts stay full.

    ``no-cache`` would empty them first (moby/buildkit pull request 1092). Raises NotEditable.
    """
    try:
        stages = [one.last for one in parse(text).instructions if one.keyword == "FROM"]
    except DockerfileSyntaxError as error:
        raise NotEditable(str(error)) from error
    lines = text.split("\n")
    for last in reversed(stages):
        lines.insert(last, f"ARG HOMEPORT_BENCH={nonce}")
    return "\n".join(lines)


def count(text: str) -> int:
    """How many RUN steps have a cache mount; none in what can't be read."""
    try:
        return sum(bool(_caches(one)) for one in parse(text).instructions)
    except DockerfileSyntaxError:
        return 0


def _caches(instruction: Instruction) -> int:
    if instruction.keyword != "RUN":
        return 0
    return sum(one["type"] == "cache" for one in mounts(instruction))


def _edited(text: str, edit: Callable[[list[str]], str | None]) -> str:
    """``edit`` turns the fields of a cache mount into a flag, or into nothing."""
    try:
        wanted = [(one, _caches(one)) for one in parse(text).instructions]
    except DockerfileSyntaxError as error:
        raise NotEditable(str(error)) from error
    # Lines end at line feeds alone, as the parser counts them.
    lines = text.split("\n")
    for instruction, caches in wanted:
        if not caches:
            continue
        found = 0

        def replaced(match: re.Match[str]) -> str:
            nonlocal found
            fields = match["fields"].split(",")
            if ("type", "cache") not in [(key, value.lower()) for key, value in _pairs(fields)]:
                return match[0]
            found += 1
            return edit(fields) or ""

        part = slice(instruction.line - 1, instruction.last)
        new = _FLAG.sub(replaced, "\n".join(lines[part]))
        if found != caches:
            raise NotEditable(f"line {instruction.line}: a cache mount isn't plainly written")
        lines[part] = new.split("\n")
    return "\n".join(lines)


def _pairs(fields: list[str]) -> list[tuple[str, str]]:
    return [(key.lower(), value) for key, _, value in (field.partition("=") for field in fields)]

"""Variables in Dockerfiles: ``$x``, ``${x}`` and the modifiers that BuildKit knows.

Rules: https://docs.docker.com/reference/dockerfile/#environment-replacement
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase

_NAME = re.compile(r"[A-Za-z_]\w*|\d")
_MODIFIER = re.compile(r":?[-+?]|##?|%%?|//?")


def expand(text: str, scope: Mapping[str, str]) -> str:
    """``text`` with its variables replaced; one without a value is empty, as in BuildKit."""
    found: list[str] = []
    position = 0
    while position < len(text):
        char = text[position]
        if char == "\\" and text[position + 1 : position + 2] == "$":
            found.append("$")
            position += 2
        elif char == "$":
            value, position = _variable(text, position + 1, scope)
            found.append(value)
        else:
            found.append(char)
            position += 1
    return "".join(found)


def _variable(text: str, position: int, scope: Mapping[str, str]) -> tuple[str, int]:
    """The value of the variable whose name or brace begins at ``position``, and where the text goes on."""
    if text[position : position + 1] != "{":
        name = _NAME.match(text, position)
        return (scope.get(name[0], ""), name.end()) if name else ("$", position)
    end = _closing(text, position)
    inner = text[position + 1 : end]
    name = _NAME.match(inner)
    if name is None:
        return "", end + 1
    modifier = _MODIFIER.match(inner, name.end())
    value = scope.get(name[0])
    if modifier is None:
        return value or "", end + 1
    word = expand(inner[modifier.end() :], scope)
    return _modified(value, modifier[0], word), end + 1


def _closing(text: str, opening: int) -> int:
    depth = 0
    for position in range(opening, len(text)):
        depth += (text[position] == "{") - (text[position] == "}")
        if depth == 0:
            return position
    return len(text)


def _modified(value: str | None, modifier: str, word: str) -> str:
    kind = modifier[-1]
    if kind in "-+":
        # With a colon an empty value counts as none.
        there = bool(value) if modifier.startswith(":") else value is not None
        return (value or "" if there else word) if kind == "-" else (word if there else "")
    value = value or ""
    longest = len(modifier) == 2
    if kind == "%":
        starts = range(len(value) + 1) if longest else range(len(value), -1, -1)
        return next((value[:start] for start in starts if fnmatchcase(value[start:], word)), value)
    if kind == "#":
        ends = range(len(value), -1, -1) if longest else range(len(value) + 1)
        return next((value[end:] for end in ends if fnmatchcase(value[:end], word)), value)
    if kind == "/":
        pattern, _, replacement = word.partition("/")
        return value.replace(pattern, replacement, -1 if longest else 1) if pattern else value
    return value

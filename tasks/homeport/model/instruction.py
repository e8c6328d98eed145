"""Instructions of a Dockerfile, and the forms that their arguments have.

Rules: https://github.com/moby/buildkit/tree/master/frontend/dockerfile, files ``parser/line_parsers.go`` and
``instructions/*.go``. Nothing is expanded here: BuildKit does that later, value by value (see expansion.py).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from homeport.model.expansion import SPACE, ExpansionError, shell_words

BLANKS = re.compile(r"[\t\v\f\r ]+")
_HEREDOC = re.compile(r"[0-9]*<<(-?)[\t\n\f\r ]*([^<]*)")
_CSV_FIELD = re.compile(r'(?:"([^"]*(?:""[^"]*)*)"|([^",]*))(,|\Z)')
_MOUNT_KEYS = {"src": "source", "dst": "target", "destination": "target", "ro": "readonly", "rw": "readwrite"}
_FALSE = {"0", "f", "F", "false", "False", "FALSE"}


def _word(escape: str) -> re.Pattern[str]:
    """A word for ``words``: quotes may stay open, and an escape character at the very end is lost."""
    one = re.escape(escape)
    return re.compile(
        rf"""(?:[^'"{one}{re.escape(SPACE)}]|{one}.|'[^']*'?|"(?:[^"{one}]|{one}.)*"?)+""", re.DOTALL
    )


_WORD = {escape: _word(escape) for escape in "\\`"}


class DockerfileSyntaxError(ValueError):
    """A Dockerfile that BuildKit rejects before it builds anything; ``line`` is 0 where that isn't known."""

    def __init__(self, problem: str, line: int = 0) -> None:
        super().__init__(f"line {line}: {problem}" if line else problem)
        self.line = line


@dataclass(frozen=True)
class Heredoc:
    """One here-document. ``content`` is as in the file, line ends too; ``chomp``: tabs that lead lines go.

    ``expand`` is false for a quoted name. It counts for COPY and ADD only: with RUN the shell expands.
    """

    name: str
    content: str
    expand: bool
    chomp: bool


@dataclass(frozen=True)
class Instruction:
    """One instruction: upper-case keyword, flags in order as (name, value), the rest joined to one line.

    Flags have their quotes and escapes resolved, the value has not. ``line`` is the first, counted from 1,
    ``last`` the last, that of here-documents included. ``escape`` is the escape character of the file.
    """

    keyword: str
    flags: tuple[tuple[str, str], ...]
    value: str
    heredocs: tuple[Heredoc, ...] = ()
    line: int = 0
    escape: str = "\\"
    last: int = field(default=0, compare=False)


def fields(value: str) -> tuple[str, ...]:
    """A value split at blanks, whatever the quotes: the arguments of FROM, EXPOSE, and COPY without JSON."""
    return tuple(BLANKS.split(value)) if value else ()


def words(value: str, escape: str = "\\") -> tuple[str, ...]:
    """A value split at white space outside of quotes, which stay: the arguments of ARG, ENV and LABEL."""
    return tuple(_WORD[escape].findall(value))


def json_form(value: str) -> tuple[str, ...] | None:
    """The strings of ``["a", "b"]``, or None for a value that is no JSON array and so has the shell form.

    Raises DockerfileSyntaxError for an array of anything else.
    """
    value = value.lstrip(SPACE)
    try:
        found = json_value(value) if value.startswith("[") else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, list):
        return None
    if not all(isinstance(item, str) for item in found):
        raise DockerfileSyntaxError("an array in JSON can have nothing but strings")
    # Half a pair of surrogates, or a byte that is no UTF-8, is U+FFFD for Go.
    return tuple(re.sub("[\ud800-\udfff]", "\ufffd", item) for item in found)


def json_value(text: str) -> Any:
    """Like json.loads, with Go's view of numbers. Raises ValueError, and RecursionError for deep nesting."""
    return json.loads(text, parse_int=_number, parse_float=_number, parse_constant=_number)


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def heredoc_of(word: str) -> Heredoc | None:
    """What a word such as ``<<EOF`` or ``3<<-'EOF'`` announces, without content as yet; None for any other.

    Raises ExpansionError where BuildKit can't make out the name.
    """
    match = _HEREDOC.fullmatch(word)
    plain = shell_words(match[2]) if match else ()
    if match is None or len(plain) != 1:
        return None
    raw = shell_words(match[2], raw_quotes=True)
    if len(raw) != 1:
        raise ExpansionError(f"the name of the here-document {word} is unclear")
    quoted = sum(map(raw[0].count, "'\"")) != sum(map(plain[0].count, "'\""))
    return Heredoc(plain[0], "", expand=not quoted, chomp=bool(match[1]))


def paths(instruction: Instruction) -> tuple[tuple[str, ...], str]:
    """Sources and destination of a COPY or ADD. Sources that are here-documents are left out.

    Raises DockerfileSyntaxError where there are fewer than two arguments.
    """
    arguments = json_form(instruction.value)
    if arguments is None:
        arguments = fields(instruction.value)
    if len(arguments) < 2 or _is_heredoc(arguments[-1]):
        raise DockerfileSyntaxError(f"{instruction.keyword} has no destination", instruction.line)
    return tuple(source for source in arguments[:-1] if not _is_heredoc(source)), arguments[-1]


def _is_heredoc(word: str) -> bool:
    try:
        return heredoc_of(word) is not None
    except ExpansionError:
        return False


def assignments(instruction: Instruction) -> tuple[tuple[str, str], ...]:
    """Names and values of an ENV or LABEL, in order: ``a=b c="d e"``, or ``a b c``, which is one.

    Names, too, are expanded by BuildKit. Raises DockerfileSyntaxError for a form that it rejects.
    """
    found = name_values(instruction)
    if not found or not all(name for name, _ in found):
        raise DockerfileSyntaxError(f"{instruction.keyword} needs a name and a value", instruction.line)
    return found


def name_values(instruction: Instruction) -> tuple[tuple[str, str], ...]:
    """Like ``assignments``, with nothing but the checks of BuildKit's parser: none or empty names may be."""
    found = words(instruction.value, instruction.escape)
    old_form = bool(found) and "=" not in found[0]
    pairs = (
        [BLANKS.split(instruction.value, maxsplit=1)] if old_form else [word.split("=", 1) for word in found]
    )
    for pair in pairs:
        if len(pair) < 2:
            raise DockerfileSyntaxError(f"{instruction.keyword} has no value for {pair[0]}", instruction.line)
    return tuple((name, value) for name, value in pairs)


def declarations(instruction: Instruction) -> tuple[tuple[str, str | None], ...]:
    """Names and defaults of an ARG, in order; None for one without ``=``. Names are never expanded.

    Raises DockerfileSyntaxError where a name is missing.
    """
    found = [word.partition("=") for word in words(instruction.value, instruction.escape)]
    if not found or not all(name for name, _, _ in found):
        raise DockerfileSyntaxError(f"{instruction.keyword} needs a name", instruction.line)
    return tuple((name, default if equals else None) for name, equals, default in found)


def mounts(
    instruction: Instruction, expander: Callable[[str], str] | None = None
) -> tuple[dict[str, str], ...]:
    """The ``--mount`` flags of a RUN, each with ``type`` and ``readonly`` (``true`` or ``false``) at least.

    Keys have one spelling each: ``source``, ``target``, ``readonly``. ``expander`` does what BuildKit does to
    values, except to that of ``from``, which it takes as written. Raises DockerfileSyntaxError for what lacks
    the form of a mount, and for a variable in ``from``; what BuildKit else rejects is handed on as it is.
    """
    return tuple(
        _mount(value, expander or str, instruction.line)
        for name, value in instruction.flags
        if name == "mount"
    )


def _mount(text: str, expander: Callable[[str], str], line: int) -> dict[str, str]:
    found = {"type": "bind"}
    for item in _csv(text, line):
        key, equals, value = item.partition("=")
        key = _MOUNT_KEYS.get(key.lower(), key.lower())
        if not equals and key not in {"readonly", "readwrite", "required"}:
            raise DockerfileSyntaxError(f"a mount has '{item}' without a value", line)
        if key == "from":
            if "$" in value[:-1]:
                raise DockerfileSyntaxError("a mount can't have a variable in 'from'", line)
        else:
            value = expander(value) if equals else "true"
        if key in {"readonly", "readwrite"}:
            value = "true" if (value in _FALSE) == (key == "readwrite") else "false"
            key = "readonly"
        found[key] = value.lower() if key == "type" else value
    return {"readonly": "false" if found["type"] in {"cache", "tmpfs"} else "true", **found}


def _csv(text: str, line: int) -> Iterator[str]:
    position, more = 0, True
    while more:
        match = _CSV_FIELD.match(text, position)
        if match is None or not text:
            raise DockerfileSyntaxError(f"the mount '{text}' is not well-formed", line)
        yield match[2] if match[1] is None else match[1].replace('""', '"')
        position, more = match.end(), bool(match[3])

"""The syntax of Dockerfiles: text to instructions, by the rules of BuildKit's own parser.

Rules: https://docs.docker.com/reference/dockerfile/, and where that is silent
https://github.com/moby/buildkit/tree/master/frontend/dockerfile (folders ``parser`` and ``instructions``).
A fingerprint of a build rests on this: a line must be read here as BuildKit reads it, oddities included.
"""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from homeport.model.expansion import SPACE, ExpansionError, shell_words
from homeport.model.instruction import (
    BLANKS,
    DockerfileSyntaxError,
    Heredoc,
    Instruction,
    heredoc_of,
    json_form,
    json_value,
    name_values,
)

_LONGEST_LINE = 65535  # bytes: BuildKit reads lines with Go's bufio.Scanner
_DIRECTIVE = re.compile(r"([a-zA-Z][a-zA-Z0-9]*)[\t\n\f\r ]*=[\t\n\f\r ]*(.+?)[\t\n\f\r ]*")
_DIRECTIVES = {"syntax", "escape", "check"}
# An escape character in front means that this one is none. BuildKit looks no further back.
_CONTINUED = {"\\": re.compile(r"(?<!\\)\\[ \t]*\Z"), "`": re.compile(r"(?<!`)`[ \t]*\Z")}
# A surrogate that stands for no byte: JSON can bring one along, and Go's decoder makes this of it.
_LONE_SURROGATE, _REPLACEMENT = re.compile("[\ud800-\udc7f\udd00-\udfff]"), "\ufffd"
_OWN_FRONTEND = re.compile(r"^(docker\.io/)?docker/dockerfile(-upstream)?([:@]|$)")
_WITH_HEREDOCS = {"RUN", "COPY", "ADD"}
_WITH_JSON = {"ADD", "CMD", "COPY", "ENTRYPOINT", "RUN", "SHELL", "VOLUME"}


@dataclass(frozen=True)
class Dockerfile:
    """A file's instructions, its escape character, and the frontend it asks for (empty: the built-in)."""

    instructions: tuple[Instruction, ...]
    escape: str
    syntax: str


def parse(text: str) -> Dockerfile:
    """Read a Dockerfile; raises DockerfileSyntaxError for what BuildKit's parser rejects.

    Unknown instructions and flags are not rejected here. Read files without translating line ends: a carriage
    return alone is no line end for BuildKit.
    """
    text = _LONE_SURROGATE.sub(_REPLACEMENT, text)
    reader = _Reader(text.removeprefix("\ufeff"))
    found: list[Instruction] = []
    while reader.position < len(reader.lines):
        first = reader.position + 1
        try:
            line = reader.logical_line()
            if line is not None:
                instruction = _instruction(line, reader.escape)
                _check(instruction)
                heredocs = tuple(map(reader.heredoc, _announced(instruction, line)))
                found.append(replace(instruction, heredocs=heredocs, line=first, last=reader.position))
        except (DockerfileSyntaxError, ExpansionError) as error:
            raise DockerfileSyntaxError(str(error), first) from error
    if not found:
        raise DockerfileSyntaxError("there are no instructions", len(reader.lines))
    return Dockerfile(tuple(found), reader.escape, frontend(text))


def frontend(text: str) -> str:
    """The image named by ``# syntax=`` at the top, also as ``// syntax=`` or in JSON; empty if there is none.

    It decides who reads the file: for one other than Dockerfile's own, ``parse`` may well fail.
    """
    text = text.removeprefix("\ufeff")
    if text.startswith("#!"):
        text = text.partition("\n")[2]
    for comment in ("#", "//"):
        directives = _Directives(comment)
        with contextlib.suppress(DockerfileSyntaxError):
            for line in io.StringIO(text, newline="\n"):
                if not directives.read(line.removesuffix("\n").removesuffix("\r")):
                    break
        if "syntax" in directives.found:
            return directives.found["syntax"].partition(" ")[0]
    try:
        document = json_value(text)
    except (ValueError, RecursionError):
        return ""
    named = document.get("syntax") if isinstance(document, dict) else None
    return named if isinstance(named, str) else ""


def foreign(name: str) -> bool:
    """Whether a frontend, as :func:`frontend` names it, is another than Dockerfile's own."""
    return bool(name) and not _OWN_FRONTEND.match(name)


class _Directives:
    """Parser directives, until the first line that is none."""

    def __init__(self, comment: str) -> None:
        self.comment = comment
        self.found: dict[str, str] = {}
        self.done = False

    def read(self, line: str) -> bool:
        """Whether there may be more; raises DockerfileSyntaxError for one that is there twice."""
        text = line.removeprefix(self.comment).lstrip(SPACE) if line.startswith(self.comment) else ""
        match = None if self.done else _DIRECTIVE.fullmatch(text)
        name = match[1].lower() if match else ""
        if match is None or name not in _DIRECTIVES:
            self.done = True
        elif name in self.found:
            raise DockerfileSyntaxError(f"the directive '{name}' is there twice")
        else:
            self.found[name] = match[2]
        return not self.done


class _Reader:
    def __init__(self, text: str) -> None:
        # Only \n ends a line, and here-documents keep it: str.splitlines would know a dozen others.
        self.lines = list(io.StringIO(text, newline="\n"))
        self.position = 0
        self.directives = _Directives("#")

    @property
    def escape(self) -> str:
        return self.directives.found.get("escape", "\\")

    def next(self) -> str:
        line = self.lines[self.position]
        self.position += 1
        if len(line) * 4 > _LONGEST_LINE and len(_bytes(line.removesuffix("\n"))) > _LONGEST_LINE:
            raise DockerfileSyntaxError(f"it is longer than {_LONGEST_LINE} bytes")
        return line

    def logical_line(self) -> str | None:
        """The next line with those that continue it; None for a comment or an empty one."""
        line = self.next().rstrip("\r\n").lstrip(SPACE)
        self.directives.read(line)
        if self.escape not in _CONTINUED:
            raise DockerfileSyntaxError(f"the escape character can't be '{self.escape}'")
        continued = _CONTINUED[self.escape]
        if not line or line.startswith("#"):
            return None
        parts, more = [continued.sub("", line)], continued.search(line)
        while more and self.position < len(self.lines):
            line = self.next().rstrip("\r\n")
            if line.strip(SPACE) and not line.lstrip(SPACE).startswith("#"):
                parts.append(continued.sub("", line))
                more = continued.search(line)
        return "".join(parts)

    def heredoc(self, announced: Heredoc) -> Heredoc:
        content: list[str] = []
        while self.position < len(self.lines):
            line = self.next()
            end = line.rstrip("\r\n")
            if (end.lstrip("\t") if announced.chomp else end) == announced.name:
                return replace(announced, content="".join(content))
            content.append(line)
        raise DockerfileSyntaxError(f"the here-document '{announced.name}' has no end")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _instruction(line: str, escape: str) -> Instruction:
    keyword, *rest = BLANKS.split(line.strip(SPACE), maxsplit=1)
    flags, value = _split_flags(rest[0] if rest else "", escape)
    keyword = keyword.lower()
    # Go knows instructions by their lower case, and some letters beyond ASCII have an upper case within.
    return Instruction(keyword.upper() if keyword.isascii() else keyword, flags, value, escape=escape)


def _split_flags(text: str, escape: str) -> tuple[tuple[tuple[str, str], ...], str]:
    """Flags and rest. BuildKit takes bytes for characters here, so a flag in UTF-8 comes out as Latin-1."""
    data = _bytes(text).decode("latin-1")
    flags: list[tuple[str, str]] = []
    position = 0
    while (position := len(data) - len(data[position:].lstrip(SPACE))) < len(data):
        if not data.startswith("--", position):
            break
        word, quote = "", ""
        while position < len(data) and (quote or data[position] not in SPACE):
            char = data[position]
            position += 1
            if char == quote:
                quote = ""
            elif not quote and char in "'\"":
                quote = char
            elif char == escape:
                word += data[position : position + 1]
                position += 1
            else:
                word += char
        if word == "--":
            break
        name, _, value = word[2:].partition("=")
        flags.append((name, value))
    return tuple(flags), data[position:].encode("latin-1").decode("utf-8", "surrogateescape").strip(SPACE)


def _check(instruction: Instruction) -> None:
    """Raises DockerfileSyntaxError for values that BuildKit rejects while it parses."""
    while instruction.keyword == "ONBUILD" and instruction.value:
        instruction = _instruction(instruction.value, instruction.escape)
    if instruction.keyword in {"ENV", "LABEL"}:
        name_values(instruction)
    elif instruction.keyword in _WITH_JSON:
        json_form(instruction.value)
    elif instruction.keyword == "HEALTHCHECK":
        json_form(BLANKS.sub(" ", instruction.value, count=1).partition(" ")[2])


def _announced(instruction: Instruction, line: str) -> Iterator[Heredoc]:
    """The here-documents that a line says will follow it, as yet without content."""
    if instruction.keyword == "ONBUILD" and instruction.value:
        instruction = _instruction(instruction.value, instruction.escape)
    if (
        instruction.keyword not in _WITH_HEREDOCS
        or "<<" not in line
        or json_form(instruction.value) is not None
    ):
        return
    try:
        words = shell_words(line, raw_quotes=True, raw_escapes=True)
    except ExpansionError:
        return  # what its lexer can't read has no here-documents for BuildKit: ``echo don't <<EOF``
    yield from (heredoc for heredoc in map(heredoc_of, words) if heredoc is not None)


def trigger(instruction: Instruction) -> Instruction:
    """What an ONBUILD does in builds on top of it. Raises DockerfileSyntaxError.

    BuildKit keeps it as text and parses that anew, without the directives of the file it comes from.
    """
    heredocs = (f"\n{heredoc.content}{heredoc.name}" for heredoc in instruction.heredocs)
    found = parse(instruction.value + "".join(heredocs)).instructions
    if len(found) != 1 or found[0].keyword in {"ONBUILD", "FROM", "MAINTAINER"}:
        raise DockerfileSyntaxError("ONBUILD takes one instruction, and not any", instruction.line)
    return replace(found[0], line=instruction.line)

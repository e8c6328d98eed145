"""The code blocks of the guides, and the commands in them, as the tests run them.

A block has its language after its fence. One with shell commands (``sh``, or indented) is run, line by line.
A comment before it says what else is to be known of it or, in backticks first, of the lines that begin so:

    <!-- not run: a reason -->                       <!-- `homeport scan` not run: a reason -->
    <!-- exits with 1: a reason -->                  <!-- `homeport status` exits with 0 or 1: a reason -->
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parent.parent.parent
SHELL = "sh"
_DIRECTIVE = re.compile(
    r"<!-- (?:`(?P<line>[^`]+)` )?(?:(?P<skip>not run)|exits with (?P<codes>\d+(?: or \d+)*)): "
    r"(?P<why>.+?) -->",
    re.DOTALL,
)
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")


class GuideError(AssertionError):
    """A block that can't be understood: where, and what is missing."""


@dataclass(frozen=True)
class Directive:
    """What a comment says of the lines that begin with ``line``, all if it is empty: the exit codes that are
    right, none if they aren't to be run; and why."""

    line: str
    codes: frozenset[int]
    why: str


@dataclass(frozen=True)
class Command:
    """One line: its words, the variables set before them, the exit codes that are right. ``skipped`` is why
    it isn't run."""

    text: str
    argv: tuple[str, ...]
    variables: tuple[tuple[str, str], ...]
    codes: frozenset[int]
    skipped: str


@dataclass(frozen=True)
class Block:
    """One code block; ``line`` is where it begins in the file, from 1."""

    path: Path
    line: int
    language: str
    text: str
    directives: tuple[Directive, ...]

    @property
    def place(self) -> str:
        return f"{self.path.relative_to(ROOT).as_posix()}:{self.line}"

    def commands(self) -> list[Command]:
        """The commands of a block of shell. Raises GuideError for a directive that no line fits."""
        found = [_command(line, self.directives) for line in _lines(self.text)]
        for one in self.directives:
            if not any(command.text.startswith(one.line) for command in found):
                raise GuideError(f"{self.place}: no line begins with {one.line!r}")
        return found


def guides() -> list[Path]:
    """What users read: README first, then the guides."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(path: Path) -> list[Block]:
    """All code blocks of a Markdown file, those in lists, too. Raises GuideError for a fence without a
    language, and for a comment that begins like a directive and is none."""
    found: list[Block] = []
    directives: list[Directive] = []
    for token in MarkdownIt("commonmark").parse(path.read_text(encoding="utf-8")):
        line = (token.map or [0])[0] + 1
        if token.type == "html_block":
            directives += _directives(token.content, f"{path.name}:{line}")
        elif token.type in ("fence", "code_block"):
            language = token.info.strip() if token.type == "fence" else SHELL
            if not language:
                raise GuideError(f"{path.name}:{line}: say the block's language after its fence")
            found.append(Block(path, line, language, token.content, tuple(directives)))
            directives = []
        elif token.type in ("paragraph_open", "heading_open"):
            directives = []
    return found


def _directives(html: str, place: str) -> Iterator[Directive]:
    for comment in re.findall(r"<!--.*?-->", html, re.DOTALL):
        match = _DIRECTIVE.fullmatch(comment)
        if match is None:
            if "not run" in comment or "exits with" in comment:
                raise GuideError(f"{place}: this is no directive: {comment}")
            continue
        codes = frozenset(map(int, match["codes"].split(" or "))) if match["codes"] else frozenset[int]()
        yield Directive(match["line"] or "", codes, " ".join(match["why"].split()))


def _lines(text: str) -> list[str]:
    """The lines of a block of shell, continued ones as one, without blank ones and comments."""
    lines = (line.strip() for line in text.replace("\\\n", " ").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _command(line: str, directives: tuple[Directive, ...]) -> Command:
    words = shlex.split(line, comments=True)
    variables = []
    while words and _ASSIGNMENT.match(words[0]):
        name, _, value = words.pop(0).partition("=")
        variables.append((name, value))
    fitting = [one for one in directives if line.startswith(one.line)]
    # The one that says most of the line counts.
    said = max(fitting, key=lambda one: len(one.line), default=None)
    codes = said.codes if said else frozenset({0})
    return Command(line, tuple(words), tuple(variables), codes, said.why if said and not said.codes else "")

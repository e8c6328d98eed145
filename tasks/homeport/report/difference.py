"""Differences between files as they are and as they would be, in the unified form that git and patch read."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from rich.console import Console
from rich.text import Text


def difference(files: Iterable[tuple[str, str, str]]) -> str:
    """The unified diff of files, each given by its name, its text and the text that it would have."""
    parts = []
    for name, before, after in files:
        lines = difflib.unified_diff(_lines(before), _lines(after), f"a/{name}", f"b/{name}")
        parts += [
            line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
        ]
    return "".join(parts)


def show_difference(text: str, console: Console) -> None:
    """The diff, in colour where somebody looks; carriage returns don't reach the terminal."""
    styles = {"+": "green", "-": "red", "@": "cyan"}
    for line in text.removesuffix("\n").split("\n"):
        console.print(Text(line.rstrip("\r"), style=styles.get(line[:1], "")), soft_wrap=True)


def _lines(text: str) -> list[str]:
    # Not splitlines(): it takes more characters for line ends than YAML and Dockerfiles do.
    return re.findall(r"[^\n]*\n|[^\n]+", text)

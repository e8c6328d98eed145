"""What every command shows on the terminal: a console, errors, warnings."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.text import Text

from homeport.errors import HomeportError

_LOG_WIDTH = 200


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave it to the command: rich itself would end the program with 1."""
        raise BrokenPipeError


def make_console(stream: TextIO | None = None) -> Console:
    """A console on ``stream`` (default: standard output) that never fails on a character it can't show.

    rich honours NO_COLOR, FORCE_COLOR and whether anybody looks.
    """
    # A program started with closed streams has none at all.
    stream = stream or sys.stdout or Path(os.devnull).open("w", encoding="utf-8", newline="\n")  # noqa: SIM115
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="replace")
    # Where nobody looks there is no width: tables must not be squeezed into eighty columns of a log file.
    return _Console(file=stream, highlight=False, width=None if stream.isatty() else _LOG_WIDTH)


def show_error(error: HomeportError, console: Console) -> None:
    """An error as people read it: what happened, the cause, the next step. Never interpreted as markup."""
    if error.detail:
        console.print(Text(error.detail), soft_wrap=True)
    console.print(Text.assemble(("error: ", "bold red"), error.what), soft_wrap=True)
    if error.cause:
        console.print(Text.assemble(("cause: ", "bold"), error.cause), soft_wrap=True)
    if error.hint:
        console.print(Text.assemble((" next: ", "bold"), error.hint), soft_wrap=True)


def show_warnings(warnings: tuple[str, ...], console: Console) -> None:
    for warning in warnings:
        console.print(Text.assemble(("warning: ", "yellow"), warning), soft_wrap=True)

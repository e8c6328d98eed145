"""The console script ``homeport``: the same tasks as ``invoke``, in any folder, with no tasks.py."""

from __future__ import annotations

import io
import re
import sys
from typing import Any

from invoke import Program
from invoke.exceptions import ParseError

from homeport import __version__
from homeport.commands import namespace
from homeport.commands.adapter import silence_output
from homeport.errors import EXIT_INTERRUPTED, EXIT_USAGE, did_you_mean


class Homeport(Program):
    """invoke's program with the exit codes of homeport: 2 for a wrong command line, 130 for Ctrl-C."""

    def create_config(self) -> None:
        try:
            super().create_config()
        except OSError as error:
            # invoke has a configuration of its own, in the home folder and in /etc.
            print(f"error: {error.filename} can't be read: {error.strerror or error}.", file=sys.stderr)
            print(" next: make it readable, or set HOME to your own folder.", file=sys.stderr)
            sys.exit(EXIT_USAGE)

    def parse_tasks(self) -> None:
        try:
            super().parse_tasks()
        except ParseError as error:
            self._wrong(error)

    def execute(self) -> None:
        try:
            super().execute()
        except KeyboardInterrupt:
            sys.exit(EXIT_INTERRUPTED)

    def _wrong(self, error: ParseError) -> None:
        known = self._known_words(getattr(error, "context", None))
        word = str(error).partition("'")[2].partition("'")[0]
        said = re.sub(r"Flag <Argument: ([^>]*)>", r"Option '--\1'", str(error))
        print(f"error: {said}", file=sys.stderr)
        if suggestion := did_you_mean(word, known) if word else "":
            print(f"cause: {suggestion}", file=sys.stderr)
        print(
            " next: 'homeport --list' shows the commands, 'homeport COMMAND --help' its options.",
            file=sys.stderr,
        )
        sys.exit(EXIT_USAGE)

    def _known_words(self, context: Any) -> list[str]:
        words = list(namespace.task_names)
        if context is not None:
            words += [str(flag) for flag in getattr(context, "flags", {})]
        return words


def main() -> None:
    """Run the command line and leave with its exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # What a console of Windows can't show must not end the program: help texts are printed as they are.
        sys.stdout.reconfigure(errors="replace")
    try:
        Homeport(name="homeport", binary="homeport", version=__version__, namespace=namespace).run()
    except BrokenPipeError:
        silence_output()
        sys.exit(EXIT_INTERRUPTED)


if __name__ == "__main__":
    main()

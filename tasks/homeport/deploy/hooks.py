"""Commands for this machine before and after a deploy, as ``[deploy]`` in homeport.toml names them."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from homeport.deploy.work import Work
from homeport.engine import process
from homeport.errors import HomeportError, ToolMissing, ToolTimeout

_LINES = 20


class HookFailed(HomeportError):
    """A command that had to succeed didn't."""


@dataclass(frozen=True)
class Hooks:
    """Runs commands in ``cwd``, without a shell; ``what`` is ``deploy`` or ``rollback``.

    They find HOMEPORT_STACK, HOMEPORT_COMMAND and HOMEPORT_SERVICES (those that change, with blanks
    between) in their environment.
    """

    stack: str
    what: str
    cwd: Path
    work: Work
    start: Callable[..., process.Completed] = process.run

    def run(self, when: str, commands: Iterable[str]) -> None:
        """Run all of them, one after the other. Raises HookFailed for the first that fails."""
        told = {
            "HOMEPORT_STACK": self.stack,
            "HOMEPORT_COMMAND": self.what,
            "HOMEPORT_SERVICES": " ".join(self.work.plan.changes),
        }
        for command in commands:
            # Only the program is named anywhere: its arguments may hold a password.
            argv = words(command, windows=sys.platform == "win32")
            self.work.event(self.stack, when, argv[0])
            try:
                done = self.start(argv, cwd=self.cwd, env=told, timeout=self.work.run_seconds)
            except ToolMissing:
                raise HookFailed(
                    f"'{argv[0]}' ({when} the {self.what}) can't be started.",
                    hint="Is it there, executable, and on PATH? No shell takes part, unless you name one.",
                ) from None
            except ToolTimeout:
                raise HookFailed(
                    f"'{argv[0]}' ({when} the {self.what}) didn't end within {self.work.run_seconds:.0f} s.",
                    hint="A longer time: 'run' under [deploy] in homeport.toml.",
                ) from None
            finally:
                self.work.event(self.stack, "ran", when)
            if done.code != 0:
                said = (done.stdout + done.stderr).splitlines()[-_LINES:]
                raise HookFailed(
                    f"'{argv[0]}' ({when} the {self.what}) ended with exit code {done.code}.",
                    hint="Its last lines are above." if said else "It said nothing.",
                    detail="\n".join(said),
                )


def words(command: str, *, windows: bool) -> list[str]:
    """The words of a command: both kinds of quotation marks keep blanks together, and are taken away.

    A backslash takes the meaning from what follows, but not on Windows, where paths have it. Raises
    HookFailed.
    """
    reader = shlex.shlex(command, posix=True, punctuation_chars=False)
    reader.whitespace_split, reader.commenters = True, ""
    if windows:
        reader.escape = ""
    try:
        found = list(reader)
    except ValueError:  # a quotation mark without another
        found = []
    if not found:
        raise HookFailed("A command under [deploy] is none.", hint="Correct it in homeport.toml.")
    return found

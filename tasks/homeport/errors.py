"""Every error a user can meet: what happened, the likely cause, the next step and the exit code.

The exit codes are the pipeline's contract with shells and CI:

====  =======================================================================
0     done, or nothing to do
1     the work failed: a build, a test, a gate, or findings above the limit
2     wrong usage, configuration or environment; nothing was touched
3     a deploy or rollback failed, and everything runs as before
4     a deploy or rollback failed and could not be undone
130   interrupted; what was started has been stopped or undone
====  =======================================================================
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

ISSUES_URL = "https://github.com/homeport-dev/homeport/issues"

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_UNDONE = 3
EXIT_BROKEN = 4
EXIT_INTERRUPTED = 130


class HomeportError(Exception):
    """An error that is part of the product: shown as text, never as a traceback.

    ``what`` says what happened, ``cause`` the likely reason, ``hint`` the next step, ``detail`` is
    output of another tool worth seeing as it is (several lines, shown unwrapped).
    """

    exit_code = EXIT_FAILED

    def __init__(self, what: str, *, cause: str = "", hint: str = "", detail: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.cause = cause
        self.hint = hint
        self.detail = detail
        self.document: Mapping[str, Any] = {}
        """What else ``--json`` says of the work that failed."""

    def as_dict(self) -> dict[str, str | int]:
        """The error for ``--json``; empty parts are left out."""
        parts: dict[str, str | int] = {"what": self.what, "cause": self.cause, "hint": self.hint}
        parts["detail"] = self.detail
        return {"exit_code": self.exit_code, **{key: value for key, value in parts.items() if value}}


class UsageError(HomeportError):
    """The command line or the configuration is wrong; nothing was touched."""

    exit_code = EXIT_USAGE


class NotWritable(UsageError):
    """A file or folder that was asked for can't be written; ``path`` is the one."""

    def __init__(self, what: str, path: str, *, hint: str = "") -> None:
        super().__init__(what, hint=hint)
        self.path = path


class DefinitionError(UsageError):
    """The bake file, Compose file or a Dockerfile can't be read as it stands."""


class EnvironmentProblem(HomeportError):
    """Something that the command needs is missing or doesn't answer; nothing was touched."""

    exit_code = EXIT_USAGE


class ToolMissing(EnvironmentProblem):
    """An executable isn't on PATH."""


class ToolTimeout(EnvironmentProblem):
    """Another tool didn't answer in time."""


class WorkFailed(HomeportError):
    """The work itself failed: a build, a test, a gate."""

    exit_code = EXIT_FAILED


class DeployUndone(HomeportError):
    """A deploy or rollback failed, and everything runs as before."""

    exit_code = EXIT_UNDONE


class DeployBroken(HomeportError):
    """A deploy or rollback failed and could not be undone."""

    exit_code = EXIT_BROKEN


class Interrupted(HomeportError):
    """Ctrl-C or a termination request; what was started has been stopped."""

    exit_code = EXIT_INTERRUPTED


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A suggestion such as ``did you mean 'data-api'?``, or an empty string.

    Case is ignored: a name typed in the wrong case is the nearest of all.
    """
    by_folded = {candidate.casefold(): candidate for candidate in known}
    near = difflib.get_close_matches(name.casefold(), list(by_folded), n=1, cutoff=0.6)
    return f"did you mean {by_folded[near[0]]!r}?" if near else ""

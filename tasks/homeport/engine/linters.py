"""What other programs say of Dockerfiles: BuildKit's own checks, and hadolint.

BuildKit: ``docker buildx bake --call check`` (https://docs.docker.com/reference/build-checks/); a base image
that can't be reached doesn't keep it from saying what it found before. hadolint: ``--format json``
(https://github.com/hadolint/hadolint); its own configuration file counts.
"""

from __future__ import annotations

import json
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from homeport.engine import process
from homeport.engine.programs import which
from homeport.errors import HomeportError

_SECONDS = 60.0


@dataclass(frozen=True)
class Said:
    """One thing that a program says: where, by which rule, and what.

    ``path`` is as it was given, ``line`` counts from 1;
    ``level`` is ``error``, ``warning``, or anything less; ``source`` an address that explains the rule.
    """

    path: str
    line: int
    rule: str
    level: str
    what: str
    source: str


class CanNotSay(HomeportError):
    """The program isn't there, or fails."""


def buildkit(dockerfiles: Sequence[str], root: Path) -> list[Said]:
    """What BuildKit's checks find in Dockerfiles, given by their paths from ``root``. Raises CanNotSay."""
    if not dockerfiles:
        return []
    named = {f"t{number}": path for number, path in enumerate(dockerfiles)}
    targets = {
        name: {"context": path.parent.as_posix(), "dockerfile": path.name}
        for name, path in ((name, PurePosixPath(path)) for name, path in named.items())
    }
    definition = {"target": targets, "group": {"default": {"targets": list(targets)}}}
    done = _run(
        ["docker", "buildx", "bake", "--file=-", "--call=check,format=json"], root, json.dumps(definition)
    )
    try:
        answers = json.loads(done.stdout)["target"]
        return [
            Said(
                named[name],
                _line(each),
                str(each["ruleName"]),
                "warning",
                str(each.get("detail") or each["description"]),
                str(each.get("url") or ""),
            )
            for name, answer in answers.items()
            for each in (answer.get("check") or {}).get("warnings") or ()
        ]
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        words = done.stderr.strip().splitlines()
        last = words[-1] if words else "It says nothing."
        raise CanNotSay("'docker buildx bake --call check' fails.", cause=last) from error


def hadolint(dockerfiles: Sequence[str], root: Path) -> list[Said]:
    """What hadolint finds in Dockerfiles, given by their paths from ``root``.

    It is looked for on PATH, and beside the Python that runs this. Raises CanNotSay.
    """
    program = which("hadolint") or which("hadolint", sysconfig.get_path("scripts"))
    if not program:
        raise CanNotSay("hadolint isn't there.")
    if not dockerfiles:
        return []
    done = _run([program, "--no-fail", "--format=json", "--", *dockerfiles], root)
    try:
        return [
            Said(
                str(each["file"]),
                int(each["line"]),
                str(each["code"]),
                str(each["level"]),
                str(each["message"]),
                _hadolint_source(str(each["code"])),
            )
            for each in _list(json.loads(done.stdout))
        ]
    except (ValueError, LookupError, TypeError) as error:
        words = done.stderr.strip().splitlines()
        last = words[-1] if words else "It says nothing."
        raise CanNotSay("hadolint fails.", cause=last) from error


def _run(argv: list[str], root: Path, stdin: str = "") -> process.Completed:
    try:
        return process.run(argv, stdin=stdin, cwd=root, timeout=_SECONDS)
    except HomeportError as error:
        raise CanNotSay(error.what, cause=error.cause) from error


def _list(said: Any) -> list[Any]:
    if not isinstance(said, list):
        raise TypeError("no list")
    return said


def _line(said: Any) -> int:
    ranges = (said.get("location") or {}).get("ranges") or [{}]
    return int((ranges[0].get("start") or {}).get("line") or 0)


def _hadolint_source(code: str) -> str:
    if code.startswith("SC"):
        return f"https://www.shellcheck.net/wiki/{code}"
    return f"https://github.com/hadolint/hadolint/wiki/{code}"

"""The repository's own tests of the whole stack: pytest, told where the stack is."""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from homeport.engine import folders, owner, process
from homeport.errors import EnvironmentProblem, UsageError
from homeport.model.checks import Check, Outcome
from homeport.test.stack import Stack

VARIABLE = "HOMEPORT_TEST_STACK"
"""The environment variable by which the tests are told."""
_NO_TESTS = 5
_LOG_LINES = 120


def check(paths: Sequence[str], root: Path) -> None:
    """Raise UsageError for a path that isn't there, EnvironmentProblem where pytest is missing."""
    for path in paths:
        if not (root / path).exists():
            raise UsageError(f"[test] integration: there is no {path!r} in {root}.")
    missing = [name for name in ("pytest", "pytest_docker") if importlib.util.find_spec(name) is None]
    if paths and missing:
        raise EnvironmentProblem(
            f"The integration tests need {' and '.join(missing).replace('_', '-')}.",
            hint="Install them beside homeport: pip install 'homeport[test]'.",
        )


def encoded(stack: Stack) -> str:
    """A stack as the variable holds it."""
    return json.dumps({"project": stack.project, "host": stack.host, "ports": stack.ports})


def decoded(text: str) -> Stack:
    """The stack that a variable names. Raises ValueError for anything else."""
    found = json.loads(text)
    ports = {
        str(name): {int(port): tuple(map(int, at)) for port, at in own.items()}
        for name, own in found["ports"].items()
    }
    return Stack(str(found["project"]), ports, str(found["host"]))


def run(paths: Sequence[str], root: Path, stack: Stack, seconds: float) -> list[Check]:
    """Run the tests against the stack; a check for each. ``seconds`` limits all of them together."""
    began = time.monotonic()
    with folders.for_a_while("homeport-test-") as folder:
        results = folder / "junit.xml"
        argv = [sys.executable, "-m", "pytest", f"--junitxml={results}", "--", *paths]
        env = {VARIABLE: encoded(stack), **owner.variables()}
        code, said = process.limited(argv, seconds=seconds, cwd=root, env=env)
        checks = _read(results)
    took, log = time.monotonic() - began, tuple(said.splitlines()[-_LOG_LINES:])
    if code is None:
        checks.append(
            Check("integration", "pytest", Outcome.FAILED, took, f"no end after {seconds:.0f} s", log)
        )
    elif code == _NO_TESTS and not checks:
        checks.append(
            Check("integration", "pytest", Outcome.NONE, took, f"pytest found no test in {', '.join(paths)}")
        )
    elif code == 0 and not checks:
        checks.append(
            Check("integration", "pytest", Outcome.FAILED, took, "pytest ended well, but ran no test", log)
        )
    elif code and code != _NO_TESTS and not any(one.outcome is Outcome.FAILED for one in checks):
        checks.append(
            Check("integration", "pytest", Outcome.FAILED, took, f"pytest ended with exit code {code}", log)
        )
    return checks


def _read(path: Path) -> list[Check]:
    """The tests in a JUnit file as pytest writes it; none if it didn't come so far."""
    try:
        root = ElementTree.parse(path).getroot()  # noqa: S314 - pytest has just written it
    except (OSError, ElementTree.ParseError):
        return []
    # One without a name is no test: pytest was ended by force.
    return [_case(case) for case in root.iter("testcase") if case.get("name")]


def _case(case: ElementTree.Element) -> Check:
    name = f"{case.get('classname', '')}::{case.get('name', '')}".removeprefix("::")
    seconds = float(case.get("time") or 0)
    for kind in ("failure", "error"):
        if (found := case.find(kind)) is not None:
            log = tuple((found.text or "").splitlines()[-_LOG_LINES:])
            detail = " ".join((found.get("message") or "").split())[:200]
            return Check("integration", name, Outcome.FAILED, seconds, detail, log)
    if (skipped := case.find("skipped")) is not None:
        return Check("integration", name, Outcome.LEFT_OUT, seconds, skipped.get("message") or "")
    return Check("integration", name, Outcome.PASSED, seconds)

"""What a test run came to: one check for each thing that was tested."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class Outcome(Enum):
    """How a check ended."""

    PASSED = "passed"
    FAILED = "failed"
    NONE = "no tests"
    LEFT_OUT = "left out"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Check:
    """One thing that was tested: ``kind`` is unit, smoke or integration, ``seconds`` what it took.

    ``detail`` says in a line what counts, ``log`` is what is worth reading of a failure.
    """

    kind: str
    name: str
    outcome: Outcome
    seconds: float = 0.0
    detail: str = ""
    log: tuple[str, ...] = ()


def ok(checks: Iterable[Check], *, strict: bool = False) -> bool:
    """Whether a run counts as passed; ``strict``: where there are no tests, nothing has passed."""
    bad = {Outcome.FAILED, Outcome.NONE} if strict else {Outcome.FAILED}
    return not any(check.outcome in bad for check in checks)

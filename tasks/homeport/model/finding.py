"""What is wrong in a repository: rules with reasons, findings with their place, edits that mend them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Severity(Enum):
    """How much it matters; the words are SARIF's levels."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class Rule:
    """One kind of finding. ``why`` says what it costs, ``source`` where that stands."""

    id: str
    severity: Severity
    title: str
    why: str
    source: str


@dataclass(frozen=True)
class Edit:
    """Replace the characters from ``start`` to ``end`` of a file by ``text``."""

    start: int
    end: int
    text: str = ""


@dataclass(frozen=True)
class Finding:
    """One place that a rule speaks of.

    ``path`` is relative to the repository, ``line`` counts from 1 (0: the whole file), ``fix`` says what to
    do. ``edits`` do it, or an edit of another file (``elsewhere``); without any it is left to people.
    ``about`` tells findings of one line apart.
    """

    rule: Rule
    path: str
    line: int
    what: str
    fix: str
    edits: tuple[Edit, ...] = ()
    about: str = ""
    elsewhere: bool = False

    @property
    def fixable(self) -> bool:
        return bool(self.edits) or self.elsewhere

"""Findings of images and of the repository in one form. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from homeport.model.finding import Finding, Severity
from homeport.model.reference import normalized, repository
from homeport.model.vulnerability import Level, Weakness
from homeport.scan.subjects import Subject


@dataclass(frozen=True)
class Hit:
    """One finding: what is wrong, and where. ``subject`` is None for what stands in the repository.

    ``file`` is relative to the repository, ``line`` counts from 1; 0: the whole file, or an image.
    """

    weakness: Weakness
    subject: Subject | None = None
    file: str = ""
    line: int = 0

    @property
    def place(self) -> str:
        """Where it is, as people read it: the image's name, or file and line."""
        if self.subject is not None:
            return self.subject.reference
        return f"{self.file}:{self.line}" if self.line else self.file

    @property
    def image(self) -> str:
        """The id of the image; empty for the repository."""
        return self.subject.id if self.subject else ""

    @property
    def whose(self) -> str:
        """What stays the same when an image is built again: its name without the tag; or the file."""
        return repository(normalized(self.subject.reference)) if self.subject else self.file

    @property
    def targets(self) -> tuple[str, ...]:
        return self.subject.targets if self.subject else ()


_LEVELS = {Severity.ERROR: Level.HIGH, Severity.WARNING: Level.MEDIUM, Severity.NOTE: Level.LOW}


def of_repository(one: Finding) -> Hit:
    """A finding of an audit among those of a scan."""
    # Its name in a baseline: what it says, without the line, which may move.
    weakness = Weakness(
        one.rule.id, _LEVELS[one.rule.severity], one.what, title=one.rule.title, url=one.rule.source
    )
    return Hit(weakness, None, one.path, one.line)

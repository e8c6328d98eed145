"""A release: the immutable record of one deploy. It holds digests and names, never a value of a variable."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from enum import Enum

from homeport.errors import UsageError, did_you_mean

FORMAT = 1


class Outcome(Enum):
    """How a deploy ended."""

    PASSED = "passed"
    UNDONE = "undone"
    BROKEN = "broken"
    """Neither done nor undone."""


@dataclass(frozen=True)
class Deployed:
    """One service in a release: its replica set, and its image by id and by the name it had."""

    replica_set: str
    image: str
    image_name: str = ""
    count: int = 1
    front: bool = False
    one_shot: bool = False
    front_name: str = ""
    """Which front it had; empty if it had none, or was deployed when there was one for all forms."""


@dataclass(frozen=True)
class Release:
    """One deploy. ``started`` counts seconds since the epoch; ``revision`` is a git commit, or empty.

    ``of`` is the number of the release that a rollback went back to, else 0. ``changed`` are the services
    that this deploy replaced, added or removed.
    """

    number: int
    stack: str
    started: float
    seconds: float
    outcome: Outcome
    services: Mapping[str, Deployed] = field(hash=False)
    changed: tuple[str, ...] = ()
    who: str = ""
    host: str = ""
    revision: str = ""
    dirty: bool = False
    message: str = ""
    of: int = 0
    irreversible: bool = False
    """What it did to data, say, is nothing that older releases can live with."""
    shared: Mapping[str, str] = field(default_factory=dict, hash=False)
    """How its networks and volumes were defined: a digest by kind and name."""

    @property
    def id(self) -> str:
        """How people name it: ``r12``."""
        return f"r{self.number}"


def to_json(release: Release) -> str:
    """A release as the text that is kept with the engine."""
    return json.dumps({"format": FORMAT, **asdict(release), "outcome": release.outcome.value})


def from_json(text: str) -> Release | None:
    """What :func:`to_json` wrote; None for anything else, of this or a later format."""
    try:
        document = json.loads(text)
        if document.pop("format") != FORMAT or not isinstance(document["number"], int):
            return None
        services = {name: Deployed(**item) for name, item in document.pop("services").items()}
        return Release(
            **{
                **document,
                "services": services,
                "outcome": Outcome(document["outcome"]),
                "changed": tuple(document.get("changed") or ()),
            }
        )
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return None


def current(releases: Iterable[Release]) -> Release | None:
    """The release that should be running: the last that passed."""
    passed = [release for release in releases if release.outcome is Outcome.PASSED]
    return max(passed, key=lambda release: release.number, default=None)


def previous(releases: Iterable[Release]) -> Release | None:
    """The release before the current one: what ``rollback --to previous`` means.

    After a rollback that is what was rolled back, not what ran before it twice: the last release that passed
    whose services are others than the current one's.
    """
    everything = list(releases)
    now = current(everything)
    others = [
        release
        for release in everything
        if release.outcome is Outcome.PASSED and now and _forms(release) != _forms(now)
    ]
    return max(others, key=lambda release: release.number, default=None)


def barrier(releases: Iterable[Release], target: Release) -> Release | None:
    """The first release after ``target`` that can't be gone back past, up to the current one."""
    everything = list(releases)
    now = current(everything)
    between = [
        release
        for release in everything
        if release.irreversible
        and release.outcome is Outcome.PASSED
        and target.number < release.number <= (now.number if now else 0)
    ]
    return min(between, key=lambda release: release.number, default=None)


def superseded(releases: Iterable[Release], pinned: Collection[int], keep: int) -> tuple[Release, ...]:
    """The releases that the policy lets go: all but the last ``keep`` that passed, and those after them.

    Never the current, the previous or a pinned one.
    """
    everything = sorted(releases, key=lambda release: release.number)
    passed = [release for release in everything if release.outcome is Outcome.PASSED]
    oldest = passed[-min(max(keep, 1), len(passed))].number if passed else 0
    safe = {one.number for one in (current(everything), previous(everything)) if one} | set(pinned)
    return tuple(one for one in everything if one.number < oldest and one.number not in safe)


def choose(releases: Iterable[Release], wanted: str) -> Release:
    """The release that ``previous``, an id (``r12``, ``12``) or the beginning of a git revision means.

    Raises UsageError if there is none.
    """
    everything = sorted(releases, key=lambda release: release.number)
    passed = [release for release in everything if release.outcome is Outcome.PASSED]
    if wanted == "previous":
        found = previous(everything)
        if found is None:
            raise UsageError(
                "There is no previous release.",
                cause="Only one release of this stack has ever passed." if passed else "None has passed yet.",
                hint="'homeport releases' lists them.",
            )
        return found
    if match := re.fullmatch(r"r?(\d+)", wanted):
        by_number = [release for release in everything if release.number == int(match[1])]
        if by_number and by_number[0].outcome is not Outcome.PASSED:
            raise UsageError(
                f"Release {by_number[0].id} never ran: its deploy was {by_number[0].outcome.value}.",
                hint="'homeport releases' says which have passed.",
            )
        if by_number:
            return by_number[0]
    by_revision = [
        release
        for release in passed
        if len(wanted) >= 4 and release.revision.startswith(wanted.lower()) and not release.dirty
    ]
    if by_revision:
        return by_revision[-1]
    raise UsageError(
        f"There is no release '{wanted}'.",
        cause=did_you_mean(wanted, ["previous", *(release.id for release in passed)]),
        hint=f"Releases that passed: {', '.join(release.id for release in passed[-10:]) or 'none'}.",
    )


def _forms(release: Release) -> dict[str, tuple[str, str]]:
    return {name: (service.replica_set, service.front_name) for name, service in release.services.items()}

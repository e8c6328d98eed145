"""Which findings count, which don't and why: severity, fixes, exceptions with an end, the baseline. Pure."""

from __future__ import annotations

import datetime
import fnmatch
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from homeport.errors import UsageError, did_you_mean
from homeport.model.config import ScanIgnore
from homeport.model.until import ended, last_day
from homeport.model.vulnerability import Level
from homeport.scan.baseline import Baseline
from homeport.scan.hits import Hit

_MOST = 5


@dataclass(frozen=True)
class Gate:
    """What counts: from which severity on, with which fixes, and with which exceptions."""

    limit: Level = Level.HIGH
    fixable_only: bool = False
    ignore: Mapping[str, ScanIgnore] = field(default_factory=dict)
    baseline: Baseline | None = None
    whole: bool = True
    """Whether everything was looked at: only then an exception without a finding is one too many."""
    targets: tuple[str, ...] = ()
    """All targets, or services, whose images were looked at; empty: nobody says."""


@dataclass(frozen=True)
class Verdict:
    """All findings: those that count, and those that don't, with the reason."""

    counted: tuple[Hit, ...] = ()
    below: tuple[Hit, ...] = ()
    """Less than the severity that was asked for."""
    unfixed: tuple[Hit, ...] = ()
    """Without a fix, where only what can be fixed counts."""
    ignored: tuple[tuple[Hit, str], ...] = ()
    """Each with the exception's reason."""
    known: tuple[tuple[Hit, str], ...] = ()
    """In the baseline; each with the digest that it has there."""
    warnings: tuple[str, ...] = ()

    @property
    def taken(self) -> tuple[Hit, ...]:
        """All but the exceptions: what a new baseline holds."""
        return (*self.counted, *self.below, *self.unfixed, *(hit for hit, _ in self.known))


def check(ignore: Mapping[str, ScanIgnore]) -> None:
    """Raise UsageError for an exception without an id or a reason, or with a date that is none."""
    for name, one in ignore.items():
        where = f"[scan.ignore.{name}]"
        if not one.id.strip():
            raise UsageError(f"{where} needs an 'id'.", hint='For example: id = "CVE-2026-1234".')
        if not one.reason.strip():
            raise UsageError(f"{where} needs a 'reason'.", hint="Say why this may stay as it is.")
        if one.until:
            last_day(one.until, where)


def judge(
    hits: Iterable[Hit], gate: Gate, today: datetime.date, ignored: Iterable[tuple[Hit, str]] = ()
) -> Verdict:
    """Sort findings. ``ignored`` are those that are excepted already, each with the reason.

    An exception comes first, then the baseline, then severity and fixes. One whose last day is over is named,
    and so is one that finds nothing.
    """
    counted, below, unfixed, known = [], [], [], []
    gone, used = list(ignored), set()
    expired: dict[str, int] = {}
    ordered = sorted(hits, key=_order)
    for hit in ordered:
        fits = [name for name, one in gate.ignore.items() if _meets(one, hit)]
        used.update(fits)
        valid = [name for name in fits if not ended(gate.ignore[name].until, today)]
        digest = gate.baseline.knows(hit) if gate.baseline else None
        if valid:
            gone.append((hit, gate.ignore[valid[0]].reason))
            continue
        if digest is not None:
            known.append((hit, digest))
            continue
        for name in fits:
            expired[name] = expired.get(name, 0) + 1
        if hit.weakness.level < gate.limit:
            below.append(hit)
        elif gate.fixable_only and not hit.weakness.fixable:
            unfixed.append(hit)
        else:
            counted.append(hit)
    warnings = tuple(_warnings(gate, used, expired, today, ordered))
    return Verdict(tuple(counted), tuple(below), tuple(unfixed), tuple(gone), tuple(known), warnings)


def _warnings(
    gate: Gate, used: set[str], expired: Mapping[str, int], today: datetime.date, hits: Sequence[Hit]
) -> Iterable[str]:
    for name, one in gate.ignore.items():
        if ended(one.until, today):
            found = expired.get(name, 0)
            what = f"its {found} findings count" if found > 1 else "its finding counts"
            yield (
                f"[scan.ignore.{name}] ended on {one.until}: "
                + (f"{what} again ({one.id})." if found else "it can go, for nothing needs it any more.")
            )
        elif gate.whole and (why := _why_nothing(one, hits) if name not in used else ""):
            yield f"[scan.ignore.{name}] ignores nothing: {why}"
        elif gate.whole and gate.targets and (strange := _strange(one.targets, gate.targets)):
            yield f"[scan.ignore.{name}] names targets that there aren't: {strange}"


def _why_nothing(one: ScanIgnore, hits: Sequence[Hit]) -> str:
    """Why an exception meets no finding: its id, its packages or its targets."""
    found = [hit for hit in hits if hit.weakness.id == one.id]
    if not found:
        near = did_you_mean(one.id, (hit.weakness.id for hit in hits))
        return f"no image and no file has {one.id}{f': {near}' if near else '.'}"
    fitting = [hit for hit in found if _fits(one.packages, (hit.weakness.package,))]
    if not fitting:
        packages = sorted({hit.weakness.package for hit in found})
        return f"{one.id} is in {_some(packages)}, and not in {_strange(one.packages, packages)}"
    names = sorted({target for hit in fitting for target in hit.targets})
    if not names:
        places = sorted({hit.place for hit in fitting})
        return f"{one.id} is in {_some(places)}, which is no target's: leave 'targets' out."
    return f"{one.id} is in {_some(names)}, and not in {_strange(one.targets, names)}"


def _strange(patterns: Iterable[str], names: Collection[str]) -> str:
    """Those patterns that fit none of these names, with the nearest one for each; empty if all fit."""
    found = []
    for pattern in patterns:
        if not any(fnmatch.fnmatchcase(name, pattern) for name in names):
            near = did_you_mean(pattern, names)
            found.append(f"{pattern!r} ({near})" if near else repr(pattern))
    return f"{', '.join(found)}." if found else ""


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return f"{', '.join(names[:_MOST])}{more}"


def _meets(one: ScanIgnore, hit: Hit) -> bool:
    return (
        one.id == hit.weakness.id
        and _fits(one.packages, (hit.weakness.package,))
        and _fits(one.targets, hit.targets)
    )


def _fits(patterns: Collection[str], names: Iterable[str]) -> bool:
    return not patterns or any(fnmatch.fnmatchcase(name, pattern) for name in names for pattern in patterns)


def _order(hit: Hit) -> tuple[int, str, str, str]:
    return (-hit.weakness.level, hit.place, hit.weakness.package, hit.weakness.id)

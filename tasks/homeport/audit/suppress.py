"""Findings that somebody decided to live with: by rule and path, with a reason and an end. Pure."""

from __future__ import annotations

import datetime
import fnmatch
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from homeport.audit.finding import RULES
from homeport.audit.others import PROGRAMS
from homeport.errors import UsageError, did_you_mean
from homeport.model.config import Suppression
from homeport.model.finding import Finding
from homeport.model.until import ended, last_day


@dataclass(frozen=True)
class Sifted:
    """Findings that count, those that don't with the reason, and what is to be said of the suppressions."""

    open: tuple[Finding, ...]
    suppressed: tuple[tuple[Finding, str], ...] = ()
    warnings: tuple[str, ...] = ()


def check(suppressions: Mapping[str, Suppression]) -> None:
    """Raise UsageError for one without a reason, of an unknown rule, or with a date that is none."""
    known = [rule.id for rule in RULES]
    for name, one in suppressions.items():
        where = f"[audit.suppress.{name}]"
        program, _, theirs = one.rule.partition("/")
        if one.rule not in known and not (program in PROGRAMS and theirs):
            raise UsageError(
                f"{where}: there is no rule {one.rule!r}.",
                cause=did_you_mean(one.rule, known),
                hint="'homeport audit --rules' lists them.",
            )
        if not one.reason.strip():
            raise UsageError(f"{where} needs a 'reason'.", hint="Say why this may stay as it is.")
        if one.until:
            last_day(one.until, where)


def sift(
    findings: Iterable[Finding], suppressions: Mapping[str, Suppression], today: datetime.date
) -> Sifted:
    """Sort findings by the suppressions; one that has ended, or suppresses nothing, is a warning."""
    left, gone, used = [], [], set()
    for finding in findings:
        found = next((name for name, one in suppressions.items() if _meets(one, finding, today)), "")
        if found:
            used.add(found)
            gone.append((finding, suppressions[found].reason))
        else:
            left.append(finding)
    warnings = []
    for name, one in suppressions.items():
        if ended(one.until, today):
            warnings.append(f"[audit.suppress.{name}] ended on {one.until}: its findings count again.")
        elif name not in used:
            warnings.append(f"[audit.suppress.{name}] suppresses nothing: it can go.")
    return Sifted(tuple(left), tuple(gone), tuple(warnings))


def _meets(one: Suppression, finding: Finding, today: datetime.date) -> bool:
    if one.rule != finding.rule.id or ended(one.until, today):
        return False
    return not one.paths or any(fnmatch.fnmatchcase(finding.path, pattern) for pattern in one.paths)

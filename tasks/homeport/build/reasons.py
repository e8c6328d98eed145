"""Why a target is built or not, in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from homeport.build.facts import BuildFacts
from homeport.build.options import BuildOptions
from homeport.build.standing import Standing
from homeport.model.fingerprint import Change, Fingerprint, Recorded, compare
from homeport.report.words import plural, printable

_SHOWN = 2


def built(
    name: str,
    facts: BuildFacts,
    options: BuildOptions,
    standing: Standing,
    needs: Mapping[str, Sequence[str]],
) -> str:
    """Why a target is built, in one line."""
    reason = _due(name, options, standing)
    if name in facts.definition.requested:
        return reason or "requested"
    return f"{needed_by(name, needs)}{': ' + reason if reason else ''}"


def skipped(name: str, facts: BuildFacts, standing: Standing, needs: Mapping[str, Sequence[str]]) -> str:
    """Why a target isn't built, in one line."""
    where = "in the engine" if standing.found[name].image else "in the registry"
    if name in facts.definition.requested:
        return f"unchanged, {where}"
    return f"{needed_by(name, needs)}: unchanged, {where}"


def needed_by(name: str, needs: Mapping[str, Sequence[str]]) -> str:
    """Which targets build on this one, the first of them by name."""
    wanting = [other for other, others in needs.items() if name in others]
    shown = ", ".join(wanting[:3]) + (f" and {len(wanting) - 3} more" if len(wanting) > 3 else "")
    return f"needed by {shown}"


def _due(name: str, options: BuildOptions, standing: Standing) -> str:
    fingerprint = standing.fingerprints.get(name)
    if fingerprint is None:
        return ""
    if not options.skip:
        return "asked for with --no-skip"
    if fingerprint.unknown:
        return f"always built: {printable(fingerprint.unknown[0])}"
    if name in standing.found and not standing.found[name].copies and options.push:
        return "not in the registry yet"
    before = standing.before.get(name)
    if before is None:
        return "new" if standing.current.get(name) is None else "no record of what its image was made of"
    found = changes(fingerprint, before)
    return summary(found) if found else "its image is gone"


def changes(fingerprint: Fingerprint, before: Recorded | None) -> tuple[Change, ...]:
    """What differs from the last image; nothing where nobody knows."""
    # Of what can't be known some inputs were not even looked at.
    return compare(before, fingerprint) if before is not None and fingerprint.known else ()


def summary(found: Sequence[Change]) -> str:
    """The changes in a few words: the first ones by name, the rest by number."""
    if umask := another_umask(found):
        return umask
    # What it builds on explains most: its own inputs come after.
    order = sorted(found, key=lambda change: not change.what.startswith(("target ", "image ")))
    shown = [f"{printable(change.what)} {change.how}" for change in order[:_SHOWN]]
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return ", ".join(shown) + more


def another_umask(found: Sequence[Change]) -> str:
    """What to say where nothing but permission bits differs; empty for all else."""
    if not found or not all(change.how.startswith("mode") for change in found):
        return ""
    ways = sorted({change.how.removeprefix("mode").strip() for change in found} - {""})
    shown = f" ({', '.join(ways[:2])})" if ways else ""
    return (
        f"only the permissions of {plural(len(found), 'file')} differ{shown}: checked out with another umask?"
    )

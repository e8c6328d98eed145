"""Findings of a scan for people, and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.text import Text

from homeport.engine.scanner import Ready
from homeport.model.vulnerability import Level
from homeport.report.table import plain_table
from homeport.report.words import one_line, plural, printable, short_digest
from homeport.scan.hits import Hit
from homeport.scan.images import Looked
from homeport.scan.subjects import Subject
from homeport.scan.verdict import Gate, Verdict

SCHEMA = "homeport.scan/1"
STYLES = {
    Level.CRITICAL: "bold red",
    Level.HIGH: "red",
    Level.MEDIUM: "yellow",
    Level.LOW: "cyan",
    Level.UNKNOWN: "dim",
}
COLUMNS = ("image", "package", "id", "severity", "installed", "fixed in", "title")
_TITLE = 70


@dataclass(frozen=True)
class Outcome:
    """A whole scan: what was looked at, by what, and what is to be said of it."""

    looked: tuple[Looked, ...]
    ready: Ready
    gate: Gate
    verdict: Verdict
    sboms: dict[str, str]
    """By image id the file that lists what is in it."""
    accepted: bool = False
    """Whether a baseline is made of it: then nothing fails."""

    @property
    def failed(self) -> bool:
        return bool(self.verdict.counted) and not self.accepted


def plan(subjects: Sequence[Subject], scanner: str, console: Console) -> None:
    """What would be scanned, and by what."""
    table = plain_table()
    for heading in ("image", "id", "targets"):
        table.add_column(heading, no_wrap=heading != "targets")
    for one in subjects:
        table.add_row(
            Text(printable(one.reference)), Text(short_digest(one.id), style="dim"), ", ".join(one.targets)
        )
    console.print(table)
    console.print(Text(f"{plural(len(subjects), 'image')} to scan with {scanner}. Nothing was scanned."))


def begin(scanner: str, update: bool, console: Console) -> None:
    """What may take a while before the first image is done."""
    words = "brings its database up to date" if update else "takes the database that is there"
    console.print(Text(f"{scanner} {words}", style="dim"), soft_wrap=True)


def done(one: Looked, console: Console) -> None:
    """One image is done."""
    how = "known from before" if one.cached else f"{one.seconds:.1f} s"
    found = plural(len(one.report.weaknesses), "finding")
    console.print(Text(f"{printable(one.subject.reference)}: {found} ({how})", style="dim"), soft_wrap=True)


def findings(verdict: Verdict, console: Console) -> None:
    """One table of what counts, and below it what doesn't and why."""
    table = plain_table()
    for heading in COLUMNS:
        wide = heading in ("package", "title")
        table.add_column(heading, no_wrap=not wide, overflow="fold", max_width=_TITLE if wide else None)
    for hit in verdict.counted:
        one = hit.weakness
        table.add_row(
            Text(printable(hit.place)),
            Text(printable(one.package)),
            Text(printable(one.id)),
            Text(one.level.word, style=STYLES[one.level]),
            Text(printable(one.version)),
            Text(printable(one.fixed), style="green"),
            Text(one_line(printable(one.title), _TITLE), style="dim"),
        )
    if verdict.counted:
        console.print(table)
        console.print()
    for (what, reason), count in sorted(_reasons(verdict.ignored).items()):
        times = f" ({count} times)" if count > 1 else ""
        console.print(Text(printable(f"ignored: {what}{times}: {reason}"), style="dim"), soft_wrap=True)
    if verdict.known:
        rebuilt = sum(bool(hit.image) and hit.image != digest for hit, digest in verdict.known)
        words = f"in the baseline: {plural(len(verdict.known), 'finding')}"
        words += f", {rebuilt} of them from an earlier build of the image" if rebuilt else ""
        console.print(Text(words, style="dim"))


def last_line(outcome: Outcome) -> str:
    """How much there is of what."""
    verdict, ready = outcome.verdict, outcome.ready
    images = plural(len(outcome.looked), "image")
    text = f"{images}: {_counts(verdict.counted) or 'nothing'} at or above {outcome.gate.limit.word}"
    rest = [
        f"{_counts(verdict.below)} below it" if verdict.below else "",
        f"{len(verdict.unfixed)} without a fix" if verdict.unfixed else "",
        f"{len(verdict.ignored)} ignored" if verdict.ignored else "",
        f"{len(verdict.known)} in the baseline" if verdict.known else "",
    ]
    return f"{'; '.join([text, *filter(None, rest)])}. {about(ready)}."


def about(ready: Ready) -> str:
    """Which scanner, with a database of which time."""
    return f"{ready.name} {ready.version}, database of {ready.built}"


def document(outcome: Outcome) -> dict[str, Any]:
    """All of it as JSON; ``state`` says why a finding counts or doesn't."""
    verdict = outcome.verdict
    states = (("counts", verdict.counted), ("below", verdict.below), ("unfixed", verdict.unfixed))
    listed = [_hit(hit, state) for state, hits in states for hit in hits]
    listed += [{**_hit(hit, "ignored"), "reason": reason} for hit, reason in verdict.ignored]
    listed += [{**_hit(hit, "baseline"), "baseline_digest": digest} for hit, digest in verdict.known]
    return {
        "schema": SCHEMA,
        "ok": not outcome.failed,
        "severity": outcome.gate.limit.word,
        "fixable_only": outcome.gate.fixable_only,
        "scanner": {
            "name": outcome.ready.name,
            "version": outcome.ready.version,
            "database": outcome.ready.database,
        },
        "images": [
            {
                **_subject(one.subject),
                "cached": one.cached,
                "seconds": round(one.seconds, 3),
                **({"sbom": path} if (path := outcome.sboms.get(one.subject.id)) else {}),
            }
            for one in outcome.looked
        ],
        "warnings": list(verdict.warnings),
        "findings": listed,
    }


def plan_document(subjects: Iterable[Subject], scanner: str) -> dict[str, Any]:
    """What would be scanned, as JSON."""
    return {"schema": SCHEMA, "dry_run": True, "scanner": scanner, "images": list(map(_subject, subjects))}


def _subject(one: Subject) -> dict[str, Any]:
    return {"image": one.reference, "digest": one.id, "targets": list(one.targets)}


def _hit(hit: Hit, state: str) -> dict[str, Any]:
    one = hit.weakness
    return {
        "state": state,
        "image": hit.subject.reference if hit.subject else "",
        "digest": hit.image,
        "targets": list(hit.targets),
        "file": hit.file,
        "line": hit.line,
        "id": one.id,
        "severity": one.level.word,
        "package": one.package,
        "version": one.version,
        "fixed": one.fixed,
        "title": one.title,
        "url": one.url,
        "path": one.path,
    }


def _counts(hits: Iterable[Hit]) -> str:
    count = Counter(hit.weakness.level for hit in hits)
    return ", ".join(f"{count[each]} {each.word}" for each in reversed(Level) if count[each])


def _reasons(ignored: Iterable[tuple[Hit, str]]) -> Counter[tuple[str, str]]:
    return Counter((f"{hit.weakness.id} in {hit.place}", reason) for hit, reason in ignored)

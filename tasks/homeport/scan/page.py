"""A scan as one HTML file that needs nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from homeport.model.vulnerability import Level
from homeport.report import sheet
from homeport.report.document import write_json, write_text
from homeport.report.markup import element, escape
from homeport.report.words import plural, seconds, short_digest
from homeport.scan import sarif, show
from homeport.scan.hits import Hit
from homeport.scan.images import Looked
from homeport.scan.show import Outcome

_COLUMNS = (*show.COLUMNS, "state")
_IMAGES = ("image", "targets", "id", *(one.word for one in reversed(Level)), "time")
_CLASSES = {Level.CRITICAL: "failed", Level.HIGH: "failed"}


def page(outcome: Outcome, name: str, started: float) -> str:
    """The page as a whole HTML document; ``name`` is the repository's, ``started`` counts from the epoch."""
    verdict = outcome.verdict
    states: tuple[tuple[str, Iterable[Hit]], ...] = (
        ("counts", verdict.counted),
        ("no fix", verdict.unfixed),
        (f"below {outcome.gate.limit.word}", verdict.below),
        ("in the baseline", (hit for hit, _ in verdict.known)),
    )
    rows = [_row(hit, state) for state, hits in states for hit in hits]
    rows += [_row(hit, "ignored", reason) for hit, reason in verdict.ignored]
    count = len(verdict.counted)
    said = f"{plural(count, 'finding')} at or above {outcome.gate.limit.word}" if count else "scan passed"
    parts = [
        element("p", {"class": "quiet"}, escape(f"By {show.about(outcome.ready)}.")),
        _figures(outcome),
        sheet.table("Findings", _COLUMNS, (), rows) if rows else "",
        _images(outcome),
        _warnings(verdict.warnings),
    ]
    return sheet.sheet(name, said, "failed" if count else "built", started, parts)


def write(folder: Path, outcome: Outcome, name: str, started: float, inside: str = "") -> Path:
    """Write ``scan.html``, ``scan.json`` and ``scan.sarif`` into a folder; returns the page's path.

    ``inside`` is the way to the repository's files from git's top level.
    Raises UsageError for a file that can't be written.
    """
    write_text(folder / "scan.html", page(outcome, name, started))
    write_json(str(folder / "scan.json"), show.document(outcome))
    write_json(str(folder / "scan.sarif"), sarif.document(outcome.verdict, inside))
    return folder / "scan.html"


def _figures(outcome: Outcome) -> str:
    levels = Counter(hit.weakness.level for hit in outcome.verdict.counted)
    figures = [("images" if len(outcome.looked) != 1 else "image", str(len(outcome.looked)))]
    figures += [(one.word, str(levels[one])) for one in reversed(Level) if one >= outcome.gate.limit]
    figures += [("ignored", str(len(outcome.verdict.ignored)))] if outcome.verdict.ignored else []
    figures += [("in the baseline", str(len(outcome.verdict.known)))] if outcome.verdict.known else []
    return sheet.figures(figures)


def _row(hit: Hit, state: str, reason: str = "") -> str:
    one = hit.weakness
    # Only what begins like one becomes a link: a scanner's text is not ours.
    linked = one.url.startswith(("https://", "http://"))
    id_ = element("a", {"href": one.url}, escape(one.id)) if linked else escape(one.id)
    notes = [element("small", {}, escape(note)) for note in (one.path, reason) if note]
    level = element("span", {"class": f"badge {_CLASSES.get(one.level, 'unbuilt')}"}, one.level.word)
    return element(
        "tr",
        {},
        element("td", {"class": "name"}, escape(hit.place)),
        element("td", {}, escape(one.package)),
        element("td", {}, id_),
        # Sorted by how much it matters, not by the word.
        element("td", {"data-sort": float(one.level)}, level),
        element("td", {}, escape(one.version)),
        element("td", {}, escape(one.fixed)),
        element("td", {}, escape(one.title), *notes),
        element("td", {}, escape(state)),
    )


def _images(outcome: Outcome) -> str:
    rows = [_image(one, outcome.sboms.get(one.subject.id, "")) for one in outcome.looked]
    return sheet.table("Images", _IMAGES, _IMAGES[3:], rows) if rows else ""


def _image(one: Looked, sbom: str) -> str:
    levels = Counter(weakness.level for weakness in one.report.weaknesses)
    listed = element("small", {}, escape(f"contents: {sbom}")) if sbom else ""
    return element(
        "tr",
        {},
        element("td", {"class": "name"}, escape(one.subject.reference), listed),
        element("td", {}, escape(", ".join(one.subject.targets))),
        element(
            "td", {"class": "image"}, element("code", {"title": one.subject.id}, short_digest(one.subject.id))
        ),
        *(sheet.figure(str(levels[level]), levels[level]) for level in reversed(Level)),
        sheet.figure("known" if one.cached else seconds(one.seconds), -1.0 if one.cached else one.seconds),
    )


def _warnings(warnings: Iterable[str]) -> str:
    items = [element("li", {}, escape(text)) for text in warnings]
    return element("h2", {}, "Warnings") + element("ul", {}, *items) if items else ""

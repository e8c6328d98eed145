"""What a stack used, as one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from homeport.model.finding import Severity
from homeport.report import sheet
from homeport.report.document import write_json, write_text
from homeport.report.markup import element, escape
from homeport.report.words import binary_size, plural, seconds
from homeport.stats import picture, show
from homeport.stats.advice import Advice
from homeport.stats.measure import Seen, ServiceUse

_COLUMNS = (
    "service", "cores", "peak", "limit", "throttled", "memory", "memory limit", "in", "out", "restarts",
)  # fmt: skip
_GRID = "display:grid;grid-template-columns:repeat(auto-fit,minmax(330px,1fr));gap:14px 22px"
_CSS = {Severity.ERROR: "failed", Severity.WARNING: "failed", Severity.NOTE: "skipped"}
_ABOUT = (
    "Cores and memory of all containers of a service together; the dashed line is what their limits allow. "
    "Memory is counted as 'docker stats' does: without the file cache that could be dropped. Throttled is, "
    "of the container that was stopped most, the share of its periods of 0.1 s in which that happened."
)


def page(
    stack: str,
    found: Sequence[ServiceUse],
    advised: Sequence[Advice],
    said: Iterable[str],
    seen: Seen,
    began: float,
) -> str:
    """The page as a whole HTML document; ``began`` is in seconds since the epoch."""
    warnings = sum(one.severity is Severity.WARNING for one in advised)
    outcome = plural(warnings, "warning") if warnings else "no warnings"
    parts = [
        _figures(found, seen),
        _advice(advised),
        _charts(found, seen),
        sheet.table("Services", _COLUMNS, _COLUMNS[1:], (_row(one, seen.direct) for one in found)),
        "".join(element("p", {"class": "quiet"}, escape(line)) for line in said),
        element("footer", {}, escape(_ABOUT)),
    ]
    return sheet.sheet(stack, outcome, "failed" if warnings else "built", began, parts)


def write(
    folder: Path,
    stack: str,
    found: Sequence[ServiceUse],
    advised: Sequence[Advice],
    said: Iterable[str],
    seen: Seen,
    began: float,
    document: Mapping[str, Any],
) -> Path:
    """Write ``stats.html`` and ``stats.json`` into a folder, which is made; returns the page's path.

    Raises UsageError for a file that can't be written.
    """
    write_text(folder / "stats.html", page(stack, found, advised, said, seen, began))
    write_json(str(folder / "stats.json"), dict(document))
    return folder / "stats.html"


def _figures(found: Sequence[ServiceUse], seen: Seen) -> str:
    return sheet.figures(
        (
            ("services", str(len({one.name for one in found}))),
            ("containers seen", str(sum(len(one.containers) for one in found))),
            ("watched", seconds(seen.seconds)),
            ("cores on average", show.cores(sum(one.cores for one in found))),
            ("memory at the end", binary_size(sum(one.memory for one in found))),
            ("restarts", str(sum(one.restarts for one in found))),
        )
    )


def _advice(advised: Sequence[Advice]) -> str:
    if not advised:
        return ""
    items = (
        element(
            "li",
            {},
            element("span", {"class": f"badge {_CSS[one.severity]}"}, escape(one.severity.value)),
            escape(f" {one.service}: {one.what}"),
            element("div", {"class": "quiet"}, escape(one.fix)),
        )
        for one in advised
    )
    return element("h2", {}, "Advice") + element("ul", {}, *items)


def _charts(found: Sequence[ServiceUse], seen: Seen) -> str:
    boxes = (
        element("div", {}, element("h3", {}, escape(show.label(one))), *_pictures(one, seen.seconds))
        for one in found
        if one.points
    )
    return element("h2", {}, "Over the time") + element("div", {"style": _GRID}, *boxes)


def _pictures(one: ServiceUse, span: float) -> Iterable[str]:
    held, count = one.newest.member.held, max(one.count, 1)
    cores, memory = held.cores * count, held.memory * count
    limit = f"of {cores:g}" if cores else show.NO_LIMIT
    yield picture.svg(
        "cores",
        [(point.at, point.cores) for point in one.points],
        span,
        cores,
        f"{show.cores(one.cores)} on average, {show.cores(one.peak_cores)} at most, {limit}",
    )
    limit = f"of {binary_size(memory)}" if memory else show.NO_LIMIT
    yield picture.svg(
        "memory",
        [(point.at, float(point.memory)) for point in one.points],
        span,
        float(memory),
        f"{binary_size(one.peak_memory)} at most, {limit}",
    )


def _row(one: ServiceUse, direct: bool) -> str:
    held = one.newest.member.held
    sort = (
        one.cores,
        one.peak_cores,
        held.cores,
        one.throttled,
        one.peak_memory,
        held.memory,
        one.received,
        one.sent,
        one.restarts,
    )
    cells = (
        sheet.figure(words, -1.0 if words == "-" else float(value))
        for words, value in zip(show.figures(one, direct), sort, strict=True)
    )
    small = (element("small", {}, escape(note)) for note in show.notes(one))
    return element("tr", {}, element("td", {"class": "name"}, escape(show.label(one)), *small), *cells)

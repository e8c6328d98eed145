"""Requests per second during a deploy, as a part of its picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from homeport.deploy.probe import Probed, Sample, summary
from homeport.report import chart
from homeport.report.chart import MARGIN, Entry, Layout
from homeport.report.markup import element, escape, fit, plain, text, text_width
from homeport.report.words import seconds

STYLE = """.homeport-timeline .guide{stroke:var(--hp-text);stroke-opacity:.6;stroke-dasharray:4 3}
.homeport-timeline .alarm{fill:var(--hp-failed);fill-opacity:.16}
.homeport-timeline .before{fill:var(--hp-cancelled);fill-opacity:.55}
.homeport-timeline .after{fill:var(--hp-built);fill-opacity:.55}
.homeport-timeline .unsent{fill:none;stroke:var(--hp-quiet);stroke-dasharray:2 1.5}
"""
# From the bottom of a bar to its top, what is bad first: classes of the style sheet, and words.
_FAILED, _BEFORE, _AFTER, _UNSENT = "failed", "before", "after", "unsent"
_LABELS = {
    _BEFORE: "answered before the first switch (dashed line)",
    _AFTER: "answered after it",
    _FAILED: "failed",
    _UNSENT: "not sent",
}
_PLOT = 64.0
_LEAST_FAILED = 5.0
_MOST_BINS = 120
_ENOUGH = 5


@dataclass(frozen=True)
class Bin:
    """The requests that were sent from ``start`` to ``end`` (seconds), by what became of them."""

    start: float
    end: float
    counts: Counter[str]


def bins(samples: Iterable[Sample], span: float, switched: float | None) -> tuple[Bin, ...]:
    """All requests in bins of the same round length; ``switched`` is when the first service was.

    A request counts where it was sent, but belongs to the release that ran when its answer came: a caller who
    waited during a switch was answered by the new one.
    """
    listed = list(samples)
    edges = chart.ticks(span, max(1, min(_MOST_BINS, len(listed) // _ENOUGH)))
    step = edges[1] if len(edges) > 1 else span
    found: dict[int, Counter[str]] = {}
    for sample in listed:
        place = min(max(int(sample.at / step + 1e-9), 0), len(edges) - 1)
        found.setdefault(place, Counter())[_fate(sample, switched)] += 1
    return tuple(Bin(place * step, (place + 1) * step, found[place]) for place in sorted(found))


def _fate(sample: Sample, switched: float | None) -> str:
    if not sample.sent:
        return _UNSENT
    if sample.failed:
        return _FAILED
    return _BEFORE if switched is None or sample.at + sample.took < switched else _AFTER


def panel(
    probed: Probed, switched: float | None, layout: Layout, top: float, width: int
) -> tuple[str, float]:
    """The requests on the time axis of ``layout``, from ``top`` on; returns markup and where it ends."""
    found = bins(probed.samples, layout.span, switched)
    kinds = {css for one in found for css in one.counts}
    labels = _LABELS if switched is not None else {**_LABELS, _BEFORE: "answered"}
    entries = [Entry(css, label) for css, label in labels.items() if css in kinds]
    legend, high = chart.legend(entries, width, top + 38)
    ceiling = top + 38 + high + 20
    floor = ceiling + _PLOT
    room = width - 2 * MARGIN
    css = "word-failed" if probed.failed else "strong"
    most = max((sum(one.counts.values()) / (one.end - one.start) for one in found), default=0.0)
    about = f"GET {plain(probed.url)}, by when they were sent, at most {most:.0f} a second"
    parts = [
        text(MARGIN, top + 14, fit(summary(probed), room, 13, bold=True), 13, css),
        text(MARGIN, top + 32, fit(about, room, 11), 11, "quiet"),
        legend,
        *chart.grid(layout, ceiling - 4, floor + 4),
        *_alarms(found, layout, ceiling),
        *_bars(found, layout, floor),
        _guide(switched, layout, ceiling, floor),
        *chart.times(layout, floor + 18),
    ]
    return element("g", {}, *parts), floor + 4


def _bars(found: Iterable[Bin], layout: Layout, floor: float) -> list[str]:
    listed = list(found)
    # A few units are left for what is drawn higher than it is, so that it can be seen.
    scale = (_PLOT - _LEAST_FAILED) / max((sum(one.counts.values()) for one in listed), default=1)
    parts = []
    for one in listed:
        y = floor
        about = element("title", {}, escape(_words(one)))
        for css in (_FAILED, _BEFORE, _AFTER, _UNSENT):
            if count := one.counts[css]:
                height = max(count * scale, _LEAST_FAILED if css == _FAILED else 0.5)
                y -= height
                parts.append(
                    element("rect", {"class": css, **_across(one, layout), "y": y, "height": height}, about)
                )
    return parts


def _across(one: Bin, layout: Layout) -> dict[str, float]:
    start, end = layout.x(one.start), layout.x(one.end)
    return {"x": start, "width": max(end - start - 1, 0.5)}


def _alarms(found: Iterable[Bin], layout: Layout, ceiling: float) -> list[str]:
    """Failures can't be overlooked: a tint as high as the plot, their number above each row of such bins."""
    failing = [one for one in found if one.counts[_FAILED]]
    parts = []
    for one in failing:
        across = {"x": layout.x(one.start), "width": max(layout.x(one.end) - layout.x(one.start), 1.0)}
        parts.append(element("rect", {"class": "alarm", **across, "y": ceiling - 4, "height": _PLOT + 4}))
    free = 0.0
    for row in _rows(failing):
        label = f"\N{MULTIPLICATION SIGN} {sum(one.counts[_FAILED] for one in row)} failed"
        x = max(min(layout.x(row[0].start), layout.right - text_width(label, 11, bold=True)), free)
        if x == free and free:
            continue  # no room beside the last one; the summary has the sum
        parts.append(text(x, ceiling - 8, label, 11, "word-failed"))
        free = x + text_width(label, 11, bold=True) + 6
    return parts


def _rows(failing: Iterable[Bin]) -> list[list[Bin]]:
    """Bins that follow one another, together."""
    rows: list[list[Bin]] = []
    for one in failing:
        if rows and one.start - rows[-1][-1].end < 1e-6:
            rows[-1].append(one)
        else:
            rows.append([one])
    return rows


def _guide(switched: float | None, layout: Layout, ceiling: float, floor: float) -> str:
    if switched is None:
        return ""
    x = layout.x(switched)
    return element("line", {"class": "guide", "x1": x, "x2": x, "y1": ceiling - 4, "y2": floor + 4})


def _words(one: Bin) -> str:
    counts = ", ".join(f"{one.counts[css]} {label}" for css, label in _LABELS.items() if one.counts[css])
    return f"{seconds(one.start)} to {seconds(one.end)}: {counts}"

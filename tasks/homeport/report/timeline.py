"""A build as a picture: one bar for each target that ran, on a time axis, as SVG 1.1."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from homeport.model.result import BuildResult, Status, StepResult, TargetResult
from homeport.report import chart
from homeport.report.chart import AXIS, HEADER, Entry, Layout
from homeport.report.markup import element, escape, plain, text
from homeport.report.trace import lanes
from homeport.report.words import one_line, plural, seconds, short_digest

_STYLE = """
.homeport-timeline .cached{fill:var(--hp-text);fill-opacity:.22}
.homeport-timeline .critical{fill:none;stroke:var(--hp-text);stroke-width:1.4}
"""


def svg(result: BuildResult, *, width: int = 1100) -> str:
    """The timeline as a whole SVG document, at least 480 units wide, as high as its rows need.

    Rows are in the order in which targets started; targets that never did are only counted.
    """
    width = max(width, chart.NARROWEST)
    ran = sorted((target for target in result.targets if target.attempts), key=lambda target: target.started)
    critical = set(result.critical_path()[0]) if len(ran) > 1 else set()
    legend, room = chart.legend(_legend(result, ran, critical), width)
    span = max([result.seconds, *(target.started + target.seconds for target in ran)])
    names = [plain(target.name) for target in ran]
    layout = chart.layout(names, [_outcome(target) for target in ran], span, width, HEADER + room)
    parts = [legend]
    if ran:
        parts += [
            *_tints(result, ran, layout, width),
            *chart.axis(layout, len(ran)),
            *(_row(target, index, layout, target.name in critical) for index, target in enumerate(ran)),
        ]
    height = layout.y(len(ran)) + (AXIS if ran else 8.0 - AXIS)
    return chart.drawing(plain(_title(result, ran)), _STYLE, width, height, parts)


def _title(result: BuildResult, ran: Sequence[TargetResult]) -> str:
    name = f"{result.project}: " if result.project else ""
    if not ran:
        return f"{name}no target was built"
    jobs = plural(result.jobs, "job")
    return f"{name}{plural(len(ran), 'target')} in {seconds(result.seconds)}, {jobs}"


def _legend(result: BuildResult, ran: Sequence[TargetResult], critical: set[str]) -> list[Entry]:
    """Only what the picture shows."""
    steps = [step for target in ran for step in target.steps if step.instruction]
    entries = [
        Entry(status.value, status.value)
        for status in (Status.BUILT, Status.FAILED, Status.CANCELLED)
        if any(target.status is status for target in ran)
    ]
    entries += [Entry(f"bar {entries[0].css}", "pale: outside of instructions")] if entries else []
    entries += [Entry("cached", "cached instruction", 1.0)] if any(step.cached for step in steps) else []
    entries += [Entry("critical", "critical path")] if critical else []
    skipped = len(result.having(Status.SKIPPED))
    idle = len(result.targets) - len(ran) - skipped
    entries += [Entry("", f"{plural(skipped, 'target')} unchanged")] if skipped else []
    entries += [Entry("", f"{plural(idle, 'target')} not started")] if idle else []
    return entries


def _tints(result: BuildResult, ran: Sequence[TargetResult], layout: Layout, width: int) -> list[str]:
    """Every second batch on a tint; none where batches run into each other, for that would be noise."""
    number = {name: index for index, batch in enumerate(result.batches) for name in batch}
    runs = [
        (batch, [index for index, _ in rows])
        for batch, rows in groupby(enumerate(ran), key=lambda row: number.get(row[1].name, -1))
    ]
    if len(runs) != len({batch for batch, _ in runs}):
        return []
    return [
        element("rect", {"class": "tint", "y": y, "width": float(width), "height": len(rows) * layout.row})
        for y, rows in ((layout.y(rows[0]), rows) for _, rows in runs[1::2])
    ]


def _row(target: TargetResult, index: int, layout: Layout, critical: bool) -> str:
    """The row of a target that ran, number ``index`` from the top."""
    status = target.status.value
    y = layout.y(index) + (layout.row - layout.bar) / 2
    start = layout.x(target.started)
    end = max(layout.x(target.started + target.seconds), start + 2)
    box: dict[str, str | float] = {"x": start, "y": y, "width": end - start, "height": layout.bar, "rx": 2.0}
    css = "word-failed" if status == "failed" else "quiet"
    parts = [
        element("title", {}, escape(_tooltip(target, critical))),
        *chart.name(plain(target.name), index, layout, start, strong=critical),
        element("rect", {"class": f"bar {status}", **box}),
        *_step_marks(target, layout, y),
        element("rect", {"class": "critical", **box}) if critical else "",
        text(end + 6, layout.baseline(index), _outcome(target), layout.font, css),
    ]
    return element("g", {}, *parts)


def _step_marks(target: TargetResult, layout: Layout, y: float) -> list[str]:
    """The instructions inside of a bar: solid for as long as they ran, a hairline where a cache answered."""
    # A step that targets share may have begun with another target: only what lies in this bar is drawn.
    first, last = target.started, target.started + target.seconds
    steps = [
        step
        for step in sorted(target.steps, key=lambda step: step.started)
        if step.instruction and step.started <= last and step.started + step.seconds >= first
    ]
    done = [step for step in steps if not step.cached]
    times = [(max(step.started, first), min(step.started + step.seconds, last)) for step in done]
    spans = [(layout.x(start), layout.x(end)) for start, end in times]
    sub = lanes(spans)
    height = layout.bar / (max(sub, default=0) + 1)
    marks = []
    for step, (start, end), lane in zip(done, spans, sub, strict=True):
        # A gap of half a unit keeps neighbours apart, but must not eat a short step whole.
        size = {"width": max(end - start - 0.5, 0.4), "height": height - (0.5 if height > 3 else 0)}
        box = {"class": target.status.value, "x": start, "y": y + lane * height, **size}
        marks.append(element("rect", box, element("title", {}, escape(_step_words(step)))))
    cached: dict[int, list[str]] = {}
    for step in steps:
        if step.cached:
            cached.setdefault(round(layout.x(max(step.started, first))), []).append(step.name)
    for x, names in cached.items():
        words = "cached: " + "\n".join(one_line(plain(name), 160) for name in names)
        box = {"class": "cached", "x": float(x), "y": y + 1, "width": 1.0, "height": layout.bar - 2}
        marks.append(element("rect", box, element("title", {}, escape(words))))
    return marks


def _step_words(step: StepResult) -> str:
    return f"{seconds(step.seconds)}: {one_line(plain(step.name), 300)}"


def _outcome(target: TargetResult) -> str:
    """The words behind a bar. What went wrong is said in words too, not by colour alone."""
    status = "" if target.status is Status.BUILT else f" {target.status.value}"
    return f"{seconds(target.seconds)}{status}{f', {target.attempts} tries' if target.attempts > 1 else ''}"


def _tooltip(target: TargetResult, critical: bool) -> str:
    end = target.started + target.seconds
    lines = [
        f"{plain(target.name)}: {_outcome(target)}",
        f"from {seconds(target.started)} to {seconds(end)}{', on the critical path' if critical else ''}",
        f"{target.cached} cached, {target.executed} executed",
        f"why: {plain(target.why)}" if target.why else "",
        f"needs: {plain(', '.join(target.needs))}" if target.needs else "",
        f"image: {short_digest(target.digest)}" if target.digest else "",
        plain(target.failure.message if target.failure else target.note),
    ]
    return "\n".join(one_line(line, 300) for line in lines if line)

"""A build as a picture: one bar for each target that ran, on a time axis, as SVG 1.1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from homeport.model.result import BuildResult, Status, StepResult, TargetResult
from homeport.report.markup import element, escape, fit, number, palette, plain, text, text_width
from homeport.report.trace import lanes
from homeport.report.words import one_line, plural, seconds, short_digest

_STYLE = """
.homeport-timeline{font-family:system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
.homeport-timeline text{fill:var(--hp-text)}
.homeport-timeline .quiet{fill:var(--hp-quiet)}
.homeport-timeline .strong{font-weight:700}
.homeport-timeline .surface{fill:var(--hp-surface)}
.homeport-timeline .tint{fill:var(--hp-raised)}
.homeport-timeline .grid{stroke:var(--hp-line);stroke-width:1}
.homeport-timeline .leader{stroke:var(--hp-quiet);stroke-opacity:.45;stroke-width:1;stroke-dasharray:1 5}
.homeport-timeline .bar{fill-opacity:.28}
.homeport-timeline .built{fill:var(--hp-built)}
.homeport-timeline .failed{fill:var(--hp-failed)}
.homeport-timeline .cancelled{fill:var(--hp-cancelled)}
.homeport-timeline .cached{fill:var(--hp-text);fill-opacity:.22}
.homeport-timeline .critical{fill:none;stroke:var(--hp-text);stroke-width:1.4}
.homeport-timeline .word-failed{fill:var(--hp-failed);font-weight:700}
"""
_SECOND_STEPS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30)
_MINUTE_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 240, 480, 720, 1440)
_MARGIN = 16.0
_HEADER = 34.0
_LEGEND_LINE = 20.0
_AXIS = 22.0
_SWATCH = 14.0


@dataclass(frozen=True)
class _Layout:
    """Where things are. All lengths are SVG user units (pixels at 100 %), times seconds since the start."""

    left: float
    right: float
    top: float
    span: float
    row: float

    @property
    def bar(self) -> float:
        return round(self.row * 0.62, 1)

    @property
    def font(self) -> float:
        return min(12.0, round(self.row * 0.78, 1))

    def x(self, time: float) -> float:
        return self.left + (self.right - self.left) * min(max(time / self.span, 0.0), 1.0)

    def y(self, index: int) -> float:
        return self.top + index * self.row


def svg(result: BuildResult, *, width: int = 1100) -> str:
    """The timeline as a whole SVG document, at least 480 units wide, as high as its rows need.

    Rows are in the order in which targets started; targets that never did are only counted.
    """
    width = max(width, 480)
    ran = sorted((target for target in result.targets if target.attempts), key=lambda target: target.started)
    critical = set(result.critical_path()[0]) if len(ran) > 1 else set()
    legend = _legend(result, ran, critical, width)
    layout = _layout(result, ran, width, _HEADER + legend[1])
    bottom = layout.y(len(ran)) + (_AXIS if ran else 8.0 - _AXIS)
    title = plain(_title(result, ran))
    parts = [
        # No markup character is in the style sheet, so it reads the same in XML and in HTML.
        element("style", {}, palette(".homeport-timeline") + _STYLE),
        element("rect", {"class": "surface", "width": float(width), "height": bottom}),
        text(_MARGIN, 24, fit(title, width - 2 * _MARGIN, 15), 15, "strong"),
        legend[0],
    ]
    if ran:
        parts += [
            *_tints(result, ran, layout, width),
            *_axis(layout, len(ran)),
            *(_row(target, index, layout, target.name in critical) for index, target in enumerate(ran)),
        ]
    attributes: dict[str, str | float] = {
        "xmlns": "http://www.w3.org/2000/svg",
        "class": "homeport-timeline",
        "width": float(width),
        "height": bottom,
        "viewBox": f"0 0 {width} {number(bottom)}",
        "role": "img",
        "aria-label": one_line(f"Timeline: {title}", 300),
    }
    return element("svg", attributes, *parts) + "\n"


def _title(result: BuildResult, ran: Sequence[TargetResult]) -> str:
    name = f"{result.project}: " if result.project else ""
    if not ran:
        return f"{name}no target was built"
    jobs = plural(result.jobs, "job")
    return f"{name}{plural(len(ran), 'target')} in {seconds(result.seconds)}, {jobs}"


def _layout(result: BuildResult, ran: Sequence[TargetResult], width: int, top: float) -> _Layout:
    height = max(11.0, min(24.0, 1000.0 / max(len(ran), 1)))
    sized = _Layout(0, 0, 0, 1, height)
    names = max((text_width(plain(target.name), sized.font, bold=True) for target in ran), default=0.0)
    words = max((text_width(_outcome(target), sized.font, bold=True) for target in ran), default=0.0)
    # One unit more than the widest name needs: coordinates are rounded.
    left = _MARGIN + min(names, width * 0.26) + 11
    # Room for the longest word behind a bar that ends last, so that none ever meets the edge.
    right = width - _MARGIN - words - 8
    span = max([result.seconds, *(target.started + target.seconds for target in ran)])
    return _Layout(round(left, 1), round(right, 1), top + _AXIS, span if span > 0 else 1.0, height)


def _legend(
    result: BuildResult, ran: Sequence[TargetResult], critical: set[str], width: int
) -> tuple[str, float]:
    """Only what the picture shows, in as many lines as it needs; returns markup and height."""
    steps = [step for target in ran for step in target.steps if step.instruction]
    entries: list[tuple[str, str]] = [
        (status.value, status.value)
        for status in (Status.BUILT, Status.FAILED, Status.CANCELLED)
        if any(target.status is status for target in ran)
    ]
    entries += [(f"bar {entries[0][0]}", "pale: outside of instructions")] if entries else []
    entries += [("cached", "cached instruction")] if any(step.cached for step in steps) else []
    entries += [("critical", "critical path")] if critical else []
    skipped = len(result.having(Status.SKIPPED))
    idle = len(result.targets) - len(ran) - skipped
    entries += [("", f"{plural(skipped, 'target')} unchanged")] if skipped else []
    entries += [("", f"{plural(idle, 'target')} not started")] if idle else []
    x, y, parts = _MARGIN, _HEADER, []
    for css, label in entries:
        room = text_width(label, 11) + (_SWATCH + 6 if css else 0) + 18
        if x > _MARGIN and x + room > width:
            x, y = _MARGIN, y + _LEGEND_LINE
        if css:
            # A hairline as in the bars, in the middle of where other entries have their patch of colour.
            box = {"x": x, "width": _SWATCH} if css != "cached" else {"x": x + _SWATCH - 3, "width": 1.0}
            parts.append(element("rect", {"class": css, **box, "y": y + 5, "height": 9.0, "rx": 1.5}))
        parts.append(text(x + (_SWATCH + 6 if css else 0), y + 13, label, 11, "quiet"))
        x += room
    return "".join(parts), y - _HEADER + (_LEGEND_LINE if entries else 0.0)


def _tints(result: BuildResult, ran: Sequence[TargetResult], layout: _Layout, width: int) -> list[str]:
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


def _axis(layout: _Layout, rows: int) -> list[str]:
    """Grid lines with labels above, and below too where the picture is higher than a screen."""
    parts = []
    top, bottom = layout.top, layout.y(rows)
    for tick in ticks(layout.span, max(2, int((layout.right - layout.left) / 85))):
        x = round(layout.x(tick), 1)
        parts.append(element("line", {"class": "grid", "x1": x, "x2": x, "y1": top - 4, "y2": bottom + 4}))
        parts.append(text(x, top - 8, tick_label(tick), 10.5, "quiet", anchor="middle"))
        if rows * layout.row > 600:
            parts.append(text(x, bottom + 16, tick_label(tick), 10.5, "quiet", anchor="middle"))
    return parts


def ticks(span: float, most: int) -> list[float]:
    """Round times from 0 to ``span`` seconds, at most ``most`` steps apart from the first."""
    steps = [*_SECOND_STEPS, *(minutes * 60 for minutes in _MINUTE_STEPS)]
    step = next((step for step in steps if span / step <= most), 0.0)
    while not step or span / step > most:
        step = step * 2 if step else 172800.0
    return [round(index * step, 3) for index in range(int(span / step + 1e-9) + 1)]


def tick_label(time: float) -> str:
    """``0``, ``2.5 s``, ``3 min``, ``1:30 min``."""
    if time < 60:
        return f"{time:g} s" if time else "0"
    minutes, rest = divmod(round(time), 60)
    return f"{minutes}:{rest:02d} min" if rest else f"{minutes} min"


def _row(target: TargetResult, index: int, layout: _Layout, critical: bool) -> str:
    """The row of a target that ran, number ``index`` from the top."""
    status, font = target.status.value, layout.font
    y = layout.y(index) + (layout.row - layout.bar) / 2
    baseline = layout.y(index) + layout.row / 2 + font * 0.36
    start = layout.x(target.started)
    end = max(layout.x(target.started + target.seconds), start + 2)
    box: dict[str, str | float] = {"x": start, "y": y, "width": end - start, "height": layout.bar, "rx": 2.0}
    label = fit(plain(target.name), layout.left - _MARGIN - 10, font, bold=critical)
    # A dotted line leads the eye from a name to a bar far away.
    near = _MARGIN + text_width(label, font, bold=critical) + 6
    middle = layout.y(index) + layout.row / 2
    leader: dict[str, str | float] = {
        "class": "leader",
        "x1": near,
        "x2": start - 5,
        "y1": middle,
        "y2": middle,
    }
    parts = [
        element("title", {}, escape(_tooltip(target, critical))),
        text(_MARGIN, baseline, label, font, "strong" if critical else ""),
        element("line", leader) if start - near > 60 else "",
        element("rect", {"class": f"bar {status}", **box}),
        *_step_marks(target, layout, y),
        element("rect", {"class": "critical", **box}) if critical else "",
        text(end + 6, baseline, _outcome(target), font, "word-failed" if status == "failed" else "quiet"),
    ]
    return element("g", {}, *parts)


def _step_marks(target: TargetResult, layout: _Layout, y: float) -> list[str]:
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

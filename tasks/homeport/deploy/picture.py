"""A deploy as a picture: what each service went through on a time axis, and requests below, as SVG 1.1."""

from __future__ import annotations

from collections.abc import Sequence

from homeport.deploy import traffic
from homeport.deploy.phases import Course, Kind, Phase, courses
from homeport.deploy.probe import Probed, switched_at
from homeport.deploy.work import Event
from homeport.report import chart
from homeport.report.chart import AXIS, HEADER, Entry, Layout
from homeport.report.markup import element, escape, fit, plain, text, text_width
from homeport.report.words import one_line, plural, seconds

_STYLE = """
.homeport-timeline .serving{fill:var(--hp-built)}
.homeport-timeline .draining{fill:var(--hp-surface);stroke:var(--hp-cancelled);stroke-dasharray:3 2}
.homeport-timeline .stopping{fill:var(--hp-cancelled)}
.homeport-timeline .waiting{fill:url(#hp-waiting);stroke:var(--hp-quiet)}
.homeport-timeline .gap{fill:url(#hp-gap);stroke:var(--hp-failed)}
.homeport-timeline .stripe{stroke:var(--hp-text);stroke-opacity:.5;stroke-width:1.5}
.homeport-timeline .stripe-gap{stroke:var(--hp-failed);stroke-width:2.5}
.homeport-timeline .inside{fill:var(--hp-surface);font-weight:600}
.homeport-timeline .switch{fill:var(--hp-text)}
"""
_BARS = {
    Kind.COMMAND: ("bar built", "run"),
    Kind.STARTING: ("built", "start"),
    Kind.DRAINING: ("draining", "drain"),
    Kind.STOPPING: ("stopping", "stop"),
    Kind.UNDOING: ("failed", "undo"),
}
_BANDS = {Kind.WAITING: "waiting", Kind.GAP: "gap"}
_CROSS = "\N{MULTIPLICATION SIGN}"
_LINE = 3.0


def svg(
    events: Sequence[Event],
    seconds_taken: float,
    probed: Probed | None = None,
    *,
    title: str = "",
    width: int = 1100,
) -> str:
    """A row for each service that something happened to, in that order, as a whole SVG document.

    ``seconds_taken`` is how long the deploy took. The axis goes on to the last event or request where that
    is later. At least 480 units wide, as high as its rows need.
    """
    width = max(width, chart.NARROWEST)
    found = courses(events, seconds_taken)
    ends = [phase.end for course in found for phase in course.phases]
    asked = [sample.at for sample in probed.samples] if probed else []
    span = max([seconds_taken, *ends, *asked])
    legend, room = chart.legend(_legend(found), width)
    words = [fit(_words(course), width * 0.3, 12) for course in found]
    layout = chart.layout([plain(course.service) for course in found], words, span, width, HEADER + room)
    bottom = layout.y(len(found))
    parts = [legend, _patterns(found)]
    if found or probed:
        parts += chart.axis(layout, len(found))
        parts += [_row(course, index, layout, words[index]) for index, course in enumerate(found)]
    if probed:
        panel, bottom = traffic.panel(probed, switched_at(events), layout, bottom + AXIS, width)
        parts.append(panel)
    height = bottom + (AXIS if found or probed else 8.0 - AXIS)
    title = plain(title) or f"{plural(len(found), 'service')} in {seconds(seconds_taken)}"
    return chart.drawing(title, _STYLE + traffic.STYLE, width, height, filter(None, parts))


def _legend(found: Sequence[Course]) -> list[Entry]:
    """Only what the picture shows."""
    kinds = {phase.kind for course in found for phase in course.phases}
    entries = [
        (Kind.COMMAND, Entry("bar built", "command before or after")),
        (Kind.STARTING, Entry("built", "starting, up to its gate")),
        (Kind.SERVING, Entry("switch", "switch", _LINE)),
        (Kind.SERVING, Entry("serving", "new release serves", height=_LINE)),
        (Kind.DRAINING, Entry("draining", "old one drains")),
        (Kind.STOPPING, Entry("stopping", "old one stops")),
        (Kind.WAITING, Entry("waiting", "callers wait")),
        (Kind.GAP, Entry("gap", "without service")),
        (Kind.UNDOING, Entry("failed", "undoing")),
    ]
    shown = [entry for kind, entry in entries if kind in kinds]
    if any(course.failed is not None for course in found):
        shown.append(Entry("", f"{_CROSS} failed"))
    return shown


def _patterns(found: Sequence[Course]) -> str:
    kinds = {phase.kind for course in found for phase in course.phases}
    if not kinds & set(_BANDS):
        return ""
    return element("defs", {}, _pattern("hp-waiting", "stripe", 45), _pattern("hp-gap", "stripe-gap", -45))


def _pattern(identity: str, css: str, angle: int) -> str:
    size: dict[str, str | float] = {"width": 6.0, "height": 6.0}
    turned = {"patternUnits": "userSpaceOnUse", "patternTransform": f"rotate({angle})"}
    line = element("line", {"class": css, "x1": 0.0, "x2": 0.0, "y1": 0.0, "y2": 6.0})
    return element("pattern", {"id": identity, **turned, **size}, line)


def _row(course: Course, index: int, layout: Layout, words: str) -> str:
    """The row of one service, number ``index`` from the top."""
    y = layout.y(index) + (layout.row - layout.bar - _LINE) / 2
    bars = [phase for phase in course.phases if phase.kind in _BARS]
    ends = [layout.x(phase.end) for phase in course.phases]
    begun = min((layout.x(phase.start) for phase in course.phases), default=layout.left)
    css = "word-failed" if _went_wrong(course) else "quiet"
    behind = min(max(ends, default=layout.left), layout.right) + 6
    parts = [
        element("title", {}, escape(_tooltip(course))),
        *chart.name(plain(course.service), index, layout, begun),
        *(_band(phase, layout.y(index), layout) for phase in course.of(*_BANDS)),
        *(_serving(phase, y + layout.bar, layout) for phase in course.of(Kind.SERVING)),
        *(_bar(phase, y, layout) for phase in bars),
        *(_switch(phase, y, layout) for phase in course.of(Kind.SERVING)),
        _cross(course.failed, index, layout),
        text(behind, layout.baseline(index), words, layout.font, css),
    ]
    return element("g", {}, *parts)


def _bar(phase: Phase, y: float, layout: Layout) -> str:
    css, word = _BARS[phase.kind]
    start, end = layout.x(phase.start), layout.x(phase.end)
    box = {"x": start, "y": y, "width": max(end - start, 2.0), "height": layout.bar, "rx": 2.0}
    about = element("title", {}, escape(_phase_words(phase)))
    size = layout.font - 2
    if size < 8 or text_width(word, size, bold=True) + 8 > end - start:
        return element("rect", {"class": css, **box}, about)
    middle, baseline = (start + end) / 2, y + layout.bar / 2 + size * 0.36
    inside = "quiet" if phase.kind in {Kind.DRAINING, Kind.COMMAND} else "inside"
    return element("rect", {"class": css, **box}, about) + text(
        middle, baseline, word, size, inside, "middle"
    )


def _band(phase: Phase, y: float, layout: Layout) -> str:
    start = layout.x(phase.start)
    wide = max(layout.x(phase.end) - start, 2.0)
    box = {"x": start, "y": y + 1, "width": wide, "height": layout.row - 2}
    about = element("title", {}, escape(_phase_words(phase)))
    return element("rect", {"class": _BANDS[phase.kind], **box}, about)


def _serving(phase: Phase, y: float, layout: Layout) -> str:
    start = layout.x(phase.start)
    wide = max(layout.x(phase.end) - start, 1.0)
    return element("rect", {"class": "serving", "x": start, "y": y, "width": wide, "height": _LINE})


def _switch(phase: Phase, y: float, layout: Layout) -> str:
    x = layout.x(phase.start) - _LINE / 2
    box = {"x": x, "y": y - 1, "width": _LINE, "height": layout.bar + _LINE + 1}
    return element("rect", {"class": "switch", **box})


def _cross(at: float | None, index: int, layout: Layout) -> str:
    if at is None:
        return ""
    return text(layout.x(at), layout.baseline(index) + 1, _CROSS, layout.font + 4, "word-failed", "middle")


def _words(course: Course) -> str:
    """The words behind a row. What went wrong is said in words too, not by colour alone."""
    if _went_wrong(course):
        failed = ["failed"] if course.failed is not None else []
        back = ["undone"] if course.undone else ["not undone"] if course.of(Kind.UNDOING) else []
        return ", ".join(failed + back)
    gap, waiting = course.seconds(Kind.GAP), course.seconds(Kind.WAITING)
    if gap:
        return f"at most {seconds(gap)} without service"
    if waiting:
        return f"callers waited {seconds(waiting)}"
    start = course.seconds(Kind.STARTING)
    if start is not None:
        return f"passed in {seconds(start)}" if course.passed else ""
    stop = course.seconds(Kind.STOPPING)
    return f"stopped in {seconds(stop)}" if stop is not None else ""


def _went_wrong(course: Course) -> bool:
    return course.failed is not None or course.undone or bool(course.of(Kind.UNDOING))


def _tooltip(course: Course) -> str:
    lines = [plain(course.service), _words(course), *map(_phase_words, course.phases)]
    return "\n".join(one_line(line, 300) for line in lines if line)


def _phase_words(phase: Phase) -> str:
    end = f"to {seconds(phase.end)}" if phase.complete else "on"
    return f"{phase.kind.value}: {seconds(phase.seconds)}, from {seconds(phase.start)} {end}"

"""The figures of a bench as a picture: bars from zero to the median, with a line from lowest to highest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from homeport.bench.figures import Figure, Judged, State
from homeport.bench.show import less, spread, value
from homeport.report.markup import element, fit, palette, text, text_width

_WIDTH = 960.0
_ROW = 30.0
_BAR = 13.0
_NAMES = 330.0
_MARGIN = 12.0
_FONT = 12.5
_STYLE = """
.homeport-bars{font-family:system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
.homeport-bars text{fill:var(--hp-text)}
.homeport-bars .quiet{fill:var(--hp-quiet)}
.homeport-bars .bar{fill:var(--hp-built);fill-opacity:.45}
.homeport-bars .bad{fill:var(--hp-failed);fill-opacity:.6}
.homeport-bars .band{fill:var(--hp-quiet);fill-opacity:.25}
.homeport-bars .spread{stroke:var(--hp-text);stroke-width:1.5}
.homeport-bars .base{stroke:var(--hp-line);stroke-width:1}
.homeport-bars .word-failed{fill:var(--hp-failed)}
"""


@dataclass(frozen=True)
class _Scale:
    """Where values lie: ``low`` at the left, ``high`` at the right."""

    low: float
    high: float
    left: float
    right: float

    def x(self, number: float) -> float:
        part = (number - self.low) / ((self.high - self.low) or 1.0)
        return round(self.left + (self.right - self.left) * min(max(part, 0.0), 1.0), 1)


def bars(figures: Sequence[Figure], label: str) -> str:
    """Figures of one unit on one scale; those without a value say why."""
    known = [one.highest for one in figures if one.values]
    words = [value(one.median, one.measure.unit) for one in figures if one.values]
    behind = max((text_width(word, _FONT) for word in words), default=0.0) + 10
    scale = _Scale(0.0, max(known, default=1.0), _NAMES, _WIDTH - _MARGIN - behind)

    def row(one: Figure, y: float) -> list[str]:
        middle = y + _ROW / 2
        if not one.values:
            said = f"{one.state.value}: {one.reason}" if one.reason else one.state.value
            css = "word-failed" if one.state is State.FAILED else "quiet"
            return [text(scale.left, middle + 4, fit(said, _WIDTH - _NAMES - _MARGIN, _FONT), _FONT, css)]
        end = scale.x(one.median)
        css = "bar" if one.state is State.MEASURED else "bad"
        box = {"x": scale.left, "y": middle - _BAR / 2, "width": max(end - scale.left, 1.0), "height": _BAR}
        low, high = scale.x(one.lowest), scale.x(one.highest)
        line = {"x1": low, "x2": high, "y1": middle, "y2": middle}
        whisker = element("line", {"class": "spread", **line}) if len(one.values) > 1 else ""
        behind_it = max(end, high) + 6
        said = value(one.median, one.measure.unit)
        title = element("title", {}, f"{said}{f' ({spread(one)})' if spread(one) else ''}")
        return [
            element("rect", {"class": css, **box, "rx": 2.0}, title),
            whisker,
            text(behind_it, middle + 4, said, _FONT),
        ]

    return _drawing(label, [(one.measure.what, one) for one in figures], row, scale)


def promises(judged: Sequence[Judged], label: str) -> str:
    """By how many percent less each promise came to, on a band from the least to the most expected."""
    known = [one.less for one in judged if one.less is not None]
    low = min([0.0, *known])
    scale = _Scale(max(low, -100.0), 100.0, _NAMES, _WIDTH - _MARGIN - 90)

    def row(one: Judged, y: float) -> list[str]:
        middle = y + _ROW / 2
        if one.less is None:
            said = fit(one.reason or one.verdict.value, _WIDTH - _MARGIN - scale.x(0.0) - 4, 11)
            return [text(scale.x(0.0) + 4, middle + 4, said, 11, "quiet")]
        start, end = scale.x(one.expected[0]), scale.x(one.expected[1])
        band = {"x": start, "y": y + 3, "width": max(end - start, 3.0), "height": _ROW - 6}
        parts = [element("rect", {"class": "band", **band}, element("title", {}, "expected"))]
        zero, reached = scale.x(0.0), scale.x(one.less)
        css = "bar" if one.less >= one.expected[0] else "bad"
        box = {"x": min(zero, reached), "y": middle - _BAR / 2, "width": max(abs(reached - zero), 1.0)}
        parts.append(element("rect", {"class": css, **box, "height": _BAR, "rx": 2.0}))
        parts.append(text(max(zero, reached) + 6, middle + 4, less(one.less), _FONT))
        return parts

    return _drawing(label, [(one.promise.what, one) for one in judged], row, scale)


def _drawing(
    label: str, rows: Sequence[tuple[str, object]], row: Callable[..., list[str]], scale: _Scale
) -> str:
    height = _ROW * len(rows) + 2 * _MARGIN
    zero = scale.x(0.0)
    base = element("line", {"class": "base", "x1": zero, "x2": zero, "y1": _MARGIN, "y2": height - _MARGIN})
    parts = [base]
    for number, (name, one) in enumerate(rows):
        y = _MARGIN + number * _ROW
        parts.append(text(_MARGIN, y + _ROW / 2 + 4, fit(name, _NAMES - 2 * _MARGIN, _FONT), _FONT))
        parts += row(one, y)
    attributes: dict[str, str | float] = {
        "xmlns": "http://www.w3.org/2000/svg",
        "class": "homeport-bars",
        "width": _WIDTH,
        "height": height,
        "viewBox": f"0 0 {_WIDTH:.0f} {height:.0f}",
        "role": "img",
        "aria-label": label,
    }
    ground = element("style", {}, palette(".homeport-bars") + _STYLE)
    return element("svg", attributes, ground, *parts)

"""What pictures on a time axis share: where things are, the axis, the legend and the style sheet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from homeport.report.markup import element, fit, number, palette, text, text_width
from homeport.report.words import one_line

MARGIN = 16.0
HEADER = 34.0
AXIS = 22.0
NARROWEST = 480
_LEGEND_LINE = 20.0
_SWATCH = 14.0
_SWATCH_HEIGHT = 9.0
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
.homeport-timeline .word-failed{fill:var(--hp-failed);font-weight:700}
"""
_SECOND_STEPS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30)
_MINUTE_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 240, 480, 720, 1440)


@dataclass(frozen=True)
class Layout:
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

    def baseline(self, index: int) -> float:
        return self.y(index) + self.row / 2 + self.font * 0.36


class Entry(NamedTuple):
    """Words of a legend behind a patch that looks as what they explain; without ``css`` the words alone."""

    css: str
    label: str
    width: float = _SWATCH
    height: float = _SWATCH_HEIGHT


def layout(names: Sequence[str], words: Iterable[str], span: float, width: int, top: float) -> Layout:
    """Room for a row for each of ``names``, and for the longest of ``words`` behind a bar that ends last.

    ``top`` is where the axis begins, ``span`` how many seconds it shows.
    """
    row = max(11.0, min(24.0, 1000.0 / max(len(names), 1)))
    font = Layout(0, 0, 0, 1, row).font
    widest = max((text_width(name, font, bold=True) for name in names), default=0.0)
    behind = max((text_width(word, font, bold=True) for word in words), default=0.0)
    # One unit more than the widest name needs: coordinates are rounded.
    left = MARGIN + min(widest, width * 0.26) + 11
    # No words ever meet the edge.
    right = width - MARGIN - behind - 8
    return Layout(round(left, 1), round(right, 1), top + AXIS, span if span > 0 else 1.0, row)


def drawing(title: str, style: str, width: int, height: float, parts: Iterable[str]) -> str:
    """The whole SVG document with its title in it; ``style`` are the rules of this kind of picture."""
    attributes: dict[str, str | float] = {
        "xmlns": "http://www.w3.org/2000/svg",
        "class": "homeport-timeline",
        "width": float(width),
        "height": height,
        "viewBox": f"0 0 {width} {number(height)}",
        "role": "img",
        "aria-label": one_line(f"Timeline: {title}", 300),
    }
    # No markup character is in the style sheet, so it reads the same in XML and in HTML.
    sheet = element("style", {}, palette(".homeport-timeline") + _STYLE + style.lstrip())
    ground = element("rect", {"class": "surface", "width": float(width), "height": height})
    heading = text(MARGIN, 24, fit(title, width - 2 * MARGIN, 15), 15, "strong")
    return element("svg", attributes, sheet, ground, heading, *parts) + "\n"


def legend(entries: Iterable[Entry], width: int, top: float = HEADER) -> tuple[str, float]:
    """In as many lines as it needs; returns markup and height."""
    x, y, parts = MARGIN, top, []
    for css, label, wide, high in entries:
        room = text_width(label, 11) + (_SWATCH + 6 if css else 0) + 18
        if x > MARGIN and x + room > width:
            x, y = MARGIN, y + _LEGEND_LINE
        if css:
            at = {"x": x + (_SWATCH - wide) / 2, "y": y + 5 + (_SWATCH_HEIGHT - high) / 2}
            parts.append(element("rect", {"class": css, **at, "width": wide, "height": high, "rx": 1.5}))
        parts.append(text(x + (_SWATCH + 6 if css else 0), y + 13, label, 11, "quiet"))
        x += room
    return "".join(parts), y - top + (_LEGEND_LINE if parts else 0.0)


def axis(layout: Layout, rows: int) -> list[str]:
    """The grid of so many rows with times above, and below too where that is further than a screen."""
    bottom = layout.y(rows)
    below = times(layout, bottom + 16) if bottom - layout.top > 600 else []
    return [*grid(layout, layout.top - 4, bottom + 4), *times(layout, layout.top - 8), *below]


def grid(layout: Layout, top: float, bottom: float) -> list[str]:
    """A line for each time that :func:`times` names."""
    ends = [{"x1": x, "x2": x, "y1": top, "y2": bottom} for x, _ in _ticks(layout)]
    return [element("line", {"class": "grid", **line}) for line in ends]


def times(layout: Layout, y: float) -> list[str]:
    """The times along the axis, as words with their baseline at ``y``."""
    return [text(x, y, label, 10.5, "quiet", anchor="middle") for x, label in _ticks(layout)]


def _ticks(layout: Layout) -> list[tuple[float, str]]:
    most = max(2, int((layout.right - layout.left) / 85))
    return [(round(layout.x(tick), 1), tick_label(tick)) for tick in ticks(layout.span, most)]


def name(label: str, index: int, layout: Layout, start: float, *, strong: bool = False) -> list[str]:
    """The name of row ``index``, cut to its room. A dotted line leads the eye to a far bar at ``start``."""
    font = layout.font
    shown = fit(label, layout.left - MARGIN - 10, font, bold=strong)
    near = MARGIN + text_width(shown, font, bold=strong) + 6
    middle = layout.y(index) + layout.row / 2
    line = {"x1": near, "x2": start - 5, "y1": middle, "y2": middle}
    return [
        text(MARGIN, layout.baseline(index), shown, font, "strong" if strong else ""),
        element("line", {"class": "leader", **line}) if start - near > 60 else "",
    ]


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

"""What a service used over the time that it was watched, against its limit, as a small SVG picture."""

from __future__ import annotations

from collections.abc import Sequence

from homeport.report.markup import element, escape, number, text

WIDTH, HEIGHT = 330.0, 74.0
_LEFT, _TOP, _BOTTOM = 2.0, 14.0, 4.0
_ROOM = 1.15
"""How far the scale goes above what is highest: a line at the very edge is cut."""
_CURVE = "fill:none;stroke:var(--hp-built);stroke-width:1.5;stroke-linejoin:round"
_AREA = "fill:var(--hp-built);fill-opacity:.16"
_LIMIT = "stroke:var(--hp-failed);stroke-width:1;stroke-dasharray:4 3"
_BASE = "stroke:var(--hp-line);stroke-width:1"


def svg(title: str, points: Sequence[tuple[float, float]], span: float, limit: float, words: str) -> str:
    """A curve of ``points`` (seconds, amount) over ``span`` seconds, with a line at ``limit`` (0: none).

    ``words`` say the same as text. A limit far above everything isn't drawn: the curve would be flat.
    """
    most = max((value for _, value in points), default=0.0)
    shown = 0 < limit <= 4 * most if most else False
    top = max(most, limit if shown else 0.0) * _ROOM or 1.0
    low = HEIGHT - _BOTTOM

    def x(at: float) -> float:
        return _LEFT + (WIDTH - 2 * _LEFT) * min(max(at / (span or 1.0), 0.0), 1.0)

    def y(value: float) -> float:
        return low - (low - _TOP) * min(value / top, 1.0)

    places = [f"{number(x(at))},{number(y(value))}" for at, value in points]
    parts = [
        element("title", {}, escape(f"{title}: {words}")),
        element("line", {"style": _BASE, "x1": _LEFT, "x2": WIDTH - _LEFT, "y1": low, "y2": low}),
        element("g", {"style": "fill:var(--hp-quiet)"}, text(_LEFT, 9.5, f"{title}: {words}", 10.5)),
    ]
    if len(places) > 1:
        ends = f"{number(x(points[-1][0]))},{number(low)} {number(x(points[0][0]))},{number(low)}"
        parts.append(element("polygon", {"style": _AREA, "points": f"{' '.join(places)} {ends}"}))
        parts.append(element("polyline", {"style": _CURVE, "points": " ".join(places)}))
    if shown:
        parts.append(
            element(
                "line", {"style": _LIMIT, "x1": _LEFT, "x2": WIDTH - _LEFT, "y1": y(limit), "y2": y(limit)}
            )
        )
    attributes: dict[str, str | float] = {
        "xmlns": "http://www.w3.org/2000/svg",
        "viewBox": f"0 0 {number(WIDTH)} {number(HEIGHT)}",
        "width": WIDTH,
        "height": HEIGHT,
        "role": "img",
        "aria-label": f"{title}: {words}",
    }
    return element("svg", attributes, *parts)

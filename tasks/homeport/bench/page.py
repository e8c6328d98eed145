"""A bench as one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from homeport.bench import picture
from homeport.bench.figures import Change, Compared, Figure, Judged, State, Verdict
from homeport.bench.scenarios import BYTES, REQUESTS, SCENARIOS, SECONDS
from homeport.bench.show import expected, less, remark, spread, value, word
from homeport.report import sheet
from homeport.report.markup import element, escape
from homeport.report.words import plural

_HOW = (
    "Medians; the line in a bar goes from the lowest to the highest value. Each scenario begins in a state "
    "of its own, in copies of the repository and under names of its own; rounds of all scenarios alternate."
)
_UNITS = {SECONDS: "Times", BYTES: "Bytes sent to the builder", REQUESTS: "Requests lost"}


def html(
    name: str,
    started: float,
    figures: Mapping[str, Figure],
    judged: Sequence[Judged],
    compared: Sequence[Compared],
    differences: Sequence[str],
    environment: Mapping[str, str],
    *,
    against: str,
    interrupted: bool,
) -> str:
    """The page as a whole HTML document, the pictures in it; ``started`` in seconds since the epoch."""
    outcome, css = _outcome(figures, compared, interrupted=interrupted)
    parts = [
        _boxes(figures, judged),
        _promises(judged),
        *(_pictures(figures)),
        sheet.table("Figures", _COLUMNS, _RIGHT, map(_row, figures.values())),
        _comparison(compared, differences, against),
        _facts("Scenarios", {key: SCENARIOS[key] for key in dict.fromkeys(
            one.measure.scenario for one in figures.values())}),
        _facts("Measured on", environment),
        element("footer", {}, escape(_HOW)),
    ]  # fmt: skip
    return sheet.sheet(name, outcome, css, started, parts)


_RIGHT = ("median", "lowest to highest", "rounds")
_COLUMNS = ("scenario", "measured", "median", "lowest to highest", "rounds", "what is to be known")


def _outcome(
    figures: Mapping[str, Figure], compared: Sequence[Compared], *, interrupted: bool
) -> tuple[str, str]:
    failed = {one.measure.scenario for one in figures.values() if one.state is State.FAILED}
    slower = sum(one.change is Change.SLOWER for one in compared)
    if interrupted:
        return "bench interrupted", "cancelled"
    if failed:
        return f"bench: {plural(len(failed), 'scenario')} failed", "failed"
    if slower:
        return f"bench: {plural(slower, 'figure')} worse than before", "failed"
    return "bench", "built"


def _boxes(figures: Mapping[str, Figure], judged: Sequence[Judged]) -> str:
    met = sum(one.verdict in {Verdict.KEPT, Verdict.MORE} for one in judged)
    known = sum(one.less is not None for one in judged)
    boxes = [
        (one.measure.what, value(one.median, one.measure.unit))
        for one in figures.values()
        if one.good and one.measure.unit == SECONDS
    ]
    return sheet.figures([*boxes, ("promises kept, of those measured", f"{met} of {known}")])


def _promises(judged: Sequence[Judged]) -> str:
    if not judged:
        return ""
    said = "; ".join(
        f"{one.promise.what}: {less(one.less) or 'not measured'}, expected {expected(*one.expected)}"
        for one in judged
    )
    rows = (
        element(
            "tr", {},
            element("td", {"class": "name"}, escape(one.promise.what)),
            element("td", {}, escape(expected(*one.expected))),
            sheet.figure(less(one.less), -1.0 if one.less is None else one.less),
            element("td", {}, element("span", {"class": f"badge {_css(one.verdict)}"}, one.verdict.value),
                    element("small", {}, escape(one.reason)) if one.reason else ""),
        )
        for one in judged
    )  # fmt: skip
    pictured = sheet.section("Promised and measured", picture.promises(judged, said))
    return pictured + sheet.table(
        "Promises", ("promise", "expected", "measured", "verdict"), {"measured"}, rows
    )


def _css(verdict: Verdict) -> str:
    return {Verdict.MISSED: "failed", Verdict.UNKNOWN: "cancelled"}.get(verdict, "built")


def _pictures(figures: Mapping[str, Figure]) -> list[str]:
    found = []
    for unit, heading in _UNITS.items():
        own = [one for one in figures.values() if one.measure.unit == unit]
        if own:
            said = "; ".join(
                f"{one.measure.what}: {value(one.median, unit) if one.values else remark(one)}" for one in own
            )
            found.append(sheet.section(heading, picture.bars(own, f"{heading}. {said}")))
    return found


def _row(one: Figure) -> str:
    unit = one.measure.unit
    state = ""
    if one.state is not State.MEASURED:
        css = "failed" if one.state is State.FAILED else "cancelled"
        state = element("span", {"class": f"badge {css}"}, f"{one.state.value} ")
    return element(
        "tr",
        {},
        element("td", {"class": "name"}, escape(one.measure.scenario)),
        element("td", {}, escape(one.measure.what)),
        sheet.figure(value(one.median, unit) if one.values else "", one.median if one.values else -1.0),
        element("td", {"class": "figure"}, escape(spread(one))),
        sheet.figure(str(len(one.values)) if one.values else "", float(len(one.values))),
        element("td", {}, state, escape(one.reason or "; ".join(one.notes))),
    )


def _comparison(compared: Sequence[Compared], differences: Sequence[str], against: str) -> str:
    if not compared:
        return ""
    rows = (
        element(
            "tr", {},
            element("td", {"class": "name"}, escape(f"{one.measure.scenario}: {one.measure.what}")),
            _cell(one.before, one.measure.unit),
            _cell(one.after, one.measure.unit),
            sheet.figure("" if one.percent is None else f"{one.percent:+.0f} %", one.percent or 0.0),
            element("td", {}, _badge(one.change, one.measure.unit),
                    element("small", {}, escape(one.why)) if one.why else ""),
        )
        for one in compared
    )  # fmt: skip
    table = sheet.table(f"Beside {against}", ("measured", "then", "now", "change", "verdict"),
                        {"then", "now", "change"}, rows)  # fmt: skip
    warnings = [element("li", {}, escape(text)) for text in differences]
    return table + (element("ul", {}, *warnings) if warnings else "")


def _cell(number: float | None, unit: str) -> str:
    return sheet.figure("", -1.0) if number is None else sheet.figure(value(number, unit), number)


def _badge(change: Change, unit: str) -> str:
    css = {Change.SLOWER: "failed", Change.FASTER: "built"}.get(change, "cancelled")
    return element("span", {"class": f"badge {css}"}, word(change, unit))


def _facts(heading: str, pairs: Mapping[str, str]) -> str:
    items = (element("dt", {}, escape(key)) + element("dd", {}, escape(text)) for key, text in pairs.items())
    return element("h2", {}, escape(heading)) + element("dl", {"class": "facts"}, *items)

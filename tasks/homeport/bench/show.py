"""What a bench says: its plan, its figures beside what was promised, the comparison; as text and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from homeport.bench.figures import Change, Compared, Figure, Judged, State, Verdict
from homeport.bench.plan import COPIES, BenchPlan
from homeport.bench.scenarios import BYTES, REQUESTS, SCENARIOS, SECONDS
from homeport.report.table import plain_table
from homeport.report.words import plural, seconds, size

SCHEMA = "homeport.bench/1"
PLAN_SCHEMA = "homeport.bench-plan/1"
_VERDICTS = {Verdict.KEPT: "green", Verdict.MORE: "green", Verdict.MISSED: "red", Verdict.UNKNOWN: "dim"}
_CHANGES = {Change.SLOWER: "red", Change.FASTER: "green"}


def value(number: float, unit: str) -> str:
    """A value as people read it."""
    if unit == BYTES:
        return size(round(number))
    if unit == REQUESTS:
        return f"{number:g}"
    return f"{number:.2f} s" if number < 10 else seconds(number)


def expected(low: float, high: float) -> str:
    return f"{low:g} to {high:g} % less" if high > low else f"at least {low:g} % less"


def less(percent: float | None) -> str:
    if percent is None:
        return ""
    return f"{percent:.0f} % less" if round(percent) >= 0 else f"{-percent:.0f} % more"


def word(change: Change, unit: str) -> str:
    """What a change is called: what isn't timed gets more or less, not slower or faster."""
    others = {Change.SLOWER: "more", Change.FASTER: "less"}
    return change.value if unit == SECONDS else others.get(change, change.value)


def spread(figure: Figure) -> str:
    """From the lowest to the highest value; nothing for a single one."""
    if len(figure.values) < 2:
        return ""
    unit = figure.measure.unit
    return f"{value(figure.lowest, unit)} to {value(figure.highest, unit)}"


def remark(figure: Figure) -> str:
    """Why there is no value, or else what is to be known of it."""
    if figure.state is State.MEASURED:
        return "; ".join(figure.notes)
    return f"{figure.state.value}: {figure.reason}" if figure.reason else figure.state.value


def plan(found: BenchPlan, before: Mapping[str, float], console: Console) -> None:
    """What would be done, and how long that may take."""
    table = plain_table()
    for heading in ("scenario", "what is done"):
        table.add_column(heading)
    for name in found.scenarios:
        table.add_row(Text(name), Text(SCENARIOS[name]))
    console.print(table)
    for key, reason in found.missing.items():
        console.print(Text.assemble(("not measured: ", "yellow"), f"{key}: {reason}"), soft_wrap=True)
    targets = len(found.builds.order) if found.builds else 0
    console.print(
        f"\n{plural(found.rounds, 'round')}, {plural(found.runs, 'run')} in all, "
        f"of {plural(targets, 'target')} and {plural(len(found.services), 'service')}, "
        f"in {_copies(found)} of the repository.",
        markup=False,
        soft_wrap=True,
    )
    console.print(f"{time_needed(found, before)} Nothing was touched.", markup=False, soft_wrap=True)


def _copies(found: BenchPlan) -> str:
    count = len(found.copies)
    return "1 copy" if count == 1 else f"{count} copies"


def time_needed(found: BenchPlan, before: Mapping[str, float]) -> str:
    """How long it may take, in words: by an earlier run, or not at all."""
    if not before:
        return "How long it takes can be told by an earlier run: --against FILE."
    total, unknown = found.expected_seconds(before)
    rest = f", and the time of {', '.join(unknown)}, which that run doesn't know" if unknown else ""
    return f"By that earlier run it takes {seconds(total)}, what is prepared for it not counted{rest}."


def plan_document(found: BenchPlan, before: Mapping[str, float]) -> dict[str, Any]:
    return {
        "schema": PLAN_SCHEMA,
        "scenarios": list(found.scenarios),
        "rounds": found.rounds,
        "steps": [step.key for step in found.steps],
        "runs": found.runs,
        "missing": dict(found.missing),
        "targets": list(found.builds.order) if found.builds else [],
        "services": list(found.services),
        "copies": [COPIES[step.key] for step in found.steps if step.key in COPIES],
        "expected_seconds": round(found.expected_seconds(before)[0], 1) if before else None,
    }


def figures(found: Mapping[str, Figure], console: Console) -> None:
    """The table of all figures; what is missing has its reason."""
    table = plain_table()
    table.add_column("scenario", no_wrap=True)
    table.add_column("measured", no_wrap=True)
    for heading in ("median", "lowest to highest", "rounds"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("")
    for one in found.values():
        style = {State.FAILED: "red", State.NOT_MEASURED: "yellow"}.get(one.state, "dim")
        table.add_row(
            Text(one.measure.scenario),
            Text(one.measure.what),
            value(one.median, one.measure.unit) if one.values else "",
            spread(one),
            str(len(one.values)) if one.values else "",
            Text(remark(one), style=style),
        )
    console.print(table)


def promises(found: Sequence[Judged], console: Console) -> None:
    """What was expected beside what was measured."""
    if not found:
        return
    table = plain_table()
    for heading in ("promise", "expected", "measured", "verdict"):
        table.add_column(heading, no_wrap=heading != "verdict")
    for one in found:
        style = _VERDICTS[one.verdict]
        said = one.verdict.value + (f" ({one.reason})" if one.reason else "")
        table.add_row(
            Text(one.promise.what), expected(*one.expected), less(one.less), Text(said, style=style)
        )
    console.print()
    console.print(table)


def comparison(found: Sequence[Compared], differences: Sequence[str], name: str, console: Console) -> None:
    """This run beside an earlier one."""
    table = plain_table()
    for heading in ("measured", "then", "now", "", "verdict"):
        table.add_column(heading, no_wrap=True, justify="right" if heading in {"then", "now", ""} else "left")
    for one in found:
        unit = one.measure.unit
        table.add_row(
            Text(one.measure.what),
            value(one.before, unit) if one.before is not None else "",
            value(one.after, unit) if one.after is not None else "",
            f"{one.percent:+.0f} %" if one.percent is not None else "",
            Text(
                f"{word(one.change, unit)}{f': {one.why}' if one.why else ''}",
                style=_CHANGES.get(one.change, "dim"),
            ),
        )
    console.print()
    console.print(Text(f"Beside {name}:"))
    console.print(table)
    for text in differences:
        console.print(Text.assemble(("warning: ", "yellow"), text), soft_wrap=True)


def document(
    found: Mapping[str, Figure],
    judged: Sequence[Judged],
    compared: Sequence[Compared],
    differences: Sequence[str],
    about: Mapping[str, Any],
) -> dict[str, Any]:
    """Everything as JSON; ``about`` is what there is to know of the run. Seconds, bytes and requests."""
    return {
        "schema": SCHEMA,
        **about,
        "ok": not any(one.state is State.FAILED for one in found.values()),
        "figures": [_figure(one) for one in found.values()],
        "promises": [
            {
                "name": one.promise.name,
                "what": one.promise.what,
                "before": one.promise.before,
                "after": one.promise.after,
                "expected_percent": list(one.expected),
                "measured_percent": None if one.less is None else round(one.less, 1),
                "verdict": one.verdict.value,
                "reason": one.reason,
            }
            for one in judged
        ],
        "compared": [
            {
                "key": one.measure.key,
                "change": one.change.value,
                "before": one.before,
                "after": one.after,
                "percent": None if one.percent is None else round(one.percent, 1),
                "why": one.why,
            }
            for one in compared
        ],
        "differences": list(differences),
    }


def _figure(one: Figure) -> dict[str, Any]:
    known = bool(one.values)
    return {
        "key": one.measure.key,
        "scenario": one.measure.scenario,
        "what": one.measure.what,
        "unit": one.measure.unit,
        "state": one.state.value,
        "values": [round(each, 3) for each in one.values],
        "median": round(one.median, 3) if known else None,
        "lowest": round(one.lowest, 3) if known else None,
        "highest": round(one.highest, 3) if known else None,
        "reason": one.reason,
        "notes": list(one.notes),
    }

"""What was measured, as JSON and as the page docs/BENCHMARKS.md."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from runs import OWN, Measured

_VERDICTS = {True: "met", False: "**missed**", None: "not measured"}


def document(
    measured: Sequence[Measured],
    machine: dict[str, Any],
    rounds: int,
    flight: dict[str, int] | None = None,
    listed: Sequence[float] = (),
) -> dict[str, Any]:
    """Everything measured as one JSON document: seconds of every run, medians, ratios to homeport, limits."""
    return {
        "machine": machine,
        "rounds": rounds,
        "scenarios": [_scenario(item) for item in measured],
        "in_flight": flight,
        "list_seconds": _rounded(statistics.median(listed)) if listed else None,
    }


def _scenario(item: Measured) -> dict[str, Any]:
    limits = []
    for limit in item.limits:
        value, met = item.judged(limit)
        limits.append({"tool": limit.tool, "limit": limit.words, "value": _rounded(value, 4), "met": met})
    return {
        "name": item.name,
        "what": item.what,
        "notes": item.notes,
        **({"unavailable": item.unavailable} if item.unavailable else {}),
        **({"wrong": item.wrong} if item.wrong else {}),
        "limits": limits,
        "tools": {
            tool: {
                "seconds": [_rounded(value) for value in values],
                "median": _rounded(item.median(tool)),
                "ratio": _rounded(item.ratio(tool), 4),
            }
            for tool, values in item.seconds.items()
        },
    }


def markdown(document: Mapping[str, Any]) -> str:
    """The page: a table of medians, ratios and limits, and what else was looked at."""
    machine = document["machine"]
    lines = [
        "# Benchmarks",
        "",
        "<!-- Written by `make bench` (bench/build.py). Do not edit: run it again. -->",
        "",
        f"Measured on {machine['date']}: {machine['cores']} cores, {machine['system']}, Docker Engine "
        f"{machine['engine']}, buildx {machine['buildx']}, Compose {machine['compose']}, Python "
        f"{machine['python']}. A generated repository of N services over one shared base, or "
        "two; steps take no time unless said otherwise. Each tool as a person would run it, in a "
        f"tree of its own, {_times(document['rounds'])} in changing order, each run from an idle machine, "
        "medians. A ratio is homeport's time divided by the other's: below 1, homeport is quicker. What "
        "homeport built and skipped is checked after each of its runs.",
        "",
        "| scenario | tool | median | lowest to highest | homeport / it | limit |",
        "| --- | --- | ---: | ---: | ---: | --- |",
    ]
    for scenario in document["scenarios"]:
        limits = {limit["tool"]: limit for limit in scenario["limits"]}
        for tool, values in scenario["tools"].items():
            verdict = _verdict(limits.pop(tool)) if tool in limits else ""
            lines.append(f"| {scenario['what']} | {tool} | {_cells(tool, values)} | {verdict} |")
        # What could not be measured at all keeps its place in the table.
        lines += [
            f"| {scenario['what']} | {tool} | | | | {_verdict(limit)} |" for tool, limit in limits.items()
        ]
        if not scenario["tools"] and not scenario["limits"]:
            lines.append(f"| {scenario['what']} | | not measured | | | |")
    lines.append("")
    for scenario in document["scenarios"]:
        if "wrong" in scenario:
            lines.append(
                f"- **{scenario['what']}: went wrong, its times mean nothing**: {scenario['wrong']}."
            )
        if "unavailable" in scenario:
            lines.append(f"- {scenario['what']}: could not be measured here: {scenario['unavailable']}.")
        lines += [f"- {scenario['what']}: {note}." for note in scenario["notes"]]
    if flight := document["in_flight"]:
        lines.append(
            f"- `--jobs {flight['jobs']}`: {flight['targets']} targets, never more than {flight['most']} in "
            f"flight, by the start and end of the engine's own {flight['records']} build records."
        )
    if document["list_seconds"] is not None:
        lines.append(f"- `invoke --list`: {document['list_seconds']:.2f} s.")
    return "\n".join([*lines, "", "Every run's seconds are in [benchmarks.json](benchmarks.json).", ""])


def write(folder: Path, document: Mapping[str, Any], text: str) -> None:
    """Write the page and its JSON into ``folder``."""
    folder.mkdir(exist_ok=True)
    (folder / "BENCHMARKS.md").write_text(text, encoding="utf-8", newline="\n")
    (folder / "benchmarks.json").write_text(
        json.dumps(document, indent=2) + "\n", encoding="utf-8", newline="\n"
    )


def _cells(tool: str, values: Mapping[str, Any]) -> str:
    worked = [value for value in values["seconds"] if value is not None]
    if not worked:
        return "failed | | "
    failed = (
        f" ({len(values['seconds']) - len(worked)} failed)" if len(worked) < len(values["seconds"]) else ""
    )
    ratio = "" if tool == OWN or values["ratio"] is None else _digits(values["ratio"])
    spread = f"{_digits(min(worked))} to {_digits(max(worked))}"
    return f"{_digits(values['median'])} s{failed} | {spread} s | {ratio}"


def _verdict(limit: Mapping[str, Any]) -> str:
    return f"{limit['limit']}: {_VERDICTS[limit['met']]}"


def _digits(value: float) -> str:
    """So many that a limit of 1 s, or of 1/15, can be told from what is just beyond it."""
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def _times(rounds: int) -> str:
    return "1 round" if rounds == 1 else f"{rounds} rounds"


def _rounded(value: float | None, digits: int = 3) -> float | None:
    return None if value is None else round(value, digits)

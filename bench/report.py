"""What was measured, as JSON and as the page docs/BENCHMARKS.md."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

OWN = "homeport"


def document(found: Mapping[str, Any], machine: dict[str, Any], rounds: int) -> dict[str, Any]:
    """Everything measured as one JSON document: seconds of every run, medians and ratios to homeport."""
    scenarios = []
    for item in found.values():
        if not hasattr(item, "seconds"):
            continue
        own = item.median(OWN)
        scenarios.append(
            {
                "name": item.name,
                "what": item.what,
                "notes": item.notes,
                "tools": {
                    tool: {
                        "seconds": [None if value is None else round(value, 3) for value in values],
                        "median": _rounded(item.median(tool)),
                        "ratio": _ratio(own, item.median(tool)),
                    }
                    for tool, values in item.seconds.items()
                },
            }
        )
    listing = found.get("list")
    return {
        "machine": machine,
        "rounds": rounds,
        "scenarios": scenarios,
        "in_flight": found.get("jobs"),
        "list_seconds": _rounded(statistics.median(listing)) if listing else None,
    }


def markdown(document: Mapping[str, Any]) -> str:
    """The page: a table of medians and ratios, and what else was looked at."""
    machine = document["machine"]
    lines = [
        "# Benchmarks",
        "",
        "<!-- Written by `make bench` (bench/build.py). Do not edit: run it again. -->",
        "",
        f"Measured on {machine['date']}: {machine['cores']} cores, {machine['system']}, Docker Engine "
        f"{machine['engine']}, buildx {machine['buildx']}, Compose {machine['compose']}, Python "
        f"{machine['python']}. A generated repository of N services over one shared base; in the cold "
        "scenario with 50 targets each has a step that takes one second. Each tool as a person would run it, "
        f"{document['rounds']} rounds in changing order, each run from an idle machine, medians. A ratio is "
        "homeport's time divided by the other's: below 1, homeport is quicker.",
        "",
        "| scenario | tool | median | lowest to highest | homeport / it |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    for scenario in document["scenarios"]:
        for tool, values in scenario["tools"].items():
            lines.append(f"| {scenario['what']} | {tool} | {_cells(tool, values)} |")
    lines.append("")
    lines += [
        f"- {scenario['what']}: {note}." for scenario in document["scenarios"] for note in scenario["notes"]
    ]
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
    (folder / "BENCHMARKS.md").write_text(text, encoding="utf-8")
    (folder / "benchmarks.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def _cells(tool: str, values: Mapping[str, Any]) -> str:
    worked = [value for value in values["seconds"] if value is not None]
    if not worked:
        return "failed | | "
    failed = (
        f" ({len(values['seconds']) - len(worked)} failed)" if len(worked) < len(values["seconds"]) else ""
    )
    ratio = "" if tool == OWN or values["ratio"] is None else f"{values['ratio']:.2f}"
    return f"{values['median']:.1f} s{failed} | {min(worked):.1f} to {max(worked):.1f} s | {ratio}"


def _ratio(own: float | None, other: float | None) -> float | None:
    return None if own is None or not other else round(own / other, 3)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)

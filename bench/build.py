"""Measure builds: homeport side by side with ``docker buildx bake`` and ``docker compose build``, in one run.

    python bench/build.py                             all scenarios, writes docs/BENCHMARKS.md and its JSON
    python bench/build.py --scenarios cold --rounds 1 one scenario, to look at; --no-write leaves docs alone

Every round gives each tool a tree of its own with steps that no cache knows, in an order that changes, and
waits until the machine is idle before each run. What is compared is medians; one run's seconds mean
little on a shared machine, its ratios more. Only images with this bench's label are removed at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

import fixture
import report

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "ci"))

import busybox  # noqa: E402  (ci/ is no package)

HOMEPORT = [sys.executable, "-m", "homeport", "build", "--parallel"]
TOOLS: dict[str, list[str]] = {
    "homeport": HOMEPORT,
    "bake": ["docker", "buildx", "bake"],
    "bake, no provenance": ["docker", "buildx", "bake", "--provenance=false"],
    "compose": ["docker", "compose", "--file", "compose/compose.yml", "build"],
}
LIMIT_SECONDS = 900


@dataclass
class Measured:
    """One scenario: seconds by tool and round; None for a run that failed, with its last words."""

    name: str
    what: str
    seconds: dict[str, list[float | None]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, tool: str, taken: float | None) -> None:
        self.seconds.setdefault(tool, []).append(taken)

    def median(self, tool: str) -> float | None:
        """The median of the runs that worked; None where none did."""
        worked = [value for value in self.seconds.get(tool, []) if value is not None]
        return statistics.median(worked) if worked else None


def timed(argv: Sequence[str], folder: Path) -> tuple[float | None, str]:
    """Run a command in ``folder``; returns its seconds, or None and its last line if it failed."""
    settle()
    started = time.monotonic()
    try:
        done = subprocess.run(
            argv, cwd=folder, capture_output=True, encoding="utf-8", errors="replace", timeout=LIMIT_SECONDS
        )
    except subprocess.TimeoutExpired:
        return None, f"no end after {LIMIT_SECONDS} s"
    taken = time.monotonic() - started
    if done.returncode == 0:
        return taken, ""
    lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()] or ["?"]
    # Of many errors the first cause, not those that were only cancelled with it.
    causes = [line for line in lines if "ERROR" in line and "cancel" not in line.lower()]
    return None, [*lines, *causes][-1][:300]


def shuffled(tools: Sequence[str], number: int) -> list[str]:
    """The tools, in another order in each round: none always suffers from what the same one left behind."""
    order = list(tools)
    random.Random(number).shuffle(order)  # noqa: S311 - an order that can be repeated, no secret
    return order


def settle() -> None:
    """Wait until the machine is idle: engines tidy up after a build, at the cost of the next one."""
    deadline = time.monotonic() + 30
    while psutil.cpu_percent(interval=1.0) > 10 and time.monotonic() < deadline:
        pass


def cold(base: str, count: int, rounds: int, tools: Sequence[str]) -> Measured:
    """Nothing is cached: every step of every target runs."""
    result = Measured("cold", f"{count} targets, nothing cached")
    for number in range(rounds):
        for tool in shuffled(tools, number):
            with tempfile.TemporaryDirectory() as folder:
                fixture.write(Path(folder), count, base, secrets.token_hex(8))
                taken, said = timed(TOOLS[tool], Path(folder))
            result.add(tool, taken)
            progress(result, tool, taken, said)
    return result


def warm(base: str, count: int, rounds: int, tools: Sequence[str]) -> Measured:
    """Everything is cached and built: nothing changed since the last build with the same tool."""
    result = Measured("warm", f"{count} targets, nothing to do")
    with tempfile.TemporaryDirectory() as folder:
        fixture.write(Path(folder), count, base, secrets.token_hex(8), step_seconds=0)
        for tool in tools:
            timed(TOOLS[tool], Path(folder))
        for number in range(rounds):
            for tool in shuffled(tools, number):
                taken, said = timed(TOOLS[tool], Path(folder))
                result.add(tool, taken)
                progress(result, tool, taken, said)
    return result


def many(base: str, count: int) -> Measured:
    """So many targets that bake on the docker driver gives up."""
    result = Measured("many", f"{count} targets, nothing cached")
    for tool in ("homeport", "bake"):
        with tempfile.TemporaryDirectory() as folder:
            names = fixture.write(Path(folder), count, base, secrets.token_hex(8), step_seconds=0)
            taken, said = timed(TOOLS[tool], Path(folder))
        result.add(tool, taken)
        progress(result, tool, taken, said)
        if taken is None:
            result.notes.append(f"{tool} failed: `{said}`")
        elif tool == "homeport":
            result.notes.append(f"homeport built all {len(names) + 1} targets")
    return result


def in_flight(base: str, count: int, jobs: int) -> dict[str, int]:
    """Most targets at the same time, by the engine's own build records (created_at, completed_at)."""
    with tempfile.TemporaryDirectory() as folder:
        fixture.write(Path(folder), count, base, secrets.token_hex(8), step_seconds=0.3)
        argv = [*HOMEPORT, "--jobs", str(jobs), "--json", "out.json"]
        subprocess.run(argv, cwd=folder, check=True, capture_output=True)
        document = json.loads((Path(folder) / "out.json").read_text(encoding="utf-8"))
    refs = {target["record"] for target in document["targets"]}
    listing = subprocess.run(
        ["docker", "buildx", "history", "ls", "--no-trunc", "--format", "json"],
        check=True,
        capture_output=True,
        encoding="utf-8",
    )
    rows = [row for row in map(json.loads, listing.stdout.splitlines()) if row["ref"] in refs]
    marks = sorted(mark for row in rows for mark in ((row["created_at"], 1), (row["completed_at"], -1)))
    running = most = 0
    for _, change in marks:
        running += change
        most = max(most, running)
    return {"jobs": jobs, "targets": len(refs), "records": len(rows), "most": most}


def listing(rounds: int) -> list[float]:
    """Seconds of ``invoke --list`` in this repository."""
    argv = [sys.executable, "-m", "invoke", "--list"]
    return [taken for _ in range(rounds) if (taken := timed(argv, ROOT)[0]) is not None]


def progress(result: Measured, tool: str, taken: float | None, said: str) -> None:
    print(
        f"{result.name:<6} {tool:<20} {'failed: ' + said if taken is None else f'{taken:.2f} s'}", flush=True
    )


def machine() -> dict[str, Any]:
    """Where this was measured."""

    def ask(*argv: str) -> str:
        return subprocess.run(argv, capture_output=True, encoding="utf-8").stdout.strip()

    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "engine": ask("docker", "version", "--format", "{{.Server.Version}}"),
        "buildx": ask("docker", "buildx", "version").split(" ")[1],
        "compose": ask("docker", "compose", "version", "--short"),
    }


def clean_up() -> None:
    """Remove the bench's own images, found by its label."""
    argv = ["docker", "image", "ls", "--quiet", "--filter", f"label={fixture.LABEL}"]
    images = subprocess.run(argv, capture_output=True, encoding="utf-8").stdout.split()
    if images:
        print(f"removing this bench's {len(set(images))} images; that takes a while", flush=True)
        subprocess.run(["docker", "image", "rm", "--force", *dict.fromkeys(images)], capture_output=True)


def main() -> int:
    """Measure, print, and write docs/BENCHMARKS.md; returns 1 if homeport itself failed anywhere."""
    parser = argparse.ArgumentParser(description="measure builds side by side")
    parser.add_argument("--scenarios", default="cold,warm,many,jobs,list")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--targets", type=int, default=50)
    parser.add_argument("--many", type=int, default=300)
    parser.add_argument("--tools", default="bake;bake, no provenance;compose;homeport")
    parser.add_argument("--no-write", action="store_true", help="leave docs/ as it is")
    chosen = parser.parse_args()
    base, tools = busybox.ensure(), chosen.tools.split(";")
    scenarios: dict[str, Callable[[], Any]] = {
        "cold": lambda: cold(base, chosen.targets, chosen.rounds, tools),
        "warm": lambda: warm(base, chosen.targets, chosen.rounds, tools),
        "many": lambda: many(base, chosen.many),
        "jobs": lambda: in_flight(base, 12, 2),
        "list": lambda: listing(max(chosen.rounds, 5)),
    }
    try:
        found = {name: scenarios[name]() for name in chosen.scenarios.split(",")}
    finally:
        clean_up()
    document = report.document(found, machine(), chosen.rounds)
    text = report.markdown(document)
    print(f"\n{text}")
    if not chosen.no_write:
        report.write(ROOT / "docs", document, text)
    measured = [item for item in found.values() if isinstance(item, Measured)]
    return int(any(value is None for item in measured for value in item.seconds.get("homeport", [])))


if __name__ == "__main__":
    sys.exit(main())

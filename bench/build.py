"""Measure builds: homeport side by side with ``docker buildx bake`` and ``docker compose build``, in one run.

    python bench/build.py                             all scenarios, writes docs/BENCHMARKS.md and its JSON
    python bench/build.py --scenarios cold --rounds 1 one scenario, to look at; --no-write leaves docs alone

Every round gives each tool a tree of its own with steps that no cache knows, in an order that changes, and
waits until the machine is idle before each run. What is compared is medians; one run's seconds mean
little on a shared machine, its ratios more. What a run of this bench starts carries a label with its own
number, and only that is removed. A limit that is missed is shown, and changes no exit code: that tells of
failures only.
"""

from __future__ import annotations

import argparse
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
# Neither is a package; the second engine is shared with the tests.
sys.path[:0] = [str(ROOT / "ci"), str(ROOT / "tests" / "support")]

import busybox  # noqa: E402
import machines  # noqa: E402
import report  # noqa: E402
import runs  # noqa: E402
import scenarios  # noqa: E402
from runs import Measured, ScenarioError  # noqa: E402


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


def main() -> int:
    """Measure, print, and write docs/BENCHMARKS.md.

    Returns 1 if homeport itself failed anywhere, or did something else than the scenario says.
    """
    parser = argparse.ArgumentParser(description="measure builds side by side")
    parser.add_argument("--scenarios", default="cold,warm,one,base,fresh,context,many,jobs,list")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--targets", type=int, default=50)
    parser.add_argument("--many", type=int, default=300, help="targets of the scenario 'many'")
    parser.add_argument("--files", type=int, default=12_000, help="files of the scenario 'context'")
    parser.add_argument("--tools", default="bake;bake, no provenance;compose;homeport")
    parser.add_argument("--patience", type=float, default=30, help="seconds to wait for an idle machine")
    parser.add_argument("--no-write", action="store_true", help="leave docs/ as it is")
    chosen = parser.parse_args()
    runs.settle(chosen.patience)
    # Whoever ends it this way wants it ended, not its registry, engine and images left behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    base, tools, rounds, count = busybox.ensure(), chosen.tools.split(";"), chosen.rounds, chosen.targets
    known: dict[str, Callable[[], Iterator[Measured]]] = {
        "cold": lambda: scenarios.cold(base, count, rounds, tools),
        "warm": lambda: scenarios.warm(base, count, rounds, tools),
        "one": lambda: scenarios.one(base, count, rounds, tools),
        "base": lambda: scenarios.shared_base(base, count, rounds, tools),
        "fresh": lambda: machines.fresh(base, count, rounds, tools),
        "context": lambda: scenarios.context(base, count, rounds, tools, chosen.files),
        "many": lambda: scenarios.many(base, chosen.many, rounds, tools),
    }
    if unknown := set(tools) - set(runs.TOOLS):
        parser.error(f"unknown tools {sorted(unknown)}; there are {'; '.join(runs.TOOLS)}")
    wanted = chosen.scenarios.split(",")
    for name in wanted:
        if name not in {*known, "jobs", "list"}:
            parser.error(f"unknown scenario {name!r}; there are {', '.join(known)}, jobs and list")
    measured: list[Measured] = []
    flight, listed = None, []
    try:
        for name in wanted:
            try:
                if name == "jobs":
                    flight = scenarios.in_flight(base, 12, 2)
                elif name == "list":
                    invoke = [sys.executable, "-m", "invoke", "--list"]
                    listed = scenarios.listing(invoke, ROOT, max(rounds, 5))
                else:
                    for item in known[name]():
                        measured.append(item)
            except ScenarioError as problem:
                # The others are still worth measuring; this one stays visible, and in the exit code.
                print(f"{name}: WENT WRONG: {problem}", file=sys.stderr, flush=True)
                if name in known:
                    measured[-1].wrong = str(problem)
                else:
                    measured.append(Measured(name, name, wrong=str(problem)))
            runs.clean_up()
    finally:
        runs.clean_up()
    document = report.document(measured, machine(), rounds, flight, listed)
    text = report.markdown(document)
    print(f"\n{text}")
    if not chosen.no_write:
        report.write(ROOT / "docs", document, text)
    return int(any(item.wrong or None in item.seconds.get(runs.OWN, []) for item in measured))


if __name__ == "__main__":
    sys.exit(main())

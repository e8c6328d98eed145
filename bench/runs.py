"""Run a tool in a tree of its own, take the time, and hold homeport to what it says it did."""

from __future__ import annotations

import contextlib
import json
import os
import random
import secrets
import site
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

import fixture

OWN = "homeport"
HOMEPORT = [sys.executable, "-m", "homeport", "build", "--parallel"]
TOOLS: dict[str, list[str]] = {
    OWN: HOMEPORT,
    "bake": ["docker", "buildx", "bake"],
    "bake, no provenance": ["docker", "buildx", "bake", "--provenance=false"],
    "compose": ["docker", "compose", "--file", "compose/compose.yml", "build"],
}
RUN = secrets.token_hex(4)
"""The value of the bench's label on everything that this process makes: by it and nothing else it removes."""
LIMIT_SECONDS = 900
IDLE_PERCENT = 10
_REMOVERS = 16


class ScenarioError(Exception):
    """A scenario did not go as it says: then its times mean nothing."""


@dataclass(frozen=True)
class Limit:
    """What is demanded: of homeport's seconds, or of their ratio to another tool's."""

    tool: str
    """Whose row it belongs to; homeport's own: seconds."""
    most: float
    words: str

    def holds(self, value: float | None) -> bool | None:
        """Whether it is met; None where nothing could be measured."""
        if value is None:
            return None
        return value < self.most if self.tool == OWN else value <= self.most


def under(seconds: float) -> Limit:
    return Limit(OWN, seconds, f"under {seconds:g} s")


def part_of(tool: str, part: int) -> Limit:
    return Limit(tool, 1 / part, f"at most 1/{part}")


@dataclass
class Measured:
    """One scenario: seconds by tool and round; None for a run that failed, with its last words."""

    name: str
    what: str
    limits: tuple[Limit, ...] = ()
    seconds: dict[str, list[float | None]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    unavailable: str = ""
    """Why it can't be measured on this machine."""
    wrong: str = ""
    """What happened instead of the scenario's work; its times are not to be used then."""

    def add(self, tool: str, ran: Ran) -> None:
        self.seconds.setdefault(tool, []).append(ran.seconds)
        said = f"failed: {ran.said}" if ran.seconds is None else f"{ran.seconds:.2f} s"
        print(f"{self.name:<11} {tool:<22} {said}", flush=True)
        if ran.seconds is None:
            self.note(f"{tool} failed: `{ran.said}`")
        # Waiting before another try can take longer than everything else.
        for target in (ran.document or {}).get("targets", []):
            if target["retried"]:
                self.note(f"{tool} tried {target['name']} again in one run: {', '.join(target['retried'])}")

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def median(self, tool: str) -> float | None:
        """The median of the runs that worked; None where none did."""
        worked = [value for value in self.seconds.get(tool, []) if value is not None]
        return statistics.median(worked) if worked else None

    def ratio(self, tool: str) -> float | None:
        """homeport's median divided by the tool's."""
        own, other = self.median(OWN), self.median(tool)
        return None if own is None or not other else own / other

    def judged(self, limit: Limit) -> tuple[float | None, bool | None]:
        """The value that the limit is about, and whether it is met.

        A run of homeport that failed is never within a limit, however quick the others were.
        """
        value = self.median(OWN) if limit.tool == OWN else self.ratio(limit.tool)
        failed = bool(self.wrong) or None in self.seconds.get(OWN, [])
        return value, False if failed else limit.holds(value)


@dataclass(frozen=True)
class Ran:
    """One run: its seconds, or None and its last words; what it printed, and homeport's own JSON."""

    seconds: float | None
    said: str = ""
    log: str = ""
    document: dict[str, Any] | None = None


def timed(argv: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> Ran:
    """Run a command in ``folder`` with these variables more, from an idle machine."""
    settle()
    started = time.monotonic()
    try:
        done = subprocess.run(
            argv,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=LIMIT_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return Ran(None, f"no end after {LIMIT_SECONDS} s")
    taken = time.monotonic() - started
    log = done.stderr + done.stdout
    if done.returncode == 0:
        return Ran(taken, log=log)
    lines = [line for line in log.splitlines() if line.strip()] or ["?"]
    # Of many errors the first cause, not those that were only cancelled with it.
    causes = [line for line in lines if "ERROR" in line and "cancel" not in line.lower()]
    return Ran(None, [*lines, *causes][-1][:300], log)


_patience = [30.0]


def settle(patience: float | None = None) -> None:
    """Wait until the machine is idle: engines tidy up after a build, at the cost of the next one.

    ``patience`` sets for how many seconds at most, from now on, instead of waiting.
    """
    if patience is not None:
        _patience[:] = [patience]
        return
    deadline = time.monotonic() + _patience[0]
    while time.monotonic() < deadline and psutil.cpu_percent(interval=1.0) > IDLE_PERCENT:
        pass


def shuffled(tools: Collection[str], number: int) -> list[str]:
    """The tools, in another order in each round: none always suffers from what the same one left behind."""
    order = list(tools)
    random.Random(number).shuffle(order)  # noqa: S311 - an order that can be repeated, no secret
    return order


# -- trees ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tree:
    """A repository for one tool only, and beside it a folder for what homeport keeps and writes."""

    tool: str
    repository: fixture.Repository
    own: Path

    def run(self, more: Sequence[str] = (), environment: Mapping[str, str] | None = None) -> Ran:
        """Run the tool; homeport with a cache folder of this tree's own, and its JSON outside the tree."""
        argv = [*TOOLS[self.tool], *more]
        if self.tool != OWN:
            return timed(argv, self.repository.folder, environment)
        return homeport(argv, self.repository.folder, self.own, environment)

    def expect(self, ran: Ran, built: Collection[str], skipped: Collection[str] = ()) -> str:
        """Raise ScenarioError unless homeport built and skipped just these; returns that in words."""
        if self.tool != OWN or ran.document is None:
            return ""
        if problem := disagreement(ran.document, built, skipped):
            raise ScenarioError(problem)
        return f"homeport built {len(built)} and skipped {len(skipped)} targets in every run, by its own JSON"

    def expect_inside(self, ran: Ran, name: str, text: str) -> None:
        """Raise ScenarioError unless this service's image, of whatever tool, has the text in its file."""
        if ran.seconds is None:
            return
        found = docker("run", "--rm", "--network=none", self.repository.tag(name), "cat", "/app.txt")
        if text not in found:
            raise ScenarioError(f"{self.tool}: the image of {name} holds what was there before its change")


def homeport(
    argv: Sequence[str], folder: Path, own: Path, environment: Mapping[str, str] | None = None
) -> Ran:
    """Run homeport in ``folder``, with everything that it keeps in ``own``; its JSON comes back."""
    out = own / "out.json"
    out.unlink(missing_ok=True)
    ran = timed([*argv, "--json", str(out)], folder, {**separate(own), **(environment or {})})
    document = json.loads(out.read_text(encoding="utf-8")) if out.is_file() else None
    if ran.seconds is not None and document is None:
        raise ScenarioError("homeport wrote no JSON")
    return Ran(ran.seconds, ran.said, ran.log, document)


def separate(own: Path) -> dict[str, str]:
    """Variables by which homeport's cache lies in ``own`` and not in the person's.

    Not each system asks XDG_CACHE_HOME (platformdirs): macOS may go by HOME alone, Windows has a variable of
    platformdirs' own. What else is found by HOME stays: Docker's settings and plugins, Python's packages.
    """
    home = own / "home"
    home.mkdir(parents=True, exist_ok=True)
    return {
        "XDG_CACHE_HOME": str(own / "cache"),
        "WIN_PD_OVERRIDE_LOCAL_APPDATA": str(own / "cache"),
        "HOME": str(home),
        "DOCKER_CONFIG": os.environ.get("DOCKER_CONFIG") or str(Path.home() / ".docker"),
        "PYTHONUSERBASE": site.getuserbase(),
        # Empty is not set. Without byte code, which every installed package has, each run would compile anew.
        "PYTHONDONTWRITEBYTECODE": "",
    }


def disagreement(document: Mapping[str, Any], built: Collection[str], skipped: Collection[str]) -> str:
    """What homeport's JSON says otherwise than that it built and skipped just these; empty if nothing."""
    status = {str(target["name"]): str(target["status"]) for target in document["targets"]}
    expected = dict.fromkeys(built, "built") | dict.fromkeys(skipped, "skipped")
    wrong = [
        f"{name} is {status.get(name, 'not there')} instead of {expected.get(name, 'left alone')}"
        for name in sorted({*status, *expected})
        if status.get(name) != expected.get(name)
    ]
    return f"{len(wrong)} targets: {'; '.join(wrong[:3])}" if wrong else ""


@contextlib.contextmanager
def trees(
    tools: Collection[str], shape: fixture.Shape, prefixes: Mapping[str, str] | None = None
) -> Iterator[dict[str, Tree]]:
    """A tree for each tool, alike but for its seed and the names of its images.

    ``prefixes`` (by tool) goes before these names. Two tools in one tree would disturb each other: each
    would find the other's images under its own names.
    """
    with tempfile.TemporaryDirectory(prefix="homeport-bench-") as folder:
        found = {}
        for number, tool in enumerate(tools):
            seed = secrets.token_hex(8)
            own = Path(folder) / f"{number}-own"
            own.mkdir()
            prefix = f"{(prefixes or {}).get(tool, '')}homeport-bench/{seed[:6]}"
            where = Path(folder) / f"{number}-tree"
            found[tool] = Tree(tool, fixture.write(where, shape, seed, prefix=prefix, mark=RUN), own)
        yield found


def docker(*arguments: str) -> str:
    """Run a docker command that must work; returns what it printed."""
    done = subprocess.run(["docker", *arguments], capture_output=True, encoding="utf-8", errors="replace")
    if done.returncode:
        raise ScenarioError(f"docker {' '.join(arguments[:4])} failed: {done.stderr.strip()}")
    return done.stdout.strip()


def _remove(images: Sequence[str]) -> None:
    if images:
        subprocess.run(["docker", "image", "rm", "--force", *images], capture_output=True)


def clean_up() -> None:
    """Remove this run's images, found by its label: an engine that is full of them is slower for all."""
    argv = ["docker", "image", "ls", "--quiet", "--filter", f"label={fixture.LABEL}={RUN}"]
    for _ in range(5):  # a listing fails while somebody else removes an image
        done = subprocess.run(argv, capture_output=True, encoding="utf-8")
        if images := list(dict.fromkeys(done.stdout.split())):
            print(f"removing this bench's {len(images)} images", flush=True)
            # The engine tidies up after each image, which takes a second; for those removed meanwhile it
            # does so only once.
            with ThreadPoolExecutor(_REMOVERS) as pool:
                list(pool.map(_remove, (images[number::_REMOVERS] for number in range(_REMOVERS))))
        elif done.returncode == 0:
            return
        time.sleep(0.5)

"""Measure deploys of a Compose stack: homeport beside `docker compose up` and docker-rollout, in one run.

    python bench/deploy.py [--rounds N] [--rollout PATH] [--scenarios a,b] [--no-write]

docker-rollout (https://github.com/wowu/docker-rollout) is a shell script: give its path, or it is left out.
Results go to docs/BENCHMARKS_DEPLOY.md and docs/benchmarks-deploy.json.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "ci"), str(ROOT / "bench")]

import base_images  # noqa: E402  (found through the line above)

TRAFFIC = ROOT / "tests" / "support" / "traffic"
RUN = secrets.token_hex(3)
LABEL = f"io.homeport.bench={RUN}"
CHECK = ["CMD", "python3", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/health')"]
HOMEPORT = [sys.executable, "-m", "homeport"]
COMPOSE = ["docker", "compose"]
START_SECONDS = 2
QUICK_SECONDS = 0.2


@dataclass
class Row:
    """One line of the table: what was measured of which tool."""

    what: str
    tool: str
    values: list[float] = field(default_factory=list)
    unit: str = "s"
    note: str = ""

    @property
    def median(self) -> float | None:
        return statistics.median(self.values) if self.values else None


class Stack:
    """A generated Compose project of N services; "svc000" may be published."""

    def __init__(self, folder: Path, image: str, count: int, tool: str, start: float) -> None:
        self.folder, self.image, self.count, self.tool, self.start = folder, image, count, tool, start
        self.name = f"homeport-bench-{RUN}-{secrets.token_hex(2)}"
        self.port = 0 if tool == "docker-rollout" else _free_port()
        self.version = 0
        self.next()

    def next(self) -> None:
        """Another version of every service."""
        self.version += 1
        services = {
            f"svc{number:03d}": {
                "image": self.image,
                "labels": [LABEL],
                "environment": {"VERSION": str(self.version), "START_SECONDS": str(self.start)},
                "healthcheck": {"test": CHECK, "interval": "1s", "timeout": "2s", "retries": 30},
                **({"ports": [f"127.0.0.1:{self.port}:8000"]} if self.port and number == 0 else {}),
            }
            for number in range(self.count)
        }
        document = {"name": self.name, "services": services}
        (self.folder / "compose.yml").write_text(json.dumps(document), encoding="utf-8", newline="\n")

    def argv(self, rollout: str) -> list[list[str]]:
        """The commands that deploy everything with the tool."""
        if self.tool == "homeport":
            return [[*HOMEPORT, "deploy", "--zero-downtime"]]
        if self.tool == "compose":
            return [[*COMPOSE, "up", "--detach", "--wait"]]
        return [[rollout, "rollout", f"svc{number:03d}"] for number in range(self.count)]

    def first(self) -> None:
        tool = "homeport" if self.tool == "homeport" else "compose"
        words = (
            [*HOMEPORT, "deploy", "--zero-downtime"]
            if tool == "homeport"
            else [*COMPOSE, "up", "-d", "--wait"]
        )
        run([words], self.folder)

    def remove(self) -> None:
        listed = docker("ps", "-aq", "--filter", f"label=com.docker.compose.project={self.name}").split()
        if listed:
            docker("rm", "--force", "--volumes", *listed)
        notes = [
            name for name in docker("volume", "ls", "-q").split() if name.startswith(f"homeport-{self.name}-")
        ]
        if notes:
            docker("volume", "rm", *notes)
        docker("network", "rm", f"{self.name}_default")


@contextlib.contextmanager
def stack(image: str, count: int, tool: str, start: float = START_SECONDS) -> Iterator[Stack]:
    with tempfile.TemporaryDirectory(prefix="homeport-bench-") as folder:
        made = Stack(Path(folder), image, count, tool, start)
        try:
            made.first()
            yield made
        finally:
            made.remove()


def run(commands: list[list[str]], folder: Path, env: Mapping[str, str] = {}) -> float:
    """Run commands one after the other; returns the seconds. Raises RuntimeError if one fails."""
    began = time.monotonic()
    for argv in commands:
        done = subprocess.run(
            argv, cwd=folder, env={**os.environ, **env}, capture_output=True, encoding="utf-8"
        )
        if done.returncode != 0:
            raise RuntimeError(f"{argv}: {(done.stderr or done.stdout).strip()[-600:]}")
    return time.monotonic() - began


def docker(*words: str) -> str:
    return subprocess.run(
        ["docker", *words], check=True, capture_output=True, encoding="utf-8"
    ).stdout.strip()


def lost(image: str, tools: list[str], rollout: str, rounds: int) -> list[Row]:
    """Requests that fail while one service is replaced: of callers beside it and, with a port, outside."""
    rows = []
    for tool in tools:
        failed = Row("requests that fail while one service is replaced", tool, unit="failed")
        for _ in range(rounds):
            with stack(image, 1, tool) as made, load(made) as results:
                time.sleep(2)
                made.next()
                run(made.argv(rollout), made.folder)
                time.sleep(1)
            kinds = [kind for result in results for kind in result["kinds"].values()]
            failed.values.append(sum(kind["failed"] for kind in kinds))
            failed.note = f"of about {sum(kind['sent'] for kind in kinds)} sent"
        print(f"{tool:<16} lost {failed.values}", flush=True)
        rows.append(failed)
    return rows


@contextlib.contextmanager
def load(made: Stack, seconds: float = 14, rate: float = 200) -> Iterator[list[dict[str, Any]]]:
    """Callers beside the service and, where it has a port, outside; their results are there at the end."""
    words = ["--seconds", str(seconds), "--rate", str(rate), "--kinds", "new,keep,post,slow"]
    beside = ["docker", "run", "--rm", "--label", LABEL, f"--network={made.name}_default", made.image]
    commands = [[*beside, "python3", "/load.py", "svc000", "8000", *words]]
    if made.port:
        commands.append([sys.executable, str(TRAFFIC / "load.py"), "127.0.0.1", str(made.port), *words])
    processes = [subprocess.Popen(argv, stdout=subprocess.PIPE, encoding="utf-8") for argv in commands]
    results: list[dict[str, Any]] = []
    try:
        yield results
    finally:
        results += [json.loads(process.communicate(timeout=seconds + 120)[0]) for process in processes]


def twelve(image: str, tools: list[str], rollout: str, rounds: int) -> list[Row]:
    """Twelve services, all changed."""
    rows = []
    for tool in tools:
        row = Row("12 changed start-first services", tool)
        with stack(image, 12, tool) as made:
            for _ in range(rounds):
                made.next()
                row.values.append(run(made.argv(rollout), made.folder))
                print(f"{tool:<16} 12 changed {row.values[-1]:.2f} s", flush=True)
        rows.append(row)
    return rows


def idle_and_back(image: str, rounds: int) -> list[Row]:
    """Nothing changed; rollback until the first answer of the old release; what a front costs."""
    nothing = Row("14 services, nothing changed", "homeport")
    compose = Row("14 services, nothing changed", "compose")
    direct = Row("median latency of a request, to the replica itself", "-", unit="ms")
    through = Row("median latency of a request, through the front", "homeport", unit="ms")
    memory = Row("memory of a front", "homeport", unit="MiB")
    with stack(image, 14, "compose") as made:
        compose.values += [run(made.argv(""), made.folder) for _ in range(rounds)]
    with stack(image, 14, "homeport") as made:
        nothing.values += [run(made.argv(""), made.folder) for _ in range(rounds)]
        memory.values += _front_memory(made)
        address, front = (_address(made, role) for role in ("replica", "front"))
        for _ in range(rounds):
            one, other = _latencies(f"http://{address}:8000/", f"http://{front}:8000/")
            direct.values.append(one)
            through.values.append(other)
    rows = [nothing, compose, *_rollbacks(image, rounds), direct, through, memory]
    for row in rows:
        print(f"{row.what}: {row.tool} {row.values}", flush=True)
    return rows


def _rollbacks(image: str, rounds: int) -> Iterator[Row]:
    """From the command to the first answer of the old release, whose replicas are kept, but stopped."""
    for start in (QUICK_SECONDS, START_SECONDS):
        row = Row("rollback: first answer of the old release, kept replicas", "homeport")
        row.note = f"a service that takes {start} s to start"
        with stack(image, 1, "homeport", start) as made:
            made.next()
            run(made.argv(""), made.folder)
            for number in range(rounds):
                row.values.append(_back(made, "1" if number % 2 == 0 else "2"))
        yield row


def _address(made: Stack, role: str) -> str:
    labels = (
        f"com.docker.compose.project={made.name}",
        "io.homeport.service=svc000",
        f"io.homeport.role={role}",
    )
    found = docker("ps", "-q", *(f"--filter=label={label}" for label in labels))
    return docker("inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", found)


def _back(made: Stack, wanted: str) -> float:
    process = subprocess.Popen([*HOMEPORT, "rollback"], cwd=made.folder, stdout=subprocess.DEVNULL)
    began = time.monotonic()
    try:
        while _version(made.port) != wanted:
            if time.monotonic() - began > 60:
                raise RuntimeError("the old release never answered")
            time.sleep(0.02)
        return time.monotonic() - began
    finally:
        process.wait(120)


def _version(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
        return str(json.loads(answer.read())["version"])


def _latencies(*urls: str, count: int = 500) -> list[float]:
    """Median milliseconds of a request on a connection of its own, to each of these addresses in turn."""
    taken: dict[str, list[float]] = {url: [] for url in urls}
    for _ in range(count):
        for url in urls:
            began = time.perf_counter()
            with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own http address
                answer.read()
            taken[url].append((time.perf_counter() - began) * 1000)
    return [statistics.median(values) for values in taken.values()]


def _front_memory(made: Stack) -> list[float]:
    names = docker(
        "ps", "-q", "--filter", f"label=com.docker.compose.project={made.name}",
        "--filter", "label=io.homeport.role=front",
    ).split()  # fmt: skip
    lines = docker("stats", "--no-stream", "--format", "{{.MemUsage}}", *names).splitlines()
    return [float(line.split("MiB")[0]) for line in lines if "MiB" in line.split("/")[0]]


def markdown(rows: list[Row], machine: dict[str, Any], rounds: int) -> str:
    lines = [
        "# Benchmarks of deploys",
        "",
        "<!-- Written by bench/deploy.py. Do not edit: run it again. -->",
        "",
        f"Measured on {machine['date']}: {machine['cores']} cores, Docker Engine {machine['engine']}, "
        f"{rounds} rounds, medians. Generated stacks of a small service that takes {START_SECONDS} s to "
        "start and checks its health every second. 200 requests a second come by new connections and kept "
        "ones, POSTs and requests of 3 s among them, from a container beside it and, where the tool allows a "
        "published port, from the host. docker-rollout can't have published ports, and replaces one service "
        "after the other.",
        "",
        "| what | tool | median | lowest to highest | |",
        "| --- | --- | ---: | ---: | --- |",
    ]
    for row in rows:
        if row.median is None:
            lines.append(f"| {row.what} | {row.tool} | | | {row.note} |")
            continue
        unit = "" if row.unit == "failed" else f" {row.unit}"
        low, high = (f"{value:.4g}" for value in (min(row.values), max(row.values)))
        lines.append(
            f"| {row.what} | {row.tool} | {row.median:.4g}{unit} | {low} to {high}{unit} | {row.note} |"
        )
    return "\n".join([*lines, "", "Every value is in [benchmarks-deploy.json](benchmarks-deploy.json).", ""])


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rollout", default="", help="path of docker-rollout")
    parser.add_argument("--scenarios", default="lost,twelve,rest")
    parser.add_argument("--no-write", action="store_true")
    chosen = parser.parse_args()
    names = base_images.ensure()
    os.environ.update({**names, "PYTHONDONTWRITEBYTECODE": ""})  # as an installed package has its byte code
    with tempfile.TemporaryDirectory(prefix="homeport-bench-") as folder:
        image = f"homeport-bench-{RUN}:1"
        python = names.get("PYTHON_IMAGE", "python:3.12-slim")
        text = f'FROM {python}\nCOPY service.py load.py /\nEXPOSE 8000\nCMD ["python3", "/service.py"]\n'
        file = Path(folder) / "Dockerfile"
        file.write_text(text, encoding="utf-8", newline="\n")
        docker("build", "--quiet", "--tag", image, "--label", LABEL, "--file", str(file), str(TRAFFIC))
    tools = ["homeport", "compose", *(["docker-rollout"] if chosen.rollout else [])]
    rows: list[Row] = []
    try:
        for scenario in chosen.scenarios.split(","):
            if scenario == "lost":
                rows += lost(image, tools, chosen.rollout, chosen.rounds)
            elif scenario == "twelve":
                rows += twelve(image, tools, chosen.rollout, chosen.rounds)
            else:
                rows += idle_and_back(image, chosen.rounds)
    finally:
        docker("image", "rm", "--force", image)
    machine = {
        "date": time.strftime("%Y-%m-%d"),
        "cores": os.cpu_count(),
        "engine": docker("version", "--format", "{{.Server.Version}}"),
    }
    page = markdown(rows, machine, chosen.rounds)
    print(page)
    if not chosen.no_write:
        (ROOT / "docs" / "BENCHMARKS_DEPLOY.md").write_text(page, encoding="utf-8", newline="\n")
        document = {"machine": machine, "rounds": chosen.rounds, "rows": [row.__dict__ for row in rows]}
        path = ROOT / "docs" / "benchmarks-deploy.json"
        path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8", newline="\n")
    return 0


def _free_port() -> int:
    import socket

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())

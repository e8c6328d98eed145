"""Measure what a mended cache mount saves: a dependency is added, and the others are installed again.

    python bench/caches.py [--rounds N] [--megabits 100] [--no-write]

For each set of real packages, a Dockerfile with a cache mount that does nothing, as HomeIQ has 37 of them
(`--mount=type=cache` and `--no-cache-dir` on one line), and the same file as `homeport audit --fix --apply`
leaves it. The packages come from an index on this machine that sends what PyPI sends with them
(`Cache-Control: immutable`; without that, or from a host that it doesn't trust, pip keeps nothing), at the
given bandwidth, and counts the bytes. Both variants build in turns.
Results go to docs/BENCHMARKS_CACHES.md. The caches that are measured are this run's own.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import html
import http.server
import os
import re
import secrets
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "ci"), str(ROOT / "bench")]

import base_images  # noqa: E402  (found through the line above)

RUN = secrets.token_hex(3)
LABEL = f"io.homeport.bench={RUN}"
ADDED = "python-dotenv"
SETS = {
    "the example's (fastapi, uvicorn, httpx, psycopg, websockets, paho-mqtt)": (
        "fastapi", "uvicorn", "httpx", "psycopg[binary,pool]", "websockets", "paho-mqtt",
    ),
    "a service that computes (numpy, pandas)": ("numpy", "pandas"),
}  # fmt: skip
PROMISED = "60-80 %"
"""What the notes of wtthornton/HomeIQ promise for dependency installation."""
_CHUNK = 1 << 16


@dataclass
class Index:
    """A package index on this machine: its address, and the bytes that it has sent."""

    address: str
    sent: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True)
class Variant:
    """What one form of the Dockerfile took: seconds of the build, and bytes fetched, by round."""

    seconds: list[float] = field(default_factory=list)
    fetched: list[int] = field(default_factory=list)


class _Handler(http.server.SimpleHTTPRequestHandler):
    index: Index
    bytes_per_second: float

    def do_GET(self) -> None:
        parts = [part for part in self.path.split("/") if part]
        if parts[:1] == ["simple"] and len(parts) == 2:
            return self._page(parts[1])
        return super().do_GET()

    def _page(self, name: str) -> None:
        own = [one.name for one in Path(self.directory).iterdir() if _project(one.name) == name]
        links = "".join(f'<a href="/{html.escape(file)}">{html.escape(file)}</a>\n' for file in sorted(own))
        body = f"<!DOCTYPE html><html><body>{links}</body></html>".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def end_headers(self) -> None:
        if self.path.endswith((".whl", ".gz")):
            self.send_header("Cache-Control", "max-age=365000000, immutable, public")
            self.send_header("ETag", f'"{self.path}"')
        super().end_headers()

    def copyfile(self, source: object, outputfile: object) -> None:
        while data := source.read(_CHUNK):  # type: ignore[attr-defined]
            outputfile.write(data)  # type: ignore[attr-defined]
            with self.index.lock:
                self.index.sent += len(data)
            time.sleep(len(data) / self.bytes_per_second)

    def log_message(self, *_: object) -> None:
        pass


def _project(file: str) -> str:
    """The normalized name of a project (PEP 503) by one of its files."""
    return re.sub(r"[-_.]+", "-", file.partition("-")[0]).lower()


@contextlib.contextmanager
def index(folder: Path, megabits: float) -> Iterator[Index]:
    """Serve the packages of a folder as long as the block lasts."""
    found = Index("")
    kind = type("Handler", (_Handler,), {"index": found, "bytes_per_second": megabits * 125_000})
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(kind, directory=str(folder))
    ) as one:
        found.address = f"http://127.0.0.1:{one.server_address[1]}/simple"
        threading.Thread(target=one.serve_forever, daemon=True).start()
        yield found
        one.shutdown()


def run(*argv: str, cwd: Path | None = None) -> str:
    done = subprocess.run(argv, cwd=cwd, capture_output=True, encoding="utf-8", errors="replace")
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(argv[:4])} failed:\n{done.stdout}\n{done.stderr}")
    return done.stdout


def build(folder: Path, tag: str, address: str) -> float:
    """Build a folder; returns the seconds."""
    began = time.monotonic()
    run(
        "docker", "buildx", "build", "--quiet", "--load", "--allow=network.host", "--network=host",
        f"--tag={tag}", f"--label={LABEL}", f"--build-arg=PIP_INDEX_URL={address}", str(folder),
    )  # fmt: skip
    return time.monotonic() - began


def measure(
    packages: tuple[str, ...], base: str, rounds: int, megabits: float, folder: Path
) -> dict[str, Variant]:
    """Both forms of a Dockerfile in turns: fill what cache there is, add a package, build again."""
    wheels = folder / "wheels"
    wheels.mkdir()
    run("docker", "run", "--rm", f"--label={LABEL}", f"--volume={wheels}:/wheels", base, "pip", "download",
        "--quiet", "--dest=/wheels", *packages, ADDED)  # fmt: skip
    found = {"before": Variant(), "after --fix": Variant()}
    with index(wheels, megabits) as served:
        for number in range(rounds):
            for name, variant in found.items():
                own = folder / f"{number}-{name.split()[0]}"
                own.mkdir()
                # A cache of its own: the user's is neither used nor changed.
                cache = f"/bench-{RUN}/{packages[0]}-{number}-{name.split()[0]}"
                step = f"RUN --mount=type=cache,target={cache} pip install --no-cache-dir -r r.txt"
                lines = [
                    f"FROM {base}",
                    "ARG PIP_INDEX_URL",
                    "ARG PIP_TRUSTED_HOST=127.0.0.1",
                    f"ENV PIP_CACHE_DIR={cache}",
                    "COPY r.txt .",
                    step,
                ]
                text = "".join(f"{line}\n" for line in lines)
                (own / "Dockerfile").write_text(text, encoding="utf-8", newline="\n")
                if name != "before":
                    run(sys.executable, "-m", "homeport", "audit", "--fix", "--apply", "--no-tools", cwd=own)
                (own / "r.txt").write_text("\n".join(packages), encoding="utf-8", newline="\n")
                tag = f"homeport-bench-{RUN}:{number}"
                build(own, tag, served.address)
                (own / "r.txt").write_text("\n".join((*packages, ADDED)), encoding="utf-8", newline="\n")
                before = served.sent
                variant.seconds.append(build(own, tag, served.address))
                variant.fetched.append(served.sent - before)
                run("docker", "image", "rm", "--force", tag)
    return found


def markdown(results: dict[str, dict[str, Variant]], rounds: int, megabits: float) -> str:
    """The page."""
    lines = [
        "# What a mended cache mount saves",
        "",
        f"`python bench/caches.py --rounds {rounds} --megabits {megabits:g}`: a package ({ADDED}) is added "
        "to the requirements, so the step runs again. *before*: a cache mount and `--no-cache-dir` on one "
        "line, as in HomeIQ; *after*: the same file, mended by `homeport audit --fix --apply`. Medians, "
        f"ranges in brackets; both in turns; the index is on this machine, at {megabits:g} Mbit/s. "
        f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores.",
        "",
        "| packages | build before | build after | saved | fetched before | fetched after |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, found in results.items():
        old, new = found["before"], found["after --fix"]
        saved = 1 - statistics.median(new.seconds) / statistics.median(old.seconds)
        cells = (name, _seconds(old), _seconds(new), f"{saved:.0%}", _megabytes(old), _megabytes(new))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(
        [
            *lines,
            "",
            f"HomeIQ's notes promise {PROMISED} for dependency installation, with mounts that 37 of 44 times "
            "do nothing. What is left after mending is pip unpacking and compiling, and BuildKit writing the "
            "layer: the slower the line, the larger the part that is saved.",
            "",
        ]
    )


def _seconds(variant: Variant) -> str:
    own = variant.seconds
    return f"{statistics.median(own):.1f} s ({min(own):.1f} to {max(own):.1f})"


def _megabytes(variant: Variant) -> str:
    return f"{statistics.median(variant.fetched) / 1e6:.1f} MB"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--megabits", type=float, default=100.0)
    parser.add_argument("--no-write", action="store_true")
    chosen = parser.parse_args()
    base = base_images.ensure().get("PYTHON_IMAGE", "python:3.12-slim")
    results = {}
    for name, packages in SETS.items():
        with tempfile.TemporaryDirectory(prefix="homeport-bench-") as folder:
            results[name] = measure(packages, base, chosen.rounds, chosen.megabits, Path(folder))
    page = markdown(results, chosen.rounds, chosen.megabits)
    print(page)
    if not chosen.no_write:
        (ROOT / "docs" / "BENCHMARKS_CACHES.md").write_text(page, encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What the audit says that a build is sent, against what a real BuildKit is sent: files, and bytes."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from engine_fixtures import DockerSession, RunHomeport, Sandbox
from homeport.audit.contexts import Build, Sent, review
from homeport.audit.generated import Generated
from homeport.audit.transfer import Transfers, demand
from homeport.sources.context import Contexts
from homeport.sources.tracked import tracked

HEAD = 60
"""Bytes at most for each file, folder and link beside its path: BuildKit is told kind, rights, owner, time
and size of each (tonistiigi/fsutil, types/stat.proto and wire.proto)."""
PACKET = 32_000
"""Bytes of content in a packet, less its own head; the last one of each file is empty."""
UNITS = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9}

ALL = "FROM scratch\nCOPY . /\n"
PARTS = "FROM scratch AS unused\nCOPY big.bin /\nFROM scratch\nCOPY web /web\nCOPY s*c /src\n"
TREE = {
    "compose.yaml": "services:\n  app:\n    build: .\n    image: example/app:1\n    restart: always\n",
    "src/main.py": "print(1)\n" * 1000,
    "src/empty": "",
    "src/näme with blanks.txt": "x" * 5000,
    "web/package.json": "{}",
    "web/node_modules/a/index.js": "x" * 300_000,
    "web/node_modules/b/c/d.js": "x" * 70_000,
    "src/__pycache__/main.cpython-312.pyc": "x" * 20_000,
    "big.bin": "x" * 1_000_000,
    "docs/keep.md": "x" * 3000,
    "docs/drop.md": "x" * 3000,
    ".env": "DB_PASSWORD=hunter2\n",
    "web/.env.local": "TOKEN=hunter2\n",
}
HEAVY = {"web/node_modules/a/index.js", "web/node_modules/b/c/d.js"}
PYC = "src/__pycache__/main.cpython-312.pyc"
IGNORE = "*.bin\r\ndocs/*\r\n!docs/keep.md\r\n# the end, without a line end"


def sent(folder: Path, dest: Path) -> tuple[dict[str, int], float, float]:
    """The files that BuildKit has then (bytes by path), what it was sent, and how exactly it says that."""
    done = subprocess.run(
        ["docker", "buildx", "build", "--progress=plain", f"--output=type=local,dest={dest}", str(folder)],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    )
    assert done.returncode == 0, done.stderr
    step = re.search(r"^#(\d+) \[internal\] load build context$", done.stderr, re.MULTILINE)
    assert step, done.stderr
    said = re.findall(
        rf"^#{step[1]} transferring context: ([\d.]+)([kMG]?B)\b.*done$", done.stderr, re.MULTILINE
    )
    number, unit = said[-1]
    digits = len(number.partition(".")[2])
    return contents(dest), float(number) * UNITS[unit], UNITS[unit] * 10.0**-digits if unit != "B" else 0.0


def contents(folder: Path) -> dict[str, int]:
    return {
        path.relative_to(folder).as_posix(): path.stat().st_size
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


def expected(folder: Path) -> dict[str, int]:
    """What the audit takes to be sent: bytes by path, folders and links (0) included."""
    build = Build(folder, folder / "Dockerfile", "Dockerfile")
    asked, contexts = demand(build), Contexts()
    assert asked is not None
    assert not asked.unknown
    choice = contexts.choose(folder, build.dockerfile, asked.sources)
    return dict(Transfers(contexts, Generated(contexts.disk, tracked(folder))).of(choice).sizes)


def judged(folder: Path) -> Sent:
    """What the audit says in numbers."""
    found = review([Build(folder, folder / "Dockerfile", "Dockerfile")], folder)
    assert found.problems == ()
    ((_, said),) = found.reviews[0].sent
    return said


def compare(folder: Path, dest: Path) -> dict[str, int]:
    """Build, and hold what arrives against what the audit says. Returns the files that arrived."""
    known, said = expected(folder), judged(folder)
    files, transferred, exactness = sent(folder, dest)
    assert files == {path: known.get(path) for path in files}
    left = {path: known[path] for path in known.keys() - files.keys()}
    assert not any((folder / path).is_file() and not (folder / path).is_symlink() for path in left)
    assert not any(left.values()), "only files have bytes"
    assert (said.files, said.total_bytes) == (len(files), sum(files.values()))
    overhead = sum(HEAD + len(path.encode()) + 10 * (bytes_ // PACKET + 1) for path, bytes_ in known.items())
    least, most = said.total_bytes - exactness, said.total_bytes + overhead + exactness
    assert least <= transferred <= most
    return files


@pytest.mark.parametrize(
    ("text", "ignore", "gone"),
    [
        (ALL, None, {*HEAVY, ".env", "web/.env.local", PYC}),
        (ALL, IGNORE, {*HEAVY, ".env", "web/.env.local", PYC}),
        (PARTS, IGNORE, {*HEAVY, "web/.env.local", PYC}),
    ],
    ids=["all", "ignored", "parts"],
)
def test_what_the_audit_says_is_what_is_sent(
    text: str,
    ignore: str | None,
    gone: set[str],
    sandbox: Sandbox,
    run_homeport: RunHomeport,
    docker_session: DockerSession,
    tmp_path: Path,
) -> None:
    folder = sandbox({**TREE, "Dockerfile": text})
    if ignore is not None:
        (folder / ".dockerignore").write_bytes(ignore.encode())
    (folder / "src" / "link").symlink_to("../big.bin")
    (folder / "src" / "nothing").mkdir()
    before = compare(folder, tmp_path / "before")
    promised = judged(folder).after_bytes
    assert gone <= before.keys()

    only = ["--only", "context-heavy,context-secret"]
    done = run_homeport(["audit", "--no-tools", "--fix", "--apply", *only], folder)
    assert done.returncode == 0, done.stderr
    assert "2 findings mended" in done.stdout, done.stdout + done.stderr

    # Elsewhere, because BuildKit is sent only what it hasn't got of this folder.
    moved = folder.rename(folder.with_name("moved"))
    after = compare(moved, tmp_path / "after")
    assert after.keys() == before.keys() - gone
    own = ".dockerignore"
    assert {path: after[path] for path in after if path != own} == {
        path: before[path] for path in after if path != own
    }
    grown = (moved / own).stat().st_size - len((ignore or "").encode()) if own in after else 0
    assert sum(after.values()) == promised + grown

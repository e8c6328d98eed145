"""``homeport build --changed-since``: targets that changes since a commit can affect, with a real git."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine_fixtures import RunHomeport, Sandbox

pytestmark = pytest.mark.engine

BAKE = {
    "group": {"default": {"targets": ["api", "web"]}},
    "target": {
        "base": {"context": "base"},
        "api": {"context": ".", "dockerfile": "api/Dockerfile", "contexts": {"base": "target:base"}},
        "web": {"context": "web"},
    },
}
FILES = {
    "docker-bake.json": json.dumps(BAKE),
    "base/Dockerfile": "FROM scratch\nCOPY words /words\n",
    "base/words": "words\n",
    "api/Dockerfile": "FROM base\nCOPY api /api\n",
    "api/main.py": "print()\n",
    "web/Dockerfile": "FROM scratch\nCOPY *.html /\n",
    "web/index.html": "<p>\n",
    "README.md": "readme\n",
    ".gitignore": "*.log\n",
}


def git(folder: Path, *args: str) -> str:
    done = subprocess.run(["git", *args], cwd=folder, capture_output=True, encoding="utf-8", check=True)
    return done.stdout.strip()


@pytest.fixture
def repository(sandbox: Sandbox) -> Path:
    folder = sandbox(FILES)
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=first")
    return folder


@pytest.fixture
def affected(run_homeport: RunHomeport) -> Callable[..., list[str]]:
    def run(folder: Path, reference: str = "main") -> list[str]:
        done = run_homeport(
            ["build", "--changed-since", reference, "--dry-run", "--json", "out.json"], folder
        )
        assert done.returncode == 0, done.stdout + done.stderr
        document: dict[str, Any] = json.loads((folder / "out.json").read_text(encoding="utf-8"))
        (folder / "out.json").unlink()
        return sorted(target["name"] for target in document["targets"])

    return run


def test_nothing_changed(repository: Path, run_homeport: RunHomeport) -> None:
    done = run_homeport(["build", "--changed-since", "main"], repository)
    assert done.returncode == 0
    assert "0 of 2 targets can be affected by 0 files changed since main" in done.stdout


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("web/index.html", ["web"]),
        ("web/new.html", ["web"]),
        ("web/new.txt", []),
        ("api/main.py", ["api", "base"]),  # base is what api builds on
        ("base/words", ["api", "base"]),
        ("README.md", []),
        ("api/debug.log", []),  # git doesn't look at it
        ("docker-bake.json", ["api", "base", "web"]),
        ("web/.dockerignore", ["web"]),
        ("web/caf\udce9.html", ["web"]),  # a name that is no UTF-8
    ],
)
def test_uncommitted_changes_count(
    repository: Path, affected: Callable[..., list[str]], path: str, expected: list[str]
) -> None:
    with open(os.fsencode(repository / path), "a", encoding="utf-8") as file:  # noqa: PTH123 - bytes
        file.write("\n")
    assert affected(repository) == expected


def test_commits_of_this_branch_count_and_those_of_the_other_do_not(
    repository: Path, affected: Callable[..., list[str]]
) -> None:
    git(repository, "switch", "--quiet", "--create", "topic")
    git(repository, "mv", "web/index.html", "web/home.html")
    git(repository, "commit", "--quiet", "--all", "--message=topic")
    git(repository, "switch", "--quiet", "main")
    (repository / "base/words").write_text("others\n", encoding="utf-8")
    git(repository, "commit", "--quiet", "--all", "--message=main")
    git(repository, "switch", "--quiet", "topic")
    assert affected(repository) == ["web"]
    (repository / "web/home.html").unlink()
    assert affected(repository) == ["web"]


@pytest.mark.parametrize("reference", ["nope", "--output=x", "HEAD~5"])
def test_no_such_commit(repository: Path, run_homeport: RunHomeport, reference: str) -> None:
    done = run_homeport(["build", f"--changed-since={reference}"], repository)
    assert done.returncode == 2
    assert f"there is no commit {reference!r} in this clone" in done.stderr
    assert " next: " in done.stderr


def test_no_repository(sandbox: Sandbox, run_homeport: RunHomeport) -> None:
    done = run_homeport(["build", "--changed-since", "main"], sandbox(FILES))
    assert done.returncode == 2
    assert "needs a git repository" in done.stderr


def test_a_shallow_clone(
    repository: Path, run_homeport: RunHomeport, affected: Callable[..., list[str]]
) -> None:
    git(repository, "switch", "--quiet", "--create", "topic")
    for number in (1, 2):
        (repository / "web/index.html").write_text(f"{number}\n", encoding="utf-8")
        git(repository, "commit", "--quiet", "--all", f"--message={number}")
    git(repository, "switch", "--quiet", "main")
    (repository / "base/words").write_text("others\n", encoding="utf-8")
    git(repository, "commit", "--quiet", "--all", "--message=main")
    clone = repository.parent / "clone"
    git(repository, "clone", "--quiet", "--depth=1", "--branch=topic", f"file://{repository}", str(clone))

    missing = run_homeport(["build", "--changed-since", "origin/main"], clone)
    assert missing.returncode == 2
    assert "It is a shallow clone" in missing.stderr
    assert "git fetch --depth=1 origin main" in missing.stderr

    # As it says; the common ancestor is still missing, so what happened on main counts: never too little.
    git(clone, "fetch", "--quiet", "--depth=1", "origin", "main:refs/remotes/origin/main")
    assert affected(clone, "origin/main") == ["api", "base", "web"]
    done = run_homeport(["build", "--changed-since", "origin/main", "--dry-run"], clone)
    assert "isn't here (the clone is shallow)" in done.stdout

    git(clone, "fetch", "--quiet", "--unshallow")
    assert affected(clone, "origin/main") == ["web"]

"""Where a folder is in a repository, as the real git says it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine_fixtures import run_program
from homeport.engine import git
from homeport.engine.git import Place
from homeport.errors import UsageError


@pytest.fixture
def top(tmp_path: Path) -> Path:
    folder = Path(os.path.realpath(tmp_path)) / "a repository"
    (folder / "apps" / "Läden 1").mkdir(parents=True)
    done = run_program(["git", "init", "--quiet"], folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_top_and_a_folder_below_it(top: Path) -> None:
    assert git.place(top) == Place(top, "")
    assert git.place(top / "apps" / "Läden 1") == Place(top, "apps/Läden 1")
    assert git.inside(top / "apps" / "Läden 1") == "apps/Läden 1"
    assert git.inside(top) == ""


def test_outside_of_a_repository(top: Path) -> None:
    assert git.place(top.parent) is None
    assert git.inside(top.parent) == ""


def test_a_repository_that_git_does_not_look_at_is_no_folder_without_one(top: Path) -> None:
    (top / "apps" / ".git").write_text("gitdir: /nowhere\n", encoding="utf-8")
    with pytest.raises(UsageError, match="Git can't say where this folder is") as caught:
        git.place(top / "apps" / "Läden 1")
    assert "not a git repository" in caught.value.cause
    assert git.inside(top / "apps") == ""


def test_a_repository_without_git(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(top))
    with pytest.raises(UsageError) as caught:
        git.place(top)
    assert "git" in caught.value.cause
    assert git.place(top.parent) is None

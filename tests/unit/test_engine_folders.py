"""Folders for a while, and what a later run sweeps of runs that were killed: its own user's, no more."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pytest

from homeport.engine import folders, killed, owner, projects
from homeport.engine.owner import Owner

PREFIX = "homeport-scan-"
LABEL, OWNER_LABEL = "io.example", "io.example.owner"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where folders are made here; nothing of the engine, and no programs, unless a test says so."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(projects, "labelled", lambda label: {})
    monkeypatch.setattr(projects, "remove", lambda names: "")
    monkeypatch.setattr(owner, "strays", lambda place: [])
    return tmp_path


def dead() -> Owner:
    """A process with this one's number that isn't there any more."""
    mine = owner.me()
    return replace(mine, mark=f"{mine.mark}0")


def test_it_goes_with_the_block_and_says_whose_it_is(place: Path) -> None:
    with folders.for_a_while(PREFIX) as folder:
        (folder / "x").mkdir()
        assert [(found, owner.parse(said)) for found, said in folders.left(PREFIX)] == [
            (folder, owner.parse((folder / folders.OWNER_FILE).read_text(encoding="utf-8")))
        ]
        assert killed.sweep(LABEL, OWNER_LABEL) == ()
        assert folder.is_dir()
    assert list(place.iterdir()) == []


def test_folders_of_the_dead_are_swept_and_nobody_elses(place: Path) -> None:
    gone = [folders.make(prefix, str(dead())) for prefix in killed.PREFIXES]
    elsewhere = replace(dead(), place="another machine", since=time.time() - 60)
    kept = [folders.make(PREFIX), folders.make(PREFIX, str(elsewhere)), folders.make(PREFIX, "nonsense")]
    kept += [folders.make("homeport-bench-", str(dead())), place / "homeport-scan-unowned", place / "aim"]
    for path in kept[-2:]:
        path.mkdir()
    (place / "aim" / folders.OWNER_FILE).write_text(str(dead()), encoding="utf-8")
    if sys.platform != "win32":
        (place / "homeport-scan-link").symlink_to(place / "aim")
    assert killed.sweep(LABEL, OWNER_LABEL) == ("Removed what 1 run left that had been killed.",)
    assert not any(path.exists() for path in gone)
    assert all(path.is_dir() for path in kept)


@pytest.mark.skipif(sys.platform == "win32", reason="each user has a place of his own there")
def test_what_is_another_users_is_his(monkeypatch: pytest.MonkeyPatch) -> None:
    folders.make(PREFIX, str(dead()))
    mine = owner.me().place
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000)
    assert owner.me().place != mine, "his processes may be hidden: who can't see them must not call them dead"
    assert list(folders.left(PREFIX)) == []
    monkeypatch.undo()


def test_what_the_engine_has_of_the_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    removed: list[str] = []

    def labelled(label: str) -> dict[str, dict[str, str]]:
        asked.append(label)
        whose = {
            "container/1": dead(),
            "container/2": owner.me(),
            "network/3": replace(dead(), pid=2**22 + 1),
        }
        return {name: {OWNER_LABEL: str(one)} for name, one in whose.items()}

    def remove(names: dict[str, object]) -> str:
        removed.extend(names)
        return "container 1 is stuck"

    monkeypatch.setattr(projects, "labelled", labelled)
    monkeypatch.setattr(projects, "remove", remove)
    (said,) = killed.sweep(LABEL, OWNER_LABEL)
    assert said == "Removed what 2 runs left that had been killed, but for: container 1 is stuck"
    assert (asked, removed) == ([LABEL], ["container/1", "network/3"])

"""Caches for builds, written into Compose files."""

from __future__ import annotations

from pathlib import Path

import pytest

from homeport.audit import buildcaches
from homeport.errors import UsageError
from homeport.model.compose_edit import CannotEdit
from homeport.sources.compose import ComposeFiles, read

TEMPLATE = "type=registry,ref=r.example/t/{service}:cache"
TEXT = """\
# the shop
services:
  api:
    build:
      context: .   # all of it
      dockerfile: api/Dockerfile

    image: x/api
  db:
    image: postgres:16
"""


def project(folder: Path, text: str) -> ComposeFiles:
    (folder / "compose.yml").write_bytes(text.encode())
    return read(folder, (), {})


def written(folder: Path, text: str, template: str = TEMPLATE) -> str:
    files = project(folder, text)
    wanted = list(buildcaches.find(files, template))
    changed = buildcaches.changes(files, wanted, [one.finding for one in wanted])
    return changed.get(folder / "compose.yml", text.encode()).decode()


def test_only_lines_come(tmp_path: Path) -> None:
    new = written(tmp_path, TEXT)
    added = [
        "      cache_from:",
        "        - 'type=registry,ref=r.example/t/api:cache'",
        "      cache_to:",
        "        - 'type=registry,ref=r.example/t/api:cache,mode=max'",
    ]
    assert [line for line in new.splitlines() if line not in TEXT.splitlines()] == added
    assert [line for line in new.splitlines() if line not in added] == TEXT.splitlines()
    assert written(tmp_path, new) == new


def test_crlf_stays(tmp_path: Path) -> None:
    new = written(tmp_path, TEXT.replace("\n", "\r\n"))
    assert new.replace("\r\n", "\n") == written(tmp_path, TEXT)
    assert "\n" not in new.replace("\r\n", "")


@pytest.mark.parametrize(
    "build",
    ["build: {context: ., cache_from: [x]}", "build:\n      context: .\n      cache_to: [x]"],
)
def test_a_cache_that_is_there_is_the_users_choice(tmp_path: Path, build: str) -> None:
    assert list(buildcaches.find(project(tmp_path, f"services:\n  a:\n    {build}\n"), TEMPLATE)) == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("services:\n  a:\n    build: .\n", "is no mapping"),
        ("services:\n  a:\n    build: {context: .}\n", "written in braces"),
        ("x-b: &b\n  context: .\nservices:\n  a:\n    build: *b\n", "is an alias"),
    ],
)
def test_what_can_not_be_written_is_left_to_people(tmp_path: Path, text: str, why: str) -> None:
    files = project(tmp_path, text)
    (one,) = buildcaches.find(files, TEMPLATE)
    assert not one.finding.fixable
    assert why in one.finding.fix
    assert buildcaches.changes(files, [one], [one.finding]) == {}


def test_without_a_cache_configured_nothing_is_written(tmp_path: Path) -> None:
    (one,) = buildcaches.find(project(tmp_path, TEXT), "")
    assert (one.edit, one.finding.fixable, one.finding.line) == (None, False, 4)


@pytest.mark.parametrize("template", ["type=registry,ref=r/x:cache", "r.example/{service}"])
def test_a_cache_for_all_is_none(template: str) -> None:
    with pytest.raises(UsageError, match="no cache of its own"):
        buildcaches.check(template)
    buildcaches.check("")
    buildcaches.check(TEMPLATE)


def test_suppressed_findings_stay_out(tmp_path: Path) -> None:
    files = project(tmp_path, TEXT)
    assert buildcaches.changes(files, list(buildcaches.find(files, TEMPLATE)), []) == {}


def test_the_proof_stops_an_edit_that_says_something_else(tmp_path: Path) -> None:
    from homeport.model.compose_edit import prove

    files = project(tmp_path, TEXT)
    (one,) = buildcaches.find(files, TEMPLATE)
    assert one.edit is not None
    path = tmp_path / "compose.yml"
    with pytest.raises(CannotEdit):
        prove(files.project, {path: TEXT.replace("x/api", "y/api")}, [], {})
    with pytest.raises(CannotEdit):
        prove(files.project, {path: TEXT}, [one.edit], {})

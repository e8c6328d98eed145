"""Which stack a folder is about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from homeport.engine import compose, containers, stacks
from homeport.errors import DefinitionError

BROKEN = DefinitionError("Compose can't read the project.", cause="yaml: line 3")


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder whose Compose file is broken."""

    def config(files: object, cwd: Path) -> dict[str, Any]:
        raise BROKEN

    monkeypatch.setattr(compose, "config", config)
    return tmp_path


def test_by_its_compose_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    document = {"name": "shop", "services": {"api": {}}}
    monkeypatch.setattr(compose, "config", lambda files, cwd: document)
    assert stacks.of(tmp_path, ()) == stacks.Found("shop", document)


def test_by_its_containers_with_a_warning(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "projects_of", lambda cwd: ("shop",))
    found = stacks.of(folder, ())
    assert (found.name, found.document) == ("shop", {})
    assert found.warning == (
        "Compose can't read the project. yaml: line 3 So this is about shop, by its containers."
    )


@pytest.mark.parametrize("names", [(), ("one", "two")])
def test_none_or_two_are_no_answer(
    folder: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]
) -> None:
    monkeypatch.setattr(containers, "projects_of", lambda cwd: names)
    with pytest.raises(DefinitionError) as caught:
        stacks.of(folder, ())
    assert caught.value is BROKEN

"""This repository's own workflows; whether they are up to date is what an engine test asks."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from homeport.ci.actions import PINS
from homeport.ci.marked import State, folder_of, regions, state

FOLDER = Path(__file__).resolve().parents[2] / ".github" / "workflows"


@pytest.fixture(params=sorted(path.name for path in FOLDER.iterdir()))
def text(request: pytest.FixtureRequest) -> str:
    return (FOLDER / str(request.param)).read_text(encoding="utf-8")


def own_jobs() -> dict[str, Any]:
    """The jobs that no generator wrote."""
    kept = regions((FOLDER / "docker-build.yml").read_text(encoding="utf-8"))
    assert kept is not None
    found: dict[str, Any] = YAML(typ="safe").load(io.StringIO(kept["jobs"]))
    return found


def test_all_four_are_there() -> None:
    assert len(list(FOLDER.iterdir())) == 4


def test_they_are_generated_for_the_example(text: str) -> None:
    assert (state(text), folder_of(text)) == (State.CHANGED, "examples/homeiq")


def test_actions_are_pinned_in_what_is_kept_too(text: str) -> None:
    for value in re.findall(r"uses: (.*)", text):
        name, _, pin = value.partition("@")
        assert name.startswith("$/.github/workflows/") or pin == " # ".join(PINS[name])


def test_the_tests_of_the_tool_run_on_three_systems() -> None:
    found = own_jobs()
    everything, units = found["everything"], found["units"]
    assert [step["run"] for step in everything["steps"] if "run" in step] == [".ci/run"]
    assert units["strategy"]["matrix"]["system"] == ["windows-latest", "macos-latest"]
    commands = [step["run"] for step in units["steps"] if "run" in step]
    assert "python ci/lint.py" in commands
    assert "python -m pytest tests/unit" in commands
    for job in found.values():
        # In the whole repository, and not in the example's folder; with no right but to read.
        assert job["defaults"]["run"]["working-directory"] == "."
        assert job["permissions"] == {"contents": "read"}
        assert job["timeout-minutes"] > 0

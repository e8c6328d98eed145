"""What is read of a target from its Dockerfile."""

from __future__ import annotations

from pathlib import Path

import pytest

from homeport.model.targets import Target
from homeport.test.facts import subject_of


@pytest.mark.parametrize("name", ["Dockerfile", "dockerfile"])
def test_buildx_takes_either_name_of_a_dockerfile(name: str, tmp_path: Path) -> None:
    (tmp_path / "api").mkdir()
    text = "FROM a AS app\nFROM --platform=linux/amd64 app as Test\nRUN true\nFROM app\n"
    (tmp_path / "api" / name).write_text(text, encoding="utf-8")
    assert subject_of(Target("api", {"context": "api"}), tmp_path, "").stages == {"test"}


def test_a_stage_that_runs_nothing_tests_nothing(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM a AS test\nCOPY . .\nFROM a\n", encoding="utf-8")
    assert subject_of(Target("api", {}), tmp_path, "").stages == set()

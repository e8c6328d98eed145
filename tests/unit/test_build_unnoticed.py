"""Files of unit tests whose content changed without a trace."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from homeport.build import unnoticed
from homeport.build.record import Record
from homeport.engine.buildx import Builder
from homeport.engine.docker import Engine

ENGINE = Engine("28.0", "overlayfs", True, 2, 1, 1, "/", True, "", "default", "x", {}, id="engine")
INLINE = "FROM built\nRUN --mount=type=bind,from=service,target=/x pip install -r /x/r.txt\nCOPY . ./tests/\n"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(unnoticed, "default_path", lambda: tmp_path / "cache" / "builds.sqlite")
    root = tmp_path / "repository"
    for path, text in {
        "api/tests/test_x.py": "one",
        "api/r.txt": "one",
        "web/Dockerfile": "FROM base AS test\nCOPY check.sh ./\nRUN sh check.sh\nFROM base\nCOPY other ./\n",
        "web/check.sh": "one",
        "web/other": "one",
    }.items():
        write(root / path, text)
    return root


def write(path: Path, text: str) -> None:
    """Always of the same time, as ``rsync --times`` leaves it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    os.utime(path, (1_600_000_000, 1_600_000_000))


def look(root: Path) -> list[str]:
    contexts = {"built": "docker-image://api:1", "service": (root / "api").as_posix()}
    specs: dict[str, dict[str, Any]] = {
        "api-tests": {
            "context": (root / "api/tests").as_posix(), "contexts": contexts, "dockerfile-inline": INLINE
        },
        "web": {"context": "web", "target": "test"},
    }  # fmt: skip
    found = unnoticed.in_tests(specs, root, ENGINE, Builder("default", "docker"))
    return [warning.partition(" ")[0] for warning in found]


def test_the_same_size_and_time_with_another_content_is_named(repository: Path) -> None:
    assert look(repository) == []
    assert look(repository) == []
    for name in ("api/tests/test_x.py", "api/r.txt", "web/check.sh", "web/other"):
        write(repository / name, "two")
    # What no test reads is none of theirs.
    assert look(repository) == ["api/r.txt", "api/tests/test_x.py", "web/check.sh"]
    assert len(look(repository)) == 3, "it stays so until somebody touches them"
    for name in ("api/tests/test_x.py", "api/r.txt"):
        os.utime(repository / name)
    assert look(repository) == ["web/check.sh"]
    write(repository / "web/check.sh", "three")
    assert look(repository) == []


def test_an_engine_that_nobody_knows_has_nothing_from_before(repository: Path) -> None:
    assert unnoticed.find(Record(repository / "x"), "", "place", {}) == set()
    assert not (repository / "x").exists()

"""Files as Windows has them: open ones, marks of encodings, backslashes in settings."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from homeport.build.privileges import require
from homeport.commands import settings
from homeport.engine import scanner as scanning
from homeport.errors import UsageError
from homeport.model.targets import Target
from homeport.scan import results
from homeport.sources import compose, replace


class Busy:
    """Replaces a file that somebody has open so many times."""

    def __init__(self, times: int) -> None:
        self.times = self.left = times
        self.real = Path.replace

    def __call__(self, path: Path, target: Path) -> Path:
        self.left -= 1
        if self.left >= 0:
            raise PermissionError(13, "Access is denied", str(path), 5, str(target))
        return self.real(path, target)


def busy(monkeypatch: pytest.MonkeyPatch, times: int) -> Busy:
    made = Busy(times)
    monkeypatch.setattr(Path, "replace", lambda path, target: made(path, target))  # noqa: PLW0108 - a method
    monkeypatch.setattr(replace, "_PAUSE", 0.0)
    return made


def test_a_file_that_is_open_for_a_moment_is_replaced(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    file = tmp_path / "compose.yml"
    file.write_bytes(b"old\r\n")
    busy(monkeypatch, 3)
    replace.write({file: b"new\r\n"}, {file: b"old\r\n"})
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("compose.yml", b"new\r\n")]


@pytest.mark.parametrize("platform", ["win32", "linux"])
def test_a_file_that_stays_open_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, platform: str
) -> None:
    if platform == "linux" and not hasattr(os, "geteuid"):
        pytest.skip("what POSIX does")
    monkeypatch.setattr(sys, "platform", platform)
    file = tmp_path / "compose.yml"
    file.write_bytes(b"old")
    tries = busy(monkeypatch, 10**6)
    with pytest.raises(UsageError, match=r"compose\.yml can't be written: Access is denied"):
        replace.write({file: b"new"}, {file: b"old"})
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("compose.yml", b"old")]
    assert tries.times - tries.left == (replace._TRIES if platform == "win32" else 1)


def test_a_result_that_cant_be_put_in_place_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    busy(monkeypatch, 1)
    ready = scanning.Ready("trivy", "1", "2", "", 0)
    results.write(tmp_path, ready, "sha256:1", scanning.Report(()))
    assert list(tmp_path.iterdir()) == []


def test_a_mark_of_the_encoding_is_no_part_of_the_settings(tmp_path: Path) -> None:
    (tmp_path / "homeport.toml").write_bytes("\ufeff[build]\r\njobs = 3\r\n".encode())
    assert settings.read(tmp_path).build.jobs == 3
    (tmp_path / "other.yml").write_bytes(b"services: {}\n")
    (tmp_path / ".env").write_bytes("\ufeffCOMPOSE_FILE=other.yml\r\n".encode())
    assert compose.look_up(tmp_path, {}) == [tmp_path / "other.yml"]


def test_what_to_put_into_the_settings_is_toml_with_backslashes_too(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        require([Target("api", {"context": "/shared\\new\\x"})], [], tmp_path, {})
    said = caught.value.hint.partition("[build] ")[2].removesuffix(" in homeport.toml.")
    (tmp_path / "homeport.toml").write_text(f"[build]\n{said}\n", encoding="utf-8")
    assert "fs.read=/shared\\new\\x" in settings.read(tmp_path).build.allow

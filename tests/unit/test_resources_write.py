"""Files are replaced whole, all or none, and only after the proof."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from homeport.errors import UsageError, WorkFailed
from homeport.model.tiers import Policy
from homeport.resources.plan import make
from homeport.resources.proof import proven
from homeport.sources.compose import read
from homeport.sources.replace import write

TEXT = "services:\n  api:\n    image: x\n  thing:\n    image: x\n"


def everything(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_files_keep_their_mode_and_leave_nothing_beside(tmp_path: Path) -> None:
    file = tmp_path / "a.yml"
    file.write_bytes(b"old")
    file.chmod(0o640)
    write({file: b"new"}, {file: b"old"})
    assert everything(tmp_path) == {"a.yml": b"new"}
    if os.name == "posix":
        assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    real = tmp_path / "real.yml"
    real.write_bytes(b"old")
    link = tmp_path / "compose.yml"
    try:
        link.symlink_to(real)
    except OSError:
        pytest.skip("no links here")
    write({link: b"new"}, {link: b"old"})
    assert link.is_symlink()
    assert real.read_bytes() == b"new"


@pytest.mark.parametrize("trouble", ["changed", "read-only", "gone"])
def test_one_file_in_trouble_and_none_is_changed(tmp_path: Path, trouble: str) -> None:
    first, second = tmp_path / "a.yml", tmp_path / "b.yml"
    for file in (first, second):
        file.write_bytes(b"old")
    if trouble == "changed":
        second.write_bytes(b"other")
    elif trouble == "read-only":
        second.chmod(0o444)
    else:
        second.unlink()
    before = everything(tmp_path)
    with pytest.raises(UsageError) as caught:
        write({first: b"new", second: b"new"}, {first: b"old", second: b"old"})
    assert "Nothing was changed" in caught.value.hint
    assert everything(tmp_path) == before


def test_a_folder_that_takes_no_new_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.yml"
    file.write_bytes(b"old")
    real = Path.open

    def refused(self: Path, mode: str = "r", *options: Any, **more: Any) -> Any:
        if mode == "xb":
            raise PermissionError(13, "Permission denied", str(self))
        return real(self, mode, *options, **more)

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(UsageError, match="No new file can be made in ") as caught:
        write({file: b"new"}, {file: b"old"})
    assert ".tmp" not in str(caught.value)
    assert everything(tmp_path) == {"a.yml": b"old"}


def test_a_failure_half_way_is_undone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [tmp_path / name for name in ("a.yml", "b.yml", "c.yml")]
    for file in files:
        file.write_bytes(b"old")
    real = Path.replace

    def fail_at_c(self: Path, target: Path) -> Path:
        if target.name == "c.yml":
            raise OSError(28, "No space left on device", str(target))
        return real(self, target)

    monkeypatch.setattr(Path, "replace", fail_at_c)
    with pytest.raises(UsageError, match="No space left on device"):
        write(dict.fromkeys(files, b"new"), dict.fromkeys(files, b"old"))
    assert everything(tmp_path) == {"a.yml": b"old", "b.yml": b"old", "c.yml": b"old"}


def test_an_interruption_half_way_is_undone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [tmp_path / name for name in ("a.yml", "b.yml")]
    for file in files:
        file.write_bytes(b"old")
    real = Path.replace

    def stopped_at_b(self: Path, target: Path) -> Path:
        if target.name == "b.yml":
            raise KeyboardInterrupt
        return real(self, target)

    monkeypatch.setattr(Path, "replace", stopped_at_b)
    with pytest.raises(KeyboardInterrupt):
        write(dict.fromkeys(files, b"new"), dict.fromkeys(files, b"old"))
    assert everything(tmp_path) == {"a.yml": b"old", "b.yml": b"old"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("cpus: '1.0'", "cpus: '9.0'"),
        ("deploy:", "deploi:"),
        ("image: x\n", "image: y\n"),
        ("    deploy:\n", "    deploy:\n      replicas: 2\n"),
        ("  thing:\n", "  other:\n"),
        ("services:\n", "name: x\nservices:\n"),
        ("services:\n", "services:\n\t"),
        ("services:\n", "services: *x\n"),
    ],
)
def test_the_proof_finds_whatever_else_would_change(tmp_path: Path, old: str, new: str) -> None:
    (tmp_path / "compose.yml").write_text(TEXT, encoding="utf-8", newline="\n")
    found = read(tmp_path, (), {})
    plan = make(found, Policy())
    assert list(proven(found, plan)) == [tmp_path / "compose.yml"]
    spoilt = {path: text.replace(old, new, 1) for path, text in plan.texts.items()}
    assert spoilt != plan.texts
    with pytest.raises(WorkFailed, match="were not written"):
        proven(found, replace(plan, texts=spoilt))


def test_the_proof_finds_a_comment_that_became_another_services(tmp_path: Path) -> None:
    (tmp_path / "compose.yml").write_text(TEXT, encoding="utf-8", newline="\n")
    found = read(tmp_path, (), {})
    plan = make(found, Policy())
    with pytest.raises(WorkFailed):
        proven(found, replace(plan, steps=()))

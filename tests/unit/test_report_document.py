"""Where results go is looked at before the work whose results they are."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from homeport.errors import UsageError
from homeport.report.document import check_file, make_folder


def test_folders_are_made_and_nothing_is_left_in_them(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b")
    check_file(str(tmp_path / "c" / "x.json"), "--json")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "b", "c"]


def test_a_folder_where_a_file_is(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("", encoding="utf-8")
    with pytest.raises(UsageError, match="can't be made") as caught:
        make_folder(tmp_path / "taken" / "x", "--sbom")
    assert caught.value.hint == "Choose another --sbom."


def test_a_file_where_a_folder_is(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--junit '.*' is a folder"):
        check_file(str(tmp_path), "--junit")
    check_file("-", "--json")


@pytest.mark.skipif(sys.platform != "linux", reason="where root, too, may not write")
def test_a_folder_that_is_there_and_can_not_be_written_to() -> None:
    with pytest.raises(UsageError, match="can't be written to"):
        make_folder(Path("/proc"))
    with pytest.raises(UsageError, match="can't be written to"):
        check_file("/proc/x.json", "--json")


def test_a_file_that_is_there_needs_no_folder_that_can_be_written_to() -> None:
    check_file(os.devnull, "--json")

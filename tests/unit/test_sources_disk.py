"""What counts of files and folders, what doesn't, and what can't be read."""

from __future__ import annotations

import os
import socket
import stat
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.sources import disk as module
from homeport.sources.disk import Disk, Item, SourceProblem

if sys.platform == "win32":
    pytest.skip("modes, links and pipes of POSIX", allow_module_level=True)
refused = PermissionError(13, "Permission denied")


def names(folder: Path) -> list[str]:
    return [item.name for item in Disk().listing(str(folder))]


def item(path: Path) -> Item:
    (found,) = [item for item in Disk().listing(str(path.parent)) if item.name == path.name]
    return found


def what_counts(path: Path) -> tuple[object, ...]:
    """All that a digest can depend on."""
    found = item(path)
    content = Disk().content(str(path)) if found.kind == "f" else b""
    return found.kind, found.mode, found.detail, content


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    path.chmod(0o644)
    return path


def become_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_bytes(b"other!!"),  # the same size
        lambda path: path.write_bytes(b""),
        lambda path: path.chmod(0o755),
        lambda path: path.chmod(0o4644),
        lambda path: (path.unlink(), path.symlink_to("content")),
        lambda path: (path.unlink(), path.mkdir()),
        become_a_pipe,
    ],
)
def test_what_counts(file: Path, change: Callable[[Path], object]) -> None:
    before = what_counts(file)
    change(file)
    assert what_counts(file) != before


@pytest.mark.parametrize(
    "change",
    [
        lambda path: os.utime(path, (1, 1)),
        lambda path: (path.unlink(), path.write_bytes(b"content"), path.chmod(0o644)),
        lambda path: os.link(path, path.with_name("another name")),
        pytest.param(
            lambda path: os.chown(path, 12345, 54321),
            marks=pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root gives away"),
        ),
    ],
)
def test_what_does_not(file: Path, change: Callable[[Path], object]) -> None:
    before = what_counts(file)
    change(file)
    assert what_counts(file) == before


def test_kinds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "f").touch()
    (tmp_path / "d").mkdir()
    (tmp_path / "l").symlink_to("anywhere")
    os.mkfifo(tmp_path / "p")
    monkeypatch.chdir(tmp_path)  # the path of a socket may be 107 bytes long
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("s")
        assert {found.name: found.kind for found in Disk().listing(str(tmp_path))} == {
            kind: kind for kind in "dflps"
        }


@pytest.mark.skipif(not os.path.exists("/dev/null"), reason="no devices")  # noqa: PTH110
def test_devices_count_by_their_number() -> None:
    found = {name: Disk().item(f"/dev/{name}") for name in ("null", "zero")}
    assert found["null"].kind == found["zero"].kind == "c"
    assert found["null"].detail != found["zero"].detail


@pytest.mark.parametrize("target", ["nowhere", "self", ".", "/", "../" * 50 + "etc/passwd", "a\nb"])
def test_a_link_counts_by_its_text_and_is_never_followed(tmp_path: Path, target: str) -> None:
    link = tmp_path / "self"
    link.symlink_to(target)
    assert (item(link).kind, item(link).detail) == ("l", os.fsencode(target))
    with pytest.raises(SourceProblem):
        Disk().content(str(link))


NAMES = [b"plain", b"-rf", b"a\nb", b" ", b"\xff\xfe", "ü".encode(), b"*", b"\\", b"${x}", b"~"]


def test_names_of_any_kind(tmp_path: Path) -> None:
    for name in NAMES:
        with open(os.path.join(os.fsencode(tmp_path), name), "wb") as made:  # noqa: PTH118, PTH123 - bytes
            made.write(name)
    disk = Disk()
    assert [os.fsencode(found.name) for found in disk.listing(str(tmp_path))] == sorted(NAMES)
    assert len({disk.content(found.path) for found in disk.listing(str(tmp_path))}) == len(NAMES)


def test_extended_attributes_that_buildkit_looks_at(file: Path) -> None:
    before = what_counts(file)
    try:
        os.setxattr(file, "user.homeport", b"1")
    except (OSError, AttributeError):
        pytest.skip("this file system has no extended attributes")
    assert what_counts(file) != before
    os.setxattr(file, "user.homeport", b"2")
    second = what_counts(file)
    os.removexattr(file, "user.homeport")
    assert (what_counts(file) == before, second == before) == (True, False)


def test_attributes_that_belong_to_this_machine(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = what_counts(file)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(
        os, "listxattr", lambda *_, **__: ["security.selinux", "system.posix_acl_access"], raising=False
    )
    monkeypatch.setattr(os, "getxattr", lambda *_, **__: b"label", raising=False)
    assert what_counts(file) == before
    monkeypatch.setattr(os, "listxattr", lambda *_, **__: ["security.capability"], raising=False)
    assert what_counts(file) != before


# -- what can't be read -------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: None])
def test_what_took_the_place_of_a_file(tmp_path: Path, make: Callable[[str], object]) -> None:
    path = str(tmp_path / "x")
    make(path)
    with pytest.raises(SourceProblem) as caught:  # a pipe that nobody writes to would make us wait forever
        Disk().content(path)
    assert caught.value.path == path
    assert caught.value.reason


def test_an_unreadable_file_is_listed_and_only_its_content_is_a_problem(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no(path: str, *rest: Any) -> int:
        raise refused

    monkeypatch.setattr(os, "open", no)
    assert names(file.parent) == ["file"]
    with pytest.raises(SourceProblem, match="Permission denied"):
        Disk().content(str(file))


def test_an_unreadable_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no(path: str) -> Any:
        raise refused

    monkeypatch.setattr(os, "scandir", no)
    with pytest.raises(SourceProblem, match="Permission denied") as caught:
        Disk().listing(str(tmp_path))
    assert caught.value.path == str(tmp_path)


def test_a_file_that_vanishes_while_its_folder_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "link").symlink_to("x")
    monkeypatch.setattr(os, "readlink", lambda path: (tmp_path / "gone").stat())
    with pytest.raises(SourceProblem, match="No such file"):
        Disk().listing(str(tmp_path))


def test_a_file_that_changes_while_it_is_read(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.read

    def read_and_touch(descriptor: int, size: int) -> bytes:
        found = real(descriptor, size)
        os.utime(file, (7, 7))
        return found

    monkeypatch.setattr(os, "read", read_and_touch)
    with pytest.raises(SourceProblem, match="changed while it was read"):
        Disk().content(str(file))


# -- once ---------------------------------------------------------------------------------------------------


def test_each_file_and_folder_is_read_once(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted: Counter[str] = Counter()
    real_open, real_scan = os.open, os.scandir
    monkeypatch.setattr(
        os, "open", lambda path, *rest: (counted.update([f"open {path}"]), real_open(path, *rest))[1]
    )
    monkeypatch.setattr(os, "scandir", lambda path: (counted.update([f"list {path}"]), real_scan(path))[1])
    disk = Disk()
    for _ in range(3):
        disk.read_contents(disk.listing(str(file.parent)))
        disk.content(str(file))
    assert counted == {f"open {file}": 1, f"list {file.parent}": 1}


def test_one_look_stays_as_it_was_and_a_new_one_sees_what_changed(file: Path) -> None:
    first = Disk()
    before = first.content(str(file)), first.listing(str(file.parent))
    file.write_bytes(b"later")
    (file.parent / "new").touch()
    assert (first.content(str(file)), first.listing(str(file.parent))) == before
    assert Disk().content(str(file)) != before[0]
    assert names(file.parent) == ["file", "new"]


def test_signatures_tell_that_a_file_was_touched(file: Path) -> None:
    first, second = Disk(), Disk()
    first.content(str(file))
    os.utime(file, (3, 3))
    second.content(str(file))
    assert first.content(str(file)) == second.content(str(file))
    assert first.signatures[str(file)] != second.signatures[str(file)]


def test_large_files_are_read_at_the_same_time_with_the_same_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        (tmp_path / f"{number}").write_bytes(bytes([number]) * 5000)
    plain = Disk()
    plain.read_contents(plain.listing(str(tmp_path)))
    monkeypatch.setattr(module, "_CHUNK", 1000)
    threads = Disk()
    threads.read_contents(threads.listing(str(tmp_path)))
    for found in plain.listing(str(tmp_path)):
        assert plain.content(found.path) == threads.content(found.path)
    assert len({plain.content(found.path) for found in plain.listing(str(tmp_path))}) == 20


def test_a_problem_with_a_large_file_is_told_from_its_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_CHUNK", 10)
    for name in "ab":
        (tmp_path / name).write_bytes(b"x" * 100)
    disk = Disk()
    items = disk.listing(str(tmp_path))
    (tmp_path / "b").unlink()
    with pytest.raises(SourceProblem, match="b: No such file"):
        disk.read_contents(items)


@given(st.binary(max_size=64), st.binary(max_size=64))
def test_contents_are_equal_or_not(one: bytes, other: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, content in (("one", one), ("other", other)):
            (Path(folder) / name).write_bytes(content)
        disk = Disk()
        assert (disk.content(f"{folder}/one") == disk.content(f"{folder}/other")) == (one == other)


def test_windows_has_two_modes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert {module._mode(stat.S_IFREG | mode) for mode in (0o666, 0o777, 0o600)} == {0o755}
    assert module._mode(stat.S_IFREG | 0o444) == 0o555

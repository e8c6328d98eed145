"""A context as BuildKit sees it: what COPY sources lead to, what an ignore file leaves, and digests."""

from __future__ import annotations

import os
import socket
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from homeport.model.ignore import Ignore
from homeport.sources.disk import Disk, SourceProblem
from homeport.sources.tree import Tree

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="modes, links and pipes of POSIX")


def fill(folder: Path, entries: Iterable[str]) -> Path:
    """Files "a/b", folders "a/", links "a -> b"; a file's content is its path."""
    for entry in entries:
        path, arrow, target = entry.partition(" -> ")
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if arrow:
            place.symlink_to(target)
        elif path.endswith("/"):
            place.mkdir(exist_ok=True)
        else:
            place.write_text(path, encoding="utf-8")
    return folder


def tree(folder: Path, *patterns: str, disk: Disk | None = None) -> Tree:
    return Tree(disk or Disk(), str(folder), Ignore(patterns))


def selected(folder: Path, source: str, *patterns: str) -> list[str]:
    return [node.path for node in tree(folder, *patterns).select(source)]


def seen(folder: Path, *patterns: str) -> list[str]:
    found = tree(folder, *patterns)
    return [node.path for node in found.walk(found.root)]


def digest(folder: Path, *patterns: str, source: str = "/") -> bytes:
    found = tree(folder, *patterns)
    return b"".join(found.digest(node) for node in found.select(source))


# -- COPY sources -------------------------------------------------------------------------------------------

FILES = ["a/b/c.txt", "a/b/d.md", "a/e.txt", "f.txt", "-x", "*", "q?"]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a", ["a"]),
        ("/a/", ["a"]),
        ("./a/.", ["a"]),
        ("//a//b", ["a/b"]),
        ("../../f.txt", ["f.txt"]),  # no way out of the context
        ("a/../f.txt", ["f.txt"]),
        ("nothing", []),
        ("f.txt/x", []),
        ("-x", ["-x"]),
        (".", [""]),
        ("/", [""]),
        ("", [""]),
        ("*.txt", ["f.txt"]),
        ("a/*", ["a/b", "a/e.txt"]),
        ("*/*.txt", ["a/e.txt"]),
        ("*/*/*.txt", ["a/b/c.txt"]),
        ("a/?", ["a/b"]),
        ("**", ["*", "-x", "a", "f.txt", "q?"]),  # in COPY two stars are one
        ("**/c.txt", []),
        (r"\*", ["*"]),
        (r"q\?", ["q?"]),
        ("a/[b]", ["a/b", "a/e.txt"]),  # more than it means, never less
        ("[", ["*", "-x", "a", "f.txt", "q?"]),
        ("*x", ["-x"]),
        ("*/nothing", []),
    ],
)
def test_what_a_source_means(tmp_path: Path, source: str, expected: list[str]) -> None:
    assert selected(fill(tmp_path, FILES), source) == expected


LINKS = [
    "dir/file",
    "dir/sub/other",
    "to-file -> dir/file",
    "to-dir -> dir",
    "absolute -> /dir/file",
    "beyond -> ../../../../dir/file",
    "dangling -> nowhere",
    "loop -> loop2",
    "loop2 -> loop",
    "chain -> to-dir/sub",
    "dir/up -> ../to-file",
]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("to-file", ["dir/file", "to-file"]),
        ("to-dir/file", ["dir/file", "to-dir"]),
        ("to-dir/sub/other", ["dir/sub/other", "to-dir"]),
        ("absolute", ["absolute", "dir/file"]),  # as if the context were the whole file system
        ("beyond", ["beyond", "dir/file"]),
        ("dangling", ["dangling"]),
        ("dangling/x", ["dangling"]),
        ("loop", ["loop", "loop2"]),
        ("chain/other", ["chain", "dir/sub/other", "to-dir"]),
        ("dir/up", ["dir/file", "dir/up", "to-file"]),
        ("to-*", ["dir", "dir/file", "to-dir", "to-file"]),
        ("to-d*/file", ["dir/file", "to-dir"]),
    ],
)
def test_links_are_followed_on_the_way_and_count_themselves(
    tmp_path: Path, source: str, expected: list[str]
) -> None:
    assert selected(fill(tmp_path, LINKS), source) == expected


def test_two_levels_up_through_a_link(tmp_path: Path) -> None:
    fill(tmp_path, ["a/b/c/x", "y", "up -> a/b/c/../../../y"])
    assert selected(tmp_path, "up") == ["up", "y"]


def test_a_link_to_an_ignored_file_leads_nowhere(tmp_path: Path) -> None:
    fill(tmp_path, ["secret", "link -> secret"])
    assert selected(tmp_path, "link", "secret") == ["link"]


def test_a_chain_of_links_without_end_ends(tmp_path: Path) -> None:
    fill(tmp_path, [*(f"l{number} -> l{number + 1}" for number in range(300)), "l300"])
    assert len(selected(tmp_path, "l0")) <= 256
    # Each link doubles what is to be followed.
    fill(tmp_path, [*(f"x{number} -> x{number + 1}/../x{number + 1}" for number in range(60)), "x60/"])
    assert selected(tmp_path, "x0")


def test_the_context_may_be_a_link_itself(tmp_path: Path) -> None:
    fill(tmp_path, ["real/file", "link -> real"])
    assert digest(tmp_path / "link") == digest(tmp_path / "real")


PARENTS = ["a/x/f.py", "a/y/f.py", "a/y/g.md", "b/f.py", "f.py", "to-a -> a"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("**/f.py", ["a/x/f.py", "a/y/f.py", "b/f.py", "f.py"]),
        ("a/**/*.md", ["a/y/g.md"]),
        ("a", ["a"]),
        ("/a/x", ["a/x"]),
        ("./a/x/", ["a/x"]),
        ("*/f.py", ["b/f.py"]),
        ("a/./*/f.py", ["a/x/f.py", "a/y/f.py"]),  # only what comes after the point is repeated
        ("./a/./x", ["a/x"]),
        ("b/./../f.py", ["b/f.py"]),
        (".", [""]),
        ("a/./.", ["a"]),
        ("to-a/x", []),  # patterns don't follow links,
        ("to-a/./x", ["a", "to-a"]),  # the path before the point does
        ("nothing", []),
    ],
)
def test_what_copy_parents_takes(tmp_path: Path, pattern: str, expected: list[str]) -> None:
    fill(tmp_path, PARENTS)
    assert [node.path for node in tree(tmp_path).select_matching(pattern)] == expected


def test_the_folders_above(tmp_path: Path) -> None:
    found = tree(fill(tmp_path, PARENTS))
    (node,) = found.select("a/y/g.md")
    assert [above.path for above in found.above(node)] == ["a", "a/y"]
    assert list(found.above(found.root)) == []


# -- ignore files -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ([], ["", "a", "a/b", "a/b/c", "a/d", "e"]),
        (["a"], ["", "e"]),
        (["a/b"], ["", "a", "a/d", "e"]),
        (["**/c"], ["", "a", "a/b", "a/d", "e"]),  # an empty folder stays
        (["a", "!a/b/c"], ["", "a", "a/b", "a/b/c", "e"]),
        (["*", "!a/d"], ["", "a", "a/d"]),
        (["*", "!a/nothing"], [""]),  # an exception that brings nothing back brings no folder back
        (["*", "!**/d"], ["", "a", "a/d"]),
        (["**", "!e"], ["", "e"]),
        (["**"], [""]),
    ],
)
def test_what_an_ignore_file_leaves(tmp_path: Path, patterns: list[str], expected: list[str]) -> None:
    assert seen(fill(tmp_path, ["a/b/c", "a/d", "e"]), *patterns) == expected


def test_ignored_files_are_in_no_source_and_no_digest(tmp_path: Path) -> None:
    fill(tmp_path, ["src/a", "src/b.pyc"])
    before = digest(tmp_path, "**/*.pyc")
    assert selected(tmp_path, "src/b.pyc", "**/*.pyc") == []
    (tmp_path / "src/b.pyc").write_text("other", encoding="utf-8")
    (tmp_path / "src/c.pyc").touch()
    assert digest(tmp_path, "**/*.pyc") == before
    assert digest(tmp_path) != before


@pytest.fixture
def unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing with "locked" in its path can be read; for root, too."""
    real_open, real_scan = os.open, os.scandir

    def opened(path: Any, *rest: Any) -> int:
        if "locked" in str(path):
            raise PermissionError(13, "Permission denied")
        return real_open(path, *rest)

    def listed(path: Any) -> Any:
        if "locked" in str(path):
            raise PermissionError(13, "Permission denied")
        return real_scan(path)

    monkeypatch.setattr(os, "open", opened)
    monkeypatch.setattr(os, "scandir", listed)


@pytest.mark.usefixtures("unreadable")
@pytest.mark.parametrize(
    ("patterns", "source", "fails"),
    [
        ([], "/", True),
        ([], "readable", False),  # only what is asked for is read
        ([], "locked-file", True),
        (["locked*"], "/", False),
        (["**/locked*"], "/", False),
        (["*", "!readable"], "/", False),
        (["*", "!locked-folder/x"], "/", True),
    ],
)
def test_only_what_is_part_of_the_build_must_be_readable(
    tmp_path: Path, patterns: list[str], source: str, fails: bool
) -> None:
    fill(tmp_path, ["locked-folder/x", "locked-file", "readable/y"])
    if fails:
        with pytest.raises(SourceProblem, match="Permission denied"):
            digest(tmp_path, *patterns, source=source)
    else:
        digest(tmp_path, *patterns, source=source)


# -- digests ------------------------------------------------------------------------------------------------


def test_sockets_pipes_and_devices_are_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, ["a"])
    before = digest(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with_pipe = digest(tmp_path)
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        assert len({before, with_pipe, digest(tmp_path)}) == 3


def test_the_root_s_own_mode_and_name_do_not_count(tmp_path: Path) -> None:
    one, other = fill(tmp_path / "one", ["a"]), fill(tmp_path / "other", ["a"])
    one.chmod(0o700)
    other.chmod(0o755)
    assert digest(one) == digest(other)
    assert digest(tmp_path, source="one") != digest(tmp_path, source="other")


def test_entries_for_a_list_of_files(tmp_path: Path) -> None:
    fill(tmp_path, ["folder/file", "link -> folder", "same -> folder"])
    (tmp_path / "folder").chmod(0o750)
    (tmp_path / "folder/file").chmod(0o640)
    found = tree(tmp_path)
    entries: Mapping[str, tuple[str, str]] = {node.path: found.entry(node) for node in found.walk(found.root)}
    assert entries["folder"] == ("/", "750")
    assert (len(entries["folder/file"][0]), entries["folder/file"][1]) == (16, "640")
    assert entries["link"] == entries["same"] != entries["folder/file"]


def test_deep_folders(tmp_path: Path) -> None:
    deep = "/".join(["d"] * 300)
    (tmp_path / deep).mkdir(parents=True)
    before = digest(tmp_path)
    assert len(seen(tmp_path)) == 301
    (tmp_path / deep / "x").touch()
    assert digest(tmp_path) != before
    assert selected(tmp_path, f"{deep}/x") == [f"{deep}/x"]


def test_overlapping_trees_read_everything_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, ["a/b/c", "a/b/d", "a/e", "f"])
    counted: Counter[str] = Counter()
    real_open, real_scan = os.open, os.scandir
    monkeypatch.setattr(os, "open", lambda path, *rest: (counted.update([path]), real_open(path, *rest))[1])
    monkeypatch.setattr(os, "scandir", lambda path: (counted.update([path]), real_scan(path))[1])
    disk = Disk()
    for folder, patterns in [(".", ()), (".", ("f",)), ("a", ()), ("a/b", ("c",)), ("a/../a", ())]:
        found = tree(tmp_path / folder, *patterns, disk=disk)
        for source in ("/", "*", "b/*", "a/b"):
            for node in found.select(source):
                found.digest(node)
    assert len(counted) == 4 + 3
    assert set(counted.values()) == {1}

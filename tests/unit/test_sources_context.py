"""What a target reads of its contexts; and that a digest is equal exactly where what it reads is equal."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homeport.model.ignore import Ignore, PatternError
from homeport.model.reading import Source
from homeport.sources.context import Contexts, Reads
from homeport.sources.disk import Disk, SourceProblem
from homeport.sources.tree import Tree

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="modes, links and pipes of POSIX")


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name, encoding="utf-8")


def reads(folder: Path, *sources: str, parents: bool = False, dockerfile: Path | None = None) -> Reads:
    return Contexts().read(folder, dockerfile, tuple(Source("", path, parents) for path in sources))


def test_what_is_read_file_by_file(tmp_path: Path) -> None:
    write(tmp_path, "a/x", "a/y", "b")
    found = reads(tmp_path, "a", "a/x", "nothing")
    assert [node.path for node in found.nodes] == ["a"]
    assert set(found.listing.files) == {"a", "a/x", "a/y"}
    assert found.has_any({str(tmp_path.resolve() / "a/x")})
    assert not found.has_any({str(tmp_path.resolve() / "b"), str(tmp_path.resolve() / "ab")})


@pytest.mark.parametrize(
    "sources", [("a", "b"), ("b", "a"), ("a", "a/x", "b"), ("./a", "/b"), ("a/../b", "a")]
)
def test_order_and_spelling_of_sources_do_not_matter(tmp_path: Path, sources: tuple[str, ...]) -> None:
    write(tmp_path, "a/x", "b", "c")
    assert reads(tmp_path, *sources).listing.digest == reads(tmp_path, "a", "b").listing.digest


def test_the_name_of_what_is_read_counts(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        write(tmp_path / folder, "a")
    assert reads(tmp_path, "one").listing.digest != reads(tmp_path, "two").listing.digest
    assert reads(tmp_path / "one", "a").listing.digest == reads(tmp_path / "two", "a").listing.digest


def test_the_mode_of_folders_above_counts_for_copy_parents_only(tmp_path: Path) -> None:
    write(tmp_path, "a/b/c", "a/other")
    (tmp_path / "a").chmod(0o755)
    plain, with_parents = reads(tmp_path, "a/b/c"), reads(tmp_path, "a/b/c", parents=True)
    (tmp_path / "a").chmod(0o700)
    (tmp_path / "a/other").write_text("changed", encoding="utf-8")
    assert reads(tmp_path, "a/b/c").listing.digest == plain.listing.digest
    again = reads(tmp_path, "a/b/c", parents=True)
    assert again.listing.digest != with_parents.listing.digest
    assert set(again.listing.files) == {"a", "a/b", "a/b/c"}
    assert (with_parents.listing.files["a"], again.listing.files["a"]) == (("/", "755"), ("/", "700"))


def test_the_dockerfile_s_own_ignore_file_takes_the_place_of_the_context_s(tmp_path: Path) -> None:
    write(tmp_path, "a", "b")
    (tmp_path / ".dockerignore").write_text("a\n.dockerignore\n", encoding="utf-8")
    dockerfile = tmp_path / "D"
    assert set(reads(tmp_path, "/", dockerfile=dockerfile).listing.files) == {"b"}
    (tmp_path / "D.dockerignore").write_text("b\n*ignore\n", encoding="utf-8")
    assert set(reads(tmp_path, "/", dockerfile=dockerfile).listing.files) == {"a"}
    assert set(reads(tmp_path, "/").listing.files) == {"b", "D.dockerignore"}


def test_ignore_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".dockerignore").write_text("[", encoding="utf-8")
    with pytest.raises(PatternError):
        reads(tmp_path, "/")

    def no(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", no)
    with pytest.raises(SourceProblem, match=r"\.dockerignore: Permission denied"):
        reads(tmp_path, "/")


def test_targets_with_the_same_ignore_file_share_a_tree(tmp_path: Path) -> None:
    write(tmp_path, "a")
    contexts = Contexts()
    one = contexts.read(tmp_path, tmp_path / "One", (Source("", "/"),))
    (tmp_path / "link").symlink_to(".")
    other = contexts.read(tmp_path / "link", tmp_path / "Other", (Source("", "/"),))
    assert one.nodes == other.nodes
    assert one.listing.files is other.listing.files


@pytest.mark.skipif(sys.platform != "linux", reason="links have other modes elsewhere")
def test_the_algorithm_is_what_it_was(tmp_path: Path) -> None:
    # Whoever has to change this value has to raise VERSION in model/fingerprint.py.
    write(tmp_path, "a/x", "b")
    (tmp_path / "a/link").symlink_to("x")
    for path, mode in ((tmp_path / "a", 0o755), (tmp_path / "a/x", 0o644), (tmp_path / "b", 0o755)):
        path.chmod(mode)
    assert reads(tmp_path, "/").listing.digest == (
        "9e4bb6490eaceda05e189b10c24fcd9192a2bb27f88872c0ea97353373e17fe9"
    )


# -- digests are equal exactly where what is seen is equal --------------------------------------------------

NAMES = st.sampled_from(["a", "b", "ab", ".x", "ü"])
CONTENTS = st.sampled_from([b"", b"1", b"2", b"a"])
LEAVES = st.one_of(
    st.tuples(st.just("f"), CONTENTS, st.sampled_from([0o644, 0o755])),
    st.tuples(st.just("l"), st.sampled_from([b"a", b"1", b"../b"]), st.just(0)),
)
Entry = object
TREES = st.dictionaries(
    NAMES,
    st.recursive(LEAVES, lambda inner: st.dictionaries(NAMES, inner, max_size=3), max_leaves=6),
    max_size=3,
)


def build(folder: Path, entries: Mapping[str, Entry]) -> None:
    folder.mkdir()
    folder.chmod(0o755)
    for name, entry in entries.items():
        if isinstance(entry, dict):
            build(folder / name, entry)
        elif isinstance(entry, tuple) and entry[0] == "l":
            (folder / name).symlink_to(os.fsdecode(entry[1]))
        elif isinstance(entry, tuple):
            (folder / name).write_bytes(entry[1])
            (folder / name).chmod(entry[2])


def digest(folder: Path, *patterns: str) -> bytes:
    tree = Tree(Disk(), str(folder), Ignore(patterns))
    return tree.digest(tree.root)


def without(entries: Mapping[str, Entry], name: str) -> dict[str, Entry]:
    """The same as with ``**/name`` in the ignore file."""
    return {
        key: without(entry, name) if isinstance(entry, dict) else entry
        for key, entry in entries.items()
        if key != name
    }


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(TREES, TREES | st.none())
def test_equal_exactly_where_the_visible_trees_are(
    one: dict[str, Entry], another: dict[str, Entry] | None
) -> None:
    other = one if another is None else another
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build(folder / "one", one)
        build(folder / "other", other)
        assert (digest(folder / "one") == digest(folder / "other")) == (one == other)
        assert (digest(folder / "one", "**/a") == digest(folder / "other", "**/a")) == (
            without(one, "a") == without(other, "a")
        )


@given(TREES.filter(bool), st.data())
def test_every_small_change_is_noticed(entries: dict[str, Entry], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "root"
        build(root, entries)
        before = digest(root)
        everything = sorted(root.rglob("*"))
        path = data.draw(st.sampled_from(everything))
        change = data.draw(st.sampled_from(["remove", "rename", "add beside", "touch"]))
        if change == "remove":
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        elif change == "rename":
            path.rename(path.with_name("renamed"))
        elif change == "add beside":
            path.with_name("new").touch()
        else:
            os.utime(path, (1, 1), follow_symlinks=False)
        assert (digest(root) == before) == (change == "touch")

"""What git keeps, read from index files as git writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from homeport.sources.tracked import tracked

NAMES = ["a", "a/b/c.txt", "a/b/d.txt", "longer/name-of-a-file", "ä"]


def index(
    version: int, names: list[str], *, digest: int = 20, extended: bool = False, end: bytes = b""
) -> bytes:
    data = b"DIRC" + version.to_bytes(4, "big") + len(names).to_bytes(4, "big")
    before = b""
    for name in (each.encode() for each in names):
        flags = (0x4000 if extended else 0) | len(name)
        entry = bytes(40 + digest) + flags.to_bytes(2, "big") + (bytes(2) if extended else b"")
        if version == 4:
            same = next((n for n in range(len(name), -1, -1) if before[:n] == name[:n]), 0)
            data += entry + bytes([len(before) - same]) + name[same:] + b"\0"
        else:
            data += entry + name + bytes(8 - (len(entry) + len(name)) % 8)
        before = name
    return data + end + bytes(digest)


def repository(root: Path, data: bytes, config: str = "") -> Path:
    (root / ".git").mkdir(parents=True)
    (root / ".git" / "index").write_bytes(data)
    (root / ".git" / "config").write_text(config, encoding="utf-8")
    return root


@pytest.mark.parametrize("extended", [False, True])
@pytest.mark.parametrize("version", [2, 3, 4])
def test_versions(tmp_path: Path, version: int, *, extended: bool) -> None:
    tree = b"TREE" + (4).to_bytes(4, "big") + b"link"
    data = index(version, NAMES, extended=extended and version > 2, end=tree)
    root = repository(tmp_path, data)
    found = tracked(root)
    assert found is not None
    assert found.files == set(NAMES)
    assert found.holds(str(root.resolve() / "a/b"))
    assert found.holds(str(root.resolve() / "a/b/c.txt"))
    assert not found.holds(str(root.resolve() / "a/c"))
    assert not found.holds("/elsewhere")


def test_a_longer_digest(tmp_path: Path) -> None:
    config = "[extensions]\n\tobjectformat = sha256\n"
    found = tracked(repository(tmp_path, index(2, NAMES, digest=32), config))
    assert found is not None
    assert found.files == set(NAMES)


def test_a_folder_below_and_a_worktree(tmp_path: Path) -> None:
    repository(tmp_path / "main", index(2, NAMES))
    work = tmp_path / "work"
    (work / "below").mkdir(parents=True)
    (work / ".git").write_text("gitdir: ../main/.git\n", encoding="utf-8")
    found = tracked(work / "below")
    assert found is not None
    assert found.root == work.resolve()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"DIRC",
        b"DIRC" + (9).to_bytes(4, "big") + bytes(30),
        index(2, NAMES)[:90],
        index(2, NAMES, end=b"link" + (20).to_bytes(4, "big") + bytes(20)),
    ],
)
def test_what_cannot_be_known(tmp_path: Path, data: bytes) -> None:
    assert tracked(repository(tmp_path, data)) is None


def test_no_index_and_no_repository(tmp_path: Path) -> None:
    (tmp_path / "one" / ".git").mkdir(parents=True)
    assert tracked(tmp_path / "one") is None
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / ".git").write_text("nonsense", encoding="utf-8")
    assert tracked(tmp_path / "two") is None

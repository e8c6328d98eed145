"""Which files git keeps, read from its index: no git is started.

Format: https://git-scm.com/docs/index-format (versions 2 to 4).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

_SHA256 = re.compile(rb"^\s*objectformat\s*=\s*sha256\s*$", re.IGNORECASE | re.MULTILINE)
_BEFORE_NAME = 42  # bytes of an entry without its digest: ten numbers, and flags
_EXTENDED = 0x4000


@dataclass(frozen=True)
class Tracked:
    """The files of one repository that git keeps, relative to ``root``, and all folders above them."""

    root: Path
    files: frozenset[str]
    folders: frozenset[str] = field(repr=False)

    def holds(self, path: str) -> bool:
        """Whether git keeps this file, or something in this folder; ``path`` is absolute."""
        try:
            name = Path(path).relative_to(self.root).as_posix()
        except ValueError:
            return False
        return name in self.files or name in self.folders


def tracked(folder: Path) -> Tracked | None:
    """What git keeps of the repository that ``folder`` lies in; None where that can't be known."""
    folder = folder.resolve()
    root = next((one for one in (folder, *folder.parents) if (one / ".git").exists()), None)
    if root is None:
        return None
    try:
        names = _names(*_index(root / ".git"))
    except (OSError, ValueError, IndexError):
        return None
    files = frozenset(name.decode("utf-8", "surrogateescape") for name in names)
    folders: set[str] = set()
    for name in files:
        above = name.rpartition("/")[0]
        while above and above not in folders:
            folders.add(above)
            above = above.rpartition("/")[0]
    return Tracked(root, files, frozenset(folders))


def _index(git: Path) -> tuple[bytes, int]:
    """The index, and the bytes of a digest in it. A worktree's ``.git`` is a file that names a folder."""
    if git.is_file():
        kind, _, place = git.read_text(encoding="utf-8", errors="surrogateescape").strip().partition(": ")
        if kind != "gitdir":
            raise ValueError("no repository")
        git = git.parent / place
    config = git / "config"
    longer = config.is_file() and _SHA256.search(config.read_bytes())
    return (git / "index").read_bytes(), 32 if longer else 20


def _names(data: bytes, digest: int) -> list[bytes]:
    """The paths in an index; ValueError or IndexError for what this doesn't understand."""
    version = int.from_bytes(data[4:8], "big")
    if data[:4] != b"DIRC" or version not in {2, 3, 4}:
        raise ValueError("no index")
    found: list[bytes] = []
    name, position = b"", 12
    for _ in range(int.from_bytes(data[8:12], "big")):
        start = position + _BEFORE_NAME + digest
        if int.from_bytes(data[start - 2 : start], "big") & _EXTENDED:
            start += 2
        if version == 4:
            # Names share their beginnings: so many bytes of the one before go, then these come.
            gone, start = _number(data, start)
            end = data.index(b"\0", start)
            name, position = name[: len(name) - gone] + data[start:end], end + 1
        else:
            end = data.index(b"\0", start)
            name, position = data[start:end], position + (end - position + 8) // 8 * 8
        found.append(name)
    while position < len(data) - digest:
        if data[position : position + 4] == b"link":
            raise ValueError("the rest stands in another file")  # a split index
        position += 8 + int.from_bytes(data[position + 4 : position + 8], "big")
    return found


def _number(data: bytes, position: int) -> tuple[int, int]:
    """A number in the encoding of pack files' offsets, and where it ends."""
    byte = data[position]
    value = byte & 0x7F
    while byte & 0x80:
        position += 1
        byte = data[position]
        value = (value + 1 << 7) | (byte & 0x7F)
    return value, position + 1

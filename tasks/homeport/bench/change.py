"""A small change of one service, as somebody makes it every day: a line more in one of its files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_COMMENTS: Mapping[str, tuple[str, str]] = {
    ".py": ("# ", ""), ".rb": ("# ", ""), ".sh": ("# ", ""), ".pl": ("# ", ""), ".ex": ("# ", ""),
    ".js": ("// ", ""), ".ts": ("// ", ""), ".jsx": ("// ", ""), ".tsx": ("// ", ""), ".mjs": ("// ", ""),
    ".go": ("// ", ""), ".rs": ("// ", ""), ".java": ("// ", ""), ".kt": ("// ", ""), ".cs": ("// ", ""),
    ".c": ("// ", ""), ".cpp": ("// ", ""), ".php": ("// ", ""), ".swift": ("// ", ""), ".dart": ("// ", ""),
    ".sql": ("-- ", ""), ".css": ("/* ", " */"), ".html": ("<!-- ", " -->"), ".svg": ("<!-- ", " -->"),
    ".txt": ("", ""), ".md": ("", ""), ".conf": ("# ", ""),
}  # fmt: skip
"""By suffix what makes a line a comment there. In this order files are tried: programs before texts."""
_NOT = ("requirements", "constraints", "license", "readme", "cmakelists")
"""Beginnings of names of files that say which dependencies are installed, or that hardly anybody copies."""
_PER_TARGET = 3


@dataclass(frozen=True)
class Candidate:
    """A file, relative to the copy, and the target in whose folder it lies."""

    target: str
    path: str


def candidates(folders: Mapping[str, Path], tree: Path) -> list[Candidate]:
    """Files to try, by target's folder: the targets that have a folder of their own first."""
    order = {suffix: number for number, suffix in enumerate(_COMMENTS)}
    shared = {folder for folder in folders.values() if sum(one == folder for one in folders.values()) > 1}
    found: list[tuple[bool, int, Candidate]] = []
    for target, folder in folders.items():
        own = [
            path
            for path in sorted(folder.rglob("*"))
            if path.suffix in order
            and path.is_file()
            and not path.is_symlink()
            and not path.name.lower().startswith(_NOT)
            and not {"tests", "test"} & {*path.relative_to(folder).parts[:-1]}
        ]
        own.sort(key=lambda path: (order[path.suffix], len(path.parts)))
        for number, path in enumerate(own[:_PER_TARGET]):
            one = Candidate(target, path.relative_to(tree).as_posix())
            found.append((folder in shared or folder == tree, number, one))
    found.sort(key=lambda item: item[:2])
    return [one for _, _, one in found]


def append(path: Path, nonce: str) -> None:
    """Put a comment with ``nonce`` at the end of a file: what was built before doesn't come back."""
    before, after = _COMMENTS.get(path.suffix, ("", ""))
    data = path.read_bytes()
    start = b"" if data.endswith(b"\n") or not data else b"\n"
    path.write_bytes(data + start + f"{before}homeport bench {nonce}{after}\n".encode())

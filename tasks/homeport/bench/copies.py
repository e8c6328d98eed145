"""Copies of the repository to work in: what git keeps and what is new and not ignored, and nothing else."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from homeport.bench.names import PREFIX, Names
from homeport.engine import folders, git
from homeport.errors import EnvironmentProblem, UsageError
from homeport.report.words import size

_SPARE = 256 * 1024 * 1024
"""Bytes that are to be left free."""


@dataclass(frozen=True)
class Listing:
    """The files that are copied: relative to ``top``, git's outermost folder, and their bytes."""

    top: Path
    files: tuple[str, ...]
    bytes: int


def listing(root: Path) -> Listing:
    """What would be copied of the repository around ``root``. Raises UsageError where there is no git."""
    top = git.top(root)
    if top is None:
        raise UsageError(
            "The bench needs a git repository.",
            cause="It works in a copy, and git says what belongs into it: a folder may hold anything.",
            hint="Run it in a clone, or make one of this folder: 'git init', then 'git add'.",
        )
    files = tuple(name for name in git.files(top) if os.path.lexists(top / name))
    return Listing(top, files, sum((top / name).lstat().st_size for name in files))


class Workplace:
    """A folder for one run, that nobody else may look into: copies of the repository, logs, definitions."""

    def __init__(self, names: Names, source: Listing, copies: int) -> None:
        """Make it. Raises EnvironmentProblem if there is no room for so many copies."""
        place = Path(tempfile.gettempdir())
        needed = source.bytes * copies + _SPARE
        if shutil.disk_usage(place).free < needed:
            raise EnvironmentProblem(
                f"There is no room for {copies} copies of the repository in {place}.",
                cause=f"They need {size(needed)}.",
                hint="Make room, or name another folder with the variable TMPDIR.",
            )
        self._source = source
        # Readable by nobody else: a definition may hold the values of variables.
        self.folder = folders.make(f"{names.prefix}-", names.owner)

    def copy(self, name: str) -> Path:
        """Another copy of the repository; returns its outermost folder."""
        goal = self.folder / name
        for file in self._source.files:
            target = goal / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(self._source.top / file, target, follow_symlinks=False)
        goal.mkdir(exist_ok=True)
        return goal

    def make(self, name: str) -> Path:
        """An empty folder beside the copies."""
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def remove(self) -> None:
        folders.remove(self.folder)


def left() -> Iterator[tuple[Path, str, str]]:
    """The folders of all runs of this machine: folder, run, and the text of the owner (empty: unknown)."""
    for folder, whose in folders.left(PREFIX):
        yield folder, folder.name.removeprefix(PREFIX).partition("-")[0], whose

"""Folders for a while: each says whose it is, so that the next run removes those of runs that were killed."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from homeport.engine import owner

OWNER_FILE = "owner"


def make(prefix: str, whose: str = "") -> Path:
    """A new folder that nobody else may look into, where the system has such things.

    ``whose`` is the text of its owner, by default this process.
    """
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    (folder / OWNER_FILE).write_text(whose or str(owner.me()), encoding="utf-8", newline="\n")
    return folder


def left(prefix: str) -> Iterator[tuple[Path, str]]:
    """This user's own folders that begin so, each with the text of its owner; empty: nobody says."""
    for folder in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        try:
            status = folder.lstat()
            if not folder.is_dir() or folder.is_symlink() or not _mine(status):
                continue
        except OSError:  # gone meanwhile
            continue
        whose = ""
        with contextlib.suppress(OSError, ValueError):
            whose = (folder / OWNER_FILE).read_text(encoding="utf-8")
        yield folder, whose


def remove(folder: Path) -> None:
    """Remove a folder with all that is in it; what can't be removed stays."""
    shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def for_a_while(prefix: str) -> Iterator[Path]:
    """A folder that is removed at the end of the block, and by a later run if this one is killed."""
    folder = make(prefix)
    try:
        yield folder
    finally:
        remove(folder)


def variables(folder: Path) -> dict[str, str]:
    """What lets a program put into ``folder`` what it needs for a while, on every system."""
    place = folder / "temporary"
    place.mkdir(exist_ok=True)
    return dict.fromkeys(("TMPDIR", "TMP", "TEMP"), str(place))


def _mine(status: os.stat_result) -> bool:
    """Whether it is this user's; on Windows each user has such a place for himself."""
    own = getattr(os, "getuid", None)  # posix: elsewhere there is none
    return own is None or status.st_uid == own()

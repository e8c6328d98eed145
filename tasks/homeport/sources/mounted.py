"""What folders and files of this machine are for a stack that is started beside the one that runs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from homeport.model.isolation import Source
from homeport.sources.tracked import tracked

_PLACEHOLDERS = {".gitkeep", ".gitignore", ".keep"}
_SYSTEM = ("/proc", "/sys", "/dev", "/run", "/var/run", "/etc", "/lib/modules")
"""What of this machine is mounted to be looked at, and is no service's data."""


class Sources:
    """What paths of this machine are for such a stack, by git's index and by where they lie."""

    def __init__(self, root: Path) -> None:
        self._root = os.path.realpath(root)
        self._tracked = tracked(root)

    def __call__(self, path: str) -> Source:
        system = any(path == one or path.startswith(f"{one}/") for one in _SYSTEM)
        if system and sys.platform == "win32":
            return Source.KEPT  # the engine's machine has it: a path of Windows begins with a drive
        real = os.path.realpath(path)
        if not os.path.lexists(path):
            return Source.MISSING
        return Source.KEPT if system or Path(real).is_file() or self._holds(real) else Source.DATA

    def _holds(self, folder: str) -> bool:
        """Whether git keeps something in a folder, but for the files that only make it keep the folder."""
        if self._tracked is None:
            return False
        if folder == str(self._tracked.root):
            return bool(self._tracked.files)
        try:
            prefix = Path(folder).relative_to(self._tracked.root).as_posix() + "/"
        except ValueError:
            return False
        own = (name for name in self._tracked.files if name.startswith(prefix))
        return any(name.rpartition("/")[2] not in _PLACEHOLDERS for name in own)

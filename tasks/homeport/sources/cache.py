"""Where homeport keeps what it remembers of this machine's builds and scans."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

VARIABLE = "HOMEPORT_CACHE_DIR"
"""Another folder: for whoever wants to start from nothing, or leave no trace."""


def folder() -> Path:
    """The user's own cache folder, as the system has it, unless the environment names another one."""
    own = os.environ.get(VARIABLE)
    return Path(own) if own else Path(platformdirs.user_cache_dir("homeport", appauthor=False))

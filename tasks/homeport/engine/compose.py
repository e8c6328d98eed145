"""What Compose itself knows of a repository's images."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from homeport.engine import process


def image_names(files: Sequence[str], cwd: Path) -> dict[str, tuple[str, ...]]:
    """By bake target: the name Compose gives the image of a service that has none (``project-service``).

    Bake leaves such images without a name, and Compose would then build them again. ``files`` are Compose
    files; none: Compose's own look-up. Empty where Compose can't load them or is too old to say.
    """
    argv = ["docker", "compose", *(f"--file={file}" for file in files), "build", "--print"]
    done = process.run(argv, cwd=cwd)
    try:
        targets = json.loads(done.stdout)["target"]
        return {name: tuple(map(str, spec.get("tags") or ())) for name, spec in targets.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}

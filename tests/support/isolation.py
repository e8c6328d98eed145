"""Which settings of a person or a CI machine tests must not see, and what they see instead."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOREIGN_PREFIXES = (
    "HOMEPORT_",
    "INVOKE_",
    "COMPOSE_",
    "BUILDX_",
    "BUILDKIT_",
    "BAKE_",
    "GITHUB_",
    "GITLAB_",
    "RUNNER_",
    "GIT_",  # a commit hook runs with GIT_DIR and GIT_INDEX_FILE set: tests would write into this repository
)
FOREIGN = (
    "DOCKER_BUILDKIT",
    "DOCKER_DEFAULT_PLATFORM",
    "DOCKER_CONFIG",
    "FORCE_COLOR",
    "CLICOLOR_FORCE",
    "PY_COLORS",
)
# CI is left alone: it decides whether a missing engine is a failure.
OURS = {
    "NO_COLOR": "1",
    "COLUMNS": "100",
    "LINES": "40",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "PYTHONIOENCODING": "utf-8",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
}
GIT_CONFIG = """\
[user]
\tname = Test
\temail = test@example.org
[init]
\tdefaultBranch = main
[core]
\tautocrlf = false
"""


@dataclass(frozen=True)
class Changes:
    """What to change in the environment, and the Docker settings to take over."""

    remove: tuple[str, ...]
    set: dict[str, str]
    docker_settings: Path


def changes(environment: Mapping[str, str], home: Path) -> Changes:
    """Decide from the environment alone. HOME itself stays: ssh to a remote engine needs it."""
    foreign = [name for name in environment if name.startswith(FOREIGN_PREFIXES) or name in FOREIGN]
    settings = environment.get("DOCKER_CONFIG")
    return Changes(tuple(foreign), dict(OURS), Path(settings) if settings else home / ".docker")


def docker_config(old: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """A config.json without logins and defaults, but with the same engine, plugins and proxies as before.

    Docker Desktop and colima choose their engine by a context and keep buildx and Compose in the user's
    folder; behind a proxy no build gets out without `proxies`.
    """
    kept = {key: old[key] for key in ("currentContext", "proxies") if key in old}
    return {
        **kept,
        "cliPluginsExtraDirs": [str(folder / "cli-plugins"), *(old.get("cliPluginsExtraDirs") or [])],
    }


def write_settings(folder: Path, changes: Changes) -> dict[str, str]:
    """Write the settings of docker and git; return the variables that lead there."""
    docker = folder / "docker"
    docker.mkdir()
    old = changes.docker_settings
    try:
        config = json.loads((old / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        config = {}
    content = json.dumps(docker_config(config, old))
    (docker / "config.json").write_text(content, encoding="utf-8")
    if (old / "contexts").is_dir():
        shutil.copytree(old / "contexts", docker / "contexts")
    git = folder / "gitconfig"
    git.write_text(GIT_CONFIG, encoding="utf-8", newline="\n")
    return {"DOCKER_CONFIG": os.fspath(docker), "GIT_CONFIG_GLOBAL": os.fspath(git)}

"""What git says about the working tree; a folder without git is no error."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from homeport.engine import process
from homeport.errors import HomeportError

# Names that CI systems give the branch, because they check out a detached commit.
_BRANCH_VARIABLES = ("GITHUB_HEAD_REF", "GITHUB_REF_NAME", "CI_COMMIT_REF_NAME", "BUILDKITE_BRANCH")


def branch(cwd: Path, env: Mapping[str, str] = os.environ) -> str | None:
    """The branch, from CI's variables or from git; empty for a detached commit, None for no repository."""
    for variable in _BRANCH_VARIABLES:
        if env.get(variable):
            return env[variable]
    try:
        done = process.run(["git", "symbolic-ref", "--short", "--quiet", "HEAD"], cwd=cwd, timeout=10)
    except HomeportError:
        return None
    # 1 is git's answer for a detached HEAD; anything else says that this is no repository.
    return done.stdout.strip() if done.code in (0, 1) else None

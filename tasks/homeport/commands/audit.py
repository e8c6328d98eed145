"""``audit``: what Dockerfiles and Compose files do badly, and mending it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from homeport.commands.adapter import command, names


@command(
    help={
        "fix": "Show what would be changed to mend what can be mended.",
        "apply": "With --fix: write it into the files.",
        "check": "Exit with 1 if there is an error or a warning; for CI.",
        "only": "Only these rules, separated by commas (default: all but those that are off).",
        "rules": "List the rules.",
        "tools": "Ask BuildKit's own checks and hadolint, too, where they are there (--no-tools: don't).",
        "file": "Compose files, separated by commas (default: where Compose looks, in every folder).",
        "json": "Write the findings as JSON; '-' is standard output.",
        "sarif": "Write the findings as SARIF, for GitHub and others; '-' is standard output.",
    }
)
def audit(
    c: Any,
    fix: bool = False,
    apply: bool = False,
    check: bool = False,
    only: str = "",
    rules: bool = False,
    file: str = "",
    tools: bool = True,
    json: str = "",
    sarif: str = "",
) -> int:
    """Look at all Dockerfiles and Compose files: caches that do nothing, secrets, ports claimed twice."""
    from homeport.audit import flow
    from homeport.commands import settings
    from homeport.engine import git
    from homeport.errors import UsageError

    if rules:
        return flow.rules()
    if apply and not fix:
        raise UsageError("--apply belongs to --fix.", hint="'homeport audit --fix --apply' writes.")
    cwd = Path.cwd()
    config = settings.read(cwd).audit
    request = flow.Request(
        cwd,
        files=names(file),
        environment=os.environ,
        config=config,
        only=names(only),
        fix=fix,
        apply=apply,
        check=check,
        json=json,
        sarif=sarif,
        tools=tools,
        folder=git.inside(cwd) if sarif else "",
    )
    return flow.run(request)

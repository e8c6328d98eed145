"""What the first files of a repository would say, from what is known of it. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

from homeport.model.reference import is_registry_prefix

SETTINGS = "homeport.toml"
TASKS = "tasks.py"
_ALL = "https://github.com/homeport-dev/homeport/blob/main/docs/homeport.example.toml"
_REMOTE = re.compile(r"(?:[a-z+]+://)?(?:[^@/]+@)?(?P<host>[^:/]+)(?::\d+)?[:/](?P<path>.+?)(?:\.git)?/?\Z")
_TASKS = """\
\"\"\"`invoke build`, `invoke deploy` and so on; your own can stand beside them: ns.add_task(my_task).\"\"\"

from homeport.commands import namespace as ns

__all__ = ["ns"]
"""


@dataclass(frozen=True)
class Known:
    """What is known of a repository: the names of files in its root, git's remote and main branch (empty
    where there is none)."""

    names: frozenset[str]
    remote: str = ""
    main_branch: str = ""


@dataclass(frozen=True)
class Plan:
    """By name the files to write, those that are there and stay, and what is to be known."""

    files: dict[str, str] = field(hash=False)
    kept: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def make(known: Known, *, tasks: bool) -> Plan:
    """The plan; ``tasks``: a ``tasks.py``, too, for those who call ``invoke``."""
    wanted = {SETTINGS: settings(known), **({TASKS: _TASKS} if tasks else {})}
    kept = tuple(name for name in wanted if name in known.names)
    files = {name: text for name, text in wanted.items() if name not in kept}
    beside = SETTINGS in files and "pyproject.toml" in known.names
    notes = ("The settings may stand in pyproject.toml instead, under [tool.homeport].",) if beside else ()
    return Plan(files, kept, notes)


def settings(known: Known) -> str:
    """A ``homeport.toml`` with what is decided already, and what most people decide next, as a comment."""
    host, path = _place(known.remote)
    registry = _registry(host, path)
    lines = [f"# Settings of homeport. All of them: {_ALL}", "", "[build]"]
    if known.main_branch and known.main_branch != "main":
        lines.append(f"main-branch = {json.dumps(known.main_branch)}")  # TOML's texts are JSON's
    lines.append("# Where caches go, and pushed images get their names.")
    lines.append(f'# registry = "{registry or "registry.example/team"}"')
    if host and "gitlab" in host:
        lines += ["", "[ci]", 'provider = "gitlab"']
    lines += [
        "",
        "# What has to answer when `homeport test` has started the stack; none: each published port.",
    ]
    lines += ["# [test.probes.api]", '# http = "/health"']
    return "\n".join(lines) + "\n"


def _place(remote: str) -> tuple[str, str]:
    """Host and path of a remote, as URL or in ssh's short form; empty for a folder of this machine."""
    match = _REMOTE.match(remote)
    if match is None or remote.startswith(("/", ".", "file:")) or "." not in match["host"]:
        return "", ""
    return match["host"].lower(), match["path"]


def _registry(host: str, path: str) -> str:
    """The registry that comes with a host of repositories; empty where that isn't known."""
    prefix = {"github.com": "ghcr.io", "gitlab.com": "registry.gitlab.com"}.get(host, "")
    found = f"{prefix}/{path.lower()}"
    return found if prefix and is_registry_prefix(found) else ""

"""Whole Compose projects that are made for a while: started, and removed with all that is theirs."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

from homeport.engine import api, owner, process
from homeport.engine.containers import ContainerProblem

KINDS = ("container", "network", "volume")
"""In the order in which they can be removed."""
_LIST_TRIES = 20
_GONE = re.compile(r"No such|not found|already in progress|^exit status \d+$")


def start(document: Mapping[str, Any], cwd: Path, seconds: float) -> None:
    """Start everything in a document, in the order of ``depends_on``; images are fetched, none is built.

    ``seconds`` limits it. Raises ContainerProblem with Compose's words, and ToolTimeout.
    """
    # By standard input: it holds the values of variables, which belong into no file and no command line.
    # The name is said here, too: COMPOSE_PROJECT_NAME, also of .env, goes before a document's own.
    project = [f"--project-name={document['name']}", f"--project-directory={cwd}"]
    argv = ["docker", "compose", "--progress=plain", "--file=-", *project, "up", "--detach", "--no-build"]
    done = process.run(
        argv,
        stdin=json.dumps(document),
        cwd=cwd,
        timeout=seconds,
        env=owner.variables(),
    )
    if done.code != 0:
        lines = [line.strip() for line in done.stderr.strip().splitlines() if line.strip()]
        raise ContainerProblem("The stack doesn't start.", cause=lines[-1] if lines else "")


def labelled(label: str) -> dict[str, dict[str, str]]:
    """By ``kind/id`` the labels of all containers, networks and volumes that have this label.

    Raises ContainerProblem if the engine doesn't say.
    """
    with ThreadPoolExecutor(len(KINDS)) as pool:
        return {name: labels for found in pool.map(lambda kind: _labelled(kind, label), KINDS)
                for name, labels in found.items()}  # fmt: skip


def _labelled(kind: str, label: str) -> dict[str, dict[str, str]]:
    every = ["--all"] if kind == "container" else []
    argv = ["docker", kind, "ls", *every, "--filter", f"label={label}", "--format", "{{json .}}"]
    # Engine 28 fails to list containers while somebody removes one.
    for _ in range(_LIST_TRIES):
        done = process.run(argv)
        if done.code == 0:
            break
        time.sleep(0.1)
    else:
        raise ContainerProblem("The engine doesn't list what it has.", detail=done.stderr.strip())
    found = {}
    for line in done.stdout.splitlines():
        item = json.loads(line)
        pairs = (pair.partition("=") for pair in str(item.get("Labels") or "").split(","))
        found[f"{kind}/{item.get('ID') or item.get('Name')}"] = {key: value for key, _, value in pairs}
    return found


def missing(things: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Those of these networks and volumes, by kind and name, that the engine doesn't have."""
    wanted = list(things)
    try:
        answers = api.get_all(f"/{kind}s/{quote(name, safe='')}" for kind, name in wanted)
        return [thing for thing, (status, _) in zip(wanted, answers, strict=True) if status == 404]
    except api.NoDirectWay:
        return [
            (kind, name)
            for kind, name in wanted
            if process.run(["docker", kind, "inspect", "--", name]).code != 0
        ]


def remove(names: Mapping[str, object]) -> str:
    """Remove what :func:`labelled` named; returns what the engine said of what is still there, or nothing.

    What is gone by then, or goes because somebody else removes it, is no problem.
    """
    said = ""
    for kind in KINDS:
        wanted = [name.partition("/")[2] for name in names if name.startswith(f"{kind}/")]
        options = {"container": ["--force", "--volumes"], "volume": ["--force"]}.get(kind, [])
        if wanted:
            done = process.run(["docker", kind, "rm", *options, "--", *wanted], timeout=300)
            lines = [line for line in done.stderr.splitlines() if not _GONE.search(line)]
            said = "\n".join(filter(None, (said, *lines)))
    return said

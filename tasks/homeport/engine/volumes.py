"""Notes that are kept with the engine: empty volumes whose labels say something.

A volume needs no image and no container, is listed quickly, is there for everybody who uses the engine, and
is made by one atomic call: who asks for a name that is taken gets the volume that has it, with its own
labels.
``docker volume prune`` leaves volumes with a name alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from urllib.parse import quote

from homeport.engine import api, process
from homeport.engine.containers import ContainerProblem


def labelled(label: str) -> dict[str, dict[str, str]]:
    """By name the labels of all volumes with this label (``key`` or ``key=value``)."""
    try:
        filters = quote(json.dumps({"label": [label]}))
        ((status, found),) = api.get_all([f"/volumes?filters={filters}"])
        if status == 200:
            return _by_name(found.get("Volumes") or ())
    except api.NoDirectWay:
        pass
    names = process.run(["docker", "volume", "ls", "--quiet", "--filter", f"label={label}"]).stdout.split()
    return _inspect(names)


def make(name: str, labels: Mapping[str, str]) -> dict[str, str]:
    """Make a volume; returns the labels that the volume of this name has: these, or somebody else's."""
    words = [word for key, value in labels.items() for word in ("--label", f"{key}={value}")]
    done = process.run(["docker", "volume", "create", *words, "--", name])
    if done.code != 0:
        raise ContainerProblem("The engine keeps no notes.", detail=done.stderr.strip())
    return _inspect([name]).get(name, {})


def mark(name: str, labels: Mapping[str, str]) -> None:
    """Make a volume unless one has the name already, whatever its labels are. Raises ContainerProblem."""
    document = json.dumps({"Name": name, "Labels": dict(labels)}).encode()
    try:
        status, said = api.send("POST", "/volumes/create", document)
    except api.NoDirectWay:
        make(name, labels)
        return
    if status >= 400:
        raise ContainerProblem("The engine keeps no notes.", detail=said)


def remove(names: Iterable[str]) -> None:
    """Remove volumes; those that are gone are no problem."""
    wanted = list(names)
    if wanted:
        process.run(["docker", "volume", "rm", "--force", "--", *wanted])


def _inspect(names: Iterable[str]) -> dict[str, dict[str, str]]:
    wanted = list(names)
    if not wanted:
        return {}
    done = process.run(["docker", "volume", "inspect", "--", *wanted])
    return _by_name(json.loads(done.stdout or "[]"))


def _by_name(documents: Iterable[Mapping[str, object]]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for document in documents:
        labels = document.get("Labels")
        found[str(document.get("Name"))] = dict(labels) if isinstance(labels, dict) else {}
    return found

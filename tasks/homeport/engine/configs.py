"""What is kept with a swarm, where every manager sees it: Swarm's own configs and secrets, with labels.

A config is made by one atomic call, as a volume is (see engine/volumes.py), and can be read; a secret can't.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Literal

from homeport.engine import process
from homeport.engine.containers import ContainerProblem

Kind = Literal["config", "secret"]
_NOTHING = "-"
"""A config can't be empty."""


def labelled(label: str, kind: Kind = "config") -> dict[str, dict[str, str]]:
    """By name the labels of all configs with this label (``key`` or ``key=value``)."""
    return {name: labels for name, labels, _ in _inspect(kind, _ids(kind, f"label={label}"))}


def make(name: str, labels: Mapping[str, str], data: str = _NOTHING, kind: Kind = "config") -> dict[str, str]:
    """Make a config; returns the labels that the config of this name has: these, or somebody else's.

    ``data`` is what is in it; of bytes that are no UTF-8 by surrogates. Raises ContainerProblem.
    """
    words = [word for key, value in labels.items() for word in ("--label", f"{key}={value}")]
    done = process.run(["docker", kind, "create", *words, "--", name, "-"], stdin=data)
    if done.code == 0:
        return dict(labels)
    there = {found: own for found, own, _ in _inspect(kind, [name])}
    if name not in there:
        raise ContainerProblem(
            f"Swarm keeps no {kind} {name}.",
            hint="Releases, the lock, secrets and configs are kept so: names have 64 characters at most.",
            detail=done.stderr.strip(),
        )
    return there[name]


def read(label: str) -> dict[str, str]:
    """By name what is in the configs with this label."""
    return {name: data for name, _, data in _inspect("config", _ids("config", f"label={label}"))}


def remove(names: Iterable[str], kind: Kind = "config") -> None:
    """Remove configs; those that are gone, or that a service has, are no problem."""
    if wanted := list(names):
        process.run(["docker", kind, "rm", *wanted])


def _ids(kind: Kind, condition: str) -> list[str]:
    return process.run(["docker", kind, "ls", "--quiet", "--filter", condition]).stdout.split()


def _inspect(kind: Kind, ids: Iterable[str]) -> list[tuple[str, dict[str, str], str]]:
    wanted = list(ids)
    if not wanted:
        return []
    done = process.run(["docker", "inspect", f"--type={kind}", *wanted])
    try:
        documents = json.loads(done.stdout or "[]")
    except ValueError:
        documents = []
    return [
        (
            str(spec.get("Name") or ""),
            dict(spec.get("Labels") or {}),
            base64.b64decode(spec.get("Data") or "").decode("utf-8", "replace"),
        )
        for spec in (one.get("Spec") or {} for one in documents)
    ]

"""What two Compose files of one project define in different ways. Pure.

Compose refuses a project when an included file defines a service, volume, network, secret or config that the
including file, or one that it included before, defines otherwise (compose-go v2: loader/include.go,
``importResource``: what comes from a file that is included has been put into its long form, with absolute
paths; what the including file says itself hasn't).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from homeport.model.project import Include, Project, interpolated, merged
from homeport.model.yaml_tree import Alias, Tagged, entry

KINDS = ("services", "volumes", "networks", "secrets", "configs")
_SHORT_FORMS = {"build", "configs", "depends_on", "env_file", "networks", "ports", "secrets", "volumes"}
"""What a service may say in short, as texts, and Compose makes mappings of (compose-go: transform)."""


@dataclass(frozen=True)
class Definition:
    """One thing as one file defines it; ``line`` counts from 1."""

    kind: str
    name: str
    path: Path
    line: int
    value: Any


@dataclass(frozen=True)
class Conflict:
    """Two definitions that the file ``path`` brings together: Compose refuses it."""

    path: Path
    first: Definition
    second: Definition


_Scope = dict[tuple[str, str], Definition]


def conflicts(project: Project, environment: Mapping[str, str]) -> tuple[Conflict, ...]:
    """Each conflict of a project once, in the order in which Compose would come to them."""
    found: dict[tuple[Path, str, str, Path], Conflict] = {}
    for path in project.files:
        _scope(project, Include((path,), path.parent), environment, found)
    return tuple(found.values())


def _scope(
    project: Project,
    item: Include,
    environment: Mapping[str, str],
    found: dict[tuple[Path, str, str, Path], Conflict],
) -> _Scope:
    """What some files define and include, as the one that includes them gets it."""
    everything: _Scope = {}
    for path in item.paths:
        for number, value in enumerate(project.documents[path].values):
            if not isinstance(value, dict):
                continue
            own = _own(project, path, number, value, environment)
            for inner in project.included.get((path, number), ()):
                for key, imported in _scope(project, inner, environment, found).items():
                    there = own.setdefault(key, imported)
                    raw = there.path == path and imported.path != path and _is_short(there)
                    if raw or _comparable(there.value) != _comparable(imported.value):
                        found.setdefault((path, *key, imported.path), Conflict(path, there, imported))
            for key, one in own.items():
                below = everything.get(key)
                everything[key] = replace(one, value=merged(below.value, one.value)) if below else one
    return {key: replace(one, value=_long(one, item.folder)) for key, one in everything.items()}


def _own(
    project: Project, path: Path, number: int, value: Mapping[str, Any], environment: Mapping[str, str]
) -> _Scope:
    found = {}
    root = project.documents[path].roots[number]
    for kind in KINDS:
        section = value.get(kind)
        if not isinstance(section, dict):
            continue
        pair = entry(root, kind)
        node = pair[1].target if pair and isinstance(pair[1], Alias) else pair[1] if pair else None
        for name, said in section.items():
            place = entry(node, name) if node is not None else None
            line = (place[0] if place else pair[0] if pair else root).start_mark.line + 1
            found[kind, name] = Definition(kind, name, path, line, _filled(said, environment))
    return found


def _filled(value: Any, environment: Mapping[str, str]) -> Any:
    if isinstance(value, Tagged):
        return Tagged(value.tag, _filled(value.value, environment))
    if isinstance(value, dict):
        return {key: _filled(item, environment) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, environment) for item in value]
    return interpolated(value, environment) if isinstance(value, str) else value


def _long(one: Definition, folder: Path) -> Any:
    """A definition as an including file gets it, as far as that can make a difference."""
    file = one.value.get("file") if isinstance(one.value, dict) and one.kind != "services" else None
    return {**one.value, "file": os.path.normpath(folder / file)} if isinstance(file, str) else one.value


def _is_short(one: Definition) -> bool:
    """Whether a service has a form that it wouldn't have if it had come from a file that is included."""
    if one.kind != "services" or not isinstance(one.value, dict):
        return False
    said = (one.value.get(key) for key in _SHORT_FORMS)
    return any(isinstance(item, str) or (isinstance(item, list) and item) for item in said)


def _comparable(value: Any) -> Any:
    """A value in which ``True`` is ``true``: it was read as text."""
    if isinstance(value, dict):
        return {key: _comparable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_comparable(item) for item in value]
    return value.lower() if isinstance(value, str) and value.lower() in {"true", "false"} else value

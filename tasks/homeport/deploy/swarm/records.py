"""Releases on Swarm: configs that every manager sees. Their labels are what a release is for Compose, too; in
them is how the services were deployed, without values (see private.py)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from homeport.deploy import notes
from homeport.deploy.desired import ReplicaSet
from homeport.deploy.notes import RELEASE_LABEL
from homeport.deploy.swarm import private
from homeport.engine import configs
from homeport.model.release import Release, superseded, to_json
from homeport.model.roles import STACK_LABEL

Document = Mapping[str, Any]
FORMAT = 1


def write(release: Release, document: Document) -> None:
    """Keep a release, with how its services were deployed. Raises ContainerProblem."""
    labels = {RELEASE_LABEL: to_json(release), f"{RELEASE_LABEL}.stack": release.stack}
    configs.make(notes.name_of(release.stack, release.id), labels, json.dumps(document))


def document_of(
    sets: Mapping[str, ReplicaSet], shared: Mapping[str, Document], before: Document, names: Iterable[str]
) -> Document:
    """How the services of a release (``names``) were deployed; what it didn't deploy as ``before``."""
    old = before.get("services") or {}
    services = {
        name: private.without(sets[name], shared) if name in sets else old.get(name) for name in names
    }
    return {"format": FORMAT, "services": {name: one for name, one in services.items() if one}}


def documents(stack: str, releases: Iterable[Release]) -> dict[int, Document]:
    """By number how the services of releases were deployed."""
    texts = configs.read(f"{RELEASE_LABEL}.stack={stack}")
    found = {one.number: _read(texts.get(notes.name_of(stack, one.id), "")) for one in releases}
    return {number: read for number, read in found.items() if read is not None}


def _read(text: str) -> Document | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) and found.get("format") == FORMAT else None


def retain(stack: str, keep: int) -> tuple[Release, ...]:
    """Let go of what the last ``keep`` releases don't need; returns the releases that are forgotten."""
    everything = notes.releases(stack, configs)
    gone = superseded(everything, notes.pinned(stack, configs), keep)
    notes.forget(stack, gone, configs)
    needed = {
        (kind, name)
        for kept in documents(stack, (one for one in everything if one not in gone)).values()
        for service in kept["services"].values()
        for kind in ("secrets", "configs")
        for name in service["uses"].get(kind, ())
    }
    _remove_files(stack, needed)
    return gone


def forget_all(stack: str) -> None:
    """Let go of all releases, and of the secrets and configs that were made for them."""
    notes.forget_all(stack, configs)
    _remove_files(stack, set())


def _remove_files(stack: str, needed: set[tuple[str, str]]) -> None:
    """Remove secrets and configs of a stack but for the needed ones; what a service has stays anyway."""
    there = configs.labelled(f"{STACK_LABEL}={stack}")
    configs.remove([name for name in there if ("configs", name) not in needed])
    there = configs.labelled(f"{STACK_LABEL}={stack}", "secret")
    configs.remove([name for name in there if ("secrets", name) not in needed], "secret")

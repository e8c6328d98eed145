"""What a deploy on Swarm is decided by, read once: the Compose project, images, what runs, and releases."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from homeport.deploy import facts, notes
from homeport.deploy.desired import ReplicaSet
from homeport.deploy.swarm import document, records
from homeport.engine import configs, containers, git, swarm
from homeport.errors import DefinitionError, EnvironmentProblem
from homeport.model.reference import slug
from homeport.model.release import Release
from homeport.model.stack import Stack, parse_stack

_NAME_MOST = 64 - 1 - 12
"""A secret's name has 64 characters at most, a digest of what is in it among them."""


@dataclass(frozen=True)
class SwarmFacts:
    """The facts of one deploy. ``sets`` is what the Compose file says that should run, ``shared`` what the
    document says of networks and so on; ``files`` by kind and Swarm's name what lies in secrets and configs;
    ``documents`` by number how the services of a release were deployed."""

    stack: Stack
    nodes: int
    sets: Mapping[str, ReplicaSet] = field(hash=False)
    shared: Mapping[str, Mapping[str, Any]] = field(hash=False)
    files: Mapping[tuple[str, str], bytes] = field(hash=False, repr=False)
    running: Mapping[str, swarm.Service] = field(hash=False)
    releases: tuple[Release, ...]
    documents: Mapping[int, Mapping[str, Any]] = field(hash=False)
    warnings: tuple[str, ...]
    revision: str
    dirty: bool


def read(
    compose: Mapping[str, Any],
    cwd: Path,
    services: Sequence[str],
    *,
    files: Sequence[str],
    pull: bool,
    lenient: bool,
) -> SwarmFacts:
    """Read the facts of the project ``compose``, as ``deploy/facts.py`` does.

    ``lenient``: what is wanted is an old release, so today's file needn't be one that Swarm can run. Raises
    EnvironmentProblem or DefinitionError; nothing has been touched then.
    """
    nodes = swarm.nodes()
    first = parse_stack(compose)
    _check_compose(first.name)
    selected = first.select(services)
    with ThreadPoolExecutor(2) as pool:
        revision = pool.submit(git.revision, cwd)
        there = pool.submit(swarm.services, first.name)
        images = facts.images_of({name: first.services[name].image for name in selected}, pull, lenient)
        releases = notes.releases(first.name, configs)
        documents = records.documents(first.name, releases)
        commit, dirty = revision.result()
        running = there.result()
    stack = parse_stack(
        compose,
        {name: image.ports for name, image in images.items()},
        {name for name, image in images.items() if image.checked},
    )
    wanted = [stack.services[name] for name in selected if _can_run(stack, name, nodes, lenient=lenient)]
    references = {
        one.name: document.reference(one.image, images[one.name]) if one.name in images else one.image
        for one in wanted
    }
    kept, data = _files(stack, cwd, files)
    shared = document.shared_document(stack.name, compose, kept)
    sets = {
        one.name: document.labelled(
            one.name,
            document.service_document(one, references[one.name], kept),
            images[one.name].id if one.name in images else "",
            shared,
        )
        for one in wanted
    }
    warnings = document.warnings(wanted, references, nodes)
    return SwarmFacts(stack, nodes, sets, shared, data, running, releases, documents, warnings, commit, dirty)


def _check_compose(stack: str) -> None:
    """Raise EnvironmentProblem if the same project runs by Compose here."""
    if there := [one for one in containers.of_project(stack) if one.active]:
        raise EnvironmentProblem(
            f"Compose runs {stack} on this engine: {there[0].name}, for example.",
            cause="On Swarm all of it would start a second time, beside that and on the same volumes.",
            hint=f"Take it down first ('docker compose --project-name {stack} down'); its volumes stay.",
        )


def _can_run(stack: Stack, name: str, nodes: int, *, lenient: bool) -> bool:
    try:
        document.check(stack.services[name], nodes)
    except DefinitionError:
        if not lenient:
            raise
        return False
    return True


def _files(
    stack: Stack, cwd: Path, files: Sequence[str]
) -> tuple[dict[tuple[str, str], str], dict[tuple[str, str], bytes]]:
    """Swarm's names of secrets and configs, by kind and name; and by kind and Swarm's name what is in them.

    Another content is another name, for Swarm can't change one."""
    found = facts.contents_of(stack, cwd, files)
    names, contents = {}, {}
    for kind in ("secrets", "configs"):
        for name, entry in (stack.document.get(kind) or {}).items():
            data = found.get(f"{kind} {name}")
            if (text := (entry or {}).get("content")) is not None:
                data = str(text).replace("$$", "$").encode()
            if data is None:  # somebody else's
                names[kind, name] = str((entry or {}).get("name") or name)
                continue
            digest = hashlib.sha256(f"{stack.name}\0{kind}\0{name}\0".encode() + data).hexdigest()[:12]
            names[kind, name] = f"{slug(f'{stack.name}_{name}', _NAME_MOST)}_{digest}"
            contents[kind, names[kind, name]] = data
    return names, contents

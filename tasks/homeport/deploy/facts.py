"""Everything a deploy is decided by, read once: the Compose project, images, what runs, and its releases."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from homeport.deploy import front, notes, plan
from homeport.deploy.haproxy import Route
from homeport.deploy.plan import Running
from homeport.engine import compose, containers, git, images
from homeport.engine.images import Image
from homeport.errors import EnvironmentProblem
from homeport.model.release import Release
from homeport.model.stack import Stack, parse_stack

_PULLS = 4


@dataclass(frozen=True)
class DeployFacts:
    """The facts of one deploy.

    By service: ``images`` the ids that it would run, ``running`` what it runs now, ``routes`` what its front
    does. ``files`` are digests of secrets and configs that lie in files.
    """

    stack: Stack
    images: Mapping[str, str] = field(hash=False)
    running: Mapping[str, Running] = field(hash=False)
    routes: Mapping[str, Route] = field(hash=False)
    files: Mapping[str, str] = field(hash=False)
    releases: tuple[Release, ...]
    revision: str
    dirty: bool


def read(
    document: Mapping[str, Any],
    cwd: Path,
    services: Sequence[str],
    *,
    files: Sequence[str],
    pull: bool,
    lenient: bool,
) -> DeployFacts:
    """Read the facts of the project that ``document`` is, as Compose resolved it from ``files``.

    Images that the engine doesn't have are pulled if ``pull``; ``lenient``: they aren't needed, for what is
    wanted is an old release. Raises DefinitionError or EnvironmentProblem;
    nothing else has been touched then.
    """
    first = parse_stack(document)
    selected = first.select(services)
    with ThreadPoolExecutor(3) as pool:
        revision = pool.submit(git.revision, cwd)
        there = pool.submit(look, first.name)
        kept = pool.submit(notes.releases, first.name)
        found = images_of({name: first.services[name].image for name in selected}, pull, lenient)
        running, routes = there.result()
        commit, dirty = revision.result()
        releases = kept.result()
    return DeployFacts(
        parse_stack(
            document,
            {name: image.ports for name, image in found.items()},
            {name for name, image in found.items() if image.checked},
        ),
        {name: image.id for name, image in found.items()},
        running,
        routes,
        # Digests, so that another content is another configuration.
        {name: hashlib.sha256(data).hexdigest() for name, data in contents_of(first, cwd, files).items()},
        releases,
        commit,
        dirty,
    )


def look(stack: str) -> tuple[dict[str, Running], dict[str, Route]]:
    """What runs of a stack now, and what its fronts do."""
    everything = containers.of_project(stack)
    first = plan.sort(everything, {})
    routes = front.read_routes({name: one.front.id for name, one in first.items() if one.front})
    return plan.sort(everything, routes), routes


def images_of(names: Mapping[str, str], pull: bool, lenient: bool) -> dict[str, Image]:
    """By service the image; what the engine doesn't have is pulled. Raises EnvironmentProblem."""
    there = images.find(names.values())
    missing = [name for name, image in there.items() if image is None and not lenient]
    if missing and not pull:
        raise EnvironmentProblem(
            f"The engine doesn't have {', '.join(missing[:5])}: what would change can't be told.",
            hint="'homeport build' builds what is yours, 'docker compose pull --ignore-buildable' gets the "
            "others; without --dry-run a deploy pulls by itself.",
        )
    if missing:
        with ThreadPoolExecutor(_PULLS) as pool:
            said = dict(zip(missing, pool.map(images.pull, missing), strict=True))
        there |= images.find(missing)
        gone = [name for name in missing if there[name] is None]
        if gone:
            users = ", ".join(service for service, image in names.items() if image == gone[0])
            raise EnvironmentProblem(
                f"The image {gone[0]} of {users} is not there and can't be pulled.",
                cause=said[gone[0]][1],
                hint="Build it ('homeport build'), or log in to its registry.",
                detail="\n".join(f"also missing: {name}" for name in gone[1:]),
            )
    return {service: found for service, name in names.items() if (found := there[name])}


def contents_of(stack: Stack, cwd: Path, files: Sequence[str]) -> dict[str, bytes]:
    """By ``secrets NAME``, ``configs NAME`` what lies in files and variables. Raises EnvironmentProblem."""
    found = {}
    variables: str | None = None
    for kind in ("secrets", "configs"):
        for name, entry in (stack.document.get(kind) or {}).items():
            if named := (entry or {}).get("environment"):
                variables = compose.environment(files, cwd) if variables is None else variables
                value = compose.variable(str(named), variables)
                found[f"{kind} {name}"] = value.encode("utf-8", "surrogateescape")
            path = (entry or {}).get("file")
            if not path:
                continue
            try:
                found[f"{kind} {name}"] = (cwd / path).read_bytes()
            except OSError as error:
                raise EnvironmentProblem(
                    f"The file of {kind[:-1]} '{name}' can't be read: {error.strerror}.",
                    hint=f"Put it where the Compose file says: {path}.",
                ) from error
    return found

"""Images in the engine: which there are, what they carry, and another name for one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from homeport.engine import api, process
from homeport.model.reference import normalized, repository


@dataclass(frozen=True)
class Image:
    """One image: its id in this engine, every name it has (with tag or digest), labels and triggers."""

    id: str
    names: frozenset[str]
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    triggers: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    """Registry digests (``sha256:...``) by which it is known, with the repository: ``name@sha256:...``."""
    ports: tuple[int, ...] = ()
    """The TCP ports that it says it serves (``EXPOSE``)."""
    checked: bool = False
    """Whether it says how its health is checked (``HEALTHCHECK``)."""
    user: str = ""
    """Who runs what it makes, as it says; empty: root."""

    def digest_for(self, reference: str) -> str:
        """The digest that stands for this image under this name: the registry's where it has one."""
        wanted = repository(normalized(reference))
        own = sorted(item for item in self.digests if repository(normalized(item)) == wanted)
        return own[0].partition("@")[2] if own else self.id


def find(references: Iterable[str]) -> dict[str, Image | None]:
    """By reference or id the image in the engine, None for those that aren't there."""
    wanted = list(dict.fromkeys(references))
    if not wanted:
        return {}
    try:
        answers = api.get_all(map(api.image_path, wanted))
        if all(status in {200, 404} for status, _ in answers):
            return {
                reference: parse(document) if status == 200 else None
                for reference, (status, document) in zip(wanted, answers, strict=True)
            }
    except api.NoDirectWay:
        pass
    return _find_by_command(wanted)


def ids(references: Iterable[str]) -> dict[str, str]:
    """By reference or id the id of the image in the engine, empty for those that aren't there.

    An image's history begins with its id. The engine tells that three times as fast as all that
    :func:`find` wants to know, for which it adds up sizes (moby daemon/containerd/image_inspect.go).
    """
    wanted = list(dict.fromkeys(references))
    try:
        answers = api.get_all(api.image_path(reference, "history") for reference in wanted)
    except api.NoDirectWay:
        answers = [(0, None)] * len(wanted)
    found = {
        reference: str(document[0].get("Id") or "")
        for reference, (status, document) in zip(wanted, answers, strict=True)
        if status == 200 and document
    }
    # Not every image has a history, nor its first entry an id.
    rest = find(reference for reference in wanted if not found.get(reference, "").startswith("sha256:"))
    return found | {reference: image.id if image else "" for reference, image in rest.items()}


def _find_by_command(wanted: list[str]) -> dict[str, Image | None]:
    # Fails if one of them isn't there, and shows the others all the same.
    done = process.run(["docker", "image", "inspect", "--", *wanted])
    try:
        documents = json.loads(done.stdout or "[]")
    except ValueError:
        documents = []
    found = [parse(document) for document in documents]
    by_name = {name: image for image in found for name in image.names} | {image.id: image for image in found}
    return {reference: by_name.get(reference) or by_name.get(normalized(reference)) for reference in wanted}


def parse(document: Mapping[str, Any]) -> Image:
    """An image from the engine's description of it."""
    config = document.get("Config") or {}
    digests = tuple(str(item) for item in document.get("RepoDigests") or ())
    tags = tuple(str(item) for item in document.get("RepoTags") or ())
    return Image(
        str(document.get("Id") or ""),
        frozenset(normalized(name) for name in (*tags, *digests)),
        {str(key): str(value) for key, value in (config.get("Labels") or {}).items()},
        tuple(str(item) for item in config.get("OnBuild") or ()),
        digests,
        tuple(sorted(int(port[:-4]) for port in config.get("ExposedPorts") or () if port.endswith("/tcp"))),
        ((config.get("Healthcheck") or {}).get("Test") or ["NONE"]) != ["NONE"],
        str(config.get("User") or ""),
    )


def tag(image: str, name: str) -> bool:
    """Give an image of the engine another name; False if it can't be."""
    return process.run(["docker", "image", "tag", image, name]).code == 0


def untag(names: Iterable[str]) -> None:
    """Take names away; an image that has no other, and that no container has, goes with its last one."""
    for name in names:
        process.run(["docker", "image", "rm", "--", name], timeout=120)


def pull(reference: str) -> tuple[bool, str]:
    """Fetch an image from its registry; whether that worked, and the last words."""
    done = process.run(["docker", "pull", "--quiet", reference], timeout=1800)
    return done.code == 0, (done.stderr.strip().splitlines() or [""])[-1]

"""The repository's build definition under the bench's own names, for a copy of it. Pure.

What bake printed goes back to bake, so all else of a target means what it means there.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from homeport.model import graph
from homeport.model.reference import familiar
from homeport.model.targets import TARGET_SCHEME, Definition, Target, attributes, escape, unescape

_DROPPED = ("tags", "output", "cache-from", "cache-to")
"""Names, and what is written elsewhere or read from there: other people's registries and files."""


@dataclass(frozen=True)
class Builds:
    """What this repository builds. By target: ``graph`` has what it is built on, ``tagged`` which images that
    its Dockerfile names are other targets' (see build/links.py)."""

    definition: Definition
    graph: Mapping[str, tuple[str, ...]] = field(hash=False)
    tagged: Mapping[str, Mapping[str, str]] = field(hash=False)

    @property
    def order(self) -> tuple[str, ...]:
        """The targets that are asked for and all that they are built on, in an order in which it goes."""
        needed = graph.closure(self.graph, self.definition.requested)
        batches = graph.batches({name: self.graph[name] for name in self.graph if name in needed})
        return tuple(name for batch in batches for name in batch)

    def only(self, names: Collection[str]) -> Builds:
        """The same with these targets asked for."""
        asked = tuple(name for name in self.definition.targets if name in names)
        return Builds(Definition(self.definition.targets, asked), self.graph, self.tagged)


@dataclass(frozen=True)
class Places:
    """Where paths of a definition lie: ``root`` is the repository's folder in which homeport was started,
    ``top`` the outermost one that is copied (git's); both absolute."""

    root: Path
    top: Path

    def moved(self, path: str, base: Path | None = None) -> str:
        """A path as it has to stand in a definition of the copy: relative to ``base`` (the root) if it is
        copied, else absolute."""
        start = base or self.root
        full = os.path.normpath(start / path.removeprefix("cwd://"))
        if Path(full).is_relative_to(self.top):
            return Path(os.path.relpath(full, start)).as_posix()
        return full


def bake_document(
    builds: Builds,
    tags: Mapping[str, str],
    labels: Mapping[str, str],
    places: Places,
    *,
    uncached: Collection[str] = (),
    inline: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The bake document of all that is asked for; ``tags`` by target are the images' names.

    Steps of targets in ``uncached`` run whatever is cached. ``inline`` are other texts of Dockerfiles that
    stand in the definition, by target.
    """
    made = {}
    for name in builds.order:
        target = builds.definition.targets[name]
        spec = {key: value for key, value in target.spec.items() if key not in _DROPPED}
        spec["tags"] = [tags[name]]
        spec["labels"] = {**(spec.get("labels") or {}), **{key: escape(one) for key, one in labels.items()}}
        _move(spec, target, places)
        contexts = dict(spec.get("contexts") or {})
        for image, maker in builds.tagged.get(name, {}).items():
            contexts.setdefault(familiar(image), f"{TARGET_SCHEME}{maker}")
            for key, value in contexts.items():
                if value == f"docker-image://{image}":
                    contexts[key] = f"{TARGET_SCHEME}{maker}"
        if contexts:
            spec["contexts"] = contexts
        if name in uncached:
            spec["no-cache"] = True
        if inline and name in inline:
            spec["dockerfile-inline"] = escape(inline[name])
        made[name] = spec
    return {"group": {"default": {"targets": list(builds.definition.requested)}}, "target": made}


def alone(whole: Mapping[str, Any], name: str, *, images: bool) -> dict[str, Any]:
    """The part of a document that builds one target, what it is built on being built already.

    ``images``: the builder sees the engine's images, so that a link is its image; else it stays a link.
    """
    spec = dict(whole["target"][name])
    needed = {name: spec}
    contexts = dict(spec.get("contexts") or {})
    for key, value in contexts.items():
        if value.startswith(TARGET_SCHEME):
            linked = value.removeprefix(TARGET_SCHEME)
            if images:
                contexts[key] = f"docker-image://{whole['target'][linked]['tags'][0]}"
            else:
                # Built by a command of its own before: here only what is cached of it counts.
                more = alone(whole, linked, images=False)["target"]
                needed |= {one: {**each, "no-cache": False} for one, each in more.items()}
    if contexts:
        spec["contexts"] = contexts
    return {"group": {"default": {"targets": [name]}}, "target": needed}


def _move(spec: dict[str, Any], target: Target, places: Places) -> None:
    """Let the paths of a target lead into the copy, or to where they led."""
    if is_local(target.context):
        spec["context"] = escape(places.moved(target.context))
        if Path(target.dockerfile).is_absolute():
            base = Path(os.path.normpath(places.root / target.context))
            spec["dockerfile"] = escape(places.moved(target.dockerfile, base))
    contexts = spec.get("contexts") or {}
    if contexts:
        spec["contexts"] = {
            key: escape(places.moved(unescape(str(value)))) if is_local(str(value)) else value
            for key, value in contexts.items()
        }
    if secrets := spec.get("secret"):
        # Files with secrets aren't copied: they are read where they lie.
        spec["secret"] = [_secret(attributes(item), places.root) for item in secrets]


def _secret(item: Mapping[str, str], root: Path) -> dict[str, str]:
    found = dict(item)
    for key in ("src", "source"):
        if found.get(key):
            found[key] = os.path.normpath(root / found[key])
    return found


def is_local(context: str) -> bool:
    """Whether a context is a folder of this machine, and no link, image, archive or URL."""
    scheme = context.partition(":")[0]
    if context.startswith("cwd://"):
        return True
    return context != "-" and "://" not in context and scheme not in {"target", "git@github.com"}


def dockerfile(target: Target, tree: Path, places: Places) -> Path | None:
    """Where a target's Dockerfile lies in a copy; None if it isn't in it. ``tree`` is the copy's root."""
    if target.inline_dockerfile is not None or not is_local(target.context):
        return None
    moved = Path(places.moved(target.context))
    path = Path(os.path.normpath(tree / moved / target.dockerfile))
    # buildx takes a lower-case name, too, where the usual one is not there.
    if not path.is_file() and path.name == "Dockerfile":
        path = path.with_name("dockerfile")
    return path if not moved.is_absolute() and path.is_file() else None

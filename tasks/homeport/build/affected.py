"""Which targets a set of changed files can have any effect on: by their Dockerfiles, contexts and definition.

Deleted files count, so it is the patterns of COPY that are asked, and not only what lies on the disk. Pure.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from homeport.model import graph
from homeport.model.reading import Source
from homeport.sources.context import Reads
from homeport.sources.tree import component_matcher

_DEFINITION = re.compile(r"(^|[._-])(compose|bake)\b.*\.(ya?ml|hcl|json)$|\.hcl$|^\.env$", re.IGNORECASE)
"""Names of files that say what is built: which of them include which others only bake and Compose know."""
_SETTINGS = (".yml", ".yaml", ".json", ".hcl", ".env", ".toml")


_WHOLE = "."
"""Stands for a context as a whole."""


@dataclass(frozen=True)
class Touched:
    """What a target's image depends on, as files: contexts, and files that count by themselves.

    ``unknown``: it may depend on anything.
    """

    reads: tuple[Reads, ...] = ()
    files: tuple[str, ...] = ()
    unknown: bool = False


def affected(
    targets: Mapping[str, Touched],
    needs: graph.Graph,
    paths: Iterable[str],
    definitions: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, str]:
    """By target that can be affected by changes of ``paths`` (absolute), the reason in a few words.

    ``definitions`` are the files that say what is built, and their texts. Whatever these mention by its name
    may belong to them (``include``, ``extends``, ``env_file``), and so may files that are called like them.
    """
    changed = sorted(map(_slashed, paths))
    said = "\0".join(definitions.values())
    own = set(map(_slashed, definitions))
    everything = next(
        (
            path
            for path in changed
            if path in own
            or _DEFINITION.search(posixpath.basename(path))
            or (path.endswith(_SETTINGS) and posixpath.basename(path) in said)
        ),
        "",
    )
    visible: dict[tuple[str, tuple[str, ...]], list[str]] = {}

    def inside(reads: Reads) -> list[str]:
        key = (reads.folder, reads.ignore.patterns)
        if key not in visible:
            visible[key] = _visible(reads, changed)
        return visible[key]

    found: dict[str, str] = {}
    for name, touched in targets.items():
        files = set(map(_slashed, touched.files))
        reason = everything or next((path for path in changed if path in files), "")
        for reads in touched.reads if not reason else ():
            reason = reason or next((path for path in inside(reads) if _reads(reads, path)), "")
        if reason or touched.unknown:
            shown = "its context" if reason == _WHOLE else posixpath.basename(reason)
            found[name] = f"{shown} changed" if reason else "nobody knows what it reads"
    for name in list(found):
        for other in graph.dependents(needs, name):
            if other in targets:
                found.setdefault(other, f"builds on {name}")
    return found


def _visible(reads: Reads, changed: Iterable[str]) -> list[str]:
    """Those of the paths that the context shows, relative to it."""
    folder = f"{_slashed(reads.folder)}/"
    found = [path[len(folder) :] for path in changed if path.startswith(folder)]
    # The context itself, or a submodule that it lies in.
    whole = any(folder.startswith(f"{path}/") for path in changed)
    return [_WHOLE] * whole + [path for path in found if not reads.ignore.excludes(path)]


def _reads(reads: Reads, path: str) -> bool:
    return (
        path == _WHOLE
        or any(_matches(source, path) for source in reads.sources)
        or any(not node.path or f"{path}/".startswith(f"{node.path}/") for node in reads.nodes)
        or _was_searched(reads, path)
    )


def _was_searched(reads: Reads, path: str) -> bool:
    """Whether a wildcard was looked for where ``path`` is: behind a link, deleted files show only so."""
    name = posixpath.basename(path)
    folder = posixpath.dirname(f"{_slashed(reads.folder)}/{path}")
    return folder in map(_slashed, reads.deciding) and any(
        component_matcher(posixpath.basename(source.path.rstrip("/"))).match(name) for source in reads.sources
    )


def _slashed(path: str) -> str:
    return path.replace(os.sep, "/")


def _matches(source: Source, path: str) -> bool:
    """Whether a COPY source takes ``path``, a folder above it, or something below it."""
    if source.parents:
        return True
    wanted = [part for part in posixpath.normpath(f"/{source.path}").split("/") if part]
    return all(
        component_matcher(pattern).match(name) for pattern, name in zip(wanted, path.split("/"), strict=False)
    )

"""The files that a target reads of its contexts: what COPY sources lead to, through the right ignore file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from homeport.model.fingerprint import Files, Listing, digest_of
from homeport.model.ignore import Ignore, read_patterns
from homeport.model.reading import Source
from homeport.sources.disk import Disk, SourceProblem
from homeport.sources.tree import Node, Tree


@dataclass(frozen=True)
class Reads:
    """What one target reads of one context; ``folder`` is absolute, ``nodes`` what its sources lead to.

    ``deciding`` are paths beside them that decide which these are: ignore files, and the folders that were
    searched for names.
    """

    folder: str
    ignore: Ignore
    sources: tuple[Source, ...]
    nodes: tuple[Node, ...]
    listing: Listing
    deciding: frozenset[str] = frozenset()

    def has_any(self, paths: Iterable[str]) -> bool:
        """Whether one of these files of this machine is among what is read, or decides what that is."""
        exact = {node.item.path for node in self.nodes} | self.deciding
        folders = tuple(f"{node.item.path}{os.sep}" for node in self.nodes if node.is_folder)
        return any(path in exact or path.startswith(folders) for path in paths)


@dataclass(frozen=True)
class Choice:
    """What sources lead to in one context, with nothing hashed.

    ``folder`` is absolute, ``above`` are the folders that come along without what else is in them,
    ``deciding`` is that of :class:`Reads`.
    """

    folder: str
    tree: Tree
    ignore: Ignore
    nodes: tuple[Node, ...]
    above: tuple[Node, ...]
    deciding: frozenset[str]


class Contexts:
    """One look at all contexts: each folder is walked once for each ignore file, each file read once."""

    def __init__(self) -> None:
        self.disk = Disk()
        self._trees: dict[tuple[str, tuple[str, ...]], tuple[Tree, Ignore]] = {}
        self._files: dict[str, Files] = {}

    def read(self, folder: Path, dockerfile: Path | None, sources: tuple[Source, ...]) -> Reads:
        """What ``sources`` mean in the context ``folder``; ``dockerfile`` may have an ignore file of its own.

        Raises SourceProblem for what can't be read, PatternError for an ignore file that is wrong.
        """
        chosen = self.choose(folder, dockerfile, sources)
        listing = self._listing(chosen.tree, chosen.nodes, chosen.above)
        return Reads(chosen.folder, chosen.ignore, sources, chosen.nodes, listing, chosen.deciding)

    def choose(
        self,
        folder: Path,
        dockerfile: Path | None,
        sources: tuple[Source, ...],
        patterns: tuple[str, ...] | None = None,
    ) -> Choice:
        """Like :meth:`read`, but no content is read; ``patterns`` take the place of the ignore file's."""
        deciding = {str(path) for path in ignore_files(folder, dockerfile)}
        for path in deciding:
            self.disk.note(path)
        if patterns is None:
            patterns = _patterns(ignore_file(folder, dockerfile))
        key = (os.path.realpath(folder), patterns)
        if key not in self._trees:
            ignore = Ignore(patterns)
            self._trees[key] = Tree(self.disk, key[0], ignore), ignore
        tree, ignore = self._trees[key]
        nodes: dict[str, Node] = {}
        above: dict[str, Node] = {}
        for source in sources:
            select = tree.select_matching if source.parents else tree.select
            chosen = select(source.path, deciding)
            nodes |= {node.path: node for node in chosen}
            if source.parents:  # the folders above come along, but not what else is in them
                above |= {folder.path: folder for node in chosen for folder in tree.above(node)}
        found = tuple(nodes[path] for path in sorted(nodes) if not _covered(path, nodes))
        folders = tuple(above[path] for path in sorted(above) if path not in nodes)
        return Choice(key[0], tree, ignore, found, folders, frozenset(deciding))

    def _listing(self, tree: Tree, nodes: tuple[Node, ...], folders: tuple[Node, ...]) -> Listing:
        digests = [(node.path, tree.digest(node).hex()) for node in nodes]
        headers = [(f"{folder.path}/", tree.header(folder).hex()) for folder in folders]
        digest = digest_of(digests + headers)

        def files() -> Files:
            # Many targets read the same: one list for all of them.
            if digest not in self._files:
                below = (node for top in nodes for node in tree.walk(top) if node.path)
                self._files[digest] = {node.path: tree.entry(node) for node in (*folders, *below)}
            return self._files[digest]

        return Listing(digest, files)


def ignore_files(context: Path, dockerfile: Path | None) -> tuple[Path, ...]:
    """Where an ignore file may lie, the one that counts first: the Dockerfile's own, then the context's."""
    own = (dockerfile.with_name(f"{dockerfile.name}.dockerignore"),) if dockerfile else ()
    return (*own, context / ".dockerignore")


def ignore_file(context: Path, dockerfile: Path | None) -> Path | None:
    """The ignore file that counts; None if there is none."""
    return next((path for path in ignore_files(context, dockerfile) if path.is_file()), None)


def _patterns(found: Path | None) -> tuple[str, ...]:
    if found is None:
        return ()
    try:
        return read_patterns(found.read_bytes())
    except OSError as error:
        raise SourceProblem(str(found), error.strerror or str(error)) from error


def _covered(path: str, nodes: Mapping[str, Node]) -> bool:
    """Whether a chosen folder above ``path`` brings it along."""
    while path:
        path = path.rpartition("/")[0]
        if path in nodes and nodes[path].is_folder:
            return True
    return False

"""A build context as BuildKit sees it: what its ignore file leaves of a folder, each node with a digest."""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
from collections.abc import Iterator

from homeport.model.ignore import Ignore, Match
from homeport.sources.disk import Disk, Item

_SHORT = 16
MOST_LINKS = 255
"""How many links are followed for one path; BuildKit's limit for its own resolution."""


class Node:
    """A file, link or directory of a context; ``path`` is relative to it, with ``/``, empty for its root."""

    __slots__ = ("_digest", "children", "item", "match", "path")

    def __init__(self, item: Item, path: str, match: Match) -> None:
        self.item = item
        self.path = path
        self.match = match
        self.children: dict[str, Node] | None = None
        self._digest: bytes | None = None

    @property
    def is_folder(self) -> bool:
        return self.item.kind == "d"


class Tree:
    """One context folder through one ignore file. Directories are read when they are first asked for.

    Every method raises SourceProblem for what can't be read, except where the ignore file leaves it out.
    """

    def __init__(self, disk: Disk, folder: str, ignore: Ignore) -> None:
        self._disk = disk
        self._ignore = ignore
        self._folder = os.path.realpath(folder)
        self.root = Node(Item("", self._folder, "d", 0, 0, b""), "", ignore.root())

    def children(self, node: Node) -> dict[str, Node]:
        """What BuildKit would see in a directory, by name."""
        if node.children is None:
            found = {}
            for item in self._disk.listing(node.item.path):
                path = f"{node.path}/{item.name}" if node.path else item.name
                child = Node(item, path, self._ignore.step(node.match, path))
                if not child.match.excluded or (child.is_folder and self._shows_something(child)):
                    found[item.name] = child
            node.children = found
        return node.children

    def _shows_something(self, folder: Node) -> bool:
        """Whether an excluded directory appears after all, because an exception names something in it."""
        return self._ignore.may_reinclude_below(folder.match, folder.path) and bool(self.children(folder))

    def resolve(self, path: str) -> tuple[Node, ...]:
        """The nodes that ``path`` means: what it names, and before it each link on the way.

        Links are followed within the context, as if its folder were the root of the file system. Empty for
        what isn't there.
        """
        links: list[Node] = []
        node, rest = self.root, _components(path)
        trail = [node]
        while rest:
            name = rest.pop(0)
            if name == "..":
                trail = trail[:-1] or trail
                node = trail[-1]
                continue
            if not node.is_folder:
                return tuple(links)
            child = self.children(node).get(name)
            if child is None:
                return tuple(links)
            if child.item.kind == "l":
                links.append(child)
                if len(links) > MOST_LINKS:
                    return tuple(links)
                aim = os.fsdecode(child.item.detail.partition(b"\0")[0])
                if aim.startswith("/"):
                    node, trail = self.root, [self.root]
                rest = [*_components(aim), *rest]
                continue
            node = child
            trail.append(node)
        return (*links, node)

    def select(self, source: str, searched: set[str] | None = None) -> tuple[Node, ...]:
        """The nodes that a COPY source means, by its rules for wildcards (Go's filepath.Match).

        Each once, in the order of their paths. The folders that were searched for names are put into
        ``searched``.
        """
        source = posixpath.normpath(f"/{source}")
        found: dict[str, Node] = {}
        for path in self._expanded(source, searched) if _has_wildcard(source) else [source]:
            found |= {node.path: node for node in self.resolve(path)}
        return tuple(found[path] for path in sorted(found))

    def _expanded(self, source: str, searched: set[str] | None) -> list[str]:
        level = [""]
        for component in _components(source):
            wanted = component_matcher(component) if _has_wildcard(component) else None
            following = []
            for path in level:
                if wanted is None:
                    following.append(f"{path}/{component}")
                    continue
                nodes = self.resolve(path)
                if nodes and nodes[-1].is_folder:
                    if searched is not None:
                        searched.add(nodes[-1].item.path)
                    following += [f"{path}/{name}" for name in self.children(nodes[-1]) if wanted.match(name)]
            level = following
        return level

    def select_matching(self, pattern: str, searched: set[str] | None = None) -> tuple[Node, ...]:
        """The nodes that ``COPY --parents`` takes: its patterns are those of ignore files, with ``**``.

        What stands before ``/./`` is a path as in any other COPY, and isn't repeated in the image.
        """
        base, pivot, rest = pattern.partition("/./")
        base, rest = (base, rest) if pivot else ("", base)
        base, rest = (posixpath.normpath(f"/{part}").strip("/") for part in (base, rest))
        start = self.select(base, searched)
        if not rest or any(node.item.kind == "l" for node in start):
            # Through a link everything there counts: rare, and never too little.
            return start
        wanted = Ignore([posixpath.join(base, rest)])
        found = []
        stack = [(self.root, wanted.root())]
        while stack:
            node, match = stack.pop()
            if searched is not None:
                searched.add(node.item.path)
            for child in self.children(node).values():
                below = wanted.step(match, child.path)
                if below.excluded:
                    found.append(child)
                elif child.is_folder:
                    stack.append((child, below))
        return tuple(sorted(found, key=lambda node: node.path))

    def above(self, node: Node) -> Iterator[Node]:
        """The folders that a node lies in, without the context's root."""
        current = self.root
        for name in node.path.split("/")[:-1]:
            current = self.children(current)[name]
            yield current

    def digest(self, node: Node) -> bytes:
        """SHA-256 over everything that counts of a node and all below it; a context's root has no mode."""
        if node._digest is None:
            order = list(self.walk(node))
            self._disk.read_contents(each.item for each in order if each.item.kind == "f")
            # Children come after their parents, so from the end every child's digest is there.
            for each in reversed(order):
                each._digest = self._own_digest(each)
            if node._digest is None:
                raise AssertionError("a walk begins with its own node")
        return node._digest

    def walk(self, node: Node) -> Iterator[Node]:
        """The node and all below it, parents first, each directory's names in order."""
        stack = [node]
        while stack:
            current = stack.pop()
            yield current
            if current.is_folder:
                stack.extend(reversed(self.children(current).values()))

    def _own_digest(self, node: Node) -> bytes:
        digest = hashlib.sha256(self.header(node))
        if node.item.kind == "f":
            digest.update(self._disk.content(node.item.path))
        elif node.children:
            for name, child in node.children.items():
                digest.update(b"%s\0%s" % (os.fsencode(name), child._digest))
        return digest.digest()

    def entry(self, node: Node) -> tuple[str, str]:
        """Content and mode of a node as short texts, for a list that says what changed."""
        kind, detail = node.item.kind, node.item.detail
        mode = f"{node.item.mode:o}"
        if kind == "d":
            return "/", mode
        if kind == "f":
            more = hashlib.sha256(detail).hexdigest()[:6] if detail else ""
            return self._disk.content(node.item.path).hex()[:_SHORT] + more, mode
        return f"{kind}{hashlib.sha256(detail).hexdigest()[:_SHORT]}", mode

    def header(self, node: Node) -> bytes:
        """What counts of a node beside its content."""
        mode = node.item.mode if node.path else 0
        return b"%s %o %d\0%s\0" % (node.item.kind.encode(), mode, len(node.item.detail), node.item.detail)


def _components(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in {"", "."}]


def _has_wildcard(text: str) -> bool:
    return any(char in text for char in "*?[\\")


def component_matcher(pattern: str) -> re.Pattern[str]:
    """Go's filepath.Match for one component; what is malformed matches everything: never too little."""
    parts, position = [], 0
    while position < len(pattern):
        char = pattern[position]
        position += 1
        if char == "*":
            parts.append(".*")
        elif char == "?":
            parts.append(".")
        elif char == "\\" and position < len(pattern):
            parts.append(re.escape(pattern[position]))
            position += 1
        elif char == "[":
            return re.compile("")  # rare, and not worth being narrower than "anything"
        else:
            parts.append(re.escape(char))
    return re.compile("".join(parts) + r"\Z", re.DOTALL)

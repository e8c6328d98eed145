"""YAML text as a tree that knows where everything stands. Nothing here writes YAML.

ruamel.yaml's nodes have their places in the text, but an alias there *is* the node that it stands for. Here
it stays an :class:`Alias` with a place of its own, so that what is shared can be seen.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from homeport.errors import DefinitionError

MOST_BYTES = 8_000_000
"""Bigger files are refused: a Compose file of 10,000 lines has a twentieth of it."""

MOST_VALUES = 1_000_000
"""More values than that, with all aliases written out, are an attack or a mistake."""

_NULLS = {"", "~", "null", "Null", "NULL"}
_MERGE = "<<"
TAGS = ("!reset", "!override")
"""The tags that Compose knows: nothing of what earlier files say, or this instead of it."""


class Alias(Node):
    """A place where ``*name`` stands, and the node that it stands for."""

    __slots__ = ("target",)

    def __init__(self, target: Node, start: Any, end: Any) -> None:
        super().__init__(target.ctag, None, start, end)
        self.target = target


@dataclass(frozen=True)
class Tagged:
    """A value under one of Compose's own tags."""

    tag: str
    value: Any


@dataclass(frozen=True, eq=False)
class Document:
    """A file as it was read: its text without the byte order mark (``mark``), a tree for each document."""

    path: Path
    text: str
    mark: bool
    roots: tuple[Node, ...]
    values: tuple[Any, ...]
    """Each document's content: texts, None, lists and dicts; aliases and merges written out."""
    shared: frozenset[int]
    """The ``id`` of each node that an alias stands for."""

    def encoded(self, text: str) -> bytes:
        """Another text as this file's bytes."""
        return text.encode("utf-8-sig" if self.mark else "utf-8")


class _Composer(Composer):
    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.parser.check_event(AliasEvent) and self.parser.peek_event().anchor in self.anchors:
            event = self.parser.get_event()
            return Alias(self.anchors[event.anchor], event.start_mark, event.end_mark)
        return super().compose_node(parent, index)


def parse(data: bytes, path: Path, shown: str) -> Document:
    """A file's bytes as a tree; ``shown`` names it in errors.

    Raises DefinitionError, with the line, for what is no UTF-8, no YAML, or has a key twice.
    """
    if len(data) > MOST_BYTES:
        raise DefinitionError(f"{shown} has {len(data) // 10**6} MB: that is no Compose file.")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise DefinitionError(
            f"{shown}, line {line}: this is no UTF-8.", hint="Save the file as UTF-8, then try again."
        ) from error
    mark = text.startswith("\ufeff")
    text = text[mark:]
    if re.search(r"\r(?!\n)", text):
        raise DefinitionError(
            f"{shown} has line ends of a single carriage return.", hint="Save it with LF or CRLF."
        )
    try:
        roots = tuple(_roots(text))
        reader = _Values(shown)
        values = tuple(reader.of(root) for root in roots)
    except RecursionError as error:
        raise DefinitionError(f"{shown}: its parts are nested too deeply.") from error
    except YAMLError as error:
        raise _unreadable(error, shown) from error
    return Document(path, text, mark, roots, values, frozenset(reader.shared))


def _roots(text: str) -> Iterator[Node]:
    yaml = YAML(typ="safe", pure=True)
    yaml.Composer = _Composer
    with warnings.catch_warnings():
        # An anchor may be defined anew; ruamel.yaml warns of it.
        warnings.simplefilter("ignore")
        yield from (root for root in yaml.compose_all(text) if root is not None)


def _unreadable(error: YAMLError, shown: str) -> DefinitionError:
    place, problem = shown, str(error).partition("\n")[0]
    if isinstance(error, MarkedYAMLError):
        found = error.problem_mark or error.context_mark
        place = f"{shown}, line {found.line + 1}, column {found.column + 1}" if found else shown
        problem = f"{error.problem or error.context}"
    if r"'\t'" in problem:
        # Compose takes some of them: behind a colon, at the end of a line.
        return DefinitionError(
            f"{place}: a tab stands where only blanks can be read.",
            cause="YAML allows no tabs in indents; elsewhere Compose may take one that homeport doesn't.",
            hint="Put blanks in its place.",
        )
    return DefinitionError(
        f"{place}: this is no YAML.",
        cause=f"The parser says: {problem}.",
        hint="Correct it there; 'docker compose config' must be able to read it, too.",
    )


class _Values:
    """What nodes stand for. Nodes that are shared become values that are shared."""

    def __init__(self, shown: str) -> None:
        self._shown = shown
        self._known: dict[int, tuple[Any, int]] = {}
        self._open: set[int] = set()
        self.shared: set[int] = set()

    def of(self, node: Node) -> Any:
        return self._sized(node)[0]

    def _sized(self, node: Node) -> tuple[Any, int]:
        if isinstance(node, Alias):
            self.shared.add(id(node.target))
            return self._sized(node.target)
        if id(node) in self._known:
            return self._known[id(node)]
        if id(node) in self._open:
            raise self._error(node, "an anchor holds itself")
        self._open.add(id(node))
        value, count = self._read(node)
        self._open.remove(id(node))
        if count > MOST_VALUES:
            raise self._error(node, "its aliases stand for too many values")
        if node.tag in TAGS:
            value = Tagged(str(node.tag), value)
        self._known[id(node)] = value, count
        return value, count

    def _read(self, node: Node) -> tuple[Any, int]:
        if isinstance(node, MappingNode):
            return self._mapping(node)
        if isinstance(node, SequenceNode):
            items = [self._sized(item) for item in node.value]
            return [value for value, _ in items], 1 + sum(count for _, count in items)
        return (None if is_null(node) else node.value), 1

    def _mapping(self, node: MappingNode) -> tuple[dict[str, Any], int]:
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        size = 1
        for key, child in node.value:
            value, count = self._sized(child)
            size += count
            if is_merge(key):
                for source in value if isinstance(value, list) else [value]:
                    if not isinstance(source, dict):
                        raise self._error(key, "'<<' merges something that is no mapping")
                    merged = {**source, **merged}
                continue
            name = (key.target if isinstance(key, Alias) else key).value
            if not isinstance(name, str):
                raise self._error(key, "a key that is no text")
            if name in own:
                raise self._error(key, f"the key '{name}' stands there twice")
            own[name] = value
        return {**merged, **own}, size

    def _error(self, node: Node, what: str) -> DefinitionError:
        return DefinitionError(
            f"{self._shown}, line {node.start_mark.line + 1}: {what}.",
            hint="Correct it there; Compose refuses such a file, too.",
        )


def is_null(node: Node) -> bool:
    """Whether a node says nothing: ``key:`` or ``key: null``."""
    return isinstance(node, ScalarNode) and node.style is None and node.value in _NULLS


def is_merge(key: Node) -> bool:
    """Whether a key is ``<<``."""
    return isinstance(key, ScalarNode) and key.style is None and key.value == _MERGE


def entry(node: Node, name: str) -> tuple[Node, Node] | None:
    """The key and value that a mapping itself has under a name; what it merges doesn't count."""
    if isinstance(node, MappingNode):
        for key, value in node.value:
            if isinstance(key, ScalarNode) and key.value == name and not is_merge(key):
                return key, value
    return None

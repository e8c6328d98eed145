"""Where new lines go in a Compose file's text, and what they say. All else stays as it is. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from homeport.model.project import Project, loader, read_project
from homeport.model.yaml_tree import TAGS, Alias, Document, Tagged, entry, is_merge, is_null

Keys = tuple[str, ...]
Adds = Mapping[Keys, str | tuple[str, ...]]
"""New values, texts or lists of texts, by their path below the service: ``("deploy", "resources")``, say."""

_PLAIN = re.compile(r"\d+[A-Za-z]+")
_COMMENT = re.compile(r"( *)#")
_BLANK = " \t\r\n"


class CannotEdit(Exception):
    """Why lines can't be added to a service; the text completes "Not changed: ..."."""


@dataclass(frozen=True)
class Insertion:
    """Lines to put in: ``at`` counts characters of the text, ``column`` is their indentation."""

    at: int
    column: int
    text: str


def insertions(document: Document, number: int, service: str, adds: Adds) -> tuple[Insertion, ...]:
    """What to put into a file so that a service has ``adds``. Raises CannotEdit with the reason."""
    root = document.roots[number]
    services = entry(root, "services")
    found = entry(services[1], service) if services else None
    if services is None or found is None:
        raise CannotEdit("it stands in no place of its own")
    for name, node in (("the file", root), ("'services'", services[1])):
        _check(document, node, name)
    name_column, node = found[0].start_mark.column, found[1]
    step = 2
    if isinstance(node, MappingNode) and node.value:
        step = max(node.value[0][0].start_mark.column - name_column, 1)
    return tuple(_Places(document, step).below(*found, (), _nested(adds), name_column))


def insert(text: str, found: Iterable[Insertion]) -> str:
    """The text with all of that put in; what is deeper comes first where two have the same place."""
    parts, done = [], 0
    for one in sorted(found, key=lambda one: (one.at, -one.column)):
        parts += [text[done : one.at], one.text]
        done = one.at
    return "".join([*parts, text[done:]])


def _nested(adds: Adds) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path, value in adds.items():
        part = tree
        for key in path[:-1]:
            part = part.setdefault(key, {})
        part[path[-1]] = value
    return tree


def _check(document: Document, node: Node, name: str) -> None:
    """Raise CannotEdit unless a node is a mapping of lines that nothing else shares."""
    if isinstance(node, Alias):
        raise CannotEdit(f"{name} is an alias (*{node.target.anchor}): others would change with it")
    if id(node) in document.shared:
        raise CannotEdit(f"{name} has the anchor &{node.anchor} that others use: they would change with it")
    if node.tag in TAGS:
        raise CannotEdit(f"{name} has the tag {node.tag}")
    if not isinstance(node, MappingNode):
        raise CannotEdit(f"{name} is no mapping")
    if node.flow_style or not node.value:
        raise CannotEdit(f"{name} is written in braces, not in lines")
    start = node.value[0][0].start_mark.index
    line = document.text.rfind("\n", 0, start) + 1
    if document.text[line:start].strip(" "):
        raise CannotEdit(f"{name} doesn't begin with a line of its own")


class _Places:
    def __init__(self, document: Document, step: int) -> None:
        self._document = document
        self._text = document.text
        self._step = step
        quotes = "".join(re.findall(r":\s+([\"'])", self._text))
        self._quote = '"' if quotes.count('"') > quotes.count("'") else "'"

    def below(self, key: Node, node: Node, path: Keys, adds: dict[str, Any], column: int) -> list[Insertion]:
        """What to put in below a key of ``column``, whose value is ``node``."""
        name = f"its '{'.'.join(path)}'" if path else "it"
        if is_null(node) and not node.value and node.anchor is None and node.tag not in TAGS:
            return [self._lines(self._line_after(key.end_mark.index), column + self._step, adds)]
        _check(self._document, node, name)
        here = node.value[0][0].start_mark.column
        found: list[Insertion] = []
        missing: dict[str, Any] = {}
        for part, below in adds.items():
            inner = entry(node, part)
            if inner is None:
                if self._comes_by_merge(node, part):
                    what = ".".join((*path, part))
                    raise CannotEdit(
                        f"its '{what}' comes by a merge (<<): one of its own would replace all of it"
                    )
                missing[part] = below
            elif not isinstance(below, dict):
                raise CannotEdit(f"{name} has a '{part}' already")
            else:
                found += self.below(*inner, (*path, part), below, here)
        if missing:
            found.append(self._lines(self._after(node, here), here, missing))
        return found

    def _comes_by_merge(self, node: Node, name: str) -> bool:
        for key, value in node.value if isinstance(node, MappingNode) else ():
            if is_merge(key):
                for source in value.value if isinstance(value, SequenceNode) else [value]:
                    target = source.target if isinstance(source, Alias) else source
                    if entry(target, name) or self._comes_by_merge(target, name):
                        return True
        return False

    def _lines(self, at: int, column: int, adds: dict[str, Any]) -> Insertion:
        before = self._text[:at]
        newline = "\r\n" if before.endswith("\r\n") or (before[-1:] != "\n" and "\r\n" in before) else "\n"
        lines = newline.join(self._rendered(adds, column, ()))
        ended = before.endswith("\n")
        return Insertion(at, column, lines + newline if ended else newline + lines)

    def _rendered(self, adds: dict[str, Any], column: int, path: Keys) -> list[str]:
        lines = []
        for key, value in adds.items():
            if isinstance(value, dict):
                lines.append(f"{' ' * column}{key}:")
                lines += self._rendered(value, column + self._step, (*path, key))
            elif isinstance(value, tuple):
                lines.append(f"{' ' * column}{key}:")
                lines += [f"{' ' * (column + self._step)}- {self._quote}{one}{self._quote}" for one in value]
            else:
                lines.append(f"{' ' * column}{key}: {self._scalar(key, value, path)}")
        return lines

    def _scalar(self, key: str, value: str, path: Keys) -> str:
        if key in ("pids", "driver") or ("options" not in path and _PLAIN.fullmatch(value)):
            return value
        return f"{self._quote}{value}{self._quote}"

    def _after(self, node: Node, column: int) -> int:
        """Where lines of ``column`` go in after all of a block mapping, and comments that belong to it."""
        at = self._line_after(self._end(node))
        while match := _COMMENT.match(self._text, at):
            if len(match[1]) < column:
                break
            at = self._line_after(match.end())
        return at

    def _line_after(self, index: int) -> int:
        end = self._text.find("\n", max(index - 1, 0) if self._text[index - 1 : index] == "\n" else index)
        return len(self._text) if end < 0 else end + 1

    def _end(self, node: Node) -> int:
        """Where the last thing in a node ends: for a block ruamel.yaml says where the next thing begins."""
        if isinstance(node, ScalarNode) and node.style in ("|", ">"):
            return self._end_of_text(node)
        if not isinstance(node, MappingNode | SequenceNode) or node.flow_style or not node.value:
            return int(node.end_mark.index)
        if isinstance(node, SequenceNode):
            return self._end(node.value[-1])
        key, value = node.value[-1]
        # Of a value that isn't there ruamel.yaml says at times that it stands where the next thing does.
        return self._end(key if value.start_mark.index == value.end_mark.index else value)

    def _end_of_text(self, node: ScalarNode) -> int:
        """The end of a block text's last line; blank lines after it count only if it keeps them (``|+``)."""
        start, end = node.start_mark.index, node.end_mark.index
        end = end if end >= len(self._text) else self._text.rfind("\n", 0, end) + 1
        header, _, body = self._text[start:end].partition("\n")
        said = header.partition("#")[0]
        if end == len(self._text) and not body.endswith("\n") and "-" not in said:
            raise CannotEdit("the file ends within a text and without a line end: more lines would change it")
        if "+" in said:
            return end
        lines = body.splitlines(keepends=True)
        indent = min(
            (len(line) - len(line.lstrip(" ")) for line in lines if line.strip(_BLANK)), default=10**9
        )
        while lines and not lines[-1].strip(_BLANK) and len(lines[-1].rstrip("\r\n")) <= indent:
            end -= len(lines.pop())
        return end


def with_adds(spec: Any, adds: Adds) -> Any:
    """A service's value with new ones in it. Raises CannotEdit if one is there already."""
    result = dict(spec or {})
    for path, value in adds.items():
        part = result
        for key in path[:-1]:
            below = part.get(key)
            if isinstance(below, Tagged) or not isinstance(below, dict | None):
                raise CannotEdit(f"its '{key}' is no mapping")
            part[key] = dict(below or {})
            part = part[key]
        if path[-1] in part:
            raise CannotEdit(f"it has a '{'.'.join(path)}' already")
        part[path[-1]] = list(value) if isinstance(value, tuple) else value
    return result


@dataclass(frozen=True)
class Edited:
    """What is added to one service, and where: a file, and the number of the document in it."""

    path: Path
    document: int
    service: str
    adds: Adds


def prove(
    old: Project, texts: Mapping[Path, str], edits: Iterable[Edited], environment: Mapping[str, str]
) -> dict[Path, bytes]:
    """The new bytes of each changed file, read again and compared: the old content plus exactly the edits.

    Each document is compared by itself, then each service with all that it merges, extends and overrides.
    Raises CannotEdit if anything else would change: that would be a bug of ours, and nothing may be written.
    """
    planned = list(edits)
    new = {path: old.documents[path].encoded(text) for path, text in texts.items()}
    unchanged = [document for path, document in old.documents.items() if path not in new]
    load = loader(lambda path: new[path], lambda path: path.name, unchanged)
    after = read_project(old.files, load, environment)
    for path in new:
        values: list[Any] = list(old.documents[path].values)
        for one in (one for one in planned if one.path == path):
            document = dict(values[one.document])
            document["services"] = dict(document["services"])
            services = document["services"]
            services[one.service] = with_adds(services[one.service], one.adds)
            values[one.document] = document
        _same(values, list(after.documents[path].values), path.name)
    by_service: dict[str, dict[Keys, str | tuple[str, ...]]] = {}
    for one in planned:
        by_service.setdefault(one.service, {}).update(one.adds)
    for name, service in old.services.items():
        expected = with_adds(service.spec, by_service.get(name, {}))
        _same(expected, after.services[name].spec, f"service '{name}'")
    return new


def _same(expected: object, found: object, where: str) -> None:
    if expected != found:
        raise CannotEdit(f"{where} would not say what was planned")

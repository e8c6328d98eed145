"""A Compose project read from its files alone: no engine, no ``.env``, no docker command.

Layers are put together as compose-go does it (v2: loader/include.go, loader/extends.go, override/merge.go):
what is included comes first, then what the file says itself, then the next file; ``extends`` brings in the
other service below that. Only what limits and tiers depend on has to come out exactly; lists are just joined.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml.nodes import Node

from homeport.errors import DefinitionError
from homeport.model.yaml_tree import Alias, Document, Tagged, entry, parse

Load = Callable[[Path], Document]
Spec = Mapping[str, Any]

_VARIABLE = re.compile(r"(?<!\$)\$(?:\{([A-Za-z_]\w*)(?:(:?[-+?])([^${}]*))?\}|([A-Za-z_]\w*))")
_REMOTE = re.compile(r"^[a-z][a-z0-9+.-]*://|^git@|\.git(#|$)")


@dataclass(frozen=True, eq=False)
class Layer:
    """What one YAML document says about a service: where, and with what it extends."""

    path: Path
    document: int
    name: str
    node: Node
    spec: Any
    """A mapping, or one under a tag."""


@dataclass(frozen=True, eq=False)
class Service:
    """A service of the project: what each document says of it, the weakest first, and what comes of that."""

    name: str
    layers: tuple[Layer, ...]
    spec: Spec


@dataclass(frozen=True)
class Include:
    """One item of an ``include``: files that are laid over each other, and where their paths start from."""

    paths: tuple[Path, ...]
    folder: Path


@dataclass(frozen=True, eq=False)
class Project:
    """Everything read. ``users`` are, by file and service, the services that extend it."""

    documents: Mapping[Path, Document]
    services: Mapping[str, Service]
    users: Mapping[tuple[Path, str], frozenset[str]]
    warnings: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    """The files that it begins with, in their order."""
    included: Mapping[tuple[Path, int], tuple[Include, ...]] = field(default_factory=dict)
    """By file and document what it includes, in its order."""

    def folder_of(self, path: Path) -> Path:
        """The folder that relative paths in one of its files start from."""
        for items in self.included.values():
            for item in items:
                if path in item.paths:
                    return item.folder
        return self.files[0].parent if path in self.files else path.parent


@dataclass
class _Reading:
    load: Load
    environment: Mapping[str, str]
    documents: dict[Path, Document] = field(default_factory=dict)
    layers: dict[tuple[Path, int, str], Layer] = field(default_factory=dict)
    users: dict[tuple[Path, str], set[str]] = field(default_factory=dict)
    included: dict[tuple[Path, int], list[Include]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def read_project(files: Sequence[Path], load: Load, environment: Mapping[str, str]) -> Project:
    """The project that these files make; ``load`` reads one and raises DefinitionError if it can't.

    ``environment`` gives variables in paths of ``include`` their values; their defaults count otherwise.
    """
    reading = _Reading(load, environment)
    layers = [layer for file in files for layer in _read_file(reading, file, files[0].parent, ())]
    # In the order of the text, which is not that of precedence.
    by_name: dict[str, list[Layer]] = {layer.name: [] for layer in reading.layers.values()}
    for layer in layers:
        by_name[layer.name].append(layer)
    services = {}
    for name, own in by_name.items():
        spec: Any = {}
        for layer in own:
            spec = merged(spec, layer.spec)
        if _reset(spec):
            continue  # it isn't in the project any more
        services[name] = Service(name, tuple(own), _plain(spec))
    users = {key: frozenset(names) for key, names in reading.users.items()}
    included = {key: tuple(items) for key, items in reading.included.items()}
    return Project(reading.documents, services, users, tuple(reading.warnings), tuple(files), included)


def _read_file(reading: _Reading, path: Path, folder: Path, within: tuple[Path, ...]) -> list[Layer]:
    """The layers of a file that are new, the weakest first; ``folder`` is where its includes start from."""
    if path in within:
        chain = " -> ".join(file.name for file in (*within[within.index(path) :], path))
        raise DefinitionError(f"Compose files include each other in a circle: {chain}.")
    found: list[Layer] = []
    document = _document(reading, path)
    for number, value in enumerate(document.values):
        if value is None:
            continue
        if not isinstance(value, dict):
            raise DefinitionError(f"{path.name} has no mapping at its top: that is no Compose file.")
        included: list[Layer] = []
        inner = filter(
            None, [_include(reading, item, path, folder) for item in _list(value.get("include"), path)]
        )
        reading.included[path, number] = list(inner)
        for item in reading.included[path, number]:
            layers = [
                layer
                for one in item.paths
                for layer in _read_file(reading, one, item.folder, (*within, path))
            ]
            # What is included first goes over what is included after it.
            included = [*layers, *included]
        found += included
        services = _untagged(value.get("services"))
        if services is None:
            continue
        if not isinstance(services, dict):
            raise DefinitionError(f"{path.name}: 'services' must be a mapping.")
        for name, said in services.items():
            found += _add(reading, path, number, name, said, folder)
    return found


def _add(reading: _Reading, path: Path, number: int, name: str, said: Any, folder: Path) -> list[Layer]:
    if not isinstance(said, dict | None) and not isinstance(said, Tagged):
        raise DefinitionError(
            f"{path.name}: service '{name}' must be a mapping, not {type(said).__name__}.",
            hint="Look at the indentation of the lines below its name.",
        )
    node = _service_node(reading.documents[path].roots[number], name)
    if node is None or (path, number, name) in reading.layers:
        return []
    spec: Any = said
    if not isinstance(said, Tagged):
        spec = _extended(reading, path, number, name, said or {}, (), name, folder)
    layer = reading.layers[path, number, name] = Layer(path, number, name, node, spec)
    return [layer]


def _service_node(root: Node, name: str) -> Node | None:
    services = entry(root, "services")
    node = services[1].target if services and isinstance(services[1], Alias) else services and services[1]
    found = entry(node, name) if node else None
    # What comes by a merge of the whole 'services' has no place of its own.
    return found[1] if found else None


def _extended(
    reading: _Reading,
    path: Path,
    number: int,
    name: str,
    said: Spec,
    within: tuple[Any, ...],
    user: str,
    folder: Path,
) -> Spec:
    """A service with what it extends below it; ``user`` is the one for whom this is read.

    ``folder`` is where a file that it extends from is looked for: the project's, and for what is extended
    itself its own file's (compose-go, loader/extends.go).
    """
    extends = said.get("extends")
    if extends is None or isinstance(extends, Tagged):
        return said
    if (path, name) in within:
        raise DefinitionError(f"{path.name}: service '{name}' extends itself.")
    base, file = extends, path
    if isinstance(extends, dict):
        base = extends.get("service")
        if extends.get("file"):
            text = interpolated(str(extends["file"]), reading.environment)
            if _REMOTE.search(text):
                reading.warnings.append(f"{name}: what it extends in {text} is not looked at.")
                return said
            file = _absolute(folder, text)
    below = _find(reading, file, number, str(base), path == file)
    if below is None:
        raise DefinitionError(f"{path.name}: service '{name}' extends '{base}', which {file.name} hasn't.")
    reading.users.setdefault((file, str(base)), set()).add(user)
    further = folder if file == path else file.parent
    lower = _extended(reading, file, number, str(base), below, (*within, (path, name)), user, further)
    found: Spec = merged(lower, {key: value for key, value in said.items() if key != "extends"})
    return found


def _find(reading: _Reading, file: Path, number: int, name: str, same: bool) -> Spec | None:
    """A service by name: in the same document, else in any of the file, else in what was included before."""
    values = _document(reading, file).values
    for value in [*(values[number : number + 1] if same else ()), *values]:
        services = value.get("services") if isinstance(value, dict) else None
        if isinstance(services, dict) and isinstance(found := _untagged(services.get(name)), dict):
            return found
    specs = (_untagged(layer.spec) for layer in reading.layers.values() if same and layer.name == name)
    return next((spec for spec in specs if isinstance(spec, dict)), None)


def _untagged(value: Any) -> Any:
    return _plain(value) if isinstance(value, Tagged) else value


def _include(reading: _Reading, item: Any, path: Path, folder: Path) -> Include | None:
    given = item.get("path") if isinstance(item, dict) else item
    said = (
        interpolated(str(item.get("project_directory") or ""), reading.environment) if item != given else ""
    )
    paths: list[Path] = []
    for text in given if isinstance(given, list) else [given]:
        if not isinstance(text, str) or not text:
            raise DefinitionError(f"{path.name}: an 'include' names no file.")
        target = interpolated(text, reading.environment)
        if _REMOTE.search(target) or "$" in target or not target:
            reading.warnings.append(f"{path.name} includes {text}, which is not looked at.")
            return None
        paths.append(_absolute(folder, target))
    return Include(tuple(paths), _absolute(folder, said) if said else paths[0].parent)


def _document(reading: _Reading, path: Path) -> Document:
    if path not in reading.documents:
        reading.documents[path] = reading.load(path)
    return reading.documents[path]


def merged(lower: Any, upper: Any) -> Any:
    """Two values as Compose puts them together, the upper over the lower."""
    if isinstance(upper, Tagged):
        return upper
    if upper is None or isinstance(lower, Tagged):
        return lower if upper is None else upper
    if isinstance(lower, dict) and isinstance(upper, dict):
        return {
            **lower,
            **{key: merged(lower[key], value) if key in lower else value for key, value in upper.items()},
        }
    if isinstance(lower, list) and isinstance(upper, list):
        return lower + upper
    return upper


def _plain(value: Any) -> Any:
    """A value without Compose's tags: what is reset is gone."""
    if isinstance(value, Tagged):
        return None if value.tag == "!reset" else _plain(value.value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if not _reset(item)}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _reset(value: Any) -> bool:
    return isinstance(value, Tagged) and value.tag == "!reset"


def interpolated(text: str, environment: Mapping[str, str]) -> str:
    """A text with its variables' values, or their defaults; a variable without either is left as it is."""

    def value(match: re.Match[str]) -> str:
        name, how, word = match[1] or match[4], match[2] or "", match[3] or ""
        found = environment.get(name)
        missing = found is None or (how.startswith(":") and not found)
        if how.endswith("+"):
            return "" if missing else word
        if missing:
            return word if how.endswith("-") else match[0]
        return found or ""

    for _ in range(5):  # the inner ones first: a default may hold another variable
        new = _VARIABLE.sub(value, text)
        if new == text:
            break
        text = new
    return text.replace("$$", "$")


def _absolute(folder: Path, text: str) -> Path:
    return Path(os.path.normpath(folder / text))


def _list(value: Any, path: Path) -> list[Any]:
    value = _untagged(value)
    if value is None:
        return []
    if not isinstance(value, list):
        raise DefinitionError(f"{path.name}: 'include' must be a list.")
    return value


def loader(
    read: Callable[[Path], bytes], shown: Callable[[Path], str], known: Iterable[Document] = ()
) -> Load:
    """A function that parses what ``read`` reads; a document in ``known`` is taken as it is."""
    ready = {document.path: document for document in known}

    def load(path: Path) -> Document:
        return ready[path] if path in ready else parse(read(path), path, shown(path))

    return load

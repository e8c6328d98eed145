"""Bake targets as ``docker buildx bake --print`` resolves them.

Source of the format: https://docs.docker.com/build/bake/reference/ and buildx' ``bake/bake.go``.
Bake is the only parser of bake and Compose build sections; this module reads what it prints.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from homeport.errors import DefinitionError, UsageError, did_you_mean

TARGET_SCHEME = "target:"


@dataclass(frozen=True)
class Target:
    """One image to build; ``spec`` is bake's own resolved definition, never edited in place."""

    name: str
    spec: Mapping[str, Any] = field(hash=False)

    @property
    def context(self) -> str:
        """The build context: a path relative to the working directory, or a URL."""
        return str(self.spec.get("context") or ".")

    @property
    def dockerfile(self) -> str:
        """The Dockerfile's path, relative to a local context unless absolute."""
        return str(self.spec.get("dockerfile") or "Dockerfile")

    @property
    def inline_dockerfile(self) -> str | None:
        """The Dockerfile's text where the definition carries it itself (``dockerfile-inline``)."""
        text = self.spec.get("dockerfile-inline")
        return None if text is None else unescape(str(text))

    @property
    def stage(self) -> str:
        """The stage asked for by ``target = "..."``; empty means the last one."""
        return str(self.spec.get("target") or "")

    @property
    def tags(self) -> tuple[str, ...]:
        return tuple(str(tag) for tag in self.spec.get("tags") or ())

    @property
    def args(self) -> dict[str, str]:
        """Build arguments with a value; those that only name a variable (null) are left out."""
        args = self.spec.get("args") or {}
        return {str(key): unescape(str(value)) for key, value in args.items() if value is not None}

    @property
    def contexts(self) -> dict[str, str]:
        """Named contexts: name to ``target:x``, ``docker-image://...``, URL or path."""
        return {str(key): unescape(str(value)) for key, value in (self.spec.get("contexts") or {}).items()}

    @property
    def outputs(self) -> tuple[dict[str, str], ...]:
        """Explicit outputs, each as a dictionary (older buildx prints ``type=x,a=b`` strings)."""
        return tuple(attributes(item) for item in self.spec.get("output") or ())

    @property
    def linked(self) -> tuple[str, ...]:
        """The targets whose results are named contexts of this one, in definition order."""
        return tuple(
            value[len(TARGET_SCHEME) :] for value in self.contexts.values() if value.startswith(TARGET_SCHEME)
        )


@dataclass(frozen=True)
class Definition:
    """What one ``bake --print`` said: every target by name, and those that were asked for, in order."""

    targets: Mapping[str, Target]
    requested: tuple[str, ...]

    def __iter__(self) -> Iterator[Target]:
        return iter(self.targets.values())


def parse_definition(text: str) -> Definition:
    """Read bake's printed JSON. Raises DefinitionError for text that isn't such a document."""
    try:
        document = json.loads(text)
        targets = {
            name: Target(name, MappingProxyType(spec)) for name, spec in (document["target"] or {}).items()
        }
        groups = {
            name: tuple(group["targets"] or ()) for name, group in (document.get("group") or {}).items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DefinitionError(
            "The build definition that buildx printed can't be read.",
            cause=f"{type(error).__name__}: {error}",
            hint="Run 'docker buildx bake --print' and see whether it prints a JSON document.",
            detail=text[:500],
        ) from error
    if not targets:
        raise DefinitionError(
            "There is nothing to build.",
            cause="No service of the Compose file has a 'build' section, and there is no bake target.",
            hint="Add 'build: .' to a service, or a bake file.",
        )
    return Definition(MappingProxyType(targets), expand_groups(groups, targets))


def expand_groups(groups: Mapping[str, Sequence[str]], targets: Mapping[str, Target]) -> tuple[str, ...]:
    """The targets of group ``default``, nested groups opened, each once, in order."""
    found: dict[str, None] = {}
    seen: set[str] = set()
    # A stack instead of recursion: nesting is the user's, and a group may name itself.
    stack = list(reversed(groups.get("default", tuple(targets))))
    while stack:
        name = stack.pop()
        if name in targets and name not in groups:
            found[name] = None
        elif name in groups and name not in seen:
            seen.add(name)
            stack.extend(reversed(groups[name]))
        elif name in targets:
            found[name] = None
    return tuple(found)


def bake_name(name: str) -> str:
    """A name that somebody asks for as bake has it: it takes dots, which Compose services may have, and no
    target has one (docker/buildx bake/bake.go)."""
    return name.replace(".", "_")


def select(names: Sequence[str], known: Sequence[str], groups: Sequence[str]) -> tuple[str, ...]:
    """The names of targets and groups, as bake has them, that somebody asks for.

    Raises UsageError with the nearest known one.
    """
    for name in names:
        if bake_name(name) not in (*known, *groups):
            raise UsageError(
                f"There is no target or group named {name!r}.",
                cause=did_you_mean(name, [*known, *groups]),
                hint=f"Targets: {_shortened(known)}." + (f" Groups: {_shortened(groups)}." if groups else ""),
            )
    return tuple(map(bake_name, names))


def unescape(text: str) -> str:
    """Undo the template escapes with which bake prints strings (``$${`` stands for ``${``)."""
    return text.replace("$${", "${").replace("%%{", "%{")


def escape(text: str) -> str:
    """Text as it has to stand in a bake document to be taken as it is."""
    return text.replace("${", "$${").replace("%{", "%%{")


def attributes(item: Any) -> dict[str, str]:
    """An output, cache or secret entry, which buildx prints as an object or as ``type=x,a=b``."""
    if isinstance(item, Mapping):
        return {str(key): str(value) for key, value in item.items()}
    pairs = (part.partition("=") for part in next(csv.reader([str(item)])))
    return {key: value for key, _, value in pairs}


def _shortened(names: Sequence[str], most: int = 12) -> str:
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown

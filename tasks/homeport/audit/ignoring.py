"""Lines for the ignore file that counts, with a proof: what is named stays out, all else comes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

from homeport.audit.generated import LANGUAGES, Kind, languages
from homeport.audit.transfer import Build, Demand, Offender, Transfer, sent_paths
from homeport.model.finding import Finding
from homeport.model.ignore import PatternError, read_patterns
from homeport.sources.context import Choice, Contexts
from homeport.sources.tree import component_matcher

_SPECIAL = re.compile(r"[*?\[\]\\\x00-\x1f\ud800-\udfff]|^[\s!]|\s$")
"""What a line of an ignore file can't say of a path without meaning something else."""
_WORD = re.compile(r"[A-Za-z0-9]")
_WHY = "# Not needed in any image, so it isn't sent to the builder (homeport audit)."
_GIT = Kind(".git", "**/.git")

Place = tuple[str, str]
"""A context's folder, and a path in it."""


@dataclass(frozen=True)
class FileChange:
    """An ignore file as it is (None: not there yet) and as it would be, and the findings that this mends."""

    path: Path
    old: bytes | None
    new: bytes
    mends: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Member:
    """One build with what it asks for, what that leads to, and what is sent of it."""

    build: Build
    demand: Demand
    choice: Choice
    transfer: Transfer


@dataclass(frozen=True)
class Group:
    """The builds for which one ignore file counts. ``path`` is that file, or the one to make."""

    path: Path
    old: bytes | None
    members: tuple[Member, ...]
    contexts: Contexts
    needs: Callable[[Kind], bool]
    """Whether one of the builds may need what is of this kind."""

    def expected(self, member: Member, wanted: AbstractSet[Place]) -> set[str]:
        """The paths sent to this build that would be gone."""
        found: set[str] = set()
        for folder, path in wanted:
            if folder == member.choice.folder and path in member.transfer.offenders:
                found.update(member.transfer.offenders[path].paths)
            elif folder == member.choice.folder and path in member.transfer.sizes:
                found.add(path)
        return found


class Named:
    """What Dockerfiles and exceptions of the ignore file name: it is meant to be sent."""

    def __init__(
        self, members: Iterable[Member], patterns: Iterable[str], others: Iterable[str] = ()
    ) -> None:
        """``others`` are components of paths that other Dockerfiles of these folders take by name."""
        self._paths: set[str] = set()
        self._patterns: set[tuple[str, ...]] = set()
        self.words: set[str] = set()
        """All components of all that is named."""
        seen = set()
        for member in members:
            for source in member.demand.sources:
                if (key := (id(member.choice.tree), source)) in seen:
                    continue
                seen.add(key)
                parts = tuple(part for part in source.path.split("/") if part not in {"", ".", ".."})
                self.words |= set(parts)
                if not any(set(part) & set("*?[\\") for part in parts):
                    nodes = member.choice.tree.resolve(source.path)  # through links, too
                    for path in ("/".join(parts), *(node.path for node in nodes)):
                        self._add(path)
                elif parts:
                    self._patterns.add(parts)
        self._exceptions = {
            part
            for pattern in patterns
            if pattern.startswith("!")
            for part in pattern[1:].split("/")
            if _WORD.search(part)
        }
        self._others = {word for word in others if _WORD.search(word)}
        self.words |= self._exceptions | self._others

    def _add(self, path: str) -> None:
        while path and path not in self._paths:
            self._paths.add(path)
            path = path.rpartition("/")[0]

    def has(self, path: str) -> bool:
        """Whether this path, or something below it, is named: by more than a wildcard alone."""
        if path in self._paths:
            return True
        parts = path.split("/")
        if any(component_matcher(part).match(parts[-1]) for part in (*self._exceptions, *self._others)):
            return True
        return any(_names(pattern, parts) for pattern in self._patterns)


def _names(pattern: tuple[str, ...], parts: list[str]) -> bool:
    if "**" in pattern:
        return any(_WORD.search(part) and component_matcher(part).match(parts[-1]) for part in pattern)
    if len(pattern) < len(parts) or not _WORD.search(pattern[len(parts) - 1]):
        return False
    return all(component_matcher(one).match(part) for one, part in zip(pattern, parts, strict=False))


def change(group: Group, wanted: Mapping[Place, Offender | None], named: Named) -> FileChange | None:
    """The ignore file with lines that keep ``wanted`` out; None where no lines do exactly that.

    A secret has no Offender. With nothing wanted, and no file, it is what the languages found there leave
    behind. Raises SourceProblem.
    """
    general = dict.fromkeys(one.kind.pattern for one in wanted.values() if one and one.kind.pattern)
    if group.old is None:
        general |= dict.fromkeys(_usual(group))
    lines = [line for line in general if not _is_named(line, named)]
    places = frozenset(wanted)
    for chosen in _attempts(group, lines, places):
        exact = [_line(place[1]) for place, one in wanted.items() if not _covered(one, chosen)]
        everything = list(dict.fromkeys((*chosen, *exact)))
        plain = [line for line in everything if line]
        if plain and plain == everything and _removes(group, plain, places):
            return FileChange(group.path, group.old, _composed(group.old, plain))
    return None


def _attempts(group: Group, lines: list[str], places: frozenset[Place]) -> Iterator[list[str]]:
    """General patterns to try: all of them, those that alone take nothing else, none."""
    yield lines
    if lines:
        yield [line for line in lines if _removes(group, [line], places) is not None]
        yield []


def _covered(one: Offender | None, lines: list[str]) -> bool:
    return one is not None and one.kind.pattern in lines


def _line(path: str) -> str | None:
    """The line that names exactly this path, and what is below it; None if there is none."""
    if _SPECIAL.search(path):
        return None
    return f"/{path}" if path.startswith("#") else path


def _is_named(line: str, named: Named) -> bool:
    """Whether something is called by name that a pattern for any folder would leave out one day."""
    last = line.rpartition("/")[2]
    matches = component_matcher(last).match
    return any(word == last or matches(word) for word in named.words)


def _usual(group: Group) -> list[str]:
    """What a new file should keep out, for what lies in the contexts' roots."""
    found: dict[str, None] = {}
    for folder in dict.fromkeys(member.choice.folder for member in group.members):
        names = {item.name for item in group.contexts.disk.listing(folder)}
        kinds = [_GIT] if not group.needs(_GIT) and ".git" in names else []
        kinds += [kind for language in languages(names) for kind in LANGUAGES[language][1]]
        found |= dict.fromkeys(kind.pattern for kind in kinds if not group.needs(kind))
    return list(found)


def _removes(group: Group, lines: list[str], wanted: frozenset[Place]) -> bool | None:
    """Whether these lines keep out all that is wanted; None if they'd keep out, or let in, anything else."""
    patterns = read_patterns(_composed(group.old, lines))
    exact = True
    seen = set()
    for member in group.members:
        build = member.build
        try:
            after = group.contexts.choose(build.folder, build.dockerfile, member.demand.sources, patterns)
        except PatternError:
            return None
        key = (id(member.transfer), id(after.tree), after.nodes, after.above)
        if key in seen:
            continue
        seen.add(key)
        left = sent_paths(after)
        gone = member.transfer.sizes.keys() - left
        expected = group.expected(member, wanted)
        if not gone <= expected or left - member.transfer.sizes.keys():
            return None
        exact = exact and gone == expected
    return exact


def _composed(old: bytes | None, lines: list[str]) -> bytes:
    """The file with these lines at its end, in its own style. A new one leaves itself out, too."""
    if old is None:
        return "".join(f"{line}\n" for line in (_WHY, ".dockerignore", *lines)).encode()
    end = b"\r\n" if b"\r\n" in old else b"\n"
    added = end.join(line.encode() for line in (_WHY, *lines))
    if not old:
        return added + end
    return old + added + end if old.endswith(b"\n") else old + end + added

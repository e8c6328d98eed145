"""Targets shared out over machines: what many build on first, the rest in parts of equal length. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from homeport.errors import UsageError
from homeport.model.graph import Graph, batches, dependents

BASES = "bases"
_NUMBERED = re.compile(r"([0-9]{1,4})/([0-9]{1,4})")


@dataclass(frozen=True)
class Shards:
    """Who builds what: ``bases`` before everything in ``parts``, which need nothing of one another."""

    bases: tuple[str, ...]
    parts: tuple[tuple[str, ...], ...]

    @property
    def all(self) -> tuple[tuple[str, ...], ...]:
        """The parts, after the bases if there are any."""
        return (self.bases, *self.parts) if self.bases else self.parts

    @property
    def named(self) -> dict[str, tuple[str, ...]]:
        """:attr:`all` by the names that ``--shard`` takes: ``bases``, ``1/4``."""
        parts = {f"{number}/{len(self.parts)}": part for number, part in enumerate(self.parts, 1)}
        return {BASES: self.bases, **parts} if self.bases else parts


@dataclass(frozen=True)
class Shard:
    """One share of ``count``: its number from 1 on, or 0 for the bases, which are the same for any count."""

    number: int
    count: int

    def of(self, shards: Shards) -> tuple[str, ...]:
        """Its targets; none where there is less to share out than machines."""
        if not self.number:
            return shards.bases
        return shards.parts[self.number - 1] if self.number <= len(shards.parts) else ()


def parse_shard(text: str) -> Shard:
    """What ``--shard`` says. Raises UsageError for anything but ``bases`` or N/M with N from 1 to M."""
    if text == BASES:
        return Shard(0, 1)
    if (found := _NUMBERED.fullmatch(text)) and 1 <= int(found[1]) <= int(found[2]):
        return Shard(int(found[1]), int(found[2]))
    raise UsageError(
        f"--shard takes N/M or 'bases', not {text!r}.",
        hint="--shard 1/4 is the first of four shares of what is left when the bases are built.",
    )


def share(graph: Graph, wanted: Sequence[str], seconds: Mapping[str, float], count: int) -> Shards:
    """Share ``wanted`` out: each of them is in exactly one shard, in the graph's order.

    A *base* is what targets build on that could be built apart. What only one target needs, however far,
    stays with it. What is left goes into at most ``count`` parts, the longest first, each into the shortest
    part so far; a target without ``seconds`` counts as long as the average one. Names in the graph that
    nobody wants are built with what needs them. Raises DefinitionError for a circle.
    """
    members = set(wanted)
    # A name that nobody wants by itself makes no difference to the shards unless somebody needs it.
    kept = {name for name in graph if name in members or dependents(graph, name) & members}
    owner = _owners(
        {name: [need for need in needs if need in kept] for name, needs in graph.items() if name in kept}
    )
    clusters: dict[str, list[str]] = {}
    for name in graph:
        if (root := owner.get(name)) is not None:
            clusters.setdefault(root, []).append(name)
    usual = _average([seconds[name] for name in kept if seconds.get(name)])
    weight = {root: sum(seconds.get(name) or usual for name in names) for root, names in clusters.items()}
    parts: list[tuple[float, list[str]]] = [(0.0, []) for _ in range(max(1, min(count, len(clusters))))]
    for root in sorted(clusters, key=lambda name: -weight[name]):
        shortest = min(range(len(parts)), key=lambda number: parts[number][0])
        length, names = parts[shortest]
        parts[shortest] = (length + weight[root], [*names, *clusters[root]])
    order = {name: position for position, name in enumerate(graph)}
    chosen = [tuple(sorted(members.intersection(names), key=order.__getitem__)) for _, names in parts]
    bases = tuple(name for name in graph if name in members and owner.get(name, "") is None)
    return Shards(bases, tuple(part for part in chosen if part))


def _owners(graph: Graph) -> dict[str, str | None]:
    """By name the one target that is not needed itself and for which it is built; None if several are."""
    users: dict[str, list[str]] = {name: [] for name in graph}
    for name, needs in graph.items():
        for need in needs:
            users[need].append(name)
    owner: dict[str, str | None] = {}
    for batch in reversed(batches(graph)):
        for name in batch:
            owners = {owner[user] for user in users[name]}
            # What a base builds on is one, too.
            owner[name] = name if not owners else owners.pop() if len(owners) == 1 else None
    return owner


def _average(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 1.0

"""The order of work: topological batches, cycles with their members in order, the critical path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from homeport.errors import DefinitionError

Graph = Mapping[str, Sequence[str]]
"""Node to the nodes it depends on; every dependency is a key too."""


def batches(graph: Graph) -> tuple[tuple[str, ...], ...]:
    """The nodes in topological batches, each batch in the graph's own order.

    Raises DefinitionError for a cycle, naming its members in order.
    """
    sorter = TopologicalSorter(graph)
    try:
        sorter.prepare()
    except CycleError as error:
        # graphlib lists predecessors first ("a, b, a": b needs a); people read "a needs b".
        members = list(reversed(error.args[1]))
        raise DefinitionError(
            f"The targets depend on each other in a circle: {' -> '.join(members)}.",
            cause="Each of them needs the next one to be built first.",
            hint="Take one of these links out: a 'target:' context, or a tag in FROM or COPY --from.",
        ) from None
    rank = {name: position for position, name in enumerate(graph)}
    found: list[tuple[str, ...]] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready(), key=rank.__getitem__)
        found.append(tuple(ready))
        sorter.done(*ready)
    return tuple(found)


def closure(graph: Graph, roots: Sequence[str]) -> set[str]:
    """``roots`` and everything they depend on, however far."""
    found: set[str] = set()
    stack = list(roots)
    while stack:
        name = stack.pop()
        if name not in found:
            found.add(name)
            stack.extend(graph[name])
    return found


def dependents(graph: Graph, name: str) -> set[str]:
    """Everything that needs ``name``, however far; ``name`` itself is not among them."""
    direct: dict[str, list[str]] = {node: [] for node in graph}
    for node, needs in graph.items():
        for need in needs:
            direct[need].append(node)
    return closure(direct, [name]) - {name}


def critical_path(graph: Graph, seconds: Mapping[str, float]) -> tuple[tuple[str, ...], float]:
    """The chain of dependencies that takes longest, first node first, and its length in seconds.

    Nodes without a duration count as zero. No node: an empty chain.
    """
    best: dict[str, tuple[float, tuple[str, ...]]] = {}
    for batch in batches(graph):
        for name in batch:
            before = max((best[need] for need in graph[name]), default=(0.0, ()))
            best[name] = (before[0] + seconds.get(name, 0.0), (*before[1], name))
    length, path = max(best.values(), default=(0.0, ()))
    return path, length

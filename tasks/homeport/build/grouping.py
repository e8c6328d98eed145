"""Which targets to start next, and which of them in one process. Pure.

A buildx process costs about 0.1 s of processor time before it does anything: started once a target, fifty of
them cost more than bake's one. So targets that nothing waits for are started several at a time; what others
wait for has a process of its own, whose end says precisely when they can start.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any

MOST_IN_A_PROCESS = 25
"""buildx loses builds on the docker driver when it runs some hundreds at once ("no such job")."""


HOLD_SECONDS = 0.5
"""How long a free job may wait for company."""


def next_group(
    waiting: Sequence[str], free: int, jobs: int, shareable: Set[str], *, held: float = 0.0
) -> list[str]:
    """The targets to start now in one process; empty to wait.

    ``waiting`` are the targets that could start, the most important first; ``free`` of ``jobs`` are free.
    While many wait, a quarter of the jobs must be free: single ones would be one process each again. But no
    job waits for company longer than HOLD_SECONDS; ``held`` is for how many seconds one has.
    """
    if not waiting or free <= 0:
        return []
    if waiting[0] not in shareable:
        return [waiting[0]]
    found = [name for name in waiting if name in shareable]
    room = min(free, len(found), MOST_IN_A_PROCESS)
    enough = min(max(1, jobs // 4), len(found))
    return found[:room] if room >= enough or held >= HOLD_SECONDS else []


def joined(documents: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One bake document that builds what each of ``documents`` builds."""
    targets: dict[str, Any] = {}
    wanted: list[str] = []
    for document in documents:
        targets |= document["target"]
        wanted += document["group"]["default"]["targets"]
    return {"group": {"default": {"targets": wanted}}, "target": targets}

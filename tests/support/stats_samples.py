"""Containers as they are seen by ``stats``: what was counted of them, look by look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from homeport.engine.containers import SERVICE_LABEL, Container
from homeport.engine.limits import Held
from homeport.engine.usage import Member, Reading
from homeport.model import roles
from homeport.stats.measure import Seen, ServiceUse, services

MIB = 1024**2
EPOCH = 1_790_000_000.0


def member(
    service: str = "api",
    *,
    front: bool = False,
    held: Held | None = None,
    killed: bool = False,
    **more: Any,
) -> Member:
    """A container of a service; of a front if ``front``."""
    labels = {SERVICE_LABEL: f"{service}.front-1" if front else service}
    if front:
        labels |= {roles.ROLE_LABEL: roles.FRONT, roles.SERVICE_LABEL: service}
    name = str(more.pop("name", f"shop-{service}-1"))
    state = str(more.pop("state", "running"))
    return Member(Container(name, name, "sha256:1", state, labels, **more), held or Held(), killed)


def steady(
    count: int,
    cores: float,
    *,
    memory: int = 10 * MIB,
    throttled: float = 0.0,
    stopped: float = 0.0,
    periods: int = 10,
    start: int = 0,
    network: int = 0,
) -> list[tuple[int, Reading]]:
    """So many readings, one a second from tick ``start`` on, of a container that always uses so many cores.

    In each second it has so many ``periods``, a share ``throttled`` of them stopped, for ``stopped`` seconds.
    """
    return [
        (
            start + step,
            Reading(
                EPOCH + start + step,
                cpu=5.0 + step * cores,
                memory=memory,
                received=step * network,
                sent=step * network * 2,
                periods=step * periods,
                throttled=round(step * periods * throttled),
                throttled_seconds=step * stopped,
            ),
        )
        for step in range(count)
    ]


def seen(found: Mapping[Member, Sequence[tuple[int, Reading]]] | Sequence[Any], **more: Any) -> Seen:
    """What was seen of these containers, each with its readings."""
    pairs = list(found.items() if isinstance(found, Mapping) else found)
    most = max((tick for _, readings in pairs for tick, _ in readings), default=0)
    first = {one.container.id: one for one, _ in pairs}
    return Seen(
        tuple(float(tick) for tick in range(most + 1)),
        first,
        more.pop("last", first),
        {one.container.id: readings for one, readings in pairs},
        **more,
    )


def used(one: Member, readings: Sequence[tuple[int, Reading]], **more: Any) -> ServiceUse:
    """A service of one container."""
    (found,) = services(seen([(one, readings)], **more))
    return found

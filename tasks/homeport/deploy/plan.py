"""What a deploy does, service by service, as data. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from homeport.deploy.desired import (
    CONFIG_LABEL,
    FRONT,
    REPLICA,
    ROLE_LABEL,
    SERVICE_LABEL,
    Desired,
    Front,
    ReplicaSet,
)
from homeport.deploy.haproxy import Route
from homeport.engine.containers import Container
from homeport.model import graph
from homeport.model.stack import START_FIRST, Service, Stack


class Action(Enum):
    """What becomes of a service."""

    UNCHANGED = "unchanged"
    NEW = "new"
    START_FIRST = "start-first"
    STOP_FIRST = "stop-first"
    RUN = "run"
    """A one-shot service runs to its end."""
    REMOVED = "removed"


@dataclass(frozen=True)
class Running:
    """What runs of one service now.

    ``sets`` are the containers of each replica set, ``plain`` those that Compose made without homeport,
    ``live`` the name of the set that the front routes to (without a front: of the one that runs), ``held``
    whether its callers wait.
    """

    sets: Mapping[str, tuple[Container, ...]] = field(default_factory=dict, hash=False)
    plain: tuple[Container, ...] = ()
    front: Container | None = None
    live: str = ""
    held: bool = False


@dataclass(frozen=True)
class Step:
    """One service in a deploy. ``before`` is the replica set that ran until now (empty: none, or a plain
    container), ``front`` what its front should be (None: none), ``new_front`` whether it has to be made."""

    service: str
    action: Action
    why: str
    target: ReplicaSet | None = None
    before: str = ""
    front: Front | None = None
    new_front: bool = False
    plain: tuple[Container, ...] = ()


@dataclass(frozen=True)
class DeployPlan:
    """All of it: the steps by service, in batches of services that don't wait for one another."""

    stack: str
    steps: Mapping[str, Step]
    needs: Mapping[str, tuple[str, ...]]
    strays: tuple[Container, ...] = ()
    """What runs and belongs to no service as it should be: left over where a deploy ended in the middle."""
    warnings: tuple[str, ...] = ()

    @property
    def batches(self) -> tuple[tuple[str, ...], ...]:
        """The services in batches that don't wait for one another."""
        return graph.batches(self.needs)

    @property
    def changes(self) -> tuple[str, ...]:
        """The services that something happens to."""
        return tuple(name for name, step in self.steps.items() if step.action is not Action.UNCHANGED)


def sort(containers: Iterable[Container], routes: Mapping[str, Route]) -> dict[str, Running]:
    """What runs, by service; ``routes`` say what each front does."""
    sets: dict[str, dict[str, list[Container]]] = {}
    plain: dict[str, list[Container]] = {}
    fronts: dict[str, Container] = {}
    for container in containers:
        role = container.labels.get(ROLE_LABEL)
        service = container.labels.get(SERVICE_LABEL, container.service)
        if role == REPLICA:
            sets.setdefault(service, {}).setdefault(container.service, []).append(container)
        elif role == FRONT:
            fronts[service] = container
        else:
            plain.setdefault(service, []).append(container)
    found = {}
    for service in {**sets, **plain, **fronts}:
        own = {name: tuple(members) for name, members in sets.get(service, {}).items()}
        up = [name for name, members in own.items() if any(one.running for one in members)]
        route = routes.get(service, Route())
        live = route.name or (up[0] if len(up) == 1 and service not in fronts else "")
        found[service] = Running(
            own, tuple(plain.get(service, ())), fronts.get(service), live, held=route.held
        )
    return found


def make(stack: Stack, wanted: Desired, running: Mapping[str, Running], *, whole: bool) -> DeployPlan:
    """Compare what should run with what runs.

    ``whole``: it is the whole stack, and services that are in the file no more are removed.
    """
    steps = {name: _step(stack.services[name], wanted, running.get(name, Running())) for name in wanted.sets}
    if whole:
        for name, found in running.items():
            if name not in stack.services and (found.sets or found.front):
                steps[name] = Step(
                    name, Action.REMOVED, "it is in the Compose file no more", before=found.live
                )
    order = {
        name: tuple(need for need in stack.services[name].needs if need in steps)
        if name in stack.services
        else ()
        for name in steps
    }
    return DeployPlan(stack.name, steps, order, _strays(steps, running), _warnings(stack, steps))


def _strays(steps: Mapping[str, Step], running: Mapping[str, Running]) -> tuple[Container, ...]:
    return tuple(
        one
        for name, step in steps.items()
        if name in running and step.target is not None
        for replica_set, members in running[name].sets.items()
        if replica_set not in {step.target.name, step.before}
        for one in members
        if one.running
    )


def _step(service: Service, wanted: Desired, found: Running) -> Step:
    target, front = wanted.sets[service.name], wanted.fronts.get(service.name)
    there = found.sets.get(target.name, ())
    new_front = front is not None and (
        found.front is None or found.front.labels.get(CONFIG_LABEL) != front.config or not found.front.running
    )
    step = Step(service.name, Action.UNCHANGED, "", target, found.live, front, new_front, found.plain)
    if service.one_shot:
        return _one_shot(step, there)
    up = [one for one in there if one.running]
    sound = not new_front and not found.plain and not found.held
    if found.live == target.name and len(up) >= target.count and sound:
        return step
    if not found.live and not found.plain:
        gone = "its containers are gone" if found.sets or found.front else "it doesn't run yet"
        return _with(step, Action.NEW, gone)
    order, reason = service.order
    action = Action.START_FIRST if order == START_FIRST else Action.STOP_FIRST
    return _with(step, action, f"{_difference(target, found)}; {reason}")


def _one_shot(step: Step, there: tuple[Container, ...]) -> Step:
    if any(not one.running and one.state == "exited" and one.exit_code == 0 for one in there):
        return step
    return _with(step, Action.RUN, "it hasn't run in this form yet")


def _difference(target: ReplicaSet, found: Running) -> str:
    """What is not as it should be."""
    if found.live == target.name:
        up = sum(one.running for one in found.sets.get(target.name, ()))
        if up < target.count:
            return f"{up} of {target.count} containers run"
        if found.held:
            return "its callers wait since a deploy ended in the middle"
        return "its front is missing" if found.front is None else "its front changes"
    before = found.sets.get(found.live) or found.plain
    if before and all(one.image != target.image for one in before):
        return "new image"
    if not found.live and found.plain:
        return "it runs without homeport"
    return "new configuration"


def _with(step: Step, action: Action, why: str) -> Step:
    return Step(step.service, action, why, step.target, step.before, step.front, step.new_front, step.plain)


def _warnings(stack: Stack, steps: Mapping[str, Step]) -> tuple[str, ...]:
    found = []
    for name, step in steps.items():
        if step.action not in {Action.START_FIRST, Action.STOP_FIRST, Action.NEW}:
            continue
        service = stack.services[name]
        if not service.has_health_check:
            found.append(f"{name} has no health check: its gate is that it runs and takes connections.")
        if step.new_front and step.plain:
            found.append(f"{name} gets a front: its name and ports are handed over once, with a short gap.")
    return tuple(found)

"""What a deploy does, service by service, as data. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
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
from homeport.model.stack import START_FIRST, STOP_FIRST, Service, Stack


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
    old_front: Container | None = None
    """A front that the service has and can have no more."""


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
    for name, found in running.items():
        scaled_out = name not in stack.services or not stack.services[name].replicas
        if whole and scaled_out and name not in steps and (found.sets or found.front):
            why = "it is scaled to 0" if name in stack.services else "it is in the Compose file no more"
            steps[name] = Step(name, Action.REMOVED, why, before=found.live)
    return DeployPlan(
        stack.name, steps, _needs(stack, steps), _strays(steps, running), _warnings(stack, steps)
    )


def _needs(stack: Stack, steps: Mapping[str, Step]) -> dict[str, tuple[str, ...]]:
    """What each step waits for, also by way of services that aren't deployed, and partners."""
    everything = {
        name: [need for need in (*service.needs, *service.partners) if need in stack.services]
        for name, service in stack.services.items()
    }
    found = {}
    for name in steps:
        far = graph.closure(everything, everything.get(name, ()))
        found[name] = tuple(need for need in steps if need in far and need != name)
    return found


def _strays(steps: Mapping[str, Step], running: Mapping[str, Running]) -> tuple[Container, ...]:
    return tuple(
        one
        for name, step in steps.items()
        if name in running and step.target is not None
        for replica_set, members in running[name].sets.items()
        if replica_set not in {step.target.name, "" if step.action is Action.RUN else step.before}
        for one in members
        if one.running
    )


def _step(service: Service, wanted: Desired, found: Running) -> Step:
    target, front = wanted.sets[service.name], wanted.fronts.get(service.name)
    there = found.sets.get(target.name, ())
    new_front = front is not None and (
        found.front is None or found.front.labels.get(CONFIG_LABEL) != front.config or not found.front.running
    )
    # Without a front several sets may run after a deploy that was killed: one of them is to be replaced.
    others = (name for name, own in found.sets.items() if name != target.name and _up(own))
    live = found.live or next(others, "")
    old_front = found.front if front is None and not service.can_have_front else None
    step = Step(service.name, Action.UNCHANGED, "", target, live, front, new_front, found.plain, old_front)
    if service.one_shot:
        return _one_shot(step, there)
    up = [one for one in there if one.running]
    sound = not new_front and not found.plain and not found.held
    if live == target.name and len(up) == target.count and sound and old_front is None:
        return step
    if not live and not found.plain:
        gone = "its containers are gone" if found.sets or found.front else "it doesn't run yet"
        return _with(step, Action.NEW, gone)
    order, reason = service.order
    if front is None and found.front is None and service.can_have_front:
        order, reason = STOP_FIRST, "it has no front (--zero-downtime gives it one)"
    action = Action.START_FIRST if order == START_FIRST else Action.STOP_FIRST
    return _with(step, action, f"{_difference(step, target, found)}; {reason}")


def _one_shot(step: Step, there: tuple[Container, ...]) -> Step:
    if any(not one.running and one.state == "exited" and one.exit_code == 0 for one in there):
        return step
    return _with(step, Action.RUN, "it hasn't run in this form yet")


def _difference(step: Step, target: ReplicaSet, found: Running) -> str:
    """What is not as it should be."""
    if step.before == target.name:
        up = sum(one.running for one in found.sets.get(target.name, ()))
        if up != target.count:
            return f"{up} of {target.count} containers run"
        if found.held:
            return "its callers wait since a deploy ended in the middle"
        if found.plain:
            return "somebody started it with plain Compose"
        if step.old_front:
            return "it can have no front any more"
        if found.front is None or not found.front.running:
            return "its front is gone"
        return "its front changes"
    before = found.sets.get(step.before) or found.plain
    if before and all(one.image != target.image for one in before):
        return "new image"
    if not step.before and found.plain:
        return "it runs without homeport"
    return "new configuration"


def _with(step: Step, action: Action, why: str) -> Step:
    return replace(step, action=action, why=why)


def _up(members: Iterable[Container]) -> bool:
    return any(one.running for one in members)


def _warnings(stack: Stack, steps: Mapping[str, Step]) -> tuple[str, ...]:
    found = []
    for name, step in steps.items():
        if step.action not in {Action.START_FIRST, Action.STOP_FIRST, Action.NEW}:
            continue
        service = stack.services[name]
        if not service.has_health_check:
            found.append(f"{name} has no health check: its gate is that it runs for two seconds.")
        if service.spec.get("links"):
            found.append(f"{name}: 'links' are left out; services find each other by their names.")
        if step.new_front and step.plain:
            found.append(f"{name} gets a front: its name and ports are handed over once, with a short gap.")
    return tuple(found)

"""What a deploy does, service by service, as data. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from homeport.deploy.desired import (
    CONFIG_LABEL,
    SLOTS_LABEL,
    Desired,
    Front,
    ReplicaSet,
)
from homeport.deploy.haproxy import Route
from homeport.deploy.succession import takes
from homeport.engine.containers import Container
from homeport.model import graph
from homeport.model.roles import FRONT, HOOK, REPLICA, ROLE_LABEL, SERVICE_LABEL
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
    whether its callers wait; ``spare`` are the fronts that it had in other forms.
    """

    sets: Mapping[str, tuple[Container, ...]] = field(default_factory=dict, hash=False)
    plain: tuple[Container, ...] = ()
    front: Container | None = None
    live: str = ""
    held: bool = False
    spare: tuple[Container, ...] = ()

    @property
    def fronts(self) -> tuple[Container, ...]:
        """Its front, and those that it had before."""
        return (*((self.front,) if self.front else ()), *self.spare)

    @property
    def everything(self) -> tuple[Container, ...]:
        """All of its containers, its fronts included."""
        return (*self.fronts, *self.plain, *(one for own in self.sets.values() for one in own))

    @property
    def up(self) -> bool:
        """Whether anything of it runs."""
        return any(one.active for one in self.everything)


@dataclass(frozen=True)
class Step:
    """One service in a deploy. ``before`` is the replica set that ran until now (empty: none, or a plain
    container), ``front`` what its front should be (None: there is none, or it stays as it is), ``new_front``
    whether it has to be made or started."""

    service: str
    action: Action
    why: str
    target: ReplicaSet | None = None
    before: str = ""
    front: Front | None = None
    new_front: bool = False
    plain: tuple[Container, ...] = ()
    broken: tuple[Container, ...] = ()
    """Containers of the target that lack a network: they have to be made anew."""
    old_front: Container | None = None
    """A front that the service has and can have no more."""
    swaps: bool = False
    """It takes a port of one that takes one of its own: neither can be the first."""
    first: bool = False
    """A service that goes and has something that a new one takes: it stops before that one starts."""


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
    fronts: dict[str, list[Container]] = {}
    for container in containers:
        role = container.labels.get(ROLE_LABEL)
        service = container.labels.get(SERVICE_LABEL, container.service)
        if container.one_off:
            continue
        if role == REPLICA:
            sets.setdefault(service, {}).setdefault(container.service, []).append(container)
        elif role == FRONT:
            fronts.setdefault(service, []).append(container)
        elif role != HOOK:
            plain.setdefault(service, []).append(container)
    found = {}
    for service in {**sets, **plain, **fronts}:
        own = {name: tuple(members) for name, members in sets.get(service, {}).items()}
        up = [name for name, members in own.items() if _up(members)]
        route = routes.get(service, Route())
        # Of several fronts one runs at most; if none does, the one counts that did last.
        spare = sorted(fronts.get(service, ()), key=lambda one: (one.active, one.started))
        front = spare.pop() if spare else None
        # A front that stands still routes nothing; what it did decides only between two that run.
        routed = front is not None and (front.active or (len(up) > 1 and route.name in up))
        live = route.name if routed else up[0] if len(up) == 1 else ""
        found[service] = Running(
            own, tuple(plain.get(service, ())), front, live, held=route.held, spare=tuple(spare)
        )
    return found


def make(
    stack: Stack,
    wanted: Desired,
    running: Mapping[str, Running],
    *,
    whole: bool,
    leaving: Collection[str] = (),
    released: Mapping[str, str] | None = None,
) -> DeployPlan:
    """Compare what should run with what runs.

    ``whole``: it is the whole stack, and services that are in the file no more are removed, as those are that
    are ``leaving``. ``released`` are by service the replica sets of the last release that passed; None:
    whatever runs has passed.
    """
    steps = {
        name: _step(
            stack.services[name],
            wanted,
            running.get(name, Running()),
            None if released is None else released.get(name, ""),
        )
        for name in wanted.sets
    }
    for name, found in running.items():
        scaled_out = name not in stack.services or not stack.services[name].replicas
        goes = (whole and scaled_out) or name in leaving
        if goes and name not in steps and (found.sets or found.front) and found.up:
            why = "it is scaled to 0" if name in stack.services else "it is in the Compose file no more"
            why = "the release didn't have it" if name in leaving else why
            steps[name] = Step(name, Action.REMOVED, why, before=found.live)
    needs, handed = _needs(stack, steps), _handed_over(stack, wanted, steps, running, leaving)
    for old, heirs in handed.items():
        steps[old] = replace(steps[old], first=True)
        needs |= {old: (), **{heir: (*needs[heir], old) for heir in heirs}}
    moved = _moved(stack, wanted, steps, running)
    taken_from = {name: [old for heir, old in moved if heir == name] for name in steps}
    for heir, old in moved:
        if heir in graph.closure(taken_from, [old]):
            steps[heir] = replace(steps[heir], swaps=True)
        elif heir not in graph.closure(needs, [old]):
            needs[heir] = (*needs[heir], old)
    for name in (name for name, step in steps.items() if step.swaps):
        circle = [
            one for one in graph.closure(taken_from, [name]) if name in graph.closure(taken_from, [one])
        ]
        needs[name] = _shared_needs(name, circle, needs)
    warnings = [
        f"{heir} takes {what} of {old}, which goes first: with a gap until {heir} has passed."
        for old, heirs in handed.items()
        for heir, what in heirs.items()
        if what
    ]
    return DeployPlan(
        stack.name, steps, needs, _strays(steps, running), (*warnings, *_warnings(stack, steps))
    )


def _shared_needs(
    name: str, circle: Collection[str], needs: Mapping[str, tuple[str, ...]]
) -> tuple[str, ...]:
    """What one of a circle of services waits for that take one another's ports: what any of them needs.

    Else one would have begun and wait for a port of another that can't begin yet.
    """
    others = (need for one in circle for need in needs[one] if need not in circle)
    free = (need for need in others if not {*circle} & {*graph.closure(needs, [need])})
    return tuple(dict.fromkeys((*needs[name], *free)))


def _handed_over(
    stack: Stack,
    wanted: Desired,
    steps: Mapping[str, Step],
    running: Mapping[str, Running],
    leaving: Collection[str],
) -> dict[str, dict[str, str]]:
    """By service that goes those that take something of it, and what."""
    found: dict[str, dict[str, str]] = {}
    for old, step in steps.items():
        if step.action is not Action.REMOVED:
            continue
        heirs = {
            name: what
            for name, one in steps.items()
            if one.action not in {Action.REMOVED, Action.UNCHANGED}
            and (what := takes(stack, wanted, name, running[old].everything))
        }
        if heirs:
            found[old] = heirs
    return found


def _moved(
    stack: Stack, wanted: Desired, steps: Mapping[str, Step], running: Mapping[str, Running]
) -> list[tuple[str, str]]:
    """Pairs of services that stay, of which the first takes a port that the second has and gives up."""
    changed = [name for name, one in steps.items() if one.action not in {Action.REMOVED, Action.UNCHANGED}]
    return [
        (heir, old)
        for heir in changed
        for old in changed
        if heir != old
        and old in running
        and takes(stack, wanted, heir, running[old].everything).startswith("port ")
    ]


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
        if one.active
    )


def _step(service: Service, wanted: Desired, found: Running, released: str | None) -> Step:
    target, front = wanted.sets[service.name], wanted.fronts.get(service.name)
    there = found.sets.get(target.name, ())
    new_front = service.can_have_front and found.front is not None and not found.front.running
    if front is not None:
        new_front |= found.front is None or found.front.labels.get(CONFIG_LABEL) != front.config
        new_front |= found.front is not None and bool(_lost(wanted, front.spec, [found.front]))
        new_front |= found.front is not None and int(found.front.labels.get(SLOTS_LABEL, "0")) < target.count
    broken = _lost(wanted, target.spec, there)
    # Without a front several sets may run after a deploy that was killed: one of them is to be replaced.
    others = (name for name, own in found.sets.items() if name != target.name and _up(own))
    live = found.live or next(others, "")
    may_stay = front is not None or service.can_have_front
    old_front = found.front if not may_stay and found.front and found.front.active else None
    step = Step(
        service.name, Action.UNCHANGED, "", target, live, front, new_front, found.plain, broken, old_front
    )
    if service.one_shot:
        return _one_shot(step, there)
    up = [one for one in there if one.running and one not in broken]
    sound = not new_front and not found.plain and not (found.held and may_stay)
    if live == target.name and len(up) == target.count and sound and old_front is None:
        if released in {None, target.name}:
            return step
        # Its gate is all that is left; nothing else has to be stopped for that.
        return _with(step, Action.START_FIRST, "a deploy ended before it had passed")
    if not live and not found.plain:
        gone = "its containers are gone" if found.sets or found.front else "it doesn't run yet"
        return _with(step, Action.NEW, gone)
    order, reason = service.order
    if front is None and found.front is None and service.can_have_front:
        order, reason = STOP_FIRST, "it has no front (--zero-downtime gives it one)"
    action = Action.START_FIRST if order == START_FIRST else Action.STOP_FIRST
    return _with(step, action, f"{_difference(step, target, found)}; {reason}")


def _lost(wanted: Desired, spec: Mapping[str, Any], there: Iterable[Container]) -> tuple[Container, ...]:
    """Which of these aren't in all networks that they should be in."""
    networks = wanted.networks(spec)
    return tuple(one for one in there if not networks <= set(one.networks))


def _one_shot(step: Step, there: tuple[Container, ...]) -> Step:
    if any(not one.running and one.state == "exited" and one.exit_code == 0 for one in there):
        return step
    return _with(step, Action.RUN, "it hasn't run in this form yet")


def _difference(step: Step, target: ReplicaSet, found: Running) -> str:
    """What is not as it should be."""
    if step.before == target.name:
        if step.broken:
            return f"{step.broken[0].name} has lost a network"
        up = sum(one.running for one in found.sets.get(target.name, ()))
        if up != target.count:
            return f"{up} of {target.count} containers run"
        if found.held and step.front:
            return "its callers wait since a deploy ended in the middle"
        if found.plain:
            return "somebody started it with plain Compose"
        if step.old_front:
            return "it can have no front any more"
        if found.front is None or not found.front.running:
            return "its front is gone"
        if step.front and found.front.labels.get(CONFIG_LABEL) == step.front.config:
            return "its front has lost a network"
        new = str(step.front.spec.get("image")) if step.front else ""
        if new and found.front.image_name not in {"", new}:
            return f"its front changes from {found.front.image_name} to {new}"
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
    return any(one.active for one in members)


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
            gap = (
                "with a gap of usually less than a second"
                if step.action is Action.START_FIRST
                else "and it is away while its old container stops; then callers wait for the new one"
            )
            found.append(f"{name} gets a front: its name and ports are handed over once, {gap}.")
        elif step.new_front and step.before:
            found.append(f"{name}: its front is made anew; who calls in these seconds is refused.")
    return tuple(found)

"""What a deploy has in hand while it runs: the plan, the fronts, and what has been done so far."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from homeport.deploy.desired import Desired, Front, ReplicaSet
from homeport.deploy.front import LiveFront
from homeport.deploy.plan import DeployPlan, Running, Step
from homeport.engine import compose, containers, images
from homeport.engine.containers import Container, ContainerProblem
from homeport.errors import HomeportError
from homeport.model.release import Release
from homeport.model.roles import HOOK, REPLICA, ROLE_LABEL, SERVICE_LABEL
from homeport.model.stack import Service, Stack

_AT_ONCE = 8


class Cancelled(HomeportError):
    """Something else failed, and this needn't be waited for any more."""


@dataclass(frozen=True)
class Event:
    """Something that happened to a service; ``at`` counts seconds from the start of the deploy."""

    at: float
    service: str
    what: str
    detail: str = ""


@dataclass
class Done:
    """What has been done to one service, so that it can be undone.

    ``stopped`` are containers that ran before, ``renamed`` by id the names that such containers had,
    ``replaced`` is the front that another one took the place of.
    """

    started: bool = False
    front_made: bool = False
    front_woken: bool = False
    switched: bool = False
    held: bool = False
    stopped: tuple[str, ...] = ()
    renamed: dict[str, str] = field(default_factory=dict)
    replaced: LiveFront | None = None


@dataclass
class Work:
    """One deploy. ``tell`` is called for every event as it happens; ``gate_seconds`` limits each gate,
    ``run_seconds`` everything that runs to its end."""

    plan: DeployPlan
    stack: Stack
    wanted: Desired
    running: Mapping[str, Running]
    fronts: dict[str, LiveFront]
    cwd: Path
    tell: Callable[[Event], None]
    gate_seconds: float
    run_seconds: float
    last: Release | None = None
    """The last release that passed."""
    begun_with: tuple[str, ...] | None = None
    """Not None: a deploy before this one was killed, and what was found may be no release at all.

    Then these containers ran before it that plain Compose had made, by id."""
    began: float = field(default_factory=time.monotonic)
    events: list[Event] = field(default_factory=list)
    done: dict[str, Done] = field(default_factory=dict)
    made: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """By replica set its containers that are made and not started yet, by id."""
    failed: dict[str, HomeportError] = field(default_factory=dict)
    """The services that went back alone, because they say so (``failure_action: continue``)."""
    culprits: tuple[str, ...] = ()
    """The services whose failure ended the deploy."""
    cancelled: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.done = {name: Done() for name in self.plan.changes}

    def event(self, service: str, what: str, detail: str = "") -> None:
        """Note that something happened."""
        event = Event(time.monotonic() - self.began, service, what, detail)
        self.events.append(event)
        self.tell(event)

    def sleep(self, seconds: float) -> None:
        """Wait a little. Raises Cancelled when all the rest has been given up."""
        if self.cancelled.wait(seconds):
            raise Cancelled("Given up, because something else failed.")

    @property
    def broken_off(self) -> bool:
        """Whether a deploy before this one was killed."""
        return self.begun_with is not None

    @property
    def released(self) -> dict[str, str]:
        """By service the replica set of the last release that passed."""
        return {name: one.replica_set for name, one in self.last.services.items()} if self.last else {}

    def service(self, step: Step) -> Service:
        return self.stack.services[step.service]

    def make(self, step: Step) -> None:
        """Make a step's first containers ahead of :meth:`start`, if nothing but the engine is needed for it.

        Where callers wait from here on, they needn't wait for Compose.
        """
        one, count = target(step), self.service(step).portions[0]
        found = self.running.get(step.service, Running())
        if step.broken or found.sets.get(one.name) or one.spec.get("container_name"):
            return
        self.done[step.service].started = True
        self.name_images([one.name])
        compose.create(self.wanted.document, [one.name], self.cwd, {one.name: count})
        self.made[one.name] = tuple(member.id for member in self.replicas(one))

    def start(self, steps: Iterable[Step], count: int = 0) -> None:
        """Start the replica sets of these steps: those that are there as they are, the others by Compose.

        So many of each, else their first portion.
        """
        new: dict[str, int] = {}
        kept: list[str] = []
        for step in steps:
            one = target(step)
            wanted = count or self.service(step).portions[0]
            self.done[one.service].started = True
            self.event(
                one.service, "start", f"{one.name}{f', {wanted} of {one.count}' * (wanted < one.count)}"
            )
            containers.remove([broken.id for broken in step.broken])
            there = self.running[one.service].sets.get(one.name, ()) if one.service in self.running else ()
            there = tuple(member for member in there if member not in step.broken)
            if one.name in self.made:
                kept += self.made.pop(one.name)
                continue
            if len(there) != one.count:
                new[one.name] = wanted
                continue
            kept += [container.id for container in there[:wanted]]
            name = name_of(step)
            if name and step.front is None and there[0].name != name:
                containers.rename(there[0].id, name)
        containers.resume(kept)
        if new:
            self.name_images(new)
            compose.up(self.wanted.document, new, self.cwd)

    def name_images(self, sets: Iterable[str]) -> None:
        """Give the images of new replica sets the names that they are kept by."""
        for one in self.wanted.sets.values():
            name = str(one.spec.get("image"))
            if one.name in sets and name != one.image and not images.tag(one.image, name):
                raise ContainerProblem(
                    f"The image of {one.service} can't be named {name}.",
                    cause="It may have been removed a moment ago.",
                    hint="Build or pull it, and deploy again.",
                )

    def hooks_of(self, service: str) -> tuple[Container, ...]:
        """The containers of commands before and after, of whatever form of the service, as they are now."""
        everything = containers.of_project(self.plan.stack)
        own = {SERVICE_LABEL: service, ROLE_LABEL: HOOK}
        return tuple(one for one in everything if own.items() <= one.labels.items())

    def replicas(self, one: ReplicaSet) -> tuple[Container, ...]:
        """The containers of a replica set as they are now."""
        return containers.of_project(self.plan.stack, one.name)

    def had_front(self, service: str) -> bool:
        """Whether the service had a front when the deploy began, running or not."""
        return service in self.running and self.running[service].front is not None

    def front_container(self, front: Front) -> Container:
        """The container of a front that is there."""
        return containers.of_project(self.plan.stack, front.name)[0]

    def had_active_front(self, service: str) -> bool:
        """Whether the service's name and ports were with a front when the deploy began."""
        front = self.running[service].front if service in self.running else None
        return front is not None and front.active

    def strays(self, step: Step) -> tuple[Container, ...]:
        """What works for the service now and is neither its target nor what ran: a killed deploy left it."""
        known = {target(step).name, step.before}
        own = {SERVICE_LABEL: step.service, ROLE_LABEL: REPLICA}
        return tuple(
            one
            for one in containers.of_project(self.plan.stack)
            if one.active and own.items() <= one.labels.items() and one.service not in known
        )

    def others(self, step: Step) -> tuple[Container, ...]:
        """All containers of the service but its target's, and those of others that may lose their name.

        As the deploy found them. Another service may have had its name: in one that stands still, or in a
        form that is about to be replaced.
        """
        everything = {name: found.everything for name, found in self.running.items()}
        own = everything.pop(step.service, ())
        still = (
            one
            for name, members in everything.items()
            for one in members
            if not one.active or name in self.done
        )
        front = self.fronts.get(step.service)
        return tuple(
            one
            for one in (*own, *still)
            if one.service != target(step).name and (front is None or one.id != front.name)
        )

    def old(self, step: Step) -> tuple[Container, ...]:
        """The containers that the step replaces, as they were when the deploy began."""
        if step.service not in self.running or step.before == target(step).name:
            return ()
        found = self.running[step.service].sets.get(step.before, ())
        front = (step.old_front,) if step.old_front else ()
        return (*front, *found, *step.plain)


def target(step: Step) -> ReplicaSet:
    """The replica set that a step leads to; only a removal has none."""
    if step.target is None:
        raise AssertionError(f"{step.service} is removed and leads to nothing")
    return step.target


def target_front(step: Step) -> Front:
    """The front that a step makes or replaces."""
    if step.front is None:
        raise AssertionError(f"{step.service} gets no front")
    return step.front


def name_of(step: Step) -> str:
    """The container's name that the step takes for the front or, without one, the replica; mostly none."""
    return str((step.front or target(step)).spec.get("container_name") or "")


def at_once(work: Callable[[Step], None], steps: Iterable[Step]) -> None:
    """Do something with several steps at the same time; the first error is raised when all have ended."""
    listed = list(steps)
    if listed:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for future in [pool.submit(work, step) for step in listed]:
                future.result()

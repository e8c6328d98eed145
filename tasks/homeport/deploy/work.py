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
from homeport.engine import compose, containers
from homeport.engine.containers import Container
from homeport.errors import HomeportError
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

    ``stopped`` are containers that ran before, ``renamed`` by id the names that such containers had.
    """

    started: bool = False
    front_made: bool = False
    switched: bool = False
    held: bool = False
    stopped: tuple[str, ...] = ()
    renamed: dict[str, str] = field(default_factory=dict)


@dataclass
class Work:
    """One deploy. ``tell`` is called for every event as it happens; ``gate_seconds`` limits each gate."""

    plan: DeployPlan
    stack: Stack
    wanted: Desired
    running: Mapping[str, Running]
    fronts: dict[str, LiveFront]
    cwd: Path
    tell: Callable[[Event], None]
    gate_seconds: float
    began: float = field(default_factory=time.monotonic)
    events: list[Event] = field(default_factory=list)
    done: dict[str, Done] = field(default_factory=dict)
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

    def service(self, step: Step) -> Service:
        return self.stack.services[step.service]

    def start(self, steps: Iterable[Step]) -> None:
        """Start the replica sets of these steps: those that are kept as they are, the others by Compose."""
        new: list[str] = []
        kept: list[str] = []
        for step in steps:
            one = target(step)
            self.done[one.service].started = True
            self.event(one.service, "start", one.name)
            there = self.running[one.service].sets.get(one.name, ()) if one.service in self.running else ()
            if len(there) != one.count:
                new.append(one.name)
                continue
            kept += [container.id for container in there]
            name = "" if step.front else self.service(step).container_name
            if name and there[0].name != name and one.service not in self.fronts:
                containers.rename(there[0].id, name)
        containers.start(kept)
        if new:
            compose.up(self.wanted.document, new, self.cwd)

    def replicas(self, one: ReplicaSet) -> tuple[Container, ...]:
        """The containers of a replica set as they are now."""
        return containers.of_project(self.plan.stack, one.name)

    def had_front(self, service: str) -> bool:
        """Whether the service had a front when the deploy began, running or not."""
        return service in self.running and self.running[service].front is not None

    def front_container(self, front: Front) -> Container:
        """The container of a front that Compose has made."""
        return containers.of_project(self.plan.stack, front.name)[0]

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


def at_once(work: Callable[[Step], None], steps: Iterable[Step]) -> None:
    """Do something with several steps at the same time; the first error is raised when all have ended."""
    listed = list(steps)
    if listed:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for future in [pool.submit(work, step) for step in listed]:
                future.result()

"""One front at work: it is started, filled, switched, held and drained."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from homeport.deploy import haproxy
from homeport.deploy.desired import FRONT_CONFIG, SLOTS_LABEL, ReplicaSet
from homeport.deploy.haproxy import Route
from homeport.engine import containers, fronts
from homeport.engine.containers import Container, ContainerProblem
from homeport.model.stack import Service

POLL_SECONDS = 0.1
RESOLVE_SECONDS = 15.0


@dataclass
class LiveFront:
    """The front of one service. ``name`` is its container, ``route`` what it does now."""

    name: str
    service: Service
    route: Route
    slots: int

    @classmethod
    def of(cls, container: Container, service: Service, route: Route, slots: int = 0) -> LiveFront:
        """The front that runs in this container."""
        return cls(container.id, service, route, slots or int(container.labels.get(SLOTS_LABEL, "4")))

    def prepare(self, target: ReplicaSet, *, held: bool) -> None:
        """Give a front that was only made its first configuration."""
        self.route = Route("a", target.name)
        self._write(held=held)

    def switch(self, target: ReplicaSet) -> None:
        """Send new requests to a replica set that has passed its gate; what is in flight stays where it is.

        Raises ContainerProblem if the front doesn't take the new ones; the route is then as it was.
        """
        ports, before = self.service.ports, self.route
        after = Route(before.other, target.name)
        count = min(target.count, self.slots)
        self._tell(haproxy.fill(ports, after.group, count, target.name))
        self._wait_for_addresses(after.group, count)
        self.route = after
        self._write()
        self._tell(
            haproxy.state(ports, after.group, count, "ready")
            + haproxy.hold(ports, on=False)
            + haproxy.state(ports, before.group, self.slots, "drain")
        )

    def back(self, name: str) -> None:
        """Send new requests to the other group again, which still has the set ``name``."""
        group = self.route.group
        self.route = Route(self.route.other, name)
        self._write()
        self._tell(
            haproxy.state(self.service.ports, self.route.group, self.slots, "ready")
            + haproxy.hold(self.service.ports, on=False)
            + haproxy.state(self.service.ports, group, self.slots, "drain")
        )

    def hold(self) -> None:
        """Let new callers wait; what is in flight goes on."""
        self._write(held=True)
        self._tell(
            haproxy.hold(self.service.ports, on=True)
            + haproxy.state(self.service.ports, self.route.group, self.slots, "drain")
        )

    def release(self) -> None:
        """Let those who wait go on, to the set that was live before they were held."""
        self._write()
        self._tell(
            haproxy.state(self.service.ports, self.route.group, self.slots, "ready")
            + haproxy.hold(self.service.ports, on=False)
        )

    def drain(self, group: str, seconds: float, ports: Iterable[int] | None = None) -> int:
        """Wait until nothing is in flight in a group; returns how much still is after so many seconds."""
        end = time.monotonic() + seconds
        counted = self.service.ports if ports is None else ports
        while True:
            left = haproxy.in_flight(self._tell(["show stat"]), group, counted)
            if not left or time.monotonic() >= end:
                return left
            time.sleep(POLL_SECONDS)

    def retire(self, group: str) -> None:
        """Let go of a group whose containers are about to stop."""
        self._tell(haproxy.state(self.service.ports, group, self.slots, "maint"))

    def _wait_for_addresses(self, group: str, count: int) -> None:
        wanted = {f"{group}{slot}" for slot in range(1, count + 1)}
        end = time.monotonic() + RESOLVE_SECONDS
        while True:
            states = haproxy.parse_states(self._tell(["show servers state"]))
            found = [one for one in states if one.name in wanted]
            if found and all(one.address and one.address != "127.0.0.1" for one in found):
                return
            if time.monotonic() >= end:
                raise ContainerProblem(
                    f"The front of {self.service.name} doesn't find the new replicas.",
                    cause="The engine's name service doesn't answer it.",
                )
            time.sleep(POLL_SECONDS)

    def _write(self, *, held: bool = False) -> None:
        text = haproxy.config(
            self.service.ports, self.route, self.slots, http=self.service.http_ports, held=held
        )
        containers.write_file(self.name, FRONT_CONFIG, text)

    def _tell(self, commands: list[str]) -> str:
        said = fronts.tell(self.name, commands, haproxy.CLI_PORT)
        for word in ("No such", "Unknown command", "Permission denied", "could not", "Require"):
            if word in said:
                raise ContainerProblem(f"The front of {self.service.name} refuses a command.", detail=said)
        return said


def read_routes(
    names: dict[str, str], read: Callable[[str, str], str] = fronts.read_file
) -> dict[str, Route]:
    """By service the routes of fronts, given by their containers."""
    found = {}
    for service, name in names.items():
        if route := haproxy.read_route(read(name, FRONT_CONFIG)):
            found[service] = route
    return found

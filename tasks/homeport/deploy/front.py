"""One front at work: it is started, filled, switched, held and drained."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from homeport.deploy import haproxy
from homeport.deploy.desired import FRONT_CONFIG, SLOTS_LABEL, ReplicaSet
from homeport.deploy.haproxy import Route
from homeport.engine import containers, fronts
from homeport.engine.containers import Container, ContainerProblem
from homeport.model.stack import Service

POLL_SECONDS = 0.1
RESOLVE_SECONDS = 15.0
FRONT_SECONDS = 5.0
"""How long a front that is replaced may finish what it has in flight: its ports are taken so long."""
_AT_ONCE = 8


@dataclass
class LiveFront:
    """The front of one service.

    ``name`` is its container, ``form`` which of the service's fronts it is, ``route`` what it does now.
    """

    name: str
    form: str
    service: Service
    route: Route
    slots: int
    ports: tuple[int, ...]
    http: frozenset[int]

    @classmethod
    def of(cls, container: Container, service: Service, route: Route) -> LiveFront:
        """The front that runs in this container."""
        # What it serves now counts: a rollback may not know the image that says so any more.
        ports, http = (route.ports, route.http) if route.ports else (service.ports, service.http_ports)
        return cls(container.id, container.service, service, route, _slots(container), ports, http)

    def wake(self, target: ReplicaSet, *, held: bool) -> None:
        """Give a front that stands still the configuration that it starts with."""
        self._write(Route("a", target.name, held))

    def switch(self, target: ReplicaSet) -> None:
        """Send new requests to a replica set that has passed its gate; what is in flight stays where it is.

        Until :meth:`settle`, callers wait if none of the new ones can be reached any more. Raises
        ContainerProblem if the front doesn't take the new ones; the route is then as it was.
        """
        ports, before = self.ports, self.route
        if before.name == target.name:
            # It is there already, and only its replicas have come back: no server of the other group could
            # have an address that one of this group has. One that was started held has no names yet.
            self.again(target.name, target.count)
            return
        after = Route(before.other, target.name)
        self._tell(haproxy.fill(ports, after.group, self.slots, target.name))
        self._wait_for_addresses(after.group, min(target.count, self.slots))
        self._turn(before, after)

    def again(self, name: str, count: int) -> None:
        """Let callers go on to the set that is live already, once its replicas have come back."""
        group = self.route.group
        self._tell(haproxy.fill(self.ports, group, self.slots, name))
        self._wait_for_addresses(group, min(count, self.slots))
        self.release()

    def reach(self, target: ReplicaSet, watch: Callable[[], None]) -> None:
        """Make sure that the front can connect to a replica set that has passed. Raises ContainerProblem.

        ``watch`` is called as long as it can't, and may raise something that says why.
        """
        end = time.monotonic() + RESOLVE_SECONDS
        while not fronts.reaches(self.name, haproxy.host_of(target.name), self.ports):
            watch()
            own = self._own()
            if own is None or not own.running:
                raise ContainerProblem(f"The front of {self.service.name} doesn't run any more.")
            if time.monotonic() >= end or not own.networks:
                raise self._unreachable(own)
            time.sleep(POLL_SECONDS)

    def _unreachable(self, own: Container) -> ContainerProblem:
        name, ports = self.service.name, ", ".join(map(str, self.ports))
        if not own.networks:
            return ContainerProblem(f"The front of {name} is in no network any more.")
        return ContainerProblem(
            f"{name} is healthy, but its front can't connect to it on port {ports}.",
            cause="It may listen on 127.0.0.1 only, or on another port; or share no network with its front.",
            hint="Let it listen on 0.0.0.0; say 'x-homeport: {ports: [8000]}' if its image exposes others, "
            "'x-homeport: {ports: []}' if it serves none.",
        )

    def revive(self) -> bool:
        """Start the front again if it doesn't run, as its file says; whether it had to be.

        It takes commands then. Raises ContainerProblem.
        """
        own = self._own()
        if own is None or own.running:
            return False
        containers.start([self.name])
        end = time.monotonic() + RESOLVE_SECONDS
        while True:
            try:
                self._tell(["show version"])
                return True
            except ContainerProblem:
                if time.monotonic() >= end:
                    raise
            time.sleep(POLL_SECONDS)

    def check_networks(self, before: Container) -> None:
        """Raise ContainerProblem if the front isn't in all networks any more that it was in ``before``."""
        own = self._own()
        lost = set(before.networks) - set(own.networks if own else ())
        if lost:
            raise ContainerProblem(f"its front is no more in {', '.join(sorted(lost))}.")

    def _own(self) -> Container | None:
        return next(iter(containers.inspect([self.name])), None)

    def back(self, name: str) -> None:
        """Send new requests to the set ``name`` again, which still runs."""
        after = Route(self.route.other, name)
        self._tell(haproxy.fill(self.ports, after.group, self.slots, name))
        self._wait_for_addresses(after.group, 1)
        self._turn(self.route, after)
        self.settle()

    def settle(self) -> None:
        """Let callers hear at once when nobody can be reached: nothing is about to change that."""
        self._tell(haproxy.hold(self.ports, on=False))

    def hold(self) -> None:
        """Let new callers wait; what is in flight goes on."""
        # Noted first: whoever finds the front so after a crash knows that callers wait.
        self._write(replace(self.route, held=True))
        self._tell(
            haproxy.hold(self.ports, on=True)
            + haproxy.state(self.ports, self.route.group, self.slots, "drain")
        )

    def release(self) -> None:
        """Let those who wait go on, to the set that was live before they were held."""
        self._tell(
            haproxy.state(self.ports, self.route.group, self.slots, "ready")
            + haproxy.hold(self.ports, on=False)
        )
        if self.route.held:
            self._write(replace(self.route, held=False))

    def _turn(self, before: Route, after: Route) -> None:
        ports = self.ports
        self._tell(
            haproxy.state(ports, after.group, self.slots, "ready")
            + haproxy.hold(ports, on=True)
            + haproxy.state(ports, before.group, self.slots, "drain")
        )
        # Noted last: what is done twice after a crash does no harm, what is left out would.
        self._write(after)

    def drain(self, group: str, seconds: float, ports: Iterable[int] | None = None) -> int:
        """Wait until nothing is in flight in a group; returns how much still is after so many seconds."""
        end = time.monotonic() + seconds
        counted = self.ports if ports is None else ports
        while True:
            left = haproxy.in_flight(self._tell(["show stat"]), group, counted)
            if left == 0 or time.monotonic() >= end:
                return left or 0
            time.sleep(POLL_SECONDS)

    def retire(self, group: str) -> None:
        """Let go of a group whose containers are about to stop."""
        self._tell(haproxy.state(self.ports, group, self.slots, "maint"))

    def _wait_for_addresses(self, group: str, count: int) -> None:
        end = time.monotonic() + RESOLVE_SECONDS
        while True:
            states = haproxy.parse_states(self._tell(["show servers state"]))
            known = Counter(
                one.backend for one in states if one.group == group and one.address not in {"", "127.0.0.1"}
            )
            if all(known[f"b{port}"] >= count for port in self.ports):
                return
            if time.monotonic() >= end:
                raise ContainerProblem(
                    f"The front of {self.service.name} doesn't find the new replicas.",
                    cause="The engine's name service doesn't answer it.",
                )
            time.sleep(POLL_SECONDS)

    def _write(self, route: Route) -> None:
        text = haproxy.config(self.ports, route, self.slots, http=self.http)
        containers.write_file(self.name, FRONT_CONFIG, text)
        self.route = route

    def _tell(self, commands: list[str]) -> str:
        said = fronts.tell(self.name, commands, haproxy.CLI_PORT)
        for word in ("No such", "Unknown command", "Permission denied", "could not", "Require"):
            if word in said:
                raise ContainerProblem(f"The front of {self.service.name} refuses a command.", detail=said)
        return said


def _slots(container: Container) -> int:
    return int(container.labels.get(SLOTS_LABEL, "4"))


def read_routes(
    names: dict[str, str], read: Callable[[str, str], str] = fronts.read_file
) -> dict[str, Route]:
    """By service the routes of fronts, given by their containers."""
    if not names:
        return {}
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        texts = pool.map(lambda name: read(name, FRONT_CONFIG), names.values())
        routes = zip(names, map(haproxy.read_route, texts), strict=True)
        return {service: route for service, route in routes if route is not None}

"""A Compose project as ``docker compose config`` resolves it: what its services need when they are replaced.

The Compose specification's own fields count (https://github.com/compose-spec/compose-spec: spec.md,
deploy.md); what has no field there stands under ``x-homeport``.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from homeport.errors import DefinitionError, did_you_mean
from homeport.model.graph import closure

START_FIRST = "start-first"
STOP_FIRST = "stop-first"

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(us|µs|ms|s|m|h)")
_UNITS = {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_OWN_KEYS = {"ports", "mode", "drain", "before", "after"}
ROLLBACK, PAUSE, CONTINUE = "rollback", "pause", "continue"
PARTNER_KEYS = ("network_mode", "pid", "ipc")
_SOCKETS = (".sock", "/docker.sock")
_URL = re.compile(r"\bhttp://[^\s'\"|;)]+")
_AUTHORITY = re.compile(r"http://(?:[^/@]*@)?(?:\[[^\]]*\]|[^:/]*)(?::(\d+))?")
_HTTP = {"http", "ws"}


@dataclass(frozen=True)
class Port:
    """A port that a service is published under."""

    target: int
    protocol: str = "tcp"
    app_protocol: str = ""


@dataclass(frozen=True)
class Service:
    """One service; ``spec`` is its part of the resolved Compose document.

    Its image says which ports it serves (``exposed``) and whether it checks its own health (``checked``).
    ``awaited``: others wait for its end.
    """

    name: str
    spec: Mapping[str, Any] = field(hash=False)
    exposed: tuple[int, ...] = ()
    checked: bool = False
    awaited: bool = False
    fronted: bool | None = None
    """What a release says of its having a front; None: whatever can be."""

    @cached_property
    def needs(self) -> dict[str, str]:
        """By name the services it waits for, each with the condition that Compose names."""
        found = self.spec.get("depends_on") or {}
        return {str(name): str(item.get("condition") or "service_started") for name, item in found.items()}

    @property
    def replicas(self) -> int:
        """How many containers run it: ``deploy.replicas``, ``scale``, or one."""
        for value in (self._deploy.get("replicas"), self.spec.get("scale")):
            if value is not None:
                return int(value)
        return 1

    @property
    def image(self) -> str:
        """The image by the name that the file gives it."""
        return str(self.spec.get("image") or "")

    @property
    def container_name(self) -> str:
        return str(self.spec.get("container_name") or "")

    @property
    def one_shot(self) -> bool:
        """Whether it runs to its end: others wait for that, or it says ``restart: "no"`` and serves no port.

        A service that says nothing of it isn't started again either, but is meant to stay. What its image
        exposes doesn't count: a migration often is the service's own image with another command.
        """
        return self.awaited or (str(self.spec.get("restart") or "") == "no" and not self._own_ports)

    @cached_property
    def published(self) -> tuple[Port, ...]:
        """The ports that are published on the host."""
        return tuple(
            Port(int(item["target"]), str(item.get("protocol") or "tcp"), str(item.get("app_protocol") or ""))
            for item in self.spec.get("ports") or ()
        )

    @cached_property
    def ports(self) -> tuple[int, ...]:
        """The TCP ports that others may reach it by: published, and exposed by the file or its image.

        A list under ``x-homeport: ports`` takes the place of what is exposed.
        """
        return tuple(sorted({*self._own_ports, *(() if "ports" in self._own else self.exposed)}))

    @cached_property
    def _own_ports(self) -> tuple[int, ...]:
        found = [port.target for port in self.published if port.protocol == "tcp"]
        return (*found, *self._own.get("ports", self._exposed_as("tcp")))

    def _exposed_as(self, protocol: str) -> list[int]:
        items = (str(item).partition("/") for item in self.spec.get("expose") or ())
        return [port for number, _, said in items if (said or "tcp") == protocol for port in _range(number)]

    @property
    def has_udp(self) -> bool:
        return any(port.protocol == "udp" for port in self.published) or bool(self._exposed_as("udp"))

    @property
    def network_mode(self) -> str:
        """A network that isn't one of the project's: ``host``, ``none``, another container's."""
        return str(self.spec.get("network_mode") or "")

    @cached_property
    def partners(self) -> tuple[str, ...]:
        """The services whose network, processes, memory or volumes it shares: replaced with it or not."""
        shared = [str(self.spec.get(key) or "") for key in PARTNER_KEYS]
        found = [value.partition(":")[2] for value in shared if value.startswith("service:")]
        mounted = (str(item).partition(":")[0] for item in self.spec.get("volumes_from") or ())
        return tuple(dict.fromkeys([*found, *(name for name in mounted if name != "container")]))

    @property
    def has_health_check(self) -> bool:
        """Whether the engine checks it: as the file says, else as its image says."""
        check = self.spec.get("healthcheck") or {}
        test = check.get("test")
        if check.get("disable") or test in ("NONE", ["NONE"]):
            return False
        return bool(test) or self.checked

    @cached_property
    def written(self) -> tuple[str, ...]:
        """The volumes that it writes to and another replica would write to, too."""
        found = []
        for mount in self.spec.get("volumes") or ():
            source = str(mount.get("source") or "")
            if mount.get("read_only") or not source or source.endswith(_SOCKETS):
                continue
            if mount.get("type") in {"volume", "bind"}:
                found.append(source)
        return tuple(found)

    @cached_property
    def order(self) -> tuple[str, str]:
        """How it is replaced (``start-first`` or ``stop-first``), and why."""
        said = str(self._update.get("order") or "")
        if said == STOP_FIRST:
            return STOP_FIRST, "the file says so"
        if self.partners:
            return STOP_FIRST, f"it shares something of {self.partners[0]}"
        if self.network_mode:
            return STOP_FIRST, f"its network is {self.network_mode}, where no front can be"
        if self.has_udp:
            return STOP_FIRST, "it serves UDP, which no front can hand over"
        if not self.can_have_front and (self.container_name or self.published):
            return STOP_FIRST, "it has a name or port that only one can have"
        if said == START_FIRST:
            return START_FIRST, "the file says so"
        if self.written:
            return STOP_FIRST, f"it may write to {self.written[0]}, and two of it might harm that"
        if not self.ports:
            return STOP_FIRST, "it serves no port: two of it would do the same work twice"
        return START_FIRST, "it keeps nothing of its own"

    @property
    def can_have_front(self) -> bool:
        """Whether a front can take its name and ports."""
        if self.fronted is not None:
            return self.fronted
        return bool(self.ports) and not (
            self.network_mode or self.has_udp or self.partners or self.one_shot or self.replicas == 0
        )

    @cached_property
    def http_ports(self) -> frozenset[int]:
        """The ports that speak HTTP: by ``x-homeport``, ``app_protocol``, or its health check's URL."""
        if mode := str(self._own.get("mode") or ""):
            return frozenset(self.ports if mode == "http" else ())
        said = {port.target: port.app_protocol for port in self.published if port.app_protocol}
        test = (self.spec.get("healthcheck") or {}).get("test") or ()
        words = " ".join(map(str, [test] if isinstance(test, str) else test))
        checked = {_port_of(url) for url in _URL.findall(words)}
        return frozenset(
            port for port in self.ports if said.get(port) in _HTTP or (port not in said and port in checked)
        )

    @property
    def stop_grace(self) -> float:
        """Seconds between the request to stop and the end by force (Compose: 10)."""
        return seconds_of(self.spec.get("stop_grace_period"), 10.0)

    @property
    def drain(self) -> float:
        """Seconds that what is in flight may still take: ``x-homeport: {drain: 30s}``."""
        return seconds_of(self._own.get("drain"), 30.0)

    @property
    def monitor(self) -> float:
        """Seconds for which a new replica is watched after its gate (``update_config.monitor``)."""
        return seconds_of(self._update.get("monitor"), 0.0)

    @property
    def failure_action(self) -> str:
        """What a failure of it means for the release (``update_config.failure_action``).

        ``rollback``: all of it is undone; ``pause``: everything stays as it is then; ``continue``: only this
        service goes back. Swarm pauses where the file says nothing; here nobody watches each deploy.
        """
        return str(self._update.get("failure_action") or ROLLBACK)

    @property
    def portions(self) -> tuple[int, ...]:
        """How many replicas run after each portion of new ones (``update_config.parallelism``; 0: all)."""
        size = int(self._update.get("parallelism") or 0) or self.replicas
        return tuple(min(count + size, self.replicas) for count in range(0, self.replicas, max(size, 1)))

    @property
    def delay(self) -> float:
        """Seconds between two portions (``update_config.delay``)."""
        return seconds_of(self._update.get("delay"), 0.0)

    def hook(self, when: str) -> tuple[str, ...]:
        """The command that runs in a container of its own ``before`` or ``after`` the service is replaced."""
        said = self._own.get(when) or ()
        return tuple(shlex.split(said)) if isinstance(said, str) else tuple(said)

    @property
    def _deploy(self) -> Mapping[str, Any]:
        return self.spec.get("deploy") or {}

    @property
    def _update(self) -> Mapping[str, Any]:
        return self._deploy.get("update_config") or {}

    @property
    def _own(self) -> Mapping[str, Any]:
        return self.spec.get("x-homeport") or {}


@dataclass(frozen=True)
class Stack:
    """A Compose project: its services by name, and the document with everything else."""

    name: str
    services: Mapping[str, Service] = field(hash=False)
    document: Mapping[str, Any] = field(hash=False)

    def select(self, names: Iterable[str]) -> tuple[str, ...]:
        """These services with their partners, or all; what is scaled to 0 doesn't run.

        Raises DefinitionError for a name that no service has.
        """
        wanted = tuple(names) or tuple(self.services)
        for name in wanted:
            if name not in self.services:
                raise DefinitionError(
                    f"There is no service '{name}' in {self.name}.",
                    cause=did_you_mean(name, self.services),
                    hint=f"Services: {', '.join(self.services)}.",
                )
        together: dict[str, list[str]] = {name: [] for name in self.services}
        for name, service in self.services.items():
            for partner in (one for one in service.partners if one in together):
                together[name].append(partner)
                together[partner].append(name)
        found = closure(together, wanted)
        for name in found:
            for partner in (one for one in self.services[name].partners if one in self.services):
                if self.services[name].replicas and not self.services[partner].replicas:
                    raise DefinitionError(
                        f"Service '{name}' shares something of '{partner}', which is scaled to 0."
                    )
        return tuple(name for name, service in self.services.items() if name in found and service.replicas)


def parse_stack(
    document: Mapping[str, Any],
    exposed: Mapping[str, tuple[int, ...]] | None = None,
    checked: Collection[str] = (),
) -> Stack:
    """A stack from the JSON of ``docker compose config``.

    ``exposed`` are the ports of images by service, ``checked`` the services whose images check themselves.
    Raises DefinitionError for what ``x-homeport`` must not say.
    """
    specs = document.get("services") or {}
    awaited = {
        str(need)
        for spec in specs.values()
        for need, how in (spec.get("depends_on") or {}).items()
        if how.get("condition") == "service_completed_successfully"
    }
    services = {}
    for name, spec in specs.items():
        _check_own(name, spec.get("x-homeport"))
        services[name] = Service(name, spec, (exposed or {}).get(name, ()), name in checked, name in awaited)
    return Stack(str(document.get("name") or ""), services, document)


def seconds_of(value: object, default: float) -> float:
    """Seconds of a Compose duration (``1m30s``); ``default`` for none. Raises DefinitionError for others."""
    if value is None or value == "":
        return default
    text = str(value)
    parts = _DURATION.findall(text)
    if parts and "".join(number + unit for number, unit in parts) == text:
        return sum(float(number) * _UNITS[unit] for number, unit in parts)
    raise DefinitionError(f"{text!r} is no duration.", hint="Durations look like 500ms, 30s or 1m30s.")


def _check_own(name: str, own: object) -> None:
    if own is None:
        return
    if not isinstance(own, Mapping):
        raise DefinitionError(f"Service '{name}': x-homeport must be a mapping.")
    for key in own:
        if key not in _OWN_KEYS:
            raise DefinitionError(
                f"Service '{name}': x-homeport has no setting '{key}'.",
                cause=did_you_mean(str(key), _OWN_KEYS),
                hint=f"Settings there: {', '.join(sorted(_OWN_KEYS))}.",
            )
    if "mode" in own and own["mode"] not in ("http", "tcp"):
        raise DefinitionError(f"Service '{name}': x-homeport mode is 'http' or 'tcp', not {own['mode']!r}.")
    ports = own.get("ports", [])
    if not isinstance(ports, list) or not all(type(port) is int and 0 < port < 65536 for port in ports):
        raise DefinitionError(f"Service '{name}': x-homeport ports is a list of port numbers, not {ports!r}.")
    seconds_of(own.get("drain"), 0.0)
    for when in ("before", "after"):
        said = own.get(when, "")
        try:
            words = shlex.split(said) if isinstance(said, str) else said
        except ValueError:
            words = None
        if not isinstance(words, list) or not all(isinstance(word, str) and word for word in words):
            raise DefinitionError(
                f"Service '{name}': x-homeport {when} is a command, not {said!r}.",
                hint="Like Compose's 'command': one text, or a list of words.",
            )


def _port_of(url: str) -> int:
    port = _AUTHORITY.match(url)
    return int(port[1]) if port and port[1] else 80


def _range(text: str) -> list[int]:
    first, _, last = text.partition("-")
    return list(range(int(first), int(last or first) + 1)) if first.isdigit() else []

"""A Compose project as ``docker compose config`` resolves it: what its services need when they are replaced.

The Compose specification's own fields count (https://github.com/compose-spec/compose-spec: spec.md,
deploy.md); what has no field there stands under ``x-homeport``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from homeport.errors import DefinitionError, did_you_mean

START_FIRST = "start-first"
STOP_FIRST = "stop-first"

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(us|ms|s|m|h)")
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_OWN_KEYS = {"ports", "mode", "drain"}
_PARTNERS = ("network_mode", "pid", "ipc")
_SOCKETS = (".sock", "/docker.sock")
_URL = re.compile(r"\bhttp://[^/:\s'\"]+(?::(\d+))?")
_HTTP = {"http", "ws"}


@dataclass(frozen=True)
class Port:
    """A port that a service is published under."""

    target: int
    protocol: str = "tcp"
    app_protocol: str = ""


@dataclass(frozen=True)
class Service:
    """One service; ``spec`` is its part of the resolved Compose document, ``exposed`` what its image says."""

    name: str
    spec: Mapping[str, Any] = field(hash=False)
    exposed: tuple[int, ...] = ()

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
        """Whether it runs to its end: the file says ``restart: "no"`` and it serves no port.

        A service that says nothing of it isn't started again either, but is meant to stay.
        """
        return str(self.spec.get("restart") or "") == "no" and not self.ports

    @cached_property
    def published(self) -> tuple[Port, ...]:
        """The ports that are published on the host."""
        return tuple(
            Port(int(item["target"]), str(item.get("protocol") or "tcp"), str(item.get("app_protocol") or ""))
            for item in self.spec.get("ports") or ()
        )

    @cached_property
    def ports(self) -> tuple[int, ...]:
        """The TCP ports that others may reach it by: published, exposed, of its image, of ``x-homeport``."""
        found = [port.target for port in self.published if port.protocol == "tcp"]
        for item in self.spec.get("expose") or ():
            number, _, protocol = str(item).partition("/")
            if protocol in {"", "tcp"}:
                found += _range(number)
        return tuple(sorted({*found, *self.exposed, *map(int, self._own.get("ports") or ())}))

    @property
    def has_udp(self) -> bool:
        return any(port.protocol == "udp" for port in self.published)

    @property
    def host_network(self) -> bool:
        return str(self.spec.get("network_mode") or "") == "host"

    @property
    def partner(self) -> str:
        """The service whose network, processes or memory it shares; it can't be replaced without that one."""
        for key in _PARTNERS:
            kind, _, name = str(self.spec.get(key) or "").partition(":")
            if kind == "service":
                return name
        return ""

    @property
    def has_health_check(self) -> bool:
        check = self.spec.get("healthcheck") or {}
        return bool(check.get("test")) and not check.get("disable")

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
        if said := str(self._update.get("order") or ""):
            return said, "the file says so"
        if self.partner:
            return STOP_FIRST, f"it shares the {self._shared} of {self.partner}"
        if self.host_network:
            return STOP_FIRST, "it uses the host's network, where its ports are taken"
        if self.has_udp:
            return STOP_FIRST, "it serves UDP, which no front can hand over"
        if self.written:
            return STOP_FIRST, f"it writes to {self.written[0]}, and must not run twice"
        if not self.ports:
            return STOP_FIRST, "it serves no port: two of it would do the same work twice"
        return START_FIRST, "it keeps nothing of its own"

    @property
    def can_have_front(self) -> bool:
        """Whether a front can take its name and ports."""
        return bool(self.ports) and not (
            self.host_network or self.has_udp or self.partner or self.one_shot or self.replicas == 0
        )

    @cached_property
    def http_ports(self) -> frozenset[int]:
        """The ports that speak HTTP: by ``x-homeport``, ``app_protocol``, or its health check's URL."""
        if mode := str(self._own.get("mode") or ""):
            return frozenset(self.ports if mode == "http" else ())
        said = {port.target: port.app_protocol for port in self.published if port.app_protocol}
        test = (self.spec.get("healthcheck") or {}).get("test") or ()
        words = " ".join(map(str, [test] if isinstance(test, str) else test))
        checked = {int(port or 80) for port in _URL.findall(words)}
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
    def rolls_back(self) -> bool:
        return str(self._update.get("failure_action") or "rollback") == "rollback"

    @property
    def _shared(self) -> str:
        return next(
            key.removesuffix("_mode") for key in _PARTNERS if str(self.spec.get(key)).startswith("service:")
        )

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
        """These services, or all that run (``scale: 0`` is only built). Raises DefinitionError for others."""
        wanted = tuple(names)
        for name in wanted:
            if name not in self.services:
                raise DefinitionError(
                    f"There is no service '{name}' in {self.name}.",
                    cause=did_you_mean(name, self.services),
                    hint=f"Services: {', '.join(self.services)}.",
                )
        return wanted or tuple(name for name, service in self.services.items() if service.replicas)


def parse_stack(document: Mapping[str, Any], exposed: Mapping[str, tuple[int, ...]] | None = None) -> Stack:
    """A stack from the JSON of ``docker compose config``; ``exposed`` are ports of images by service.

    Raises DefinitionError for what ``x-homeport`` must not say.
    """
    services = {}
    for name, spec in (document.get("services") or {}).items():
        _check_own(name, spec.get("x-homeport"))
        services[name] = Service(name, spec, (exposed or {}).get(name, ()))
    return Stack(str(document.get("name") or ""), services, document)


def seconds_of(value: object, default: float) -> float:
    """Seconds of a Compose duration (``1m30s``); ``default`` for none. Plain numbers are seconds."""
    if value is None or value == "":
        return default
    text = str(value)
    parts = _DURATION.findall(text)
    if parts and "".join(number + unit for number, unit in parts) == text:
        return sum(float(number) * _UNITS[unit] for number, unit in parts)
    try:
        return float(text)
    except ValueError:
        raise DefinitionError(
            f"{text!r} is no duration.", hint="Compose durations look like 500ms, 30s or 1m30s."
        ) from None


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
    if own.get("mode") not in {None, "http", "tcp"}:
        raise DefinitionError(f"Service '{name}': x-homeport mode is 'http' or 'tcp', not {own['mode']!r}.")


def _range(text: str) -> list[int]:
    first, _, last = text.partition("-")
    return list(range(int(first), int(last or first) + 1)) if first.isdigit() else []

"""What has to answer when the stack is up: ports that take connections, pages with a status and a text."""

from __future__ import annotations

import http.client
import re
import socket
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from homeport.engine.signals import asked_to_stop
from homeport.errors import UsageError, did_you_mean
from homeport.model.checks import Check, Outcome
from homeport.model.config import ProbeConfig
from homeport.test.stack import Stack

PATIENCE_SECONDS = 10.0
"""How long a probe is tried again: a service may pass its own check a moment before it takes callers."""
_TIMEOUT_SECONDS = 5.0
_PAUSE_SECONDS = 0.2
_MOST_BYTES = 1_000_000
_AT_ONCE = 8


@dataclass(frozen=True)
class Probe:
    """One thing to ask. ``http`` is a path; without one that the port takes connections is enough."""

    name: str
    service: str
    port: int
    http: str = ""
    status: int = 200
    contains: str = ""

    @property
    def what(self) -> str:
        return (
            f"GET {self.http} at {self.service}:{self.port}" if self.http else f"{self.service}:{self.port}"
        )


def plan(document: Mapping[str, Any], config: Mapping[str, ProbeConfig]) -> tuple[Probe, ...]:
    """The probes of a project: those of the configuration, else one for each published TCP port.

    Raises UsageError for a service that isn't there, and for a port that nobody can guess.
    """
    services: Mapping[str, Any] = document.get("services") or {}
    published = {
        name: [int(item["target"]) for item in spec.get("ports") or () if _is_tcp(item)]
        for name, spec in services.items()
        if spec.get("scale") != 0
    }
    if not config:
        return tuple(
            Probe(f"{name}:{port}", name, port)
            for name, ports in published.items()
            for port in dict.fromkeys(ports)
        )
    return tuple(_probe(name, one, services, published) for name, one in config.items())


def ports(asked: Iterable[Probe]) -> dict[str, list[int]]:
    """By service the ports that these probes have to reach."""
    found: dict[str, list[int]] = {}
    for probe in asked:
        found.setdefault(probe.service, []).append(probe.port)
    return found


def _is_tcp(port: Mapping[str, Any]) -> bool:
    return str(port.get("protocol") or "tcp") == "tcp"


def _probe(
    name: str, one: ProbeConfig, services: Mapping[str, Any], published: Mapping[str, list[int]]
) -> Probe:
    service = one.service or name
    if service not in services:
        raise UsageError(
            f"[test.probes.{name}]: there is no service '{service}'.",
            cause=did_you_mean(service, services),
            hint="Say which one with 'service'.",
        )
    ports = sorted({*published.get(service, ())})
    if not one.port and len(ports) != 1:
        raise UsageError(
            f"[test.probes.{name}]: which port of '{service}'?",
            cause=f"It publishes {', '.join(map(str, ports)) or 'none'}.",
            hint="Say it with 'port', the container's.",
        )
    if one.http and not re.fullmatch(r"/[!-~]*", one.http):
        raise UsageError(
            f"[test.probes.{name}]: 'http' is a path such as /health, not {one.http!r}.",
            hint="Other signs than ASCII's are written with %: /caf%C3%A9.",
        )
    if one.port > 65535:
        raise UsageError(f"[test.probes.{name}]: there is no port {one.port}.")
    return Probe(name, service, one.port or ports[0], one.http, one.status, one.contains)


def ask_all(asked: Sequence[Probe], stack: Stack, tell: Callable[[Check], None]) -> list[Check]:
    """Ask all of them, several at the same time; ``tell`` is called in their order."""
    checks = []
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="probe") as pool:
        for check in pool.map(lambda probe: ask(probe, stack), asked):
            tell(check)
            checks.append(check)
    return checks


def ask(probe: Probe, stack: Stack, patience: float = PATIENCE_SECONDS) -> Check:
    """Try a probe until it is content with every replica, for ``patience`` seconds."""
    began = time.monotonic()
    ports = stack.ports.get(probe.service, {}).get(probe.port, ())
    if not ports:
        problem = f"{probe.service} doesn't publish port {probe.port}"
        return Check("smoke", probe.name, Outcome.FAILED, 0.0, problem)
    while True:
        one = _http if probe.http else _tcp
        problem = next(filter(None, (one(probe, stack.host, port) for port in ports)), "")
        took = time.monotonic() - began
        if not problem:
            what = "" if probe.what == probe.name else probe.what
            return Check("smoke", probe.name, Outcome.PASSED, took, what)
        if took >= patience or asked_to_stop():
            return Check("smoke", probe.name, Outcome.FAILED, took, f"{probe.what}: {problem}")
        time.sleep(_PAUSE_SECONDS)


def _http(probe: Probe, host: str, port: int) -> str:
    """What is wrong with an answer; empty if nothing is."""
    connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", probe.http, headers={"Host": probe.service, "Connection": "close"})
        answer = connection.getresponse()
        if answer.status != probe.status:
            return f"it answers {answer.status}, not {probe.status}"
        if probe.contains and probe.contains.encode() not in _read(answer):
            return f"its answer has no {probe.contains!r}"
        return ""
    except (OSError, http.client.HTTPException) as error:
        return f"no answer ({error or type(error).__name__})"
    finally:
        connection.close()


def _read(answer: http.client.HTTPResponse) -> bytes:
    """What comes of an answer in time: a server may send a byte now and then for ever."""
    content, end = b"", time.monotonic() + _TIMEOUT_SECONDS
    while len(content) < _MOST_BYTES and time.monotonic() < end and (part := answer.read1(65536)):
        content += part
    return content


def _tcp(probe: Probe, host: str, port: int) -> str:
    """Whether something behind the port keeps a connection open, or talks.

    That the port opens says nothing: docker's own proxy takes the connection, and closes it where nobody is.
    """
    try:
        with socket.create_connection((host, port), timeout=_TIMEOUT_SECONDS) as one:
            one.settimeout(0.5)
            return "" if one.recv(1) else "it takes a connection and closes it"
    except TimeoutError:
        return ""
    except OSError as error:
        return f"no connection ({error.strerror or error})"

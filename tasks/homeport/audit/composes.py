"""What can be said of a Compose project by reading its files. Pure.

Only what the files say counts: what an image does by itself, and what the daemon is told, isn't known here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import combinations
from typing import Any

from homeport.audit.finding import (
    ENGINE_SOCKET,
    HOST_NETWORK,
    IMAGE_UNTAGGED,
    INCLUDE_CONFLICT,
    NO_LIMITS,
    NO_RESTART,
    NO_ROTATION,
    PORT_OF_PROFILES,
    PORT_TWICE,
    PRIVILEGED,
    STARTS_EARLY,
    STOPS_FIRST,
)
from homeport.model import shorthand, stack
from homeport.model.finding import Finding, Rule
from homeport.model.includes import conflicts
from homeport.model.project import Service, interpolated
from homeport.model.yaml_tree import Alias, entry
from homeport.sources.compose import ComposeFiles

_FILES = {"", "json-file"}
"""Drivers that keep a file which grows for ever unless they are told how large it may become."""
_LIMITS = (
    ("cpus", ("cpus", "cpu_quota", "cpu_count", "cpu_percent", "cpuset"), "CPU"),
    ("memory", ("mem_limit",), "memory"),
)
"""What is limited: by its name under ``deploy.resources.limits``, by Compose's other words, for people."""
_CAPABILITIES = {"ALL", "SYS_ADMIN", "SYS_MODULE", "SYS_PTRACE", "SYS_RAWIO"}
"""Those that lead to the host (capabilities(7)); network administration stays in the container's network."""

Checked = Callable[[Service], bool]
"""Whether a service is known to have a health check: by its file, or by what it is built of."""


def find(files: ComposeFiles, checked: Checked) -> list[Finding]:
    """All findings of a project."""
    project = _Project(files, checked)
    return [
        *_conflicts(files),
        *_ports(project),
        *(one for service in project.services.values() for one in _service(project, service)),
    ]


def health_check(service: Service) -> bool | None:
    """Whether a service's file says how its health is checked; None if it says nothing of it."""
    said = service.spec.get("healthcheck")
    if not isinstance(said, Mapping):
        return None
    off = str(said.get("disable") or "").lower() == "true" or said.get("test") in ("NONE", ["NONE"])
    return False if off else True if said.get("test") else None


class _Project:
    """The services with variables filled in, and where things stand in the text."""

    def __init__(self, files: ComposeFiles, checked: Checked) -> None:
        self.files = files
        self.checked = checked
        self.services = files.project.services
        self.specs = {name: _filled(one.spec, files.environment) for name, one in self.services.items()}
        self.awaited = {
            need
            for spec in self.specs.values()
            for need, how in shorthand.dependencies(spec).items()
            if how == "service_completed_successfully"
        }

    def finding(
        self, rule: Rule, service: Service, key: str, what: str, fix: str, about: str = ""
    ) -> Finding:
        """A finding at the place where ``key`` stands, else at the name of the service."""
        path, line = self._place(service, key)
        return Finding(
            rule, path, line, f"{service.name} {what}", fix, about=f"{service.name} {about}".strip()
        )

    def _place(self, service: Service, key: str) -> tuple[str, int]:
        for layer in reversed(service.layers):
            if found := entry(layer.node, key):
                return self.files.shown(layer.path), found[0].start_mark.line + 1
        # The last one that says something of it: where a line would be added.
        layer = service.layers[-1]
        services = entry(self.files.project.documents[layer.path].roots[layer.document], "services")
        node = services[1].target if services and isinstance(services[1], Alias) else services and services[1]
        name = entry(node, service.name) if node else None
        mark = (name[0] if name else layer.node).start_mark
        return self.files.shown(layer.path), mark.line + 1

    def runs_once(self, name: str) -> bool:
        """Whether it runs to its end and is meant to."""
        return name in self.awaited or str(self.specs[name].get("restart") or "") == "no"


def _filled(value: Any, environment: Mapping[str, str]) -> Any:
    if isinstance(value, Mapping):
        return {key: _filled(item, environment) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, environment) for item in value]
    return interpolated(value, environment) if isinstance(value, str) else value


def _conflicts(files: ComposeFiles) -> Iterator[Finding]:
    for one in conflicts(files.project, files.environment):
        first = f"{files.shown(one.first.path)}, line {one.first.line}"
        yield Finding(
            INCLUDE_CONFLICT,
            files.shown(one.second.path),
            one.second.line,
            f"{one.second.kind}.{one.second.name} is defined otherwise in {first}; "
            f"{files.shown(one.path)} brings both together",
            "Define it the same way in all files, or under another name where it is another one. Where one "
            "says 'external', its project counts on another one to make it.",
            about=f"{one.second.kind}.{one.second.name}",
        )


def _ports(project: _Project) -> Iterator[Finding]:
    claimed = [
        (service, port)
        for name, service in project.services.items()
        for port in shorthand.ports(project.specs[name])
    ]
    seen = set()
    for (first, port), (second, other) in combinations(claimed, 2):
        pair = (first.name, second.name, port.outer)
        if not port.meets(other) or pair in seen or (first is second and port == other):
            continue
        seen.add(pair)
        rule = PORT_TWICE if _together(project, first.name, second.name) else PORT_OF_PROFILES
        yield project.finding(
            rule,
            second,
            "ports",
            f"publishes port {port.outer}, as {first.name} does",
            "Publish one of them under another port, or on another address.",
            f"{first.name} {port.outer}",
        )


def _together(project: _Project, one: str, other: str) -> bool:
    """Whether two services come up without two profiles being asked for."""
    first, second = (set(_texts(project.specs[name].get("profiles"))) for name in (one, other))
    return not first or not second or bool(first & second)


def _service(project: _Project, service: Service) -> Iterator[Finding]:
    spec = project.specs[service.name]
    yield from _stays_up(project, service, spec)
    yield from _waits(project, service, spec)
    yield from _rights(project, service, spec)
    image = str(spec.get("image") or "")
    if image and not spec.get("build") and "$" not in image and "@" not in image:
        tag = image.rpartition("/")[2].partition(":")[2]
        if tag in {"", "latest"}:
            yield project.finding(
                IMAGE_UNTAGGED, service, "image", f"runs {image}, whatever is latest", "Name a version."
            )
    own = _as_resolved(service.name, spec, service.name in project.awaited)
    order, reason = own.order
    if order == stack.STOP_FIRST and own.ports and not own.one_shot:
        held = "holds its callers meanwhile" if own.can_have_front else "can put no front before it"
        yield project.finding(
            STOPS_FIRST,
            service,
            "volumes" if own.written and "may write" in reason else "network_mode",
            f"is replaced stop-first: {reason}",
            f"'homeport deploy --zero-downtime' {held}. If it may run twice: 'order: start-first'.",
        )


def _stays_up(project: _Project, service: Service, spec: Mapping[str, Any]) -> Iterator[Finding]:
    deploy = _mapping(spec.get("deploy"))
    limits = _mapping(_mapping(deploy.get("resources")).get("limits"))
    missing = [
        words for key, others, words in _LIMITS if not limits.get(key) and not any(map(spec.get, others))
    ]
    if missing and not project.runs_once(service.name):
        yield project.finding(
            NO_LIMITS,
            service,
            "deploy",
            f"has no limit of {' and '.join(missing)}",
            "'homeport resources' plans limits and writes them; of memory where the service's tier says "
            "how much ('memory' under [resources.tiers]).",
        )
    if not spec.get("restart") and not deploy.get("restart_policy") and not project.runs_once(service.name):
        yield project.finding(
            NO_RESTART,
            service,
            "",
            "has no restart policy",
            "'restart: unless-stopped'; 'restart: \"no\"' for one that runs once.",
        )
    logging = _mapping(spec.get("logging"))
    driver = str(logging.get("driver") or "")
    if driver in _FILES and not _mapping(logging.get("options")).get("max-size"):
        yield project.finding(
            NO_ROTATION,
            service,
            "logging",
            "has no log rotation",
            "'logging: {driver: local}', or json-file with max-size and max-file.",
        )


def _waits(project: _Project, service: Service, spec: Mapping[str, Any]) -> Iterator[Finding]:
    said = spec.get("depends_on")
    # Who writes 'condition: service_started' means it.
    early = [
        need
        for need in (_texts(said) if isinstance(said, list) else ())
        if need in project.services and project.checked(project.services[need])
    ]
    if early:
        yield project.finding(
            STARTS_EARLY,
            service,
            "depends_on",
            f"starts before {', '.join(early)} {'is' if len(early) == 1 else 'are'} well",
            "'condition: service_healthy' there.",
        )


def _rights(project: _Project, service: Service, spec: Mapping[str, Any]) -> Iterator[Finding]:
    added = sorted(
        {str(one).upper().removeprefix("CAP_") for one in _texts(spec.get("cap_add"))} & _CAPABILITIES
    )
    for key, said, what, fix in (
        ("privileged", str(spec.get("privileged") or "").lower() == "true", "is privileged", "Take it out"),
        ("cap_add", bool(added), f"has {', '.join(added)}", "Take it out"),
        ("pid", spec.get("pid") == "host", "sees and ends the host's processes", "Take 'pid: host' out"),
    ):
        if said:
            words = f"{fix}, or name the single device or capability that it needs."
            yield project.finding(PRIVILEGED, service, key, what, words, key)
    if any(mount.source.endswith("docker.sock") for mount in shorthand.mounts(spec)):
        yield project.finding(
            ENGINE_SOCKET,
            service,
            "volumes",
            "has the engine's socket",
            "A proxy in between that lets through only what it needs (tecnativa/docker-socket-proxy, say).",
        )
    if spec.get("network_mode") == "host":
        yield project.finding(
            HOST_NETWORK,
            service,
            "network_mode",
            "is in the host's network",
            "Publish the ports that it serves.",
        )


def _as_resolved(name: str, spec: Mapping[str, Any], awaited: bool) -> stack.Service:
    """A service in the long forms that Compose would give it, as far as its order of replacing needs them."""
    long = {
        **spec,
        "ports": [
            {"target": port.inner, "published": str(port.outer or ""), "protocol": port.protocol}
            for port in shorthand.ports(spec)
        ],
        "volumes": [
            {"type": one.kind, "source": one.source, "read_only": one.read_only}
            for one in shorthand.mounts(spec)
        ],
        "depends_on": {need: {"condition": how} for need, how in shorthand.dependencies(spec).items()},
        "expose": _texts(spec.get("expose")),
        "volumes_from": _texts(spec.get("volumes_from")),
        "deploy": {"update_config": _mapping(_mapping(spec.get("deploy")).get("update_config"))},
        "scale": None,
        "x-homeport": _own(_mapping(spec.get("x-homeport"))),
    }
    return stack.Service(name, long, awaited=awaited)


def _own(said: Mapping[str, Any]) -> Mapping[str, Any]:
    """``x-homeport`` with numbers for ports, which were read as texts."""
    ports = [int(one) for one in _texts(said.get("ports")) if one.isascii() and one.isdigit()]
    return {**said, "ports": ports} if "ports" in said else said


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _texts(value: Any) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []

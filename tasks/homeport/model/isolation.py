"""A Compose project made into another one that disturbs nobody: for tests beside a stack that runs. Pure.

What only one project can have goes or gets another name: the project's and the containers' names, ports of
the host, volumes, networks and their addresses. Labels go, too, by which proxies and schedulers find what
they act on. A service that reaches out of its project in a way that can't be kept apart is left out.
Fields: https://github.com/compose-spec/compose-spec/blob/main/spec.md
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

LOOPBACK = "127.0.0.1"
START_INTERVAL = "1s"
START_PERIOD = "2m0s"
_SOCKETS = ("/docker.sock", "/podman.sock", "/containerd.sock", "/docker_engine")
_AROUND_SOCKETS = {"/", "/run", "/var", "/var/run", "/run/docker", "/run/podman", "/run/containerd"}
_LEFT_OUT = (
    "build", "container_name", "profiles", "x-homeport", "links", "external_links", "mac_address",
    "cgroup_parent", "labels", "logging", "volumes", "ports", "depends_on",
)  # fmt: skip
_ADDRESSES = ("ipv4_address", "ipv6_address", "link_local_ips", "mac_address")


class Source(Enum):
    """What a folder or file of this machine is for a test: kept by git or the system's own and so mounted for
    reading; data, in whose place an empty volume comes; or not there."""

    KEPT = "kept"
    DATA = "data"
    MISSING = "missing"


@dataclass(frozen=True)
class Isolated:
    """The other project's document; ``left_out`` says by service why it can't be in it, ``notes`` what else
    is not as it is in operation."""

    document: Mapping[str, Any] = field(hash=False)
    left_out: Mapping[str, str] = field(hash=False)
    notes: tuple[str, ...] = ()


def isolate(
    document: Mapping[str, Any],
    name: str,
    labels: Mapping[str, str],
    *,
    ports: Mapping[str, Collection[int]],
    source: Callable[[str], Source],
    fast_checks: bool = True,
) -> Isolated:
    """``document`` (the JSON of ``docker compose config``) as the project ``name``.

    ``labels`` come to everything that is made of it. ``ports`` by service are reached from this machine, too.
    ``source`` says what a path of this machine is. ``fast_checks``: the engine knows ``start_interval``.
    """
    specs: Mapping[str, Any] = document.get("services") or {}
    left_out = _left_out(specs)
    mounts = _Mounts(labels, source)
    for key, one in (document.get("volumes") or {}).items():
        mounts.volumes[key] = {"labels": dict(labels)}
        if (one or {}).get("external") or (one or {}).get("driver_opts"):
            # By its options a volume may be a folder of this machine, or another machine's.
            mounts.notes.append(f"the volume {key}, which lies elsewhere in operation, is an empty one")
    services = {}
    for service, spec in specs.items():
        if service not in left_out:
            services[service] = _service(spec, specs.keys() - left_out.keys(), ports.get(service, ()))
            services[service] |= {"labels": dict(labels), "volumes": mounts.of(service, spec)}
            if fast_checks:
                own = spec.get("healthcheck") or {}
                check = {"start_period": START_PERIOD, **own, "start_interval": START_INTERVAL}
                services[service]["healthcheck"] = check
    _link(specs, services)
    networks = {
        key: {**_local(one), "labels": dict(labels)} for key, one in (document.get("networks") or {}).items()
    }
    rest = {key: value for key, value in document.items() if key in {"secrets", "configs"}}
    made = {"name": name, "services": services, "volumes": mounts.volumes, "networks": networks, **rest}
    return Isolated(made, left_out, tuple(dict.fromkeys(mounts.notes)))


def _left_out(specs: Mapping[str, Any]) -> dict[str, str]:
    """By service why it can't run twice on one machine; whoever shares its network or processes goes, too."""
    found = {name: why for name, spec in specs.items() if (why := _reaches_out(spec, specs))}
    while more := {
        name: f"it shares something of {partner}, which is left out"
        for name, spec in specs.items()
        if name not in found
        for partner in _partners(spec)
        if partner in found
    }:
        found |= more
    return found


def _reaches_out(spec: Mapping[str, Any], services: Collection[str]) -> str:
    """What of the machine, or of other projects, a service uses that only one can have; empty for none."""
    for key, allowed in (
        ("network_mode", {"none", "bridge"}),
        ("pid", set()),
        ("ipc", {"none", "private", "shareable"}),
        ("uts", set()),
        ("cgroup", {"private"}),
        ("userns_mode", set()),
    ):
        said = str(spec.get(key) or "")
        if said and said not in allowed and said.partition(":")[0] != "service":
            return f"'{key}: {said}' is not its own project's"
    for item in spec.get("volumes_from") or ():
        if str(item).partition(":")[0] not in services:
            return f"it uses the volumes of {item}, outside of the project"
    if spec.get("privileged"):
        return "it is privileged, and so has the rights of the host"
    if spec.get("devices") or spec.get("gpus"):
        return "it uses devices of the host"
    if spec.get("provider"):
        return "its provider makes it outside of the engine"
    if spec.get("use_api_socket") or any(_is_socket(mount) for mount in spec.get("volumes") or ()):
        return "it commands the engine, and with it everything that runs"
    return ""


def _is_socket(mount: Mapping[str, Any]) -> bool:
    # People on Windows write //var/run/docker.sock, and the engine's pipe is \\.\pipe\docker_engine.
    path = "/" + str(mount.get("source") or "").replace("\\", "/").strip("/")
    return mount.get("type") in {"bind", "npipe"} and (path.endswith(_SOCKETS) or path in _AROUND_SOCKETS)


def _partners(spec: Mapping[str, Any]) -> list[str]:
    shared = [str(spec.get(key) or "") for key in ("network_mode", "pid", "ipc")]
    mounted = [str(item).partition(":")[0] for item in spec.get("volumes_from") or ()]
    return [*(one.partition(":")[2] for one in shared if one.startswith("service:")), *mounted]


def _service(spec: Mapping[str, Any], services: Collection[str], ports: Collection[int]) -> dict[str, Any]:
    made = {key: value for key, value in spec.items() if key not in _LEFT_OUT}
    made["restart"] = "no"  # what crashes shall be seen
    made["pull_policy"] = "missing"
    made["logging"] = {"driver": "json-file"}
    mode = str(spec.get("network_mode") or "")
    published = sorted({int(item["target"]) for item in spec.get("ports") or () if _is_tcp(item)} | {*ports})
    if published and mode in {"", "bridge"}:
        made["ports"] = [{"target": port, "host_ip": LOOPBACK, "protocol": "tcp"} for port in published]
    kept = {"resources", "replicas"}
    if deploy := {key: value for key, value in (spec.get("deploy") or {}).items() if key in kept}:
        made["deploy"] = deploy
    else:
        made.pop("deploy", None)
    if isinstance(spec.get("networks"), Mapping):
        made["networks"] = {
            key: {field: value for field, value in (one or {}).items() if field not in _ADDRESSES} or None
            for key, one in spec["networks"].items()
        }
    needs = {key: how for key, how in (spec.get("depends_on") or {}).items() if key in services}
    made["depends_on"] = needs
    return made


def _link(specs: Mapping[str, Any], services: Mapping[str, dict[str, Any]]) -> None:
    """``links: [db:database]`` as an alias of ``db``: the field itself would also say in which order."""
    for spec in specs.values():
        for link in spec.get("links") or ():
            name, _, alias = str(link).partition(":")
            networks = services.get(name, {}).get("networks")
            if alias and isinstance(networks, dict):
                for key, one in networks.items():
                    known = (one or {}).get("aliases") or []
                    networks[key] = {**(one or {}), "aliases": [*known, alias]}


def _is_tcp(port: Mapping[str, Any]) -> bool:
    return str(port.get("protocol") or "tcp") == "tcp"


class _Mounts:
    """The mounts of services; folders that they write to become ``volumes``, one for each folder."""

    def __init__(self, labels: Mapping[str, str], source: Callable[[str], Source]) -> None:
        self._labels, self._source = labels, source
        self._made: dict[str, str] = {}
        self.volumes: dict[str, Any] = {}
        self.notes: list[str] = []

    def of(self, service: str, spec: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The mounts of one service."""
        found = []
        for mount in spec.get("volumes") or ():
            path = str(mount.get("source") or "")
            if mount.get("type") != "bind":
                found.append(dict(mount))
                continue
            kind = self._source(path)
            if kind is Source.KEPT or (kind is Source.DATA and mount.get("read_only")):
                if not mount.get("read_only"):
                    self.notes.append(f"{service} may not write to {path}")
                found.append({**mount, "read_only": True})
            else:
                self.notes.append(f"{path} is an empty volume for {service}")
                found.append({"type": "volume", "source": self._volume(path), "target": mount["target"]})
        return found

    def _volume(self, path: str) -> str:
        """The volume that stands for a folder, for all services that share it."""
        if path not in self._made:
            self._made[path] = f"folder-{len(self._made)}"
            self.volumes[self._made[path]] = {"labels": dict(self._labels)}
        return self._made[path]


def _local(network: Mapping[str, Any] | None) -> dict[str, Any]:
    """What of a network may be had twice: not its addresses, nor one that is another project's."""
    own = network or {}
    return {} if own.get("external") else {key: own[key] for key in ("internal", "enable_ipv6") if key in own}

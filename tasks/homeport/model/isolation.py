"""A Compose project made into another one that disturbs nobody: for tests beside a stack that runs. Pure.

What only one project can have goes or gets another name: the project's and the containers' names, ports of
the host, volumes, networks and their addresses.
Fields: https://github.com/compose-spec/compose-spec/blob/main/spec.md
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

LOOPBACK = "127.0.0.1"
START_INTERVAL = "1s"
START_PERIOD = "2m0s"
_ENGINE_SOCKETS = ("docker.sock", "podman.sock", "containerd.sock")
_LEFT_OUT = ("build", "container_name", "profiles", "x-homeport", "links", "mac_address")
_ADDRESSES = ("ipv4_address", "ipv6_address", "link_local_ips", "mac_address")


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
    kept: Callable[[str], bool],
    fast_checks: bool = True,
) -> Isolated:
    """``document`` (the JSON of ``docker compose config``) as the project ``name``.

    ``labels`` come to everything that is made of it. ``ports`` by service are reached from this machine, too.
    ``kept`` says whether a folder or file holds what git keeps: that is mounted for reading, and any other
    folder that a service writes to is an empty volume. ``fast_checks``: the engine knows ``start_interval``.
    """
    specs: Mapping[str, Any] = document.get("services") or {}
    left_out = _left_out(specs)
    notes: list[str] = []
    volumes: dict[str, Any] = {}
    for key, one in (document.get("volumes") or {}).items():
        volumes[key] = {"labels": dict(labels)}
        if (one or {}).get("external") or (one or {}).get("driver_opts"):
            # By its options a volume may be a folder of this machine, or another machine's.
            notes.append(f"the volume {key}, which lies elsewhere in operation, is an empty one")
    services = {}
    for service, spec in specs.items():
        if service not in left_out:
            mounts = _mounts(service, spec.get("volumes") or (), volumes, dict(labels), kept, notes)
            services[service] = _service(service, spec, labels, left_out, ports.get(service, ()), mounts)
            if fast_checks:
                own = spec.get("healthcheck") or {}
                services[service]["healthcheck"] = {
                    "start_period": START_PERIOD, **own, "start_interval": START_INTERVAL
                }  # fmt: skip
    networks = {
        key: {**_local(one), "labels": dict(labels)} for key, one in (document.get("networks") or {}).items()
    }
    rest = {key: value for key, value in document.items() if key in {"secrets", "configs"}}
    made = {"name": name, "services": services, "volumes": volumes, "networks": networks, **rest}
    return Isolated(made, left_out, tuple(dict.fromkeys(notes)))


def _left_out(specs: Mapping[str, Any]) -> dict[str, str]:
    """By service why it can't run twice on one machine; whoever shares its network or processes goes, too."""
    found = {
        name: "its network is the host's, which has each port once"
        for name, spec in specs.items()
        if spec.get("network_mode") == "host"
    }
    for name, spec in specs.items():
        if str(spec.get("network_mode") or "").startswith("container:"):
            found[name] = "its network is that of a container outside of the project"
    while more := {
        name: f"it shares something of {partner}, which is left out"
        for name, spec in specs.items()
        if name not in found
        for partner in _partners(spec)
        if partner in found
    }:
        found |= more
    return found


def _partners(spec: Mapping[str, Any]) -> list[str]:
    shared = [str(spec.get(key) or "") for key in ("network_mode", "pid", "ipc")]
    mounted = [str(item).partition(":")[0] for item in spec.get("volumes_from") or ()]
    return [*(one.partition(":")[2] for one in shared if one.startswith("service:")), *mounted]


def _service(
    name: str,
    spec: Mapping[str, Any],
    labels: Mapping[str, str],
    left_out: Collection[str],
    ports: Collection[int],
    mounts: list[dict[str, Any]],
) -> dict[str, Any]:
    made = {key: value for key, value in spec.items() if key not in _LEFT_OUT}
    made["labels"] = {**(spec.get("labels") or {}), **labels}
    made["restart"] = "no"  # what crashes shall be seen
    published = sorted({int(item["target"]) for item in spec.get("ports") or () if _is_tcp(item)} | {*ports})
    made["ports"] = [{"target": port, "host_ip": LOOPBACK, "protocol": "tcp"} for port in published]
    if not made["ports"] or spec.get("network_mode"):
        del made["ports"]
    made["volumes"] = mounts
    if deploy := {key: value for key, value in (spec.get("deploy") or {}).items() if key != "restart_policy"}:
        made["deploy"] = deploy
    else:
        made.pop("deploy", None)
    if isinstance(spec.get("networks"), Mapping):
        made["networks"] = {
            key: {field: value for field, value in (one or {}).items() if field not in _ADDRESSES} or None
            for key, one in spec["networks"].items()
        }
    needs = {key: how for key, how in (spec.get("depends_on") or {}).items() if key not in left_out}
    made["depends_on"] = needs
    return made


def _is_tcp(port: Mapping[str, Any]) -> bool:
    return str(port.get("protocol") or "tcp") == "tcp"


def _mounts(
    service: str,
    mounts: Collection[Mapping[str, Any]],
    volumes: dict[str, Any],
    labels: Mapping[str, str],
    kept: Callable[[str], bool],
    notes: list[str],
) -> list[dict[str, Any]]:
    """A service's mounts; folders of this machine that it writes to become ``volumes`` of the project."""
    found = []
    for number, mount in enumerate(mounts):
        source = str(mount.get("source") or "")
        if mount.get("type") != "bind" or mount.get("read_only"):
            found.append(dict(mount))
        elif source.endswith(_ENGINE_SOCKETS):
            notes.append(f"{service} commands the engine: what it does there isn't kept apart")
            found.append(dict(mount))
        elif kept(source):
            notes.append(f"{service} may not write to {source}, which git keeps")
            found.append({**mount, "read_only": True})
        else:
            own = f"{service}-folder-{number}"
            volumes[own] = {"labels": dict(labels)}
            notes.append(f"{source} is an empty volume for {service}")
            found.append({"type": "volume", "source": own, "target": mount["target"]})
    return found


def _local(network: Mapping[str, Any] | None) -> dict[str, Any]:
    """What of a network may be had twice: not its addresses, nor one that is another project's."""
    own = network or {}
    return {} if own.get("external") else {key: own[key] for key in ("internal", "enable_ipv6") if key in own}

"""What should run: for each service the Compose services that homeport makes of it. Pure.

The user's file stays as it is. What is given to Compose has, for a service ``api``:

- a *replica set* ``api-r1a2b3c4d``: the service as it is written, with its image pinned; if it has a front,
  without the names, addresses and ports that only one can have. The eight characters stand for everything
  that decides what runs, so the same thing has the same name on any machine, and asking Compose for it twice
  changes nothing;
- a *front* ``api.front-5e6f7a8b``: HAProxy with the service's name, ``container_name``, aliases, addresses
  and ports. A service that needs others gets another front, and the old one is kept for the way back.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from homeport.deploy.haproxy import host_of, slots_for
from homeport.model.graph import batches
from homeport.model.reference import kept_name
from homeport.model.roles import FRONT, HOOK, REPLICA, ROLE_LABEL, SERVICE_LABEL, STACK_LABEL
from homeport.model.stack import PARTNER_KEYS, Service, Stack

CONFIG_LABEL = "io.homeport.config"
SLOTS_LABEL = "io.homeport.slots"
HOOKS = ("before", "after")
FRONT_CONFIG = "/usr/local/etc/haproxy/haproxy.cfg"
"""Where the official HAProxy image reads its configuration."""

_LEFT_OUT = ("build", "depends_on", "profiles", "scale", "x-homeport", "links")
_OF_THE_FRONT = ("container_name", "ports")
_OF_THE_NAME = ("aliases", "ipv4_address", "ipv6_address", "link_local_ips", "mac_address")
_FAST_CHECKS = "1s"
_START_PERIOD = "1m0s"


@dataclass(frozen=True)
class ReplicaSet:
    """The containers of one service in one form. ``spec`` is a Compose service, ``image`` an image id."""

    service: str
    name: str
    image: str
    count: int
    spec: Mapping[str, Any] = field(hash=False)


@dataclass(frozen=True)
class Front:
    """The front of one service; ``config`` stands for everything that can't change while it runs."""

    service: str
    name: str
    config: str
    spec: Mapping[str, Any] = field(hash=False)


@dataclass(frozen=True)
class Desired:
    """All of it, by service. ``document`` is the Compose document that holds every replica set and front."""

    stack: str
    sets: Mapping[str, ReplicaSet] = field(hash=False)
    fronts: Mapping[str, Front] = field(hash=False)
    document: Mapping[str, Any] = field(hash=False)
    hooks: Mapping[tuple[str, str], ReplicaSet] = field(default_factory=dict, hash=False)
    """By service and time (``before``, ``after``) what runs to its end when the service is replaced."""

    def networks(self, spec: Mapping[str, Any]) -> frozenset[str]:
        """The networks of a service of the document, by the names that the engine knows them by."""
        known = self.document.get("networks") or {}
        own = spec.get("networks") or {}
        return frozenset(str((known.get(name) or {}).get("name") or f"{self.stack}_{name}") for name in own)


def desired(
    stack: Stack,
    images: Mapping[str, str],
    files: Mapping[str, str],
    *,
    front_image: str = "",
    fronts: bool = True,
) -> Desired:
    """What should run of these services.

    ``images`` are image ids by service, and name those that are deployed; ``files`` digests of the contents
    of file-based secrets and configs by kind and name (``secrets token``).
    """
    sets: dict[str, ReplicaSet] = {}
    made = {
        name: _front(stack.name, stack.services[name], front_image)
        for name in images
        if fronts and stack.services[name].can_have_front
    }
    for name in _partners_first(stack, images):
        service = stack.services[name]
        sets[name] = _replica_set(stack, service, images[name], files, sets, fronted=name in made)
    hooks = {
        (name, when): _hook(stack, sets[name], when, command)
        for name in images
        for when in HOOKS
        if (command := stack.services[name].hook(when))
    }
    document = _document(stack, [*sets.values(), *hooks.values()], made.values())
    return Desired(stack.name, {name: sets[name] for name in images}, made, document, hooks)


def front_name(service: str, form: str) -> str:
    """A front's name as a Compose service. No service that people write is likely to end so."""
    return f"{service}.front-{form}"


def _partners_first(stack: Stack, images: Mapping[str, str]) -> list[str]:
    graph = {name: [one for one in stack.services[name].partners if one in images] for name in images}
    return [name for batch in batches(graph) for name in batch]


def _replica_set(
    stack: Stack,
    service: Service,
    image: str,
    files: Mapping[str, str],
    sets: Mapping[str, ReplicaSet],
    *,
    fronted: bool,
) -> ReplicaSet:
    left_out = (*_LEFT_OUT, *_OF_THE_FRONT) if fronted else _LEFT_OUT
    spec = {key: value for key, value in service.spec.items() if key not in left_out}
    if fronted and "networks" in spec:
        spec["networks"] = {name: _anybody(entry) for name, entry in (spec["networks"] or {}).items()}
    elif not fronted and "network_mode" not in spec:
        spec["networks"] = _named(service)
    spec |= _with_partners(service, sets)
    spec["image"] = image
    spec["pull_policy"] = "never"
    if service.has_health_check:
        # Without these the first check comes after a whole interval, which may be half a minute.
        own = spec.get("healthcheck") or {}
        # An image's own check may have a longer period, which nobody but the engine knows here.
        period = {"start_period": _START_PERIOD} if own.get("test") else {}
        spec["healthcheck"] = {"start_interval": _FAST_CHECKS, **period, **own}
    kept = {"resources", "labels", "restart_policy"}
    if deploy := {key: value for key, value in (spec.pop("deploy", None) or {}).items() if key in kept}:
        spec["deploy"] = deploy
    if _always(service.spec):
        # Else what was stopped for good would come back with the engine, beside what serves.
        spec["restart"] = "unless-stopped"
    spec["scale"] = service.replicas
    # The stack's name, too: on a network that several stacks share each finds its own by this name.
    name = f"{service.name}-r{short([stack.name, spec, _contents(stack, service, files)])}"
    if fronted:
        spec["networks"] = {
            network: {**(entry or {}), "aliases": [host_of(name)]}
            for network, entry in (spec.get("networks") or {"default": None}).items()
        }
    # After that: under another name the same image is still the same.
    spec["image"] = kept_name(service.image, image)
    spec["labels"] = {**(spec.get("labels") or {}), **_labels(stack.name, service.name, REPLICA)}
    return ReplicaSet(service.name, name, image, service.replicas, spec)


def _always(spec: Mapping[str, Any]) -> bool:
    """Whether the engine starts it again whatever happened: ``restart``, else ``deploy.restart_policy``."""
    if said := str(spec.get("restart") or ""):
        return said == "always"
    policy = (spec.get("deploy") or {}).get("restart_policy")
    return policy is not None and str(policy.get("condition") or "any") == "any"


def _with_partners(service: Service, sets: Mapping[str, ReplicaSet]) -> dict[str, Any]:
    """What the service shares with others, by the names that their replica sets have."""

    known = {name: sets[name].name for name in service.partners if name in sets}
    found: dict[str, Any] = {}
    for key in PARTNER_KEYS:
        kind, _, name = str(service.spec.get(key) or "").partition(":")
        if kind == "service":
            found[key] = f"service:{known.get(name, name)}"
    if mounted := service.spec.get("volumes_from"):
        parts = (str(item).partition(":") for item in mounted)
        found["volumes_from"] = [known.get(name, name) + mark + rest for name, mark, rest in parts]
    return found


def _contents(stack: Stack, service: Service, files: Mapping[str, str]) -> dict[str, Any]:
    """What stands in the secrets and configs that the service uses, as far as digests and the file say."""
    return {
        f"{kind} {source}": [(stack.document.get(kind) or {}).get(source), files.get(f"{kind} {source}")]
        for kind in ("secrets", "configs")
        for source in (str(item.get("source")) for item in service.spec.get(kind) or ())
    }


def _anybody(entry: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """A network as a replica joins it: without what only the front may have."""
    return {key: value for key, value in entry.items() if key not in _OF_THE_NAME} if entry else entry


def _named(service: Service) -> dict[str, Any]:
    """The service's networks as the one joins them that others find by its name."""
    return {
        name: {**(entry or {}), "aliases": [service.name, *((entry or {}).get("aliases") or ())]}
        for name, entry in (service.spec.get("networks") or {"default": None}).items()
    }


def _front(stack: str, service: Service, image: str) -> Front:
    spec: dict[str, Any] = {
        "image": image,
        "command": ["haproxy", "-W", "-db", "-f", FRONT_CONFIG],
        "networks": _named(service),
        "restart": "unless-stopped",
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        # HAProxy's own way to finish what is in flight.
        "stop_signal": "SIGUSR1",
        "stop_grace_period": f"{service.drain:.0f}s",
        "pull_policy": "missing",
    }
    for key in _OF_THE_FRONT:
        if service.spec.get(key):
            spec[key] = service.spec[key]
    room = {SLOTS_LABEL: str(slots_for(service.replicas))}
    # How long it may take to stop, and for how many it has room, can change without another front.
    lasting = {key: value for key, value in spec.items() if key != "stop_grace_period"}
    config = short([lasting, service.ports, sorted(service.http_ports)])
    spec["labels"] = {**_labels(stack, service.name, FRONT), CONFIG_LABEL: config, **room}
    return Front(service.name, front_name(service.name, short([config, room])), config, spec)


def _labels(stack: str, service: str, role: str) -> dict[str, str]:
    return {STACK_LABEL: stack, SERVICE_LABEL: service, ROLE_LABEL: role}


def _hook(stack: Stack, own: ReplicaSet, when: str, command: Sequence[str]) -> ReplicaSet:
    """A container like the new ones, but for what only they should have, that runs a command to its end."""
    spec = {key: value for key, value in own.spec.items() if key not in {*_OF_THE_FRONT, "deploy"}}
    if spec.get("networks"):
        spec["networks"] = {name: _anybody(entry) for name, entry in spec["networks"].items()}
    labels = {**(spec.get("labels") or {}), **_labels(stack.name, own.service, HOOK)}
    spec |= {"command": list(command), "restart": "no", "scale": 1, "labels": labels}
    spec["healthcheck"] = {"disable": True}
    return ReplicaSet(own.service, f"{own.name}.{when}", own.image, 1, spec)


def _document(stack: Stack, sets: Iterable[ReplicaSet], fronts: Iterable[Front]) -> dict[str, Any]:
    kept = {
        key: value
        for key, value in stack.document.items()
        if key in {"networks", "volumes", "secrets", "configs"} and value
    }
    services = {one.name: dict(one.spec) for one in sets}
    services |= {front.name: dict(front.spec) for front in fronts}
    return {"name": stack.name, **kept, "services": services}


def short(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:8]

"""What leaves the stack first because something new takes its place: its port, name, or files. Pure.

Only one container can have a name. One that has to give it up and may want it back gets another one that says
both whose it is and what it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from homeport.deploy.desired import Desired
from homeport.engine.containers import Container
from homeport.model.ports import Published, address_of
from homeport.model.roles import FRONT, REPLICA, ROLE_LABEL
from homeport.model.stack import Stack

ADOPTED = "before-homeport"
"""Goes behind the name of a plain container whose name a front takes."""


def other_name(one: Container) -> str:
    """The name of a container that gives up its own. The beginning of its id makes sure that it is free."""
    return f"{one.name}{_mark(one)}"


def own_name(one: Container) -> str:
    """The name that a container was made with, also if it had to give it up."""
    return one.name.removesuffix(_mark(one))


def _mark(one: Container) -> str:
    whose = one.service if one.labels.get(ROLE_LABEL) in {REPLICA, FRONT} else ADOPTED
    return f"-{whose}-{one.id[:6]}"


def host_ports(spec: Mapping[str, Any]) -> Iterable[Published]:
    """The host's ports that a Compose service asks for, but for ranges, of which the engine takes one."""
    for item in spec.get("ports") or ():
        outer = str(item.get("published") or "")
        if outer.isdecimal() and int(outer):
            protocol = str(item.get("protocol") or "tcp")
            yield Published(address_of(item.get("host_ip")), int(outer), protocol)


def takes(stack: Stack, wanted: Desired, name: str, left: Iterable[Container]) -> str:
    """What a service can't have before another one, whose containers are ``left``, has gone: in words.

    A port, the container's name, or a volume that both write to; empty for nothing.
    """
    front, own = wanted.fronts.get(name), wanted.sets.get(name)
    everything = list(left)
    there = [one for one in everything if one.active]
    held = [port for one in there for port in one.published]
    for spec in (one.spec for one in (front, own) if one is not None):
        for port in host_ports(spec):
            if any(port.meets(other) for other in held):
                return f"port {port.port}"
        if spec.get("container_name") in {one.name for one in everything}:
            return f"the name {spec['container_name']}"
    volumes = stack.document.get("volumes") or {}
    written = {path for one in there for path in one.written}
    for source in stack.services[name].written:
        volume = str((volumes.get(source) or {}).get("name") or f"{stack.name}_{source}")
        if (source if source not in volumes else volume) in written:
            return f"what is in {source}"
    return ""

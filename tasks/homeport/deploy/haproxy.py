"""What a front is told: its configuration, the commands that move traffic, and what it answers. Pure.

Each port has three kinds of servers: the groups ``a`` and ``b``, of which one has the live replica set and
the other the next or the last one, and ``hold``, which nobody listens on: who is sent there waits, because
HAProxy tries to connect again every second and then chooses anew. It is a backup: as long as a
group has a server that can be used, nobody is sent to it. All of it happens in one process: nothing is
reloaded, no connection is moved, and what is in flight stays where it is.

Keywords: https://docs.haproxy.org/2.6/configuration.html; commands: management.html there, section 9.3.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

CLI_PORT = 9999
"""Where the front takes commands: on its own loopback, so only who may run programs in it can reach it."""

GROUPS = ("a", "b")
_HOLD_RETRIES = 300
"""Seconds for which a caller is held: one try each second."""
_KEPT_OUT = 0x3B
"""Bits of a server's administrative state: maintenance or drain, by command or for want of an address."""
_ROUTE = re.compile(r"^# homeport: group (?P<group>[ab]) is (?P<name>\S*)(?P<held>, held)?$", re.MULTILINE)

_HEAD = """\
# homeport: group {group} is {name}{held}
# Written by homeport and read again when this container starts. Changes belong into the Compose file.
global
    log stdout format raw local0 notice
    stats socket ipv4@127.0.0.1:{cli} level admin
    nbthread 1
    maxconn 4000
resolvers docker
    nameserver engine 127.0.0.11:53
    resolve_retries 2
    timeout resolve 1s
    timeout retry 500ms
    hold valid 1s
    hold nx 1s
    hold other 1s
    hold refused 1s
    hold timeout 1s
    hold obsolete 0s
defaults common
    timeout connect 1s
    timeout client 24h
    timeout server 24h
    timeout tunnel 24h
    timeout queue 5m
    retries {retries}
    option redispatch 1
"""

# An own connection for each request: none is ever sent on one that the service is just about to close.
_HTTP = """\
    mode http
    retry-on conn-failure
    option http-server-close
    option forwardfor if-none
    timeout http-keep-alive 75s
"""

_TCP = "    mode tcp\n"

_PORT = """\
defaults {port} from common
{mode}frontend p{port} from {port}
    bind :{port}
    default_backend b{port}
backend b{port} from {port}
{groups}    server hold 127.0.0.1:1 backup{hold}
"""


@dataclass(frozen=True)
class Route:
    """Which group of a front is live, and the replica set that it has; ``held``: new callers wait."""

    group: str = "a"
    name: str = ""
    held: bool = False
    ports: tuple[int, ...] = ()
    """The ports of the front, where its own configuration said so."""
    http: frozenset[int] = frozenset()
    """Those of them that speak HTTP."""

    @property
    def other(self) -> str:
        """The group that isn't live."""
        return GROUPS[1 - GROUPS.index(self.group)]


@dataclass(frozen=True)
class ServerState:
    """One server of a front. ``usable``: it has an address and takes new connections."""

    backend: str
    name: str
    fqdn: str
    address: str
    usable: bool

    @property
    def group(self) -> str:
        return self.name.rstrip("0123456789")


def host_of(name: str) -> str:
    """The name by which a replica set is found: short, and of letters and digits only.

    Names of services may be too long for the name service with what is put behind them (63 characters, RFC
    1035), and HAProxy takes one that begins with ``_`` for a service record.
    """
    return f"r{hashlib.sha256(name.encode('utf-8')).hexdigest()[:16]}"


def config(ports: Sequence[int], route: Route, slots: int, *, http: Collection[int]) -> str:
    """The configuration of a front whose live group is ``route``, with room for ``slots`` replicas.

    ``http`` are those of the ports that speak HTTP. While callers are held the live group isn't used.
    """
    parts = [
        _HEAD.format(
            group=route.group,
            name=route.name,
            held=", held" if route.held else "",
            cli=CLI_PORT,
            retries=_HOLD_RETRIES,
        )
    ]
    for port in ports:
        live = Route(route.group) if route.held else route
        groups = "".join(_group(group, port, live, slots) for group in GROUPS)
        mode = _HTTP if port in http else _TCP
        parts.append(
            _PORT.format(port=port, mode=mode, groups=groups, hold="" if route.held else " disabled")
        )
    return "".join(parts)


def _group(group: str, port: int, route: Route, slots: int) -> str:
    if group == route.group and route.name:
        where = f"{host_of(route.name)}:{port} resolvers docker init-addr libc,none"
    else:
        where = f"127.0.0.1:{port} resolvers docker init-addr none disabled"
    return f"    server-template {group} 1-{slots} {where}\n"


def read_route(text: str) -> Route | None:
    """The route in a configuration that :func:`config` made; None in any other."""
    found = _ROUTE.search(text)
    ports = tuple(map(int, re.findall(r"^frontend p(\d+) ", text, re.MULTILINE)))
    http = frozenset(map(int, re.findall(r"^defaults (\d+) from common\n *mode http$", text, re.MULTILINE)))
    return Route(found["group"], found["name"], bool(found["held"]), ports, http) if found else None


def slots_for(count: int) -> int:
    """For how many replicas a front has room: some more than it has, so that it can grow as it is."""
    return max(4, count * 2)


def fill(ports: Iterable[int], group: str, slots: int, name: str) -> list[str]:
    """Commands that give a whole group the addresses of a replica set, without sending anything there yet.

    Servers for which there is no address left are out of use by that.
    """
    host = host_of(name)
    return [f"set server b{port}/{group}{slot} fqdn {host}" for port in ports for slot in range(1, slots + 1)]


def state(ports: Iterable[int], group: str, slots: int, wanted: str) -> list[str]:
    """Commands that set a whole group to ``ready``, ``drain`` or ``maint``."""
    return [
        f"set server b{port}/{group}{slot} state {wanted}" for port in ports for slot in range(1, slots + 1)
    ]


def hold(ports: Iterable[int], *, on: bool) -> list[str]:
    """Commands after which new callers wait as long as no other server can be used, or don't."""
    return [f"set server b{port}/hold state {'ready' if on else 'maint'}" for port in ports]


def parse_states(text: str) -> tuple[ServerState, ...]:
    """What ``show servers state`` says."""
    names: list[str] = []
    found = []
    for line in text.splitlines():
        if line.startswith("# "):
            names = line[2:].split()
        elif names and len(values := line.split()) == len(names):
            row = dict(zip(names, values, strict=True))
            usable = not int(row["srv_admin_state"]) & _KEPT_OUT and row["srv_op_state"] == "2"
            fqdn, address = row["srv_fqdn"].strip("-"), row["srv_addr"].strip("-")
            found.append(ServerState(row["be_name"], row["srv_name"], fqdn, address, usable))
    return tuple(found)


def in_flight(text: str, group: str, ports: Iterable[int]) -> int | None:
    """How many requests (TCP: connections) the servers of a group still have, by ``show stat``.

    None if it doesn't say so of every port.
    """
    backends = {f"b{port}" for port in ports}
    rows = csv.DictReader(io.StringIO(text.strip().removeprefix("# ")))
    own = [
        (row["pxname"], int(row["scur"] or 0))
        for row in rows
        if row["pxname"] in backends and re.fullmatch(rf"{group}\d+", row["svname"] or "")
    ]
    return sum(count for _, count in own) if {name for name, _ in own} == backends else None

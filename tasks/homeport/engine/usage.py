"""What the engine counts of containers: processor time, memory, network, throttling; and their limits.

Counts: https://docs.docker.com/reference/api/engine/, "Get container stats based on resource usage". Times
are nanoseconds, with cgroup v1 as with v2, whose own are microseconds (moby, daemon: ``statsV2``).
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

from homeport.engine import api, containers, limits, process
from homeport.engine.containers import PROJECT_LABEL, Container
from homeport.engine.limits import Held
from homeport.errors import ToolTimeout
from homeport.model import roles

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)")
_SIZE = re.compile(r"([\d.]+(?:e[+-]?\d+)?)\s*([kKMGTP]?)(i?)B")
_POWERS = {"": 0, "k": 1, "K": 1, "M": 2, "G": 3, "T": 4, "P": 5}
_COMMAND_SECONDS = 30.0


class Silent(Exception):
    """The engine gave no answer that counts this time."""


@dataclass(frozen=True)
class Reading:
    """What the engine had counted of one container at one time.

    ``at`` is in seconds since the epoch, ``cpu`` and ``throttled_seconds`` are seconds of processor time
    since its start, sizes are bytes. ``received`` and ``sent`` are None where it has no network of its
    own. ``periods`` are those in which it wanted to run under its limit of cores, ``throttled`` those of them
    in which it was stopped (https://docs.kernel.org/scheduler/sched-bwc.html); None where the engine isn't
    asked directly: then ``cores`` says how many it used of late, and ``cpu`` nothing.
    """

    at: float
    cpu: float
    memory: int
    received: int | None = None
    sent: int | None = None
    periods: int | None = None
    throttled: int = 0
    throttled_seconds: float = 0.0
    cores: float | None = None


@dataclass(frozen=True)
class Member:
    """A container of a stack, its limits, and whether the kernel killed a process of it for its memory."""

    container: Container
    held: Held = field(default_factory=Held)
    killed: bool = False

    @property
    def service(self) -> str:
        """Its service as the Compose file names it, also of what homeport deployed."""
        return self.container.labels.get(roles.SERVICE_LABEL, self.container.service)

    @property
    def front(self) -> bool:
        return self.container.labels.get(roles.ROLE_LABEL) == roles.FRONT

    @property
    def counts(self) -> bool:
        """Whether it is the service's own, and no command beside it that ends by itself."""
        return not self.container.one_off and self.container.labels.get(roles.ROLE_LABEL) != roles.HOOK


def directly() -> bool:
    """Whether the engine can be asked by its socket; else the docker command is asked."""
    try:
        ((status, _),) = api.get_all(["/version"])
    except api.NoDirectWay:
        return False
    return status == 200


def active(project: str, *, direct: bool) -> dict[str, str]:
    """By id the state of the containers that run, are paused or about to be started again. Raises Silent."""
    if direct:
        filters = quote(json.dumps({"label": [f"{PROJECT_LABEL}={project}"]}))
        # Engine 28 fails to list, with 500, while somebody removes a container.
        ((status, listed),) = _asked([f"/containers/json?filters={filters}"])
        if status != 200 or not isinstance(listed, list):
            raise Silent
        return {str(item["Id"]): str(item["State"]) for item in listed}
    said = _command(
        ["ps", "--no-trunc", f"--filter=label={PROJECT_LABEL}={project}", "--format={{.ID}} {{.State}}"]
    )
    return {name: state for name, _, state in (line.partition(" ") for line in said.splitlines())}


def members(ids: Iterable[str], *, direct: bool) -> dict[str, Member]:
    """By id these containers as they are now; those that are gone are left out. Raises Silent."""
    wanted = list(ids)
    if not wanted:
        return {}
    if direct:
        answers = _asked([f"/containers/{one}/json" for one in wanted])
        documents = [document for status, document in answers if status == 200]
    else:
        documents = containers.described(wanted)
    return {str(document["Id"]): member(document) for document in documents}


def member(document: Mapping[str, Any]) -> Member:
    """A container from the engine's description of it."""
    killed = bool((document.get("State") or {}).get("OOMKilled"))
    return Member(containers.parse(document), limits.parse(document)[1], killed)


def read(ids: Sequence[str], *, direct: bool) -> dict[str, Reading]:
    """By id what is counted now; those that don't run are left out. Raises Silent."""
    if not ids:
        return {}
    if not direct:
        said = _command(["stats", "--no-stream", "--no-trunc", "--format=json", *ids])
        return dict(filter(None, map(parse_line, said.splitlines())))
    answers = _asked([f"/containers/{one}/stats?stream=false&one-shot=true" for one in ids])
    found = {
        one: parse(document) for one, (status, document) in zip(ids, answers, strict=True) if status == 200
    }
    return {one: reading for one, reading in found.items() if reading}


def kills(project: str, since: float, until: float, *, direct: bool) -> list[str]:
    """The containers of which the kernel killed a process for its memory in this time, each that often.

    Times are in seconds since the epoch. A container that starts again after it doesn't tell any more: its
    state is new. The engine remembers its last 256 events, of all containers (moby, daemon/events). Without
    its socket nobody knows how its clock differs from this one, and nothing is told. Raises Silent.
    """
    if not direct:
        return []
    wanted = {"type": ["container"], "event": ["oom"], "label": [f"{PROJECT_LABEL}={project}"]}
    filters = quote(json.dumps(wanted))
    try:
        events = api.get_lines(f"/events?since={since:.6f}&until={until:.6f}&filters={filters}")
    except api.NoDirectWay as error:
        raise Silent from error
    return [str(event["Actor"]["ID"]) for event in events]


def parse(document: Mapping[str, Any]) -> Reading | None:
    """A reading from the API's document; None of a container that doesn't run: it has the year 1 there."""
    at = _seconds(str(document.get("read") or ""))
    if at <= 0:
        return None
    cpu = document.get("cpu_stats") or {}
    throttling = cpu.get("throttling_data") or {}
    networks = document.get("networks")
    counted = list(networks.values()) if isinstance(networks, dict) else None
    return Reading(
        at=at,
        cpu=int((cpu.get("cpu_usage") or {}).get("total_usage") or 0) / 1e9,
        memory=containers.memory_of(document),
        received=None if counted is None else sum(int(one.get("rx_bytes") or 0) for one in counted),
        sent=None if counted is None else sum(int(one.get("tx_bytes") or 0) for one in counted),
        periods=int(throttling.get("periods") or 0),
        throttled=int(throttling.get("throttled_periods") or 0),
        throttled_seconds=int(throttling.get("throttled_time") or 0) / 1e9,
    )


def parse_line(line: str) -> tuple[str, Reading] | None:
    """A container's id and reading from a line of ``docker stats --format json``; None if it doesn't run."""
    try:
        item = json.loads(line)
        memory = size_of(item["MemUsage"].partition("/")[0])
        percent = float(item["CPUPerc"].rstrip("%"))
        received, sent = (size_of(part) for part in item["NetIO"].split("/"))
        # The name that was asked for: the id, whole.
        name = str(item["Container"])
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
    # A container in the host's network has no counters either, and the command shows zeros.
    return name, Reading(time.time(), 0.0, memory, received, sent, cores=percent / 100)


def size_of(text: str) -> int:
    """Bytes of a size as the docker command writes it (``1.5MiB``, ``12kB``). Raises ValueError."""
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise ValueError(text)
    return round(float(match[1]) * float((1024 if match[3] else 1000) ** _POWERS[match[2]]))


def _seconds(text: str) -> float:
    """Seconds since the epoch of a time as Go writes it, down to nanoseconds; 0 for none."""
    match = _TIME.fullmatch(text)
    if not match:
        return 0.0
    zone = "+00:00" if match[3] == "Z" else match[3]
    return datetime.fromisoformat(match[1] + zone).timestamp() + float(match[2] or 0)


def _asked(paths: list[str]) -> list[tuple[int, Any]]:
    try:
        return api.get_all(paths)
    except api.NoDirectWay as error:
        raise Silent from error


def _command(words: list[str]) -> str:
    try:
        done = process.run(["docker", *words], timeout=_COMMAND_SECONDS)
    except ToolTimeout as error:
        raise Silent from error
    if done.code != 0:
        raise Silent
    return done.stdout

"""Containers of a Compose project: which there are, and what is done with them."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from homeport.engine import api, process
from homeport.errors import HomeportError

PROJECT_LABEL = "com.docker.compose.project"
SERVICE_LABEL = "com.docker.compose.service"
NUMBER_LABEL = "com.docker.compose.container-number"
_AT_ONCE = 8


class ContainerProblem(HomeportError):
    """The engine didn't do what was asked of it; ``detail`` holds its words."""


@dataclass(frozen=True)
class Container:
    """One container as the engine describes it. ``exit_code`` counts only when it isn't running.

    ``health`` is what its health check says (``healthy``, ``starting``, ``unhealthy``), empty without one;
    ``health_log`` the output of the last check.
    """

    id: str
    name: str
    image: str
    state: str
    labels: Mapping[str, str] = field(hash=False)
    exit_code: int = 0
    health: str = ""
    health_log: str = ""
    restarts: int = 0
    started: str = ""
    networks: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Networks by name, with its address there."""
    memory: int = 0
    """The limit in bytes; 0: none."""

    @property
    def service(self) -> str:
        """Its service, as Compose knows it."""
        return self.labels.get(SERVICE_LABEL, "")

    @property
    def running(self) -> bool:
        return self.state == "running"


def of_project(project: str, service: str = "") -> tuple[Container, ...]:
    """All containers of a project, or of one service of it, running or not, by name."""
    wanted = [f"{PROJECT_LABEL}={project}", *([f"{SERVICE_LABEL}={service}"] if service else [])]
    try:
        filters = quote(json.dumps({"label": wanted}))
        ((status, listed),) = api.get_all([f"/containers/json?all=1&filters={filters}"])
        if status == 200:
            return inspect(str(item["Id"]) for item in listed)
    except (api.NoDirectWay, TypeError, KeyError):
        pass
    done = _docker("ps", "--all", "--quiet", "--no-trunc", *(f"--filter=label={label}" for label in wanted))
    return inspect(done.split())


def inspect(ids: Iterable[str]) -> tuple[Container, ...]:
    """These containers as they are now, by name; those that are gone are left out."""
    wanted = list(ids)
    if not wanted:
        return ()
    try:
        answers = api.get_all(f"/containers/{one}/json" for one in wanted)
        found = [parse(document) for status, document in answers if status == 200]
    except api.NoDirectWay:
        # Fails if one of them isn't there, and shows the others all the same.
        done = process.run(["docker", "container", "inspect", "--", *wanted])
        found = [parse(document) for document in json.loads(done.stdout or "[]")]
    return tuple(sorted(found, key=lambda container: container.name))


def parse(document: Mapping[str, Any]) -> Container:
    """A container from the engine's description of it."""
    state = document.get("State") or {}
    health = state.get("Health") or {}
    log = health.get("Log") or [{}]
    networks = (document.get("NetworkSettings") or {}).get("Networks") or {}
    return Container(
        id=str(document.get("Id") or ""),
        name=str(document.get("Name") or "").removeprefix("/"),
        image=str(document.get("Image") or ""),
        state=str(state.get("Status") or ""),
        labels=dict((document.get("Config") or {}).get("Labels") or {}),
        exit_code=int(state.get("ExitCode") or 0),
        health="" if health.get("Status") in {None, "none"} else str(health["Status"]),
        health_log=str(log[-1].get("Output") or "").strip(),
        restarts=int(document.get("RestartCount") or 0),
        started=str(state.get("StartedAt") or ""),
        networks={name: str((one or {}).get("IPAddress") or "") for name, one in networks.items()},
        memory=int((document.get("HostConfig") or {}).get("Memory") or 0),
    )


def memory_used(ids: Iterable[str]) -> dict[str, int]:
    """Bytes of memory that these containers use, without the file cache.

    Those that can't be asked are left out. What counts: as for ``docker stats`` (docker/cli), which takes off
    inactive_file, too.
    """
    wanted = list(ids)
    try:
        answers = api.get_all(f"/containers/{one}/stats?stream=false&one-shot=true" for one in wanted)
    except api.NoDirectWay:
        return {}
    found = {}
    for one, (status, document) in zip(wanted, answers, strict=True):
        memory = (document.get("memory_stats") or {}) if status == 200 else {}
        if used := int(memory.get("usage") or 0):
            stats = memory.get("stats") or {}
            cache = stats.get("total_inactive_file") or stats.get("inactive_file") or 0
            found[one] = max(0, used - int(cache))
    return found


def start(names: Sequence[str]) -> None:
    """Start containers again. Raises ContainerProblem."""
    if names:
        _docker("start", *names)


def stop(names: Sequence[str], seconds: float | None = None) -> None:
    """Stop containers, all at the same time, each with its own grace period or this one."""
    limit = [] if seconds is None else ["--timeout", f"{seconds:.0f}"]

    def one(name: str) -> None:
        _docker("stop", *limit, name, timeout=60 + (seconds or 600))

    if names:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(one, names))


def remove(names: Sequence[str]) -> None:
    """Remove containers, running or not, with their anonymous volumes; those that are gone are no problem."""
    if names:
        done = process.run(["docker", "rm", "--force", "--volumes", "--", *names], timeout=120)
        words = [line for line in done.stderr.splitlines() if "No such container" not in line]
        if done.code != 0 and words:
            raise ContainerProblem("Containers can't be removed.", detail="\n".join(words))


def rename(name: str, new: str) -> None:
    """Give a container another name, running or not. Raises ContainerProblem."""
    _docker("rename", name, new)


def logs(name: str, lines: int = 20) -> tuple[str, ...]:
    """The last lines that a container wrote, both streams."""
    done = process.run(["docker", "logs", "--tail", str(lines), name])
    return tuple((done.stdout + done.stderr).splitlines()[-lines:])


def write_file(name: str, path: str, text: str) -> None:
    """Put a file into a container, running or not. Raises ContainerProblem."""
    folder, _, base = path.rpartition("/")
    data, packed = text.encode("utf-8"), io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo(base)
        entry.size, entry.mode = len(data), 0o644
        archive.addfile(entry, io.BytesIO(data))
    # A configuration is text, and so is a tar file of it.
    _docker("cp", "-", f"{name}:{folder}", stdin=packed.getvalue().decode("utf-8"))


def execute(name: str, argv: Sequence[str], *, stdin: str = "", timeout: float = 30.0) -> process.Completed:
    """Run a program in a container; whatever its exit code is, it is returned."""
    return process.run(["docker", "exec", "--interactive", name, *argv], stdin=stdin, timeout=timeout)


def _docker(*words: str, stdin: str = "", timeout: float = 60.0) -> str:
    done = process.run(["docker", *words], stdin=stdin, timeout=timeout)
    if done.code != 0:
        raise ContainerProblem(
            f"'docker {words[0]}' failed.",
            detail=done.stderr.strip(),
            hint="'homeport status' shows what runs.",
        )
    return done.stdout

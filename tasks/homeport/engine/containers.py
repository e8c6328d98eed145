"""Containers of a Compose project: which there are, and what is done with them."""

from __future__ import annotations

import io
import json
import tarfile
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from homeport.engine import api, process
from homeport.errors import HomeportError
from homeport.model.ports import Published, address_of

PROJECT_LABEL = "com.docker.compose.project"
ONE_OFF_LABEL = "com.docker.compose.oneoff"
SERVICE_LABEL = "com.docker.compose.service"
FOLDER_LABEL = "com.docker.compose.project.working_dir"
_AT_ONCE = 8
_CHECK_SECONDS = 10.0
_LIST_TRIES = 20
_REMOVE_SECONDS = 30.0


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
    published: tuple[Published, ...] = ()
    bindings: tuple[Published, ...] = ()
    """The ports of the host that it asks for when it starts; ``published`` are those that it has now."""
    check: tuple[str, ...] = ()
    """The program of its health check, by which the engine decides on ``health``."""
    image_name: str = ""
    """What it was made of, as it was named then."""
    written: tuple[str, ...] = ()
    """Volumes by name, and folders of the host, that it may write to."""
    reached: Mapping[int, Published] = field(default_factory=dict, hash=False)
    """By TCP port of its own the port of the host that leads there now."""

    @property
    def service(self) -> str:
        """Its service, as Compose knows it."""
        return self.labels.get(SERVICE_LABEL, "")

    @property
    def running(self) -> bool:
        return self.state == "running"

    @property
    def active(self) -> bool:
        """Whether it works or will again by itself: also one that is about to be restarted, or paused."""
        return self.state in {"running", "restarting", "paused"}

    @property
    def one_off(self) -> bool:
        """Whether it is somebody's ``docker compose run``, and none of the service's own."""
        return self.labels.get(ONE_OFF_LABEL, "").lower() == "true"


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
    return inspect(_listed("--all", *(f"--filter=label={label}" for label in wanted)))


def _listed(*options: str) -> list[str]:
    """The ids of containers. Raises ContainerProblem.

    Engine 28 fails to list, with "rw layer snapshot not found", while somebody removes a container.
    """
    for _ in range(_LIST_TRIES):
        done = process.run(["docker", "ps", "--quiet", "--no-trunc", *options])
        if done.code == 0:
            return done.stdout.split()
        time.sleep(0.1)
    return _docker("ps", "--quiet", "--no-trunc", *options).split()


def projects_of(folder: Path) -> tuple[str, ...]:
    """The Compose projects whose containers were made in a folder, by name."""
    filters = f"--filter=label={FOLDER_LABEL}={folder}"
    names = _docker("ps", "--all", filters, "--format", f'{{{{.Label "{PROJECT_LABEL}"}}}}')
    return tuple(sorted(set(names.split())))


def inspect(ids: Iterable[str]) -> tuple[Container, ...]:
    """These containers as they are now, by name; those that are gone are left out."""
    return tuple(sorted(map(parse, described(ids)), key=lambda container: container.name))


def described(ids: Iterable[str]) -> list[dict[str, Any]]:
    """The engine's description of each of these containers; those that are gone are left out."""
    wanted = list(ids)
    if not wanted:
        return []
    try:
        answers = api.get_all(f"/containers/{one}/json" for one in wanted)
        return [document for status, document in answers if status == 200]
    except api.NoDirectWay:
        # Fails if one of them isn't there, and shows the others all the same.
        done = process.run(["docker", "container", "inspect", "--", *wanted])
        return list(json.loads(done.stdout or "[]"))


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
        published=tuple(_ports((document.get("NetworkSettings") or {}).get("Ports"))),
        bindings=tuple(_ports((document.get("HostConfig") or {}).get("PortBindings"))),
        check=_check(document.get("Config") or {}),
        image_name=str((document.get("Config") or {}).get("Image") or ""),
        written=tuple(
            str(mount.get("Name") or mount.get("Source") or "")
            for mount in document.get("Mounts") or ()
            if mount.get("RW") and mount.get("Type") in {"volume", "bind"}
        ),
        networks={name: str((one or {}).get("IPAddress") or "") for name, one in networks.items()},
        reached={
            int(inner.partition("/")[0]): next(iter(found))
            for inner, outer in ((document.get("NetworkSettings") or {}).get("Ports") or {}).items()
            if inner.endswith("/tcp") and (found := tuple(_ports({inner: outer})))
        },
    )


def _check(config: Mapping[str, Any]) -> tuple[str, ...]:
    """As the engine runs it (moby: daemon/health.go)."""
    kind, *words = (config.get("Healthcheck") or {}).get("Test") or ["NONE"]
    if kind == "CMD":
        return tuple(words)
    return (*(config.get("Shell") or ("/bin/sh", "-c")), *words) if kind == "CMD-SHELL" else ()


def _ports(listed: Mapping[str, Any] | None) -> Iterable[Published]:
    for inner, outer in (listed or {}).items():
        for binding in outer or ():
            said = str(binding.get("HostPort") or "")
            if said.isdecimal() and int(said):  # else any that is free, or one of a range
                yield Published(address_of(binding.get("HostIp")), int(said), inner.partition("/")[2])


def running() -> tuple[Container, ...]:
    """Everything that runs in the engine, whosever it is."""
    return inspect(_listed())


def memory_used(ids: Iterable[str]) -> dict[str, int]:
    """Bytes of memory that these containers use, without the file cache.

    Those that can't be asked are left out.
    """
    wanted = list(ids)
    try:
        answers = api.get_all(f"/containers/{one}/stats?stream=false&one-shot=true" for one in wanted)
    except api.NoDirectWay:
        return {}
    found = {
        one: memory_of(document)
        for one, (status, document) in zip(wanted, answers, strict=True)
        if status == 200
    }
    return {one: used for one, used in found.items() if used}


def memory_of(stats: Mapping[str, Any]) -> int:
    """Bytes of memory in the engine's counts of a container, without the file cache that it could drop.

    What counts: as for ``docker stats`` (docker/cli, cli/command/container/stats_helpers.go), which takes off
    total_inactive_file where the engine uses cgroup v1, inactive_file where it uses v2.
    """
    memory = stats.get("memory_stats") or {}
    details = memory.get("stats") or {}
    cache = int(details.get("total_inactive_file") or details.get("inactive_file") or 0)
    used = int(memory.get("usage") or 0)
    return used - cache if cache < used else used


def start(names: Sequence[str]) -> None:
    """Start containers again, all at the same time. Raises ContainerProblem."""

    def one(name: str) -> None:
        try:
            status, said = api.send("POST", f"/containers/{quote(name)}/start")
        except api.NoDirectWay:
            _docker("start", name)
        else:
            _check_answer("start", status, said)

    if names:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(one, names))


def resume(names: Sequence[str]) -> None:
    """Start containers again, also those that somebody paused. Raises ContainerProblem."""
    paused = [one.id for one in inspect(names) if one.state == "paused"]
    for one in paused:
        _docker("unpause", one)
    start([name for name in names if name not in paused])


def stop(names: Sequence[str], seconds: float | None = None) -> None:
    """Stop containers, all at the same time, each with its own grace period or this one."""
    limit = [] if seconds is None else ["--timeout", f"{seconds:.0f}"]

    def one(name: str) -> None:
        _docker("stop", *limit, name, timeout=60 + (seconds or 600))

    if names:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(one, names))


def remove(names: Sequence[str]) -> None:
    """Remove containers, running or not, with their anonymous volumes.

    Those that are gone are no problem, nor those that somebody else is removing: their end is waited for.
    """
    left, end = list(names), time.monotonic() + _REMOVE_SECONDS
    while left:
        done = process.run(["docker", "rm", "--force", "--volumes", "--", *left], timeout=120)
        words = [line for line in done.stderr.splitlines() if "No such container" not in line]
        if done.code == 0 or not words:
            return
        busy = all("already in progress" in line for line in words)
        if not busy or time.monotonic() >= end:
            raise ContainerProblem("Containers can't be removed.", detail="\n".join(words))
        time.sleep(0.1)


def rename(name: str, new: str) -> None:
    """Give a container another name, running or not. Raises ContainerProblem."""
    _docker("rename", name, new)


def logs(name: str, lines: int = 20, *, since: float = 0.0) -> tuple[str, ...]:
    """The last lines that a container wrote, both streams; ``since`` in seconds since the epoch."""
    later = [f"--since={since:.3f}"] if since else []
    done = process.run(["docker", "logs", "--tail", str(lines), *later, name])
    return tuple((done.stdout + done.stderr).splitlines()[-lines:])


def write_file(name: str, path: str, text: str) -> None:
    """Put a file into a container, running or not. Raises ContainerProblem."""
    folder, _, base = path.rpartition("/")
    data, packed = text.encode("utf-8"), io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo(base)
        entry.size, entry.mode = len(data), 0o644
        archive.addfile(entry, io.BytesIO(data))
    try:
        where = f"/containers/{quote(name)}/archive?path={quote(folder)}"
        status, said = api.send("PUT", where, packed.getvalue(), "application/x-tar")
    except api.NoDirectWay:
        # A configuration is text, and so is a tar file of it.
        _docker("cp", "-", f"{name}:{folder}", stdin=packed.getvalue().decode("utf-8"))
    else:
        _check_answer("cp", status, said)


def execute(name: str, argv: Sequence[str], *, timeout: float = 30.0) -> process.Completed:
    """Run a program in a container, without input; whatever its exit code is, it is returned."""
    try:
        code, out, err = api.execute(name, argv, timeout)
    except api.NoDirectWay:
        return process.run(["docker", "exec", name, *argv], timeout=timeout)
    return process.Completed(
        tuple(argv), code, out.decode("utf-8", "replace"), err.decode("utf-8", "replace")
    )


def passes(one: Container) -> bool:
    """Whether a container's own health check passes now. False as well where it can't be asked directly."""
    if not one.check:
        return False
    try:
        return api.execute(one.id, one.check, _CHECK_SECONDS)[0] == 0
    except api.NoDirectWay:
        return False


def _check_answer(what: str, status: int, said: str) -> None:
    if status >= 400:
        raise _problem(what, said)


def _problem(what: str, said: str) -> ContainerProblem:
    return ContainerProblem(
        f"'docker {what}' failed.", detail=said, hint="'homeport status' shows what runs."
    )


def _docker(*words: str, stdin: str = "", timeout: float = 60.0) -> str:
    done = process.run(["docker", *words], stdin=stdin, timeout=timeout)
    if done.code != 0:
        raise _problem(words[0], done.stderr.strip())
    return done.stdout

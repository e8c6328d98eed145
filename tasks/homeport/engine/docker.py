"""Facts about the Docker engine and its command line, read once by a command."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from homeport.engine import api, process
from homeport.engine.programs import which
from homeport.errors import EnvironmentProblem

MINIMUM_ENGINE = (23, 0)
"""The first engine that builds with BuildKit by default (moby 23.0 release notes)."""

MINIMUM_BUILDX = (0, 13)
"""The first buildx with ``--progress=rawjson`` (buildx 0.13 release notes)."""

_PLUGIN_FOLDERS = (
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
)


@dataclass(frozen=True)
class Plugin:
    """A plugin of the docker command line."""

    name: str
    version: str
    path: str


@dataclass(frozen=True)
class Engine:
    """What ``docker info`` says, as far as homeport decides by it. Sizes are bytes."""

    version: str
    storage: str
    containerd_store: bool
    cpus: int
    memory: int
    free_memory: int
    root: str
    local: bool
    time: str
    context: str
    name: str
    plugins: Mapping[str, Plugin] = field(hash=False)
    platform: str = "linux/amd64"
    id: str = ""
    """The engine's own identity: the same one through whichever socket or context it is reached."""

    def plugin(self, name: str) -> Plugin:
        """A plugin by name; raises EnvironmentProblem with the way to get it."""
        if name not in self.plugins:
            raise EnvironmentProblem(
                f"The docker command has no '{name}' plugin.",
                cause="It comes in a package of its own on many systems.",
                hint=f"Install it (Debian, Ubuntu: docker-{name} or docker-{name}-plugin), "
                "then run 'homeport doctor'.",
            )
        return self.plugins[name]


def version_tuple(text: str) -> tuple[int, ...]:
    """The leading numbers of a version: ``v0.29.1+ds1`` is ``(0, 29, 1)``; none is ``()``."""
    match = re.match(r"v?(\d+(?:\.\d+)*)", text)
    return tuple(int(part) for part in match[1].split(".")) if match else ()


def info(timeout: float = 20.0) -> dict[str, Any]:
    """The document of ``docker info``. Raises ToolMissing or EnvironmentProblem, each with a next step."""
    if not which("docker"):
        raise process.missing("docker")
    done = process.run(["docker", "info", "--format", "json"], timeout=timeout)
    try:
        document = json.loads(done.stdout)
    except ValueError:
        document = {}
    if not isinstance(document, dict):
        document = {}
    if done.code != 0 or document.get("ServerErrors") or not document.get("ServerVersion"):
        errors = document.get("ServerErrors") or []
        raise not_running("\n".join([*map(str, errors), done.stderr.strip()]).strip())
    return document


def not_running(said: str) -> EnvironmentProblem:
    """The error for an engine that doesn't answer; ``said`` is the docker command's own message."""
    denied = "permission denied" in said.lower()
    where = os.environ.get("DOCKER_HOST") or os.environ.get("DOCKER_CONTEXT") or "the default context"
    return EnvironmentProblem(
        "The Docker engine doesn't answer.",
        cause=f"You may not use its socket ({where})."
        if denied
        else f"It isn't running, or {where} points elsewhere.",
        hint="Add yourself to the 'docker' group and log in again."
        if denied
        else "Start it (Linux: 'sudo systemctl start docker'; macOS, Windows: Docker Desktop), "
        "or set DOCKER_HOST or 'docker context use'.",
        detail=said,
    )


def engine() -> Engine:
    """Read the engine's facts. Raises EnvironmentProblem if it is missing, silent or too old.

    Asked directly where that is possible, plugins have no version: for it ``docker info`` starts each of
    them, which takes ten times as long as all the rest.
    """
    document = _asked_directly() or info()
    found = parse_engine(document, host=os.environ.get("DOCKER_HOST", ""))
    require(found)
    return found


def _asked_directly() -> dict[str, Any]:
    """The engine's own answer with the path of buildx put in; empty where ``docker info`` has to say it."""
    path = _plugin_path("buildx")
    if not path or not which("docker"):
        return {}
    try:
        ((status, document),) = api.get_all(["/info"])
    except api.NoDirectWay:
        return {}
    if status != 200 or not isinstance(document, dict) or not document.get("ServerVersion"):
        return {}
    client = {"Context": api.context(), "Plugins": [{"Name": "buildx", "Path": path}]}
    return {**document, "ClientInfo": client}


def _plugin_path(name: str) -> str:
    """Where a plugin lies, by the docker command's own order (docker/cli cli-plugins/manager)."""
    own, extra = api.config_folder() / "cli-plugins", api.config().get("cliPluginsExtraDirs")
    folders = [*(map(Path, extra) if isinstance(extra, list) else ()), own, *map(Path, _PLUGIN_FOLDERS)]
    found = (folder / f"docker-{name}" for folder in folders)
    return next((str(path) for path in found if os.access(path, os.X_OK)), "")


def require(found: Engine) -> None:
    """Raise EnvironmentProblem for an engine or buildx too old to build with."""
    _require("Docker Engine", found.version, MINIMUM_ENGINE)
    require_buildx(found.plugin("buildx").version)


def require_buildx(version: str) -> None:
    """Raise EnvironmentProblem for a buildx too old to build with."""
    _require("buildx", version, MINIMUM_BUILDX)


def _require(what: str, version: str, minimum: tuple[int, ...]) -> None:
    if version_tuple(version) and version_tuple(version) < minimum:
        needed = ".".join(map(str, minimum))
        raise EnvironmentProblem(
            f"{what} {version} is too old.",
            cause=f"homeport needs {needed} or newer: it reads BuildKit's structured progress.",
            hint="Update Docker (https://docs.docker.com/engine/install/).",
        )


def parse_engine(document: Mapping[str, Any], *, host: str = "") -> Engine:
    """The facts in a ``docker info`` document; ``host`` is DOCKER_HOST, which decides what is local."""
    client = document.get("ClientInfo") or {}
    plugins = {
        str(item["Name"]): Plugin(
            str(item["Name"]), str(item.get("Version") or ""), str(item.get("Path") or "")
        )
        for item in client.get("Plugins") or ()
        if item.get("Name") and not item.get("Err")
    }
    memory = int(document.get("MemTotal") or 0)
    root = str(document.get("DockerRootDir") or "")
    local = host.startswith(("", "unix://", "npipe://")[1:]) if host else _same_machine(document, root)
    return Engine(
        version=str(document.get("ServerVersion") or ""),
        storage=str(document.get("Driver") or ""),
        containerd_store=any("containerd" in str(value) for _, value in _pairs(document.get("DriverStatus"))),
        cpus=int(document.get("NCPU") or os.cpu_count() or 1),
        memory=memory,
        free_memory=psutil.virtual_memory().available if local else memory // 2,
        root=root,
        local=local,
        time=str(document.get("SystemTime") or ""),
        context=str(client.get("Context") or ""),
        name=str(document.get("Name") or ""),
        plugins=plugins,
        platform=_platform(document),
        id=str(document.get("ID") or ""),
    )


def _platform(document: Mapping[str, Any]) -> str:
    machine = str(document.get("Architecture") or "x86_64")
    known = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm/v7", "i686": "386"}
    return f"{document.get('OSType') or 'linux'}/{known.get(machine, machine)}"


def _same_machine(document: Mapping[str, Any], root: str) -> bool:
    """Whether the engine shares this machine's disk and memory (Docker Desktop's VM does not)."""
    import platform

    return document.get("Name") == platform.node() and Path(root).exists()


def _pairs(status: Any) -> list[tuple[str, str]]:
    return [(str(pair[0]), str(pair[1])) for pair in status or () if len(pair) == 2]

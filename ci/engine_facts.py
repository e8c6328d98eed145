"""What there is on this machine: its engine, its system, its package sources. Read once, nothing changed."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apt_sources
from apt_sources import AptSource

DAEMON_JSON = "/etc/docker/daemon.json"
POLICY = "/usr/sbin/policy-rc.d"
LISTS = Path("/var/lib/apt/lists")
LISTS_MAX_AGE_S = 24 * 3600
ADMIN_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin")
ASK_TIMEOUT_S = 30


@dataclass(frozen=True)
class Docker:
    """What the docker command line says about itself and about the engine it would use."""

    cli: bool = False
    version: str = ""  # of the engine; empty means that none answered
    os_type: str = ""
    store: str = ""
    context: str = "default"
    buildx: str = ""
    compose: str = ""
    error: str = ""

    @property
    def answers(self) -> bool:
        """Whether an engine answered."""
        return bool(self.version)

    @property
    def complete(self) -> bool:
        """Whether this is all that homeport needs."""
        return not self.lacks

    @property
    def lacks(self) -> str:
        """What homeport needs and this has not, in words; empty if nothing."""
        if not self.answers:
            return "a Docker engine"
        plugins = {"the buildx plugin": self.buildx, "the Compose plugin": self.compose}
        return " and ".join(name for name, version in plugins.items() if not version)

    def __str__(self) -> str:
        lines = [f"Docker Engine {self.version or 'none'}", f"buildx {self.buildx or 'none'}"]
        return ", ".join([*lines, f"Compose {self.compose or 'none'}"]) + (
            f" ({self.store})" if self.store else ""
        )


@dataclass(frozen=True)
class Facts:
    """Everything that decides what to do, read once."""

    docker: Docker
    system: str = "Linux"
    os_id: str = ""
    codename: str = ""
    root: bool = False
    privileged: bool = False  # may mount: an engine in an unprivileged container can't
    docker_host: str = ""
    apt: bool = False
    sources: tuple[AptSource, ...] = ()
    lists_fresh: bool = False
    dockerd: bool = False
    dockerd_runs: bool = False
    systemd: bool = False
    daemon_config: bool = False
    policy: bool = False


def parse_info(text: str, error: str = "") -> Docker:
    """Read the answer of `docker info`, which is complete JSON even when no engine answers."""
    try:
        info: dict[str, Any] = json.loads(text)
    except ValueError:
        return Docker(cli=True, error=error.strip() or "`docker info` printed no JSON")
    client: dict[str, Any] = info.get("ClientInfo") or {}
    plugins: list[dict[str, Any]] = client.get("Plugins") or []
    versions = {
        str(plugin.get("Name")): str(plugin.get("Version") or "?")
        for plugin in plugins
        if not plugin.get("Err")
    }
    version = str(info.get("ServerVersion") or "")
    complaints = info.get("ServerErrors") or [error.strip()]
    return Docker(
        cli=True,
        version=version,
        os_type=str(info.get("OSType") or ""),
        store=str(info.get("Driver") or ""),
        context=str(client.get("Context") or "default"),
        buildx=versions.get("buildx", ""),
        compose=versions.get("compose", ""),
        error="" if version else str(complaints[0]),
    )


def look(timeout_s: float = ASK_TIMEOUT_S) -> Docker:
    """Ask docker what there is: one call, which also names the plugins it finds."""
    command = ["docker", "info", "--format", "{{json .}}"]
    try:
        answer = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=timeout_s,
        )
    except subprocess.TimeoutExpired:
        return Docker(cli=True, error=f"the engine did not answer within {timeout_s:g} s")
    except OSError as problem:
        return Docker(error=f"the docker command can't be run: {problem.strerror or problem}")
    return parse_info(answer.stdout, answer.stderr)


def read_facts() -> Facts:
    """Look at this machine. The engine is asked first: if it answers, nothing else matters."""
    docker = look()
    system = platform.system()
    host = os.environ.get("DOCKER_HOST", "")
    if docker.answers or system != "Linux":
        return Facts(docker=docker, system=system, docker_host=host)
    release = parse_os_release(_text("/etc/os-release"))
    return Facts(
        docker=docker,
        system=system,
        os_id=release.get("ID", ""),
        codename=release.get("VERSION_CODENAME", ""),
        root=sys.platform != "win32" and os.geteuid() == 0,
        privileged=parse_may_mount(_text("/proc/self/status")),
        docker_host=host,
        apt=which("apt-get") is not None,
        sources=tuple(apt_sources.read()),
        lists_fresh=_lists_fresh(LISTS, time.time()),
        dockerd=which("dockerd") is not None,
        dockerd_runs=_dockerd_runs(),
        systemd=Path("/run/systemd/system").is_dir(),
        daemon_config=Path(DAEMON_JSON).exists(),
        policy=Path(POLICY).exists(),
    )


def parse_os_release(text: str) -> dict[str, str]:
    """Read os-release: shell assignments, quoted or not."""
    pairs = re.findall(r"^([A-Z_0-9]+)=(.*)$", text, re.MULTILINE)
    return {key: value.strip().strip("\"'") for key, value in pairs}


def parse_may_mount(status: str) -> bool:
    """Whether the effective capabilities hold CAP_SYS_ADMIN (bit 21), without which no engine can start."""
    match = re.search(r"^CapEff:\s*([0-9a-fA-F]+)$", status, re.MULTILINE)
    return match is not None and bool(int(match[1], 16) >> 21 & 1)


def _lists_fresh(folder: Path, now: float) -> bool:
    """Whether apt's package lists are there and young enough to name packages that a mirror still has.

    A list has the date that its mirror gave it; the folder's date is when apt last put one there.
    """
    lists = list(folder.glob("*_Packages*"))
    youngest = max((path.stat().st_mtime for path in [folder, *lists] if path.exists()), default=0)
    return bool(lists) and now - youngest < LISTS_MAX_AGE_S


def _dockerd_runs() -> bool:
    """Whether an engine process is there already, such as one that is still coming up."""
    pid = _text("/run/docker.pid").strip() or _text("/var/run/docker.pid").strip()
    return pid.isdigit() and _text(f"/proc/{pid}/comm").strip() == "dockerd"


def _text(path: str) -> str:
    """A small file, or nothing where there is none."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def search_path(environment: Mapping[str, str]) -> str:
    """PATH with the folders of administrators, where dockerd and iptables are."""
    folders = [folder for folder in environment.get("PATH", os.defpath).split(os.pathsep) if folder]
    return os.pathsep.join([*folders, *(folder for folder in ADMIN_FOLDERS if folder not in folders)])


def which(program: str) -> str | None:
    """Where a program is, also one of administrators."""
    return shutil.which(program, path=search_path(os.environ))

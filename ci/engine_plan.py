"""What to do about a machine's engine, as data: decided from the facts alone. Nothing here has an effect."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path

import apt_sources
from apt_sources import AptSource
from engine_facts import DAEMON_JSON, POLICY, Docker, Facts

# The first suite that works is used. sid has a current engine; trixie's is older, and rarely broken.
SUITES = ("sid", "trixie")
PACKAGES = ("docker.io", "docker-cli", "docker-buildx", "docker-compose", "containerd")
# So that nothing but the packages asked for is taken from the other suite, and later upgrades still are.
PIN_PRIORITY = 100
# Only the containerd image store lets the `docker` build driver export caches to a registry.
DAEMON_CONFIG = {"features": {"containerd-snapshotter": True}, "insecure-registries": ["127.0.0.0/8"]}
NO_SERVICES = (
    "#!/bin/sh\n# Written by homeport for as long as it installs: packages start no service here.\nexit 101\n"
)
DOCKERD_LOG = Path("/var/log/homeport-dockerd.log")
LOCAL_SOCKETS = ("unix:///var/run/docker.sock", "unix:///run/docker.sock")
START_TIMEOUT_S = 60

PLUGIN_HELP = """\
  Docker Desktop brings both; update it.
  Docker's own apt or dnf repository: install docker-buildx-plugin and docker-compose-plugin.
  Debian 13 and later: apt-get install docker-buildx docker-compose
  Ubuntu: apt-get install docker-buildx docker-compose-v2
  macOS: brew install docker-buildx docker-compose (brew prints what ~/.docker/config.json needs then)"""


@dataclass(frozen=True)
class Write:
    """Put a file in place. It goes away again if the attempt fails, or at its end if it is temporary."""

    path: str
    text: str
    mode: int = 0o644
    temporary: bool = False

    def __str__(self) -> str:
        return f"write {self.path}" + (" (removed again afterwards)" if self.temporary else "")


@dataclass(frozen=True)
class Run:
    """Run a program to its end; its output goes to the log."""

    argv: tuple[str, ...]
    optional: bool = False

    def __str__(self) -> str:
        return shlex.join(self.argv)


@dataclass(frozen=True)
class Daemon:
    """Start dockerd by hand, in its own session, so that it outlives this program."""

    def __str__(self) -> str:
        return f"start dockerd in its own session, log in {DOCKERD_LOG}"


@dataclass(frozen=True)
class Wait:
    """Wait until the engine answers."""

    seconds: int = START_TIMEOUT_S

    def __str__(self) -> str:
        return f"wait until the engine answers, at most {self.seconds} s"


Step = Write | Run | Daemon | Wait


@dataclass(frozen=True)
class Plan:
    """Either a message for the machine's owner, or what to do; neither means that all is well."""

    refusal: str = ""
    attempts: tuple[tuple[Step, ...], ...] = ()  # ways to install; the first that works is enough
    start: tuple[Step, ...] = ()

    @property
    def nothing(self) -> bool:
        """Whether the machine is fine as it is."""
        return not (self.refusal or self.attempts or self.start)


def make_plan(facts: Facts) -> Plan:
    """Decide from the facts alone. Whatever is not clearly allowed is a message."""
    docker = facts.docker
    if docker.answers:
        return Plan(refusal=incomplete(docker))
    if _elsewhere(facts):
        return Plan(refusal=_silent_elsewhere(facts))
    if facts.system != "Linux":
        return Plan(refusal=_no_engine(facts))
    if "permission denied" in docker.error.lower() and not facts.root:
        return Plan(refusal=_no_permission())
    if not facts.root:
        return Plan(refusal=_no_engine(facts))
    if not facts.privileged:
        return Plan(refusal=_unprivileged())
    if facts.dockerd and docker.cli:
        return Plan(start=_start(facts))
    own = [source for source in facts.sources if not _ours(source)]
    archive = apt_sources.debian_archive(own, facts.codename if facts.os_id == "debian" else "")
    if archive is None or not facts.apt:
        return Plan(refusal=_no_engine(facts))
    attempts = tuple(_install(facts, archive, suite) for suite in SUITES)
    return Plan(attempts=attempts, start=_start(facts))


def _install(facts: Facts, archive: AptSource, suite: str) -> tuple[Step, ...]:
    """One attempt. daemon.json comes first: where systemd runs, the package itself starts the engine."""
    steps: list[Step] = []
    if not facts.daemon_config:
        steps.append(Write(DAEMON_JSON, json.dumps(DAEMON_CONFIG, indent=2) + "\n"))
    if not (facts.policy or facts.systemd):
        steps.append(Write(POLICY, NO_SERVICES, 0o755, temporary=True))
    update = ("apt-get", "update", "-o", "DPkg::Lock::Timeout=120")
    if _offered(facts, archive, suite):
        # Another repository on this machine may fail to update; whether that matters, the install will tell.
        if not facts.lists_fresh:
            steps.append(Run(update, optional=True))
    else:
        source, pin = _files(suite)
        steps.append(Write(pin, f"Package: *\nPin: release n={suite}\nPin-Priority: {PIN_PRIORITY}\n"))
        added = AptSource(archive.uri, suite, ("main",), archive.options)
        steps.append(Write(source, f"# Added by homeport (ci/engine.py), pinned in {pin}.\n{added.stanza()}"))
        if not facts.lists_fresh:
            steps.append(Run(update, optional=True))
        only = (f"Dir::Etc::sourcelist={source}", "Dir::Etc::sourceparts=-", "APT::Get::List-Cleanup=0")
        # Once more if everything was updated just now: apt fetches nothing twice, and here a failure counts.
        steps.append(Run((*update, *(part for option in only for part in ("-o", option)))))
    options = ("DPkg::Lock::Timeout=120", "Dpkg::Options::=--force-confold")
    install = ("apt-get", "install", "--yes", "--no-install-recommends", "--no-remove")
    wanted = (f"{package}/{suite}" for package in PACKAGES)
    steps.append(Run((*install, *(part for option in options for part in ("-o", option)), *wanted)))
    return tuple(steps)


def _start(facts: Facts) -> tuple[Step, ...]:
    """One that runs already is only waited for: a second one could not start beside it."""
    if facts.dockerd_runs:
        return (Wait(),)
    if facts.systemd:
        return (Run(("systemctl", "start", "docker.service")), Wait())
    return (Daemon(), Wait())


def _offered(facts: Facts, archive: AptSource, suite: str) -> bool:
    """Whether the machine's own sources hold the suite already: then it needs no second source."""
    names = (suite, "unstable") if suite == "sid" else (suite,)
    own = {source.suite for source in facts.sources if source.uri == archive.uri and not _ours(source)}
    return bool(own.intersection(names))


def _ours(source: AptSource) -> bool:
    """Whether an earlier run wrote this source: it says nothing about the machine."""
    return source.path in {_files(suite)[0] for suite in SUITES}


def _files(suite: str) -> tuple[str, str]:
    """Where a suite's source and its pin are written."""
    return f"/etc/apt/sources.list.d/homeport-{suite}.sources", f"/etc/apt/preferences.d/homeport-{suite}"


def _elsewhere(facts: Facts) -> bool:
    """Whether the user points docker at an engine that is not this machine's own."""
    if facts.docker_host:
        return facts.docker_host not in LOCAL_SOCKETS
    # Docker Desktop and colima have contexts of their own: there the advice is how to start them.
    return facts.system == "Linux" and facts.docker.context != "default"


# -- messages ---------------------------------------------------------------------------------------------


def incomplete(docker: Docker) -> str:
    """An engine that answers is not ours to change; say what homeport lacks there."""
    if docker.os_type == "windows":
        return (
            f"Docker Engine {docker.version} runs Windows containers, and homeport builds Linux images.\n"
            f"Choose 'Switch to Linux containers' in Docker Desktop's menu."
        )
    if docker.complete:
        return ""
    missing = f"Docker Engine {docker.version} answers, but {docker.lacks} is missing."
    return f"{missing} How to get it:\n{PLUGIN_HELP}"


def _silent_elsewhere(facts: Facts) -> str:
    where = (
        f"DOCKER_HOST={facts.docker_host}"
        if facts.docker_host
        else f"docker context {facts.docker.context!r}"
    )
    undo = "unset DOCKER_HOST" if facts.docker_host else "run `docker context use default`"
    return (
        f"no Docker engine answers at {where}.\n"
        f"docker says: {facts.docker.error}\n"
        f"Start that engine, or {undo} to use this machine's own.\n"
        f"Nothing was installed here, because docker would not use it."
    )


def _no_permission() -> str:
    return (
        "a Docker engine runs here, but this user may not use it.\n"
        "Add yourself to the group docker (which is as good as root), then log in again:\n"
        "  sudo usermod -aG docker $USER\n"
        "or use a rootless engine (dockerd-rootless-setuptool.sh install), or set DOCKER_HOST to another one."
    )


def _unprivileged() -> str:
    return (
        "no Docker engine answers, and none can run here: this is a container without CAP_SYS_ADMIN.\n"
        "Start it with --privileged, or give it an engine: mount /var/run/docker.sock, or set DOCKER_HOST."
    )


def _no_engine(facts: Facts) -> str:
    """One clear message a platform: what is missing, and how to get it there."""
    missing = "no Docker engine answers." if facts.docker.cli else "docker is not installed."
    said = f"\ndocker says: {facts.docker.error}" if facts.docker.cli and facts.docker.error else ""
    if facts.system == "Darwin":
        advice = (
            "Install and start Docker Desktop, or colima:\n"
            "  brew install colima docker docker-buildx docker-compose && colima start"
        )
    elif facts.system == "Windows":
        advice = (
            "Install and start Docker Desktop (winget install Docker.DockerDesktop), with Linux containers."
        )
    elif facts.dockerd:
        advice = "It is installed and does not run. Start it: sudo systemctl start docker"
    elif facts.system != "Linux":
        advice = "This system has no engine of its own."
    elif facts.os_id == "ubuntu":
        advice = "Install it: sudo apt-get install docker.io docker-buildx docker-compose-v2"
    elif facts.os_id == "debian" and not facts.root:
        advice = "As root this program installs one from Debian's packages: sudo python3 ci/engine.py"
    else:
        advice = "Install Docker Engine: https://get.docker.com is one script for most Linux distributions."
    another = "Or use an engine on another machine: set DOCKER_HOST (ssh://user@host works)."
    return f"{missing}{said}\n{advice}\n{another}"

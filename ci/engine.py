"""A Docker engine for a machine that has none and may install one.

    python ci/engine.py            leave a working engine alone; else install or start one, if that is allowed
    python ci/engine.py --check    only report: what runs, or what this program would do

A machine whose Docker works is never touched. A Debian machine with root gets Docker Engine, buildx and
Compose from Debian's own packages: the suite below is added beside the machine's own (same mirror, same
key), pinned so low that nothing else is ever upgraded from it. Every other machine gets one message that
says what is missing and how to get it there.

Facts are read once, `make_plan` turns them into data, `apply` is the only part with effects.
Exit codes: 0 an engine with buildx and Compose answers; 1 installing or starting failed; 2 this machine
needs its owner; 130 interrupted. Only the standard library is used: nothing is installed before it runs.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apt_sources
from apt_sources import AptSource

# The first suite that works is used. sid has a current engine; trixie's is older, and rarely broken.
SUITES = ("sid", "trixie")
PACKAGES = ("docker.io", "docker-cli", "docker-buildx", "docker-compose", "containerd")
# So that nothing but the packages asked for is taken from the other suite, and later upgrades still are.
PIN_PRIORITY = 100

DAEMON_JSON = "/etc/docker/daemon.json"
# Only the containerd image store lets the `docker` build driver export caches to a registry.
DAEMON_CONFIG = {"features": {"containerd-snapshotter": True}, "insecure-registries": ["127.0.0.0/8"]}
POLICY = "/usr/sbin/policy-rc.d"
NO_SERVICES = (
    "#!/bin/sh\n# Written by homeport for as long as it installs: packages start no service here.\nexit 101\n"
)
LOG = Path("/var/log/homeport-engine.log")
DOCKERD_LOG = Path("/var/log/homeport-dockerd.log")
LISTS = Path("/var/lib/apt/lists")
LISTS_MAX_AGE_S = 24 * 3600
ADMIN_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin")

LOCAL_SOCKETS = ("unix:///var/run/docker.sock", "unix:///run/docker.sock")
ASK_TIMEOUT_S = 30
START_TIMEOUT_S = 60
INSTALL_TIMEOUT_S = 900
TAIL_LINES = 15

PLUGIN_HELP = """\
  Docker Desktop brings both; update it.
  Docker's own apt or dnf repository: install docker-buildx-plugin and docker-compose-plugin.
  Debian 13 and later: apt-get install docker-buildx docker-compose
  Ubuntu: apt-get install docker-buildx docker-compose-v2
  macOS: brew install docker-buildx docker-compose (brew prints what ~/.docker/config.json needs then)"""


class EngineError(Exception):
    """What happened, the likely cause, what to do next; the exit code says whose turn it is."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


# -- facts ------------------------------------------------------------------------------------------------


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
        root=hasattr(os, "geteuid") and os.geteuid() == 0,
        privileged=parse_may_mount(_text("/proc/self/status")),
        docker_host=host,
        apt=_which("apt-get") is not None,
        sources=tuple(apt_sources.read()),
        lists_fresh=_lists_fresh(LISTS, time.time()),
        dockerd=_which("dockerd") is not None,
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


# -- plan -------------------------------------------------------------------------------------------------


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
        return Plan(refusal=_incomplete(docker))
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


def _incomplete(docker: Docker) -> str:
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


# -- apply ------------------------------------------------------------------------------------------------


class Machine:
    """The effects. Everything that changes this machine is in this class."""

    def __init__(self) -> None:
        self._daemon: subprocess.Popen[bytes] | None = None
        self._daemon_log_start = 0

    def say(self, text: str) -> None:
        """Tell people what happens; installing takes a while."""
        print(text, flush=True)

    def write(self, step: Write) -> bool:
        """Write a file; tell whether it is new, which is to say ours to remove again."""
        path = Path(step.path)
        new = not path.exists()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(step.text, encoding="utf-8", newline="\n")
        path.chmod(step.mode)
        return new

    def remove(self, path: str) -> None:
        """Take back a file that `write` made."""
        Path(path).unlink(missing_ok=True)

    def run(self, argv: Sequence[str]) -> str:
        """Run a program with its output in the log; return what went wrong, with the log's last lines."""
        with LOG.open("ab") as output:
            output.write(f"\n$ {shlex.join(argv)}\n".encode())
            output.flush()
            start = output.tell()
            try:
                result = subprocess.run(
                    argv,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=quiet_environment(os.environ),
                    timeout=INSTALL_TIMEOUT_S,
                )
            except subprocess.TimeoutExpired:
                return f"{shlex.join(argv)}: no end after {INSTALL_TIMEOUT_S} s"
            except OSError as problem:
                return f"{argv[0]} can't be run: {problem.strerror or problem}"
        if result.returncode == 0:
            return ""
        end = f"the end of {LOG}:\n{_tail(LOG, start)}"
        return f"{shlex.join(argv)}\nfailed with exit code {result.returncode}; {end}"

    def start_daemon(self) -> None:
        """Start dockerd so that neither a closed terminal nor the end of `make` stops it."""
        dockerd = _which("dockerd")
        if dockerd is None:
            raise EngineError(
                "the packages are installed, but there is no dockerd: this is a bug of ci/engine.py."
            )
        with DOCKERD_LOG.open("ab") as output:
            self._daemon_log_start = output.tell()
            self._daemon = subprocess.Popen(
                [dockerd],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd="/",
                env=quiet_environment(os.environ),
                start_new_session=True,
            )

    def wait(self, seconds: float) -> str:
        """Wait for an answer; return what went wrong, which a stopped dockerd tells at once."""
        deadline = time.monotonic() + seconds
        while not look().answers:
            code = self._daemon.poll() if self._daemon else None
            if code is not None:
                return f"dockerd stopped with exit code {code}; {self._daemon_log()}"
            if time.monotonic() > deadline:
                return f"the engine did not answer within {seconds:g} s; {self._daemon_log()}"
            time.sleep(0.25)
        return ""

    def _daemon_log(self) -> str:
        if self._daemon:
            return f"the end of {DOCKERD_LOG}:\n{_tail(DOCKERD_LOG, self._daemon_log_start)}"
        return "its log: journalctl --unit docker --lines 50"


def apply(plan: Plan, machine: Machine) -> None:
    """Install by the first attempt that works, then start. A failed attempt leaves no file of it behind."""
    failures: list[str] = []
    for attempt in plan.attempts:
        problem = _try(attempt, machine)
        if not problem:
            failures = []
            break
        failures.append(problem)
        machine.say(f"that failed: {problem}")
    if failures:
        raise EngineError(
            "Docker could not be installed; the messages above say why.\nSee https://get.docker.com."
        )
    problem = _try(plan.start, machine)
    if problem:
        raise EngineError(f"the engine did not start: {problem}")


def _try(steps: Sequence[Step], machine: Machine) -> str:
    """Walk the steps to the first one that fails; return its problem."""
    written: list[Write] = []
    done = False
    try:
        for step in steps:
            machine.say(f"- {step}")
            problem = _do(step, machine, written)
            if problem:
                return problem
        done = True
        return ""
    finally:  # also when this program is interrupted
        for step in written:
            if step.temporary or not done:
                machine.remove(step.path)


def _do(step: Step, machine: Machine, written: list[Write]) -> str:
    """One step; return its problem, if any, and note a file that was not there before."""
    match step:
        case Write():
            if machine.write(step):
                written.append(step)
            return ""
        case Run():
            problem = machine.run(step.argv)
            if problem and step.optional:
                machine.say(f"  it failed, which may not matter: {problem.splitlines()[-1].strip()}")
                return ""
            return problem
        case Daemon():
            machine.start_daemon()
            return ""
        case Wait():
            return machine.wait(step.seconds)


def quiet_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """For apt: no question, no restart of other services. For dockerd: iptables must be found."""
    folders = [folder for folder in environment.get("PATH", os.defpath).split(os.pathsep) if folder]
    folders += [folder for folder in ADMIN_FOLDERS if folder not in folders]
    quiet = {"DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_SUSPEND": "1", "LC_ALL": "C.UTF-8"}
    return {**environment, **quiet, "PATH": os.pathsep.join(folders)}


@contextlib.contextmanager
def _only_one_at_a_time() -> Iterator[None]:
    """Two runs at once would write the same files and start two engines: the second one waits."""
    import fcntl  # not on Windows, where nothing is ever applied, but this module must still import

    with Path("/run/homeport-engine.lock").open("w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _tail(path: Path, start: int = 0) -> str:
    """The last lines of a log, from a position on."""
    with path.open("rb") as file:
        file.seek(start)
        lines = file.read().decode("utf-8", errors="replace").strip().splitlines()
    return "\n".join(f"  {line}" for line in lines[-TAIL_LINES:])


def _which(program: str) -> str | None:
    """Like shutil.which, but a plain user's PATH may lack the folders of administrators."""
    return shutil.which(program, path=quiet_environment(os.environ)["PATH"])


# -- command line -----------------------------------------------------------------------------------------


def check() -> int:
    """Report, and show what would be done. Change nothing."""
    facts = read_facts()
    plan = make_plan(facts)
    if plan.nothing:
        print(f"{facts.docker}: nothing to do")
        return 0
    if plan.refusal:
        raise EngineError(plan.refusal, 2)
    print(f"no Docker engine answers ({facts.docker.error}). `python ci/engine.py` would:")
    for number, attempt in enumerate(plan.attempts):
        print("install:" if number == 0 else "if that fails, install:")
        print("".join(f"- {step}\n" for step in attempt), end="")
    print("start:")
    print("".join(f"- {step}\n" for step in plan.start), end="")
    return 2


def ensure() -> int:
    """Bring an engine up, if that is possible and allowed."""
    facts = read_facts()
    plan = make_plan(facts)
    if plan.refusal:
        raise EngineError(plan.refusal, 2)
    if not plan.nothing:
        started = time.monotonic()
        with _only_one_at_a_time():
            plan = make_plan(read_facts())  # whoever held the lock may have done it all
            if plan.refusal:
                raise EngineError(plan.refusal, 2)
            print(f"no Docker engine answers ({facts.docker.error}): starting one", flush=True)
            apply(plan, Machine())
        docker = look()
        if not docker.complete:
            raise EngineError(_incomplete(docker) or f"the engine stopped answering: {docker.error}", 2)
        print(f"ready after {time.monotonic() - started:.0f} s")
        print(f"{docker}")
        return 0
    print(f"{facts.docker}")
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        description="A Docker engine for a machine that has none and may install one."
    )
    parser.add_argument("--check", action="store_true", help="only report; install and start nothing")
    options = parser.parse_args(arguments)
    try:
        return check() if options.check else ensure()
    except EngineError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())

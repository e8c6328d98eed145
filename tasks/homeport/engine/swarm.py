"""Docker Swarm, asked and told by the docker command: services, their tasks, stacks, secrets.

By the command only, never by the engine's socket: managers are often reached by ssh.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from homeport.engine import process
from homeport.engine.containers import ContainerProblem
from homeport.errors import EnvironmentProblem, ToolTimeout

STACK_LABEL = "com.docker.stack.namespace"
_DEPLOY_SECONDS = 300.0
_LOG_SECONDS = 10.0
_GONE_SECONDS = 60.0
_LOOK_SECONDS = 0.2
_ENDED_BADLY = {"failed", "rejected", "orphaned"}


@dataclass(frozen=True)
class Task:
    """One task of a service: a container on some node, or what became of it.

    ``wanted`` is whether Swarm wants it to run, ``state`` how far it is (``running``: it is well, by its
    health check if it has one), ``container`` how it was made; that holds the values of variables.
    """

    id: str
    service: str
    wanted: bool
    state: str
    error: str = ""
    at: str = ""
    """Since when, as the engine says it."""
    container: Mapping[str, Any] = field(default_factory=dict, hash=False, repr=False)

    @property
    def failed(self) -> bool:
        return self.state in _ENDED_BADLY

    @property
    def labels(self) -> Mapping[str, str]:
        return self.container.get("Labels") or {}


@dataclass(frozen=True)
class Service:
    """One service of a stack, by the name that it has in the stack's file.

    ``count`` is how many tasks it should have, ``update`` what Swarm says of its last update (``updating``,
    ``completed``, ``paused``, ``rollback_started``, ``rollback_paused``, ``rollback_completed``; empty: there
    was none). ``containers`` say how its tasks are made, now and before its last update.
    """

    id: str
    name: str
    image: str
    count: int
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    update: str = ""
    said: str = ""
    containers: tuple[Mapping[str, Any], ...] = field(default=(), hash=False, repr=False)
    tasks: tuple[Task, ...] = ()
    old_labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Those that it had before its last update."""
    job: bool = False
    """Whether its tasks run to their end."""

    @property
    def all_labels(self) -> tuple[Mapping[str, str], ...]:
        return (self.labels, self.old_labels)

    @property
    def container_labels(self) -> Mapping[str, str]:
        return (self.containers[0].get("Labels") or {}) if self.containers else {}


def nodes() -> int:
    """How many machines are in the swarm. Raises EnvironmentProblem if this engine doesn't manage one."""
    done = process.run(["docker", "node", "ls", "--format", "{{.ID}} {{.Availability}}"])
    said = done.stderr.strip()
    if done.code != 0 and "Worker nodes" in said:
        raise EnvironmentProblem(
            "The engine is a worker of a swarm.",
            cause="Only managers know the services.",
            hint="Set DOCKER_HOST or 'docker context use' to a manager.",
        )
    if done.code != 0:
        raise EnvironmentProblem(
            "The engine manages no swarm.",
            cause=said,
            hint="'docker swarm init' makes it a manager, of one machine at first. Or set DOCKER_HOST to a "
            "manager; or take 'backend' under [deploy] out of homeport.toml.",
        )
    return sum(line.endswith("Active") for line in done.stdout.splitlines()) or 1


def services(stack: str) -> dict[str, Service]:
    """By name the services of a stack, with their tasks, old ones that Swarm still knows among them."""
    ids = _lines("service", "ls", "--quiet", "--filter", f"label={STACK_LABEL}={stack}")
    if not ids:
        return {}
    # Before its tasks: what made Swarm put a service back is among them then.
    documents = _inspect("service", ids)
    tasks: dict[str, list[Task]] = {}
    # A task may go between being listed and being looked at: what is there is shown all the same.
    listed = _lines("stack", "ps", "--quiet", "--no-trunc", stack)
    for document in _inspect("task", listed):
        task = parse_task(document)
        tasks.setdefault(task.service, []).append(task)
    found = (parse_service(document, stack, tasks) for document in documents)
    return {one.name: one for one in found}


def parse_task(document: Mapping[str, Any]) -> Task:
    """A task from the engine's description of it."""
    status = document.get("Status") or {}
    return Task(
        str(document.get("ID") or ""),
        str(document.get("ServiceID") or ""),
        document.get("DesiredState") == "running",
        str(status.get("State") or ""),
        str(status.get("Err") or ""),
        str(status.get("Timestamp") or ""),
        (document.get("Spec") or {}).get("ContainerSpec") or {},
    )


def parse_service(document: Mapping[str, Any], stack: str, tasks: Mapping[str, Sequence[Task]]) -> Service:
    """A service from the engine's description of it; ``tasks`` are those of all services by their ids."""
    spec = document.get("Spec") or {}
    own = tuple(tasks.get(str(document.get("ID")), ()))
    mode = spec.get("Mode") or {}
    job = mode.get("ReplicatedJob")
    both = (spec, document.get("PreviousSpec") or {})
    containers = tuple(
        found for one in both if (found := (one.get("TaskTemplate") or {}).get("ContainerSpec"))
    )
    update = document.get("UpdateStatus") or {}
    return Service(
        str(document.get("ID") or ""),
        str(spec.get("Name") or "").removeprefix(f"{stack}_"),
        str(containers[0].get("Image") or "") if containers else "",
        _count(mode, own),
        spec.get("Labels") or {},
        str(update.get("State") or ""),
        str(update.get("Message") or ""),
        containers,
        own,
        both[1].get("Labels") or {},
        job is not None,
    )


def _count(mode: Mapping[str, Any], tasks: Sequence[Task]) -> int:
    for kind, key in (("Replicated", "Replicas"), ("ReplicatedJob", "TotalCompletions")):
        if kind in mode:
            return int(mode[kind].get(key) or 0)
    # One that is global has a task on each machine that may have one: as many as Swarm wants.
    return sum(task.wanted for task in tasks)


def deploy(stack: str, document: Mapping[str, Any]) -> None:
    """Make or update the services of a document, and come back without waiting. Raises ContainerProblem."""
    # By standard input: it holds the values of variables. It has digests, so no registry needs to be asked.
    words = ["--detach=true", "--resolve-image=never", "--with-registry-auth", "--compose-file=-"]
    done = process.run(
        ["docker", "stack", "deploy", *words, stack], stdin=json.dumps(document), timeout=_DEPLOY_SECONDS
    )
    if done.code != 0:
        said = done.stderr.strip().splitlines()
        raise ContainerProblem(
            f"Swarm doesn't take {', '.join(list(document['services'])[:5])}.",
            cause=said[-1] if said else "",
            hint="These are its own words; correct that in the Compose file, and deploy again.",
            detail="\n".join(said[:-1]),
        )


def roll_back(stack: str, service: str) -> str:
    """Tell Swarm to put a service back to what it was before its last update; what it says if it can't."""
    done = process.run(["docker", "service", "rollback", "--detach", "--quiet", f"{stack}_{service}"])
    return "" if done.code == 0 else done.stderr.strip()


def remove(stack: str, names: Iterable[str]) -> None:
    """Remove services; those that are gone are no problem."""
    if wanted := [f"{stack}_{name}" for name in names]:
        process.run(["docker", "service", "rm", *wanted])


def remove_stack(stack: str) -> None:
    """Stop and remove all services and networks of a stack. Raises ContainerProblem."""
    done = process.run(["docker", "stack", "rm", "--detach=false", stack], timeout=_DEPLOY_SECONDS)
    # It may fail about a network that is gone already, and be done before one is: what is there counts, for
    # a deploy right after that would take it for its own.
    end = time.monotonic() + _GONE_SECONDS
    own = ("--quiet", "--filter", f"label={STACK_LABEL}={stack}")
    while _lines("service", "ls", *own) or _lines("network", "ls", *own):
        if time.monotonic() > end:
            raise ContainerProblem(f"Not all of {stack} could be removed.", detail=done.stderr.strip())
        time.sleep(_LOOK_SECONDS)


def last_lines(task: str, lines: int) -> str:
    """What a task wrote last; empty where its machine doesn't say."""
    try:
        argv = ["docker", "service", "logs", "--raw", f"--tail={lines}", task]
        done = process.run(argv, timeout=_LOG_SECONDS)
    except ToolTimeout:
        return ""
    return (done.stdout + done.stderr).strip() if done.code == 0 else ""


def logs(stack: str, service: str, *, follow: bool, lines: int, since: str) -> int:
    """Show what a service's tasks write, as Swarm does; returns its exit code."""
    words = ["--follow"] * follow + [f"--tail={lines}"] * bool(lines) + [f"--since={since}"] * bool(since)
    return process.attached(["docker", "service", "logs", *words, f"{stack}_{service}"])


def _inspect(kind: str, ids: Sequence[str]) -> list[dict[str, Any]]:
    if not ids:
        return []
    done = process.run(["docker", "inspect", f"--type={kind}", *ids])
    try:
        found: list[dict[str, Any]] = json.loads(done.stdout or "[]")
    except ValueError:
        return []
    return found


def _lines(*words: str) -> list[str]:
    return process.run(["docker", *words]).stdout.split()

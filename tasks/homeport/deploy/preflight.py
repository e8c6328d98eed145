"""What would go wrong half-way is looked at before anything is touched."""

from __future__ import annotations

import errno
import shutil
import socket
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from homeport.deploy.desired import Desired, Front
from homeport.deploy.plan import Action, DeployPlan, Running
from homeport.deploy.succession import host_ports
from homeport.engine import containers, images, projects
from homeport.engine.containers import Container
from homeport.engine.docker import Engine
from homeport.engine.images import Image
from homeport.errors import EnvironmentProblem
from homeport.model.ports import Published
from homeport.report.words import size

LEAST_DISK = 256 * 1024 * 1024
"""Bytes without which neither containers nor their logs can be relied on."""


def check(
    plan: DeployPlan,
    wanted: Desired,
    running: Mapping[str, Running],
    engine: Engine,
    used: Mapping[tuple[str, str], str],
) -> None:
    """Look at memory, disk, ports, and the image of new fronts, which is pulled if it isn't there; and at
    others' networks and volumes, which ``used`` names by kind and name, with a service.

    Raises EnvironmentProblem; nothing has been touched then.
    """
    if absent := externals(used):
        raise EnvironmentProblem(
            f"Something isn't there: {absent[0]}.",
            cause="What is external is somebody else's: neither Compose nor homeport makes it.",
            hint="Make it ('docker network create', 'docker volume create'), or correct the Compose file.",
            detail="\n".join(absent[1:]),
        )
    memory(plan, running, engine.free_memory)
    here = engine.local and Path(engine.root).is_dir()
    disk(shutil.disk_usage(engine.root).free if here else None)
    front_images(new_fronts(plan, running))
    if new := new_ports(plan, wanted, running):
        ports(new, containers.running(), plan.stack, bound if engine.local else lambda port: False)


def new_fronts(plan: DeployPlan, running: Mapping[str, Running]) -> set[str]:
    """The images of the fronts that would be made."""
    return {
        str(step.front.spec["image"])
        for name, step in plan.steps.items()
        if step.front and step.new_front and not _has_front(running.get(name), step.front)
    }


def _has_front(running: Running | None, front: Front) -> bool:
    return running is not None and any(one.service == front.name for one in running.fronts)


def memory(
    plan: DeployPlan,
    running: Mapping[str, Running],
    free: int,
    used: Callable[[Iterable[str]], Mapping[str, int]] = containers.memory_used,
) -> None:
    """Make sure that there is room for the old and the new replicas side by side; ``free`` is in bytes.

    A new replica is taken to need what the old one uses. Raises EnvironmentProblem.
    """
    steps = [step for step in plan.steps.values() if step.action is Action.START_FIRST and step.before]
    ids = [one.id for step in steps for one in running[step.service].sets.get(step.before, ()) if one.running]
    needed = sum(used(ids).values())
    if needed > free:
        raise EnvironmentProblem(
            f"There is not enough memory for {len(ids)} old and new replicas side by side.",
            cause=f"The old ones use {size(needed)}, and {size(free)} are free.",
            hint="Deploy some of them at a time (--services a,b), or say 'order: stop-first' for large ones.",
        )


def disk(free: int | None) -> None:
    """``free`` is in bytes, None where the engine's disk isn't this machine's. Raises EnvironmentProblem."""
    if free is not None and free < LEAST_DISK:
        raise EnvironmentProblem(
            f"The engine's disk is full: {size(free)} are free.",
            cause="New containers need room for their files and logs.",
            hint="'docker system df' shows what takes it, 'docker builder prune' frees build cache.",
        )


def externals(
    used: Mapping[tuple[str, str], str],
    missing: Callable[[Iterable[tuple[str, str]]], list[tuple[str, str]]] = projects.missing,
) -> tuple[str, ...]:
    """Others' networks and volumes that aren't there, in words."""
    return tuple(
        f"the external {kind} {name} of {used[kind, name]} isn't there" for kind, name in missing(used)
    )


def front_images(
    names: Iterable[str],
    find: Callable[[Iterable[str]], Mapping[str, Image | None]] = images.find,
    pull: Callable[[str], tuple[bool, str]] = images.pull,
) -> None:
    """Make sure that fronts can be made: one that is replaced is gone by then. Raises EnvironmentProblem."""
    for name, image in find(names).items():
        done, said = (True, "") if image else pull(name)
        if not done:
            raise EnvironmentProblem(
                f"The image of the fronts, {name}, is not there and can't be pulled.",
                cause=said,
                hint="Another one: HAPROXY_IMAGE, or 'front-image' under [deploy] in homeport.toml.",
            )


def new_ports(
    plan: DeployPlan, wanted: Desired, running: Mapping[str, Running]
) -> dict[str, list[Published]]:
    """By service the ports of the host that it is to have and doesn't have yet."""
    found = {}
    for name in plan.changes:
        own = wanted.fronts.get(name) or wanted.sets.get(name)
        has = {port for one in running.get(name, Running()).everything for port in one.published}
        new = [port for port in host_ports(own.spec if own else {}) if port not in has]
        if new:
            found[name] = new
    return found


def ports(
    wanted: Mapping[str, Iterable[Published]],
    there: Iterable[Container],
    stack: str,
    bound: Callable[[Published], bool],
) -> None:
    """Make sure that nobody else has these ports: no container of another stack, and no other program.

    Raises EnvironmentProblem.
    """
    everything = list(there)
    problems = []
    for service, own in wanted.items():
        for port in own:
            holders = [one for one in everything if any(port.meets(other) for other in one.published)]
            foreign = [one for one in holders if one.labels.get(containers.PROJECT_LABEL) != stack]
            if foreign:
                problems.append(f"port {port.port} of {service} is taken by the container {foreign[0].name}")
            elif not holders and bound(port):
                problems.append(f"port {port.port} of {service} is taken by another program on this machine")
    if problems:
        raise EnvironmentProblem(
            f"A port is taken: {problems[0]}.",
            hint="Stop what has it, or publish the service under another one.",
            detail="\n".join(problems[1:]),
        )


def bound(port: Published) -> bool:
    """Whether a program on this machine listens on a port. What can't be tried counts as free."""
    kind = socket.SOCK_DGRAM if port.protocol == "udp" else socket.SOCK_STREAM
    family = socket.AF_INET6 if ":" in port.address else socket.AF_INET
    try:
        with socket.socket(family, kind) as trial:
            if sys.platform != "win32" and kind == socket.SOCK_STREAM:
                # Connections that have ended a moment ago take nothing; on Windows this means more.
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((port.address, port.port))
    except OSError as error:
        return error.errno == errno.EADDRINUSE
    return False

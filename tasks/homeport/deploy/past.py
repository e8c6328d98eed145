"""What an old release ran, as something that can be deployed again."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from homeport.deploy.desired import (
    CONFIG_LABEL,
    Desired,
    Front,
    ReplicaSet,
)
from homeport.deploy.facts import DeployFacts
from homeport.deploy.plan import Running
from homeport.deploy.succession import own_name
from homeport.engine.containers import Container
from homeport.errors import UsageError
from homeport.model.release import Deployed, Release, barrier, current
from homeport.model.stack import Service, Stack


def of_release(release: Release, found: DeployFacts, *, force: bool) -> tuple[Stack, Desired]:
    """The stack with the services of that release, and what they should run.

    Services that the Compose file has no more are among them: their containers are kept, and say enough.
    One-shot services aren't: what has run has run, and an older one doesn't take a migration back.
    ``force``: go past releases that are marked as irreversible. Raises UsageError where not everything is
    there.
    """
    check_barrier(found.releases, release, force=force)
    services: dict[str, Service] = dict(found.stack.services)
    sets, fronts = {}, {}
    missing = []
    for name, deployed in release.services.items():
        if deployed.one_shot or (name in services and services[name].one_shot):
            continue
        own = found.running.get(name, Running())
        there = own.sets.get(deployed.replica_set, ())
        if len(there) < deployed.count:
            missing.append(f"{name} ({deployed.replica_set}, image {deployed.image_name or deployed.image})")
            continue
        if not has_front(deployed, own):
            missing.append(f"{name} (its front)")
            continue
        services[name] = _as_it_was(services.get(name) or _gone(name, found, there[0]), deployed, there[0])
        sets[name] = ReplicaSet(
            name, deployed.replica_set, deployed.image, deployed.count, _spec(there[0], deployed.count)
        )
        for one in own.fronts:
            if deployed.front and one.service == deployed.front_name:
                fronts[name] = Front(name, one.service, one.labels.get(CONFIG_LABEL, ""), _spec(one))
    if missing:
        revision = release.revision[:12] + (" (which had changes that were not committed)" * release.dirty)
        raise UsageError(
            f"{release.id} can't run again: the containers of {len(missing)} of its services are gone.",
            cause="They were removed: by 'homeport down' or 'docker container prune', for example.",
            hint=f"Check out {revision}, build and deploy that."
            if revision
            else "No git revision was noted: put the files back as they were, build and deploy them.",
            detail="\n".join(missing),
        )
    return replace(found.stack, services=services), Desired(release.stack, sets, fronts, {})


def check_barrier(releases: Iterable[Release], release: Release, *, force: bool) -> None:
    """Raise UsageError for a release that is older than one that is marked as irreversible."""
    blocked = barrier(releases, release)
    if blocked is not None and not force:
        raise UsageError(
            f"{release.id} is older than {blocked.id}, which is marked as irreversible.",
            cause=f"{blocked.id}: {blocked.message}." if blocked.message else "",
            hint="If you know that the old release can run now, say --force.",
        )


def has_front(deployed: Deployed, running: Running) -> bool:
    """Whether the front that a service had in a release is there, if it had one."""
    names = {one.service for one in running.fronts}
    return not deployed.front or (deployed.front_name in names if deployed.front_name else bool(names))


def _spec(kept: Container, count: int = 1) -> dict[str, object]:
    """A kept container as a Compose service, as far as it takes what only one can have."""
    ports = [
        {"published": str(port.port), "host_ip": port.address, "protocol": port.protocol}
        for port in kept.bindings
    ]
    name = {"container_name": own_name(kept)} if count == 1 else {}
    return {"image": kept.image_name, "ports": ports, **name}


def leaving(release: Release, found: DeployFacts) -> tuple[str, ...]:
    """The services that came since: going back takes them away, also those that no release has yet."""
    now = current(found.releases)
    own = {name for name, one in found.running.items() if (one.sets or one.front) and one.up}
    return tuple(sorted({*own, *(now.services if now else ())} - set(release.services)))


def warnings(release: Release, found: DeployFacts, leaving: Collection[str]) -> tuple[str, ...]:
    """What else runs and stays, and what an old release can't have back."""
    known = {*release.services, *leaving}
    others = [name for name, one in found.running.items() if name not in known and one.up]
    return (
        *(f"{name} isn't part of {release.id}: it stays as it is." for name in sorted(others)),
        *_of_today(release, found),
    )


def _of_today(release: Release, found: DeployFacts) -> tuple[str, ...]:
    """What lies in files isn't kept: a container reads it when it starts."""
    document = found.stack.document
    users = [
        name
        for name, deployed in sorted(release.services.items())
        if (service := found.stack.services.get(name)) is not None
        and name in found.running
        and found.running[name].live != deployed.replica_set
        and any(
            ((document.get(kind) or {}).get(item.get("source")) or {}).get("file")
            for kind in ("secrets", "configs")
            for item in service.spec.get(kind) or ()
        )
    ]
    words = "reads its secrets and configs from the files as they are today, not as they were"
    return (f"{', '.join(users)} {words} in {release.id}.",) if users else ()


def _as_it_was(service: Service, deployed: Deployed, one: Container) -> Service:
    """A service of today's file with as many replicas as the release had, and a front if it had one.

    ``one`` is a container of it.
    """
    kept = {key: value for key, value in service.spec.items() if key != "scale"}
    resources = {key: value for key, value in (kept.get("deploy") or {}).items() if key != "mode"}
    spec = {**kept, "deploy": {**resources, "replicas": deployed.count}}
    return replace(service, spec=spec, fronted=deployed.front, checked=service.checked or bool(one.check))


def _gone(name: str, found: DeployFacts, one: Container) -> Service:
    """A service that the file has no more, by what its front serves and a container of it writes to."""
    ports: tuple[int, ...] = found.routes[name].ports if name in found.routes else ()
    spec: Mapping[str, object] = {
        "expose": [str(port) for port in ports],
        "volumes": [{"type": "volume", "source": volume} for volume in one.written],
    }
    return Service(name, spec)

"""Stacks for Docker Swarm, and what Swarm says of services that were deployed by a document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from homeport.deploy.desired import ReplicaSet
from homeport.deploy.swarm import document
from homeport.deploy.swarm.document import FORM_LABEL
from homeport.engine.swarm import STACK_LABEL, Service, Task
from homeport.model.stack import Stack, parse_stack

IMAGE = "x/api:1@sha256:aa"
SHARED: dict[str, dict[str, Any]] = {"networks": {"default": {"name": "shop_default"}}}

Spec = dict[str, Any]


def stack(**services: Spec) -> Stack:
    """A project called "shop"."""
    return parse_stack(
        {"name": "shop", "services": {name: {"image": "x/api:1", **spec} for name, spec in services.items()}}
    )


def one_set(
    name: str = "api", image: str = IMAGE, shared: Mapping[str, Any] = SHARED, **spec: Any
) -> ReplicaSet:
    """A service as it is wanted."""
    service = stack(**{name: spec}).services[name]
    return document.labelled(name, document.service_document(service, image, {}), "sha256:aa", shared)


def container(one: ReplicaSet) -> dict[str, Any]:
    """What Swarm says of how a service's containers are made: not as the document has it."""
    spec = one.spec
    found: dict[str, Any] = _plain(
        {
            "Image": spec["image"],
            "Env": [f"{name}={value}" for name, value in sorted((spec.get("environment") or {}).items())],
            "Args": spec.get("command"),
            "Command": spec.get("entrypoint"),
            "Labels": {**spec["labels"], STACK_LABEL: "shop"},
            "Healthcheck": {"Test": (spec.get("healthcheck") or {}).get("test"), "Interval": 1},
        }
    )
    return found


def task(one: ReplicaSet, state: str = "running", *, wanted: bool = True, **more: Any) -> Task:
    """A task of this form."""
    values = {"id": f"{one.name}-{state}", "service": one.service, **more}
    return Task(wanted=wanted, state=state, container=container(one), **values)


def running(one: ReplicaSet, *tasks: Task, before: ReplicaSet | None = None, **more: Any) -> Service:
    """A service that Swarm was told to run so, with these tasks; by default as many as it should have."""
    members = tasks or tuple(task(one) for _ in range(one.count))
    labels = {**one.spec["deploy"]["labels"], STACK_LABEL: "shop", "com.docker.stack.image": "x/api:1"}
    containers = (container(one), *((container(before),) if before else ()))
    more = {"job": one.spec["deploy"].get("mode") == "replicated-job", **more}
    values = {"id": one.service, "name": one.service, "image": one.spec["image"], "count": one.count, **more}
    old = {**before.spec["deploy"]["labels"], STACK_LABEL: "shop"} if before else {}
    return Service(
        labels=_plain(labels), containers=containers, tasks=members, old_labels=_plain(old), **values
    )


def foreign(name: str = "api") -> Service:
    """A service that ``docker stack deploy`` made without homeport."""
    made = {"Image": IMAGE, "Labels": {STACK_LABEL: "shop"}}
    return Service(name, name, IMAGE, 1, {STACK_LABEL: "shop"}, containers=(made,), tasks=())


def without_form(one: ReplicaSet) -> dict[str, str]:
    return {key: value for key, value in one.spec["labels"].items() if key != FORM_LABEL}


def _plain(value: Any) -> Any:
    """Swarm has a dollar sign once where the document says it twice."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.replace("$$", "$") if isinstance(value, str) else value

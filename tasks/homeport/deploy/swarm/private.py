"""What a release on Swarm doesn't keep: where the values of variables usually stand. Pure.

A release holds names and digests. For Swarm it also holds the services as they were deployed, but without
their environment, command, entrypoint, labels, health check's command, and options of drivers. Most of these
Swarm has anyway, in the services and tasks that have them, and there a rollback finds them again; the rest
is in the Compose file. Whether all of it is what it was, two digests say: those of the form and the settings.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from homeport.deploy.desired import ReplicaSet
from homeport.deploy.swarm.document import FORM_LABEL, SETTINGS_LABEL, labelled, used
from homeport.engine.swarm import STACK_LABEL, Service

_FIELDS = ("environment", "command", "entrypoint", "labels")
_OPTIONS = "driver_opts"
_SWARMS_OWN = {STACK_LABEL, "com.docker.stack.image"}

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Sources:
    """Where a service's values may be found: what its containers are made of, what labels the service has,
    and what the Compose file says of it today."""

    containers: tuple[Document, ...] = field(default=(), hash=False)
    labels: tuple[Mapping[str, str], ...] = field(default=(), hash=False)
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)


def without(one: ReplicaSet, shared: Mapping[str, Document]) -> dict[str, Any]:
    """A service as a release keeps it, with what it uses of what is ``shared``."""
    spec = {key: value for key, value in copy.deepcopy(dict(one.spec)).items() if key not in _FIELDS}
    spec.get("healthcheck", {}).pop("test", None)
    spec.get("logging", {}).pop("options", None)
    labels = spec["deploy"].pop("labels")
    uses = {
        kind: {name: {key: entry[key] for key in entry if key != _OPTIONS} for name, entry in entries.items()}
        for kind, entries in used(one.spec, shared).items()
    }
    return {"spec": spec, "settings": labels[SETTINGS_LABEL], "uses": uses}


def of_set(one: ReplicaSet) -> Document:
    """What :func:`without` takes away of what makes the containers."""
    found = {key: one.spec[key] for key in _FIELDS if key in one.spec}
    found["labels"] = {key: value for key, value in one.spec["labels"].items() if key != FORM_LABEL}
    return _said({**found, "test": (one.spec.get("healthcheck") or {}).get("test")})


def of_container(container: Document) -> Document:
    """The same of a container as Swarm describes it (``ContainerSpec``)."""
    pairs = (str(item).partition("=") for item in container.get("Env") or ())
    test = (container.get("Healthcheck") or {}).get("Test")
    found = {
        "environment": {name: value for name, mark, value in pairs if mark},
        "command": container.get("Args"),
        "entrypoint": container.get("Command"),
        "labels": _own(container.get("Labels") or {}, FORM_LABEL),
        "test": None if test == ["NONE"] else test,
    }
    return _said({key: _escaped(value) for key, value in found.items()})


def sources(running: Service | None, today: ReplicaSet | None) -> Sources:
    """Everywhere to look, the likeliest first."""
    containers = [] if running is None else [*running.containers, *(one.container for one in running.tasks)]
    found = [of_container(one) for one in containers if one] + ([of_set(today)] if today else [])
    labels = [{}] if running is None else [{}, *(_escaped(_own(one)) for one in running.all_labels)]
    options: Mapping[str, Any] = {}
    if today:
        labels.append(_own(today.spec["deploy"]["labels"]))
        options = (today.spec.get("logging") or {}).get("options") or {}
    return Sources(tuple(found), tuple(labels), options)


def restore(
    service: str, form: str, image: str, kept: Document, uses: Mapping[str, Document], found: Sources
) -> ReplicaSet | None:
    """A service as it was deployed in this form; None if what it had isn't found.

    ``kept`` is what :func:`without` made of it, ``uses`` what :func:`uses_again` makes of that.
    """
    for values, labels, options in product(({}, *found.containers), found.labels, ({}, found.options)):
        spec: dict[str, Any] = copy.deepcopy(dict(kept["spec"]))
        spec.update({key: values[key] for key in _FIELDS if key in values})
        if "test" in values:
            spec["healthcheck"] = {**(spec.get("healthcheck") or {}), "test": values["test"]}
        if options and "logging" in spec:
            spec["logging"]["options"] = options
        if labels:
            spec["deploy"]["labels"] = labels
        made = labelled(service, spec, image, uses)
        if (made.name, made.spec["deploy"]["labels"][SETTINGS_LABEL]) == (form, kept["settings"]):
            return made
    return None


def uses_again(kept: Document, today: Mapping[str, Document]) -> dict[str, dict[str, Any]]:
    """What a kept service uses, with the options of drivers that the Compose file says today."""
    return {
        kind: {
            name: {
                **entry,
                **_only(_OPTIONS, (today.get(kind) or {}).get(name) or {}),
            }
            for name, entry in entries.items()
        }
        for kind, entries in kept["uses"].items()
    }


def _only(key: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: entry[key]} if key in entry else {}


def _own(labels: Mapping[str, str], *more: str) -> dict[str, str]:
    others = {*_SWARMS_OWN, SETTINGS_LABEL, *more}
    return {key: value for key, value in labels.items() if key not in others}


def _said(found: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in found.items() if value}


def _escaped(value: Any) -> Any:
    """As the document has to say it: a dollar sign twice."""
    if isinstance(value, Mapping):
        return {key: _escaped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    return value.replace("$", "$$") if isinstance(value, str) else value

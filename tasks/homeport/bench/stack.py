"""The Compose project that is deployed: the user's own, made into one that disturbs nobody. Pure.

As ``homeport test`` does it (model/isolation.py), but for what a deploy goes by: ``restart``, how updates go,
how a service is drained, and its own health check with its own interval. Ports of this machine are fixed
ones, since callers have to find a service again when another container runs it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from homeport.model import graph
from homeport.model.isolation import LOOPBACK, Source, isolate
from homeport.model.stack import parse_stack

VARIABLE = "HOMEPORT_BENCH"
"""The variable by whose value one release differs from the next."""
_KEPT_OWN = ("ports", "mode", "drain")
_KEPT_DEPLOY = ("update_config", "rollback_config")


@dataclass(frozen=True)
class Trial:
    """What is deployed. ``changed`` are the services that are replaced, ``ending`` those that run to their
    end, ``ports`` by service and port of the container the one of this machine."""

    document: Mapping[str, Any] = field(hash=False)
    changed: tuple[str, ...]
    ending: frozenset[str]
    ports: Mapping[str, Mapping[int, int]] = field(hash=False)
    left_out: Mapping[str, str] = field(hash=False)
    notes: tuple[str, ...] = ()

    @property
    def project(self) -> str:
        return str(self.document["name"])

    @property
    def images(self) -> tuple[str, ...]:
        """What the engine has to have."""
        return tuple(dict.fromkeys(str(spec["image"]) for spec in self.document["services"].values()))

    def release(self, number: int) -> dict[str, Any]:
        """The document of a release: in it nothing but a variable of the changed services is another one."""
        found: dict[str, Any] = copy.deepcopy(dict(self.document))
        for name in self.changed:
            spec = found["services"][name]
            spec["environment"] = {**(spec.get("environment") or {}), VARIABLE: str(number)}
        return found


def make(
    document: Mapping[str, Any],
    project: str,
    labels: Mapping[str, str],
    *,
    services: Collection[str],
    images: Mapping[str, str],
    source: Callable[[str], Source],
    free_port: Callable[[], int],
) -> Trial:
    """The project ``project`` with these services and those that they need, of what Compose resolved.

    ``images`` has by service the one that was built here, for those that are replaced; without any all are.
    """
    specs = document["services"]
    needs = {name: tuple(spec.get("depends_on") or ()) for name, spec in specs.items()}
    chosen = graph.closure({name: tuple(one for one in more if one in specs) for name, more in needs.items()},
                           [name for name in specs if name in services])  # fmt: skip
    own = {name: spec for name, spec in specs.items() if name in chosen}
    found = isolate(
        {**document, "services": own}, project, labels, ports={}, source=source, fast_checks=False
    )
    made: dict[str, Any] = copy.deepcopy(dict(found.document))
    ports: dict[str, dict[int, int]] = {}
    taken: set[int] = set()
    for name, spec in made["services"].items():
        _restore(spec, own[name])
        spec["image"] = images.get(name, spec.get("image"))
        for port in spec.get("ports") or ():
            number = next(one for one in iter(free_port, None) if one not in taken)
            taken.add(number)
            port["published"] = str(number)
            ports.setdefault(name, {})[int(port["target"])] = number
    parsed = parse_stack(document).services
    ending = frozenset(name for name in made["services"] if parsed[name].one_shot)
    running = [name for name in made["services"] if name not in ending and parsed[name].replicas]
    changed = [name for name in running if name in services and name in images] or [
        name for name in running if name in services
    ]
    return Trial(made, tuple(changed), ending, ports, found.left_out, found.notes)


def _restore(spec: dict[str, Any], was: Mapping[str, Any]) -> None:
    spec.pop("restart", None)
    if was.get("restart"):
        spec["restart"] = was["restart"]
    own = {key: value for key, value in (was.get("x-homeport") or {}).items() if key in _KEPT_OWN}
    if own:
        spec["x-homeport"] = own
    how = {key: value for key, value in (was.get("deploy") or {}).items() if key in _KEPT_DEPLOY}
    if how:
        spec["deploy"] = {**(spec.get("deploy") or {}), **how}
    protocols = {int(one["target"]): one.get("app_protocol") for one in was.get("ports") or ()}
    for port in spec.get("ports") or ():
        if protocol := protocols.get(int(port["target"])):
            port["app_protocol"] = protocol


def addresses(trial: Trial, paths: Mapping[tuple[str, int], str]) -> dict[str, str]:
    """By URL the service, for each published port; ``paths`` are those to ask for, by service and port."""
    return {
        f"http://{LOOPBACK}:{number}{paths.get((name, port), '/')}": name
        for name, own in trial.ports.items()
        for port, number in own.items()
    }

"""From a project and a policy to what each service would get. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Any

from homeport.errors import DefinitionError, did_you_mean
from homeport.model.compose_edit import CannotEdit, Keys, insert, insertions
from homeport.model.project import Layer, Service, interpolated
from homeport.model.tiers import LABEL, Known, Policy, Tier, bytes_of, choose, cores_of
from homeport.model.yaml_tree import Tagged, entry
from homeport.resources.host import Host
from homeport.sources.compose import ComposeFiles

_RESOURCES = ("deploy", "resources")
CPUS = (*_RESOURCES, "limits", "cpus")
MEMORY = (*_RESOURCES, "limits", "memory")
PIDS = (*_RESOURCES, "limits", "pids")
RESERVED_CPUS = (*_RESOURCES, "reservations", "cpus")
RESERVED_MEMORY = (*_RESOURCES, "reservations", "memory")
FIELDS = (CPUS, MEMORY, PIDS, RESERVED_CPUS, RESERVED_MEMORY)

SHORT = {CPUS: "cpus", MEMORY: "mem_limit", PIDS: "pids_limit", RESERVED_MEMORY: "mem_reservation"}
"""The same in Compose's old words. As soon as there are ``limits`` at all, Compose wants the same value there
(compose-go, loader/validate.go: "can't set distinct values on ...")."""

_OTHER_CPU_LIMITS = ("cpu_quota", "cpu_period", "cpu_count", "cpu_percent", "cpu_rt_runtime")
"""The engine refuses these together with cores (moby: "Conflicting options: Nano CPUs and CPU Quota")."""

Adds = Mapping[Keys, str]
"""New limits by their path below the service: ``("deploy", "resources", "limits", "cpus")``, for example."""


class State(str, Enum):
    """What the plan says of a service."""

    CHANGE = "change"
    COMPLETE = "complete"
    UNKNOWN = "unknown"
    REFUSED = "refused"
    LATER = "later"
    """It would change, but ``--limit`` or ``--services`` leaves it out."""


_ODD_NUMBER = re.compile(r"[+-]?0[0-9a-zA-Z]")
"""Octal and the like, which YAML reads as numbers and Docker's sizes don't."""


@dataclass(frozen=True)
class Step:
    """A service in the plan: its tier and why, what it has (``now``) and gets (``adds``), and where.

    ``note`` says why it doesn't change, or what is special about it.
    """

    service: str
    tier: str
    why: str
    state: State
    now: Adds = field(hash=False)
    adds: Adds = field(default_factory=dict, hash=False)
    path: Path = Path()
    document: int = 0
    note: str = ""
    profiles: tuple[str, ...] = ()
    replicas: int = 1

    @property
    def then(self) -> Adds:
        """What it has when the plan is carried out."""
        return {**self.now, **(self.adds if self.state is State.CHANGE else {})}


@dataclass(frozen=True)
class ResourcePlan:
    """What would become of each service, and of each file's text."""

    steps: tuple[Step, ...]
    texts: Mapping[Path, str] = field(hash=False)
    warnings: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[Step, ...]:
        """The services that lack something, whether or not it would be added now."""
        return tuple(step for step in self.steps if step.state is not State.COMPLETE)


def make(
    facts: ComposeFiles, policy: Policy, *, limit: int = 0, services: Collection[str] = ()
) -> ResourcePlan:
    """The plan for all services; of ``services`` (none: all) only the first ``limit`` (0: all) change.

    Raises DefinitionError for a name that no service has, UsageError for a label that names no tier.
    """
    project = facts.project
    for name in services:
        if name not in project.services:
            raise DefinitionError(
                f"There is no service '{name}'.",
                cause=did_you_mean(name, project.services),
                hint=f"Services: {', '.join(project.services)}.",
            )
    steps = [_step(facts, policy, service) for service in project.services.values()]
    steps = [_postponed(step, services) for step in steps]
    left, found = limit or len(steps), []
    for step in steps:
        checked = _possible(facts, step)
        if checked.state is State.CHANGE:
            checked = checked if left > 0 else replace(checked, state=State.LATER, note="left for later")
            left -= 1
        found.append(checked)
    steps = _without_accidents(facts, found)
    return ResourcePlan(tuple(steps), _texts(facts, steps), project.warnings)


def _step(facts: ComposeFiles, policy: Policy, service: Service) -> Step:
    spec = service.spec
    choice = choose(policy, known(service, facts.environment))
    now = existing(spec)
    step = Step(
        service.name,
        choice.tier,
        choice.why,
        State.UNKNOWN,
        now,
        profiles=tuple(map(str, spec.get("profiles") or ())),
        replicas=_replicas(spec),
    )
    if not choice.tier:
        complete = CPUS in now and RESERVED_CPUS in now
        return replace(step, state=State.COMPLETE if complete else State.UNKNOWN)
    adds, note = _additions(policy.tiers[choice.tier], spec, now, facts.environment)
    if not adds:
        return replace(step, state=State.REFUSED if note else State.COMPLETE, note=note)
    layer = _place(service)
    if problem := _in_two_places(facts, service, layer, adds):
        return replace(step, state=State.REFUSED, note=problem)
    return replace(step, state=State.CHANGE, adds=adds, note=note, path=layer.path, document=layer.document)


def _postponed(step: Step, services: Collection[str]) -> Step:
    if step.state is State.CHANGE and services and step.service not in services:
        return replace(step, state=State.LATER, note="not in --services")
    return step


def known(service: Service, environment: Mapping[str, str]) -> Known:
    """What the rules look at, variables filled in."""
    spec = service.spec
    texts = [*_ports(spec.get("ports")), *map(str, spec.get("expose") or ())]
    ports = [port for text in texts if (port := _port(interpolated(text, environment))) is not None]
    label = interpolated(str(_labels(spec.get("labels")).get(LABEL) or ""), environment)
    return Known(service.name, interpolated(str(spec.get("image") or ""), environment), tuple(ports), label)


def existing(spec: Mapping[str, Any]) -> Adds:
    """The limits that a service has, under the paths of ``deploy.resources`` whichever way it says them."""
    found: dict[Keys, str] = {}
    for path in FIELDS:
        value = _at(spec, path)
        if value is None and path in SHORT:
            value = spec.get(SHORT[path])
        if value is not None and not isinstance(value, dict | list):
            found[path] = str(value)
    other = [key for key in _OTHER_CPU_LIMITS if spec.get(key) is not None]
    if CPUS not in found and other:
        found[CPUS] = f"{other[0]} {spec[other[0]]}"
    return found


def _in_two_places(facts: ComposeFiles, service: Service, chosen: Layer, adds: Adds) -> str:
    """Why an old word can't be repeated: what holds for all files together needn't hold for one alone."""
    for path, word in SHORT.items():
        said = service.spec.get(word)
        if path not in adds or said is None or _at(service.spec, path) is not None:
            continue
        if _ODD_NUMBER.match(str(said)):
            return f"its '{word}' is {said}: written so, Compose takes it for another number in 'deploy'"
        users = [layer for layer in service.layers if isinstance(layer.spec, dict) and word in layer.spec]
        for layer in users:
            if layer is not chosen:
                return f"its '{word}' stands in {facts.shown(layer.path)}, and the lines would go elsewhere"
    return ""


def _additions(
    tier: Tier, spec: Mapping[str, Any], now: Adds, environment: Mapping[str, str]
) -> tuple[Adds, str]:
    """What a tier adds to a service, and a note; nothing but a note where both together can't be."""
    wanted: dict[Keys, str] = {
        CPUS: str(tier.cpus) if tier.cpus else "",
        MEMORY: tier.memory,
        PIDS: str(tier.pids) if tier.pids else "",
        RESERVED_CPUS: str(tier.reserved_cpus) if tier.reserved_cpus else "",
        RESERVED_MEMORY: tier.reserved_memory,
    }
    adds = {path: value for path, value in wanted.items() if value and path not in now}
    notes = []
    for limit, reserved, size in ((CPUS, RESERVED_CPUS, cores_of), (MEMORY, RESERVED_MEMORY, bytes_of)):
        then: dict[Keys, str] = {
            path: interpolated(text, environment) for path, text in {**now, **adds}.items()
        }
        # The engine refuses a reservation of memory over the limit; that of cores Compose only reads.
        if limit is MEMORY and "$" in then.get(limit, "") and reserved in adds:
            del adds[reserved]
            notes.append(f"nothing is reserved: its limit is {now[limit]}, whose value isn't known here")
            continue
        if limit is MEMORY and "$" in then.get(reserved, "") and limit in adds:
            return {}, f"it reserves {now[reserved]} already, whose value isn't known here"
        most, least = size(then.get(limit, "")), size(then.get(reserved, ""))
        if not most or not least or least <= most:
            continue
        if reserved in adds:
            adds[reserved] = then[limit]
            notes.append(f"its reservation is its limit of {then[limit]}, not the tier's {then[reserved]}")
        elif limit in adds:
            return {}, f"it reserves {then[reserved]} already, more than the tier's limit of {then[limit]}"
    repeated = []
    for path, word in SHORT.items():
        # What stands in the old words must stand in the new ones too, as soon as these are there.
        section = path[:-1]
        if spec.get(word) is None or _at(spec, path) is not None:
            continue
        if any(other[:-1] == section for other in adds):
            adds[path] = str(spec[word])
            repeated.append(word)
    if repeated:
        notes.append(f"repeats {', '.join(repeated)}: Compose wants it in both places")
    if tier.log_size and spec.get("logging") is None:
        adds["logging", "driver"] = "json-file"
        adds["logging", "options", "max-size"] = tier.log_size
        if tier.log_files:
            adds["logging", "options", "max-file"] = str(tier.log_files)
    order = [*FIELDS, *(path for path in adds if path not in FIELDS)]
    return {path: adds[path] for path in order if path in adds}, "; ".join(notes)


def _place(service: Service) -> Layer:
    """The layer whose text gets the lines: where resources stand, else ``deploy``, else the first."""
    for keys in (("deploy", "resources"), ("deploy",)):
        for layer in service.layers:
            node: Any = layer.node
            for key in keys:
                found = entry(node, key) if node is not None else None
                node = found[1] if found else None
            if node is not None:
                return layer
    return service.layers[0]


def _possible(facts: ComposeFiles, step: Step) -> Step:
    """The step, refused if its lines can't be put in."""
    if step.state is not State.CHANGE:
        return step
    document = facts.project.documents[step.path]
    try:
        # Where the lines would really go: a link may lead out.
        real = step.path.resolve()
        if not any(real.is_relative_to(folder.resolve()) for folder in facts.inside):
            raise CannotEdit(f"{step.path} lies outside of this repository")
        _not_tagged(facts, facts.project.services[step.service], step.adds)
        insertions(document, step.document, step.service, step.adds)
    except CannotEdit as error:
        return replace(step, state=State.REFUSED, note=str(error))
    return step


def _not_tagged(facts: ComposeFiles, service: Service, adds: Adds) -> None:
    """Raise CannotEdit where a file throws away what others say on the way to a new field."""
    for layer in service.layers:
        for path in adds:
            value = layer.spec
            for key in ("", *path):
                value = value.get(key) if key and isinstance(value, dict) else value
                if isinstance(value, Tagged):
                    where = f"its '{key}'" if key else "it"
                    raise CannotEdit(f"{where} has the tag {value.tag} in {facts.shown(layer.path)}")


def _without_accidents(facts: ComposeFiles, steps: list[Step]) -> list[Step]:
    """Refuse what would change another service, one that extends it and has not the same fields itself."""
    while True:
        by_name = {step.service: step for step in steps}
        refused = {}
        for step in (step for step in steps if step.state is State.CHANGE):
            for user in sorted(facts.project.users.get((step.path, step.service), ())):
                other = by_name.get(user)
                if user != step.service and (other is None or not _covered(facts, step.adds, other)):
                    refused[step.service] = f"'{user}' extends it, and would change with it"
        if not refused:
            return steps
        steps = [
            replace(step, state=State.REFUSED, note=refused[step.service])
            if step.service in refused
            else step
            for step in steps
        ]


def _covered(facts: ComposeFiles, adds: Adds, other: Step) -> bool:
    spec = facts.project.services[other.service].spec
    own = other.adds if other.state is State.CHANGE else {}
    return all(path in own or _at(spec, path) is not None for path in adds)


def _texts(facts: ComposeFiles, steps: list[Step]) -> dict[Path, str]:
    found: dict[Path, list[Any]] = {}
    for step in (step for step in steps if step.state is State.CHANGE):
        document = facts.project.documents[step.path]
        found.setdefault(step.path, []).extend(insertions(document, step.document, step.service, step.adds))
    return {path: insert(facts.project.documents[path].text, ones) for path, ones in found.items()}


@dataclass(frozen=True)
class Sum:
    """What all services of a profile reserve together, those without a profile with them."""

    profile: str
    cores: float
    memory: int
    services: int
    too_much: tuple[str, ...] = ()


def sums(plan: ResourcePlan, host: Host | None) -> tuple[Sum, ...]:
    """By profile what would be reserved; ``too_much`` says what the host hasn't got."""
    profiles = ["", *sorted({name for step in plan.steps for name in step.profiles})]
    found = []
    for profile in profiles:
        steps = [step for step in plan.steps if not step.profiles or profile in step.profiles]
        cores = sum((cores_of(step.then.get(RESERVED_CPUS, "")) or 0.0) * step.replicas for step in steps)
        memory = sum((bytes_of(step.then.get(RESERVED_MEMORY, "")) or 0) * step.replicas for step in steps)
        over = []
        if host and host.cores and cores > host.cores:
            over.append("cores")
        if host and host.memory and memory > host.memory:
            over.append("memory")
        found.append(Sum(profile, cores, memory, len(steps), tuple(over)))
    return tuple(found)


def too_big(plan: ResourcePlan, host: Host | None) -> tuple[str, ...]:
    """The services whose limit of cores is more than the host has: the engine would not start them."""
    if not host or not host.cores:
        return ()
    return tuple(
        step.service for step in plan.steps if (cores_of(step.then.get(CPUS, "")) or 0.0) > host.cores
    )


def _at(spec: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        spec = spec.get(key) if isinstance(spec, dict) else None
    return spec


def _labels(value: Any) -> Mapping[str, Any]:
    if isinstance(value, list):
        return dict(str(item).partition("=")[::2] for item in value)
    return value if isinstance(value, dict) else {}


def _ports(value: Any) -> list[str]:
    items = value if isinstance(value, list) else []
    return [str(item.get("target") if isinstance(item, dict) else item) for item in items]


def _port(text: str) -> int | None:
    """The container's port in ``127.0.0.1:8080:80/tcp``; the first of a range."""
    number = text.partition("/")[0].rpartition(":")[2].partition("-")[0]
    return int(number) if number.isascii() and number.isdigit() else None


def _replicas(spec: Mapping[str, Any]) -> int:
    for value in (_at(spec, ("deploy", "replicas")), spec.get("scale")):
        if value is not None and str(value).isdigit():
            return int(value)
    return 1

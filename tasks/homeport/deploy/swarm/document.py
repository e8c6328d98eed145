"""A Compose service as ``docker stack deploy`` takes it. Pure.

Compose resolves the file; Swarm reads an older form of it, and does less. What is written differently there
is rewritten, what can be left out is left out with a warning, and what would be dangerous to leave out is an
error. Fields: docker/cli, cli/compose/schema/data/config_schema_v3.13.json; types.go there lists what is
ignored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from homeport.deploy.desired import ReplicaSet, short
from homeport.engine.images import Image
from homeport.errors import DefinitionError
from homeport.model.reference import normalized, repository
from homeport.model.stack import ROLLBACK, START_FIRST, STOP_FIRST, Service

FORM_LABEL = "io.homeport.form"
"""Of a container: which form of its service it is. Another form is another container."""
SETTINGS_LABEL = "io.homeport.settings"
"""Of a service: everything that decides how it runs, what changes no container among it."""
VERSION = "3.13"
JOB = "replicated-job"
"""The mode of a service that runs to its end."""

_AS_IT_IS = (
    "cap_add", "cap_drop", "command", "credential_spec", "dns", "dns_search", "domainname", "entrypoint",
    "environment", "healthcheck", "hostname", "init", "isolation", "labels", "logging", "read_only",
    "stdin_open", "stop_grace_period", "stop_signal", "sysctls", "tmpfs", "tty", "ulimits", "user",
    "working_dir",
)  # fmt: skip
_REWRITTEN = (
    "configs", "cpus", "deploy", "extra_hosts", "image", "mem_limit", "mem_reservation", "networks",
    "pids_limit", "ports", "restart", "scale", "secrets", "volumes",
)  # fmt: skip
_NEEDLESS = ("annotations", "attach", "build", "develop", "expose", "profiles", "pull_policy", "x-homeport")
"""Nothing is missing without them."""
_SAID_OTHERWISE = ("container_name", "depends_on")
"""Have a warning of their own."""
_DANGEROUS = (
    "device_cgroup_rules", "devices", "external_links", "gpus", "ipc", "network_mode", "pid", "privileged",
    "runtime", "userns_mode", "uts", "volumes_from",
)  # fmt: skip
"""A service that says one of them can't do its work without it, or does it where it shouldn't."""
_NETWORK = ("name", "external", "driver_opts", "attachable", "internal", "labels", "ipam")
_VOLUME = ("name", "external", "driver", "driver_opts", "labels")
_EVERY_ADDRESS = {"", "0.0.0.0", "::"}  # noqa: S104 - what the file says
_NO_CONTAINER = ("replicas", "mode", "update_config", "rollback_config", "endpoint_mode", "labels")
"""What ``deploy`` says without changing a container."""


def order(service: Service) -> tuple[str, str]:
    """How it is updated (``start-first`` or ``stop-first``), and why: ``Service.order``, without fronts."""
    said = str(((service.spec.get("deploy") or {}).get("update_config") or {}).get("order") or "")
    if said == STOP_FIRST:
        return STOP_FIRST, "the file says so"
    if any(str(item.get("mode") or "") == "host" for item in service.spec.get("ports") or ()):
        return STOP_FIRST, "it has a port of the host that only one can have"
    if said == START_FIRST:
        return START_FIRST, "the file says so"
    if service.written:
        return STOP_FIRST, f"it may write to {service.written[0]}, and two of it might harm that"
    if not service.ports and not service.has_udp:
        return STOP_FIRST, "it serves no port: two of it would do the same work twice"
    return START_FIRST, "it keeps nothing of its own"


def check(service: Service, nodes: int) -> None:
    """Raise DefinitionError for what Swarm can't do and a service can't go without; on so many machines."""
    spec, problem, hint = service.spec, "", ""
    ports, volumes = spec.get("ports") or (), spec.get("volumes") or ()
    if said := next((key for key in _DANGEROUS if spec.get(key)), ""):
        problem, hint = (
            f"says '{said}', which Swarm doesn't know",
            "Run it with Compose, as a project of its own.",
        )
    elif any(service.hook(when) for when in ("before", "after")):
        problem = "has commands under x-homeport, which aren't run on Swarm"
        hint = "Make them one-shot services, for whose end others wait (service_completed_successfully)."
    elif any(str(item.get("host_ip") or "") not in _EVERY_ADDRESS for item in ports):
        problem = "publishes a port on one address, and Swarm would on every address of every machine"
        hint = "Leave the port out, or the address if everybody may reach it."
    elif not all(str(item.get("published") or "0").isdecimal() for item in ports):
        problem, hint = "publishes a port under one of a range, which Swarm doesn't know", "Name one port."
    elif any((item.get("volume") or {}).get("subpath") for item in volumes):
        problem = "mounts a folder of a volume, and Swarm would mount all of it"
        hint = "Mount the whole volume, or one of its own."
    elif nodes > 1 and service.written and not _placed(service):
        problem = f"may write to {service.written[0]}, of which each of the {nodes} machines has its own"
        hint = "Say where it is: deploy.placement.constraints: ['node.hostname == NAME']."
    if problem:
        raise DefinitionError(
            f"Service '{service.name}' can't run on Swarm as it is.", cause=f"It {problem}.", hint=hint
        )


def _placed(service: Service) -> bool:
    return bool(((service.spec.get("deploy") or {}).get("placement") or {}).get("constraints"))


def warnings(services: Iterable[Service], images: Mapping[str, str], nodes: int) -> tuple[str, ...]:
    """What is left out, a line for each kind; ``images`` are the references that services run by."""
    wanted = list(services)
    known = {*_AS_IT_IS, *_REWRITTEN, *_NEEDLESS, *_DANGEROUS, *_SAID_OTHERWISE}
    users: dict[str, list[str]] = {}
    for service in wanted:
        for key in sorted(key for key in service.spec if key not in known and service.spec[key]):
            users.setdefault(key, []).append(service.name)
    found = [
        f"{key} of {', '.join(names)} is left out: Swarm doesn't know it." for key, names in users.items()
    ]
    if named := [one.name for one in wanted if one.container_name]:
        found.append(f"container_name of {', '.join(named)} is left out: Swarm names containers itself.")
    if [one for one in wanted if one.needs]:
        found.append("depends_on counts while this deploys; what Swarm starts again later waits for nobody.")
    local = [one.name for one in wanted if "@" not in images.get(one.name, "@")]
    if local and nodes > 1:
        found.append(
            f"The images of {', '.join(local)} have no digest of a registry: only this machine has them."
        )
    return tuple(found)


def reference(name: str, image: Image) -> str:
    """By what Swarm finds an image: its name with the registry's digest, else what it is named."""
    wanted = repository(normalized(name))
    own = sorted(item for item in image.digests if repository(normalized(item)) == wanted)
    return f"{name.partition('@')[0]}@{own[0].partition('@')[2]}" if own else name


def service_document(service: Service, image: str, kept: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    """A service as it stands in the document, but for homeport's own labels.

    ``image`` is its reference, ``kept`` are Swarm's names of secrets and configs, by kind and file's name.
    """
    spec: dict[str, Any] = {key: service.spec[key] for key in _AS_IT_IS if _says(service.spec.get(key))}
    check = spec.get("healthcheck") or {}
    if check.get("disable") or check.get("test") in ("NONE", ["NONE"]):
        spec["healthcheck"] = {"disable": True}
    for key in ("environment", "labels"):
        if key in spec:
            spec[key] = {name: str(value) for name, value in spec[key].items() if value is not None}
    made = {
        "image": image,
        "extra_hosts": [str(item).replace("=", ":", 1) for item in service.spec.get("extra_hosts") or ()],
        "ports": [_port(item) for item in service.spec.get("ports") or ()],
        "volumes": [_mount(item) for item in service.spec.get("volumes") or ()],
        "networks": {
            name: {"aliases": entry["aliases"]} if entry and entry.get("aliases") else {}
            for name, entry in (service.spec.get("networks") or {"default": None}).items()
        },
        "deploy": _deploy(service),
        "secrets": [_file("secrets", item, kept) for item in service.spec.get("secrets") or ()],
        "configs": [_file("configs", item, kept) for item in service.spec.get("configs") or ()],
    }
    return {**spec, **{key: value for key, value in made.items() if _says(value)}}


def _says(value: object) -> bool:
    return value is not None and value not in ({}, [], "")


def _port(item: Mapping[str, Any]) -> dict[str, Any]:
    port = {"target": int(item["target"]), "protocol": str(item.get("protocol") or "tcp")}
    published = {"published": int(item["published"])} if item.get("published") else {}
    return {**port, **published, "mode": str(item.get("mode") or "ingress")}


def _mount(item: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: item[key] for key in ("type", "source", "target", "read_only") if _says(item.get(key))}
    for kind, known in (("bind", "propagation"), ("volume", "nocopy"), ("tmpfs", "size")):
        if _says((item.get(kind) or {}).get(known)):
            kept[kind] = {known: item[kind][known]}
    return kept


def _file(kind: str, item: Mapping[str, Any], names: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    """By Swarm's own name: two forms of a service can have other contents under one name of the file."""
    source = str(item["source"])
    found = {key: item[key] for key in ("target", "uid", "gid", "mode") if _says(item.get(key))}
    found.setdefault("target", source if kind == "secrets" else f"/{source}")
    if isinstance(found.get("mode"), str):
        found["mode"] = int(found["mode"], 8)
    return {"source": names[kind, source], **found}


def _deploy(service: Service) -> dict[str, Any]:
    said = {key: value for key, value in (service.spec.get("deploy") or {}).items() if _says(value)}
    how, _ = order(service)
    if str(said.get("mode") or "replicated") == "replicated":
        said["replicas"] = service.replicas
    if service.one_shot:
        said = {
            key: said[key] for key in said if key not in {"update_config", "rollback_config", "endpoint_mode"}
        }
        said |= {"mode": JOB, "replicas": service.replicas, "restart_policy": {"condition": "none"}}
        return _with_limits(service, said)
    said["update_config"] = {"failure_action": ROLLBACK, **(said.get("update_config") or {}), "order": how}
    said["rollback_config"] = {"order": how, **(said.get("rollback_config") or {})}
    said.setdefault("restart_policy", _restart(str(service.spec.get("restart") or "always")))
    return _with_limits(service, said)


def _with_limits(service: Service, said: dict[str, Any]) -> dict[str, Any]:
    limits = {"cpus": "cpus", "mem_limit": "memory", "pids_limit": "pids"}
    resources = {
        "limits": {name: service.spec[key] for key, name in limits.items() if _says(service.spec.get(key))},
        "reservations": {"memory": service.spec["mem_reservation"]}
        if _says(service.spec.get("mem_reservation"))
        else {},
    }
    for kind, own in resources.items():
        found = {**own, **((said.get("resources") or {}).get(kind) or {})}
        if "cpus" in found:
            found["cpus"] = str(found["cpus"])
        if found:
            said["resources"] = {**(said.get("resources") or {}), kind: found}
    return said


def _restart(said: str) -> dict[str, Any]:
    kind, _, most = said.partition(":")
    if kind == "on-failure":
        return {"condition": "on-failure", **({"max_attempts": int(most)} if most else {})}
    return {"condition": "none" if kind == "no" else "any"}


def labelled(service: str, spec: Mapping[str, Any], image: str, shared: Mapping[str, Any]) -> ReplicaSet:
    """A service of the document with homeport's labels: its form, and all that decides how it runs.

    ``image`` is the id or reference that it is known by in a release, ``shared`` what else the document says
    of networks, volumes, secrets and configs.
    """
    deploy = spec.get("deploy") or {}
    uses = used(spec, shared)
    made = {key: value for key, value in spec.items() if key not in {"ports", "deploy"}}
    form = f"r{short([made, {key: deploy[key] for key in deploy if key not in _NO_CONTAINER}, uses])}"
    labels = {**(spec.get("labels") or {}), FORM_LABEL: form}
    settings = {**(deploy.get("labels") or {}), SETTINGS_LABEL: short([spec, uses])}
    count = int(deploy.get("replicas", 0))  # none for one that is global: as many as there are machines
    full = {**spec, "labels": labels, "deploy": {**deploy, "labels": settings}}
    return ReplicaSet(service, form, image, count, full)


def shared_document(
    stack: str, document: Mapping[str, Any], kept: Mapping[tuple[str, str], str]
) -> dict[str, dict[str, Any]]:
    """Networks, volumes, secrets and configs of a Compose project as Swarm has them; ``kept`` as above."""
    found: dict[str, dict[str, Any]] = {"networks": {}, "volumes": {}, "secrets": {}, "configs": {}}
    networks = {"default": {}, **(document.get("networks") or {})}
    for name, entry in networks.items():
        own = {"name": f"{stack}_{name}", **(entry or {})}
        found["networks"][name] = {key: own[key] for key in _NETWORK if _says(own.get(key))}
        if own.get("driver") not in {None, "", "bridge"}:
            found["networks"][name]["driver"] = own["driver"]
    for name, entry in (document.get("volumes") or {}).items():
        own = {"name": f"{stack}_{name}", **(entry or {})}
        found["volumes"][name] = {key: own[key] for key in _VOLUME if _says(own.get(key))}
    for (kind, _), own_name in kept.items():
        found[kind][own_name] = {"external": True}
    return found


def whole(sets: Iterable[ReplicaSet], shared: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The document of some services, with what they use and nothing else."""
    services = {one.service: dict(one.spec) for one in sets}
    uses: dict[str, dict[str, Any]] = {}
    for spec in services.values():
        for kind, entries in used(spec, shared).items():
            uses.setdefault(kind, {}).update(entries)
    return {"version": VERSION, "services": services, **uses}


def used(spec: Mapping[str, Any], shared: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """What a service of the document uses of what services share."""
    names = {
        "networks": list(spec.get("networks") or ()),
        "volumes": [item.get("source") for item in spec.get("volumes") or () if item.get("type") == "volume"],
        **{kind: [item["source"] for item in spec.get(kind) or ()] for kind in ("secrets", "configs")},
    }
    found = {
        kind: {name: shared[kind][name] for name in own if name in (shared.get(kind) or {})}
        for kind, own in names.items()
    }
    return {kind: own for kind, own in found.items() if own}

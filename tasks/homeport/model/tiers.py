"""Tiers: what a kind of service may use, and the rules that say which kind a service is. Pure.

A tier's limits become ``deploy.resources`` of a Compose service. Who honours them:

- Compose: ``limits`` (cores, memory, pids) and ``reservations.memory``; a reservation of cores it skips
  (docker/compose, pkg/compose/create.go, ``setReservations``: "Cpu reservation is a swarm option").
- Swarm: all of them; reservations decide on which node a task may run (docs.docker.com, "How services work").
- The engine refuses to start a container with more cores than the host has (moby, daemon/daemon_unix.go).
"""

from __future__ import annotations

import dataclasses
import fnmatch
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from homeport.errors import UsageError, did_you_mean

LABEL = "io.homeport.tier"
"""The label of a Compose service that names its tier."""

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:([kmgt])(?:i?b)?|b)?", re.IGNORECASE)
_FACTORS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}
_RANGE = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")


@dataclass(frozen=True)
class Tier:
    """What a service of one kind may use, and by what it is known. Empty and 0 mean: nothing said."""

    cpus: float = 0.0
    """Cores at most."""
    reserved_cpus: float = 0.0
    """Cores kept for it (Swarm; Compose reads it only)."""
    memory: str = ""
    """Memory at most, such as ``512M``; the engine kills what takes more."""
    reserved_memory: str = ""
    """Memory kept for it."""
    pids: int = 0
    """Processes and threads at most."""
    log_size: str = ""
    """Log rotation: the size of one file, such as ``10m``."""
    log_files: int = 0
    """Log rotation: how many files are kept."""
    names: tuple[str, ...] = ()
    """Words in the service's name; with a ``*`` the whole name as a pattern."""
    images: tuple[str, ...] = ()
    """Names of images without registry, folder and tag; ``*`` stands for anything."""
    ports: tuple[str, ...] = ()
    """Ports of the container, each a number or a range such as ``8000-8999``."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


DEFAULT_TIERS: Mapping[str, Tier] = {
    "lightweight": Tier(
        cpus=0.5,
        reserved_cpus=0.25,
        names=_words("ui frontend exporter proxy mock simulator linter collector aggregator cron mailhog"),
        images=_words(
            "nginx caddy haproxy traefik httpd whoami busybox alpine alertmanager mailhog mailpit adminer "
            "eclipse-mosquitto watchtower cloudflared memcached *-exporter *_exporter"
        ),
    ),
    "heavy-ai": Tier(
        cpus=2.0,
        reserved_cpus=1.5,
        names=_words("openvino ollama vllm whisper llm triton inference"),
        images=_words("ollama vllm-openai tritonserver text-generation-inference localai whisper* openvino*"),
    ),
    "ai": Tier(
        cpus=2.0,
        reserved_cpus=1.0,
        names=_words("ai ml ner nlp rag embedding embeddings forecasting training"),
        images=_words("jupyter* tensorflow* pytorch* mlflow text-embeddings-inference"),
    ),
    "websocket": Tier(
        cpus=1.0,
        reserved_cpus=0.5,
        names=_words("websocket websockets ws socketio realtime"),
        images=_words("centrifugo soketi"),
    ),
    "database": Tier(
        cpus=1.0,
        reserved_cpus=0.5,
        names=_words("db database postgres postgresql mysql mariadb mongo mongodb redis influxdb"),
        images=_words(
            "postgres postgis pgvector timescaledb* mysql* mariadb* mongo mongodb* redis* valkey* influxdb* "
            "elasticsearch opensearch clickhouse* cassandra neo4j qdrant weaviate milvus couchdb cockroach "
            "prometheus rabbitmq kafka"
        ),
        ports=_words("1433 3306 5432 5984 6379 7687 8086 9042 9200 27017"),
    ),
    "api": Tier(
        cpus=1.0,
        reserved_cpus=0.5,
        names=_words("api backend gateway server service app web"),
        images=_words("grafana jaeger keycloak"),
        ports=_words("80 443 3000 5000 8000-8999"),
    ),
}
"""The documented default, in the order in which rules are tried: the telling ones first."""


@dataclass(frozen=True)
class Known:
    """What the rules look at: a service's name, its image's, its container ports, and its label's tier."""

    name: str
    image: str = ""
    ports: tuple[int, ...] = ()
    label: str = ""


@dataclass(frozen=True)
class Choice:
    """The tier of a service and why; no tier where no rule knows it."""

    tier: str = ""
    why: str = "no rule knows it"


@dataclass(frozen=True)
class Policy:
    """All tiers, in the order in which their rules are tried, and the services whose tier is configured."""

    tiers: Mapping[str, Tier] = dataclasses.field(default_factory=lambda: DEFAULT_TIERS)
    services: Mapping[str, str] = dataclasses.field(default_factory=dict)


def make_policy(tiers: Mapping[str, Tier], services: Mapping[str, str]) -> Policy:
    """The defaults with what is configured over them; configured tiers that are new are tried first.

    A part that a configured tier leaves out stays as the default has it. Raises UsageError for what can't be:
    a reservation over its limit, a size or port that is none, a service in a tier that doesn't exist.
    """
    new = {name: tier for name, tier in tiers.items() if name not in DEFAULT_TIERS}
    known = {name: _over(tier, tiers.get(name)) for name, tier in DEFAULT_TIERS.items()}
    everything = {**new, **known}
    for name, tier in everything.items():
        _check(name, tier)
    for service, name in services.items():
        if name not in everything:
            raise _no_tier(name, everything, f"homeport.toml, service '{service}'")
    return Policy(everything, services)


def choose(policy: Policy, known: Known) -> Choice:
    """The tier of a service: as configured, as its label says, then by image, by name, by port.

    Raises UsageError for a label that names no tier.
    """
    if configured := policy.services.get(known.name):
        return Choice(configured, "homeport.toml says so")
    if known.label:
        if known.label not in policy.tiers:
            raise _no_tier(known.label, policy.tiers, f"Label {LABEL} of service '{known.name}'")
        return Choice(known.label, f"label {LABEL}")
    image, name = image_name(known.image), "-".join(_parts(known.name))
    for tier, rules in policy.tiers.items():
        for rule in rules.images if image else ():
            if fnmatch.fnmatchcase(image, rule.lower()):
                return Choice(tier, f"image is {rule!r}" if "*" not in rule else f"image is like {rule!r}")
    for tier, rules in policy.tiers.items():
        for rule in rules.names:
            if "*" in rule and fnmatch.fnmatchcase(name, rule.lower()):
                return Choice(tier, f"name is like {rule!r}")
            if "*" not in rule and f"-{'-'.join(_parts(rule))}-" in f"-{name}-":
                return Choice(tier, f"name contains {rule!r}")
    for tier, rules in policy.tiers.items():
        for rule in rules.ports:
            low, high = _port_range(rule)
            for port in known.ports:
                if low <= port <= high:
                    return Choice(tier, f"port {port}" if low == high else f"port {port} is in {rule}")
    return Choice()


def image_name(image: str) -> str:
    """An image's own name: ``postgres`` of ``ghcr.io/me/postgres:16@sha256:...``, in lower case."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0].lower()


def bytes_of(text: str) -> int | None:
    """Bytes of a Compose size (``512M``, ``1.5g``, ``64kb``; 1024 a step); None for what is no size.

    A bare number counts bytes.
    """
    match = _SIZE.fullmatch(text.strip())
    return round(float(match[1]) * _FACTORS[(match[2] or "").lower()]) if match else None


def cores_of(text: str) -> float | None:
    """Cores of a Compose value (``0.5``, ``2``); None for what is no number of cores, such as a variable."""
    try:
        cores = float(text)
    except ValueError:
        return None
    return cores if 0 <= cores < float("inf") else None


def _over(base: Tier, other: Tier | None) -> Tier:
    said = {key: value for key, value in dataclasses.asdict(other).items() if value} if other else {}
    return dataclasses.replace(base, **said)


def _check(name: str, tier: Tier) -> None:
    where = f"Tier '{name}'"
    sizes = {
        "memory": tier.memory,
        "reserved-memory": tier.reserved_memory,
        "log-size": tier.log_size,
    }
    for key, text in sizes.items():
        if text and not bytes_of(text):
            raise UsageError(f"{where}: {key} {text!r} is no size.", hint="Sizes look like 512M or 1.5g.")
    if tier.cpus and tier.reserved_cpus > tier.cpus:
        raise UsageError(
            f"{where}: it reserves {tier.reserved_cpus} cores and may use {tier.cpus}.",
            hint="A reservation is at most its limit.",
        )
    limit, reserved = bytes_of(tier.memory), bytes_of(tier.reserved_memory)
    if limit and reserved and reserved > limit:
        raise UsageError(
            f"{where}: it reserves {tier.reserved_memory} of memory and may use {tier.memory}.",
            hint="A reservation is at most its limit.",
        )
    for rule in tier.ports:
        _port_range(rule, where)


def _port_range(rule: str, where: str = "") -> tuple[int, int]:
    match = _RANGE.fullmatch(rule.strip())
    if not match:
        raise UsageError(f"{where}: {rule!r} is no port.", hint="Ports look like 5432 or 8000-8999.")
    return int(match[1]), int(match[2] or match[1])


def _no_tier(name: str, tiers: Mapping[str, Tier], where: str) -> UsageError:
    return UsageError(
        f"{where}: there is no tier '{name}'.",
        cause=did_you_mean(name, tiers),
        hint=f"Tiers: {', '.join(tiers)}.",
    )


def _parts(text: str) -> Sequence[str]:
    return [part for part in re.split(r"[^a-z0-9*]+", text.lower()) if part]

"""From facts about the machine to findings. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from enum import Enum

from homeport.engine.docker import MINIMUM_BUILDX, MINIMUM_ENGINE, Engine, version_tuple
from homeport.engine.registry import Answer
from homeport.errors import HomeportError

MINIMUM_COMPOSE = (2, 20)
"""The first Compose with ``include`` (Compose 2.20 release notes)."""

LOW_DISK = 5 * 10**9
LOW_MEMORY = 10**9
CLOCK_SECONDS = 30.0


class Grade(str, Enum):
    """How a finding counts: ``bad`` makes the command fail."""

    GOOD = "good"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True)
class Finding:
    """One line of the doctor: what was looked at, how it is, and what to do if it isn't good."""

    name: str
    grade: Grade
    text: str
    hint: str = ""


def engine(found: Engine | HomeportError) -> Finding:
    if isinstance(found, HomeportError):
        return Finding("engine", Grade.BAD, _joined(found.what, found.cause), found.hint)
    context = f", context {found.context}" if found.context else ""
    if version_tuple(found.version) < MINIMUM_ENGINE:
        return Finding(
            "engine", Grade.BAD, f"Docker Engine {found.version}{context}", _update(MINIMUM_ENGINE)
        )
    return Finding("engine", Grade.GOOD, f"Docker Engine {found.version}{context}")


def plugin(found: Engine, name: str) -> Finding:
    """The finding for buildx or Compose."""
    minimum = MINIMUM_BUILDX if name == "buildx" else MINIMUM_COMPOSE
    try:
        version = found.plugin(name).version
    except HomeportError as error:
        return Finding(name, Grade.BAD, error.what, error.hint)
    if version_tuple(version) and version_tuple(version) < minimum:
        return Finding(name, Grade.BAD, version, _update(minimum))
    return Finding(name, Grade.GOOD, version)


def image_store(found: Engine) -> Finding:
    if found.containerd_store:
        return Finding("image store", Grade.GOOD, "containerd: registry caches and several outputs work")
    return Finding(
        "image store",
        Grade.WARN,
        f"{found.storage}: the docker driver can't write registry caches with it",
        'Put {"features": {"containerd-snapshotter": true}} into the engine\'s daemon.json and restart it '
        "(Docker Desktop: Settings, General). Images built before must be built again.",
    )


def registry(prefix: str, answer: Answer | None) -> Finding:
    if answer is None:
        return Finding(
            "registry",
            Grade.GOOD,
            "none configured: only the builder's own cache is used",
        )
    if answer.state == "ok":
        return Finding("registry", Grade.GOOD, f"{prefix} answers")
    if answer.state == "login":
        return Finding(
            "registry",
            Grade.BAD,
            f"{prefix} wants a login",
            f"Run 'docker login {prefix.partition('/')[0]}'.",
        )
    return Finding(
        "registry",
        Grade.BAD,
        f"{prefix} doesn't answer: {answer.detail}",
        "Start it, or correct [build] registry.",
    )


def disk(found: Engine, free: int | None, shown: str) -> Finding:
    """``free`` is in bytes, None where the engine's disk isn't this machine's; ``shown`` says it in words."""
    if free is None:
        return Finding("disk", Grade.GOOD, f"{found.root} is not on this machine: not looked at")
    if free < LOW_DISK:
        return Finding(
            "disk",
            Grade.BAD,
            f"{shown} free on {found.root}",
            "'docker system df' shows what takes it, 'docker builder prune' frees build cache.",
        )
    return Finding("disk", Grade.GOOD, f"{shown} free on {found.root}")


def memory(found: Engine, free_shown: str, total_shown: str, jobs: int) -> Finding:
    text = f"{free_shown} free of {total_shown}, {found.cpus} cores: up to {jobs} targets at the same time"
    if found.free_memory < LOW_MEMORY:
        return Finding("memory", Grade.WARN, text, "Stop something, or build with fewer --jobs.")
    return Finding("memory", Grade.GOOD, text)


def clock(engine_time: str, now: float) -> Finding:
    """Compare the engine's clock (RFC 3339) with ours (epoch seconds): builds and TLS trip over skew."""
    if len(engine_time) < 19:
        return Finding("clock", Grade.WARN, "the engine doesn't say its time")
    base = datetime.fromisoformat(engine_time[:19]).replace(tzinfo=timezone.utc).timestamp()
    skew = abs(now - base)
    if skew > CLOCK_SECONDS:
        return Finding(
            "clock",
            Grade.BAD,
            f"the engine's clock is {skew:.0f} s away from this machine's",
            "Turn on time synchronisation on both (Docker Desktop: restart it after a sleep).",
        )
    return Finding("clock", Grade.GOOD, "agrees with the engine's")


def _update(minimum: tuple[int, ...]) -> str:
    needed = ".".join(map(str, minimum))
    return f"homeport needs {needed} or newer: https://docs.docker.com/engine/install/"


def _joined(*parts: str) -> str:
    return " ".join(part for part in parts if part)

"""The deploys that the tests of their reports read."""

from __future__ import annotations

from typing import Any

from homeport.deploy.probe import Probed, Sample
from homeport.deploy.work import Event

START_FIRST = (
    (1.0, "start", "api-r2"), (3.0, "passed", ""), (3.5, "switch", "api-r2"), (6.0, "drain", "api-r1"),
    (6.4, "drained", ""), (6.4, "stop", "api-r1"), (7.0, "stopped", ""),
)  # fmt: skip
STOP_FIRST = (
    (1.0, "hold", ""), (1.5, "stop", "db-r1"), (2.0, "stopped", ""), (2.0, "start", "db-r2"),
    (4.0, "passed", ""), (4.2, "switch", "db-r2"), (4.2, "pause", "3.2 s"),
)  # fmt: skip
HANDED_OVER = (
    (1.0, "start", "web-r1"), (2.0, "passed", ""), (2.1, "stop", "what ran without homeport"),
    (2.4, "stopped", ""), (2.8, "front", "at most 0.7 s without service"),
)  # fmt: skip
FAILED = (
    (1.0, "start", "bad-r2"), (4.0, "failed", "its health check fails"), (4.1, "undo", ""),
    (4.6, "undone", "bad-r1 serves"),
)  # fmt: skip


def events(*named: tuple[str, tuple[tuple[float, str, str], ...]]) -> list[Event]:
    """The events of services, each with what happened to it, in the order of time."""
    found = [Event(at, service, what, detail) for service, own in named for at, what, detail in own]
    return sorted(found, key=lambda event: event.at)


def passed() -> list[Event]:
    return events(("db", STOP_FIRST), ("api", START_FIRST), ("web", HANDED_OVER))


def undone() -> list[Event]:
    return events(
        ("api", (*START_FIRST[:3], (4.1, "undo", ""), (5.0, "undone", "api-r1 serves"))), ("bad", FAILED)
    )


def release(outcome: str = "passed", **services: str) -> dict[str, Any]:
    """What ``show.result_document`` makes of a release of these services, with what was planned for each."""
    return {
        "schema": "homeport.deploy/1",
        "release": {
            "number": 12,
            "id": "r12",
            "stack": "shop",
            "started": 1_790_000_000.0,
            "seconds": 8.0,
            "outcome": outcome,
            "services": {name: {"image_name": f"shop/{name}:latest"} for name in services},
            "changed": [name for name, action in services.items() if action != "unchanged"],
            "who": "ann",
            "host": "laptop",
            "revision": "0123456789abcdef",
            "dirty": True,
            "message": "tariffs",
            "of": 0,
        },
        "events": [],
        "services": [
            {
                "name": name,
                "action": action,
                "why": "new image",
                "before": f"{name}-r1",
                "after": f"{name}-r2",
            }
            for name, action in services.items()
        ],
    }


def probed(seconds: float = 8.0, *, failing: tuple[float, float] = (0.0, 0.0), rate: float = 20.0) -> Probed:
    """A request every so often, answered in 50 ms, except for some."""
    times = [index / rate for index in range(int(seconds * rate))]
    bad = [failing[0] <= at < failing[1] for at in times]
    samples = (Sample(at, 0.05, 503 if fails else 200) for at, fails in zip(times, bad, strict=True))
    return Probed("http://localhost:8080/health", 0.0, tuple(samples))

"""What can be measured, and which two figures each promise is about. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from homeport.errors import UsageError, did_you_mean

SECONDS, BYTES, REQUESTS = "s", "B", "requests"


@dataclass(frozen=True)
class Measure:
    """One figure: its key, the scenario that it belongs to, what it is in words, and its unit."""

    key: str
    scenario: str
    what: str
    unit: str = SECONDS


@dataclass(frozen=True)
class Step:
    """Something that is carried out once a round, and the figures that come of it.

    ``once``: it is computed and comes to the same each time.
    """

    key: str
    measures: tuple[Measure, ...]
    once: bool = False


@dataclass(frozen=True)
class Promise:
    """That ``after`` is so much less than ``before``; ``name`` is that of the expectation in the settings."""

    name: str
    what: str
    before: str
    after: str


SCENARIOS: Mapping[str, str] = {
    "sequential": "each target alone, one after the other, nothing cached: what deploy.sh did",
    "parallel": "homeport build --parallel, nothing cached",
    "unchanged": "homeport build --parallel, and nothing has changed since the last one",
    "one-changed": "homeport build --parallel, and a file of one service has changed",
    "fresh": "homeport build --parallel --load on a machine without images, its registry filled by another",
    "dependencies": "steps with cache mounts: without them, with them, and as 'audit --fix' leaves them",
    "context": "bytes sent to the builder: without ignore files, with them, and as 'audit --fix' leaves them",
    "deploy": "every service that is built here, replaced: by 'docker compose up' and without downtime",
    "rollback": "homeport rollback to the release before",
}
"""By name what is done in it."""

STEPS: tuple[Step, ...] = (
    Step("sequential", (Measure("sequential", "sequential", "one after the other, nothing cached"),)),
    Step("parallel", (Measure("parallel", "parallel", "in parallel, nothing cached"),)),
    Step("unchanged", (Measure("unchanged", "unchanged", "nothing changed"),)),
    Step("one-changed", (Measure("one-changed", "one-changed", "one service changed"),)),
    Step("fresh", (Measure("fresh", "fresh", "fresh machine, filled registry"),)),
    Step(
        "dependencies-without",
        (Measure("dependencies-without", "dependencies", "dependencies without cache mounts"),),
    ),
    Step(
        "dependencies-with",
        (Measure("dependencies-with", "dependencies", "dependencies with the cache mounts there are"),),
    ),
    Step(
        "dependencies-mended",
        (Measure("dependencies-mended", "dependencies", "dependencies after 'audit --fix'"),),
    ),
    Step(
        "context",
        (
            Measure("context-without", "context", "context without ignore files", BYTES),
            Measure("context-with", "context", "context with the ignore files there are", BYTES),
            Measure("context-mended", "context", "context after 'audit --fix'", BYTES),
        ),
        once=True,
    ),
    Step(
        "deploy-plain",
        (
            Measure("deploy-plain", "deploy", "deploy by 'docker compose up'"),
            Measure("deploy-plain-lost", "deploy", "requests lost by 'docker compose up'", REQUESTS),
        ),
    ),
    Step(
        "deploy-zero",
        (
            Measure("deploy-zero", "deploy", "deploy --zero-downtime"),
            Measure("deploy-zero-lost", "deploy", "requests lost by deploy --zero-downtime", REQUESTS),
            Measure("rollback", "rollback", "rollback"),
            Measure("rollback-lost", "rollback", "requests lost by rollback", REQUESTS),
        ),
    ),
)
"""In the order in which the first round goes."""

PROMISES: tuple[Promise, ...] = (
    Promise("build", "build time: everything anew, one service changed", "sequential", "one-changed"),
    Promise("parallel", "parallel builds: one after the other, in parallel", "sequential", "parallel"),
    Promise(
        "dependencies", "dependency installation: no cache mounts, these", "dependencies-without",
        "dependencies-with",
    ),
    Promise(
        "dependencies", "dependency installation: no cache mounts, mended ones", "dependencies-without",
        "dependencies-mended",
    ),
    Promise("context", "context transfer: no ignore files, these", "context-without", "context-with"),
    Promise("context", "context transfer: no ignore files, mended ones", "context-without", "context-mended"),
    Promise("deploy", "deployment time: 'docker compose up', no downtime", "deploy-plain", "deploy-zero"),
)  # fmt: skip

MEASURES: Mapping[str, Measure] = {one.key: one for step in STEPS for one in step.measures}


def check_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """The scenarios that are asked for, all of them for none. Raises UsageError for what there isn't."""
    for name in names:
        if name not in SCENARIOS:
            raise UsageError(
                f"There is no scenario {name!r}.",
                cause=did_you_mean(name, SCENARIOS),
                hint=f"Scenarios: {', '.join(SCENARIOS)}.",
            )
    return tuple(name for name in SCENARIOS if name in names or not names)


def expectations(given: Mapping[str, str]) -> dict[str, tuple[float, float]]:
    """By promise by how many percent less it shall be, at least and at most: ``"50-70"`` or ``"50"``.

    Raises UsageError for a promise that there isn't, and for what is no range.
    """
    known = dict.fromkeys(promise.name for promise in PROMISES)
    found = {}
    for name, text in given.items():
        if name not in known:
            raise UsageError(
                f"[bench] expect: there is no promise {name!r}.",
                cause=did_you_mean(name, known),
                hint=f"There are {', '.join(known)}.",
            )
        least, dash, most = (part.strip() for part in text.partition("-"))
        try:
            low, high = float(least), float(most if dash else least)
        except ValueError:
            low, high = 1.0, 0.0
        if not 0 <= low <= high <= 100:
            raise UsageError(
                f"[bench] expect: {name} = {text!r} is no range of percent.",
                hint='Say by how many percent less it shall be: "50-70", or "50" for at least that.',
            )
        found[name] = (low, high)
    return found

"""From facts and options to a plan: which steps, in which order, of which targets and services. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from homeport.bench.definition import Builds
from homeport.bench.facts import Facts
from homeport.bench.scenarios import SECONDS, STEPS, Measure, Step
from homeport.errors import UsageError, did_you_mean
from homeport.model.reference import normalized

_BUILDS = {
    "sequential", "parallel", "unchanged", "one-changed", "fresh", "dependencies-without",
    "dependencies-with", "dependencies-mended", "context",
}  # fmt: skip
_LOCAL = {"fresh", "deploy-plain", "deploy-zero"}
COPIES: Mapping[str, str] = {
    "sequential": "sequential", "parallel": "parallel", "unchanged": "everyday", "one-changed": "everyday",
    "deploy-plain": "stack", "deploy-zero": "stack", "fresh": "fresh",
    "dependencies-without": "without", "dependencies-with": "with", "dependencies-mended": "mended",
}  # fmt: skip
"""By step the copy of the repository that it works in."""


@dataclass(frozen=True)
class BenchPlan:
    """What would be done. ``steps`` are those that can be tried, ``missing`` says by measure why it can't be
    had. ``builds`` is narrowed to what is asked for; ``services`` are deployed, of which ``made`` has the
    target that makes the image."""

    scenarios: tuple[str, ...]
    rounds: int
    steps: tuple[Step, ...]
    missing: Mapping[str, str] = field(hash=False)
    builds: Builds | None
    services: tuple[str, ...]
    made: Mapping[str, str] = field(hash=False)

    @property
    def measures(self) -> tuple[Measure, ...]:
        """Everything that is asked for, also what can't be had."""
        return tuple(one for step in STEPS for one in step.measures if one.scenario in self.scenarios)

    @property
    def copies(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(COPIES[step.key] for step in self.steps if step.key in COPIES))

    def round(self, number: int) -> tuple[Step, ...]:
        """The steps of a round, counted from 0: each round begins with another one, so that none always comes
        after the same."""
        steps = [step for step in self.steps if not step.once or number == 0]
        start = number % len(steps) if steps else 0
        return (*steps[start:], *steps[:start])

    @property
    def runs(self) -> int:
        """How many steps are carried out in all."""
        return sum(len(self.round(number)) for number in range(self.rounds))

    def expected_seconds(self, before: Mapping[str, float]) -> tuple[float, tuple[str, ...]]:
        """About how long it takes, by the medians of an earlier run, and what these don't tell."""
        total, unknown = 0.0, []
        for step in self.steps:
            timed = [one.key for one in step.measures if one.unit == SECONDS]
            known = [before[key] for key in timed if key in before]
            if len(known) < len(timed):
                unknown.append(step.key)
            total += sum(known) * self.rounds
        return total, tuple(unknown)


def make(found: Facts, scenarios: tuple[str, ...], rounds: int, services: tuple[str, ...]) -> BenchPlan:
    """The plan. Raises UsageError for no rounds and for services that there aren't."""
    if not rounds:
        raise UsageError("--rounds must be 1 or more.", hint="3 is the default; 1 says nothing of noise.")
    specs = (found.project or {}).get("services") or {}
    made = makers(found)
    targets = found.builds.definition.targets if found.builds else {}
    for name in services:
        if name not in specs and name not in targets:
            raise UsageError(
                f"There is no service or target named {name!r}.",
                cause=did_you_mean(name, {*specs, *targets}),
                hint=f"Services: {', '.join(sorted(specs or targets))}.",
            )
    builds, no_builds = found.builds, found.no_builds
    deployed = tuple(specs)
    if services:
        wanted = {*services, *(made[name] for name in services if name in made)}
        deployed = tuple(name for name in specs if name in services or made.get(name) in services)
        if builds is not None:
            builds = builds.only(wanted)
            if not builds.definition.requested:
                builds, no_builds = None, "none of the chosen services is built here"
    missing: dict[str, str] = {}
    steps = []
    for step in STEPS:
        asked = tuple(one for one in step.measures if one.scenario in scenarios)
        if not asked:
            continue
        reason = _missing(step, found, builds is None, no_builds, deployed)
        if reason:
            missing |= {one.key: reason for one in asked}
        else:
            steps.append(Step(step.key, asked, step.once))
    return BenchPlan(scenarios, rounds, tuple(steps), missing, builds, deployed, made)


def _missing(step: Step, found: Facts, nothing_built: bool, no_builds: str, deployed: tuple[str, ...]) -> str:
    """Why a step can't be carried out; empty if it may go."""
    if step.key in _BUILDS and nothing_built:
        return no_builds or "there is nothing to build"
    if step.key in _LOCAL and not found.engine.local:
        return "the engine is on another machine, and what is asked of it here is open there"
    if step.key.startswith("deploy"):
        if found.project is None:
            return found.no_project or "there is no Compose project"
        if not deployed:
            return "no service of the Compose project is chosen"
    return ""


def makers(found: Facts) -> dict[str, str]:
    """By service of the Compose project the target that makes its image."""
    if found.builds is None or found.project is None:
        return {}
    tags = {normalized(tag): target.name for target in found.builds.definition for tag in target.tags}
    return {
        name: tags[normalized(str(spec["image"]))]
        for name, spec in found.project["services"].items()
        if normalized(str(spec.get("image") or "")) in tags
    }

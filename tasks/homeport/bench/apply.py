"""A plan carried out: round after round, step after step; what comes of each is kept at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from homeport.bench.builds import BuildSteps
from homeport.bench.dependencies import Dependencies
from homeport.bench.deploys import Deploys
from homeport.bench.figures import Figure, State
from homeport.bench.fresh import Fresh
from homeport.bench.plan import BenchPlan
from homeport.bench.scenarios import Step
from homeport.bench.work import NotMeasured, StepFailed, Value, Work, reason_of
from homeport.errors import HomeportError
from homeport.report.words import plural

Action = Callable[[int], Sequence[Value]]
"""Carries out a step in a round, counted from 0."""


@dataclass
class _Row:
    """A figure that is being measured."""

    values: list[float] = field(default_factory=list)
    state: State = State.NOT_MEASURED
    reason: str = ""
    notes: dict[str, None] = field(default_factory=dict)


class Results:
    """What has been measured so far; whole at any time."""

    def __init__(self, plan: BenchPlan) -> None:
        self._plan = plan
        self._rows = {one.key: _Row() for one in plan.measures}
        for key, reason in plan.missing.items():
            self._rows[key].reason = reason

    def add(self, step: Step, values: Sequence[Value]) -> None:
        """Note the values of a step that went well; what it could not say counts as not measured."""
        by_key = {value.key: value for value in values}
        for measure in step.measures:
            row, value = self._rows[measure.key], by_key.get(measure.key)
            if value is None:
                row.reason = row.reason or "nothing could be counted: no published port answers HTTP"
                continue
            row.state, row.reason = State.MEASURED, ""
            row.values.append(value.value)
            row.notes |= dict.fromkeys(value.notes)

    def end(self, step: Step, state: State, reason: str) -> None:
        """Note that a step isn't tried again, and why."""
        for measure in step.measures:
            row = self._rows[measure.key]
            row.state, row.reason = state, reason

    @property
    def figures(self) -> dict[str, Figure]:
        """By key the figures; of those that an interruption left without a value the reason says so."""
        return {
            one.key: Figure(
                one,
                tuple(self._rows[one.key].values),
                self._rows[one.key].state,
                self._rows[one.key].reason or self._unreached(one.key),
                tuple(self._rows[one.key].notes),
            )
            for one in self._plan.measures
        }

    def _unreached(self, key: str) -> str:
        return "" if self._rows[key].values else "interrupted before it"


def actions(work: Work) -> Mapping[str, Action]:
    """By step what carries it out."""
    builds, dependencies = BuildSteps(work), Dependencies(work)
    fresh, deploys = Fresh(work), Deploys(work)
    return {
        "sequential": builds.sequential,
        "parallel": builds.parallel,
        "unchanged": builds.unchanged,
        "one-changed": builds.one_changed,
        "fresh": fresh.measure,
        "dependencies-without": dependencies.without,
        "dependencies-with": dependencies.present,
        "dependencies-mended": dependencies.mended,
        "context": lambda _: _context(work),
        "deploy-plain": deploys.plain,
        "deploy-zero": deploys.zero,
    }


def run(plan: BenchPlan, does: Mapping[str, Action], results: Results, tell: Callable[[str], None]) -> None:
    """Carry out all rounds; a step that fails is not tried again, the others go on.

    What was measured is in ``results`` also when an interruption ends this.
    """
    ended: set[str] = set()
    for number in range(plan.rounds):
        for step in plan.round(number):
            if step.key in ended:
                continue
            tell(f"round {number + 1} of {plan.rounds}: {step.key}")
            try:
                values = does[step.key](number)
            except NotMeasured as problem:
                ended.add(step.key)
                results.end(step, State.NOT_MEASURED, str(problem))
            except (StepFailed, HomeportError, OSError) as problem:
                ended.add(step.key)
                said = reason_of(problem) if isinstance(problem, HomeportError) else str(problem)
                results.end(step, State.FAILED, f"round {number + 1}: {said}")
                tell(f"  failed: {said}")
            else:
                results.add(step, values)
                tell(f"  {', '.join(f'{one.key} {one.value:.4g}' for one in values)}")


def _context(work: Work) -> list[Value]:
    """What is sent, computed by moby's rules: of the folder itself, with all that git ignores in it."""
    sent, problems = work.lent.sent(work.builds)
    if not sent:
        raise NotMeasured("; ".join(problems) or "no build takes anything of its context")
    notes = (f"first builds of {plural(len(sent), 'target')}, computed", *problems)
    return [
        Value("context-without", float(sum(one.without for one in sent.values())), notes),
        Value("context-with", float(sum(one.present for one in sent.values())), notes),
        Value("context-mended", float(sum(one.mended for one in sent.values())), notes),
    ]

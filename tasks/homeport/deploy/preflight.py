"""What would go wrong half-way is looked at before anything is touched."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from homeport.deploy.plan import Action, DeployPlan, Running
from homeport.engine import containers
from homeport.errors import EnvironmentProblem
from homeport.report.words import size


def memory(
    plan: DeployPlan,
    running: Mapping[str, Running],
    free: int,
    used: Callable[[Iterable[str]], Mapping[str, int]] = containers.memory_used,
) -> None:
    """Make sure that there is room for the old and the new replicas side by side; ``free`` is in bytes.

    A new replica is taken to need what the old one uses. Raises EnvironmentProblem.
    """
    steps = [step for step in plan.steps.values() if step.action is Action.START_FIRST and step.before]
    ids = [one.id for step in steps for one in running[step.service].sets.get(step.before, ()) if one.running]
    needed = sum(used(ids).values())
    if needed > free:
        raise EnvironmentProblem(
            f"There is not enough memory for {len(ids)} old and new replicas side by side.",
            cause=f"The old ones use {size(needed)}, and {size(free)} are free.",
            hint="Deploy some of them at a time (--services a,b), or say 'order: stop-first' for large ones.",
        )

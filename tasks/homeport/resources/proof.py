"""The proof that the edited files say what they said, plus exactly the plan."""

from __future__ import annotations

from pathlib import Path

from homeport.errors import UsageError, WorkFailed
from homeport.model.compose_edit import CannotEdit, Edited, prove
from homeport.resources.plan import ResourcePlan, State
from homeport.sources.compose import ComposeFiles


def proven(facts: ComposeFiles, plan: ResourcePlan) -> dict[Path, bytes]:
    """The new bytes of each changed file. Raises WorkFailed if anything else would change."""
    steps = [step for step in plan.steps if step.state is State.CHANGE]
    edits = [Edited(step.path, step.document, step.service, step.adds) for step in steps]
    try:
        return prove(facts.project, plan.texts, edits, facts.environment)
    except (CannotEdit, UsageError, KeyError) as error:
        raise WorkFailed(
            "The edited files were not written: they would not say exactly what was planned.",
            cause=f"{error}. This is a bug in homeport.",
            hint="Please report it; '--services' goes around the service meanwhile.",
        ) from error

"""A plan as people and programs read it, for ``--dry-run``."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from homeport.build.plan import BuildPlan
from homeport.report.console import plain_table
from homeport.report.words import plural


def show_plan(plan: BuildPlan, console: Console) -> None:
    """The batches in order, each target with why it is built and what is pushed and cached."""
    table = plain_table()
    for heading in ("batch", "target", "why", "needs", "tags"):
        table.add_column(heading, no_wrap=True, justify="right" if heading == "batch" else "left")
    number = {name: index for index, batch in enumerate(plan.batches, 1) for name in batch}
    for target in plan.targets:
        table.add_row(
            str(number[target.name]),
            Text(target.name),
            Text(target.why),
            Text(", ".join(target.needs)),
            Text(", ".join(target.pushes or target.tags) + ("  (pushed)" if target.pushes else "")),
        )
    console.print(table)
    console.print(
        f"\n{plural(len(plan.targets), 'target')} in {plural(len(plan.batches), 'batch')}, at most "
        f"{plan.jobs} at the same time, by builder {plan.builder}. Nothing was touched.",
        soft_wrap=True,
        markup=False,
    )


def plan_document(plan: BuildPlan) -> dict[str, Any]:
    """The plan for ``--json``. Build arguments are left out: they may hold secrets."""
    return {
        "schema": "homeport.build-plan/1",
        "jobs": plan.jobs,
        "builder": plan.builder,
        "batches": [list(batch) for batch in plan.batches],
        "warnings": list(plan.warnings),
        "targets": [
            {
                "name": target.name,
                "why": target.why,
                "needs": list(target.needs),
                "tags": list(target.tags),
                "pushes": list(target.pushes),
                "cache_from": list(target.cache_from),
                "cache_to": list(target.cache_to),
            }
            for target in plan.targets
        ],
    }

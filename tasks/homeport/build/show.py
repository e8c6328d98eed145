"""A plan as people and programs read it, for ``--dry-run``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from homeport.build.plan import BuildPlan
from homeport.build.reasons import changes
from homeport.build.standing import Standing
from homeport.report.table import plain_table
from homeport.report.words import plural, printable

_MOST_CHANGES = 5


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
    if plan.targets:
        console.print(table)
        console.print()
    if plan.skips:
        names = ", ".join(skip.name for skip in plan.skips)
        console.print(
            f"No build is due for {plural(len(plan.skips), 'target')}: {names}.", soft_wrap=True, markup=False
        )
    console.print(
        f"{plural(len(plan.targets), 'target')} in {plural(len(plan.batches), 'batch')}, at most "
        f"{plan.jobs} at the same time, by the builder '{plan.builder}'. Nothing was touched.",
        soft_wrap=True,
        markup=False,
    )


def show_explanation(plan: BuildPlan, standing: Standing, names: Sequence[str], console: Console) -> None:
    """For each target whether it is built, and because of which input; with ``names`` only these, in full."""
    for name, action, why in _decisions(plan, standing):
        if names and name not in names:
            continue
        style = {"build": "green", "skip": "cyan"}.get(action, "dim")
        console.print(Text.assemble((f"{action:<6}", style), (name, "bold"), f"  {why}"), soft_wrap=True)
        fingerprint, found = standing.fingerprints[name], standing.found.get(name)
        if names and fingerprint.known:
            console.print(f"  fingerprint {fingerprint.digest}", style="dim", markup=False)
        if found and (names or found.renames):
            where = found.image or found.in_registry
            console.print(f"  image {where}", style="dim", soft_wrap=True, markup=False)
        for reason in fingerprint.unknown if action == "build" else ():
            console.print(f"  always built: {printable(reason)}", soft_wrap=True, markup=False)
        listed = changes(fingerprint, standing.before.get(name)) if action == "build" else ()
        most = len(listed) if names else _MOST_CHANGES
        for change in listed[:most]:
            console.print(f"  {change.how:<8} {printable(change.what)}", soft_wrap=True, markup=False)
        if len(listed) > most:
            console.print(f"  and {len(listed) - most} more: --explain={name} lists all", markup=False)
    console.print(
        f"\n{len(plan.targets)} to build, {len(plan.skips)} to skip. Nothing was touched.", markup=False
    )


def _decisions(plan: BuildPlan, standing: Standing) -> list[tuple[str, str, str]]:
    """Name, action and reason of every target, in the order in which they build on each other."""
    built = {target.name: target.why for target in plan.targets}
    skipped = {skip.name: skip.why for skip in plan.skips}
    rest = [name for name in standing.fingerprints if name not in built and name not in skipped]
    return [
        *((name, "build", why) for name, why in built.items()),
        *((name, "skip", why) for name, why in skipped.items()),
        # What only skipped targets build on: whether its image exists is of no interest.
        *((name, "leave", "nothing that is built needs it") for name in rest),
    ]


def nothing_document(reference: str) -> dict[str, Any]:
    """The plan where no target is affected by what changed since ``reference``."""
    return {"schema": "homeport.build-plan/2", "changed_since": reference, "targets": [], "decisions": []}


def plan_document(plan: BuildPlan, standing: Standing) -> dict[str, Any]:
    """The plan for ``--json``. Build arguments are left out, but for their digests: they may hold secrets."""
    return {
        "schema": "homeport.build-plan/2",
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
        "decisions": [
            {
                "name": name,
                "action": action,
                "why": why,
                "fingerprint": standing.fingerprints[name].digest
                if standing.fingerprints[name].known
                else None,
                "always_built": list(standing.fingerprints[name].unknown),
                "image": standing.found[name].digest if name in standing.found else None,
                "changes": [
                    {"what": change.what, "how": change.how}
                    for change in (
                        changes(standing.fingerprints[name], standing.before.get(name))
                        if action == "build"
                        else ()
                    )
                ],
                "inputs": {
                    key: digest[:16] for key, digest in sorted(standing.fingerprints[name].inputs.items())
                },
            }
            for name, action, why in _decisions(plan, standing)
            if name in standing.fingerprints
        ],
    }

"""``test``: unit tests of targets, the stack beside the one that runs, the repository's own tests of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homeport.commands.adapter import command, names, whole_number

if TYPE_CHECKING:
    from homeport.test.facts import Facts


@command(
    help={
        "targets": "Targets or groups, separated by commas (default: the group 'default').",
        "shard": "Only one machine's part, as CI has it: 'bases', or 1/4 for the first of four.",
        "only": "Of unit, smoke and integration tests only these, separated by commas.",
        "changed-since": "Unit tests only of targets that changes since this git commit can affect.",
        "keep-going": "After a failed build test what could be built.",
        "jobs": "Unit tests of so many targets at the same time (default: 4).",
        "again": "Run unit tests again that passed before with the same inputs.",
        "build": "Build first what needs a build; with --no-build the images are taken as they are.",
        "cache-export": "Write the registry's caches, too (--no-cache-export: only read them).",
        "builder": "The buildx builder (default: the current one).",
        "strict": "Exit with 1 also where a target has no tests.",
        "dry-run": "Show what would be run, and touch nothing.",
        "json": "Write the result as JSON; '-' is standard output.",
        "junit": "Write the result as JUnit XML.",
        "report": "Write JUnit XML, JSON and the logs of all services into this folder.",
    }
)
def test(
    c: Any,
    targets: str = "",
    shard: str = "",
    only: str = "",
    changed_since: str = "",
    keep_going: bool = False,
    jobs: str = "",
    again: bool = False,
    build: bool = True,
    cache_export: bool = True,
    builder: str = "",
    strict: bool = False,
    dry_run: bool = False,
    json: str = "",
    junit: str = "",
    report: str = "",
) -> int:
    """Test the targets in their images, and the whole stack beside the one that runs."""
    from homeport.commands import settings
    from homeport.commands.building import Building
    from homeport.engine.git import changes_since
    from homeport.errors import EXIT_INTERRUPTED, Interrupted, UsageError, WorkFailed
    from homeport.report.console import make_console, show_error
    from homeport.test import flow

    root = Path.cwd()
    config = settings.read(root)
    wanted = names(targets)
    if shard:
        from homeport.commands import sharing
        from homeport.test.show import plan_document

        wanted = sharing.members(shard, root, config, (), wanted, "")
        if not wanted:
            return sharing.show_nothing(shard, json, plan_document((), None, (), ()))
    request = flow.Request(
        root,
        config.test,
        config.build,
        targets=wanted,
        kinds=flow.check_kinds(names(only)),
        builder=builder,
        jobs=whole_number(jobs, "--jobs", 4),
        again=again,
        strict=strict,
        dry_run=dry_run,
        json=json,
        junit=junit,
        report=report,
    )
    builds = build and not dry_run and _has_targets(root, config.build.files)
    if changed_since and not builds:
        raise UsageError("--changed-since needs the build, to know which targets a change can affect.")
    flow.check(request)
    if not builds:
        return flow.run(request, _unnoticed)
    building = Building(
        root, config.build, builder, keep_going=keep_going, cache_export=cache_export, aside=json == "-"
    )
    # The stack needs every image, whatever the unit tests are narrowed to.
    alone = request.kinds == ("unit",)
    code, built, failed = building.run(request.targets if alone else (), changed_since if alone else "")
    if code == EXIT_INTERRUPTED:
        raise Interrupted("Interrupted while building.", hint="Nothing was tested.")
    if code and not keep_going:
        raise WorkFailed("The build failed, so nothing was tested.", hint="--keep-going tests the rest.")
    if changed_since:
        affected = built if alone else building.affected(request.targets, changed_since)
        changes = changes_since(root, changed_since)
        affected += building.affected_in(config.test.stage, request.targets, changes)
        everything = str(settings.path(Path(os.path.realpath(root)))) in changes.paths
        request = replace(request, affected=None if everything else affected, changed=changes.paths)
    request = replace(request, unbuilt=failed)
    if (tested := flow.run(request, _unnoticed)) or not code:
        return tested
    problem = WorkFailed(
        f"What was tested is well, but this can't be built: {', '.join(failed)}.",
        hint="What is wrong there stands above, in what the build said.",
    )
    show_error(problem, make_console(sys.stderr))
    return code


def _unnoticed(found: Facts, specs: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    """Warnings about files that changed without a trace: a flow of builds knows what was sent."""
    from homeport.build import unnoticed

    return unnoticed.in_tests(specs, found.root, found.engine, found.builder)


def _has_targets(root: Path, files: tuple[str, ...]) -> bool:
    """Whether there is anything that could say what to build."""
    from homeport.engine.buildx import BAKE_FILES, COMPOSE_FILES

    return bool(files) or any((root / name).is_file() for name in (*BAKE_FILES, *COMPOSE_FILES))

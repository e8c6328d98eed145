"""``test``: unit tests of targets, the stack beside the one that runs, the repository's own tests of it."""

from __future__ import annotations

import json as formats
import tempfile
from pathlib import Path
from typing import Any

from homeport.commands.adapter import command, names, whole_number


@command(
    help={
        "targets": "Targets or groups, separated by commas (default: the group 'default').",
        "only": "Of unit, smoke and integration tests only these, separated by commas.",
        "changed-since": "Unit tests only of targets that changes since this git commit can affect.",
        "keep-going": "After a failed build test what could be built.",
        "jobs": "Unit tests of so many targets at the same time (default: 4).",
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
    only: str = "",
    changed_since: str = "",
    keep_going: bool = False,
    jobs: str = "",
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
    from homeport.test import flow

    root = Path.cwd()
    config = settings.read(root)
    wanted: tuple[str, ...] | None = names(targets) or None
    kinds = flow.check_kinds(names(only))
    if build and not dry_run and _has_targets(root, config.build.files):
        code, affected = _built(
            root,
            wanted or (),
            changed_since,
            builder,
            keep_going=keep_going,
            cache_export=cache_export,
            aside=json == "-",
        )
        if code and not (keep_going and code == 1):
            return code
        wanted = affected if changed_since else wanted
    return flow.run(
        flow.Request(
            root,
            config.test,
            config.build,
            targets=wanted,
            kinds=kinds,
            builder=builder,
            jobs=whole_number(jobs, "--jobs", 4),
            strict=strict,
            dry_run=dry_run,
            json=json,
            junit=junit,
            report=report,
        )
    )


def _has_targets(root: Path, files: tuple[str, ...]) -> bool:
    """Whether there is anything that could say what to build."""
    from homeport.engine.buildx import BAKE_FILES, COMPOSE_FILES

    return bool(files) or any((root / name).is_file() for name in (*BAKE_FILES, *COMPOSE_FILES))


def _built(
    root: Path,
    targets: tuple[str, ...],
    changed_since: str,
    builder: str,
    *,
    keep_going: bool,
    cache_export: bool,
    aside: bool,
) -> tuple[int, tuple[str, ...]]:
    """Build as ``build --parallel`` does: its exit code, and the targets that it was about."""
    from homeport.build import facts, flow
    from homeport.build.options import BuildOptions
    from homeport.commands import settings
    from homeport.errors import DefinitionError

    config = settings.read(root).build
    options = BuildOptions(
        parallel=True,
        jobs=config.jobs,
        registry=config.registry,
        keep_going=keep_going,
        retries=config.retries,
        main_branch=config.main_branch,
        cache_export=cache_export,
        allow=config.allow,
        load=True,
    )
    pending = facts.start(
        root,
        files=config.files,
        names=targets or config.targets,
        builder=builder or config.builder,
        registry_prefix=options.registry,
    )
    with tempfile.TemporaryDirectory(prefix="homeport-test-") as folder:
        out = Path(folder) / "build.json"
        request = flow.Request(
            root, options, files=config.files, changed_since=changed_since, json=str(out), aside=aside
        )
        try:
            code = flow.run(request, pending)
        except DefinitionError as error:
            if targets or "nothing to build" not in error.what:
                raise
            return 0, ()  # a project of images that others build can be tested, too
        document = formats.loads(out.read_text(encoding="utf-8")) if out.is_file() else {}
    return code, tuple(str(one["name"]) for one in document.get("targets", ()) if one["status"] != "unbuilt")

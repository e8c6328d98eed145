"""``build``: build the images of this repository."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from homeport.commands.adapter import command, names, whole_number


def _explained(explain: str | bool) -> tuple[str, ...] | None:
    """The option's value: invoke says True where it has none."""
    if explain is True:
        return ()
    return names(str(explain)) if explain else None


@command(
    optional=["explain"],
    help={
        "parallel": "Build independent targets at the same time.",
        "jobs": "Most targets in flight (default: by cores and free memory); implies --parallel.",
        "targets": "Targets or groups, separated by commas (default: the group 'default').",
        "shard": "Only one machine's part, as CI has it: 'bases', or 1/4 for the first of four.",
        "file": "Bake or Compose files, separated by commas (default: where bake looks).",
        "cache-export": "Write the registry's caches, too (--no-cache-export: only read them).",
        "push": "Push the images that were asked for.",
        "registry": "Registry for caches and pushed images, such as ghcr.io/me or 127.0.0.1:5000.",
        "keep-going": "Build what can still be built after a failure.",
        "retries": "Tries after a transient failure of network or engine (default: 2).",
        "builder": "The buildx builder (default: the current one).",
        "skip": "Leave out what needs no build; with --no-skip only BuildKit's own cache counts.",
        "refresh": "Fetch the base images that the engine has anew from their registries first.",
        "load": "Fetch images into the engine that are found in the registry only.",
        "changed-since": "Only targets that changes since this git commit (or branch) can affect.",
        "explain": "Say for each target, or for those named, why it would be built or not; touch nothing.",
        "dry-run": "Show the plan and touch nothing.",
        "json": "Write the plan or result as JSON; '-' is standard output.",
        "report": "Write an HTML page, a timeline picture and a trace into this folder.",
    },
)
def build(
    c: Any,
    parallel: bool = False,
    jobs: str = "",
    targets: str = "",
    shard: str = "",
    file: str = "",
    cache_export: bool = True,
    push: bool = False,
    registry: str = "",
    keep_going: bool = False,
    retries: str = "",
    builder: str = "",
    skip: bool = True,
    refresh: bool = False,
    load: bool = False,
    changed_since: str = "",
    explain: str = "",
    dry_run: bool = False,
    json: str = "",
    report: str = "",
) -> int:
    """Build the repository's images in the order of their dependencies."""
    from homeport.build import facts
    from homeport.build.options import BuildOptions
    from homeport.commands import settings
    from homeport.model.config import check_registry

    cwd = Path.cwd()
    whole = settings.read(cwd)
    config = whole.build
    registry = registry.rstrip("/")
    if registry:
        check_registry(registry, "--registry")
    options = BuildOptions(
        parallel=parallel or bool(jobs),
        jobs=whole_number(jobs, "--jobs", config.jobs if parallel else 0),
        cache_export=cache_export,
        push=push,
        registry=(registry or config.registry).rstrip("/"),
        keep_going=keep_going,
        retries=whole_number(retries, "--retries", config.retries),
        main_branch=config.main_branch,
        allow=config.allow,
        skip=skip,
        refresh=refresh,
        load=load,
    )
    wanted = names(targets)
    if shard:
        from homeport.commands import sharing

        wanted = sharing.members(shard, cwd, whole, names(file), wanted, options.registry)
        if not wanted:
            from homeport.build.show import nothing_document

            return sharing.show_nothing(shard, json, nothing_document(changed_since))
    pending = facts.start(
        cwd,
        files=names(file) or config.files,
        names=wanted or config.targets,
        builder=builder or config.builder,
        registry_prefix=options.registry,
    )
    from homeport.build import flow

    return flow.run(
        flow.Request(
            cwd=cwd,
            options=options,
            files=names(file) or config.files,
            dry_run=dry_run,
            explain=_explained(explain),
            changed_since=changed_since,
            json=json,
            report=report,
        ),
        pending,
    )

"""``scan``: what is known to be wrong with the images, and in the repository."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homeport.commands.adapter import command, names

if TYPE_CHECKING:
    from homeport.model.config import Config
    from homeport.scan.subjects import Wanted


@command(
    help={
        "targets": "Only these targets, groups or services, separated by commas (default: all).",
        "severity": "The least that fails: critical, high, medium, low or unknown (default: high).",
        "baseline": "A file of --write-baseline: what is in it doesn't fail.",
        "write-baseline": "Write what is found now into this file, for --baseline; nothing fails then.",
        "fixable-only": "Only what has a fix counts.",
        "scanner": "trivy or grype (default: trivy).",
        "update": "Bring the scanner's database up to date first (--no-update: take the one that is there).",
        "dry-run": "Show what would be scanned, and by what; scan nothing.",
        "json": "Write the findings as JSON; '-' is standard output.",
    }
)
def scan(
    c: Any,
    targets: str = "",
    severity: str = "",
    baseline: str = "",
    write_baseline: str = "",
    fixable_only: bool = False,
    scanner: str = "",
    update: bool = True,
    dry_run: bool = False,
    json: str = "",
) -> int:
    """Look for known vulnerabilities and secrets in the repository's images."""
    from homeport.commands import settings
    from homeport.scan import flow

    cwd = Path.cwd()
    config = settings.read(cwd)
    given = dataclasses.replace(
        config.scan,
        severity=severity or config.scan.severity,
        scanner=scanner or config.scan.scanner,
        baseline=baseline or config.scan.baseline,
        fixable_only=fixable_only or config.scan.fixable_only,
    )
    wanted, warnings = _wanted(cwd, config, names(targets))
    return flow.run(
        flow.Request(
            wanted=tuple(wanted),
            config=given,
            warnings=warnings,
            whole=not targets,
            write_baseline=write_baseline,
            update=update,
            dry_run=dry_run,
            json=json,
        )
    )


def _wanted(cwd: Path, config: Config, chosen: tuple[str, ...]) -> tuple[list[Wanted], tuple[str, ...]]:
    """The images to scan, and warnings: what ``build`` builds, or else what Compose runs."""
    from homeport.scan import subjects

    files = config.build.files
    if subjects.has_bake(cwd, files):
        from homeport.build import facts

        # As a build would read it: the same targets, with the same names.
        found = facts.read(cwd, files=files, names=chosen or config.build.targets)
        wanted, warnings = subjects.of_targets(found.definition, cwd)
        return wanted, (*found.warnings, *warnings)
    from homeport.engine import compose, docker

    docker.engine()  # where it is missing, this says so best
    return subjects.of_services(compose.config(files, cwd), chosen, cwd), ()

"""``scan``: what is known to be wrong with the images, and in the repository."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homeport.commands.adapter import command, names

if TYPE_CHECKING:
    from homeport.audit.suppress import Sifted
    from homeport.model.config import Config
    from homeport.scan.subjects import Wanted


@command(
    help={
        "targets": "Only these targets, groups or services, separated by commas (default: all).",
        "file": "Bake or Compose files, separated by commas (default: where bake and Compose look).",
        "severity": "The least that fails: critical, high, medium, low or unknown (default: high).",
        "baseline": "A file of --write-baseline: what is in it doesn't fail.",
        "write-baseline": "Write what is found now into this file, for --baseline; nothing fails then.",
        "fixable-only": "Only what has a fix counts.",
        "scanner": "trivy or grype (default: trivy).",
        "update": "Bring the scanner's database up to date first (--no-update: take the one that is there).",
        "dry-run": "Show what would be scanned, and by what; scan nothing.",
        "sbom": "Write what is in each image into this folder, as CycloneDX JSON.",
        "json": "Write the findings as JSON; '-' is standard output.",
        "sarif": "Write the findings as SARIF, for GitHub and others; '-' is standard output.",
        "report": "Write an HTML page, JSON and SARIF into this folder.",
    }
)
def scan(
    c: Any,
    targets: str = "",
    file: str = "",
    severity: str = "",
    baseline: str = "",
    write_baseline: str = "",
    fixable_only: bool = False,
    scanner: str = "",
    update: bool = True,
    sbom: str = "",
    dry_run: bool = False,
    json: str = "",
    sarif: str = "",
    report: str = "",
) -> int:
    """Look for known vulnerabilities and secrets in the repository's images and files."""
    from homeport.audit.suppress import Sifted
    from homeport.commands import settings
    from homeport.engine import git
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
    wanted, warnings = _wanted(cwd, config, names(targets), names(file))
    # Some images only: somebody else, another shard perhaps, looks at the repository.
    found = Sifted(()) if targets or dry_run else _repository(cwd, config)
    return flow.run(
        flow.Request(
            wanted=tuple(wanted),
            config=given,
            repository=found.open,
            excepted=found.suppressed,
            warnings=(*warnings, *found.warnings),
            name=cwd.name,
            folder=git.inside(cwd) if sarif or report else "",
            sbom=sbom,
            sarif=sarif,
            report=report,
            whole=not targets,
            write_baseline=write_baseline,
            update=update,
            dry_run=dry_run,
            json=json,
        )
    )


def _repository(cwd: Path, config: Config) -> Sifted:
    """What an audit's rules about security find: a flow calls no other one, so it is handed over here."""
    from homeport.audit import flow

    return flow.security(flow.Request(cwd, config.audit, environment=os.environ))


def _wanted(
    cwd: Path, config: Config, chosen: tuple[str, ...], files: tuple[str, ...]
) -> tuple[list[Wanted], tuple[str, ...]]:
    """The images to scan, and warnings: what ``build`` builds, or else what Compose runs."""
    from homeport.scan import subjects

    files = files or config.build.files
    fallback = subjects.definition_file(cwd, files)
    if subjects.has_bake(cwd, files):
        from homeport.build import facts

        # As a build would read it: the same targets, with the same names.
        found = facts.read(cwd, files=files, names=chosen or config.build.targets)
        wanted, warnings = subjects.of_targets(found.definition, cwd, fallback)
        return wanted, (*found.warnings, *warnings)
    from homeport.engine import compose, docker

    docker.engine()  # where it is missing, this says so best
    files = files or config.deploy.files
    return subjects.of_services(compose.config(files, cwd), chosen, cwd, fallback), ()

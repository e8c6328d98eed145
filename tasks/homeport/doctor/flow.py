"""The doctor from end to end: read the facts, judge them, show a line for each."""

from __future__ import annotations

import os
import shutil
import sys
import time
from dataclasses import asdict
from pathlib import Path

from rich.text import Text

from homeport.doctor import checks
from homeport.doctor.checks import Finding, Grade
from homeport.engine import docker
from homeport.engine.docker import Engine
from homeport.engine.registry import Answer, ask
from homeport.errors import EXIT_FAILED, HomeportError
from homeport.model.jobs import default_jobs
from homeport.report.console import make_console
from homeport.report.document import write_json
from homeport.report.words import plural, size

_STYLES = {Grade.GOOD: "green", Grade.WARN: "yellow", Grade.BAD: "red"}


def run(*, registry: str = "", json: str = "") -> int:
    """Show what is good and what isn't; returns 1 if something is bad, else 0."""
    findings = examine(registry)
    console = make_console(sys.stderr if json == "-" else sys.stdout)
    for finding in findings:
        console.print(
            Text.assemble(
                (f"{finding.grade.value:<5}", _STYLES[finding.grade]), f" {finding.name:<12} ", finding.text
            ),
            soft_wrap=True,
        )
        if finding.hint:
            console.print(Text(f"{'':<19}next: {finding.hint}", style="dim"), soft_wrap=True)
    bad = [finding for finding in findings if finding.grade is Grade.BAD]
    if bad:
        console.print(Text(f"\n{plural(len(bad), 'thing')} to mend."))
    if json:
        write_json(
            json,
            {
                "schema": "homeport.doctor/1",
                "ok": not bad,
                "findings": [{**asdict(finding), "grade": finding.grade.value} for finding in findings],
            },
        )
    return EXIT_FAILED if bad else 0


def examine(registry: str) -> list[Finding]:
    """Read the facts and judge them; without an engine, what depends on it is left out."""
    answer: Answer | None = ask(registry) if registry else None
    try:
        found: Engine | HomeportError = docker.parse_engine(
            docker.info(), host=os.environ.get("DOCKER_HOST", "")
        )
    except HomeportError as error:
        found = error
    now = time.time()
    findings = [checks.engine(found)]
    if isinstance(found, Engine):
        findings += [
            checks.plugin(found, "buildx"),
            checks.plugin(found, "compose"),
            checks.image_store(found),
        ]
    findings.append(checks.registry(registry, answer))
    if isinstance(found, Engine):
        free = shutil.disk_usage(found.root).free if found.local and Path(found.root).is_dir() else None
        findings += [
            checks.disk(found, free, size(free or 0)),
            checks.memory(
                found,
                size(found.free_memory),
                size(found.memory),
                default_jobs(found.cpus, found.free_memory),
            ),
            checks.clock(found.time, now),
        ]
    return findings

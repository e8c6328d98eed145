"""``scan`` from end to end: images -> scanner -> verdict -> report."""

from __future__ import annotations

import datetime
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from rich.console import Console
from rich.text import Text

from homeport.engine import history, killed
from homeport.engine import images as engine_images
from homeport.engine.scanner import CONTAINER_LABEL, OWNER_LABEL, Programs, Scanner
from homeport.errors import EXIT_FAILED
from homeport.model.config import ScanConfig
from homeport.model.finding import Finding
from homeport.model.vulnerability import limit
from homeport.report.console import make_console, show_warnings
from homeport.report.document import check_file, make_folder, write_json
from homeport.scan import baseline, images, leaks, page, results, sarif, sboms, show, verdict
from homeport.scan.hits import Hit, of_repository
from homeport.scan.images import Looked
from homeport.scan.show import Outcome
from homeport.scan.subjects import Subject, Wanted, subjects
from homeport.scan.verdict import Gate


@dataclass(frozen=True)
class Request:
    """What is asked for, with the images that somebody wants to have scanned."""

    wanted: tuple[Wanted, ...]
    config: ScanConfig = field(default_factory=ScanConfig)
    repository: tuple[Finding, ...] = ()
    """What is wrong in the repository itself."""
    excepted: tuple[tuple[Finding, str], ...] = ()
    """What may stay as it is there, each with the reason."""
    warnings: tuple[str, ...] = ()
    """What is to be said before anything begins."""
    whole: bool = True
    """Whether these are all images of the repository."""
    name: str = ""
    """The repository's, for the page."""
    folder: str = ""
    """The way to its files from git's top level, for SARIF."""
    write_baseline: str = ""
    update: bool = True
    dry_run: bool = False
    json: str = ""
    sarif: str = ""
    report: str = ""
    sbom: str = ""
    cache: Path = field(default_factory=results.default_path)
    today: datetime.date = field(default_factory=datetime.date.today)


def run(request: Request) -> int:
    """Scan, show, and write what is asked for; 1 if a finding counts, else 0.

    Raises HomeportError: a scan that didn't happen is never one that found nothing.
    """
    config, started = request.config, time.time()
    gate = _gate(request)
    console = make_console(sys.stderr if "-" in (request.json, request.sarif) else sys.stdout)
    show_warnings(request.warnings, console)
    with Programs(float(config.timeout)) as programs:
        scanner = images.choose(config.scanner, config, programs)
        found = subjects(request.wanted, engine_images.find(one.reference for one in request.wanted))
        if request.dry_run:
            return _show_plan(request, found, scanner, console)
        show_warnings(killed.sweep(CONTAINER_LABEL, OWNER_LABEL), console)
        lister = sboms.lister(scanner, programs) if request.sbom else None
        show.begin(scanner.shown, request.update, console)
        ready = scanner.prepare(request.update)
        jobs = max(config.jobs, 1)
        looked = images.look(
            scanner, ready, found, jobs, request.cache, programs, lambda one: show.done(one, console)
        )
        listed = sboms.write(lister, found, Path(request.sbom), jobs, programs) if lister else {}
    hits = [*_of_images(looked), *map(of_repository, request.repository)]
    excepted = [(of_repository(one), reason) for one, reason in request.excepted]
    gate = replace(gate, targets=tuple(name for one in found for name in one.targets))
    judged = verdict.judge(hits, gate, request.today, excepted)
    unknown = _unknown(one.subject for one in looked if not one.report.looked)
    judged = replace(judged, warnings=(*unknown, *judged.warnings))
    outcome = Outcome(tuple(looked), ready, gate, judged, listed, accepted=bool(request.write_baseline))
    _report(request, outcome, started, console)
    return EXIT_FAILED if outcome.failed else 0


def _gate(request: Request) -> Gate:
    """What counts. Everything that can be wrong with the request is found here, before a long scan."""
    config = request.config
    written = (("--json", request.json), ("--sarif", request.sarif))
    for option, path in (*written, ("--write-baseline", request.write_baseline)):
        if path:
            check_file(path, option)
    for option, folder in (("--report", request.report), ("--sbom", request.sbom)):
        if folder and not request.dry_run:
            make_folder(Path(folder), option)
    verdict.check(config.ignore)
    return Gate(
        limit(config.severity, "--severity or severity under [scan]"),
        config.fixable_only,
        config.ignore,
        baseline.read(config.baseline) if config.baseline else None,
        request.whole,
    )


def _show_plan(request: Request, found: Sequence[Subject], scanner: Scanner, console: Console) -> int:
    show.plan(found, scanner.shown, console)
    if request.json:
        write_json(request.json, show.plan_document(found, scanner.shown))
    return 0


def _report(request: Request, outcome: Outcome, started: float, console: Console) -> None:
    console.print()
    show.findings(outcome.verdict, console)
    show_warnings(outcome.verdict.warnings, console)
    console.print(Text(show.last_line(outcome)))
    if request.write_baseline:
        baseline.write(request.write_baseline, outcome.verdict.taken)
        console.print(Text(f"Written to {request.write_baseline}: with --baseline only what is new fails."))
    if request.sbom:
        console.print(Text(f"Lists of what is in them: {request.sbom}"), soft_wrap=True)
    if request.report:
        folder = Path(request.report)
        written = page.write(folder, outcome, request.name, started, request.folder)
        console.print(Text(f"Report: {written}"), soft_wrap=True)
    if request.json:
        write_json(request.json, show.document(outcome))
    if request.sarif:
        write_json(request.sarif, sarif.document(outcome.verdict, request.folder))


def _of_images(looked: Sequence[Looked]) -> list[Hit]:
    """What was found in images, and what they tell of themselves: each thing once for each image."""
    told = history.read(one.subject.id for one in looked)
    found = [Hit(weakness, one.subject) for one in looked for weakness in one.report.weaknesses]
    found += [Hit(weakness, one.subject) for one in looked for weakness in leaks.find(told[one.subject.id])]
    return list(dict.fromkeys(found))


def _unknown(nothing: Iterable[Subject]) -> Iterable[str]:
    for subject in nothing:
        yield (
            f"{subject.reference}: the scanner knows none of what is in it, neither packages of a system nor "
            "of a language. That nothing was found says nothing."
        )

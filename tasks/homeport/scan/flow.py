"""``scan`` from end to end: images -> scanner -> verdict -> report."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.text import Text

from homeport.engine import images as engine_images
from homeport.engine.scanner import Programs, Ready
from homeport.errors import EXIT_FAILED
from homeport.model.config import ScanConfig
from homeport.model.vulnerability import limit
from homeport.report.console import make_console, show_warnings
from homeport.report.document import check_json, write_json
from homeport.scan import baseline, images, results, show, verdict
from homeport.scan.hits import Hit
from homeport.scan.images import Looked
from homeport.scan.show import Outcome
from homeport.scan.subjects import Subject, Wanted, subjects
from homeport.scan.verdict import Gate


@dataclass(frozen=True)
class Request:
    """What is asked for, with the images that somebody wants to have scanned."""

    wanted: tuple[Wanted, ...]
    config: ScanConfig = field(default_factory=ScanConfig)
    warnings: tuple[str, ...] = ()
    """What is to be said before anything begins."""
    whole: bool = True
    """Whether these are all images of the repository."""
    write_baseline: str = ""
    update: bool = True
    dry_run: bool = False
    json: str = ""
    cache: Path = field(default_factory=results.default_path)
    today: datetime.date = field(default_factory=datetime.date.today)


def run(request: Request) -> int:
    """Scan, show, and write what is asked for; 1 if a finding counts, else 0.

    Raises HomeportError: a scan that didn't happen is never one that found nothing.
    """
    config = request.config
    for path in filter(None, (request.json,)):
        check_json(path)
    verdict.check(config.ignore)
    gate = Gate(
        limit(config.severity, "--severity"),
        config.fixable_only,
        config.ignore,
        baseline.read(config.baseline) if config.baseline else None,
        request.whole,
    )
    console = make_console(sys.stderr if request.json == "-" else sys.stdout)
    show_warnings(request.warnings, console)
    with Programs(float(config.timeout)) as programs:
        scanner = images.choose(config.scanner, config, programs)
        found = subjects(request.wanted, engine_images.find(one.reference for one in request.wanted))
        if request.dry_run:
            show.plan(found, scanner.shown, console)
            if request.json:
                write_json(request.json, show.plan_document(found, scanner.shown))
            return 0
        ready = scanner.prepare(request.update)
        looked = images.look(
            scanner,
            ready,
            found,
            max(config.jobs, 1),
            request.cache,
            programs,
            lambda one: show.done(one, console),
        )
    return _report(request, gate, ready, looked, console)


def _report(request: Request, gate: Gate, ready: Ready, looked: Sequence[Looked], console: Console) -> int:
    judged = verdict.judge(hits(looked), gate, request.today)
    outcome = Outcome(tuple(looked), ready, gate, judged, {})
    console.print()
    show.findings(judged, console)
    show_warnings(
        (*_unknown(one.subject for one in looked if not one.report.looked), *judged.warnings), console
    )
    console.print(Text(show.last_line(outcome)))
    if request.write_baseline:
        baseline.write(request.write_baseline, judged.taken)
        console.print(Text(f"Written to {request.write_baseline}: from now on only what is new counts."))
    if request.json:
        write_json(request.json, show.document(outcome))
    return EXIT_FAILED if outcome.failed and not request.write_baseline else 0


def hits(looked: Iterable[Looked]) -> list[Hit]:
    """What was found in images, each thing once for each image."""
    found = (Hit(weakness, one.subject) for one in looked for weakness in one.report.weaknesses)
    return list(dict.fromkeys(found))


def _unknown(nothing: Iterable[Subject]) -> Iterable[str]:
    for subject in nothing:
        yield (
            f"{subject.reference}: the scanner knows none of what is in it, neither packages of a system nor "
            "of a language. That nothing was found says nothing."
        )

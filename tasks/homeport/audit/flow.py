"""``audit`` from end to end: facts -> findings -> proof -> write -> report."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from rich.text import Text

from homeport.audit import (
    buildcaches,
    composes,
    contexts,
    dockerfiles,
    facts,
    others,
    pins,
    show,
    suppress,
)
from homeport.audit.buildcaches import Wanted
from homeport.audit.contexts import Reviews
from homeport.audit.facts import AuditFacts
from homeport.audit.finding import (
    BASE_OUTDATED,
    BASE_UNPINNED,
    COMPOSE_UNREADABLE,
    NO_BUILD_CACHE,
    OFF,
    RULES,
    SECURITY,
    UNREADABLE,
)
from homeport.audit.mend import Unproven, mended
from homeport.audit.suppress import Sifted
from homeport.errors import EXIT_FAILED, ISSUES_URL, UsageError, did_you_mean
from homeport.model.compose_edit import CannotEdit
from homeport.model.config import AuditConfig
from homeport.model.finding import Finding, Severity
from homeport.model.project import Service
from homeport.report import sarif
from homeport.report.console import make_console, show_warnings
from homeport.report.difference import difference, show_difference
from homeport.report.document import check_file, write_json
from homeport.sources.compose import ComposeFiles, shown
from homeport.sources.replace import write

_BUG = f"This is a bug in homeport, please report it: {ISSUES_URL}."


@dataclass(frozen=True)
class Request:
    """What is asked for. ``only`` are rules, all but those that are off by default if empty."""

    root: Path
    config: AuditConfig = field(default_factory=AuditConfig)
    only: tuple[str, ...] = ()
    fix: bool = False
    apply: bool = False
    check: bool = False
    json: str = ""
    sarif: str = ""
    tools: bool = True
    """Whether BuildKit's checks and hadolint are asked, too, where they are there."""
    today: datetime.date = field(default_factory=datetime.date.today)
    files: tuple[str, ...] = ()
    """Compose files, as for ``docker compose --file``."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    folder: str = ""
    """The way to the root from git's top level, for SARIF."""


def rules() -> int:
    """List the rules."""
    show.rules(RULES, make_console())
    return 0


def run(request: Request) -> int:
    """Look, show, and mend with ``apply``; 1 if ``check`` finds an error or a warning, else 0.

    Raises HomeportError; then no file was changed.
    """
    for option, path in (("--json", request.json), ("--sarif", request.sarif)):
        if path:
            check_file(path, option)
    if request.json and request.json == request.sarif:
        raise UsageError(
            "--json and --sarif can't have the same place.", hint="Name another file for one of them."
        )
    suppress.check(request.config.suppress)
    buildcaches.check(request.config.build_cache)
    chosen = _chosen(request)
    console = make_console(sys.stderr if "-" in (request.json, request.sarif) else sys.stdout)
    found = facts.read(request.root, request.files, request.environment)
    with ThreadPoolExecutor(1) as pool:
        names = [source.shown for source in found.dockerfiles]
        asked = pool.submit(others.ask, names, request.root) if request.tools else None
        texts = {source.path.resolve(): source.text for source in found.dockerfiles}
        reviews = contexts.review([one.build for one in found.built], request.root, texts)
        own = [*_findings(found), *reviews.findings, *_bases(found, chosen, request.fix or request.apply)]
        more, left_out = asked.result() if asked else ([], ())
    uncached = {one: tuple(buildcaches.find(one, request.config.build_cache)) for one in found.projects}
    own += [each.finding for ones in uncached.values() for each in ones]
    everything = [one for one in own if one.rule.id in chosen]
    theirs = others.without_repetition(more, {source.shown: source.text for source in found.dockerfiles})
    everything += [one for one in theirs if not request.only or one.rule.id in chosen]
    sifted = suppress.sift(everything, request.config.suppress, request.today)
    unchanged: list[str] = []
    changes = []
    if request.fix or request.apply:
        changes = _changes(found, reviews, uncached, sifted.open, request.root, unchanged)
    diff = difference((shown(one.path, request.root), *one.texts) for one in changes)
    show.findings(sifted, console)
    show.why(sifted, console)
    warnings = (*found.problems, *reviews.problems, *left_out, *sifted.warnings, *unchanged)
    show_warnings(warnings, console)
    if diff:
        show_difference(diff, console)
        console.print()
    mended_ = {id(one) for change in changes for one in change.mends} if request.apply else set()
    if request.apply:
        write({one.path: one.new for one in changes}, {one.path: one.old for one in changes})
    services = sum(len(one.project.services) for one in found.projects)
    console.print(Text(show.last_line(sifted, len(found.dockerfiles), services, len(mended_))))
    if diff and not request.apply:
        console.print(Text("Nothing was written: --fix --apply does it.", style="dim"))
    if request.json:
        write_json(request.json, show.document(sifted, diff, request.apply))
    if request.sarif:
        known = {rule.id: rule for rule in (*(one.rule for one in theirs), *RULES)}
        found_ = sarif.document(sifted.open, sifted.suppressed, known.values(), folder=request.folder)
        write_json(request.sarif, found_)
    return EXIT_FAILED if request.check and _bad(sifted, mended_) else 0


def security(request: Request) -> Sifted:
    """What the rules about security find, for other commands; what can't be read is among the warnings.

    Raises HomeportError as :func:`run` does. Nothing is shown or changed.
    """
    wanted = {rule.id for rule in SECURITY}
    suppress.check(request.config.suppress)
    found = facts.read(request.root, request.files, request.environment)
    reviews = contexts.review([one.build for one in found.built], request.root)
    everything = [*_findings(found), *reviews.findings]
    blind = {UNREADABLE.id: "Dockerfile", COMPOSE_UNREADABLE.id: "Compose project"}
    problems = [
        f"Nothing is said of the {blind[one.rule.id]} {one.path}: {one.what}"
        for one in everything
        if one.rule.id in blind
    ]
    own = {name: one for name, one in request.config.suppress.items() if one.rule in wanted}
    sifted = suppress.sift([one for one in everything if one.rule.id in wanted], own, request.today)
    return replace(sifted, warnings=(*found.problems, *reviews.problems, *problems, *sifted.warnings))


def _bad(found: Sifted, mended_: Collection[int]) -> bool:
    return any(one.rule.severity is not Severity.NOTE and id(one) not in mended_ for one in found.open)


def _chosen(request: Request) -> set[str]:
    known = {rule.id for rule in RULES}
    for name in (*request.only, *request.config.also):
        program, _, theirs = name.partition("/")
        if name not in known and not (program in others.PROGRAMS and theirs):
            raise UsageError(
                f"There is no rule '{name}'.",
                cause=did_you_mean(name, known),
                hint="'homeport audit --rules' lists them.",
            )
    asked = {NO_BUILD_CACHE.id} if request.config.build_cache else set()
    return set(request.only) or (known - OFF) | set(request.config.also) | asked


def _findings(found: AuditFacts) -> Iterable[Finding]:
    texts = {source.path: source.text for source in found.dockerfiles}
    users: dict[Path, list[Service]] = {}
    for one in found.built:
        users.setdefault(one.build.dockerfile, []).append(one.service)
    by_service = {id(one.service): one.build for one in found.built}

    def checked(service: Service) -> bool:
        build = by_service.get(id(service))
        text = texts.get(build.dockerfile, "") if build else ""
        said = composes.health_check(service)
        return dockerfiles.has_health_check(text, build.target if build else "") if said is None else said

    for source in found.dockerfiles:
        own = users.get(source.path, ())
        # Which Dockerfiles are services is known where there is a Compose file.
        unchecked = [one.name for one in own if composes.health_check(one) is None]
        known = bool(found.projects) and not unchecked
        yield from dockerfiles.find(source.text, source.shown, contexts=found.contexts, checked=known)
    for path, error in found.unreadable:
        what = " ".join(filter(None, (error.what, error.cause)))
        yield Finding(COMPOSE_UNREADABLE, path, 0, what, error.hint or "Correct it there.")
    for project in found.projects:
        yield from composes.find(project, checked)


def _bases(found: AuditFacts, chosen: set[str], fix: bool) -> Iterable[Finding]:
    """Base images without their digest; what it is now is asked only where that is needed."""
    if not chosen & {BASE_UNPINNED.id, BASE_OUTDATED.id}:
        return
    names = {
        base.name
        for source in found.dockerfiles
        for base in pins.bases(source.text, found.contexts)
        if (base.digest and BASE_OUTDATED.id in chosen) or (not base.digest and fix)
    }
    digests = pins.ask(names)
    for source in found.dockerfiles:
        yield from pins.find(source.text, source.shown, found.contexts, digests)


@dataclass(frozen=True)
class _Change:
    """A file as it is (None: not there yet) and as it would be."""

    path: Path
    old: bytes | None
    new: bytes
    mends: tuple[Finding, ...] = ()

    @property
    def texts(self) -> tuple[str, str]:
        old, new = (each.decode("utf-8", "surrogateescape") for each in (self.old or b"", self.new))
        return old, new


def _changes(
    found: AuditFacts,
    reviews: Reviews,
    uncached: Mapping[ComposeFiles, Collection[Wanted]],
    findings: Collection[Finding],
    root: Path,
    unchanged: list[str],
) -> list[_Change]:
    """What would mend these findings, in Dockerfiles, ignore files and Compose files.

    ``unchanged`` gets, in words, what can't be: whatever lies outside of the repository, also by a link.
    """
    by_path: dict[str, list[Finding]] = {}
    for one in findings:
        if one.edits:
            by_path.setdefault(one.path, []).append(one)
    sources = {source.shown: source for source in found.dockerfiles}
    new = []
    for path, own in by_path.items():
        source = sources[path]
        try:
            text = mended(source.text, own)
        except Unproven as error:
            unchanged.append(f"{path} is left as it is: {error}. {_BUG}")
            continue
        new.append(_Change(source.path, source.data, text.encode("utf-8", "surrogateescape"), tuple(own)))
    changes = filter(None, (review.change(findings) for review in reviews.reviews))
    new += [_Change(one.path, one.old, one.new, one.mends) for one in changes]
    for files, wanted in uncached.items():
        try:
            texts = buildcaches.changes(files, wanted, findings)
        except CannotEdit as error:
            unchanged.append(f"Compose files are left as they are: {error}. {_BUG}")
            continue
        for file, data in texts.items():
            name = files.shown(file)
            mended_here = [
                one.finding for one in wanted if one.finding in findings and one.finding.path == name
            ]
            new.append(_Change(file, files.sources[file], data, tuple(mended_here)))
    inside = []
    for change in new:
        if change.path.resolve().is_relative_to(root.resolve()):
            inside.append(change)
        else:
            outside = shown(change.path, root)
            unchanged.append(f"{outside} is left as it is: it lies outside of the repository.")
    return inside

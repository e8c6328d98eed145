"""The deploy and rollback commands from end to end: facts -> plan -> apply -> report."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from homeport.deploy import facts, notes, preflight, show
from homeport.deploy import plan as planning
from homeport.deploy.apply import forward
from homeport.deploy.desired import Desired, ReplicaSet, desired
from homeport.deploy.facts import DeployFacts
from homeport.deploy.finish import finish
from homeport.deploy.front import LiveFront
from homeport.deploy.haproxy import Route
from homeport.deploy.plan import DeployPlan
from homeport.deploy.undo import undo
from homeport.deploy.work import Work
from homeport.engine import compose, docker
from homeport.errors import DeployBroken, DeployUndone, HomeportError, Interrupted, UsageError
from homeport.model import release as releases
from homeport.model.release import Deployed, Outcome, Release
from homeport.report.console import make_console, show_warnings
from homeport.report.document import check_json, write_json


@dataclass(frozen=True)
class Request:
    """What the command line and configuration ask for; paths are relative to ``cwd``."""

    cwd: Path
    files: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    zero_downtime: bool = False
    front_image: str = ""
    gate_seconds: float = 120.0
    lock_wait: float = 0.0
    message: str = ""
    dry_run: bool = False
    json: str = ""


def deploy(request: Request) -> int:
    """Deploy what the Compose file says; returns the exit code. Raises HomeportError."""

    def wanted(found: DeployFacts) -> tuple[Desired, int]:
        # Fronts that are there stay: without them the next deploy would lose requests again.
        fronts = request.zero_downtime or any(one.front for one in found.running.values())
        made = desired(found.stack, found.images, found.files, front_image=request.front_image, fronts=fronts)
        return made, 0

    return _run(request, "deploy", wanted)


def rollback(request: Request, to: str) -> int:
    """Deploy an old release again; returns the exit code. Raises HomeportError."""

    def wanted(found: DeployFacts) -> tuple[Desired, int]:
        chosen = releases.choose(found.releases, to)
        return _of_release(chosen, found), chosen.number

    return _run(request, f"rollback to {to}", wanted, back=True)


def _of_release(release: Release, found: DeployFacts) -> Desired:
    """What a release ran. Raises UsageError where not all of it is there any more."""
    sets = {}
    for name, deployed in release.services.items():
        service = found.stack.services.get(name)
        if service is not None and service.one_shot:
            continue  # what has run has run: running an older one doesn't take a migration back
        if service is None:
            raise UsageError(
                f"{release.id} had a service '{name}', which the Compose file has no more.",
                hint="Check out the revision of that release, and deploy it.",
            )
        own = found.running.get(name)
        there = own.sets.get(deployed.replica_set, ()) if own else ()
        if len(there) < deployed.count:
            raise UsageError(
                f"{release.id} can't run again: the containers of {name} ({deployed.replica_set}) are gone.",
                hint=f"Check out {release.revision[:12] or 'its revision'} and deploy it.",
            )
        sets[name] = ReplicaSet(name, deployed.replica_set, deployed.image, deployed.count, {})
    return Desired(release.stack, sets, {}, {})


def _run(
    request: Request, what: str, wanted: Callable[[DeployFacts], tuple[Desired, int]], *, back: bool = False
) -> int:
    console = make_console(sys.stderr if request.json == "-" else sys.stdout)
    if request.json:
        check_json(request.json)
    engine = docker.engine()
    document = compose.config(request.files, request.cwd)
    if request.dry_run:
        found = facts.read(document, request.cwd, request.services, pull=False, lenient=back)
        plan, _, _ = _plan(found, request, wanted)
        show.plan(plan, console)
        if request.json:
            write_json(request.json, show.plan_document(plan))
        return 0
    name = str(document.get("name") or "")
    with notes.Lock(name, what, request.lock_wait, lambda text: console.print(text, markup=False)):
        found = facts.read(document, request.cwd, request.services, pull=not back, lenient=back)
        plan, target, of = _plan(found, request, wanted)
        show_warnings(plan.warnings, console)
        if not plan.changes and not plan.strays and _is_current(found, target):
            console.print(f"Nothing to deploy: {len(plan.steps)} services unchanged.", markup=False)
            return 0
        preflight.memory(plan, found.running, engine.free_memory)
        return _apply(request, found, plan, target, of, console)


def _plan(
    found: DeployFacts, request: Request, wanted: Callable[[DeployFacts], tuple[Desired, int]]
) -> tuple[DeployPlan, Desired, int]:
    target, of = wanted(found)
    whole = not request.services and not of
    return planning.make(found.stack, target, found.running, whole=whole), target, of


def _apply(
    request: Request,
    found: DeployFacts,
    plan: DeployPlan,
    target: Desired,
    of: int,
    console: Console,
) -> int:
    started = time.time()
    fronts = {
        name: LiveFront.of(one.front, found.stack.services[name], found.routes.get(name, Route()))
        for name, one in found.running.items()
        if one.front is not None and name in found.stack.services
    }
    tell = show.teller(console)
    work = Work(plan, found.stack, target, found.running, fronts, request.cwd, tell, request.gate_seconds)

    def release(outcome: Outcome) -> Release:
        before = releases.current(found.releases)
        kept = dict(before.services) if before else {}
        gone = {name for name, step in plan.steps.items() if step.action is planning.Action.REMOVED}
        now = {
            name: one for name, one in {**kept, **_deployed(target, found, work)}.items() if name not in gone
        }
        return Release(
            notes.next_number(plan.stack),
            plan.stack,
            started,
            round(time.time() - started, 3),
            outcome,
            now,
            plan.changes,
            notes.who(),
            notes.host(),
            found.revision,
            found.dirty,
            request.message,
            of,
        )

    try:
        forward(work)
    except (HomeportError, KeyboardInterrupt) as error:
        raise _undone(work, error, release) from error
    except Exception:
        undo(work)  # a bug of ours is no reason to leave a stack half-way
        raise
    # From now on this is what should run, whatever happens: only what is old is left to be stopped.
    made = release(Outcome.PASSED)
    notes.write(made)
    try:
        finish(work)
    except HomeportError as error:
        left = f"something old was left running ({error.what} {error.detail})"
        show_warnings((f"The release runs, but {left}: deploy again to end it.",), console)
    show.result(made, work.events, console)
    if request.json:
        write_json(request.json, show.result_document(made, work.events))
    return 0


def _is_current(found: DeployFacts, target: Desired) -> bool:
    """Whether the last release says what should run: it doesn't after a deploy that was killed at its end."""
    now = releases.current(found.releases)
    return now is not None and all(
        name in now.services and now.services[name].replica_set == one.name
        for name, one in target.sets.items()
    )


def _undone(
    work: Work, error: HomeportError | KeyboardInterrupt, release: Callable[[Outcome], Release]
) -> HomeportError:
    """Undo what was done; the error that says what came of it."""
    try:
        problems = undo(work)
    except KeyboardInterrupt:
        problems = ("It was interrupted again while it was being undone.",)
    what = error.what if isinstance(error, HomeportError) else "Interrupted."
    detail = "\n".join(filter(None, (error.detail, error.cause))) if isinstance(error, HomeportError) else ""
    made = release(Outcome.BROKEN if problems else Outcome.UNDONE)
    notes.write(made)
    if problems:
        return DeployBroken(
            f"{what} It could not be undone.",
            detail="\n".join((detail, *problems)).strip(),
            hint="'homeport status' says what runs; 'homeport deploy' mends what it can.",
        )
    if isinstance(error, KeyboardInterrupt):
        return Interrupted("Interrupted. Everything runs as before.")
    return DeployUndone(what, cause="Everything runs as before.", hint=error.hint, detail=detail)


def _deployed(target: Desired, found: DeployFacts, work: Work) -> Mapping[str, Deployed]:
    return {
        name: Deployed(
            one.name, one.image, service.image, one.count, name in work.fronts, one_shot=service.one_shot
        )
        for name, one in target.sets.items()
        for service in (found.stack.services[name],)
    }

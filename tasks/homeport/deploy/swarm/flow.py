"""The deploy and rollback commands on Swarm: facts -> plan -> apply -> report."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from homeport.deploy import execution, notes, show
from homeport.deploy.desired import Desired, ReplicaSet
from homeport.deploy.hooks import Hooks
from homeport.deploy.plan import DeployPlan
from homeport.deploy.request import Request
from homeport.deploy.swarm import apply, document, facts, past, records
from homeport.deploy.swarm import plan as planning
from homeport.deploy.swarm.facts import SwarmFacts
from homeport.deploy.work import Work
from homeport.engine import compose, configs, docker
from homeport.errors import DeployBroken, DeployUndone, HomeportError, Interrupted
from homeport.model import release as releases
from homeport.model.release import Deployed, Outcome, Release
from homeport.model.stack import PAUSE
from homeport.report.console import make_console, show_warnings
from homeport.report.document import check_file, make_folder, write_json
from homeport.report.words import plural

_MESH = (
    "--zero-downtime on Swarm means start-first updates behind its routing mesh: there is no front, and what "
    "is in flight at an old task has only its stop_grace_period."
)


@dataclass(frozen=True)
class Goal:
    """What a command wants to run: the services by name, and what they share. ``of`` is the number of the
    release that a rollback goes back to, or 0; ``leaving`` are services that are to go."""

    sets: Mapping[str, ReplicaSet] = field(hash=False)
    shared: Mapping[str, Mapping[str, Any]] = field(hash=False)
    leaving: tuple[str, ...]
    of: int = 0
    warnings: tuple[str, ...] = ()


def deploy(request: Request) -> int:
    """Deploy what the Compose file says; returns the exit code. Raises HomeportError."""
    return _run(request, "deploy", lambda found: _wanted(request, found))


def rollback(request: Request, to: str, *, force: bool = False) -> int:
    """Deploy an old release again; returns the exit code. Raises HomeportError."""

    def wanted(found: SwarmFacts) -> Goal:
        chosen = releases.choose(found.releases, to)
        sets, shared = past.of_release(chosen, found, force=force)
        gone = {name for name in _own(found) - sets.keys() if not found.running[name].job}
        return Goal(sets, shared, tuple(sorted(gone)), chosen.number, _others(found, sets))

    return _run(request, f"rollback to {to}", wanted, back=True)


def _wanted(request: Request, found: SwarmFacts) -> Goal:
    gone = _own(found) - found.stack.services.keys() if not request.services else ()
    mesh = (_MESH,) if request.zero_downtime else ()
    warnings = (*mesh, *found.warnings, *_others(found, found.stack.services))
    return Goal(found.sets, found.shared, tuple(sorted(gone)), warnings=warnings)


def _own(found: SwarmFacts) -> set[str]:
    """The services of the stack that homeport has deployed."""
    return {name for name, one in found.running.items() if planning.form_of(one)}


def _others(found: SwarmFacts, known: Collection[str]) -> tuple[str, ...]:
    others = sorted(found.running.keys() - _own(found) - set(known))
    return (f"{', '.join(others)} of the stack is somebody else's: it stays as it is.",) if others else ()


def _run(request: Request, what: str, wanted: Callable[[SwarmFacts], Goal], *, back: bool = False) -> int:
    console = make_console(sys.stderr if request.json == "-" else sys.stdout)
    if request.json:
        check_file(request.json, "--json")
    if request.report:
        make_folder(Path(request.report))
    if request.probe:
        from homeport.deploy.probe import check_url

        check_url(request.probe)
    docker.engine()
    name = str(compose.config(request.files, request.cwd).get("name") or "")
    if request.dry_run:
        _, _, plan = _look(request, wanted, pull=False, back=back)
        show.plan(plan, console)
        if request.json:
            write_json(request.json, show.plan_document(plan))
        return 0
    lock = notes.Lock(name, what, request.lock_wait, lambda text: console.print(text, markup=False), configs)
    with lock:
        found, goal, plan = _look(request, wanted, pull=not back, back=back)
        show_warnings(plan.warnings, console)
        if not plan.changes and _is_current(found, goal):
            console.print(f"Nothing to deploy: {plural(len(plan.steps), 'service')} unchanged.", markup=False)
            return 0
        return _execute(request, found, plan, goal, console)


def _look(
    request: Request, wanted: Callable[[SwarmFacts], Goal], *, pull: bool, back: bool
) -> tuple[SwarmFacts, Goal, DeployPlan]:
    read = compose.config(request.files, request.cwd)
    found = facts.read(read, request.cwd, request.services, files=request.files, pull=pull, lenient=back)
    goal = wanted(found)
    last = releases.current(found.releases)
    plan = planning.make(
        found.stack.name,
        goal.sets,
        found.running,
        needs={name: tuple(service.needs) for name, service in found.stack.services.items()},
        was=past.found_again(last, found)[0] if last else {},
        leaving=goal.leaving,
        whys={} if back else {name: document.order(found.stack.services[name])[1] for name in goal.sets},
        warnings=goal.warnings,
    )
    return found, goal, plan


def _is_current(found: SwarmFacts, goal: Goal) -> bool:
    """Whether the last release says what should run: it doesn't after a deploy that was killed at its end."""
    now = releases.current(found.releases)
    own = {name: one.replica_set for name, one in now.services.items()} if now else {}
    return all(own.get(name) == one.name for name, one in goal.sets.items())


def _execute(request: Request, found: SwarmFacts, plan: DeployPlan, goal: Goal, console: Console) -> int:
    work = Work(
        plan, found.stack, Desired(plan.stack, goal.sets, {}, {}), {}, {}, request.cwd, show.teller(console),
        request.gate_seconds, request.run_seconds, releases.current(found.releases),
    )  # fmt: skip
    with execution.probing(request, work) as probe:
        made, failure = _attempt(request, found, work, goal)
    if failure is None:
        show.result(made, work.events, console)
    execution.report(request, work, made, failure, probe.result if probe else None, console)
    if failure is not None:
        raise failure
    return 0


def _attempt(
    request: Request, found: SwarmFacts, work: Work, goal: Goal
) -> tuple[Release, HomeportError | None]:
    """Do it or undo it, and keep a record of that."""
    started = time.time()
    hooks = Hooks(work.plan.stack, "rollback" if goal.of else "deploy", request.cwd, work)
    try:
        hooks.run("before", request.before)
        apply.forward(work, found, goal.shared)
        hooks.run("after", request.after)
    except (HomeportError, KeyboardInterrupt) as error:
        outcome, failure = _failed(work, found, error)
        failure.__cause__ = error
        made = _release(request, found, work, goal, started, outcome)
        try:
            records.write(made, records.document_of({}, {}, {}, ()))
        except HomeportError as second:
            failure.detail = f"{failure.detail}\n{second.what} {second.detail}".strip()
        return made, failure
    except Exception:
        apply.undo(work, found)  # a bug of ours is no reason to leave a stack half-way
        raise
    made = _release(request, found, work, goal, started, Outcome.PASSED)
    before = found.documents.get(work.last.number, {}) if work.last else {}
    records.write(made, records.document_of(goal.sets, goal.shared, before, made.services))
    try:
        apply.finish(work)
        records.retain(work.plan.stack, request.keep)
    except KeyboardInterrupt:
        return made, Interrupted(
            f"Interrupted. Release {made.id} has passed and runs; something old may run beside it.",
            hint="'homeport deploy' stops that.",
        )
    return made, None


def _failed(
    work: Work, found: SwarmFacts, error: HomeportError | KeyboardInterrupt
) -> tuple[Outcome, HomeportError]:
    """Undo what was done, unless it is to stay as it is; what came of it, as outcome and error."""
    what = error.what if isinstance(error, HomeportError) else "Interrupted."
    detail = "\n".join(filter(None, (error.detail, error.cause))) if isinstance(error, HomeportError) else ""
    last = work.last.id if work.last else "ID"
    services = (work.stack.services.get(name) for name in work.culprits)
    if any(service is not None and service.failure_action == PAUSE for service in services):
        return Outcome.BROKEN, DeployBroken(
            f"{what} The deploy is paused.",
            cause=f"'failure_action' of {', '.join(work.culprits)} says so. What had passed has its traffic.",
            hint=f"Correct it and deploy again, or go back with 'homeport rollback --to {last}'.",
            detail=detail,
        )
    try:
        problems = apply.undo(work, found)
    except KeyboardInterrupt:
        problems = ("It was interrupted again while it was being undone.",)
    if problems:
        return Outcome.BROKEN, DeployBroken(
            f"{what} It could not be undone.",
            detail="\n".join((detail, *problems)).strip(),
            hint="'homeport status' says what runs; 'homeport deploy' mends what it can.",
        )
    if isinstance(error, KeyboardInterrupt):
        return Outcome.UNDONE, Interrupted("Interrupted. Everything runs as before.")
    return Outcome.UNDONE, DeployUndone(
        f"{error.what} Everything runs as before.", hint=error.hint, detail=detail
    )


def _release(
    request: Request, found: SwarmFacts, work: Work, goal: Goal, started: float, outcome: Outcome
) -> Release:
    before = releases.current(found.releases)
    old = {name: one for name, one in before.services.items() if name not in goal.leaving} if before else {}
    new = {
        name: Deployed(one.name, one.image, str(one.spec["image"]), one.count, one_shot=planning.is_job(one))
        for name, one in goal.sets.items()
    }
    return Release(
        notes.next_number(work.plan.stack, configs),
        work.plan.stack,
        started,
        round(time.time() - started, 3),
        outcome,
        {**old, **new},
        work.plan.changes,
        notes.who(),
        notes.host(),
        found.revision,
        found.dirty,
        request.message,
        goal.of,
        request.irreversible,
    )

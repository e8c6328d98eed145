"""A plan is carried out: done, or undone, written down as a release, and reported."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from homeport.deploy import notes, shared, show
from homeport.deploy.apply import forward
from homeport.deploy.facts import DeployFacts
from homeport.deploy.finish import finish, settle
from homeport.deploy.front import LiveFront
from homeport.deploy.haproxy import Route
from homeport.deploy.hooks import Hooks
from homeport.deploy.plan import Action, DeployPlan
from homeport.deploy.request import Request, Wanted
from homeport.deploy.retention import retain
from homeport.deploy.undo import undo
from homeport.deploy.work import Work
from homeport.errors import DeployBroken, DeployUndone, HomeportError, Interrupted, UsageError
from homeport.model import release as releases
from homeport.model.release import Deployed, Outcome, Release
from homeport.model.stack import PAUSE
from homeport.report.console import show_warnings
from homeport.report.document import write_json

if TYPE_CHECKING:
    from homeport.deploy.probe import Probe, Probed


def execute(request: Request, found: DeployFacts, plan: DeployPlan, goal: Wanted, console: Console) -> int:
    """Do what a plan says, or undo it; returns the exit code. Raises HomeportError when all is reported."""
    work = _work(request, found, plan, goal, console)
    with probing(request, work) as probe:
        made, failure = _attempt(request, found, work, goal, console)
    if failure is None:
        show.result(made, work.events, console)
    report(request, work, made, failure, probe.result if probe else None, console)
    if failure is not None:
        raise failure
    return show.left_behind(work.failed)


def _work(request: Request, found: DeployFacts, plan: DeployPlan, goal: Wanted, console: Console) -> Work:
    fronts = {
        name: LiveFront.of(one.front, goal.stack.services[name], found.routes.get(name, Route()))
        for name, one in found.running.items()
        if one.front is not None
        and name in goal.stack.services
        # One that the service can have no more holds nobody: it goes with what it routes to.
        and goal.stack.services[name].can_have_front
    }
    return Work(
        plan,
        goal.stack,
        goal.desired,
        found.running,
        fronts,
        request.cwd,
        show.teller(console),
        request.gate_seconds,
        request.run_seconds,
        releases.current(found.releases),
        notes.broken_off(found.stack.name),
    )


@contextlib.contextmanager
def probing(request: Request, work: Work) -> Iterator[Probe | None]:
    """Requests that are counted meanwhile, if they were asked for."""
    if not request.probe:
        yield None
        return
    from homeport.deploy.probe import Probe

    with Probe(request.probe, began=work.began) as probe:
        yield probe


def _attempt(
    request: Request, found: DeployFacts, work: Work, goal: Wanted, console: Console
) -> tuple[Release, HomeportError | None]:
    """Do it or undo it, and keep a record of that."""
    started = time.time()
    hooks = Hooks(work.plan.stack, "rollback" if goal.of else "deploy", request.cwd, work)
    notes.begin(
        work.plan.stack, [one.id for each in found.running.values() for one in each.plain if one.active]
    )
    try:
        hooks.run("before", request.before)
        forward(work)
        hooks.run("after", request.after)
        # Before it is written down: what is a release needs nothing done any more, says the next command.
        settle(work)
    except (HomeportError, KeyboardInterrupt) as error:
        made, failure = _failed(work, error, lambda end: _release(request, found, work, goal, started, end))
        failure.__cause__ = error
        try:
            notes.write(made)
        except HomeportError as second:
            failure.detail = "\n".join(
                filter(None, (failure.detail, f"{second.what} {second.detail}".strip()))
            )
        return made, failure
    except Exception:
        undo(work)  # a bug of ours is no reason to leave a stack half-way
        raise
    # From now on this is what should run, whatever happens: only what is old is left to be stopped.
    made = _release(request, found, work, goal, started, Outcome.PASSED)
    notes.write(made)
    try:
        finish(work)
        retain(work.plan.stack, request.keep)
        if goal.whole or goal.of or not work.broken_off:
            notes.end(work.plan.stack)
    except HomeportError as error:
        left = f"something old was left ({error.what} {error.detail})"
        show_warnings((f"The release runs, but {left}: deploy again to end it.",), console)
    except KeyboardInterrupt:
        return made, Interrupted(
            f"Interrupted. Release {made.id} has passed and runs; something old may run beside it.",
            hint="'homeport deploy' stops that.",
        )
    return made, None


def _release(
    request: Request, found: DeployFacts, work: Work, goal: Wanted, started: float, outcome: Outcome
) -> Release:
    before = releases.current(found.releases)
    old = dict(before.services) if before else {}
    gone = {name for name, step in work.plan.steps.items() if step.action is Action.REMOVED}
    gone |= old.keys() - goal.desired.sets.keys() if goal.whole else set(goal.leaving)
    new = {name: one for name, one in _deployed(goal, work).items() if name not in work.failed}
    return Release(
        notes.next_number(work.plan.stack),
        work.plan.stack,
        started,
        round(time.time() - started, 3),
        outcome,
        {name: one for name, one in {**old, **new}.items() if name not in gone},
        tuple(name for name in work.plan.changes if name not in work.failed),
        notes.who(),
        notes.host(),
        found.revision,
        found.dirty,
        request.message,
        goal.of,
        request.irreversible,
        before.shared if goal.of and before else shared.digests(goal.stack.name, goal.stack.document),
    )


def _failed(
    work: Work, error: HomeportError | KeyboardInterrupt, release: Callable[[Outcome], Release]
) -> tuple[Release, HomeportError]:
    """Undo what was done, unless it is to stay as it is; the release and error that say what came of it."""
    what = error.what if isinstance(error, HomeportError) else "Interrupted."
    detail = "\n".join(filter(None, (error.detail, error.cause))) if isinstance(error, HomeportError) else ""
    services = (work.stack.services.get(name) for name in work.culprits)
    if any(service is not None and service.failure_action == PAUSE for service in services):
        settle(work)
        notes.end(work.plan.stack)  # it is as somebody wants it to be then
        return release(Outcome.BROKEN), DeployBroken(
            f"{what} The deploy is paused.",
            cause=f"'failure_action' of {', '.join(work.culprits)} says so. What had passed has its traffic.",
            hint="Correct it and deploy again, or go back with 'homeport rollback --to "
            f"{_current_id(work.plan.stack)}'.",
            detail=detail,
        )
    try:
        problems = undo(work)
    except KeyboardInterrupt:
        problems = ("It was interrupted again while it was being undone.",)
    if problems:
        return release(Outcome.BROKEN), DeployBroken(
            f"{what} It could not be undone.",
            detail="\n".join((detail, *problems)).strip(),
            hint="'homeport status' says what runs; 'homeport deploy' mends what it can.",
        )
    made = release(Outcome.UNDONE)
    notes.end(work.plan.stack)
    back = "Everything runs as before."
    if work.broken_off and work.last is not None:
        back = f"An earlier deploy never ended: everything runs as in {work.last.id} again."
    if isinstance(error, KeyboardInterrupt):
        return made, Interrupted(f"Interrupted. {back}")
    return made, DeployUndone(f"{error.what} {back}", hint=error.hint, detail=detail)


def _current_id(stack: str) -> str:
    now = releases.current(notes.releases(stack))
    return now.id if now else "ID"


def _deployed(goal: Wanted, work: Work) -> Mapping[str, Deployed]:
    return {
        name: Deployed(
            one.name,
            one.image,
            service.image,
            one.count,
            name in work.fronts,
            one_shot=service.one_shot,
            front_name=work.fronts[name].form if name in work.fronts else "",
        )
        for name, one in goal.desired.sets.items()
        for service in (goal.stack.services[name],)
    }


def report(
    request: Request,
    work: Work,
    made: Release,
    failure: HomeportError | None,
    probed: Probed | None,
    console: Console,
) -> None:
    """Write and show what was asked for; ``probed`` is what requests came to. An error gets the document."""
    document = show.result_document(made, work.plan, work.events, work.failed)
    if probed is not None:
        from homeport.deploy import probe

        console.print(f"Requests: {probe.summary(probed)}.", markup=False, soft_wrap=True)
        document["probe"] = probe.document(probed)
    if request.report:
        from homeport.deploy import page

        said = page.message(failure.as_dict()) if failure else ""
        try:
            path = page.write(Path(request.report), document, work.events, probed, said)
            console.print(f"Report: {path}", markup=False, soft_wrap=True)
        except UsageError as error:  # as an error it would say that nothing was touched
            show_warnings((error.what,), console)
    if request.json and failure is None:
        write_json(request.json, document)
    elif failure is not None:
        failure.document = document

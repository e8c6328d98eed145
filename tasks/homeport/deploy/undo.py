"""Bring back what ran before a deploy that failed."""

from __future__ import annotations

from collections.abc import Mapping

from homeport.deploy import restore
from homeport.deploy.front import FRONT_SECONDS, LiveFront
from homeport.deploy.plan import Action, Running, Step
from homeport.deploy.work import Done, Work, at_once, target
from homeport.engine import containers, gate
from homeport.engine.containers import Container, ContainerProblem
from homeport.errors import HomeportError
from homeport.model.roles import FRONT, REPLICA, ROLE_LABEL, SERVICE_LABEL


def undo(work: Work) -> tuple[str, ...]:
    """Route everything back and remove what is new; returns what couldn't be undone, in words."""
    problems: list[str] = []
    again: list[Step] = []

    def try_one(step: Step) -> None:
        try:
            one(work, step)
        except HomeportError:
            again.append(step)

    def try_again(step: Step) -> None:
        try:
            one(work, step)
        except HomeportError as error:
            problems.append(f"{step.service}: {error.what} {error.detail}".strip())

    # The other way round: who depends on another goes back first.
    for batch in reversed(work.plan.batches):
        steps = [work.plan.steps[name] for name in batch if name in work.done and name not in work.failed]
        at_once(try_one, steps)
    # One may have needed what came back only after it: a network of another, a port.
    at_once(try_again, again)
    try:
        _sweep(work)
    except HomeportError as error:
        problems.append(f"{error.what} {error.detail}".strip())
    if work.broken_off:
        problems += restore.restore(work)
    return tuple(problems)


def _sweep(work: Work) -> None:
    """Remove what Compose still made while it was failing already."""
    known = {one.id for found in work.running.values() for one in found.everything}
    new = [
        one.id
        for one in containers.of_project(work.plan.stack)
        if one.id not in known
        and one.labels.get(ROLE_LABEL) in {REPLICA, FRONT}
        and one.labels.get(SERVICE_LABEL) not in work.failed
    ]
    containers.remove(new)


def one(work: Work, step: Step) -> None:
    """Bring back what ran of one service. Raises HomeportError."""
    done, front = work.done[step.service], work.fronts.get(step.service)
    before = work.running.get(step.service, Running())
    if step.action is Action.REMOVED:
        _rename_back(done)
        if done.stopped:
            late = _start_again(work, done, before)
            work.event(step.service, "undone", "" if late else "it serves as before")
            _complain(late)
        return
    if not (done.started or done.front_made or done.stopped or done.held or done.renamed):
        return
    work.event(step.service, "undo")
    late, waits = "", False
    kept = {one.id: one for one in before.sets.get(target(step).name, ())}
    new = [one.id for one in work.replicas(target(step)) if one.id not in kept]
    if done.front_made and front is not None:
        containers.remove([front.name])
    if done.replaced is not None:
        _take_away_front(work, step, done.replaced, before)
    if done.stopped:
        # What ran before needs its names, ports and volumes back.
        containers.remove(new)
        _to_rest(kept)
        _rename_back(done)
        late = _start_again(work, done, before)
    if done.replaced is not None:
        _rename_back(done)
        # It still routes to what ran then.
        front, done.replaced, done.switched = done.replaced, None, False
        work.fronts[step.service] = front
    # A front that stood still when the deploy began is to stand still again.
    woken = done.front_woken or before.front is None or not before.front.active
    revived = front is not None and not done.front_made and not woken and front.revive()
    if front is not None and woken and not done.front_made:
        containers.stop([front.name])
    elif front is not None and not done.front_made and (done.switched or done.held):
        # One that was started again with its callers held has no addresses to let them go on to.
        away = front.route.name != step.before or (revived and done.held)
        if away and work.broken_off and not (done.stopped or _runs(before, step.before)):
            # The deploy that was killed had stopped it: the last release comes next, and callers wait.
            waits = True
            front.hold()
        elif away:
            front.back(step.before)
            front.drain(front.route.other, work.service(step).drain)
        elif done.stopped and step.before and not late:
            # It runs, but the front may not have heard of it yet: who waits would be sent away.
            front.again(step.before, 1)
        else:
            front.release()
    containers.remove(new)
    _to_rest(kept)
    _rename_back(done)
    if front is not None and before.front is not None:
        front.check_networks(before.front)
    serves = before.up and not late and not waits
    work.event(step.service, "undone", f"{step.before or 'what ran before'} serves" if serves else "")
    _complain(late)


def _runs(before: Running, name: str) -> bool:
    """Whether anything of a replica set ran when the deploy began."""
    return any(one.running for one in before.sets.get(name, ()))


def _start_again(work: Work, done: Done, before: Running) -> str:
    """Start what was stopped; returns why it doesn't pass its gate, unless it was ill before all this."""
    containers.start(done.stopped)
    verdict = gate.wait(done.stopped, work.gate_seconds)
    ill = {one.id for one in before.everything if one.health == "unhealthy" or one.state == "restarting"}
    return "" if verdict.container is not None and verdict.container.id in ill else verdict.problem


def _complain(late: str) -> None:
    if late:
        raise ContainerProblem(f"What ran before was started again, but doesn't pass its gate: {late}.")


def _take_away_front(work: Work, step: Step, old: LiveFront, before: Running) -> None:
    """Stop the front that took the place of ``old``, and remove it unless it was there before."""
    now = work.fronts[step.service]
    if now.name == old.name:
        return  # it came no further than that
    if now.name in {one.id for one in before.spare}:
        containers.stop([now.name], FRONT_SECONDS)
    else:
        containers.remove([now.name])


def _to_rest(kept: Mapping[str, Container]) -> None:
    """Stop what stood still when the deploy began: another release needs it, and is to find it as it was.

    Where only some of a replica set stood still, it is the one that runs, and is left as it is now.
    """
    if any(one.running for one in kept.values()):
        return
    containers.stop([one.id for one in containers.inspect(kept) if one.running])
    for one in containers.inspect(kept):
        if one.name != kept[one.id].name:
            containers.rename(one.id, kept[one.id].name)


def _rename_back(done: Done) -> None:
    for one in containers.inspect(done.renamed):
        if one.name != done.renamed[one.id]:
            containers.rename(one.id, done.renamed[one.id])
    done.renamed = {}

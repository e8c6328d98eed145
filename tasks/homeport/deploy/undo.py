"""Bring back what ran before a deploy that failed."""

from __future__ import annotations

from homeport.deploy import gate
from homeport.deploy.plan import Action, Step
from homeport.deploy.work import Done, Work, at_once, target
from homeport.engine import containers
from homeport.errors import HomeportError


def undo(work: Work) -> tuple[str, ...]:
    """Route everything back and remove what is new; returns what couldn't be undone, in words."""
    problems: list[str] = []

    def one(step: Step) -> None:
        try:
            _undo(work, step)
        except HomeportError as error:
            problems.append(f"{step.service}: {error.what} {error.detail}".strip())

    # The other way round: who depends on another goes back first.
    for batch in reversed(work.plan.batches):
        steps = [work.plan.steps[name] for name in batch if name in work.done]
        at_once(one, [step for step in steps if step.action is not Action.REMOVED])
    return tuple(problems)


def _undo(work: Work, step: Step) -> None:
    done, front = work.done[step.service], work.fronts.get(step.service)
    if not (done.started or done.front_made or done.stopped or done.held):
        return
    new = [] if target(step).name == step.before else [one.id for one in work.replicas(target(step))]
    if done.front_made and front is not None:
        containers.remove([front.name])
    if done.stopped:
        # What ran before needs its names, ports and volumes back.
        containers.remove(new)
        _rename_back(done)
        containers.start(done.stopped)
        gate.wait(done.stopped, work.gate_seconds)
    if front is not None and not done.front_made and (done.switched or done.held):
        if front.route.name != step.before:
            front.back(step.before)
            front.drain(front.route.other, work.service(step).drain)
        else:
            front.release()
    containers.remove(new)
    _rename_back(done)
    work.event(step.service, "undone", f"{step.before or 'what ran before'} serves")


def _rename_back(done: Done) -> None:
    for identity, name in done.renamed.items():
        containers.rename(identity, name)
    done.renamed = {}

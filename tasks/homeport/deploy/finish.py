"""After everything has passed: what is old drains and stops, and what is older goes."""

from __future__ import annotations

from homeport.deploy.plan import Action, Step
from homeport.deploy.work import Work, at_once, target
from homeport.engine import containers


def finish(work: Work) -> None:
    """Let old replicas finish what they have, stop them, and remove what no rollback needs any more."""
    steps = [work.plan.steps[name] for name in work.plan.changes]
    at_once(lambda step: _end_old(work, step), [step for step in steps if step.action is not Action.RUN])
    # Nothing is routed to them; what they may have in flight they end themselves.
    containers.stop([one.id for one in work.plan.strays])
    gone = [one for step in steps for one in _superfluous(work, step)]
    containers.remove(gone)


def _end_old(work: Work, step: Step) -> None:
    if step.action is Action.REMOVED:
        running = work.running[step.service]
        everything = [*running.plain, *(one for own in running.sets.values() for one in own)]
        own_front = [running.front] if running.front else []
        work.event(step.service, "stop", "removed")
        containers.stop([one.id for one in (*own_front, *everything) if one.running])
        return
    front, done = work.fronts.get(step.service), work.done[step.service]
    old = [one.id for one in work.old(step) if one.running and one.id not in done.stopped]
    if front is not None and old:
        group = front.route.other
        left = front.drain(group, work.service(step).drain)
        front.retire(group)
        work.event(step.service, "drained", f"{left} still in flight were cut" if left else "")
    if old:
        work.event(step.service, "stop", step.before or "what ran without homeport")
        containers.stop(old)


def _superfluous(work: Work, step: Step) -> list[str]:
    """The containers of a service that neither run nor are the last release's."""
    running = work.running.get(step.service)
    if running is None:
        return []
    if step.action is Action.REMOVED:
        front = [running.front.id] if running.front else []
        return [*front, *(one.id for own in running.sets.values() for one in own)]
    kept = {target(step).name, step.before}
    older = [one.id for name, own in running.sets.items() if name not in kept for one in own]
    # A front has its name and ports now: it can only be started by hand, and would be in the way.
    return older + [one.id for one in step.plain]

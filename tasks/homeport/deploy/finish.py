"""After everything has passed: what is old drains and stops, and what is older goes."""

from __future__ import annotations

from homeport.deploy.plan import Action, Step
from homeport.deploy.work import Work, at_once
from homeport.engine import containers
from homeport.model.roles import SERVICE_LABEL


def finish(work: Work) -> None:
    """Let old replicas finish what they have, and stop them: a rollback starts them again."""
    steps = [work.plan.steps[name] for name in work.plan.changes if name not in work.failed]
    at_once(lambda step: _end_old(work, step), [step for step in steps if step.action is not Action.RUN])
    # Nothing is routed to them, but a deploy that was killed may have left them something in flight.
    for service in {one.labels.get(SERVICE_LABEL, "") for one in work.plan.strays} & set(work.fronts):
        front = work.fronts[service]
        front.drain(front.route.other, work.stack.services[service].drain)
    containers.stop([one.id for one in work.plan.strays])
    # A front has the name and ports of what Compose made: that can only be in the way now.
    containers.remove([one.id for step in steps for one in step.plain])


def _end_old(work: Work, step: Step) -> None:
    if step.action is Action.REMOVED:
        running = work.running[step.service]
        everything = [*running.plain, *(one for own in running.sets.values() for one in own)]
        own_front = [running.front] if running.front else []
        if step.first:
            return  # that has been done already
        work.event(step.service, "stop", "removed")
        containers.stop([one.id for one in own_front if one.active])
        containers.stop([one.id for one in everything if one.active])
        work.event(step.service, "stopped")
        return
    front, done = work.fronts.get(step.service), work.done[step.service]
    old = [one.id for one in work.old(step) if one.active and one.id not in done.stopped]
    if front is not None and (old or done.switched):
        front.revive()
        front.settle()
    if front is not None and old:
        group = front.route.other
        work.event(step.service, "drain", step.before)
        left = front.drain(group, work.service(step).drain)
        front.retire(group)
        work.event(step.service, "drained", f"{left} still in flight were cut" if left else "")
    if old:
        work.event(step.service, "stop", step.before or "what ran without homeport")
        containers.stop(old)
        work.event(step.service, "stopped")

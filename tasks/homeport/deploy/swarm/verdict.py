"""How far Swarm is with a service: still at it, done, or failed, and why. Pure."""

from __future__ import annotations

from enum import Enum

from homeport.deploy.desired import ReplicaSet
from homeport.deploy.swarm.document import FORM_LABEL
from homeport.deploy.swarm.plan import ended, form_of
from homeport.engine.swarm import Service, Task

_WENT_BACK = ("rollback_started", "rollback_completed", "rollback_paused")
_SETTLED = ("", "completed")
_ENDS, _REJECTIONS = 1, 4
"""How often a task of a new service may end, and may not even be started, before it counts as failed.

Swarm tries again, and shows five at most. A machine that isn't through with an old network rejects some."""
_NOT_THERE = "it isn't there any more"


class State(Enum):
    """How far a service is."""

    GOING = "going"
    WELL = "well"
    FAILED = "failed"


def forward(service: Service | None, one: ReplicaSet, *, new: bool) -> tuple[State, str]:
    """Of a service that was told to run ``one``; ``new``: it didn't run before, so Swarm has no way back.

    Of any other one Swarm itself decides when it has failed, by its ``update_config``.
    """
    if service is None:
        return State.FAILED, _NOT_THERE
    if service.update in _WENT_BACK:
        return State.FAILED, "Swarm put it back"
    if service.update == "paused":
        return State.FAILED, "Swarm paused its update"
    if form_of(service) != one.name:
        return State.FAILED, "somebody told Swarm something else meanwhile"
    bad = failed(service, one.name) if new or service.job else []
    ends = sum(task.state == "failed" for task in bad)
    if (service.job and bad) or ends > _ENDS or len(bad) - ends > _REJECTIONS:
        return State.FAILED, bad[-1].error or f"a task of it {bad[-1].state}"
    done = all_well(service) and service.update in _SETTLED
    return (State.WELL, "") if done else (State.GOING, waiting_for(service))


def all_well(service: Service) -> bool:
    """Whether as many tasks run as should, or have run to their end, all of them in its own form."""
    form = form_of(service)
    if service.job:
        return ended(service)
    wanted = [task for task in service.tasks if task.wanted]
    there = [task for task in wanted if task.state == "running" and _form(task) == form]
    return len(there) == len(wanted) == service.count


def well(service: Service) -> int:
    """How many of its tasks run, in whatever form."""
    return sum(task.wanted and task.state == "running" for task in service.tasks)


def failed(service: Service, form: str) -> list[Task]:
    """The tasks of this form that failed, the last one at the end."""
    own = [task for task in service.tasks if task.failed and _form(task) == form]
    return sorted(own, key=lambda task: task.at)


def waiting_for(service: Service) -> str:
    """What the tasks that aren't well yet are at, in a few words."""
    errors = [task.error for task in service.tasks if task.wanted and task.error]
    states = {task.state for task in service.tasks if task.wanted and task.state != "running"}
    return (
        errors[0] if errors else ", ".join(sorted(states)) or f"its update is {service.update or 'to begin'}"
    )


def _form(task: Task) -> str:
    return str(task.labels.get(FORM_LABEL) or "")

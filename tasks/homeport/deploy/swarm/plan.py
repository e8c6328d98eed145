"""What a deploy on Swarm does to each service, as data. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from homeport.deploy.desired import ReplicaSet
from homeport.deploy.plan import Action, DeployPlan, Step
from homeport.deploy.swarm.document import FORM_LABEL, JOB, SETTINGS_LABEL
from homeport.engine.swarm import Service
from homeport.model.stack import STOP_FIRST


def make(
    stack: str,
    wanted: Mapping[str, ReplicaSet],
    running: Mapping[str, Service],
    *,
    needs: Mapping[str, Sequence[str]],
    was: Mapping[str, ReplicaSet],
    leaving: Collection[str] = (),
    whys: Mapping[str, str] | None = None,
    warnings: tuple[str, ...] = (),
) -> DeployPlan:
    """What becomes of each service that is wanted, and of those that are ``leaving``.

    ``needs`` are the services that each waits for, ``was`` how they were deployed, as far as that is known,
    ``whys`` the reasons of their orders.
    """
    steps = {}
    for name, one in wanted.items():
        runs = running.get(name)
        action, why = _action(one, runs, was.get(name), (whys or {}).get(name, ""))
        steps[name] = Step(name, action, why, one, form_of(runs) if runs else "")
    for name in leaving:
        if name in running:
            why = "the release doesn't have it" if not whys else "the file has it no more"
            steps[name] = Step(name, Action.REMOVED, why, before=form_of(running[name]))
    known = {name: tuple(need for need in needs.get(name, ()) if need in steps) for name in steps}
    return DeployPlan(stack, steps, known, warnings=warnings)


def form_of(service: Service) -> str:
    """The form that Swarm has of it now; empty where homeport didn't deploy it."""
    return str(service.container_labels.get(FORM_LABEL) or "")


def settings_of(service: Service) -> str:
    """The same for all that decides how it runs."""
    return str(service.labels.get(SETTINGS_LABEL) or "")


def is_job(one: ReplicaSet) -> bool:
    """Whether it is to run to its end."""
    return str(one.spec["deploy"].get("mode")) == JOB


def ended(job: Service) -> bool:
    """Whether one that runs to its end has got there, in the form that Swarm has of it now."""
    form = form_of(job)
    done = [task for task in job.tasks if task.state == "complete" and task.labels.get(FORM_LABEL) == form]
    return len(done) >= job.count


def is_as(service: Service, one: ReplicaSet) -> bool:
    """Whether Swarm has been told to run it so, and nobody has told it anything else since."""
    settings = one.spec["deploy"]["labels"][SETTINGS_LABEL]
    same = (form_of(service), settings_of(service)) == (one.name, settings)
    return same and service.image == one.spec["image"] and one.count in {0, service.count}


def _action(one: ReplicaSet, runs: Service | None, was: ReplicaSet | None, why: str) -> tuple[Action, str]:
    if runs is None:
        return (Action.RUN, "it hasn't run yet") if is_job(one) else (Action.NEW, "it doesn't run yet")
    if is_as(runs, one) and (ended(runs) or not runs.job):
        return Action.UNCHANGED, "nothing changed"
    if is_job(one):
        fields = changed(was.spec, one.spec) if was and was.name == form_of(runs) else ()
        return (
            Action.RUN,
            f"{', '.join(fields)} changed" if fields else "it hasn't run to its end in this form",
        )
    stop = one.spec["deploy"]["update_config"]["order"] == STOP_FIRST
    action = Action.STOP_FIRST if stop else Action.START_FIRST
    if not form_of(runs):
        return action, "it was deployed without homeport"
    if (form_of(runs), settings_of(runs)) == (one.name, one.spec["deploy"]["labels"][SETTINGS_LABEL]):
        return action, "somebody changed it since"
    fields = changed(was.spec, one.spec) if was and was.name == form_of(runs) else ()
    what = f"{', '.join(fields)} changed" if fields else "it has another form"
    if form_of(runs) == one.name:
        return action, f"{what}; its containers stay"
    return action, f"{what}; {why}" if why else what


def changed(was: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, ...]:
    """The fields that two documents say differently; those of ``deploy`` by their own names."""
    before, after = _fields(was), _fields(now)
    return tuple(sorted(key for key in {*before, *after} if before.get(key) != after.get(key)))


def _fields(spec: Mapping[str, Any]) -> dict[str, Any]:
    found = {**spec, **{f"deploy.{key}": value for key, value in (spec.get("deploy") or {}).items()}}
    found.pop("deploy", None)
    for key, own in (("labels", FORM_LABEL), ("deploy.labels", SETTINGS_LABEL)):
        found[key] = {name: value for name, value in (found.get(key) or {}).items() if name != own}
    return found

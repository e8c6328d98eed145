"""A plan carried out on Swarm: batch by batch told and waited for, or put back. With effects."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from homeport.deploy.desired import ReplicaSet
from homeport.deploy.group import GateFailed
from homeport.deploy.plan import Action
from homeport.deploy.swarm import document, verdict
from homeport.deploy.swarm.facts import SwarmFacts
from homeport.deploy.swarm.plan import form_of, is_job, settings_of
from homeport.deploy.swarm.verdict import State
from homeport.deploy.work import Work
from homeport.engine import configs, swarm
from homeport.engine.gate import STEADY_SECONDS
from homeport.model.roles import STACK_LABEL

_LOOK_SECONDS = 0.5
_BACK_SECONDS = 90.0
"""What is put back has at least so long: for a task that never got a place Swarm waits a minute (swarmkit,
manager/orchestrator/restart), and starts the old one only then."""
_LINES = 20


def forward(work: Work, found: SwarmFacts, shared: Mapping[str, Mapping[str, object]]) -> None:
    """Tell Swarm what each service should be, those first that others wait for. Raises GateFailed."""
    _make_files(work, found, shared)
    for batch in work.plan.batches:
        steps = [work.plan.steps[name] for name in batch if name in work.plan.changes]
        sets = {step.service: step.target for step in steps if step.target is not None}
        if not sets:
            continue
        for one in sets.values():
            work.done[one.service].started = True
            work.event(one.service, "start", one.name)
        # No service becomes a job, or the other way round; and a job that is new has no old tasks.
        jobs = [name for name in sets if _job(found, sets[name])]
        swarm.remove(work.plan.stack, [name for name in jobs if name in found.running])
        swarm.deploy(work.plan.stack, document.whole(sets.values(), shared))
        new = {step.service for step in steps if step.action in {Action.NEW, Action.RUN}}
        _wait(work, sets, new, work.run_seconds if jobs else work.gate_seconds)


def _job(found: SwarmFacts, one: ReplicaSet) -> bool:
    """Whether it is to run to its end, or what runs is."""
    return is_job(one) or (one.service in found.running and found.running[one.service].job)


def _make_files(work: Work, found: SwarmFacts, shared: Mapping[str, Mapping[str, object]]) -> None:
    """Secrets and configs under their names; what a rollback needs is there already."""
    sets = [step.target for step in work.plan.steps.values() if step.target and step.service in work.done]
    used = document.whole(sets, shared)
    labels = {STACK_LABEL: work.plan.stack}
    for (kind, name), data in found.files.items():
        if name in used.get(kind, ()):
            text = data.decode("utf-8", "surrogateescape")
            configs.make(name, labels, text, "secret" if kind == "secrets" else "config")


def _wait(work: Work, sets: Mapping[str, ReplicaSet], new: set[str], limit: float) -> None:
    """Until all of them are well. Raises GateFailed for the first that isn't, and has got nowhere for
    ``limit`` seconds, or that Swarm gave up."""
    since: dict[str, float] = {}
    passed: set[str] = set()
    seen: set[object] = set()
    end = time.monotonic() + limit
    while passed != set(sets):
        services = swarm.services(work.plan.stack)
        now = time.monotonic()
        for name, one in sets.items():
            state, why = verdict.forward(services.get(name), one, new=name in new)
            if state is State.FAILED:
                raise _failure(work, services.get(name), one, why)
            if state is State.GOING:
                since.pop(name, None)
                passed.discard(name)
            elif now - since.setdefault(name, now) >= _watch(work, name, new) and name not in passed:
                passed.add(name)
                work.event(name, "passed")
        if not (news := _progress(services, sets)) <= seen:
            seen |= news
            end = now + limit
        elif now > end:
            late = next(name for name in sets if name not in passed)
            why = verdict.waiting_for(services[late]) if late in services else ""
            raise _failure(work, services.get(late), sets[late], f"not well after {limit:.0f} s: {why}")
        if passed != set(sets):
            work.sleep(_LOOK_SECONDS)


def _watch(work: Work, name: str, new: set[str]) -> float:
    """For how long a service must be well: Swarm itself watches an update, and nothing that is new."""
    service = work.stack.services.get(name)
    if name not in new or service is None or service.one_shot:
        return 0.0
    return service.monitor or (0.0 if service.has_health_check else STEADY_SECONDS)


def _progress(services: Mapping[str, swarm.Service], sets: Iterable[str]) -> set[object]:
    """How far they are. Seen once, it is no progress any more: what comes and goes doesn't get anywhere."""
    there = [(name, services[name]) for name in sets if name in services]
    return {(name, how) for name, one in there for how in (one.update, verdict.well(one))}


def _failure(work: Work, service: swarm.Service | None, one: ReplicaSet, why: str) -> GateFailed:
    """What went wrong with a service, with the last words of its task that failed."""
    work.culprits = (one.service,)
    task = next(reversed(verdict.failed(service, one.name)), None) if service else None
    work.event(one.service, "failed", why)
    said = task.error if task and task.error != why else ""
    return GateFailed(
        f"{one.service} ({one.name}) doesn't get well on Swarm.",
        cause=f"{why}: {said}" if said else why,
        hint="Its last lines are above; 'docker service ps' shows each task.",
        detail=swarm.last_lines(task.id, _LINES) if task else "",
    )


def undo(work: Work, found: SwarmFacts) -> tuple[str, ...]:
    """Put back what was told to change, and wait until it is; returns what couldn't be, in words."""
    stack = work.plan.stack
    begun = [name for name, done in work.done.items() if done.started]
    # What ran to its end has run; it is taken away, so that it runs again with the next deploy.
    before = {name: found.running[name] for name in begun if name in found.running}
    before = {name: was for name, was in before.items() if not was.job}
    swarm.remove(stack, [name for name in begun if name not in before])
    now = swarm.services(stack)
    problems = []
    for name, was in before.items():
        work.event(name, "undo")
        if name not in now:
            problems.append(f"{name}: somebody removed it.")
        elif not _same(now[name], was) and (said := swarm.roll_back(stack, name)):
            problems.append(f"{name}: {said}")
    return (*problems, *_wait_back(work, before)) if not problems else tuple(problems)


def _wait_back(work: Work, before: Mapping[str, swarm.Service]) -> tuple[str, ...]:
    waiting = dict(before)
    limit = max(work.gate_seconds, _BACK_SECONDS)
    end = time.monotonic() + limit
    while waiting and time.monotonic() < end:
        services = swarm.services(work.plan.stack)
        for name, was in list(waiting.items()):
            # What wasn't well before needn't get well now.
            there = name in services and _same(services[name], was)
            if there and (verdict.all_well(services[name]) or not verdict.all_well(was)):
                work.event(name, "undone", f"{form_of(was) or 'what ran'} serves")
                del waiting[name]
        if waiting:
            time.sleep(_LOOK_SECONDS)
    return tuple(f"{name} isn't what it was after {limit:.0f} s." for name in waiting)


def _same(now: swarm.Service, was: swarm.Service) -> bool:
    return (form_of(now), settings_of(now)) == (form_of(was), settings_of(was))


def finish(work: Work) -> None:
    """Remove the services that are to go."""
    gone = [name for name, step in work.plan.steps.items() if step.action is Action.REMOVED]
    for name in gone:
        work.event(name, "stop")
    swarm.remove(work.plan.stack, gone)
    for name in gone:
        work.event(name, "stopped")

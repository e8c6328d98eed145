"""Walk a deploy plan forward: start, gate, route. The old replicas stay until everything has passed."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from graphlib import TopologicalSorter

from homeport.deploy import restore, undo
from homeport.deploy.group import GateFailed, Group, give_another_name, judge
from homeport.deploy.plan import Action, Step
from homeport.deploy.work import Work, name_of, target
from homeport.engine import containers, gate
from homeport.engine.waiting import first_done
from homeport.errors import HomeportError
from homeport.model.stack import CONTINUE

_AT_ONCE = 16


def forward(work: Work) -> None:
    """Do all steps, each as soon as what it waits for has passed, and watch the result.

    Raises HomeportError when all that was under way has ended; nothing is undone then.
    """
    sorter = TopologicalSorter(work.plan.needs)
    sorter.prepare()
    running: dict[Future[None], tuple[str, ...]] = {}
    late: list[str] = []
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="deploy") as pool:
        try:
            while sorter.is_active():
                _launch(work, sorter, running, pool, late)
                for future in first_done(running):
                    names = running.pop(future)
                    try:
                        future.result()
                    except HomeportError as error:
                        _goes_on(work, names, error)
                    sorter.done(*names)
        except BaseException:
            # Whoever waits for a gate needn't any more.
            work.cancelled.set()
            raise
    _owed(work)
    _watch(work)


def _owed(work: Work) -> None:
    """Commands that a deploy which was killed didn't come to any more, for what it had replaced already."""
    steps = [step for step in work.plan.steps.values() if step.action is Action.UNCHANGED]
    group = Group(work, steps)
    for step in steps:
        group.hook(step, "after")


def _goes_on(work: Work, names: tuple[str, ...], error: HomeportError) -> None:
    """Take back services that failed, if they alone are to go back; else raise what went wrong."""
    steps = [work.plan.steps[name] for name in names]
    if work.cancelled.is_set() or any(_matters(work, one) for one in steps):
        work.culprits = names
        raise error
    for step in steps:
        undo.one(work, step)
        if work.broken_off:
            restore.one(work, step.service)
        work.failed[step.service] = error


def _matters(work: Work, step: Step) -> bool:
    """Whether a failure of it concerns the whole release: also if another service made room for it."""
    heir = any(
        work.plan.steps[name].first for name in work.plan.needs[step.service] if name in work.plan.steps
    )
    return step.action is Action.REMOVED or heir or work.service(step).failure_action != CONTINUE


def _launch(
    work: Work,
    sorter: TopologicalSorter[str],
    running: dict[Future[None], tuple[str, ...]],
    pool: ThreadPoolExecutor,
    late: list[str],
) -> None:
    """Start whatever may start now; what makes callers wait is ``late``, after all that can go without it.

    Then nothing else that starts takes the machine from it, and if something else fails, nobody has waited.
    For the same reason those whose callers a front holds come one after the other, and first.
    """
    while True:
        ready = list(sorter.get_ready())
        late += [name for name in ready if _pauses(work, name)]
        ready = [name for name in ready if name not in late]
        if not ready and not running:
            ready = [name for name in late if name in work.fronts][:1] or late[:]
            late[:] = [name for name in late if name not in ready]
        if not ready:
            return
        steps = [work.plan.steps[name] for name in ready if name in work.done]
        for step in (one for one in steps if one.first):
            running[pool.submit(_make_room, work, step)] = (step.service,)
        busy = {step.service for step in steps if step.first}
        steps = [step for step in steps if step.action is not Action.REMOVED]
        idle = [name for name in ready if name not in {*busy, *(step.service for step in steps)}]
        if steps:
            group = Group(work, steps)
            begun = pool.submit(group.begin)
            for step in steps:
                running[pool.submit(_after, begun, group.work_on(step), step)] = (step.service,)
        sorter.done(*idle)


def _pauses(work: Work, name: str) -> bool:
    """Whether a service is away for a while. Not those that wait for one another's ports."""
    step = work.plan.steps.get(name)
    return step is not None and step.action is Action.STOP_FIRST and not step.swaps


def _make_room(work: Work, step: Step) -> None:
    """Stop a service that goes, before another one takes its ports, name or files."""
    done, found = work.done[step.service], work.running[step.service]
    done.stopped = tuple(one.id for one in found.everything if one.active)
    if done.stopped:
        work.event(step.service, "stop", "removed")
        # A front ends when nothing is in flight any more, so it is the first.
        containers.stop([found.front.id] if found.front and found.front.active else [])
        containers.stop(done.stopped)
        work.event(step.service, "stopped")
    names = {name_of(other) for other in work.plan.steps.values() if other.target is not None}
    for one in found.everything:
        if one.name in names:
            give_another_name(done, one)


def _after(begun: Future[None], work_on: Callable[[Step], None], step: Step) -> None:
    begun.result()
    work_on(step)


def _watch(work: Work) -> None:
    """Look at the new replicas for as long as the longest ``monitor`` of them says."""
    steps = [work.plan.steps[name] for name, done in work.done.items() if done.started]
    steps = [step for step in steps if step.service not in work.failed]
    steps = [step for step in steps if step.action is not Action.RUN]
    end = time.monotonic() + max((work.service(step).monitor for step in steps), default=0.0)
    before = {step.service: {one.id: one.restarts for one in work.replicas(target(step))} for step in steps}
    while time.monotonic() < end:
        for step in steps:
            try:
                judge(work, step, gate.still(before[step.service]))
            except GateFailed as error:
                _goes_on(work, (step.service,), error)
        steps = [step for step in steps if step.service not in work.failed]
        work.sleep(gate.POLL_SECONDS)

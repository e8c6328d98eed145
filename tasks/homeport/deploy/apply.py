"""Walk a deploy plan forward: start, gate, route. The old replicas stay until everything has passed."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from graphlib import TopologicalSorter

from homeport.deploy import gate
from homeport.deploy.front import LiveFront
from homeport.deploy.gate import Verdict
from homeport.deploy.haproxy import Route
from homeport.deploy.plan import Action, Step
from homeport.deploy.work import Work, target, target_front
from homeport.engine import compose, containers
from homeport.errors import HomeportError

ADOPTED = "before-homeport"
"""Goes behind the name of a plain container whose name a front takes."""

_AT_ONCE = 16
_FRONT_SECONDS = 5.0
"""How long a front that has to be replaced may finish what it has in flight: its ports are taken so long."""


class GateFailed(HomeportError):
    """A new replica may not get traffic."""


def forward(work: Work) -> None:
    """Do all steps, each as soon as what it waits for has passed, and watch the result.

    Raises HomeportError when all that was under way has ended; nothing is undone then.
    """
    sorter = TopologicalSorter(work.plan.needs)
    sorter.prepare()
    running: dict[Future[None], tuple[str, ...]] = {}
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="deploy") as pool:
        try:
            while sorter.is_active():
                _launch(work, sorter, running, pool)
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    names = running.pop(future)
                    future.result()
                    sorter.done(*names)
        except BaseException:
            # Whoever waits for a gate needn't any more.
            work.cancelled.set()
            raise
    _watch(work)


def _launch(
    work: Work,
    sorter: TopologicalSorter[str],
    running: dict[Future[None], tuple[str, ...]],
    pool: ThreadPoolExecutor,
) -> None:
    """Start whatever may start now."""
    while ready := sorter.get_ready():
        steps = [work.plan.steps[name] for name in ready if name in work.done]
        steps = [step for step in steps if step.action is not Action.REMOVED]
        idle = [name for name in ready if name not in {step.service for step in steps}]
        if steps:
            group = _Group(work, steps)
            begun = pool.submit(group.begin)
            for step in steps:
                running[pool.submit(_after, begun, group.work_on(step), step)] = (step.service,)
        sorter.done(*idle)


def _after(begun: Future[None], work_on: Callable[[Step], None], step: Step) -> None:
    begun.result()
    work_on(step)


class _Group:
    """Services that may start at the same moment: Compose is called once for all of them."""

    def __init__(self, work: Work, steps: list[Step]) -> None:
        self._work = work
        self._steps = steps

    def begin(self) -> None:
        self._work.start([step for step in self._steps if step.action is not Action.STOP_FIRST])
        self._make_fronts()

    def work_on(self, step: Step) -> Callable[[Step], None]:
        """How this step goes on."""
        if step.action is Action.RUN:
            return self._to_its_end
        return self._stop_first if step.action is Action.STOP_FIRST else self._start_first

    def _to_its_end(self, step: Step) -> None:
        for one in self._work.replicas(target(step)):
            limit = self._work.gate_seconds
            _judge(step, gate.wait_for_end(one.id, limit, sleep=self._work.sleep))
        self._work.event(step.service, "passed", "ended with exit code 0")

    def _start_first(self, step: Step) -> None:
        self._gate(step)
        front = self._work.fronts.get(step.service)
        if front is None:
            self._stop_old(step)
        elif step.new_front:
            self._hand_over(step, front)
        else:
            self._switch(step, front)

    def _hand_over(self, step: Step, front: LiveFront) -> None:
        """Put a new front in the place of whatever has the service's name and ports."""
        done = self._work.done[step.service]
        began = time.monotonic()
        self._stop_old(step)
        done.switched = True
        self._start_front(step, front, held=False)
        gap = f"{time.monotonic() - began:.1f} s without service" if done.stopped else ""
        front.reach(target(step))
        self._work.event(step.service, "front", gap)

    def _stop_first(self, step: Step) -> None:
        work, done = self._work, self._work.done[step.service]
        front = work.fronts.get(step.service)
        began = time.monotonic()
        if front is not None and not step.new_front:
            done.held = True
            front.hold()
            work.event(step.service, "hold")
            # Everybody waits meanwhile, so not for connections that stay open until the service ends them.
            service = work.service(step)
            limit = min(service.drain, service.stop_grace)
            if left := front.drain(front.route.group, limit, service.http_ports):
                work.event(step.service, "cut", f"{left} still in flight after {limit:.0f} s")
        self._stop_old(step)
        if front is not None and step.new_front:
            done.held = True
            self._start_front(step, front, held=True)
        work.start([step])
        self._gate(step)
        if front is not None:
            self._switch(step, front)
        work.event(step.service, "pause", f"{time.monotonic() - began:.1f} s")

    def _gate(self, step: Step) -> None:
        work = self._work
        ids = [one.id for one in work.replicas(target(step))]
        _judge(step, gate.wait(ids, work.gate_seconds, sleep=work.sleep))
        work.event(step.service, "passed")

    def _switch(self, step: Step, front: LiveFront) -> None:
        front.reach(target(step))
        self._work.done[step.service].switched = True
        front.switch(target(step))
        self._work.event(step.service, "switch", target(step).name)

    def _stop_old(self, step: Step) -> None:
        done = self._work.done[step.service]
        running = tuple(one.id for one in self._work.old(step) if one.running)
        if running:
            done.stopped = running
            self._work.event(step.service, "stop", step.before or "what ran without homeport")
            containers.stop(running)
        if step.front is None:
            self._free_name(step, self._work.service(step).container_name)

    def _start_front(self, step: Step, front: LiveFront, *, held: bool) -> None:
        if step.service not in self._new_fronts():
            # One with other ports, networks or names can't be made beside the one that has them.
            containers.stop([front.name], _FRONT_SECONDS)
            containers.remove([front.name])
            compose.create(self._work.wanted.document, [target_front(step).name], self._work.cwd)
            front.become(self._work.front_container(target_front(step)))
        front.prepare(target(step), held=held)
        containers.start([front.name])

    def _new_fronts(self) -> dict[str, Step]:
        """By service the steps that need a front where there is none."""
        return {
            step.service: step
            for step in self._steps
            if step.new_front and not self._work.had_front(step.service)
        }

    def _make_fronts(self) -> None:
        new = {target_front(step).name: step for step in self._new_fronts().values()}
        if not new:
            return
        for step in new.values():
            self._work.done[step.service].front_made = True
            self._free_name(step, self._work.service(step).container_name)
        compose.create(self._work.wanted.document, list(new), self._work.cwd)
        for step in new.values():
            one = self._work.front_container(target_front(step))
            self._work.fronts[step.service] = LiveFront.of(one, self._work.service(step), Route())

    def _free_name(self, step: Step, wanted: str) -> None:
        """Give the container that has the service's own name another one: only one can have it."""
        done = self._work.done[step.service]
        for one in self._work.old(step):
            if wanted and one.name == wanted:
                done.renamed[one.id] = wanted
                containers.rename(one.id, f"{wanted}-{step.before or ADOPTED}")


def _judge(step: Step, verdict: Verdict) -> None:
    if not verdict.problem:
        return
    one = verdict.container
    lines = [f"{step.service}: {line}" for line in (containers.logs(one.id) if one else ())]
    if one and one.health_log:
        lines += [f"{step.service}: health check: {line}" for line in one.health_log.splitlines()[-2:]]
    raise GateFailed(
        f"{step.service} doesn't pass its gate: {verdict.problem}.",
        hint="The lines above are its last ones. Correct it and deploy again." if lines else "Deploy again.",
        detail="\n".join(lines),
    )


def _watch(work: Work) -> None:
    """Look at the new replicas for as long as the longest ``monitor`` of them says."""
    steps = [work.plan.steps[name] for name, done in work.done.items() if done.started]
    steps = [step for step in steps if step.action is not Action.RUN]
    end = time.monotonic() + max((work.service(step).monitor for step in steps), default=0.0)
    before = {step.service: {one.id: one.restarts for one in work.replicas(target(step))} for step in steps}
    while time.monotonic() < end:
        for step in steps:
            _judge(step, gate.still(before[step.service]))
        work.sleep(gate.POLL_SECONDS)

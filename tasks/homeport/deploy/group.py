"""What is done with the services that start at the same moment: started, gated, routed, each by its order."""

from __future__ import annotations

import time
from collections.abc import Callable

from homeport.deploy import front as fronts
from homeport.deploy.desired import Front
from homeport.deploy.front import FRONT_SECONDS, LiveFront
from homeport.deploy.haproxy import Route
from homeport.deploy.plan import Action, Step
from homeport.deploy.succession import other_name, own_name
from homeport.deploy.work import Done, Work, name_of, target, target_front
from homeport.engine import compose, containers, gate
from homeport.engine.containers import Container, ContainerProblem
from homeport.engine.gate import Verdict
from homeport.errors import HomeportError
from homeport.model.stack import STOP_FIRST

_TCP_SECONDS = 2.0
"""How long conversations by TCP may go on after the last request by HTTP, while callers are held."""


class GateFailed(HomeportError):
    """A new replica may not get traffic."""


class Group:
    """Services that may start at the same moment: Compose is called once for all of them."""

    def __init__(self, work: Work, steps: list[Step]) -> None:
        self._work = work
        self._steps = steps

    def begin(self) -> None:
        """Start what nothing has to happen before, and make the fronts that are new."""
        for step in self._steps:
            if step.action is Action.NEW and step.service not in self._work.fronts:
                self._free_name(step)
        self._work.start([step for step in self._steps if not self._later(step)])
        self._make_fronts()

    def _later(self, step: Step) -> bool:
        """Whether something has to happen before it starts."""
        return step.action is Action.STOP_FIRST or (step.service, "before") in self._work.wanted.hooks

    def work_on(self, step: Step) -> Callable[[Step], None]:
        """How this step goes on."""
        if step.action is Action.RUN:
            return self._to_its_end
        return self._stop_first if step.action is Action.STOP_FIRST else self._start_first

    def _to_its_end(self, step: Step) -> None:
        if self._later(step):
            self.hook(step, "before")
            self._work.start([step])
        for one in self._work.replicas(target(step)):
            limit = self._work.run_seconds
            judge(self._work, step, gate.wait_for_end(one.id, limit, sleep=self._work.sleep))
        self._work.event(step.service, "passed", "ended with exit code 0")

    def hook(self, step: Step, when: str) -> None:
        """Run what the service wants to be run, if it is replaced by another form of itself."""
        work, hook = self._work, self._work.wanted.hooks.get((step.service, when))
        last = step.before if when == "before" else work.released.get(step.service, "")
        if hook is None or last == target(step).name:
            return
        work.event(step.service, when, hook.spec["command"][0])  # the rest may hold a password
        # A deploy that was killed may have left some behind. None is ever given up half-way: it may change
        # data.
        left = work.hooks_of(step.service)
        for one in left:
            gate.wait_for_end(one.id, work.run_seconds)
        ended = work.replicas(hook)
        verdict = gate.wait_for_end(ended[0].id, 0) if ended else Verdict(None, "it never ran")
        if verdict.problem:
            containers.remove([one.id for one in ended])
            work.name_images([target(step).name])
            compose.up(work.wanted.document, {hook.name: 1}, work.cwd)
            verdict = gate.wait_for_end(work.replicas(hook)[0].id, work.run_seconds)
        work.event(step.service, "ran", when)
        try:
            judge(work, step, verdict, f"has a command to be run {when} it, which fails")
        finally:
            containers.remove([one.id for one in (*left, *work.replicas(hook))])

    def _start_first(self, step: Step) -> None:
        if self._work.service(step).order[0] == STOP_FIRST and (strays := self._work.strays(step)):
            containers.stop([one.id for one in strays])
        if self._later(step):
            self.hook(step, "before")
            self._work.start([step])
        self._replace(step)
        self.hook(step, "after")

    def _replace(self, step: Step) -> None:
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
        done, had_front = self._work.done[step.service], self._work.had_active_front(step.service)
        began = time.monotonic()
        if not had_front:
            self._stop_old(step)  # it has the name and the ports
        done.switched = True
        front = self._start_front(step, front, held=False)
        self._reach(step, front)
        away = done.stopped or (had_front and step.before)
        # What is told to stop may serve until it ends.
        gap = f"at most {time.monotonic() - began:.1f} s without service" if away else ""
        self._work.event(step.service, "front", gap)

    def _stop_first(self, step: Step) -> None:
        work, done = self._work, self._work.done[step.service]
        front = work.fronts.get(step.service)
        self.hook(step, "before")
        work.make(step)
        began = time.monotonic()
        if front is not None and not step.new_front:
            done.held = True
            work.event(step.service, "hold")
            front.hold()
            # Everybody waits meanwhile, so not for connections that stay open until the service ends them.
            service = work.service(step)
            limit = min(service.drain, service.stop_grace)
            if left := front.drain(front.route.group, limit, front.http):
                work.event(step.service, "cut", f"{left} still in flight after {limit:.0f} s")
            # A conversation by TCP is in flight until somebody hangs up: short ones get a moment for that.
            front.drain(front.route.group, min(limit, _TCP_SECONDS))
        self._stop_old(step)
        if front is not None and step.new_front:
            done.held = True
            self._start_front(step, front, held=True)
            work.event(step.service, "hold")
        self._when_free(step, lambda: work.start([step]))
        self._gate(step)
        if step.service in work.fronts:
            self._switch(step, work.fronts[step.service])
        work.event(step.service, "pause", f"{time.monotonic() - began:.1f} s")
        self.hook(step, "after")

    def _gate(self, step: Step) -> None:
        work, portions = self._work, self._work.service(step).portions
        for count in portions:
            if count != portions[0]:
                work.sleep(work.service(step).delay)
                work.start([step], count)
            ids = [one.id for one in work.replicas(target(step))[:count]]
            gone = Verdict(None, "its container is gone")
            passed = gate.wait(ids, work.gate_seconds, sleep=work.sleep)
            judge(work, step, passed if passed.problem or len(ids) == count else gone)
        work.event(step.service, "passed")

    def _reach(self, step: Step, front: LiveFront) -> None:
        """Wait until the front can connect to the new replicas, unless one of them has ended meanwhile."""
        new = self._work.replicas(target(step))[: target(step).count]
        restarts = {one.id: one.restarts for one in new}

        def watch() -> None:
            judge(self._work, step, gate.still(restarts))
            self._work.sleep(0)

        front.reach(target(step), watch)

    def _switch(self, step: Step, front: LiveFront) -> None:
        self._reach(step, front)
        self._work.done[step.service].switched = True
        front.switch(target(step))
        self._work.event(step.service, "switch", target(step).name)

    def _stop_old(self, step: Step) -> None:
        done = self._work.done[step.service]
        if strays := self._work.strays(step):
            # Two must not do the same work, or write to the same files.
            containers.stop([one.id for one in strays])
        running = tuple(one.id for one in self._work.old(step) if one.active)
        if running:
            done.stopped = running
            self._work.event(step.service, "stop", step.before or "what ran without homeport")
            containers.stop(running)
            self._work.event(step.service, "stopped")
        if step.front is None:
            self._free_name(step)

    def _start_front(self, step: Step, front: LiveFront, *, held: bool) -> LiveFront:
        if step.front is None:
            self._work.done[step.service].front_woken = True
        elif step.service not in self._new_fronts():
            front = self._other_front(step, step.front, front)
        front.wake(target(step), held=held)
        self._when_free(step, lambda: containers.start([front.name]))
        return front

    def _other_front(self, step: Step, wanted: Front, front: LiveFront) -> LiveFront:
        """The front that the step wants, in the place of the one that there is; it doesn't run yet."""
        work, done = self._work, self._work.done[step.service]
        found = work.running[step.service]
        name, kept = name_of(step), {one.service: one for one in found.fronts}
        lost = wanted.name in kept and not work.wanted.networks(wanted.spec) <= set(
            kept[wanted.name].networks
        )
        if lost:
            containers.remove([kept.pop(wanted.name).id])
        if wanted.name == front.form and not lost:
            done.front_woken = True
            return front
        if not lost:
            done.replaced = front
            if found.front is not None and found.front.name == name:
                give_another_name(done, found.front)
        if wanted.name in kept:
            one = kept[wanted.name]
            self._free_name(step)
            if one.name != own_name(one):
                containers.rename(one.id, own_name(one))
                done.renamed[one.id] = one.name
            routes = fronts.read_routes({step.service: one.id})
        else:
            self._free_name(step)
            compose.create(work.wanted.document, [wanted.name], work.cwd)
            one, routes = work.front_container(wanted), {}
        work.fronts[step.service] = LiveFront.of(one, work.service(step), routes.get(step.service, Route()))
        # Only one of them can have the ports.
        containers.stop([front.name] if done.replaced else [], FRONT_SECONDS)
        return work.fronts[step.service]

    def _when_free(self, step: Step, start: Callable[[], None]) -> None:
        """Start something; a port that moves in a circle comes free when whoever has it gives it up."""
        end = time.monotonic() + (self._work.gate_seconds if step.swaps else 0.0)
        while True:
            try:
                return start()
            except ContainerProblem as error:
                said = f"{error.cause} {error.detail}"
                if "already allocated" not in said or time.monotonic() >= end:
                    raise
            self._work.sleep(gate.POLL_SECONDS)

    def _new_fronts(self) -> dict[str, Step]:
        """By service the steps that need a front where there is none."""
        return {
            step.service: step
            for step in self._steps
            if step.front is not None and step.new_front and not self._work.had_front(step.service)
        }

    def _make_fronts(self) -> None:
        new = {target_front(step).name: step for step in self._new_fronts().values()}
        if not new:
            return
        for step in new.values():
            self._work.done[step.service].front_made = True
            self._free_name(step)
        compose.create(self._work.wanted.document, list(new), self._work.cwd)
        for step in new.values():
            one = self._work.front_container(target_front(step))
            self._work.fronts[step.service] = LiveFront.of(one, self._work.service(step), Route())

    def _free_name(self, step: Step) -> None:
        """Give another name to a container that has the service's own and stands still, or is replaced."""
        done, wanted = self._work.done[step.service], name_of(step)
        own = step.front.name if step.front else ""
        for one in self._work.others(step):
            if wanted and one.name == wanted and one.service != own and one.id not in done.renamed:
                give_another_name(done, one)


def give_another_name(done: Done, one: Container) -> None:
    """Rename a container whose name somebody else takes, and note the one that it had."""
    if one.name not in {now.name for now in containers.inspect([one.id])}:
        return  # another step has done it, or it is gone
    containers.rename(one.id, other_name(one))
    done.renamed[one.id] = one.name


def judge(work: Work, step: Step, verdict: Verdict, what: str = "doesn't pass its gate") -> None:
    """Raise GateFailed, with the container's last lines, unless it has passed; ``what`` says what it did."""
    if not verdict.problem:
        return
    work.event(step.service, "failed", verdict.problem)
    one = verdict.container
    lines = [f"{step.service}: {line}" for line in (containers.logs(one.id) if one else ())]
    if one and one.health_log:
        lines += [f"{step.service}: health check: {line}" for line in one.health_log.splitlines()[-2:]]
    raise GateFailed(
        f"{step.service} {what}: {verdict.problem}.",
        hint="The lines above are its last ones. Correct it and deploy again." if lines else "Deploy again.",
        detail="\n".join(lines),
    )

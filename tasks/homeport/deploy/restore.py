"""Back to the last release, when a deploy fails that came after one which was killed.

What it found was neither that release nor another: something had been stopped already, something else had
started and never passed its gate. Going back to that would help nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from homeport.deploy import facts
from homeport.deploy import front as fronts
from homeport.deploy.front import FRONT_SECONDS, LiveFront
from homeport.deploy.haproxy import Route
from homeport.deploy.plan import Running
from homeport.deploy.succession import other_name, own_name
from homeport.deploy.work import Work
from homeport.engine import containers, gate
from homeport.engine.containers import Container, ContainerProblem
from homeport.errors import HomeportError
from homeport.model.release import Deployed
from homeport.model.roles import FRONT, REPLICA, ROLE_LABEL
from homeport.model.stack import Service


def restore(work: Work) -> list[str]:
    """Let the last release run as it did; returns what can't be had back, in words.

    Before there was one: what plain Compose had made runs again.
    """
    try:
        now, routes = facts.look(work.plan.stack)
        if work.last is None:
            return _plain(work, now)
        _stop(one for name, found in now.items() if name not in work.last.services for one in _own(found))
    except HomeportError as error:
        return [_words(error)]
    problems: dict[str, str] = {}
    left = [name for name, one in work.last.services.items() if name in now and not one.one_shot]
    # One may need a port or a name that another one has to give up first.
    for _ in range(2):
        problems = {}
        for name in left:
            try:
                _service(work, name, work.last.services[name], now, routes.get(name, Route()))
            except HomeportError as error:
                problems[name] = f"{name}: {_words(error)}"
        left = list(problems)
        if not left:
            break
        now, routes = facts.look(work.plan.stack)
    return list(problems.values())


def one(work: Work, name: str) -> None:
    """Let one service run as it did in the last release, if it was in it. Raises HomeportError."""
    now, routes = facts.look(work.plan.stack)
    deployed = work.last.services.get(name) if work.last else None
    if deployed is not None and not deployed.one_shot:
        _service(work, name, deployed, now, routes.get(name, Route()))


def _service(work: Work, name: str, deployed: Deployed, now: Mapping[str, Running], route: Route) -> None:
    """Let one service run in the form that the release has. Raises HomeportError."""
    found = now[name]
    own = found.sets.get(deployed.replica_set, ())
    front = next((one for one in found.fronts if one.service == deployed.front_name), None)
    if len(own) < deployed.count or (deployed.front and front is None):
        gone = "containers" if len(own) < deployed.count else "front"
        raise ContainerProblem(f"Its {gone} of the last release are gone.")
    others = [one for one in _own(found) if one not in own and one != front]
    routed = front is None or (front.running and route.name == deployed.replica_set and not route.held)
    if routed and all(one.running for one in own) and not any(one.active for one in others):
        return
    work.event(name, "undo")
    _stop(one for one in others if one.labels.get(ROLE_LABEL) == FRONT)
    _names_back([*own, *([front] if front else [])], now)
    if not all(one.running for one in own):
        held = _hold(work, name, front) if any(one.active for one in others) else None
        # Two must not do the same work, or write to the same files.
        _stop(others)
        containers.resume([one.id for one in own])
        verdict = gate.wait([one.id for one in own], work.gate_seconds)
        if verdict.problem:
            if held is not None:
                held.release()  # nothing comes that would be worth waiting for
            raise ContainerProblem(f"What ran in its last release doesn't pass its gate: {verdict.problem}.")
    if front is not None:
        _route(work, name, deployed, front)
    _stop(others)
    work.event(name, "undone", f"{deployed.replica_set} serves, as in the last release")


def _live(work: Work, name: str, front: Container) -> LiveFront:
    service = work.stack.services.get(name, Service(name, {}))
    return LiveFront.of(front, service, fronts.read_routes({name: front.id}).get(name, Route()))


def _hold(work: Work, name: str, front: Container | None) -> LiveFront | None:
    """Let callers wait while what serves them stops, if there is a front that can; what is in flight ends."""
    if front is None or not front.running:
        return None
    live = _live(work, name, front)
    live.hold()
    live.end_held()
    return live


def _route(work: Work, name: str, deployed: Deployed, front: Container) -> None:
    """Let a front, which may stand still, send everything to the replicas of the release."""
    live = _live(work, name, front)
    live.revive()
    if live.route.name == deployed.replica_set:
        live.again(deployed.replica_set, deployed.count)
        return
    live.back(deployed.replica_set)
    live.drain(live.route.other, live.service.drain)


def _plain(work: Work, now: Mapping[str, Running]) -> list[str]:
    """Start what Compose had made, and ran before the first deploy, which took its names and ports.

    Returns what doesn't pass its gate again, in words.
    """
    started: dict[str, list[str]] = {}
    for service, found in now.items():
        back = [one for one in found.plain if one.id in (work.begun_with or ())]
        if back:
            _stop(_own(found))
            _names_back(back, now)
            started[service] = [one.id for one in back if not one.running]
            containers.resume(started[service])
    # Whoever is told that everything runs as before may ask it at once.
    verdicts = {name: gate.wait(ids, work.gate_seconds) for name, ids in started.items() if ids}
    return [
        f"{name}: what Compose had made runs again, but doesn't pass its gate: {verdict.problem}."
        for name, verdict in verdicts.items()
        if verdict.problem
    ]


def _own(found: Running) -> list[Container]:
    """The replicas and fronts that homeport made."""
    return [one for one in found.everything if one.labels.get(ROLE_LABEL) in {REPLICA, FRONT}]


def _stop(listed: Iterable[Container]) -> None:
    """Stop these containers; a front first, for it ends when nothing is in flight any more."""
    active = [one for one in listed if one.active]
    front = [one.id for one in active if one.labels.get(ROLE_LABEL) == FRONT]
    containers.stop(front, FRONT_SECONDS)
    containers.stop([one.id for one in active if one.id not in front])


def _names_back(listed: Iterable[Container], now: Mapping[str, Running]) -> None:
    """Give containers the names again that they had to give up; whoever has such a name now gives it up."""
    everything = [one for found in now.values() for one in found.everything]
    for one in listed:
        name = own_name(one)
        if one.name == name:
            continue
        for holder in everything:
            if holder.name == name:
                containers.rename(holder.id, other_name(holder))
        containers.rename(one.id, name)


def _words(error: HomeportError) -> str:
    return f"{error.what} {error.detail}".strip()

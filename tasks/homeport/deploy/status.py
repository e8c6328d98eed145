"""What runs of a stack, against what its last release says. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from homeport.deploy.past import has_front
from homeport.deploy.plan import Running
from homeport.engine.containers import Container
from homeport.model.release import Deployed, Outcome, Release, current


@dataclass(frozen=True)
class ServiceStatus:
    """One service: which replica set serves, how many of its containers are well, and what is wrong."""

    name: str
    serving: str
    up: int
    wanted: int
    front: str
    problems: tuple[str, ...] = ()


def statuses(running: Mapping[str, Running], releases: Iterable[Release]) -> tuple[ServiceStatus, ...]:
    """The services of the last release that passed, and whatever else runs."""
    now = current(releases)
    kept = now.services if now else {}
    there = {name for name, one in running.items() if one.up}
    found = [_status(name, kept.get(name), running.get(name, Running())) for name in {*kept, *there}]
    return tuple(sorted(found, key=lambda one: one.name))


def _status(name: str, should: Deployed | None, runs: Running) -> ServiceStatus:
    members = runs.sets.get(runs.live, ())
    up = sum(one.running and one.health != "unhealthy" for one in members)
    wanted = should.count if should else 0
    problems = []
    if should is None:
        problems.append("no release has it" if runs.sets or runs.front else "it runs without homeport")
    elif should.one_shot:
        ended = any(
            one.state == "exited" and one.exit_code == 0 for one in runs.sets.get(should.replica_set, ())
        )
        problem = () if ended else ("it hasn't run to its end in this form",)
        return ServiceStatus(name, should.replica_set, 0, 0, "", problem)
    elif runs.live != should.replica_set:
        problems.append(f"{runs.live or 'nothing'} serves, not {should.replica_set}")
    if should and up < wanted:
        problems.append(f"{up} of {wanted} containers are well")
    if should and should.front and runs.front is None:
        problems.append("its front is gone")
    elif should and should.front_name and runs.front and runs.front.service != should.front_name:
        problems.append(f"its front is {runs.front.service}, not {should.front_name}")
    if runs.front is not None and not runs.front.running:
        if should is None or should.front:
            problems.append("its front doesn't run")
    elif runs.front is not None and not all(one.networks for one in (runs.front, *members) if one.running):
        problems.append("it or its front is in no network")
    if should and any(one.active for one in runs.plain):
        problems.append("somebody started it with plain Compose")
    if runs.held and (should is None or should.front):
        problems.append("its callers wait: a deploy ended in the middle")
    strays = [set_name for set_name, own in runs.sets.items() if set_name != runs.live and _up(own)]
    if strays:
        problems.append(f"{', '.join(strays)} runs, too")
    front = "" if runs.front is None else "front" if runs.front.running else "front down"
    return ServiceStatus(name, runs.live, up, wanted, front, tuple(problems))


def _kept(deployed: Deployed, runs: Running) -> bool:
    return len(runs.sets.get(deployed.replica_set, ())) >= deployed.count and has_front(deployed, runs)


def _up(members: Iterable[Container]) -> bool:
    return any(one.active for one in members)


def marks(
    releases: Iterable[Release], pinned: Collection[int], running: Mapping[str, Running]
) -> dict[int, str]:
    """By number what is to be said of a release: that it runs, how it failed, what becomes of it.

    One whose containers are not all there any more is ``gone``: a rollback can't go there.
    """
    everything = list(releases)
    now = current(everything)

    def words(one: Release) -> Iterable[str]:
        if now and one.number == now.number:
            yield "runs" if any(found.up for found in running.values()) else "current"
        if one.outcome is not Outcome.PASSED:
            yield one.outcome.value
        if one.number in pinned:
            yield "pinned"
        if one.irreversible:
            yield "irreversible"
        if one.outcome is Outcome.PASSED and not all(
            deployed.one_shot or _kept(deployed, running.get(name, Running()))
            for name, deployed in one.services.items()
        ):
            yield "gone"

    return {one.number: ", ".join(words(one)) for one in everything}

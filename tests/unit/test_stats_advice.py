"""What is advised, at the edges of each rule."""

from __future__ import annotations

from typing import Any

import pytest

from homeport.engine.limits import Held
from homeport.model.finding import Severity
from homeport.model.tiers import Policy, Tier
from homeport.stats import advice
from homeport.stats.advice import Advice, Context, advise, too_short, unlimited
from homeport.stats.measure import ServiceUse
from stats_samples import MIB, member, steady, used

HOST = Context(host_cores=8.0)
MEMORY = 100 * MIB


def throttled(share: float, *, seconds: int = 100, stopped: float = 0.4, limit: float = 0.5) -> ServiceUse:
    """A service that works all the time, is stopped in such a share of its periods and wants 0.9 cores."""
    readings = steady(seconds + 1, 0.5, throttled=share, stopped=stopped)
    return used(member(held=Held(limit)), readings)


def one(service: ServiceUse, context: Context = HOST) -> Advice:
    (found,) = advise([service], context)
    return found


def test_the_words_of_throttling() -> None:
    found = one(throttled(0.34))
    assert found.what == "throttled in 34 % of its periods; CPU limit 0.5, it wanted ~0.9"
    assert found.fix == (
        "Set deploy.resources.limits.cpus of api to '1' (or take the line out, put it into tier 'websocket' "
        "with 1 under [resources.services], and run 'homeport resources --apply'), then deploy."
    )
    assert (found.kind, found.severity, found.service) == ("throttled", Severity.WARNING, "api")


@pytest.mark.parametrize(
    ("share", "severity"),
    [(0.25, Severity.WARNING), (0.249, Severity.NOTE), (0.05, Severity.NOTE), (0.049, None), (0.0, None)],
)
def test_how_much_throttling_matters(share: float, severity: Severity | None) -> None:
    found = advise([throttled(share)], HOST)
    assert [one.severity for one in found] == ([severity] if severity else [])


@pytest.mark.parametrize(("periods", "said"), [(19, 0), (20, 1)])
def test_a_burst_of_less_than_two_seconds_decides_nothing(periods: int, said: int) -> None:
    readings = steady(2, 0.5, periods=periods, throttled=1.0)
    assert len(advise([used(member(held=Held(0.5)), readings)], HOST)) == said


def test_without_a_limit_nothing_is_throttled() -> None:
    assert advise([throttled(0.9, limit=0.0)], HOST) == ()


def fix(service: ServiceUse, **more: Any) -> str:
    return one(service, Context(**{"host_cores": 8.0, **more})).fix


def test_the_new_limit_has_some_room_and_is_a_quarter() -> None:
    assert "to '0.75'" in fix(throttled(0.5, stopped=0.15))
    assert "to '1'" in fix(throttled(0.5, stopped=0.4))
    assert "to '1.25'" in fix(throttled(0.5, stopped=0.5))


def test_bursts_get_more_although_the_average_fits() -> None:
    assert "to '0.75'" in fix(throttled(0.5, stopped=0.0, limit=0.6))
    assert "to '1.25'" in fix(throttled(0.5, stopped=0.0, limit=1.0))


def test_never_more_than_the_host_has() -> None:
    """The engine starts no container with more."""
    assert "to '2'" in fix(throttled(0.5, stopped=7.0), host_cores=2.0)
    assert "wanted ~2.0" in one(throttled(0.5, stopped=7.0), Context(host_cores=2.0)).what
    assert fix(throttled(0.5, limit=2.0), host_cores=2.0) == "The host has no more cores than that."


def test_the_smallest_tier_that_fits() -> None:
    tiers = {"big": Tier(cpus=4.0), "middle": Tier(cpus=1.5), "small": Tier(cpus=0.5)}
    assert "tier 'middle' with 1.5" in fix(throttled(0.5), policy=Policy(tiers))
    assert "tier" not in fix(throttled(0.5), policy=Policy({"small": Tier(cpus=0.5)}))


def full(share: float, limit: int = MEMORY) -> ServiceUse:
    return used(member(held=Held(memory=limit)), steady(40, 0.1, memory=round(MEMORY * share)))


@pytest.mark.parametrize(
    ("share", "severity"),
    [
        (1.0, Severity.WARNING),
        (0.9, Severity.WARNING),
        (0.899, Severity.NOTE),
        (0.8, Severity.NOTE),
        (0.799, None),
    ],
)
def test_how_near_the_memory_limit_matters(share: float, severity: Severity | None) -> None:
    assert [one.severity for one in advise([full(share)], HOST)] == ([severity] if severity else [])


def test_the_words_of_memory() -> None:
    found = one(full(0.95))
    assert found.what == "used 95.0 MiB of its 100.0 MiB of memory (95 %); the kernel kills what goes over"
    assert found.fix == "Set deploy.resources.limits.memory of api to 132M, then deploy."
    assert "(89 %)" in one(full(0.8999)).what  # never rounded over the edge


def test_the_new_limit_of_memory_ends_the_advice() -> None:
    for share in (0.8, 0.9, 1.0):
        words = one(full(share)).fix.partition(" to ")[2].partition("M")[0]
        assert advise([full(share, int(words) * MIB)], HOST) == ()


def test_without_a_limit_no_memory_is_near() -> None:
    assert advise([full(5.0, 0)], HOST) == ()


def test_what_was_killed_or_started_again_is_a_warning() -> None:
    found = one(used(member(held=Held(memory=MEMORY), killed=True), []))
    assert (found.kind, found.severity) == ("killed", Severity.WARNING)
    assert found.what == "the kernel killed a process for its memory; the limit is 100.0 MiB"
    assert "deploy.resources.limits.memory of api" in found.fix
    assert "the host had none left" in one(used(member(killed=True), [])).what
    before = used(member(killed=True), [], last={"shop-api-1": member()})
    assert one(before).what.startswith("the kernel killed a process for its memory; ")
    assert "its memory once while watched; " in one(used(member(), [], kills={"shop-api-1": 1})).what
    assert "its memory 4 times while watched; " in one(used(member(), [], kills={"shop-api-1": 4})).what
    again = used(member(), steady(3, 0.1), last={"shop-api-1": member(restarts=3)})
    assert one(again).what == "was started again 3 times while watched"
    assert one(used(member(), [], last={"shop-api-1": member(restarts=1)})).what.endswith(
        "once while watched"
    )


def test_a_front_has_no_limits_to_change_but_may_die() -> None:
    readings = steady(100, 0.5, throttled=0.9, memory=MEMORY)
    held = Held(0.5, MEMORY, 900 * MIB)
    assert advise([used(member(front=True, held=held), readings)], HOST) == ()
    assert one(used(member(front=True, killed=True), readings)).service == "api (front)"


def idle(seconds: int = 60, *, cores: float = 0.01, memory: int = 10 * MIB, reserved: int = 0) -> ServiceUse:
    return used(member(held=Held(reserved_memory=reserved)), steady(seconds + 1, cores, memory=memory))


@pytest.mark.parametrize(
    ("cores", "reserved", "said"),
    [
        (0.01, 0.5, True),
        (0.124, 0.5, True),
        (0.126, 0.5, False),
        (0.01, 0.1, False),
        (0.0, 0.1, True),
        (0.0, 0.0, False),
    ],
)
def test_far_more_cores_reserved_than_used(cores: float, reserved: float, said: bool) -> None:
    found = advise([idle(cores=cores)], Context(reserved_cores={"api": reserved}))
    assert [one.kind for one in found] == ["over-reserved cores"] * said


def test_the_words_of_reserved_cores() -> None:
    found = one(idle(), Context(reserved_cores={"api": 0.5}))
    assert found.severity is Severity.NOTE
    assert found.what == "reserves 0.5 cores and used 0.01 at most in 1 min 00 s"
    assert "set deploy.resources.reservations.cpus of api to '0.05'" in found.fix


@pytest.mark.parametrize(
    ("reserved", "said"),
    [(512 * MIB, True), (43 * MIB, True), (41 * MIB, False), (40 * MIB, False), (0, False)],
)
def test_far_more_memory_reserved_than_used(reserved: int, said: bool) -> None:
    found = advise([idle(reserved=reserved)], HOST)
    assert [one.kind for one in found] == ["over-reserved memory"] * said


def test_the_words_of_reserved_memory() -> None:
    found = one(idle(reserved=512 * MIB))
    assert found.what == "reserves 512.0 MiB of memory and used 10.0 MiB at most in 1 min 00 s"
    assert "deploy.resources.reservations.memory of api to 32M" in found.fix


def test_what_wants_to_run_reserves_nothing_too_much() -> None:
    """It uses little because it is stopped."""
    service = used(member(held=Held(0.05)), steady(61, 0.05, stopped=0.5))
    assert advise([service], Context(reserved_cores={"api": 0.5})) == ()


@pytest.mark.parametrize(("seconds", "said"), [(29, 0), (30, 1)])
def test_over_reserved_takes_time_to_tell(seconds: int, said: int) -> None:
    service = idle(seconds, reserved=512 * MIB)
    assert len(advise([service], HOST)) == said
    assert bool(too_short([service], float(seconds))) is not bool(said)


def test_a_time_that_is_too_short_says_so() -> None:
    assert too_short([idle(5)], 5.0) == (
        "Watched for 5.0 s: too short to tell what is over-reserved "
        "(30 s at least, better an hour of usual load).",
    )
    # One that was started meanwhile, in a watch that is long enough.
    assert too_short([idle(5)], 60.0) == ("Seen for too short a time to tell what is over-reserved: api.",)
    assert too_short([used(member(front=True), steady(5, 0.0))], 60.0) == ()


def test_services_without_limits_in_one_line_each() -> None:
    free = [used(member(f"s{number}"), []) for number in range(7)]
    front = used(member("s0", front=True), [])
    limited = used(member("x", held=Held(0.5, MEMORY)), [])
    assert unlimited([*free, front, limited]) == (
        "No limit of cores: 7 services (s0, s1, s2, s3, s4 and 2 more). "
        "'homeport resources' plans one for each by its tier.",
        "No limit of memory: 7 services (s0, s1, s2, s3, s4 and 2 more). "
        "'homeport resources' plans one for each by its tier.",
    )
    assert unlimited([limited]) == ()


def test_warnings_come_first() -> None:
    calm, near = throttled(0.1), used(member("zeta", held=Held(memory=MEMORY)), steady(9, 0.0, memory=MEMORY))
    assert [one.service for one in advise([calm, near], HOST)] == ["zeta", "api"]


def test_the_constants_agree() -> None:
    assert advice.ROOM < advice.SOON_NEAR < advice.NEAR_LIMIT
    assert advice.SOME_THROTTLING < advice.THROTTLED

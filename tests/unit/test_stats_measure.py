"""From counts to what was used: differences, counts that begin anew, containers that come and go."""

from __future__ import annotations

from dataclasses import replace

import pytest

from homeport.engine.limits import Held
from homeport.engine.usage import Reading
from homeport.stats.measure import intervals, services
from stats_samples import EPOCH, MIB, member, seen, steady, used


def at(second: float, cpu: float, **more: float) -> Reading:
    known = {"periods": 0, "throttled": 0, "memory": MIB, **more}
    return Reading(EPOCH + second, cpu, **known)  # type: ignore[arg-type]


def two(before: Reading, after: Reading) -> tuple[float, float]:
    (found,) = intervals([(0, before), (1, after)])
    return round(found.cores, 6), round(found.wanted, 6)


def test_cores_are_seconds_of_processor_time_in_a_second() -> None:
    assert two(at(0, 7.0), at(2, 8.0)) == (0.5, 0.5)
    assert two(at(0, 7.0), at(1, 7.0)) == (0.0, 0.0)
    assert two(at(0, 1.0), at(0.5, 2.0)) == (2.0, 2.0)


def test_time_spent_stopped_is_wanted_too() -> None:
    assert two(at(0, 1.0, throttled_seconds=3.0), at(1, 1.1, throttled_seconds=3.9)) == (0.1, 1.0)


@pytest.mark.parametrize("readings", [[], [(0, at(0, 1.0))]])
def test_one_reading_tells_nothing(readings: list[tuple[int, Reading]]) -> None:
    assert intervals(readings) == ()


@pytest.mark.parametrize("second", [0.0, -5.0])
def test_a_clock_that_stands_or_goes_back_tells_nothing(second: float) -> None:
    assert intervals([(0, at(0, 1.0)), (1, at(second, 2.0))]) == ()
    # and the next one counts again
    (found,) = intervals([(0, at(0, 1.0)), (1, at(second, 2.0)), (2, at(second + 1, 2.5))])
    assert found.cores == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (at(0, 9.0), at(1, 0.2)),
        (at(0, 9.0, periods=50, throttled=5, throttled_seconds=4.0), at(1, 0.2, periods=3)),
        # It has used more by now than before it was restarted, and was throttled less.
        (at(0, 0.1, periods=50), at(1, 0.2, periods=3)),
        (at(0, 0.1, throttled=5), at(1, 0.2)),
        (at(0, 0.1, throttled_seconds=5.0), at(1, 0.2)),
    ],
)
def test_counts_that_begin_anew_are_never_negative(before: Reading, after: Reading) -> None:
    (found,) = intervals([(0, before), (1, after)])
    assert found.cores == pytest.approx(0.2)
    assert found.wanted == pytest.approx(0.2)
    assert found.periods == (after.periods or 0)
    assert found.throttled == 0


def test_the_network_begins_anew_alone() -> None:
    """A container that leaves a network goes on with all else."""
    before = replace(at(0, 5.0), received=1000, sent=50)
    (found,) = intervals([(0, before), (1, replace(at(1, 6.0), received=10, sent=70))])
    assert (found.received, found.sent, found.cores) == (10, 20, 1.0)


def test_without_a_network_nothing_comes_or_goes() -> None:
    (found,) = intervals([(0, at(0, 1.0)), (1, at(1, 1.0))])
    assert (found.received, found.sent) == (0, 0)
    assert not used(member(), [(0, at(0, 1.0)), (1, at(1, 1.0))]).network


def test_the_docker_command_says_cores_itself() -> None:
    readings = [(0, Reading(EPOCH, 0.0, MIB, cores=0.5)), (1, Reading(EPOCH + 2, 0.0, MIB, cores=0.3))]
    (found,) = intervals(readings)
    assert (found.cores, found.wanted, found.periods) == (0.3, 0.3, 0)


def test_a_service_over_its_time() -> None:
    one = used(member(held=Held(0.5, 64 * MIB)), steady(4, 0.25, memory=20 * MIB, throttled=0.5, network=100))
    assert one.cores == pytest.approx(0.25)
    assert one.peak_cores == pytest.approx(0.25)
    assert one.peak_memory == one.memory == 20 * MIB
    assert one.throttled == 0.5
    assert (one.received, one.sent) == (300, 600)
    assert [point.at for point in one.points] == [1.0, 2.0, 3.0]


def test_replicas_are_summed_and_the_one_that_is_stopped_most_counts() -> None:
    first, second = member(name="a", held=Held(0.5)), member(name="b", held=Held(0.5))
    (one,) = services(seen([(first, steady(3, 0.1, throttled=0.1)), (second, steady(3, 0.3, throttled=0.9))]))
    assert one.cores == pytest.approx(0.4)
    assert one.peak_memory == 20 * MIB
    assert one.throttled == pytest.approx(0.9, abs=0.05)
    assert one.count == 2


def test_a_front_is_a_row_of_its_own_behind_its_service() -> None:
    found = services(seen([(member(front=True, name="f"), steady(2, 0.0)), (member(), steady(2, 0.1))]))
    assert [(one.name, one.front) for one in found] == [("api", False), ("api", True)]


def test_a_deploy_meanwhile_replaces_a_container() -> None:
    """The old one's time and the new one's are one service; the new one's limits count."""
    old = member(name="old", held=Held(0.5), started="2026-01-01T00:00:00Z")
    new = member(name="new", held=Held(1.0), started="2026-01-02T00:00:00Z")
    readings = [(old, steady(5, 0.2)), (new, steady(5, 0.4, start=3))]
    (one,) = services(seen(readings, states={"old": "exited", "new": "running"}))
    assert one.count == 1
    assert one.newest.member.held.cores == 1.0
    assert [round(point.cores, 3) for point in one.points] == [0.2, 0.2, 0.2, 0.6, 0.4, 0.4, 0.4]
    assert one.peak_memory == 20 * MIB


def test_one_that_was_seen_once_has_memory_but_no_cores() -> None:
    one = used(member(), steady(1, 0.5, memory=7 * MIB))
    assert not one.measured
    assert one.peak_memory == 7 * MIB
    assert one.cores == one.peak_cores == 0.0


def test_one_that_never_ran_long_enough_to_be_counted() -> None:
    one = used(member(state="restarting"), [], states={"shop-api-1": "restarting"})
    assert not one.measured
    assert (one.peak_memory, one.restarts, one.throttled) == (0, 0, 0.0)
    assert one.count == 1


@pytest.mark.parametrize(("before", "after", "said"), [(2, 5, 3), (0, 0, 0), (4, 0, 0)])
def test_restarts_while_it_was_watched(before: int, after: int, said: int) -> None:
    first, last = member(restarts=before), member(restarts=after)
    assert used(first, steady(2, 0.1), last={"shop-api-1": last}).restarts == said


def test_the_last_looks_alone() -> None:
    readings = [(tick, at(tick, cpu)) for tick, cpu in enumerate([0.0, 0.9, 1.8, 1.9, 2.0])]
    (one,) = services(seen([(member(), readings)]), last=3)
    assert one.cores == pytest.approx(0.1)
    assert [point.at for point in one.points] == [3.0, 4.0]


def test_a_look_without_answer_makes_a_longer_interval() -> None:
    readings = [(0, at(0, 0.0)), (1, at(5, 2.5))]
    assert used(member(), readings).cores == pytest.approx(0.5)


def test_nothing_seen_at_all() -> None:
    assert services(seen([])) == ()
    assert seen([]).seconds == 0.0

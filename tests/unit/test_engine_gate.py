"""The gate: which replicas may get traffic, by what the engine says of them, on a clock that is made up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from homeport.engine.containers import Container
from homeport.engine.gate import POLL_SECONDS, STEADY_SECONDS, Verdict, still, wait, wait_for_end


def container(state: str = "running", health: str = "", name: str = "a", **more: Any) -> Container:
    return Container(name, name, "sha256:1", state, {}, health=health, **more)


HEALTHY = container(health="healthy")
STARTING = container(health="starting")
SICK = container(health="unhealthy")
PLAIN = container()
ENDED = container("exited", exit_code=3)
CRASHED = container(restarts=2)

Frame = tuple[Container, ...]


class Film:
    """An engine and a clock: one frame for each look, and the last one from then on."""

    def __init__(self, *frames: Frame | Container) -> None:
        self._frames = [(frame,) if isinstance(frame, Container) else frame for frame in frames]
        self.asked: list[list[str]] = []
        self.checked: list[float] = []
        self.passes_at = 0
        self.now = 1000.0

    def look(self, ids: Iterable[str]) -> Frame:
        self.asked.append(list(ids))
        return self._frames[min(len(self.asked), len(self._frames)) - 1]

    def check(self, one: Container) -> bool:
        self.checked.append(round(self.elapsed, 3))
        return len(self.checked) == self.passes_at

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds == POLL_SECONDS
        self.now += seconds

    @property
    def elapsed(self) -> float:
        return self.now - 1000.0

    def wait(self, *ids: str, limit: float = 30.0) -> Verdict:
        given = iter(ids or ("a",))
        return wait(given, limit, look=self.look, check=self.check, clock=self.clock, sleep=self.sleep)

    def wait_for_end(self, limit: float = 30.0) -> Verdict:
        return wait_for_end("a", limit, look=self.look, clock=self.clock, sleep=self.sleep)

    def still(self, before: Mapping[str, int] | None = None) -> Verdict:
        return still({"a": 0} if before is None else before, look=self.look)


def test_a_healthy_replica_passes_at_once() -> None:
    film = Film(HEALTHY)
    assert film.wait() == Verdict(None)
    assert film.elapsed == 0.0
    assert film.asked == [["a"]]


def test_a_replica_passes_as_soon_as_it_is_healthy() -> None:
    film = Film(container("created"), STARTING, STARTING, HEALTHY, SICK)
    assert film.wait().problem == ""
    assert len(film.asked) == 4
    assert film.elapsed == pytest.approx(3 * POLL_SECONDS)


def test_a_replica_that_says_it_is_unhealthy_fails() -> None:
    assert Film(STARTING, SICK, HEALTHY).wait() == Verdict(SICK, "its health check fails")


@pytest.mark.parametrize("first", [STARTING, PLAIN], ids=["checked", "unchecked"])
@pytest.mark.parametrize("state", ["exited", "dead"])
@pytest.mark.parametrize("code", [0, 3])
def test_a_replica_that_ends_fails_whatever_its_exit_code(state: str, code: int, first: Container) -> None:
    ended = container(state, exit_code=code)
    assert Film(first, ended).wait() == Verdict(ended, f"it ended with exit code {code}")


@pytest.mark.parametrize("first", [STARTING, PLAIN], ids=["checked", "unchecked"])
@pytest.mark.parametrize("state", ["restarting", "running"])
def test_a_replica_that_is_started_again_fails(state: str, first: Container) -> None:
    crashed = container(state, health=first.health, restarts=1)
    assert Film(first, crashed).wait() == Verdict(crashed, "it crashed and was started again")


def test_restarts_on_another_day_are_not_the_fault_of_this_deploy() -> None:
    assert Film(container(health="starting", restarts=3), container(health="healthy", restarts=3)).wait() == (
        Verdict(None)
    )
    assert Film(container(restarts=3)).wait() == Verdict(None)


@pytest.mark.parametrize("health", ["", "starting"])
def test_one_more_restart_than_at_the_first_look_fails(health: str) -> None:
    frames = [container(health=health, restarts=count) for count in (3, 3, 4)]
    film = Film(*frames)
    assert film.wait() == Verdict(frames[2], "it crashed and was started again")
    assert len(film.asked) == 3


def test_the_restarts_of_each_replica_are_its_own() -> None:
    often, never = container(health="healthy", restarts=5), container(health="starting", name="b")
    late = container(health="healthy", restarts=1, name="b")
    film = Film((often, never), (often, late))
    assert film.wait("a", "b") == Verdict(late, "it crashed and was started again")


@pytest.mark.parametrize("first", [STARTING, PLAIN], ids=["checked", "unchecked"])
def test_a_replica_that_vanishes_fails(first: Container) -> None:
    assert Film(first, ()).wait() == Verdict(None, "its container is gone")


def test_one_of_two_that_vanishes_fails_although_the_other_is_healthy() -> None:
    assert Film((HEALTHY,)).wait("a", "b") == Verdict(None, "its container is gone")


def test_a_replica_that_does_not_get_healthy_fails_after_the_limit() -> None:
    film = Film(STARTING)
    verdict = film.wait(limit=5.0)
    assert verdict == Verdict(STARTING, "its health check says 'starting' after 5 s")
    assert film.elapsed == pytest.approx(5.0, abs=2 * POLL_SECONDS)


def test_a_replica_that_does_not_even_start_fails_after_the_limit() -> None:
    created = container("created")
    assert Film(created).wait(limit=3.0) == Verdict(created, "it is created after 3 s")
    restarting = container("restarting", health="starting")
    assert Film(restarting).wait(limit=3.0).problem == "its health check says 'starting' after 3 s"


def test_all_have_to_pass_and_who_does_not_is_named() -> None:
    other = container(health="starting", name="b")
    film = Film((HEALTHY, other), (HEALTHY, container(health="healthy", name="b")))
    assert film.wait("a", "b").problem == ""
    assert len(film.asked) == 2
    assert film.asked == [["a", "b"], ["a", "b"]]
    assert Film((HEALTHY, other)).wait("a", "b", limit=1.0).container == other


def test_the_first_that_fails_ends_it_for_all() -> None:
    sick = container(health="unhealthy", name="b")
    film = Film((STARTING, container(health="starting", name="b")), (STARTING, sick))
    assert film.wait("a", "b") == Verdict(sick, "its health check fails")
    assert len(film.asked) == 2


def test_one_that_was_ill_before_has_time_to_recover() -> None:
    assert Film(SICK, SICK, HEALTHY).wait().problem == ""
    assert Film(SICK).wait(limit=3.0).problem == "its health check says 'unhealthy' after 3 s"
    film = Film(SICK)
    film.passes_at = 2
    assert film.wait().problem == ""


def test_a_limit_of_nothing_still_looks_once() -> None:
    assert Film(HEALTHY).wait(limit=0.0).problem == ""
    assert "after 0 s" in Film(STARTING).wait(limit=0.0).problem


def test_healthy_at_the_last_moment_passes() -> None:
    frames = [STARTING] * 11
    assert Film(*frames, HEALTHY).wait(limit=10 * POLL_SECONDS + 0.05).problem == ""


def test_without_a_health_check_it_has_to_run_for_a_while() -> None:
    film = Film(PLAIN)
    assert film.wait() == Verdict(None)
    assert film.elapsed == pytest.approx(STEADY_SECONDS, abs=2 * POLL_SECONDS)


def test_the_while_begins_when_it_runs_and_not_when_the_gate_does() -> None:
    film = Film(*[container("created")] * 50, PLAIN)
    assert film.wait() == Verdict(None)
    assert film.elapsed == pytest.approx(50 * POLL_SECONDS + STEADY_SECONDS, abs=2 * POLL_SECONDS)


def test_the_while_begins_when_the_last_of_them_runs() -> None:
    one, other = container("created", name="b"), container(name="b")
    film = Film(*[(PLAIN, one)] * 50, (PLAIN, other))
    assert film.wait("a", "b") == Verdict(None)
    assert film.elapsed == pytest.approx(50 * POLL_SECONDS + STEADY_SECONDS, abs=2 * POLL_SECONDS)


def test_each_passes_by_its_own_kind_of_check() -> None:
    waiting, well = container(health="starting", name="b"), container(health="healthy", name="b")
    film = Film(*[(PLAIN, waiting)] * 50, (PLAIN, well))
    assert film.wait("a", "b") == Verdict(None)
    assert film.elapsed == pytest.approx(50 * POLL_SECONDS, abs=2 * POLL_SECONDS)
    film = Film((PLAIN, well))
    assert film.wait("a", "b") == Verdict(None)
    assert film.elapsed == pytest.approx(STEADY_SECONDS, abs=2 * POLL_SECONDS)


def test_running_for_a_while_is_not_enough_where_there_is_a_health_check() -> None:
    film = Film(STARTING)
    assert film.wait(limit=3 * STEADY_SECONDS).container == STARTING
    assert film.elapsed > 2 * STEADY_SECONDS


def test_without_a_health_check_a_crash_in_that_time_fails() -> None:
    film = Film(PLAIN, PLAIN, ENDED)
    assert film.wait() == Verdict(ENDED, "it ended with exit code 3")
    assert film.elapsed < STEADY_SECONDS


@pytest.mark.parametrize(
    "codes", [(0, ""), (1, "it ended with exit code 1"), (137, "it ended with exit code 137")]
)
def test_a_one_shot_passes_with_exit_code_0_only(codes: tuple[int, str]) -> None:
    code, problem = codes
    ended = container("exited", exit_code=code)
    film = Film(container("created"), PLAIN, PLAIN, ended)
    assert film.wait_for_end() == Verdict(ended, problem)
    assert film.asked == [["a"]] * 4


def test_a_one_shot_that_ends_late_or_never_fails() -> None:
    film = Film(PLAIN)
    assert film.wait_for_end(limit=4.0) == Verdict(PLAIN, "it hasn't ended after 4 s")
    assert film.elapsed == pytest.approx(4.0, abs=2 * POLL_SECONDS)


def test_a_one_shot_that_has_ended_when_the_time_is_up_passes() -> None:
    assert Film(container("exited")).wait_for_end(limit=0.0).problem == ""


def test_a_one_shot_that_vanishes_fails() -> None:
    assert Film(PLAIN, ()).wait_for_end() == Verdict(None, "its container is gone")


@pytest.mark.parametrize("frame", [HEALTHY, PLAIN], ids=["checked", "unchecked"])
def test_still_what_it_was(frame: Container) -> None:
    film = Film(frame)
    assert film.still() == Verdict(None)
    assert film.asked == [["a"]]


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (SICK, "its health check fails"),
        (ENDED, "it ended with exit code 3"),
        (CRASHED, "it crashed and was started again"),
        (container("paused"), "it is paused"),
        (container("paused", health="healthy"), "it is paused"),
    ],
)
def test_not_any_more_what_it_was(frame: Container, said: str) -> None:
    assert Film(frame).still() == Verdict(frame, said)


def test_still_counts_restarts_since_it_passed_and_for_each_on_its_own() -> None:
    both = (container(restarts=2), container(restarts=1, name="b"))
    assert Film(both).still({"a": 2, "b": 1}) == Verdict(None)
    verdict = Film(both).still({"a": 2, "b": 0})
    assert verdict == Verdict(both[1], "it crashed and was started again")


def test_still_there_but_one_is_gone() -> None:
    assert Film((HEALTHY,)).still({"a": 0, "b": 0}) == Verdict(None, "its container is gone")


def test_of_several_the_one_that_is_not_is_named() -> None:
    other = container(health="unhealthy", name="b")
    assert Film((HEALTHY, other)).still({"a": 0, "b": 0}).container == other


def test_a_replica_that_passes_its_own_check_needn_t_wait_for_the_engine_to_look() -> None:
    film = Film(STARTING)
    film.passes_at = 3
    assert film.wait() == Verdict(None)
    assert film.checked == [0.2, 0.6, 1.0]
    assert film.elapsed == pytest.approx(1.0)


def test_what_has_passed_once_is_not_checked_again_while_others_start() -> None:
    film = Film((STARTING, container(health="starting", name="b")))
    film.passes_at = 1
    assert film.wait("a", "b", limit=2.0).problem
    assert film.checked[:2] == [0.2, 0.2]
    assert len(film.checked) == 1 + 5  # once for the first, then only for the second


@pytest.mark.parametrize("one", [HEALTHY, PLAIN, container("created", health="starting")])
def test_nothing_is_checked_that_does_not_start_or_has_no_check(one: Container) -> None:
    film = Film(one)
    film.wait(limit=3.0)
    assert film.checked == []

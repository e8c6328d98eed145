"""The gate: which replicas may get traffic, by what the engine says of them, on a clock that is made up."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from homeport.deploy.gate import POLL_SECONDS, STEADY_SECONDS, Verdict, still, wait, wait_for_end
from homeport.engine.containers import Container


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
        self.now = 1000.0

    def look(self, ids: Iterable[str]) -> Frame:
        self.asked.append(list(ids))
        return self._frames[min(len(self.asked), len(self._frames)) - 1]

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds == POLL_SECONDS
        self.now += seconds

    @property
    def elapsed(self) -> float:
        return self.now - 1000.0

    def wait(self, *ids: str, limit: float = 30.0, checked: bool = True) -> Verdict:
        given = iter(ids or ("a",))
        return wait(given, limit, checked=checked, look=self.look, clock=self.clock, sleep=self.sleep)

    def wait_for_end(self, limit: float = 30.0) -> Verdict:
        return wait_for_end("a", limit, look=self.look, clock=self.clock, sleep=self.sleep)

    def still(self, *ids: str, checked: bool = True) -> Verdict:
        return still(iter(ids or ("a",)), checked=checked, look=self.look)


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


@pytest.mark.parametrize("checked", [True, False])
@pytest.mark.parametrize("state", ["exited", "dead"])
@pytest.mark.parametrize("code", [0, 3])
def test_a_replica_that_ends_fails_whatever_its_exit_code(state: str, code: int, checked: bool) -> None:
    ended = container(state, exit_code=code)
    verdict = Film(container(health="starting"), ended).wait(checked=checked)
    assert verdict == Verdict(ended, f"it ended with exit code {code}")


@pytest.mark.parametrize("checked", [True, False])
def test_a_replica_that_was_started_again_fails(checked: bool) -> None:
    crashed = container("restarting", restarts=3)
    verdict = Film(container(health="starting"), crashed).wait(checked=checked)
    assert verdict.container == crashed
    assert "crashed" in verdict.problem
    assert "3" in verdict.problem


@pytest.mark.parametrize("checked", [True, False])
def test_a_replica_that_vanishes_fails(checked: bool) -> None:
    assert Film(STARTING, ()).wait(checked=checked) == Verdict(None, "its container is gone")


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
    assert Film(created).wait(limit=3.0, checked=False) == Verdict(created, "it is created after 3 s")


def test_all_have_to_pass_and_who_does_not_is_named() -> None:
    other = container(health="starting", name="b")
    film = Film((HEALTHY, other), (HEALTHY, container(health="healthy", name="b")))
    assert film.wait("a", "b").problem == ""
    assert len(film.asked) == 2
    assert film.asked == [["a", "b"], ["a", "b"]]
    assert Film((HEALTHY, other)).wait("a", "b", limit=1.0).container == other


def test_the_first_that_fails_ends_it_for_all() -> None:
    sick = container(health="unhealthy", name="b")
    film = Film((STARTING, sick))
    assert film.wait("a", "b") == Verdict(sick, "its health check fails")
    assert film.elapsed == 0.0


def test_a_limit_of_nothing_still_looks_once() -> None:
    assert Film(HEALTHY).wait(limit=0.0).problem == ""
    assert "after 0 s" in Film(STARTING).wait(limit=0.0).problem


def test_healthy_at_the_last_moment_passes() -> None:
    frames = [STARTING] * 11
    assert Film(*frames, HEALTHY).wait(limit=10 * POLL_SECONDS + 0.05).problem == ""


def test_without_a_health_check_it_has_to_run_for_a_while() -> None:
    film = Film(PLAIN)
    assert film.wait(checked=False) == Verdict(None)
    assert film.elapsed == pytest.approx(STEADY_SECONDS, abs=2 * POLL_SECONDS)


def test_without_a_health_check_a_crash_in_that_time_fails() -> None:
    film = Film(PLAIN, PLAIN, ENDED)
    assert film.wait(checked=False) == Verdict(ENDED, "it ended with exit code 3")
    assert film.elapsed < STEADY_SECONDS
    assert Film(PLAIN, PLAIN, CRASHED).wait(checked=False).container == CRASHED


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


@pytest.mark.parametrize(("frame", "checked"), [(HEALTHY, True), (HEALTHY, False), (PLAIN, False)])
def test_still_what_it_was(frame: Container, checked: bool) -> None:
    film = Film(frame)
    assert film.still(checked=checked) == Verdict(None)
    assert film.asked == [["a"]]


@pytest.mark.parametrize(
    ("frame", "checked", "said"),
    [
        (SICK, True, "health check fails"),
        (SICK, False, "health check fails"),
        (STARTING, True, "starting"),
        (ENDED, True, "exit code 3"),
        (ENDED, False, "exit code 3"),
        (CRASHED, False, "crashed"),
        (container("paused"), False, "paused"),
    ],
)
def test_not_any_more_what_it_was(frame: Container, checked: bool, said: str) -> None:
    verdict = Film(frame).still(checked=checked)
    assert verdict.container == frame
    assert said in verdict.problem


def test_still_there_but_one_is_gone() -> None:
    assert Film((HEALTHY,)).still("a", "b") == Verdict(None, "its container is gone")


def test_of_several_the_one_that_is_not_is_named() -> None:
    other = container(health="unhealthy", name="b")
    assert Film((HEALTHY, other)).still("a", "b").container == other

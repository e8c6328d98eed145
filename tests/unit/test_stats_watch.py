"""Looking at a stack again and again: what comes, goes, stands still, or answers no more."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest

from homeport.engine import usage
from homeport.engine.usage import Member, Reading
from homeport.stats import watch as watching
from homeport.stats.measure import Seen
from stats_samples import EPOCH, MIB, member

Look = dict[str, str]
"""The state of each container at one look."""


class Engine:
    """An engine whose containers have these states, look by look, the last for ever; and its clock.

    None is a look that it doesn't answer. Each question takes ``slow`` seconds. A container uses half a core.
    """

    def __init__(self, looks: Iterable[Look | None], members: Iterable[Member], slow: float = 0.0) -> None:
        self.looks, self.slow, self.now = list(looks), slow, 100.0
        self.known = {one.container.id: one for one in members}
        self.asked = 0
        self.reset: set[str] = set()
        self.interrupt_at = -1
        self.killed: list[float] = []
        """When a process of "a" was killed."""

    def active(self, stack: str, *, direct: bool) -> Look:
        assert (stack, direct) == ("shop", True)
        look = self.looks[min(self.asked, len(self.looks) - 1)]
        self.asked += 1
        self.now += self.slow
        if self.asked == self.interrupt_at:
            raise KeyboardInterrupt
        if look is None:
            raise usage.Silent
        return look

    def read(self, names: list[str], *, direct: bool) -> dict[str, Reading]:
        return {
            name: Reading(EPOCH + self.now, (self.now - 90) * (0.001 if name in self.reset else 0.5), MIB)
            for name in names
        }

    def members(self, names: Iterable[str], *, direct: bool) -> dict[str, Member]:
        return {name: self.known[name] for name in names if name in self.known}

    def kills(self, stack: str, since: float, until: float, *, direct: bool) -> list[str]:
        return ["a" for at in self.killed if since <= at < until]

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.now += seconds


Watch = Callable[..., Seen]


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    """Watch what an engine shows, for so many seconds."""

    def run(engine: Engine, seconds: float = 3, interval: float = 1, **more: Any) -> Seen:
        monkeypatch.setattr(watching, "time", engine)
        for name in ("active", "read", "members", "kills"):
            monkeypatch.setattr(usage, name, getattr(engine, name))
        return watching.watch("shop", seconds, interval, direct=True, **more)

    return run


API, WEB = member("api", name="a"), member("web", name="w")
BOTH = {"a": "running", "w": "running"}


def ticks(seen: Seen, name: str) -> list[int]:
    return [tick for tick, _ in seen.readings.get(name, ())]


def test_looks_at_every_interval_and_at_the_end(watch: Watch) -> None:
    seen = watch(Engine([BOTH], [API, WEB]), 5, 2)
    assert seen.ticks == (0.0, 2.0, 4.0, 5.0)
    assert ticks(seen, "a") == ticks(seen, "w") == [0, 1, 2, 3]
    assert seen.states == {"a": "running", "w": "running"}
    assert (seen.gaps, seen.silent, seen.interrupted) == (0, False, False)


def test_a_slow_engine_is_looked_at_less_often_but_by_the_clock(watch: Watch) -> None:
    seen = watch(Engine([BOTH], [API, WEB], slow=1.5), 6, 1)
    assert seen.ticks == (0.0, 2.5, 4.5, 6.5)


@pytest.mark.parametrize("slow", [0.0, 0.3, 5.0])
def test_never_shorter_than_asked_for(watch: Watch, slow: float) -> None:
    """The default of 30 s is just enough to say what is over-reserved."""
    seen = watch(Engine([BOTH], [API, WEB], slow=slow), 30, 1)
    readings = [one.at for _, one in seen.readings["a"]]
    assert seen.seconds >= 30.0
    assert readings[-1] - readings[0] >= 30.0


def test_every_look_is_shown(watch: Watch) -> None:
    shown: list[int] = []
    watch(Engine([BOTH], [API, WEB]), show=lambda seen: shown.append(len(seen.ticks)))
    assert shown == [1, 2, 3, 4]


def test_only_the_services_that_were_asked_for(watch: Watch) -> None:
    assert list(watch(Engine([BOTH], [API, WEB]), services=("web",)).first) == ["w"]


def test_commands_beside_a_service_do_not_count(watch: Watch) -> None:
    labels = {**API.container.labels, "com.docker.compose.oneoff": "True"}
    beside = replace(API, container=replace(API.container, id="b", labels=labels))
    seen = watch(Engine([{"a": "running", "b": "running"}], [API, beside]))
    assert list(seen.first) == ["a"]


def test_one_that_is_replaced_while_it_is_watched(watch: Watch) -> None:
    """As by a deploy: the new one comes beside the old one, which stops and is kept."""
    new = member("api", name="n")
    stopped = replace(API, container=replace(API.container, state="exited"))
    engine = Engine([{"a": "running"}, {"a": "running", "n": "running"}, {"n": "running"}], [API, new])

    def stop(seen: Seen) -> None:
        if len(seen.ticks) == 2:
            engine.known["a"] = stopped

    seen = watch(engine, show=stop)
    assert seen.states == {"a": "exited", "n": "running"}
    assert (ticks(seen, "a"), ticks(seen, "n")) == ([0, 1], [1, 2, 3])


def test_one_that_is_removed_keeps_what_was_seen_last(watch: Watch) -> None:
    engine = Engine([BOTH, {"w": "running"}], [API, WEB])

    def remove(seen: Seen) -> None:
        engine.known.pop("a", None)

    seen = watch(engine, show=remove)
    assert seen.states["a"] == "removed"
    assert seen.last["a"] == API
    assert ticks(seen, "a") == [0]


def test_how_one_ended_is_asked_before_it_is_removed(watch: Watch) -> None:
    engine = Engine([BOTH, {"w": "running"}, {"w": "running"}], [API, WEB])
    killed = replace(API, killed=True, container=replace(API.container, state="exited"))

    def then(seen: Seen) -> None:
        if len(seen.ticks) == 1:
            engine.known["a"] = killed
        else:
            engine.known.pop("a", None)

    seen = watch(engine, show=then)
    assert seen.last["a"].killed
    assert seen.states["a"] == "removed"


def test_a_paused_one(watch: Watch) -> None:
    seen = watch(Engine([{"a": "running"}, {"a": "paused"}, {"a": "paused"}, {"a": "running"}], [API]))
    assert seen.paused["a"] == 2


def test_restarts_are_read_at_the_end_and_when_counts_go_back(watch: Watch) -> None:
    engine = Engine([{"a": "running"}], [API])
    known: list[int] = []

    def restart(seen: Seen) -> None:
        known.append(seen.last["a"].container.restarts)
        engine.known["a"] = replace(API, container=replace(API.container, restarts=2))
        engine.reset.add("a")

    seen = watch(engine, show=restart)
    assert known == [0, 2, 2, 2]
    assert (seen.first["a"].container.restarts, seen.last["a"].container.restarts) == (0, 2)


def test_every_kill_counts_once(watch: Watch) -> None:
    """Those before it was watched count by its state, and those of a look without an answer by the next."""
    engine = Engine([{"a": "running"}, None, {"a": "running"}], [API], slow=0.1)
    engine.killed = [99.0, 100.05, 101.05, 101.5, 102.0]
    assert watch(engine, 3).kills == {"a": 4}


def test_a_look_without_an_answer_is_a_gap(watch: Watch) -> None:
    seen = watch(Engine([BOTH, None, BOTH, None, None, BOTH], [API, WEB]), 5)
    assert (seen.gaps, seen.silent) == (3, False)
    assert seen.ticks == (0.0, 2.0, 5.0)
    assert ticks(seen, "a") == [0, 1, 2]


def test_an_engine_that_is_gone_ends_it(watch: Watch) -> None:
    engine = Engine([BOTH, BOTH, None], [API, WEB])
    seen = watch(engine, 60)
    assert seen.silent
    assert seen.gaps == 3
    assert seen.ticks == (0.0, 1.0)
    assert engine.asked == 5


def test_an_engine_that_goes_at_the_very_end(watch: Watch) -> None:
    engine = Engine([BOTH, BOTH, BOTH, None], [API, WEB])
    seen = watch(engine, 3)
    assert seen.silent
    assert seen.states == {"a": "running", "w": "running"}


def test_the_last_look_is_waited_for(watch: Watch) -> None:
    seen = watch(Engine([BOTH, BOTH, BOTH, None, BOTH], [API, WEB]), 3)
    assert not seen.silent
    assert seen.ticks == (0.0, 1.0, 2.0, 4.0)


def test_ctrl_c_keeps_what_was_seen(watch: Watch) -> None:
    engine = Engine([BOTH], [API, WEB])
    engine.interrupt_at = 3
    seen = watch(engine, 60)
    assert seen.interrupted
    assert seen.ticks == (0.0, 1.0)
    assert ticks(seen, "a") == [0, 1]

"""The lock of a stack, and the releases that are kept with the engine: on volumes that are made up."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Mapping
from types import SimpleNamespace

import pytest

from homeport.deploy import notes
from homeport.deploy.notes import LOCK_LABEL, RELEASE_LABEL, Holder, Lock, Locked, holder_of, unlock
from homeport.model.release import Deployed, Outcome, Release, to_json

NAME = "homeport-shop-lock"
HERE, THERE = "here", "there"
OWN, OTHER, ENDED = 100, 200, 300
"""Process ids: of this process, of one that runs, and of one that doesn't."""

Labels = dict[str, str]


class Volumes:
    """What an engine does with volumes: who asks for a name that is taken gets the labels that it has."""

    def __init__(self) -> None:
        self.kept: dict[str, Labels] = {}
        self.removed: list[str] = []

    def labelled(self, label: str) -> dict[str, Labels]:
        key, _, value = label.partition("=")
        return {
            name: dict(labels)
            for name, labels in self.kept.items()
            if key in labels and (not value or labels[key] == value)
        }

    def make(self, name: str, labels: Mapping[str, str]) -> Labels:
        return dict(self.kept.setdefault(name, dict(labels)))

    def remove(self, names: Iterable[str]) -> None:
        for name in names:
            self.removed.append(name)
            self.kept.pop(name, None)


class World:
    """An engine, a machine with its processes, and a clock on which things happen."""

    def __init__(self) -> None:
        self.volumes = Volumes()
        self.now = 1000.0
        self.said: list[str] = []
        self.later: dict[float, Callable[[], None]] = {}

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds
        for at in sorted(self.later):
            if at <= self.now:
                self.later.pop(at)()

    @property
    def elapsed(self) -> float:
        return self.now - 1000.0

    def after(self, seconds: float, what: Callable[[], None]) -> None:
        self.later[1000.0 + seconds] = what

    def held_by(self, holder: Holder) -> None:
        self.volumes.kept[NAME] = {LOCK_LABEL: json.dumps(holder.__dict__)}

    def lock(self, wait: float = 0.0, stack: str = "shop") -> Lock:
        return Lock(stack, "deploy", wait, self.said.append)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr(notes, "volumes", made.volumes)
    monkeypatch.setattr(notes, "_user", lambda: "me")
    monkeypatch.setattr(notes, "_runs", lambda pid: pid in {OWN, OTHER})
    monkeypatch.setattr(notes, "platform", SimpleNamespace(node=lambda: HERE))
    monkeypatch.setattr(notes, "os", SimpleNamespace(getpid=lambda: OWN, environ=os.environ))
    clock = SimpleNamespace(
        time=lambda: 1_760_000_000.0,
        monotonic=lambda: made.now,
        sleep=made.sleep,
        strftime=time.strftime,
        localtime=time.localtime,
    )
    monkeypatch.setattr(notes, "time", clock)
    return made


def holder(pid: int = OTHER, host: str = HERE, nonce: str = "n1", reason: str = "rollback to r3") -> Holder:
    return Holder("somebody", host, pid, 1_750_000_000.0, reason, nonce)


def test_a_lock_is_held_inside_and_given_back_after(world: World) -> None:
    with world.lock():
        found = holder_of("shop")
        assert found is not None
        assert (found.who, found.host, found.pid, found.reason) == ("me", HERE, OWN, "deploy")
        assert found.since == 1_760_000_000.0
        assert not found.gone
    assert holder_of("shop") is None
    assert world.volumes.kept == {}
    assert (world.elapsed, world.said) == (0.0, [])


def test_a_lock_is_given_back_after_an_error(world: World) -> None:
    with pytest.raises(KeyboardInterrupt), world.lock():
        raise KeyboardInterrupt
    assert holder_of("shop") is None


def test_each_stack_has_a_lock_of_its_own(world: World) -> None:
    with world.lock(), world.lock(stack="blog"):
        assert holder_of("shop") != holder_of("blog")
        assert holder_of("other") is None
    assert world.volumes.kept == {}


def test_two_locks_of_one_process_are_two(world: World) -> None:
    with world.lock():
        with pytest.raises(Locked), world.lock():
            pytest.fail("locked twice")
        assert holder_of("shop") is not None


@pytest.mark.parametrize("other", [holder(), holder(ENDED, THERE), holder(OWN)])
def test_what_another_holds_is_an_error_that_says_who_and_why(world: World, other: Holder) -> None:
    world.held_by(other)
    with (
        pytest.raises(Locked, match="shop is locked: rollback to r3 by somebody on ") as caught,
        world.lock(),
    ):
        pytest.fail("locked although another has it")
    assert other.host in caught.value.what
    assert "homeport unlock" in caught.value.hint
    assert caught.value.exit_code == 2
    assert holder_of("shop") == other
    assert (world.elapsed, world.said, world.volumes.removed) == (0.0, [], [])


def test_waiting_ends_when_the_other_gives_it_back(world: World) -> None:
    world.held_by(holder())
    world.after(20.0, lambda: unlock("shop"))
    with world.lock(wait=60.0):
        assert 20.0 <= world.elapsed <= 21.0
        found = holder_of("shop")
        assert found is not None
        assert found.pid == OWN
    assert len(world.said) == 1
    assert "Waiting" in world.said[0]
    assert "somebody" in world.said[0]


def test_waiting_ends_when_its_time_is_up(world: World) -> None:
    world.held_by(holder())
    with pytest.raises(Locked), world.lock(wait=60.0):
        pytest.fail("locked although another has it")
    assert 60.0 <= world.elapsed <= 61.0
    assert len(world.said) == 1
    assert holder_of("shop") == holder()


def test_waiting_does_not_end_when_another_takes_it_in_between(world: World) -> None:
    world.held_by(holder())
    second = holder(nonce="n2")
    world.after(5.0, lambda: world.held_by(second))
    with pytest.raises(Locked), world.lock(wait=10.0):
        pytest.fail("locked although another has it")
    assert holder_of("shop") == second


def test_a_lock_whose_process_ended_on_this_machine_is_taken_over(world: World) -> None:
    world.held_by(holder(ENDED))
    with world.lock():
        found = holder_of("shop")
        assert found is not None
        assert (found.pid, found.who) == (OWN, "me")
    assert holder_of("shop") is None
    assert world.elapsed < 0.2
    assert world.said == []


def test_a_process_that_ends_while_another_waits_for_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.held_by(holder())
    world.after(3.0, lambda: monkeypatch.setattr(notes, "_runs", lambda pid: pid == OWN))
    with world.lock(wait=60.0):
        assert 3.0 <= world.elapsed <= 4.0


@pytest.mark.parametrize(
    ("other", "gone"),
    [
        (holder(OTHER), False),
        (holder(ENDED), True),
        (holder(ENDED, THERE), False),
        (holder(OTHER, THERE), False),
    ],
)
def test_only_of_this_machine_it_is_known_that_a_process_has_ended(
    world: World, other: Holder, gone: bool
) -> None:
    assert other.gone is gone


def test_a_lock_that_was_broken_and_taken_by_another_is_not_given_back(world: World) -> None:
    other = holder(nonce="n2")
    with world.lock():
        unlock("shop")
        world.held_by(other)
        world.volumes.removed.clear()
    assert holder_of("shop") == other
    assert world.volumes.removed == []


def test_a_lock_that_was_broken_is_not_given_back(world: World) -> None:
    with world.lock():
        unlock("shop")
        world.volumes.removed.clear()
    assert world.volumes.removed == []


def test_a_lock_that_was_broken_and_retaken_by_the_same_process_is_the_new_ones(world: World) -> None:
    first, second = world.lock(), world.lock()
    first.__enter__()
    unlock("shop")
    with second:
        mine = holder_of("shop")
        first.__exit__(None, None, None)
        assert holder_of("shop") == mine
        assert mine is not None
    assert holder_of("shop") is None


def test_unlocking_takes_it_away_whoever_holds_it(world: World) -> None:
    world.held_by(holder(host=THERE))
    unlock("shop")
    unlock("shop")
    assert holder_of("shop") is None


@pytest.mark.parametrize("text", ["", "no json", "[]", "7", "{}"])
def test_a_lock_that_cannot_be_read_is_respected_until_somebody_breaks_it(world: World, text: str) -> None:
    world.volumes.kept[NAME] = {LOCK_LABEL: text}
    with pytest.raises(Locked, match="a lock that can't be read"), world.lock():
        pytest.fail("locked although somebody may have it")
    unlock("shop")
    with world.lock():
        assert holder_of("shop") is not None


def test_a_holder_is_described_in_one_line() -> None:
    text = notes.describe(holder(host=THERE))
    assert text.startswith("rollback to r3 by somebody on there since 2025-06-")
    assert "\n" not in text


def test_who_it_is_comes_from_ci_or_else_from_the_system(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTOR", "octo")
    assert notes.who() == "octo"
    monkeypatch.delenv("GITHUB_ACTOR")
    assert (notes.who(), notes.host()) == ("me", HERE)


def release(number: int, stack: str = "shop") -> Release:
    services = {"api": Deployed(f"api-r{number}", "sha256:1", "x/api", 2, front=True)}
    return Release(number, stack, 1.0, 2.0, Outcome.PASSED, services, ("api",))


def test_releases_are_kept_for_each_stack_and_come_back_in_their_order(world: World) -> None:
    for one in (release(10), release(2), release(9), release(1, "blog")):
        notes.write(one)
    assert notes.releases("shop") == (release(2), release(9), release(10))
    assert notes.releases("blog") == (release(1, "blog"),)
    assert notes.releases("other") == ()


DAMAGED: dict[str, Labels] = {
    "without a text": {},
    "an empty text": {RELEASE_LABEL: ""},
    "no json": {RELEASE_LABEL: "no json"},
    "cut off": {RELEASE_LABEL: to_json(release(2))[:-9]},
    "no object": {RELEASE_LABEL: "[1]"},
    "an empty object": {RELEASE_LABEL: "{}"},
    "of a later format": {RELEASE_LABEL: json.dumps({**json.loads(to_json(release(2))), "format": 99})},
    "a number that is text": {RELEASE_LABEL: json.dumps({**json.loads(to_json(release(2))), "number": "2"})},
    "no number": {RELEASE_LABEL: json.dumps({**json.loads(to_json(release(2))), "number": None})},
    "another outcome": {RELEASE_LABEL: json.dumps({**json.loads(to_json(release(2))), "outcome": "so so"})},
}


@pytest.mark.parametrize("labels", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_release_is_left_out_and_the_others_are_there(world: World, labels: Labels) -> None:
    notes.write(release(1))
    notes.write(release(3))
    world.volumes.make("homeport-shop-r2", {**labels, f"{RELEASE_LABEL}.stack": "shop"})
    assert notes.releases("shop") == (release(1), release(3))


def test_releases_that_are_let_go_of_are_gone(world: World) -> None:
    for number in (1, 2, 3):
        notes.write(release(number))
    notes.forget("shop", [release(1), release(3)])
    assert notes.releases("shop") == (release(2),)
    notes.forget("shop", [])
    assert notes.releases("shop") == (release(2),)

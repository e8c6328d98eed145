"""Releases: their text and back, and which one somebody means."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from homeport.errors import UsageError
from homeport.model.release import (
    FORMAT,
    Deployed,
    Outcome,
    Release,
    barrier,
    choose,
    current,
    from_json,
    previous,
    superseded,
    to_json,
)

REVISION = "1f2e3d4c5b6a79880011223344556677889900aa"


def release(
    number: int, form: str = "", outcome: Outcome = Outcome.PASSED, *, revision: str = "", **more: Any
) -> Release:
    """A release of one service, in the form ``form``."""
    services = {"api": Deployed(f"api-r{form or number}", "sha256:1", "x/api")}
    return Release(number, "shop", 1.5, 2.5, outcome, services, revision=revision, **more)


FULL = Release(
    number=12,
    stack="shop",
    started=1_760_000_000.25,
    seconds=3.125,
    outcome=Outcome.UNDONE,
    services={
        "api": Deployed("api-r1a2b3c4d", "sha256:aa", "x/api:1", 2, front=True),
        "wörker": Deployed("wörker-r00000000", "sha256:bb"),
    },
    changed=("api", "wörker"),
    who="me",
    host="here",
    revision=REVISION,
    dirty=True,
    message='a "message" ü',
    of=3,
    irreversible=True,
)


@pytest.mark.parametrize(
    "one", [FULL, release(1), *(release(2, outcome=outcome) for outcome in Outcome)], ids=lambda one: one.id
)
def test_a_release_comes_back_from_its_text(one: Release) -> None:
    back = from_json(to_json(one))
    assert back == one
    assert isinstance(back.changed, tuple)
    assert isinstance(back.outcome, Outcome)


def test_the_text_names_its_format_and_the_outcome_as_a_word() -> None:
    document = json.loads(to_json(FULL))
    assert document["format"] == FORMAT
    assert document["outcome"] == "undone"
    assert document["services"]["api"]["replica_set"] == "api-r1a2b3c4d"


def changed(**parts: Any) -> str:
    return json.dumps({**json.loads(to_json(FULL)), **parts})


def without(part: str) -> str:
    document = json.loads(to_json(FULL))
    del document[part]
    return json.dumps(document)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no json",
        to_json(FULL)[:-5],
        "[]",
        "7",
        "null",
        '"text"',
        "{}",
        "[" * 100_000,
        without("format"),
        without("services"),
        without("outcome"),
        without("number"),
        changed(format=FORMAT + 1),
        changed(format="1"),
        changed(number="12"),
        changed(number=None),
        changed(number=1.5),
        changed(outcome="splendid"),
        changed(outcome=None),
        changed(services=["api"]),
        changed(services={"api": "sha256:1"}),
        changed(services={"api": {"image": "sha256:1"}}),
        changed(services={"api": {"replica_set": "a", "image": "b", "colour": "red"}}),
        changed(colour="red"),
        changed(changed=7),
    ],
)
def test_damaged_or_later_text_is_no_release(text: str) -> None:
    assert from_json(text) is None


def test_what_a_release_need_not_say_has_a_default() -> None:
    text = json.dumps(
        {"format": FORMAT, "number": 1, "stack": "shop", "started": 1.0, "seconds": 2.0, "outcome": "passed"}
        | {"services": {"api": {"replica_set": "api-r1", "image": "sha256:1"}}}
    )
    assert from_json(text) == Release(
        1, "shop", 1.0, 2.0, Outcome.PASSED, {"api": Deployed("api-r1", "sha256:1")}
    )


UNDONE, BROKEN = Outcome.UNDONE, Outcome.BROKEN
HISTORIES: dict[str, tuple[list[Release], int, int]] = {
    # What there was, the number of the current one, of the previous one (0: none).
    "nothing": ([], 0, 0),
    "the first": ([release(1, "a")], 1, 0),
    "only failed ones": ([release(1, "a", UNDONE), release(2, "b", BROKEN)], 0, 0),
    "two": ([release(1, "a"), release(2, "b")], 2, 1),
    "in any order": ([release(2, "b"), release(3, "c"), release(1, "a")], 3, 2),
    "the last failed": ([release(1, "a"), release(2, "b"), release(3, "c", UNDONE)], 2, 1),
    "one between failed": ([release(1, "a"), release(2, "b", BROKEN), release(3, "c")], 3, 1),
    "after a rollback": ([release(1, "a"), release(2, "b"), release(3, "a", of=1)], 3, 2),
    "there and back again": (
        [release(1, "a"), release(2, "b"), release(3, "a", of=1), release(4, "b", of=2)],
        4,
        3,
    ),
    "after a rollback and a fix": (
        [release(1, "a"), release(2, "b"), release(3, "a", of=1), release(4, "c")],
        4,
        3,
    ),
    "the same twice": ([release(1, "a"), release(2, "b"), release(3, "b")], 3, 1),
    "a rollback that failed": (
        [release(1, "a"), release(2, "b"), release(3, "a", UNDONE, of=1)],
        2,
        1,
    ),
}


@pytest.mark.parametrize(("history", "now", "before"), HISTORIES.values(), ids=HISTORIES)
def test_the_current_and_the_previous_release(history: list[Release], now: int, before: int) -> None:
    found, last = current(iter(history)), previous(iter(history))
    assert (found.number if found else 0) == now
    assert (last.number if last else 0) == before


@pytest.mark.parametrize(("history", "now", "before"), HISTORIES.values(), ids=HISTORIES)
def test_previous_is_chosen_by_its_word(history: list[Release], now: int, before: int) -> None:
    if before:
        assert choose(iter(history), "previous").number == before
    else:
        with pytest.raises(UsageError, match="no previous release") as caught:
            choose(history, "previous")
        assert ("None has passed" in caught.value.cause) is (now == 0)


def test_another_set_of_services_is_another_release() -> None:
    both = {"api": Deployed("api-ra", "1"), "worker": Deployed("worker-r1", "2")}
    more = Release(2, "shop", 1.0, 2.0, Outcome.PASSED, both)
    assert previous([release(1, "a"), more]) == release(1, "a")


AFTER = [
    release(1, "a", revision="aaaa1111"),
    release(2, "b", revision="aaaa2222"),
    release(3, "c", UNDONE, revision="bbbb3333"),
    release(4, "d", BROKEN, revision="cccc4444"),
    release(5, "e", revision="dddd5555", dirty=True),
    release(6, "b", revision="aaaa2222", of=2),
    release(12, "f", revision="12345678"),
    release(13, "g", revision="ffff6666"),
    release(14, "h", UNDONE, revision="ffff6666"),
    release(15, "i", revision="ffff6666", dirty=True),
]


@pytest.mark.parametrize(
    ("wanted", "number"),
    [
        ("r1", 1),
        ("1", 1),
        ("r12", 12),
        ("12", 12),
        ("aaaa1", 1),
        ("AAAA1111", 1),
        ("aaaa2222", 6),  # the last one of this revision
        ("aaaa", 6),
        ("1234", 12),  # no number of a release, but the beginning of a revision
        ("ffff6666", 13),  # neither the one that failed, nor the one with other changes in it
        ("r5", 5),
        ("previous", 13),
    ],
)
def test_a_release_by_its_id_or_revision(wanted: str, number: int) -> None:
    assert choose(reversed(AFTER), wanted).number == number


@pytest.mark.parametrize(("wanted", "said"), [("r3", "undone"), ("3", "undone"), ("r4", "broken")])
def test_a_release_that_failed_cannot_be_chosen(wanted: str, said: str) -> None:
    with pytest.raises(UsageError, match=f"Release r{wanted[-1]} .*{said}") as caught:
        choose(AFTER, wanted)
    assert "homeport releases" in caught.value.hint
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("wanted", "suggestion"),
    [
        ("r99", ""),
        ("R12", "did you mean 'r12'?"),
        ("previus", "did you mean 'previous'?"),
        ("aaa", ""),  # too short for a revision
        ("bbbb", ""),  # its deploy was undone
        ("dddd5555", ""),  # it wasn't all of that revision
        ("aaaa11112", ""),
        ("", ""),
        ("-1", ""),
    ],
)
def test_a_release_that_is_not_there(wanted: str, suggestion: str) -> None:
    with pytest.raises(UsageError, match=f"There is no release '{wanted}'") as caught:
        choose(AFTER, wanted)
    if suggestion:
        assert caught.value.cause == suggestion
    assert caught.value.hint == "Releases that passed: r1, r2, r5, r6, r12, r13, r15."


def test_where_nothing_has_passed_the_hint_says_so() -> None:
    with pytest.raises(UsageError) as caught:
        choose([], "r1")
    assert caught.value.hint.endswith("none.")


def test_a_release_without_a_revision_is_found_by_its_id_only() -> None:
    with pytest.raises(UsageError):
        choose([release(1)], "abcd")
    assert choose([release(1)], "r1").number == 1


def test_only_the_last_ten_are_listed() -> None:
    with pytest.raises(UsageError) as caught:
        choose([release(number) for number in range(1, 31)], "r99")
    assert caught.value.hint.startswith("Releases that passed: r21, r22,")
    assert caught.value.hint.endswith("r30.")


def numbers(found: tuple[Release, ...]) -> list[int]:
    return [one.number for one in found]


def test_old_releases_go_but_never_the_current_the_previous_or_a_pinned_one() -> None:
    history = [release(n, "abcdefgh"[n]) for n in range(1, 8)]
    assert numbers(superseded(history, set(), 10)) == []
    assert numbers(superseded(history, set(), 7)) == []
    assert numbers(superseded(history, set(), 3)) == [1, 2, 3, 4]
    assert numbers(superseded(history, {2}, 3)) == [1, 3, 4]
    assert numbers(superseded(history, set(), 1)) == [1, 2, 3, 4, 5]
    assert numbers(superseded(history, set(), 0)) == [1, 2, 3, 4, 5]


def test_the_previous_release_may_be_old() -> None:
    # The last five were the same thing again and again.
    history = [release(1, "a"), *(release(n, "b") for n in range(2, 7))]
    assert numbers(superseded(history, set(), 2)) == [2, 3, 4]


def test_failed_deploys_go_with_the_releases_around_them() -> None:
    history = [release(1, "a"), release(2, "b", UNDONE), release(3, "c"), release(4, "d"), release(5, "e")]
    assert numbers(superseded(history, set(), 2)) == [1, 2, 3]
    assert numbers(superseded([release(1, "a", UNDONE)], set(), 1)) == []


def test_what_lies_between_a_release_and_now() -> None:
    first, second, third = release(1, "a"), replace(release(2, "b"), irreversible=True), release(3, "c")
    undone = replace(release(4, "d", UNDONE), irreversible=True)
    assert barrier([first, second, third, undone], first) == second
    assert barrier([first, second, third, undone], second) is None
    assert barrier([first, second, third, undone], third) is None
    assert barrier([first], first) is None

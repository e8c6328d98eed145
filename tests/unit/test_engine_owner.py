"""Whose the things of a run are: what may be swept and what is somebody's work."""

from __future__ import annotations

import os
import sys

import pytest

from homeport.engine.owner import Owner, mark_of, me, orphans, parse

OWNER_LABEL = "io.example.owner"
NOW = 1_000_000.0
MINE = Owner("here", 10, "50", NOW - 50)


def labels(owner: Owner | str) -> dict[str, str]:
    return {OWNER_LABEL: str(owner)}


@pytest.mark.parametrize(
    ("owner", "processes", "dead"),
    [
        (MINE, {10: "50"}, False),
        (MINE, {}, True),  # it is gone
        (MINE, {10: "99"}, True),  # another process has its number now
        (MINE, {10: ""}, False),  # there is one, and no more can be seen of it
        (Owner("there", 10, "50", NOW - 50), {}, False),  # nobody here can look
        (Owner("there", 10, "50", NOW - 90_000), {}, True),  # a day is long enough
        ("nonsense", {}, False),
        ("", {}, False),
    ],
)
def test_what_belongs_to_the_dead(owner: Owner | str, processes: dict[int, str], dead: bool) -> None:
    found = orphans({"container/1": labels(owner)}, OWNER_LABEL, "here", NOW, processes.get)
    assert bool(found) == dead


def test_an_owner_can_be_read_back() -> None:
    found = parse(str(me()))
    assert found is not None
    assert found.pid == os.getpid()
    assert found.alive(me().place, NOW, mark_of)
    assert mark_of(2**22 + 1) is None
    if sys.platform != "win32":  # there the first process has another number
        assert mark_of(1) not in {None, found.mark}

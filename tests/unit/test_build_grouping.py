from __future__ import annotations

import pytest

from homeport.build.grouping import MOST_IN_A_PROCESS, joined, next_group

LEAVES = {f"l{index}" for index in range(99)}


@pytest.mark.parametrize(
    ("waiting", "free", "jobs", "expected"),
    [
        ([], 4, 4, []),
        (["l1"], 0, 4, []),
        (["l1"], 1, 4, ["l1"]),
        (["base", "l1"], 4, 4, ["base"]),
        (["l1", "base", "l2"], 4, 4, ["l1", "l2"]),
        (["l1", "l2", "l3"], 2, 2, ["l1", "l2"]),
        # Of 16 jobs a quarter must be free while many wait, and the last few wait for nothing.
        (["l1", "l2", "l3", "l4", "l5"], 3, 16, []),
        (["l1", "l2", "l3", "l4", "l5"], 4, 16, ["l1", "l2", "l3", "l4"]),
        (["l1", "l2"], 1, 16, []),
        (["l1", "l2"], 2, 16, ["l1", "l2"]),
    ],
)
def test_next_group(waiting: list[str], free: int, jobs: int, expected: list[str]) -> None:
    assert next_group(waiting, free, jobs, LEAVES) == expected


def test_no_job_waits_for_company_for_long() -> None:
    waiting = ["l1", "l2", "l3", "l4", "l5"]
    assert next_group(waiting, 1, 16, LEAVES, held=0.1) == []
    assert next_group(waiting, 1, 16, LEAVES, held=0.6) == ["l1"]


def test_a_process_has_an_upper_limit() -> None:
    assert len(next_group(sorted(LEAVES), 99, 99, LEAVES)) == MOST_IN_A_PROCESS


def test_joined_documents_keep_links_once() -> None:
    link = {"output": ["type=cacheonly"]}
    one = {"group": {"default": {"targets": ["a"]}}, "target": {"a": {"x": 1}, "base": link}}
    two = {"group": {"default": {"targets": ["b"]}}, "target": {"b": {"x": 2}, "base": link}}
    assert joined([one, two]) == {
        "group": {"default": {"targets": ["a", "b"]}},
        "target": {"a": {"x": 1}, "b": {"x": 2}, "base": link},
    }

"""Targets shared out over machines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.errors import DefinitionError, UsageError
from homeport.model.shards import Shard, Shards, parse_shard, share

LAYERS = {
    "base": (),
    "lib": ("base",),
    "api": ("lib",),
    "web": ("lib",),
    "worker": ("lib",),
    "alone": (),
}


def test_bases_first_and_the_rest_evenly() -> None:
    assert share(LAYERS, list(LAYERS), {}, 2) == Shards(
        ("base", "lib"), (("api", "worker"), ("web", "alone"))
    )


def test_by_recorded_times() -> None:
    seconds = {"api": 100.0, "web": 20.0, "worker": 30.0, "alone": 40.0}
    assert share(LAYERS, list(LAYERS), seconds, 2).parts == (("api",), ("web", "worker", "alone"))


def test_what_has_no_time_counts_as_the_average() -> None:
    assert share(LAYERS, list(LAYERS), {"api": 10.0}, 4).parts == (
        ("api",),
        ("web",),
        ("worker",),
        ("alone",),
    )


def test_what_only_one_needs_stays_with_it() -> None:
    graph = {"tools": (), "codegen": ("tools",), "api": ("codegen",), "web": ()}
    assert share(graph, list(graph), {}, 2) == Shards((), (("tools", "codegen", "api"), ("web",)))


def test_what_only_one_needs_by_two_ways_stays_with_it() -> None:
    graph = {"base": (), "left": ("base",), "right": ("base",), "top": ("left", "right"), "web": ()}
    assert share(graph, list(graph), {}, 2).bases == ()


def test_what_a_base_builds_on_is_a_base() -> None:
    assert share(LAYERS, list(LAYERS), {}, 9).bases == ("base", "lib")


def test_what_nobody_asks_for_is_in_no_shard_but_counts() -> None:
    assert share(LAYERS, ["api", "web"], {}, 2) == Shards((), (("api",), ("web",)))
    graph = {"big": (), "a": ("big",), "b": (), "c": ()}
    assert share(graph, ["a", "b", "c"], {"big": 50.0, "a": 1.0, "b": 9.0, "c": 9.0}, 2).parts == (
        ("a",),
        ("b", "c"),
    )


def test_what_is_beside_it_is_no_reason_to_be_a_base() -> None:
    assert share({"base": (), "a": ("base",), "b": ("base",)}, ["base", "a"], {}, 2) == Shards(
        (), (("base", "a"),)
    )


def test_no_more_parts_than_there_is_work_for() -> None:
    assert share({"a": ()}, ["a"], {}, 5) == Shards((), (("a",),))
    assert share({"a": ()}, [], {}, 5) == Shards((), ())
    assert share({"a": ()}, ["a"], {}, 0).parts == (("a",),)


def test_all_begins_with_the_bases() -> None:
    assert Shards(("a",), (("b",),)).all == (("a",), ("b",))
    assert Shards((), (("b",),)).all == (("b",),)


def test_shards_by_name() -> None:
    shards = Shards(("a",), (("b",), ("c", "d")))
    assert shards.named == {"bases": ("a",), "1/2": ("b",), "2/2": ("c", "d")}
    assert Shards((), (("b",),)).named == {"1/1": ("b",)}
    assert {name: parse_shard(name).of(shards) for name in shards.named} == shards.named
    assert Shard(3, 4).of(shards) == ()


@pytest.mark.parametrize(
    "text", ["", "1", "0/2", "3/2", "1/0", "-1/2", "1/2/3", " 1/2", "base", "²/3", "1/99999"]
)
def test_what_is_no_shard(text: str) -> None:
    with pytest.raises(UsageError, match="--shard takes N/M or 'bases'"):
        parse_shard(text)


def test_a_circle_is_an_error() -> None:
    with pytest.raises(DefinitionError, match="circle"):
        share({"a": ("b",), "b": ("a",)}, ["a"], {}, 2)


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, tuple[str, ...]]:
    names = [f"t{number}" for number in range(draw(st.integers(1, 14)))]
    return {
        name: tuple(draw(st.lists(st.sampled_from(names[:position]), unique=True))) if position else ()
        for position, name in enumerate(names)
    }


@given(graphs(), st.integers(1, 6), st.data())
def test_everything_is_in_exactly_one_shard(
    graph: dict[str, tuple[str, ...]], count: int, data: st.DataObject
) -> None:
    wanted = data.draw(st.lists(st.sampled_from(list(graph)), unique=True))
    shards = share(graph, wanted, {}, count)
    assert sorted(name for shard in shards.all for name in shard) == sorted(wanted)
    assert len(shards.parts) <= count
    # What a matrix calls 1/3 is what --shard 1/3 builds, also where more machines were asked for.
    assert share(graph, wanted, {}, len(shards.parts)).parts == shards.parts
    where = {name: number for number, part in enumerate(shards.parts) for name in part}
    for name, needs in graph.items():
        for need in needs:
            if name in where and need in where:
                assert where[name] == where[need]

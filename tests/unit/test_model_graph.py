from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.errors import DefinitionError
from homeport.model.graph import batches, closure, critical_path, dependents

DIAMOND: dict[str, tuple[str, ...]] = {"app": ("lib", "ui"), "lib": ("base",), "ui": ("base",), "base": ()}


def test_batches_keep_the_given_order() -> None:
    assert batches(DIAMOND) == (("base",), ("lib", "ui"), ("app",))
    assert batches({}) == ()


def test_a_cycle_names_its_members_in_order() -> None:
    with pytest.raises(DefinitionError) as caught:
        batches({"a": ["b"], "b": ["c"], "c": ["a"], "d": ["a"]})
    text = caught.value.what
    assert any(chain in text for chain in ("a -> b -> c -> a", "b -> c -> a -> b", "c -> a -> b -> c"))
    assert caught.value.exit_code == 2


def test_a_target_that_needs_itself() -> None:
    with pytest.raises(DefinitionError, match="a -> a"):
        batches({"a": ["a"]})


def test_closure_and_dependents() -> None:
    assert closure(DIAMOND, ["lib"]) == {"lib", "base"}
    assert dependents(DIAMOND, "base") == {"lib", "ui", "app"}
    assert dependents(DIAMOND, "app") == set()


def test_critical_path() -> None:
    seconds = {"base": 1.0, "lib": 5.0, "ui": 2.0, "app": 1.0}
    assert critical_path(DIAMOND, seconds) == (("base", "lib", "app"), 7.0)
    assert critical_path({}, {}) == ((), 0.0)


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, list[str]]:
    size = draw(st.integers(0, 12))
    names = [f"t{index}" for index in range(size)]
    return {
        name: draw(st.lists(st.sampled_from(names[:index]), unique=True)) if index else []
        for index, name in enumerate(names)
    }


@given(graphs())
def test_every_node_comes_once_and_after_what_it_needs(graph: dict[str, list[str]]) -> None:
    order = batches(graph)
    position = {name: number for number, batch in enumerate(order) for name in batch}
    assert sorted(name for batch in order for name in batch) == sorted(graph)
    assert all(position[need] < position[name] for name, needs in graph.items() for need in needs)


@given(graphs(), st.data())
def test_the_critical_path_is_a_path_and_no_chain_is_longer(
    graph: dict[str, list[str]], data: st.DataObject
) -> None:
    seconds = {name: data.draw(st.floats(0, 100)) for name in graph}
    path, length = critical_path(graph, seconds)
    assert all(first in graph[second] for first, second in pairwise(path))
    assert length == pytest.approx(sum(seconds[name] for name in path))
    longest: dict[str, float] = {}
    for name in graph:
        longest[name] = seconds[name] + max((longest[need] for need in graph[name]), default=0.0)
    assert length == pytest.approx(max(longest.values(), default=0.0))

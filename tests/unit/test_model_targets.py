from __future__ import annotations

import json
from typing import Any

import pytest

from homeport.errors import DefinitionError, UsageError
from homeport.model.targets import Target, parse_definition, select


def printed(targets: dict[str, Any], **groups: list[str]) -> str:
    return json.dumps(
        {"target": targets, "group": {name: {"targets": found} for name, found in groups.items()}}
    )


def test_nested_groups_are_opened_once_and_in_order() -> None:
    text = printed({"a": {}, "b": {}, "c": {}}, default=["g", "a"], g=["b", "g", "a"])
    assert parse_definition(text).requested == ("b", "a")


def test_without_groups_everything_is_asked_for() -> None:
    assert parse_definition(printed({"a": {}, "b": {}})).requested == ("a", "b")


def test_a_target_may_have_its_groups_name() -> None:
    assert parse_definition(printed({"default": {}}, default=["default"])).requested == ("default",)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "null", '{"target": 3}', '{"target": {}, "group": {"default": 1}}']
)
def test_what_is_no_definition(text: str) -> None:
    with pytest.raises(DefinitionError, match="can't be read"):
        parse_definition(text)


def test_defaults_and_escapes() -> None:
    target = Target(
        "x", {"args": {"A": "$${B}", "N": None, "P": "%%{q}"}, "contexts": {"y": "target:z", "w": "./w"}}
    )
    assert (target.context, target.dockerfile, target.tags) == (".", "Dockerfile", ())
    assert target.args == {"A": "${B}", "P": "%{q}"}
    assert target.linked == ("z",)


@pytest.mark.parametrize(
    "output",
    [
        {"type": "image", "name": "a,b"},
        'type=image,"name=a,b"',
    ],
)
def test_outputs_in_both_forms(output: Any) -> None:
    assert Target("x", {"output": [output]}).outputs == ({"type": "image", "name": "a,b"},)


def test_select_suggests() -> None:
    assert select(["api", "core"], ["api"], ["core"]) == ("api", "core")
    with pytest.raises(UsageError) as caught:
        select(["Data-Apy"], ["data-api", "web"], ["core"])
    assert "'data-api'" in caught.value.cause
    assert "Groups: core" in caught.value.hint


def test_names_with_dots_mean_what_they_mean_to_bake() -> None:
    assert select(["my.dotted.api", "g.x"], ["my_dotted_api"], ["g_x"]) == ("my_dotted_api", "g_x")
    with pytest.raises(UsageError, match=r"'my\.doted'") as caught:
        select(["my.doted"], ["my_dotted"], [])
    assert caught.value.cause == "did you mean 'my_dotted'?"

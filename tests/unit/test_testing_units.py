"""Unit tests as builds: which target's tests run how, and with which document."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from homeport.engine.buildx import Builder
from homeport.engine.docker import Engine
from homeport.errors import UsageError
from homeport.model.config import ChecksConfig, UnitConfig
from homeport.model.targets import Definition, Target
from homeport.test.facts import Facts, Subject
from homeport.test.units import Unit, plan

ENGINE = Engine("28.0", "overlayfs", True, 2, 1, 1, "/", True, "", "default", "x", {})


def facts(subjects: dict[str, Subject], driver: str = "docker", **specs: dict[str, Any]) -> Facts:
    targets = {name: Target(name, specs.get(name, {"context": name})) for name in {**subjects, **specs}}
    definition = Definition(MappingProxyType(targets), tuple(subjects))
    return Facts(Path("/repo"), ENGINE, ("buildx",), Builder("b", driver), definition, subjects, {})


def only(found: tuple[Unit, ...]) -> Unit:
    (unit,) = found
    return unit


def test_a_test_stage_is_built_and_kept_nowhere() -> None:
    spec = {
        "context": "api",
        "tags": ["api:1"],
        "output": ["type=registry"],
        "cache-to": ["x"],
        "args": {"A": "1"},
    }
    unit = only(plan(facts({"api": Subject(frozenset({"test"}), "api/tests")}, api=spec), ChecksConfig()))
    assert unit.how == "stage"
    assert unit.document == {
        "group": {"default": {"targets": ["api"]}},
        "target": {
            "api": {"context": "api", "args": {"A": "1"}, "target": "test", "output": ["type=cacheonly"]}
        },
    }


def test_what_a_test_stage_builds_on_comes_along() -> None:
    specs: dict[str, Any] = {
        "api": {"context": "api", "contexts": {"base": "target:lib"}, "tags": ["a"]},
        "lib": {"context": "lib", "contexts": {"base": "target:root"}, "tags": ["l"]},
        "root": {"context": "root"},
        "other": {"context": "other"},
    }
    unit = only(plan(facts({"api": Subject(frozenset({"test"}))}, **specs), ChecksConfig()))
    assert set(unit.document["target"]) == {"api", "lib", "root"}
    assert unit.document["target"]["lib"]["output"] == ["type=cacheonly"]
    assert "tags" not in unit.document["target"]["lib"]


def test_tests_on_top_of_the_image_run_as_its_user() -> None:
    subject = Subject(folder="api/tests", needs="requirements-test.txt", image="api:1", user="app")
    unit = only(plan(facts({"api": subject}), ChecksConfig()))
    (spec,) = unit.document["target"].values()
    assert spec["contexts"] == {"built": "docker-image://api:1", "service": "/repo/api"}
    assert spec["context"] == "/repo/api/tests"
    lines = spec["dockerfile-inline"].splitlines()
    assert lines[:2] == ["FROM built", "USER root"]
    assert lines[-3:] == ["COPY . ./tests/", "USER app", "RUN python3 -m pytest -q tests"]
    assert any("pip install -r /tmp/service/requirements-test.txt" in line for line in lines)


@pytest.mark.parametrize(("driver", "image"), [("docker-container", "api:1"), ("docker", "")])
def test_an_image_that_the_builder_does_not_see_is_linked(driver: str, image: str) -> None:
    subject = Subject(folder="api/tests", image=image)
    unit = only(plan(facts({"api": subject}, driver), ChecksConfig()))
    assert unit.document["target"]["api-tests"]["contexts"]["built"] == "target:api"
    assert unit.document["target"]["api"]["output"] == ["type=cacheonly"]


def test_what_the_configuration_says_of_a_target() -> None:
    own = UnitConfig(command="npm test", install="npm ci")
    subject = Subject(frozenset({"test"}), "web/test", image="web:1", user="0")
    unit = only(plan(facts({"web": subject}), ChecksConfig(unit={"web": own})))
    assert unit.how == "image"
    text = unit.document["target"]["web-tests"]["dockerfile-inline"]
    assert "npm ci\n" in text
    assert text.endswith("COPY . ./tests/\nRUN npm test\n")
    assert "pytest" not in text
    left = ChecksConfig(unit={"web": UnitConfig(leave_out="they need a device")})
    assert only(plan(facts({"web": subject}), left)).why == "they need a device"
    assert only(plan(facts({"web": subject}), left)).how == ""


def test_another_stage_and_no_tests() -> None:
    config = ChecksConfig(stage="unit")
    assert only(plan(facts({"api": Subject(frozenset({"unit"}))}), config)).how == "stage"
    assert only(plan(facts({"api": Subject(frozenset({"test"}))}), config)).how == ""


def test_a_service_with_dots_is_configured_by_its_name_too() -> None:
    config = ChecksConfig(unit={"my.api": UnitConfig(leave_out="they need a device")})
    assert only(plan(facts({"my_api": Subject()}), config)).why == "they need a device"


def test_a_target_that_is_not_there() -> None:
    with pytest.raises(UsageError, match=r"test\.unit\.apu") as caught:
        plan(facts({"api": Subject()}), ChecksConfig(unit={"apu": UnitConfig()}))
    assert caught.value.cause == "did you mean 'api'?"


def test_a_command_may_have_signs_that_mean_something_to_bake() -> None:
    config = ChecksConfig(unit={"api": UnitConfig(command='test "${HOME}" && echo %{x}')})
    unit = only(plan(facts({"api": Subject(folder="t", image="a")}), config))
    assert 'test "$${HOME}" && echo %%{x}' in unit.document["target"]["api-tests"]["dockerfile-inline"]


def test_tests_of_the_stack_are_no_unit_tests() -> None:
    config = ChecksConfig(integration=("tests/integration",))
    unit = only(plan(facts({"api": Subject(folder="tests", image="a")}), config))
    text = unit.document["target"]["api-tests"]["dockerfile-inline"]
    assert "COPY . ./tests/\nRUN rm -rf tests/integration\n" in text


def test_only_what_changed_and_what_changed_its_tests(tmp_path: Path) -> None:
    needs = "requirements-test.txt"
    subjects = {name: Subject(folder=f"{name}/tests", needs=needs, image="x") for name in "abcd"}
    found = replace(facts(subjects), root=tmp_path)
    changed = {str(tmp_path / "b" / "tests" / "test_x.py"), str(tmp_path / "c" / needs)}
    units = plan(found, ChecksConfig(), affected=("a",), changed=changed)
    assert [unit.target for unit in units] == ["a", "b", "c"]
    # It may be named by what names their needs: "-r more.txt".
    units = plan(found, ChecksConfig(), affected=(), changed={str(tmp_path / "d" / "more.txt")})
    assert [unit.target for unit in units] == ["d"]
    bare = replace(found, tested={"d": Subject(folder="d/tests", image="x")})
    assert plan(bare, ChecksConfig(), affected=(), changed={str(tmp_path / "d" / "more.txt")}) == ()
    assert plan(found, ChecksConfig(), affected=(), changed=()) == ()


def test_again_is_without_the_cache_of_the_tests() -> None:
    found = facts({"a": Subject(frozenset({"test"})), "b": Subject(folder="b/tests", image="b")})
    stage, image = plan(found, ChecksConfig(), again=True)
    assert stage.document["target"]["a"]["no-cache-filter"] == ["test"]
    assert image.document["target"]["b-tests"]["no-cache"] is True


def test_a_stage_is_found_in_any_case() -> None:
    assert only(plan(facts({"a": Subject(frozenset({"unit"}))}), ChecksConfig(stage="Unit"))).how == "stage"

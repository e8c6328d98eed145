"""From targets and settings to what workflows are made of."""

from __future__ import annotations

from typing import Any

import pytest

from homeport.ci.pipeline import Work, make, times, warnings
from homeport.errors import UsageError
from homeport.model.config import BuildConfig, CiConfig

WORK = Work({"base": (), "api": ("base",), "web": ("base",)}, ("base", "api"), ("web",), ("tool",))
REGISTRY = BuildConfig(registry="ghcr.io/me/stack")


def test_what_has_no_tag_is_not_pushed() -> None:
    assert make(WORK, CiConfig(), REGISTRY, {}).shards.all == (("base", "api"),)
    assert make(WORK, CiConfig(), BuildConfig(), {}).shards.all == (("base",), ("api",), ("web",))


def test_what_is_left_out_is_named() -> None:
    assert [text.partition(":")[0] for text in warnings(WORK, REGISTRY)[:1]] == ["web"]
    assert "leaves out tool" in warnings(WORK, REGISTRY)[1]
    assert len(warnings(WORK, BuildConfig())) == 1
    assert warnings(Work({"a": ()}, ("a",)), REGISTRY) == ()


@pytest.mark.parametrize(
    ("registry", "host"),
    [
        ("", ""),
        ("ghcr.io/me", "ghcr.io"),
        ("127.0.0.1:5000", "127.0.0.1:5000"),
        ("localhost/x", "localhost"),
        ("docker.io/me", "docker.io"),
        ("me/stack", "docker.io"),
    ],
)
def test_where_to_log_in(registry: str, host: str) -> None:
    assert make(WORK, CiConfig(), BuildConfig(registry=registry), {}).host == host


def test_what_pip_installs_is_one_word_to_the_shell() -> None:
    pipeline = make(WORK, CiConfig(homeport="homeport[x] @ git+https://e/h; rm -rf"), REGISTRY, {})
    assert pipeline.install == "python -m pip install 'homeport[x] @ git+https://e/h; rm -rf'"


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"runner": ("${{ x }}",)}, "runner: '${{ x }}'"),
        ({"deploy_runner": ("a\nb",)}, "deploy-runner"),
        ({"environments": ()}, "environments is empty"),
        ({"environments": ("prod'",)}, "environments"),
        ({"python": "3.12\n"}, "python"),
        ({"registry_user": "a b"}, "registry-user is the name of a variable"),
        ({"registry_password": "hunter2!"}, "registry-password is the name of a variable"),
        ({"homeport": ""}, "homeport"),
        ({"homeport": "a${{ secrets.X }}"}, "homeport"),
        ({"shards": 0}, "shards must be 1 or more"),
        ({"minutes": 0}, "minutes must be 1 or more"),
    ],
)
def test_settings_that_no_workflow_can_have(config: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        make(WORK, CiConfig(**config), REGISTRY, {})
    assert said in caught.value.what


def test_times_of_a_build() -> None:
    document = {
        "schema": "homeport.build/1",
        "targets": [
            {"name": "a", "status": "built", "seconds": 2.5},
            {"name": "b", "status": "skipped", "seconds": 0.0},
            {"name": "c", "status": "built", "seconds": "many"},
            "odd",
        ],
    }
    assert times(document, "x") == {"a": 2.5}
    wrong: tuple[object, ...] = ([], None, {"schema": "homeport.scan/1"})
    for odd in wrong:
        with pytest.raises(UsageError, match="no result of a build"):
            times(odd, "x.json")

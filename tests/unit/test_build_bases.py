"""What base images are now, by a registry's word: digests, ONBUILD instructions, or why nobody can tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import pytest

from homeport.build.bases import resolver
from homeport.build.fingerprints import Base
from homeport.engine.distribution import Distribution
from homeport.engine.manifests import Manifest
from homeport.engine.registry_problem import RegistryProblem
from made_up import facts

AMD, ARM = "linux/amd64", "linux/arm64"


class Registry:
    """Stands for Distribution; ``configs`` are by platform, and the same for every image."""

    def __init__(self, configs: Mapping[str, Any], problem: RegistryProblem | None = None) -> None:
        self.configs, self.problem = configs, problem
        self.asked: list[str] = []

    def manifest(self, reference: str) -> Manifest:
        self.asked.append(reference)
        if self.problem:
            raise self.problem
        return Manifest(reference, "sha256:1", "type", b"{}")

    def config(self, manifest: Manifest, platform: str) -> Mapping[str, Any]:
        return {"config": self.configs[platform]}


def base(registry: Registry, *platforms: str) -> Base:
    told = facts({"a": {}}, driver="docker-container")
    wanted = ("img", platforms)
    return resolver(told, cast(Distribution, registry))([wanted])[wanted]


def test_digest_and_triggers() -> None:
    assert base(Registry({AMD: {"OnBuild": ["RUN x"]}}), AMD) == Base("sha256:1", ("RUN x",))


@pytest.mark.parametrize(
    "config", [None, [], "x", 1, {}, {"OnBuild": None}, {"OnBuild": 1}, {"OnBuild": {"a": 1}}]
)
def test_a_configuration_may_be_anything(config: Any) -> None:
    assert base(Registry({AMD: config}), AMD) == Base("sha256:1")


def test_triggers_that_differ_by_platform_are_too_much_to_know() -> None:
    same, other = {"OnBuild": ["RUN x"]}, {"OnBuild": ["RUN y"]}
    assert base(Registry({AMD: same, ARM: same}), AMD, ARM) == Base("sha256:1", ("RUN x",))
    assert "another platform" in base(Registry({AMD: same, ARM: other}), AMD, ARM).unknown


def test_a_registry_that_is_down_is_asked_once() -> None:
    registry = Registry({}, RegistryProblem("down", "no answer"))
    images = [(f"img{number}", (AMD,)) for number in range(5)]
    told = facts({"a": {}}, driver="docker-container")
    found = resolver(told, cast(Distribution, registry))(images)
    assert set(found.values()) == {Base(unknown="no answer", down=True)}
    assert registry.asked == ["img0"]

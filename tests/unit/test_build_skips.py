"""These facts, and this is what exists -> this is built, that is skipped, and bases are pinned like this."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from homeport.build.options import BuildOptions
from homeport.build.plan import BuildPlan, Skip, make
from homeport.build.standing import Copy, Found, Standing, content_references
from homeport.engine.manifests import Manifest
from homeport.engine.registry import Answer
from homeport.model.fingerprint import INPUTS_LABEL, LABEL, Fingerprint, Listing, digest_of, read_label
from homeport.model.fingerprint import make as fingerprint
from homeport.model.targets import Target, unescape
from made_up import Targets, facts

# A chain and two beside it: base <- lib <- api, base <- web, other.
STACK: Targets = {
    "api": {"tags": ["x/api"], "contexts": {"lib": "target:lib"}},
    "web": {"tags": ["x/web:1", "x/web:2"], "contexts": {"base": "target:base"}},
    "lib": {"tags": ["x/lib:1"], "contexts": {"base": "target:base"}},
    "base": {"tags": ["x/base:1"]},
    "other": {"tags": ["x/other:1"]},
}
ALL = tuple(STACK)


def image(name: str) -> str:
    return f"sha256:{digest_of(name)}"


def here(name: str) -> Found:
    """In the engine."""
    return Found(image(name))


def there(name: str, repository: str = "r.io/me/x", moves: tuple[str, ...] = ()) -> Found:
    """In a registry only."""
    reference = f"{repository}/{name}:fp-{digest_of(name)}"
    return Found(copies=(Copy(Manifest(reference, image(name), "type", b"{}"), moves),))


def both(name: str) -> Found:
    return Found(image(name), copies=there(name).copies)


def known(name: str) -> Fingerprint:
    return fingerprint({"stage 1": digest_of(name)}, {})


def standing(found: Mapping[str, Found], targets: Targets = STACK, **unknown: str) -> Standing:
    prints = {
        name: fingerprint({}, {}, [unknown[name]]) if name in unknown else known(name) for name in targets
    }
    return Standing(prints, found)


def built(plan: BuildPlan) -> list[str]:
    return sorted(target.name for target in plan.targets)


def skipped(plan: BuildPlan) -> dict[str, Skip]:
    return {skip.name: skip for skip in plan.skips}


def spec(plan: BuildPlan, name: str) -> dict[str, Any]:
    (target,) = [target for target in plan.targets if target.name == name]
    found: dict[str, Any] = target.document["target"][name]
    return found


def test_nothing_is_built_where_everything_is_there() -> None:
    plan = make(facts(STACK), BuildOptions(), standing({name: here(name) for name in ALL}))
    assert (plan.targets, plan.batches) == ((), ())
    assert set(skipped(plan)) == set(ALL)
    assert skipped(plan)["api"].found == here("api")
    assert {skip.why for skip in plan.skips} == {"unchanged, in the engine"}


@pytest.mark.parametrize(
    ("gone", "needed"),
    [
        # What changed, and with it all that builds on it: their fingerprints hold that of their base.
        (["other"], ["other"]),
        (["api"], ["api"]),
        (["lib", "api"], ["api", "lib"]),
        (["base", "lib", "api", "web"], ["api", "base", "lib", "web"]),
        ([*ALL], [*ALL]),
    ],
)
def test_what_is_gone_is_built_and_nothing_else(gone: list[str], needed: list[str]) -> None:
    plan = make(
        facts(STACK), BuildOptions(), standing({name: here(name) for name in ALL if name not in gone})
    )
    assert built(plan) == sorted(needed)
    assert set(skipped(plan)) == set(ALL) - set(needed)


def test_a_base_that_is_there_is_pinned_by_tag_and_digest() -> None:
    plan = make(facts(STACK, "api"), BuildOptions(), standing({"lib": here("lib"), "base": here("base")}))
    assert built(plan) == ["api"]
    assert spec(plan, "api")["contexts"] == {"lib": f"docker-image://x/lib:1@{image('lib')}"}
    assert plan.targets[0].needs == ()
    assert plan.targets[0].pins == {}
    assert skipped(plan)["lib"].why == "needed by api: unchanged, in the engine"
    assert "base" not in skipped(plan)  # nobody looks at it


def test_a_base_without_a_tag_in_its_name_is_pinned_by_latest() -> None:
    targets: Targets = {
        "top": {"tags": ["x/top"], "contexts": {"api": "target:api"}},
        "api": {"tags": ["x/api"]},
    }
    plan = make(facts(targets, "top"), BuildOptions(), standing({"api": here("api")}, targets))
    assert spec(plan, "top")["contexts"] == {"api": f"docker-image://x/api:latest@{image('api')}"}


def test_one_base_is_there_and_the_other_one_built() -> None:
    targets: Targets = {
        "app": {"tags": ["x/app"], "contexts": {"a": "target:a", "b": "target:b"}},
        "a": {"tags": ["x/a:1"]},
        "b": {"tags": ["x/b:1"]},
    }
    plan = make(facts(targets, "app"), BuildOptions(), standing({"a": here("a")}, targets))
    assert plan.batches == (("b",), ("app",))
    assert spec(plan, "app")["contexts"] == {
        "a": f"docker-image://x/a:1@{image('a')}",
        "b": "docker-image://x/b:1",
    }
    assert plan.targets[-1].pins == {"b": "b"}
    assert plan.targets[-1].exact["target"]["app"]["contexts"] == {"a": "target:a", "b": "target:b"}


BY_TAG: Targets = {"app": {"tags": ["x/app"]}, "lib": {"tags": ["x/lib:1"]}}


def by_tag(found: Found, driver: str = "docker") -> BuildPlan:
    told = facts(BY_TAG, "app", images={"app": ("x/lib:1",)}, driver=driver)
    return make(told, BuildOptions(), standing({"lib": found}, BY_TAG))


def test_a_base_named_in_from_is_found_by_its_tag() -> None:
    # As a tag alone it could be moved by another build before BuildKit looks it up.
    assert spec(by_tag(here("lib")), "app")["contexts"] == {
        "x/lib:1": f"docker-image://x/lib:1@{image('lib')}"
    }


def test_a_base_that_is_in_the_registry_only_is_fetched_from_there() -> None:
    pinned = f"docker-image://r.io/me/x/lib@{image('lib')}"
    assert spec(by_tag(there("lib")), "app")["contexts"] == {"x/lib:1": pinned}
    plan = make(facts(STACK, "api"), BuildOptions(), standing({"lib": there("lib")}))
    assert spec(plan, "api")["contexts"] == {"lib": pinned}
    assert skipped(plan)["lib"].why == "needed by api: unchanged, in the registry"


def test_another_driver_keeps_its_links() -> None:
    plan = by_tag(here("lib"), driver="docker-container")
    assert built(plan) == ["app", "lib"]
    assert spec(plan, "app")["contexts"] == {"x/lib:1": "target:lib"}
    told = facts(STACK, "api", driver="docker-container")
    plan = make(told, BuildOptions(), standing({"lib": here("lib"), "base": there("base")}))
    assert built(plan) == ["api", "base", "lib"]
    assert make(told, BuildOptions(), standing({"api": here("api")})).targets == ()


def test_pull_follows_links_to_images_that_are_there() -> None:
    targets: Targets = {**STACK, "api": {**STACK["api"], "pull": True}}
    plan = make(facts(targets, "api"), BuildOptions(), standing({"lib": here("lib"), "base": here("base")}))
    assert built(plan) == ["api", "lib"]
    assert spec(plan, "api")["contexts"] == {"lib": "target:lib"}


def test_no_skip_builds_everything_and_pins_nothing() -> None:
    plan = make(facts(STACK, "api"), BuildOptions(skip=False), standing({name: here(name) for name in ALL}))
    assert built(plan) == ["api", "base", "lib"]
    assert plan.skips == ()
    assert spec(plan, "api")["contexts"] == {"lib": "docker-image://x/lib:1"}


@pytest.mark.parametrize(
    ("base", "why"),
    [
        ({"tags": ["x/shared"]}, "its tag is another target's, too"),
        ({"tags": ["x/base:1"], "output": [{"type": "local", "dest": "out"}]}, "its result is no image"),
        ({}, "it has no name"),
    ],
)
def test_a_base_that_cannot_be_named_is_built_as_a_link(base: dict[str, Any], why: str) -> None:
    targets: Targets = {
        "app": {"tags": ["x/app"], "contexts": {"base": "target:base"}},
        "twin": {"tags": ["x/shared:latest"]},
        "base": base,
    }
    plan = make(
        facts(targets, "app", "twin"),
        BuildOptions(),
        standing({"base": here("base"), "twin": here("twin")}, targets),
    )
    assert built(plan) == ["app", "base"], why
    assert spec(plan, "app")["contexts"] == {"base": "target:base"}
    assert set(skipped(plan)) == {"twin"}


def test_without_the_containerd_store_images_of_the_engine_cannot_be_named() -> None:
    told = facts(STACK, "api", containerd_store=False)
    assert built(make(told, BuildOptions(), standing({"lib": here("lib")}))) == ["api", "base", "lib"]


# -- pushing and loading ------------------------------------------------------------------------------------

PUSH = BuildOptions(push=True, registry="r.io/me")
OK = Answer("ok")


@pytest.mark.parametrize(
    ("found", "is_built"), [(here("other"), True), (there("other"), False), (both("other"), False)]
)
def test_to_push_it_must_be_in_the_registry(found: Found, is_built: bool) -> None:
    plan = make(facts(STACK, "other", answer=OK), PUSH, standing({"other": found}))
    assert built(plan) == (["other"] if is_built else [])
    assert all(skip.push for skip in plan.skips)


def test_what_is_only_built_on_need_not_be_pushed() -> None:
    plan = make(facts(STACK, "api", answer=OK), PUSH, standing({"lib": here("lib")}))
    assert built(plan) == ["api"]
    assert (skipped(plan)["lib"].push, skipped(plan)["lib"].load) == (False, False)


def test_load_fetches_what_was_asked_for_and_is_not_in_the_engine() -> None:
    found = {"api": there("api"), "other": both("other"), "lib": there("lib")}
    plan = make(
        facts(STACK, "api", "other", "web"),
        BuildOptions(load=True),
        standing({**found, "base": here("base")}),
    )
    assert {name: skip.load for name, skip in skipped(plan).items()} == {
        "api": True,
        "other": False,
        "base": False,
    }


def test_content_tags_one_for_each_repository() -> None:
    target = Target("a", {"tags": ["x/a:1", "x/a:2", "y/a", "r.io/me/z:1"]})
    tag = known("a").tag
    assert content_references(target, known("a"), PUSH) == {
        f"r.io/me/x/a:{tag}": ("r.io/me/x/a:1", "r.io/me/x/a:2"),
        f"r.io/me/y/a:{tag}": ("r.io/me/y/a",),
        f"r.io/me/z:{tag}": ("r.io/me/z:1",),
    }
    assert content_references(target, known("a"), BuildOptions()) == {}
    assert len(content_references(target, known("a"), BuildOptions(push=True))) == 3


# -- labels -------------------------------------------------------------------------------------------------


def test_images_carry_their_fingerprint() -> None:
    targets: Targets = {"a": {"tags": ["a"], "labels": {"mine": "1", LABEL: "forged"}}}
    plan = make(facts(targets), BuildOptions(), standing({}, targets))
    labels = spec(plan, "a")["labels"]
    assert (labels["mine"], labels[LABEL]) == ("1", known("a").digest)
    assert read_label(labels[INPUTS_LABEL]) is not None
    assert plan.targets[0].exact["target"]["a"]["labels"] == labels
    assert targets["a"]["labels"] == {"mine": "1", LABEL: "forged"}


def test_what_is_unknown_hides_the_labels_of_its_base() -> None:
    plan = make(facts(STACK, "other"), BuildOptions(), standing({}, other="nobody knows"))
    assert spec(plan, "other")["labels"] == {LABEL: "", INPUTS_LABEL: ""}


def test_without_fingerprints_there_are_no_labels() -> None:
    assert "labels" not in spec(make(facts(STACK, "other"), BuildOptions()), "other")


def test_names_of_files_are_no_templates_for_bake() -> None:
    names = ["${HOME}", "%{ if x }", "$${x}", "plain$"]
    files = dict.fromkeys(names, ("c", "644"))
    marked = Standing({"other": fingerprint({}, {"": Listing("d", lambda: files)})})
    text = spec(make(facts(STACK, "other"), BuildOptions(), marked), "other")["labels"][INPUTS_LABEL]
    assert "${" not in text.replace("$${", "")
    assert "%{" not in text.replace("%%{", "")
    assert set(json.loads(unescape(text))["files"][""]) == set(names)

"""These facts -> this plan."""

from __future__ import annotations

from typing import Any

import pytest

from homeport.build.documents import csv_entry
from homeport.build.options import BuildOptions
from homeport.build.plan import BuildPlan, PlannedTarget, make
from homeport.engine.registry import Answer
from homeport.errors import DefinitionError, EnvironmentProblem
from homeport.model.jobs import default_jobs
from made_up import GIB, Targets, facts

LAYERS: Targets = {
    "api": {"tags": ["x/api"], "contexts": {"lib": "target:lib", "alpine": "docker-image://alpine:3"}},
    "lib": {"tags": ["x/lib:1"], "contexts": {"base": "target:base"}, "output": [{"type": "cacheonly"}]},
    "base": {"output": [{"type": "cacheonly"}]},
    "other": {"tags": ["x/other"]},
}


def planned(plan: BuildPlan, name: str) -> PlannedTarget:
    return next(target for target in plan.targets if target.name == name)


def spec(plan: BuildPlan, name: str) -> dict[str, Any]:
    found: dict[str, Any] = planned(plan, name).document["target"][name]
    return found


def test_only_what_is_needed_in_order_with_the_reason() -> None:
    plan = make(facts(LAYERS, "api"), BuildOptions())
    assert plan.batches == (("base",), ("lib",), ("api",))
    assert [(target.name, target.why) for target in plan.targets] == [
        ("base", "needed by lib"),
        ("lib", "needed by api"),
        ("api", "requested"),
    ]


def test_with_the_docker_driver_a_tagged_link_becomes_an_image() -> None:
    plan = make(facts(LAYERS, "api"), BuildOptions())
    assert spec(plan, "api")["contexts"] == {
        "lib": "docker-image://x/lib:1",
        "alpine": "docker-image://alpine:3",
    }
    assert list(planned(plan, "api").document["target"]) == ["api"]
    assert "output" not in spec(plan, "lib")


def test_an_untagged_link_stays_a_link_and_brings_its_definition() -> None:
    plan = make(facts(LAYERS, "api"), BuildOptions())
    assert spec(plan, "lib")["contexts"] == {"base": "target:base"}
    assert planned(plan, "lib").document["target"]["base"]["output"] == ["type=cacheonly"]
    assert spec(plan, "base")["output"] == ["type=cacheonly"]


def test_another_driver_keeps_links_and_loads_what_was_asked_for() -> None:
    plan = make(facts(LAYERS, "api", driver="docker-container"), BuildOptions())
    document = planned(plan, "api").document
    assert list(document["target"]) == ["api", "lib", "base"]
    assert document["target"]["api"]["output"] == ["type=docker"]
    assert document["target"]["lib"]["output"] == ["type=cacheonly"]
    assert document["group"] == {"default": {"targets": ["api"]}}


def test_a_tag_that_two_targets_share_stays_a_link() -> None:
    targets: Targets = {
        "api": {"contexts": {"base": "target:base"}},
        "base": {"tags": ["x/base"]},
        "base2": {"tags": ["docker.io/x/base:latest"]},
    }
    plan = make(facts(targets), BuildOptions())
    assert spec(plan, "api")["contexts"] == {"base": "target:base"}


def test_explicit_outputs_are_kept() -> None:
    targets: Targets = {"files": {"output": [{"type": "local", "dest": "out,put"}]}}
    plan = make(facts(targets), BuildOptions())
    assert spec(plan, "files")["output"] == ['type=local,"dest=out,put"']


def test_a_tag_in_from_is_a_dependency_even_of_a_target_nobody_asked_for() -> None:
    targets: Targets = {"app": {"tags": ["x/app"]}, "lib": {"tags": ["x/lib:latest"]}}
    plan = make(facts(targets, "app", images={"app": ("docker.io/x/lib",)}), BuildOptions())
    assert plan.batches == (("lib",), ("app",))
    assert planned(plan, "lib").why == "needed by app"


def test_a_tag_in_from_becomes_a_link_where_the_builder_cannot_see_the_engine() -> None:
    targets: Targets = {"app": {"tags": ["x/app"]}, "lib": {"tags": ["x/lib:latest"]}}
    found = facts(targets, "app", images={"app": ("x/lib",)}, driver="docker-container")
    assert spec(make(found, BuildOptions()), "app")["contexts"] == {"x/lib": "target:lib"}


def test_a_named_context_hides_a_tag_and_a_target_does_not_need_itself() -> None:
    targets: Targets = {
        "app": {"tags": ["x/app"], "contexts": {"x/lib": "docker-image://y"}},
        "lib": {"tags": ["x/lib"]},
    }
    plan = make(facts(targets, "app", images={"app": ("x/lib", "x/app")}), BuildOptions())
    assert plan.batches == (("app",),)


def test_a_circle_of_tags_is_an_error() -> None:
    targets: Targets = {"a": {"tags": ["x/a"]}, "b": {"tags": ["x/b"]}}
    with pytest.raises(DefinitionError, match="circle"):
        make(facts(targets, images={"a": ("x/b",), "b": ("x/a",)}), BuildOptions())


def test_a_problem_counts_only_where_the_target_is_needed() -> None:
    broken = {"other": DefinitionError("no context")}
    assert make(facts(LAYERS, "api", problems=broken), BuildOptions())
    with pytest.raises(DefinitionError, match="no context"):
        make(facts(LAYERS, problems=broken), BuildOptions())


@pytest.mark.parametrize(
    ("options", "jobs"),
    [
        (BuildOptions(), 1),
        (BuildOptions(jobs=3), 3),
        (BuildOptions(parallel=True, jobs=5), 5),
        (BuildOptions(parallel=True), 32),
    ],
)
def test_jobs(options: BuildOptions, jobs: int) -> None:
    assert make(facts(LAYERS, "api"), options).jobs == jobs


@pytest.mark.parametrize(
    ("cpus", "memory", "jobs"), [(2, 20 * GIB, 32), (2, GIB, 2), (1, 0, 1), (16, 4 * GIB, 8)]
)
def test_default_jobs(cpus: int, memory: int, jobs: int) -> None:
    assert default_jobs(cpus, memory) == jobs


REGISTRY = BuildOptions(registry="r.io/me")
OK = Answer("ok")


def test_caches_of_branch_and_main_without_editing_what_is_there() -> None:
    targets: Targets = {"api": {"cache-from": ["type=gha"], "cache-to": [{"type": "gha"}]}}
    plan = make(facts(targets, answer=OK), REGISTRY)
    assert spec(plan, "api")["cache-from"] == [
        "type=gha",
        "type=registry,ref=r.io/me/cache:api.topic",
        "type=registry,ref=r.io/me/cache:api.main",
    ]
    assert spec(plan, "api")["cache-to"] == [
        {"type": "gha"},
        "type=registry,ref=r.io/me/cache:api.topic,mode=max,ignore-error=true",
    ]
    assert targets["api"]["cache-from"] == ["type=gha"]


def test_on_the_main_branch_one_source() -> None:
    plan = make(facts(LAYERS, "other", answer=OK, branch="main"), REGISTRY)
    assert planned(plan, "other").cache_from == ("r.io/me/cache:other.main",)


def test_without_git_the_main_branch_and_on_no_branch_only_reading() -> None:
    assert planned(make(facts(LAYERS, "other", answer=OK, branch=None), REGISTRY), "other").cache_to == (
        "r.io/me/cache:other.main",
    )
    detached = make(facts(LAYERS, "other", answer=OK, branch=""), REGISTRY)
    assert planned(detached, "other").cache_to == ()
    assert planned(detached, "other").cache_from == ("r.io/me/cache:other.main",)
    assert "on no branch" in detached.warnings[0]


def test_caches_may_be_only_read() -> None:
    reads = BuildOptions(registry="r.io/me", cache_export=False)
    plan = make(facts(LAYERS, "other", answer=OK, branch="topic", containerd_store=False), reads)
    assert planned(plan, "other").cache_from == ("r.io/me/cache:other.main",)
    assert planned(plan, "other").cache_to == ()
    assert plan.warnings == ()


def test_no_registry_no_caches() -> None:
    assert "cache-from" not in spec(make(facts(LAYERS, "other"), BuildOptions()), "other")


def test_a_registry_that_is_down_costs_a_warning() -> None:
    plan = make(facts(LAYERS, "other", answer=Answer("down", "refused")), REGISTRY)
    assert "cache-from" not in spec(plan, "other")
    assert "without registry caches" in plan.warnings[0]


def test_the_old_image_store_reads_caches_only() -> None:
    plan = make(facts(LAYERS, "other", answer=OK, containerd_store=False), REGISTRY)
    assert planned(plan, "other").cache_to == ()
    assert "containerd image store" in plan.warnings[0]


PUSH = BuildOptions(push=True, registry="r.io/me")


def test_a_push_gives_both_names_and_pushes_only_what_was_asked_for() -> None:
    plan = make(facts(LAYERS, "api", answer=OK), PUSH)
    assert planned(plan, "api").pushes == ("r.io/me/x/api",)
    assert spec(plan, "api")["output"] == ["type=image,name=x/api", "type=image,name=r.io/me/x/api,push=true"]
    assert "tags" not in spec(plan, "api")
    assert planned(plan, "lib").pushes == ()


def test_a_push_under_its_own_name() -> None:
    plan = make(facts({"a": {"tags": ["r.io/me/a:1", "r.io/me/a:2"]}}, answer=OK), PUSH)
    assert spec(plan, "a")["output"] == ['type=image,"name=r.io/me/a:1,r.io/me/a:2",push=true']


def test_a_push_from_the_old_store_has_one_output() -> None:
    plan = make(facts({"a": {"tags": ["a"]}}, answer=OK, containerd_store=False), PUSH)
    assert spec(plan, "a")["output"] == ["type=image,name=r.io/me/a,push=true"]
    assert any("local ones" in warning for warning in plan.warnings)


def test_a_push_without_a_tag() -> None:
    with pytest.raises(DefinitionError, match="no tag"):
        make(facts({"a": {}}, answer=OK), PUSH)


@pytest.mark.parametrize(("state", "said"), [("down", "doesn't answer"), ("login", "wants a login")])
def test_a_push_to_a_registry_that_refuses(state: str, said: str) -> None:
    with pytest.raises(EnvironmentProblem, match=said) as caught:
        make(facts({"a": {"tags": ["a"]}}, answer=Answer(state, "why")), PUSH)
    assert caught.value.exit_code == 2


def test_csv_quotes_commas() -> None:
    assert csv_entry({"type": "image", "name": 'a,"b'}) == 'type=image,"name=a,""b"'


def test_the_dockerfile_is_named_from_the_root() -> None:
    plan = make(facts({"a": {"context": "svc/a", "dockerfile": "../D"}}), BuildOptions())
    assert plan.targets[0].dockerfile == "svc/D"


@pytest.mark.parametrize(
    ("spec_of_it", "options", "exports"),
    [
        ({"tags": ["a"]}, BuildOptions(), 1),
        ({"tags": ["a"]}, REGISTRY, 2),
        ({"tags": ["a"], "cache-to": ["type=inline"]}, BuildOptions(), 1),
        ({"output": ["type=local,dest=x"]}, BuildOptions(), 0),
        ({"tags": ["a"]}, PUSH, 0),
    ],
)
def test_how_many_results_are_written(
    spec_of_it: dict[str, Any], options: BuildOptions, exports: int
) -> None:
    assert make(facts({"a": spec_of_it}, answer=OK), options).targets[0].exports == exports


def test_a_link_to_an_image_of_this_run_is_pinned_and_has_an_exact_form() -> None:
    target = planned(make(facts(LAYERS, "api"), BuildOptions()), "api")
    assert target.pins == {"lib": "lib"}
    assert target.exact["target"]["api"]["contexts"]["lib"] == "target:lib"
    assert target.exact["target"]["lib"]["output"] == ["type=cacheonly"]


def test_with_pull_a_link_stays_a_link() -> None:
    targets: Targets = {**LAYERS, "api": {**LAYERS["api"], "pull": True}}
    target = planned(make(facts(targets, "api"), BuildOptions()), "api")
    assert target.pins == {}
    assert target.document["target"]["api"]["contexts"]["lib"] == "target:lib"


def test_without_the_containerd_store_links_stay_links() -> None:
    plan = make(facts(LAYERS, "api", containerd_store=False), BuildOptions())
    assert spec(plan, "api")["contexts"]["lib"] == "target:lib"


def test_cacheonly_that_was_asked_for_stays() -> None:
    plan = make(facts({"a": {"tags": ["a"], "output": [{"type": "cacheonly"}]}}), BuildOptions())
    assert spec(plan, "a")["output"] == ["type=cacheonly"]


def test_a_context_that_is_an_image_of_another_target_is_a_dependency() -> None:
    targets: Targets = {
        "app": {"contexts": {"foo": "docker-image://x/base:1"}},
        "base": {"tags": ["x/base:1"]},
    }
    assert make(facts(targets, "app", images={"app": ("foo",)}), BuildOptions()).batches == (
        ("base",),
        ("app",),
    )


def test_a_password_in_a_remote_context_is_not_repeated() -> None:
    target = make(facts({"a": {"context": "https://me:secret@host/x.git"}}), BuildOptions()).targets[0]
    assert target.dockerfile == "Dockerfile"

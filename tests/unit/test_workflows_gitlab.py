"""The file for GitLab: what stands in it, and what never may."""

from __future__ import annotations

import io
from collections import Counter
from typing import Any

import pytest
from ruamel.yaml import YAML

from homeport.ci import gitlab
from homeport.ci.pipeline import Pipeline, Work, make
from homeport.model.config import BuildConfig, CiConfig

BIG: dict[str, tuple[str, ...]] = {
    "base": (),
    "lib": ("base",),
    **{f"service-{number}": ("lib",) for number in range(47)},
}
CASES: dict[str, Pipeline] = {
    "own registry": make(
        Work(BIG, tuple(BIG)), CiConfig(), BuildConfig(registry="registry.gitlab.com/me/stack"), {}
    ),
    "other registry": make(
        Work(BIG, tuple(BIG)),
        CiConfig(
            runner=("docker",),
            deploy_runner=("server",),
            environments=("staging", "production"),
            homeport="it's",
        ),
        BuildConfig(registry="docker.io/me"),
        {},
    ),
    "no registry": make(Work(BIG, tuple(BIG)), CiConfig(), BuildConfig(), {}),
}


def text(pipeline: Pipeline) -> str:
    return gitlab.files(pipeline)[".gitlab-ci.yml"]


def jobs(pipeline: Pipeline) -> dict[str, Any]:
    document = YAML(typ="safe").load(io.StringIO(text(pipeline)))
    return {name: job for name, job in document.items() if isinstance(job, dict) and "script" in job}


def targets(pipeline: Pipeline, name: str) -> list[str]:
    """What the jobs for shards of this name build together."""
    document = YAML(typ="safe").load(io.StringIO(text(pipeline)))
    found = [job for key, job in document.items() if key == name or key.startswith(f"{name} ")]
    return [target for job in found for target in job["variables"]["TARGETS"].split(",")]


@pytest.fixture(params=list(CASES))
def pipeline(request: pytest.FixtureRequest) -> Pipeline:
    return CASES[request.param]


def test_one_file(pipeline: Pipeline) -> None:
    assert list(gitlab.files(pipeline)) == [".gitlab-ci.yml"]


def test_every_target_is_built_once() -> None:
    own = CASES["own registry"]
    assert targets(own, "bases") == ["base", "lib"]
    assert Counter([*targets(own, "bases"), *targets(own, "images")]) == Counter(list(BIG))
    assert Counter(targets(own, "affected")) == Counter(list(BIG))
    assert Counter(targets(own, "unit-tests")) == Counter(list(BIG))
    assert Counter(targets(CASES["no registry"], "images")) == Counter(list(BIG))


def test_a_shard_is_a_job_whatever_its_targets_are_called() -> None:
    long = {f"{'a' * 90}-{number}": () for number in range(8)}
    pipeline = make(Work(long, tuple(long)), CiConfig(shards=2), BuildConfig(registry="docker.io/me"), {})
    document = YAML(typ="safe").load(io.StringIO(text(pipeline)))
    assert document["images 1/2"]["extends"] == ".images"
    assert len(document["images 1/2"]["variables"]["TARGETS"]) > 255
    # https://docs.gitlab.com/ci/jobs/#job-names
    assert max(map(len, document)) <= 255


def test_merge_requests_push_nothing_and_write_no_caches(pipeline: Pipeline) -> None:
    for name, job in jobs(pipeline).items():
        rules = str(job["rules"])
        if "--push" in str(job["script"]):
            assert "merge_request" not in rules, name
        if name == ".affected":
            assert len(job["rules"]) == 1
        if "merge_request" in rules and "homeport build" in str(job["script"]):
            assert "${CI_MERGE_REQUEST_DIFF_BASE_SHA:+--no-cache-export}" in str(job["script"]), name


def test_without_a_registry_nobody_logs_in_or_pushes() -> None:
    assert "docker log" not in text(CASES["no registry"])
    assert "--push" not in text(CASES["no registry"])


def test_who_logs_in() -> None:
    own, other = (str(jobs(CASES[name])["bases"]["script"]) for name in ("own registry", "other registry"))
    assert '--username "$CI_REGISTRY_USER" --password-stdin' in own
    assert '"$CI_REGISTRY_PASSWORD"' in own
    assert '--username "$REGISTRY_USER" --password-stdin' in other
    assert "--password " not in own + other


def test_deploys_are_started_by_hand_and_wait_for_each_other() -> None:
    found = jobs(CASES["other registry"])
    for name in ("staging", "production"):
        for job in (found[f"deploy {name}"], found[f"roll back {name}"]):
            assert job["rules"][0]["when"] == "manual"
            assert job["resource_group"] == name
            assert job["environment"]["name"] == name
            assert job["tags"] == ["server"]
    assert found["roll back staging"]["needs"] == []
    assert found[".images"]["tags"] == ["docker"]
    assert "tags" not in jobs(CASES["own registry"])[".images"]


def test_what_pip_installs_is_one_word_to_the_shell() -> None:
    document = YAML(typ="safe").load(io.StringIO(text(CASES["other registry"])))
    assert document[".install"]["before_script"][-1] == "python -m pip install 'it'\"'\"'s'"


def test_reports_of_other_jobs_are_not_fetched(pipeline: Pipeline) -> None:
    for name, job in jobs(pipeline).items():
        assert job.get("needs", job.get("dependencies")) == [], name

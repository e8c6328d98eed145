"""The workflows for GitHub: what stands in them, and what never may."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from ruamel.yaml import YAML

from homeport.ci import github
from homeport.ci.actions import PINS
from homeport.ci.pipeline import Pipeline, Work, make
from homeport.model.config import BuildConfig, CiConfig

# The shape of a big repository: 49 targets, three levels, one chain that only one target needs.
BIG: dict[str, tuple[str, ...]] = {
    "base": (),
    "lib": ("base",),
    "codegen": (),
    **{f"service-{number}": ("lib",) for number in range(45)},
    "web": ("codegen",),
}
CASES: dict[str, Pipeline] = {
    "ghcr": make(Work(BIG, tuple(BIG)), CiConfig(), BuildConfig(registry="ghcr.io/me/stack"), {}),
    "other registry": make(
        Work(BIG, tuple(BIG)),
        CiConfig(
            deploy_runner=("self-hosted", "server"),
            environments=("staging", "production"),
            registry_user="HUB_USER",
            registry_password="HUB_TOKEN",  # noqa: S106 - a name
            code_scanning=False,
        ),
        BuildConfig(registry="registry.example:5000/x", main_branch="it's #1: main"),
        {},
    ),
    "no registry": make(Work(BIG, tuple(BIG)), CiConfig(shards=3), BuildConfig(), {}),
    "one target": make(Work({"a": ()}, ("a",)), CiConfig(), BuildConfig(registry="docker.io/me"), {}),
}


def parsed(pipeline: Pipeline) -> dict[str, Any]:
    return {
        path.rpartition("/")[2].removesuffix(".yml"): YAML(typ="safe").load(io.StringIO(text))
        for path, text in github.files(pipeline).items()
    }


def jobs(pipeline: Pipeline) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for file, workflow in parsed(pipeline).items():
        for name, job in workflow["jobs"].items():
            yield file, name, job


def steps(pipeline: Pipeline) -> Iterator[dict[str, Any]]:
    for _, _, job in jobs(pipeline):
        yield from job.get("steps", ())


def targets(job: dict[str, Any]) -> list[str]:
    return [name for entry in job["strategy"]["matrix"]["include"] for name in entry["targets"].split(",")]


@pytest.fixture(params=list(CASES))
def pipeline(request: pytest.FixtureRequest) -> Pipeline:
    return CASES[request.param]


def test_four_files() -> None:
    assert [path.rpartition("/")[2] for path in github.files(CASES["ghcr"])] == [
        "docker-build.yml",
        "docker-test.yml",
        "docker-security-scan.yml",
        "docker-deploy.yml",
    ]


def test_every_target_is_built_once() -> None:
    build = parsed(CASES["ghcr"])["docker-build"]["jobs"]
    bases = build["bases"]["steps"][-2]["env"]["TARGETS"].split(",")
    assert bases == ["base", "lib"]
    assert Counter([*bases, *targets(build["images"])]) == Counter(list(BIG))
    assert Counter(targets(build["affected"])) == Counter(list(BIG))
    assert len(build["images"]["strategy"]["matrix"]["include"]) == 4
    together = [entry["targets"].split(",") for entry in build["images"]["strategy"]["matrix"]["include"]]
    assert [part for part in together if "web" in part] == [part for part in together if "codegen" in part]


def test_every_target_is_tested_once(pipeline: Pipeline) -> None:
    wanted = [name for shard in pipeline.shards.all for name in shard]
    assert Counter(targets(parsed(pipeline)["docker-test"]["jobs"]["unit"])) == Counter(wanted)


def test_without_a_registry_nothing_is_pushed_or_handed_on() -> None:
    build = parsed(CASES["no registry"])["docker-build"]["jobs"]
    assert list(build) == ["workflows", "images", "test", "scan"]
    assert Counter(targets(build["images"])) == Counter(list(BIG))
    texts = "".join(github.files(CASES["no registry"]).values())
    assert "--push" not in texts
    assert "docker login" not in texts
    assert "packages:" not in texts


def test_one_target_needs_no_bases() -> None:
    build = parsed(CASES["one target"])["docker-build"]["jobs"]
    assert "bases" not in build
    assert "needs" not in build["images"]


def test_pull_requests_build_what_changed_and_push_nothing(pipeline: Pipeline) -> None:
    build = parsed(pipeline)["docker-build"]["jobs"]
    for name, job in build.items():
        text = str(job)
        if "--push" in text or "uses" in job:
            assert job["if"].startswith("github.ref == 'refs/heads/"), name
    job = build.get("affected", build["images"])
    run = next(step["run"] for step in job["steps"] if step["name"] == "Build")
    assert '${BASE:+--changed-since "origin/$BASE"} ${BASE:+--no-cache-export}' in run
    assert job["steps"][0]["with"]["fetch-depth"] == 0


def test_only_the_build_on_the_main_branch_writes_caches(pipeline: Pipeline) -> None:
    for file, name, job in jobs(pipeline):
        for step in job.get("steps", ()):
            run = step.get("run", "")
            if "homeport build" in run or "homeport test" in run:
                writes = "--no-cache-export" not in run
                assert not writes or (file, name) in {
                    ("docker-build", "bases"),
                    ("docker-build", "images"),
                }, (file, name)


def test_actions_are_pinned_by_commit(pipeline: Pipeline) -> None:
    for text in github.files(pipeline).values():
        for value in re.findall(r"uses: (.*)", text):
            if not value.startswith("$/.github/workflows/"):
                name, _, pin = value.partition("@")
                commit, release = PINS[name]
                assert pin == f"{commit} # {release}"
                assert re.fullmatch(r"[0-9a-f]{40}", commit)
                assert re.fullmatch(r"v\d+\.\d+\.\d+", release)


def test_no_expression_is_code(pipeline: Pipeline) -> None:
    for step in steps(pipeline):
        assert "${{" not in step.get("run", "")


def test_rights(pipeline: Pipeline) -> None:
    for workflow in parsed(pipeline).values():
        assert workflow["permissions"] == {}
    for file, name, job in jobs(pipeline):
        rights = dict(job["permissions"])
        assert rights.pop("contents", "read") == "read"
        if rights.get("packages") == "write":
            assert "--push" in str(job), (file, name)
            assert pipeline.host == "ghcr.io"
        if "security-events" in rights:
            assert "run" not in str([list(step) for step in job.get("steps", ())])
        assert set(rights) <= {"packages", "security-events", "actions"}, (file, name)


def test_rights_of_a_called_workflow_are_those_of_its_caller(pipeline: Pipeline) -> None:
    found = parsed(pipeline)
    for call, file in (("test", "docker-test"), ("scan", "docker-security-scan")):
        given = found["docker-build"]["jobs"][call]["permissions"]
        for job in found[file]["jobs"].values():
            assert job["permissions"].items() <= given.items()


def test_credentials_reach_one_step_and_no_command_line(pipeline: Pipeline) -> None:
    for _, _, job in jobs(pipeline):
        assert "secrets." not in str(job.get("env"))
    for step in steps(pipeline):
        if "secrets." in str(step):
            assert step["name"] == "Log in to the registry"
            assert "--password-stdin" in step["run"]
            assert "--password " not in step["run"]
        if "checkout@" in step.get("uses", ""):
            assert step["with"]["persist-credentials"] is False


def test_who_logs_in() -> None:
    def login(case: str) -> dict[str, str]:
        found: dict[str, str] = next(
            step["env"] for step in steps(CASES[case]) if step["name"] == "Log in to the registry"
        )
        return found

    assert login("ghcr") == {
        "REGISTRY": "ghcr.io",
        "REGISTRY_USER": "${{ github.actor }}",
        "REGISTRY_PASSWORD": "${{ secrets.GITHUB_TOKEN }}",
    }
    assert login("other registry") == {
        "REGISTRY": "registry.example:5000",
        "REGISTRY_USER": "${{ vars.HUB_USER }}",
        "REGISTRY_PASSWORD": "${{ secrets.HUB_TOKEN }}",
    }
    build = parsed(CASES["other registry"])["docker-build"]["jobs"]
    assert build["test"]["secrets"] == {"HUB_TOKEN": "${{ secrets.HUB_TOKEN }}"}
    called = parsed(CASES["other registry"])["docker-test"]["on"]["workflow_call"]
    assert list(called["secrets"]) == ["HUB_TOKEN"]
    assert "secrets" not in parsed(CASES["ghcr"])["docker-build"]["jobs"]["test"]


def test_every_job_ends(pipeline: Pipeline) -> None:
    for _, _, job in jobs(pipeline):
        assert "uses" in job or job["timeout-minutes"] > 0


def test_a_deploy_waits_for_the_one_before_it() -> None:
    deploy = parsed(CASES["other registry"])["docker-deploy"]
    assert deploy["concurrency"] == {
        "group": "docker-deploy-${{ inputs.environment }}",
        "cancel-in-progress": False,
    }
    inputs = deploy["on"]["workflow_dispatch"]["inputs"]
    assert inputs["environment"]["options"] == ["staging", "production"]
    assert inputs["environment"]["default"] == "staging"
    job = deploy["jobs"]["deploy"]
    assert job["environment"] == "${{ inputs.environment }}"
    assert job["runs-on"] == ["self-hosted", "server"]
    conditions = {step["name"]: step.get("if") for step in job["steps"]}
    assert conditions["Deploy"] == "inputs.rollback == ''"
    assert conditions["Go back"] == "inputs.rollback != ''"


def test_a_branch_of_any_name() -> None:
    build = parsed(CASES["other registry"])["docker-build"]
    assert build["on"]["push"]["branches"] == ["it's #1: main"]
    assert build["jobs"]["images"]["if"] == "github.ref == 'refs/heads/it''s #1: main'"


def test_the_same_repository_gives_the_same_text(pipeline: Pipeline) -> None:
    assert github.files(pipeline) == github.files(pipeline)
    for text in github.files(pipeline).values():
        assert not re.search(r"[ \t]\n", text)
        assert "\n\n\n" not in text

"""Registries that GitHub's runs log in at by who they are."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
from ruamel.yaml import YAML

from homeport.ci import github
from homeport.ci.actions import PINS
from homeport.ci.clouds import cloud
from homeport.ci.pipeline import Pipeline, Work, make
from homeport.model.config import BuildConfig, CiConfig

WORK = Work({"base": (), "api": ("base",), "web": ("base",)}, ("base", "api", "web"))
HOSTS = {
    "123456789012.dkr.ecr.eu-west-1.amazonaws.com": "AWS_{}_ROLE",
    "europe-west1-docker.pkg.dev": "GCP_{}_ACCOUNT",
    "example.azurecr.io": "AZURE_{}_CLIENT",
}


def pipeline(host: str, **config: Any) -> Pipeline:
    return make(WORK, CiConfig(**config), BuildConfig(registry=f"{host}/me/stack"), {})


def jobs(found: Pipeline) -> Iterator[tuple[str, dict[str, Any]]]:
    """By workflow and job, such as docker-test.stack, what stands there."""
    for path, text in github.files(found).items():
        workflow = path.rpartition("/")[2].removesuffix(".yml")
        for name, job in YAML(typ="safe").load(io.StringIO(text))["jobs"].items():
            yield f"{workflow}.{name}", job


@pytest.fixture(params=list(HOSTS))
def host(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_no_secret_is_needed(host: str) -> None:
    texts = "".join(github.files(pipeline(host)).values())
    assert "secrets." not in texts
    assert "secrets:" not in texts
    assert "REGISTRY_PASSWORD" not in texts


def test_only_jobs_that_log_in_may_ask_for_an_identity(host: str) -> None:
    found = dict(jobs(pipeline(host)))
    logging_in = {name for name, job in found.items() if "docker login" in str(job)}
    calling = {name for name, job in found.items() if "uses" in job}
    allowed = {name for name, job in found.items() if job["permissions"].get("id-token") == "write"}
    assert calling == {"docker-build.test", "docker-build.scan"}
    assert allowed == logging_in | calling
    assert found.keys() - allowed == {"docker-build.workflows", "docker-security-scan.code-scanning"}


def test_who_pushes_is_somebody_else_than_who_reads(host: str) -> None:
    for name, job in jobs(pipeline(host)):
        if "docker login" not in str(job):
            continue
        right, other = ("PUSH", "PULL") if "--push" in str(job) else ("PULL", "PUSH")
        asks = next(step for step in job["steps"] if step.get("id") == "cloud")
        variable = HOSTS[host].format(right)
        assert asks["if"] == f"vars.{variable} != '' && github.event.pull_request.head.repo.fork != true", (
            name
        )
        assert f"${{{{ vars.{variable} }}}}" in asks["with"].values()
        assert HOSTS[host].format(other) not in str(job)


def test_credentials_reach_one_step_and_no_command_line(host: str) -> None:
    for _, job in jobs(pipeline(host)):
        for step in job.get("steps", ()):
            assert "${{" not in step.get("run", "")
            if "steps.cloud.outputs" in str(step):
                assert step["name"] == "Log in to the registry"
            if "docker login" in step.get("run", ""):
                assert step["if"] == "steps.cloud.outcome == 'success'"
                assert "--password-stdin" in step["run"]
        names = [step["name"] for step in job.get("steps", ())]
        if "Log in to the registry" in names:
            # Nothing of the repository's runs between the two, and only the login has what the first one got.
            asked = names.index("Log in to the registry") - 1
            assert names[asked].startswith("Ask ")
            assert names[-1] == "Log out"


def test_a_cloud_puts_nothing_where_other_steps_see_it() -> None:
    amazon, google, azure = (cloud(host) for host in HOSTS)
    assert amazon is not None
    assert google is not None
    assert azure is not None
    assert "output-env-credentials: false" in amazon.inputs
    assert "create_credentials_file: false" in google.inputs
    assert "export_environment_variables: false" in google.inputs
    assert azure.script[-1] == "az logout"
    assert {one.action for one in (amazon, google, azure)} <= PINS.keys()


def test_the_region_is_that_of_the_registry() -> None:
    found = cloud("123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com")
    assert found is not None
    assert "aws-region: us-gov-west-1" in found.inputs


def test_a_password_of_ones_own_counts(host: str) -> None:
    texts = "".join(github.files(pipeline(host, registry_password="TOKEN")).values())  # noqa: S106 - a name
    assert "id-token" not in texts
    assert "${{ secrets.TOKEN }}" in texts


@pytest.mark.parametrize(
    "other",
    [
        "",
        "docker.io",
        "ghcr.io",
        "registry.example:5000",
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com.example.org",
        "x.123456789012.dkr.ecr.eu-west-1.amazonaws.com",
        "docker.pkg.dev.example.org",
        "azurecr.io",
        "a.b.azurecr.io",
        "a-b123.azurecr.io",
    ],
)
def test_other_registries_take_a_password(other: str) -> None:
    assert cloud(other) is None

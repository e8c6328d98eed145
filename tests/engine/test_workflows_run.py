"""The generated workflows run: each `run` step, in order, in fresh clones, on machines of their own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from ruamel.yaml import YAML

from engine_fixtures import DockerSession, RunHomeport, Sandbox, docker, run_program
from scanner_stand_in import FLAW, trivy, trivy_report
from workflow_runner import Runner

IN_A_FOLDER = "apps/shop"

SERVICE = """\
FROM base
COPY words /words
FROM base AS test
COPY words /words
RUN grep -q words /words
FROM base
COPY words /words
CMD ["sh", "-c", "trap exit TERM; while :; do sleep 1; done"]
"""


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-c", "user.name=x", "-c", "user.email=x@x", *words], cwd=folder, check=True)


@pytest.fixture
def prefix(docker_session: DockerSession) -> str:
    return docker_session.name("ci-")


@pytest.fixture
def within(request: pytest.FixtureRequest) -> str:
    """The stack's folder in the repository: its top, unless a test says something else."""
    return str(getattr(request, "param", ""))


@pytest.fixture
def origin(
    within: str,
    sandbox: Sandbox,
    run_homeport: RunHomeport,
    docker_session: DockerSession,
    registry: str,
    tiny_image: str,
    prefix: str,
) -> Path:
    """A git repository with two services on a base, one target beside them, and its workflows."""
    tiny = f"{registry}/{prefix}tiny"
    docker("tag", tiny_image, tiny)
    docker("push", "--quiet", tiny)
    targets: dict[str, Any] = {
        "base": {"context": "base", "tags": [f"{prefix}base:1"]},
        "other": {"context": "other", "tags": [f"{prefix}other:1"]},
    }
    for name in ("api", "web"):
        targets[name] = {"context": name, "contexts": {"base": "target:base"}, "tags": [f"{prefix}{name}:1"]}
    about = {
        "restart": "always",
        "stop_grace_period": "2s",
        "healthcheck": {"test": "true", "interval": "1s"},
    }
    services = {name: {"image": f"{prefix}{name}:1", **about} for name in ("api", "web")}
    own = f"FROM {tiny}\nLABEL {docker_session.label}\n"
    own_files = {
        "docker-bake.json": json.dumps({"group": {"default": {"targets": list(targets)}}, "target": targets}),
        "compose.yml": json.dumps({"name": f"{prefix}stack", "services": services}),
        "homeport.toml": f'[build]\nregistry = "{registry}/{prefix}r"\n'
        '[ci]\nhomeport = "homeport"\nshards = 2\n',
        "base/Dockerfile": f"{own}RUN echo base > /base\n",
        "other/Dockerfile": f"{own}RUN echo other > /other\n",
        "api/Dockerfile": SERVICE,
        "api/words": "words of api\n",
        "web/Dockerfile": SERVICE,
        "web/words": "words of web\n",
    }
    folder = sandbox({str(PurePosixPath(within, name)): text for name, text in own_files.items()}, "origin")
    git(folder, "init", "-q", "-b", "main")
    done = run_homeport(["ci.generate"], folder / within)
    assert done.returncode == 0, done.stderr
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "all")
    return folder


def pushed(registry: str) -> set[str]:
    with urllib.request.urlopen(f"http://{registry}/v2/_catalog") as answer:
        return set(json.load(answer)["repositories"])


PUSH = {"github.event_name": "push", "github.ref": "refs/heads/main", "secrets.REGISTRY_PASSWORD": "x"}
USER = {"vars.REGISTRY_USER": "x"}


def test_a_push_builds_on_several_machines_and_tests_on_another(
    origin: Path, tmp_path: Path, registry: str, prefix: str, second_engine: str
) -> None:
    there = dict.fromkeys(("images", "test.unit"), second_engine)
    runner = Runner(origin, tmp_path, {**PUSH, **USER}, there, frozenset({"scan", "affected"}))
    runner.workflow("docker-build.yml")
    jobs = list(dict.fromkeys(ran.job for ran in runner.ran))
    assert jobs == ["workflows", "bases", "images", "test.unit", "test.stack"]
    assert "Login Succeeded" in runner.said("bases", "Log in to the registry")
    assert {f"{prefix}r/{prefix}{name}" for name in ("base", "api", "web", "other")} <= pushed(registry)
    # The base was handed on by the registry: the second machine built only what it was to build.
    built = runner.said("images", "Build and push")
    assert re.findall(r"^(\d built.*?) in ", built, re.MULTILINE) == ["2 built, 1 skipped", "1 built"]
    # And whoever tests builds nothing at all.
    for job, passed in (("test.unit", 2), ("test.stack", 2)):
        said = runner.said(job, "Test")
        assert f"{passed} passed" in said
        assert "built" not in said.replace("Nothing to build", "")


PULL = {
    "github.event_name": "pull_request",
    "github.ref": "refs/pull/1/merge",
    "github.base_ref": "main",
    "github.head_ref": "topic",
}


@pytest.mark.parametrize("within", ["", IN_A_FOLDER], indirect=True)
def test_a_pull_request_builds_what_it_changes_and_pushes_nothing(
    origin: Path, within: str, tmp_path: Path, registry: str
) -> None:
    git(origin, "checkout", "-q", "-b", "topic")
    (origin / within / "api" / "words").write_text("other words\n", encoding="utf-8")
    git(origin, "commit", "-qam", "other words")
    before = pushed(registry)
    runner = Runner(origin, tmp_path, PULL)
    runner.workflow("docker-build.yml")
    assert {ran.job for ran in runner.ran} == {"workflows", "affected"}
    said = runner.said("affected", "Build")
    assert "1 of 2 targets can be affected by 1 file changed" in said
    assert pushed(registry) == before


@pytest.mark.parametrize("within", [IN_A_FOLDER], indirect=True)
def test_a_pull_request_beside_the_stack_builds_nothing(origin: Path, tmp_path: Path) -> None:
    git(origin, "checkout", "-q", "-b", "topic")
    (origin / "apps" / "words").write_text("of nobody\n", encoding="utf-8")
    git(origin, "add", ".")
    git(origin, "commit", "-qm", "beside it")
    runner = Runner(origin, tmp_path, PULL)
    runner.workflow("docker-build.yml")
    builds = [ran.said for ran in runner.ran if ran.step == "Build"]
    assert builds
    for said in builds:
        assert re.search(r"^0 of \d targets? can be affected by 1 file changed", said, re.MULTILINE)


@pytest.mark.parametrize("within", ["", IN_A_FOLDER], indirect=True)
def test_a_scan_looks_at_every_image_and_its_findings_are_kept(
    origin: Path, within: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scanner is a stand-in: what the real one finds, no test here can know."""
    program = trivy(tmp_path / "scanner")
    monkeypatch.setenv("PATH", f"{program.bin}{os.pathsep}{os.environ['PATH']}")
    # Its first step downloads the findings of the other job: no action runs here.
    without = frozenset({"code-scanning"})
    runner = Runner(origin, tmp_path / "well", PUSH | USER, leave_out=without)
    runner.workflow("docker-security-scan.yml")
    images = [call for call in program.calls if any("sha256:" in word for word in call["words"])]
    assert len(images) == 4
    assert [ran.code for ran in runner.ran] == [0] * len(runner.ran)

    program.say(image=trivy_report(FLAW))
    runner = Runner(origin, tmp_path / "ill", PUSH | USER, leave_out=without)
    with pytest.raises(AssertionError, match=str(FLAW["VulnerabilityID"])):
        runner.workflow("docker-security-scan.yml")
    assert {ran.step: ran.code for ran in runner.ran if ran.step in ("Scan", "Log out")} == {
        "Scan": 1,
        "Log out": 0,
    }
    # The job has failed, and still handed its findings over: at paths as the repository has them.
    document = json.loads((runner.kept["report-scan"] / "scan.sarif").read_text(encoding="utf-8"))
    found = [one for one in document["runs"][0]["results"] if one["ruleId"] == FLAW["VulnerabilityID"]]
    files = {one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for one in found}
    wanted = {str(PurePosixPath(within, name, "Dockerfile")) for name in ("base", "api", "web", "other")}
    assert files == wanted
    assert all((origin / file).is_file() for file in files)


def test_a_new_service_without_new_workflows_fails_the_first_job(origin: Path, tmp_path: Path) -> None:
    text = (origin / "docker-bake.json").read_text(encoding="utf-8").replace('"other": {', '"another": {')
    (origin / "docker-bake.json").write_text(text.replace('"other"]', '"another"]'), encoding="utf-8")
    git(origin, "commit", "-qam", "renamed")
    runner = Runner(origin, tmp_path, {**PUSH, **USER})
    with pytest.raises(AssertionError, match="workflows , Compare"):
        runner.workflow("docker-build.yml")


def test_a_deploy_and_the_way_back(
    origin: Path,
    tmp_path: Path,
    run_homeport: RunHomeport,
    prefix: str,
    base_images: Mapping[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in base_images.items():
        monkeypatch.setenv(name, value)
    runner = Runner(
        origin, tmp_path, {**PUSH, **USER, "inputs.environment": "production", "github.sha": "abc"}
    )
    try:
        runner.workflow("docker-deploy.yml")
        assert served(prefix) == "words of api"
        (origin / "api" / "words").write_text("newer words\n", encoding="utf-8")
        git(origin, "commit", "-qam", "newer words")
        runner.workflow("docker-deploy.yml")
        assert served(prefix) == "newer words"
        mark = tmp_path / "mark"
        # What goes back is text of a person: no shell may take it for more.
        back = Runner(
            origin, tmp_path / "back", {**runner.values, "inputs.rollback": f"$(touch {mark}) previous"}
        )
        with pytest.raises(AssertionError, match="Go back"):
            back.workflow("docker-deploy.yml")
        assert not mark.exists()
        assert served(prefix) == "newer words"
        back = Runner(origin, tmp_path / "back2", {**runner.values, "inputs.rollback": "previous"})
        back.workflow("docker-deploy.yml")
        assert served(prefix) == "words of api"
        assert [ran.step for ran in back.ran if ran.said] == [
            "Install homeport",
            "Log in to the registry",
            "Go back",
            "Log out",
        ]
    finally:
        run_homeport(["down"], origin)


@pytest.mark.parametrize("within", [IN_A_FOLDER], indirect=True)
def test_the_jobs_for_gitlab(
    origin: Path, within: str, tmp_path: Path, run_homeport: RunHomeport, registry: str, prefix: str
) -> None:
    """Their scripts, in the order of the stages; what is before them installs homeport, which is there."""
    assert run_homeport(["ci.generate", "--provider", "gitlab"], origin / within).returncode == 0
    with (origin / within / "homeport.toml").open("a", encoding="utf-8") as file:
        file.write('provider = "gitlab"\n')
    git(origin, "add", ".")
    git(origin, "commit", "-qm", "gitlab")
    document = YAML(typ="safe").load((origin / ".gitlab-ci.yml").read_text(encoding="utf-8"))
    env = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "CI_COMMIT_REF_NAME": "main",
        "REGISTRY_USER": "x",
        "REGISTRY_PASSWORD": "x",
    }
    said: dict[str, str] = {}
    enter = [line for line in document[".install"]["before_script"] if line.startswith("cd ")]
    assert enter == [f"cd {within}"]
    stages = ("workflows", "bases", "images", "unit-tests", "stack-tests")
    jobs = [name for stage in stages for name in document if name == stage or name.startswith(f"{stage} ")]
    for number, name in enumerate(jobs):
        stage = name.partition(" ")[0]
        job = {**document.get(f".{stage}", {}), **document[name]}
        clone = tmp_path / f"clone-{number}"
        git(tmp_path, "clone", "-q", str(origin), str(clone))
        more = {**env, **job.get("variables", {})}
        more |= {"DOCKER_CONFIG": f"{clone}.docker", "XDG_CACHE_HOME": f"{clone}.cache"}
        # What is before a script and the script are one shell, what is after it another.
        for lines in ([*enter, *job["script"]], job.get("after_script", ())):
            done = run_program(["bash", "-eo", "pipefail", "-c", "\n".join(lines)], clone, more)
            said[stage] = said.get(stage, "") + done.stdout + done.stderr
            assert done.returncode == 0, f"{name}: {lines}\n{said[stage]}"
        for path in job.get("artifacts", {}).get("paths", ()):
            assert (clone / path).is_dir(), f"{name}: no {path}"
    assert {f"{prefix}r/{prefix}{name}" for name in ("base", "api", "web", "other")} <= pushed(registry)
    assert "Login Succeeded" in said["bases"]
    assert "2 passed" in said["unit-tests"]
    assert "2 passed" in said["stack-tests"]


def served(prefix: str) -> str:
    """What the one running container of the service has in it."""
    names = docker(
        "ps", "--filter", f"label=com.docker.compose.project={prefix}stack", "--format", "{{.Names}}"
    )
    (name,) = [name for name in names.split() if "api-r" in name]
    return docker("exec", name, "cat", "/words")

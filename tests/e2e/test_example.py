"""The example stack: all commands one after the other, from nothing; and as its README.md says to use it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import scanner_stand_in as stand_in
from engine_fixtures import DockerSession, RunHomeport, compose_services, docker
from example_stack import Example, make_example

SERVICES = 16  # of 18 images, two are only built on


@pytest.fixture
def example(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    docker_session: DockerSession,
    base_images: dict[str, str],
) -> Example:
    name = request.node.name.removeprefix("test_").replace("_", "-")
    return make_example(tmp_path / "homeiq", docker_session, base_images, name)


def result_of(example: Example, run_homeport: RunHomeport, *args: str) -> dict[str, Any]:
    done = run_homeport(["build", "--json", "out.json", *args], example.folder, example.variables)
    assert done.returncode == 0, done.stdout + done.stderr
    document: dict[str, Any] = json.loads((example.folder / "out.json").read_text(encoding="utf-8"))
    return document


def test_build_start_ask_and_take_away(
    example: Example,
    run_homeport: RunHomeport,
    docker_session: DockerSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = docker_session.find()
    works = chain(example, run_homeport, tmp_path)
    works("init")
    works("ci.generate")
    result = result_of(example, run_homeport, "--parallel")
    assert result["ok"]
    assert result["warnings"] == []
    assert [target["status"] for target in result["targets"]] == ["built"] * 18
    assert result["batches"][:2] == [["python-base"], ["dashboard", "homeiq-lib"]]
    assert [len(batch) for batch in result["batches"]] == [1, 2, 15]
    assert works("test").startswith("Nothing to build: 18 targets unchanged.")
    if sys.platform != "win32":  # the stand-in is a script with a #! line
        assert works("scan").splitlines()[-1].startswith("18 images: nothing at or above high")
    try:
        works("deploy", "--zero-downtime")
        smoke(example)
        works("status")
        works("ci.generate", "--check")
    finally:
        works("down", "--volumes")

    # Compose 2.40 looks for files that are included twice from where it runs, not from where they are.
    monkeypatch.chdir(example.folder)
    project = example.variables["COMPOSE_PROJECT_NAME"]
    with compose_services(
        example.folder / "compose.yml", project, tmp_path, example.variables, timeout_s=120
    ):
        rows = example.works("docker", "compose", "ps", "--all", "--format", "json").splitlines()
        services = {row["Service"]: row for row in map(json.loads, rows)}
        built = {
            name: row for name, row in services.items() if row["Image"].endswith(example.variables["TAG"])
        }
        assert len(built) == SERVICES
        assert (services["migrate"]["State"], services["migrate"]["ExitCode"]) == ("exited", 0)
        smoke(example)

    left = docker_session.find()
    kinds = ("container", "network", "volume")
    assert {kind: left.get(kind) for kind in kinds} == {kind: before.get(kind) for kind in kinds}


def chain(example: Example, run_homeport: RunHomeport, tmp_path: Path) -> Callable[..., str]:
    """What runs the commands that a newcomer types, one after the other, in a repository without settings.

    The scanner is a stand-in with a minor finding: databases of vulnerabilities come from the network.
    """
    scanner = stand_in.trivy(tmp_path / "scanner", stand_in.MINOR)
    variables = {**example.variables, "PATH": os.pathsep.join([str(scanner.bin), os.environ["PATH"]])}
    (example.folder / "homeport.toml").unlink()
    for words in ("init --quiet --initial-branch main", "add --all", "commit --quiet --message first"):
        example.works("git", "-c", "user.name=test", "-c", "user.email=test@example.org", *words.split())

    def works(*words: str) -> str:
        done = run_homeport(words, example.folder, variables)
        assert done.returncode == 0, f"homeport {' '.join(words)}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    return works


def smoke(example: Example) -> None:
    """Ask the stack that runs, from outside."""
    asked = example.run(sys.executable, "smoke.py")
    assert asked.returncode == 0, asked.stdout + asked.stderr


def test_a_base_that_only_a_tag_names_is_built_first(example: Example, run_homeport: RunHomeport) -> None:
    plain = example.run("docker", "buildx", "bake", "-f", "docker-bake.hcl", "extras")
    assert plain.returncode != 0
    assert f"homeiq/homeiq-lib:{example.variables['TAG']}" in plain.stderr

    result = result_of(example, run_homeport, "--targets", "extras")
    assert [target["name"] for target in result["targets"]] == ["python-base", "homeiq-lib", "event-sender"]
    assert result["batches"] == [["python-base"], ["homeiq-lib"], ["event-sender"]]
    said = docker("run", "--rm", f"homeiq/event-sender:{example.variables['TAG']}", "--help")
    assert "--count" in said


def resolved(example: Example, argv: Sequence[str]) -> dict[str, dict[str, Any]]:
    """By target: what decides the image, with paths as they are relative to the repository."""
    targets = json.loads(example.works(*argv))["target"]
    root = example.folder.resolve()
    return {
        name: {
            "context": (root / target["context"]).resolve().relative_to(root).as_posix(),
            "dockerfile": (root / target["context"] / target["dockerfile"]).relative_to(root).as_posix(),
            "contexts": target.get("contexts"),
            "args": target.get("args"),
            "tags": target["tags"],
        }
        for name, target in targets.items()
    }


def test_the_bake_file_and_the_compose_files_agree(example: Example) -> None:
    bake = resolved(example, ["docker", "buildx", "bake", "-f", "docker-bake.hcl", "--print"])
    compose = resolved(example, ["docker", "compose", "build", "--print"])
    assert len(bake) == 18
    assert compose == bake

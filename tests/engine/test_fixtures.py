"""The fixtures themselves: what every other engine test relies on."""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from pathlib import Path

import pytest

import engine_facts
import engine_fixtures
from engine_fixtures import DockerSession, Sandbox, compose_services, docker, run_program


def test_the_engine_is_complete(engine: engine_facts.Docker) -> None:
    assert engine.complete
    assert engine.os_type == "linux"


def test_docker_still_finds_its_plugins_with_isolated_settings() -> None:
    assert "buildx" in docker("buildx", "version")
    assert docker("compose", "version", "--short")


def test_the_tiny_image_has_a_shell(tiny_image: str, docker_session: DockerSession) -> None:
    output = docker(
        "run", "--rm", "--label", docker_session.label, tiny_image, "sh", "-c", "echo $((6 * 7)); ls /"
    )
    assert output.splitlines()[0] == "42"


def test_the_registry_keeps_what_is_pushed(
    registry: str, tiny_image: str, docker_session: DockerSession
) -> None:
    name = f"{registry}/{docker_session.name('tiny')}:1"
    docker("pull", "--quiet", tiny_image) if tiny_image.startswith("busybox:") else None
    docker("tag", tiny_image, name)
    docker("push", "--quiet", name)
    with urllib.request.urlopen(f"http://{registry}/v2/_catalog", timeout=10) as answer:
        assert docker_session.name("tiny") in json.load(answer)["repositories"]


def test_every_base_image_exists(base_images: dict[str, str]) -> None:
    for name, image in base_images.items():
        assert name.endswith("_IMAGE")
        assert docker("image", "inspect", "--format", "{{.Os}}", image) == "linux"


def test_a_session_removes_what_it_made_and_nothing_else(
    tiny_image: str, docker_session: DockerSession, sandbox: Sandbox
) -> None:
    own = DockerSession(f"{docker_session.id}x")
    other = docker("create", "--label", docker_session.label, tiny_image)
    docker("run", "--detach", "--label", own.label, "--volume", "/data", tiny_image, "sleep", "60")
    docker("create", "--name", own.name("by-name"), tiny_image)
    docker("network", "create", "--label", own.label, own.name("network"))
    docker("volume", "create", "--label", own.label)
    folder = sandbox({"Dockerfile": f"FROM {tiny_image}\nRUN echo {own.id} >/id\n"})
    docker(
        "buildx", "build", "--quiet", "--load", "--label", own.label, "--tag", own.name("image"), str(folder)
    )
    found = own.find()
    assert {kind: len(things) for kind, things in found.items()} == {
        "container": 2,
        "network": 1,
        "volume": 1,
        "image": 2,  # once by its name, once by its label
    }
    own.remove_everything()
    assert own.find() == {}
    assert docker("container", "inspect", "--format", "{{.Id}}", other) == other
    docker("container", "rm", other)


def test_a_start_that_fails_is_cleaned_up(
    tiny_image: str, docker_session: DockerSession, sandbox: Sandbox
) -> None:
    compose = f"services:\n  web:\n    image: {tiny_image}\n    command: [sh, -c, 'exit 3']\n"
    folder = sandbox({"compose.yaml": compose})
    project = docker_session.name("fails")
    with (
        pytest.raises(Exception, match="returned"),  # pytest-docker raises nothing narrower
        compose_services(folder / "compose.yaml", project, folder, {}),
    ):
        pytest.fail("it must not start")
    assert docker("ps", "--all", "--quiet", "--filter", f"label=com.docker.compose.project={project}") == ""
    assert docker("network", "ls", "--quiet", "--filter", f"name={project}") == ""


def test_a_program_runs_in_its_folder_with_more_variables(sandbox: Sandbox) -> None:
    folder = sandbox({"a/b.txt": "hello"})
    code = (
        "import os, pathlib, sys; print(pathlib.Path('a/b.txt').read_text(), os.environ['MORE']); sys.exit(3)"
    )
    result = run_program([sys.executable, "-c", code], folder, {"MORE": "ünïcode"})
    assert (result.returncode, result.stdout.strip(), result.stderr) == (3, "hello ünïcode", "")


@pytest.mark.skipif(sys.platform == "win32", reason="needs sh")
def test_a_program_that_hangs_is_killed_with_its_children(tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(pytest.fail.Exception, match=r"(?s)no end after 1 s.*so far"):
        run_program(["sh", "-c", "echo so far; sleep 30 & sleep 30"], tmp_path, timeout=1)
    assert time.monotonic() - started < 10


def test_run_homeport_is_this_python_and_ends_as_a_process_does(
    run_homeport: engine_fixtures.RunHomeport, tmp_path: Path
) -> None:
    (tmp_path / "homeport.toml").write_text("[deploy]\nkeep = 0\n", encoding="utf-8")
    for words in (["--version"], ["no-such"], ["releases"]):
        done = run_homeport(words, tmp_path)
        real = engine_fixtures.run_program([sys.executable, "-m", "homeport", *words], tmp_path)
        assert (done.returncode, done.stdout, done.stderr) == (real.returncode, real.stdout, real.stderr)

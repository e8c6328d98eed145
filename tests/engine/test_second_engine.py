"""``homeport build`` on a second engine: a fresh machine with a warm registry cache, and a full disk."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest

import second_engine as other
from engine_fixtures import DockerSession, RunHomeport, Sandbox, another_engine, docker
from layers import LAYERS

MB = 1024**2
FILES = {
    **LAYERS,
    "lib/Dockerfile": "FROM base\nCOPY words /words\nRUN cat /words >> /out\n",
    "lib/words": "some words\n",
}


@pytest.fixture
def tiny_in_registry(registry: str, tiny_image: str, docker_session: DockerSession) -> str:
    """The base image as other machines get it: by its name in a registry."""
    name = f"{registry}/{docker_session.name('tiny')}"
    docker("tag", tiny_image, name)
    docker("push", "--quiet", name)
    return name


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


def named(files: dict[str, str], base: str, prefix: str) -> dict[str, str]:
    return {path: text.replace("TINY", base).replace("MINE-", prefix) for path, text in files.items()}


def counts(folder: Path, run: RunHomeport, *args: str, env: dict[str, str]) -> dict[str, tuple[int, int]]:
    """Build; returns, by target, how many instructions were cached and how many executed."""
    done = run(["build", "--parallel", "--json", "out.json", *args], folder, env)
    assert done.returncode == 0, done.stdout + done.stderr
    document: dict[str, Any] = json.loads((folder / "out.json").read_text(encoding="utf-8"))
    return {target["name"]: (target["cached"], target["executed"]) for target in document["targets"]}


def test_a_fresh_machine_finds_everything_in_the_registry_cache_of_main(
    sandbox: Sandbox,
    run_homeport: RunHomeport,
    docker_session: DockerSession,
    registry: str,
    tiny_in_registry: str,
    second_engine: str,
) -> None:
    folder = sandbox(named(FILES, tiny_in_registry, docker_session.name("fresh-")))
    cache = ("--registry", f"{registry}/fresh")
    here = {"GITHUB_REF_NAME": "main"}
    there = {"GITHUB_REF_NAME": "feature/x", "DOCKER_HOST": second_engine}
    everything_ran = {"base": (0, 1), "lib": (0, 2), "api": (0, 1), "web": (0, 1)}
    nothing_ran = {"base": (1, 0), "lib": (2, 0), "api": (1, 0), "web": (1, 0)}
    assert set(counts(folder, run_homeport, *cache, env=here)) == set(everything_ran)

    assert counts(folder, run_homeport, *cache, env=there) == nothing_ran
    result = docker("--host", second_engine, "run", "--rm", docker_session.name("fresh-api:1"), "cat", "/out")
    assert result == "one\nsome words\napi"


def test_without_the_registry_cache_a_fresh_machine_executes_everything(
    sandbox: Sandbox,
    run_homeport: RunHomeport,
    docker_session: DockerSession,
    tiny_in_registry: str,
    second_engine: str,
) -> None:
    folder = sandbox(named(FILES, tiny_in_registry, docker_session.name("cold-")))
    counted = counts(folder, run_homeport, env={"DOCKER_HOST": second_engine})
    assert counted == {"base": (0, 1), "lib": (0, 2), "api": (0, 1), "web": (0, 1)}


@pytest.mark.parametrize(
    "instruction",
    [
        pytest.param(
            "RUN dd if=/dev/zero of=/big bs=1M count=100",
            id="said by the step",
        ),
        pytest.param("COPY big /big", id="said by BuildKit"),
    ],
)
def test_a_full_disk_is_named_with_the_next_step(
    instruction: str,
    sandbox: Sandbox,
    run_homeport: RunHomeport,
    registry: str,
    tiny_in_registry: str,
    docker_session: DockerSession,
) -> None:
    bake = {
        "group": {"default": {"targets": ["huge"]}},
        "target": {"huge": {"tags": [docker_session.name("huge")]}},
    }
    dockerfile = f"FROM {tiny_in_registry}\n{instruction}\n"
    folder = sandbox({"docker-bake.json": json.dumps(bake), "Dockerfile": dockerfile})
    with (folder / "big").open("wb") as big:
        big.truncate(100 * MB)
    with another_engine([port_of(registry)], size_mb=64) as host:
        done = run_homeport(["build"], folder, {"DOCKER_HOST": host})
    output = done.stdout + done.stderr
    assert done.returncode == 1, output
    assert "Traceback" not in output
    assert "failed: huge" in output
    assert "no space left on device" in output.lower()
    assert "docker system df" in output


# -- the second engine itself -----------------------------------------------------------------------------


def test_it_is_empty_and_takes_nothing_from_the_first_engine() -> None:
    bridge = Path("/sys/class/net/docker0")
    before = bridge.exists()
    with another_engine() as host:
        assert docker("--host", host, "image", "ls", "--quiet") == ""
        assert docker("--host", host, "container", "ls", "--all", "--quiet") == ""
        assert docker("--host", host, "info", "--format", "{{.ID}}") != docker("info", "--format", "{{.ID}}")
        # A second dockerd in the first one's network can take its bridge away.
        assert bridge.exists() == before
    assert bridge.exists() == before


@pytest.mark.skipif(bool(other.why_not()), reason=other.why_not())
def test_one_that_does_not_start_says_why_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "bin" / "dockerd"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\necho no luck today\nexit 1\n", encoding="utf-8")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(broken.parent), prepend=os.pathsep)
    before = set(Path(tempfile.gettempdir()).glob("homeport-engine-*"))
    with pytest.raises(other.SecondEngineError, match="no luck today"), other.started():
        pytest.fail("it started")
    assert set(Path(tempfile.gettempdir()).glob("homeport-engine-*")) <= before

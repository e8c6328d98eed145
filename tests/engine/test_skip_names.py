"""Names that mean something else meanwhile: a target is built on what its fingerprint says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine_fixtures import DockerSession, RunHomeport, Sandbox, docker
from leftovers import LABEL

pytestmark = pytest.mark.engine
Spec = dict[str, Any]


@pytest.fixture
def prefix(docker_session: DockerSession, tmp_path: Path) -> str:
    return docker_session.name(f"names-{tmp_path.name[-20:].lower().replace('_', '')}-")


@pytest.fixture
def write(
    sandbox: Sandbox, prefix: str, tiny_image: str, docker_session: DockerSession
) -> Callable[..., Path]:
    """A repository of these targets; MINE- begins its images' names, TINY is the base of all."""

    def make(targets: dict[str, Spec], *default: str, **files: str) -> Path:
        document = {
            "group": {"default": {"targets": list(default or targets)}},
            "target": {
                name: {"context": ".", "labels": {LABEL: docker_session.id}, **spec}
                for name, spec in targets.items()
            },
        }
        text = json.dumps(document).replace("MINE-", prefix).replace("TINY", tiny_image)
        return sandbox({"docker-bake.json": text, **files})

    return make


@pytest.fixture
def build(run_homeport: RunHomeport) -> Callable[..., dict[str, str]]:
    """Build; returns each target's status."""

    def run(folder: Path, *args: str, env: dict[str, str] | None = None) -> dict[str, str]:
        done = run_homeport(["build", "--json", "out.json", *args], folder, env)
        assert done.returncode == 0, done.stdout + done.stderr
        document = json.loads((folder / "out.json").read_text(encoding="utf-8"))
        (folder / "out.json").unlink()
        return {target["name"]: target["status"] for target in document["targets"]}

    return run


def content(image: str, path: str = "/f") -> str:
    return docker("run", "--rm", image, "cat", path)


def impostor(image: str, tiny: str, text: str, session: DockerSession, folder: Path) -> None:
    """Somebody builds something else under the same name, by plain docker."""
    place = folder / "impostor"
    place.mkdir(exist_ok=True)
    (place / "Dockerfile").write_text(f"FROM {tiny}\nRUN echo {text} > /f\n", encoding="utf-8")
    docker("build", "--quiet", "--tag", image, "--label", f"{LABEL}={session.id}", str(place))


def inline(*lines: str) -> str:
    return "\n".join(lines)


@pytest.mark.parametrize("output", ["type=docker", "type=cacheonly", ""])
@pytest.mark.parametrize("by", ["tag", "context"])
def test_a_base_named_by_its_tag_is_the_other_target(
    output: str,
    by: str,
    write: Callable[..., Path],
    build: Callable[..., dict[str, str]],
    prefix: str,
    tiny_image: str,
    docker_session: DockerSession,
    tmp_path: Path,
) -> None:
    base: Spec = {"dockerfile-inline": inline("FROM TINY", "COPY f /f"), "tags": ["MINE-a:1"]}
    if output:
        base["output"] = [output]
    named = "MINE-a:1" if by == "tag" else "x"
    user: Spec = {"dockerfile-inline": inline(f"FROM {named}", "RUN true"), "tags": ["MINE-c:1"]}
    if by == "context":
        user["contexts"] = {"x": "docker-image://MINE-a:1"}
    folder = write({"a": base, "c": user}, "c", f="right\n")
    impostor(f"{prefix}a:1", tiny_image, "wrong", docker_session, tmp_path)
    build(folder)
    assert content(f"{prefix}c:1") == "right"
    impostor(f"{prefix}a:1", tiny_image, "worse", docker_session, tmp_path)
    build(folder, "--targets", "c")
    assert content(f"{prefix}c:1") == "right"


def test_a_base_that_is_only_in_the_registry(
    write: Callable[..., Path],
    build: Callable[..., dict[str, str]],
    prefix: str,
    tiny_image: str,
    registry: str,
    docker_session: DockerSession,
    tmp_path: Path,
) -> None:
    folder = write(
        {
            "a": {"dockerfile-inline": inline("FROM TINY", "COPY f /f"), "tags": ["MINE-a:1"]},
            "c": {
                "dockerfile-inline": inline("FROM x", "RUN true"),
                "contexts": {"x": "docker-image://MINE-a:1"},
                "tags": ["MINE-c:1"],
            },
        },
        f="right\n",
    )
    build(folder, "--targets", "a", "--push", "--registry", f"{registry}/names")
    docker("image", "rm", "--force", f"{prefix}a:1")
    impostor(f"{prefix}a:1", tiny_image, "wrong", docker_session, tmp_path)
    elsewhere = {"XDG_CACHE_HOME": str(tmp_path / "elsewhere")}
    build(folder, "--targets", "c", "--registry", f"{registry}/names", env=elsewhere)
    assert content(f"{prefix}c:1") == "right"


def test_a_trigger_that_needs_a_stage_whose_base_has_triggers(
    write: Callable[..., Path], build: Callable[..., dict[str, str]], prefix: str
) -> None:
    folder = write(
        {
            "takes": {
                "dockerfile-inline": inline("FROM TINY", "ONBUILD COPY --from=x /f /f"),
                "tags": ["MINE-t"],
            },
            "reads": {"dockerfile-inline": inline("FROM TINY", "ONBUILD COPY f /f"), "tags": ["MINE-r"]},
            "app": {
                "dockerfile-inline": inline("FROM reads AS x", "FROM takes"),
                "contexts": {"reads": "target:reads", "takes": "target:takes"},
                "tags": ["MINE-app"],
            },
        },
        f="one\n",
    )
    build(folder)
    assert content(f"{prefix}app") == "one"
    (folder / "f").write_text("two\n", encoding="utf-8")
    assert build(folder)["app"] == "built"
    assert content(f"{prefix}app") == "two"


def test_targets_that_share_a_name_are_always_built(
    write: Callable[..., Path], build: Callable[..., dict[str, str]], run_homeport: RunHomeport
) -> None:
    both = {
        name: {"dockerfile-inline": inline("FROM TINY", f"RUN echo {name} > /f"), "tags": ["MINE-x:1"]}
        for name in ("a", "b")
    }
    folder = write(both)
    build(folder)
    assert build(folder) == {"a": "built", "b": "built"}
    assert "always built: b has the name" in run_homeport(["build", "--explain=a"], folder).stdout


@pytest.mark.parametrize("output", ["type=registry", "type=image,push=true", "type=image,name=MINE-other:1"])
def test_an_output_that_does_more_than_leave_an_image_is_always_built(
    output: str, write: Callable[..., Path], run_homeport: RunHomeport
) -> None:
    folder = write({"a": {"dockerfile-inline": "FROM TINY", "tags": ["MINE-a:1"], "output": [output]}})
    done = run_homeport(["build", "--explain"], folder)
    assert done.returncode == 0, done.stderr
    assert "always built: its own output" in done.stdout

"""``homeport build`` on a real engine: what is built, in which order, and what it leaves."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine_fixtures import DockerSession, RunHomeport, Sandbox, docker
from layers import LAYERS

Repository = Callable[..., Path]


@pytest.fixture
def repository(sandbox: Sandbox, docker_session: DockerSession, tiny_image: str) -> Repository:
    """A repository whose files may use TINY (an image) and MINE- (a prefix for image names)."""

    def make(files: dict[str, str]) -> Path:
        prefix = docker_session.name("")
        return sandbox(
            {path: text.replace("TINY", tiny_image).replace("MINE-", prefix) for path, text in files.items()}
        )

    return make


def result_of(folder: Path, run: RunHomeport, *args: str, code: int = 0, **more: Any) -> dict[str, Any]:
    """Build, check the exit code, and return the JSON result."""
    done = run(["build", "--json", "out.json", *args], folder, **more)
    assert done.returncode == code, done.stdout + done.stderr
    document: dict[str, Any] = json.loads((folder / "out.json").read_text(encoding="utf-8"))
    return document


def output_of(image: str) -> str:
    return docker("run", "--rm", image, "cat", "/out")


def test_three_levels_from_hcl_with_matrix_and_variables(
    repository: Repository, run_homeport: RunHomeport, docker_session: DockerSession
) -> None:
    folder = repository(LAYERS)
    first = result_of(folder, run_homeport, "--parallel", env={"WORD": "two"})
    assert first["batches"] == [["base"], ["lib"], ["api", "web"]]
    assert first["ok"]
    assert output_of(docker_session.name("api:1")) == "two\nlib\napi"
    assert output_of(docker_session.name("web:1")) == "two\nlib\nweb"
    assert {target["name"]: target["why"] for target in first["targets"]} == {
        "base": "needed by lib: new",
        "lib": "needed by api, web: new",
        "api": "new",
        "web": "new",
    }

    second = result_of(folder, run_homeport, "--parallel", "--no-skip", env={"WORD": "two"})
    assert [(target["cached"], target["executed"]) for target in second["targets"]] == [(1, 0)] * 4
    digests = [[target["digest"] for target in run["targets"][1:]] for run in (first, second)]
    assert digests[0] == digests[1]
    assert all(digest.startswith("sha256:") for digest in digests[0])

    idle = result_of(folder, run_homeport, "--parallel", env={"WORD": "two"})
    assert {target["name"]: target["status"] for target in idle["targets"]} == {
        "api": "skipped",
        "web": "skipped",
    }
    assert [target["digest"] for target in idle["targets"]] == digests[0][1:]

    third = result_of(folder, run_homeport, "--targets", "api", env={"WORD": "three"})
    assert [target["name"] for target in third["targets"]] == ["base", "lib", "api"]
    assert output_of(docker_session.name("api:1")).startswith("three")


def test_a_tag_alone_makes_the_order(
    repository: Repository, run_homeport: RunHomeport, docker_session: DockerSession
) -> None:
    folder = repository(
        {
            "docker-bake.json": json.dumps(
                {
                    "group": {"default": {"targets": ["app"]}},
                    "target": {
                        "app": {"context": "app", "tags": ["MINE-tag-app"]},
                        "tools": {"context": "tools", "tags": ["MINE-tag-tools:v1"]},
                        "base": {"context": "base", "tags": ["docker.io/library/MINE-tag-base"]},
                        "unrelated": {"context": "nowhere"},
                    },
                }
            ),
            "app/Dockerfile": "ARG V=v1\nFROM MINE-tag-base\nCOPY --from=MINE-tag-tools:v1 /out /tool\n"
            "RUN cat /tool >> /out\n",
            "tools/Dockerfile": "FROM TINY\nRUN echo tools > /out\n",
            "base/Dockerfile": "FROM TINY\nRUN echo base > /out\n",
        }
    )
    result = result_of(folder, run_homeport, "--parallel")
    assert sorted(result["batches"][0]) == ["base", "tools"]
    assert result["batches"][1:] == [["app"]]
    assert output_of(docker_session.name("tag-app")) == "base\ntools"


@pytest.mark.parametrize("delay", [0.2, 0.6])
def test_two_builds_at_once_that_tag_the_same_base_keep_apart(
    delay: float, repository: Repository, docker_session: DockerSession
) -> None:
    folder = repository(
        {
            "docker-bake.hcl": """
                variable "V" {}
                group "default" { targets = ["app"] }
                target "base" {
                  context = "base"
                  args = { V = V }
                  tags = ["MINE-two-base"]
                }
                target "app" {
                  context = "app"
                  contexts = { base = "target:base" }
                  args = { V = V }
                  tags = ["MINE-two-${V}"]
                }
                """,
            "base/Dockerfile": "FROM TINY\nARG V\nRUN sleep 0.5; echo $V > /out\n",
            "app/Dockerfile": "FROM base\nARG V\nRUN sleep 0.5; echo $V >> /out\n",
        }
    )
    names = [f"p{delay}", f"q{delay}"]
    started = []
    for name in names:
        argv = [sys.executable, "-m", "homeport", "build", "--parallel"]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        started.append(
            subprocess.Popen(argv, cwd=folder, env={**os.environ, "V": name}, encoding="utf-8", **pipes)  # type: ignore[call-overload]
        )
        time.sleep(delay)
    for process in started:
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0, output
    for name in names:
        assert output_of(docker_session.name(f"two-{name}")) == f"{name}\n{name}"


def test_a_compose_file_alone(
    repository: Repository, run_homeport: RunHomeport, docker_session: DockerSession
) -> None:
    folder = repository(
        {
            "compose.yml": """
services:
  db: {image: TINY}
  api:
    image: MINE-compose-api
    build:
      context: api
      dockerfile: Dockerfile.prod
      target: run
      args: {WORD: from-compose}
""",
            "api/Dockerfile.prod": "FROM TINY AS run\nARG WORD\nRUN echo $WORD > /out\n"
            "FROM TINY AS not-this\nRUN false\n",
        }
    )
    result = result_of(folder, run_homeport)
    assert [target["name"] for target in result["targets"]] == ["api"]
    assert output_of(docker_session.name("compose-api")) == "from-compose"


def test_compose_services_without_an_image_get_the_name_that_compose_gives_them(
    repository: Repository, run_homeport: RunHomeport, docker_session: DockerSession
) -> None:
    project = docker_session.name("unnamed")
    folder = repository(
        {
            "compose.yml": f"name: {project}\n"
            "services:\n"
            "  base: {build: base, scale: 0}\n"
            "  api: {build: {context: api, additional_contexts: {base: 'service:base'}}}\n",
            "base/Dockerfile": "FROM TINY\nRUN echo base > /out\n",
            "api/Dockerfile": "FROM base\nRUN echo api >> /out\n",
        }
    )
    result = result_of(folder, run_homeport, "--parallel")
    assert result["batches"] == [["base"], ["api"]]
    assert output_of(f"{project}-api") == "base\napi"
    assert output_of(f"{project}-base") == "base"


def test_a_compose_file_that_cannot_be_loaded_is_left_out_with_a_warning(
    repository: Repository, run_homeport: RunHomeport
) -> None:
    folder = repository(
        {
            "compose.yml": "services:\n  api:\n    image: ${NOT_SET_ANYWHERE:?say so}\n    build: .\n",
            "docker-bake.hcl": 'target "default" {\n  tags = ["MINE-alone"]\n}\n',
            "Dockerfile": "FROM TINY\n",
        }
    )
    result = result_of(folder, run_homeport)
    assert "say so" in result["warnings"][0]
    assert result["ok"]


def test_text_that_looks_like_a_template_reaches_the_build_as_it_is(
    repository: Repository, run_homeport: RunHomeport, docker_session: DockerSession
) -> None:
    folder = repository(
        {
            "docker-bake.hcl": 'target "default" {\n  tags = ["MINE-escape"]\n'
            '  args = { WORD = "$${HOME} %%{x} \\"q\\" $5" }\n}\n',
            "Dockerfile": "FROM TINY\nARG WORD\nRUN printf '%s' \"$WORD\" > /out\n",
        }
    )
    assert result_of(folder, run_homeport)["ok"]
    assert output_of(docker_session.name("escape")) == '${HOME} %{x} "q" $5'


@contextlib.contextmanager
def records() -> Iterator[dict[str, tuple[str, str]]]:
    """Start and end of the builds in this block by the engine's own records, filled at its end.

    RFC 3339 in UTC, so text order is time order. The engine keeps the last fifty, of whoever built: so they
    are looked at all the time.
    """
    found: dict[str, tuple[str, str]] = {}
    ended = threading.Event()

    def look() -> None:
        last = False
        while not last:
            last = ended.wait(1)
            for line in docker("buildx", "history", "ls", "--no-trunc", "--format", "json").splitlines():
                item = json.loads(line)
                if item.get("completed_at"):
                    found[item["ref"]] = (item["created_at"], item["completed_at"])

    watching = threading.Thread(target=look)
    watching.start()
    try:
        yield found
    finally:
        ended.set()
        watching.join()


@pytest.mark.parametrize(("options", "most"), [(["--jobs", "2"], 2), ([], 1)])
def test_never_more_in_flight_than_jobs_by_the_engines_own_records(
    options: list[str], most: int, repository: Repository, run_homeport: RunHomeport
) -> None:
    names = [f"t{index}" for index in range(6)]
    targets: dict[str, Any] = {
        name: {"context": "svc", "contexts": {"base": "target:base"}, "args": {"N": f"{name}{most}"}}
        for name in names
    }
    targets["base"] = {"context": "base", "tags": ["MINE-jobs-base"]}
    folder = repository(
        {
            "docker-bake.json": json.dumps({"group": {"default": {"targets": names}}, "target": targets}),
            "svc/Dockerfile": "FROM base\nARG N\nRUN echo $N && sleep 0.5\n",
            "base/Dockerfile": "FROM TINY\n",
        }
    )
    with records() as known:
        result = result_of(folder, run_homeport, *options)
    assert result["jobs"] == most
    spans = {target["record"]: known[target["record"]] for target in result["targets"]}
    assert len(spans) == 7
    marks = sorted(mark for start, end in spans.values() for mark in ((start, 1), (end, -1)))
    running, highest = 0, 0
    for _, change in marks:
        running += change
        highest = max(highest, running)
    assert highest == most


def test_dry_run_touches_nothing(
    repository: Repository, run_homeport: RunHomeport, docker_session: DockerSession
) -> None:
    folder = repository(
        {
            "docker-bake.hcl": 'target "default" {\n  tags = ["MINE-dry"]\n'
            '  args = { PASSWORD = "s3cret" }\n}\n',
            "Dockerfile": "FROM TINY\n",
        }
    )
    done = run_homeport(["build", "--dry-run", "--json", "-"], folder)
    assert done.returncode == 0
    plan = json.loads(done.stdout)
    assert plan["schema"] == "homeport.build-plan/2"
    assert [target["name"] for target in plan["targets"]] == ["default"]
    assert "Nothing was touched" in done.stderr
    assert "s3cret" not in done.stdout + done.stderr
    assert docker("images", "--quiet", docker_session.name("dry")) == ""


def test_names_that_look_like_options(
    repository: Repository, run_homeport: RunHomeport, docker_session: DockerSession
) -> None:
    folder = repository(
        {
            "compose.yml": "services:\n"
            "  --push: {build: ., image: MINE-dashes}\n"
            "  -f: {build: ., image: MINE-dash}\n"
            "  a.b: {build: ., image: MINE-dot}\n",
            "Dockerfile": "FROM TINY\nRUN echo $0 > /out\n",
        }
    )
    result = result_of(folder, run_homeport, "--parallel")
    assert result["ok"]
    assert [target["name"] for target in result["targets"]] == ["--push", "-f", "a_b"]
    # invoke takes "--targets=--push" for two options; an empty name before it makes it a value.
    one = result_of(folder, run_homeport, "--targets=,--push")
    assert [target["name"] for target in one["targets"]] == ["--push"]
    assert output_of(docker_session.name("dashes"))


def test_explicit_outputs_are_honoured(repository: Repository, run_homeport: RunHomeport) -> None:
    folder = repository(
        {
            "docker-bake.hcl": 'target "default" {\n  output = ["type=local,dest=made"]\n}\n',
            "Dockerfile": "FROM TINY AS b\nRUN echo made > /out\nFROM scratch\nCOPY --from=b /out /\n",
        }
    )
    result_of(folder, run_homeport)
    assert (folder / "made" / "out").read_text(encoding="utf-8") == "made\n"


def tags(registry: str, name: str) -> list[str]:
    with urllib.request.urlopen(f"http://{registry}/v2/{name}/tags/list", timeout=10) as answer:
        found: list[str] = json.load(answer)["tags"]
        return sorted(found)


def test_push_and_registry_caches(
    repository: Repository, run_homeport: RunHomeport, docker_session: DockerSession, registry: str
) -> None:
    mark = f"{docker_session.id}-cached"
    folder = repository({**LAYERS, "lib/Dockerfile": f"FROM base\nRUN echo {mark} >> /out\n"})
    docker("version")
    run = ["--registry", f"{registry}/team", "--push", "--parallel"]
    result = result_of(folder, run_homeport, *run, env={"GITHUB_REF_NAME": "feature/x"})
    assert result["ok"]
    prefix = docker_session.name("")
    pushed = tags(registry, f"team/{prefix}api")
    assert [tag for tag in pushed if not tag.startswith("fp-")] == ["1"]
    assert len(pushed) == 2, "beside it the tag by which other machines find that nothing has to be built"
    assert [tag.partition(".")[0] for tag in tags(registry, "team/cache")] == ["api", "base", "lib", "web"]
    assert all(tag.partition(".")[2].startswith("feature-x-") for tag in tags(registry, "team/cache"))
    catalog = json.load(urllib.request.urlopen(f"http://{registry}/v2/_catalog", timeout=10))
    assert f"team/{prefix}lib" not in catalog["repositories"], "nobody asked for lib to be pushed"
    assert output_of(docker_session.name("api:1")).endswith("api")

    # As on a machine that never built it: this build's own cache records gone, and its images.
    for name in ("api:1", "web:1", "lib"):
        docker("image", "rm", "--force", docker_session.name(name))
    docker("buildx", "prune", "--force", "--all", "--filter", f"description~={mark}")
    again = result_of(folder, run_homeport, *run[:2], "--no-skip", env={"GITHUB_REF_NAME": "feature/x"})
    lib = next(target for target in again["targets"] if target["name"] == "lib")
    assert (lib["cached"], lib["executed"]) == (1, 0)


def test_a_registry_that_is_down_costs_a_warning_but_a_push_fails_before_anything(
    repository: Repository, run_homeport: RunHomeport, docker_session: DockerSession
) -> None:
    folder = repository(
        {
            "docker-bake.hcl": 'target "default" {\n  tags = ["MINE-down"]\n}\n',
            "Dockerfile": "FROM TINY\n",
        }
    )
    refused = run_homeport(["build", "--registry", "127.0.0.1:9", "--push"], folder)
    assert refused.returncode == 2
    assert "127.0.0.1:9 doesn't answer" in refused.stderr
    assert docker("images", "--quiet", docker_session.name("down")) == ""
    result = result_of(folder, run_homeport, "--registry", "127.0.0.1:9")
    assert "without registry caches" in result["warnings"][0]


def test_reports_are_written(repository: Repository, run_homeport: RunHomeport) -> None:
    folder = repository(
        {"docker-bake.hcl": 'target "default" {\n  tags = ["MINE-report"]\n}\n', "Dockerfile": "FROM TINY\n"}
    )
    result_of(folder, run_homeport, "--report", "made/report")
    found = {path.name for path in (folder / "made" / "report").iterdir()}
    assert found == {"build.html", "build.svg", "build-trace.json", "build.json"}

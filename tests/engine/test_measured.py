"""The bench on a small repository and the real engine: it measures, leaves nothing, and touches nobody's."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from engine_fixtures import DockerSession, RunHomeport, Sandbox, docker
from homeport.bench import cleanup, copies
from homeport.bench.names import PREFIX, RUN_LABEL
from homeport.engine import owner

FILES = {
    ".gitignore": "junk/\n.env\n",
    # Other tests run at the same time: the machine never is idle.
    "homeport.toml": "[bench]\nsettle = 0\n",
    "base/Dockerfile": "FROM TINY\nRUN sleep 0.3 && echo base > /base\n",
    "web/Dockerfile": "FROM base\nCOPY . /www/\nCMD exec httpd -f -p 8080 -h /www\n",
    "web/index.html": "<p>web</p>\n",
    "jobs/Dockerfile": "FROM MINE-base\n"
    "RUN --mount=type=cache,target=/kept mkdir -p /kept; test -f /kept/x || sleep 4; touch /kept/x\n"
    "COPY . /jobs/\nRUN sleep 0.2\nCMD exec sleep 1000\n",
    "jobs/run.sh": "echo jobs\n",
    ".env": "SECRET=very-secret\n",
    "web/junk/large.bin": "x" * 100_000,
}
TARGETS = {
    "base": {"context": "base", "tags": ["MINE-base"]},
    "web": {"context": "web", "contexts": {"base": "target:base"}, "tags": ["MINE-web"]},
    "jobs": {"context": "jobs", "tags": ["MINE-jobs"]},
}
CHECK = {"test": ["CMD", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8080/"], "interval": "1s"}
SERVICES = {
    "web": {"image": "MINE-web", "container_name": "MINE-web", "healthcheck": CHECK,
            "stop_grace_period": "1s", "ports": ["127.0.0.1::8080"], "environment": {"TOKEN": "${SECRET}"}},
    "jobs": {"image": "MINE-jobs", "stop_grace_period": "1s", "depends_on": ["web"],
             "volumes": ["data:/data"]},
}  # fmt: skip


@dataclass(frozen=True)
class Repository:
    """A git repository with three targets and a stack of two services, which somebody uses."""

    folder: Path
    prefix: str
    run: RunHomeport
    env: Mapping[str, str]

    def bench(self, *words: str, code: int = 0) -> dict[str, Any]:
        out = self.folder.parent / "bench.json"
        done = self.run(["bench", *words, "--json", str(out)], self.folder, self.env, timeout=570)
        assert "Traceback" not in done.stderr, done.stderr
        assert done.returncode == code, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
        document: dict[str, Any] = json.loads(out.read_text(encoding="utf-8")) if out.is_file() else {}
        return {**document, "said": done.stdout + done.stderr}

    def git(self, *words: str) -> str:
        names = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        done = subprocess.run(["git", *names, *words], cwd=self.folder, capture_output=True, encoding="utf-8")
        assert done.returncode == 0, done.stderr
        return done.stdout

    def state(self) -> dict[str, Any]:
        """What somebody has who uses this repository: files, images, containers, volumes."""
        files = {
            str(path): (path.read_bytes(), path.stat().st_mtime_ns)
            for path in self.folder.rglob("*")
            if path.is_file() and ".git" not in path.parts
        }
        images = docker("image", "ls", "--no-trunc", "--format", "{{.Repository}} {{.ID}}").splitlines()
        project = f"label=com.docker.compose.project={self.prefix}stack"
        return {
            "files": files,
            "git": self.git("status", "--porcelain"),
            "images": sorted(line for line in images if line.startswith(self.prefix)),
            "containers": docker("ps", "-aq", "--no-trunc", "--filter", project),
            "volumes": docker("volume", "ls", "-q", "--filter", project),
        }


def left(run: str) -> list[str]:
    """Everything on this machine that a run has made."""
    label = f"label={RUN_LABEL}={run}"
    found = docker("ps", "-aq", "--filter", label).split()
    found += docker("image", "ls", "-aq", "--filter", label).split()
    found += docker("ps", "-a", "--filter", f"name={PREFIX}{run}", "--format", "{{.Names}}").split()
    for kind in ("volume", "network"):
        names = docker(kind, "ls", "--format", "{{.Name}}").split()
        found += [name for name in names if f"{PREFIX}{run}" in name]
    found += [str(folder) for folder, one, _ in copies.left() if one == run]
    cached = docker("buildx", "du", "--verbose", "--filter", "type=exec.cachemount")
    return [*found, *(line for line in cached.splitlines() if f"{PREFIX}{run}" in line)]


@pytest.fixture
def repository(
    sandbox: Sandbox,
    run_homeport: RunHomeport,
    docker_session: DockerSession,
    tiny_image: str,
    base_images: dict[str, str],
) -> Iterator[Repository]:
    prefix = docker_session.name(f"measured{time.monotonic_ns() % 100_000}-")
    definition = {"group": {"default": {"targets": ["web", "jobs"]}}, "target": TARGETS}
    compose = {"name": f"{prefix}stack", "services": SERVICES, "volumes": {"data": {}}}
    files = {**FILES, "docker-bake.json": json.dumps(definition), "compose.yaml": json.dumps(compose)}
    folder = sandbox(
        {name: text.replace("MINE-", prefix).replace("TINY", tiny_image) for name, text in files.items()}
    )
    found = Repository(folder, prefix, run_homeport, base_images)
    found.git("init", "--quiet", "--initial-branch=main")
    found.git("add", "--all")
    found.git("commit", "--quiet", "--message", "one")
    yield found
    subprocess.run(["docker", "compose", "down", "--volumes", "-t", "1"], cwd=folder, capture_output=True)
    subprocess.run(
        ["docker", "image", "rm", "-f", *(f"{prefix}{name}" for name in TARGETS)], capture_output=True
    )


def figures(document: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["key"]: one for one in document["figures"]}


def test_builds(repository: Repository, tmp_path: Path) -> None:
    """What somebody has built and what runs stays as it is, whatever is measured beside it."""
    repository.run(["build", "--parallel"], repository.folder)
    docker("compose", "--project-directory", str(repository.folder), "up", "--detach")
    (repository.folder / "web" / "index.html").write_text("<p>edited</p>\n", encoding="utf-8")
    before = repository.state()
    report = tmp_path / "report"
    words = "sequential,parallel,unchanged,one-changed,dependencies,context"
    found = repository.bench("--scenarios", words, "--rounds", "2", "--report", str(report))
    own = figures(found)
    expected = {"sequential", "parallel", "unchanged", "one-changed", "dependencies-without",
                "dependencies-with", "context-with"}  # fmt: skip
    assert {key for key in expected if own[key]["state"] != "measured"} == set(), found["said"]
    assert len(own["parallel"]["values"]) == 2
    # A step of four seconds, which is left out where the cache mount has what it makes.
    assert own["sequential"]["lowest"] > 4.5
    assert own["dependencies-without"]["lowest"] > 4.0
    assert own["dependencies-with"]["median"] < own["dependencies-without"]["median"]
    assert own["dependencies-without"]["notes"] == own["dependencies-with"]["notes"] == ["1 step"]
    assert own["unchanged"]["median"] < own["parallel"]["median"]
    assert "2 targets needed no build" in own["unchanged"]["notes"]
    assert any("changed, " in note and note.endswith(" built") for note in own["one-changed"]["notes"])
    # What git ignores lies in the folder all the same, and would be sent.
    assert own["context-without"]["values"][0] > 100_000
    assert found["environment"]["revision"].endswith(", with changes")
    assert {one["name"] for one in found["promises"]} == {"build", "parallel", "dependencies", "context"}
    assert "very-secret" not in json.dumps(found)
    assert (report / "bench.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert left(found["run"]) == []
    assert repository.state() == before
    again = repository.bench(
        "--scenarios", "unchanged", "--rounds", "2", "--against", str(report / "bench.json")
    )
    assert {one["key"]: one["change"] for one in again["compared"]}["parallel"] == "not measured now"


def test_deploys(repository: Repository) -> None:
    """The same services are deployed beside those that run; without downtime nobody misses them."""
    repository.run(["build", "--parallel"], repository.folder)
    docker("compose", "--project-directory", str(repository.folder), "up", "--detach")
    before = repository.state()
    found = repository.bench("--scenarios", "deploy,rollback,fresh", "--rounds", "1")
    own = figures(found)
    assert {one["state"] for one in own.values()} == {"measured"}, found["said"]
    assert own["deploy-zero-lost"]["values"] == own["rollback-lost"]["values"] == [0.0]
    assert own["deploy-plain-lost"]["values"][0] > 0
    assert own["deploy-plain"]["notes"] == ["2 of 2 services replaced"]
    assert any("taken from the registry" in note for note in own["fresh"]["notes"])
    assert "very-secret" not in json.dumps(found)
    assert left(found["run"]) == []
    assert repository.state() == before


def test_a_service_whose_build_fails_is_a_row(repository: Repository) -> None:
    path = repository.folder / "jobs" / "Dockerfile"
    path.write_text(path.read_text(encoding="utf-8").replace("sleep 0.2", "exit 7"), encoding="utf-8")
    found = repository.bench("--scenarios", "sequential,unchanged,deploy,context", "--rounds", "2", code=1)
    own = figures(found)
    for key in ("sequential", "unchanged", "deploy-plain", "deploy-zero-lost"):
        assert own[key]["state"] == "failed", key
        assert own[key]["reason"], key
    assert "jobs" in own["sequential"]["reason"]
    assert own["context-with"]["state"] == "measured"
    assert left(found["run"]) == []
    only = repository.bench("--scenarios", "unchanged", "--rounds", "1", "--services", "web")
    assert figures(only)["unchanged"]["state"] == "measured"


def started(repository: Repository, out: Path) -> subprocess.Popen[str]:
    """A bench that has begun to build."""
    argv = [
        sys.executable,
        "-m",
        "homeport",
        "bench",
        "--scenarios",
        "unchanged,sequential",
        "--json",
        str(out),
    ]
    process = subprocess.Popen(
        argv, cwd=repository.folder, env={**os.environ, **repository.env, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        if "unchanged" in line and "round 1" not in line:
            return process
    pytest.fail("it ended before it had measured anything")


def test_interrupted(repository: Repository, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    process = started(repository, out)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 130, said
    found = json.loads(out.read_text(encoding="utf-8"))
    assert found["interrupted"] is True
    assert figures(found)["sequential"]["state"] in {"measured", "not measured"}
    assert left(found["run"]) == []


def test_the_next_one_sweeps_what_a_killed_one_left(repository: Repository, tmp_path: Path) -> None:
    process = started(repository, tmp_path / "out.json")
    mine = {run for _, run, said in copies.left() if (one := owner.parse(said)) and one.pid == process.pid}
    assert len(mine) == 1
    process.kill()
    process.communicate()
    time.sleep(3)  # what it had started ends by itself
    assert left(*mine)
    assert cleanup.sweep(owner.me().place)[0].startswith("Removed what 1 bench left")
    assert left(*mine) == []


def test_nothing_to_begin_with(
    sandbox: Sandbox, run_homeport: RunHomeport, docker_session: DockerSession
) -> None:
    bare = sandbox({"a/Dockerfile": "FROM x\n"}, "bare")
    done = run_homeport(["bench"], bare)
    assert done.returncode == 2
    assert "needs a git repository" in done.stderr
    subprocess.run(["git", "init", "--quiet"], cwd=bare, check=True)
    done = run_homeport(["bench"], bare)
    assert done.returncode == 2
    assert "nothing to measure" in done.stderr


def test_the_plan_touches_nothing(repository: Repository) -> None:
    before = repository.state()
    found = repository.bench("--dry-run", "--services", "web")
    assert found["targets"] == ["base", "web"]
    assert found["services"] == ["web"]
    assert found["missing"] == {}
    assert "Nothing was touched." in found["said"]
    assert repository.state() == before
    with_typo = repository.run(["bench", "--services", "wbe"], repository.folder)
    assert with_typo.returncode == 2
    assert "did you mean 'web'?" in with_typo.stderr

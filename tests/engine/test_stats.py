"""Real containers under real pressure, watched by ``homeport stats``."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import leftovers
from engine_fixtures import DockerSession, RunHomeport, docker
from homeport.engine import api, usage
from live_stack import MakeStack

MIB = 1024**2
# /dev/shm counts as memory of the container, and the kernel can't drop it as it can a file's cache.
FILL = "dd if=/dev/zero of=/dev/shm/x bs=1M count=44 2>/dev/null; sleep 1000"
COMPOSE: dict[str, dict[str, Any]] = {
    "busy": {
        "command": ["sh", "-c", "while :; do :; done"],
        "deploy": {"resources": {"limits": {"cpus": "0.1", "memory": "64M"}}},
    },
    "full": {
        "command": ["sh", "-c", FILL],
        "deploy": {"resources": {"limits": {"cpus": "0.5", "memory": "48M"}}},
    },
    "idle": {
        "command": ["sleep", "1000"],
        "deploy": {"resources": {"reservations": {"cpus": "0.5", "memory": "256M"}}},
    },
    "twin": {"command": ["sleep", "1000"], "scale": 2},
}
# Its one process is killed, and after the restart its state says nothing of that any more.
LEAKS = {
    "command": ["sh", "-c", "sleep 2; exec dd if=/dev/zero of=/dev/shm/x bs=1M count=44"],
    "shm_size": "64m",
    "restart": "always",
    "deploy": {"resources": {"limits": {"memory": "16M"}}},
}


@pytest.fixture(scope="module")
def pressed(
    docker_session: DockerSession, tiny_image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, str]]:
    """A folder with a plain Compose stack that runs, and its name; homeport never deployed it."""
    folder, name = tmp_path_factory.mktemp("stats"), docker_session.name("stats")
    services = {key: {"image": tiny_image, "stop_grace_period": "0s", **one} for key, one in COMPOSE.items()}
    services["full"]["shm_size"] = "64m"
    (folder / "compose.yml").write_text(json.dumps({"name": name, "services": services}), encoding="utf-8")
    compose = ("compose", f"--file={folder / 'compose.yml'}")
    try:
        docker(*compose, "up", "--detach")
        yield folder, name
    finally:
        docker(*compose, "down", "--volumes", "--timeout=0")
        assert (
            leftovers.listed("ps", "--all", "--quiet", f"--filter=label=com.docker.compose.project={name}")
            == []
        )


def test_a_process_that_is_killed_and_started_again(
    docker_session: DockerSession, tiny_image: str, run_homeport: RunHomeport, tmp_path: Path
) -> None:
    project = {"name": docker_session.name("leaks"), "services": {"leaks": {"image": tiny_image, **LEAKS}}}
    (tmp_path / "compose.yml").write_text(json.dumps(project), encoding="utf-8")
    compose = ("compose", f"--file={tmp_path / 'compose.yml'}")
    try:
        docker(*compose, "up", "--detach")
        done = run_homeport(["stats", "--seconds", "9", "--json", "-"], tmp_path, timeout=60)
    finally:
        docker(*compose, "down", "--timeout=0")
    document = json.loads(done.stdout)
    (one,) = document["services"][0]["containers"]
    assert one["kills"] >= 1
    assert one["restarts"] >= 1
    assert {item["kind"] for item in document["advice"]} == {"killed", "restarts"}


Stats = dict[str, Any]


def by_name(document: Stats) -> dict[str, Stats]:
    return {one["name"]: one for one in document["services"] if not one["front"]}


def test_pressure_is_found_and_named(
    pressed: tuple[Path, str], run_homeport: RunHomeport, tmp_path: Path
) -> None:
    folder, name = pressed
    words = ["--interval", "3", "--json", "-", "--report", str(tmp_path), "--check"]
    done = run_homeport(["stats", *words], folder, timeout=120)
    assert done.returncode == 1, done.stderr
    document = json.loads(done.stdout)
    found = by_name(document)
    assert document["stack"] == name
    assert document["looks"] >= 3

    busy = found["busy"]["containers"][0]
    assert busy["cpu_limit"] == 0.1
    assert 0.03 < busy["cores"] < 0.15
    assert busy["throttled"] > 0.5
    assert busy["wanted_cores"] > 0.25  # one whole core, where nobody else needs it
    assert busy["periods"] > 100

    full = found["full"]["containers"][0]
    assert full["memory_limit"] == 48 * MIB
    assert full["peak_memory"] >= 44 * MIB

    advice = {(one["service"], one["kind"]): one for one in document["advice"]}
    throttled = advice["busy", "throttled"]
    assert throttled["severity"] == "warning"
    assert "CPU limit 0.1, it wanted ~" in throttled["what"]
    assert "deploy.resources.limits.cpus of busy to '" in throttled["fix"]
    assert advice["full", "memory"]["severity"] == "warning"
    assert "of its 48.0 MiB of memory" in advice["full", "memory"]["what"]
    assert advice["idle", "over-reserved cores"]["severity"] == "note"
    assert advice["idle", "over-reserved memory"]["severity"] == "note"
    assert ("twin", "throttled") not in advice
    assert len(advice) == 4, advice

    assert found["twin"]["running"] == 2
    assert found["idle"]["containers"][0]["cpu_limit"] is None
    assert any("No limit of cores: 2 services (idle, twin)" in line for line in document["remarks"])
    page = (tmp_path / "stats.html").read_text(encoding="utf-8")
    assert "throttled in" in page
    assert json.loads((tmp_path / "stats.json").read_text(encoding="utf-8")) == document
    assert "Throttling isn't known" not in done.stderr
    # Memory as the docker command counts it.
    said = docker("stats", "--no-stream", "--format={{.MemUsage}}", full["name"])
    assert abs(float(said.partition("MiB")[0]) - full["memory"] / MIB) < 2


def test_restarts_pauses_and_ends_are_seen(pressed: tuple[Path, str], run_homeport: RunHomeport) -> None:
    folder, name = pressed
    docker("compose", f"--file={folder / 'compose.yml'}", "up", "--detach", "--scale=twin=2")
    docker("pause", f"{name}-idle-1")
    process = started(folder, "--seconds", "8", "--json", "-")
    try:
        time.sleep(3)
        docker("rm", "--force", f"{name}-twin-2")
        said, _ = process.communicate(timeout=60)
    finally:
        process.kill()
        docker("unpause", f"{name}-idle-1")
    assert process.returncode == 0
    found = by_name(json.loads(said))
    assert found["idle"]["containers"][0]["paused"]
    assert found["idle"]["cores"] == 0
    assert [one["state"] for one in found["twin"]["containers"]] == ["running", "removed"]
    assert found["twin"]["running"] == 1


def started(folder: Path, *words: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "homeport", "stats", *words],
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_shows_what_was_seen_so_far(pressed: tuple[Path, str]) -> None:
    process = started(pressed[0], "--seconds", "600", "--services", "busy")
    try:
        time.sleep(5)
        os.kill(process.pid, signal.SIGINT)
        said, errors = process.communicate(timeout=90)
    finally:
        process.kill()
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert "Interrupted. 1 service" in said
    assert "busy" in said
    assert "full" not in said


FORWARD = """
import asyncio, sys

async def pipe(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()

async def serve(reader, writer):
    there, back = await asyncio.open_unix_connection(sys.argv[2])
    await asyncio.gather(pipe(reader, back), pipe(there, writer))

async def main():
    await (await asyncio.start_unix_server(serve, sys.argv[1])).serve_forever()

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Unix sockets")
def test_an_engine_that_goes_meanwhile(pressed: tuple[Path, str]) -> None:
    """A socket of its own leads to the engine, until somebody takes it away."""
    with tempfile.TemporaryDirectory(prefix="hp") as place:
        way = f"{place}/s"
        forward = subprocess.Popen([sys.executable, "-c", FORWARD, way, api.socket_path()])
        try:
            while not Path(way).exists():
                time.sleep(0.05)
            words = ("--seconds", "120", "--services", "busy,full", "--json", f"{place}/x.json")
            process = started(pressed[0], *words, DOCKER_HOST=f"unix://{way}")
            time.sleep(6)
        finally:
            forward.kill()
            forward.wait()
        said, errors = process.communicate(timeout=60)
        document = json.loads(Path(f"{place}/x.json").read_text(encoding="utf-8"))
    assert process.returncode == 1, errors
    assert "error: The engine gave no answer any more after" in errors
    assert "Traceback" not in errors
    assert "busy" in said
    assert document["error"]["exit_code"] == 1
    assert by_name(document)["busy"]["cores"] > 0
    assert document["gaps"] == 3


def test_a_socket_that_is_not_there_means_the_command(
    pressed: tuple[Path, str], run_homeport: RunHomeport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the docker command all is known but the throttling, and it says so."""

    def nowhere() -> str:
        raise api.NoDirectWay

    monkeypatch.setattr(api, "socket_path", nowhere)
    name = pressed[1]
    assert not usage.directly()
    ids = usage.active(name, direct=False)
    readings = usage.read(list(ids), direct=False)
    members = usage.members(ids, direct=False)
    assert set(readings) == set(members) == set(ids)
    full = next(one for one, found in members.items() if found.service == "full")
    busy = next(one for one, found in members.items() if found.service == "busy")
    assert readings[full].memory >= 43 * MIB
    assert 0.03 < (readings[busy].cores or 0) < 0.3
    assert readings[busy].periods is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--services", "bussy"], "did you mean 'busy'?"),
        (["--seconds", "0"], "--seconds 0 sees nothing"),
        (["--interval", "60"], "longer than --seconds 30"),
        (["--seconds", "many"], "--seconds takes a whole number"),
    ],
)
def test_what_can_not_be_watched_is_exit_2(
    pressed: tuple[Path, str], run_homeport: RunHomeport, words: list[str], said: str
) -> None:
    done = run_homeport(["stats", *words], pressed[0], timeout=60)
    assert done.returncode == 2
    assert said in done.stderr


def test_a_stack_that_does_not_run(
    pressed: tuple[Path, str], run_homeport: RunHomeport, tmp_path: Path
) -> None:
    (tmp_path / "compose.yml").write_text(
        '{"name": "homeport-none", "services": {"a": {"image": "x"}}}', "utf-8"
    )
    done = run_homeport(["stats"], tmp_path, timeout=60)
    assert done.returncode == 2
    assert "Nothing of the stack homeport-none runs." in done.stderr
    # Under another name than that by which it was started: what there is from this folder is named.
    folder, name = pressed
    other = run_homeport(["stats"], folder, {"COMPOSE_PROJECT_NAME": "homeport-none"}, timeout=60)
    assert other.returncode == 2
    assert name in other.stderr


def test_what_homeport_deployed_has_fronts(stack: MakeStack) -> None:
    made = stack({"healthcheck": {"test": ["CMD", "true"], "interval": "30s"}})
    made.homeport("deploy", "--zero-downtime")
    found = made.homeport("stats", "--seconds", "3").document["services"]
    assert [(one["name"], one["front"], one["running"]) for one in found] == [
        ("app", False, 1),
        ("app", True, 1),
    ]
    assert all(one["peak_memory"] > MIB for one in found)
    made.change("app", VERSION="2")
    process = made.start("stats", "--seconds", "15", "--json", str(made.folder / "x.json"))
    made.homeport("deploy")
    process.communicate(timeout=60)
    seen = json.loads((made.folder / "x.json").read_text(encoding="utf-8"))["services"][0]
    assert (seen["name"], seen["running"]) == ("app", 1)
    assert sorted(one["state"] for one in seen["containers"]) == ["exited", "running"]

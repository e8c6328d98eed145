"""Fixtures for tests that need a real engine. Whatever a session makes there, it removes: by its own label
or name, never by pruning, because the engine may be shared.

Make things findable: give containers, images, networks and volumes the label `docker_session.label`, or a
name from `docker_session.name(...)`, which also works for Compose projects and image repositories.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NoReturn, Protocol

import pytest
from pytest_docker.plugin import DockerComposeExecutor, Services, get_docker_services

import base_images as stand_ins
import busybox
import engine_facts
import leftovers
import second_engine as other
from warm import POSSIBLE, Warm, warm

REGISTRY_COMPOSE = Path(__file__).with_name("registry.compose.yaml")
REGISTRY_TIMEOUT_S = 60
PROGRAM_TIMEOUT_S = 300


# -- the engine -------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def engine() -> engine_facts.Docker:
    """The engine, checked: with buildx and Compose. A missing one fails in CI and skips elsewhere."""
    docker = engine_facts.look()
    if docker.complete:
        return docker
    reason = f"{docker.lacks} is missing (docker says: {docker.error or 'nothing'}). Run: python ci/engine.py"
    missing(reason, os.environ)


def missing(reason: str, environment: Mapping[str, str]) -> NoReturn:
    """In CI nobody reads why tests were skipped; at home nobody is forced to have Docker."""
    if environment.get("CI", "").lower() not in ("", "0", "false", "no"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(autouse=True)
def _engine_where_marked(request: pytest.FixtureRequest) -> None:
    """A test that is marked needs no fixture in its arguments to be skipped without an engine."""
    if request.node.get_closest_marker("engine") or request.node.get_closest_marker("e2e"):
        request.getfixturevalue("docker_session")


def docker(*arguments: str) -> str:
    """Run a docker command that must work; return what it printed."""
    result = subprocess.run(["docker", *arguments], capture_output=True, encoding="utf-8", errors="replace")
    assert result.returncode == 0, f"docker {' '.join(arguments)}: {result.stderr}"
    return result.stdout.strip()


# -- what a session makes, it removes ---------------------------------------------------------------------


class DockerSession(leftovers.Owner):
    """The names and the label by which a session of tests finds its own things again."""

    def name(self, what: str) -> str:
        """A name that no other session has, for a container, network, volume, Compose project or image."""
        return f"{self.prefix}{what}"


@pytest.fixture(scope="session")
def docker_session(engine: engine_facts.Docker) -> Iterator[DockerSession]:
    """This session's label and names; at its end everything that has them is removed."""
    session = DockerSession(secrets.token_hex(4))
    yield session
    session.remove_everything()


# -- images and services ----------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def official_images(engine: engine_facts.Docker) -> bool:
    """Whether official images can be had; asked once."""
    return stand_ins.reachable_registry()


@pytest.fixture(scope="session")
def base_images(official_images: bool) -> dict[str, str]:
    """PYTHON_IMAGE and so on, to put into the environment; empty where the official defaults can be had."""
    return {} if official_images else stand_ins.ensure()


@pytest.fixture(scope="session")
def tiny_image(engine: engine_facts.Docker) -> str:
    """An image of a few megabytes with a shell, for fixtures that need any base."""
    return busybox.ensure()


@contextlib.contextmanager
def compose_services(
    file: Path, project: str, folder: Path, variables: Mapping[str, str], timeout_s: int = 60
) -> Iterator[Services]:
    """Start a Compose file with pytest-docker, and always take it down.

    pytest-docker never cleans up when the start itself fails, so the cleaning up is done here. Variables go
    through a file: they don't leak into the environment of the tests.
    """
    env_file = folder / f"{project}.env"
    env_file.write_text("".join(f"{key}={value}\n" for key, value in variables.items()), encoding="utf-8")
    command = f'docker compose --env-file "{env_file}"'
    up = [f"up --detach --wait --wait-timeout {timeout_s} --quiet-pull"]
    try:
        with get_docker_services(command, str(file), project, up, []) as services:
            yield services
    finally:
        DockerComposeExecutor(command, str(file), project).execute("down --volumes --timeout 1")


@pytest.fixture(scope="session")
def registry(
    docker_session: DockerSession, official_images: bool, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The address of a real, empty registry, such as 127.0.0.1:49153; engines need no TLS there."""
    variables = {} if official_images else stand_ins.ensure(["registry"])
    folder = tmp_path_factory.mktemp("registry")
    project = docker_session.name("registry")
    with compose_services(
        REGISTRY_COMPOSE, project, folder, {**variables, "TEST_SESSION": docker_session.id}
    ) as services:
        address = f"127.0.0.1:{services.port_for('registry', 5000)}"
        services.wait_until_responsive(lambda: _answers(address), REGISTRY_TIMEOUT_S, 0.1)
        yield address


def _answers(address: str) -> bool:
    """Whether a registry is ready there."""
    connection = http.client.HTTPConnection(address, timeout=5)
    try:
        connection.request("GET", "/v2/")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


@contextlib.contextmanager
def another_engine(ports: Sequence[int] = (), size_mb: int = other.SIZE_MB) -> Iterator[str]:
    """DOCKER_HOST of a second, empty engine (see second_engine.py). Where there can be none, that is a skip;
    where there could be one and it doesn't start, that is a failure in CI."""
    if reason := other.why_not():
        pytest.skip(reason)
    with contextlib.ExitStack() as stack:
        try:
            host = stack.enter_context(other.started(ports, size_mb))
        except other.SecondEngineError as problem:
            missing(str(problem), os.environ)
        yield host


@pytest.fixture
def second_engine(registry: str) -> Iterator[str]:
    """DOCKER_HOST of a fresh machine, which reaches `registry` by the same address."""
    with another_engine([int(registry.rpartition(":")[2])]) as host:
        yield host


# -- running homeport -------------------------------------------------------------------------------------


class RunHomeport(Protocol):
    """The type of the fixture `run_homeport`."""

    def __call__(
        self,
        args: Sequence[str],
        cwd: Path,
        env: Mapping[str, str] | None = None,
        timeout: float = PROGRAM_TIMEOUT_S,
    ) -> subprocess.CompletedProcess[str]: ...


class Sandbox(Protocol):
    """The type of the fixture `sandbox`."""

    def __call__(self, content: Path | Mapping[str, str], name: str = "repository") -> Path: ...


def run_program(
    argv: Sequence[str],
    cwd: Path,
    env: Mapping[str, str] | None = None,
    timeout: float = PROGRAM_TIMEOUT_S,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; after the timeout kill it and all that it started, and show its output."""
    process = subprocess.Popen(
        argv,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    try:
        output, errors = process.communicate(timeout=timeout)
    except BaseException as problem:
        _kill(process)
        output, errors = process.communicate()
        if isinstance(problem, subprocess.TimeoutExpired):
            pytest.fail(f"no end after {timeout:g} s: {list(argv)}\n{output}\n{errors}", pytrace=False)
        raise
    return subprocess.CompletedProcess(list(argv), process.returncode, output, errors)


def _kill(process: subprocess.Popen[str]) -> None:
    """With its children: a docker client that lives on would hold the pipes open for ever."""
    if sys.platform == "win32":
        process.kill()
    else:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture(scope="session")
def warm_homeport() -> Iterator[Warm | None]:
    """Where homeport runs without importing all of itself each time; None where that can't be had."""
    if not POSSIBLE:
        yield None
        return
    with warm() as found:
        yield found


@pytest.fixture
def run_homeport(tmp_path: Path, warm_homeport: Warm | None) -> RunHomeport:
    """Run `homeport ...` as a person would: a real process, in a folder, with more variables if need be.

    Each test remembers only its own builds: what an earlier one built is no reason to skip.
    """
    own = {"XDG_CACHE_HOME": str(tmp_path / "cache")}

    def run(
        args: Sequence[str],
        cwd: Path,
        env: Mapping[str, str] | None = None,
        timeout: float = PROGRAM_TIMEOUT_S,
    ) -> subprocess.CompletedProcess[str]:
        more = {**own, **(env or {})}
        if warm_homeport is None:
            return run_program([sys.executable, "-m", "homeport", *args], cwd, more, timeout)
        return warm_homeport.run(args, cwd, {**os.environ, **more}, timeout)

    return run


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    """A folder of its own with a copy of a tree, or with files given as {"path": "text"}."""

    def make(content: Path | Mapping[str, str], name: str = "repository") -> Path:
        folder = tmp_path / name
        if isinstance(content, Path):
            return Path(shutil.copytree(content, folder, symlinks=True))
        for path, text in content.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8", newline="\n")
        return folder

    return make

"""``homeport build --push`` to a registry that wants a login: without it nothing is built."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

import base_images as stand_ins
from engine_fixtures import DockerSession, RunHomeport, Sandbox, compose_services, docker

USER = "me"
PASSWORD = "not-a-secret"  # noqa: S105
# `htpasswd -nbB me not-a-secret`; a registry reads no other kind of hash than bcrypt.
HTPASSWD = "me:$2b$04$RhmvLFzcaj9tL55.YL42JuelKr16uRwchcHdHMjZHO/sTl4J9qwya"
COMPOSE = """\
services:
  registry:
    image: ${REGISTRY_IMAGE:-registry:2}
    network_mode: bridge
    environment:
      REGISTRY_AUTH: htpasswd
      REGISTRY_AUTH_HTPASSWD_REALM: test
      REGISTRY_AUTH_HTPASSWD_PATH: /htpasswd
    ports: ["127.0.0.1::5000"]
    configs: [{source: htpasswd, target: /htpasswd}]
configs:
  htpasswd:
    content: ENTRY
"""


@pytest.fixture
def closed_registry(docker_session: DockerSession, official_images: bool, tmp_path: Path) -> Iterator[str]:
    """The address of a registry that answers nobody without a login."""
    file = tmp_path / "compose.yml"
    file.write_text(COMPOSE.replace("ENTRY", HTPASSWD.replace("$", "$$")), encoding="utf-8")
    variables = {} if official_images else stand_ins.ensure(["registry"])
    with compose_services(file, docker_session.name("closed"), tmp_path, variables) as services:
        address = f"127.0.0.1:{services.port_for('registry', 5000)}"
        services.wait_until_responsive(lambda: status(address, "/v2/") == 401, 30, 0.1)
        yield address


@pytest.fixture
def docker_config(tmp_path: Path) -> Path:
    """Docker settings of the test's own, so that a login is seen by nobody else."""
    return Path(shutil.copytree(os.environ["DOCKER_CONFIG"], tmp_path / "docker-config"))


@pytest.fixture
def repository(sandbox: Sandbox, tiny_image: str, docker_session: DockerSession) -> Path:
    return sandbox(
        {
            "docker-bake.hcl": f'target "default" {{\n  tags = ["{docker_session.name("closed")}"]\n}}\n',
            "Dockerfile": f"FROM {tiny_image}\nRUN echo {docker_session.id} > /out\n",
        }
    )


def status(address: str, path: str, user: str = "") -> int:
    """How the registry answers, or 0 if it doesn't."""
    headers = {"Authorization": basic(user)} if user else {}
    request = urllib.request.Request(f"http://{address}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - loopback
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except OSError:
        return 0


def basic(user: str) -> str:
    return f"Basic {base64.b64encode(user.encode()).decode()}"


def log_in(address: str, config: Path) -> None:
    """As a person or a CI step would: with the password on standard input."""
    done = subprocess.run(
        ["docker", "--config", str(config), "login", "--username", USER, "--password-stdin", address],
        input=PASSWORD,
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr


def test_without_a_login_nothing_is_built_and_with_one_it_is_pushed(
    repository: Path,
    run_homeport: RunHomeport,
    docker_session: DockerSession,
    closed_registry: str,
    docker_config: Path,
) -> None:
    push = ["build", "--push", "--registry", f"{closed_registry}/team"]
    settings = {"DOCKER_CONFIG": str(docker_config)}
    name = docker_session.name("closed")

    refused = run_homeport(push, repository, settings)
    assert refused.returncode == 2, refused.stdout + refused.stderr
    assert f"docker login {closed_registry}" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert docker("image", "ls", "--quiet", name) == ""

    log_in(closed_registry, docker_config)
    pushed = run_homeport(push, repository, settings)
    assert pushed.returncode == 0, pushed.stdout + pushed.stderr
    assert PASSWORD not in pushed.stdout + pushed.stderr
    assert status(closed_registry, f"/v2/team/{name}/manifests/latest") == 401
    assert status(closed_registry, f"/v2/team/{name}/tags/list", f"{USER}:{PASSWORD}") == 200


def test_a_login_that_the_registry_refuses_is_named(
    repository: Path, run_homeport: RunHomeport, closed_registry: str, docker_config: Path
) -> None:
    file = docker_config / "config.json"
    login = {"auth": basic(f"{USER}:wrong").removeprefix("Basic ")}
    settings = {**json.loads(file.read_text(encoding="utf-8")), "auths": {closed_registry: login}}
    file.write_text(json.dumps(settings), encoding="utf-8")
    push = ["build", "--push", "--registry", closed_registry]
    done = run_homeport(push, repository, {"DOCKER_CONFIG": str(docker_config)})
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert "401 Unauthorized" in done.stdout
    assert "docker login" in done.stdout

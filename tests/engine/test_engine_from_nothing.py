"""ci/engine.py for real: a bare Debian, in a container with all rights, becomes a machine with an engine.

The engine inside the container is its own: nothing of the outer one is touched.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from engine_fixtures import DockerSession, docker, run_program

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAMS = ("engine.py", "engine_facts.py", "engine_plan.py", "apt_sources.py", "leftovers.py")
OFFICIAL_PYTHON = "python:3.13-slim"


def bare_debian(session: DockerSession, base_images: dict[str, str], *options: str) -> str:
    """A container that only has Python, with the programs in /ci; removed with the session."""
    image = base_images.get("PYTHON_IMAGE", OFFICIAL_PYTHON)
    # An overlay can't lie on an overlay, so the inner engine needs a volume for its own.
    run = ("run", "--detach", "--label", session.label, "--volume", "/var/lib/docker", *options)
    container = docker(*run, image, "sleep", "600")
    docker("exec", container, "mkdir", "/ci")
    for program in PROGRAMS:
        docker("cp", "--quiet", str(ROOT / "ci" / program), f"{container}:/ci/{program}")
    return container


def run_engine(container: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_program(["docker", "exec", container, "python3", "/ci/engine.py", *arguments], ROOT)


def test_from_nothing(docker_session: DockerSession, base_images: dict[str, str]) -> None:
    container = bare_debian(docker_session, base_images, "--privileged", "--cgroupns", "private")

    check = run_engine(container, "--check")
    assert check.returncode == 2, check.stdout
    assert "docker.io/sid" in check.stdout

    installed = run_engine(container)
    assert installed.returncode == 0, installed.stdout + installed.stderr
    assert "ready after" in installed.stdout

    again = run_engine(container)
    assert again.returncode == 0
    assert again.stdout == installed.stdout.splitlines()[-1] + "\n"

    assert "io.containerd.snapshotter" in docker("exec", container, "docker", "info")
    pin = docker("exec", container, "sh", "-c", "cat /etc/apt/preferences.d/homeport-*")
    assert "Pin-Priority: 100" in pin

    # What was installed and does not run is only started.
    docker(
        "exec",
        container,
        "sh",
        "-c",
        "kill $(cat /run/docker.pid); while test -e /run/docker.pid; do sleep 0.1; done",
    )
    started = run_engine(container)
    assert started.returncode == 0, started.stdout + started.stderr
    assert "apt-get" not in started.stdout
    docker("rm", "--force", "--volumes", container)


@pytest.mark.skipif(sys.platform != "linux", reason="Docker Desktop gives containers other rights")
def test_a_container_without_rights_gets_a_message_and_no_package(
    docker_session: DockerSession, base_images: dict[str, str]
) -> None:
    container = bare_debian(docker_session, base_images)
    result = run_engine(container)
    assert result.returncode == 2
    assert "--privileged" in result.stderr
    assert docker("exec", container, "sh", "-c", "command -v dockerd || echo none") == "none"
    docker("rm", "--force", "--volumes", container)

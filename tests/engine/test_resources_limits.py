"""Limits written into a Compose file arrive at a real engine."""

from __future__ import annotations

from pathlib import Path

import leftovers
from engine_fixtures import DockerSession, RunHomeport

COMPOSE = """\
name: {project}
services:
  data-api:
    image: {image}
    container_name: {project}-taken
    ports: ["80:80"]   # nothing is published
  old-api:
    image: {image}
    mem_limit: 64m
  absent-api:
    image: {project}/absent
  dev-api:
    image: {image}
    profiles: [dev]
"""


def test_limits_are_read_back(
    docker_session: DockerSession, tiny_image: str, run_homeport: RunHomeport, tmp_path: Path
) -> None:
    project = docker_session.name("limits")
    (tmp_path / "compose.yml").write_text(COMPOSE.format(project=project, image=tiny_image), encoding="utf-8")
    (tmp_path / "homeport.toml").write_text(
        "[resources.tiers.api]\nmemory = '128M'\nreserved-memory = '32M'\npids = 77\n", encoding="utf-8"
    )
    done = run_homeport(["resources", "--apply", "--verify"], tmp_path)
    assert done.returncode == 0, done.stderr
    assert "The engine has the limits of 2 services as they are written." in done.stdout
    assert "absent-api: not verified, its image isn't in the engine" in done.stdout
    assert "dev-api: not verified, its profile isn't on" in done.stdout
    filters = f"label=com.docker.compose.project={project}"
    assert leftovers.listed("ps", "--all", "--quiet", "--filter", filters) == []
    assert not [one for one in leftovers.listed("ps", "--all", "--format", "{{.Names}}") if project in one]

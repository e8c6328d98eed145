"""How GitHub's jobs log in at the registry, and what they may do for it. Pure."""

from __future__ import annotations

import json

from homeport.ci.actions import pinned
from homeport.ci.clouds import Cloud, cloud
from homeport.ci.pipeline import GITHUB_REGISTRY, Pipeline


def permissions(pipeline: Pipeline, packages: str) -> list[str]:
    """The lines with a job's rights: to read the repository, and (read or write) to the registry's images."""
    found = ["    permissions:", "      contents: read # to check the repository out"]
    if packages and pipeline.host == GITHUB_REGISTRY:
        why = "to push images and caches" if packages == "write" else "to read images and caches"
        found.append(f"      packages: {packages} # {why}")
    if packages and (where := identity(pipeline)):
        found.append(f"      id-token: write # to log in at {where.title} as this run")
    return found


def identity(pipeline: Pipeline) -> Cloud | None:
    """The cloud that the run's identity is enough for; None with a password of one's own."""
    config = pipeline.config
    return None if config.registry_user or config.registry_password else cloud(pipeline.host)


def login(pipeline: Pipeline, packages: str) -> str:
    """Log in, where there is somebody to log in as: pull requests from forks get no secrets."""
    if where := identity(pipeline):
        return _login_by_identity(pipeline, where, "PUSH" if packages == "write" else "PULL")
    user, password = _credentials(pipeline)
    return f"""\
      - name: Log in to the registry
        env:
          REGISTRY: {json.dumps(pipeline.host)}
          REGISTRY_USER: ${{{{ {user} }}}}
          REGISTRY_PASSWORD: ${{{{ secrets.{password} }}}}
        run: |
          if [ -n "$REGISTRY_PASSWORD" ]; then
            printf '%s' "$REGISTRY_PASSWORD" |
              docker login --username "$REGISTRY_USER" --password-stdin "$REGISTRY"
          fi
"""


def _login_by_identity(pipeline: Pipeline, where: Cloud, right: str) -> str:
    def lines(texts: tuple[str, ...]) -> str:
        return "\n".join(f"          {text.replace('{right}', right)}" for text in texts)

    variable = where.variable.replace("{right}", right)
    env = lines((f"REGISTRY: {json.dumps(pipeline.host)}", *where.env))
    return f"""\
      - name: Ask {where.title} for credentials
        id: cloud
        # Runs for pull requests from forks can't say who they are.
        if: vars.{variable} != '' && github.event.pull_request.head.repo.fork != true
        uses: {pinned(where.action)}
        with:
{lines(where.inputs)}
      - name: Log in to the registry
        if: steps.cloud.outcome == 'success'
        env:
{env}
        run: |
{lines(where.script)}
"""


def logout(pipeline: Pipeline) -> str:
    """For machines that are not thrown away."""
    return f"""\
      - name: Log out
        if: ${{{{ always() }}}}
        env:
          REGISTRY: {json.dumps(pipeline.host)}
        run: docker logout "$REGISTRY"
"""


def secret(pipeline: Pipeline) -> str:
    """The name of the secret that a called workflow has to be given; empty for none."""
    if not pipeline.registry or identity(pipeline):
        return ""
    _, password = _credentials(pipeline)
    # The run's own token is there without being given.
    return "" if password == "GITHUB_TOKEN" else password  # noqa: S105 - a name


def _credentials(pipeline: Pipeline) -> tuple[str, str]:
    """Where the user comes from, and the name of the secret."""
    config, github = pipeline.config, pipeline.host == GITHUB_REGISTRY
    user = config.registry_user or ("" if github else "REGISTRY_USER")
    password = config.registry_password or ("GITHUB_TOKEN" if github else "REGISTRY_PASSWORD")
    return f"vars.{user}" if user else "github.actor", password

"""The parts of GitHub's jobs: what each begins with, how it logs in, what it may do. Pure.

Values from outside reach a script by its environment only, never by ``${{ }}``: there they would be code.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from homeport.ci.actions import pinned
from homeport.ci.pipeline import GITHUB_REGISTRY, Pipeline

MACHINE = "ubuntu-24.04"


def job(
    pipeline: Pipeline,
    key: str,
    name: str,
    steps: Sequence[str],
    *,
    matrix: Sequence[Sequence[str]] = (),
    condition: str = "",
    needs: str = "",
    packages: str = "",
    history: bool = False,
    runner: Sequence[str] = (),
    head: str = "",
) -> str:
    """A job: ``packages`` is its right to the registry's images, ``history`` whether it needs git's."""
    lines = [f"  {key}:", f"    name: {name}"]
    lines += [f"    needs: {needs}"] if needs else []
    lines += [f"    if: {condition}"] if condition else []
    lines += [
        f"    runs-on: {labels(runner or pipeline.config.runner)}",
        f"    timeout-minutes: {pipeline.config.minutes}",
        *permissions(pipeline, packages),
        *head.splitlines(),
    ]
    if matrix:
        lines += ["    strategy:", "      fail-fast: false", "      matrix:", "        include:"]
        for number, names in enumerate(matrix, 1):
            lines += [
                f"          - shard: {number} of {len(matrix)}",
                f"            targets: {quoted(','.join(names))}",
            ]
    text = "\n".join(lines) + "\n    steps:\n"
    if packages and pipeline.registry:
        steps = (login(pipeline), *steps, logout(pipeline))
    return text + setup(pipeline, key, history) + "".join(steps)


def permissions(pipeline: Pipeline, packages: str) -> list[str]:
    """The lines with a job's rights: to read the repository, and to read or write the registry's images."""
    found = ["    permissions:", "      contents: read # to check the repository out"]
    if packages and pipeline.host == GITHUB_REGISTRY:
        why = "to push images and caches" if packages == "write" else "to read images and caches"
        found.append(f"      packages: {packages} # {why}")
    return found


def on_main(pipeline: Pipeline) -> str:
    """The condition for what only the main branch may do: others' images must not take the names."""
    return quoted(f"github.ref == '{f'refs/heads/{pipeline.main_branch}'.replace(chr(39), chr(39) * 2)}'")


def setup(pipeline: Pipeline, key: str, history: bool) -> str:
    """The first steps of each job, and the place for the user's own."""
    depth = "          fetch-depth: 0 # to know what changed\n" if history else ""
    return f"""\
      - name: Check out
        uses: {pinned("actions/checkout")}
        with:
          persist-credentials: false
{depth}      - name: Set up Python
        uses: {pinned("actions/setup-python")}
        with:
          python-version: {quoted(pipeline.config.python)}
      - name: Install homeport
        run: {quoted(pipeline.install)}
      # homeport: keep begin {key}
      # homeport: keep end {key}
"""


def login(pipeline: Pipeline) -> str:
    """Log in, where there is somebody to log in as: pull requests from forks get no secrets."""
    user, password = credentials(pipeline)
    return f"""\
      - name: Log in to the registry
        env:
          REGISTRY: {quoted(pipeline.host)}
          REGISTRY_USER: ${{{{ {user} }}}}
          REGISTRY_PASSWORD: ${{{{ secrets.{password} }}}}
        run: |
          if [ -n "$REGISTRY_PASSWORD" ]; then
            printf '%s' "$REGISTRY_PASSWORD" |
              docker login --username "$REGISTRY_USER" --password-stdin "$REGISTRY"
          fi
"""


def logout(pipeline: Pipeline) -> str:
    """For machines that are not thrown away."""
    return f"""\
      - name: Log out
        if: ${{{{ always() }}}}
        env:
          REGISTRY: {quoted(pipeline.host)}
        run: docker logout "$REGISTRY"
"""


def credentials(pipeline: Pipeline) -> tuple[str, str]:
    """Where the user comes from, and the name of the secret."""
    config, github = pipeline.config, pipeline.host == GITHUB_REGISTRY
    user = config.registry_user or ("" if github else "REGISTRY_USER")
    password = config.registry_password or ("GITHUB_TOKEN" if github else "REGISTRY_PASSWORD")
    return f"vars.{user}" if user else "github.actor", password


def run(name: str, command: str, env: Sequence[str] = (), condition: str = "") -> str:
    """A step that runs one line of bash."""
    lines = [f"      - name: {name}"]
    lines += [f"        if: {condition}"] if condition else []
    lines += ["        env:", *(f"          {line}" for line in env)] if env else []
    return "\n".join([*lines, f"        run: {command}"]) + "\n"


def artifact(name: str) -> str:
    """A step that keeps the folder ``report``, whatever came of the job."""
    return f"""\
      - name: Keep the report
        if: ${{{{ !cancelled() }}}}
        uses: {pinned("actions/upload-artifact")}
        with:
          name: report-{name}
          path: report
          if-no-files-found: ignore
"""


def env(name: str, expression: str) -> str:
    """A line of ``env:``: the variable gets what the expression says."""
    return f"{name}: ${{{{ {expression} }}}}"


def labels(labels: Sequence[str]) -> str:
    """The value of ``runs-on:``."""
    labels = labels or (MACHINE,)
    return quoted(labels[0]) if len(labels) == 1 else f"[{', '.join(map(quoted, labels))}]"


def quoted(value: str) -> str:
    """A text as YAML takes it whatever is in it: JSON's strings are YAML's."""
    return json.dumps(value, ensure_ascii=False)

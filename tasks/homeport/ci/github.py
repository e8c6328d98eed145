"""GitHub Actions: four workflows of few steps, which call homeport as a person would. Pure.

Source of the format: https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax. Values
from outside reach a script by its environment only, never by ``${{ }}``: there they would be code.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from homeport.ci.actions import pinned
from homeport.ci.pipeline import GITHUB_REGISTRY, Pipeline

FOLDER = ".github/workflows"
MACHINE = "ubuntu-24.04"
_AFFECTED = '${BASE:+--changed-since "origin/$BASE"}'


def files(pipeline: Pipeline) -> dict[str, str]:
    """By path the text of each workflow."""
    return {
        f"{FOLDER}/docker-build.yml": _build(pipeline),
        f"{FOLDER}/docker-test.yml": _test(pipeline),
        f"{FOLDER}/docker-security-scan.yml": _scan(pipeline),
        f"{FOLDER}/docker-deploy.yml": _deploy(pipeline),
    }


def _build(pipeline: Pipeline) -> str:
    parts = pipeline.shards.parts
    build = 'homeport build --parallel --keep-going --targets "$TARGETS"'
    run = f"{build} {_AFFECTED} ${{BASE:+--no-cache-export}}"
    base = [_env("BASE", "github.base_ref")]
    jobs = [
        _job(
            pipeline,
            "workflows",
            "Workflows are up to date",
            [_run("Compare", "homeport ci.generate --check")],
        )
    ]
    if not pipeline.registry:
        # Nothing is handed on: each machine builds what its own targets need.
        jobs.append(
            _job(
                pipeline,
                "images",
                "Build ${{ matrix.shard }}",
                [_run("Build", run, [_env("TARGETS", "matrix.targets"), *base])],
                matrix=pipeline.shards.all,
                history=True,
            )
        )
    else:
        jobs += [
            _job(
                pipeline,
                "affected",
                "Build what changed, ${{ matrix.shard }}",
                [_run("Build", run, [_env("TARGETS", "matrix.targets"), *base])],
                matrix=pipeline.shards.all,
                condition="github.event_name == 'pull_request'",
                packages="read",
                history=True,
            ),
            *_pushing(pipeline, f"{build} --push", parts),
        ]
    for job, name in (("test", "Test"), ("scan", "Scan")):
        jobs.append(_call(pipeline, job, name))
    return _workflow(
        pipeline,
        "docker-build",
        f"""\
on:
  push:
    branches: [{_text(pipeline.main_branch)}]
  pull_request:
  workflow_dispatch:
""",
        "docker-build-${{ github.ref }}",
        jobs,
        cancel="${{ github.event_name == 'pull_request' }}",
    )


def _pushing(pipeline: Pipeline, build: str, parts: Sequence[Sequence[str]]) -> Iterable[str]:
    """The jobs that push: what many build on, then the rest, which finds it in the registry."""
    outside = _on_main(pipeline)
    bases = pipeline.shards.bases
    if bases:
        yield _job(
            pipeline,
            "bases",
            "Build the bases",
            [_run("Build and push", build, [f"TARGETS: {_text(','.join(bases))}"])],
            condition=outside,
            packages="write",
        )
    if parts:
        yield _job(
            pipeline,
            "images",
            "Build ${{ matrix.shard }}",
            [_run("Build and push", build, [_env("TARGETS", "matrix.targets")])],
            matrix=parts,
            condition=outside,
            needs="bases" if bases else "",
            packages="write",
        )


def _test(pipeline: Pipeline) -> str:
    run = f'homeport test --no-cache-export --only unit --report report --targets "$TARGETS" {_AFFECTED}'
    unit = [
        _run("Test", run, [_env("TARGETS", "matrix.targets"), _env("BASE", "github.base_ref")]),
        _artifact("unit-${{ strategy.job-index }}"),
    ]
    stack = [
        _run("Test", "homeport test --no-cache-export --only smoke,integration --report report"),
        _artifact("stack"),
    ]
    return _workflow(
        pipeline,
        "docker-test",
        "on:\n  pull_request:\n" + _callable(pipeline),
        "docker-test-${{ github.ref }}",
        [
            _job(
                pipeline,
                "unit",
                "Unit tests, ${{ matrix.shard }}",
                unit,
                matrix=pipeline.shards.all,
                packages="read",
                history=True,
            ),
            _job(pipeline, "stack", "The stack", stack, packages="read"),
        ],
        cancel="${{ github.event_name == 'pull_request' }}",
    )


def _scan(pipeline: Pipeline) -> str:
    scan = [
        _run("Build or fetch the images", "homeport build --parallel --load --no-cache-export"),
        _run("Scan", "homeport scan --report report"),
        _artifact("scan"),
    ]
    jobs = [_job(pipeline, "scan", "Vulnerabilities and secrets", scan, packages="read")]
    if pipeline.config.code_scanning:
        jobs.append(_code_scanning(pipeline))
    return _workflow(
        pipeline,
        "docker-security-scan",
        'on:\n  schedule:\n    - cron: "17 4 * * 1"\n' + _callable(pipeline),
        "docker-security-scan-${{ github.ref }}",
        jobs,
    )


def _code_scanning(pipeline: Pipeline) -> str:
    """A job of its own: what may write findings runs nothing of the repository's."""
    return f"""\
  code-scanning:
    name: Findings for code scanning
    needs: scan
    # A scan that found something has failed, and is the one whose findings count.
    if: ${{{{ !cancelled() }}}}
    runs-on: {_labels(pipeline.config.runner)}
    timeout-minutes: 10
    permissions:
      security-events: write # to hand the findings over
      actions: read # of a private repository code scanning asks which run this is
    steps:
      - name: Fetch the findings
        uses: {pinned("actions/download-artifact")}
        with:
          name: report-scan
          path: report
      - name: Hand them over
        uses: {pinned("github/codeql-action/upload-sarif")}
        with:
          sarif_file: report/scan.sarif
          category: homeport
"""


def _deploy(pipeline: Pipeline) -> str:
    config = pipeline.config
    choices = "\n".join(f"          - {_text(name)}" for name in config.environments)
    dispatch = f"""\
on:
  workflow_dispatch:
    inputs:
      environment:
        description: Where to
        type: choice
        required: true
        default: {_text(config.environments[0])}
        options:
{choices}
      rollback:
        description: "Go back instead: 'previous', a release such as r12, or a git revision"
        type: string
        required: false
        default: ""
"""
    deploy, back = "inputs.rollback == ''", "inputs.rollback != ''"
    message = "github.sha"
    steps = [
        _run("Fetch the images", "homeport build --parallel --load --no-cache-export", condition=deploy),
        _run(
            "Deploy",
            'homeport deploy --zero-downtime --lock-wait 600 --message="$MESSAGE" --report report',
            [_env("MESSAGE", message)],
            condition=deploy,
        ),
        _run(
            "Go back",
            'homeport rollback --to="$ROLLBACK" --lock-wait 600 --report report',
            [_env("ROLLBACK", "inputs.rollback")],
            condition=back,
        ),
        _artifact("deploy"),
    ]
    return _workflow(
        pipeline,
        "docker-deploy",
        dispatch,
        "docker-deploy-${{ inputs.environment }}",
        [
            _job(
                pipeline,
                "deploy",
                "Deploy to ${{ inputs.environment }}",
                steps,
                packages="read",
                runner=config.deploy_runner,
                head="    environment: ${{ inputs.environment }}\n"
                # Empty, it means the machine's own engine.
                "    env:\n      DOCKER_HOST: ${{ vars.DOCKER_HOST }}\n",
            )
        ],
    )


def _workflow(
    pipeline: Pipeline, name: str, events: str, group: str, jobs: Sequence[str], cancel: str = "false"
) -> str:
    return f"""\
name: {name}

{events}
permissions: {{}}

concurrency:
  group: {group}
  cancel-in-progress: {cancel}

defaults:
  run:
    shell: bash

jobs:
{chr(10).join(jobs)}
  # homeport: keep begin jobs
  # homeport: keep end jobs
"""


def _job(
    pipeline: Pipeline,
    job: str,
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
    lines = [f"  {job}:", f"    name: {name}"]
    lines += [f"    needs: {needs}"] if needs else []
    lines += [f"    if: {condition}"] if condition else []
    lines += [
        f"    runs-on: {_labels(runner or pipeline.config.runner)}",
        f"    timeout-minutes: {pipeline.config.minutes}",
        *_permissions(pipeline, packages),
        *head.splitlines(),
    ]
    if matrix:
        lines += ["    strategy:", "      fail-fast: false", "      matrix:", "        include:"]
        for number, names in enumerate(matrix, 1):
            lines += [
                f"          - shard: {number} of {len(matrix)}",
                f"            targets: {_text(','.join(names))}",
            ]
    text = "\n".join(lines) + "\n    steps:\n"
    if packages and pipeline.registry:
        steps = (_login(pipeline), *steps, _logout(pipeline))
    return text + _setup(pipeline, job, history) + "".join(steps)


def _permissions(pipeline: Pipeline, packages: str) -> list[str]:
    found = ["    permissions:", "      contents: read # to check the repository out"]
    if packages and pipeline.host == GITHUB_REGISTRY:
        why = "to push images and caches" if packages == "write" else "to read images and caches"
        found.append(f"      packages: {packages} # {why}")
    return found


def _on_main(pipeline: Pipeline) -> str:
    """The condition for what only the main branch may do: others' images must not take the names."""
    return _text(f"github.ref == '{f'refs/heads/{pipeline.main_branch}'.replace(chr(39), chr(39) * 2)}'")


def _setup(pipeline: Pipeline, job: str, history: bool) -> str:
    depth = "          fetch-depth: 0 # to know what changed\n" if history else ""
    return f"""\
      - name: Check out
        uses: {pinned("actions/checkout")}
        with:
          persist-credentials: false
{depth}      - name: Set up Python
        uses: {pinned("actions/setup-python")}
        with:
          python-version: {_text(pipeline.config.python)}
      - name: Install homeport
        run: {_text(pipeline.install)}
      # homeport: keep begin {job}
      # homeport: keep end {job}
"""


def _login(pipeline: Pipeline) -> str:
    """Log in, where there is somebody to log in as: pull requests from forks get no secrets."""
    user, password = _credentials(pipeline)
    return f"""\
      - name: Log in to the registry
        env:
          REGISTRY: {_text(pipeline.host)}
          REGISTRY_USER: ${{{{ {user} }}}}
          REGISTRY_PASSWORD: ${{{{ secrets.{password} }}}}
        run: |
          if [ -n "$REGISTRY_PASSWORD" ]; then
            printf '%s' "$REGISTRY_PASSWORD" |
              docker login --username "$REGISTRY_USER" --password-stdin "$REGISTRY"
          fi
"""


def _logout(pipeline: Pipeline) -> str:
    """For machines that are not thrown away."""
    return f"""\
      - name: Log out
        if: ${{{{ always() }}}}
        env:
          REGISTRY: {_text(pipeline.host)}
        run: docker logout "$REGISTRY"
"""


def _credentials(pipeline: Pipeline) -> tuple[str, str]:
    """Where the user comes from, and the name of the secret."""
    config, github = pipeline.config, pipeline.host == GITHUB_REGISTRY
    user = config.registry_user or ("" if github else "REGISTRY_USER")
    password = config.registry_password or ("GITHUB_TOKEN" if github else "REGISTRY_PASSWORD")
    return f"vars.{user}" if user else "github.actor", password


def _callable(pipeline: Pipeline) -> str:
    """The events by which ``docker-build`` and people start it; the run's own token needs no handing on."""
    _, password = _credentials(pipeline)
    if not pipeline.registry or password == "GITHUB_TOKEN":  # noqa: S105 - a name
        return "  workflow_call:\n  workflow_dispatch:\n"
    return (
        f"  workflow_call:\n    secrets:\n      {password}:\n        required: false\n  workflow_dispatch:\n"
    )


def _call(pipeline: Pipeline, job: str, name: str) -> str:
    """The job that starts another of the workflows when the images are built.

    ``$/`` is this repository at this commit:
    https://github.blog/changelog/2026-07-30-reference-same-repository-actions-with-self-repository-syntax/
    """
    file = {"test": "docker-test.yml", "scan": "docker-security-scan.yml"}[job]
    permissions = _permissions(pipeline, "read")
    if job == "scan" and pipeline.config.code_scanning:
        permissions += [
            "      security-events: write # for its job that hands findings over, and no other",
            "      actions: read # for the same",
        ]
    _, password = _credentials(pipeline)
    handed = pipeline.registry and password != "GITHUB_TOKEN"  # noqa: S105 - a name
    secrets = f"    secrets:\n      {password}: ${{{{ secrets.{password} }}}}\n" if handed else ""
    built = "images" if pipeline.shards.parts else "bases"
    return f"""\
  {job}:
    name: {name}
    needs: {built}
    if: {_on_main(pipeline)}
    uses: $/{FOLDER}/{file}
{chr(10).join(permissions)}
{secrets}"""


def _run(name: str, command: str, env: Sequence[str] = (), condition: str = "") -> str:
    lines = [f"      - name: {name}"]
    lines += [f"        if: {condition}"] if condition else []
    lines += ["        env:", *(f"          {line}" for line in env)] if env else []
    return "\n".join([*lines, f"        run: {command}"]) + "\n"


def _artifact(name: str) -> str:
    return f"""\
      - name: Keep the report
        if: ${{{{ !cancelled() }}}}
        uses: {pinned("actions/upload-artifact")}
        with:
          name: report-{name}
          path: report
          if-no-files-found: ignore
"""


def _env(name: str, expression: str) -> str:
    return f"{name}: ${{{{ {expression} }}}}"


def _labels(labels: Sequence[str]) -> str:
    labels = labels or (MACHINE,)
    return _text(labels[0]) if len(labels) == 1 else f"[{', '.join(map(_text, labels))}]"


def _text(value: str) -> str:
    """A text as YAML takes it whatever is in it: JSON's strings are YAML's."""
    return json.dumps(value, ensure_ascii=False)

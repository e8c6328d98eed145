"""GitHub Actions: four workflows of few steps, which call homeport as a person would. Pure.

Source of the format: https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from homeport.ci.actions import pinned
from homeport.ci.github_jobs import artifact, env, job, labels, on_main, quoted, run
from homeport.ci.github_login import permissions, secret
from homeport.ci.pipeline import Pipeline
from homeport.model.shards import BASES

FOLDER = ".github/workflows"
_AFFECTED = '${BASE:+--changed-since "origin/$BASE"}'


def files(pipeline: Pipeline) -> dict[str, str]:
    """By path the text of each workflow."""
    return {
        _path(pipeline, "docker-build"): _build(pipeline),
        _path(pipeline, "docker-test"): _test(pipeline),
        _path(pipeline, "docker-security-scan"): _scan(pipeline),
        _path(pipeline, "docker-deploy"): _deploy(pipeline),
    }


def _path(pipeline: Pipeline, name: str) -> str:
    return f"{FOLDER}/{pipeline.prefix}{name}.yml"


def _build(pipeline: Pipeline) -> str:
    build = 'homeport build --parallel --keep-going --targets "$TARGETS"'
    command = f"{build} {_AFFECTED} ${{BASE:+--no-cache-export}}"
    base = [env("BASE", "github.base_ref")]
    jobs = [
        job(
            pipeline,
            "workflows",
            "Workflows are up to date",
            [run("Compare", "homeport ci.generate --check")],
        )
    ]
    if not pipeline.registry:
        # Nothing is handed on: each machine builds what its own targets need.
        jobs.append(
            job(
                pipeline,
                "images",
                "Build ${{ matrix.shard }}",
                [run("Build", command, [env("TARGETS", "matrix.targets"), *base])],
                matrix=pipeline.shards.named,
                history=True,
            )
        )
    else:
        jobs += [
            job(
                pipeline,
                "affected",
                "Build what changed, ${{ matrix.shard }}",
                [run("Build", command, [env("TARGETS", "matrix.targets"), *base])],
                matrix=pipeline.shards.named,
                condition="github.event_name == 'pull_request'",
                packages="read",
                history=True,
            ),
            *_pushing(pipeline, f"{build} --push"),
        ]
    for key, name in (("test", "Test"), ("scan", "Scan")):
        jobs.append(_call(pipeline, key, name))
    return _workflow(
        pipeline,
        "docker-build",
        f"""\
on:
  push:
    branches: [{quoted(pipeline.main_branch)}]
  pull_request:
  workflow_dispatch:
""",
        "${{ github.ref }}",
        jobs,
        cancel="${{ github.event_name == 'pull_request' }}",
    )


def _pushing(pipeline: Pipeline, build: str) -> Iterable[str]:
    """The jobs that push: what many build on, then the rest, which finds it in the registry."""
    outside = on_main(pipeline)
    parts = pipeline.shards.named
    bases = parts.pop(BASES, ())
    if bases:
        yield job(
            pipeline,
            "bases",
            "Build the bases",
            [run("Build and push", build, [f"TARGETS: {quoted(','.join(bases))}"])],
            condition=outside,
            packages="write",
        )
    if parts:
        yield job(
            pipeline,
            "images",
            "Build ${{ matrix.shard }}",
            [run("Build and push", build, [env("TARGETS", "matrix.targets")])],
            matrix=parts,
            condition=outside,
            needs="bases" if bases else "",
            packages="write",
        )


def _test(pipeline: Pipeline) -> str:
    command = f'homeport test --no-cache-export --only unit --report report --targets "$TARGETS" {_AFFECTED}'
    unit = [
        run("Test", command, [env("TARGETS", "matrix.targets"), env("BASE", "github.base_ref")]),
        artifact(pipeline, "unit-${{ strategy.job-index }}"),
    ]
    stack = [
        run("Test", "homeport test --no-cache-export --only smoke,integration --report report"),
        artifact(pipeline, "stack"),
    ]
    return _workflow(
        pipeline,
        "docker-test",
        "on:\n  pull_request:\n" + _callable(pipeline),
        "${{ github.ref }}",
        [
            job(
                pipeline,
                "unit",
                "Unit tests, ${{ matrix.shard }}",
                unit,
                matrix=pipeline.shards.named,
                packages="read",
                history=True,
            ),
            job(pipeline, "stack", "The stack", stack, packages="read"),
        ],
        cancel="${{ github.event_name == 'pull_request' }}",
    )


def _scan(pipeline: Pipeline) -> str:
    scan = [
        run("Build or fetch the images", "homeport build --parallel --load --no-cache-export"),
        run("Scan", "homeport scan --report report"),
        artifact(pipeline, "scan"),
    ]
    jobs = [job(pipeline, "scan", "Vulnerabilities and secrets", scan, packages="read")]
    if pipeline.config.code_scanning:
        jobs.append(_code_scanning(pipeline))
    return _workflow(
        pipeline,
        "docker-security-scan",
        'on:\n  schedule:\n    - cron: "17 4 * * 1"\n' + _callable(pipeline),
        "${{ github.ref }}",
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
    runs-on: {labels(pipeline.config.runner)}
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
          category: {pipeline.prefix}homeport
"""


def _deploy(pipeline: Pipeline) -> str:
    config = pipeline.config
    choices = "\n".join(f"          - {quoted(name)}" for name in config.environments)
    dispatch = f"""\
on:
  workflow_dispatch:
    inputs:
      environment:
        description: Where to
        type: choice
        required: true
        default: {quoted(config.environments[0])}
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
        run("Fetch the images", "homeport build --parallel --load --no-cache-export", condition=deploy),
        run(
            "Deploy",
            'homeport deploy --zero-downtime --lock-wait 600 --message="$MESSAGE" --report report',
            [env("MESSAGE", message)],
            condition=deploy,
        ),
        run(
            "Go back",
            'homeport rollback --to="$ROLLBACK" --lock-wait 600 --report report',
            [env("ROLLBACK", "inputs.rollback")],
            condition=back,
        ),
        artifact(pipeline, "deploy"),
    ]
    return _workflow(
        pipeline,
        "docker-deploy",
        dispatch,
        "${{ inputs.environment }}",
        [
            job(
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
    name = f"{pipeline.prefix}{name}"
    where = f"    working-directory: {quoted(pipeline.folder)}\n" if pipeline.folder else ""
    return f"""\
name: {name}

{events}
permissions: {{}}

concurrency:
  group: {name}-{group}
  cancel-in-progress: {cancel}

defaults:
  run:
    shell: bash
{where}
jobs:
{chr(10).join(jobs)}
  # homeport: keep begin jobs
  # homeport: keep end jobs
"""


def _callable(pipeline: Pipeline) -> str:
    """The events by which ``docker-build`` and people start it."""
    name = secret(pipeline)
    handed = f"    secrets:\n      {name}:\n        required: false\n" if name else ""
    return f"  workflow_call:\n{handed}  workflow_dispatch:\n"


def _call(pipeline: Pipeline, key: str, name: str) -> str:
    """The job that starts another of the workflows when the images are built.

    ``$/`` is this repository at this commit:
    https://github.blog/changelog/2026-07-30-reference-same-repository-actions-with-self-repository-syntax/
    """
    path = _path(pipeline, {"test": "docker-test", "scan": "docker-security-scan"}[key])
    rights = permissions(pipeline, "read")
    if key == "scan" and pipeline.config.code_scanning:
        rights += [
            "      security-events: write # for its job that hands findings over, and no other",
            "      actions: read # for the same",
        ]
    handed = secret(pipeline)
    secrets = f"    secrets:\n      {handed}: ${{{{ secrets.{handed} }}}}\n" if handed else ""
    built = "images" if pipeline.shards.parts else "bases"
    return f"""\
  {key}:
    name: {name}
    needs: {built}
    if: {on_main(pipeline)}
    uses: $/{path}
{chr(10).join(rights)}
{secrets}"""

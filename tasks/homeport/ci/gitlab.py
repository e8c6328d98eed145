"""GitLab CI: one file of jobs that call homeport as a person would. Pure.

Source of the format: https://docs.gitlab.com/ci/yaml/. Its machines have Docker and Python themselves (the
shell executor): in a container of its own a job would not reach the ports of a stack that it tests.

Shards are jobs of their own and no ``parallel:matrix``: there the targets would be in the job's name, and if
that has more than 255 characters, no pipeline is made: https://gitlab.com/gitlab-org/gitlab/-/issues/584573.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from homeport.ci.pipeline import Pipeline
from homeport.errors import UsageError
from homeport.model.shards import BASES

FILE = ".gitlab-ci.yml"
GITLAB_REGISTRY = "registry.gitlab.com"
_MERGE = '$CI_PIPELINE_SOURCE == "merge_request_event"'
_MAIN = '$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH && $CI_PIPELINE_SOURCE != "schedule"'
_SCHEDULE = '$CI_PIPELINE_SOURCE == "schedule"'
_BASE = "CI_MERGE_REQUEST_DIFF_BASE_SHA"
_AFFECTED = f'${{{_BASE}:+--changed-since "${_BASE}"}}'


def files(pipeline: Pipeline) -> dict[str, str]:
    """By path the text of the one file. Raises UsageError for a name: there is no place for a second file."""
    if pipeline.config.name:
        raise UsageError(
            "[ci] name is of no use at GitLab: it reads one file, .gitlab-ci.yml.",
            hint="Leave it out. Several stacks need several projects there, or a file written by hand.",
        )
    jobs = [
        _job(pipeline, "workflows", "check", ["homeport ci.generate --check"], [_MERGE, _MAIN]),
        *_builds(pipeline),
        _job(
            pipeline,
            "unit-tests",
            "test",
            [f'homeport test --no-cache-export --only unit --report report --targets "$TARGETS" {_AFFECTED}'],
            [_MERGE, _MAIN],
            shards=pipeline.shards.named,
            report=True,
            login=True,
        ),
        _job(
            pipeline,
            "stack-tests",
            "test",
            ["homeport test --no-cache-export --only smoke,integration --report report"],
            [_MERGE, _MAIN],
            report=True,
            login=True,
        ),
        _job(
            pipeline,
            "security-scan",
            "scan",
            [
                "homeport build --parallel --load --no-cache-export",
                "homeport scan --report report",
            ],
            [_MAIN, _SCHEDULE],
            report=True,
            login=True,
        ),
        *_deploys(pipeline),
    ]
    return {
        FILE: _head(pipeline) + "\n".join(jobs) + "\n# homeport: keep begin jobs\n# homeport: keep end jobs\n"
    }


def _head(pipeline: Pipeline) -> str:
    # The script goes on in the same shell, and so in the same folder.
    where = f"    - {_text(f'cd {shlex.quote(pipeline.folder)}')}\n" if pipeline.folder else ""
    return f"""\
workflow:
  rules:
    - if: {_text(_MERGE)}
    - if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH

stages: [check, bases, images, test, scan, deploy]

default:
  timeout: {pipeline.config.minutes} minutes

variables:
  GIT_DEPTH: "0" # to know what changed

.install:
  before_script:
    # Beside the clone, where no build sends it to the engine.
    - python3 -m venv --clear "$CI_PROJECT_DIR.tmp/homeport"
    - . "$CI_PROJECT_DIR.tmp/homeport/bin/activate"
{where}    - {_text(pipeline.install)}
    # homeport: keep begin setup
    # homeport: keep end setup

"""


def _builds(pipeline: Pipeline) -> list[str]:
    build = 'homeport build --parallel --keep-going --targets "$TARGETS"'
    affected = f"{build} {_AFFECTED} ${{{_BASE}:+--no-cache-export}}"
    if not pipeline.registry:
        # Nothing is handed on: each machine builds what its own targets need.
        return [_job(pipeline, "images", "images", [affected], [_MERGE, _MAIN], shards=pipeline.shards.named)]
    jobs = [
        _job(pipeline, "affected", "images", [affected], [_MERGE], shards=pipeline.shards.named, login=True)
    ]
    parts = pipeline.shards.named
    if bases := parts.pop(BASES, ()):
        about = ["  variables:", f"    TARGETS: {_text(','.join(bases))}"]
        jobs.append(_job(pipeline, BASES, "bases", [f"{build} --push"], [_MAIN], about=about, login=True))
    if parts:
        jobs.append(
            _job(pipeline, "images", "images", [f"{build} --push"], [_MAIN], shards=parts, login=True)
        )
    return jobs


def _deploys(pipeline: Pipeline) -> list[str]:
    """Two jobs for each environment, both started by hand: forward, and back."""
    config, jobs = pipeline.config, []
    tags = config.deploy_runner or config.runner
    for name in config.environments:
        about = [
            "  environment:",
            f"    name: {_text(name)}",
            f"  resource_group: {_text(name)}",
        ]
        jobs.append(
            _job(
                pipeline,
                f"deploy {name}",
                "deploy",
                [
                    "homeport build --parallel --load --no-cache-export",
                    "homeport deploy --zero-downtime --lock-wait 600 "
                    '--message="$CI_COMMIT_SHA" --report report',
                ],
                [_MAIN],
                tags=tags,
                about=about,
                manual=True,
                report=True,
                login=True,
            )
        )
        jobs.append(
            _job(
                pipeline,
                f"roll back {name}",
                "deploy",
                ['homeport rollback --to="$ROLLBACK" --lock-wait 600 --report report'],
                [_MAIN],
                tags=tags,
                about=[
                    *about,
                    "  variables:",
                    # Given when the job is started: a release such as r12, or a git revision.
                    "    ROLLBACK: previous",
                ],
                manual=True,
                report=True,
                login=True,
                # Also while something before it fails: that may be the reason.
                needs="[]",
            )
        )
    return jobs


def _job(
    pipeline: Pipeline,
    name: str,
    stage: str,
    script: Sequence[str],
    rules: Sequence[str],
    *,
    shards: Mapping[str, Sequence[str]] = MappingProxyType({}),
    tags: Sequence[str] = (),
    about: Sequence[str] = (),
    manual: bool = False,
    report: bool = False,
    login: bool = False,
    needs: str = "",
) -> str:
    """A job, or one for each of the shards, by their names their targets."""
    lines = [f"{_text(f'.{name}' if shards else name)}:", "  extends: .install", f"  stage: {stage}"]
    # Reports of other jobs must not lie where an image is built.
    lines += [f"  needs: {needs}"] if needs else ["  dependencies: []"]
    lines.append("  rules:")
    for rule in rules:
        lines.append(f"    - if: {_text(rule)}")
        lines += ["      when: manual", "      allow_failure: true"] if manual else []
    if labels := tags or pipeline.config.runner:
        lines.append(f"  tags: [{', '.join(map(_text, labels))}]")
    lines += about
    lines.append("  script:")
    if login and pipeline.registry:
        lines += _login(pipeline)
    lines += [f"    - {_text(line)}" for line in script]
    if login and pipeline.registry:
        lines += ["  after_script:", f"    - docker logout {_text(pipeline.host)}"]
    if report:
        lines += ["  artifacts:", "    when: always", f"    paths: [{_text(pipeline.report)}]"]
        junit = _text(f"{pipeline.report}/junit.xml")
        lines += ["    reports:", f"      junit: {junit}"] if stage == "test" else []
    for shard, names in shards.items():
        lines += [
            "",
            f"{_text(f'{name} {shard}')}:",
            f"  extends: {_text(f'.{name}')}",
            "  variables:",
            f"    TARGETS: {_text(','.join(names))}",
        ]
    return "\n".join(lines) + "\n"


def _login(pipeline: Pipeline) -> list[str]:
    """Log in, where there is somebody to log in as: a protected variable is empty on other branches."""
    own = pipeline.host == GITLAB_REGISTRY
    user = pipeline.config.registry_user or ("CI_REGISTRY_USER" if own else "REGISTRY_USER")
    password = pipeline.config.registry_password or ("CI_REGISTRY_PASSWORD" if own else "REGISTRY_PASSWORD")
    return [
        "    - |",
        f'      if [ -n "${password}" ]; then',
        f"        printf '%s' \"${password}\" |",
        f'          docker login --username "${user}" --password-stdin {_text(pipeline.host)}',
        "      fi",
    ]


def _text(value: str) -> str:
    """A text of one line as YAML takes it: between single quotation marks nothing else means anything."""
    return "'" + value.replace("'", "''") + "'"

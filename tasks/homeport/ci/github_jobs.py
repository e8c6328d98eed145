"""The parts of GitHub's jobs: what each begins and ends with. Pure.

Values from outside reach a script by its environment only, never by ``${{ }}``: there they would be code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from homeport.ci.actions import pinned
from homeport.ci.github_login import login, logout, permissions
from homeport.ci.pipeline import Pipeline

MACHINE = "ubuntu-24.04"


def job(
    pipeline: Pipeline,
    key: str,
    name: str,
    steps: Sequence[str],
    *,
    matrix: Mapping[str, Sequence[str]] = MappingProxyType({}),
    condition: str = "",
    needs: str = "",
    packages: str = "",
    history: bool = False,
    runner: Sequence[str] = (),
    head: str = "",
) -> str:
    """A job: ``matrix`` are targets by shard, ``packages`` is its right to the registry's images, ``history``
    whether it needs git's."""
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
        for shard, names in matrix.items():
            lines += [f"          - shard: {shard}", f"            targets: {quoted(','.join(names))}"]
    text = "\n".join(lines) + "\n    steps:\n"
    if packages and pipeline.registry:
        steps = (login(pipeline, packages), *steps, logout(pipeline))
    return text + setup(pipeline, key, history) + "".join(steps)


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


def run(name: str, command: str, env: Sequence[str] = (), condition: str = "") -> str:
    """A step that runs one line of bash."""
    lines = [f"      - name: {name}"]
    lines += [f"        if: {condition}"] if condition else []
    lines += ["        env:", *(f"          {line}" for line in env)] if env else []
    return "\n".join([*lines, f"        run: {command}"]) + "\n"


def artifact(pipeline: Pipeline, name: str) -> str:
    """A step that keeps the folder ``report``, whatever came of the job."""
    path = quoted(pipeline.report) if pipeline.folder else pipeline.report
    return f"""\
      - name: Keep the report
        if: ${{{{ !cancelled() }}}}
        uses: {pinned("actions/upload-artifact")}
        with:
          name: report-{name}
          path: {path}
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

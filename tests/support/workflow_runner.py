"""Runs the `run` steps of GitHub workflows, job by job, in clones: as much of a runner as tests need.

Source: https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax. Of `uses` it knows
checkout, which is a clone, upload-artifact and calls of workflows of the same repository; other actions are
left out.
"""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from engine_fixtures import run_program

_EXPRESSION = re.compile(r"\$\{\{ *(.*?) *\}\}")
_BASH = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c")
_PROGRAMS = Path(sys.executable).parent
STEP_TIMEOUT_S = 300


@dataclass
class Ran:
    """One step that ran: in which job, with which matrix entry, and what came of it."""

    job: str
    shard: str
    step: str
    code: int
    said: str


@dataclass
class Runner:
    """Runs workflows of the repository ``origin``; a job's engine is ``engines[job]``, or the usual one."""

    origin: Path
    folder: Path
    values: Mapping[str, str]
    """By expression (``github.ref``) its value; others are empty, as they are for GitHub."""
    engines: Mapping[str, str] = field(default_factory=dict)
    leave_out: frozenset[str] = frozenset()
    """Jobs that aren't run."""
    ran: list[Ran] = field(default_factory=list)
    kept: dict[str, Path] = field(default_factory=dict)
    """By name what a job has handed to upload-artifact."""

    def workflow(self, name: str, prefix: str = "") -> None:
        """Run a workflow's jobs in the order of their needs; a failed one is an AssertionError."""
        text = (self.origin / ".github" / "workflows" / name).read_text(encoding="utf-8")
        document: dict[str, Any] = YAML(typ="safe").load(io.StringIO(text))
        jobs: dict[str, Any] = document["jobs"]
        done: set[str] = set()
        while len(done) < len(jobs):
            ready = [job for job in jobs if job not in done and job_needs(jobs[job]) <= done]
            assert ready, f"{name}: jobs wait for each other"
            for job in ready:
                done.add(job)
                if job not in self.leave_out and self.true(jobs[job].get("if", ""), {}):
                    self._job(f"{prefix}{job}", {"defaults": document["defaults"], **jobs[job]})

    def _job(self, name: str, job: Mapping[str, Any]) -> None:
        if called := job.get("uses", ""):
            self.workflow(called.rpartition("/")[2], f"{name}.")
            return
        for entry in job.get("strategy", {}).get("matrix", {}).get("include") or [{}]:
            self._run(name, job, {f"matrix.{key}": str(value) for key, value in entry.items()})

    def _run(self, name: str, job: Mapping[str, Any], matrix: Mapping[str, str]) -> None:
        machine = self.folder / f"machine-{len(self.ran)}"
        env = {
            "PATH": f"{_PROGRAMS}{os.pathsep}{os.environ['PATH']}",
            "DOCKER_CONFIG": str(machine / "docker"),
            "XDG_CACHE_HOME": str(machine / "cache"),
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_REF_NAME": self.values.get("github.ref", "").rpartition("/")[2],
            "GITHUB_HEAD_REF": self.values.get("github.head_ref", ""),
            **({"DOCKER_HOST": self.engines[name]} if name in self.engines else {}),
        }
        (machine / "docker").mkdir(parents=True)
        folder = machine / "clone" / job["defaults"]["run"].get("working-directory", "")
        failed = ""
        for step in job["steps"]:
            # What follows a failure runs only if it says so.
            if failed and "always()" not in step.get("if", "") and "!cancelled()" not in step.get("if", ""):
                continue
            if "actions/checkout@" in step.get("uses", ""):
                done = run_program(
                    ["git", "clone", "-q", str(self.origin), str(machine / "clone")], self.folder
                )
                assert done.returncode == 0, done.stderr
            if "actions/upload-artifact@" in step.get("uses", ""):
                path = machine / "clone" / step["with"]["path"]
                self.kept |= {self.text(step["with"]["name"], matrix): path} if path.exists() else {}
            if "run" not in step or not self.true(step.get("if", ""), matrix):
                continue
            assert "${{" not in step["run"]
            own = {key: self.text(value, matrix) for key, value in step.get("env", {}).items()}
            done = run_program([*_BASH, step["run"]], folder, {**env, **own}, timeout=STEP_TIMEOUT_S)
            said = done.stdout + done.stderr
            shard = matrix.get("matrix.shard", "")
            self.ran.append(Ran(name, shard, step["name"], done.returncode, said))
            if done.returncode != 0:
                failed = failed or f"{name} {shard}, {step['name']}:\n{said}"
        assert not failed, failed

    def text(self, value: str, matrix: Mapping[str, str]) -> str:
        """A value with its expressions put in."""
        known = {**self.values, **matrix}
        return _EXPRESSION.sub(lambda found: known.get(found[1], ""), str(value))

    def true(self, condition: str, matrix: Mapping[str, str]) -> bool:
        """A condition: none, a function of the state, or one comparison with a text."""
        inner = _EXPRESSION.sub(lambda found: found[1], condition)
        if inner in ("", "always()", "!cancelled()"):
            return True
        found = re.fullmatch(r"(\S+) (==|!=) '([^']*)'", inner)
        assert found, f"no condition that this runner knows: {condition}"
        equal = {**self.values, **matrix}.get(found[1], "") == found[3]
        return equal if found[2] == "==" else not equal

    def said(self, job: str, step: str) -> str:
        """What all runs of a step said together."""
        return "".join(ran.said for ran in self.ran if (ran.job, ran.step) == (job, step))


def job_needs(job: Mapping[str, Any]) -> set[str]:
    """The jobs that a job waits for: one name, or a list."""
    needs = job.get("needs", [])
    return {needs} if isinstance(needs, str) else set(needs)

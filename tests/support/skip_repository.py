"""A repository for tests of what a build leaves out, with short words for what they ask of it."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from engine_fixtures import DockerSession, RunHomeport, Sandbox, docker

LABEL = "io.homeport.fingerprint"
STACK: Mapping[str, Any] = {
    "base": {"context": "base", "tags": ["MINE-base"]},
    "api": {"context": "api", "contexts": {"base": "target:base"}, "tags": ["MINE-api:1"]},
    "web": {"context": "web", "contexts": {"base": "target:base"}, "tags": ["MINE-web:1"]},
    "other": {"context": "other", "tags": ["MINE-other"]},
}
STACK_FILES = {
    "base/Dockerfile": "FROM TINY\nCOPY f /base\n",
    "base/f": "base 1\n",
    **{
        f"{name}/Dockerfile": "FROM base\nCOPY f /own\nRUN cat /base /own > /out\n" for name in ("api", "web")
    },
    "api/f": "api 1\n",
    "web/f": "web 1\n",
    "other/Dockerfile": "FROM TINY\nCOPY . /src/\nRUN cat /src/f > /out\n",
    "other/f": "other 1\n",
}
"""A base, two services on it, and one beside them. TINY is a base image, MINE- begins every name."""


def bake(targets: Mapping[str, Any], *requested: str) -> str:
    """A bake file; without names all of its targets are asked for."""
    group = {"default": {"targets": list(requested or targets)}}
    return json.dumps({"group": group, "target": targets})


@dataclass(frozen=True)
class Outcome:
    """What one run did: its JSON document (empty if there is none) and all that it said."""

    code: int
    said: str
    document: dict[str, Any] = field(default_factory=dict)

    @property
    def targets(self) -> dict[str, dict[str, Any]]:
        return {target["name"]: target for target in self.document.get("targets", ())}

    @property
    def built(self) -> set[str]:
        return self._having("built")

    @property
    def skipped(self) -> set[str]:
        return self._having("skipped")

    @property
    def decisions(self) -> dict[str, dict[str, Any]]:
        return {item["name"]: item for item in self.document.get("decisions", ())}

    def _having(self, status: str) -> set[str]:
        return {name for name, target in self.targets.items() if target["status"] == status}


@dataclass(frozen=True)
class Repository:
    """A folder with a build definition; ``prefix`` begins the names of its images."""

    folder: Path
    prefix: str
    run: RunHomeport
    cache: Path

    @property
    def record(self) -> Path:
        return self.cache / "homeport" / "builds-2.sqlite"

    def build(
        self,
        *args: str,
        code: int | None = 0,
        env: Mapping[str, str] | None = None,
        timeout: float = 300,
    ) -> Outcome:
        """Build as told; whatever happens, there is no traceback. ``code`` None: any exit code."""
        words = ["build", "--parallel", *args, "--json", "-"]
        own = {"XDG_CACHE_HOME": str(self.cache), **(env or {})}
        return outcome(self.run(words, self.folder, own, timeout), code)

    def start(self, *args: str, folder: Path | None = None) -> subprocess.Popen[str]:
        """Start a build, for something to happen meanwhile; ``finish`` waits for it."""
        return subprocess.Popen(
            [sys.executable, "-m", "homeport", "build", "--parallel", *args, "--json", "-"],
            cwd=folder or self.folder,
            env={**os.environ, "XDG_CACHE_HOME": str(self.cache), "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )

    def write(self, path: str, text: str) -> None:
        (self.folder / path).write_text(text, encoding="utf-8", newline="\n")

    def name(self, what: str) -> str:
        return f"{self.prefix}{what}"

    def image(self, what: str) -> str:
        """The id of the image that a name means; empty if there is none."""
        return image_id(self.name(what))

    def labels(self, what: str) -> dict[str, str]:
        found: dict[str, str] = json.loads(
            docker("image", "inspect", "--format", "{{json .Config.Labels}}", self.name(what))
        )
        return found

    def out(self, what: str, file: str = "/out") -> str:
        """What a file of the image holds."""
        return docker("run", "--rm", self.name(what), "cat", file)


def outcome(done: subprocess.CompletedProcess[str], code: int | None = 0) -> Outcome:
    """Read what a run with ``--json -`` printed; checks exit code, and that there is no traceback."""
    said = done.stderr
    assert "Traceback" not in said, said
    assert code is None or done.returncode == code, f"exit code {done.returncode}\n{said}"
    try:
        return Outcome(done.returncode, said, json.loads(done.stdout or "{}"))
    except ValueError:
        raise AssertionError(f"no JSON: {done.stdout!r}\n{said}") from None


def finish(process: subprocess.Popen[str], code: int | None = 0, said: str = "") -> Outcome:
    """Wait for a build that was started; ``said`` is what was read of it already."""
    output, errors = process.communicate(timeout=300)
    done = subprocess.CompletedProcess(process.args, process.returncode, output, said + errors)
    return outcome(done, code)


Make = Callable[..., Repository]


def maker(
    sandbox: Sandbox, run_homeport: RunHomeport, session: DockerSession, base: str, cache: Path
) -> Make:
    """A function that makes a repository, with a prefix of its own for its images, which nobody else has.

    Its arguments: files, targets, and the names of those that are asked for (all but ``base``).
    """

    def make(
        files: Mapping[str, str] = STACK_FILES, targets: Mapping[str, Any] = STACK, *requested: str
    ) -> Repository:
        prefix = session.name(f"{secrets.token_hex(2)}-")
        wanted = requested or tuple(name for name in targets if name != "base")
        texts = {"docker-bake.json": bake(targets, *wanted), **files}
        # Images of equal content are one image: each test needs its own.
        own = {"FROM TINY\n": f"FROM TINY\nENV OF={prefix}\n", "TINY": base, "MINE-": prefix}
        for old, new in own.items():
            texts = {path: text.replace(old, new) for path, text in texts.items()}
        return Repository(sandbox(texts), prefix, run_homeport, cache)

    return make


@pytest.fixture
def make(
    sandbox: Sandbox,
    run_homeport: RunHomeport,
    docker_session: DockerSession,
    tiny_image: str,
    tmp_path: Path,
) -> Make:
    """Makes repositories of the stack above, or others, on the tiny base image."""
    return maker(sandbox, run_homeport, docker_session, tiny_image, tmp_path / "cache")


def image_id(name: str) -> str:
    done = subprocess.run(
        ["docker", "image", "inspect", "--format", "{{.Id}}", name], capture_output=True, text=True
    )
    return done.stdout.strip() if done.returncode == 0 else ""


def commit(name: str, command: str, session_label: str) -> None:
    """Patch an image by hand, as people do in a hurry: under the same name, with all its labels."""
    container = docker("run", "--detach", "--label", session_label, name, "sh", "-c", command)
    try:
        docker("wait", container)
        docker("commit", container, name)
    finally:
        docker("rm", "--force", container)


def own_records() -> set[str]:
    """The builds that this session has asked an engine for, as buildx notes them (docker/buildx localstate).

    The engine's own list would forget them while others build: it holds some fifty.
    """
    state = Path(os.environ["DOCKER_CONFIG"]) / "buildx" / "refs"
    found = {path.relative_to(state).parts for path in state.rglob("*") if path.is_file()}
    # Builder, node and build; what else lies there is a version, and groups of targets.
    return {"/".join(parts) for parts in found if len(parts) == 3 and parts[0] != "__group__"}

"""The compose command: what it knows of a repository, and what it starts."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from homeport.engine import process
from homeport.engine.containers import ContainerProblem
from homeport.errors import DefinitionError

OWN_FIELD = "x-homeport"
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*=")
_UP_SECONDS = 600.0


def image_names(files: Sequence[str], cwd: Path) -> dict[str, tuple[str, ...]]:
    """By bake target: the name Compose gives the image of a service that has none (``project-service``).

    Bake leaves such images without a name, and Compose would then build them again. ``files`` are Compose
    files; none: Compose's own look-up. Empty where Compose can't load them or is too old to say.
    """
    argv = ["docker", "compose", *(f"--file={file}" for file in files), "build", "--print"]
    done = process.run(argv, cwd=cwd)
    try:
        targets = json.loads(done.stdout)["target"]
        return {name: tuple(map(str, spec.get("tags") or ())) for name, spec in targets.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def config(files: Sequence[str], cwd: Path) -> dict[str, Any]:
    """The project as Compose resolves it. It holds the values of variables: never write it down as it is.

    Raises DefinitionError with Compose's words.
    """
    argv = ["docker", "compose", *(f"--file={file}" for file in files), "config", "--format"]
    with ThreadPoolExecutor(1) as pool:
        # Compose's JSON leaves out what services have under x-; its YAML has it.
        complete = pool.submit(process.run, [*argv, "yaml"], cwd=cwd)
        done = process.run([*argv, "json"], cwd=cwd)
    try:
        document: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        document = {}
    if done.code != 0 or not document.get("services"):
        said = done.stderr.strip()
        if "no configuration file provided" in said:
            raise DefinitionError(
                f"There is no Compose file in {cwd}.",
                hint="Run this in your repository's root, or name the file with --file.",
            )
        raise DefinitionError(
            "Compose can't read the project.",
            cause=said.splitlines()[-1] if said else "It has no services.",
            hint="Correct it there; 'docker compose config' shows the same.",
            detail="\n".join(said.splitlines()[:-1]),
        )
    for name, spec in document["services"].items():
        # Compose names the images that it builds so, unless the file names them.
        spec.setdefault("image", f"{document.get('name')}-{name}")
    for name, own in _own_fields(complete.result().stdout).items():
        document["services"][name][OWN_FIELD] = own
    return document


def version() -> str:
    """Compose's version (``2.40.3``); empty if it doesn't say."""
    return process.run(["docker", "compose", "version", "--short"]).stdout.strip()


def environment(files: Sequence[str], cwd: Path) -> str:
    """The variables that Compose resolves a project with, as it lists them: this process' and ``.env``'s."""
    argv = ["docker", "compose", *(f"--file={file}" for file in files), "config", "--environment"]
    return process.run(argv, cwd=cwd).stdout


def variable(name: str, listed: str) -> str:
    """The value of a variable in what :func:`environment` says; perhaps with some that isn't its own.

    Compose quotes nothing: a value of several lines ends where the next line can begin another variable.
    """
    lines = listed.splitlines()
    start = next((at for at, line in enumerate(lines) if line.startswith(f"{name}=")), len(lines))
    end = next((at for at in range(start + 1, len(lines)) if _VARIABLE.match(lines[at])), len(lines))
    return "\n".join(lines[start:end]).removeprefix(f"{name}=")


def logs(project: str, services: Sequence[str], *, follow: bool, lines: int, since: str) -> int:
    """Show what containers write, as Compose does; returns its exit code."""
    words = ["--follow"] * follow + [f"--tail={lines}"] * bool(lines) + [f"--since={since}"] * bool(since)
    return process.attached(["docker", "compose", f"--project-name={project}", "logs", *words, *services])


def down(project: str) -> None:
    """Stop and remove the containers and networks of a project; volumes stay. Raises ContainerProblem."""
    done = process.run(
        ["docker", "compose", "--progress=quiet", f"--project-name={project}", "down", "--remove-orphans"],
        timeout=_UP_SECONDS,
    )
    if done.code != 0:
        raise ContainerProblem(f"Not all of {project} could be removed.", detail=done.stderr.strip())


def _own_fields(text: str) -> dict[str, Any]:
    """By service what stands under ``x-homeport``, in Compose's YAML."""
    if OWN_FIELD not in text:
        return {}
    from ruamel.yaml import YAML

    services = YAML(typ="safe", pure=True).load(text)["services"]
    return {name: spec[OWN_FIELD] for name, spec in services.items() if spec and OWN_FIELD in spec}


def up(document: Mapping[str, Any], counts: Mapping[str, int], cwd: Path) -> None:
    """Make and start so many containers of services of a document; what runs already stays as it is.

    Raises ContainerProblem with Compose's words.
    """
    words = ["up", "--detach", "--no-deps", "--no-recreate", "--no-build"]
    scale = [f"--scale={name}={count}" for name, count in counts.items()]
    _apply(document, [*words, *scale], list(counts), cwd)


def create(
    document: Mapping[str, Any], services: Sequence[str], cwd: Path, counts: Mapping[str, int] | None = None
) -> None:
    """Make the containers of these services without starting them. Raises ContainerProblem.

    So many as the document says, or ``counts``.
    """
    scale = [f"--scale={name}={count}" for name, count in (counts or {}).items()]
    _apply(document, ["create", "--no-recreate", "--no-build", *scale], services, cwd)


def _apply(document: Mapping[str, Any], words: Sequence[str], services: Sequence[str], cwd: Path) -> None:
    # By standard input: it holds the values of variables, which belong into no file and no command line.
    # The name is said here, too: COMPOSE_PROJECT_NAME, also of .env, goes before a document's own.
    project = [f"--project-name={document['name']}", f"--project-directory={cwd}"]
    argv = ["docker", "compose", "--progress=quiet", "--file=-", *project, *words]
    done = process.run(
        [*argv, "--", *services],
        stdin=json.dumps(document),
        cwd=cwd,
        timeout=_UP_SECONDS,
        env={"COMPOSE_IGNORE_ORPHANS": "1"},
    )
    if done.code != 0:
        said = done.stderr.strip()
        raise ContainerProblem(
            f"Compose can't start {', '.join(services[:5])}.",
            cause=said.splitlines()[-1] if said else "",
            detail="\n".join(said.splitlines()[:-1]),
        )

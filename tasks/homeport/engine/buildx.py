"""Talk to buildx: what the targets are, which builder there is, and one build as a child process."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from homeport.engine import api, process
from homeport.engine.docker import Plugin, require_buildx
from homeport.errors import DefinitionError, EnvironmentProblem, UsageError
from homeport.model.targets import Definition, parse_definition, select

BUILD_ENVIRONMENT = {
    # Provenance that nobody asked for gives every rebuild a new index digest and costs about a tenth of
    # the time; attestations that the definition itself asks for are kept.
    "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
    # The same document in the metadata file, for which buildx would wait once more.
    "BUILDX_METADATA_PROVENANCE": "disabled",
}

BAKE_FILES = (
    "docker-bake.json",
    "docker-bake.hcl",
    "docker-bake.override.json",
    "docker-bake.override.hcl",
)
COMPOSE_FILES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
"""Where bake looks by itself: https://docs.docker.com/build/bake/reference/#file-format"""

_PROGRESS_LINE = re.compile(r"^#\d+ ")
_LOOP = re.compile(r"infinite loop from (\S+) to (\S+)")


@dataclass(frozen=True)
class Builder:
    """A buildx builder: its name and its driver (``docker``, ``docker-container``, ...)."""

    name: str
    driver: str

    @property
    def shares_engine_images(self) -> bool:
        """Whether builds see, and leave, images in the engine's own store."""
        return self.driver == "docker"


def command(plugin: Plugin) -> tuple[str, ...]:
    """The start of a buildx command line.

    The plugin is itself a program (buildx calls this stand-alone mode): started directly it takes half of
    the processor time of ``docker buildx``, which counts where fifty are started.
    """
    return (plugin.path,) if plugin.path and Path(plugin.path).is_file() else ("docker", "buildx")


def builder(buildx: Sequence[str], name: str = "") -> Builder:
    """The builder called ``name``, or the current one. Raises UsageError or EnvironmentProblem."""
    name = name or os.environ.get("BUILDX_BUILDER", "")
    if not name and api.context() == "default" and not _has_own_builders():
        return Builder("default", "docker")
    done = process.run([*buildx, "ls", "--format", "json"])
    found = parse_builders(done.stdout)
    chosen = [item for item in found if (item["Name"] == name if name else item.get("Current"))]
    if not chosen and name:
        known = ", ".join(str(item["Name"]) for item in found)
        raise UsageError(
            f"There is no builder named {name!r}.",
            hint=f"Builders: {known}. Make one with 'docker buildx create --name {name}'.",
        )
    if not chosen:
        # buildx before 0.13 knows no JSON here; what it then builds with is the docker driver's default.
        return Builder("default", "docker")
    if chosen[0].get("Err") and not chosen[0].get("Driver"):
        raise EnvironmentProblem(
            f"The builder {chosen[0]['Name']!r} can't be used.",
            cause=str(chosen[0]["Err"]),
            hint="Look at it with 'docker buildx ls'.",
        )
    return Builder(str(chosen[0]["Name"]), str(chosen[0].get("Driver") or "docker"))


def _has_own_builders() -> bool:
    """Whether somebody made a builder; else there is only the engine itself, one for each context.

    Where they are noted: docker/buildx store/storeutil, ``$BUILDX_CONFIG`` or ``buildx`` beside the settings.
    """
    folder = Path(os.environ.get("BUILDX_CONFIG") or api.config_folder() / "buildx")
    try:
        return any((folder / "instances").iterdir())
    except OSError:
        return False


def version(buildx: Sequence[str]) -> str:
    """The version of buildx (``0.29.1``); empty if it doesn't say."""
    words = process.run([*buildx, "version"]).stdout.split()
    return words[1] if len(words) > 1 else ""


def parse_builders(text: str) -> list[dict[str, Any]]:
    """The builders of ``buildx ls --format json``: one JSON object a line."""
    found = []
    for line in text.splitlines():
        try:
            item = json.loads(line)
        except ValueError:
            continue
        if isinstance(item, dict) and item.get("Name"):
            found.append(item)
    return found


def definition(
    buildx: Sequence[str], files: Sequence[str], names: Sequence[str], cwd: Path
) -> tuple[Definition, tuple[str, ...]]:
    """The resolved targets: those asked for with what they link to, and all others of the same files.

    ``names`` are targets or groups (none: the group ``default``); ``files`` as for ``bake -f`` (none:
    bake's own look-up). Returns the definition and warnings. Raises DefinitionError and UsageError.
    """
    with ThreadPoolExecutor(2) as pool:
        listing = pool.submit(_list, buildx, files, cwd)
        printing = pool.submit(_print, buildx, files, names, cwd)
        known, groups = listing.result()
        asked = printing.result()
    chosen: tuple[str, ...] = ()
    if known is not None:
        names = select(names, known, groups)
        if not names and "default" not in (*known, *groups):
            # What stands in a group is meant to be built; what stands in none may only be inherited from.
            names = groups or known
            asked = _print(buildx, files, names, cwd)
            chosen = (
                f"The bake file has no group 'default': building {'its groups' if groups else 'all targets'} "
                f"{', '.join(names)}. Choose with --targets or [build] targets.",
            )
    if asked.code != 0:
        raise _definition_error(buildx, files, names, cwd, asked, known)
    if known is None:
        require_buildx(version(buildx))
    found = parse_definition(asked.stdout)
    warnings = (*chosen, *_warnings(asked.stderr))
    if known is None and names:
        warnings = (
            *warnings,
            "This buildx can't list targets (0.20 can): a base that only a tag in FROM "
            "names is built first only if you name it, too.",
        )
    others = [name for name in known or () if name not in found.targets]
    if not others:
        return found, warnings
    # The rest is needed only to know which tags they produce: what can't be resolved there is no error here.
    rest = _print(buildx, files, others, cwd)
    if rest.code != 0:
        return found, (*warnings, f"Targets not asked for can't be resolved: {_said(rest.stderr)}")
    extra = parse_definition(rest.stdout)
    return Definition({**extra.targets, **found.targets}, found.requested), warnings


def build_argv(
    buildx: Sequence[str], *, metadata: Path, builder_name: str = "", allow: Sequence[str] = ()
) -> list[str]:
    """The argv of one build whose definition comes by standard input.

    By standard input, because then no argument, label or name stands in a command line for others to see,
    and none can be taken for an option.
    """
    argv = [*buildx]
    if builder_name:
        argv += ["--builder", builder_name]
    argv += ["bake", "--progress=rawjson", "--metadata-file", str(metadata)]
    argv += [f"--allow={entry}" for entry in allow]
    return [*argv, "-f", "-"]


@dataclass(frozen=True)
class Outcome:
    """How one process ended: its exit code, by target the digest and record, the text after the stream."""

    code: int
    images: Mapping[str, tuple[str, str]] = field(default_factory=dict, hash=False)
    tail: str = ""


def build(
    child: process.Child,
    document: Mapping[str, Any],
    metadata: Path,
    on_message: Callable[[dict[str, Any]], None],
) -> Outcome:
    """Feed a started build its definition and pass on its progress; returns at its end."""
    tail: list[str] = []
    for line in child.stderr_lines(json.dumps(document)):
        message = _json_object(line)
        if message is None:
            tail.append(line)
        else:
            on_message(message)
    code = child.wait()
    return Outcome(code, read_metadata(metadata) if code == 0 else {}, "\n".join(tail))


def read_metadata(path: Path) -> dict[str, tuple[str, str]]:
    """By target: image digest and build record reference; empty texts where the file doesn't say."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {
        name: (str(entry.get("containerimage.digest", "")), str(entry.get("buildx.build.ref", "")))
        for name, entry in document.items()
        if isinstance(entry, dict)
    }


def _json_object(line: str) -> dict[str, Any] | None:
    if not line.startswith("{"):
        return None
    try:
        message = json.loads(line)
    except ValueError:
        return None
    return message if isinstance(message, dict) else None


def _print(buildx: Sequence[str], files: Sequence[str], names: Sequence[str], cwd: Path) -> process.Completed:
    argv = [*buildx, "bake", "--progress=plain", "--print", *(f"--file={file}" for file in files)]
    return process.run([*argv, "--", *names], cwd=cwd)


def _list(
    buildx: Sequence[str], files: Sequence[str], cwd: Path
) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
    """All targets and groups of the files; None where this buildx can't list them or they don't parse."""
    argv = [*buildx, "bake", "--list=type=targets,format=json", *(f"--file={file}" for file in files)]
    done = process.run(argv, cwd=cwd)
    try:
        items = json.loads(done.stdout)
        targets = tuple(str(item["name"]) for item in items if not item.get("group"))
        groups = tuple(str(item["name"]) for item in items if item.get("group"))
    except (ValueError, KeyError, TypeError):
        return None, ()
    return targets, groups


def _definition_error(
    buildx: Sequence[str],
    files: Sequence[str],
    names: Sequence[str],
    cwd: Path,
    done: process.Completed,
    known: tuple[str, ...] | None,
) -> DefinitionError:
    said = _said(done.stderr)
    if "couldn't find a bake definition" in said:
        return DefinitionError(
            f"There is no bake file and no Compose file in {cwd}.",
            hint="Run this in your repository's root, or name the file with --file. Bake looks for "
            "docker-bake.hcl, docker-bake.json, compose.yaml, compose.yml and docker-compose.yml.",
        )
    if "failed to find target default" in said and not names:
        return DefinitionError(
            "The bake file has no group or target named 'default', so it doesn't say what to build.",
            hint='Name targets with --targets, or add: group "default" { targets = [...] }.'
            + (f" Targets: {', '.join(known[:20])}." if known else ""),
        )
    if loop := _LOOP.search(said):
        members = _loop_members(buildx, files, cwd, loop[1], loop[2])
        return DefinitionError(
            f"The targets depend on each other in a circle: {' -> '.join(members)}.",
            cause="Each of them needs the next one to be built first.",
            hint="Take one of these 'target:' contexts out.",
        )
    return DefinitionError(
        "Bake can't read the build definition.",
        cause=said.splitlines()[-1].removeprefix("ERROR: ") if said else "",
        hint="Correct it there; 'docker buildx bake --print' shows the same.",
        detail="\n".join(said.splitlines()[:-1]),
    )


def _loop_members(
    buildx: Sequence[str], files: Sequence[str], cwd: Path, needs: str, needed: str
) -> tuple[str, ...]:
    """All members of a circle, in order. Bake names only its last link ("infinite loop from c to a").

    Asked for c itself, it names the link that closes the circle at c, and so on, back to a.
    """
    backwards = [needed, needs]
    while backwards[-1] != needed and len(backwards) < 200:
        said = _print(buildx, files, [backwards[-1]], cwd).stderr
        loop = _LOOP.search(said)
        if loop is None or loop[2] != backwards[-1] or loop[1] in backwards[1:]:
            # Another circle crosses this one: what is known so far is true, if not whole.
            return tuple(reversed(backwards))
        backwards.append(loop[1])
    return tuple(reversed(backwards))


def _said(stderr: str) -> str:
    """What bake said, without its own progress lines."""
    return "\n".join(line for line in stderr.splitlines() if not _PROGRESS_LINE.match(line)).strip()


def _warnings(stderr: str) -> tuple[str, ...]:
    lines = (line.partition("WARNING: ")[2] for line in stderr.splitlines() if "WARNING: " in line)
    return tuple(dict.fromkeys(line.strip() for line in lines if line.strip()))

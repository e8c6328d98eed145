"""``ci.generate`` from end to end: facts -> plan -> write -> report."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from rich.text import Text

from homeport.ci import github, gitlab, marked, pipeline, show
from homeport.ci.marked import State, Step, folder_of
from homeport.ci.pipeline import Provider, Work
from homeport.errors import EXIT_FAILED, UsageError, did_you_mean
from homeport.model.config import BuildConfig, CiConfig
from homeport.report.console import make_console, show_warnings
from homeport.report.difference import show_difference
from homeport.report.document import check_file, write_json
from homeport.sources.replace import write

PROVIDERS: Mapping[str, Provider] = MappingProxyType({"github": github, "gitlab": gitlab})


@dataclass(frozen=True)
class Request:
    """What is asked for; ``warnings`` are those of whoever read the targets."""

    cwd: Path
    work: Work
    top: Path
    """Git's top level, below which workflows have to lie; without git the folder itself."""
    folder: str = ""
    """The way from there to ``cwd``."""
    config: CiConfig = field(default_factory=CiConfig)
    build: BuildConfig = field(default_factory=BuildConfig)
    check: bool = False
    dry_run: bool = False
    force: bool = False
    json: str = ""
    warnings: tuple[str, ...] = ()


def run(request: Request) -> int:
    """Write the provider's files; returns 1 if ``check`` finds that they would be others, else 0.

    Raises HomeportError; then no file was changed.
    """
    console = make_console(sys.stderr if request.json == "-" else sys.stdout)
    if request.json:
        check_file(request.json, "--json")
    provider = choose(request.config.provider)
    times = seconds(request.cwd, request.config)
    made = pipeline.make(request.work, request.config, request.build, times, request.folder)
    files = provider.files(made)
    sources = {path: _bytes(request.top / path) for path in files}
    steps = marked.make(files, {path: _text(path, data) for path, data in sources.items()}, request.folder)
    looks_only = request.check or request.dry_run
    if not looks_only and not request.force:
        _refuse(steps)
    left = _left_over(request, files)
    warnings = (*request.warnings, *pipeline.warnings(request.work, request.build), *left)
    show_warnings(warnings, console)
    show.shards(made.shards, console)
    console.print()
    show.files(steps, console)
    if looks_only and (text := show.changes(steps)):
        console.print()
        show_difference(text, console)
    if not looks_only:
        _write(request.top, steps, sources)
    console.print(Text(show.last_line(steps, wrote=not looks_only)))
    if request.json:
        write_json(request.json, show.document(made.shards, steps, warnings, wrote=not looks_only))
    return EXIT_FAILED if request.check and any(step.state is not State.SAME for step in steps) else 0


def choose(name: str) -> Provider:
    """The provider of that name. Raises UsageError if there is none."""
    if name not in PROVIDERS:
        raise UsageError(
            f"There is no CI provider {name!r}.",
            cause=did_you_mean(name, PROVIDERS),
            hint=f"--provider and [ci] provider take {', '.join(PROVIDERS)}.",
        )
    return PROVIDERS[name]


def seconds(cwd: Path, config: CiConfig) -> dict[str, float]:
    """By target how long its build took, from ``[ci] times``. Raises UsageError for no times."""
    name = config.times
    if not name:
        return {}
    try:
        document = json.loads((cwd / name).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(
            f"[ci] times: {name} can't be read: {getattr(error, 'strerror', None) or error}.",
            hint=f"'homeport build --parallel --no-skip --json {name}' writes one.",
        ) from error
    return pipeline.times(document, name)


def _left_over(request: Request, files: Mapping[str, str]) -> tuple[str, ...]:
    """Warnings of files beside these that were generated for the stack under another name, and still run."""
    found = []
    folders = {(request.top / path).parent for path in files}
    for path in sorted(path for folder in folders for path in folder.glob("*.yml")):
        name = path.relative_to(request.top).as_posix()
        text = (_bytes(path) or b"").decode("utf-8", "replace") if name not in files else ""
        if marked.state(text) is not State.FOREIGN and folder_of(text) == request.folder:
            found.append(f"{name} was generated for this stack under another name: remove it.")
    return tuple(found)


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror or error}.") from error


def _text(path: str, data: bytes | None) -> str | None:
    try:
        return None if data is None else data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is no UTF-8.", hint="Move it away or correct it.") from error


def _refuse(steps: Sequence[Step]) -> None:
    """Raise UsageError if a file has something in it that would be lost."""
    for step in steps:
        if step.state is State.FOREIGN:
            raise UsageError(
                f"{step.path} is there, and homeport didn't write it.",
                hint="Move it away, or overwrite it with --force; --dry-run shows the difference.",
            )
        if step.state is State.ELSEWHERE:
            other = folder_of(step.before or "") or "git's top level"
            raise UsageError(
                f"{step.path} is of the stack in {other}.",
                cause="Each stack of a repository needs workflows of its own names.",
                hint='Give this one a name: [ci] name = "..." in its homeport.toml. If the stack has moved, '
                "--force takes the file over.",
            )
        if step.state is State.EDITED:
            raise UsageError(
                f"{step.path} was edited by hand.",
                cause="Its digest doesn't fit what stands outside of the regions that are kept.",
                hint="Move the edit into such a region ('# homeport: keep begin'), or overwrite it with "
                "--force; --dry-run shows the difference.",
            )
        if step.lost:
            raise UsageError(
                f"{step.path}: there is no place any more for what is kept in {', '.join(step.lost)}.",
                cause="The job that it belonged to is no longer generated.",
                hint="Move it to another region, or let go of it with --force.",
            )


def _write(top: Path, steps: Sequence[Step], sources: Mapping[str, bytes | None]) -> None:
    changed = {top / step.path: step for step in steps if step.state is not State.SAME}
    for path in changed:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"The folder {path.parent} can't be made: {error.strerror or error}.") from error
    write(
        {path: step.after.encode() for path, step in changed.items()},
        {path: sources[step.path] for path, step in changed.items()},
    )

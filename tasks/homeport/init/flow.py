"""``init`` from end to end: facts -> plan -> write -> report."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from rich.text import Text

from homeport.engine import git
from homeport.engine.buildx import BAKE_FILES, COMPOSE_FILES
from homeport.errors import DefinitionError, UsageError
from homeport.init import plan as planning
from homeport.init.plan import Known
from homeport.report.console import make_console
from homeport.report.document import check_file, write_json

SCHEMA = "homeport.init/1"


@dataclass(frozen=True)
class Request:
    """What is asked for. ``tasks``: a ``tasks.py``, too."""

    root: Path
    tasks: bool = False
    dry_run: bool = False
    json: str = ""


def run(request: Request) -> int:
    """Write the files that aren't there yet, and say what to do next.

    Raises DefinitionError where there is nothing to build or deploy, UsageError for a folder that can't be
    written to.
    """
    if request.json:
        check_file(request.json, "--json")
    console = make_console(sys.stderr if request.json == "-" else sys.stdout)
    plan = planning.make(_known(request.root), tasks=request.tasks)
    for name in plan.kept:
        console.print(Text(f"{name} is there already, and stays as it is."))
    for name, text in plan.files.items():
        console.print(Text(f"{'would be written' if request.dry_run else 'written'}: {name}", style="bold"))
        for line in text.splitlines():
            console.print(Text(f"  {line}"), soft_wrap=True)
        if not request.dry_run:
            _write(request.root / name, text)
    for note in plan.notes:
        console.print(Text(f"note: {note}"), soft_wrap=True)
    console.print()
    console.print(Text("Next: homeport doctor, then homeport build --parallel --dry-run."))
    if request.json:
        document = {
            "schema": SCHEMA,
            "files": plan.files,
            "kept": list(plan.kept),
            "written": not request.dry_run,
        }
        write_json(request.json, document)
    return 0


def _known(root: Path) -> Known:
    try:
        names = frozenset(one.name for one in root.iterdir() if one.is_file())
    except OSError as error:
        raise UsageError(f"{root} can't be read: {error.strerror}.") from error
    if not names & {*BAKE_FILES, *COMPOSE_FILES}:
        raise DefinitionError(
            f"There is no bake file and no Compose file in {root}.",
            cause="homeport works by them, and makes none.",
            hint="Run this in your repository's root.",
        )
    return Known(names, git.remote(root), git.main_branch(root))


def _write(path: Path, text: str) -> None:
    try:
        # Only if it isn't there: whoever made it meanwhile keeps it.
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(f"{path} can't be written: {error.strerror}.") from error

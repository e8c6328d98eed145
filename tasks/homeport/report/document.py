"""The JSON documents that ``--json`` writes; ``schema`` names the format and its version."""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from homeport.errors import NotWritable
from homeport.model.result import BuildResult

BUILD_SCHEMA = "homeport.build/1"
_UNUSUAL = re.compile(r"[^A-Za-z0-9._-]")
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|\Z)", re.IGNORECASE)


def build_document(result: BuildResult) -> dict[str, Any]:
    """A build as JSON. Times are seconds; ``started`` counts from ``started_at`` (epoch seconds)."""
    path, length = result.critical_path()
    return {
        "schema": BUILD_SCHEMA,
        "ok": result.ok,
        "interrupted": result.interrupted,
        "project": result.project,
        "started_at": round(result.started_at, 3),
        "seconds": round(result.seconds, 3),
        "sequential_seconds": dict(
            zip(
                ("at_least", "at_most"), (round(value, 3) for value in result.sequential_range()), strict=True
            )
        ),
        "jobs": result.jobs,
        "batches": [list(batch) for batch in result.batches],
        "critical_path": {"targets": list(path), "seconds": round(length, 3)},
        "warnings": list(result.warnings),
        "facts": dict(result.facts),
        "targets": [_rounded({**asdict(target), "status": target.status.value}) for target in result.targets],
    }


def write_json(path: str, document: dict[str, Any]) -> None:
    """Write a document to ``path``; ``-`` is standard output. Raises UsageError if it can't be written."""
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    if path == "-":
        # JSON is UTF-8, whatever the terminal's encoding is.
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode("utf-8", errors="replace"))
        sys.stdout.buffer.flush()
    else:
        write_text(Path(path), text)


def make_folder(path: Path, option: str = "--report") -> None:
    """Make a folder for reports, before the work whose report it is to hold, and try to write there.

    Raises UsageError.
    """
    doing = "made"
    try:
        path.mkdir(parents=True, exist_ok=True)
        doing = "written to"
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise NotWritable(
            f"The folder {str(path)!r} can't be {doing}: {error.strerror}.",
            str(path),
            hint=f"Choose another {option}.",
        ) from error


def check_file(path: str, option: str) -> None:
    """Raise UsageError, before the work, for a path that can't become a file; ``-`` is standard output."""
    if path == "-":
        return
    if Path(path).is_dir():
        raise NotWritable(
            f"{option} {path!r} is a folder.", path, hint="Name a file, or '-' for standard output."
        )
    # One that is there may be written though its folder may not: /dev/null.
    if not Path(path).exists():
        make_folder(Path(path).parent, option)
    elif not os.access(path, os.W_OK):
        raise NotWritable(f"The file {path!r} can't be written.", path, hint=f"Choose another {option}.")


def file_name(text: str) -> str:
    """A text as a file's name on every system: without what file systems don't like, and no device's name.

    Windows has devices in every folder and with every ending:
    https://learn.microsoft.com/en-us/windows/win32/fileio/naming-a-file.
    """
    name = _UNUSUAL.sub("_", text)
    return f"_{name}" if _DEVICE.match(name) else name


def write_text(path: Path, text: str) -> None:
    """Write a file, its folders made. Raises UsageError with the system's reason if that is impossible."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Lone surrogates (undecodable names) must not cost the whole report.
        path.write_bytes(text.encode("utf-8", errors="replace"))
    except OSError as error:
        raise NotWritable(
            f"The file {str(path)!r} can't be written: {error.strerror}.",
            str(path),
            hint="Choose another --json or --report.",
        ) from error


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value

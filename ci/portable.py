"""What breaks on Windows and neither ruff nor mypy sees: line ends that change, paths that only POSIX has.

    python ci/portable.py [FOLDER ...]     list what is wrong (none named: all that is to run on Windows)

1. Text is written with ``newline=``, or as bytes: else every line ends in CRLF there, which fingerprints,
   digests and shells inside of Linux containers take for something else.
2. A path from the root, such as ``/dev/null``, isn't given to what opens or looks at files of this machine.
   Paths in containers go elsewhere. A line with ``# posix: REASON`` may, after a look at what happens there.

ci/lint.py runs it. Only the standard library is used.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = (
    "tasks",
    "tasks.py",
    "bench",
    *(f"ci/{name}.py" for name in ("bootstrap", "callers", "demo", "lint")),
)
"""What claims to run on Windows; the rest of ci/ makes an engine on Debian."""
_TEXT_MODES = re.compile(r"[wax+]")
_ARCHIVES = {"tarfile", "zipfile", "gzip", "bz2", "lzma"}
_FROM_THE_ROOT = re.compile(r"/[a-z]")
_LOOKS_AT_FILES = {
    *(
        "Path",
        "open",
        "listdir",
        "scandir",
        "stat",
        "lstat",
        "access",
        "exists",
        "lexists",
        "isfile",
        "isdir",
    ),
    *(
        "readlink",
        "realpath",
        "mkdir",
        "makedirs",
        "remove",
        "unlink",
        "chdir",
        "disk_usage",
        "walk",
        "statvfs",
    ),
}


def problems(source: str) -> Iterator[tuple[int, str]]:
    """What is wrong in a Python file: the line, from 1, and why."""
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        given = {keyword.arg for keyword in node.keywords}
        if _writes_text(node, name) and "newline" not in given:
            yield node.lineno, f"{name}() without newline= ends lines with CRLF on Windows"
        if (
            name in _LOOKS_AT_FILES
            and (path := _root_path(node))
            and "# posix:" not in lines[node.lineno - 1]
        ):
            yield node.lineno, f"{path} is no path of Windows"


def _writes_text(node: ast.Call, name: str) -> bool:
    if name == "write_text":
        # A function of ours that has this name writes bytes.
        return isinstance(node.func, ast.Attribute)
    on = node.func.value if isinstance(node.func, ast.Attribute) else None
    owner = on.id if isinstance(on, ast.Name) else ""
    if name not in {"open", "fdopen"} or owner in _ARCHIVES:
        return False
    # open() takes the mode second, a path's own open() first.
    place = 0 if on is not None and owner not in {"io", "os"} else 1
    said: list[ast.expr] = [keyword.value for keyword in node.keywords if keyword.arg == "mode"]
    said += node.args[place : place + 1]
    modes = [one.value for one in said if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    return any("b" not in mode and _TEXT_MODES.search(mode) for mode in modes)


def _root_path(node: ast.Call) -> str:
    first = node.args[0] if node.args else None
    if isinstance(first, ast.JoinedStr):
        first = first.values[0]
    text = first.value if isinstance(first, ast.Constant) else None
    return text if isinstance(text, str) and _FROM_THE_ROOT.match(text) else ""


def main(folders: list[str]) -> int:
    """Look at every Python file of these folders; 1 if anything is wrong."""
    found = 0
    for folder in folders or FOLDERS:
        place = ROOT / folder
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            for line, why in problems(path.read_text(encoding="utf-8")):
                found += 1
                print(f"{path.relative_to(ROOT).as_posix()}:{line}: {why}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

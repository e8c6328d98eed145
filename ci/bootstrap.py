"""The first step of everything: a virtual environment in .venv with homeport and its tools in it.

    python ci/bootstrap.py             make or update .venv; instant when nothing changed
    python ci/bootstrap.py --clean     remove .venv and every cache that the tools left

The first Python from 3.10 on that can make one is used: the one that runs this, else the newest on PATH.
The variable PYTHON names another. This file is kept readable for Python 3.7, so that an old Python can
still say what is missing.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "homeport-stamp"
OLDEST = (3, 10)
NEWER = ("python3.14", "python3.13", "python3.12", "python3.11", "python3.10", "python3", "python")
QUESTION = """\
import sys
try:
    import ensurepip, venv
    complete = 1
except ImportError:
    complete = 0
print(sys.version_info[0], sys.version_info[1], complete)
"""
CACHES = (".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", ".import_linter_cache")
SOURCES = ("bench", "ci", "examples", "tasks", "tests")


class BootstrapError(Exception):
    """What is missing, and how to get it."""


def python_in(venv: Path) -> Path:
    """Where a virtual environment has its Python on this system."""
    return venv / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def wanted_stamp() -> str:
    """What .venv depends on: the place of the project (scripts in it hold the path), and its declaration."""
    return f"{ROOT}\n{hashlib.sha256((ROOT / 'pyproject.toml').read_bytes()).hexdigest()}\n"


def stamp() -> str:
    """What .venv was made from. It is written last, so that an interrupted run has none."""
    return STAMP.read_text(encoding="utf-8") if STAMP.is_file() else ""


def candidates(chosen: str) -> list[list[str]]:
    """The commands that may be a Python, best first. A choice by the user is the only one."""
    if chosen:
        return [[chosen]]
    launcher = [["py", "-3"]] if sys.platform == "win32" else []
    return [[sys.executable], *([name] for name in NEWER), *launcher]


def ask(command: list[str]) -> tuple[tuple[int, int], bool] | None:
    """Its version, and whether it can make a virtual environment; None if it can't even run."""
    try:
        result = subprocess.run(
            [*command, "-c", QUESTION], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8"
        )
        major, minor, complete = (int(word) for word in result.stdout.split())
    except (OSError, ValueError):
        return None
    return (major, minor), bool(complete)


def find_python(chosen: str) -> list[str]:
    """The first Python that is new enough and complete; on Debian the missing part can be installed."""
    incomplete: tuple[list[str], tuple[int, int]] | None = None
    seen: list[str] = []
    for command in candidates(chosen):
        answer = ask(command)
        if answer is None:
            continue
        version, complete = answer
        seen.append(f"{' '.join(command)} is {version[0]}.{version[1]}")
        if version < OLDEST:
            continue
        if complete:
            return command
        incomplete = incomplete or (command, version)
    if incomplete is None:
        raise BootstrapError(_no_python(chosen, seen))
    _complete(*incomplete)
    return incomplete[0]


def _no_python(chosen: str, seen: list[str]) -> str:
    oldest = ".".join(str(number) for number in OLDEST)
    if chosen:
        found = "; ".join(seen) or f"{chosen} can't be run"
        return f"PYTHON={chosen} was asked for, and homeport needs Python {oldest} or newer ({found})."
    found = "; ".join(seen) or "none was found on PATH"
    return (
        f"homeport needs Python {oldest} or newer ({found}).\n"
        "Install one: https://www.python.org/downloads/, `uv python install 3.13`, `brew install python`,\n"
        "or `winget install Python.Python.3.13`. If it is not on PATH: make setup PYTHON=/path/to/python"
    )


def _complete(command: list[str], version: tuple[int, int]) -> None:
    """Debian splits venv from Python; with root it can be had."""
    package = "python{}.{}-venv".format(*version)
    advice = f"{' '.join(command)} has no venv. On Debian and Ubuntu: sudo apt-get install {package}"
    if sys.platform == "win32" or not (shutil.which("apt-get") and os.geteuid() == 0):
        raise BootstrapError(advice)
    print(f"installing {package}", flush=True)
    install = ["apt-get", "install", "--yes", "--no-install-recommends", package]
    problem = _quietly(install)
    if problem:  # the package lists of a fresh machine may be missing or old
        _quietly(["apt-get", "update"])
        problem = _quietly(install)
    answer = ask(command)
    if problem or not (answer and answer[1]):
        raise BootstrapError(f"{advice}\n{problem}")


def _quietly(command: list[str]) -> str:
    """Run a program; return the last lines of its output if it failed."""
    result = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
    )
    lines = result.stdout.strip().splitlines()[-20:]
    return "\n".join([f"{' '.join(command)} failed:", *lines]) if result.returncode else ""


def make(chosen: str = "") -> None:
    """Make .venv, or bring it up to date; if it is broken, moved or of another Python, make it anew."""
    python = python_in(VENV)
    usable = stamp().startswith(f"{ROOT}\n") and python.exists()
    if usable and (chosen or stamp() != wanted_stamp()):
        answer = ask([str(python)])
        usable = answer is not None and answer[0] >= OLDEST and (not chosen or answer == ask([chosen]))
    if usable and stamp() == wanted_stamp():
        return
    if not usable:
        command = find_python(chosen)
        print(f"making {VENV} with {' '.join(command)}", flush=True)
        problem = _quietly([*command, "-m", "venv", "--clear", str(VENV)])
        if problem:
            raise BootstrapError(problem)
    print("installing homeport and its tools into .venv", flush=True)
    install = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
    problem = _quietly([*install, "--editable", f"{ROOT}[dev]"])
    if problem:
        raise BootstrapError(problem)
    STAMP.write_bytes(wanted_stamp().encode())


def clean() -> None:
    """Remove what `make` made and nothing else: .venv, caches, byte code, the notes of the installation."""
    folders = [VENV, *(ROOT / name for name in CACHES), *(ROOT / "tasks").glob("*.egg-info")]
    for source in SOURCES:
        folders += (ROOT / source).rglob("__pycache__")
    for folder in [*folders, ROOT / "__pycache__"]:
        if folder.is_dir():
            shutil.rmtree(folder)
            print(f"removed {folder.relative_to(ROOT)}")


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Make .venv with homeport and its tools in it.")
    parser.add_argument("--clean", action="store_true", help="remove .venv and all caches instead")
    options = parser.parse_args()
    try:
        clean() if options.clean else make(os.environ.get("PYTHON", ""))
    except BootstrapError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())

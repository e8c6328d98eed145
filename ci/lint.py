"""Every static check, each run even if an earlier one failed, so that one run shows all there is to fix.

python ci/lint.py          what `make lint`, CI and the pre-commit hook run; needs the tools of .venv
python ci/lint.py --fix    let ruff format and fix first
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
IMPORT_LINTER = (
    "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"
)
ON_WINDOWS = ("tasks/homeport", "ci", "bench", "tests/windows")
CHECKS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("ruff format", ("-m", "ruff", "format", "--check", ".")),
    ("ruff check", ("-m", "ruff", "check", ".")),
    ("mypy", ("-m", "mypy")),
    # What only POSIX has is an error, unless a branch on sys.platform keeps it away. The tests keep it away
    # by skips, which mypy can't follow. With a cache of its own: a common one would be thrown away each time.
    (
        "mypy as on Windows",
        (
            "-m",
            "mypy",
            "--platform=win32",
            "--cache-dir=.mypy_cache/win32",
            "--follow-imports=silent",
            *ON_WINDOWS,
        ),
    ),
    ("portable", ("ci/portable.py",)),
    ("import-linter", ("-c", IMPORT_LINTER)),
)
FIXES: tuple[tuple[str, ...], ...] = (
    ("-m", "ruff", "check", "--fix", "--quiet", "."),
    ("-m", "ruff", "format", "."),
)


def main() -> int:
    """Run the checks from the repository's root; exit 1 if any of them failed."""
    parser = argparse.ArgumentParser(description="Run every static check.")
    parser.add_argument("--fix", action="store_true", help="let ruff format and fix first")
    options = parser.parse_args()
    for arguments in FIXES if options.fix else ():
        subprocess.run([sys.executable, *arguments], cwd=ROOT)
    failed = []
    for name, arguments in CHECKS:
        started = time.monotonic()
        print(f"== {name}", flush=True)
        code = subprocess.run([sys.executable, *arguments], cwd=ROOT, stdin=subprocess.DEVNULL).returncode
        print(f"== {name}: {'failed' if code else 'ok'} ({time.monotonic() - started:.1f} s)", flush=True)
        if code:
            failed.append(name)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

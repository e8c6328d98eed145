"""Where a program lies, and whether Windows can be asked to start it.

Windows looks into the working directory before PATH, so a repository could bring its own ``docker.exe``; and
a name without an ending is only looked for as ``.exe`` when a process is started, not as ``.cmd``, which is
what npm and its like are there. So programs are looked up here, by PATH and PATHEXT alone. Elsewhere the
system does it.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PureWindowsPath

_ENDINGS = ".COM;.EXE;.BAT;.CMD"
_SPECIAL = frozenset('"%&|<>^!\r\n')
"""What cmd.exe reads in the arguments of a batch file by rules of its own, quoted or not (CVE-2024-1874)."""


def which(name: str, folders: str | None = None) -> str:
    """The path of a program on PATH, or in ``folders`` (as PATH names them); empty if it isn't there."""
    if sys.platform != "win32":
        return shutil.which(name, path=folders) or ""  # noqa: TID251 - it doesn't, elsewhere
    environment = dict(os.environ) if folders is None else {**os.environ, "PATH": folders}
    found = (str(path) for path in places(name, environment, str(Path.cwd())) if Path(path).is_file())
    return next(found, "")


def startable(argv: Sequence[str], cwd: Path | None) -> list[str]:
    """``argv`` as the system can start it: on Windows with the whole path of its program.

    Raises FileNotFoundError, or PermissionError for a batch file that can't be given such arguments.
    """
    if sys.platform != "win32":
        return list(argv)
    wanted = places(argv[0], os.environ, str(cwd or Path.cwd()))
    found = next((str(path) for path in wanted if Path(path).is_file()), "")
    if not found:
        raise FileNotFoundError(argv[0])
    if special := unsafe(found, argv[1:]):
        raise PermissionError(0, f"it is a batch file, which reads {special!r} in its arguments otherwise")
    return [found, *argv[1:]]


def places(name: str, environment: Mapping[str, str], cwd: str) -> Iterator[PureWindowsPath]:
    """Where Windows may have a program, the place that counts first: a name by PATH, a path from ``cwd``."""
    endings = [one for one in (environment.get("PATHEXT") or _ENDINGS).lower().split(";") if one]
    own = PureWindowsPath(name)
    names = [name] if own.suffix.lower() in endings else [f"{name}{one}" for one in endings]
    if any(char in name for char in "\\/:"):
        yield from (PureWindowsPath(cwd, one) for one in names)
        return
    for folder in environment.get("PATH", "").split(";"):
        where = PureWindowsPath(folder.strip('"'))
        # A relative one would be the working directory's again.
        if where.is_absolute():
            yield from (where / one for one in names)


def unsafe(program: str, arguments: Sequence[str]) -> str:
    """The first character of the arguments that a batch file would not take as it is; empty for none."""
    if PureWindowsPath(program).suffix.lower() not in {".bat", ".cmd"}:
        return ""
    return next((char for text in arguments for char in text if char in _SPECIAL), "")

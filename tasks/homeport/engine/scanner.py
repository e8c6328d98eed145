"""What every scanner of images does, and how its programs are run: with an end, and all stopped at once.

The backends are modules of their own: ``trivy.py`` and ``grype.py``. A scanner that is missing, fails, has no
database or prints anything but its documented JSON raises ScannerProblem: it never counts as "nothing found".
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from homeport.engine import api, folders, owner, process
from homeport.engine.process import Child, Completed
from homeport.engine.programs import which
from homeport.errors import EnvironmentProblem
from homeport.model.vulnerability import Weakness

CONTAINER_LABEL = "io.homeport.scan"
"""What the containers have that scanners run in; ``OWNER_LABEL`` names the process that started them."""
OWNER_LABEL = "io.homeport.scan.owner"
_MOST_LINES = 20
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_FETCHING = re.compile(
    r"TRIVY_((JAVA_)?DB_REPOSITORY|CACHE_DIR|USERNAME|PASSWORD|REGISTRY_TOKEN|INSECURE|CACERT|DEBUG)$"
    r"|GRYPE_(DB|REGISTRY)_"
)
"""The scanners' own variables that say where things are fetched from and kept, and by whom. Each option of
theirs has one; among the others are those that leave findings out (TRIVY_IGNOREFILE, GRYPE_EXCLUDE)."""


class ScannerProblem(EnvironmentProblem):
    """A scanner that can't say what is wrong with an image."""


@dataclass(frozen=True)
class Ready:
    """A scanner that can begin: its name and version, and its database's version and time (RFC 3339)."""

    name: str
    version: str
    database: str
    built: str
    at_once: int
    """How many images it can look at at the same time; 0: as many as one likes."""


@dataclass(frozen=True)
class Report:
    """What a scanner says of one image; ``looked`` is False where it knew nothing of what is in it."""

    weaknesses: tuple[Weakness, ...]
    looked: bool = True


class Scanner(Protocol):
    """A backend. All of it raises ScannerProblem, with the program's own words."""

    @property
    def shown(self) -> str:
        """Which program it is, in words."""

    def prepare(self, update: bool) -> Ready:
        """Bring the database up to date, unless ``update`` is False, and say what there is then."""

    def scan(self, image: str, name: str) -> Report:
        """Look at an image of the engine, by its id; people call it ``name``. The database stays as it is."""


class Programs:
    """The scanner programs of one run: several at the same time, and :meth:`stop` ends all of them.

    They run in an empty folder and without most of their variables, so that no ``.trivyignore``, no
    ``.grype.yaml`` of a repository and no TRIVY_IGNOREFILE hides anything without a reason.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        """How long one program may take."""
        self._folder = folders.make("homeport-scan-")
        self._work = self._folder / "work"
        self._work.mkdir()
        # What they unpack meanwhile may be large: it goes with the folder.
        own = {**owner.variables(), **folders.variables(self._folder)}
        self._env = {**without_settings(os.environ), **_same_engine(), **own}
        self._running: set[Child] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def __enter__(self) -> Programs:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        # What a stopped program still holds open (Windows) is left to the next run.
        folders.remove(self._folder)

    def run(self, argv: Sequence[str], env: Mapping[str, str] | None = None) -> Completed:
        """Run a program to its end. Raises ScannerProblem if it doesn't end in time or was stopped."""
        with self._lock:
            if self._stopped:
                raise ScannerProblem("The scan was stopped.")
            child = Child(argv, env={**self._env, **(env or {})}, cwd=self._work)
            self._running.add(child)
        try:
            out, err = child.process.communicate(timeout=self.seconds)
        except subprocess.TimeoutExpired:
            raise ScannerProblem(
                f"'{' '.join([Path(argv[0]).name, *argv[1:3]])}' didn't end within {self.seconds:g} s.",
                cause="It waits for the network or the engine, or the image is very large.",
                hint="Give it more time: timeout under [scan] in homeport.toml.",
            ) from None
        finally:
            child.stop(grace=1.0)
            with self._lock:
                self._running.discard(child)
        texts = (data.decode("utf-8", "replace") for data in (out, err))
        return Completed(tuple(argv), child.process.returncode, *texts)

    def stop(self) -> None:
        """End all that runs, and start nothing more."""
        with self._lock:
            self._stopped = True
            running = list(self._running)
        for child in running:
            child.stop(grace=1.0)


def program(name: str, folder: str | None = None) -> str:
    """The absolute path of a program on PATH, or in ``folder``; empty if it isn't there.

    Absolute, for scanners run in a folder of their own.
    """
    found = which(name, folder)
    return str(Path(found).absolute()) if found else ""


def without_settings(environment: Iterable[str]) -> dict[str, str | None]:
    """What takes the scanners' own variables away, but for those that say where things are fetched from."""
    names = (name for name in environment if name.startswith(("TRIVY_", "GRYPE_")))
    return {name: None for name in names if not _FETCHING.match(name)}


def _same_engine() -> dict[str, str]:
    """The engine that everything else here asks, for programs that know of no docker contexts."""
    try:
        return {} if os.environ.get("DOCKER_HOST") else {"DOCKER_HOST": f"unix://{api.socket_path()}"}
    except api.NoDirectWay:
        return {}


def document(done: Completed, doing: str, hint: str = "") -> dict[str, Any]:
    """The JSON object that a program printed; ``doing`` says what it was to do ("trivy can't ...").

    Raises ScannerProblem for a failure, and for output that is no whole JSON object.
    """
    if done.code != 0:
        raise failed(done, doing, hint)
    try:
        found = json.loads(done.stdout)
    except (ValueError, RecursionError) as error:
        raise garbled(doing, f"What it prints is no whole JSON: {error}.") from error
    if not isinstance(found, dict):
        raise garbled(doing, "It prints JSON, but not the object that its documentation shows.")
    return found


def failed(done: Completed, doing: str, hint: str = "") -> ScannerProblem:
    """The error for a program that failed, with its last words."""
    lines = [line.rstrip() for line in _COLOUR.sub("", done.stderr).splitlines() if line.strip()]
    fatal = [line for line in lines if "FATAL" in line or "rror" in line]
    cause = (fatal or lines or [f"It says nothing; its exit code is {done.code}."])[-1].strip()
    return ScannerProblem(doing, cause=cause, hint=hint, detail="\n".join(lines[-_MOST_LINES:]))


def garbled(doing: str, cause: str) -> ScannerProblem:
    """The error for output that isn't what a scanner documents."""
    return ScannerProblem(
        doing, cause=cause, hint="Is its version one that homeport knows? docs/SCANNING.md says which."
    )


def text(entry: Mapping[str, Any], key: str) -> str:
    """A text of a document; empty if it isn't there. Raises TypeError for anything else."""
    value = entry.get(key)
    if value is not None and not isinstance(value, str):
        raise TypeError(f"{key} is no text")
    return value or ""


def entries(entry: Mapping[str, Any], key: str) -> list[Any]:
    """A list of a document; empty if it isn't there. Raises TypeError for anything else."""
    value = entry.get(key)
    if value is not None and not isinstance(value, list):
        raise TypeError(f"{key} is no list")
    return value or []


def needed(entry: Mapping[str, Any], key: str) -> str:
    """A text that has to be there. Raises TypeError, KeyError or ValueError."""
    found = text(entry, key)
    if not found:
        raise ValueError(f"{key} is missing")
    return found


def remove_container(name: str) -> None:
    """Take away a scanner's own container, if the program that started it could not."""
    process.run(["docker", "rm", "--force", "--volumes", name])

"""The backends: what a stack is deployed with. Each is a module with the functions of one Protocol."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from homeport.deploy import on_compose, swarm
from homeport.deploy.request import Request
from homeport.errors import UsageError, did_you_mean


class Backend(Protocol):
    """What the commands need. Each function does the whole command and returns its exit code.

    ``cwd`` is the repository, ``files`` are its Compose files, ``json`` is where to write the result, if
    anywhere. All raise HomeportError.
    """

    def deploy(self, request: Request) -> int:
        """Deploy what the Compose files say; all of it or nothing."""

    def rollback(self, request: Request, to: str, *, force: bool = False) -> int:
        """Deploy an old release again; ``force``: past those that are marked as irreversible."""

    def status(self, cwd: Path, files: tuple[str, ...], json: str) -> int:
        """Show what runs; 0 if it is what the last release says, else 1."""

    def releases(
        self, cwd: Path, files: tuple[str, ...], json: str, *, pin: str = "", unpin: str = ""
    ) -> int:
        """List the releases, the latest first, or pin one."""

    def logs(
        self, cwd: Path, files: tuple[str, ...], services: tuple[str, ...], *, follow: bool, lines: int,
        since: str,
    ) -> int:  # fmt: skip
        """Show what serves writes; of all services, or some."""

    def down(self, cwd: Path, files: tuple[str, ...], lock_wait: float, *, everything: bool = False) -> int:
        """Stop and remove the stack; ``everything``: its volumes and releases, too."""

    def unlock(self, cwd: Path, files: tuple[str, ...]) -> int:
        """Break the lock of a deploy that is gone."""


BACKENDS: Mapping[str, Backend] = MappingProxyType({"compose": on_compose, "swarm": swarm})


def of(name: str) -> Backend:
    """The backend that ``[deploy] backend`` names. Raises UsageError."""
    if name not in BACKENDS:
        raise UsageError(
            f"homeport.toml: there is no deploy backend '{name}'.",
            cause=did_you_mean(name, BACKENDS),
            hint=f"'backend' under [deploy] is one of: {', '.join(BACKENDS)}.",
        )
    return BACKENDS[name]

"""What a deploy or rollback is asked for, and what it comes to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from homeport.deploy.desired import Desired
from homeport.model.stack import Stack


@dataclass(frozen=True)
class Request:
    """What the command line and configuration ask for; paths are relative to ``cwd``.

    ``gate_seconds`` is for each new replica, ``run_seconds`` for what runs to its end; ``keep`` counts
    releases; ``before`` and ``after`` are commands for this machine; ``report`` is a folder, ``probe`` a URL.
    """

    cwd: Path
    files: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    zero_downtime: bool = False
    front_image: str = ""
    gate_seconds: float = 120.0
    run_seconds: float = 600.0
    lock_wait: float = 0.0
    keep: int = 10
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    message: str = ""
    irreversible: bool = False
    dry_run: bool = False
    json: str = ""
    report: str = ""
    probe: str = ""


@dataclass(frozen=True)
class Wanted:
    """What a command wants to run. ``of`` is the number of the release that a rollback goes back to, or 0."""

    stack: Stack
    desired: Desired
    of: int = 0
    warnings: tuple[str, ...] = ()
    whole: bool = False
    """Whether it is all that the stack should have: what else runs is to go."""
    leaving: tuple[str, ...] = ()
    """Services that a rollback takes away: they came later."""

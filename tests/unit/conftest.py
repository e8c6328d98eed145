"""Unit tests start no program: they are facts in, plans out, and must run anywhere in no time."""

from __future__ import annotations

import asyncio
import os
import subprocess
from typing import Any, NoReturn

import pytest

WHY = (
    "a unit test tried to start a program: {what}.\n"
    "Unit tests check pure functions; give the code its facts, or replace its runner. "
    "What needs a real program belongs into tests/engine."
)
STARTERS = ("system", "fork", "forkpty", "posix_spawn", "posix_spawnp", "startfile")


@pytest.fixture(autouse=True)
def no_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every way to start a program fail; pytest's failure is no Exception, so no handler swallows it."""

    def refuse(what: str) -> Any:
        def explode(*arguments: object, **options: object) -> NoReturn:
            details = [
                value for value in (*arguments, *options.values()) if isinstance(value, str | list | tuple)
            ]
            pytest.fail(WHY.format(what=f"{what}({', '.join(repr(value) for value in details)})"))

        return explode

    # The method, not the class: code that did `from subprocess import Popen` meets it as well.
    monkeypatch.setattr(subprocess.Popen, "__init__", refuse("subprocess.Popen"))
    names = [name for name in dir(os) if name in STARTERS or name.startswith(("exec", "spawn"))]
    for name in names:
        monkeypatch.setattr(os, name, refuse(f"os.{name}"))
    for name in ("subprocess_exec", "subprocess_shell"):
        monkeypatch.setattr(asyncio.base_events.BaseEventLoop, name, refuse(f"asyncio {name}"))

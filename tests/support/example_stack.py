"""A copy of examples/homeiq that can run beside the example itself: other names, ports and tag."""

from __future__ import annotations

import contextlib
import random
import re
import shutil
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engine_fixtures import DockerSession, run_program

EXAMPLE = Path(__file__).resolve().parent.parent.parent / "examples" / "homeiq"
_FIXED_NAME = re.compile(r"(?<=name: )homeiq-|homeiq-(?=network)")
_PORT = re.compile(r"\$\{(\w+_PORT):-\d+\}")


@dataclass(frozen=True)
class Example:
    """A copy of the example, and the variables by which its images, volumes and so on are this session's."""

    folder: Path
    variables: Mapping[str, str]

    def run(self, *argv: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        return run_program(argv, self.folder, self.variables, timeout)

    def works(self, *argv: str, timeout: float = 120) -> str:
        """Run a program that must work; returns what it printed on standard output."""
        done = self.run(*argv, timeout=timeout)
        assert done.returncode == 0, f"{' '.join(argv)}\n{done.stdout}\n{done.stderr}"
        return done.stdout


def make_example(folder: Path, session: DockerSession, base_images: Mapping[str, str], name: str) -> Example:
    """Copy the example into ``folder``, which must not be there yet. ``name`` is in the tag of its images:
    none of another copy helps this one."""
    shutil.copytree(EXAMPLE, folder, symlinks=True)
    (folder / ".env").unlink(missing_ok=True)  # what somebody tried there is none of the tests' business
    ports = _names_of_its_own(folder, session.prefix)
    own = {"TAG": session.name(name), "COMPOSE_PROJECT_NAME": session.name("homeiq"), "REGISTRY": "", **ports}
    return Example(folder, {**base_images, **own})


def _names_of_its_own(folder: Path, prefix: str) -> dict[str, str]:
    """Let the copy run beside the example itself: other container names and network, and these ports."""
    variables = set()
    for file in folder.rglob("compose.yml"):
        text = _FIXED_NAME.sub(prefix, file.read_text(encoding="utf-8"))
        file.write_text(text, encoding="utf-8", newline="\n")
        variables.update(_PORT.findall(text))
    return dict(zip(sorted(variables), map(str, free_ports(len(variables))), strict=True))


def free_ports(number: int) -> list[int]:
    """Ports of this machine that nobody has now, below those that the system gives to callers."""
    found: list[int] = []
    for port in random.sample(range(18_000, 20_000), 2_000):
        with socket.socket() as one, contextlib.suppress(OSError):
            one.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == number:
            return found
    raise AssertionError("No ports are free.")

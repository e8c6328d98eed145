"""What tests made in the engine, found by its names and labels, and removed: never by pruning.

    python ci/leftovers.py     remove what tests left that were killed; while none are running, or they break

Each session of tests removes its own things at its end. One that is killed can't: its containers would run
on, and come back with the engine. Only the standard library is used.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

LABEL = "io.homeport.test"
PREFIX = "homeport-test-"

AT_ONCE = 8
"""Removals of images at the same time: the engine collects its garbage once for all that wait for it."""


class LeftoverError(Exception):
    """The engine doesn't list or remove; the message has what it said."""


@dataclass(frozen=True)
class Owner:
    """A session of tests by its id; all of them without one."""

    id: str = ""

    @property
    def label(self) -> str:
        """For ``--label`` of docker, and the ``labels`` of bake and Compose."""
        return f"{LABEL}={self.id}" if self.id else LABEL

    @property
    def prefix(self) -> str:
        """What every name begins with."""
        return f"{PREFIX}{self.id}-" if self.id else PREFIX

    def owns(self, names: str, labels: str) -> bool:
        """Whether a thing with these names and ``key=value,...`` labels (Compose's included) is its own."""
        pairs = labels.split(",")
        return (
            self.prefix in names
            or self.label in (pairs if self.id else [pair.partition("=")[0] for pair in pairs])
            or any(pair.partition("=")[2].startswith(self.prefix) for pair in pairs)
        )

    def find(self) -> dict[str, list[str]]:
        """Everything that the engine has of it, in the order in which it can be removed."""
        listings = {
            "container": ("container", "ls", "--all", "--no-trunc"),
            "network": ("network", "ls", "--no-trunc"),
            "volume": ("volume", "ls"),
        }
        found: dict[str, list[str]] = {}
        for kind, listing in listings.items():
            rows = [json.loads(line) for line in listed(*listing, "--format", "{{json .}}")]
            found[kind] = [
                row.get("ID") or row["Name"]
                for row in rows
                if self.owns(row.get("Names") or row.get("Name", ""), row.get("Labels", ""))
            ]
        # Asking for all images would take seconds, and fail while somebody else removes one.
        named = [f"reference={pattern}" for pattern in ("*{}*", "*/*{}*", "*{}*/*", "*/*{}*/*", "*/*/*{}*")]
        filters = [part.format(self.prefix) for pattern in named for part in ("--filter", pattern)]
        names = listed("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", *filters)
        labelled = listed("image", "ls", "--quiet", "--no-trunc", "--filter", f"label={self.label}")
        found["image"] = [*names, *dict.fromkeys(labelled)]
        return {kind: things for kind, things in found.items() if things}

    def remove_everything(self) -> None:
        """Remove what is left; LeftoverError if that fails.

        Some of it may be going away by itself just now, so look more than once.
        """
        options = {"container": ["--force", "--volumes"], "image": ["--force"], "volume": ["--force"]}
        problems = ""
        for _ in range(3):
            found = self.find()
            if not found:
                return
            for kind, things in found.items():
                count = AT_ONCE if kind == "image" else 1
                parts = [part for n in range(count) if (part := things[n::count])]
                commands = [["docker", kind, "rm", *options.get(kind, []), *part] for part in parts]
                with ThreadPoolExecutor(count) as pool:
                    problems = "".join(pool.map(_error, commands)) or problems
            time.sleep(0.2)
        if left := self.find():
            raise LeftoverError(f"tests left things in the engine that can't be removed: {left}\n{problems}")


def listed(*arguments: str) -> list[str]:
    """The lines of a listing, which fails in engine 28 when somebody removes an image at the same moment."""
    for _ in range(9):
        with contextlib.suppress(LeftoverError):
            return _docker(*arguments)
        time.sleep(0.2)
    return _docker(*arguments)


def _error(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace").stderr


def _docker(*arguments: str) -> list[str]:
    result = subprocess.run(["docker", *arguments], capture_output=True, encoding="utf-8", errors="replace")
    if result.returncode:
        raise LeftoverError(f"docker {' '.join(arguments)}: {result.stderr}")
    return result.stdout.splitlines()


def remove_all() -> str:
    """Remove what any session of tests left; how much of what, in words."""
    found = Owner().find()
    Owner().remove_everything()
    return ", ".join(f"{len(things)} {kind}{'s' * (len(things) > 1)}" for kind, things in found.items())


if __name__ == "__main__":
    try:
        print(f"removed: {remove_all() or 'nothing, no test left anything'}")
    except (LeftoverError, OSError) as problem:
        sys.exit(str(problem))

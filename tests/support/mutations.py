"""The vocabulary of the oracle's tables: a small repository, and the one thing that happens to it.

Pure but for what an action does to its case's folder. The tables are in `mutations_*.py`, one for each kind
of input; what is done with them is in `oracle.py`.

In all texts (files, definitions, tags) these words are replaced:

- NONCE by a text that no other case has, and no other session;
- BASE and BASE-name by images of `BASES`, BASES by their repository;
- MINE-name by an image name of the case's own;
- CASE by the case's folder as bake sees it, HERE by the same as an absolute path;
- THIS-PLATFORM by the engine's, such as linux/amd64.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REBUILT = "rebuilt"
SAME = "same"
CHANGED = "changed"
ALWAYS = "always built"
NOT_COMPARED = "not compared"
"""For what BuildKit can't do here (the network) or what makes no image: only homeport is asked."""

BASES = {
    "": "FROM TINY\nCOPY <<EOF /nonce\nNONCE\nEOF\n",
    # The same file in two images: who copies only that must not notice the difference, but may.
    "one": "FROM TINY\nCOPY <<EOF /shared\nNONCE\nEOF\nCOPY <<EOF /own\n1 NONCE\nEOF\nENV SRC=a.txt\n",
    "two": "FROM TINY\nCOPY <<EOF /shared\nNONCE\nEOF\nCOPY <<EOF /own\n2 NONCE\nEOF\nENV SRC=b.txt\n",
    "copies": "FROM TINY\nCOPY <<EOF /nonce\ncopies NONCE\nEOF\nONBUILD COPY a.txt /from-trigger\n",
    "runs": "FROM TINY\nCOPY <<EOF /nonce\nruns NONCE\nEOF\nONBUILD RUN echo one > /from-trigger\n",
    "asks": "FROM TINY\nCOPY <<EOF /nonce\nasks NONCE\nEOF\n"
    "ONBUILD ARG WHO=nobody\nONBUILD RUN echo $WHO > /who\n",
    "mounts": "FROM TINY\nCOPY <<EOF /nonce\nmounts NONCE\nEOF\n"
    "ONBUILD RUN --mount=type=bind,source=a.txt,target=/in cat /in > /out\n",
}
"""Images that are there before any case, by name; TINY is the image of the fixture `tiny_image`."""

DOCKERFILE = "FROM BASE\nCOPY a.txt /\n"
FILES = {"a.txt": "one NONCE\n", "b.txt": "bee NONCE\n"}


@dataclass
class Place:
    """One case as it stands: its folder, and the targets of its definition, the main one under no name."""

    name: str
    folder: Path
    targets: dict[str, dict[str, Any]]
    words: Mapping[str, str]

    def fill(self, value: Any) -> Any:
        """The value with all its words replaced; keys of mappings, too."""
        if isinstance(value, str):
            # Longer words first: BASE-one begins with BASE.
            for word in sorted(self.words, key=len, reverse=True):
                value = value.replace(word, self.words[word])
            return value
        if isinstance(value, Mapping):
            return {self.fill(key): self.fill(item) for key, item in value.items()}
        return [self.fill(item) for item in value] if isinstance(value, list | tuple) else value


def encoded(text: str) -> bytes:
    """As UTF-8, but for bytes that are none: "\\udce4" stands for the byte E4."""
    return text.encode("utf-8", "surrogateescape")


Action = Callable[[Place], object]


@dataclass(frozen=True)
class Case:
    """One mutation, and what becomes of the image.

    `setup` is done before the first build: links, modes, tags. `others` are more targets by a short name;
    those in `first` are built, and kept, before. `environment` holds the variables before and after.
    """

    name: str
    change: Action = field(repr=False)
    buildkit: str
    homeport: str
    dockerfile: str | None = DOCKERFILE
    files: Mapping[str, str] = field(default_factory=dict, hash=False)
    setup: tuple[Action, ...] = field(default=(), repr=False)
    spec: Mapping[str, Any] = field(default_factory=dict, hash=False)
    others: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, hash=False)
    first: tuple[str, ...] = ()
    environment: tuple[Mapping[str, str], Mapping[str, str]] = field(default=({}, {}), hash=False)
    needs: str = ""
    """What not every machine has: "root", or "attributes" (extended ones of files)."""
    false_build: str = ""
    """Why homeport builds although BuildKit's image stays the same. Empty: it doesn't."""


def rebuilt(name: str, change: Action, dockerfile: str | None = DOCKERFILE, **more: Any) -> Case:
    """A mutation that changes the image."""
    return Case(name, change, REBUILT, more.pop("homeport", CHANGED), dockerfile, **more)


def same(name: str, change: Action, dockerfile: str | None = DOCKERFILE, **more: Any) -> Case:
    """A mutation that changes nothing, and that homeport sees through unless `false_build` says why not."""
    expected = CHANGED if more.get("false_build") else SAME
    return Case(name, change, SAME, more.pop("homeport", expected), dockerfile, **more)


def asked(name: str, change: Action, homeport: str, dockerfile: str | None = DOCKERFILE, **more: Any) -> Case:
    """A mutation that only homeport is asked about."""
    return Case(name, change, NOT_COMPARED, homeport, dockerfile, **more)


# -- actions: files ---------------------------------------------------------------------------------------


def nothing(place: Place) -> None:
    """Leave all as it is."""


def all_of(*actions: Action) -> Action:
    """One mutation of several steps."""

    def act(place: Place) -> None:
        for action in actions:
            action(place)

    return act


def write(path: str, text: str) -> Action:
    def act(place: Place) -> None:
        file = place.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(encoded(place.fill(text)))

    return act


def edit(path: str, old: str, new: str) -> Action:
    """Replace a text that must be there."""

    def act(place: Place) -> None:
        file = place.folder / path
        text, wanted = file.read_bytes(), encoded(place.fill(old))
        assert wanted in text, f"{place.name}: {wanted!r} is not in {path}"
        file.write_bytes(text.replace(wanted, encoded(place.fill(new))))

    return act


def edit_unseen(path: str, old: str, new: str) -> Action:
    """The same, but neither size nor time of modification tell."""
    assert len(old) == len(new)

    def act(place: Place) -> None:
        status = (place.folder / path).stat()
        edit(path, old, new)(place)
        os.utime(place.folder / path, ns=(status.st_atime_ns, status.st_mtime_ns))

    return act


def dockerfile(old: str, new: str) -> Action:
    return edit("Dockerfile", old, new)


def remove(path: str) -> Action:
    def act(place: Place) -> None:
        file = place.folder / path
        if file.is_dir() and not file.is_symlink():
            shutil.rmtree(file)
        else:
            file.unlink()

    return act


def rename(old: str, new: str) -> Action:
    return lambda place: (place.folder / old).rename(place.folder / new)


def mkdir(path: str) -> Action:
    return lambda place: (place.folder / path).mkdir(parents=True)


def chmod(path: str, mode: int) -> Action:
    return lambda place: (place.folder / path).chmod(mode)


def chown(path: str, user: int, group: int) -> Action:
    return lambda place: os.chown(place.folder / path, user, group)


def date(path: str, seconds: int) -> Action:
    return lambda place: os.utime(place.folder / path, (seconds, seconds))


def symlink(path: str, aim: str) -> Action:
    """Make a link, in place of what may be there."""

    def act(place: Place) -> None:
        link = place.folder / path
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(place.fill(aim))

    return act


def hardlink(path: str, other: str) -> Action:
    """Let `path` be a second name of `other`."""

    def act(place: Place) -> None:
        (place.folder / path).unlink(missing_ok=True)
        (place.folder / path).hardlink_to(place.folder / other)

    return act


def fifo(path: str) -> Action:
    return lambda place: os.mkfifo(place.folder / path)


def unix_socket(path: str) -> Action:
    def act(place: Place) -> None:
        # By a relative name: the path of a socket may have 107 bytes at most, and pytest's folders are deep.
        folder = os.open(place.folder, os.O_RDONLY)
        try:
            with socket.socket(socket.AF_UNIX) as made:
                made.bind(f"/proc/self/fd/{folder}/{path}")
        finally:
            os.close(folder)

    return act


def xattr(path: str, name: str, value: str) -> Action:
    return lambda place: os.setxattr(place.folder / path, name, value.encode())


def afresh(place: Place) -> None:
    """Move the context, so that BuildKit has never seen it.

    It keeps what it was sent, and asks only for files that differ by mode, size or time. Other content of the
    same size and time, extended attributes and the modes of folders arrive with some later build, or after a
    prune.
    """
    copy = f"{place.name}-afresh"
    _run("cp", "-a", os.fspath(place.folder), os.fspath(place.folder.with_name(copy)))
    place.targets[""]["context"] = copy


# -- actions: definition and surroundings -----------------------------------------------------------------


def option(key: str, value: Any, target: str = "") -> Action:
    """Set a key of a target's definition."""

    def act(place: Place) -> None:
        place.targets[target][key] = place.fill(value)

    return act


def argument(name: str, value: str) -> Action:
    """Give another value to a build argument."""

    def act(place: Place) -> None:
        spec = place.targets[""]
        spec["args"] = {**spec.get("args", {}), name: place.fill(value)}

    return act


def without(key: str) -> Action:
    return lambda place: place.targets[""].pop(key)


def tag(image: str, name: str) -> Action:
    """Let a name mean an image."""
    return lambda place: _run("docker", "tag", place.fill(image), place.fill(name))


def pin(path: str, image: str) -> Action:
    """Put the digest of an image in place of PIN."""

    def act(place: Place) -> None:
        digest = _run("docker", "image", "inspect", "--format", "{{.Id}}", place.fill(image))
        edit(path, "PIN", digest.strip())(place)

    return act


def docker_settings(folder: str, proxy: str) -> Action:
    """A folder for DOCKER_CONFIG: this session's settings, with a proxy for containers and builds."""

    def act(place: Place) -> None:
        old = Path(os.environ["DOCKER_CONFIG"]) / "config.json"
        settings = {**json.loads(old.read_bytes()), "proxies": {"default": {"httpProxy": proxy}}}
        write(f"{folder}/config.json", json.dumps(settings))(place)

    return act


def program(*command: str) -> Action:
    """Run a command in the case's folder."""
    return lambda place: _run(*map(place.fill, command), cwd=place.folder)


def _run(*command: str, cwd: Path | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, encoding="utf-8", errors="replace")
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.stdout

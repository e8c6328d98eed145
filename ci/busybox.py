"""A base image of a few megabytes, for fixtures that need an image and don't care which.

    python ci/busybox.py           make it if it is missing; print its name

Where Docker Hub can be reached that is the official busybox. Elsewhere it is made from Debian's package
busybox-static, the same bytes every time, so that what is built on it stays cached.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

import base_images

OFFICIAL = "busybox:1.37"
STAND_IN = "homeport-test/busybox:1"
# The label of every stand-in. Not the one of tests' own leftovers: images built on this one inherit it.
LABEL = f"{base_images.LABEL}={base_images.LABEL_VALUE}"
FOLDERS = ("bin", "dev", "etc", "proc", "root", "run", "sys", "tmp", "var", "var/tmp")
SHARED_FOLDERS = ("tmp", "var/tmp")
USERS = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n"
GROUPS = "root:x:0:\nnogroup:x:65534:\n"


class BusyboxError(Exception):
    """What happened, the likely cause, and what to do next."""


def ensure() -> str:
    """Make the image if there is none; return its name."""
    if subprocess.run(["docker", "image", "inspect", STAND_IN], capture_output=True).returncode == 0:
        return STAND_IN
    if base_images.reachable_registry():
        return OFFICIAL
    with tempfile.TemporaryDirectory(prefix="homeport-busybox-") as folder:
        program = _from_debian(Path(folder))
        applets = _run([str(program), "--list"]).split()
        archive = root_file_system(program.read_bytes(), applets)
    changes = ('CMD ["sh"]', "ENV PATH=/bin", f"LABEL {LABEL}")
    command = ["docker", "import", *(f"--change={change}" for change in changes), "-", STAND_IN]
    imported = subprocess.run(command, input=archive, capture_output=True)
    if imported.returncode:
        raise BusyboxError(
            f"the engine did not import {STAND_IN}: {imported.stderr.decode(errors='replace')}"
        )
    return STAND_IN


def root_file_system(program: bytes, applets: Sequence[str]) -> bytes:
    """A tar of a root file system: the program, a link to it for each applet, and what a shell expects.

    No date, owner or order comes from this machine: equal inputs give equal bytes, hence an equal image.
    """
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for folder in FOLDERS:
            member = tarfile.TarInfo(folder)
            member.type = tarfile.DIRTYPE
            member.mode = 0o1777 if folder in SHARED_FOLDERS else 0o755
            tar.addfile(member)
        for name, content, mode in (
            ("bin/busybox", program, 0o755),
            ("etc/passwd", USERS.encode(), 0o644),
            ("etc/group", GROUPS.encode(), 0o644),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            member.mode = mode
            tar.addfile(member, io.BytesIO(content))
        for applet in sorted(set(applets) - {"busybox"}):
            member = tarfile.TarInfo(f"bin/{applet}")
            member.type = tarfile.SYMTYPE
            member.linkname = "busybox"
            tar.addfile(member)
    return output.getvalue()


def _from_debian(folder: Path) -> Path:
    """Download the package, which needs no root, and unpack it; nothing is installed."""
    try:
        _run(["apt-get", "download", "busybox-static"], folder)
        package = next(folder.glob("busybox-static_*.deb"))
        _run(["dpkg-deb", "--extract", str(package), str(folder / "root")])
    except FileNotFoundError as problem:
        raise BusyboxError(
            f"Docker Hub can't be reached, and there is no {problem.filename} here to make an image with.\n"
            f"Pull {OFFICIAL} where it can be reached, or use a Debian machine."
        ) from None
    found = [path for path in (folder / "root").glob("**/bin/busybox") if path.is_file()]
    if not found:
        raise BusyboxError("Debian's busybox-static holds no bin/busybox any more: adapt ci/busybox.py.")
    return found[0]


def _run(command: Sequence[str], folder: Path | None = None) -> str:
    result = subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8", errors="replace")
    if result.returncode:
        hint = "\nIf apt knows no such package, run apt-get update." if command[0] == "apt-get" else ""
        raise BusyboxError(f"{' '.join(command)} failed: {result.stderr.strip()}{hint}")
    return result.stdout


def main() -> int:
    """The command line."""
    try:
        print(ensure())
    except (BusyboxError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

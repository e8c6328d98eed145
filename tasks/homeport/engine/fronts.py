"""Commands to a front, and its configuration file."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Sequence

from homeport.engine import api, containers, process
from homeport.engine.containers import ContainerProblem

# HAProxy's command line has no client of its own. Debian's image has bash, Alpine's has nc.
_TALK = (
    "if command -v bash >/dev/null; then "
    'exec bash -c \'exec 3<>/dev/tcp/127.0.0.1/{port}; printf "%s\\\\n" "$0" >&3; cat <&3\' "$0"; '
    "else printf '%s\\n' \"$0\" | nc 127.0.0.1 {port}; fi"
)

_CONNECT = (
    "for port in {ports}; do "
    'if command -v bash >/dev/null; then timeout 2 bash -c "</dev/tcp/{host}/$port" 2>/dev/null; '
    "else nc -z -w 2 {host} $port; fi && echo $port; done; true"
)


def tell(front: str, commands: Sequence[str], port: int) -> str:
    """Give a front commands; returns its answers one after the other. Raises ContainerProblem."""
    if not commands:
        return ""
    done = containers.execute(front, ["sh", "-c", _TALK.format(port=port), "; ".join(commands)])
    if done.code != 0:
        raise ContainerProblem("A front doesn't take commands.", cause=done.stderr.strip(), detail=front)
    return done.stdout


def reaches(front: str, host: str, ports: Iterable[int]) -> tuple[int, ...]:
    """To which of these ports of a host the front can connect."""
    script = _CONNECT.format(host=host, ports=" ".join(map(str, ports)))
    done = containers.execute(front, ["sh", "-c", script])
    return tuple(int(word) for word in done.stdout.split())


def read_file(front: str, path: str) -> str:
    """A text file of a container, running or not; empty if it isn't there."""
    try:
        packed = api.get_file(front, path)
    except api.NoDirectWay:
        # A tar file comes through as text with surrogates, and back.
        done = process.run(["docker", "cp", f"{front}:{path}", "-"], errors="surrogateescape")
        packed = done.stdout.encode("utf-8", "surrogateescape") if done.code == 0 else b""
    if not packed:
        return ""
    try:
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            member = archive.extractfile(archive.getmembers()[0])
            return member.read().decode("utf-8", "replace") if member else ""
    except (tarfile.TarError, IndexError):
        return ""

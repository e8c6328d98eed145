"""A second, empty Docker engine: the machine that never built anything, or the one whose disk is full.

It lives in namespaces of its own (network, mounts, processes), not just in folders of its own: a second
dockerd that shares a network with the first one can do harm, with `--bridge=none` it deletes its docker0.
Its images lie in memory. So when its first process (second_engine_inside.py) ends, the kernel takes away
everything else: containers, mounts, interfaces, images.

What it shares with this machine is the folder with its socket, and the loopback ports that `started` is
told: there it reaches this machine's registries by the very same address.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import engine_facts
import second_engine_inside as inside

SIZE_MB = 512
TAIL_LINES = 15
# --kill-child: whatever becomes of unshare, nothing in there outlives it.
UNSHARE = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")


class SecondEngineError(Exception):
    """It did not start; the message says why, with the end of its log."""


def why_not() -> str:
    """Why there can be no second engine on this machine, in words; empty if there can."""
    if sys.platform != "linux":
        return "a second engine needs Linux"
    return "" if os.geteuid() == 0 else "a second engine needs root"


@contextlib.contextmanager
def started(ports: Sequence[int] = (), size_mb: int = SIZE_MB) -> Iterator[str]:
    """An empty engine with `size_mb` of room; yields its DOCKER_HOST. Always stopped at the end.

    `ports` of this machine's 127.0.0.1 are reachable in there as well.
    """
    with contextlib.ExitStack() as stack:
        # Not pytest's own folder: the path of a socket may have 107 bytes at most.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="homeport-engine-")))
        log = folder / "log"
        process, channel = _start(folder, log, [str(size_mb), *map(str, ports)])
        stack.callback(_stop, process, channel)
        for listener in _listeners(channel, len(ports), log):
            stack.callback(_close, listener)
            threading.Thread(target=_serve, args=(listener,), daemon=True).start()
        yield f"unix://{folder / inside.SOCKET}"


def _start(folder: Path, log: Path, arguments: list[str]) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Start the first process. The channel is its life line: it ends with this process, however that ends."""
    ours, theirs = socket.socketpair()
    with theirs, log.open("wb") as output:
        try:
            process = subprocess.Popen(
                [*UNSHARE, sys.executable, inside.__file__, str(folder), *arguments],
                stdin=theirs.fileno(),
                stdout=output,
                stderr=output,
                cwd="/",
                env={**os.environ, "PATH": engine_facts.search_path(os.environ)},
                start_new_session=True,
            )
        except OSError as problem:
            ours.close()
            raise SecondEngineError(f"{UNSHARE[0]} can't be run: {problem.strerror}") from None
    return process, ours


def _listeners(channel: socket.socket, expected: int, log: Path) -> list[socket.socket]:
    """Wait until the engine answers; returns the sockets that listen in its network."""
    channel.settimeout(inside.START_TIMEOUT_S + inside.STOP_TIMEOUT_S)
    said = b""
    descriptors: list[int] = []
    with contextlib.suppress(OSError):
        said, descriptors, _, _ = socket.recv_fds(channel, len(inside.READY), max(expected, 1))
    if said != inside.READY:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL_LINES:]
        raise SecondEngineError("\n".join(["the second engine did not start; the end of its log:", *lines]))
    return [socket.socket(fileno=descriptor) for descriptor in descriptors]


def _stop(process: subprocess.Popen[bytes], channel: socket.socket) -> None:
    """A closed channel tells the first process to end; if that hangs, all in there are killed with it."""
    channel.close()
    try:
        process.wait(2 * inside.STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


# -- the wire between the two networks --------------------------------------------------------------------


def _serve(listener: socket.socket) -> None:
    """Join whoever calls in there with the same port out here: a socket keeps the network it was made in."""
    address = listener.getsockname()
    with contextlib.suppress(OSError):  # closed at the end
        while True:
            caller, _ = listener.accept()
            threading.Thread(target=_join, args=(caller, address), daemon=True).start()


def _close(listener: socket.socket) -> None:
    """Closing alone would leave the thread that waits there waiting for ever."""
    with listener, contextlib.suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)


def _join(caller: socket.socket, address: tuple[str, int]) -> None:
    with caller, contextlib.suppress(OSError), socket.create_connection(address) as callee:
        back = threading.Thread(target=_copy, args=(callee, caller), daemon=True)
        back.start()
        _copy(caller, callee)
        back.join()


def _copy(source: socket.socket, goal: socket.socket) -> None:
    """Pass bytes on to the end of `source`, then tell `goal` that there will be no more."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            goal.sendall(data)
    with contextlib.suppress(OSError):
        goal.shutdown(socket.SHUT_WR)

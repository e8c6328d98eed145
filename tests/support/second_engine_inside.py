"""The first process in a second engine's namespaces: it sets up a machine, starts the engine and waits.

second_engine.py starts it; standard input is the channel between the two. Through it go the word that the
engine answers, and the sockets that listen in here. When the other side closes it, or dies, this one ends.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

READY = b"ready"
SOCKET = "docker.sock"
START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 10
SIOCSIFFLAGS = 0x8914
IFF_UP = 1


def main(folder: Path, size_mb: int, ports: Sequence[int]) -> int:
    """Run the engine until the channel is closed; exit code 1 if it doesn't answer in time."""
    channel = socket.socket(fileno=0)
    loopback_up()
    data = folder / "data"
    data.mkdir()
    mount_memory(data, f"size={size_mb}m")
    # So that no lock, pid file or socket of the first engine is seen in here, or the other way round.
    mount_memory(Path("/run"), "mode=755")
    listeners = [socket.create_server(("127.0.0.1", port)) for port in ports]
    engine = subprocess.Popen(command(folder, data), stdin=subprocess.DEVNULL)
    try:
        if not answers(folder / SOCKET, engine):
            return 1
        socket.send_fds(channel, [READY], [listener.fileno() for listener in listeners])
        channel.recv(1)
    finally:
        engine.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            engine.wait(STOP_TIMEOUT_S)
    return 0


def command(folder: Path, data: Path) -> list[str]:
    """The engine's settings are all here: none comes from this machine's /etc/docker/daemon.json."""
    settings = folder / "daemon.json"
    settings.write_text("{}", encoding="utf-8")
    return [
        "dockerd",
        f"--config-file={settings}",
        f"--data-root={data}",
        f"--host=unix://{folder / SOCKET}",
        "--feature=containerd-snapshotter=true",
        "--insecure-registry=127.0.0.0/8",
        # systemd would be told ids of processes as they are in here, and take them for others.
        "--exec-opt=native.cgroupdriver=cgroupfs",
    ]


def mount_memory(where: Path, options: str) -> None:
    """A file system in memory, of which nobody outside sees anything."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(where)], check=True)


def loopback_up() -> None:
    """A new network's loopback is down. By a system call, because `ip` is not installed everywhere."""
    import fcntl  # not on Windows, where this module must still import

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP))


def answers(path: Path, engine: subprocess.Popen[bytes]) -> bool:
    """Whether the engine answers in time: it takes connections before it is ready."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while engine.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5)
            client.connect(str(path))
            client.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            if b" 200 " in client.recv(100):
                return True
        time.sleep(0.1)
    return False


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), [int(port) for port in sys.argv[3:]]))

"""homeport as a real process of its own, without waiting for its imports each time.

Half of what a short command takes is Python importing modules, and the tests run well over a thousand of
them. So each process that runs tests starts this program once; it has imported homeport, and forks for each
command. The fork has its own folder, environment, session and outputs as any process has, and ends like one.
How people start homeport is tested where it matters: by tests/e2e, and wherever a test kills or interrupts
it.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import random
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import pytest

POSSIBLE = hasattr(os, "fork")
_MODULES = ("homeport.program", "homeport.build.flow", "homeport.deploy.flow", "homeport.deploy.look")


class Warm:
    """The client of one such program."""

    def __init__(self, address: str) -> None:
        self._address = address

    def run(
        self, args: Sequence[str], cwd: Path, env: Mapping[str, str], timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """Run ``homeport`` to its end. After ``timeout`` seconds it and all that it started is killed."""
        with (
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as err,
            socket.socket(socket.AF_UNIX) as one,
        ):
            one.connect(self._address)
            one.settimeout(timeout)
            request = json.dumps({"args": list(args), "cwd": str(cwd), "env": dict(env)}).encode()
            socket.send_fds(one, [len(request).to_bytes(4, "big")], [out.fileno(), err.fileno()])
            one.sendall(request)
            answers = one.makefile()
            pid = int(answers.readline())
            late = False
            try:
                code = int(answers.readline())
            except TimeoutError:
                late, code = True, -signal.SIGKILL
                os.killpg(pid, signal.SIGKILL)
            texts = []
            for file in (out, err):
                file.seek(0)
                texts.append(file.read().decode("utf-8", "replace"))
        if late:
            said = "\n".join(texts)
            pytest.fail(f"no end after {timeout:g} s: homeport {' '.join(args)}\n{said}", pytrace=False)
        return subprocess.CompletedProcess(["homeport", *args], code, *texts)


@contextlib.contextmanager
def warm() -> Iterator[Warm]:
    """A program that has imported homeport; it ends with the block."""
    with tempfile.TemporaryDirectory(prefix="homeport-warm-") as folder:
        address = str(Path(folder) / "socket")
        with subprocess.Popen(
            [sys.executable, __file__, address], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            try:
                yield Warm(address)
            finally:
                process.stdin.close()


def _serve(address: str) -> None:
    for name in _MODULES:
        importlib.import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        print("ready", flush=True)
        # Its input ends when whoever started it does, however that happens.
        while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:
            one, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                _supervise(one)
                os._exit(0)
            one.close()


def _supervise(one: socket.socket) -> None:
    """Fork the command, and say its number and then how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    head, outputs, _, _ = socket.recv_fds(one, 4, 2)
    request = json.loads(one.makefile("rb").read(int.from_bytes(head, "big")))
    pid = os.fork()
    if pid == 0:
        one.close()
        _become(request, outputs)
    one.sendall(f"{pid}\n".encode())
    _, status = os.waitpid(pid, 0)
    with contextlib.suppress(BrokenPipeError):  # it waited for too long
        one.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())


def _become(request: Mapping[str, Any], outputs: Sequence[int]) -> NoReturn:
    """Be the command as the interpreter would start it, and end as it would end."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, file in enumerate((nothing, *outputs)):
        os.dup2(file, number)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    random.seed()
    tempfile.tempdir = None  # it is read from the variables only once
    sys.argv = ["homeport", *request["args"]]
    importlib.import_module("homeport.program").main()
    sys.exit()


if __name__ == "__main__":
    _serve(sys.argv[1])

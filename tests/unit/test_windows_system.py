"""What homeport does where ``sys.platform`` is ``win32``, and on consoles and files as Windows has them.

The branches are run here with the system's answers in place of Windows' own.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path, PureWindowsPath
from typing import Any

import psutil
import pytest

from homeport import program
from homeport.engine import containers, docker, fronts, history, images, process, programs, signals, trivy
from homeport.engine import scanner as scanning
from homeport.engine import volumes as volumes_of_engine
from homeport.engine.process import Child, Completed
from homeport.engine.waiting import first_done, result_of
from homeport.errors import ToolMissing, ToolTimeout, UsageError
from homeport.model.isolation import Source
from homeport.report.console import make_console, show_error
from homeport.report.document import write_json
from homeport.report.summary import show_result
from homeport.report.table import plain_table
from homeport.sources import replace
from homeport.sources.mounted import Sources
from report_samples import HOSTILE, build, saying

BREAK = 99
CONSOLES = ["cp1252", "cp437", "cp850", "ascii", "utf-8"]


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where every branch takes this system for Windows."""
    monkeypatch.setattr(sys, "platform", "win32")


# -- consoles ------------------------------------------------------------------------------------------------


def stream(encoding: str) -> io.TextIOWrapper:
    """What standard output is where it is redirected: strict, and of the console's encoding."""
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True)


def written(out: io.TextIOWrapper) -> str:
    assert isinstance(out.buffer, io.BytesIO)
    return out.buffer.getvalue().decode(out.encoding)


@pytest.mark.parametrize("encoding", CONSOLES)
def test_no_character_is_too_much_for_a_console(encoding: str) -> None:
    out = stream(encoding)
    console = make_console(out)
    table = plain_table()
    table.add_column("✓")
    table.add_row("─ │ é … 日本 \ud800")
    console.print(table)
    show_error(UsageError("✗ nö", cause="→", hint="…"), console)
    for sample in (build(6, broken=(1,)), saying(HOSTILE)):
        show_result(sample, console)
    assert "error: " in written(out)
    assert ("é" in written(out)) is (encoding != "ascii")


@pytest.mark.parametrize("encoding", CONSOLES)
@pytest.mark.parametrize("words", [["--list"], ["--help"], ["build", "--help"], ["deploy", "--help"]])
def test_help_is_shown_on_every_console(
    monkeypatch: pytest.MonkeyPatch, encoding: str, words: list[str]
) -> None:
    out = stream(encoding)
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "argv", ["homeport", *words])
    with contextlib.suppress(SystemExit):
        program.main()
    assert "homeport" in written(out)


def test_json_is_utf8_with_unix_line_ends_on_every_console(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="cp1252", newline="\r\n")
    monkeypatch.setattr(sys, "stdout", out)
    write_json("-", {"name": "✓"})
    assert isinstance(out.buffer, io.BytesIO)
    assert out.buffer.getvalue() == '{\n  "name": "✓"\n}\n'.encode()


# -- processes -----------------------------------------------------------------------------------------------


class Process:
    """A process that ignores requests to stop; ``ends_after`` slices of waiting it ends by itself."""

    pid = 4711
    returncode = 0

    def __init__(self, ends_after: int = 10**6) -> None:
        self.ends_after = ends_after
        self.asked: list[object] = []
        self.given: list[bytes | None] = []

    def poll(self) -> int | None:
        return None

    def send_signal(self, number: int) -> None:
        self.asked.append(number)

    def wait(self, timeout: float | None = None) -> int:
        if timeout is not None:
            raise subprocess.TimeoutExpired("x", timeout)
        return 0

    def communicate(self, data: bytes | None, timeout: float) -> tuple[bytes, bytes]:
        self.given.append(data)
        self.ends_after -= 1
        if self.ends_after < 0:
            return b"out", b"err"
        time.sleep(timeout)
        raise subprocess.TimeoutExpired("x", timeout)


def child(made: Process) -> Child:
    found = Child.__new__(Child)
    found.process = made  # type: ignore[assignment]
    return found


def test_a_program_has_a_group_of_its_own(windows: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0x200, raising=False)
    assert process._own_group() == {"creationflags": 0x200}


def test_a_program_is_asked_to_stop_by_ctrl_break(windows: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal, "CTRL_BREAK_EVENT", BREAK, raising=False)
    made = Process()
    child(made).interrupt()
    assert made.asked == [BREAK]


def test_a_program_is_killed_with_all_that_it_started(windows: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal, "CTRL_BREAK_EVENT", BREAK, raising=False)
    killed: list[int] = []

    class Known:
        def __init__(self, pid: int) -> None:
            self.pid = pid

        def children(self, recursive: bool) -> list[Known]:
            return [Known(self.pid + 1), Known(self.pid + 2)] if recursive else []

        def kill(self) -> None:
            killed.append(self.pid)
            if self.pid == 4712:
                raise psutil.NoSuchProcess(self.pid)

    monkeypatch.setattr(psutil, "Process", Known)
    child(Process()).stop(grace=0.0)
    assert killed == [4712, 4713, 4711]


def test_waiting_for_a_program_lets_ctrl_c_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_SLICE_SECONDS", 0.01)
    made = Process(ends_after=3)
    assert child(made).communicate(b"in", 5.0) == (b"out", b"err")
    assert made.given == [b"in", None, None, None]  # what it is given is given once
    late = Process()
    began = time.monotonic()
    with pytest.raises(subprocess.TimeoutExpired):
        child(late).communicate(b"", 0.05)
    assert 0.05 <= time.monotonic() - began < 2
    assert late.given[:2] == [b"", None]


def test_waiting_for_threads_lets_ctrl_c_in() -> None:
    with ThreadPoolExecutor(2) as pool:
        quick, slow = pool.submit(time.sleep, 0.0), pool.submit(time.sleep, 0.7)
        assert quick in first_done([quick, slow])
        assert result_of(slow) is None
        failed: Future[None] = pool.submit(lambda: (_ for _ in ()).throw(OSError("no")))
        with pytest.raises(OSError, match="no"):
            result_of(failed)
    nothing: list[Future[None]] = []
    assert first_done(nothing) == set()


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="sends a signal as POSIX does")
def test_ctrl_c_ends_a_wait_for_threads() -> None:
    gate = threading.Event()
    timer = threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGINT))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(gate.wait, 20.0)
        timer.start()
        try:
            with pytest.raises(KeyboardInterrupt):
                result_of(waiting)
        finally:
            gate.set()


def installed(monkeypatch: pytest.MonkeyPatch, *paths: str) -> None:
    """Let these be all the files of this machine, on a system that is Windows."""

    class Only(PureWindowsPath):
        def is_file(self) -> bool:
            return str(self) in paths

        @classmethod
        def cwd(cls) -> Only:
            return cls(r"D:\repo")

    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(programs, "Path", Only)
    monkeypatch.setenv("PATH", r"C:\one;C:\two")
    monkeypatch.delenv("PATHEXT", raising=False)


def test_the_repository_brings_no_program_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, r"D:\repo\docker.exe", r"C:\two\docker.exe", r"C:\x\hadolint.exe")
    assert programs.which("docker") == r"C:\two\docker.exe"
    assert programs.startable(["docker", "info"], None) == [r"C:\two\docker.exe", "info"]
    assert programs.which("trivy") == ""
    assert programs.which("hadolint", r"C:\x") == r"C:\x\hadolint.exe"


def test_what_cant_be_started_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, r"C:\one\npm.cmd")
    assert programs.startable(["npm", "ci"], None) == [r"C:\one\npm.cmd", "ci"]
    with pytest.raises(ToolMissing, match="'trivy' was not found"):
        process.attached(["trivy"])
    with pytest.raises(ToolMissing, match="'npm' can't be started: it is a batch file, which reads '&'"):
        process.attached(["npm", "a&b"])


def test_a_program_that_never_answers_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Process()
    monkeypatch.setattr(process, "Child", lambda *_, **__: child(made))
    monkeypatch.setattr(Child, "stop", lambda self, grace=0.0: made.asked.append("stop"))
    with pytest.raises(ToolTimeout):
        process.run(["docker", "info"], timeout=0.05)
    assert made.asked == ["stop"]


def test_who_cant_be_asked_to_stop_is_killed_at_once(windows: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal, "CTRL_BREAK_EVENT", BREAK, raising=False)
    killed: list[int] = []
    waited: list[float | None] = []

    def refuse(number: int) -> None:
        raise OSError(6, "The handle is invalid")  # there is no console

    def wait(timeout: float | None = None) -> int:
        waited.append(timeout)
        return Process.wait(made, timeout)

    made = Process()
    monkeypatch.setattr(made, "send_signal", refuse)
    monkeypatch.setattr(made, "wait", wait)
    monkeypatch.setattr(process, "_kill_all", killed.append)
    child(made).stop(grace=10.0)
    assert (killed, waited) == ([made.pid], [0.0, None])


# -- signals -------------------------------------------------------------------------------------------------


def test_closing_the_window_is_a_request_to_stop() -> None:
    assert "SIGBREAK" in signals.STOP_SIGNALS
    assert replace._STOPS == signals.STOP_SIGNALS


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="another signal stands in for SIGBREAK")
def test_ctrl_break_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal, "SIGBREAK", signal.SIGUSR1, raising=False)
    before, heard = signal.getsignal(signal.SIGUSR1), []
    with signals.on_stop_request(lambda: heard.append(1)):
        os.kill(os.getpid(), signal.SIGUSR1)
        assert signals.asked_to_stop()
    assert heard == [1]
    assert signal.getsignal(signal.SIGUSR1) == before


# -- the engine ----------------------------------------------------------------------------------------------

Call = Callable[[], object]
ASKED: list[tuple[str, Call]] = [
    ("ps", lambda: containers.of_project("p")),
    ("container", lambda: containers.inspect(["c"])),
    ("start", lambda: containers.start(["c"])),
    ("cp", lambda: containers.write_file("c", "/a/b", "x")),
    ("exec", lambda: containers.execute("c", ["true"])),
    ("cp", lambda: fronts.read_file("c", "/a/b")),
    ("image", lambda: images.find(["i"])),
    ("image", lambda: images.ids(["i"])),
    ("image", lambda: history.read(["sha256:1"])),
    ("volume", lambda: volumes_of_engine.labelled("l")),
    ("volume", lambda: volumes_of_engine.make("v", {})),
]


@pytest.mark.parametrize(("word", "ask"), ASKED, ids=[str(number) for number in range(len(ASKED))])
def test_the_docker_command_is_asked_where_there_are_no_sockets(
    windows: None, monkeypatch: pytest.MonkeyPatch, word: str, ask: Call
) -> None:
    started: list[list[str]] = []

    def run(argv: Sequence[str], **_: Any) -> Completed:
        started.append(list(argv))
        return Completed(tuple(argv), 0, "", "")

    def refuse(*_: object) -> None:
        pytest.fail("a socket was opened")

    monkeypatch.setattr(process, "run", run)
    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setenv("DOCKER_HOST", "unix:///var/run/docker.sock")  # also then
    with contextlib.suppress(Exception):  # an empty answer is no engine's: what counts is who was asked
        ask()
    assert started
    assert started[0][0] == "docker"
    assert word in started[0]


def test_what_else_needs_a_socket_goes_without(windows: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(docker, "_plugin_path", lambda name: "docker-buildx.exe")
    monkeypatch.setattr(docker, "which", lambda name: r"C:\docker.exe")
    assert docker._asked_directly() == {}
    assert scanning._same_engine() == {}
    assert trivy._socket() == "/var/run/docker.sock"  # Docker Desktop's, as its containers see it


def test_the_pipe_of_docker_desktop_is_this_machine() -> None:
    found = docker.parse_engine({"ServerVersion": "28", "MemTotal": 8}, host="npipe:////./pipe/docker_engine")
    assert found.local


@pytest.mark.parametrize("path", ["/etc/localtime", "/var/run/docker.sock", "/proc", "/lib/modules"])
def test_what_is_the_engines_own_is_mounted_although_windows_hasnt_it(
    windows: None, tmp_path: Path, path: str
) -> None:
    assert Sources(tmp_path)(path) is Source.KEPT

"""What only Windows shows: its programs, signals, open files, names. Run there, or in Wine: ci/wine.py."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from homeport.engine import process, programs
from homeport.engine.process import Child
from homeport.errors import ToolMissing, ToolTimeout, UsageError
from homeport.model.ignore import Ignore
from homeport.scan.subjects import shown_file
from homeport.sources import replace
from homeport.sources.disk import Disk
from homeport.sources.tracked import Tracked
from homeport.sources.tree import Tree

if sys.platform != "win32":
    pytest.skip("needs Windows, or Wine (ci/wine.py)", allow_module_level=True)
PYTHON = sys.executable

SAYS = "import sys; sys.stdout.buffer.write({0!r}.encode()); sys.stderr.write('x')"


def until(condition: object, seconds: float = 20.0) -> bool:
    """Wait until a condition holds; whether it did in time."""
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return bool(condition())


# -- programs ------------------------------------------------------------------------------------------------


def test_what_a_program_says_is_utf8_and_its_line_ends_are_its_own() -> None:
    done = process.run([PYTHON, "-c", SAYS.format("ä✓\r\n")])
    assert (done.code, done.stdout, done.stderr) == (0, "ä✓\r\n", "x")


def test_what_is_long_goes_in_and_comes_out() -> None:
    copy = "import sys, shutil; shutil.copyfileobj(sys.stdin.buffer, sys.stdout.buffer)"
    text = "ä\n" * 200_000
    assert process.run([PYTHON, "-c", copy], stdin=text).stdout == text


def test_a_batch_file_is_started_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hello.cmd").write_bytes(b"@echo off\r\necho hello %1\r\nexit /b 3\r\n")
    monkeypatch.setenv("PATH", f"{tmp_path};{os.environ['PATH']}")
    done = process.run(["hello", "you"])
    assert (done.code, done.stdout.strip()) == (3, "hello you")
    with pytest.raises(ToolMissing, match="it is a batch file, which reads '&'"):
        process.run(["hello", "you&exit"])


def test_a_program_of_the_repository_is_not_taken_for_one_on_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "docker.cmd").write_bytes(b"@echo stolen\r\n")
    (tmp_path / "docker.exe").write_bytes(b"MZ")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", os.environ["SYSTEMROOT"])
    assert programs.which("docker") == ""
    with pytest.raises(ToolMissing, match="'docker' was not found"):
        process.run(["docker", "info"], cwd=tmp_path)
    with pytest.raises(ToolMissing, match="can't be started"):
        process.run([r".\docker.exe"], cwd=tmp_path)  # named, it is taken, and is no program


# -- the end of programs -------------------------------------------------------------------------------------

ENDS = """
import signal, sys, time
signal.signal(signal.SIGBREAK, lambda *_: sys.exit(7))
print("ready", flush=True)
while True: time.sleep(0.05)
"""
REFUSES = """
import signal, subprocess, sys, time
signal.signal(signal.SIGBREAK, signal.SIG_IGN)
other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(other.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def children() -> Iterator[Callable[..., Child]]:
    """Start programs that are gone at the end, their pipes closed."""
    with contextlib.ExitStack() as stack:

        def start(*words: str) -> Child:
            child = Child([PYTHON, "-c", *words])
            stack.enter_context(child.process)
            stack.callback(child.stop, 0.0)
            return child

        yield start


def first_line(child: Child) -> str:
    assert child.process.stdout is not None
    line: bytes = child.process.stdout.readline()
    return line.decode().strip()


def test_a_program_may_end_by_itself_when_it_is_asked_to(children: Callable[..., Child]) -> None:
    child = children(ENDS)
    assert first_line(child) == "ready"
    if not child.interrupt():
        pytest.skip("no console takes Ctrl-Break here, as in Wine")
    child.stop(grace=20.0)
    assert child.process.returncode == 7


def test_what_a_program_started_ends_with_it(children: Callable[..., Child]) -> None:
    child = children(REFUSES)
    grandchild = int(first_line(child))
    assert psutil.pid_exists(grandchild)
    child.stop(grace=0.5)
    assert child.process.poll() is not None
    assert until(lambda: not psutil.pid_exists(grandchild))


def test_a_program_that_never_ends_is_ended() -> None:
    began = time.monotonic()
    with pytest.raises(ToolTimeout):
        process.run([PYTHON, "-c", "import time; time.sleep(60)"], timeout=1.0)
    assert time.monotonic() - began < 30


LISTENS = """
import _thread, signal, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
from homeport.engine import process
from homeport.engine.signals import on_stop_request
from homeport.engine.waiting import result_of

def stop():
    raise KeyboardInterrupt

with ThreadPoolExecutor(1) as pool:
    with on_stop_request(stop):
        # As the handler of the console does it, in a thread of its own.
        threading.Timer(0.5, lambda: _thread.interrupt_main(signal.SIGBREAK)).start()
        print("ready", flush=True)
        try:
            if sys.argv[1] == "thread":
                result_of(pool.submit(time.sleep, 5.0))
            else:
                process.run([sys.executable, "-c", "import time; time.sleep(5)"])
            print("deaf", flush=True)
        except KeyboardInterrupt:
            print("heard", flush=True)
"""


@pytest.mark.parametrize("what", ["thread", "program"])
def test_a_request_to_stop_is_heard_while_something_is_waited_for(
    children: Callable[..., Child], what: str
) -> None:
    child = children(LISTENS, what)
    assert first_line(child) == "ready"
    began = time.monotonic()
    assert first_line(child) == "heard"
    assert time.monotonic() - began < 4.0


# -- files ---------------------------------------------------------------------------------------------------


def test_a_file_is_replaced_as_soon_as_nobody_has_it_open(tmp_path: Path) -> None:
    file = tmp_path / "compose.yml"
    file.write_bytes(b"a: 1\r\n")
    reader = file.open("rb")
    threading.Timer(0.3, reader.close).start()
    replace.write({file: b"a: 2\r\n"}, {file: b"a: 1\r\n"})
    assert file.read_bytes() == b"a: 2\r\n"


def test_a_file_that_stays_open_is_left_as_it_is(tmp_path: Path) -> None:
    file, other = tmp_path / "compose.yml", tmp_path / "other.yml"
    for one in (other, file):
        one.write_bytes(b"a: 1\n")
    with file.open("rb"), pytest.raises(UsageError, match=r"compose\.yml can't be written"):
        replace.write({other: b"a: 2\n", file: b"a: 2\n"}, {other: b"a: 1\n", file: b"a: 1\n"})
    assert {one.name: one.read_bytes() for one in tmp_path.iterdir()} == {
        "compose.yml": b"a: 1\n",
        "other.yml": b"a: 1\n",
    }


def test_a_context_has_the_modes_that_buildkits_client_sends(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "Ä b.py").write_bytes(b"x\r\n")
    locked = tmp_path / "locked"
    locked.write_bytes(b"y")
    locked.chmod(0o444)
    try:
        found = Tree(Disk(), str(tmp_path), Ignore([]))
        listed = {node.path: found.entry(node)[1] for node in found.walk(found.root) if node.path}
        assert listed == {"locked": "555", "src": "755", "src/Ä b.py": "755"}
        assert found.digest(found.root)
    finally:
        locked.chmod(0o666)


def test_a_folder_in_other_letters_is_the_same_folder(tmp_path: Path) -> None:
    (tmp_path / "Svc").mkdir()
    (tmp_path / "Svc" / "Dockerfile").write_bytes(b"FROM scratch\n")
    other = Path(str(tmp_path).upper(), "SVC", "Dockerfile")
    assert shown_file(other, tmp_path).lower() == "svc/dockerfile"
    assert Tracked(tmp_path, frozenset({"Svc/Dockerfile"}), frozenset({"Svc"})).holds(
        str(tmp_path / "Svc" / "Dockerfile")
    )


@pytest.mark.parametrize("words", [["--list"], ["doctor", "--help"], ["init", "--dry-run"]])
def test_the_commands_run_on_a_console_of_cp1252(tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "compose.yml").write_bytes(b"services: {}\n")
    done = subprocess.run(
        [PYTHON, "-m", "homeport", *words],
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "cp1252"},
        capture_output=True,
        timeout=120,
    )
    said = done.stdout.decode("cp1252") + done.stderr.decode("cp1252")
    assert done.returncode == 0, said
    assert "Traceback" not in said
    assert "homeport" in said

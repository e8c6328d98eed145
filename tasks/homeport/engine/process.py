"""Run other programs: always an argv list, always UTF-8, never a shell, always with an end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from homeport.engine.programs import startable
from homeport.engine.signals import asked_to_stop
from homeport.errors import ToolMissing, ToolTimeout

GRACE_SECONDS = 10.0
"""How long a program may take to stop after it was asked to."""
_SLICE_SECONDS = 0.5
"""On Windows Ctrl-C is not seen while the main thread waits for a program: so it waits in slices."""


def _own_group() -> dict[str, Any]:
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


@dataclass(frozen=True)
class Completed:
    """A finished program: exit code and what it wrote, as text."""

    argv: tuple[str, ...]
    code: int
    stdout: str
    stderr: str


def run(
    argv: Sequence[str],
    *,
    stdin: str = "",
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout: float = 60.0,
    errors: str = "replace",
) -> Completed:
    """Run a program to its end; ``env`` is added to the environment, ``timeout`` is in seconds.

    ``errors`` says what becomes of bytes that are no UTF-8: "surrogateescape" keeps them, for file names.

    Raises ToolMissing if there is no such program, ToolTimeout if it doesn't end in time.
    """
    child = Child(argv, env=env, cwd=cwd)
    try:
        out, err = child.communicate(stdin.encode("utf-8", "surrogateescape"), timeout)
    except subprocess.TimeoutExpired:
        child.stop(grace=1.0)
        raise ToolTimeout(
            f"'{' '.join(argv[:3])}' didn't answer within {timeout:g} s.",
            cause="The Docker engine or a registry is overloaded or unreachable.",
            hint="Look at it with 'docker info', and try again.",
        ) from None
    except BaseException:
        child.stop(grace=1.0)
        raise
    return Completed(tuple(argv), child.process.returncode, out.decode("utf-8", errors), _text(err))


def limited(
    argv: Sequence[str], *, seconds: float, cwd: Path, env: Mapping[str, str]
) -> tuple[int | None, str]:
    """Run a program without input: its exit code, and both outputs as one text.

    The code is None if it was stopped, with all that it had started, because it took longer. Raises
    ToolMissing.
    """
    with tempfile.TemporaryFile() as output:
        child = Child(argv, env=env, cwd=cwd, output=output)
        code: int | None = None
        end = time.monotonic() + seconds
        try:
            while code is None and time.monotonic() < end:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    code = child.process.wait(min(1.0, max(0.0, end - time.monotonic())))
                if asked_to_stop():
                    raise KeyboardInterrupt
        finally:
            child.stop()
        output.seek(0)
        return code, _text(output.read())


@dataclass(frozen=True)
class Timed:
    """A program that was timed: its exit code (None: stopped, because it took too long), from its start to
    its end in seconds, and both outputs as one text."""

    code: int | None
    seconds: float
    said: str


def timed(
    argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], limit: float, grace: float = GRACE_SECONDS
) -> Timed:
    """Run a program without input and take the time, to its end or for ``limit`` seconds.

    Whatever ends the wait, an exception too, ends the program: it has ``grace`` seconds to stop itself.
    Raises ToolMissing.
    """
    with tempfile.TemporaryFile() as output:
        began = time.monotonic()
        child = Child(argv, env=env, cwd=cwd, output=output)
        late = threading.Event()

        def end() -> None:
            late.set()
            child.stop(grace)

        clock = threading.Timer(limit, end)
        clock.daemon = True
        clock.start()
        try:
            # No timeout here: with one Python looks only every 50 ms whether it has ended.
            code = child.process.wait()
            taken = time.monotonic() - began
        finally:
            clock.cancel()
            child.stop(grace)
        output.seek(0)
        return Timed(None if late.is_set() else code, taken, _text(output.read()))


def attached(argv: Sequence[str]) -> int:
    """Run a program with this terminal, until it ends or the user ends it; returns its exit code."""
    try:
        return subprocess.run(startable(argv, None), check=False, stdin=subprocess.DEVNULL).returncode
    except FileNotFoundError as error:
        raise missing(argv[0]) from error
    except OSError as error:
        raise _not_startable(argv[0], error) from error


class Child:
    """A running program in its own process group, so that Ctrl-C reaches it only through ``stop``."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str | None] | None = None,
        cwd: Path | None = None,
        output: IO[bytes] | None = None,
    ) -> None:
        """``env`` is added to the environment; None takes a variable away. ``output``: a file for all that it
        writes; it has no input then, and no pipes."""
        environment = {**os.environ, **(env or {})}
        try:
            self.process = subprocess.Popen(
                startable(argv, cwd),
                stdin=subprocess.DEVNULL if output else subprocess.PIPE,
                stdout=output or subprocess.PIPE,
                stderr=subprocess.STDOUT if output else subprocess.PIPE,
                env={name: value for name, value in environment.items() if value is not None},
                cwd=cwd,
                **_own_group(),
            )
        except FileNotFoundError as error:
            raise missing(argv[0]) from error
        except OSError as error:
            raise _not_startable(argv[0], error) from error

    def communicate(self, data: bytes, timeout: float) -> tuple[bytes, bytes]:
        """Write ``data`` to its input and wait for its end: both of its outputs.

        Raises subprocess.TimeoutExpired after ``timeout`` seconds; it runs on then.
        """
        end = time.monotonic() + timeout
        rest: bytes | None = data
        while True:
            left = end - time.monotonic()
            try:
                return self.process.communicate(rest, timeout=max(0.0, min(_SLICE_SECONDS, left)))
            except subprocess.TimeoutExpired:
                if left <= _SLICE_SECONDS:
                    raise
                rest = None  # it goes on with what it was given first

    def stderr_lines(self, stdin: str) -> Iterator[str]:
        """Write ``stdin``, then yield standard error line by line as it comes; standard output is dropped."""
        process = self.process
        if process.stdin is None or process.stdout is None or process.stderr is None:
            raise AssertionError("a Child always has its three pipes")
        feeder = threading.Thread(target=self._feed, args=(stdin.encode("utf-8"),), daemon=True)
        drainer = threading.Thread(target=process.stdout.read, daemon=True)
        feeder.start()
        drainer.start()
        for line in process.stderr:
            yield _text(line).rstrip("\r\n")
        feeder.join()
        drainer.join()
        for pipe in (process.stdout, process.stderr):
            pipe.close()

    def _feed(self, data: bytes) -> None:
        # A program that ends early closes the pipe; its exit code and its words say why.
        with contextlib.suppress(BrokenPipeError, OSError):
            if self.process.stdin is not None:
                self.process.stdin.write(data)
                self.process.stdin.close()

    def wait(self) -> int:
        """Wait for the end; returns the exit code."""
        return self.process.wait()

    def interrupt(self) -> bool:
        """Ask the program to stop, as Ctrl-C would; returns at once: whether it could be asked.

        On Windows it can't where there is no console, as in a service.
        """
        try:
            if sys.platform == "win32":
                self.process.send_signal(signal.CTRL_BREAK_EVENT)
            else:
                os.killpg(self.process.pid, signal.SIGINT)
        except OSError:
            return False
        return True

    def stop(self, grace: float = GRACE_SECONDS) -> None:
        """Interrupt, wait up to ``grace`` seconds, then kill the whole process group."""
        if self.process.poll() is None:
            asked = self.interrupt()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(grace if asked else 0.0)
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError, OSError):
                if sys.platform == "win32":
                    _kill_all(self.process.pid)
                else:
                    os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def _kill_all(pid: int) -> None:
    """Kill a process of Windows and all that it has started: there are no groups that could be killed."""
    import psutil

    with contextlib.suppress(psutil.NoSuchProcess):
        first = psutil.Process(pid)
        for process in [*first.children(recursive=True), first]:
            with contextlib.suppress(psutil.Error):
                process.kill()


def _not_startable(program: str, error: OSError) -> ToolMissing:
    return ToolMissing(
        f"'{program}' can't be started: {error.strerror}.",
        hint="Check that the file is an executable and that you may run it.",
    )


def missing(program: str) -> ToolMissing:
    """The error for a program that isn't there."""
    return ToolMissing(
        f"The program '{Path(program).name}' was not found.",
        cause="The Docker command line is not installed, or not on PATH.",
        hint="Install Docker (https://docs.docker.com/engine/install/), then run 'homeport doctor'.",
    )


def _text(data: bytes) -> str:
    return data.decode("utf-8", errors="replace")

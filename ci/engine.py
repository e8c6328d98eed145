"""A Docker engine for a machine that has none and may install one.

    python ci/engine.py            leave a working engine alone; else install or start one, if that is allowed
    python ci/engine.py --check    only report: what runs, or what this program would do

A machine whose Docker works is never touched. A Debian machine with root gets Docker Engine, buildx and
Compose from Debian's own packages: the suite below is added beside the machine's own (same mirror, same
key), pinned so low that nothing else is ever upgraded from it. Every other machine gets one message that
says what is missing and how to get it there.

Facts are read once (engine_facts.py), turned into a plan (engine_plan.py) and applied here: `Machine` is the
only part with effects.
Exit codes: 0 an engine with buildx and Compose answers; 1 installing or starting failed; 2 this machine
needs its owner; 130 interrupted. Only the standard library is used: nothing is installed before it runs.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import leftovers
from engine_facts import Facts, look, read_facts, search_path, which
from engine_plan import DOCKERD_LOG, Daemon, Plan, Run, Step, Wait, Write, incomplete, make_plan

LOG = Path("/var/log/homeport-engine.log")
INSTALL_TIMEOUT_S = 900
TAIL_LINES = 15


class EngineError(Exception):
    """What happened, the likely cause, what to do next; the exit code says whose turn it is."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


# -- apply ------------------------------------------------------------------------------------------------


class Machine:
    """The effects. Everything that changes this machine is in this class."""

    def __init__(self) -> None:
        self._daemon: subprocess.Popen[bytes] | None = None
        self._daemon_log_start = 0

    def say(self, text: str) -> None:
        """Tell people what happens; installing takes a while."""
        print(text, flush=True)

    def write(self, step: Write) -> bool:
        """Write a file; tell whether it is new, which is to say ours to remove again."""
        path = Path(step.path)
        new = not path.exists()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(step.text, encoding="utf-8", newline="\n")
        path.chmod(step.mode)
        return new

    def remove(self, path: str) -> None:
        """Take back a file that `write` made."""
        Path(path).unlink(missing_ok=True)

    def run(self, argv: Sequence[str]) -> str:
        """Run a program with its output in the log; return what went wrong, with the log's last lines."""
        with LOG.open("ab") as output:
            output.write(f"\n$ {shlex.join(argv)}\n".encode())
            output.flush()
            start = output.tell()
            try:
                result = subprocess.run(
                    argv,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=quiet_environment(os.environ),
                    timeout=INSTALL_TIMEOUT_S,
                )
            except subprocess.TimeoutExpired:
                return f"{shlex.join(argv)}: no end after {INSTALL_TIMEOUT_S} s"
            except OSError as problem:
                return f"{argv[0]} can't be run: {problem.strerror or problem}"
        if result.returncode == 0:
            return ""
        end = f"the end of {LOG}:\n{_tail(LOG, start)}"
        return f"{shlex.join(argv)}\nfailed with exit code {result.returncode}; {end}"

    def start_daemon(self) -> None:
        """Start dockerd so that neither a closed terminal nor the end of `make` stops it."""
        dockerd = which("dockerd")
        if dockerd is None:
            raise EngineError(
                "the packages are installed, but there is no dockerd: this is a bug of ci/engine.py."
            )
        with DOCKERD_LOG.open("ab") as output:
            self._daemon_log_start = output.tell()
            self._daemon = subprocess.Popen(
                [dockerd],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd="/",
                env=quiet_environment(os.environ),
                start_new_session=True,
            )

    def wait(self, seconds: float) -> str:
        """Wait for an answer; return what went wrong, which a stopped dockerd tells at once."""
        deadline = time.monotonic() + seconds
        while not look().answers:
            code = self._daemon.poll() if self._daemon else None
            if code is not None:
                return f"dockerd stopped with exit code {code}; {self._daemon_log()}"
            if time.monotonic() > deadline:
                return f"the engine did not answer within {seconds:g} s; {self._daemon_log()}"
            time.sleep(0.25)
        return ""

    def _daemon_log(self) -> str:
        if self._daemon:
            return f"the end of {DOCKERD_LOG}:\n{_tail(DOCKERD_LOG, self._daemon_log_start)}"
        return "its log: journalctl --unit docker --lines 50"


def apply(plan: Plan, machine: Machine) -> None:
    """Install by the first attempt that works, then start. A failed attempt leaves no file of it behind."""
    failures: list[str] = []
    for attempt in plan.attempts:
        problem = _try(attempt, machine)
        if not problem:
            failures = []
            break
        failures.append(problem)
        machine.say(f"that failed: {problem}")
    if failures:
        raise EngineError(
            "Docker could not be installed; the messages above say why.\nSee https://get.docker.com."
        )
    problem = _try(plan.start, machine)
    if problem:
        raise EngineError(f"the engine did not start: {problem}")


def _try(steps: Sequence[Step], machine: Machine) -> str:
    """Walk the steps to the first one that fails; return its problem."""
    written: list[Write] = []
    done = False
    try:
        for step in steps:
            machine.say(f"- {step}")
            problem = _do(step, machine, written)
            if problem:
                return problem
        done = True
        return ""
    finally:  # also when this program is interrupted
        for step in written:
            if step.temporary or not done:
                machine.remove(step.path)


def _do(step: Step, machine: Machine, written: list[Write]) -> str:
    """One step; return its problem, if any, and note a file that was not there before."""
    match step:
        case Write():
            if machine.write(step):
                written.append(step)
            return ""
        case Run():
            problem = machine.run(step.argv)
            if problem and step.optional:
                machine.say(f"  it failed, which may not matter: {problem.splitlines()[-1].strip()}")
                return ""
            return problem
        case Daemon():
            machine.start_daemon()
            return ""
        case Wait():
            return machine.wait(step.seconds)


def quiet_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """For apt: no question, no restart of other services. For dockerd: iptables must be found."""
    quiet = {"DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_SUSPEND": "1", "LC_ALL": "C.UTF-8"}
    return {**environment, **quiet, "PATH": search_path(environment)}


@contextlib.contextmanager
def _only_one_at_a_time() -> Iterator[None]:
    """Two runs at once would write the same files and start two engines: the second one waits."""
    if sys.platform == "win32":
        raise NotImplementedError("nothing is ever applied there")
    import fcntl

    with Path("/run/homeport-engine.lock").open("w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _tail(path: Path, start: int = 0) -> str:
    """The last lines of a log, from a position on."""
    with path.open("rb") as file:
        file.seek(start)
        lines = file.read().decode("utf-8", errors="replace").strip().splitlines()
    return "\n".join(f"  {line}" for line in lines[-TAIL_LINES:])


# -- command line -----------------------------------------------------------------------------------------


def check() -> int:
    """Report, and show what would be done. Change nothing."""
    facts = read_facts()
    plan = _allowed_plan(facts)
    if plan.nothing:
        print(f"{facts.docker}: nothing to do")
        return 0
    print(f"no Docker engine answers ({facts.docker.error}). `python ci/engine.py` would:")
    for number, attempt in enumerate(plan.attempts):
        print("install:" if number == 0 else "if that fails, install:")
        print("".join(f"- {step}\n" for step in attempt), end="")
    print("start:")
    print("".join(f"- {step}\n" for step in plan.start), end="")
    return 2


def ensure() -> int:
    """Bring an engine up, if that is possible and allowed."""
    facts = read_facts()
    docker = facts.docker
    if not _allowed_plan(facts).nothing:
        started = time.monotonic()
        with _only_one_at_a_time():
            plan = _allowed_plan(read_facts())  # whoever held the lock may have done it all
            print(f"no Docker engine answers ({docker.error}): starting one", flush=True)
            apply(plan, Machine())
        docker = look()
        if not docker.complete:
            raise EngineError(incomplete(docker) or f"the engine stopped answering: {docker.error}", 2)
        print(f"ready after {time.monotonic() - started:.0f} s")
        # Without an engine no test was running: whatever one made was left by it.
        if removed := leftovers.remove_all():
            print(f"removed what tests left in this engine's data: {removed}")
    print(docker)
    return 0


def _allowed_plan(facts: Facts) -> Plan:
    """The plan; where there is only a message for the machine's owner, that is the error."""
    plan = make_plan(facts)
    if plan.refusal:
        raise EngineError(plan.refusal, 2)
    return plan


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        description="A Docker engine for a machine that has none and may install one."
    )
    parser.add_argument("--check", action="store_true", help="only report; install and start nothing")
    options = parser.parse_args(arguments)
    try:
        return check() if options.check else ensure()
    except EngineError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except leftovers.LeftoverError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())

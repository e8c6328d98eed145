"""ci/engine.py: plans are walked, results are told. test_engine_from_nothing.py really installs an engine."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

import engine
import engine_facts
from engine import EngineError
from engine_facts import Docker, Facts
from engine_plan import Plan, Run, Write, make_plan
from made_up_machines import ANSWERS, BARE, NO_CLI, SILENT, facts

# -- applying ---------------------------------------------------------------------------------------------


class Recorder(engine.Machine):
    """Does nothing, remembers everything; what contains one of the given words fails."""

    def __init__(self, failing: Sequence[str] = (), existing: Sequence[str] = ()) -> None:
        super().__init__()
        self.failing = failing
        self.files = set(existing)
        self.done: list[str] = []

    def say(self, text: str) -> None:
        pass

    def write(self, step: Write) -> bool:
        new = step.path not in self.files
        self.files.add(step.path)
        return new

    def remove(self, path: str) -> None:
        self.files.remove(path)

    def run(self, argv: Sequence[str]) -> str:
        text = " ".join(argv)
        if "interrupt" in self.failing:
            raise KeyboardInterrupt
        self.done.append(text)
        return f"{text} failed" if any(word in text for word in self.failing) else ""

    def start_daemon(self) -> None:
        self.done.append("dockerd")

    def wait(self, seconds: float) -> str:
        self.done.append("wait")
        return "dockerd stopped" if "wait" in self.failing else ""


SID_FILES = {"/etc/apt/sources.list.d/homeport-sid.sources", "/etc/apt/preferences.d/homeport-sid"}
TRIXIE_FILES = {"/etc/apt/sources.list.d/homeport-trixie.sources", "/etc/apt/preferences.d/homeport-trixie"}
DAEMON_JSON = {"/etc/docker/daemon.json"}


@pytest.mark.parametrize(
    ("failing", "left"),
    [
        ((), SID_FILES | DAEMON_JSON),
        (("docker.io/sid",), TRIXIE_FILES | DAEMON_JSON),
        (("homeport-sid.sources",), TRIXIE_FILES | DAEMON_JSON),
    ],
)
def test_the_first_attempt_that_works_is_enough(failing: Sequence[str], left: set[str]) -> None:
    machine = Recorder(failing)
    engine.apply(make_plan(BARE), machine)
    assert machine.files == left
    assert machine.done[-2:] == ["dockerd", "wait"]


def test_an_update_of_all_sources_may_fail() -> None:
    machine = Recorder()
    steps = (Run(("apt-get", "update"), optional=True), Run(("apt-get", "install")))
    machine.failing = ("update",)
    engine.apply(Plan(attempts=(steps,)), machine)
    assert machine.done == ["apt-get update", "apt-get install"]


def test_when_every_attempt_fails_nothing_is_left_and_nothing_started() -> None:
    machine = Recorder(["apt-get install"])
    with pytest.raises(EngineError, match="could not be installed") as caught:
        engine.apply(make_plan(BARE), machine)
    assert caught.value.exit_code == 1
    assert machine.files == set()
    assert "dockerd" not in machine.done


def test_a_failed_attempt_removes_no_file_that_was_there_before() -> None:
    machine = Recorder(["apt-get install"], existing=sorted(SID_FILES))
    with pytest.raises(EngineError):
        engine.apply(make_plan(BARE), machine)
    assert machine.files == SID_FILES


def test_an_interrupted_attempt_leaves_no_file() -> None:
    machine = Recorder(["interrupt"])
    with pytest.raises(KeyboardInterrupt):
        engine.apply(make_plan(BARE), machine)
    assert machine.files == set()


def test_an_engine_that_does_not_start_says_why() -> None:
    machine = Recorder(["wait"])
    with pytest.raises(EngineError, match="the engine did not start: dockerd stopped"):
        engine.apply(make_plan(facts(docker=SILENT, dockerd=True)), machine)


def test_files_are_really_written_and_removed(tmp_path: Path) -> None:
    machine = engine.Machine()
    step = Write(str(tmp_path / "new" / "policy"), "text\n", 0o755)
    assert machine.write(step)
    assert not machine.write(step)
    path = Path(step.path)
    assert path.read_text(encoding="utf-8") == "text\n"
    assert os.name == "nt" or path.stat().st_mode & 0o777 == 0o755
    machine.remove(step.path)
    assert not path.exists()


def test_the_quiet_environment_asks_nothing_and_finds_iptables() -> None:
    environment = engine.quiet_environment(
        {"PATH": os.pathsep.join(["/bin", "/usr/sbin"]), "HTTP_PROXY": "x"}
    )
    assert environment["DEBIAN_FRONTEND"] == "noninteractive"
    assert environment["HTTP_PROXY"] == "x"
    assert environment["PATH"].split(os.pathsep) == ["/bin", "/usr/sbin", "/usr/local/sbin", "/sbin"]


def test_only_the_end_of_a_log_is_shown(tmp_path: Path) -> None:
    log = tmp_path / "log"
    old = "old\n" * 5
    log.write_text(old + "".join(f"line {number}\n" for number in range(40)), encoding="utf-8", newline="\n")
    assert engine._tail(log, len(old)).splitlines() == [f"  line {number}" for number in range(25, 40)]


# -- command line -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("docker", "code", "words"),
    [
        (ANSWERS, 0, "nothing to do"),
        (NO_CLI, 2, "docker.io/sid"),
        (dataclasses.replace(ANSWERS, buildx=""), 2, "buildx"),
    ],
)
def test_check_only_reports(
    docker: Docker, code: int, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(engine, "read_facts", lambda: facts(docker=docker))
    assert engine.main(["--check"]) == code
    output = capsys.readouterr()
    assert words in output.out + output.err


def test_a_working_engine_is_reported_and_nothing_else_happens(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(engine_facts, "look", lambda: ANSWERS)
    assert engine.main([]) == 0
    assert capsys.readouterr().out == "Docker Engine 28.5.2, buildx 0.29.1, Compose 2.40.3\n"


def test_a_message_is_one_error_and_exit_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(engine, "read_facts", lambda: facts(system="Darwin"))
    assert engine.main([]) == 2
    assert capsys.readouterr().err.startswith(
        "error: docker is not installed.\nInstall and start Docker Desktop"
    )


def test_an_interruption_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt() -> Facts:
        raise KeyboardInterrupt

    monkeypatch.setattr(engine, "read_facts", interrupt)
    assert engine.main([]) == 130

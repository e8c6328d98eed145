"""ci/bootstrap.py: which Python makes .venv, and when it is made again."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import bootstrap

Answers = dict[str, tuple[tuple[int, int], bool]]


@pytest.fixture
def pythons(monkeypatch: pytest.MonkeyPatch) -> Callable[[Answers], None]:
    """Let only these commands be Pythons of this machine."""

    def install(answers: Answers) -> None:
        monkeypatch.setattr(bootstrap, "ask", lambda command: answers.get(command[0]))

    return install


def test_the_python_that_runs_this_is_the_first_choice(pythons: Callable[[Answers], None]) -> None:
    pythons({sys.executable: ((3, 10), True), "python3.13": ((3, 13), True)})
    assert bootstrap.find_python("") == [sys.executable]


def test_an_old_one_hands_over_to_a_newer_one(pythons: Callable[[Answers], None]) -> None:
    pythons({sys.executable: ((3, 9), True), "python3.12": ((3, 12), True), "python3": ((3, 9), True)})
    assert bootstrap.find_python("") == ["python3.12"]


def test_a_complete_one_goes_before_one_without_venv(pythons: Callable[[Answers], None]) -> None:
    pythons({sys.executable: ((3, 11), False), "python3.10": ((3, 10), True)})
    assert bootstrap.find_python("") == ["python3.10"]


def test_a_choice_is_the_only_candidate(pythons: Callable[[Answers], None]) -> None:
    pythons({sys.executable: ((3, 12), True), "mine": ((3, 11), True)})
    assert bootstrap.find_python("mine") == ["mine"]


@pytest.mark.parametrize(
    ("chosen", "answers", "words"),
    [
        ("", {}, "none was found on PATH"),
        ("", {"python3": ((3, 8), True)}, r"python3 is 3\.8"),
        ("mine", {"mine": ((3, 8), True), "python3": ((3, 12), True)}, r"PYTHON=mine .*mine is 3\.8"),
        ("mine", {}, "mine can't be run"),
    ],
)
def test_no_python_says_what_was_found(
    chosen: str, answers: Answers, words: str, pythons: Callable[[Answers], None]
) -> None:
    pythons(answers)
    with pytest.raises(bootstrap.BootstrapError, match=words):
        bootstrap.find_python(chosen)


def test_a_missing_venv_without_root_is_a_message(
    pythons: Callable[[Answers], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    pythons({"python3": ((3, 11), False)})
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(bootstrap.BootstrapError, match=r"apt-get install python3\.11-venv"):
        bootstrap.find_python("")


def test_a_missing_venv_is_installed_on_debian_as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    installed: list[list[str]] = []
    monkeypatch.setattr(
        bootstrap, "ask", lambda command: ((3, 11), bool(installed)) if command == ["python3"] else None
    )
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/apt-get")
    monkeypatch.setattr("os.geteuid", lambda: 0, raising=False)
    monkeypatch.setattr("sys.platform", "linux")

    def install(command: list[str]) -> str:
        installed.append(command)
        return ""

    monkeypatch.setattr(bootstrap, "_quietly", install)
    assert bootstrap.find_python("") == ["python3"]
    assert installed[0][-1] == "python3.11-venv"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of its own, with a finished .venv."""
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    monkeypatch.setattr(bootstrap, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(bootstrap, "STAMP", tmp_path / ".venv" / "stamp")
    (tmp_path / "pyproject.toml").write_text("[project]\n", encoding="utf-8")
    python = bootstrap.python_in(tmp_path / ".venv")
    python.parent.mkdir(parents=True)
    python.touch()
    bootstrap.STAMP.write_text(bootstrap.wanted_stamp(), encoding="utf-8")
    return tmp_path


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch, pythons: Callable[[Answers], None], project: Path) -> list[str]:
    """What would be run, in one word each: venv or pip."""
    done: list[str] = []
    pythons(
        {
            sys.executable: ((3, 12), True),
            "mine": ((3, 11), True),
            str(bootstrap.python_in(project / ".venv")): ((3, 12), True),
        }
    )

    def run(command: list[str]) -> str:
        done.append(command[command.index("-m") + 1])
        bootstrap.STAMP.parent.mkdir(exist_ok=True)
        return ""

    monkeypatch.setattr(bootstrap, "_quietly", run)
    return done


def test_a_current_venv_is_left_alone(commands: list[str]) -> None:
    bootstrap.make()
    assert commands == []


def test_a_change_of_pyproject_installs_again(project: Path, commands: list[str]) -> None:
    (project / "pyproject.toml").write_text("[project]\nname = 'x'\n", encoding="utf-8")
    bootstrap.make()
    assert commands == ["pip"]
    bootstrap.make()
    assert commands == ["pip"]


@pytest.mark.parametrize("damage", ["no stamp", "no python", "moved"])
def test_a_broken_or_moved_venv_is_made_anew(damage: str, project: Path, commands: list[str]) -> None:
    if damage == "no stamp":
        bootstrap.STAMP.unlink()
    elif damage == "no python":
        bootstrap.python_in(project / ".venv").unlink()
    else:
        bootstrap.STAMP.write_text(
            bootstrap.wanted_stamp().replace(str(project), "/elsewhere"), encoding="utf-8"
        )
    bootstrap.make()
    assert commands == ["venv", "pip"]


@pytest.mark.parametrize(("chosen", "expected"), [(sys.executable, []), ("mine", ["venv", "pip"])])
def test_choosing_another_python_makes_another_venv(
    chosen: str, expected: list[str], commands: list[str]
) -> None:
    bootstrap.make(chosen)
    assert commands == expected


def test_clean_removes_what_was_made_and_nothing_else(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in (
        ".mypy_cache",
        "tasks/homeport/__pycache__",
        "tasks/homeport.egg-info",
        "docs/__pycache__",
    ):
        (project / folder).mkdir(parents=True)
    bootstrap.clean()
    left = sorted(path.relative_to(project).as_posix() for path in project.rglob("*"))
    assert left == ["docs", "docs/__pycache__", "pyproject.toml", "tasks", "tasks/homeport"]
    assert len(capsys.readouterr().out.splitlines()) == 4

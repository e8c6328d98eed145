"""The command line: exit codes, suggestions, and that no error of ours is a traceback."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

from homeport.commands import settings
from homeport.commands.adapter import guarded, names, whole_number
from homeport.errors import EnvironmentProblem, UsageError, WorkFailed, did_you_mean
from homeport.program import main
from homeport.report.document import check_file, write_json


def call(monkeypatch: pytest.MonkeyPatch, *argv: str) -> int:
    monkeypatch.setattr("sys.argv", ["homeport", *argv])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["biuld"], "did you mean 'build'?"),
        (["build", "--paralel"], "did you mean '--parallel'?"),
        (["build", "--targets"], "Option '--targets' needed value"),
        (["build", "--jobs", "many"], "--jobs takes a whole number"),
        (["build", "--retries", "-1"], "--retries takes a whole number"),
        (["build", "--registry", "https://x"], "no registry"),
    ],
)
def test_wrong_words_are_exit_2(
    argv: list[str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call(monkeypatch, *argv) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert "Traceback" not in captured.err
    assert captured.out == ""


def test_invoke_s_own_configuration_that_can_not_be_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / ".invoke.yaml").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert call(monkeypatch, "audit", "--rules") == 2
    assert ".invoke.yaml can't be read" in capsys.readouterr().err


def test_a_broken_configuration(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "homeport.toml").write_text("[build\n", encoding="utf-8")
    assert call(monkeypatch, "build") == 2
    assert "homeport.toml can't be read" in capsys.readouterr().err


def test_configuration_in_pyproject(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.homeport.build]\njobs = 3\n", encoding="utf-8")
    assert settings.read(tmp_path).build.jobs == 3
    (tmp_path / "homeport.toml").write_text("[build]\njobs = 4\n", encoding="utf-8")
    assert settings.read(tmp_path).build.jobs == 4


@pytest.mark.parametrize(
    ("error", "code"),
    [(UsageError("x"), 2), (EnvironmentProblem("x"), 2), (WorkFailed("x"), 1), (KeyboardInterrupt(), 130)],
)
def test_errors_become_exit_codes(
    error: BaseException, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def work() -> int:
        raise error

    assert guarded(work) == code
    assert "Traceback" not in capsys.readouterr().err


def test_an_error_is_shown_exactly(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> int:
        raise UsageError(
            "It [red]broke[/red].", cause="A hammer.", hint="Glue it.", detail="line 1\n  line 2"
        )

    assert guarded(work) == 2
    assert capsys.readouterr().err == (
        "line 1\n  line 2\nerror: It [red]broke[/red].\ncause: A hammer.\n next: Glue it.\n"
    )


def test_an_error_reaches_json(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> int:
        raise UsageError("It broke.", hint="Glue it.")

    guarded(work, "-")
    assert json.loads(capsys.readouterr().out) == {
        "error": {"exit_code": 2, "what": "It broke.", "hint": "Glue it."}
    }


@pytest.mark.parametrize(("path", "errors"), [("taken/x/out.json", 1), ("folder", 1), ("good.json", 1)])
def test_a_document_that_can_not_be_written_is_one_error(
    path: str, errors: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "taken").write_text("", encoding="utf-8")
    json_path = str(tmp_path / path)

    def work() -> int:
        check_file(json_path, "--json")
        write_json(str(tmp_path / "taken" / "another.json"), {})
        return 0

    assert guarded(work, json_path) == 2
    assert capsys.readouterr().err.count("error: ") == errors
    assert (tmp_path / "good.json").exists() == (path == "good.json")


def test_two_files_that_can_not_be_written_are_two_errors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken").write_text("", encoding="utf-8")
    folder = str(tmp_path / "taken")
    assert guarded(lambda: check(f"{folder}/a"), f"{folder}/b") == 2
    assert capsys.readouterr().err.count("error: ") == 1, "the folder is the same"
    assert guarded(lambda: check(f"{folder}/a"), str(tmp_path)) == 2
    assert capsys.readouterr().err.count("error: ") == 2


def check(path: str) -> int:
    check_file(path, "--sarif")
    return 0


def test_a_bug_says_where_to_report_it(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> int:
        raise ZeroDivisionError

    assert guarded(work) == 1
    assert "issues" in capsys.readouterr().err


def test_numbers_and_lists() -> None:
    assert whole_number("", "--x", 7) == 7
    assert whole_number("12", "--x", 7) == 12
    assert names(" a, b ,,c") == ("a", "b", "c")
    for text in ("-1", "1.5", "x", "٣"):
        with pytest.raises(UsageError):
            whole_number(text, "--x", 0)


@pytest.mark.parametrize("name", ["audit", "build", "doctor", "resources", "scan"])
def test_every_option_is_documented(name: str) -> None:
    # Anew, because invoke takes the texts out of the task the first time that it is asked for them.
    module = importlib.reload(importlib.import_module(f"homeport.commands.{name}"))
    arguments = getattr(module, name).get_arguments()
    assert arguments
    assert [argument.name for argument in arguments if not argument.help] == []


def test_did_you_mean() -> None:
    assert did_you_mean("DATA-API", ["data-api"]) == "did you mean 'data-api'?"
    assert did_you_mean("zzz", ["data-api"]) == ""

"""What BuildKit's checks and hadolint say, among our own findings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from homeport.audit import others
from homeport.engine import linters, process
from homeport.engine.linters import CanNotSay, Said
from homeport.engine.process import Completed
from homeport.errors import ToolMissing
from homeport.model.finding import Finding, Severity

ROOT = Path()


def said(rule: str, line: int = 1, path: str = "Dockerfile", level: str = "warning") -> Said:
    return Said(path, line, rule, level, "something", "https://example.com/x")


def finding(program: str, rule: str, line: int = 1, path: str = "Dockerfile") -> Finding:
    return others.finding(program, said(rule, line, path))


def left(*found: Finding, text: str = "") -> list[str]:
    return [one.rule.id for one in others.without_repetition(found, {"Dockerfile": text})]


@pytest.mark.parametrize(
    ("level", "severity"),
    [
        ("error", Severity.ERROR),
        ("warning", Severity.WARNING),
        ("info", Severity.NOTE),
        ("style", Severity.NOTE),
    ],
)
def test_levels(level: str, severity: Severity) -> None:
    assert others.finding("hadolint", said("DL1", level=level)).rule.severity is severity


def test_two_findings_of_one_rule_have_one_rule() -> None:
    assert finding("hadolint", "DL1", 1).rule == finding("hadolint", "DL1", 2).rule


@pytest.mark.parametrize("rule", ["DL3002", "DL3006", "DL3007", "DL3057", "DL3064"])
def test_what_our_own_rules_look_at_is_theirs_to_decide(rule: str) -> None:
    assert left(finding("hadolint", rule), finding("hadolint", "DL3008")) == ["hadolint/DL3008"]
    assert left(finding("buildkit", "SecretsUsedInArgOrEnv")) == []


@pytest.mark.parametrize("rule", ["DL3042", "DL3060", "DL3009", "DL3019"])
def test_advice_against_caches_is_left_out(rule: str) -> None:
    assert left(finding("hadolint", rule)) == []


def test_the_command_of_a_health_check_may_be_in_the_shell_form() -> None:
    text = "FROM a:1\nHEALTHCHECK CMD curl -f localhost || exit 1\ncmd a\n"
    assert left(finding("hadolint", "DL3025", 2), text=text) == []
    assert left(finding("hadolint", "DL3025", 3), text=text) == ["hadolint/DL3025"]
    assert left(finding("hadolint", "DL3025", 9), text=text) == ["hadolint/DL3025"]


def test_what_both_say_is_said_once() -> None:
    one, other = finding("buildkit", "MaintainerDeprecated", 2), finding("hadolint", "DL4000", 2)
    assert left(one, other) == left(other, one) == ["buildkit/MaintainerDeprecated"]
    assert left(one, finding("hadolint", "DL4000", 3)) == ["buildkit/MaintainerDeprecated", "hadolint/DL4000"]
    assert left(one, one) == ["buildkit/MaintainerDeprecated"]


def answer(monkeypatch: pytest.MonkeyPatch, out: str, err: str = "", code: int = 0) -> list[Sequence[str]]:
    asked: list[Sequence[str]] = []

    def run(argv: Sequence[str], **_: Any) -> Completed:
        asked.append(argv)
        return Completed(tuple(argv), code, out, err)

    monkeypatch.setattr(process, "run", run)
    monkeypatch.setattr("homeport.engine.linters.which", lambda *_: "hadolint")
    return asked


def test_buildkit_says_what_it_found_although_a_base_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    warning = {
        "ruleName": "FromAsCasing",
        "description": "in general",
        "url": "https://x",
        "detail": "here",
        "location": {"ranges": [{"start": {"line": 3}}]},
    }
    document = {"target": {"t0": {"check": {"warnings": [warning], "buildError": {}}}, "t1": {}}}
    answer(monkeypatch, json.dumps(document), "ERROR: no such image", 1)
    assert linters.buildkit(["a/Dockerfile", "b"], ROOT) == [
        Said("a/Dockerfile", 3, "FromAsCasing", "warning", "here", "https://x")
    ]


def test_hadolint(monkeypatch: pytest.MonkeyPatch) -> None:
    one = {"code": "DL3008", "file": "a/Dockerfile", "level": "warning", "line": 4, "message": "pin it"}
    shell = {**one, "code": "SC2086", "level": "info"}
    asked = answer(monkeypatch, json.dumps([one, shell]))
    found = linters.hadolint(["a/Dockerfile", "-x"], ROOT)
    assert [(each.rule, each.line, each.level) for each in found] == [
        ("DL3008", 4, "warning"),
        ("SC2086", 4, "info"),
    ]
    assert [each.source.rpartition("/")[2] for each in found] == ["DL3008", "SC2086"]
    assert list(asked[0][-3:]) == ["--", "a/Dockerfile", "-x"]


@pytest.mark.parametrize("program", [linters.buildkit, linters.hadolint])
def test_nothing_to_look_at(program: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answer(monkeypatch, "")
    assert program([], ROOT) == []
    assert asked == []


@pytest.mark.parametrize("program", [linters.buildkit, linters.hadolint])
@pytest.mark.parametrize("out", ["", "[", "{}", '{"target": 1}', "[1]", "[{}]", "null"])
def test_an_answer_that_is_none_is_a_reason(program: Any, out: str, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, out, "first\nCannot connect to the Docker daemon\n", 1)
    with pytest.raises(CanNotSay) as caught:
        program(["Dockerfile"], ROOT)
    assert caught.value.cause == "Cannot connect to the Docker daemon"


def test_what_can_not_be_asked_is_named_once_and_hadolint_is_missed_by_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(*_: Any, **__: Any) -> Completed:
        raise ToolMissing("The program 'docker' was not found.")

    monkeypatch.setattr(process, "run", missing)
    monkeypatch.setattr("homeport.engine.linters.which", lambda *_: "")
    assert others.ask(["Dockerfile"], ROOT) == ([], ("Left out: The program 'docker' was not found.",))

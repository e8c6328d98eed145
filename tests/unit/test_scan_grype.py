"""What Grype is asked, and what is made of its answers. The documents are those that its sources show."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

import scanner_stand_in as stand_in
from homeport.engine import grype
from homeport.engine.grype import Grype
from homeport.engine.process import Completed
from homeport.engine.scanner import Programs, ScannerProblem
from homeport.errors import UsageError
from homeport.model.vulnerability import Level, Weakness, level, limit

ID = "sha256:aaa"


class Said(Programs):
    def __init__(self, *answers: tuple[Any, int]) -> None:
        self.seconds = 60.0
        self.answers = list(answers)
        self.asked: list[tuple[list[str], Mapping[str, str]]] = []

    def run(self, argv: Sequence[str], env: Mapping[str, str] | None = None) -> Completed:
        self.asked.append((list(argv), env or {}))
        said, code = self.answers.pop(0)
        return Completed((), code, said if isinstance(said, str) else json.dumps(said), "its words\n")


def test_a_report() -> None:
    report = grype.parse(stand_in.grype_report(stand_in.grype_match()), ID)
    assert report.weaknesses == (
        Weakness(
            "CVE-2026-0001",
            Level.CRITICAL,
            "libssl3",
            "3.0.1-1",
            "3.0.2-1",
            "openssl: made up for a test",
            "https://security-tracker.debian.org/tracker/CVE-2026-0001",
            "/var/lib/dpkg/status",
        ),
    )


@pytest.mark.parametrize("state", ["not-fixed", "wont-fix", "unknown", ""])
def test_only_what_is_fixed_has_a_fix(state: str) -> None:
    match = stand_in.grype_match(versions=["1.0"], state=state)
    (flaw,) = grype.parse(stand_in.grype_report(match), ID).weaknesses
    assert (flaw.fixed, flaw.fixable) == ("", False)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("Critical", Level.CRITICAL),
        ("HIGH", Level.HIGH),
        ("Negligible", Level.LOW),
        ("Unknown", Level.UNKNOWN),
        ("", Level.UNKNOWN),
    ],
)
def test_severities(word: str, expected: Level) -> None:
    assert level(word) is expected


def test_a_severity_that_nobody_documents_is_no_small_one() -> None:
    with pytest.raises(ValueError, match="no severity 'dreadful'"):
        level("dreadful")


def test_a_severity_that_nobody_knows_can_not_be_asked_for() -> None:
    assert limit("High", "--severity") is Level.HIGH
    with pytest.raises(UsageError, match="no severity 'hihg'") as caught:
        limit("hihg", "--severity")
    assert caught.value.cause == "did you mean 'high'?"


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"matches": []},
        {"matches": None, "descriptor": {}},
        {"matches": [3], "descriptor": {}},
        {"matches": [{"vulnerability": {"id": "x"}}], "descriptor": {}},
        {"matches": [{"vulnerability": {}, "artifact": {"name": "x"}}], "descriptor": {}},
    ],
)
def test_any_other_document_is_an_error(document: dict[str, Any]) -> None:
    with pytest.raises(ScannerProblem, match="grype can't scan"):
        grype.parse(document, ID)


def test_the_database_is_fetched_once_and_then_never_again() -> None:
    programs = Said(
        ("updated", 0), (stand_in.GRYPE_VERSION, 0), (stand_in.GRYPE_STATUS, 0), (stand_in.grype_report(), 0)
    )
    found = Grype(programs, "/bin/grype")
    ready = found.prepare(update=True)
    assert (ready.version, ready.database) == ("0.104.0", "v6.1.9, 2026-11-29T06:31:53Z")
    found.scan(ID, "team/api:1")
    assert [argv[1:3] for argv, _ in programs.asked[:3]] == [
        ["db", "update"],
        ["version", "--output"],
        ["db", "status"],
    ]
    assert programs.asked[3][0][-1] == f"docker:{ID}"
    assert all(env["GRYPE_DB_AUTO_UPDATE"] == "false" for _, env in programs.asked)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ({**stand_in.GRYPE_STATUS, "valid": False, "error": "database does not exist"}, 1),
        ({**stand_in.GRYPE_STATUS, "valid": False}, 0),
        ({"schemaVersion": "", "valid": True}, 0),
        ("no database", 0),
    ],
)
def test_no_database_is_an_error(status: Any, code: int) -> None:
    programs = Said((stand_in.GRYPE_VERSION, 0), (status, code))
    with pytest.raises(ScannerProblem, match=r"grype (has no database|can't say)"):
        Grype(programs, "/bin/grype").prepare(update=False)


def test_a_database_that_can_not_be_fetched_is_an_error() -> None:
    with pytest.raises(ScannerProblem, match="can't bring its database up to date") as caught:
        Grype(Said(("", 1)), "/bin/grype").prepare(update=True)
    assert caught.value.cause == "its words"


def test_a_grype_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name, path=None: None)
    with pytest.raises(ScannerProblem, match="grype was not found"):
        grype.find(Said())

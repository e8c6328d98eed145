"""What Trivy is asked, and what is made of its answers, in the form that its documentation shows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import scanner_stand_in as stand_in
from homeport.engine import scanner, trivy
from homeport.engine.process import Completed
from homeport.engine.scanner import Programs, ScannerProblem
from homeport.engine.trivy import Trivy
from homeport.model.vulnerability import SECRET, Level, Weakness

ID = "sha256:aaa"
HEAD = {"SchemaVersion": 2, "ArtifactName": "x"}


class Said(Programs):
    """Programs that aren't run: what they were asked is kept, and what they say was decided before."""

    def __init__(self, *answers: Completed | Exception) -> None:
        self.seconds = 60.0
        self.answers = list(answers)
        self.asked: list[list[str]] = []

    def run(self, argv: Sequence[str], env: Any = None) -> Completed:
        self.asked.append(list(argv))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def says(document: Any, code: int = 0, stderr: str = "") -> Completed:
    return Completed((), code, document if isinstance(document, str) else json.dumps(document), stderr)


def test_a_report() -> None:
    report = trivy.parse(stand_in.trivy_report(stand_in.FLAW, stand_in.UNFIXED, leaks=(stand_in.LEAK,)), ID)
    assert report.looked
    flaw, unfixed, leak = report.weaknesses
    assert flaw == Weakness(
        "CVE-2026-0001",
        Level.CRITICAL,
        "libssl3",
        "3.0.1-1",
        "3.0.2-1",
        "openssl: made up for a test",
        "https://avd.aquasec.com/nvd/cve-2026-0001",
    )
    assert (unfixed.fixed, unfixed.fixable, flaw.fixable, leak.fixable) == ("", False, True, True)
    assert (leak.id, leak.package, leak.path) == (SECRET, "aws-access-key-id", "/app/deploy.sh:3")
    assert "AKIA" not in repr(report)


def test_a_package_of_a_language_says_its_file() -> None:
    result = {"Target": "app/poetry.lock", "Class": "lang-pkgs", "Vulnerabilities": [stand_in.FLAW]}
    (flaw,) = trivy.parse({**HEAD, "Results": [result]}, ID).weaknesses
    assert flaw.path == "app/poetry.lock"


@pytest.mark.parametrize("results", [None, []])
def test_an_image_of_which_it_knows_nothing_is_told_apart(results: Any) -> None:
    report = trivy.parse({**HEAD, "Results": results}, ID)
    assert (report.weaknesses, report.looked) == ((), False)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"Results": []},
        {"SchemaVersion": 1, "ArtifactName": "x"},
        {**HEAD, "Results": 3},
        {**HEAD, "Results": False},
        {**HEAD, "Results": ""},
        {**HEAD, "Results": [{"Vulnerabilities": {}}]},
        {**HEAD, "Results": [{"Vulnerabilities": 0}]},
        {**HEAD, "Results": [{"Vulnerabilities": [{**stand_in.FLAW, "Severity": "VERY BAD"}]}]},
        {**HEAD, "Results": ["x"]},
        {**HEAD, "Results": [{"Vulnerabilities": [{"PkgName": "x"}]}]},
        {**HEAD, "Results": [{"Vulnerabilities": [{**stand_in.FLAW, "Severity": 3}]}]},
        {**HEAD, "Results": [{"Vulnerabilities": ["CVE-1"]}]},
    ],
)
def test_any_other_document_is_an_error(document: dict[str, Any]) -> None:
    with pytest.raises(ScannerProblem, match=r"trivy can't scan team/api:1\."):
        trivy.parse(document, "team/api:1")


@pytest.mark.parametrize("text", ["", "null", "[]", "Trivy!", json.dumps(stand_in.trivy_report())[:-9]])
def test_output_that_is_no_whole_json_is_an_error(text: str) -> None:
    with pytest.raises(ScannerProblem) as caught:
        Trivy(Said(says(text)), "/bin/trivy", "").scan(ID, "team/api:1")
    assert caught.value.exit_code == 2
    assert caught.value.what == "trivy can't scan team/api:1."
    assert "JSON" in caught.value.cause


def test_a_failure_is_an_error_with_its_own_words_even_if_a_report_comes_along() -> None:
    stderr = (
        "2026-11-30T06:00:00Z\tINFO\tlooking\n2026-11-30T06:00:01Z\t\x1b[31mFATAL\x1b[0m\tno space left\n"
    )
    programs = Said(says(stand_in.trivy_report(), 1, stderr))
    with pytest.raises(ScannerProblem) as caught:
        Trivy(programs, "/bin/trivy", "").scan(ID, "team/api:1")
    assert caught.value.cause == "2026-11-30T06:00:01Z\tFATAL\tno space left"
    assert "looking" in caught.value.detail


def test_the_database_is_fetched_once_and_then_never_again() -> None:
    programs = Said(says(""), says(stand_in.trivy_version()), says(stand_in.trivy_report()))
    found = Trivy(programs, "/bin/trivy", "")
    ready = found.prepare(update=True)
    assert (ready.version, ready.built, ready.at_once) == ("0.69.3", "2026-11-29T06:11:53.123Z", 0)
    found.scan(ID, "team/api:1")
    assert programs.asked[0][1:3] == ["image", "--download-db-only"]
    assert "--skip-db-update" in programs.asked[2]
    assert sum("--download-db-only" in argv for argv in programs.asked) == 1


def test_without_an_update_the_database_is_taken_as_it_is() -> None:
    programs = Said(says(stand_in.trivy_version()))
    Trivy(programs, "/bin/trivy", "").prepare(update=False)
    assert programs.asked == [["/bin/trivy", "version", "--format", "json"]]


def test_a_database_that_can_not_be_fetched_is_an_error() -> None:
    programs = Said(says("", 1, "FATAL\tinit error: DB error: failed to download vulnerability DB\n"))
    with pytest.raises(ScannerProblem, match="can't bring its database up to date") as caught:
        Trivy(programs, "/bin/trivy", "").prepare(update=True)
    assert "failed to download" in caught.value.cause
    assert "TRIVY_DB_REPOSITORY" in caught.value.hint


@pytest.mark.parametrize("database", [None, {}, {"Version": 2}, {"Version": "x", "UpdatedAt": "y"}, "2"])
def test_no_database_is_an_error(database: Any) -> None:
    with pytest.raises(ScannerProblem, match="database"):
        trivy.parse_version({"Version": "0.69.3", "VulnerabilityDB": database})


@pytest.mark.parametrize(("version", "at_once"), [("0.69.3", 0), ("0.68.0", 0), ("0.67.2", 1), ("0.58.1", 1)])
def test_older_ones_lock_their_database(version: str, at_once: int) -> None:
    assert trivy.parse_version(stand_in.trivy_version(version=version)).at_once == at_once


def test_nothing_of_the_users_own_settings_hides_anything() -> None:
    words = trivy.scan_words(ID, 60)
    assert words[words.index("--severity") + 1] == "UNKNOWN,LOW,MEDIUM,HIGH,CRITICAL"
    assert {"--ignore-unfixed=false", "--skip-db-update"} <= set(words)
    assert words[words.index("--image-src") + 1] == "docker"
    assert words[-1] == ID


def test_nothing_of_the_environment_hides_anything() -> None:
    kept = ["PATH", "TRIVY_DB_REPOSITORY", "TRIVY_CACHE_DIR", "GRYPE_DB_UPDATE_URL"]
    gone = ["TRIVY_IGNOREFILE", "TRIVY_INPUT", "TRIVY_DB_REPOSITORY_X", "GRYPE_EXCLUDE", "GRYPE_CONFIG"]
    assert scanner.without_settings([*kept, *gone]) == dict.fromkeys(gone)


def test_the_official_image_has_the_socket_to_read_only() -> None:
    argv = trivy.container_argv("trivy@sha256:1", "one", "/run/user/7/docker.sock", ("image", ID), "me 1 2")
    assert "io.homeport.scan.owner=me 1 2" in argv
    assert "/run/user/7/docker.sock:/var/run/docker.sock:ro" in argv
    assert argv[-3:] == ["trivy@sha256:1", "image", ID]
    assert argv[argv.index("--name") + 1] == "one"
    assert not any("PROXY=" in word for word in argv)


def test_a_container_goes_with_the_command_that_was_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    removed: list[str] = []
    monkeypatch.setattr(trivy, "remove_container", removed.append)
    programs = Said(ScannerProblem("The scan was stopped."))
    with pytest.raises(ScannerProblem):
        Trivy(programs, "", "trivy@sha256:1").scan(ID, "team/api:1")
    assert removed == [programs.asked[0][programs.asked[0].index("--name") + 1]]


def test_an_image_that_can_not_be_had_is_an_error() -> None:
    said = (
        "docker: Error response from daemon: no such host.\n\nRun 'docker run --help' for more information\n"
    )
    with pytest.raises(ScannerProblem, match="its official image can't be run") as caught:
        Trivy(Said(says("", 125, said)), "", "trivy@sha256:1").prepare(update=True)
    assert "no such host" in caught.value.cause


def test_which_one_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanner, "which", lambda name, folders=None: f"/opt/{name}")
    assert trivy.find(Said(), "image@sha256:1").program == str(Path("/opt/trivy").absolute())
    monkeypatch.setattr(scanner, "which", lambda name, folders=None: "")
    assert trivy.find(Said(), "image@sha256:1").shown == "trivy (image image@sha256:1)"


def test_programs_that_were_stopped_start_no_more(tmp_path: Path) -> None:
    with scanner.Programs(1.0) as programs:
        programs.stop()
        with pytest.raises(ScannerProblem, match="stopped"):
            programs.run(["anything"])

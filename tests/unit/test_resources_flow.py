"""``homeport resources`` as a person calls it, without an engine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from homeport.engine import docker
from homeport.errors import EnvironmentProblem
from homeport.program import main

TEXT = """\
services:
  postgres:
    image: postgres:16   # the store
    healthcheck: {test: [CMD, pg_isready]}

  # requests
  data-api:
    build: .
    deploy:
      replicas: 2
"""
WRITTEN = """\
services:
  postgres:
    image: postgres:16   # the store
    healthcheck: {test: [CMD, pg_isready]}
    deploy:
      resources:
        limits:
          cpus: '1.0'
        reservations:
          cpus: '0.5'

  # requests
  data-api:
    build: .
    deploy:
      replicas: 2
      resources:
        limits:
          cpus: '1.0'
        reservations:
          cpus: '0.5'
"""


class Called:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    def silent() -> None:
        raise EnvironmentProblem("No engine.")

    monkeypatch.setattr(docker, "engine", silent)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "compose.yml").write_text(TEXT, encoding="utf-8", newline="\n")
    return tmp_path


@pytest.fixture
def call(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CallResources:
    return CallResources(monkeypatch, capsys)


class CallResources:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, *options: str) -> Called:
        self._monkeypatch.setattr("sys.argv", ["homeport", "resources", *options])
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        captured = self._capsys.readouterr()
        assert "Traceback" not in captured.err
        return Called(code, captured.out, captured.err)


def test_the_plan_touches_nothing(folder: Path, call: CallResources) -> None:
    shown = call("--host", "1cpu,1g")
    assert shown.code == 0
    lines = [line.rstrip() for line in shown.out.splitlines()]
    assert lines[:3] == [
        "service   tier      why                  now   then",
        "postgres  database  image is 'postgres'  none  1.0/0.5 cores",
        "data-api  api       name contains 'api'  none  1.0/0.5 cores",
    ]
    assert [line for line in lines if line.startswith(("---", "+++", "@@"))] == [
        "--- a/compose.yml",
        "+++ b/compose.yml",
        "@@ -2,9 +2,20 @@",
    ]
    assert sum(line.startswith("+ ") for line in lines) == 11
    assert not any(line.startswith("- ") for line in lines)
    assert lines[-3:] == [
        "Reserved without profiles: 1.5 of 1 cores, 0 B of 1.1 GB (2 services). More cores than there is.",
        "2 services of 2 would change, 0 complete.",
        "Nothing was written: --apply does it.",
    ]
    assert (folder / "compose.yml").read_text(encoding="utf-8") == TEXT


def test_apply_writes_once(folder: Path, call: CallResources) -> None:
    assert "2 services of 2 changed, 0 complete." in call("--apply").out
    assert (folder / "compose.yml").read_text(encoding="utf-8") == WRITTEN
    before = (folder / "compose.yml").stat()
    again = call("--apply", "--check")
    assert (again.code, "0 services of 2 changed, 2 complete." in again.out) == (0, True)
    assert (folder / "compose.yml").stat() == before
    assert [path.name for path in folder.iterdir()] == ["compose.yml"]


def test_check_is_for_ci(call: CallResources) -> None:
    assert call("--check").code == 1
    assert call("--apply", "--limit", "1", "--check").code == 1
    assert call("--check", "--services", "postgres").code == 0
    assert call("--check", "--services", "data-api").code == 1
    assert call("--apply", "--check").code == 0


def test_what_nobody_knows_fails_the_check_until_it_is_said(folder: Path, call: CallResources) -> None:
    (folder / "compose.yml").write_text(TEXT + "  thing:\n    image: x\n", encoding="utf-8")
    shown = call("--apply", "--check")
    assert shown.code == 1
    assert "not changed: give it a tier by name or label" in shown.out
    (folder / "homeport.toml").write_text('[resources.services]\nthing = "lightweight"\n', encoding="utf-8")
    assert call("--apply", "--check").code == 0


def test_json(call: CallResources) -> None:
    document = json.loads(call("--json", "-", "--host", "4cpu").out)
    assert (document["schema"], document["applied"], document["ok"]) == ("homeport.resources/1", False, False)
    assert document["files"] == ["compose.yml"]
    assert document["services"][0] == {
        "name": "postgres",
        "tier": "database",
        "why": "image is 'postgres'",
        "state": "change",
        "now": {},
        "adds": {"deploy.resources.limits.cpus": "1.0", "deploy.resources.reservations.cpus": "0.5"},
        "file": "compose.yml",
        "note": "",
    }
    assert document["diff"].startswith("--- a/compose.yml\n+++ b/compose.yml\n")


def test_the_difference_of_odd_line_ends(folder: Path, call: CallResources) -> None:
    (folder / "compose.yml").write_bytes(b"services:\r\n  api:\r\n    image: x # \xc2\xa0 y")
    document = json.loads(call("--json", "-").out)
    assert document["diff"].split("\n") == [
        "--- a/compose.yml",
        "+++ b/compose.yml",
        "@@ -1,3 +1,9 @@",
        " services:\r",
        "   api:\r",
        "-    image: x # \xa0 y",
        "\\ No newline at end of file",
        "+    image: x # \xa0 y\r",
        "+    deploy:\r",
        "+      resources:\r",
        "+        limits:\r",
        "+          cpus: '1.0'\r",
        "+        reservations:\r",
        "+          cpus: '0.5'",
        "\\ No newline at end of file",
        "",
    ]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--services", "data_api"), "There is no service 'data_api'"),
        (("--limit", "few"), "--limit takes a whole number"),
        (("--host", "big"), "--host: 'big' is no size of a host"),
        (("--file", "other.yml"), "other.yml can't be read: No such file"),
        (("--aply",), "did you mean '--apply'?"),
    ],
)
def test_wrong_words_are_exit_2(call: CallResources, options: tuple[str, ...], said: str) -> None:
    shown = call(*options)
    assert (shown.code, shown.out) == (2, "")
    assert said in shown.err


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"services:\n  a:\n    image: x\n   b: y\n", "compose.yml, line 4"),
        (b"services:\n\ta:\n", "compose.yml, line 2"),
        (b"services:\n  a: 1\n", "service 'a' must be a mapping"),
        (b"services:\n  a: {}\n  a: {}\n", "line 3: the key 'a' stands there twice"),
        (b"\xff\xfes\x00", "no UTF-8"),
        (b"", "compose.yml defines no services"),
        (b"a: 1\n---\nb: 2\n", "compose.yml defines no services"),
    ],
)
def test_odd_files_are_exit_2(folder: Path, call: CallResources, data: bytes, said: str) -> None:
    (folder / "compose.yml").write_bytes(data)
    shown = call("--apply")
    assert shown.code == 2
    assert said in shown.err
    assert (folder / "compose.yml").read_bytes() == data


def test_a_limit_over_the_hosts_cores_is_a_warning(call: CallResources) -> None:
    shown = call("--host", "0.5cpu")
    assert "warning: the limit of postgres, data-api is more cores than the host has" in shown.out

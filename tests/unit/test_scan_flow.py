"""``homeport scan`` in this process: an engine and a scanner that say what they are told to."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from homeport.engine import history, killed
from homeport.engine import images as engine_images
from homeport.engine.history import Told
from homeport.engine.images import Image
from homeport.engine.scanner import Ready, Report, ScannerProblem
from homeport.errors import UsageError
from homeport.model.config import ScanConfig, ScanIgnore
from homeport.model.finding import Finding, Rule, Severity
from homeport.model.vulnerability import Level, Weakness
from homeport.scan import flow, images
from homeport.scan.flow import Request
from homeport.scan.subjects import Wanted

TODAY = datetime.date(2026, 11, 30)
FLAW = Weakness("CVE-1", Level.HIGH, "zlib", "1.0", "1.1", "bad")
RULE = Rule("secret-in-image", Severity.ERROR, "A secret in ENV or ARG", "Why.", "https://x")
SECRET = Finding(RULE, "api/Dockerfile", 2, "ENV API_KEY", "Mount it.")


class Scanner:
    """What it was asked to do, in order; it finds ``flaws`` in every image."""

    shown = "a scanner"

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.flaws: tuple[Weakness, ...] = (FLAW,)
        self.looked = True
        self.problem: Exception | None = None

    def prepare(self, update: bool) -> Ready:
        self.asked.append("update" if update else "no update")
        return Ready("trivy", "0.69.3", f"{self.flaws}", "2026-11-29", 0)

    def scan(self, image: str, name: str) -> Report:
        self.asked.append(image)
        if self.problem:
            raise self.problem
        return Report(self.flaws, self.looked)


Run = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def scanner(monkeypatch: pytest.MonkeyPatch) -> Scanner:
    found = Scanner()
    monkeypatch.setattr(images, "choose", lambda *_: found)
    monkeypatch.setattr(killed, "sweep", lambda *_: ("swept",))
    return found


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The variables of every image in the engine."""
    variables: list[str] = []

    def read(ids: Iterable[str]) -> dict[str, Told]:
        return {id_: Told(tuple(variables), ()) for id_ in ids}

    def find(references: Iterable[str]) -> dict[str, Image | None]:
        return {name: Image(f"sha256:{name}", frozenset()) for name in references}

    monkeypatch.setattr(history, "read", read)
    monkeypatch.setattr(engine_images, "find", find)
    return variables


@pytest.fixture
def run(scanner: Scanner, told: list[str], tmp_path: Path) -> Run:
    def call(**more: Any) -> tuple[int, dict[str, Any]]:
        out = tmp_path / "out.json"
        wanted = (Wanted("api", "api", "api/Dockerfile"), Wanted("web", "web", "web/Dockerfile"))
        request = {"wanted": wanted, "json": str(out), "cache": tmp_path / "cache", "today": TODAY, **more}
        code = flow.run(Request(**request))
        return code, json.loads(out.read_text(encoding="utf-8"))

    return call


def test_a_finding_fails_and_none_doesn_t(run: Run, scanner: Scanner) -> None:
    code, document = run()
    assert (code, document["ok"]) == (1, False)
    assert [(one["image"], one["state"]) for one in document["findings"]] == [
        ("api", "counts"),
        ("web", "counts"),
    ]
    assert scanner.asked[0] == "update"
    assert sorted(scanner.asked[1:]) == ["sha256:api", "sha256:web"]
    scanner.flaws = ()
    assert run()[0] == 0


def test_no_update(run: Run, scanner: Scanner) -> None:
    run(update=False)
    assert scanner.asked[0] == "no update"


def test_secrets_of_images_and_findings_of_the_repository_fail_too(
    run: Run, scanner: Scanner, told: list[str]
) -> None:
    scanner.flaws = ()
    told.append("DB_PASSWORD=hunter2")
    code, document = run(repository=(SECRET,))
    assert code == 1
    assert [(one["id"], one["image"], one["file"], one["line"]) for one in document["findings"]] == [
        ("image-secret", "api", "", 0),
        ("secret-in-image", "", "api/Dockerfile", 2),
        ("image-secret", "web", "", 0),
    ]
    assert "hunter2" not in json.dumps(document)
    ignore = {"db": ScanIgnore(id="image-secret", packages=("DB_*",), reason="a test database")}
    config = ScanConfig(ignore=ignore)
    code, document = run(config=config, excepted=((SECRET, "it is public"),))
    assert code == 0
    assert {one["reason"] for one in document["findings"]} == {"a test database", "it is public"}


def test_a_baseline_accepts_what_there_is(run: Run, scanner: Scanner, tmp_path: Path) -> None:
    path = str(tmp_path / "known.json")
    code, document = run(write_baseline=path, repository=(SECRET,))
    assert (code, document["ok"]) == (0, True)
    known = ScanConfig(baseline=path)
    assert run(config=known, repository=(SECRET,))[0] == 0
    scanner.flaws = (FLAW, Weakness("CVE-2", Level.CRITICAL, "zlib", "1.0"))
    code, document = run(config=known, repository=(SECRET,))
    assert code == 1
    assert {one["id"] for one in document["findings"] if one["state"] == "counts"} == {"CVE-2"}


def test_a_scanner_that_knows_nothing_of_an_image_is_named(
    run: Run, scanner: Scanner, capsys: pytest.CaptureFixture[str]
) -> None:
    scanner.flaws, scanner.looked = (), False
    code, document = run()
    assert code == 0
    assert [text.partition(":")[0] for text in document["warnings"]] == ["api", "web"]
    assert "warning: api: the scanner knows none of what is in it" in capsys.readouterr().out


def test_a_scanner_that_fails_is_no_pass(run: Run, scanner: Scanner, tmp_path: Path) -> None:
    scanner.problem = ScannerProblem("it can't")
    with pytest.raises(ScannerProblem, match="it can't"):
        run(write_baseline=str(tmp_path / "known.json"), report=str(tmp_path / "report"))
    assert not (tmp_path / "known.json").exists()
    assert list((tmp_path / "report").iterdir()) == []


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (ScanConfig(severity="hgih"), "no severity 'hgih'"),
        (ScanConfig(baseline="none.json"), "'none.json' can't be read"),
        (ScanConfig(ignore={"x": ScanIgnore(id="CVE-1")}), "needs a 'reason'"),
        (ScanConfig(ignore={"x": ScanIgnore(id="CVE-1", reason="y", until="31.3.27")}), "is a date"),
    ],
)
def test_what_is_wrong_is_said_before_anything_begins(
    config: ScanConfig, said: str, run: Run, scanner: Scanner
) -> None:
    with pytest.raises(UsageError, match=said):
        run(config=config)
    assert scanner.asked == []


def test_a_dry_run_touches_nothing(run: Run, scanner: Scanner, tmp_path: Path) -> None:
    code, document = run(dry_run=True, write_baseline=str(tmp_path / "x.json"))
    assert code == 0
    assert document == {
        "schema": "homeport.scan/1",
        "dry_run": True,
        "scanner": "a scanner",
        "images": [
            {"image": "api", "digest": "sha256:api", "targets": ["api"]},
            {"image": "web", "digest": "sha256:web", "targets": ["web"]},
        ],
    }
    assert scanner.asked == []
    assert not (tmp_path / "x.json").exists()


def test_what_killed_runs_left_is_swept_but_not_by_a_dry_run(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    run(dry_run=True)
    assert "swept" not in capsys.readouterr().out
    run()
    assert "warning: swept" in capsys.readouterr().out


def test_an_exception_for_a_target_that_there_is_not(run: Run, scanner: Scanner) -> None:
    config = ScanConfig(ignore={"x": ScanIgnore(id="CVE-1", reason="y", targets=("api", "wbe"))})
    _, document = run(config=config)
    assert document["warnings"] == [
        "[scan.ignore.x] names targets that there aren't: 'wbe' (did you mean 'web'?)."
    ]
    assert run(config=config, whole=False)[1]["warnings"] == []


def test_what_is_written_beside_it(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(sarif=str(tmp_path / "x.sarif"), report=str(tmp_path / "report"), name="shop")
    assert json.loads((tmp_path / "x.sarif").read_text(encoding="utf-8"))["version"] == "2.1.0"
    text = (tmp_path / "report" / "scan.html").read_text(encoding="utf-8")
    assert "<title>shop: 2 findings at or above high</title>" in text
    assert f"Report: {tmp_path / 'report' / 'scan.html'}" in capsys.readouterr().out

"""``homeport audit`` as a person calls it, in this process."""

from __future__ import annotations

import datetime
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from homeport.audit import flow, mend
from homeport.audit.finding import RULES
from homeport.audit.flow import Request
from homeport.audit.mend import Unproven
from homeport.errors import UsageError
from homeport.model.config import AuditConfig, Suppression

FILE = "FROM python:3.12\nRUN pip install --no-cache-dir x\nUSER app\n"
MENDED = "FROM python:3.12\nRUN --mount=type=cache,target=/root/.cache/pip pip install x\nUSER app\n"
TODAY = datetime.date(2026, 11, 22)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    (folder / "api").mkdir(parents=True)
    (folder / "api" / "Dockerfile").write_text(FILE, encoding="utf-8")
    return folder


def run(root: Path, *, config: AuditConfig | None = None, **more: Any) -> tuple[int, dict[str, Any]]:
    out = root.parent / "out.json"
    more = {"tools": False, "json": str(out), "today": TODAY, **more}
    code = flow.run(Request(root, config or AuditConfig(), **more))
    return code, json.loads(out.read_text(encoding="utf-8"))


def test_it_looks_and_changes_nothing(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, document = run(root)
    assert code == 0
    (found,) = document["findings"]
    assert (found["rule"], found["path"], found["line"]) == ("cache-missing", "api/Dockerfile", 2)
    assert found["fixable"] is True
    assert document["diff"] == ""
    assert (root / "api" / "Dockerfile").read_text(encoding="utf-8") == FILE
    said = capsys.readouterr().out
    assert "1 Dockerfile: 1 warning; --fix mends 1." in said


def test_fix_shows_and_apply_writes(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, document = run(root, fix=True, check=True)
    assert code == 1
    assert "+RUN --mount=type=cache,target=/root/.cache/pip pip install x" in document["diff"]
    assert "Nothing was written" in capsys.readouterr().out
    assert (root / "api" / "Dockerfile").read_text(encoding="utf-8") == FILE
    code, document = run(root, fix=True, apply=True, check=True)
    assert (code, document["fixed"]) == (0, True)
    assert (root / "api" / "Dockerfile").read_text(encoding="utf-8") == MENDED
    assert run(root, fix=True, apply=True, check=True) == (0, {**document, "findings": [], "diff": ""})


def test_what_is_a_dockerfile(root: Path) -> None:
    names = ["Dockerfile.dev", "web.Dockerfile", "Containerfile", "dockerfile"]
    others = ["Dockerfile.md", "Dockerfile.dockerignore", "Dockerfiles", "mydockerfile", "Dockerfile.bak"]
    for name in [*names, *others, "Dockerfile.backup_20260102", "Dockerfile.old"]:
        (root / name).write_text(FILE, encoding="utf-8")
    hidden = root / "node_modules" / "x"
    hidden.mkdir(parents=True)
    (hidden / "Dockerfile").write_text(FILE, encoding="utf-8")
    _, document = run(root)
    assert {one["path"] for one in document["findings"]} == {*names, "api/Dockerfile"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("docker-bake.hcl", 'target "a" {\n  contexts = {\n    base = "target:x"\n  }\n}\n'),
        ("docker-bake.hcl", 'target "a" {\n  contexts = { base = "target:x" }\n}\n'),
        ("docker-bake.json", '{"target": {"a": {"contexts": {\n"base": "docker-image://x"}}}}'),
        ("compose.yml", "services:\n  a:\n    build:\n      additional_contexts:\n        base: service:b\n"),
        ("compose.yml", "services:\n  a:\n    build:\n      additional_contexts:\n        - base=target:b\n"),
    ],
)
def test_names_of_contexts(root: Path, name: str, text: str) -> None:
    (root / "Dockerfile").write_text("FROM base\n", encoding="utf-8")
    only = ("base-latest",)
    assert [one["path"] for one in run(root, only=only)[1]["findings"]] == ["Dockerfile"]
    (root / name).write_text(text, encoding="utf-8")
    assert run(root, only=only)[1]["findings"] == []


def test_bytes_that_are_no_utf8_stay(root: Path) -> None:
    path = root / "api" / "Dockerfile"
    path.write_bytes(b"# caf\xe9\r\n" + FILE.encode())
    run(root, fix=True, apply=True)
    assert path.read_bytes() == b"# caf\xe9\r\n" + MENDED.encode()


def test_a_file_that_can_not_be_parsed_is_a_finding_and_an_error(root: Path) -> None:
    (root / "api" / "Dockerfile").write_text("FROM a\nRUN <<EOF\n", encoding="utf-8")
    code, document = run(root, check=True)
    assert code == 1
    assert [one["rule"] for one in document["findings"]] == ["unreadable"]


def suppress(**changes: Any) -> AuditConfig:
    one = {"rule": "cache-missing", "reason": "it is built once a year", **changes}
    return AuditConfig(suppress={"legacy": Suppression(**one)})


@pytest.mark.parametrize("paths", [(), ("api/*",), ("other", "*/Dockerfile")])
def test_a_suppression_takes_a_finding_out_and_keeps_its_reason(root: Path, paths: tuple[str, ...]) -> None:
    code, document = run(root, config=suppress(paths=paths, until="2026-11-22"), check=True)
    assert code == 0
    assert document["findings"] == []
    assert document["suppressed"][0]["reason"] == "it is built once a year"
    assert document["warnings"] == []


def test_a_suppression_that_has_ended_or_is_of_no_use_says_so(root: Path) -> None:
    code, document = run(root, config=suppress(until="2026-11-21"), check=True)
    assert code == 1
    assert document["warnings"] == ["[audit.suppress.legacy] ended on 2026-11-21: its findings count again."]
    _, document = run(root, config=suppress(paths=("elsewhere",)))
    assert document["warnings"] == ["[audit.suppress.legacy] suppresses nothing: it can go."]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rule": "cache-mising"}, "there is no rule 'cache-mising'"),
        ({"reason": " "}, "needs a 'reason'"),
        ({"until": "soon"}, "'until' is a date"),
    ],
)
def test_a_suppression_that_is_wrong(root: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        run(root, config=suppress(**changes))


def test_rules_that_are_off_and_rules_alone(root: Path) -> None:
    _, document = run(root, config=AuditConfig(also=("base-unpinned",)))
    assert {one["rule"] for one in document["findings"]} == {"cache-missing", "base-unpinned"}
    _, document = run(root, only=("base-unpinned",))
    assert {one["rule"] for one in document["findings"]} == {"base-unpinned"}
    with pytest.raises(UsageError, match="There is no rule 'x'"):
        run(root, only=("x",))


def test_sarif(root: Path) -> None:
    path = root.parent / "out.sarif"
    flow.run(Request(root, suppress(), sarif=str(path), today=TODAY, tools=False))
    document = json.loads(path.read_text(encoding="utf-8"))
    assert document["version"] == "2.1.0"
    (one,) = document["runs"]
    assert [rule["id"] for rule in one["tool"]["driver"]["rules"]] == [rule.id for rule in RULES]
    (result,) = one["results"]
    assert one["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == "cache-missing"
    place = result["locations"][0]["physicalLocation"]
    assert (place["artifactLocation"]["uri"], place["region"]) == ("api/Dockerfile", {"startLine": 2})
    assert result["suppressions"][0]["justification"] == "it is built once a year"


def test_sarif_has_paths_from_the_top_of_git(root: Path) -> None:
    path = root.parent / "out.sarif"
    found = []
    for folder in ("", "apps/my shop"):
        flow.run(Request(root, sarif=str(path), today=TODAY, tools=False, folder=folder))
        (result,) = json.loads(path.read_text(encoding="utf-8"))["runs"][0]["results"]
        found.append(
            (
                result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"],
                result["partialFingerprints"],
            )
        )
    assert [uri for uri, _ in found] == ["api/Dockerfile", "apps/my%20shop/api/Dockerfile"]
    # A stack that moves has the same findings.
    assert found[0][1] == found[1][1]


def test_a_finding_keeps_its_mark_when_it_moves(root: Path) -> None:
    path = root.parent / "out.sarif"

    def mark() -> Any:
        flow.run(Request(root, sarif=str(path), today=TODAY, tools=False))
        document = json.loads(path.read_text(encoding="utf-8"))
        return [one["partialFingerprints"] for one in document["runs"][0]["results"]]

    before = mark()
    file = root / "api" / "Dockerfile"
    file.write_text(f"# another line\n{FILE}", encoding="utf-8")
    assert mark() == before


def test_no_dockerfile_at_all(tmp_path: Path) -> None:
    assert run(tmp_path)[1]["findings"] == []


def test_every_rule_says_why_and_where_that_stands() -> None:
    for rule in RULES:
        assert rule.why.endswith(".")
        assert rule.source.startswith("https://")
    assert len({rule.id for rule in RULES}) == len(RULES)


def test_who_says_how_health_is_checked(root: Path) -> None:
    only = ("no-healthcheck",)
    (root / "api" / "Dockerfile").write_text("FROM a:1\nEXPOSE 80\n", encoding="utf-8")
    assert [one["path"] for one in run(root, only=only)[1]["findings"]] == ["api/Dockerfile"]
    compose = root / "compose.yml"
    compose.write_text("services:\n  other: {build: ./other}\n", encoding="utf-8")
    assert run(root, only=only)[1]["findings"] == []
    compose.write_text("services:\n  api: {build: ./api}\n", encoding="utf-8")
    assert [one["path"] for one in run(root, only=only)[1]["findings"]] == ["api/Dockerfile"]
    check = "healthcheck: {test: [CMD, 'true']}"
    compose.write_text(f"services:\n  api: {{build: ./api, {check}}}\n", encoding="utf-8")
    assert run(root, only=only)[1]["findings"] == []


def test_a_health_check_of_a_dockerfile_is_one_to_wait_for(root: Path) -> None:
    (root / "api" / "Dockerfile").write_text("FROM a:1\nHEALTHCHECK CMD true\n", encoding="utf-8")
    text = "services:\n  api: {build: ./api}\n  web: {image: 'x:1', depends_on: [api]}\n"
    (root / "compose.yml").write_text(text, encoding="utf-8")
    (found,) = run(root, only=("starts-too-early",))[1]["findings"]
    assert (found["path"], found["line"]) == ("compose.yml", 3)


def test_each_folder_is_a_project_unless_another_one_includes_it(root: Path) -> None:
    text = "services:\n  {}: {{image: x, restart: always}}\n"
    for name in ("a", "b"):
        (root / name).mkdir()
        (root / name / "compose.yml").write_text(text.format(name), encoding="utf-8")
    (root / "compose.yml").write_text("include: [a/compose.yml]\n", encoding="utf-8")
    found = run(root, only=("image-latest",))[1]["findings"]
    assert [one["path"] for one in found] == ["a/compose.yml", "b/compose.yml"]
    found = run(root, only=("image-latest",), files=("b/compose.yml",))[1]["findings"]
    assert [one["path"] for one in found] == ["b/compose.yml"]


@pytest.mark.parametrize("text", ["services: [\n", "include: [gone.yml]\n", "- a\n"])
def test_a_project_that_compose_can_not_read_is_an_error(root: Path, text: str) -> None:
    (root / "compose.yml").write_text(text, encoding="utf-8")
    code, document = run(root, check=True, only=("compose-unreadable",))
    assert code == 1
    assert [one["path"] for one in document["findings"]] == ["compose.yml"]


def test_an_ignore_file_is_made_and_a_second_run_changes_nothing(root: Path) -> None:
    folder = root / "api"
    (folder / "Dockerfile").write_text("FROM node:22\nCOPY . .\nRUN npm ci\n", encoding="utf-8")
    (folder / "package.json").write_text("{}", encoding="utf-8")
    (folder / "node_modules" / "x").mkdir(parents=True)
    (folder / "node_modules" / "x" / "index.js").write_text("1" * 50_000, encoding="utf-8")
    (root / "compose.yml").write_text("services:\n  api: {build: ./api}\n", encoding="utf-8")
    only = ("context-heavy", "context-no-ignore")
    _, document = run(root, only=only, fix=True)
    assert {one["rule"] for one in document["findings"]} == set(only)
    assert "+**/node_modules" in document["diff"]
    assert not (folder / ".dockerignore").exists()
    run(root, only=only, fix=True, apply=True)
    made = (folder / ".dockerignore").read_text(encoding="utf-8")
    assert "**/node_modules" in made
    _, document = run(root, only=only, fix=True, apply=True)
    assert document["findings"] == []
    assert (folder / ".dockerignore").read_text(encoding="utf-8") == made


def test_caches_of_builds_are_written_where_one_is_configured(root: Path) -> None:
    compose = root / "compose.yml"
    compose.write_text("services:\n  api:\n    build:\n      context: ./api\n", encoding="utf-8")
    assert "no-build-cache" not in {one["rule"] for one in run(root)[1]["findings"]}
    config = AuditConfig(build_cache="type=registry,ref=r.example/{service}:cache")
    _, document = run(root, config=config, fix=True, apply=True)
    assert "no-build-cache" in {one["rule"] for one in document["findings"]}
    added = "cache_to:\n        - 'type=registry,ref=r.example/api:cache,mode=max'\n"
    assert compose.read_text(encoding="utf-8").endswith(added)
    assert "no-build-cache" not in {one["rule"] for one in run(root, config=config)[1]["findings"]}


@pytest.mark.skipif(sys.platform == "win32", reason="there are no named pipes")
def test_a_pipe_is_no_dockerfile(root: Path) -> None:
    os.mkfifo(root / "Dockerfile.pipe")
    assert len(run(root)[1]["findings"]) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="names are UTF-8 there")
def test_a_name_that_is_no_utf8(root: Path) -> None:
    (root / os.fsdecode(b"Dockerfile.\xff")).write_text(FILE, encoding="utf-8")
    out = root.parent / "out.sarif"
    run(root, sarif=str(out))
    assert "Dockerfile.%FF" in out.read_text(encoding="utf-8")


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_what_lies_outside_of_the_repository_is_not_changed(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outside = root.parent / "Dockerfile"
    outside.write_text(FILE, encoding="utf-8")
    (root / "Dockerfile").symlink_to(outside)
    code, _ = run(root, fix=True, apply=True, check=True)
    assert code == 1
    assert outside.read_text(encoding="utf-8") == FILE
    assert (root / "api" / "Dockerfile").read_text(encoding="utf-8") == MENDED
    said = capsys.readouterr().out
    assert "lies outside of the repository" in said
    assert "1 finding mended" in said


def test_what_another_dockerfile_takes_by_name_is_sent_on(root: Path) -> None:
    (root / "Dockerfile").write_text("FROM a:1\nUSER x\nCOPY . /\n", encoding="utf-8")
    (root / "compose.yaml").write_text(
        "services:\n  web:\n    build: .\n    restart: always\n", encoding="utf-8"
    )
    (root / "node_modules").mkdir()
    (root / "node_modules" / "x").write_bytes(b"x" * 5_000_000)

    def rules() -> set[str]:
        return {one["rule"] for one in run(root)[1]["findings"] if one["path"] == "Dockerfile"}

    assert "context-heavy" in rules()
    ci = root / "Dockerfile.ci"
    ci.write_text("FROM a:1 AS test\nCOPY node_modules /n\nFROM b:1\n", encoding="utf-8")
    assert "context-heavy" not in rules()
    ci.write_text("FROM a:1\nRUN --mount=type=bind,source=node_modules/y,target=/n true\n", encoding="utf-8")
    assert "context-heavy" not in rules()


def test_a_file_that_can_not_be_proven_does_not_stop_the_others(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "Dockerfile").write_text(FILE.replace("3.12", "3.13"), encoding="utf-8")

    def mended(text: str, findings: Any) -> str:
        if "3.13" in text:
            raise Unproven("line 2 would say something else")
        return mend.mended(text, findings)

    monkeypatch.setattr(flow, "mended", mended)
    run(root, fix=True, apply=True)
    assert (root / "api" / "Dockerfile").read_text(encoding="utf-8") == MENDED
    assert "Dockerfile is left as it is" in capsys.readouterr().out


def test_two_documents_need_two_places(root: Path) -> None:
    with pytest.raises(UsageError, match="same place"):
        run(root, json="-", sarif="-")


# -- for a scan -------------------------------------------------------------------------------------------

COMPOSE = "services:\n  api:\n    build: ./api\n    privileged: true\n    restart: always\n"


def test_what_a_scan_wants_to_know(root: Path) -> None:
    text = "FROM a:1\nENV API_KEY=abc\nCMD x\n"
    (root / "api" / "Dockerfile").write_text(text, encoding="utf-8")
    (root / "compose.yml").write_text(COMPOSE, encoding="utf-8")
    found = flow.security(Request(root, today=TODAY))
    assert {(one.rule.id, one.path) for one in found.open} == {
        ("secret-in-image", "api/Dockerfile"),
        ("runs-as-root", "api/Dockerfile"),
        ("privileged", "compose.yml"),
    }
    assert found.warnings == ()


def test_a_scan_heeds_suppressions_of_its_own_rules_only(root: Path) -> None:
    (root / "compose.yml").write_text(COMPOSE, encoding="utf-8")
    config = AuditConfig(
        suppress={
            "usb": Suppression(rule="privileged", reason="it drives a USB stick"),
            "caches": Suppression(rule="cache-defeated", reason="not a scan's business"),
        }
    )
    found = flow.security(Request(root, config, today=TODAY))
    assert [(one.rule.id, reason) for one, reason in found.suppressed] == [
        ("privileged", "it drives a USB stick")
    ]
    assert found.warnings == ()


def test_what_can_not_be_read_is_said_to_a_scan(root: Path) -> None:
    (root / "api" / "Dockerfile").write_text("FROM a\nRUN <<EOF\n", encoding="utf-8")
    (root / "compose.yml").write_text("services: [\n", encoding="utf-8")
    warnings = flow.security(Request(root, today=TODAY)).warnings
    assert [text.partition(": ")[0] for text in warnings] == [
        "Nothing is said of the Dockerfile api/Dockerfile",
        "Nothing is said of the Compose project compose.yml",
    ]

"""CONTRIBUTING.md, tried: each change that it shows is made in a copy of the code, and does its work."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

import guides
from engine_fixtures import run_program

PAGE = guides.ROOT / "CONTRIBUTING.md"
MOST_LINES = 30
CHANGES = [block for block in guides.blocks(PAGE) if block.language == "diff"]


@pytest.fixture
def changed(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of the code with the change that the test is about."""
    for folder in ("tasks", "docs"):
        shutil.copytree(guides.ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (change,) = [block for block in CHANGES if request.param in block.text]
    added = [line for line in change.text.splitlines() if line.startswith("+") and not line.startswith("+++")]
    assert len(added) < MOST_LINES
    (tmp_path / "change.diff").write_text(change.text, encoding="utf-8", newline="\n")
    done = run_program(["git", "apply", "change.diff"], tmp_path)
    assert done.returncode == 0, done.stderr
    return tmp_path


def said(folder: Path, *argv: str) -> str:
    """What a Python says that has the changed code."""
    code = {"PYTHONPATH": str(folder / "tasks")}
    done = run_program([sys.executable, *argv], folder, code)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("changed", ["commands/services.py"], indirect=True)
def test_a_command(changed: Path) -> None:
    (changed / "compose.yml").write_text("services: {api: {image: a}, web: {image: b}}\n", encoding="utf-8")
    assert said(changed, "-m", "homeport", "services").splitlines() == ["api", "web"]
    assert "services" in said(changed, "-m", "homeport", "--list")


@pytest.mark.parametrize("changed", ["audit/finding.py"], indirect=True)
def test_an_audit_rule(changed: Path) -> None:
    (changed / "Dockerfile").write_text("FROM a:1\nMAINTAINER me\n", encoding="utf-8")
    assert "maintainer" in said(changed, "-m", "homeport", "audit", "--no-tools", "--only", "maintainer")
    assert "maintainer" in said(changed, "-m", "homeport", "audit", "--rules")


@pytest.mark.parametrize("changed", ["ci/flow.py"], indirect=True)
def test_a_ci_provider(changed: Path) -> None:
    (changed / "compose.yml").write_text("services: {api: {image: a, build: .}}\n", encoding="utf-8")
    (changed / "Dockerfile").write_text("FROM scratch\n", encoding="utf-8")
    said(changed, "-m", "homeport", "ci.generate", "--provider", "woodpecker")
    assert "homeport build --parallel" in (changed / ".woodpecker.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("changed", ["deploy/backends.py"], indirect=True)
def test_a_deploy_backend(changed: Path) -> None:
    (changed / "compose.yml").write_text("services: {api: {image: a}, web: {image: b}}\n", encoding="utf-8")
    (changed / "homeport.toml").write_text('[deploy]\nbackend = "plain"\n', encoding="utf-8")
    assert said(changed, "-m", "homeport", "deploy", "--dry-run").splitlines() == ["api", "web"]


def test_all_changes_are_tried() -> None:
    assert len(CHANGES) == 4

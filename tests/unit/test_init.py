"""``homeport init``: what it writes, and that it changes nothing that is there."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from homeport.commands import settings as reading
from homeport.engine import git
from homeport.init.plan import Known, make, settings
from homeport.model.config import Config, parse_config
from homeport.program import main

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@pytest.mark.parametrize(
    ("remote", "registry"),
    [
        ("https://github.com/Me/Home.git", "ghcr.io/me/home"),
        ("git@github.com:me/home.git", "ghcr.io/me/home"),
        ("ssh://git@github.com:22/me/home", "ghcr.io/me/home"),
        ("https://gitlab.com/group/sub/home/", "registry.gitlab.com/group/sub/home"),
        ("https://git.example/me/home.git", "registry.example/team"),
        ("/srv/git/home.git", "registry.example/team"),
        ("../home", "registry.example/team"),
        ("C:/repositories/home", "registry.example/team"),
        ("", "registry.example/team"),
    ],
)
def test_the_registry_that_belongs_to_a_remote(remote: str, registry: str) -> None:
    text = settings(Known(frozenset(), remote))
    assert f'# registry = "{registry}"\n' in text
    assert ("provider" in text) == ("gitlab" in remote)
    parse_config(tomllib.loads(text), "x")
    # What is a comment is a setting, too, once somebody takes the sign away.
    lines = text.splitlines()
    opened = "\n".join(line.removeprefix("# ") if " = " in line or "[" in line else line for line in lines)
    found = parse_config(tomllib.loads(opened), "x")
    assert found.build.registry == registry
    assert found.test.probes["api"].http == "/health"


@pytest.mark.parametrize(("branch", "said"), [("master", "master"), ("main", ""), ("", ""), ('a"b', 'a"b')])
def test_the_main_branch_is_said_where_it_is_another(branch: str, said: str) -> None:
    document = tomllib.loads(settings(Known(frozenset(), main_branch=branch)))
    assert document["build"].get("main-branch", "") == said


def test_what_is_there_stays() -> None:
    plan = make(Known(frozenset({"homeport.toml", "pyproject.toml"})), tasks=True)
    assert list(plan.files) == ["tasks.py"]
    assert plan.kept == ("homeport.toml",)
    assert plan.notes == ()
    assert make(Known(frozenset({"pyproject.toml"})), tasks=False).notes


def call(monkeypatch: pytest.MonkeyPatch, *argv: str) -> int:
    monkeypatch.setattr("sys.argv", ["homeport", *argv])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(git, "remote", lambda _: "")
    monkeypatch.setattr(git, "main_branch", lambda _: "main")
    (tmp_path / "compose.yml").write_text("services: {}\n", encoding="utf-8")
    return tmp_path


def ended(monkeypatch: pytest.MonkeyPatch, *argv: str) -> None:
    """Call it where it is to end well: invoke returns then, and ends no program."""
    monkeypatch.setattr("sys.argv", ["homeport", *argv])
    main()


def test_it_writes_once_and_never_again(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ended(monkeypatch, "init", "--dry-run", "--tasks")
    assert [path.name for path in root.iterdir()] == ["compose.yml"]
    ended(monkeypatch, "init", "--tasks", "--json", "out.json")
    assert reading.read(root) == Config()
    assert "namespace as ns" in (root / "tasks.py").read_text(encoding="utf-8")
    document = json.loads((root / "out.json").read_text(encoding="utf-8"))
    assert (sorted(document["files"]), document["written"]) == (["homeport.toml", "tasks.py"], True)
    (root / "homeport.toml").write_text("[build]\njobs = 3\n", encoding="utf-8")
    capsys.readouterr()
    ended(monkeypatch, "init")
    assert reading.read(root).build.jobs == 3
    assert "homeport.toml is there already" in capsys.readouterr().out


def test_nothing_to_work_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call(monkeypatch, "init") == 2
    assert "no bake file and no Compose file" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []

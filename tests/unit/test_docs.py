"""The documented configuration is the real one."""

from __future__ import annotations

import dataclasses
import re
import sys
from pathlib import Path

from homeport import __version__
from homeport.model.config import BuildConfig, Config, ResourcesConfig, ScanConfig, parse_config
from homeport.scan.verdict import check
from mutations_all import false_builds

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]


def test_the_example_configuration_has_every_key_with_its_default() -> None:
    document = tomllib.loads((ROOT / "docs" / "homeport.example.toml").read_text(encoding="utf-8"))
    assert parse_config(document, "example") == Config()
    assert set(document["build"]) == {
        field.name.replace("_", "-") for field in dataclasses.fields(BuildConfig)
    }
    assert set(document["scan"]) == {field.name.replace("_", "-") for field in dataclasses.fields(ScanConfig)}
    assert set(document["resources"]) == {field.name for field in dataclasses.fields(ResourcesConfig)}


def test_the_guide_lists_every_reason_for_a_build_too_many() -> None:
    guide = (ROOT / "docs" / "DOCKER_BUILD_GUIDE.md").read_text(encoding="utf-8")
    section = guide.partition("### Built although BuildKit")[2].partition("\n## ")[0]
    bullets = {" ".join(item.split()) for item in section.split("\n- ")[1:]}
    assert bullets == set(false_builds().values())


def test_the_exceptions_in_the_guide_to_scanning_are_ones() -> None:
    guide = (ROOT / "docs" / "SCANNING.md").read_text(encoding="utf-8")
    shown = guide.partition("```toml\n")[2].partition("```")[0]
    ignore = parse_config(tomllib.loads(shown), "guide").scan.ignore
    check(ignore)
    assert [one.id for one in ignore.values()] == ["CVE-2026-1234"]


def test_the_version_stands_in_one_place() -> None:
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^## \[(.+?)\]", changes, re.MULTILINE)[1] == __version__  # type: ignore[index]
    code = [*(ROOT / "tasks").rglob("*.py"), *ROOT.glob("*.toml"), *(ROOT / "ci").glob("*.py")]
    where = [path for path in code if __version__ in path.read_text(encoding="utf-8")]
    assert [path.relative_to(ROOT).as_posix() for path in where] == ["tasks/homeport/__init__.py"]


def test_the_map_has_every_room() -> None:
    text = (ROOT / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rows = "".join(row.split("|")[1] for row in text.splitlines() if row.startswith("| `"))
    rooms = [path.parent for path in (ROOT / "tasks" / "homeport").glob("*/__init__.py")]
    assert rooms
    assert [room.name for room in rooms if f"`{room.name}/`" not in rows] == []


def test_each_module_says_in_its_first_line_what_it_is_for() -> None:
    modules = list((ROOT / "tasks" / "homeport").rglob("*.py"))
    silent = [str(path) for path in modules if not path.read_text(encoding="utf-8").startswith('"""')]
    assert modules
    assert silent == []


def test_each_dependency_has_its_reason() -> None:
    text = (ROOT / "docs" / "HOW_IT_WORKS.md").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = [re.split(r"[<>=;]", wanted)[0].strip() for wanted in project["dependencies"]]
    assert [name for name in names if f"\n| {name} |" not in text] == []

"""A project put together from its files, as Compose does it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from homeport.errors import DefinitionError
from homeport.model.project import Project, interpolated
from homeport.resources.host import parse_host
from homeport.sources.compose import look_up, read


def project(folder: Path, files: dict[str, str], *chosen: str, **environment: str) -> Project:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return read(folder, chosen, environment).project


def specs(found: Project) -> dict[str, Any]:
    return {name: dict(service.spec) for name, service in found.services.items()}


def test_an_override_is_laid_over_the_first_file(tmp_path: Path) -> None:
    found = project(
        tmp_path,
        {
            "compose.yml": "services:\n  a:\n    image: x\n    ports: ['1:1']\n    deploy: {replicas: 1}\n",
            "compose.override.yml": (
                "services:\n  a:\n    image: y\n    ports: ['2:2']\n    deploy: {mode: global}\n"
                "  b: {image: z}\n"
            ),
        },
    )
    assert specs(found) == {
        "a": {"image": "y", "ports": ["1:1", "2:2"], "deploy": {"replicas": "1", "mode": "global"}},
        "b": {"image": "z"},
    }
    assert [layer.path.name for layer in found.services["a"].layers] == [
        "compose.yml",
        "compose.override.yml",
    ]


def test_files_that_are_named_and_documents_in_one_file(tmp_path: Path) -> None:
    files = {
        "x.yml": "services:\n  a: {image: x}\n---\nservices:\n  a: {image: y}\n---\n",
        "sub/y.yml": "services:\n  a: {command: z}\n",
    }
    found = project(tmp_path, files, "x.yml", "sub/y.yml")
    assert specs(found) == {"a": {"image": "y", "command": "z"}}
    assert [layer.document for layer in found.services["a"].layers] == [0, 1, 0]


def test_tags_of_compose(tmp_path: Path) -> None:
    found = project(
        tmp_path,
        {
            "compose.yml": "services:\n  a: {ports: ['1:1'], deploy: {x: 1}, image: x, expose: [1]}\n",
            "compose.override.yml": (
                "services:\n  a: {ports: !override ['2:2'], deploy: !reset null, expose: !reset []}\n"
            ),
        },
    )
    assert specs(found) == {"a": {"ports": ["2:2"], "image": "x"}}


def test_includes_in_all_their_forms(tmp_path: Path) -> None:
    files = {
        "compose.yml": (
            "include:\n  - a/compose.yml\n  - path: [b/one.yml, b/two.yml]\n"
            "  - path: c/compose.yml\n    project_directory: d\n    env_file: .env\n"
            "  - path: ${WHERE:-e}/compose.yml\nservices:\n  own: {image: x}\n  b: {command: own}\n"
        ),
        "a/compose.yml": "include: [deep/compose.yml]\nservices:\n  a: {image: a}\n",
        "a/deep/compose.yml": "services:\n  deep: {image: deep}\n",
        "b/one.yml": "services:\n  b: {image: one, command: one}\n",
        "b/two.yml": "services:\n  b: {image: two}\n",
        "c/compose.yml": "include: [more.yml]\nservices:\n  c: {image: c}\n",
        "d/more.yml": "services:\n  d: {image: d}\n",
        "e/compose.yml": "services:\n  e: {image: e}\n",
    }
    found = project(tmp_path, files)
    assert specs(found) == {
        "deep": {"image": "deep"},
        "a": {"image": "a"},
        "b": {"image": "two", "command": "own"},
        "d": {"image": "d"},
        "c": {"image": "c"},
        "e": {"image": "e"},
        "own": {"image": "x"},
    }
    assert list(found.services) == ["deep", "a", "b", "d", "c", "e", "own"]


def test_what_is_included_first_counts_more(tmp_path: Path) -> None:
    files = {
        "compose.yml": "include: [one.yml, two.yml, one.yml]\n",
        "one.yml": "services:\n  a: {image: one, expose: [1]}\n",
        "two.yml": "services:\n  a: {image: two, command: two}\n",
    }
    assert specs(project(tmp_path, files)) == {"a": {"image": "one", "command": "two", "expose": ["1"]}}


@pytest.mark.parametrize("path", ["https://example.com/x.git", "oci://r/x:1", "git@host:x", "${UNSET}/x.yml"])
def test_what_is_not_here_is_a_warning(tmp_path: Path, path: str) -> None:
    found = project(tmp_path, {"compose.yml": f"include: ['{path}']\nservices:\n  a: {{image: x}}\n"})
    assert found.warnings == (f"compose.yml includes {path}, which is not looked at.",)


def test_extends(tmp_path: Path) -> None:
    files = {
        "compose.yml": (
            "services:\n  a: {extends: b, image: a}\n  b: {extends: {service: c}, deploy: {x: b}}\n"
            "  c: {image: c, deploy: {x: c, y: c}}\n"
            "  d: {extends: {file: sub/base.yml, service: base}, command: d}\n"
        ),
        "sub/base.yml": "services:\n  base: {extends: {file: ../top.yml, service: top}, image: base}\n",
        "top.yml": "services:\n  top: {image: top, init: 'true'}\n",
    }
    found = project(tmp_path, files)
    assert specs(found) == {
        "a": {"image": "a", "deploy": {"x": "b", "y": "c"}},
        "b": {"image": "c", "deploy": {"x": "b", "y": "c"}},
        "c": {"image": "c", "deploy": {"x": "c", "y": "c"}},
        "d": {"image": "base", "init": "true", "command": "d"},
    }
    compose = tmp_path / "compose.yml"
    assert found.users[compose, "c"] == {"a", "b"}
    assert found.users[compose, "b"] == {"a"}
    assert found.users[tmp_path / "sub" / "base.yml", "base"] == {"d"}


def test_a_service_may_extend_one_that_is_included(tmp_path: Path) -> None:
    files = {
        "compose.yml": "include: [base.yml]\nservices:\n  a: {extends: base, command: a}\n",
        "base.yml": "services:\n  base: {image: x}\n",
    }
    assert specs(project(tmp_path, files))["a"] == {"image": "x", "command": "a"}


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"compose.yml": "- a\n"}, "no mapping at its top"),
        ({"compose.yml": "text\n"}, "no mapping at its top"),
        ({"compose.yml": "services: [a]\n"}, "'services' must be a mapping"),
        ({"compose.yml": "services:\n  a: text\n"}, "service 'a' must be a mapping, not str"),
        ({"compose.yml": "services:\n  a: [b]\n"}, "service 'a' must be a mapping, not list"),
        ({"compose.yml": "include: x.yml\n"}, "'include' must be a list"),
        ({"compose.yml": "include: [{env_file: x}]\n"}, "an 'include' names no file"),
        ({"compose.yml": "include: [1.yml]\n"}, "1.yml can't be read: No such file"),
        ({"compose.yml": "include: [x.yml]\n", "x.yml": "include: [compose.yml]\n"}, "in a circle"),
        ({"compose.yml": "services:\n  a: {extends: a}\n"}, "service 'a' extends itself"),
        ({"compose.yml": "services:\n  a: {extends: b}\n  b: {extends: a}\n"}, "extends itself"),
        ({"compose.yml": "services:\n  a: {extends: b}\n"}, "'a' extends 'b', which compose.yml hasn't"),
        ({"compose.yml": "services:\n  a: {extends: {service: b, file: c.yml}}\n"}, "c.yml can't be read"),
        ({"compose.yml/x": ""}, "There is no Compose file"),
        ({"x.yml": ""}, "There is no Compose file"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, files: dict[str, str], said: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        project(tmp_path, files)
    assert said in caught.value.what


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "---\n", "services:\n", "include:\nservices: {}\n", "a: {}\n"]
)
def test_files_without_services_have_none(tmp_path: Path, text: str) -> None:
    assert specs(project(tmp_path, {"compose.yml": text})) == {}


def test_where_compose_looks(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    (tmp_path / "docker-compose.yml").write_text("", encoding="utf-8")
    assert look_up(deep, {}) == [tmp_path / "docker-compose.yml"]
    (tmp_path / "docker-compose.override.yml").write_text("", encoding="utf-8")
    (tmp_path / "compose.yaml").write_text("", encoding="utf-8")
    assert look_up(tmp_path, {}) == [tmp_path / "compose.yaml", tmp_path / "docker-compose.override.yml"]
    found = look_up(tmp_path, {"COMPOSE_FILE": "x.yml;a/y.yml", "COMPOSE_PATH_SEPARATOR": ";"})
    assert found == [tmp_path / "x.yml", tmp_path / "a" / "y.yml"]
    (tmp_path / ".env").write_text("SECRET=1\nCOMPOSE_FILE='z.yml'\n", encoding="utf-8")
    assert look_up(tmp_path, {}) == [tmp_path / "z.yml"]


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("${A}", "1"),
        ("$A-x", "1-x"),
        ("${A:-2}", "1"),
        ("${EMPTY:-2}", "2"),
        ("${EMPTY-2}", ""),
        ("${NO:-${NEITHER:-3}}", "3"),
        ("${A:+yes}", "yes"),
        ("${NO:?must be set}", "${NO:?must be set}"),
        ("${NO}", "${NO}"),
        ("$$A", "$A"),
        ("plain", "plain"),
    ],
)
def test_variables(text: str, result: str) -> None:
    assert interpolated(text, {"A": "1", "EMPTY": ""}) == result


def test_hosts() -> None:
    host = parse_host("4cpu, 16g")
    assert (host.cores, host.memory) == (4.0, 16 * 1024**3)
    assert parse_host("2 cores").memory == 0
    assert parse_host("8g").cores == 0

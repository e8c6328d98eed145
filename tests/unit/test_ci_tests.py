"""The rules of the tests themselves: isolated settings, no programs in unit tests, no silent skips in CI."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from pathlib import Path
from subprocess import Popen

import pytest

import engine_fixtures
import isolation
import leftovers
from engine_fixtures import DockerSession


def start_by_run() -> None:
    subprocess.run(["true"], check=False)


def start_by_imported_class() -> None:
    Popen(["true"])


def start_by_shell() -> None:
    os.system("true")  # noqa: S605


def start_by_asyncio() -> None:
    asyncio.run(asyncio.create_subprocess_exec("true"))


def start_and_swallow() -> None:
    try:
        subprocess.check_output(["true"])
    except Exception:  # noqa: BLE001
        return


@pytest.mark.parametrize(
    "start", [start_by_run, start_by_imported_class, start_by_shell, start_by_asyncio, start_and_swallow]
)
def test_a_unit_test_that_starts_a_program_fails(start: object) -> None:
    assert callable(start)
    with pytest.raises(pytest.fail.Exception, match=r"a unit test tried to start a program: .*true"):
        start()


@pytest.mark.parametrize(
    "name", ["GITHUB_ACTIONS", "HOMEPORT_JOBS", "GIT_DIR", "COMPOSE_FILE", "FORCE_COLOR"]
)
def test_foreign_settings_are_removed(name: str) -> None:
    environment = {name: "x", "CI": "true", "DOCKER_HOST": "ssh://x", "PATH": "/bin"}
    assert isolation.changes(environment, Path("/home/me")).remove == (name,)


def test_these_tests_see_the_same_everywhere() -> None:
    assert os.environ["NO_COLOR"] == "1"
    assert os.environ["LC_ALL"] == "C.UTF-8"
    assert "GITHUB_ACTIONS" not in os.environ
    assert Path(os.environ["DOCKER_CONFIG"], "config.json").is_file()


def test_docker_keeps_its_engine_and_plugins_but_no_login(tmp_path: Path) -> None:
    old = tmp_path / "old"
    (old / "contexts" / "meta").mkdir(parents=True)
    config = {
        "currentContext": "colima",
        "auths": {"registry": {"auth": "secret"}},
        "cliPluginsExtraDirs": ["/opt/plugins"],
    }
    (old / "config.json").write_text(json.dumps(config), encoding="utf-8")
    variables = isolation.write_settings(tmp_path, isolation.changes({"DOCKER_CONFIG": str(old)}, tmp_path))
    new = Path(variables["DOCKER_CONFIG"])
    assert json.loads((new / "config.json").read_text(encoding="utf-8")) == {
        "currentContext": "colima",
        "cliPluginsExtraDirs": [str(old / "cli-plugins"), "/opt/plugins"],
    }
    assert (new / "contexts" / "meta").is_dir()


def test_a_person_without_docker_settings(tmp_path: Path) -> None:
    variables = isolation.write_settings(tmp_path, isolation.changes({}, tmp_path / "home"))
    config = json.loads(Path(variables["DOCKER_CONFIG"], "config.json").read_text(encoding="utf-8"))
    assert config == {"cliPluginsExtraDirs": [str(tmp_path / "home" / ".docker" / "cli-plugins")]}


@pytest.mark.parametrize("value", ["true", "1", "yes"])
def test_a_missing_engine_fails_in_ci(value: str) -> None:
    with pytest.raises(pytest.fail.Exception, match="no engine"):
        engine_fixtures.missing("no engine", {"CI": value})


@pytest.mark.parametrize("environment", [{}, {"CI": ""}, {"CI": "false"}, {"CI": "0"}])
def test_a_missing_engine_skips_elsewhere(environment: dict[str, str]) -> None:
    with pytest.raises(pytest.skip.Exception, match="no engine"):
        engine_fixtures.missing("no engine", environment)


@pytest.mark.parametrize(
    ("names", "labels", "owned"),
    [
        ("homeport-test-ab12-web", "", True),
        ("web", "a=b,io.homeport.test=ab12", True),
        ("web", "com.docker.compose.project=homeport-test-ab12-shop", True),
        ("web", "io.homeport.test=ab123", False),
        ("web", "io.homeport.test=", False),
        ("homeport-test-cd34-web", "io.homeport.test=cd34", False),
        ("", "", False),
    ],
)
def test_a_session_knows_its_own_things(names: str, labels: str, owned: bool) -> None:
    assert DockerSession("ab12").owns(names, labels) is owned


@pytest.mark.parametrize(
    ("names", "labels", "owned"),
    [
        ("homeport-test-ab12-web", "", True),
        ("homeport-homeport-test-ab12-web-lock", "", True),
        ("web", "io.homeport.test=ab12", True),
        ("web", "com.docker.compose.project=homeport-test-ab12-shop", True),
        ("homeport-shop-lock", "io.homeport.stack=shop", False),
        ("web", "io.homeport.tests=ab12", False),
        ("homeport-ci/haproxy", "", False),
    ],
)
def test_what_any_session_left_is_known(names: str, labels: str, owned: bool) -> None:
    assert leftovers.Owner().owns(names, labels) is owned

"""ci/engine_facts.py: what programs and files say becomes data."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

import engine_facts
from made_up_machines import NO_CLI


def info(**changes: Any) -> str:
    plugins = [{"Name": "buildx", "Version": "0.29.1"}, {"Name": "compose", "Version": "2.40.3"}]
    client = {"Context": "default", "Plugins": plugins}
    return json.dumps(
        {"ServerVersion": "28.5.2", "OSType": "linux", "Driver": "overlayfs", "ClientInfo": client, **changes}
    )


def test_info_of_a_complete_engine() -> None:
    docker = engine_facts.parse_info(info())
    assert docker.complete
    assert str(docker) == "Docker Engine 28.5.2, buildx 0.29.1, Compose 2.40.3 (overlayfs)"
    assert not docker.error


@pytest.mark.parametrize(
    ("plugins", "lacks"),
    [
        ([], "the buildx plugin and the Compose plugin"),
        (None, "the buildx plugin and the Compose plugin"),
        ([{"Name": "compose", "Version": "2.40.3"}], "the buildx plugin"),
        (
            [{"Name": "buildx", "Version": "0.29.1"}, {"Name": "compose", "Err": "exec format error"}],
            "the Compose plugin",
        ),
        ([{"Name": "buildx"}, {"Name": "compose"}], ""),  # a plugin without a version is still one
    ],
)
def test_info_tells_which_plugins_are_missing(plugins: object, lacks: str) -> None:
    docker = engine_facts.parse_info(info(ClientInfo={"Plugins": plugins}))
    assert docker.answers
    assert docker.lacks == lacks


def test_info_without_an_engine_keeps_the_first_complaint() -> None:
    docker = engine_facts.parse_info(info(ServerVersion="", ServerErrors=["no socket", "more"]), "ERROR")
    assert (docker.answers, docker.error, docker.lacks) == (False, "no socket", "a Docker engine")


@pytest.mark.parametrize("text", ["", "Failed to initialize", "[1"])
def test_info_that_is_no_json_is_an_error_not_a_crash(text: str) -> None:
    docker = engine_facts.parse_info(text, "context not found\n")
    assert (docker.cli, docker.answers, docker.error) == (True, False, "context not found")


def test_look_without_docker(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> None:
        raise FileNotFoundError(2, "No such file or directory", "docker")

    monkeypatch.setattr(subprocess, "run", missing)
    assert engine_facts.look() == NO_CLI


def test_look_at_an_engine_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(command: list[str], timeout: float, **_: object) -> None:
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(subprocess, "run", hang)
    assert engine_facts.look(7).error == "the engine did not answer within 7 s"


def test_os_release() -> None:
    text = 'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=\'bookworm\'\nHOME_URL="https://www.debian.org/"\n'
    parsed = engine_facts.parse_os_release(text)
    assert (parsed["ID"], parsed["VERSION_ID"], parsed["VERSION_CODENAME"]) == ("debian", "12", "bookworm")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("CapEff:\t000001fffeffffff\n", True),
        ("Name: x\nCapEff:\t00000000a80425fb\n", False),  # what an unprivileged container has
        ("CapEff:\t0000000000000000\n", False),
        ("", False),
    ],
)
def test_may_mount(status: str, expected: bool) -> None:
    assert engine_facts.parse_may_mount(status) is expected


@pytest.mark.parametrize(
    ("names", "age_s", "fresh"),
    [
        (["mirror_debian_dists_bookworm_main_binary-amd64_Packages.lz4"], 60, True),
        (["mirror_debian_dists_bookworm_main_binary-amd64_Packages"], 60, True),
        (["mirror_debian_dists_bookworm_main_binary-amd64_Packages"], 3 * 24 * 3600, False),
        (["lock"], 60, False),
        ([], 60, False),
    ],
)
def test_fresh_package_lists(tmp_path: Path, names: list[str], age_s: int, fresh: bool) -> None:
    for name in names:
        (tmp_path / name).touch()
    now = tmp_path.stat().st_mtime + age_s
    assert engine_facts._lists_fresh(tmp_path, now) is fresh


def test_package_lists_of_a_machine_without_apt(tmp_path: Path) -> None:
    assert not engine_facts._lists_fresh(tmp_path / "none", 0)

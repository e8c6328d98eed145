from __future__ import annotations

from datetime import datetime, timezone

import pytest

from homeport.doctor import checks
from homeport.doctor.checks import Grade
from homeport.engine.docker import Plugin, parse_engine, require, version_tuple
from homeport.engine.registry import Answer
from homeport.errors import EnvironmentProblem
from made_up import engine


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("v0.29.1+ds1", (0, 29, 1)),
        ("28.5.2+dfsg4", (28, 5, 2)),
        ("2.40.3-3", (2, 40, 3)),
        ("dev", ()),
        ("", ()),
    ],
)
def test_versions(text: str, numbers: tuple[int, ...]) -> None:
    assert version_tuple(text) == numbers


def test_engine_too_old() -> None:
    assert checks.engine(engine(version="20.10.24")).grade is Grade.BAD
    with pytest.raises(EnvironmentProblem, match=r"20\.10\.24 is too old"):
        require(engine(version="20.10.24"))


def test_buildx_too_old_or_missing() -> None:
    with pytest.raises(EnvironmentProblem, match=r"buildx 0\.10\.0 is too old"):
        require(engine(plugins={"buildx": Plugin("buildx", "0.10.0", "")}))
    with pytest.raises(EnvironmentProblem, match="no 'buildx' plugin"):
        require(engine(plugins={}))
    assert checks.plugin(engine(plugins={}), "compose").hint


def test_a_silent_engine_is_one_bad_line_with_a_next_step() -> None:
    finding = checks.engine(EnvironmentProblem("It is off.", cause="No socket.", hint="Start it."))
    assert (finding.grade, finding.text, finding.hint) == (Grade.BAD, "It is off. No socket.", "Start it.")


def test_image_store() -> None:
    assert checks.image_store(engine()).grade is Grade.GOOD
    old = checks.image_store(engine(containerd_store=False, storage="overlay2"))
    assert old.grade is Grade.WARN
    assert "daemon.json" in old.hint


@pytest.mark.parametrize(
    ("answer", "grade"),
    [
        (None, Grade.GOOD),
        (Answer("ok"), Grade.GOOD),
        (Answer("login"), Grade.BAD),
        (Answer("down"), Grade.BAD),
    ],
)
def test_registry(answer: Answer | None, grade: Grade) -> None:
    assert checks.registry("r.io/me", answer).grade is grade


def test_disk_and_memory() -> None:
    assert checks.disk(engine(), None, "").grade is Grade.GOOD
    assert checks.disk(engine(), 10**9, "1.0 GB").grade is Grade.BAD
    assert checks.disk(engine(), 10**11, "100 GB").grade is Grade.GOOD
    assert checks.memory(engine(free_memory=10), "a", "b", 1).grade is Grade.WARN


def test_clock() -> None:
    now = datetime(2026, 1, 1, 12, 0, 0, tzinfo=timezone.utc).timestamp()
    assert checks.clock("2026-01-01T12:00:01.5Z", now).grade is Grade.GOOD
    assert checks.clock("2026-01-01T13:00:00Z", now).grade is Grade.BAD
    assert checks.clock("", now).grade is Grade.WARN


def test_the_document_of_docker_info() -> None:
    found = parse_engine(
        {
            "ServerVersion": "28.5.2",
            "Driver": "overlayfs",
            "DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]],
            "NCPU": 2,
            "MemTotal": 1000,
            "ClientInfo": {
                "Context": "far",
                "Plugins": [
                    {"Name": "buildx", "Version": "v0.29", "Path": "/p"},
                    {"Name": "bad", "Err": "broken"},
                ],
            },
        },
        host="ssh://far",
    )
    assert found.containerd_store
    assert not found.local
    assert found.free_memory == 500
    assert list(found.plugins) == ["buildx"]
    assert parse_engine({}, host="unix:///x").local

"""``stats`` from end to end, without an engine: what is refused, what is written, and the exit codes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from homeport.engine import containers, docker, stacks, usage
from homeport.engine.limits import Held
from homeport.errors import EnvironmentProblem, UsageError, WorkFailed
from homeport.stats import flow
from homeport.stats.measure import Seen
from stats_samples import member, seen, steady

PROJECT = {
    "name": "shop",
    "services": {
        "api": {"deploy": {"resources": {"reservations": {"cpus": "0.5", "memory": "64M"}}}},
        "batch": None,
        "web": {"deploy": {"resources": {"reservations": {"cpus": "${CPUS}"}}}},
    },
}
ENGINE = docker.parse_engine({"NCPU": 4, "OSType": "linux", "ServerVersion": "28.5"})
CALM = seen([(member("api", name="a"), steady(3, 0.1))])
THROTTLED = seen([(member("api", name="a", held=Held(0.5)), steady(41, 0.5, throttled=0.9, stopped=0.4))])


@pytest.fixture
def request_(tmp_path: Path) -> flow.Request:
    return flow.Request(tmp_path)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the engine has and what is seen of it; a test changes it."""
    known: dict[str, Any] = {
        "members": [member("api", name="a"), member("web", name="w")],
        "seen": CALM,
        "engine": ENGINE,
        "elsewhere": (),
    }
    monkeypatch.setattr(docker, "engine", lambda: known["engine"])
    monkeypatch.setattr(stacks, "of", lambda cwd, files: stacks.Found("shop", PROJECT))
    monkeypatch.setattr(containers, "projects_of", lambda cwd: known["elsewhere"])
    monkeypatch.setattr(usage, "directly", lambda: True)
    monkeypatch.setattr(usage, "active", lambda stack, direct: dict.fromkeys("aw", "running"))
    monkeypatch.setattr(
        usage, "members", lambda ids, direct: {one.container.id: one for one in known["members"]}
    )

    def watch(stack: str, duration: float, interval: float, **more: Any) -> Seen:
        known["asked"] = (stack, duration, interval, more["services"])
        result: Seen = known["seen"]
        return result

    monkeypatch.setattr(flow, "watch", watch)
    return known


@pytest.mark.parametrize(
    ("seconds", "interval", "said"),
    [
        (0, 1, "--seconds 0 sees nothing"),
        (10, 0, "--interval takes at least 1 second"),
        (10, 11, "--interval 11 is longer than --seconds 10"),
        (3601, 1, "3601 looks, more than 3600"),
    ],
)
def test_times_that_can_not_be_watched(
    request_: flow.Request, seconds: int, interval: int, said: str
) -> None:
    """Before the engine is asked anything: there is none here."""
    with pytest.raises(UsageError) as caught:
        flow.run(replace(request_, seconds=seconds, interval=interval))
    assert said in caught.value.what


@pytest.mark.parametrize(("seconds", "interval"), [(1, 1), (10, 10), (3600, 1), (86400, 24)])
def test_times_that_can(request_: flow.Request, seconds: int, interval: int) -> None:
    flow.check(replace(request_, seconds=seconds, interval=interval))


def test_the_interval_that_is_proposed_is_taken(request_: flow.Request) -> None:
    with pytest.raises(UsageError) as caught:
        flow.check(replace(request_, seconds=100_000))
    flow.check(replace(request_, seconds=100_000, interval=int(caught.value.hint.split()[-1].rstrip("."))))


def test_everything_that_runs_is_watched(request_: flow.Request, runs: dict[str, Any], capsys: Any) -> None:
    assert flow.run(request_) == 0
    assert runs["asked"] == ("shop", 30, 1, ())
    said = capsys.readouterr().out
    assert "Watching 2 services of shop for 30.0 s ..." in said
    assert "1 service of shop watched for 2.0 s, 3 looks: nothing to change." in said
    assert "too short to tell what is over-reserved" in said


def test_some_services(request_: flow.Request, runs: dict[str, Any], capsys: Any) -> None:
    assert flow.run(replace(request_, services=("web",))) == 0
    assert runs["asked"][3] == ("web",)
    assert "Watching 1 service of shop" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("wbe", "did you mean 'web'?"),
        ("batch", "The Compose file has it, but it isn't started."),
        ("zzz", ""),
    ],
)
def test_a_service_that_does_not_run(
    request_: flow.Request, runs: dict[str, Any], name: str, cause: str
) -> None:
    with pytest.raises(UsageError) as caught:
        flow.run(replace(request_, services=("api", name)))
    assert f"'{name}'" in caught.value.what
    assert caught.value.cause == cause
    assert caught.value.hint == "Running: api, web."


@pytest.mark.parametrize(
    ("elsewhere", "cause"),
    [(("shop",), ""), (("one", "shop", "two"), "From this folder there is one and two.")],
)
def test_nothing_runs(
    request_: flow.Request, runs: dict[str, Any], elsewhere: tuple[str, ...], cause: str
) -> None:
    runs["members"], runs["elsewhere"] = [], elsewhere
    with pytest.raises(EnvironmentProblem) as caught:
        flow.run(request_)
    assert caught.value.what == "Nothing of the stack shop runs."
    assert caught.value.cause == cause


def test_windows_containers(request_: flow.Request, runs: dict[str, Any]) -> None:
    runs["engine"] = docker.parse_engine({"OSType": "windows", "Architecture": "x86_64"})
    with pytest.raises(EnvironmentProblem, match="Windows containers"):
        flow.run(request_)


def test_check_fails_for_a_warning_only(request_: flow.Request, runs: dict[str, Any], capsys: Any) -> None:
    assert flow.run(replace(request_, check=True)) == 0
    runs["seen"] = THROTTLED
    assert flow.run(request_) == 0
    assert flow.run(replace(request_, check=True)) == 1
    said = capsys.readouterr().out
    assert "warning: api: throttled in 90 % of its periods; CPU limit 0.5, it wanted ~0.9" in said
    # What is reserved in the Compose file counts, too, but not against a service that is stopped.
    assert "reserves" not in said


def test_what_the_file_reserves_counts(request_: flow.Request, runs: dict[str, Any], capsys: Any) -> None:
    runs["seen"] = seen([(member("api", name="a"), steady(41, 0.01))])
    assert flow.run(replace(request_, check=True)) == 0
    assert "note: api: reserves 0.5 cores and used 0.01 at most in 40.0 s" in capsys.readouterr().out


def test_reservations_in_the_file() -> None:
    assert flow.reserved_cores(PROJECT) == {"api": 0.5}
    assert flow.reserved_cores({}) == {}


def test_json_and_report(request_: flow.Request, runs: dict[str, Any], tmp_path: Path, capsys: Any) -> None:
    runs["seen"] = THROTTLED
    file, folder = tmp_path / "deep" / "x.json", tmp_path / "report"
    assert flow.run(replace(request_, json=str(file), report=str(folder))) == 0
    document = json.loads(file.read_text(encoding="utf-8"))
    assert document == json.loads((folder / "stats.json").read_text(encoding="utf-8"))
    assert not document["ok"]
    assert (folder / "stats.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert "stats.html" in capsys.readouterr().out


def test_json_on_standard_output_is_alone_there(
    request_: flow.Request, runs: dict[str, Any], capfdbinary: Any
) -> None:
    assert flow.run(replace(request_, json="-")) == 0
    captured = capfdbinary.readouterr()
    assert json.loads(captured.out)["schema"] == "homeport.stats/1"
    assert b"watched for" in captured.err


def test_ctrl_c_shows_what_was_seen(
    request_: flow.Request, runs: dict[str, Any], tmp_path: Path, capsys: Any
) -> None:
    runs["seen"] = replace(CALM, interrupted=True)
    assert flow.run(replace(request_, json=str(tmp_path / "x.json"), check=True)) == 130
    assert "Interrupted. 1 service of shop watched for 2.0 s" in capsys.readouterr().out
    assert json.loads((tmp_path / "x.json").read_text(encoding="utf-8"))["interrupted"]


def test_ctrl_c_before_anything_was_seen(request_: flow.Request, runs: dict[str, Any], capsys: Any) -> None:
    runs["seen"] = Seen((), {}, {}, {}, interrupted=True)
    assert flow.run(request_) == 130
    assert "0 services of shop watched for 0.0 s" in capsys.readouterr().out


def test_an_engine_that_goes_meanwhile_is_a_failure_after_what_was_seen(
    request_: flow.Request, runs: dict[str, Any], capsys: Any
) -> None:
    runs["seen"] = replace(THROTTLED, silent=True, gaps=3)
    with pytest.raises(WorkFailed) as caught:
        flow.run(request_)
    assert caught.value.what == "The engine gave no answer any more after 40.0 s."
    assert caught.value.document["advice"]
    said = capsys.readouterr().out
    assert "throttled in 90 %" in said
    assert "The engine gave no answer at 3 looks." in said


def test_an_engine_that_goes_before(request_: flow.Request, runs: dict[str, Any], monkeypatch: Any) -> None:
    def silent(stack: str, direct: bool) -> Any:
        raise usage.Silent

    monkeypatch.setattr(usage, "active", silent)
    with pytest.raises(EnvironmentProblem, match="doesn't answer"):
        flow.run(request_)

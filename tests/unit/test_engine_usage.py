"""What the engine counts, as its API and the docker command write it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from homeport.engine import api, process, usage
from homeport.engine.containers import SERVICE_LABEL, memory_of
from homeport.engine.limits import Held
from homeport.errors import ToolTimeout
from homeport.model import roles

Document = dict[str, Any]

COUNTS: Document = {
    "read": "2026-01-02T03:04:05.25Z",
    "cpu_stats": {
        "cpu_usage": {"total_usage": 1_500_000_000},
        "throttling_data": {"periods": 40, "throttled_periods": 30, "throttled_time": 2_500_000_000},
    },
    "memory_stats": {"usage": 1000, "stats": {"total_inactive_file": 300, "inactive_file": 1}},
    "networks": {"eth0": {"rx_bytes": 10, "tx_bytes": 20}, "eth1": {"rx_bytes": 1, "tx_bytes": 2}},
}


def test_a_reading_from_the_api() -> None:
    assert usage.parse(COUNTS) == usage.Reading(
        at=1767323045.25,
        cpu=1.5,
        memory=700,
        received=11,
        sent=22,
        periods=40,
        throttled=30,
        throttled_seconds=2.5,
    )


@pytest.mark.parametrize(
    ("said", "at"),
    [
        ("1970-01-01T00:00:01Z", 1.0),
        ("1970-01-01T00:00:01.000000500Z", 1.0000005),
        ("1970-01-01T02:00:01.5+02:00", 1.5),
    ],
)
def test_times_as_go_writes_them(said: str, at: float) -> None:
    found = usage.parse({**COUNTS, "read": said})
    assert found is not None
    assert found.at == pytest.approx(at, abs=1e-9)


@pytest.mark.parametrize("said", ["0001-01-01T00:00:00Z", "", None, "yesterday"])
def test_what_does_not_run_has_no_reading(said: str | None) -> None:
    assert usage.parse({**COUNTS, "read": said}) is None


def test_the_network_of_the_host_is_nobodys_own() -> None:
    found = usage.parse({key: value for key, value in COUNTS.items() if key != "networks"})
    assert found is not None
    assert found.received is None
    assert found.sent is None


def test_counts_that_the_engine_leaves_out_are_nothing() -> None:
    found = usage.parse({"read": COUNTS["read"], "cpu_stats": None, "memory_stats": {}, "networks": {}})
    assert found == usage.Reading(1767323045.25, 0.0, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("memory", "used"),
    [
        ({"usage": 1000, "stats": {"total_inactive_file": 300, "inactive_file": 1}}, 700),  # cgroup v1
        ({"usage": 1000, "stats": {"inactive_file": 200}}, 800),  # cgroup v2
        ({"usage": 1000, "stats": {"inactive_file": 1000}}, 1000),
        ({"usage": 1000, "stats": {}}, 1000),
        ({"usage": 1000}, 1000),
        ({}, 0),
        (None, 0),
    ],
)
def test_memory_is_counted_as_docker_stats_does(memory: Document | None, used: int) -> None:
    assert memory_of({"memory_stats": memory}) == used


LINE = {
    "Container": "4f5e",
    "CPUPerc": "12.50%",
    "MemUsage": "1.5MiB / 7.7GiB",
    "NetIO": "1.2kB / 3MB",
    "PIDs": "1",
}


def test_a_reading_from_the_command() -> None:
    found = usage.parse_line(json.dumps(LINE))
    assert found is not None
    name, reading = found
    assert name == "4f5e"
    assert (reading.cores, reading.memory, reading.received, reading.sent) == (
        0.125,
        1572864,
        1200,
        3_000_000,
    )
    assert reading.periods is None


@pytest.mark.parametrize(
    "line",
    [
        *("", "{", "[]", "null"),
        json.dumps({**LINE, "CPUPerc": "--"}),
        json.dumps({**LINE, "MemUsage": "-- / --"}),
        json.dumps({**LINE, "NetIO": "--"}),
        json.dumps({**LINE, "CPUPerc": None}),
    ],
)
def test_a_line_that_says_nothing(line: str) -> None:
    assert usage.parse_line(line) is None


@pytest.mark.parametrize(
    ("text", "size"),
    [("0B", 0), ("512B", 512), ("1KiB", 1024), ("1.5GiB", 1610612736), ("1kB", 1000), ("2.5MB", 2500000),
     (" 3TiB ", 3 * 1024**4), ("1e+03kB", 1_000_000)],
)  # fmt: skip
def test_sizes_as_the_docker_command_writes_them(text: str, size: int) -> None:
    assert usage.size_of(text) == size


def test_no_size() -> None:
    for text in ("--", "", "12", "1XB", "MiB"):
        with pytest.raises(ValueError, match=r".*"):
            usage.size_of(text)


def described(**host: Any) -> Document:
    labels = {SERVICE_LABEL: "api-r1", roles.SERVICE_LABEL: "api", roles.ROLE_LABEL: roles.REPLICA}
    return {"Id": "1", "Config": {"Labels": labels}, "HostConfig": host, "State": {"OOMKilled": True}}


@pytest.mark.parametrize(
    ("host", "held"),
    [
        ({}, Held()),
        ({"NanoCpus": 250_000_000, "Memory": 5, "MemoryReservation": 3, "PidsLimit": 7}, Held(0.25, 5, 3, 7)),
        ({"CpuQuota": 50_000, "CpuPeriod": 200_000}, Held(0.25)),
        ({"CpuQuota": 50_000, "CpuPeriod": 0}, Held(0.5)),
        ({"CpuQuota": -1, "PidsLimit": -1, "Memory": None}, Held()),
    ],
)
def test_limits_whichever_way_they_were_set(host: Document, held: Held) -> None:
    assert usage.member(described(**host)).held == held


def test_whose_a_container_is() -> None:
    found = usage.member(described())
    assert (found.service, found.front, found.counts, found.killed) == ("api", False, True, True)
    document = described()
    document["Config"]["Labels"][roles.ROLE_LABEL] = roles.HOOK
    assert not usage.member(document).counts
    document["Config"]["Labels"][roles.ROLE_LABEL] = roles.FRONT
    assert usage.member(document).front
    plain = {"Id": "1", "Config": {"Labels": {SERVICE_LABEL: "web"}}, "HostConfig": {}}
    assert usage.member(plain).service == "web"
    plain["Config"] = {"Labels": {SERVICE_LABEL: "web", "com.docker.compose.oneoff": "True"}}
    assert not usage.member(plain).counts


def answer(monkeypatch: pytest.MonkeyPatch, *answers: tuple[int, Any]) -> None:
    monkeypatch.setattr(api, "get_all", lambda paths: list(answers))


def test_the_engine_asked_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, (200, [{"Id": "a", "State": "running"}, {"Id": "b", "State": "paused"}]))
    assert usage.active("shop", direct=True) == {"a": "running", "b": "paused"}
    # One has gone between the two questions, one doesn't run any more.
    answer(monkeypatch, (200, COUNTS), (404, {"message": "gone"}), (200, {"read": "0001-01-01T00:00:00Z"}))
    assert list(usage.read(["a", "b", "c"], direct=True)) == ["a"]


@pytest.mark.parametrize("said", [(500, {"message": "rw layer snapshot not found"}), (200, {"message": "?"})])
def test_a_list_that_is_none_is_no_answer(monkeypatch: pytest.MonkeyPatch, said: tuple[int, Any]) -> None:
    answer(monkeypatch, said)
    with pytest.raises(usage.Silent):
        usage.active("shop", direct=True)


def test_an_engine_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(paths: object) -> Any:
        raise api.NoDirectWay

    monkeypatch.setattr(api, "get_all", refuse)
    assert not usage.directly()
    with pytest.raises(usage.Silent):
        usage.active("shop", direct=True)
    with pytest.raises(usage.Silent):
        usage.read(["a"], direct=True)


def test_kills_in_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def lines(path: str) -> list[Any]:
        asked.append(path)
        return [{"Actor": {"ID": "a"}}, {"Actor": {"ID": "b"}}, {"Actor": {"ID": "a"}}]

    monkeypatch.setattr(api, "get_lines", lines)
    assert usage.kills("shop", 1.5, 2.25, direct=True) == ["a", "b", "a"]
    assert asked[0].startswith("/events?since=1.500000&until=2.250000&filters=%7B")
    assert usage.kills("shop", 1.5, 2.25, direct=False) == []
    assert len(asked) == 1

    def refuse(path: str) -> Any:
        raise api.NoDirectWay

    monkeypatch.setattr(api, "get_lines", refuse)
    with pytest.raises(usage.Silent):
        usage.kills("shop", 1.5, 2.25, direct=True)


def test_the_docker_command_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"ps": "a running\nb paused\n", "stats": f"{json.dumps({**LINE, 'Container': 'a'})}\n"}
    asked: list[list[str]] = []

    def run(argv: list[str], **options: Any) -> process.Completed:
        asked.append(argv)
        return process.Completed(tuple(argv), 0, said[argv[1]], "")

    monkeypatch.setattr(process, "run", run)
    assert usage.active("shop", direct=False) == {"a": "running", "b": "paused"}
    assert list(usage.read(["a", "b"], direct=False)) == ["a"]
    assert asked[1] == ["docker", "stats", "--no-stream", "--no-trunc", "--format=json", "a", "b"]
    assert usage.read([], direct=False) == {}
    assert len(asked) == 2


def test_a_docker_command_that_fails_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "run", lambda argv, **more: process.Completed((), 1, "", "no engine"))
    with pytest.raises(usage.Silent):
        usage.active("shop", direct=False)

    def slow(argv: object, **more: object) -> Any:
        raise ToolTimeout("too slow")

    monkeypatch.setattr(process, "run", slow)
    with pytest.raises(usage.Silent):
        usage.read(["a"], direct=False)

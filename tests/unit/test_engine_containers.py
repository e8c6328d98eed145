"""Containers as the engine describes them."""

from __future__ import annotations

from typing import Any

import pytest

from homeport.engine.containers import SERVICE_LABEL, Container, parse
from homeport.model.ports import Published

Document = dict[str, Any]

FULL: Document = {
    "Id": "4f5e6d",
    "Name": "/shop-api-1",
    "Image": "sha256:aa",
    "RestartCount": 2,
    "State": {
        "Status": "running",
        "ExitCode": 0,
        "StartedAt": "2026-01-02T03:04:05.678Z",
        "Health": {
            "Status": "healthy",
            "Log": [{"ExitCode": 1, "Output": "refused\n"}, {"ExitCode": 0, "Output": "  fine\nreally\n"}],
        },
    },
    "Config": {"Labels": {SERVICE_LABEL: "api-r1", "team": "blue"}},
    "HostConfig": {
        "Memory": 536870912,
        "PortBindings": {
            "80/tcp": [{"HostIp": "", "HostPort": "8080"}],
            "53/udp": [{"HostIp": "127.0.0.1", "HostPort": "53"}, {"HostPort": ""}, {"HostPort": "60-69"}],
            "81/tcp": None,
        },
    },
    "NetworkSettings": {"Networks": {"shop_default": {"IPAddress": "172.18.0.2"}, "shop_back": None}},
}


def state(**parts: Any) -> Container:
    return parse({"State": parts})


def test_a_container_from_the_engines_description() -> None:
    assert parse(FULL) == Container(
        id="4f5e6d",
        name="shop-api-1",
        image="sha256:aa",
        state="running",
        labels={SERVICE_LABEL: "api-r1", "team": "blue"},
        exit_code=0,
        health="healthy",
        health_log="fine\nreally",
        restarts=2,
        started="2026-01-02T03:04:05.678Z",
        bindings=(Published("", 8080, "tcp"), Published("127.0.0.1", 53, "udp")),
        networks={"shop_default": "172.18.0.2", "shop_back": ""},
    )
    assert parse(FULL).service == "api-r1"


NOTHING = Container("", "", "", "", {})


@pytest.mark.parametrize(
    "document",
    [
        {},
        dict.fromkeys(FULL),
        {"State": {}, "Config": {}, "HostConfig": {}, "NetworkSettings": {}},
        {"State": dict.fromkeys(FULL["State"]), "Config": {"Labels": None}},
        {"HostConfig": {"Memory": None}, "NetworkSettings": {"Networks": None}},
    ],
)
def test_what_the_engine_does_not_say_is_empty(document: Document) -> None:
    assert parse(document) == NOTHING
    assert parse(document).service == ""
    assert not parse(document).running


@pytest.mark.parametrize(
    ("said", "health"),
    [
        (None, ""),
        ({}, ""),
        ({"Status": None}, ""),
        ({"Status": "none"}, ""),
        ({"Status": "starting"}, "starting"),
        ({"Status": "healthy"}, "healthy"),
        ({"Status": "unhealthy"}, "unhealthy"),
    ],
)
def test_health_is_empty_where_there_is_no_check(said: Document | None, health: str) -> None:
    assert state(Status="running", Health=said).health == health


@pytest.mark.parametrize(
    ("log", "last"),
    [
        (None, ""),
        ([], ""),
        ([{}], ""),
        ([{"Output": None}], ""),
        ([{"Output": "first"}, {"Output": "last\n"}], "last"),
    ],
)
def test_the_last_words_of_the_health_check(log: list[Document] | None, last: str) -> None:
    assert state(Status="running", Health={"Status": "starting", "Log": log}).health_log == last


@pytest.mark.parametrize("word", ["created", "restarting", "paused", "removing", "exited", "dead"])
def test_only_one_state_is_running(word: str) -> None:
    assert not state(Status=word).running
    assert state(Status="running").running


def test_the_exit_code_and_the_restarts_are_numbers() -> None:
    assert state(Status="exited", ExitCode=137).exit_code == 137
    assert parse({"RestartCount": 5}).restarts == 5


def test_only_the_slash_before_a_name_goes() -> None:
    assert parse({"Name": "/a/b"}).name == "a/b"
    assert parse({"Name": "plain"}).name == "plain"


def test_a_container_is_independent_of_the_description() -> None:
    labels = {"team": "blue"}
    found = parse({"Config": {"Labels": labels}})
    labels["team"] = "red"
    assert found.labels == {"team": "blue"}

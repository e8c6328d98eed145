"""Probes: which there are, and what they make of answers of a real socket."""

from __future__ import annotations

import contextlib
import http.server
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from homeport.errors import UsageError
from homeport.model.checks import Outcome
from homeport.model.config import ProbeConfig
from homeport.test.probes import Probe, ask, ask_all, plan, ports
from homeport.test.stack import Stack

DOCUMENT = {
    "services": {
        "api": {"ports": [{"target": 8000}, {"target": 8000}, {"target": 53, "protocol": "udp"}]},
        "db": {"ports": [{"target": 5432}, {"target": 5433}]},
        "base": {"scale": 0, "ports": [{"target": 1}]},
        "worker": {},
    }
}


def test_by_default_each_published_port_has_one() -> None:
    assert [probe.name for probe in plan(DOCUMENT, {})] == ["api:8000", "db:5432", "db:5433"]
    assert ports(plan(DOCUMENT, {})) == {"api": [8000], "db": [5432, 5433]}


def test_those_of_the_configuration_take_their_place() -> None:
    config = {
        "api": ProbeConfig(http="/health", status=204, contains="ok"),
        "queue": ProbeConfig(service="worker", port=99),
    }
    assert plan(DOCUMENT, config) == (
        Probe("api", "api", 8000, "/health", 204, "ok"),
        Probe("queue", "worker", 99),
    )


@pytest.mark.parametrize(
    ("name", "probe", "said"),
    [
        ("apu", ProbeConfig(), "there is no service 'apu'"),
        ("db", ProbeConfig(), "which port of 'db'"),
        ("worker", ProbeConfig(), "which port of 'worker'"),
        ("api", ProbeConfig(http="health"), "is a path such as /health"),
        ("api", ProbeConfig(http="/caf\u00e9"), "is a path such as /health"),
        ("api", ProbeConfig(http="/a b"), "is a path such as /health"),
        ("api", ProbeConfig(port=99999), "there is no port 99999"),
    ],
)
def test_what_can_not_be_meant(name: str, probe: ProbeConfig, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        plan(DOCUMENT, {name: probe})


@contextlib.contextmanager
def serving(status: int, body: bytes) -> Iterator[Stack]:
    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield Stack("p", {"api": {80: (server.server_port,)}})
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("status", "probe", "said"),
    [
        (200, Probe("x", "api", 80, "/"), ""),
        (200, Probe("x", "api", 80), ""),
        (503, Probe("x", "api", 80, "/", status=503), ""),
        (500, Probe("x", "api", 80, "/"), "it answers 500, not 200"),
        (200, Probe("x", "api", 80, "/", contains="hello"), ""),
        (200, Probe("x", "api", 80, "/", contains="bye"), "its answer has no 'bye'"),
        (200, Probe("x", "api", 81, "/"), "api doesn't publish port 81"),
        (200, Probe("x", "web", 80, "/"), "web doesn't publish port 80"),
    ],
)
def test_what_an_answer_comes_to(status: int, probe: Probe, said: str) -> None:
    with serving(status, b"hello") as stack:
        found = ask(probe, stack, patience=0)
    assert found.outcome is (Outcome.FAILED if said else Outcome.PASSED)
    assert said in found.detail


def test_a_port_that_opens_and_closes_at_once_is_no_service() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def shut() -> None:
            one, _ = listener.accept()
            one.close()

        thread = threading.Thread(target=shut)
        thread.start()
        found = ask(Probe("x", "db", 1), Stack("p", {"db": {1: (listener.getsockname()[1],)}}), patience=0)
        thread.join()
    assert found.outcome is Outcome.FAILED
    assert "closes it" in found.detail


def test_nobody_at_the_port() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        stack = Stack("p", {"db": {1: (free.getsockname()[1],)}})
        told: list[str] = []
        both = [Probe("tcp", "db", 1), Probe("http", "db", 1, "/")]
        checks = ask_all(both, Stack("p", {}), lambda check: told.append(check.name))
        assert told == ["tcp", "http"]
        assert {check.outcome for check in checks} == {Outcome.FAILED}
        for probe in both:
            assert ask(probe, stack, patience=0).outcome is Outcome.FAILED


def test_each_replica_has_to_answer() -> None:
    with serving(200, b"") as good, serving(500, b"") as bad:
        both = (good.ports["api"][80][0], bad.ports["api"][80][0])
        found = ask(Probe("x", "api", 80, "/"), Stack("p", {"api": {80: both}}), patience=0)
    assert found.outcome is Outcome.FAILED
    assert "it answers 500" in found.detail


def test_an_answer_that_never_ends_does() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            one, _ = listener.accept()
            with one, contextlib.suppress(OSError):
                one.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                while True:
                    one.sendall(b".")
                    time.sleep(0.05)

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        stack = Stack("p", {"api": {80: (listener.getsockname()[1],)}})
        found = ask(Probe("x", "api", 80, "/", contains="never"), stack, patience=0)
        thread.join(5)
    assert found.outcome is Outcome.FAILED

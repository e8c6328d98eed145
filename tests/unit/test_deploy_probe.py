"""What a probe counts, against a server that does as told."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from homeport.deploy import probe
from homeport.deploy.probe import Probe, Probed, Sample, check_url, summary, switched_at
from homeport.deploy.work import Event
from homeport.errors import UsageError


class Service(BaseHTTPRequestHandler):
    """Answers with the next status of ``plan``, then with 200: 0 is no answer, -1 a whole half of one."""

    plan: ClassVar[list[int]] = []
    seen: ClassVar[list[tuple[str, int]]] = []
    lock = threading.Lock()
    slow = 0.0

    def do_GET(self) -> None:
        with self.lock:
            status = self.plan.pop(0) if self.plan else 200
            self.seen.append((self.path, self.client_address[1]))
        time.sleep(self.slow)
        if status == 0:
            return
        self.send_response(200 if status < 0 else status)
        self.send_header("Content-Length", "4" if status < 0 else "2")
        self.send_header("Location", "/elsewhere")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def service(*plan: int, slow: float = 0.0) -> Iterator[str]:
    """A running service; gives its address."""
    Service.plan, Service.seen, Service.slow = list(plan), [], slow
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/health?key=secret"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def until(count: int) -> None:
    """Wait until the service has seen so many requests."""
    end = time.monotonic() + 10
    while len(Service.seen) < count and time.monotonic() < end:
        time.sleep(0.005)


def test_every_request_is_counted_as_the_server_answered_it() -> None:
    with service(200, 503, 404, 0, 302, 500, -1) as url:
        with Probe(url, rate=100) as running:
            until(12)
        seen = list(Service.seen)
    found = running.result
    assert len(found.sent) == len(found.samples) == len(seen) >= 12
    assert sorted(sample.status for sample in found.samples if sample.status != 200) == [
        0,
        0,
        302,
        404,
        500,
        503,
    ]
    assert len(found.failed) == 4
    assert found.errors == {
        "HTTP 503": 1, "HTTP 500": 1, "closed without an answer": 1, "the answer was cut short": 1
    }  # fmt: skip
    assert [sample.at for sample in found.samples] == sorted(sample.at for sample in found.samples)


def test_each_request_has_its_own_connection_and_follows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with service(301, 302) as url:
        with Probe(url, rate=100) as running:
            until(6)
        assert {path for path, _ in Service.seen} == {"/health?key=secret"}
        assert len({port for _, port in Service.seen}) == len(Service.seen)
    assert not running.result.failed


def test_a_query_is_sent_and_never_shown() -> None:
    with service() as url, Probe(url, rate=100) as running:
        until(1)
    assert running.result.url == url.replace("key=secret", "…")


def test_what_is_in_flight_at_the_end_is_waited_for() -> None:
    with service(slow=0.3) as url:
        with Probe(url, rate=50) as running:
            until(3)
        ended = len(Service.seen)
        found = running.result
        time.sleep(0.1)
        assert len(Service.seen) == ended == len(found.samples)
    assert not found.failed
    assert found.slowest >= 0.3


def test_where_nobody_listens_requests_fail_and_nothing_is_raised() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with Probe(f"http://127.0.0.1:{taken.getsockname()[1]}", rate=100) as running:
            time.sleep(0.1)
    found = running.result
    assert found.samples == found.failed
    assert list(found.errors.values()) == [len(found.samples)]


def test_requests_go_out_whether_or_not_others_are_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "MOST_IN_FLIGHT", 4)
    with service(slow=1.0) as url, Probe(url, rate=100) as running:
        time.sleep(0.25)
    found = running.result
    assert len(found.sent) == 4
    assert 10 <= len(found.samples) - 4 <= 26
    assert not found.failed  # what was never sent says nothing about the service


def test_what_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "TIMEOUT_SECONDS", 0.2)
    monkeypatch.setattr(probe, "_GRACE_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        with Probe(f"http://127.0.0.1:{silent.getsockname()[1]}", rate=20) as running:
            time.sleep(0.1)
        assert time.monotonic() - began < 2
    assert set(running.result.errors) == {"no answer in 10 s"}
    assert running.result.samples == running.result.failed


def test_it_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "MOST_SAMPLES", 3)
    with service() as url, Probe(url, rate=200) as running:
        time.sleep(0.2)
    assert len(running.result.samples) == 3
    assert summary(running.result).endswith("ended before the deploy did")


def test_samples_count_from_when_the_deploy_began() -> None:
    began = time.monotonic() - 100
    with service() as url, Probe(url, rate=100, began=began) as running:
        until(2)
    assert running.result.began == began
    assert all(100 <= sample.at < 115 for sample in running.result.samples)


def test_a_rate_is_more_than_nothing() -> None:
    with pytest.raises(ValueError, match="0 requests"):
        Probe("http://localhost", rate=0)


@pytest.mark.parametrize(
    "url", ["", "localhost:8080", "ftp://host/", "http://", "http://host:99999/", "http://a b/", "file:///x"]
)
def test_what_is_no_web_address_is_refused(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_url(url)
    assert "http://localhost:8080/health" in caught.value.hint


@pytest.mark.parametrize(
    "url",
    ["http://me:hunter2@host/", "http://hunter2@host", "https://me:hunter2@host:99999/", "x://hunter2@h"],
)
def test_a_password_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        Probe(url)
    assert "hunter2" not in str(caught.value.as_dict())


@pytest.mark.parametrize("url", ["http://localhost", "https://[::1]:8443/a@b?c=d@e", "http://host?mail=a@b"])
def test_web_addresses_are_fine(url: str) -> None:
    check_url(url)


def test_the_first_switch_of_any_service_counts() -> None:
    events = [Event(3.0, "b", "switch"), Event(2.0, "a", "front"), Event(1.0, "a", "passed")]
    assert switched_at(events) == 2.0
    assert switched_at(events[2:]) is None


def test_a_summary_says_what_matters() -> None:
    good = Sample(0.0, 0.25, 200)
    assert summary(Probed("u", 0, (good, good))) == "2 requests, none failed, the slowest answer took 0.2 s"
    bad = Sample(0.0, 9.0, 502)
    assert summary(Probed("u", 0, (bad,))) == "1 request, 1 failed"
    left = Sample(0.0, 0.0, 0, "not sent", sent=False)
    assert summary(Probed("u", 0, (good, left))).startswith("1 request, none failed, 1 could not be sent")

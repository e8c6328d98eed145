"""Where the engine listens, and what it answers there; every other answer means: ask the docker command."""

from __future__ import annotations

import hashlib
import http.server
import json
import socketserver
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from homeport.engine import api

if sys.platform == "win32":
    pytest.skip("Unix sockets", allow_module_level=True)
CONTEXT_META = Path("contexts") / "meta"


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The docker command's settings, none as yet."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.delenv("DOCKER_CONTEXT", raising=False)
    return tmp_path


def describe(folder: Path, name: str, document: object) -> None:
    place = folder / CONTEXT_META / hashlib.sha256(name.encode()).hexdigest()
    place.mkdir(parents=True)
    (place / "meta.json").write_text(json.dumps(document), encoding="utf-8")


def endpoint(host: str) -> dict[str, Any]:
    return {"Endpoints": {"docker": {"Host": host}}}


@pytest.mark.parametrize(
    ("environment", "current", "expected"),
    [
        ({}, None, "/var/run/docker.sock"),
        ({}, "", "/var/run/docker.sock"),
        ({}, "default", "/var/run/docker.sock"),
        ({}, "mine", "/run/mine.sock"),
        ({"DOCKER_CONTEXT": "mine"}, None, "/run/mine.sock"),
        ({"DOCKER_CONTEXT": "default"}, "mine", "/var/run/docker.sock"),
        ({"DOCKER_HOST": "unix:///run/host.sock"}, "mine", "/run/host.sock"),
        ({"DOCKER_HOST": "unix:///run/host.sock", "DOCKER_CONTEXT": "mine"}, None, "/run/host.sock"),
        ({"DOCKER_HOST": "tcp://127.0.0.1:2375"}, None, None),
        ({"DOCKER_HOST": "ssh://me@host"}, None, None),
        ({"DOCKER_HOST": "127.0.0.1:2375"}, None, None),
        ({}, "far", None),
        ({}, "unknown", None),
        ({"DOCKER_CONTEXT": "half"}, None, None),
        ({"DOCKER_CONTEXT": "../../etc"}, None, None),
    ],
)
def test_where_the_engine_listens(
    settings: Path,
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    current: str | None,
    expected: str | None,
) -> None:
    describe(settings, "mine", endpoint("unix:///run/mine.sock"))
    describe(settings, "far", endpoint("ssh://me@host"))
    describe(settings, "half", {"Endpoints": None})
    if current is not None:
        (settings / "config.json").write_text(json.dumps({"currentContext": current}), encoding="utf-8")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    if expected is None:
        with pytest.raises(api.NoDirectWay):
            api.socket_path()
    else:
        assert api.socket_path() == expected


BROKEN = [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"currentContext": null}']


@pytest.mark.parametrize("content", BROKEN)
def test_broken_settings_mean_none(settings: Path, content: bytes) -> None:
    (settings / "config.json").write_bytes(content)
    assert api.socket_path() == "/var/run/docker.sock"


def test_windows_has_named_pipes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(api.NoDirectWay):
        api.socket_path()


@pytest.mark.parametrize(
    ("reference", "path"),
    [
        ("x/app:1", "/images/x/app:1/json"),
        ("127.0.0.1:5000/a@sha256:1", "/images/127.0.0.1:5000/a@sha256:1/json"),
        ("a b?c#d%", "/images/a%20b%3Fc%23d%25/json"),
        ("ü\n", "/images/%C3%BC%0A/json"),
    ],
)
def test_paths_of_images(reference: str, path: str) -> None:
    assert api.image_path(reference) == path


# -- a server on a socket -----------------------------------------------------------------------------------

Answer = Callable[[http.server.BaseHTTPRequestHandler], None]


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 64
    connections = 0

    def get_request(self) -> tuple[Any, Any]:
        self.connections += 1
        return super().get_request()[0], ("local", 0)

    def handle_error(self, request: object, client_address: object) -> None: ...  # clients may go away


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Answer], Server]]:
    """Start an engine that answers every question in the same way."""
    servers: list[Server] = []
    # Not tmp_path: the path of a socket may be 107 bytes long.
    with tempfile.TemporaryDirectory(prefix="hp") as folder:

        def start(answer: Answer) -> Server:
            class Handler(http.server.BaseHTTPRequestHandler):
                protocol_version = "HTTP/1.1"
                do_GET = do_POST = do_PUT = answer  # noqa: N815 - http.server's words

                def log_message(self, *_: object) -> None: ...

            server = Server(f"{folder}/s", Handler)
            servers.append(server)
            monkeypatch.setenv("DOCKER_HOST", f"unix://{folder}/s")
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
            return server

        yield start
        for server in servers:
            server.shutdown()
            server.server_close()


def send(to: http.server.BaseHTTPRequestHandler, status: int, body: bytes) -> None:
    to.send_response(status)
    to.send_header("Content-Length", str(len(body)))
    to.end_headers()
    to.wfile.write(body)


def echo(to: http.server.BaseHTTPRequestHandler) -> None:
    send(to, 404 if to.path.endswith("7") else 200, json.dumps({"path": to.path}).encode())


@pytest.mark.parametrize("count", [0, 1, 2, 7, 8, 9, 100])
def test_answers_come_in_the_order_of_the_questions(serve: Callable[[Answer], Server], count: int) -> None:
    server = serve(echo)
    paths = [f"/x/{number}" for number in range(count)]
    found = api.get_all(iter(paths))
    assert found == [(404 if path.endswith("7") else 200, {"path": path}) for path in paths]
    assert server.connections == min(count, 32)  # kept open for all that are asked one after the other


def lines(to: http.server.BaseHTTPRequestHandler) -> None:
    send(to, 200 if "good" in to.path else 400, {"/good": b'{"a": 1}\n{"a": 2}\n'}.get(to.path, b""))


def test_documents_line_by_line(serve: Callable[[Answer], Server]) -> None:
    serve(lines)
    assert api.get_lines("/good") == [{"a": 1}, {"a": 2}]
    assert api.get_lines("/good/none") == []
    assert api.get_lines("/bad") == []


def closing(to: http.server.BaseHTTPRequestHandler) -> None:
    to.send_response(200)
    to.send_header("Connection", "close")
    to.end_headers()
    to.wfile.write(b'{"a": 1}')
    to.close_connection = True


def test_a_connection_that_is_closed_after_each_answer(serve: Callable[[Answer], Server]) -> None:
    serve(closing)
    assert api.get_all(["/a"] * 20) == [(200, {"a": 1})] * 20


def cut(to: http.server.BaseHTTPRequestHandler) -> None:
    to.send_response(200)
    to.send_header("Content-Length", "99")
    to.end_headers()
    to.wfile.write(b"{}")
    to.close_connection = True


def silent(to: http.server.BaseHTTPRequestHandler) -> None:
    to.close_connection = True


def no_http(to: http.server.BaseHTTPRequestHandler) -> None:
    to.wfile.write(b"220 mail.example.org ESMTP\r\n\r\n")
    to.close_connection = True


@pytest.mark.parametrize(
    "answer",
    [
        cut,
        silent,
        no_http,
        lambda to: send(to, 200, b"no json"),
        lambda to: send(to, 200, b""),
        lambda to: send(to, 200, b"\xff"),
        lambda to: send(to, 200, b"[" * 100_000),
        lambda to: send(to, 502, b"<html>"),
    ],
)
def test_what_is_no_engine(serve: Callable[[Answer], Server], answer: Answer) -> None:
    serve(answer)
    with pytest.raises(api.NoDirectWay):
        api.get_all(["/a", "/b"])


def test_an_engine_that_says_nothing_costs_one_time_limit(
    serve: Callable[[Answer], Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    over = threading.Event()

    def wait(to: http.server.BaseHTTPRequestHandler) -> None:
        over.wait(10)

    serve(wait)
    monkeypatch.setattr(api, "TIMEOUT_SECONDS", 0.05)
    with pytest.raises(api.NoDirectWay):
        api.get_all(["/a"])
    over.set()


@pytest.mark.parametrize("make", [lambda path: None, Path.touch, Path.mkdir])
def test_nobody_listens(
    tmp_path: Path, make: Callable[[Path], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "s")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/s")
    with pytest.raises(api.NoDirectWay):
        api.get_all(["/a"])
    assert api.get_all([]) == []


def frame(kind: int, content: bytes) -> bytes:
    return bytes([kind, 0, 0, 0]) + len(content).to_bytes(4, "big") + content


def test_a_program_in_a_container(serve: Callable[[Answer], Server]) -> None:
    asked: list[tuple[str, Any]] = []

    def answer(to: http.server.BaseHTTPRequestHandler) -> None:
        length = int(to.headers.get("Content-Length") or 0)
        asked.append((to.path, json.loads(to.rfile.read(length)) if length else None))
        if to.path == "/containers/c/exec":
            body, kind = b'{"Id": "e1"}', "application/json"
        elif to.path == "/exec/e1/start":
            body = frame(1, b"out ") + frame(2, b"err") + frame(1, b"more") + b"\1\0"
            kind = "application/vnd.docker.raw-stream"
        else:
            body, kind = b'{"ExitCode": 3}', "application/json"
        to.send_response(201 if to.path.endswith("/exec") else 200)
        to.send_header("Content-Type", kind)
        if "json" in kind:
            to.send_header("Content-Length", str(len(body)))
        else:
            to.close_connection = True  # as the engine does: the end of the program ends the connection
        to.end_headers()
        to.wfile.write(body)

    serve(answer)
    assert api.execute("c", ["echo", "x"], 5.0) == (3, b"out more", b"err")
    assert asked[0] == (
        "/containers/c/exec",
        {"AttachStdout": True, "AttachStderr": True, "Cmd": ["echo", "x"]},
    )
    assert [path for path, _ in asked] == ["/containers/c/exec", "/exec/e1/start", "/exec/e1/json"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"null", b'{"Id": 5', b"\xff"])
def test_whatever_is_no_answer_to_a_program_is_for_the_command(
    serve: Callable[[Answer], Server], body: bytes
) -> None:
    serve(lambda to: send(to, 200, body))
    with pytest.raises(api.NoDirectWay):
        api.execute("c", ["true"], 5.0)


def test_a_container_that_is_gone_runs_no_program(serve: Callable[[Answer], Server]) -> None:
    serve(lambda to: send(to, 404, b'{"message": "No such container"}'))
    with pytest.raises(api.NoDirectWay):
        api.execute("c", ["true"], 5.0)


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (204, b"", ""),
        (304, b"", ""),
        (200, b"anything", ""),
        (409, b'{"message": "port is already allocated"}', "port is already allocated"),
        (500, b"{}", ""),
    ],
)
def test_what_the_engine_says_of_something_to_be_done(
    serve: Callable[[Answer], Server], status: int, body: bytes, said: str
) -> None:
    serve(lambda to: send(to, status, body))
    assert api.send("POST", "/containers/c/start") == (status, said)


def test_no_answer_to_something_to_be_done_is_no_success(serve: Callable[[Answer], Server]) -> None:
    serve(lambda to: send(to, 500, b"<html>"))
    status, said = api.send("POST", "/x")
    assert status == 599
    assert "gave no answer" in said


def test_where_nobody_listens_nothing_was_sent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none")
    with pytest.raises(api.NoDirectWay):
        api.send("POST", "/x")

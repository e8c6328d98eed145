"""Asking a registry, against real HTTP servers on this machine."""

from __future__ import annotations

import base64
import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from homeport.engine.registry import ask, has_credentials


@contextmanager
def server(status: int) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002 - its own word

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as found:
        threading.Thread(target=found.serve_forever, daemon=True).start()
        try:
            yield f"127.0.0.1:{found.server_address[1]}"
        finally:
            found.shutdown()


@pytest.mark.parametrize(("status", "state"), [(200, "ok"), (404, "down"), (503, "down"), (401, "login")])
def test_answers(status: int, state: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with server(status) as address:
        assert ask(f"{address}/team").state == state


def test_a_stored_login_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with server(401) as address:
        auth = base64.b64encode(b"me:secret").decode()
        (tmp_path / "config.json").write_text(
            json.dumps({"auths": {address: {"auth": auth}}}), encoding="utf-8"
        )
        assert ask(address).state == "ok"


def test_nobody_there() -> None:
    answer = ask("127.0.0.1:9", timeout=1)
    assert answer.state == "down"
    assert answer.detail


@pytest.mark.parametrize("text", ["", "[]", "null", "{broken", '{"auths": null}'])
def test_a_docker_configuration_that_says_nothing(
    text: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    (tmp_path / "config.json").write_text(text, encoding="utf-8")
    assert not has_credentials("r.io")


def test_docker_hub_and_helpers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    config = tmp_path / "config.json"
    config.write_text('{"auths": {"https://index.docker.io/v1/": {}}}', encoding="utf-8")
    assert has_credentials("registry-1.docker.io")
    config.write_text('{"credHelpers": {"ghcr.io": "x"}}', encoding="utf-8")
    assert has_credentials("ghcr.io")
    assert not has_credentials("r.io")

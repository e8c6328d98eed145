"""A registry in a thread of the tests: holds what a test puts in, asks for logins, and lies when told to."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.server
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

OCI = "application/vnd.oci.image"
IMAGE, INDEX = f"{OCI}.manifest.v1+json", f"{OCI}.index.v1+json"
USER, SECRET = "me", "hidden-word"  # nothing but the tests knows it
BASIC = f"Basic {base64.b64encode(f'{USER}:{SECRET}'.encode()).decode()}"

# For 127.0.0.1, from 2020 to 2120; the marker is in two parts, so that nobody takes it for a lost key.
CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBrDCCAVKgAwIBAgIBATAKBggqhkjOPQQDAjAYMRYwFAYDVQQDDA1ob21lcG9y
dCB0ZXN0MCAXDTIwMDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAwMDAwWjAYMRYwFAYD
VQQDDA1ob21lcG9ydCB0ZXN0MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE2Zri
/S84CawdYB66usoJGV6+2wzvMlj65p8DYuMJdupdKe4mlTEKo2Rh+jortefs1sol
mXSkP5vHxFzY0Z9yEKOBijCBhzAPBgNVHRMBAf8EBTADAQH/MA4GA1UdDwEB/wQE
AwIChDATBgNVHSUEDDAKBggrBgEFBQcDATAdBgNVHQ4EFgQUvZcV07Br+BRhRisX
c3WnAocJLcAwHwYDVR0jBBgwFoAUvZcV07Br+BRhRisXc3WnAocJLcAwDwYDVR0R
BAgwBocEfwAAATAKBggqhkjOPQQDAgNIADBFAiEAq6PzdjPN5VurCJ122JNRiLmf
6Pe9ct22dS8RUuRzB6ICIH7xAwJzqYFewBGm2L/spiIgq6+KDlxO3PBDzecnhPW7
-----END CERTIFICATE-----
"""
KEY = f"""\
{"-----BEGIN"} PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgzykv69/n9me6lPmu
mqzOqV19Wu+z6hBqW1QwzZh7mZ6hRANCAATZmuL9LzgJrB1gHrq6ygkZXr7bDO8y
WPrmnwNi4wl26l0p7iaVMQqjZGH6Oiu15+zWyiWZdKQ/m8fEXNjRn3IQ
-----END PRIVATE KEY-----
"""

Lie = Callable[["Handler"], None]


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@dataclass
class FakeRegistry:
    """``lies`` replace the answer to "METHOD /path"; ``auth`` is "", "basic" or "bearer"."""

    address: str = ""
    auth: str = ""
    realm: str = ""
    expires_in: object = 300
    ranges: bool = True
    content: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    lies: dict[str, Lie] = field(default_factory=dict)
    seen: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    forms: list[dict[str, list[str]]] = field(default_factory=list)
    tokens: int = 0
    valid: set[str] = field(default_factory=set)

    def add(self, path: str, content: bytes, media_type: str = "application/octet-stream") -> dict[str, Any]:
        """Hold a thing under ``/v2/a/b/...``; returns its descriptor."""
        self.content[f"/v2/a/b/{path}"] = (media_type, content)
        return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}

    def blob(self, content: bytes, media_type: str = f"{OCI}.layer.v1.tar") -> dict[str, Any]:
        return {**self.add(f"blobs/{digest_of(content)}", content), "mediaType": media_type}

    def manifest(self, document: dict[str, Any], *tags: str) -> dict[str, Any]:
        content = json.dumps(document).encode()
        found: dict[str, Any] = {}
        for name in (digest_of(content), *tags):
            found = self.add(f"manifests/{name}", content, document["mediaType"])
        return found

    def image(self, *tags: str, architecture: str = "amd64", **more: Any) -> dict[str, Any]:
        """An image with a configuration and two layers."""
        config = json.dumps({"os": "linux", "architecture": architecture, **more}).encode()
        layers = [self.blob(b"one"), self.blob(f"two for {architecture}".encode())]
        document = {
            "schemaVersion": 2,
            "mediaType": IMAGE,
            "config": self.blob(config, f"{OCI}.config.v1+json"),
            "layers": layers,
        }
        return self.manifest(document, *tags)

    def index(self, *tags: str) -> dict[str, Any]:
        """Two platforms and an attestation, as buildx makes it."""
        parts = [
            self.image() | {"platform": {"os": "linux", "architecture": "amd64"}},
            self.image(architecture="arm64", variant="v8")
            | {"platform": {"os": "linux", "architecture": "arm64", "variant": "v8"}},
            self.image(architecture="unknown") | {"platform": {"os": "unknown", "architecture": "unknown"}},
        ]
        return self.manifest({"schemaVersion": 2, "mediaType": INDEX, "manifests": parts}, *tags)

    def asked(self, method: str = "") -> list[str]:
        """The paths that were asked for, in order."""
        return [path for found, path, _ in self.seen if method in {"", found}]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 10
    registry: FakeRegistry

    def answer(self, status: int, body: bytes = b"", **headers: object) -> None:
        self.send_response(status)
        for name, value in {"Content_Length": len(body), **headers}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def serve(self) -> None:
        registry = self.registry
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        registry.seen.append((self.command, self.path, dict(self.headers.items())))
        lie = registry.lies.get(f"{self.command} {self.path}")
        if lie is not None:
            return lie(self)
        if self.path.startswith("/token"):
            return self.token(body)
        if not self.allowed():
            return None
        if self.path == "/v2/":
            return self.answer(200)
        if self.command == "PUT":
            registry.content[self.path] = (self.headers["Content-Type"], body)
            return self.answer(201, Docker_Content_Digest=digest_of(body))
        if self.path not in registry.content:
            return self.answer(404, b'{"errors": [{"code": "MANIFEST_UNKNOWN", "message": "hidden-word"}]}')
        kind, content = registry.content[self.path]
        if self.headers.get("Range") and registry.ranges:
            first, last = map(int, self.headers["Range"].removeprefix("bytes=").split("-"))
            part = content[first : last + 1]
            return self.answer(206, part, Content_Range=f"bytes {first}-{last}/{len(content)}")
        return self.answer(200, content, Content_Type=kind, Docker_Content_Digest=digest_of(content))

    do_GET = do_HEAD = do_PUT = do_POST = serve  # noqa: N815 - http.server's words

    def allowed(self) -> bool:
        """Whether the request brought what this registry asks for; if not, it has been answered."""
        registry, sent = self.registry, self.headers.get("Authorization", "")
        if not registry.auth or (sent == BASIC and registry.auth == "basic") or sent in registry.valid:
            return True
        realm = registry.realm or f"http://{registry.address}/token"
        scope = ""
        if self.path != "/v2/":
            action = "pull,push" if self.command == "PUT" else "pull"
            scope = f',scope="repository:{"/".join(self.path.split("/")[2:-2])}:{action}"'
        asks = {"basic": 'Basic realm="x"', "bearer": f'Bearer realm="{realm}",service="here"{scope}'}
        self.answer(401, b'{"errors": []}', WWW_Authenticate=asks[registry.auth])
        return False

    def token(self, body: bytes) -> None:
        registry = self.registry
        asked = parse_qs(body.decode() or urlsplit(self.path).query)
        registry.forms.append(asked)
        if self.headers.get("Authorization") != BASIC and asked.get("refresh_token") != [SECRET]:
            return self.answer(401, b'{"details": "hidden-word"}')
        registry.tokens += 1
        token = f"token-{registry.tokens}"
        registry.valid.add(f"Bearer {token}")
        return self.answer(200, json.dumps({"token": token, "expires_in": registry.expires_in}).encode())

    def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002 - its own word


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None: ...  # clients may go away


@contextlib.contextmanager
def fake_registry(tls: Path | None = None) -> Iterator[FakeRegistry]:
    """A running registry; with TLS if there is a folder for the certificate."""
    registry = FakeRegistry()
    handler = type("Bound", (Handler,), {"registry": registry})
    with Server(("127.0.0.1", 0), handler) as server:
        if tls is not None:
            (tls / "key.pem").write_text(KEY + CERTIFICATE, encoding="ascii")
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls / "key.pem")
            server.socket = context.wrap_socket(server.socket, server_side=True)
        registry.address = f"127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        try:
            yield registry
        finally:
            server.shutdown()


# -- lies ---------------------------------------------------------------------------------------------------


def truncated(to: Handler) -> None:
    to.answer(200, b'{"mediaType": "x"', Content_Length=99)
    to.close_connection = True


def chunks_cut(to: Handler) -> None:
    to.send_response(200)
    to.send_header("Transfer-Encoding", "chunked")
    to.end_headers()
    to.wfile.write(b"ff\r\n{")
    to.close_connection = True


def endless(to: Handler) -> None:
    to.send_response(200)
    to.end_headers()
    while True:  # until the client hangs up
        to.wfile.write(b" " * 65536)


def drip(to: Handler) -> None:
    to.send_response(200)
    to.end_headers()
    while True:
        to.wfile.write(b" ")
        time.sleep(0.1)


def no_http(to: Handler) -> None:
    to.wfile.write(b"220 mail.example.org ESMTP\r\n\r\n")
    to.close_connection = True


def header(name: str, value: str) -> Lie:
    return lambda to: to.answer(200, b"{}", **{name: value})


def status(status: int) -> Lie:
    return lambda to: to.answer(status, Location="/x")


def body(body: bytes, status: int = 200) -> Lie:
    return lambda to: to.answer(status, body)

"""Ask the engine directly, where it listens on a socket of this machine.

The docker command costs 20 to 100 ms a call and asks for one image after the other. Where the engine is
reached by a Unix socket, its API answers many questions at the same time. Everywhere else callers use the
command.

API: https://docs.docker.com/reference/api/engine/. Where the engine listens: DOCKER_HOST, DOCKER_CONTEXT or
the current context, by https://docs.docker.com/engine/manage-resources/contexts/.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import socket
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

TIMEOUT_SECONDS = 30.0
_AT_ONCE = 32
_DEFAULT_SOCKET = "/var/run/docker.sock"


class NoDirectWay(Exception):
    """The engine can't be asked directly here: ask the docker command."""


def socket_path() -> str:
    """The engine's Unix socket. Raises NoDirectWay where it is reached otherwise (ssh, tcp, a named pipe)."""
    if sys.platform == "win32":
        raise NoDirectWay
    host = os.environ.get("DOCKER_HOST") or _context_host()
    if not host.startswith("unix://"):
        raise NoDirectWay
    return host.removeprefix("unix://")


def get_all(paths: Iterable[str]) -> list[tuple[int, Any]]:
    """For each path the HTTP status and the JSON document, in the same order, several at the same time.

    Raises NoDirectWay if the engine doesn't answer like one.
    """
    where, wanted = socket_path(), list(paths)
    if not wanted:
        return []
    chunks = [wanted[start::_AT_ONCE] for start in range(min(_AT_ONCE, len(wanted)))]
    with ThreadPoolExecutor(len(chunks)) as pool:
        answers = [iter(found) for found in pool.map(lambda chunk: _get(where, chunk), chunks)]
    return [next(answers[position % len(chunks)]) for position in range(len(wanted))]


def get_lines(path: str) -> list[Any]:
    """The JSON documents, one a line, that the engine answers with; none if it answers with an error.

    Raises NoDirectWay if the engine doesn't answer like one.
    """
    connection = _UnixConnection(socket_path())
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        content = answer.read()
        return [json.loads(line) for line in content.splitlines()] if answer.status == 200 else []
    except (OSError, http.client.HTTPException, ValueError, RecursionError) as error:
        raise NoDirectWay from error
    finally:
        connection.close()


def get_file(container: str, path: str) -> bytes:
    """A tar file with one file of a container, empty if it isn't there.

    Raises NoDirectWay if the engine doesn't answer like one.
    """
    connection = _UnixConnection(socket_path())
    try:
        connection.request("GET", f"/containers/{container}/archive?path={quote(path)}")
        answer = connection.getresponse()
        content = answer.read()
        return content if answer.status == 200 else b""
    except (OSError, http.client.HTTPException) as error:
        raise NoDirectWay from error
    finally:
        connection.close()


def send(method: str, path: str, body: bytes = b"", kind: str = "application/json") -> tuple[int, str]:
    """Ask the engine to do something: the HTTP status, and what it says of a failure.

    Raises NoDirectWay if nothing was sent: whether the engine has done it is never in doubt then.
    """
    connection = _UnixConnection(socket_path())
    sent = False
    try:
        connection.connect()
        sent = True
        connection.request(method, path, body, {"Content-Type": kind})
        answer = connection.getresponse()
        content = answer.read()
        said = json.loads(content).get("message", "") if answer.status >= 400 else ""
        return answer.status, str(said)
    except (OSError, http.client.HTTPException, ValueError, AttributeError) as error:
        if not sent:
            raise NoDirectWay from error
        return 599, f"The engine gave no answer: {error}"
    finally:
        connection.close()


def execute(container: str, argv: Sequence[str], timeout: float) -> tuple[int, bytes, bytes]:
    """Run a program in a container, without input: its exit code, and what it wrote to its two outputs.

    ``timeout`` is in seconds. Raises NoDirectWay if the engine doesn't answer like one, or not in time.
    """
    connection = _UnixConnection(socket_path(), timeout)
    try:
        asked = {"AttachStdout": True, "AttachStderr": True, "Cmd": list(argv)}
        identity = str(_post(connection, f"/containers/{container}/exec", asked)["Id"])
        out, err = _streams(_post(connection, f"/exec/{identity}/start", {"Detach": False, "Tty": False}))
        connection.close()  # it ended with the program
        connection.request("GET", f"/exec/{identity}/json")
        return int(json.loads(connection.getresponse().read())["ExitCode"]), out, err
    except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError) as error:
        raise NoDirectWay from error
    finally:
        connection.close()


def _post(connection: http.client.HTTPConnection, path: str, document: dict[str, Any]) -> Any:
    connection.request("POST", path, json.dumps(document), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    content = answer.read()
    if answer.status not in {200, 201}:
        raise NoDirectWay
    kind = answer.headers.get_content_type()
    return json.loads(content) if kind == "application/json" else content


def _streams(content: bytes) -> tuple[bytes, bytes]:
    """The two outputs in one stream (https://docs.docker.com/reference/api/engine/, attach)."""
    found = {1: bytearray(), 2: bytearray()}
    while len(content) >= 8:
        kind, size = content[0], int.from_bytes(content[4:8], "big")
        found.setdefault(kind, bytearray()).extend(content[8 : 8 + size])
        content = content[8 + size :]
    return bytes(found[1]), bytes(found[2])


def image_path(reference: str, what: str = "json") -> str:
    """The path of what there is to know of one image: "json" describes it, "history" tells its layers."""
    return f"/images/{quote(reference, safe='/:@')}/{what}"


def _get(where: str, paths: list[str]) -> list[tuple[int, Any]]:
    connection = _UnixConnection(where)
    try:
        found = []
        for path in paths:
            connection.request("GET", path)
            answer = connection.getresponse()
            found.append((answer.status, json.loads(answer.read())))
        return found
    except (OSError, http.client.HTTPException, ValueError, RecursionError) as error:
        raise NoDirectWay from error
    finally:
        connection.close()


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float = 0.0) -> None:
        super().__init__("localhost", timeout=timeout or TIMEOUT_SECONDS)
        self._path = path

    def connect(self) -> None:
        if sys.platform == "win32":
            raise NoDirectWay
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def config_folder() -> Path:
    """Where the docker command keeps its settings."""
    return Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")


def config() -> dict[str, Any]:
    """The docker command's settings; empty where there are none that can be read."""
    return _read(config_folder() / "config.json")


def context() -> str:
    """The name of the docker context that is in use."""
    if os.environ.get("DOCKER_HOST"):
        return "default"
    return str(os.environ.get("DOCKER_CONTEXT") or config().get("currentContext") or "default")


def _context_host() -> str:
    name = context()
    if name == "default":
        return f"unix://{_DEFAULT_SOCKET}"
    mark = hashlib.sha256(name.encode("utf-8")).hexdigest()
    endpoints: Any = _read(config_folder() / "contexts" / "meta" / mark / "meta.json").get("Endpoints")
    try:
        return str(endpoints["docker"]["Host"])
    except (TypeError, KeyError):
        raise NoDirectWay from None


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}

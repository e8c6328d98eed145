"""Ask a registry whether it is there, by the OCI distribution API's base endpoint.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#determining-support
"""

from __future__ import annotations

import http.client
import json
import os
import ssl
from dataclasses import dataclass
from pathlib import Path

from homeport.model.reference import registry_host

TIMEOUT_SECONDS = 3.0


@dataclass(frozen=True)
class Answer:
    """How a registry answered: ``ok``, ``login`` (it wants credentials and none are stored) or ``down``."""

    state: str
    detail: str = ""


def ask(reference: str, timeout: float = TIMEOUT_SECONDS) -> Answer:
    """Ask the registry that holds ``reference`` (``host:port/path``). Never raises for its answers."""
    host = registry_host(reference)
    attempts = [False, True] if _is_loopback(host) else [True]
    detail = ""
    for secure in attempts:
        try:
            status = _status(host, secure=secure, timeout=timeout)
        except (OSError, http.client.HTTPException) as error:
            detail = f"{type(error).__name__}: {error}" if not str(error) else str(error)
            continue
        if status == http.HTTPStatus.UNAUTHORIZED:
            return Answer("ok") if has_credentials(host) else Answer("login", "it answers 401 Unauthorized")
        if status < http.HTTPStatus.BAD_REQUEST:
            return Answer("ok")
        detail = f"it answers HTTP {status}"
    return Answer("down", detail)


def has_credentials(host: str) -> bool:
    """Whether the docker command line has a login for ``host`` (or a helper that may have one)."""
    folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    if not isinstance(config, dict):
        return False
    names = {host, f"https://{host}", f"https://{host}/v1/"}
    if host == "registry-1.docker.io":
        names.add("https://index.docker.io/v1/")
    stored = {*(config.get("auths") or {}), *(config.get("credHelpers") or {})}
    return bool(config.get("credsStore")) or bool(names & stored)


def _status(host: str, *, secure: bool, timeout: float) -> int:
    connection: http.client.HTTPConnection
    if secure:
        connection = http.client.HTTPSConnection(host, timeout=timeout, context=ssl.create_default_context())
    else:
        connection = http.client.HTTPConnection(host, timeout=timeout)
    try:
        connection.request("GET", "/v2/", headers={"User-Agent": "homeport"})
        return connection.getresponse().status
    finally:
        connection.close()


def _is_loopback(host: str) -> bool:
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    return name.startswith("127.") or name in {"localhost", "[::1]"}

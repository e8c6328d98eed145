"""Ask a registry whether it is there, by the OCI distribution API's base endpoint.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#determining-support
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from homeport.engine.credentials import has_credentials
from homeport.model.reference import registry_host

__all__ = ["Answer", "ask", "has_credentials", "is_loopback"]

TIMEOUT_SECONDS = 3.0
_LOOPBACK = re.compile(r"127(?:\.\d{1,3}){3}|localhost|\[::1\]")


@dataclass(frozen=True)
class Answer:
    """How a registry answered: ``ok``, ``login`` (it wants credentials and none are stored) or ``down``."""

    state: str
    detail: str = ""


def ask(reference: str, timeout: float = TIMEOUT_SECONDS) -> Answer:
    """Ask the registry that holds ``reference`` (``host:port/path``). Never raises for its answers."""
    import http.client
    import ssl

    host = registry_host(reference)
    attempts = ["http", "https"] if is_loopback(host) else ["https"]
    detail = ""
    for scheme in attempts:
        try:
            status = _status(f"{scheme}://{host}/v2/", timeout)
        except ssl.SSLError as error:
            # It speaks TLS that only the engine trusts, or none at all: the engine's configuration decides.
            return Answer("ok", str(error))
        except (OSError, http.client.HTTPException) as error:
            detail = str(error) or type(error).__name__
            continue
        if status == http.HTTPStatus.UNAUTHORIZED:
            return Answer("ok") if has_credentials(host) else Answer("login", "it answers 401 Unauthorized")
        if status < http.HTTPStatus.BAD_REQUEST:
            return Answer("ok")
        return Answer("down", f"it answers HTTP {status}")
    return Answer("down", detail)


def _status(url: str, timeout: float) -> int:
    """The HTTP status of a GET; proxies are taken from the environment, as everywhere."""
    import urllib.error
    import urllib.request

    request = urllib.request.Request(url, headers={"User-Agent": "homeport"})  # noqa: S310 - scheme is ours
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except urllib.error.URLError as error:
        # urllib wraps what went wrong; the caller wants the reason itself.
        raise error.reason if isinstance(error.reason, OSError) else OSError(str(error.reason)) from error


def is_loopback(host: str) -> bool:
    """Whether ``host`` (``name:port``) is this machine: then HTTP without TLS is good enough.

    A name that only begins with ``127.`` may belong to anybody.
    """
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    return bool(_LOOPBACK.fullmatch(name.lower()))

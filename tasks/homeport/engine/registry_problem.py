"""Why a registry gave no usable answer: one type for all of it, in words that give no secret away."""

from __future__ import annotations

import json
from typing import Any, Literal

Kind = Literal["absent", "login", "down", "refused", "broken"]


class RegistryProblem(Exception):
    """Why a registry gave no usable answer.

    ``kind``: ``absent`` (it says there is no such thing), ``login`` (it wants one and none is stored),
    ``refused`` (it says no, whatever login there is), ``down`` (it doesn't answer, or not now, so that
    nothing is known), ``broken`` (what it answers can't be trusted). ``detail`` is for people and holds no
    secret: no URL, because those of storage are signed, and no word of the registry's but its error codes.
    """

    def __init__(self, kind: Kind, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind: Kind = kind
        self.detail = detail


def parsed(content: bytes, what: str) -> dict[str, Any]:
    """A JSON object; anything else is a RegistryProblem."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        raise RegistryProblem("broken", f"{what} is no JSON") from None
    if not isinstance(document, dict):
        raise RegistryProblem("broken", f"{what} is no JSON object")
    return document


def too_long() -> RegistryProblem:
    """The problem of a question whose time is up."""
    return RegistryProblem("down", "it takes too long")


def below_http(error: Exception) -> RegistryProblem:
    """What went wrong below HTTP, in words of our own: urllib3's repeat the URL."""
    import ssl

    from urllib3 import exceptions

    if isinstance(error, exceptions.ProxyError | exceptions.ProxySchemeUnknown):
        return RegistryProblem("down", "the proxy named by the environment can't be used")
    causes: list[BaseException] = [error, *(part for part in error.args if isinstance(part, Exception))]
    for cause in causes:
        if isinstance(cause, ssl.SSLError | exceptions.SSLError):
            inner = cause.args[0] if cause.args and isinstance(cause.args[0], ssl.SSLError) else cause
            words = getattr(inner, "verify_message", "") or getattr(inner, "reason", "") or "no handshake"
            return RegistryProblem("broken", f"TLS fails: {words}")
    if isinstance(error, exceptions.NameResolutionError):
        return RegistryProblem("down", "its name can't be resolved")
    if isinstance(error, exceptions.NewConnectionError):
        return RegistryProblem("down", "it can't be reached")
    if isinstance(error, exceptions.TimeoutError | exceptions.EmptyPoolError):
        return RegistryProblem("down", "it doesn't answer in time")
    if isinstance(error, exceptions.IncompleteRead) or any(
        isinstance(cause, exceptions.IncompleteRead) for cause in causes
    ):
        return RegistryProblem("broken", "its answer ends too early")
    if any(isinstance(cause, OSError) for cause in causes):
        return RegistryProblem("down", "it breaks the connection off")
    return RegistryProblem("broken", f"its answer is no HTTP ({type(error).__name__})")

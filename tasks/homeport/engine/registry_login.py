"""Answer a registry that asks for a login: Basic, or a bearer token from its token server.

Rules: https://distribution.github.io/distribution/spec/auth/token/ (GET with name and password, or none),
https://distribution.github.io/distribution/spec/auth/oauth/ (POST with an identity token), and RFC 7235.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import urlencode

from homeport.engine import credentials
from homeport.engine.credentials import Credentials
from homeport.engine.registry import is_loopback
from homeport.engine.registry_http import Reply, Transport, expect, origin_of
from homeport.engine.registry_problem import RegistryProblem, parsed

_PART = re.compile(r'([A-Za-z][\w-]*)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))|([A-Za-z][\w-]*)')
_TOKEN = re.compile(r"[\x21-\x7e]+")
_EXPIRES_DEFAULT = 60  # "if omitted, this defaults to 60 seconds"
_EXPIRES_MOST = 3600

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class SingleFlight(Generic[Key, Value]):
    """Threads that want the same thing at the same time wait for one of them to get it, or to fail."""

    def __init__(self) -> None:
        self._flying: dict[Key, Future[Value]] = {}
        self._lock = threading.Lock()

    def get(self, key: Key, make: Callable[[], Value]) -> Value:
        """What ``make`` returns or raises, in this thread or in the one that was first."""
        with self._lock:
            others = self._flying.get(key)
            mine: Future[Value] = others or Future()
            if others is None:
                self._flying[key] = mine
        if others is not None:
            return others.result()
        try:
            mine.set_result(make())
        except BaseException as error:
            mine.set_exception(error)
            raise
        finally:
            with self._lock:
                del self._flying[key]
        return mine.result()


@dataclass(frozen=True)
class Challenge:
    """What a registry asks for: ``scheme`` is ``bearer`` or ``basic``."""

    scheme: str
    realm: str = ""
    service: str = ""
    scope: str = ""


def challenge_in(header: str) -> Challenge | None:
    """What of ``WWW-Authenticate`` can be met: bearer before basic, None if there is neither."""
    found: dict[str, dict[str, str]] = {}
    current: dict[str, str] = {}
    for name, quoted, plain, scheme in _PART.findall(header):
        if scheme:
            current = found.setdefault(scheme.lower(), {})
        else:
            current[name.lower()] = re.sub(r"\\(.)", r"\1", quoted) or plain
    bearer = found.get("bearer", {})
    if bearer.get("realm"):
        return Challenge("bearer", bearer["realm"], bearer.get("service", ""), bearer.get("scope", ""))
    return Challenge("basic") if "basic" in found else None


class Logins:
    """What to send as ``Authorization``; safe for threads. Stored logins are looked up once for each host.

    A token is kept for its (host, repository, action) until it expires. When one answer of a host has shown
    its token server, the first question to its next repository already brings a token.
    """

    def __init__(self, transport: Transport, find: Callable[[str], Credentials | None] | None = None) -> None:
        self._transport = transport
        self._find = find or credentials.find
        self._challenges: dict[str, Challenge] = {}
        self._stored: dict[str, Credentials | None] = {}
        self._tokens: dict[tuple[str, str, str], tuple[str, float]] = {}
        self._lookups = SingleFlight[str, "Credentials | None"]()
        self._fetches = SingleFlight["tuple[str, str, str]", str]()

    def stored(self, host: str) -> Credentials | None:
        """The login for a host, if there is one."""

        def look() -> Credentials | None:
            if host not in self._stored:
                self._stored[host] = self._find(host)
            return self._stored[host]

        return self._stored[host] if host in self._stored else self._lookups.get(host, look)

    def header(self, host: str, repository: str, action: str, deadline: float) -> str:
        """The header for a request, or nothing if the host hasn't asked for a login yet.

        ``action`` is ``pull`` or ``pull,push``. Raises RegistryProblem if the token server gives no token.
        """
        challenge = self._challenges.get(host)
        if challenge is None:
            return ""
        if challenge.scheme == "basic":
            login = self.stored(host)
            return "" if login is None or login.is_token else login.basic()
        scope = f"repository:{repository}:{action}"
        return self._token((host, repository, action), challenge, scope, deadline)

    def learn(self, host: str, reply: Reply) -> Challenge | None:
        """Remember what a 401 asks for."""
        challenge = challenge_in(reply.headers.get("WWW-Authenticate") or "")
        if challenge is not None:
            self._challenges[host] = challenge
        return challenge

    def renewed(
        self, host: str, repository: str, action: str, reply: Reply, refused: str, deadline: float
    ) -> str:
        """The header after a 401 that came for ``refused``; empty if there is nothing better to send."""
        challenge = self.learn(host, reply)
        if challenge is None:
            return ""
        key = (host, repository, action)
        kept = self._tokens.get(key)
        if kept and kept[0] == refused:
            # Expired or withdrawn. If another thread has a new one already, that one is used.
            self._tokens.pop(key, None)
        if challenge.scheme == "bearer" and challenge.scope:
            return self._token(key, challenge, challenge.scope, deadline)
        header = self.header(host, repository, action, deadline)
        return "" if header == refused else header

    def _token(self, key: tuple[str, str, str], challenge: Challenge, scope: str, deadline: float) -> str:
        def make() -> str:
            kept = self._tokens.get(key)
            if kept and time.monotonic() < kept[1]:
                return kept[0]
            header, seconds = self._fetch(key[0], challenge, scope, deadline)
            # Some seconds early: the clock of the registry decides, and the request is still on its way.
            self._tokens[key] = (header, time.monotonic() + 0.8 * seconds)
            return header

        kept = self._tokens.get(key)
        if kept and time.monotonic() < kept[1]:
            return kept[0]
        return self._fetches.get(key, make)

    def _fetch(self, host: str, challenge: Challenge, scope: str, deadline: float) -> tuple[str, float]:
        login = self.stored(host)
        _check_realm(challenge.realm, host)
        asked = {"service": challenge.service, "scope": scope}
        if login is not None and login.is_token:
            form = {
                **asked,
                "grant_type": "refresh_token",
                "client_id": "homeport",
                "refresh_token": login.secret,
            }
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            body = urlencode(form).encode("ascii")
            reply = self._transport.request("POST", challenge.realm, headers, deadline, body=body)
        else:
            query = urlencode({name: value for name, value in asked.items() if value})
            url = f"{challenge.realm}{'&' if '?' in challenge.realm else '?'}{query}"
            headers = {"Authorization": login.basic()} if login else {}
            reply = self._transport.request("GET", url, headers, deadline)
        try:
            expect(reply, 200, login=login is not None)
        except RegistryProblem as problem:
            # That the token server is missing doesn't say that the image is.
            kind = "broken" if problem.kind == "absent" else problem.kind
            raise RegistryProblem(kind, f"its token server: {problem.detail}") from None
        return _token_in(reply)


def _token_in(reply: Reply) -> tuple[str, float]:
    document = parsed(reply.body, "what its token server answers")
    token = document.get("token") or document.get("access_token")
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise RegistryProblem("broken", "its token server gives no token")
    seconds = document.get("expires_in")
    if not isinstance(seconds, int | float) or not seconds > 0:
        seconds = _EXPIRES_DEFAULT
    return f"Bearer {token}", float(min(seconds, _EXPIRES_MOST))


def _check_realm(realm: str, host: str) -> None:
    """The realm is the registry's word, and gets the password: over TLS, or within this machine."""
    scheme, server = origin_of(realm)
    if scheme != "https" and not (is_loopback(server) and is_loopback(host)):
        raise RegistryProblem("broken", "its token server isn't reached by https")

"""HTTP to registries: one request, with its redirects, in bounded time, and every failure in one type.

urllib3 is imported only when a request is made: a build without a registry doesn't pay for it.
"""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urljoin, urlsplit

from homeport.engine.registry import is_loopback
from homeport.engine.registry_problem import RegistryProblem, below_http, too_long

if TYPE_CHECKING:
    import ssl

    import urllib3

CERTIFICATES = Path("/etc/docker/certs.d")  # posix: read nowhere else
"""Where docker looks for authorities of single registries: https://docs.docker.com/engine/security/certificates/"""
SMALL_BODY = 64 * 1024
_REDIRECTS_MOST = 5
_CONNECTIONS_MOST = 16
_CHUNK = 64 * 1024
_ERROR_CODE = re.compile(r"[A-Z][A-Z0-9_]{0,39}")


@dataclass(frozen=True)
class Limits:
    """Seconds: for a connection, for each wait, and for a whole question with all its requests."""

    connect: float = 2.0
    read: float = 5.0
    whole: float = 20.0

    def deadline(self) -> float:
        """When a question that starts now must have ended, by ``time.monotonic``."""
        return time.monotonic() + self.whole


@dataclass(frozen=True)
class Reply:
    """An answer. ``elsewhere``: it came after a redirect to another host, which must get no login."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    elsewhere: bool = False


class Transport:
    """Sends requests; safe for threads. Connections are kept, some for each host, until ``close``."""

    def __init__(self, limits: Limits, certificates: Path = CERTIFICATES) -> None:
        self.limits = limits
        self._certificates = certificates
        self._managers: dict[tuple[str, str], urllib3.PoolManager] = {}
        self._lock = threading.Lock()

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        deadline: float,
        *,
        body: bytes | None = None,
        most: int = SMALL_BODY,
        peek: bool = False,
    ) -> Reply:
        """Send a request and follow its redirects.

        An answer of more than ``most`` bytes, or one that ends too early, is a problem; with ``peek`` the
        body is what came of it.

        Only the first host gets the ``Authorization`` header: where a registry keeps its blobs is
        not where the login was made for, and storage refuses requests with two logins.
        Raises RegistryProblem for whatever isn't an HTTP answer.
        """
        home = origin_of(url)
        elsewhere = False
        for _ in range(_REDIRECTS_MOST + 1):
            sent = {
                name: value
                for name, value in headers.items()
                if value and not (elsewhere and name == "Authorization")
            }
            status, got, content = self._once(method, url, sent, body, most, peek, deadline)
            target = got.get("Location") if status in {301, 302, 303, 307, 308} else None
            if not target:
                return Reply(status, got, content, elsewhere)
            if method not in {"GET", "HEAD"}:
                raise RegistryProblem("broken", "it redirects what is meant for itself alone")
            url = _redirected(url, target)
            elsewhere = elsewhere or origin_of(url) != home
        raise RegistryProblem("broken", f"it redirects more than {_REDIRECTS_MOST} times")

    def close(self) -> None:
        """Close all idle connections."""
        with self._lock:
            managers = list(self._managers.values())
            self._managers.clear()
        for manager in managers:
            manager.clear()

    def _once(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        most: int,
        peek: bool,
        deadline: float,
    ) -> tuple[int, Mapping[str, str], bytes]:
        import urllib3

        # A registry may close a kept connection just as it is used again. What is sent here may be sent
        # twice, but for a POST: some token servers take a refresh token only once.
        attempts = 1 if method == "POST" else 2
        while True:
            attempts -= 1
            left = deadline - time.monotonic()
            if left <= 0:
                raise too_long()
            try:
                response = self._manager(url).request(
                    method,
                    url,
                    body=body,
                    headers={"User-Agent": "homeport", **headers},
                    preload_content=False,
                    decode_content=False,
                    redirect=False,
                    retries=False,
                    timeout=urllib3.Timeout(
                        connect=min(self.limits.connect, left), read=min(self.limits.read, left)
                    ),
                    pool_timeout=left,
                )
            except urllib3.exceptions.ProtocolError as error:
                if attempts:
                    continue
                raise below_http(error) from None
            except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
                raise below_http(error) from None
            return response.status, response.headers, _body(response, most, peek, deadline)

    def _manager(self, url: str) -> urllib3.PoolManager:
        """A pool for each scheme and host, because proxy and certificates are chosen by host."""
        import urllib3

        scheme, host = origin_of(url)
        with self._lock:
            manager = self._managers.get((scheme, host))
            if manager is None:
                options: dict[str, Any] = {"maxsize": _CONNECTIONS_MOST, "block": True}
                if scheme == "https":
                    options["ssl_context"] = tls_context(self._certificates, host)
                proxy = proxy_for(scheme, host)
                manager = urllib3.PoolManager(**options)
                if proxy:
                    manager = _through(proxy, options)
                self._managers[scheme, host] = manager
            return manager


def proxy_for(scheme: str, host: str) -> str:
    """The proxy that the environment (or the system, on Windows and macOS) names for a host, or nothing.

    Loopback never has one, as in Go's ``ProxyFromEnvironment``, by which docker goes.
    """
    import urllib.request

    if is_loopback(host) or urllib.request.proxy_bypass(host):
        return ""
    proxy = urllib.request.getproxies().get(scheme, "")
    return proxy if not proxy or "://" in proxy else f"http://{proxy}"


def tls_context(certificates: Path, host: str) -> ssl.SSLContext:
    """The system's trust, and what docker was told to trust for ``host``."""
    import ssl

    context = ssl.create_default_context()
    # Windows allows no colon in a file name, and docker keeps such files elsewhere there.
    if sys.platform != "win32" and not host.startswith("."):
        for file in sorted((certificates / host).glob("*.crt")):
            try:
                context.load_verify_locations(file)
            except OSError:
                raise RegistryProblem("broken", f"'{file}' can't be read as a certificate") from None
    return context


def expect(reply: Reply, *statuses: int, login: bool) -> None:
    """Raise the RegistryProblem that an unexpected status means; ``login`` says whether one was used.

    Codes: https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes
    """
    status = reply.status
    if status in statuses:
        return
    said = f"it answers HTTP {status}{_error_code(reply.body)}"
    if status in {401, 403}:
        raise RegistryProblem("refused" if login or reply.elsewhere else "login", said)
    if status == 404:
        raise RegistryProblem("absent", said)
    if status in {407, 408, 429} or status >= 500:
        raise RegistryProblem("down", said)
    raise RegistryProblem("refused" if 400 <= status < 500 else "broken", said)


def _body(response: urllib3.BaseHTTPResponse, most: int, peek: bool, deadline: float) -> bytes:
    import urllib3

    content = bytearray()
    complete = False
    try:
        # read1, because read waits for all it was asked for: a slow drip would never end.
        while chunk := response.read1(_CHUNK):
            content += chunk
            if len(content) > most and (peek or response.status >= 300):
                return bytes(content)  # long words about an error are cut off, too
            if len(content) > most:
                raise RegistryProblem("broken", f"its answer has more than {most} bytes")
            if time.monotonic() > deadline:
                raise too_long()
        complete = True
    except urllib3.exceptions.ProtocolError as error:
        if not peek:
            raise below_http(error) from None
    except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        raise below_http(error) from None
    finally:
        # Only a connection that was read to the end can be used again.
        if complete:
            response.release_conn()
        else:
            response.close()
            response.release_conn()
    return bytes(content)


def origin_of(url: str) -> tuple[str, str]:
    """Scheme and ``host:port`` (no port if it is the scheme's own) of a URL.

    By urllib3's parser and no other: what decides who gets a login must read a URL as what sends it does.
    """
    from urllib3.exceptions import LocationParseError
    from urllib3.util import parse_url

    try:
        parts = parse_url(url)
    except LocationParseError:
        parts = None
    if parts is None or parts.scheme not in {"http", "https"} or not parts.host:
        raise RegistryProblem("broken", "it sends us to what is no web address")
    own = {"http": 80, "https": 443}[parts.scheme]
    return parts.scheme, parts.host if parts.port in {None, own} else f"{parts.host}:{parts.port}"


def _redirected(url: str, target: str) -> str:
    try:
        new = urljoin(url, target)
    except ValueError:
        new = ""
    if origin_of(new)[0] != "https" and url.startswith("https:"):
        raise RegistryProblem("broken", "it redirects from https to http")
    return new


def _through(proxy: str, options: dict[str, Any]) -> urllib3.ProxyManager:
    import urllib3

    headers = None
    try:
        parts = urlsplit(proxy)
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            headers = dict(urllib3.make_headers(proxy_basic_auth=pair))
        return urllib3.ProxyManager(proxy, proxy_headers=headers, **options)
    except (urllib3.exceptions.HTTPError, ValueError):
        raise RegistryProblem("down", "the proxy named by the environment can't be used") from None


def _error_code(body: bytes) -> str:
    """`` (MANIFEST_UNKNOWN)``: codes are the only words of a registry that surely repeat no secret."""
    try:
        code = json.loads(body)["errors"][0]["code"]
    except (ValueError, RecursionError, LookupError, TypeError):
        return ""
    return f" ({code})" if isinstance(code, str) and _ERROR_CODE.fullmatch(code) else ""

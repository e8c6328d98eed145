"""Logins that the docker command line has stored for registries.

Rules: https://docs.docker.com/reference/cli/docker/login/#credential-stores and, for what wins over what,
https://github.com/docker/cli/blob/master/cli/config/configfile/file.go (``GetCredentialsStore``): a helper of
the host, else the store of all hosts, else what stands in the file itself.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from homeport.engine import api
from homeport.engine.process import run
from homeport.errors import HomeportError
from homeport.model.reference import DOCKER_HUB

HUB_KEY = "https://index.docker.io/v1/"
"""The name under which docker stores a login to Docker Hub, whatever host serves its images."""
HELPER_TIMEOUT_SECONDS = 10.0
_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_TOKEN_USER = "<token>"  # noqa: S105 - how a helper says that its secret is an identity token


@dataclass(frozen=True)
class Credentials:
    """A stored login: name and password, or an identity token that only a token server takes."""

    username: str
    secret: str = field(repr=False)
    is_token: bool = False

    def basic(self) -> str:
        """The ``Authorization`` header of RFC 7617; not for identity tokens."""
        pair = f"{self.username}:{self.secret}".encode()
        return f"Basic {base64.b64encode(pair).decode('ascii')}"


def find(host: str) -> Credentials | None:
    """The login stored for ``host`` (``ghcr.io``, ``127.0.0.1:5000``), or None. Never raises.

    A helper that is missing, fails, doesn't answer in time or answers nonsense has no login, as for docker.
    """
    config = api.config()
    key = _key(host)
    helper = _table(config, "credHelpers").get(key) or config.get("credsStore")
    if helper:
        return _from_helper(helper, key)
    for name, entry in _table(config, "auths").items():
        if key in {name, _host_of(name)} and isinstance(entry, dict):
            return _from_entry(entry)
    return None


def has_credentials(host: str) -> bool:
    """Whether the docker command line has a login for ``host`` (or a helper that may have one).

    Asks no helper: that may take seconds, or a person's answer.
    """
    config = api.config()
    key = _key(host)
    if config.get("credsStore") or key in _table(config, "credHelpers"):
        return True
    return any(key in {name, _host_of(name)} for name in _table(config, "auths"))


def proxies() -> dict[str, Any]:
    """The proxies of docker's configuration: buildx makes them build arguments, whatever a definition says.

    https://docs.docker.com/engine/cli/proxy/
    """
    return _table(api.config(), "proxies")


def _table(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = config.get(name)
    return value if isinstance(value, dict) else {}


def _key(host: str) -> str:
    return HUB_KEY if host == DOCKER_HUB else host


def _host_of(key: str) -> str:
    """Old entries are URLs, ``https://host/v1/``: docker's ``ConvertToHostname`` (cli/config/credentials)."""
    return key.removeprefix("http://").removeprefix("https://").partition("/")[0]


def _from_entry(entry: Mapping[str, Any]) -> Credentials | None:
    """``auth`` is base64 of ``name:password``; ``identitytoken`` stands beside it and wins."""
    name, secret = str(entry.get("username") or ""), str(entry.get("password") or "")
    if entry.get("auth"):
        try:
            text = base64.b64decode(str(entry["auth"]), validate=True).decode("utf-8")
        except (binascii.Error, ValueError):
            return None
        name, _, secret = text.partition(":")
        secret = secret.strip("\x00")  # docker pads some of them
    if entry.get("identitytoken"):
        return Credentials(name, str(entry["identitytoken"]), is_token=True)
    return Credentials(name, secret) if name and secret else None


def _from_helper(helper: object, key: str) -> Credentials | None:
    """Protocol: https://github.com/docker/docker-credential-helpers#development (``get``)."""
    # The name becomes a program's: a path in it could start anything, from the working directory, too.
    if not isinstance(helper, str) or not _HELPER.fullmatch(helper):
        return None
    try:
        done = run([f"docker-credential-{helper}", "get"], stdin=key, timeout=HELPER_TIMEOUT_SECONDS)
        answer = json.loads(done.stdout) if done.code == 0 else None
    except (HomeportError, OSError, ValueError, RecursionError):
        return None
    if not isinstance(answer, dict):
        return None
    name, secret = answer.get("Username"), answer.get("Secret")
    if not isinstance(name, str) or not isinstance(secret, str) or not name or not secret:
        return None
    return Credentials("" if name == _TOKEN_USER else name, secret, is_token=name == _TOKEN_USER)

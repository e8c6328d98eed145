"""Files that hold a secret: known by their name, and by a look into them. What they hold is shown nowhere."""

from __future__ import annotations

import os
import re
from collections.abc import Callable

_FIRST = 1 << 16
"""Bytes that are looked at: keys and settings are smaller."""
_OPEN = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)

_ENV = re.compile(r"^\.env(\..+)?$", re.IGNORECASE)
_NO_ENV = re.compile(
    r"\.(example|examples|sample|template|tmpl|tpl|dist|default|defaults|schema|md|d\.ts)$", re.I
)
_ACCOUNT = re.compile(
    r"(service[-_. ]?account|credential|firebase|gcp|gcloud|google|adminsdk|[-_.]sa\b|^sa[-_.]|key).*\.json$",
    re.I,
)
_KEY_NAMES = {"id_rsa", "id_ed25519", "id_ecdsa", "id_dsa"}
_FOREIGN = {"node_modules", "site-packages", "vendor", ".git", "dist-packages"}
"""Folders of other people's files: their keys are examples, and public."""

_PRIVATE = b"PRIVATE KEY-----"
_ASSIGNMENT = re.compile(
    r"^[ \t]*(?:export[ \t]+)?([A-Za-z_][\w.]*)[ \t]*[=:][ \t]*(.*?)[ \t\r]*$", re.MULTILINE
)
_SECRET_NAME = re.compile(
    r"(^|_)(PASS|PASSWD|PWD|PASSPHRASE|SECRET)(_(KEY|KEY_BASE|ACCESS_KEY|PROD|PRODUCTION|STAGING|DEV|\d+))?$"
    r"|PASSWORD(_(PROD|PRODUCTION|STAGING|DEV|\d+))?$|(^|_)(TOKEN|API_?KEY|ACCESS_KEY|PRIVATE_KEY)$",
    re.IGNORECASE,
)
_MAYBE_NAME = re.compile(r"(^|_)(KEY|TOKEN|AUTH|SALT|CREDENTIALS?|SECRET)(_|$)", re.IGNORECASE)
PUBLISHED = re.compile(
    r"^(VITE|NEXT_PUBLIC|NUXT_PUBLIC|REACT_APP|GATSBY|EXPO_PUBLIC|PUBLIC|VUE_APP|COMPOSE)_|PUBLIC_KEY|PUBLISHABLE"
    r"|_(ID|URL|DOMAIN|NAME|FILE|PATH|HOST)$",
    re.IGNORECASE,
)
_RANDOM = re.compile(r"^((?=.*[0-9])(?=.*[a-z])(?=.*[A-Z])[\w+/=~-]{20,}|[0-9a-f]{32,})$")
_PLACEHOLDER = re.compile(
    r"^$|^[$<{%]|^x+$|^\*+$|^\.\.\.$|change[-_ ]?(me|this|it)|your[-_ ]|example|placeholder|dummy"
    r"|^(none|null|false|true|todo|tbd|yes|no|on|off)$|^/(run|etc|var|app|home|usr|opt|secrets?|tmp|mnt)/|^https?://",
    re.IGNORECASE,
)
_URL = re.compile(r"^[a-z][a-z0-9+.-]*://[^/\s:@]*:([^/\s@]+)@", re.IGNORECASE)

_NPM = re.compile(r"^[^#;\n]*(_authToken|_auth|_password)\s*=\s*\"?(?!\$|\"?$)[^\s\"]", re.MULTILINE)
_PYPI = re.compile(r"^\s*password\s*[=:]\s*(?![$%<])\S", re.MULTILINE | re.IGNORECASE)
_NETRC = re.compile(r"(^|\s)password\s+(?![$<])\S", re.MULTILINE)
_AWS = re.compile(r"^\s*aws_secret_access_key\s*=\s*(?![$<])\S", re.MULTILINE | re.IGNORECASE)
_DOCKER = re.compile(r"\"(auth|identitytoken|registrytoken|password)\"\s*:\s*\"[^\"$]")
_GOOGLE = re.compile(r"\"type\"\s*:\s*\"service_account\"")

BY_TOOLS = frozenset({".npmrc", ".netrc", ".pypirc"})
"""What a step of the build may need: without it the step fails, so it has to become a secret of the build."""


def kind(path: str, read: Callable[[], bytes]) -> str:
    """What secret a file holds, in words; empty for none.

    ``path`` is relative to the context, with ``/``; ``read`` gives the file's first bytes, and is only asked
    where the name isn't enough.
    """
    *above, name = path.split("/")
    if _FOREIGN & set(above):
        return ""
    if name in _KEY_NAMES:
        return "a private key" if read() else ""
    if name.endswith((".pem", ".key")):
        return "a private key" if _PRIVATE in read() else ""
    if name.endswith(".kdbx"):
        return "a password database" if read() else ""
    if _ENV.match(name):
        return "" if _NO_ENV.search(name) or not _has_secret(_text(read())) else "settings with secrets"
    for names, pattern, words in (
        ((".npmrc",), _NPM, "a token of a registry"),
        ((".pypirc",), _PYPI, "a password of a registry"),
        ((".netrc", "_netrc"), _NETRC, "a password"),
    ):
        if name in names:
            return words if pattern.search(_text(read())) else ""
    if name == "credentials" and above[-1:] == [".aws"]:
        return "keys of AWS" if _AWS.search(_text(read())) else ""
    if name == "config.json" and above[-1:] == [".docker"]:
        return "logins of registries" if _DOCKER.search(_text(read())) else ""
    if _ACCOUNT.search(name):
        data = read()
        return "keys of Google Cloud" if _PRIVATE in data and _GOOGLE.search(_text(data)) else ""
    return ""


def first_bytes(path: str) -> bytes:
    """The beginning of a file; empty for what can't be read, and never through a link."""
    try:
        descriptor = os.open(path, _OPEN)
        with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor has no path
            return file.read(_FIRST)
    except OSError:
        return b""


def _has_secret(text: str) -> bool:
    """Whether settings hold a value that is no placeholder under a name that speaks of a secret."""
    for name, raw in _ASSIGNMENT.findall(text):
        value = raw.strip("\"'") if raw[:1] in {"'", '"'} else raw.partition(" #")[0].strip()
        url = _URL.match(value)
        if url and not _PLACEHOLDER.search(url[1]):
            return True
        if PUBLISHED.search(name) or _PLACEHOLDER.search(value):
            continue
        if _SECRET_NAME.search(name) or (_MAYBE_NAME.search(name) and _RANDOM.search(value)):
            return True
    return False


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")

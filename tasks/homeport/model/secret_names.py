"""Which names speak of a secret, and which values are none. Pure."""

from __future__ import annotations

import re

_NAME = re.compile(
    r"(^|_)(PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|API_?KEY|PRIVATE_KEY|ACCESS_KEY|CREDENTIALS?)$",
    re.IGNORECASE,
)
_NONE = re.compile(
    r"^$|^\$|^/|(^|[-_])(changeme|change-me|example|dummy|placeholder|none|null|false|true)$", re.I
)
_URL = re.compile(r"^[a-z][a-z0-9+.-]*://[^/\s:@]*:([^/\s@]+)@", re.IGNORECASE)


def speaks_of_one(name: str) -> bool:
    """Whether a variable of this name holds a secret; not ``..._FILE``, which says where one lies."""
    return bool(_NAME.search(name)) and not name.upper().endswith(("_FILE", "_PATH", "_URL"))


def is_none(value: str) -> bool:
    """Whether a value is no secret: empty, another variable, a path, a placeholder."""
    return bool(_NONE.search(value))


def in_url(value: str) -> bool:
    """Whether a URL has a password in it: ``postgres://me:secret@db``."""
    found = _URL.match(value)
    return bool(found) and not is_none(found[1] if found else "")

"""Secrets that an image tells to whoever has it: in its variables, and in the steps that made it. Pure.

A name and a place are all that is said of one; the value goes nowhere. How builders write steps down:
BuildKit ``ENV A=b``, ``ARG A=b`` and ``RUN |1 A=b /bin/sh -c ...`` (the arguments that a step could see), the
old builder ``/bin/sh -c #(nop)  ENV A=b`` and ``|1 A=b /bin/sh -c ...``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from homeport.engine.history import Told
from homeport.model import secret_names
from homeport.model.vulnerability import SECRET, Level, Weakness

_NOTHING = re.compile(r"^/bin/sh -c #\(nop\)\s+")
_ASSIGNMENT = re.compile(r"""(?:^|[\s;&|(])([A-Za-z_]\w*)=("[^"]*"|'[^']*'|[^\s;&|)]*)""")
_SOURCE = "https://docs.docker.com/build/building/secrets/"
_PLACES = {
    "settings": "a variable of the image: whoever has it can read the value",
    "ENV": "set by a step of the image's history, which keeps the value",
    "ARG": "a build argument, whose value stands in the image's history",
    "RUN": "written in a command, which the image's history keeps",
}


def find(told: Told) -> list[Weakness]:
    """The secrets that an image tells, each name once, at the place where it is easiest to read."""
    found: dict[str, str] = {}
    for name, place in (*_of_variables(told), *_of_steps(told)):
        found.setdefault(name, place)
    return [
        Weakness(SECRET, Level.HIGH, name, title=f"{name} is {_PLACES[place]}", url=_SOURCE)
        for name, place in found.items()
    ]


def _of_variables(told: Told) -> Iterator[tuple[str, str]]:
    for variable in told.variables:
        name, _, value = variable.partition("=")
        if _is_secret(name, value):
            yield name, "settings"


def _of_steps(told: Told) -> Iterator[tuple[str, str]]:
    for step in told.steps:
        line = _NOTHING.sub("", step)
        word, _, rest = line.partition(" ")
        if word not in ("ENV", "ARG", "RUN"):
            word, rest = "RUN", line
        arguments = re.match(r"\|\d+ (.*?)(?: /bin/\S+ | -c |$)", rest) if word == "RUN" else None
        for match in _ASSIGNMENT.finditer(rest):
            given = arguments is not None and match.start() < arguments.end()
            if _is_secret(match[1], match[2]):
                yield match[1], "ARG" if given else word


def _is_secret(name: str, value: str) -> bool:
    plain = value.strip("\"'")
    return secret_names.in_url(plain) or (
        secret_names.speaks_of_one(name) and not secret_names.is_none(plain)
    )

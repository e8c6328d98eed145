"""What Compose says of the variables of a project."""

from __future__ import annotations

import pytest

from homeport.engine.compose import variable

LISTED = """\
API_KEY=one=two
PEM=-----BEGIN KEY-----
abc+/d==
-----END KEY-----
lower=case
EMPTY=
LAST=end
"""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("API_KEY", "one=two"),
        ("EMPTY", ""),
        ("LAST", "end"),
        ("MISSING", ""),
        ("KEY", ""),
        ("lower", "case"),
    ],
)
def test_a_variable(name: str, value: str) -> None:
    assert variable(name, LISTED) == value


def test_a_value_of_several_lines_is_whole() -> None:
    assert variable("PEM", LISTED).startswith("-----BEGIN KEY-----\nabc+/d==\n-----END KEY-----")

"""What Compose says of the variables of a project, and what it does beside the engine."""

from __future__ import annotations

from typing import Any

import pytest

from homeport.engine.compose import completes, variable

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


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, False),
        ({"secrets": [{"source": "file"}]}, False),
        ({"secrets": [{"source": "file"}, {"source": "variable"}]}, True),
        ({"configs": [{"source": "inline"}]}, True),
        ({"post_start": [{"command": ["true"]}]}, True),
    ],
)
def test_what_compose_does_when_it_starts_a_container(spec: dict[str, Any], expected: bool) -> None:
    document = {
        "services": {"app": spec},
        "secrets": {"file": {"file": "./a"}, "variable": {"environment": "A"}},
        "configs": {"inline": {"content": "a"}},
    }
    assert completes(document, "app") is expected
    assert not completes({}, "app")

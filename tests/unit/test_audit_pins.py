"""Base images pinned to what their tags are now."""

from __future__ import annotations

import pytest

from homeport.audit import pins
from homeport.audit.finding import BASE_OUTDATED, BASE_UNPINNED
from homeport.audit.mend import Unproven, mended, prove
from homeport.audit.pins import Digest
from homeport.model.finding import Edit, Finding

OLD, NEW = (f"sha256:{digit * 64}" for digit in "12")


def find(text: str, **digests: Digest) -> list[Finding]:
    named = {name.replace("_", ":"): digest for name, digest in digests.items()}
    return list(pins.find(text, "Dockerfile", ("base",), named))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM a:1\n", f"FROM a:1@{NEW}\n"),
        (f"FROM a:1@{OLD} AS x\nRUN y\n", f"FROM a:1@{NEW} AS x\nRUN y\n"),
        ("FROM --platform=$BUILDPLATFORM a:1 AS x\r\n", f"FROM --platform=$BUILDPLATFORM a:1@{NEW} AS x\r\n"),
        ("# x\nfrom   a:1\n", f"# x\nfrom   a:1@{NEW}\n"),
        ("FROM \\\n  a:1\n", f"FROM \\\n  a:1@{NEW}\n"),
        ("FROM a:1\nFROM b:1\nFROM a:1\n", f"FROM a:1@{NEW}\nFROM b:1\nFROM a:1@{NEW}\n"),
    ],
)
def test_the_digest_that_a_tag_has_now(text: str, expected: str) -> None:
    found = find(text, a_1=Digest(NEW))
    assert mended(text, found) == expected
    assert [one for one in find(expected, a_1=Digest(NEW)) if one.fixable] == []


@pytest.mark.parametrize(
    "text",
    [
        f"FROM a:1@{NEW}\n",
        "FROM base\n",
        "FROM scratch\n",
        "FROM $X\n",
        "FROM scratch AS b\nFROM b\n",
        "RUN\n",
    ],
)
def test_nothing_to_pin(text: str) -> None:
    assert find(text, a_1=Digest(NEW)) == []


def test_the_kinds_of_findings() -> None:
    assert [one.rule for one in find(f"FROM a:1@{OLD}\n", a_1=Digest(NEW))] == [BASE_OUTDATED]
    assert [one.rule for one in find("FROM a:1\n", a_1=Digest(NEW))] == [BASE_UNPINNED]


def test_what_nobody_can_say_is_not_written() -> None:
    (found,) = find("FROM a:1\n", a_1=Digest(problem="it doesn't answer"))
    assert not found.fixable
    assert "it doesn't answer" in found.fix
    assert find(f"FROM a:1@{OLD}\n", a_1=Digest(problem="it doesn't answer")) == []


def test_where_a_variable_says_it_people_have_to() -> None:
    (found,) = find("ARG V=1\nFROM a:$V\n", a_1=Digest(NEW))
    assert (found.line, found.fixable) == (2, False)
    assert NEW in found.fix


@pytest.mark.parametrize(
    "new",
    [
        f"FROM b:1@{NEW} AS x\n",
        f"FROM a:1@{NEW} AS y\n",
        f"FROM --platform=x a:1@{NEW} AS x\n",
        "FROM a:1@sha256:12 AS x\n",
        f"FROM a:1@{NEW}\n",
    ],
)
def test_the_proof_lets_no_other_change_through(new: str) -> None:
    with pytest.raises(Unproven):
        prove("FROM a:1 AS x\n", new, [Edit(8, 8, f"@{NEW}")])

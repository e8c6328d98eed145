"""Checks as JUnit XML: valid whatever a log holds."""

from __future__ import annotations

from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from homeport.model.checks import Check, Outcome, ok
from homeport.report.junit import text

CHECKS = [
    Check("unit", "api", Outcome.PASSED, 1.25, "3 passed"),
    Check("unit", "web", Outcome.FAILED, 0.5, "1 failed", ("\x1b[31mE  assert <x>", "  & 1 == 2")),
    Check("unit", "job", Outcome.NONE),
    Check("smoke", "db", Outcome.LEFT_OUT, 0.0, "its network is the host's"),
]


def test_suites_cases_and_their_counts() -> None:
    root = ElementTree.fromstring(text(CHECKS))  # noqa: S314 - our own
    assert dict(root.attrib) == {"tests": "4", "failures": "1", "skipped": "2", "time": "1.750"}
    assert [suite.get("name") for suite in root] == ["unit", "smoke"]
    failure = root.find("testsuite/testcase/failure")
    assert failure is not None
    assert failure.get("message") == "1 failed"
    assert failure.text == "\N{REPLACEMENT CHARACTER}[31mE  assert <x>\n  & 1 == 2"
    assert [one.get("message") for one in root.iter("skipped")] == ["no tests", "its network is the host's"]


@given(st.text(), st.text(), st.lists(st.text(), max_size=3))
def test_any_text_makes_a_document_that_can_be_read(name: str, detail: str, log: list[str]) -> None:
    check = Check("unit", name, Outcome.FAILED, 0.0, detail, tuple(log))
    root = ElementTree.fromstring(text([check]).encode("utf-8"))  # noqa: S314 - our own
    assert root.get("failures") == "1"


def test_what_counts_as_passed() -> None:
    assert not ok(CHECKS)
    assert ok([CHECKS[0], CHECKS[2]])
    assert not ok([CHECKS[0], CHECKS[2]], strict=True)
    assert ok([CHECKS[0], CHECKS[3]], strict=True)
    assert ok([])

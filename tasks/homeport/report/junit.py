"""Checks as JUnit XML, the form that CI services read.

There is no standard; this is what Jenkins, GitLab and GitHub's actions agree on
(https://github.com/testmoapp/junitxml).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree

from homeport.model.checks import Check, Outcome

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no place for, not even escaped: control characters, among them those that colour logs."""


def text(checks: Sequence[Check]) -> str:
    """The XML document, a test suite for each kind of check."""
    root = ElementTree.Element("testsuites", _counts(checks))
    for kind in dict.fromkeys(check.kind for check in checks):
        own = [check for check in checks if check.kind == kind]
        suite = ElementTree.SubElement(root, "testsuite", {"name": kind, **_counts(own)})
        for check in own:
            _case(suite, check)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _counts(checks: Sequence[Check]) -> dict[str, str]:
    without = sum(check.outcome in {Outcome.NONE, Outcome.LEFT_OUT} for check in checks)
    return {
        "tests": str(len(checks)),
        "failures": str(sum(check.outcome is Outcome.FAILED for check in checks)),
        "skipped": str(without),
        "time": f"{sum(check.seconds for check in checks):.3f}",
    }


def _case(suite: ElementTree.Element, check: Check) -> None:
    about = {"classname": check.kind, "name": _clean(check.name), "time": f"{check.seconds:.3f}"}
    case = ElementTree.SubElement(suite, "testcase", about)
    detail = _clean(check.detail)
    if check.outcome is Outcome.FAILED:
        failure = ElementTree.SubElement(case, "failure", {"message": detail})
        failure.text = _clean("\n".join(check.log))
    elif check.outcome is not Outcome.PASSED:
        ElementTree.SubElement(case, "skipped", {"message": detail or check.outcome.value})


def _clean(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)

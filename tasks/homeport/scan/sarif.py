"""Findings of a scan as SARIF, at the file from which an image is built: there a review shows them. Pure."""

from __future__ import annotations

from typing import Any

from homeport.model.finding import Finding, Rule, Severity
from homeport.model.vulnerability import Level, Weakness
from homeport.report import sarif
from homeport.scan.hits import Hit
from homeport.scan.verdict import Verdict

_SEVERITIES = {
    Level.CRITICAL: Severity.ERROR,
    Level.HIGH: Severity.ERROR,
    Level.MEDIUM: Severity.WARNING,
    Level.LOW: Severity.NOTE,
    Level.UNKNOWN: Severity.NOTE,
}
_SCORES = {Level.CRITICAL: "9.5", Level.HIGH: "8.0", Level.MEDIUM: "5.5", Level.LOW: "2.0"}
"""What GitHub takes for critical, high, medium and low: "security-severity" in
https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning
"""


def document(verdict: Verdict, folder: str = "") -> dict[str, Any]:
    """All findings; those that are ignored or known are among them, marked so, with the reason.

    ``folder`` is the way to the repository's files from git's top level.
    """
    excepted = [*verdict.ignored, *((hit, "It is in the baseline.") for hit, _ in verdict.known)]
    counted = [*verdict.counted, *verdict.below, *verdict.unfixed]
    rules: dict[str, tuple[Rule, Level]] = {}
    for hit in (*counted, *(hit for hit, _ in excepted)):
        known = rules.get(hit.weakness.id)
        if known is None or known[1] < hit.weakness.level:
            rules[hit.weakness.id] = (_rule(hit.weakness), hit.weakness.level)
    properties = {
        id_: {"tags": ["security"], "security-severity": _SCORES[level]}
        for id_, (_, level) in rules.items()
        if level in _SCORES
    }
    return sarif.document(
        map(_finding, counted),
        ((_finding(hit), reason) for hit, reason in excepted),
        (rule for rule, _ in rules.values()),
        properties,
        folder,
    )


def _rule(one: Weakness) -> Rule:
    title = one.title or one.id
    return Rule(one.id, _SEVERITIES[one.level], title.rstrip("."), title, one.url)


def _finding(hit: Hit) -> Finding:
    one = hit.weakness
    if hit.subject is None:
        return Finding(_rule(one), hit.file, hit.line, f"{one.title}: {one.package}", "", about=one.package)
    what = " ".join(filter(None, (one.package, one.version)))
    fix = f"Fixed in {one.fixed}." if one.fixed else "No fix is known." if one.version else ""
    # Of an image the name without its tag: built again, it is the same finding.
    said = f"{what} in the image of {', '.join(hit.targets)}: {one.title or one.id}"
    return Finding(_rule(one), hit.subject.file, 0, said, fix, about=hit.whose)

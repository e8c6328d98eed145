"""Findings as SARIF 2.1.0, which GitHub, GitLab and editors show (docs.oasis-open.org/sarif/sarif/v2.1.0)."""

from __future__ import annotations

import hashlib
import os
import posixpath
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from homeport import __version__
from homeport.model.finding import Finding, Rule

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_PROJECT = "https://github.com/homeport-dev/homeport"


def document(
    findings: Iterable[Finding],
    suppressed: Iterable[tuple[Finding, str]],
    rules: Iterable[Rule],
    properties: Mapping[str, Mapping[str, Any]] | None = None,
    folder: str = "",
) -> dict[str, Any]:
    """The whole of it; suppressed findings are among the results, marked so, with their reason.

    ``properties`` are more that is to be said of rules, by their ids. ``folder`` is the way to what the paths
    of findings start from, from git's top level: it is from there that code scanning and editors look.
    """
    listed = list(rules)
    index = {rule.id: position for position, rule in enumerate(listed)}
    results = [_result(one, index, folder) for one in findings]
    results += [
        {**_result(one, index, folder), "suppressions": [{"kind": "external", "justification": reason}]}
        for one, reason in suppressed
    ]
    driver = {
        "name": "homeport",
        "semanticVersion": __version__,
        "informationUri": _PROJECT,
        "rules": [_rule(rule, (properties or {}).get(rule.id)) for rule in listed],
    }
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(rule: Rule, properties: Mapping[str, Any] | None) -> dict[str, Any]:
    return {
        "id": rule.id,
        "shortDescription": {"text": f"{rule.title}."},
        "fullDescription": {"text": rule.why},
        **({"helpUri": rule.source} if rule.source else {}),
        "defaultConfiguration": {"level": rule.severity.value},
        **({"properties": dict(properties)} if properties else {}),
    }


def _result(one: Finding, index: dict[str, int], folder: str) -> dict[str, Any]:
    path = posixpath.normpath(posixpath.join(folder, one.path)) if folder else one.path
    place: dict[str, Any] = {"artifactLocation": {"uri": quote(os.fsencode(path)), "uriBaseId": "%SRCROOT%"}}
    if one.line:
        place["region"] = {"startLine": one.line}
    return {
        "ruleId": one.rule.id,
        "ruleIndex": index[one.rule.id],
        "level": one.rule.severity.value,
        "message": {"text": f"{one.what}. {one.fix}".strip()},
        "locations": [{"physicalLocation": place}],
        # Without the line: one that moves is the same finding.
        "partialFingerprints": {"homeport/v1": _mark(f"{one.rule.id}\0{one.path}\0{one.about}\0{one.what}")},
    }


def _mark(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:32]

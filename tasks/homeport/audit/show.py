"""Findings for people, and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.text import Text

from homeport.audit.suppress import Sifted
from homeport.model.finding import Finding, Rule, Severity
from homeport.report.table import plain_table
from homeport.report.words import plural, printable

SCHEMA = "homeport.audit/1"
_STYLES = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}


def findings(found: Sifted, console: Console) -> None:
    """File by file: line, rule, what it is, and what to do."""
    by_path: dict[str, list[Finding]] = {}
    for one in found.open:
        by_path.setdefault(one.path, []).append(one)
    for path, own in sorted(by_path.items()):
        console.print(Text(printable(path), style="bold"), soft_wrap=True)
        for one in sorted(own, key=lambda item: (item.line, item.rule.id)):
            head = Text(f"{one.line or '-':>5}  ")
            head.append(one.rule.id, style=_STYLES[one.rule.severity])
            head.append(f"  {printable(one.what)}")
            head.append("  (fixable)" if one.fixable else "", style="green")
            console.print(head, soft_wrap=True)
            console.print(Text(f"       {printable(one.fix)}", style="dim"), soft_wrap=True)
    if by_path:
        console.print()


def why(found: Sifted, console: Console) -> None:
    """What each kind of finding costs, once."""
    kinds = Counter(one.rule for one in found.open)
    table = plain_table()
    for heading in ("findings", "rule", "why it matters"):
        table.add_column(heading, no_wrap=heading != "why it matters")
    for rule, count in sorted(kinds.items(), key=lambda item: (_rank(item[0]), -item[1])):
        table.add_row(str(count), Text(rule.id, style=_STYLES[rule.severity]), Text(rule.why, style="dim"))
    if kinds:
        console.print(table)
        console.print()


def rules(listed: Iterable[Rule], console: Console) -> None:
    """All rules there are."""
    table = plain_table()
    for heading in ("rule", "severity", "what", "source"):
        table.add_column(heading, no_wrap=heading != "what", overflow="fold")
    for rule in listed:
        severity = Text(rule.severity.value, style=_STYLES[rule.severity])
        table.add_row(rule.id, severity, rule.title, Text(rule.source, style="dim"))
    console.print(table)


def last_line(found: Sifted, files: int, services: int, fixed: int) -> str:
    """How much there is of what."""
    count = Counter(one.rule.severity for one in found.open)
    words = ", ".join(f"{plural(count[each], each.value)}" for each in Severity if count[each])
    looked = plural(files, "Dockerfile") + (f", {plural(services, 'service')}" if services else "")
    text = f"{looked}: {words or 'nothing found'}"
    text += f", {len(found.suppressed)} suppressed" if found.suppressed else ""
    fixable = sum(one.fixable for one in found.open)
    if fixed:
        return f"{text}; {plural(fixed, 'finding')} mended."
    return text + (f"; --fix mends {fixable}." if fixable else ".")


def document(found: Sifted, diff: str, fixed: bool) -> dict[str, Any]:
    """All of it as JSON."""
    return {
        "schema": SCHEMA,
        "fixed": fixed,
        "warnings": list(found.warnings),
        "findings": [_finding(one) for one in found.open],
        "suppressed": [{**_finding(one), "reason": reason} for one, reason in found.suppressed],
        "diff": diff,
    }


def _finding(one: Finding) -> dict[str, Any]:
    return {
        "rule": one.rule.id,
        "severity": one.rule.severity.value,
        "path": one.path,
        "line": one.line,
        "what": one.what,
        "why": one.rule.why,
        "fix": one.fix,
        "fixable": one.fixable,
    }


def _rank(rule: Rule) -> int:
    return list(Severity).index(rule.severity)

"""What other programs find, among our own findings: each thing once. Pure but for :func:`ask`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from homeport.engine import linters
from homeport.engine.linters import CanNotSay, Said
from homeport.model.finding import Finding, Rule, Severity

PROGRAMS: dict[str, Callable[[Sequence[str], Path], list[Said]]] = {
    "buildkit": linters.buildkit,
    "hadolint": linters.hadolint,
}
"""By the first part of a rule's id (``hadolint/DL3008``), in the order in which they count."""

_OURS = {
    "buildkit/SecretsUsedInArgOrEnv",
    "hadolint/DL3002",
    "hadolint/DL3006",
    "hadolint/DL3007",
    "hadolint/DL3057",
    "hadolint/DL3064",
}
"""What our own rules look at, too (secrets, root, versions, health): they decide."""
_AGAINST = {"hadolint/DL3042", "hadolint/DL3060", "hadolint/DL3009", "hadolint/DL3019"}
"""Advice to empty a cache, or keep none: with a cache mount, which is better, it is wrong."""
_SAME = {
    "hadolint/DL4000": "buildkit/MaintainerDeprecated",
    "hadolint/DL3025": "buildkit/JSONArgsRecommended",
    "hadolint/DL3000": "buildkit/WorkdirRelativePath",
    "hadolint/DL3024": "buildkit/DuplicateStageName",
    "hadolint/DL4003": "buildkit/MultipleInstructionsDisallowed",
    "hadolint/DL4004": "buildkit/MultipleInstructionsDisallowed",
    "hadolint/DL3012": "buildkit/MultipleInstructionsDisallowed",
    "hadolint/DL3063": "buildkit/ConsistentInstructionCasing",
}
"""By rule of hadolint the check of BuildKit that says the same."""


_ABOUT = {"hadolint/DL3025": {"CMD", "ENTRYPOINT"}}
"""By rule the instructions that it is about. hadolint takes the CMD of a HEALTHCHECK for one, which may well
need a shell: ``curl ... || exit 1``."""


def ask(dockerfiles: Sequence[str], root: Path) -> tuple[list[Finding], tuple[str, ...]]:
    """What the programs that are there find in Dockerfiles, and why another one could say nothing.

    hadolint is missed by nobody who doesn't use it, so only its failures are named.
    """
    found: list[Finding] = []
    problems = []
    with ThreadPoolExecutor(len(PROGRAMS)) as pool:
        asked = {name: pool.submit(program, dockerfiles, root) for name, program in PROGRAMS.items()}
        for name, answer in asked.items():
            try:
                found += [finding(name, one) for one in answer.result()]
            except CanNotSay as error:
                if name != "hadolint" or error.cause:
                    problems.append(f"Left out: {' '.join(filter(None, (error.what, error.cause)))}")
    return found, tuple(problems)


def finding(program: str, said: Said) -> Finding:
    """One of another program's findings as ours."""
    levels = {"error": Severity.ERROR, "warning": Severity.WARNING}
    severity = levels.get(said.level, Severity.NOTE)
    where = f"See {said.source}." if said.source else "See its documentation."
    rule = Rule(f"{program}/{said.rule}", severity, f"{said.rule} of {program}", where, said.source)
    return Finding(rule, said.path, said.line, said.what, where, about=said.rule)


def without_repetition(others: Iterable[Finding], texts: Mapping[str, str]) -> list[Finding]:
    """Findings of other programs without what our rules say, what is wrong, also beside them, and copies.

    ``texts`` are the Dockerfiles by the path that findings have.
    """
    listed = [one for one in others if _fits(one, texts)]
    said = {(one.rule.id, one.path, one.line) for one in listed}
    return [
        one
        for one in dict.fromkeys(listed)
        if one.rule.id not in _OURS | _AGAINST
        and (_SAME.get(one.rule.id, ""), one.path, one.line) not in said
    ]


def _fits(one: Finding, texts: Mapping[str, str]) -> bool:
    """Whether a finding stands at an instruction that its rule is about, as far as that is known."""
    about = _ABOUT.get(one.rule.id)
    lines = texts.get(one.path, "").split("\n")
    if about is None or not 0 < one.line <= len(lines):
        return True
    return lines[one.line - 1].strip().partition(" ")[0].upper() in about

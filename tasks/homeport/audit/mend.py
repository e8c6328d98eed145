"""Edits put into a Dockerfile, with a proof: it says what it said, but for what was planned. Pure.

What can be planned: cache mounts come, words that turn a cache off go, base images get another digest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from homeport.audit import shell
from homeport.audit.finding import Edit, Finding
from homeport.audit.programs import PROGRAMS
from homeport.model.dockerfile import parse
from homeport.model.instruction import DockerfileSyntaxError, Instruction

_OPTIONS = frozenset(option for program in PROGRAMS for option in program.against)
_VARIABLES = frozenset(name for program in PROGRAMS for name in program.off)
_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}\Z")


class Unproven(Exception):
    """The edited file would say something else than planned."""


def mended(text: str, findings: Iterable[Finding]) -> str:
    """The file with the edits of these findings. Raises Unproven, and then nothing may be written."""
    # Each once; those at one place in the order of the findings.
    edits = list(dict.fromkeys(edit for finding in findings for edit in finding.edits))
    new = text
    for _, edit in sorted(enumerate(edits), key=lambda item: (-item[1].start, -item[0])):
        new = new[: edit.start] + edit.text + new[edit.end :]
    prove(text, new, edits)
    return new


def prove(old: str, new: str, edits: Iterable[Edit]) -> None:
    """Raise Unproven unless ``new`` is ``old`` with as many mounts and digests, and as few words, as planned.

    Whatever the edits were: only cache mounts and digests of base images can have come, only options and
    variables that turn a cache off can have gone, and both in the planned number.
    """
    try:
        before, after = parse(old), parse(new)
    except DockerfileSyntaxError as error:
        raise Unproven(str(error)) from error
    came = went = 0
    rest = list(after.instructions)
    for first in before.instructions:
        difference = _difference(old, first, new, rest[0]) if rest else None
        if difference is not None:
            rest.pop(0)
            came, went = came + difference[0], went + difference[1]
        elif first.keyword in {"ENV", "ARG"} and _named(old, first) <= _VARIABLES:
            went += len(_named(old, first))
        else:
            raise Unproven(f"line {first.line} would say something else")
    planned = list(edits)
    mounts = sum(edit.text.count("--mount=type=cache") + edit.text.startswith("@") for edit in planned)
    removals = sum(not edit.text for edit in planned)
    if rest or (came, went) != (mounts, removals) or before.escape != after.escape:
        raise Unproven(
            f"{came} mounts or digests would come and {went} words go; planned are {mounts} and {removals}"
        )


def _difference(old: str, first: Instruction, new: str, second: Instruction) -> tuple[int, int] | None:
    """How many cache mounts came and words went between two instructions; None if they differ otherwise."""
    if first.keyword != second.keyword:
        return None
    if first.keyword in {"ENV", "ARG"}:
        gone = _gone(
            [one.text for one in shell.words(old, first)], [one.text for one in shell.words(new, second)]
        )
        names = {word.partition("=")[0] for word in gone or ()}
        return (0, len(gone)) if gone is not None and names <= _VARIABLES else None
    if first.keyword != "RUN":
        same = (first.flags, first.value, first.heredocs) == (second.flags, second.value, second.heredocs)
        return (0, 0) if same else (1, 0) if _is_pinned(first, second) else None
    came = second.flags[: len(second.flags) - len(first.flags)]
    cached = all(name == "mount" and value.startswith("type=cache,target=/") for name, value in came)
    if second.flags[len(came) :] != first.flags or not cached:
        return None
    one, two = shell.commands(old, first), shell.commands(new, second)
    if not one and not two:
        same = (first.value, first.heredocs) == (second.value, second.heredocs)
        return (len(came), 0) if same else None
    if len(one) != len(two):
        return None
    went = 0
    for had, has in zip(one, two, strict=True):
        gone = _gone(had.texts, has.texts)
        same = [word.text for word in had.variables] == [word.text for word in has.variables]
        if gone is None or not same or not set(gone) <= _OPTIONS:
            return None
        went += len(gone)
    return len(came), went


def _is_pinned(first: Instruction, second: Instruction) -> bool:
    """Whether two FROMs differ in the digest alone that the second one has."""
    one, two = first.value.split(), second.value.split()
    digest = _DIGEST.search(two[0]) if first.keyword == "FROM" and two else None
    if digest is None or first.flags != second.flags:
        return False
    return two == [_DIGEST.sub("", one[0]) + digest[0], *one[1:]]


def _named(text: str, instruction: Instruction) -> set[str]:
    """The variables that an ENV or ARG is about."""
    own = [word.text for word in shell.words(text, instruction)]
    if own and "=" not in own[0] and instruction.keyword == "ENV":
        return {own[0]}
    return {word.partition("=")[0] for word in own}


def _gone(had: Sequence[str], has: Sequence[str]) -> list[str] | None:
    """The words that are in ``had`` and not in ``has``, whose order is else the same; None if it isn't."""
    found = []
    rest = list(has)
    for word in had:
        if rest and rest[0] == word:
            rest.pop(0)
        else:
            found.append(word)
    return None if rest else found

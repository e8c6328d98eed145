"""Edits put into a Dockerfile, with a proof: it says what it said, but for what was planned. Pure.

What can be planned: cache mounts come or move, words that turn a cache off go, others come by which a cache
is used, commands go that only empty a cache mount of their own step, base images get another digest.
"""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise

from homeport.audit import cachemounts, shell
from homeport.audit.programs import PROGRAMS
from homeport.audit.shell import Command
from homeport.audit.system import NEW_WORDS
from homeport.model.dockerfile import parse
from homeport.model.finding import Edit, Finding
from homeport.model.instruction import DockerfileSyntaxError, Instruction, mounts

_OPTIONS = frozenset(option for program in PROGRAMS for option in program.against)
_VARIABLES = frozenset(f"{name}={program.on}" for program in PROGRAMS for name in program.off)
_CACHE = re.compile(r"type=cache,(id=[\w:/.-]+,)?target=/")
_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}\Z")


class Unproven(Exception):
    """The edited file would say something else than planned."""


def mended(text: str, findings: Iterable[Finding]) -> str:
    """The file with the edits of these findings. Raises Unproven, and then nothing may be written."""
    # Each once; those at one place in the order of the findings.
    edits = list(dict.fromkeys(edit for finding in findings for edit in finding.edits))
    ordered = sorted(edits, key=lambda edit: (edit.start, edit.end))
    if any(one.end > two.start for one, two in pairwise(ordered)):
        raise Unproven("two edits are about the same words, which would overlap")
    new = text
    for _, edit in sorted(enumerate(edits), key=lambda item: (-item[1].start, -item[0])):
        new = new[: edit.start] + edit.text + new[edit.end :]
    prove(text, new, edits)
    return new


def prove(old: str, new: str, edits: Iterable[Edit]) -> None:
    """Raise Unproven unless ``new`` is ``old`` with as many mounts and digests, and words, as planned.

    Whatever the edits were: only cache mounts, digests of base images, the options of NEW_WORDS and variables
    that let a cache be used can have come, only options that turn one off can have gone, only the targets of
    cache mounts can be others, and each in the planned number.
    """
    try:
        before, after = parse(old), parse(new)
    except DockerfileSyntaxError as error:
        raise Unproven(str(error)) from error
    found: Counter[str] = Counter()
    rest = list(after.instructions)
    for first in before.instructions:
        difference = _difference(old, first, new, rest[0]) if rest else None
        if difference is not None:
            rest.pop(0)
            found += difference
        else:
            raise Unproven(f"line {first.line} would say something else")
    planned = sum((_planned(old, edit) for edit in edits), Counter[str]())
    if rest or found != planned or before.escape != after.escape:
        raise Unproven(f"what would change is {_listed(found)}; planned is {_listed(planned)}")


def _planned(old: str, edit: Edit) -> Counter[str]:
    """What an edit is meant to do, as ``_difference`` counts it."""
    gone = len(old[edit.start : edit.end].replace("\\", " ").split())
    if edit.text.startswith("@"):
        return Counter({"digests": 1})
    if edit.text.startswith("/"):
        return Counter({"mounts that move": 1})
    if edit.text.startswith(" --mount="):
        return Counter({"mounts that come": len(edit.text.split())})
    if old[edit.start : edit.end].lstrip(" \t\r\n\\").startswith("&&"):
        return Counter({"commands that go": 1})
    if edit.text:
        return +Counter({"words that come": len(edit.text.split()), "words that go": gone})
    return Counter({"words that go": 1})


def _listed(found: Counter[str]) -> str:
    return ", ".join(f"{number} {what}" for what, number in sorted(found.items())) or "nothing"


def _difference(old: str, first: Instruction, new: str, second: Instruction) -> Counter[str] | None:
    """What came and went between two instructions; None if they differ in anything that can't be planned."""
    if first.keyword != second.keyword:
        return None
    if first.keyword != "RUN":
        same = (first.flags, first.value, first.heredocs) == (second.flags, second.value, second.heredocs)
        return Counter() if same else Counter({"digests": 1}) if _is_pinned(first, second) else None
    found = _flags(first, second)
    one, two = shell.commands(old, first), shell.commands(new, second)
    if found is None:
        return None
    if first.heredocs != second.heredocs and not shell.is_script(first):
        return None  # it is some command's input
    if not one:
        same = (first.value, first.heredocs) == (second.value, second.heredocs)
        return found if same else None
    mounted = [
        posixpath.normpath(each["target"])
        for each in mounts(first)
        if each["type"] == "cache" and "target" in each
    ]
    rest = list(two)
    for command in one:
        difference = _of_commands(command, rest[0]) if rest else None
        if difference is not None:
            rest.pop(0)
            found += difference
        elif cachemounts.useless(command, mounted):
            found["commands that go"] += 1
        else:
            return None
    return None if rest else found


def _of_commands(had: Command, has: Command) -> Counter[str] | None:
    """What came and went between two commands; None if they differ in anything that can't be planned."""
    words = _words(had.texts, has.texts, NEW_WORDS, _OPTIONS)
    settings = [[word.text for word in each.variables] for each in (had, has)]
    variables = _words(settings[0], settings[1], _VARIABLES, ())
    return None if words is None or variables is None else words + variables


def _flags(first: Instruction, second: Instruction) -> Counter[str] | None:
    """The cache mounts that came, in front of the other flags, and those that moved."""
    new = len(second.flags) - len(first.flags)
    if new < 0 or not all(name == "mount" and _CACHE.match(value) for name, value in second.flags[:new]):
        return None
    moved = 0
    try:
        for one, two in zip(mounts(first), mounts(second)[new:], strict=True):
            if one != two:
                kept = {key: value for key, value in two.items() if key != "uid"}
                if one["type"] != "cache" or {**one, "target": ""} != {**kept, "target": ""}:
                    return None
                moved += 1
    except (DockerfileSyntaxError, ValueError):
        return None
    others = [[flag for flag in each if flag[0] != "mount"] for each in (first.flags, second.flags)]
    return +Counter({"mounts that come": new, "mounts that move": moved}) if others[0] == others[1] else None


def _is_pinned(first: Instruction, second: Instruction) -> bool:
    """Whether two FROMs differ in the digest alone that the second one has."""
    one, two = first.value.split(), second.value.split()
    digest = _DIGEST.search(two[0]) if first.keyword == "FROM" and two else None
    if digest is None or first.flags != second.flags:
        return False
    return two == [_DIGEST.sub("", one[0]) + digest[0], *one[1:]]


def _words(
    had: Sequence[str], has: Sequence[str], new: Collection[str], old: Collection[str]
) -> Counter[str] | None:
    """How many of ``new`` came and of ``old`` went; None if the words differ in anything else."""
    found: Counter[str] = Counter()
    rest = list(has)
    for word in had:
        while rest and rest[0] != word and rest[0] in new:
            rest.pop(0)
            found["words that come"] += 1
        if rest and rest[0] == word:
            rest.pop(0)
        elif word in old:
            found["words that go"] += 1
        else:
            return None
    return None if any(word not in new for word in rest) else found + Counter({"words that come": len(rest)})

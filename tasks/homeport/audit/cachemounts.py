"""The cache mounts of a RUN: which folders they keep, what empties them, how to write one. Pure."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Mapping, Sequence

from homeport.audit import shell
from homeport.audit.shell import Command
from homeport.audit.stages import Place
from homeport.model.finding import Edit, Finding, Rule
from homeport.model.instruction import DockerfileSyntaxError, mounts

_FOLDER = re.compile(r"/[\w./-]+(/\*)?")
_JOINED = re.compile(r"[ \t]*(\\[ \t]*\r?\n[ \t]*)*&&[ \t]*(\\[ \t]*\r?\n[ \t]*)*")
_ENDED = re.compile(r"[ \t]*((\\[ \t]*\r?\n[ \t]*)*&&|\r?\n|\Z)")


def targets(place: Place) -> list[str]:
    """The folders that a RUN has cache mounts for."""
    try:
        found = mounts(place.instruction, lambda value: filled(value, place.variables))
    except DockerfileSyntaxError:
        return []
    return [
        posixpath.normpath(one["target"]) for one in found if one["type"] == "cache" and one.get("target")
    ]


def filled(value: str, variables: Mapping[str, str]) -> str:
    """A value with the variables that are known."""
    return re.sub(r"\$\{?(\w+)\}?", lambda match: variables.get(match[1], match[0]), value)


def within(folder: str, target: str) -> bool:
    """Whether a folder lies in ``target``, or is it."""
    return folder == target or folder.startswith(target.rstrip("/") + "/")


def empties(command: Command, folder: str) -> bool:
    """Whether a command removes what is in a folder: ``rm`` of it, of what is around it or of a part."""
    words = [word for word in command.texts[1:] if word.startswith("/")]
    named = [word.removesuffix("/*").rstrip("/") for word in words]
    return command.texts[:1] == ("rm",) and any(within(one, folder) or within(folder, one) for one in named)


def useless(command: Command, mounted: Collection[str]) -> bool:
    """Whether a command does nothing but empty these cache mounts of its step, and nothing of the image."""
    words = [word for word in command.texts[1:] if not word.startswith("-")]
    return (
        command.texts[:1] == ("rm",)
        and not command.variables
        and bool(words)
        and all(_FOLDER.fullmatch(word) for word in words)
        and all(
            any(within(posixpath.normpath(word.removesuffix("/*")), one) for one in mounted) for word in words
        )
    )


def without(text: str, command: Command, everything: Sequence[Command]) -> Edit | None:
    """The edit that takes a command out of a chain of ``&&``, with the lines that it has to itself.

    None for the first of a chain, and for one that anything else than ``&&`` joins to what is around it.
    """
    index = everything.index(command)
    if not index or not command.words:
        return None
    before, first, last = everything[index - 1].words[-1:], command.words[0], command.words[-1]
    if not before or not _JOINED.fullmatch(text, before[0].end, first.start):
        return None
    return Edit(before[0].end, last.end) if _ENDED.match(text, last.end) else None


def added(text: str, place: Place, flags: str) -> Edit | None:
    """The edit that gives a RUN more flags; None for the JSON form, in which nothing is looked at."""
    if place.instruction.value.lstrip().startswith("["):
        return None
    start = shell.flags_start(text, place.instruction)
    return Edit(start, start, flags)


def moved(text: str, place: Place, old: str, new: str) -> Edit | None:
    """The edit that gives the cache mount at ``old`` the target ``new``; None where it isn't plainly written.

    ``new`` may bring more of the mount's fields with it.
    """
    start = shell.flags_start(text, place.instruction)
    end = shell.offsets(text)[place.instruction.last]
    flag = re.compile(r"--mount=(?=\S*\btype=cache\b)\S*?\b(?:target|dst|destination)=([^\s,\"'$]+)(?=[,\s])")
    found = [match for match in flag.finditer(text, start, end) if posixpath.normpath(match[1]) == old]
    if len(found) != 1 or "uid=" in text[found[0].start() : end].split(maxsplit=1)[0]:
        return None
    return Edit(found[0].start(1), found[0].end(1), new)


def short(command: Command) -> str:
    """A command as it is named in a sentence."""
    words = " ".join(command.texts)
    return words if len(words) <= 40 else f"{words[:37]}..."


def finding(
    rule: Rule, path: str, place: Place, program: str, edits: Sequence[Edit | None], what: str, fix: str
) -> Finding:
    """A finding about a program's cache in a RUN: with all of the edits, or none if one of them is None."""
    done = tuple(edit for edit in edits if edit is not None)
    whole = bool(edits) and len(done) == len(edits)
    return Finding(rule, path, place.instruction.line, what, fix, done if whole else (), program)

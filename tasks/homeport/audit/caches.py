"""Cache mounts: which steps fetch packages without one, and which have one that does nothing. Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping

from homeport.audit import cachemounts, shell, system
from homeport.audit.accounts import Account, account
from homeport.audit.cachemounts import filled, finding, short, targets, within
from homeport.audit.finding import CACHE_DEFEATED, CACHE_MISSING
from homeport.audit.programs import CLEANERS, OFFICIAL, PROGRAMS, SYSTEM, Program, Use, use_of
from homeport.audit.shell import Command, Word
from homeport.audit.stages import Place
from homeport.model.finding import Edit, Finding
from homeport.model.instruction import Instruction


def find(text: str, path: str, places: list[Place]) -> Iterator[Finding]:
    """Findings about cache mounts in a Dockerfile; ``places`` are its instructions, ``text`` the file."""
    turned_off = _turned_off(text, places)
    for place in places:
        if place.instruction.keyword != "RUN":
            continue
        everything = shell.commands(text, place.instruction)
        uses = [use for use in map(use_of, everything) if use is not None]
        seen = set()
        for use in uses:
            if use.program.name not in seen:
                seen.add(use.program.name)
                same = [one for one in uses if one.program is use.program]
                if use.program.name in SYSTEM:
                    yield from system.find(text, path, place, same, everything, places)
                else:
                    who = account(text, place, places)
                    yield from _judge(text, path, place, who, same, everything, turned_off)


def _judge(
    text: str,
    path: str,
    place: Place,
    who: Account,
    uses: list[Use],
    everything: tuple[Command, ...],
    turned_off: Mapping[str, tuple[Instruction, Edit | None]],
) -> Iterator[Finding]:
    program, instruction = uses[0].program, place.instruction
    there = targets(place)
    wanted = [_folder(keep, place, who, uses) for keep in program.keeps]
    near = [target for target in there if _meant_for(program, target)]
    edits: list[Edit | None] = []
    reasons = []
    for use in uses:
        for word in use.command.words:
            if word.text in program.against:
                reasons.append(f"{word.text} on the same line")
                edits.append(_without(text, instruction, everything, word))
    for name in sorted(program.off):
        if any(word.text.partition("=")[0] == name for use in uses for word in use.command.variables):
            reasons.append(f"{name} in the command")
            edits.append(None)
        elif place.variables.get(name):
            where, edit = turned_off.get(name, (None, None))
            reasons.append(f"{name}={place.variables[name]}" + (f" (line {where.line})" if where else ""))
            edits.append(edit)
    reasons += [f"'{short(command)}' in the same step" for command in _cleaning(program, wanted, everything)]
    edits += [None for _ in _cleaning(program, wanted, everything)]
    covered = [folder for folder in wanted if folder and any(within(folder, one) for one in there)]
    missing = [folder for folder in wanted if folder not in covered]
    verb = uses[0].verb
    if covered and (program.name != "go" or len(covered) == len(wanted)):
        if reasons:
            yield finding(
                CACHE_DEFEATED, path, place, program.name, edits,
                f"the cache of '{verb}' is mounted and not used: {', '.join(dict.fromkeys(reasons))}",
                f"Take {'it' if len(reasons) == 1 else 'them'} out: with the mount nothing of the cache "
                "gets into the image.",
            )  # fmt: skip
        return
    owner = "" if place.root else f",uid={who.uid}"
    if near and not covered:
        elsewhere = f"{program.name} keeps its cache in {wanted[0] or 'another folder'}"
        runner = f" (the step runs as {place.user})" if not place.root else ""
        known = wanted[0] and who.uid and len(near) == len(wanted) == 1
        move = cachemounts.moved(text, place, near[0], wanted[0] + owner) if known else None
        yield finding(
            CACHE_DEFEATED, path, place, program.name, [move, *edits],
            f"a cache is mounted at {near[0]}, but {elsewhere}{runner}",
            f"Mount the cache there{'' if place.root else ', with uid= of the user'}.",
        )  # fmt: skip
        return
    if any(folder == "" for folder in wanted):
        yield finding(
            CACHE_MISSING, path, place, program.name, [None],
            f"'{verb}' has no cache mount (it runs as {place.user}, whose home is not known here)",
            "Add one for the user's cache folder, with uid= of the user.",
        )  # fmt: skip
        return
    flags = "".join(f" --mount=type=cache,target={folder}{owner}" for folder in missing)
    mount = cachemounts.added(text, place, flags) if who.uid else None
    rest = " and take out " + ", ".join(dict.fromkeys(reasons)) if reasons else ""
    yield finding(
        CACHE_MISSING, path, place, program.name, [mount, *edits],
        f"'{verb}' has no cache mount",
        f"RUN{flags if who.uid else flags + '(its number)'}{rest}.",
    )  # fmt: skip


def _folder(keep: tuple[tuple[str, str], ...], place: Place, who: Account, uses: list[Use]) -> str:
    """Where a program keeps its cache here; empty where nobody can tell."""
    variables = dict(place.variables)
    base = place.stage.image.rpartition("/")[2].partition(":")[0].partition("@")[0]
    for name, value in OFFICIAL.get(base, {}).items():
        variables.setdefault(name, value)
    variables["HOME"] = who.home
    for use in uses:
        for word in use.command.variables:
            name, _, value = word.text.partition("=")
            variables[name] = value
        for option in ("--cache-dir", "--cache", "--store-dir"):
            if said := _option(use.command, option):
                return filled(said, variables)
    for name, behind in keep:
        if not name:
            return behind
        if name == "HOME" and not variables["HOME"]:
            return ""
        if variables.get(name):
            return posixpath.normpath(variables[name] + behind)
    return ""


def _option(command: Command, name: str) -> str:
    texts = command.texts
    for position, word in enumerate(texts):
        if word.startswith(f"{name}="):
            return word.partition("=")[2]
        if word == name and position + 1 < len(texts) and not texts[position + 1].startswith("-"):
            return texts[position + 1]
    return ""


def _meant_for(program: Program, target: str) -> bool:
    """Whether a mounted folder looks like this program's cache, wherever it lies."""
    return any(
        target.endswith(behind)
        for keep in program.keeps
        for name, behind in keep
        if behind and name in {"HOME", "XDG_CACHE_HOME"}
    )


def _cleaning(program: Program, folders: list[str], everything: tuple[Command, ...]) -> list[Command]:
    """Commands that empty the cache in the same step."""
    return [
        command
        for command in everything
        if any(command.texts[: len(cleaner)] == cleaner for cleaner in CLEANERS.get(program.name, ()))
        or any(folder and cachemounts.empties(command, folder) for folder in folders)
    ]


def _without(text: str, instruction: Instruction, everything: tuple[Command, ...], word: Word) -> Edit | None:
    words = sorted(
        (one for command in everything for one in (*command.variables, *command.words)),
        key=lambda one: one.start,
    )
    try:
        start, end = shell.removal(text, words, words.index(word))
    except ValueError:
        return None
    return Edit(start, end)


def _turned_off(text: str, places: list[Place]) -> dict[str, tuple[Instruction, Edit | None]]:
    """By variable the ENV that turns a cache off, and how to take it out of there."""
    names = {name for program in PROGRAMS for name in program.off}
    found: dict[str, tuple[Instruction, Edit | None]] = {}
    for place in places:
        if place.instruction.keyword not in {"ENV", "ARG"}:
            continue
        own = shell.words(text, place.instruction)
        for index, word in enumerate(own):
            name = word.text.partition("=")[0]
            if name in names and "=" in word.text:
                found[name] = (place.instruction, _drop(text, place.instruction, own, index))
            elif name in names and place.instruction.keyword == "ENV" and index == 0 and len(own) == 2:
                found[name] = (place.instruction, _whole(text, place.instruction))
    return found


def _drop(text: str, instruction: Instruction, words: list[Word], index: int) -> Edit | None:
    if len(words) == 1:
        return _whole(text, instruction)
    word = words[index]
    if index == 0:
        # What comes next takes its place.
        return Edit(word.start, words[1].start) if "#" not in text[word.end : words[1].start] else None
    try:
        return Edit(*shell.removal(text, words, index))
    except ValueError:
        return None


def _whole(text: str, instruction: Instruction) -> Edit:
    lines = shell.offsets(text)
    return Edit(lines[instruction.line - 1], lines[instruction.last])

"""Cache mounts: which steps fetch packages without one, and which have one that does nothing. Pure."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping

from homeport.audit import shell
from homeport.audit.finding import CACHE_DEFEATED, CACHE_MISSING, SYSTEM_CACHE_MISSING, Edit, Finding, Rule
from homeport.audit.programs import CLEANERS, OFFICIAL, PROGRAMS, SYSTEM, Program, Use, use_of
from homeport.audit.shell import Command, Word
from homeport.audit.stages import Place
from homeport.model.instruction import DockerfileSyntaxError, Instruction, mounts


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
                yield from _judge(text, path, place, same, everything, turned_off)


def _judge(
    text: str,
    path: str,
    place: Place,
    uses: list[Use],
    everything: tuple[Command, ...],
    turned_off: Mapping[str, tuple[Instruction, Edit | None]],
) -> Iterator[Finding]:
    program, instruction = uses[0].program, place.instruction
    there = _targets(place)
    wanted = [_folder(keep, place, uses) for keep in program.keeps]
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
    reasons += [f"'{_short(command)}' in the same step" for command in _cleaning(program, wanted, everything)]
    edits += [None for _ in _cleaning(program, wanted, everything)]
    covered = [folder for folder in wanted if folder and any(_within(folder, one) for one in there)]
    missing = [folder for folder in wanted if folder not in covered]
    verb = uses[0].verb
    if covered and (program.name != "go" or len(covered) == len(wanted)):
        if reasons:
            yield _finding(
                CACHE_DEFEATED, path, place, program, edits,
                f"the cache of '{verb}' is mounted and not used: {', '.join(dict.fromkeys(reasons))}",
                f"Take {'it' if len(reasons) == 1 else 'them'} out: with the mount nothing of the cache "
                "gets into the image.",
            )  # fmt: skip
        return
    if near and not covered:
        elsewhere = f"{program.name} keeps its cache in {wanted[0] or 'another folder'}"
        who = f" (the step runs as {place.user})" if not place.root else ""
        yield _finding(
            CACHE_DEFEATED, path, place, program, [None],
            f"a cache is mounted at {near[0]}, but {elsewhere}{who}",
            f"Mount the cache there{'' if place.root else ', with uid= of the user'}.",
        )  # fmt: skip
        return
    if any(folder == "" for folder in wanted):
        yield _finding(
            CACHE_MISSING, path, place, program, [None],
            f"'{verb}' has no cache mount (it runs as {place.user}, whose home is not known here)",
            "Add one for the user's cache folder, with uid= of the user.",
        )  # fmt: skip
        return
    system = program.name in SYSTEM
    if system:
        yield _system(path, place, program, verb)
        return
    added = "".join(f" --mount=type=cache,target={folder}" for folder in missing)
    place_of_flags = shell.flags_start(text, instruction)
    mount: Edit | None = Edit(place_of_flags, place_of_flags, added) if place.root else None
    if instruction.value.lstrip().startswith("["):
        mount = None
    rest = " and take out " + ", ".join(dict.fromkeys(reasons)) if reasons else ""
    yield _finding(
        CACHE_MISSING, path, place, program, [mount, *edits],
        f"'{verb}' has no cache mount",
        f"RUN{added}{rest}.",
    )  # fmt: skip


def _system(path: str, place: Place, program: Program, verb: str) -> Finding:
    """System packages: a mount alone isn't enough, and what else it takes changes the image a little."""
    folders = [behind for keep in program.keeps for _, behind in keep]
    mounted = "".join(f" --mount=type=cache,target={folder},sharing=locked" for folder in folders)
    rest = {
        "apt": "leave the lists where they are (no 'rm -rf /var/lib/apt/lists'), and remove "
        "/etc/apt/apt.conf.d/docker-clean before, which deletes packages at once",
        "apk": "take --update-cache in the place of --no-cache",
    }[program.name]
    return Finding(
        SYSTEM_CACHE_MISSING,
        path,
        place.instruction.line,
        f"'{verb}' has no cache mount",
        f"RUN{mounted}; {rest}.",
        about=program.name,
    )


def _finding(
    rule: Rule,
    path: str,
    place: Place,
    program: Program,
    edits: list[Edit | None],
    what: str,
    fix: str,
) -> Finding:
    done = tuple(edit for edit in edits if edit is not None)
    whole = bool(edits) and len(done) == len(edits)
    return Finding(rule, path, place.instruction.line, what, fix, done if whole else (), program.name)


def _targets(place: Place) -> list[str]:
    try:
        found = mounts(place.instruction, lambda value: _filled(value, place.variables))
    except DockerfileSyntaxError:
        return []
    return [
        posixpath.normpath(one["target"]) for one in found if one["type"] == "cache" and one.get("target")
    ]


def _filled(value: str, variables: Mapping[str, str]) -> str:
    return re.sub(r"\$\{?(\w+)\}?", lambda match: variables.get(match[1], match[0]), value)


def _folder(keep: tuple[tuple[str, str], ...], place: Place, uses: list[Use]) -> str:
    """Where a program keeps its cache here; empty where nobody can tell."""
    variables = dict(place.variables)
    base = place.stage.image.rpartition("/")[2].partition(":")[0].partition("@")[0]
    for name, value in OFFICIAL.get(base, {}).items():
        variables.setdefault(name, value)
    variables["HOME"] = place.home
    for use in uses:
        for word in use.command.variables:
            name, _, value = word.text.partition("=")
            variables[name] = value
        for option in ("--cache-dir", "--cache", "--store-dir"):
            if said := _option(use.command, option):
                return _filled(said, variables)
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


def _within(folder: str, target: str) -> bool:
    return folder == target or folder.startswith(target.rstrip("/") + "/")


def _cleaning(program: Program, folders: list[str], everything: tuple[Command, ...]) -> list[Command]:
    """Commands that empty the cache in the same step."""
    return [
        command
        for command in everything
        if any(command.texts[: len(cleaner)] == cleaner for cleaner in CLEANERS.get(program.name, ()))
        or (
            command.texts[:1] == ("rm",)
            and any(
                folder and _emptied(word, folder)
                for folder in folders
                for word in command.texts[1:]
                if word.startswith("/")
            )
        )
    ]


def _emptied(word: str, folder: str) -> bool:
    """Whether removing what a word of ``rm`` names empties a folder."""
    named = word.removesuffix("/*").rstrip("/")
    return _within(named, folder) or _within(folder, named)


def _short(command: Command) -> str:
    text = " ".join(command.texts)
    return text if len(text) <= 40 else f"{text[:37]}..."


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

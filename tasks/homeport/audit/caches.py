"""Cache mounts: which steps fetch packages without one, and which have one that does nothing. Pure."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from homeport.audit import cachemounts, hazards, shell, system
from homeport.audit.accounts import Account, account
from homeport.audit.cachemounts import filled, finding, short, targets, within
from homeport.audit.finding import CACHE_DEFEATED, CACHE_MISSING
from homeport.audit.programs import OFFICIAL, SYSTEM, Program, Use, use_of
from homeport.audit.shell import Command, Word
from homeport.audit.stages import Place
from homeport.model.finding import Edit, Finding, Rule
from homeport.model.instruction import Instruction

_POSIX = re.compile(r'^\[\s*"[^"]*\b(ba|da|a|z|k)?sh"')
_COMPILES = {"pip", "uv", "poetry"}
_WRITES_NOTHING_BESIDE = {"pip", "uv", "npm"}
_NO = {"0", "false", "f", "no", "n", "off"}
"""What uv takes for a no (clap, BoolishValueParser)."""


def find(text: str, path: str, places: list[Place]) -> Iterator[Finding]:
    """Findings about cache mounts in a Dockerfile; ``places`` are its instructions, ``text`` the file."""
    for place in places:
        if place.instruction.keyword != "RUN" or not _is_posix(place, places):
            continue
        everything = shell.commands(text, place.instruction)
        uses = [use for use in map(use_of, everything) if use is not None and use.fetches]
        for program in dict.fromkeys(use.program for use in uses):
            own = [use for use in uses if use.program is program]
            if program.name in SYSTEM:
                yield from system.find(text, path, place, own, everything, places)
            else:
                yield from _Step(text, path, place, places, own, everything).findings()


def _is_posix(place: Place, places: list[Place]) -> bool:
    """Whether a RUN is read by a shell whose words can be told: not on Windows, nor after such a SHELL."""
    if place.instruction.escape == "`":
        return False
    lineage = {id(stage) for stage in place.stage.lineage()}
    said = [
        one.instruction.value
        for one in places
        if one.instruction.keyword == "SHELL"
        and id(one.stage) in lineage
        and one.instruction.line < place.instruction.line
    ]
    return not said or bool(_POSIX.search(said[-1]))


class _Step:
    """One RUN and one program that it fetches packages with (``uses``)."""

    def __init__(
        self,
        text: str,
        path: str,
        place: Place,
        places: list[Place],
        uses: list[Use],
        everything: tuple[Command, ...],
    ) -> None:
        self._text, self._path, self._place, self._places = text, path, place, places
        self._uses, self._everything = uses, everything
        self._program = uses[0].program
        self._who = account(text, place, places)
        self._wanted = [_folder(keep, place, self._who, uses) for keep in self._program.keeps]
        self._reasons: list[str] = []
        self._edits: list[Edit | None] = []

    def findings(self) -> Iterator[Finding]:
        """What is wrong with it, if anything is."""
        program, place, wanted = self._program, self._place, self._wanted
        self._look()
        there = targets(place)
        covered = [folder for folder in wanted if folder and any(within(folder, one) for one in there)]
        near = [target for target in there if _meant_for(program, target)]
        verb = self._uses[0].verb
        if covered and (program.name != "go" or len(covered) == len(wanted)):
            if self._reasons:
                them = "it" if len(self._reasons) == 1 else "them"
                why = ", ".join(dict.fromkeys(self._reasons))
                yield self._finding(
                    CACHE_DEFEATED,
                    self._edits,
                    f"the cache of '{verb}' is mounted and not used: {why}",
                    f"Take {them} out: with the mount nothing of the cache gets into the image.",
                )
        elif near and not covered:
            yield self._elsewhere(near)
        elif "" in wanted:
            home = "" if place.root else f" (it runs as {place.user}, whose home is not known here)"
            yield self._finding(
                CACHE_MISSING, [None], f"'{verb}' has no cache mount{home}", "Add one for its cache folder."
            )
        else:
            yield from self._missing([folder for folder in wanted if folder not in covered])

    def _elsewhere(self, near: list[str]) -> Finding:
        folder = self._wanted[0]
        runner = f" (the step runs as {self._place.user})" if not self._place.root else ""
        known = folder and len(near) == len(self._wanted) == 1 and not self._hazard([folder])
        move = cachemounts.moved(self._text, self._place, near[0], folder + self._owner) if known else None
        return self._finding(
            CACHE_DEFEATED,
            [move, *self._edits],
            f"a cache is mounted at {near[0]}, but {self._program.name} keeps its cache in "
            f"{folder or 'another folder'}{runner}",
            f"Mount the cache there{'' if self._place.root else ', with uid= of the user'}.",
        )

    def _missing(self, missing: list[str]) -> Iterator[Finding]:
        if all(hazards.mounted(self._place, one) for one in missing):
            return  # what lies there isn't the image's in any case
        hazard = self._hazard(missing)
        # What one libc compiles must not come to the other.
        apart = self._program.name in _COMPILES and "alpine" in self._place.stage.image
        flags = "".join(
            f" --mount=type=cache,{f'id=musl:{folder},' if apart else ''}target={folder}{self._owner}"
            for folder in missing
        )
        mount = None if hazard else cachemounts.added(self._text, self._place, flags)
        rest = " and take out " + ", ".join(dict.fromkeys(self._reasons)) if self._reasons else ""
        yield self._finding(
            CACHE_MISSING,
            [mount, *self._edits],
            f"'{self._uses[0].verb}' has no cache mount",
            f"RUN{flags}{rest}." + (f" By hand: {hazard}." if hazard else ""),
        )

    def _hazard(self, folders: list[str]) -> str:
        """Why no mount is written; empty if it may be."""
        if not self._who.uid:
            return f"the number of {self._place.user} is not known here"
        own = [use.command for use in self._uses]
        alone = all(command in own for command in self._everything)
        for folder in folders:
            # BuildKit makes the folders above a mount, and root's: what else the step writes there fails.
            beside = alone and self._program.name in _WRITES_NOTHING_BESIDE
            if not (self._place.root or posixpath.dirname(folder) == self._who.home or beside):
                return f"{posixpath.dirname(folder)} would be root's in this step"
        return hazards.against(
            self._place, self._places, self._program, folders, self._who.home, self._everything
        )

    @property
    def _owner(self) -> str:
        return "" if self._place.root else f",uid={self._who.uid}"

    def _look(self) -> None:
        """Note what keeps the program from using a cache, and how to mend that."""
        for use in self._uses:
            for word in use.options:
                if word.text in self._program.against:
                    self._note(f"{word.text} on the same line", self._without(word))
        for name in sorted(self._program.off):
            here = [word.text.partition("=")[0] for use in self._uses for word in use.command.variables]
            exported = any(
                one.texts[:1] == ("export",) and any(word.startswith(f"{name}=") for word in one.texts)
                for one in self._everything
            )
            if name in here or exported:
                self._note(f"{name} in the {'command' if name in here else 'step'}", None)
            elif self._turns_off(value := self._place.variables.get(name, "")):
                where = next((one for one in reversed(self._before()) if name in one.value), None)
                line = f" (line {where.line})" if where else ""
                said = f"{name}={value}{line}"
                for use in self._uses:
                    self._note(said, self._on(use, name))
        for command in self._everything:
            if command.texts[:1] and command.texts[0] in self._program.against:
                # Behind a $(...), of which shell.py makes a command of its own.
                self._note(f"{command.texts[0]} on the same line", None)
            use_ = use_of(command)
            emptied = any(folder and cachemounts.empties(command, folder) for folder in self._wanted)
            if emptied or (use_ is not None and use_.program is self._program and use_.cleans):
                self._note(f"'{short(command)}' in the same step", None)

    def _turns_off(self, value: str) -> bool:
        """Whether a variable's value turns the cache off: pip takes any for a yes, uv knows a no."""
        return bool(value) and (not self._program.on or value.lower() not in _NO)

    def _before(self) -> list[Instruction]:
        lineage = {id(stage) for stage in self._place.stage.lineage()}
        return [
            one.instruction
            for one in self._places
            if one.instruction.keyword in {"ENV", "ARG"} and id(one.stage) in lineage
        ]

    def _note(self, reason: str, edit: Edit | None) -> None:
        self._reasons.append(reason)
        self._edits.append(edit)

    def _on(self, use: Use, name: str) -> Edit | None:
        """For this command alone: who else needs what the variable says, here or in images made of this one,
        can't be told."""
        if use.word is not use.command.words[0]:
            return None
        return Edit(use.word.start, use.word.start, f"{name}={self._program.on} ")

    def _without(self, word: Word) -> Edit | None:
        words = sorted(
            (one for command in self._everything for one in (*command.variables, *command.words)),
            key=lambda one: one.start,
        )
        try:
            return Edit(*shell.removal(self._text, words, words.index(word)))
        except ValueError:
            return None

    def _finding(self, rule: Rule, edits: list[Edit | None], what: str, fix: str) -> Finding:
        return finding(rule, self._path, self._place, self._program.name, edits, what, fix)


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
                return _plain(filled(said, variables))
    for name, behind in keep:
        if not name:
            return behind
        if name == "HOME" and not variables["HOME"]:
            return ""
        if variables.get(name):
            return _plain(variables[name] + behind)
    return ""


def _plain(path: str) -> str:
    """An absolute path as it can stand in a mount; empty for any other, and for one with a variable."""
    return posixpath.normpath(path) if re.fullmatch(r"/[\w./+@%-]+", path) else ""


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

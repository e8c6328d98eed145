"""What speaks against a cache mount: its folder is needed in the image, emptied, or mounted already. Pure.

A step that mounts a cache leaves nothing of it in the image. Where anything in the file may count on that
folder, or it can't be told, no edit is offered: a build that is slow is better than one that breaks.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterator, Sequence

from homeport.audit import cachemounts
from homeport.audit.programs import Program
from homeport.audit.shell import Command
from homeport.audit.stages import Place
from homeport.model.instruction import DockerfileSyntaxError, Instruction, mounts, paths

_END = r"(?=/?\*?(?:$|[\s\"'*?;&|)\],:]))"
_OFFLINE = re.compile(
    r"--offline\b|--no-index\b|\bGOPROXY=off\b|\bCARGO_NET_OFFLINE\b|\bUV_OFFLINE\b|\bnpm_config_offline\b"
    r"|\bcargo\b[^\n]*--frozen\b",
    re.IGNORECASE,
)
_STARTS = {"go": re.compile(r"\bgo\b.{0,9}\brun\b"), "cargo": re.compile(r"\bcargo\b.{0,9}\brun\b")}
_REMOVERS = {"rm", "rmdir", "find", "mv", "unlink", "shred", "truncate"}
_GLOB = re.compile(r"[*?\[]")


def against(
    place: Place, places: Sequence[Place], program: Program, folders: Collection[str], home: str,
    commands: Sequence[Command],
) -> str:  # fmt: skip
    """Why no cache of ``program`` may be mounted at ``folders`` in this RUN; empty if nothing is known.

    ``home`` is the user's, empty where nobody knows it; ``commands`` are the step's own.
    """
    return next(filter(None, _reasons(place, places, program, folders, home, commands)), "")


def _reasons(
    place: Place, places: Sequence[Place], program: Program, folders: Collection[str], home: str,
    commands: Sequence[Command],
) -> Iterator[str]:  # fmt: skip
    names = {name for keep in program.keeps for name, _ in keep if name not in {"", "HOME", "XDG_CACHE_HOME"}}
    for folder in folders:
        if mounted(place, folder):
            yield f"something else is mounted at {folder}"
        pattern = _spellings(folder, home)
        for one in places:
            if _names(one.instruction, pattern, folder):
                yield f"{folder} is named in line {one.instruction.line}"
        for command in commands:
            if _may_remove(command, folder, place, home, commands):
                yield f"'{cachemounts.short(command)}' may empty it"
    for one in places:
        text = _text(one.instruction)
        if names and re.search(rf"\b(?:{'|'.join(map(re.escape, sorted(names)))})\b(?!=)", text):
            yield f"its folder is used in line {one.instruction.line}"
        offline = ("network", "none") in one.instruction.flags or _OFFLINE.search(text)
        if offline or (one.instruction.keyword == "ENV" and _OFFLINE.search(one.instruction.value)):
            yield f"line {one.instruction.line} works without a network"
        starts = _STARTS.get(program.name)
        if starts and one.instruction.keyword in {"CMD", "ENTRYPOINT"} and starts.search(text):
            yield f"what starts in line {one.instruction.line} needs it in the image"
    if program.name == "uv" and place.variables.get("UV_LINK_MODE") == "symlink":
        yield "UV_LINK_MODE=symlink: what is installed leads into the cache"


def _text(instruction: Instruction) -> str:
    """What an instruction says, but for its flags, and for ENV and ARG, by which a folder is chosen."""
    if instruction.keyword in {"ENV", "ARG", "LABEL", "USER"}:
        return ""
    return "\n".join([instruction.value, *(heredoc.content for heredoc in instruction.heredocs)])


def _spellings(folder: str, home: str) -> re.Pattern[str]:
    """The folder, what is in it, and each folder around it alone, as absolute paths and from the home."""
    found = []
    around = folder
    while around not in {"/", ""}:
        ways = [re.escape(around)]
        if home and (around == home or around.startswith(f"{home}/")):
            rest = re.escape(around[len(home) :])
            ways += [rf"~{rest}", rf"\$HOME{rest}", rf"\$\{{HOME\}}{rest}"]
        end = rf"(?:{_END}|/)" if around == folder else _END
        found.append(rf"(?<![\w.$~/-])(?:{'|'.join(ways)}){end}")
        around = posixpath.dirname(around)
    return re.compile("|".join(found))


def _names(instruction: Instruction, pattern: re.Pattern[str], folder: str) -> bool:
    if instruction.keyword == "WORKDIR":
        return cachemounts.within(posixpath.normpath(instruction.value.strip()), folder)
    if instruction.keyword in {"COPY", "ADD"} and not dict(instruction.flags).get("from"):
        # What it takes is the context's own.
        try:
            return cachemounts.within(posixpath.normpath(paths(instruction)[1]), folder)
        except DockerfileSyntaxError:
            return False
    return bool(pattern.search(_text(instruction)))


def mounted(place: Place, folder: str) -> bool:
    """Whether anything but a cache is mounted there, around it or in it."""
    try:
        found = mounts(place.instruction, lambda value: cachemounts.filled(value, place.variables))
    except DockerfileSyntaxError:
        return True
    targets = [
        posixpath.normpath(one["target"]) for one in found if one["type"] != "cache" and "target" in one
    ]
    return any(cachemounts.within(one, folder) or cachemounts.within(folder, one) for one in targets)


def _may_remove(command: Command, folder: str, place: Place, home: str, commands: Sequence[Command]) -> bool:
    """Whether a command that removes things may mean the folder, as far as its words can be told."""
    texts = command.texts
    if not texts or not _REMOVERS & {posixpath.basename(word) for word in texts[:3]}:
        return False
    moves = any(one.texts[:1] in (("cd",), ("pushd",)) for one in commands)
    for word in texts[1:]:
        if word.startswith("-"):
            continue
        path = cachemounts.filled(word, {**place.variables, "HOME": home or "$HOME"})
        if "$" in path or "`" in path:
            return True
        if not path.startswith("/"):
            if moves and posixpath.basename(texts[0]) in _REMOVERS:
                return True
            continue
        glob = _GLOB.search(path)
        start = path[: glob.start()] if glob else ""
        plain = path.rstrip("/")
        if glob and (f"{folder}/".startswith(start) or start.startswith(f"{folder}/")):
            return True
        if not glob and (cachemounts.within(plain, folder) or cachemounts.within(folder, plain)):
            return True
    return False

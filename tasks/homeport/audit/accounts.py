"""Users that a Dockerfile makes: number and home, as useradd(8) and both programs called adduser say. Pure.

Debian's adduser(8) and BusyBox's differ in what their short options mean; what both read alike is read here.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass

from homeport.audit import shell
from homeport.audit.shell import Command
from homeport.audit.stages import Place, Stage


@dataclass(frozen=True)
class Account:
    """A user's number, and the home folder that exists; empty where it isn't known."""

    uid: str = ""
    home: str = ""


OFFICIAL = {"node": {"node": Account("1000", "/home/node")}}
"""Users of official images: https://github.com/nodejs/docker-node/blob/main/docs/BestPractices.md#non-root-user"""
_UID = {"-u", "--uid"}
_HOME = {"useradd": {"-d", "--home", "--home-dir"}, "adduser": {"-h", "--home"}}
_TAKE_VALUE = {
    "useradd": {"-u", "-d", "-g", "-G", "-s", "-c", "-b", "-e", "-f", "-k", "-K", "-p", "-R", "-P", "-Z",
                "--uid", "--home", "--home-dir", "--gid", "--groups", "--shell", "--comment", "--base-dir",
                "--password", "--skel"},
    "adduser": {"-u", "-h", "-G", "-s", "-g", "-k", "--uid", "--home", "--ingroup", "--gid", "--shell",
                "--gecos", "--comment"},
}  # fmt: skip
_NO_HOME = {"-M", "-H", "--no-create-home", "--system", "-r", "-S"}
_MAKES_HOME = {"-m", "--create-home"}


def account(text: str, place: Place, places: list[Place]) -> Account:
    """Who runs an instruction; ``places`` are all instructions of the file, ``text`` the file.

    Root where the base image decides, which is what nearly all of them say.
    """
    name = place.user.partition(":")[0]
    said = place.variables.get("HOME", "")
    if place.root:
        return Account("0", said or "/root")
    found = _known(place.stage).get(name, Account())
    lineage = {id(stage) for stage in place.stage.lineage()}
    for other in places:
        if other is place:
            break
        if id(other.stage) in lineage and other.instruction.keyword == "RUN":
            for command in shell.commands(text, other.instruction):
                made = _made(command)
                found = made[1] if made and made[0] == name else found
                if _changes(command, name):
                    return Account(name if name.isdigit() else "", said)
    return Account(name if name.isdigit() else found.uid, said or found.home)


def _known(stage: Stage) -> dict[str, Account]:
    image = stage.image.partition("@")[0]
    name = image.removeprefix("docker.io/").removeprefix("library/").partition(":")[0]
    return OFFICIAL.get(name, {})


def _changes(command: Command, name: str) -> bool:
    """Whether a command makes another user of one that there is, or takes it away."""
    program = posixpath.basename(command.texts[0]) if command.texts else ""
    return program in {"usermod", "userdel", "deluser", "sed", "vipw"} and name in " ".join(command.texts[1:])


def _made(command: Command) -> tuple[str, Account] | None:
    """The name and account that a command makes, if it makes one."""
    program = posixpath.basename(command.texts[0]) if command.texts else ""
    if program not in _HOME:
        return None
    uid = home = ""
    names = []
    flags = set()
    words = iter(command.texts[1:])
    for word in words:
        option, equals, value = word.partition("=")
        if not word.startswith("-"):
            names.append(word)
            continue
        if program == "useradd" and not word.startswith("--") and len(word) > 2:
            # -ms /bin/sh: flags in one word, the last of which may take a value.
            flags |= {f"-{letter}" for letter in word[1:-1]}
            option = f"-{word[-1]}"
        flags.add(option)
        if option in _TAKE_VALUE[program] and not equals:
            value = next(words, "")
        uid = value if option in _UID else uid
        home = value if option in _HOME[program] else home
    # Debian's adduser takes the group to add somebody to as a second name.
    if len(names) != 1:
        return None
    if flags & {"-b", "--base-dir", "-R", "--root", "-P", "--prefix"}:
        return names[0], Account(uid if uid.isdigit() else "")
    exists = bool(flags & _MAKES_HOME) if program == "useradd" else not flags & _NO_HOME
    at = posixpath.normpath(home) if home.startswith("/") else f"/home/{names[0]}"
    return names[0], Account(uid if uid.isdigit() else "", at if exists and "$" not in names[0] else "")

"""Cache mounts of apt and apk, which need more than the mount. Pure.

apt: official images of Debian and Ubuntu, and what is made of them, have /etc/apt/apt.conf.d/docker-clean,
which deletes /var/cache/apt/archives/*.deb after each command (https://docs.docker.com/reference/dockerfile/,
"RUN --mount=type=cache"). There the advice is to remove that file, which changes the image. Packages that lie
in another folder (apt.conf(5), Dir::Cache::Archives) are not deleted, and the image stays as it is.

apk: a folder /etc/apk/cache makes it keep what it fetches
(https://wiki.alpinelinux.org/wiki/Local_APK_cache); ``--no-cache`` also stands for "fetch the index", so
``--update-cache`` has to come in its place.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from homeport.audit import cachemounts, shell
from homeport.audit.cachemounts import finding
from homeport.audit.finding import CACHE_DEFEATED, SYSTEM_CACHE_MISSING
from homeport.audit.programs import Use, use_of
from homeport.audit.shell import Command
from homeport.audit.stages import Place
from homeport.model.finding import Edit, Finding

APT = "/var/cache/apt"
APK = "/etc/apk/cache"
_ARCHIVES = "Dir::Cache::Archives"
_KEPT = f"{_ARCHIVES}={APT}/kept"
_KEEP = "APT::Keep-Downloaded-Packages=true"
_UPDATE = "--update-cache"
_DEFAULT = f"{APT}/archives"
NEW_WORDS = frozenset({"-o", _KEPT, _KEEP, _UPDATE})
"""All words that an edit of this module can bring into a command."""


def find(
    text: str, path: str, place: Place, uses: list[Use], everything: tuple[Command, ...], places: list[Place]
) -> Iterator[Finding]:
    """Findings about one RUN that uses apt or apk (``uses``); ``everything`` are its commands."""
    if uses[0].program.name == "apk":
        yield from _apk(text, path, place, uses, everything)
    else:
        yield from _apt(text, path, place, uses, everything, places)


def _apt(
    text: str, path: str, place: Place, uses: list[Use], everything: tuple[Command, ...], places: list[Place]
) -> Iterator[Finding]:
    own = [one for one in cachemounts.targets(place) if one.startswith(("/var/cache", "/var/lib/apt"))]
    folders = {_archives(use) for use in uses}
    default = folders == {_DEFAULT}
    hazard = _needed(text, place, places, uses)
    deleted = default and not _said(text, place, places, "docker-clean")
    keeps = {f"{APT}/kept"} if deleted else folders
    against = [
        one for one in everything if any(cachemounts.empties(one, folder) for folder in (*keeps, *own))
    ]
    if default and not deleted:
        used_for = ((one, use_of(one)) for one in everything)
        against += [one for one, use in used_for if use and use.program.name == "apt" and use.cleans]
    # What is emptied there is the mount's own, and not the image's. Mounts by a variable are left to people.
    written = [one for one in own if any(one in value for _, value in place.instruction.flags)]
    edits: list[Edit | None] = [
        cachemounts.without(text, one, everything) if cachemounts.useless(one, written) else None
        for one in against
    ]
    if hazard:
        edits.append(None)
    if deleted:
        edits += [edit for use in uses for edit in _kept(use)]
    option = f" with -o {_KEPT} behind apt-get"
    why = ": docker-clean of the base image deletes what lies elsewhere"
    verb = uses[0].verb
    mounted = all(any(cachemounts.within(folder, one) for one in own) for folder in folders)
    if mounted and not all(any(cachemounts.within(folder, one) for one in own) for folder in keeps):
        edits.append(None)  # what is kept there would get into the image
    if not mounted:
        flag = f" --mount=type=cache,target={APT},sharing=locked"
        mount = cachemounts.added(text, place, flag) if place.root else None
        yield finding(
            SYSTEM_CACHE_MISSING, path, place, "apt", [mount, *edits], f"'{verb}' has no cache mount",
            f"RUN{flag},{option if deleted else ''}".rstrip(",")
            + f"{_out(against)}{why if deleted else ''}.{hazard}",
        )  # fmt: skip
        return
    official = deleted and "/" not in _official(place.stage.image)
    reasons = [f"'{cachemounts.short(one)}' in the same step" for one in against]
    if official:
        reasons.append("docker-clean of the base image deletes packages after each command")
    if reasons:
        yield finding(
            CACHE_DEFEATED, path, place, "apt", edits,
            f"the cache of '{verb}' is mounted and not used: {', '.join(dict.fromkeys(reasons))}",
            f"Run it{option}{_out(against)}{why}." if official else "Take it out.",
        )  # fmt: skip


def _apk(
    text: str, path: str, place: Place, uses: list[Use], everything: tuple[Command, ...]
) -> Iterator[Finding]:
    mounted = any(cachemounts.within(APK, one) for one in cachemounts.targets(place))
    emptied = [one for one in everything if cachemounts.empties(one, APK)]
    without = [word for use in uses for word in use.options if word.text == "--no-cache"]
    edits: list[Edit | None] = [Edit(word.start, word.end, _UPDATE) for word in without]
    edits += [None for _ in emptied]
    # With a cache apk looks for its index there alone, and that may be empty.
    fresh = any(
        use and use.program.name == "apk" and use.names[:1] == ("update",) for use in map(use_of, everything)
    )
    update = {"--no-cache", _UPDATE, "-U", "--update"}
    if not fresh and not all(any(word.text in update for word in use.options) for use in uses):
        edits.append(None)
    verb = uses[0].verb
    instead = f"{_UPDATE} in the place of --no-cache" if without else ""
    if not mounted:
        flag = f" --mount=type=cache,target={APK},sharing=locked"
        mount = cachemounts.added(text, place, flag) if place.root else None
        yield finding(
            SYSTEM_CACHE_MISSING, path, place, "apk", [mount, *edits], f"'{verb}' has no cache mount",
            f"RUN{flag}{', with ' if instead else ''}{instead}{_out(emptied)}.",
        )  # fmt: skip
    elif without or emptied:
        reasons = ["--no-cache on the same line"] if without else []
        reasons += [f"'{cachemounts.short(one)}' in the same step" for one in emptied]
        yield finding(
            CACHE_DEFEATED, path, place, "apk", edits,
            f"the cache of '{verb}' is mounted and not used: {', '.join(reasons)}",
            f"Take {instead}{_out(emptied)}." if without else "Take it out.",
        )  # fmt: skip


def _out(commands: list[Command]) -> str:
    return "".join(f", without '{cachemounts.short(one)}'" for one in commands)


def _archives(use: Use) -> str:
    """The folder in which a command keeps packages."""
    words = " ".join(use.command.texts)
    said = re.findall(rf"(?:-o|--option)[ =]?{_ARCHIVES}/?=(\S+)", words, re.IGNORECASE)
    return posixpath.normpath(posixpath.join(APT, said[-1])) if said else _DEFAULT


def _kept(use: Use) -> Iterator[Edit]:
    """The options by which a command keeps packages where docker-clean doesn't look."""
    name = use.word
    # apt, unlike apt-get, deletes what it has installed.
    keep = f" -o {_KEEP}" if posixpath.basename(name.text) == "apt" else ""
    yield Edit(name.end, name.end, f" -o {_KEPT}{keep}")


def _needed(text: str, place: Place, places: list[Place], uses: list[Use]) -> str:
    """Why packages have to stay where apt puts them, in words; empty if nothing is known."""
    if any(word.text in {"-d", "--download-only"} for use in uses for word in use.options):
        return " By hand: the step only downloads."
    if any(word.text.startswith(("-c", "--config-file")) for use in uses for word in use.options):
        return " By hand: it has a configuration of its own."
    for one in places:
        said = "\n".join([one.instruction.value, *(each.content for each in one.instruction.heredocs)])
        if one.instruction.keyword in {"RUN", "COPY", "CMD", "ENTRYPOINT"} and re.search(
            r"/var/cache/apt\b", said
        ):
            return f" By hand: /var/cache/apt is named in line {one.instruction.line}."
    return ""


def _said(text: str, place: Place, places: list[Place], what: str) -> bool:
    """Whether something is named in this step, or before it in what it builds on."""
    lineage = {id(stage) for stage in place.stage.lineage()}
    lines = shell.offsets(text)
    return any(
        what in text[lines[one.instruction.line - 1] : lines[one.instruction.last]]
        for one in places
        if id(one.stage) in lineage and one.instruction.line <= place.instruction.line
    )


def _official(image: str) -> str:
    return image.removeprefix("docker.io/").removeprefix("library/")

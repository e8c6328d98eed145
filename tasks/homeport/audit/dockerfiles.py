"""What else can be said of a Dockerfile by reading it. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from homeport.audit import caches, programs, shell
from homeport.audit.finding import (
    BASE_UNTAGGED,
    BUILD_TOOLS,
    COPY_TOO_EARLY,
    NO_HEALTH_CHECK,
    RUNS_AS_ROOT,
    SECRET,
    UNREADABLE,
)
from homeport.audit.secretfiles import PUBLISHED
from homeport.audit.stages import Place, Stage, places
from homeport.model import secret_names
from homeport.model.dockerfile import Dockerfile, foreign, frontend, parse
from homeport.model.finding import Finding
from homeport.model.instruction import (
    DockerfileSyntaxError,
    Instruction,
    assignments,
    declarations,
    fields,
    mounts,
    paths,
)

_DROPS = re.compile(r"\b(su-exec|gosu|setpriv|s6-setuidgid|chpst|runuser)\b")
"""Programs by which an entrypoint goes on as another user."""
_KEYWORDS = {"ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL",
             "MAINTAINER", "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"}  # fmt: skip
_COMPILERS = {
    "apt": {
        "build-essential",
        "gcc",
        "g++",
        "clang",
        "make",
        "cmake",
        "cargo",
        "rustc",
        "golang",
        "golang-go",
    },
    "apk": {"build-base", "gcc", "g++", "clang", "make", "cmake", "cargo", "rust", "go"},
}


def find(text: str, path: str, *, contexts: Collection[str] = (), checked: bool = False) -> list[Finding]:
    """All findings of a Dockerfile.

    ``contexts`` are names that a bake or Compose file gives to contexts. ``checked``: a Compose file says how
    health is checked.
    """
    if foreign(frontend(text)):
        return []  # what its lines mean, only its frontend knows
    try:
        file = parse(text)
        _check(file)
    except DockerfileSyntaxError as error:
        return [Finding(UNREADABLE, path, error.line, str(error), "Correct the line.")]
    if not any(each.keyword == "FROM" for each in file.instructions):
        return [Finding(UNREADABLE, path, 0, "there is no FROM", "Begin with one.")]
    everything, own = places(file)
    final = everything[-1]
    return [
        *caches.find(text, path, own),
        *_bases(everything, path, contexts),
        *_copied_too_early(text, path, own),
        *_root(path, own, final),
        *_health(path, final, checked=checked),
        *_secrets(path, own, file, final),
        *_compilers(text, path, own, final),
    ]


def _check(file: Dockerfile) -> None:
    """Raise DockerfileSyntaxError for what BuildKit rejects behind its parser (instructions/parse.go)."""
    for one in file.instructions:
        if one.keyword not in _KEYWORDS:
            raise DockerfileSyntaxError(f"there is no instruction '{one.keyword}'", one.line)
        if one.keyword == "FROM" and len(fields(one.value)) not in {1, 3}:
            raise DockerfileSyntaxError("FROM has an image, and a name behind AS at most", one.line)
        if one.keyword == "RUN":
            mounts(one)


def has_health_check(text: str, target: str = "") -> bool:
    """Whether a Dockerfile says how the health of what it makes (a stage, else the last) is checked."""
    try:
        everything, _ = places(parse(text))
    except DockerfileSyntaxError:
        return False
    chosen = [stage for stage in everything if not target or target.lower() == stage.name]
    return bool(chosen) and any(
        _is_check(each) for stage in chosen[-1].lineage() for each in stage.instructions
    )


def _is_check(instruction: Instruction) -> bool:
    return instruction.keyword == "HEALTHCHECK" and instruction.value.strip().upper() != "NONE"


def _bases(stages: list[Stage], path: str, contexts: Collection[str]) -> Iterator[Finding]:
    for stage in stages:
        name = stage.base
        if stage.parent or name in {"", "scratch", *contexts} or "$" in name:
            continue
        last = name.rpartition("/")[2]
        if "@" in name:
            continue
        tag = last.partition(":")[2]
        if not tag or tag == "latest":
            yield Finding(
                BASE_UNTAGGED,
                path,
                stage.line,
                f"{name} is whatever is latest",
                "Name a version.",
                about=name,
            )


def _copied_too_early(text: str, path: str, places: list[Place]) -> Iterator[Finding]:
    early: dict[int, Instruction] = {}
    for place in places:
        instruction, stage = place.instruction, place.stage
        if instruction.keyword in {"COPY", "ADD"} and not dict(instruction.flags).get("from"):
            if stage.index not in early and _is_everything(instruction):
                early[stage.index] = instruction
        elif instruction.keyword == "RUN" and stage.index in early:
            for command in shell.commands(text, instruction):
                use = programs.use_of(command)
                if use is not None and _from_manifest(use.program.name, command.texts):
                    first = early.pop(stage.index)
                    yield Finding(
                        COPY_TOO_EARLY,
                        path,
                        first.line,
                        f"'{first.keyword} {first.value}' comes before '{use.verb}', line {instruction.line}",
                        "Copy what names the dependencies first, install them, then copy the rest.",
                    )
                    break


def _is_everything(instruction: Instruction) -> bool:
    """Whether a COPY takes more than files that name dependencies: whole folders."""
    try:
        sources, _ = paths(instruction)
    except DockerfileSyntaxError:
        return False
    return any(source.rstrip("/") in {"", ".", "./*", "*"} for source in sources)


def _from_manifest(program: str, words: tuple[str, ...]) -> bool:
    if program == "pip":
        return any(word in {"-r", "--requirement"} or word.startswith("-r") for word in words)
    if program in {"npm", "pnpm", "poetry"}:
        return not [word for word in words[2:] if not word.startswith("-")]
    return program == "uv" and ("sync" in words or "-r" in words)


def _root(path: str, places: list[Place], final: Stage) -> Iterator[Finding]:
    everything = [each for stage in final.lineage() for each in stage.instructions]
    if not any(each.keyword in {"CMD", "ENTRYPOINT"} for each in everything):
        return  # a base for others, or what its own base says: who runs it isn't decided here
    name = final.user.partition(":")[0]
    if name not in {"", "0", "root"} or (not name and final.image == "scratch"):
        return
    if any(_DROPS.search(each.value) for each in everything):
        return  # it begins as root, and the program runs as somebody else
    said = [
        place.instruction.line
        for place in places
        if place.stage is final and place.instruction.keyword == "USER"
    ]
    what = "its last USER is root" if name else "no USER is set"
    fix = "Make a user, and switch to it with USER at the end."
    yield Finding(RUNS_AS_ROOT, path, said[-1] if said else final.line, what, fix)


def _health(path: str, final: Stage, *, checked: bool) -> Iterator[Finding]:
    if checked or any(
        each.keyword == "HEALTHCHECK" for stage in final.lineage() for each in stage.instructions
    ):
        return
    serves = any(each.keyword == "EXPOSE" for stage in final.lineage() for each in stage.instructions)
    if serves:
        yield Finding(
            NO_HEALTH_CHECK, path, final.line, "it serves a port, and has no HEALTHCHECK",
            "Add one here, or 'healthcheck' in the Compose file.",
        )  # fmt: skip


def _secrets(path: str, places: list[Place], file: Dockerfile, final: Stage) -> Iterator[Finding]:
    shipped = {stage.index for stage in final.lineage()}
    stage_of = {id(place.instruction): place.stage.index for place in places}
    for instruction in file.instructions:
        named: Mapping[str, str | None] = {}
        try:
            if instruction.keyword == "ENV":
                named = dict(assignments(instruction))
            elif instruction.keyword == "ARG":
                named = dict(declarations(instruction))
        except DockerfileSyntaxError:
            continue
        for name, value in named.items():
            if not secret_names.speaks_of_one(name):
                continue
            if PUBLISHED.search(name):
                continue
            given = (value or "").strip("\"'")
            if instruction.keyword == "ENV" and secret_names.is_none(given):
                continue
            if instruction.keyword == "ARG" and given and secret_names.is_none(given):
                continue
            left = stage_of.get(id(instruction), -1) not in shipped
            where = ", in a stage that isn't shipped: build caches and attestations have it" if left else ""
            # The value is shown nowhere.
            yield Finding(
                SECRET, path, instruction.line, f"{instruction.keyword} {name}{where}",
                "At build time: RUN --mount=type=secret. At run time: 'secrets' or 'environment' of Compose.",
                about=name,
            )  # fmt: skip


def _compilers(text: str, path: str, places: list[Place], final: Stage) -> Iterator[Finding]:
    line_of: dict[str, int] = {}
    own = {stage.index for stage in final.lineage()}
    for place in places:
        if place.stage.index not in own or place.instruction.keyword != "RUN":
            continue
        everything = shell.commands(text, place.instruction)
        for command in everything:
            use = programs.use_of(command)
            if use is None or use.program.name not in _COMPILERS:
                continue
            for word in command.texts:
                if word.partition("=")[0] in _COMPILERS[use.program.name]:
                    line_of.setdefault(word.partition("=")[0], place.instruction.line)
        for command in everything:
            texts = command.texts
            if (
                texts[:1]
                and texts[0] in {"apt-get", "apt", "apk"}
                and {"purge", "remove", "del"} & set(texts)
            ):
                for word in [*line_of]:
                    if word in texts or any(item.startswith(".") for item in texts[2:]):
                        del line_of[word]
    if line_of:
        line = min(line_of.values())
        yield Finding(
            BUILD_TOOLS, path, line,
            f"{', '.join(sorted(line_of))} {'stays' if len(line_of) == 1 else 'stay'} in the final image",
            "Build in a stage of its own, and copy what it made.",
        )  # fmt: skip

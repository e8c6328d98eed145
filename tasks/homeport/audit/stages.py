"""A Dockerfile as its stages run it: what each instruction finds as user, home, variables and base. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from homeport.model.dockerfile import Dockerfile
from homeport.model.expansion import ExpansionError, expansion
from homeport.model.instruction import DockerfileSyntaxError, Instruction, assignments, declarations


@dataclass
class Stage:
    """One stage. ``base`` is what its FROM names, expanded; ``parent`` the stage of the file that this is."""

    index: int
    name: str
    base: str
    line: int
    parent: Stage | None = None
    user: str = ""
    """Who runs what it makes; empty where its image decides."""
    instructions: list[Instruction] = field(default_factory=list)

    @property
    def image(self) -> str:
        """The image that it all begins with."""
        return self.parent.image if self.parent else self.base

    def lineage(self) -> Iterator[Stage]:
        """The stage, its parent, and so on."""
        yield self
        if self.parent:
            yield from self.parent.lineage()


@dataclass(frozen=True)
class Place:
    """One instruction and what it finds. ``user`` is empty where the base image decides: root, mostly."""

    instruction: Instruction
    stage: Stage
    user: str
    variables: Mapping[str, str]

    @property
    def root(self) -> bool:
        return self.user.partition(":")[0] in {"", "0", "root"}


def stages(file: Dockerfile) -> list[Stage]:
    """The stages of a file, in its order."""
    found: list[Stage] = []
    given: dict[str, str] = {}
    for instruction in file.instructions:
        if instruction.keyword == "FROM":
            parts = instruction.value.split()
            base = _expanded(parts[0], given) if parts else ""
            name = parts[2].lower() if len(parts) >= 3 and parts[1].upper() == "AS" else ""
            parent = next((one for one in reversed(found) if one.name and one.name == base), None)
            found.append(Stage(len(found), name, base, instruction.line, parent))
        elif found:
            found[-1].instructions.append(instruction)
        elif instruction.keyword == "ARG":
            _declare(instruction, given, {})
    return found


def places(file: Dockerfile) -> tuple[list[Stage], list[Place]]:
    """The stages, and every instruction behind a FROM with what it finds there."""
    found = []
    ends: dict[int, tuple[str, dict[str, str]]] = {}
    everything = stages(file)
    given: dict[str, str] = {}
    for instruction in file.instructions:
        if instruction.keyword == "FROM":
            break
        if instruction.keyword == "ARG":
            _declare(instruction, given, {})
    for stage in everything:
        user, kept = ends[stage.parent.index] if stage.parent else ("", {})
        variables = dict(kept)  # what ENV says stays in the image, what ARG says doesn't
        kept = dict(kept)
        for instruction in stage.instructions:
            found.append(Place(instruction, stage, user, dict(variables)))
            if instruction.keyword == "USER":
                # One that only the build's arguments know is somebody, and not root.
                user = _expanded(instruction.value.strip(), variables) or instruction.value.strip()
            elif instruction.keyword == "ENV":
                for name, text in _pairs(instruction):
                    kept[name] = variables[name] = _expanded(text, variables)
            elif instruction.keyword == "ARG":
                _declare(instruction, variables, given)
        ends[stage.index] = (user, kept)
        stage.user = user
    return everything, found


def _declare(instruction: Instruction, into: dict[str, str], given: Mapping[str, str]) -> None:
    try:
        declared = declarations(instruction)
    except DockerfileSyntaxError:
        return
    for name, default in declared:
        if default is not None:
            into.setdefault(name, _expanded(default, into))
        elif name in given:
            into.setdefault(name, given[name])


def _pairs(instruction: Instruction) -> tuple[tuple[str, str], ...]:
    try:
        return assignments(instruction)
    except DockerfileSyntaxError:
        return ()


def _expanded(text: str, scope: Mapping[str, str]) -> str:
    try:
        return expansion(text, scope, "\\").text
    except ExpansionError:
        return text

"""Base images by digest: which aren't, which are by an old one, and the edits that pin them to today's."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from homeport.audit import shell
from homeport.audit.finding import BASE_OUTDATED, BASE_UNPINNED
from homeport.audit.stages import stages
from homeport.engine.distribution import Distribution, RegistryProblem
from homeport.model.dockerfile import parse
from homeport.model.finding import Edit, Finding
from homeport.model.instruction import DockerfileSyntaxError

_AT_ONCE = 16


@dataclass(frozen=True)
class Digest:
    """What a tag is now: a digest, or why nobody can say."""

    value: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Base:
    """An image behind a FROM: by its name and tag, its digest if one is given, and where the words end.

    ``end`` is the end of name and tag in the text, ``stop`` of all of it; both 0 where a variable says it.
    """

    name: str
    digest: str
    line: int
    end: int
    stop: int


def bases(text: str, contexts: Collection[str]) -> Iterator[Base]:
    """The images that a Dockerfile begins with; ``contexts`` are names that stand for something else."""
    try:
        file = parse(text)
    except DockerfileSyntaxError:
        return
    froms = {each.line: each for each in file.instructions if each.keyword == "FROM"}
    for stage in stages(file):
        if stage.parent or stage.base in {"", "scratch", *contexts} or "$" in stage.base:
            continue
        name, _, digest = stage.base.partition("@")
        words = [word for word in shell.words(text, froms[stage.line]) if not word.text.startswith("--")]
        literal = bool(words) and words[0].text == stage.base == text[words[0].start : words[0].end]
        end = words[0].start + len(name) if literal else 0
        yield Base(name, digest, stage.line, end, words[0].end if literal else 0)


def find(text: str, path: str, contexts: Collection[str], digests: Mapping[str, Digest]) -> Iterator[Finding]:
    """Findings of a Dockerfile. ``digests`` are what tags are now; those that aren't among them stay."""
    for base in bases(text, contexts):
        now = digests.get(base.name, Digest())
        if base.digest and (not now.value or now.value == base.digest):
            continue
        edits = (Edit(base.end, base.stop, f"@{now.value}"),) if now.value and base.end else ()
        fix = f"Add @{now.value or 'sha256:...'}"
        fix += f" (the registry: {now.problem})." if now.problem else "."
        if base.digest:
            what = f"{base.name} is by the digest that it had once"
            yield Finding(BASE_OUTDATED, path, base.line, what, f"Now it is {now.value}.", edits, base.name)
        else:
            yield Finding(BASE_UNPINNED, path, base.line, f"{base.name} has no digest", fix, edits, base.name)


def ask(names: Iterable[str]) -> dict[str, Digest]:
    """What registries say that these tags are now, all asked at the same time."""
    wanted = sorted(set(names))
    if not wanted:
        return {}

    def one(name: str) -> Digest:
        try:
            return Digest(client.digest(name))
        except RegistryProblem as problem:
            return Digest(problem=problem.detail or problem.kind)

    with Distribution() as client, ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(zip(wanted, pool.map(one, wanted), strict=True))

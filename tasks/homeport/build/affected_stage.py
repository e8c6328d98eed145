"""Which targets a change can affect in a stage that isn't part of their images: the one with their tests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from homeport.build.assess import Assessment
from homeport.build.facts import BuildFacts, read_dockerfiles
from homeport.build.options import BuildOptions
from homeport.build.record import Record, default_path
from homeport.engine.distribution import Distribution
from homeport.model.dockerfile import Dockerfile
from homeport.model.targets import Definition, Target


def affected_in(
    stage: str, facts: BuildFacts, cwd: Path, paths: Iterable[str], definitions: Mapping[str, str]
) -> tuple[str, ...]:
    """Those of the requested targets whose ``stage`` reads one of these files, or something unknown.

    What that stage reads for itself alone is in no image. ``paths`` and ``definitions`` are those of
    :meth:`Assessment.narrow`.
    """
    having = tuple(name for name in facts.definition.requested if _has(stage, facts.dockerfiles.get(name)))
    targets = {
        target.name: Target(target.name, {**target.spec, "target": stage})
        if target.name in having
        else target
        for target in facts.definition
    }
    changed = read_dockerfiles(replace(facts, definition=Definition(targets, having)), cwd)
    with Distribution() as distribution:
        assessment = Assessment(changed, cwd, BuildOptions(), Record(default_path()), distribution)
        assessment.narrow(paths, definitions)
    return assessment.facts.definition.requested


def _has(stage: str, file: Dockerfile | None) -> bool:
    froms = (one.value.split() for one in file.instructions if one.keyword == "FROM") if file else ()
    return any(
        len(words) >= 3 and words[1].upper() == "AS" and words[2].lower() == stage.lower() for words in froms
    )

"""Files whose content changed without a trace: BuildKit goes on with what it was sent before."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from homeport.build.facts import BuildFacts, problem_of, read_dockerfiles
from homeport.build.fingerprints import Base, Fingerprints
from homeport.build.record import Record, default_path
from homeport.engine.buildx import Builder
from homeport.engine.docker import Engine
from homeport.model.targets import Definition, Target
from homeport.report.words import printable
from homeport.sources.disk import Seen


def find(record: Record, engine: str, place: str, now: Mapping[str, Seen]) -> set[str]:
    """Files that changed without a trace since an earlier build sent them to the engine; notes the others.

    BuildKit is sent only files whose size, time or mode differ from what it has (tonistiigi/fsutil diff).
    What homeport's own builds sent is noted here; what other programs sent can't be known.
    """
    if not engine:
        return set()
    before = record.sent(engine, place)
    hidden = {
        path
        for path, seen in now.items()
        if path in before and before[path][1:] == seen[1:] and before[path] != seen
    }
    # What BuildKit has of a hidden file is what it was sent before.
    kept = {path: seen for path, seen in before.items() if path in hidden or os.path.lexists(path)}
    sent = {path: seen for path, seen in now.items() if path not in hidden}
    record.write_sent(engine, place, kept | sent)
    return hidden


def in_tests(
    specs: Mapping[str, Mapping[str, Any]], cwd: Path, engine: Engine, builder: Builder
) -> tuple[str, ...]:
    """Warnings about such files among those that builds have been sent which are no image's: unit tests.

    ``specs`` are what bake was given, by name.
    """
    targets = {name: Target(name, spec) for name, spec in specs.items()}
    definition = Definition(MappingProxyType(targets), tuple(targets))
    problems = {name: wrong for name, target in targets.items() if (wrong := problem_of(target, cwd))}
    bare = BuildFacts(definition, {}, engine, builder, (), None, problems, None)
    looked = Fingerprints(
        read_dockerfiles(bare, cwd), cwd, {name: {} for name in targets}, _unasked, os.environ
    )
    looked.of(targets)
    hidden = find(Record(default_path()), engine.id, os.path.realpath(cwd), looked.contexts.disk.files())
    return warnings(((looked.shown(path) for path in hidden)), "tested", "test")


def warnings(paths: Iterable[str], used: str, again: str) -> tuple[str, ...]:
    """What is to be said of such files, as people know them: what may have been done with the old content,
    and what to do again."""
    return tuple(
        f"{printable(path)} has another content, but size and time as before: BuildKit can't tell, and may "
        f"have {used} the old content. Touch the file and {again} again."
        for path in sorted(paths)
    )


def _unasked(wanted: Iterable[tuple[str, tuple[str, ...]]]) -> dict[tuple[str, tuple[str, ...]], Base]:
    """No registry is asked for bases: here only files count."""
    return {key: Base(unknown="nobody has asked") for key in wanted}

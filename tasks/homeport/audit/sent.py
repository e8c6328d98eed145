"""What builds are sent of their contexts: without ignore files, with those that are there, and mended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from homeport.audit.contexts import review
from homeport.audit.generated import Generated
from homeport.audit.transfer import Build, Transfers, demand
from homeport.model.ignore import PatternError
from homeport.sources.context import Contexts
from homeport.sources.disk import SourceProblem
from homeport.sources.tracked import tracked


@dataclass(frozen=True)
class Ways:
    """Bytes of one build's context: without any ignore file, as it is, and after ``--fix``."""

    without: int
    present: int
    mended: int


def compare(
    builds: Mapping[str, Build], root: Path, dockerfiles: Mapping[Path, str]
) -> tuple[dict[str, Ways], tuple[str, ...]]:
    """By name of the build what it is sent, of those that take anything of a folder; and what can't be told.

    ``dockerfiles`` are the texts of all that there are. Where it can't be told what a Dockerfile takes, it
    counts as the whole context.
    """
    reviews = review(builds.values(), root, dockerfiles)
    sent = [pair for each in reviews.reviews for pair in each.sent]
    problems = [*reviews.problems]
    contexts = Contexts()
    transfers = Transfers(contexts, Generated(contexts.disk, tracked(root)))
    found = {}
    for name, build in builds.items():
        now = next((one for each, one in sent if each == build), None)
        if now is None:
            continue
        try:
            asked = demand(build)
            if asked is not None:
                everything = contexts.choose(build.folder, build.dockerfile, asked.sources, ())
                found[name] = Ways(transfers.of(everything).bytes, now.total_bytes, now.after_bytes)
        except (OSError, SourceProblem, PatternError) as error:
            problems.append(f"The context of {name} can't be read: {error}.")
    return found, tuple(problems)


def texts(builds: Iterable[Build]) -> dict[Path, str]:
    """By path the texts of these builds' Dockerfiles, as far as they can be read."""
    found = {}
    for build in builds:
        try:
            found[build.dockerfile.resolve()] = build.dockerfile.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue  # what can't be read is told of by the review
    return found

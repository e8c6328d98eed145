"""The steps that are about builds: everything anew, nothing changed, one service changed."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from homeport.bench import change
from homeport.bench.change import Candidate
from homeport.bench.definition import alone
from homeport.bench.work import StepFailed, Value, Work, words_of
from homeport.report.words import plural

PARALLEL = ("build", "--parallel")
_TRIES = 12
"""Files that are tried until a change of one leads to a build of one target."""


class BuildSteps:
    """The steps; what one needs is prepared when it comes first, and not timed."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._everyday: tuple[Path, dict[str, Any]] | None = None
        self._changed: tuple[Candidate, tuple[str, ...]] | None = None

    def sequential(self, number: int) -> list[Value]:
        """Each target by a command of its own, what others are built on first; nothing is cached."""
        work = self._work
        tree = work.tree("sequential")
        marked = work.without_caches("sequential")
        _, made = work.define("sequential", marked, work.builds, uncached=True)
        total = 0.0
        work.settle()
        images = work.facts.builder.shares_engine_images
        for name in work.builds.order:
            path = work.place.folder / "one.json"
            path.write_text(json.dumps(alone(made, name, images=images)), encoding="utf-8", newline="\n")
            builder = [f"--builder={work.facts.builder.name}"] if work.facts.builder.name else []
            # An image has to be in the engine, as deploy.sh wants it.
            argv = ["docker", "buildx", *builder, "bake", "--progress=plain", "--load", f"--file={path}"]
            done = work.timed([*argv, *(f"--allow={entry}" for entry in work.allow)], tree)
            if done.code != 0:
                raise StepFailed(f"{name}: {words_of(done, work.config.limit)}")
            total += done.seconds
        work.untag(made)
        return [Value("sequential", total, (plural(len(work.builds.order), "target"),))]

    def parallel(self, number: int) -> list[Value]:
        """All targets by one command; nothing is cached."""
        work = self._work
        marked = work.without_caches("parallel")
        path, made = work.define("parallel", marked, work.builds, uncached=True)
        words = [*PARALLEL, "--no-skip", "--file", str(path)]
        done, document = work.homeport(words, work.tree("parallel"), "parallel")
        built = _with_status(document, "built")
        work.untag(made)
        jobs = document.get("jobs", "?")
        return [Value("parallel", done.seconds, (f"{plural(len(built), 'target')}, {jobs} at a time",))]

    def unchanged(self, number: int) -> list[Value]:
        """Everything is built already."""
        path, tree = self._prepared()
        done, document = self._work.homeport([*PARALLEL, "--file", str(path)], tree, "everyday")
        built, skipped = _with_status(document, "built"), _with_status(document, "skipped")
        notes = [f"{plural(len(skipped), 'target')} needed no build"]
        if built:
            notes.append(f"{', '.join(built)} can't be left out ('homeport build --explain' says why)")
        return [Value("unchanged", done.seconds, tuple(notes))]

    def one_changed(self, number: int) -> list[Value]:
        """A line more in a file of one service, in each round another line."""
        path, tree = self._prepared()
        if self._changed is None:
            self._changed = self._choose(path, tree)
        chosen, expected = self._changed
        change.append(tree / chosen.path, secrets.token_hex(8))
        done, document = self._work.homeport([*PARALLEL, "--file", str(path)], tree, "everyday")
        built = _with_status(document, "built")
        if not {*expected} <= {*built}:
            raise StepFailed(f"after a change of {chosen.path} {', '.join(expected)} wasn't built")
        return [Value("one-changed", done.seconds, (f"{chosen.path} changed, {', '.join(built)} built",))]

    def _prepared(self) -> tuple[Path, Path]:
        """The definition and the copy of which everything is built."""
        work = self._work
        tree = work.tree("unchanged")
        if self._everyday is None:
            path, made = work.define("everyday", "everyday", work.builds)
            work.tell("preparing: everything is built once")
            work.homeport([*PARALLEL, "--file", str(path)], tree, "everyday")
            self._everyday = path, made
        return self._everyday[0], tree

    def _choose(self, path: Path, tree: Path) -> tuple[Candidate, tuple[str, ...]]:
        """A file whose change leads to as few builds as possible, and these. Raises StepFailed."""
        work = self._work
        best: tuple[Candidate, tuple[str, ...]] | None = None
        folders = {name: one.parent for name, one in work.dockerfiles(tree).items()}
        requested = work.builds.definition.requested
        for candidate in change.candidates({name: folders[name] for name in requested if name in folders},
                                           tree)[:_TRIES]:  # fmt: skip
            file = tree / candidate.path
            before = file.read_bytes()
            change.append(file, secrets.token_hex(8))
            words = [*PARALLEL, "--dry-run", "--file", str(path)]
            _, document = work.homeport(words, tree, "everyday")
            file.write_bytes(before)
            due = tuple(str(one["name"]) for one in document.get("targets", ()))
            if candidate.target in due and (best is None or len(due) < len(best[1])):
                best = candidate, due
            if best is not None and len(best[1]) == 1:
                break
        if best is None:
            raise StepFailed("no file was found whose change leads to a build")
        return best


def _with_status(document: Mapping[str, Any], status: str) -> list[str]:
    return [str(one["name"]) for one in document.get("targets", ()) if one["status"] == status]

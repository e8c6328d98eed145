"""The steps that install dependencies, by themselves: without cache mounts, with them, with mended ones.

All that is counted is the time of steps that have a cache mount, here or after ``audit --fix``. They run
again each time, and what the mounts keep stays, as it does where a line is added to a list of packages.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from homeport.bench import mounts
from homeport.bench.work import NotMeasured, StepFailed, Value, Work, read, write
from homeport.report.words import plural

_PLACE = re.compile(r"\[(?:stage-0 )?([^\]]+)\]")
"""The stage and the number of a step, at the beginning of its name: ``[builder 3/7]``. The only stage of a
file is named just where one of its steps has a mount (moby/buildkit dockerfile2llb/convert.go)."""
_NONE = "no Dockerfile has a step with a cache mount"


class Dependencies:
    """The three forms of the same Dockerfiles, each in a copy of its own with caches of its own."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._counted: set[tuple[str, str]] = set()
        self._problem: StepFailed | NotMeasured | None = None
        self._definitions: dict[str, Path] = {}
        self._dockerfiles: dict[str, dict[Path, str]] = {}
        self._targets: tuple[str, ...] = ()

    def without(self, number: int) -> list[Value]:
        self._prepare()
        return [self._measure("without")]

    def present(self, number: int) -> list[Value]:
        self._prepare()
        if "with" not in self._definitions:
            raise NotMeasured(_NONE)
        return [self._measure("with")]

    def mended(self, number: int) -> list[Value]:
        self._prepare()
        if "mended" not in self._definitions:
            raise NotMeasured("'homeport audit --fix' has no cache mount to add or to mend")
        return [self._measure("mended")]

    def _prepare(self) -> None:
        """Once: see :meth:`_filled`. What went wrong then goes wrong for each of the steps."""
        if self._problem is not None:
            raise self._problem
        if not self._counted:
            try:
                self._counted = self._filled()
            except (StepFailed, NotMeasured) as problem:
                self._problem = problem
                raise

    def _filled(self) -> set[tuple[str, str]]:
        """Make the copies and fill the caches; returns the steps that count, by target and place."""
        work = self._work
        counted: set[tuple[str, str]] = set()
        present = self._copied("with")
        mended = self._copied("mended", mend=True)
        texts = {tree: self._texts(root) for tree, root in (("with", present), ("mended", mended))}
        served = {name for own in texts.values() for name, text in own.items() if mounts.count(text)}
        self._targets = tuple(name for name in work.builds.order if name in served)
        if not self._targets:
            raise NotMeasured(f"{_NONE}, and 'homeport audit --fix' would add none")
        for tree in ("with", "mended"):
            if tree == "with" and not any(mounts.count(text) for text in texts[tree].values()):
                continue
            if tree == "mended" and not self._differ():
                continue
            self._define(tree)
            work.tell(f"preparing: caches are filled ({tree})")
            document = self._build(tree)
            counted |= {
                (str(target["name"]), place)
                for target in document.get("targets", ())
                for step in target["steps"]
                if "type=cache" in step["name"] and (place := _place(step["name"]))
            }
        work.tree_named("without", _plain)
        self._define("without")
        if not counted:
            raise NotMeasured("no step with a cache mount was run")
        return counted

    def _copied(self, tree: str, *, mend: bool = False) -> Path:
        work = self._work
        if not mend:
            return work.tree_named(tree)
        # The audit comes before the mounts get ids of their own: so it sees what the user wrote.
        return work.tree_named(tree, prepare=self._audit)

    def _audit(self, root: Path) -> None:
        work = self._work
        only = ",".join(work.lent.cache_rules)
        work.homeport(["audit", "--fix", "--apply", "--no-tools", f"--only={only}"], root, "audit")

    def _texts(self, root: Path) -> dict[str, str]:
        return {name: read(path) for name, path in self._work.dockerfiles(root).items()}

    def _differ(self) -> bool:
        """Whether the audit has mended anything."""
        work = self._work
        one, other = (self._texts(work.tree_named(tree)) for tree in ("with", "mended"))
        prefix = work.names.prefix
        return any(
            text.replace(f"{prefix}-with", "") != other[name].replace(f"{prefix}-mended", "")
            for name, text in one.items()
        )

    def _define(self, tree: str) -> None:
        work = self._work
        builds = work.builds.only(self._targets)
        self._definitions[tree], _ = work.define(f"dependencies-{tree}", tree, builds)
        paths = work.dockerfiles(work.tree_named(tree))
        self._dockerfiles[tree] = {paths[name]: read(paths[name]) for name in self._targets}

    def _build(self, tree: str) -> dict[str, Any]:
        nonce = secrets.token_hex(8)
        for path, text in self._dockerfiles[tree].items():
            write(path, mounts.again(text, nonce))
        # One target after the other: what else runs at the same time is no part of a step.
        words = ["build", "--no-skip", "--file", str(self._definitions[tree])]
        return self._work.homeport(words, self._work.tree_named(tree), f"dependencies-{tree}")[1]

    def _measure(self, tree: str) -> Value:
        document = self._build(tree)
        found = self.seconds(document)
        if missing := self._counted - found.keys():
            said = ", ".join(sorted(f"{name} [{place}]" for name, place in missing))
            raise StepFailed(f"steps that are to be compared were not run in this form: {said}")
        return Value(f"dependencies-{tree}", sum(found.values()), (plural(len(found), "step"),))

    def seconds(self, document: Mapping[str, Any]) -> dict[tuple[str, str], float]:
        """By target and place the time of the steps that count."""
        return {
            (str(target["name"]), place): float(step["seconds"])
            for target in document.get("targets", ())
            for step in target["steps"]
            if (place := _place(step["name"])) and (str(target["name"]), place) in self._counted
        }


def _place(name: str) -> str:
    found = _PLACE.match(name)
    return found[1] if found else ""


def _plain(text: str) -> str:
    try:
        return mounts.without(text)
    except mounts.NotEditable:
        return text

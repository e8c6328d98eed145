"""How every target stands, before a build and again after it: fingerprints, what exists, what was before."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from homeport.build import existing, unnoticed
from homeport.build.affected import affected
from homeport.build.bases import refresh, resolver
from homeport.build.facts import BuildFacts, read_dockerfiles
from homeport.build.fingerprints import Fingerprints
from homeport.build.links import tag_dependencies
from homeport.build.options import BuildOptions
from homeport.build.record import Record
from homeport.build.standing import Standing, push_names
from homeport.engine import images
from homeport.engine.distribution import Distribution
from homeport.engine.images import Image
from homeport.model import graph
from homeport.model.fingerprint import INPUTS_LABEL, LABEL, Fingerprint, Recorded, read_label
from homeport.model.reference import normalized
from homeport.model.result import BuildResult, Status, TargetResult


@dataclass(frozen=True)
class Settled:
    """What a build left behind that can be relied on.

    ``sound``: by target built from sources that stayed as they were, its fingerprint. ``warnings``: what
    wasn't.
    """

    sound: Mapping[str, Fingerprint]
    warnings: tuple[str, ...] = ()


class Assessment:
    """One command's look at its targets. ``record`` and ``distribution`` are asked, never trusted alone."""

    def __init__(
        self, facts: BuildFacts, cwd: Path, options: BuildOptions, record: Record, distribution: Distribution
    ) -> None:
        self.facts = facts
        self._cwd = cwd
        self._options = options
        self._record = record
        self._distribution = distribution
        self._place = os.path.realpath(cwd)
        self._tagged = tag_dependencies(facts.definition, facts.images, [])
        self._needs = {
            target.name: tuple(dict.fromkeys((*target.linked, *self._tagged[target.name].values())))
            for target in facts.definition
        }
        self._first = self._fingerprints(facts)

    def refresh(self) -> tuple[str, ...]:
        """Fetch the base images of the targets anew; returns warnings."""
        return refresh(self.facts, self._first.images(self._names()))

    def narrow(self, paths: Iterable[str], definitions: Mapping[str, str]) -> dict[str, str]:
        """Leave of the targets that were asked for those that changes of these files can affect.

        ``definitions`` are the texts of the files that say what is built, by their absolute paths. Returns
        why, by target; the others are neither built nor looked for, unless these build on them.
        """
        requested = self.facts.definition.requested
        names = self._names()
        self._first.of(names)
        needs = {name: tuple(need for need in self._needs[name] if need in names) for name in names}
        found = affected({name: self._first.touched(name) for name in names}, needs, paths, definitions)
        self.facts = replace(
            self.facts,
            definition=replace(
                self.facts.definition, requested=tuple(name for name in requested if name in found)
            ),
        )
        return found

    def _names(self) -> list[str]:
        """What was asked for and what that builds on, in the definition's order."""
        wanted = graph.closure(self._needs, self.facts.definition.requested)
        return [name for name in self._needs if name in wanted and name not in self.facts.problems]

    def standing(self) -> Standing:
        """How the targets that were asked for, and all that they build on, stand now."""
        names = self._names()
        with ThreadPoolExecutor(1) as pool:
            # The engine takes a few milliseconds for each image; our own work goes on meanwhile.
            tags = [tag for name in names for tag in self.facts.definition.targets[name].tags]
            named = pool.submit(images.ids, tags if self._options.skip else ())
            everything = self._first.of(names)
        fingerprints = self._without_shared_names({name: everything[name] for name in names})
        if not self._options.skip:
            return Standing(fingerprints, tagged=self._tagged)
        found, current, warnings = existing.look_up(
            self.facts, fingerprints, named.result(), self._options, self._record, self._distribution
        )
        due = [name for name in names if name not in found]
        before = {name: last for name in due if (last := self._last(name, current.get(name)))}
        unexplained = [name for name in due if name not in before]
        before |= existing.recorded_far(self.facts, unexplained, self._options, self._distribution)
        return Standing(fingerprints, found, before, current, warnings, self._tagged)

    def _without_shared_names(self, found: dict[str, Fingerprint]) -> dict[str, Fingerprint]:
        """Targets that give one name to different images are always built: it can mean only one of them."""
        owners: dict[str, list[str]] = {}
        for name in found:
            target = self.facts.definition.targets[name]
            every = {normalized(tag) for tag in (*target.tags, *push_names(target, self._options))}
            for tag in every:
                owners.setdefault(tag, []).append(name)
        for tag, names in owners.items():
            if len({found[name].digest for name in names}) > 1:
                for name in names:
                    others = ", ".join(other for other in names if other != name)
                    reason = f"{others} has the name {tag.removeprefix('docker.io/')}, too"
                    found[name] = replace(found[name], unknown=(*found[name].unknown, reason))
        return found

    def _last(self, name: str, image: Image | None) -> Recorded | None:
        """What the target's last image was made of: by the record here, else by the image's own label."""
        if self.facts.engine.id:
            noted = self._record.last(self.facts.engine.id, self._place, name)
            if noted is not None:
                return noted
        return read_label(image.labels.get(INPUTS_LABEL, "")) if image is not None else None

    def settle(self, result: BuildResult, standing: Standing) -> Settled:
        """Look again at what was built: only what is still the same was built from what its fingerprint says.

        Notes it in the record, with the image that the engine has.
        """
        built = [
            target.name
            for target in result.having(Status.BUILT)
            if target.name in standing.fingerprints and standing.fingerprints[target.name].known
        ]
        if not built:
            return Settled({})
        second = self._fingerprints(read_dockerfiles(self.facts, self._cwd))
        # With what they build on, so that all images are looked up at the same time.
        again = second.of(name for name in graph.closure(self._needs, built) if name in standing.fingerprints)
        seen = second.contexts.disk.signatures
        touched = {
            path
            for path, signature in self._first.contexts.disk.signatures.items()
            if seen.get(path, signature) != signature
        }
        changed = {
            name
            for name, before in standing.fingerprints.items()
            if name in again and (again[name].digest != before.digest or not again[name].known)
        } | {name for name in again if touched and self._first.reads(name, touched)}
        unsound = {name for name in built if changed & graph.closure(self._needs, [name])}
        warnings = tuple(
            f"{name}: its sources changed while it was built, so the next build builds it again."
            for name in sorted(unsound)
        )
        hidden = unnoticed.find(self._record, self.facts.engine.id, self._place, second.contexts.disk.files())
        stale = {name for name in again if hidden and second.reads(name, hidden)}
        unsound |= {name for name in built if stale & graph.closure(self._needs, [name])}
        warnings += unnoticed.warnings((second.shown(path) for path in hidden), "used", "build")
        sound = {name: standing.fingerprints[name] for name in built if name not in unsound}
        return Settled(sound, warnings + self.note(result.targets, sound))

    def note(self, targets: Iterable[TargetResult], sound: Mapping[str, Fingerprint]) -> tuple[str, ...]:
        """Write down which images of the engine have these fingerprints; returns warnings."""
        names = {target.name: self._candidates(target) for target in targets if target.name in sound}
        if not names or not self.facts.engine.id:
            return ()
        there = images.find(reference for references in names.values() for reference in references)
        noted = [
            (name, sound[name], image.id)
            for name, references in names.items()
            if (image := _carrying(sound[name].digest, (there[reference] for reference in references)))
        ]
        self._record.write(self.facts.engine.id, self._place, noted)
        if self._record.problem:
            return (
                f"What was built can't be noted in {self._record.path} ({self._record.problem}): "
                "the next build here will not know that it has nothing to do.",
            )
        return ()

    def _candidates(self, target: TargetResult) -> tuple[str, ...]:
        """By which references the image that was made can be found, the surest first."""
        if target.status is Status.BUILT and self.facts.builder.shares_engine_images:
            # The name may mean another image by now, and one made of this one has inherited its label.
            return (target.digest,) if target.digest else ()
        # What other builders say is the digest of what they exported: the engine may call it otherwise.
        return tuple(filter(None, (target.digest, *target.tags[:1])))

    def _fingerprints(self, facts: BuildFacts) -> Fingerprints:
        resolve = resolver(facts, self._distribution)
        return Fingerprints(facts, self._cwd, self._tagged, resolve, os.environ)


def _carrying(fingerprint: str, candidates: Iterable[Image | None]) -> Image | None:
    return next((image for image in candidates if image and image.labels.get(LABEL) == fingerprint), None)

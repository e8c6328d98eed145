"""Which targets need no build, because an image with their fingerprint is verified to exist.

In the engine: an image that is still there and that this machine built with that fingerprint (the record says
its id, and notes only those that carry it in their label). A label alone is not enough: whatever is built on
an image inherits it. In a registry: the content tag, the label in the image's own configuration, and every
blob.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from homeport.build.facts import BuildFacts
from homeport.build.options import BuildOptions
from homeport.build.record import Record
from homeport.build.standing import Copy, Found, content_references, push_names
from homeport.engine import images
from homeport.engine.distribution import Distribution
from homeport.engine.images import Image
from homeport.engine.manifests import settings
from homeport.engine.registry_problem import RegistryProblem
from homeport.model.fingerprint import INPUTS_LABEL, LABEL, Fingerprint, Recorded, read_label
from homeport.model.reference import normalized, repository
from homeport.model.targets import Target

_AT_ONCE = 16


def look_up(
    facts: BuildFacts,
    fingerprints: Mapping[str, Fingerprint],
    tags: Mapping[str, str],
    options: BuildOptions,
    record: Record,
    distribution: Distribution,
) -> tuple[dict[str, Found], dict[str, Image | None], tuple[str, ...]]:
    """Where the images of these targets are, what the first names of those that the engine has not mean there
    now, and warnings.

    ``tags`` is the id that each of their names means in the engine, empty for none. Never raises for what an
    engine, a registry or a record says.
    """
    known = {name: found for name, found in fingerprints.items() if found.known}
    targets = {name: facts.definition.targets[name] for name in fingerprints}
    here = _in_engine(facts, {name: targets[name] for name in known}, known, tags, record)
    wanted = {
        name: content_references(targets[name], known[name], options)
        for name in known
        if (options.push and name in facts.definition.requested) or name not in here
    }
    there, warnings = _in_registries(
        {name: refs for name, refs in wanted.items() if refs}, facts, known, options, distribution
    )

    found = {
        name: Found(
            here[name].image if name in here else "",
            here[name].renames if name in here else (),
            there.get(name, ()),
        )
        for name in known
        if name in here or name in there
    }
    others = {
        name: tags[target.tags[0]] for name, target in targets.items() if target.tags and name not in here
    }
    meant = images.find(filter(None, others.values()))
    return found, {name: meant.get(image) for name, image in others.items()}, warnings


def recorded_far(
    facts: BuildFacts, names: Iterable[str], options: BuildOptions, distribution: Distribution
) -> dict[str, Recorded]:
    """What the images were made of that the registry has under the targets' own names, by their labels."""
    if not options.registry or (facts.registry_answer is not None and facts.registry_answer.state != "ok"):
        return {}

    def one(name: str) -> Recorded | None:
        target = facts.definition.targets[name]
        platform = str((target.spec.get("platforms") or [facts.engine.platform])[0])
        try:
            manifest = distribution.manifest(push_names(target, options)[0])
            labels = settings(distribution.config(manifest, platform)).get("Labels")
        except RegistryProblem:
            return None  # only an explanation is lost
        return read_label(str(labels.get(INPUTS_LABEL, ""))) if isinstance(labels, dict) else None

    wanted = [name for name in names if facts.definition.targets[name].tags]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = zip(wanted, pool.map(one, wanted), strict=True)
        return {name: record for name, record in found if record is not None}


def _in_engine(
    facts: BuildFacts,
    targets: Mapping[str, Target],
    known: Mapping[str, Fingerprint],
    tags: Mapping[str, str],
    record: Record,
) -> dict[str, Found]:
    if not facts.engine.id:
        return {}
    made = record.images(facts.engine.id, (known[name].digest for name in targets))
    candidates = {name: made.get(known[name].digest, ()) for name in targets}
    there = {*tags.values()} - {""}
    # Images that have lost their names to newer ones are still there until somebody prunes them.
    unnamed = images.ids(image for own in candidates.values() for image in own if image not in there)
    there |= {image for image, found in unnamed.items() if image == found}
    return {
        name: Found(image, tuple(tag for tag in targets[name].tags if tags[tag] != image))
        for name, own in candidates.items()
        if (image := next((image for image in own if image in there), ""))
    }


def _in_registries(
    wanted: Mapping[str, Mapping[str, tuple[str, ...]]],
    facts: BuildFacts,
    known: Mapping[str, Fingerprint],
    options: BuildOptions,
    distribution: Distribution,
) -> tuple[dict[str, tuple[Copy, ...]], tuple[str, ...]]:
    if not wanted or (facts.registry_answer is not None and facts.registry_answer.state != "ok"):
        return {}, ()
    problems: dict[str, None] = {}

    def one(name: str) -> tuple[Copy, ...]:
        target = facts.definition.targets[name]
        platform = str((target.spec.get("platforms") or [facts.engine.platform])[0])
        pushing = options.push and name in facts.definition.requested
        copies = []
        for reference, names in wanted[name].items():
            copy = _copy(
                reference, names if pushing else (), known[name].digest, platform, distribution, problems
            )
            if copy is None:
                return ()
            copies.append(copy)
        return tuple(copies)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = dict(zip(wanted, pool.map(one, wanted), strict=True))
    return {name: copies for name, copies in found.items() if copies}, tuple(problems)


def _copy(
    reference: str,
    names: Iterable[str],
    fingerprint: str,
    platform: str,
    distribution: Distribution,
    problems: dict[str, None],
) -> Copy | None:
    """The image under a content tag, if all of it is there; None means that it has to be built."""
    try:
        manifest = distribution.manifest(reference)
        labels = settings(distribution.config(manifest, platform)).get("Labels")
        mark = labels.get(LABEL) if isinstance(labels, dict) else None
        if mark != fingerprint or not distribution.complete(manifest):
            problems[f"{reference} is there, but not whole: it is built again."] = None
            return None
        moves = tuple(name for name in names if _digest(name, distribution) != manifest.digest)
        return Copy(manifest, moves)
    except RegistryProblem as problem:
        if problem.kind != "absent":
            why = problem.detail or problem.kind
            where = repository(reference)
            problems[f"The registry of {where} can't tell what it has ({why}): building instead."] = None
        return None


def _digest(name: str, distribution: Distribution) -> str:
    try:
        return distribution.digest(normalized(name))
    except RegistryProblem as problem:
        if problem.kind == "absent":
            return ""
        raise

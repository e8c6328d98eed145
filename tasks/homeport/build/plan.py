"""From facts and options to a plan: which targets, in which order, with which definition. Pure."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from homeport.build import documents, reasons
from homeport.build.facts import BuildFacts, is_remote
from homeport.build.links import makers, tag_dependencies
from homeport.build.options import BuildOptions
from homeport.build.standing import Found, Standing
from homeport.model import graph
from homeport.model.jobs import default_jobs
from homeport.model.reference import normalized, repository
from homeport.model.targets import Target


@dataclass(frozen=True)
class PlannedTarget:
    """One target of the plan; ``document`` is the bake definition that builds it, and only it."""

    name: str
    why: str
    needs: tuple[str, ...]
    document: Mapping[str, Any] = field(hash=False)
    tags: tuple[str, ...] = ()
    pushes: tuple[str, ...] = ()
    cache_from: tuple[str, ...] = ()
    cache_to: tuple[str, ...] = ()
    dockerfile: str = ""
    """Where the Dockerfile lies, for error messages: buildx shows only its last part."""
    exports: int = 0
    """How many results BuildKit writes for it (images, files, caches); 0: only its end can tell."""
    pins: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Contexts of ``document`` that name an image of this run, and the target that makes it."""
    exact: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """The same with bake's own links, for when another build has taken such an image's name meanwhile."""


@dataclass(frozen=True)
class Skip:
    """One target that needs no build: where its image is, and what is still to be done with it.

    ``load``: fetch it into the engine; ``push``: let the names in the registry mean it.
    """

    name: str
    why: str
    tags: tuple[str, ...]
    found: Found
    load: bool = False
    push: bool = False


@dataclass(frozen=True)
class BuildPlan:
    """What would be built; ``targets`` in topological order, ``jobs`` how many at the same time."""

    targets: tuple[PlannedTarget, ...]
    batches: tuple[tuple[str, ...], ...]
    jobs: int
    keep_going: bool
    retries: int
    builder: str
    buildx: tuple[str, ...]
    allow: tuple[str, ...]
    warnings: tuple[str, ...]
    cpus: int = 1
    skips: tuple[Skip, ...] = ()

    def graph(self) -> dict[str, tuple[str, ...]]:
        return {target.name: target.needs for target in self.targets}


def make(facts: BuildFacts, options: BuildOptions, standing: Standing | None = None) -> BuildPlan:
    """Plan a build. Raises DefinitionError for circles and missing files, UsageError for wrong options.

    ``standing`` says what exists; without it everything is built.
    """
    standing = standing or Standing()
    warnings = [*facts.warnings, *standing.warnings]
    found = tag_dependencies(facts.definition, facts.images, warnings)
    tagged = found if standing.tagged is None else standing.tagged  # by which the fingerprints went
    everything = {
        target.name: tuple(dict.fromkeys((*target.linked, *tagged[target.name].values())))
        for target in facts.definition
    }
    needed = graph.closure(everything, facts.definition.requested)
    ordered = {name: needs for name, needs in everything.items() if name in needed}
    order = [name for batch in graph.batches(ordered) for name in batch]
    for name in order:
        if name in facts.problems:
            raise facts.problems[name]
    caches = documents.cache_branch(facts, options, warnings)
    images = _names_in_engine(facts, needed)
    ready = _ready(facts, options, standing, images)
    built, used = _to_build(facts, options, standing, everything, ready)
    ordered = {
        name: tuple(need for need in everything[name] if need in built) for name in order if name in built
    }
    batches = graph.batches(ordered)
    names = {name: tag for name, tag in images.items() if name in built} | ready
    planned = []
    for name in (name for batch in batches for name in batch):
        mark = documents.marks_of(standing.fingerprints.get(name))
        definition, pushes = documents.document(name, facts, options, tagged, names, warnings, mark)
        cache_from, cache_to = documents.wire_caches(name, definition, facts, options, caches)
        target = facts.definition.targets[name]
        pins = {} if target.spec.get("pull") else _pins(target, tagged[name], names, built)
        exact, _ = documents.document(name, facts, options, tagged, {}, [], mark, exporting=name in images)
        documents.wire_caches(name, exact, facts, options, caches)
        planned.append(
            PlannedTarget(
                name,
                reasons.built(name, facts, options, standing, everything),
                ordered[name],
                definition,
                facts.definition.targets[name].tags,
                pushes,
                cache_from,
                cache_to,
                _dockerfile(facts.definition.targets[name]),
                0 if pushes else _exports(definition["target"][name], facts.builder.shares_engine_images),
                pins,
                exact,
            )
        )
    return BuildPlan(
        tuple(planned),
        batches,
        _jobs(options, facts),
        options.keep_going,
        options.retries,
        facts.builder.name,
        facts.buildx,
        options.allow,
        tuple(dict.fromkeys(warnings)),
        facts.engine.cpus,
        tuple(
            _skip(name, facts, options, standing, everything)
            for name in order
            if name not in built and (name in facts.definition.requested or name in used)
        ),
    )


def _skip(
    name: str,
    facts: BuildFacts,
    options: BuildOptions,
    standing: Standing,
    everything: Mapping[str, Sequence[str]],
) -> Skip:
    found = standing.found[name]
    requested = name in facts.definition.requested
    return Skip(
        name,
        reasons.skipped(name, facts, standing, everything),
        facts.definition.targets[name].tags,
        found,
        load=options.load and requested and not found.image,
        push=options.push and requested,
    )


def _ready(
    facts: BuildFacts, options: BuildOptions, standing: Standing, images: Mapping[str, str]
) -> dict[str, str]:
    """By target that needs no build: the exact name by which others can build on its image.

    Only the docker driver sees the engine's images; elsewhere a link stays a link, which BuildKit's own cache
    makes short.
    """
    if not options.skip or not facts.builder.shares_engine_images:
        return {}
    names = {}
    for name, found in standing.found.items():
        if found.image and name in images:
            names[name] = f"{images[name]}@{found.image}"
        elif found.copies and not found.image:
            names[name] = found.in_registry
    return names


def _to_build(
    facts: BuildFacts,
    options: BuildOptions,
    standing: Standing,
    everything: Mapping[str, Sequence[str]],
    ready: Mapping[str, str],
) -> tuple[set[str], set[str]]:
    """The targets that have to be built, and those that they build on and that are there already."""
    built: set[str] = set()
    used: set[str] = set()
    wanted = [
        name
        for name in facts.definition.requested
        if not (options.skip and _is_there(name, options, standing))
    ]
    while wanted:
        name = wanted.pop()
        if name in built:
            continue
        built.add(name)
        pulls = bool(facts.definition.targets[name].spec.get("pull"))
        for need in everything[name]:
            # With "pull" BuildKit ignores what the engine has, so only a link leads to the right image.
            if need in ready and not pulls:
                used.add(need)
            else:
                wanted.append(need)
    return built, used - built


def _is_there(name: str, options: BuildOptions, standing: Standing) -> bool:
    """Whether a requested target needs no build: to push, it must be where it is pushed to."""
    found = standing.found.get(name)
    return found is not None and (bool(found.copies) if options.push else True)


def _jobs(options: BuildOptions, facts: BuildFacts) -> int:
    if not options.parallel and not options.jobs:
        return 1
    return options.jobs or default_jobs(facts.engine.cpus, facts.engine.free_memory)


def _names_in_engine(facts: BuildFacts, needed: set[str]) -> dict[str, str]:
    """By target: the tag under which its result can be found in the engine while others build on it.

    With the docker driver an image is there at once, so what builds on it need not solve it again: one
    build, one target. Elsewhere, or where the tag isn't the target's alone, the link stays as bake has it.
    """
    if not facts.builder.shares_engine_images or not facts.engine.containerd_store:
        # Without the containerd store an image can't be named by its digest, and a tag may be moved.
        return {}
    targets = [facts.definition.targets[name] for name in facts.definition.targets if name in needed]
    users: dict[str, int] = {}
    for target in targets:
        for tag in {normalized(tag) for tag in target.tags}:
            users[tag] = users.get(tag, 0) + 1
    found = {}
    for target in targets:
        own = [tag for tag in target.tags if users[normalized(tag)] == 1]
        requested = target.name in facts.definition.requested
        if own and not (target.outputs if requested else documents.explicit_outputs(target)):
            found[target.name] = _with_tag(own[0])
    return found


def _dockerfile(target: Target) -> str:
    if target.inline_dockerfile is not None:
        return "dockerfile-inline"
    if is_remote(target.context):
        return target.dockerfile  # the context is a URL, and may carry a password
    path = os.path.join(target.context.removeprefix("cwd://"), target.dockerfile)  # noqa: PTH118 - texts
    return os.path.normpath(path).replace(os.sep, "/")


def _exports(spec: Mapping[str, Any], shares_engine_images: bool) -> int:
    outputs = spec.get("output") or []
    if outputs or not shares_engine_images:
        # Elsewhere a step follows the export (loading into the engine), which may fail yet.
        return 0
    caches = [entry for entry in spec.get("cache-to") or () if "inline" not in str(entry)]
    return 1 + len(caches)


def _pins(
    target: Target, tagged: Mapping[str, str], images: Mapping[str, str], built: Set[str]
) -> dict[str, str]:
    """Contexts that name an image which this run builds: their digests are known when they are."""
    return {key: maker for key, maker in makers(target, tagged).items() if maker in images and maker in built}


def _with_tag(name: str) -> str:
    """A name that stays one of the engine's own when a digest is put behind it."""
    return name if repository(name) != name else f"{name}:latest"

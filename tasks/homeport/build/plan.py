"""From facts and options to a plan: which targets, in which order, with which definition. Pure."""

from __future__ import annotations

import csv
import io
import posixpath
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from homeport.build import reasons
from homeport.build.facts import BuildFacts, is_remote
from homeport.build.links import tag_dependencies
from homeport.build.options import BuildOptions
from homeport.build.standing import Found, Standing, push_names
from homeport.errors import DefinitionError, EnvironmentProblem
from homeport.model import graph
from homeport.model.fingerprint import INPUTS_LABEL, LABEL, Fingerprint, label
from homeport.model.jobs import default_jobs
from homeport.model.reference import cache_reference, normalized, repository
from homeport.model.targets import TARGET_SCHEME, Target, escape

_NO_EXPORT = "type=cacheonly"
_IMAGE_OUTPUTS = {"image", "registry", "docker"}


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
    tagged = tag_dependencies(facts.definition, facts.images, warnings)
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
    caches = _cache_branch(facts, options, warnings)
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
        mark = _marks(standing.fingerprints.get(name))
        document, pushes = _document(name, facts, options, tagged, names, warnings, mark)
        cache_from, cache_to = _caches(name, document, facts, options, caches)
        pins = {} if facts.definition.targets[name].spec.get("pull") else _pins(name, facts, names, built)
        exact, _ = _document(name, facts, options, tagged, {}, [], mark, exporting=name in images)
        _caches(name, exact, facts, options, caches)
        planned.append(
            PlannedTarget(
                name,
                reasons.built(name, facts, options, standing, everything),
                ordered[name],
                document,
                facts.definition.targets[name].tags,
                pushes,
                cache_from,
                cache_to,
                _dockerfile(facts.definition.targets[name]),
                0 if pushes else _exports(document["target"][name], facts.builder.shares_engine_images),
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
            names[name] = f"{_with_tag(images[name])}@{found.image}"
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


def _marks(fingerprint: Fingerprint | None) -> dict[str, str]:
    """The labels that an image carries for the next build; empty ones hide those of its base."""
    if fingerprint is None:
        return {}
    known = fingerprint.known
    return {
        LABEL: fingerprint.digest if known else "",
        INPUTS_LABEL: escape(label(fingerprint)) if known else "",
    }


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
        if own and not (target.outputs if requested else _explicit_outputs(target)):
            found[target.name] = own[0]
    return found


def _dockerfile(target: Target) -> str:
    if target.inline_dockerfile is not None:
        return "dockerfile-inline"
    if is_remote(target.context):
        return target.dockerfile  # the context is a URL, and may carry a password
    return posixpath.normpath(posixpath.join(target.context.replace("\\", "/"), target.dockerfile))


def _exports(spec: Mapping[str, Any], shares_engine_images: bool) -> int:
    outputs = spec.get("output") or []
    if outputs or not shares_engine_images:
        # Elsewhere a step follows the export (loading into the engine), which may fail yet.
        return 0
    caches = [entry for entry in spec.get("cache-to") or () if "inline" not in str(entry)]
    return 1 + len(caches)


def _pins(name: str, facts: BuildFacts, images: Mapping[str, str], built: Set[str]) -> dict[str, str]:
    contexts = facts.definition.targets[name].contexts
    makers = {key: value.removeprefix(TARGET_SCHEME) for key, value in contexts.items()}
    return {
        key: maker
        for key, maker in makers.items()
        if maker in images and maker in built and contexts[key] != maker
    }


def _explicit_outputs(target: Target) -> list[dict[str, str]]:
    return [output for output in target.outputs if output.get("type") != "cacheonly"]


def _document(
    name: str,
    facts: BuildFacts,
    options: BuildOptions,
    tagged: Mapping[str, Mapping[str, str]],
    images: Mapping[str, str],
    warnings: list[str],
    marks: Mapping[str, str],
    *,
    exporting: bool = False,
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The bake document that builds just this target, and the names it pushes.

    ``exporting`` says that the target's image is wanted in the engine though nobody asked for it.
    """
    target = facts.definition.targets[name]
    spec, linked = _linked_spec(target, facts, tagged, images)
    if marks:
        spec["labels"] = {**(spec.get("labels") or {}), **marks}
    pushes: tuple[str, ...] = ()
    if name in facts.definition.requested and options.push:
        pushes = _push(target, spec, facts, options, warnings)
    elif name in facts.definition.requested or name in images or exporting:
        # Of a target that is only linked to, bake says "cacheonly" itself.
        outputs = target.outputs if name in facts.definition.requested else _explicit_outputs(target)
        if outputs:
            spec["output"] = [csv_entry(output) for output in outputs]
        elif facts.builder.shares_engine_images:
            spec.pop("output", None)
        else:
            spec["output"] = ["type=docker"]
    else:
        spec["output"] = [_NO_EXPORT]
    return {"group": {"default": {"targets": [name]}}, "target": {name: spec, **linked}}, pushes


def _linked_spec(
    target: Target,
    facts: BuildFacts,
    tagged: Mapping[str, Mapping[str, str]],
    images: Mapping[str, str],
) -> tuple[dict[str, Any], dict[str, Any]]:
    """A target's own definition with its links resolved, and the definitions of those that stay links."""
    spec = dict(target.spec)
    contexts = dict(spec.get("contexts") or {})
    linked: dict[str, Any] = {}
    links = {key: value for key, value in contexts.items() if str(value).startswith(TARGET_SCHEME)}
    if not facts.builder.shares_engine_images:
        # This builder can't see the engine's images, so a tag has to become a link, too.
        links |= {image: f"{TARGET_SCHEME}{maker}" for image, maker in tagged[target.name].items()}
    else:
        # By its tag alone BuildKit would look for it in the tag's own registry.
        far = {image: maker for image, maker in tagged[target.name].items() if _is_far(images.get(maker, ""))}
        links |= {image: f"{TARGET_SCHEME}{maker}" for image, maker in far.items()}
    for key, value in links.items():
        maker = str(value)[len(TARGET_SCHEME) :]
        # With "pull" BuildKit would look for the image in a registry, and perhaps find somebody else's.
        if maker in images and not spec.get("pull"):
            contexts[key] = f"docker-image://{images[maker]}"
            continue
        contexts[key] = f"{TARGET_SCHEME}{maker}"
        deeper, more = _linked_spec(facts.definition.targets[maker], facts, tagged, images)
        linked |= {maker: {**deeper, "output": [_NO_EXPORT]}, **more}
    if contexts:
        spec["contexts"] = contexts
    return spec, linked


def _push(
    target: Target,
    spec: dict[str, Any],
    facts: BuildFacts,
    options: BuildOptions,
    warnings: list[str],
) -> tuple[str, ...]:
    """Make ``spec`` push; returns the names it pushes."""
    if not target.tags:
        raise DefinitionError(
            f"Target '{target.name}' has no tag, so it can't be pushed.",
            hint="Give it tags in the bake file, or image in the Compose file.",
        )
    if facts.registry_answer is not None and facts.registry_answer.state != "ok":
        raise registry_problem(facts, options.registry)
    names = push_names(target, options)
    others = [
        csv_entry(output) for output in _explicit_outputs(target) if output.get("type") not in _IMAGE_OUTPUTS
    ]
    pushed = csv_entry({"type": "image", "name": ",".join(names), "push": "true"})
    local = csv_entry({"type": "image", "name": ",".join(target.tags)})
    if names == target.tags or not facts.builder.shares_engine_images:
        spec["output"] = [*others, pushed]
    elif facts.engine.containerd_store:
        spec["output"] = [*others, local, pushed]
    else:
        spec["output"] = [*others, pushed]
        warnings.append(
            "Images get only their names in the registry, not their local ones: this engine has no "
            "containerd image store and can write one result only ('homeport doctor' says more)."
        )
    # With tags, buildx would give every output all the names, and push the local ones too.
    spec.pop("tags", None)
    return names


def _with_tag(name: str) -> str:
    return name if repository(name) != name else f"{name}:latest"


def _is_far(image: str) -> bool:
    """Whether an image that others build on is in a registry only: then its name has a digest and no tag."""
    return "@" in image and repository(image) == image.partition("@")[0]


def registry_problem(facts: BuildFacts, registry: str) -> EnvironmentProblem:
    """The error for a registry that can't be pushed to."""
    answer = facts.registry_answer
    detail = answer.detail if answer else ""
    if answer and answer.state == "login":
        return EnvironmentProblem(
            f"The registry {registry} wants a login.",
            cause=f"There are no credentials for it here ({detail}).",
            hint=f"Run 'docker login {registry.partition('/')[0]}', and again.",
        )
    return EnvironmentProblem(
        f"The registry {registry} doesn't answer.",
        cause=detail,
        hint="Start it or correct --registry. Without --push a registry that is down costs only its caches.",
    )


def _cache_branch(facts: BuildFacts, options: BuildOptions, warnings: list[str]) -> str | None:
    """The branch whose caches are written and read; empty to only read, None for no registry caches."""
    if not options.registry:
        return None
    answer = facts.registry_answer
    if answer is not None and answer.state != "ok":
        problem = registry_problem(facts, options.registry)
        warnings.append(f"Building without registry caches. {problem.what} {problem.hint}")
        return None
    if facts.builder.shares_engine_images and not facts.engine.containerd_store:
        warnings.append(
            "Registry caches are read but not written: the docker driver writes them only with the "
            "containerd image store ('homeport doctor' says how to turn it on)."
        )
        return ""
    if facts.branch == "":
        warnings.append("Registry caches are read but not written: this commit is on no branch.")
    return options.main_branch if facts.branch is None else facts.branch


def _caches(
    name: str, document: dict[str, Any], facts: BuildFacts, options: BuildOptions, branch: str | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Wire the registry caches into the target's definition; returns the references read and written."""
    if branch is None:
        return (), ()
    spec = document["target"][name]
    branches = dict.fromkeys(item for item in (branch, options.main_branch) if item)
    sources = tuple(cache_reference(options.registry, name, item) for item in branches)
    spec["cache-from"] = [
        *(spec.get("cache-from") or ()),
        *(f"type=registry,ref={source}" for source in sources),
    ]
    if not branch:
        return sources, ()
    goal = cache_reference(options.registry, name, branch)
    spec["cache-to"] = [
        *(spec.get("cache-to") or ()),
        f"type=registry,ref={goal},mode=max,ignore-error=true",
    ]
    return sources, (goal,)


def csv_entry(attributes: Mapping[str, str]) -> str:
    """An output or cache entry in the one form that every buildx reads: ``type=image,"name=a,b"``."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow([f"{key}={value}" for key, value in attributes.items()])
    return line.getvalue()

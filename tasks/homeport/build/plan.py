"""From facts and options to a plan: which targets, in which order, with which definition. Pure."""

from __future__ import annotations

import csv
import io
import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from homeport.build.facts import BuildFacts, is_remote
from homeport.errors import DefinitionError, EnvironmentProblem
from homeport.model import graph
from homeport.model.jobs import default_jobs
from homeport.model.reference import cache_reference, normalized, rerooted
from homeport.model.targets import TARGET_SCHEME, Target

_NO_EXPORT = "type=cacheonly"
IMAGE_SCHEME = "docker-image://"
_IMAGE_OUTPUTS = {"image", "registry", "docker"}


@dataclass(frozen=True)
class BuildOptions:
    """What the command line and the configuration ask for."""

    parallel: bool = False
    jobs: int = 0
    push: bool = False
    registry: str = ""
    keep_going: bool = False
    retries: int = 2
    main_branch: str = "main"
    allow: tuple[str, ...] = ()


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

    def graph(self) -> dict[str, tuple[str, ...]]:
        return {target.name: target.needs for target in self.targets}


def make(facts: BuildFacts, options: BuildOptions) -> BuildPlan:
    """Plan a build. Raises DefinitionError for circles and missing files, UsageError for wrong options."""
    warnings = [*facts.warnings]
    tagged = tag_dependencies(facts, warnings)
    everything = {
        target.name: tuple(dict.fromkeys((*target.linked, *tagged[target.name].values())))
        for target in facts.definition
    }
    needed = graph.closure(everything, facts.definition.requested)
    ordered = {name: needs for name, needs in everything.items() if name in needed}
    batches = graph.batches(ordered)
    for name in (name for batch in batches for name in batch):
        if name in facts.problems:
            raise facts.problems[name]
    caches = _cache_branch(facts, options, warnings)
    images = _names_in_engine(facts, needed)
    planned = []
    for name in (name for batch in batches for name in batch):
        document, pushes = _document(name, facts, options, tagged, images, warnings)
        cache_from, cache_to = _caches(name, document, facts, options, caches)
        pins = {} if facts.definition.targets[name].spec.get("pull") else _pins(name, facts, images)
        exact, _ = _document(name, facts, options, tagged, {}, [], exporting=name in images)
        _caches(name, exact, facts, options, caches)
        planned.append(
            PlannedTarget(
                name,
                _why(name, facts.definition.requested, ordered),
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
    )


def _jobs(options: BuildOptions, facts: BuildFacts) -> int:
    if not options.parallel and not options.jobs:
        return 1
    return options.jobs or default_jobs(facts.engine.cpus, facts.engine.free_memory)


def tag_dependencies(facts: BuildFacts, warnings: list[str]) -> dict[str, dict[str, str]]:
    """By target: the images its Dockerfile names that another target's tag produces, and that target.

    A name that the target's own ``contexts`` replace is no dependency on a tag.
    """
    requested = set(facts.definition.requested)
    producers: dict[str, list[str]] = {}
    for target in facts.definition:
        for tag in target.tags:
            producers.setdefault(normalized(tag), []).append(target.name)
    found: dict[str, dict[str, str]] = {}
    for target in facts.definition:
        replaced = {normalized(name) for name in target.contexts}
        found[target.name] = {}
        named = [
            value[len(IMAGE_SCHEME) :] for value in target.contexts.values() if value.startswith(IMAGE_SCHEME)
        ]
        for image in (*facts.images[target.name], *named):
            makers = producers.get(normalized(image), [])
            hidden = normalized(image) in replaced and image not in named
            if hidden or not makers or target.name in makers:
                continue
            wanted = [name for name in makers if name in requested] or makers
            found[target.name][image] = wanted[0]
            if len(wanted) > 1 and target.name in requested:
                warnings.append(
                    f"{target.name}: its Dockerfile builds on {image}, which {', '.join(wanted)} all tag; "
                    f"{wanted[0]} is built first."
                )
    return found


def _why(name: str, requested: Sequence[str], needs: Mapping[str, Sequence[str]]) -> str:
    if name in requested:
        return "requested"
    wanting = [other for other, others in needs.items() if name in others]
    shown = ", ".join(wanting[:3]) + (f" and {len(wanting) - 3} more" if len(wanting) > 3 else "")
    return f"needed by {shown}"


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


def _pins(name: str, facts: BuildFacts, images: Mapping[str, str]) -> dict[str, str]:
    contexts = facts.definition.targets[name].contexts
    makers = {key: value.removeprefix(TARGET_SCHEME) for key, value in contexts.items()}
    return {key: maker for key, maker in makers.items() if maker in images and contexts[key] != maker}


def _explicit_outputs(target: Target) -> list[dict[str, str]]:
    return [output for output in target.outputs if output.get("type") != "cacheonly"]


def _document(
    name: str,
    facts: BuildFacts,
    options: BuildOptions,
    tagged: Mapping[str, Mapping[str, str]],
    images: Mapping[str, str],
    warnings: list[str],
    *,
    exporting: bool = False,
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The bake document that builds just this target, and the names it pushes.

    ``exporting`` says that the target's image is wanted in the engine though nobody asked for it.
    """
    target = facts.definition.targets[name]
    spec, linked = _linked_spec(target, facts, tagged, images)
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
    names = target.tags
    if options.registry:
        names = tuple(dict.fromkeys(rerooted(tag, options.registry) for tag in target.tags))
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

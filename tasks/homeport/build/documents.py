"""The bake document that builds one target: its links, outputs, labels and caches put in. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

from homeport.build.facts import BuildFacts
from homeport.build.links import makers
from homeport.build.options import BuildOptions
from homeport.build.standing import push_names
from homeport.errors import DefinitionError, EnvironmentProblem
from homeport.model.fingerprint import INPUTS_LABEL, LABEL, Fingerprint, label
from homeport.model.reference import cache_reference
from homeport.model.targets import TARGET_SCHEME, Target, escape

_NO_EXPORT = "type=cacheonly"
_IMAGE_OUTPUTS = {"image", "registry", "docker"}


def explicit_outputs(target: Target) -> list[dict[str, str]]:
    return [output for output in target.outputs if output.get("type") != "cacheonly"]


def document(
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
        outputs = target.outputs if name in facts.definition.requested else explicit_outputs(target)
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
    for key, maker in makers(target, tagged[target.name]).items():
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
        csv_entry(output) for output in explicit_outputs(target) if output.get("type") not in _IMAGE_OUTPUTS
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


def cache_branch(facts: BuildFacts, options: BuildOptions, warnings: list[str]) -> str | None:
    """The branch whose caches are written and read; empty to only read, None for no registry caches."""
    if not options.registry:
        return None
    answer = facts.registry_answer
    if answer is not None and answer.state != "ok":
        problem = registry_problem(facts, options.registry)
        warnings.append(f"Building without registry caches. {problem.what} {problem.hint}")
        return None
    if not options.cache_export:
        return ""
    if facts.builder.shares_engine_images and not facts.engine.containerd_store:
        warnings.append(
            "Registry caches are read but not written: the docker driver writes them only with the "
            "containerd image store ('homeport doctor' says how to turn it on)."
        )
        return ""
    if facts.branch == "":
        warnings.append("Registry caches are read but not written: this commit is on no branch.")
    return options.main_branch if facts.branch is None else facts.branch


def wire_caches(
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


def marks_of(fingerprint: Fingerprint | None) -> dict[str, str]:
    """The labels that an image carries for the next build; empty ones hide those of its base."""
    if fingerprint is None:
        return {}
    known = fingerprint.known
    return {
        LABEL: fingerprint.digest if known else "",
        INPUTS_LABEL: escape(label(fingerprint)) if known else "",
    }

"""What the images that Dockerfiles build on are now: looked up where BuildKit itself will look.

The docker driver prefers the engine's own images; every other builder asks the registry. Rule: docker/buildx
build/opt.go (image-resolve-mode).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from homeport.build.facts import BuildFacts
from homeport.build.fingerprints import Base, Resolver
from homeport.engine import images
from homeport.engine.distribution import Distribution
from homeport.engine.manifests import settings
from homeport.engine.registry_problem import RegistryProblem
from homeport.model.reference import normalized, split_host

Wanted = tuple[str, tuple[str, ...]]

_PINNED = re.compile(r"@(sha256:[0-9a-f]{64})$")
_FRONTEND = ("frontend",)
_AT_ONCE = 16
_PULLS = 4


def refresh(facts: BuildFacts, names: Iterable[str]) -> tuple[str, ...]:
    """Fetch images again that the engine has, for a builder that would take these; returns warnings."""
    if not facts.builder.shares_engine_images:
        return ()
    here = [name for name, image in images.find(names).items() if image and not _PINNED.search(name)]
    with ThreadPoolExecutor(_PULLS) as pool:
        fetched = dict(zip(here, pool.map(images.pull, here), strict=True))
    return tuple(
        f"{name} can't be refreshed ({said}): the engine's own is used."
        for name, (worked, said) in fetched.items()
        if not worked
    )


def resolver(facts: BuildFacts, distribution: Distribution) -> Resolver:
    """A function that looks images up."""

    def resolve(wanted: Iterable[Wanted]) -> Mapping[Wanted, Base]:
        asked = list(dict.fromkeys(wanted))
        found: dict[Wanted, Base] = {}
        if facts.builder.shares_engine_images:
            found = _in_engine(asked, facts.engine.platform)
        return found | _in_registries([item for item in asked if item not in found], distribution)

    return resolve


def _in_engine(wanted: list[Wanted], platform: str) -> dict[Wanted, Base]:
    # An image of another platform than the engine's may be there, and not be what BuildKit takes.
    here = [item for item in wanted if item[1] == (platform,)]
    known = images.find(image for image, _ in here)
    return {
        (image, platforms): Base(found.digest_for(image), found.triggers)
        for image, platforms in here
        if (found := known.get(image)) is not None
    }


def _in_registries(wanted: list[Wanted], distribution: Distribution) -> dict[Wanted, Base]:
    pinned = {
        item: Base(digest[1])
        for item in wanted
        if item[1] == _FRONTEND and (digest := _PINNED.search(item[0]))
    }
    hosts: dict[str, list[Wanted]] = {}
    for item in (item for item in wanted if item not in pinned):
        hosts.setdefault(split_host(normalized(item[0]))[0], []).append(item)
    if not hosts:
        return pinned
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        # One question first: a registry that is down must cost one time limit, not one for each image.
        firsts = {host: pool.submit(_ask, items[0], distribution) for host, items in hosts.items()}
        found = {hosts[host][0]: future.result() for host, future in firsts.items()}
        later = {}
        for items in hosts.values():
            first = found[items[0]]
            for item in items[1:]:
                if first.down:
                    found[item] = first
                else:
                    later[item] = pool.submit(_ask, item, distribution)
        found |= {item: future.result() for item, future in later.items()}
    return found | pinned


def _ask(item: Wanted, distribution: Distribution) -> Base:
    image, platforms = item
    try:
        if platforms == _FRONTEND:
            return Base(distribution.digest(image))
        manifest = distribution.manifest(image)
        configs = [distribution.config(manifest, platform) for platform in platforms]
    except RegistryProblem as problem:
        return Base(unknown=problem.detail or problem.kind, down=problem.kind == "down")
    triggers = [_triggers(config) for config in configs]
    if len(set(triggers)) > 1:
        return Base(unknown="its ONBUILD instructions are others on another platform")
    return Base(manifest.digest, triggers[0])


def _triggers(config: Mapping[str, Any]) -> tuple[str, ...]:
    found = settings(config).get("OnBuild")
    return tuple(map(str, found)) if isinstance(found, list) else ()

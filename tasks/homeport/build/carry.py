"""What is left to do for targets that need no build: names in engine and registry, a download."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from homeport.build.plan import Skip
from homeport.engine import images
from homeport.engine.distribution import Distribution
from homeport.engine.registry_problem import RegistryProblem
from homeport.model.fingerprint import Fingerprint

_AT_ONCE = 8


class Carried(NamedTuple):
    """How it went: the image's id or digest, or why the target has to be built after all."""

    image: str
    problem: str = ""
    moved: tuple[str, ...] = ()
    loaded: bool = False


def carry(skips: Sequence[Skip], distribution: Distribution) -> dict[str, Carried]:
    """Do it, for all at the same time; returns how it went by target. Nothing is built here."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return {
            skip.name: done
            for skip, done in zip(skips, pool.map(lambda skip: _one(skip, distribution), skips), strict=True)
        }


def _one(skip: Skip, distribution: Distribution) -> Carried:
    found = skip.found
    if found.image:
        for name in found.renames:
            if not images.tag(found.image, name):
                return Carried("", f"its image {found.image} is gone")
    moved: list[str] = []
    if skip.push:
        for copy in found.copies:
            for name in copy.moves:
                try:
                    distribution.tag(copy.manifest, name)
                except RegistryProblem as problem:
                    return Carried("", f"{name} can't be moved: {problem.detail or problem.kind}")
                moved.append(name)
    if not skip.load:
        return Carried(found.digest, moved=tuple(moved))
    fetched, said = images.pull(found.in_registry)
    if not fetched or not all(images.tag(found.in_registry, name) for name in skip.tags):
        return Carried("", f"{found.in_registry} can't be fetched: {said}")
    return Carried(found.digest, moved=tuple(moved), loaded=True)


def publish(
    built: Sequence[tuple[str, Fingerprint, str, tuple[str, ...]]], distribution: Distribution
) -> tuple[str, ...]:
    """Give pushed images their content tags; returns warnings.

    ``built``: for each target its name, fingerprint, the digest pushed, and by repository where to. Only
    after the sources were looked at again: under a content tag others find it and build nothing.
    """

    def one(item: tuple[str, Fingerprint, str, tuple[str, ...]]) -> str:
        name, fingerprint, digest, repositories = item
        for repository in repositories:
            try:
                manifest = distribution.manifest(f"{repository}@{digest}")
                if not distribution.complete(manifest):
                    # Some registries believe that they have a layer whose file is gone, and take no new one.
                    raise RegistryProblem("broken", "it hasn't kept all that was pushed")
                distribution.tag(manifest, f"{repository}:{fingerprint.tag}")
            except RegistryProblem as problem:
                return (
                    f"{name}: pushed, but without its content tag in {repository} "
                    f"({problem.detail or problem.kind}): other machines will build it again."
                )
        return ""

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return tuple(filter(None, pool.map(one, built)))

"""The fresh machine: a second, empty engine that reaches a registry which another machine has filled."""

from __future__ import annotations

import contextlib
import http.client
import re
import shutil
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import base_images
import fixture
import second_engine
from fixture import Shape
from runs import (
    OWN,
    RUN,
    Measured,
    Ran,
    ScenarioError,
    Tree,
    docker,
    part_of,
    shuffled,
    trees,
)

SIZE_MB = 2048
"""Room for the images of 50 services and more; memory is taken only as it is used."""
FRESH = (part_of("bake", 10),)
# As in CI on the main branch; the generated trees are no git repositories.
BRANCH = {"GITHUB_REF_NAME": "main"}
_STEP = re.compile(r"#(\d+) \[[^\]]*\] RUN ")
# Of a step that comes from a registry's cache either this is said, or what is downloaded for it.
_CACHED = re.compile(r"#(\d+) (?:CACHED|sha256:|extracting )")


@dataclass(frozen=True)
class Variant:
    """One way to get at the images on a fresh machine; ``arguments`` come after the tool's own."""

    tool: str
    arguments: tuple[str, ...]
    loads: bool
    """Whether the images shall be in the engine afterwards."""


def fresh(base: str, count: int, rounds: int, tools: Collection[str]) -> Iterator[Measured]:
    """No images and no build cache, but a registry that another machine has filled from the same sources."""
    what = f"{count} targets, fresh machine, registry filled by another"
    result = Measured("fresh", what, FRESH)
    yield result
    chosen = [tool for tool in (OWN, "bake", "bake, no provenance") if tool in tools]
    if reason := second_engine.why_not():
        result.unavailable = reason
        return
    try:
        _fresh(result, base, count, rounds, chosen)
    except (second_engine.SecondEngineError, base_images.BaseImageError) as problem:
        result.unavailable = str(problem)
    if "compose" in tools:
        result.note("compose is left out: its registry caches can't be given on the command line")


def _fresh(result: Measured, base: str, count: int, rounds: int, tools: Collection[str]) -> None:
    with registry() as address, pushed(base, f"{address}/homeport-bench/busybox:1") as image:
        # homeport is told the registry; bake knows only names, so the registry has to be in them.
        prefixes = {tool: f"{address}/" for tool in tools if tool != OWN}
        # Steps take no time: bake executes some in spite of its cache, and that shall cost it the least.
        with trees(tools, Shape(count, image), prefixes) as made:
            for tree in made.values():
                _fill(result, tree, address)
            variants = _variants(made, address)
            misses: dict[str, list[int]] = {}
            for number in range(rounds):
                for name in shuffled(variants, number):
                    ran = _measure(result, name, variants[name], made[variants[name].tool], address)
                    if variants[name].tool != OWN and ran.seconds is not None:
                        misses.setdefault(name, []).append(len(executed(ran.log)))
            for name, found in misses.items():
                result.note(_missed(name, found, count + 1))


def _missed(name: str, found: Collection[int], steps: int) -> str:
    """How often bake did not use its cache: a reader would take its time for that of a full hit."""
    if not any(found):
        return f"`{name}` executed no RUN step: all came from its registry cache"
    numbers = " and ".join(map(str, sorted(set(found))))
    return (
        f"`{name}` executed {numbers} of {steps} RUN steps in spite of its registry cache, as it is known to "
        "with several targets in one build (docker/buildx#414, docker/buildx#3878)"
    )


def _cache(address: str, tree: Tree, name: str) -> str:
    own = tree.repository.prefix.rpartition("/")[2]
    return f"type=registry,ref={address}/cache/{own}/{name}:main"


def _fill(result: Measured, tree: Tree, address: str) -> None:
    """What the other machine does: build everything, push it, and write a cache for every target."""
    print(f"{result.name:<11} {tree.tool:<22} fills the registry", flush=True)
    everything = tree.repository.everything
    if tree.tool == OWN:
        more = ["--push", "--registry", f"{address}/{OWN}"]
    else:
        caches = (f"{name}.cache-to={_cache(address, tree, name)},mode=max" for name in everything)
        more = ["--push", *_set(caches)]
    ran = tree.run(more, BRANCH)
    if ran.seconds is None and tree.tool != OWN:
        ran = tree.run(more, BRANCH)  # what others stumble over now and then must not end the scenario
    if ran.seconds is None:
        raise ScenarioError(f"{tree.tool} could not fill the registry: {ran.said}")
    tree.expect(ran, everything)


def _variants(made: Mapping[str, Tree], address: str) -> dict[str, Variant]:
    found = {}
    for tool, tree in made.items():
        if tool == OWN:
            where = ("--registry", f"{address}/{OWN}")
            found[OWN] = Variant(tool, where, loads=False)
            found[f"{OWN} --load"] = Variant(tool, (*where, "--load"), loads=True)
        else:
            names = tree.repository.everything
            caches = _set(f"{name}.cache-from={_cache(address, tree, name)}" for name in names)
            found[tool] = Variant(tool, caches, loads=True)
            # The fairer one: like homeport without --load it leaves no image in the engine.
            only = ("--set", "*.output=type=cacheonly")
            found[f"{tool}, output=cacheonly"] = Variant(tool, (*caches, *only), loads=False)
    return found


def _set(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(part for value in values for part in ("--set", value))


def _measure(result: Measured, name: str, variant: Variant, tree: Tree, address: str) -> Ran:
    """One run on a machine that nobody used before, in a clone of the sources, and a look at what it did."""
    with (
        second_engine.started([int(address.rpartition(":")[2])], SIZE_MB) as host,
        tempfile.TemporaryDirectory(prefix="homeport-bench-") as place,
    ):
        # Other times, other inodes, another path: as after a git clone.
        clone = Path(shutil.copytree(tree.repository.folder, f"{place}/clone", copy_function=shutil.copyfile))
        own = Path(place) / "own"
        own.mkdir()
        there = replace(tree, repository=replace(tree.repository, folder=clone), own=own)
        ran = there.run(variant.arguments, {**BRANCH, "DOCKER_HOST": host})
        result.add(name, ran)
        if ran.seconds is None:
            return ran
        images = docker("--host", host, "image", "ls", "--format", "{{.Repository}}:{{.Tag}}").splitlines()
    _check(result, name, variant, there, ran, images)
    return ran


def _check(
    result: Measured, name: str, variant: Variant, tree: Tree, ran: Ran, images: Collection[str]
) -> None:
    names = tree.repository.names
    missing = [service for service in names if tree.repository.tag(service) not in images]
    if variant.loads and missing:
        raise ScenarioError(f"{name}: no image of {', '.join(missing[:3])} in the fresh engine")
    if not variant.loads and images:
        raise ScenarioError(f"{name}: images in the fresh engine that nobody asked for: {images}")
    if variant.tool != OWN:
        return
    tree.expect(ran, (), names)
    result.note(
        f"`{name}` built 0 and skipped {len(names)} targets, by its own JSON; "
        f"{len(images)} images in the engine afterwards"
    )


def executed(log: str) -> list[str]:
    """The numbers of RUN steps in bake's plain progress that didn't come from a cache."""
    lines = log.splitlines()
    steps = {found[1]: None for line in lines if (found := _STEP.match(line))}
    cached = {found[1] for line in lines if (found := _CACHED.match(line))}
    return [step for step in steps if step not in cached]


# -- the registry -----------------------------------------------------------------------------------------


@contextlib.contextmanager
def registry() -> Iterator[str]:
    """The address of an empty registry on a loopback port, where engines need no TLS; removed at the end."""
    image = "registry:2"
    if not base_images.reachable_registry():
        image = base_images.ensure(["registry"])["REGISTRY_IMAGE"]
    label = f"{fixture.LABEL}={RUN}"
    container = docker("run", "--detach", "--label", label, "--publish", "127.0.0.1::5000", image)
    try:
        address = docker("port", container, "5000/tcp").splitlines()[0]
        deadline = time.monotonic() + 30
        while not _answers(address):
            if time.monotonic() > deadline:
                raise ScenarioError(f"the registry does not answer: {docker('logs', container)[-500:]}")
            time.sleep(0.2)
        yield address
    finally:
        docker("rm", "--force", "--volumes", container)


def _answers(address: str) -> bool:
    connection = http.client.HTTPConnection(address, timeout=5)
    try:
        connection.request("GET", "/v2/")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


@contextlib.contextmanager
def pushed(image: str, name: str) -> Iterator[str]:
    """An image of this engine under a name by which other machines get it, too."""
    docker("tag", image, name)
    try:
        docker("push", "--quiet", name)
        yield name
    finally:
        docker("image", "rm", name)  # only the name: the image keeps its own

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
    Tree,
    ScenarioError,
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
_CACHED = re.compile(r"#(\d+) CACHED")


@dataclass(frozen=True)
class Variant:
    """One way to get at 50 images on a fresh machine; ``arguments`` come after the tool's own."""

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
        with trees(tools, Shape(count, image, step_seconds=1.0), prefixes) as made:
            for tree in made.values():
                _fill(result, tree, address)
            variants = _variants(made, address)
            for number in range(rounds):
                for name in shuffled(variants, number):
                    _measure(result, name, variants[name], made[variants[name].tool], address)


def _cache(address: str, tool: str, name: str) -> str:
    return f"type=registry,ref={address}/cache-{tool.count(',')}/{name}:main"


def _fill(result: Measured, tree: Tree, address: str) -> None:
    """What the other machine does: build everything, push it, and write a cache for every target."""
    print(f"{result.name:<11} {tree.tool:<22} fills the registry", flush=True)
    everything = tree.repository.everything
    if tree.tool == OWN:
        more = ["--push", "--registry", f"{address}/{OWN}"]
    else:
        caches = (f"{name}.cache-to={_cache(address, tree.tool, name)},mode=max" for name in everything)
        more = ["--push", *_set(caches)]
    ran = tree.run(more, BRANCH)
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
            caches = _set(f"{name}.cache-from={_cache(address, tool, name)}" for name in names)
            found[tool] = Variant(tool, caches, loads=True)
            # The fairer one: like homeport without --load it leaves no image in the engine.
            only = ("--set", "*.output=type=cacheonly")
            found[f"{tool}, output=cacheonly"] = Variant(tool, (*caches, *only), loads=False)
    return found


def _set(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(part for value in values for part in ("--set", value))


def _measure(result: Measured, name: str, variant: Variant, tree: Tree, address: str) -> None:
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
            return
        images = docker("--host", host, "image", "ls", "--format", "{{.Repository}}:{{.Tag}}").splitlines()
    _check(result, name, variant, there, ran, images)


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
        # Were its cache not found, the comparison would be unfair: then the reader has to know.
        result.note(
            f"{name}: {len(executed(ran.log))} RUN steps were executed, the others came from the cache"
        )
        return
    tree.expect(ran, (), names)
    result.note(
        f"{name}: built 0 and skipped {len(names)} targets, by its own JSON; "
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

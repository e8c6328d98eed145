"""The registry client against a real registry: what buildx pushes, what is there of it, and another tag."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from engine_fixtures import DockerSession, Sandbox, docker
from homeport.engine.distribution import Distribution, RegistryProblem
from homeport.engine.manifests import blobs

STORAGE = "/var/lib/registry/docker/registry/v2/blobs"
Push = Callable[..., str]


@pytest.fixture
def push(sandbox: Sandbox, tiny_image: str, registry: str, docker_session: DockerSession) -> Push:
    """Build and push a tiny image with content of its own; returns its reference."""

    def run(name: str, *options: str) -> str:
        text = f"FROM {tiny_image}\nRUN echo {docker_session.id} {name} > /out\n"
        folder = sandbox({"Dockerfile": text}, name)
        reference = f"{registry}/team/{docker_session.name(name)}:1"
        command = [
            "docker",
            "buildx",
            "build",
            "--push",
            "--quiet",
            "--tag",
            reference,
            *options,
            str(folder),
        ]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace")
        assert done.returncode == 0, done.stderr
        return reference

    return run


@pytest.fixture
def client() -> Iterator[Distribution]:
    with Distribution() as found:
        yield found


def machine() -> str:
    return docker("version", "--format", "{{.Server.Os}}/{{.Server.Arch}}")


def container(registry: str, session: DockerSession) -> str:
    port = registry.rpartition(":")[2]
    filters = ["--filter", f"label={session.label}", "--filter", f"publish={port}"]
    return docker("container", "ls", "--quiet", *filters)


@pytest.mark.parametrize("provenance", ["--provenance=false", "--provenance=mode=min"])
def test_what_buildx_pushed(provenance: str, push: Push, client: Distribution) -> None:
    reference = push(f"pushed-{'plain' if 'false' in provenance else 'attested'}", provenance)
    manifest = client.manifest(reference)
    assert manifest.is_index == ("false" not in provenance)
    assert client.digest(reference) == manifest.digest
    config = client.config(manifest, machine())
    assert config["rootfs"]["type"] == "layers"
    assert client.complete(manifest)

    other = f"{reference.rpartition(':')[0]}:fp-0123abcd"
    with pytest.raises(RegistryProblem) as missing:
        client.digest(other)
    assert missing.value.kind == "absent"
    client.tag(manifest, other)
    assert client.digest(other) == manifest.digest
    assert docker("buildx", "imagetools", "inspect", other)


@pytest.mark.parametrize("damage", ["rm", "truncate -s 1"])
def test_a_blob_that_is_gone(
    damage: str, push: Push, client: Distribution, registry: str, docker_session: DockerSession
) -> None:
    """Behind the registry's back, as garbage collection does it: it still answers HEAD with 200."""
    manifest = client.manifest(push(f"gone-by-{damage.split()[0]}", "--provenance=false"))
    assert client.complete(manifest)
    last = blobs(manifest)[-1].digest.partition(":")[2]
    file = f"{STORAGE}/sha256/{last[:2]}/{last}/data"
    docker("exec", container(registry, docker_session), *damage.split(), file)
    assert not client.complete(manifest)


def test_many_at_the_same_time(push: Push, client: Distribution) -> None:
    reference = push("many", "--provenance=false")
    with ThreadPoolExecutor(16) as pool:
        digests = list(pool.map(lambda _: client.digest(reference), range(50)))
        complete = list(pool.map(lambda _: client.complete(client.manifest(reference)), range(50)))
    assert len(set(digests)) == 1
    assert all(complete)

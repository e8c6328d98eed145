"""What a registry holds needs no build: fresh machines, moved names, registries of no help."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import base_images as stand_ins
import skip_repository
from engine_fixtures import DockerSession, RunHomeport, Sandbox, compose_services, docker
from homeport.engine.distribution import Distribution
from homeport.engine.manifests import blobs
from skip_repository import Make, Repository

STORAGE = "/var/lib/registry/docker/registry/v2/blobs"


@pytest.fixture
def base(registry: str, tiny_image: str, docker_session: DockerSession) -> str:
    """The base image as every machine gets it: from the registry."""
    name = f"{registry}/{docker_session.name('tiny')}"
    docker("tag", tiny_image, name)
    docker("push", "--quiet", name)
    return name


@pytest.fixture
def make(
    sandbox: Sandbox, run_homeport: RunHomeport, docker_session: DockerSession, base: str, tmp_path: Path
) -> Make:
    return skip_repository.maker(sandbox, run_homeport, docker_session, base, tmp_path / "cache")


ONE = {"app": {"tags": ["MINE-app"]}}
ONE_FILE = {"Dockerfile": "FROM TINY\nRUN echo right > /out\n"}


def fresh(stack: Repository, name: str = "elsewhere") -> Repository:
    """The same sources, and a cache folder that knows nothing."""
    return Repository(stack.folder, stack.prefix, stack.run, stack.cache.with_name(f"cache-{name}"))


def container(registry: str, session: DockerSession) -> str:
    port = registry.rpartition(":")[2]
    return docker(
        "container", "ls", "--quiet", "--filter", f"label={session.label}", "--filter", f"publish={port}"
    )


def uploads(registry: str, session: DockerSession) -> int:
    """How many layers or configurations were begun to be sent to the registry, by its own log."""
    log = subprocess.run(
        ["docker", "logs", container(registry, session)], capture_output=True, text=True, errors="replace"
    )
    text = log.stdout + log.stderr
    assert "/v2/" in text, "the registry writes a log of what it is asked"
    return sum('"POST /v2/' in line or '"PATCH /v2/' in line for line in text.splitlines())


def digest(reference: str) -> str:
    with Distribution() as client:
        return client.digest(reference)


def content_tag(stack: Repository, registry: str, what: str) -> str:
    return f"{registry}/{stack.name(what)}:fp-{stack.labels(what)[skip_repository.LABEL]}"


def test_a_fresh_machine(make: Make, registry: str, second_engine: str) -> None:
    stack = make()
    push = ("--registry", f"{registry}/team", "--push")
    assert len(stack.build(*push).built) == 4

    there = fresh(stack)
    env = {"DOCKER_HOST": second_engine, "GITHUB_REF_NAME": "main"}

    def images() -> list[str]:
        listed = docker("--host", second_engine, "image", "ls", "--format", "{{.Repository}}:{{.Tag}}")
        return listed.split()

    for args in (push, push[:2]):
        nothing = there.build(*args, env=env)
        assert nothing.skipped == {"api", "web", "other"}
        assert {target["why"] for target in nothing.targets.values()} == {"unchanged, in the registry"}
        assert images() == [], "nothing was pulled"

    loaded = there.build(*push[:2], "--load", env=env)
    assert loaded.skipped == {"api", "web", "other"}
    assert all("loaded from" in target["note"] for target in loaded.targets.values())
    assert {stack.name("api:1"), stack.name("web:1"), f"{stack.name('other')}:latest"} <= set(images())
    assert (
        docker("--host", second_engine, "run", "--rm", stack.name("api:1"), "cat", "/out") == "base 1\napi 1"
    )
    again = there.build(*push[:2], "--load", env=env)
    assert {target["why"] for target in again.targets.values()} == {"unchanged, in the engine"}
    assert {target["note"] for target in again.targets.values()} == {""}

    stack.write("web/f", "web 2\n")
    changed = there.build(*push, env=env)
    # Nobody asked for base to be pushed, so what builds on it needs it built here.
    assert changed.built == {"base", "web"}
    assert changed.skipped == {"api", "other"}
    assert (
        docker("--host", second_engine, "run", "--rm", stack.name("web:1"), "cat", "/out") == "base 1\nweb 2"
    )


def test_without_changes_a_push_only_moves_names(
    make: Make, registry: str, docker_session: DockerSession, base: str
) -> None:
    stack = make(ONE_FILE, ONE)
    push = ("--registry", registry, "--push")
    stack.build(*push)
    name = f"{registry}/{stack.name('app')}"
    right = digest(f"{name}:latest")
    sent = uploads(registry, docker_session)

    # Somebody else's image takes the name, in the same repository.
    docker("tag", base, f"{name}:latest")
    docker("push", "--quiet", f"{name}:latest")
    assert digest(f"{name}:latest") != right
    sent = uploads(registry, docker_session)
    for machine in (stack, fresh(stack)):
        definition = skip_repository.bake(
            {"app": {"tags": [stack.name("app"), stack.name(f"app:{machine.cache.name}")]}}
        )
        stack.write("docker-bake.json", definition)
        done = machine.build(*push)
        assert done.skipped == {"app"}
        assert f"{name}:{machine.cache.name}" in done.targets["app"]["note"]
        assert digest(f"{name}:latest") == right == digest(f"{name}:{machine.cache.name}")
    assert uploads(registry, docker_session) == sent, "not one layer was sent"


@pytest.mark.parametrize("damage", ["layer", "configuration", "other manifest", "base under its name"])
def test_a_content_tag_is_not_believed_blindly(
    damage: str, make: Make, registry: str, docker_session: DockerSession, base: str
) -> None:
    stack = make(ONE_FILE, ONE)
    push = ("--registry", registry, "--push")
    stack.build(*push)
    tag = content_tag(stack, registry, "app")
    with Distribution() as client:
        manifest = client.manifest(tag)
    if damage in {"layer", "configuration"}:
        configuration = json.loads(manifest.content)["config"]["digest"]
        layers = [blob.digest for blob in blobs(manifest) if blob.digest != configuration]
        lost = (layers[-1] if damage == "layer" else configuration).partition(":")[2]
        docker("exec", container(registry, docker_session), "rm", f"{STORAGE}/sha256/{lost[:2]}/{lost}/data")
    elif damage == "other manifest":
        docker("tag", base, tag)
        docker("push", "--quiet", tag)
        docker("rmi", tag)
    else:
        # The same layers and another configuration: only its label can tell.
        other = docker("create", "--label", docker_session.label, stack.name("app"))
        docker("commit", "--change", f"LABEL {skip_repository.LABEL}=", other, tag)
        docker("rm", other)
        docker("push", "--quiet", tag)
        docker("rmi", tag)
    done = fresh(stack).build("--registry", registry)
    assert done.built == {"app"}, done.said
    if damage != "configuration":
        assert "is there, but not whole: it is built again." in done.said
    assert stack.out("app") == "right"


def test_refresh_builds_on_what_the_registry_has_now(make: Make, registry: str) -> None:
    """And never notes what it built on an old base under the fingerprint of the new one."""
    stack = make(ONE_FILE, ONE)
    name = f"{registry}/{stack.name('basis')}"
    for version in (2, 1):
        stack.write("basis", f"FROM homeport-test/busybox:1\nRUN echo {stack.prefix} {version} > /version\n")
        docker("build", "-q", "-t", f"{name}:{version}", "-f", str(stack.folder / "basis"), str(stack.folder))
        docker("push", "--quiet", f"{name}:{version}")
    docker("tag", f"{name}:1", f"{name}:moving")
    docker("push", "--quiet", f"{name}:moving")
    stack.write("Dockerfile", f"FROM {name}:moving\nRUN cut -d' ' -f2 /version > /out\n")
    assert stack.build().built == {"app"}
    with Distribution() as client:
        client.tag(client.manifest(f"{name}:2"), f"{name}:moving")
    assert stack.build().skipped == {"app"}, "the engine still has the old one"
    assert stack.build("--refresh").built == {"app"}
    assert stack.out("app") == "2"
    assert stack.build("--refresh").skipped == {"app"}


# -- registries that are of no help -----------------------------------------------------------------------


@contextlib.contextmanager
def silent() -> Iterator[str]:
    """Takes every connection, and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


class _Stalling(BaseHTTPRequestHandler):
    """Answers that it is a registry, and then nothing more until the test is over."""

    over = threading.Event()

    def do_GET(self) -> None:
        if self.path != "/v2/":
            self.over.wait(120)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET  # noqa: N815 - the base's way of naming

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's own name
        pass


@contextlib.contextmanager
def stalling() -> Iterator[str]:
    _Stalling.over.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Stalling)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        _Stalling.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def nobody() -> Iterator[str]:
    """An address at which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    yield address


@pytest.mark.parametrize(
    ("place", "words", "most"),
    [
        (nobody, "doesn't answer", 10),
        (silent, "doesn't answer", 20),
        (stalling, "can't tell what it has", 30),
    ],
)
def test_a_registry_that_does_not_answer_costs_a_warning_and_little_time(
    place: Callable[[], contextlib.AbstractContextManager[str]], words: str, most: float, make: Make
) -> None:
    stack = make()
    with place() as address:
        started = time.monotonic()
        done = stack.build("--registry", f"{address}/team")
        seconds = time.monotonic() - started
    assert len(done.built) == 4
    assert words in done.said
    # Without the build itself, which takes its time where the machine has much to do.
    assert seconds - done.document["seconds"] < most


def test_a_registry_that_wants_a_login(
    make: Make, docker_session: DockerSession, official_images: bool, tmp_path: Path
) -> None:
    stack = make(ONE_FILE, ONE)
    file = tmp_path / "compose.yml"
    file.write_text(
        "services: {registry: {image: '${REGISTRY_IMAGE:-registry:2}', network_mode: bridge,\n"
        " environment: {REGISTRY_AUTH: silly, REGISTRY_AUTH_SILLY_REALM: r,\n"
        " REGISTRY_AUTH_SILLY_SERVICE: s},\n"
        " ports: ['127.0.0.1::5000']}}\n",
        encoding="utf-8",
    )
    variables = {} if official_images else stand_ins.ensure(["registry"])
    with compose_services(file, docker_session.name("login"), tmp_path, variables) as services:
        address = f"127.0.0.1:{services.port_for('registry', 5000)}"
        done = stack.build("--registry", address)
    assert done.built == {"app"}
    assert f"The registry {address} wants a login." in done.said
    assert f"docker login {address}" in done.said

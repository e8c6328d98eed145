"""The registry client against a registry in this process, honest and lying."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

import fake_registry as fake
from fake_registry import FakeRegistry, Handler, digest_of
from homeport.engine.distribution import Distribution, Limits, RegistryProblem

LIMITS = Limits(connect=1.0, read=0.4, whole=1.5)
TAG = "GET /v2/a/b/manifests/1"


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeRegistry]:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with fake.fake_registry() as found:
        yield found


@pytest.fixture
def client() -> Iterator[Distribution]:
    with Distribution(LIMITS) as found:
        yield found


def one(registry: FakeRegistry, name: str = "1") -> str:
    return f"{registry.address}/a/b{'@' if ':' in name else ':'}{name}"


def problem(ask: Callable[[], object]) -> RegistryProblem:
    """What a question ends in: always in time, never with a secret."""
    start = time.monotonic()
    with pytest.raises(RegistryProblem) as found:
        ask()
    assert time.monotonic() - start < LIMITS.whole + 1
    assert fake.SECRET not in str(found.value) + found.value.detail
    return found.value


# -- honest registries --------------------------------------------------------------------------------------


def test_an_image(registry: FakeRegistry, client: Distribution) -> None:
    described = registry.image("1")
    assert client.digest(one(registry)) == described["digest"]
    manifest = client.manifest(one(registry))
    assert (manifest.digest, manifest.media_type) == (described["digest"], fake.IMAGE)
    assert not manifest.is_index
    assert "content" not in repr(manifest)
    assert client.config(manifest, "linux/amd64")["architecture"] == "amd64"
    assert problem(lambda: client.config(manifest, "linux/arm64")).kind == "absent"
    assert client.complete(manifest)
    client.tag(manifest, one(registry, "fp-0123"))
    assert client.manifest(one(registry, "fp-0123")).content == manifest.content
    assert client.digest(one(registry, manifest.digest)) == manifest.digest


def test_an_index_with_an_attestation(registry: FakeRegistry, client: Distribution) -> None:
    registry.index("1")
    manifest = client.manifest(one(registry))
    assert manifest.is_index
    for platform in ("linux/arm64", "linux/arm64/v8"):
        assert client.config(manifest, platform)["architecture"] == "arm64"
    assert problem(lambda: client.config(manifest, "linux/s390x")).kind == "absent"
    assert client.complete(manifest)
    del registry.content[f"/v2/a/b/blobs/{digest_of(b'two for arm64')}"]
    assert not client.complete(manifest)


def test_a_missing_child_is_not_complete(registry: FakeRegistry, client: Distribution) -> None:
    registry.index("1")
    manifest = client.manifest(one(registry))
    del registry.content[f"/v2/a/b/manifests/{manifest.document['manifests'][1]['digest']}"]
    assert not client.complete(manifest)


def test_foreign_layers_need_not_be_there(registry: FakeRegistry, client: Distribution) -> None:
    registry.image("1")
    document = client.manifest(one(registry)).document
    kind = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    document["layers"].append({"mediaType": kind, "digest": digest_of(b"elsewhere"), "size": 9})
    registry.manifest(document, "2")
    assert client.complete(client.manifest(one(registry, "2")))


def test_without_the_digest_header_the_bytes_are_hashed(registry: FakeRegistry, client: Distribution) -> None:
    described = registry.image("1")
    content = registry.content["/v2/a/b/manifests/1"][1]
    for method in ("HEAD", "GET"):
        registry.lies[f"{method} /v2/a/b/manifests/1"] = lambda to: to.answer(200, content)
    assert client.digest(one(registry)) == described["digest"]
    registry.lies["HEAD /v2/a/b/manifests/1"] = lambda to: to.answer(405)
    assert client.digest(one(registry)) == described["digest"]


def test_many_threads_share_connections(registry: FakeRegistry, client: Distribution) -> None:
    registry.image("1")
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda _: client.digest(one(registry)), range(50)))
    assert len(set(found)) == 1
    assert registry.asked().count("/v2/") == 1


def test_a_connection_that_was_closed_meanwhile(registry: FakeRegistry, client: Distribution) -> None:
    registry.image("1")
    client.digest(one(registry))

    def hang_up(to: Handler) -> None:
        registry.lies.clear()
        to.close_connection = True

    registry.lies["HEAD /v2/a/b/manifests/1"] = hang_up
    assert client.digest(one(registry))


@pytest.mark.skipif(os.name != "posix", reason="docker keeps such certificates there only on POSIX")
def test_tls_on_this_machine_with_dockers_certificate(tmp_path: Path) -> None:
    with fake.fake_registry(tls=tmp_path) as registry, Distribution(LIMITS, tmp_path) as client:
        registry.image("1")
        untrusted = problem(lambda: client.digest(one(registry)))
        assert untrusted.kind == "broken"
        assert "certificate" in untrusted.detail
        (tmp_path / registry.address).mkdir()
        (tmp_path / registry.address / "ca.crt").write_text(fake.CERTIFICATE, encoding="ascii")
        with Distribution(LIMITS, tmp_path) as trusting:
            assert trusting.complete(trusting.manifest(one(registry)))
        (tmp_path / registry.address / "ca.crt").write_text("nonsense", encoding="ascii")
        with Distribution(LIMITS, tmp_path) as misled:
            assert "ca.crt" in problem(lambda: misled.digest(one(registry))).detail


# -- registries that lie ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lie", "kind"),
    [
        (fake.truncated, "broken"),
        (fake.chunks_cut, "broken"),
        (fake.endless, "broken"),
        (fake.drip, "down"),
        (fake.no_http, "broken"),
        (lambda to: time.sleep(0.7), "down"),
        (fake.body(b"<html>Log in here</html>"), "broken"),
        (fake.body(b"[" * 100_000), "broken"),
        (fake.body(b"[]"), "broken"),
        (fake.body(b"{}"), "broken"),
        (fake.body(b'{"mediaType": [1]}'), "broken"),
        (fake.body(b"\xff\xfe"), "broken"),
        (fake.body(b"x" * 200_000, 404), "absent"),
        (fake.body(b"", 403), "login"),
        (fake.body(b"", 401), "login"),
        (fake.body(b"", 429), "down"),
        (fake.body(b"", 500), "down"),
        (fake.body(b"", 503), "down"),
        (fake.body(b"", 418), "refused"),
        (fake.body(b"", 304), "broken"),
        (fake.header("Docker_Content_Digest", digest_of(b"something else")), "broken"),
        (fake.header("Docker_Content_Digest", "sha256:../../etc"), "broken"),
        (lambda to: to.answer(302, Location="/v2/a/b/manifests/1"), "broken"),
        (lambda to: to.answer(302, Location="file:///etc/passwd"), "broken"),
        (lambda to: to.answer(302, Location="http://[::bad"), "broken"),
        (lambda to: to.answer(302, Location="http://127.0.0.1:9/x?signature=hidden-word"), "down"),
        (lambda to: to.answer(302), "broken"),
    ],
)
def test_lies_about_a_manifest(
    registry: FakeRegistry, client: Distribution, lie: fake.Lie, kind: str
) -> None:
    registry.lies[TAG] = lie
    assert problem(lambda: client.manifest(one(registry))).kind == kind


def test_other_bytes_than_the_digest_asked_for(registry: FakeRegistry, client: Distribution) -> None:
    first, second = registry.image("1"), registry.image("2", architecture="arm64")
    path = f"/v2/a/b/manifests/{first['digest']}"
    registry.content[path] = registry.content["/v2/a/b/manifests/2"]
    assert problem(lambda: client.manifest(one(registry, first["digest"]))).kind == "broken"
    registry.lies[f"HEAD {path}"] = lambda to: to.answer(200, Docker_Content_Digest=second["digest"])
    assert problem(lambda: client.digest(one(registry, first["digest"]))).kind == "broken"


def test_lies_about_blobs(registry: FakeRegistry, client: Distribution) -> None:
    registry.image("1")
    manifest = client.manifest(one(registry))
    config = f"/v2/a/b/blobs/{manifest.document['config']['digest']}"
    content = registry.content[config][1]
    registry.lies[f"GET {config}"] = fake.body(content.replace(b"linux", b"Linux"))
    assert problem(lambda: client.config(manifest, "linux/amd64")).kind == "broken"
    registry.lies[f"GET {config}"] = fake.endless
    assert problem(lambda: client.config(manifest, "linux/amd64")).kind == "broken"


@pytest.mark.parametrize("ranges", [True, False])
def test_blobs_that_are_not_what_they_seem(
    ranges: bool, registry: FakeRegistry, client: Distribution
) -> None:
    registry.ranges = ranges
    large = registry.blob(b"x" * 300_000)
    registry.image("1")
    document = client.manifest(one(registry)).document
    document["layers"] += [large, registry.blob(b"")]
    registry.manifest(document, "2")
    manifest = client.manifest(one(registry, "2"))
    assert client.complete(manifest)
    path = f"/v2/a/b/blobs/{large['digest']}"
    registry.content[path] = ("", b"x" * 299_999)
    assert not client.complete(manifest)

    def promise(to: Handler) -> None:
        """What a registry does that remembers a blob it has no more."""
        headers = {"Content_Length": 1, "Content_Range": "bytes 299999-299999/300000"}
        to.answer(206 if ranges else 200, **(headers if ranges else {"Content_Length": 300_000}))
        to.close_connection = True

    registry.lies[f"GET {path}"] = promise
    assert not client.complete(manifest)
    registry.lies[f"GET {path}"] = fake.body(b"", 416)
    assert not client.complete(manifest)
    registry.lies[f"GET {path}"] = fake.body(b"", 503)
    assert problem(lambda: client.complete(manifest)).kind == "down"
    registry.lies[f"GET {path}"] = lambda to: time.sleep(0.7)
    assert problem(lambda: client.complete(manifest)).kind == "down"


def test_a_tag_that_is_not_taken(registry: FakeRegistry, client: Distribution) -> None:
    registry.image("1")
    manifest = client.manifest(one(registry))
    for status, kind in {405: "refused", 400: "refused", 507: "down", 307: "broken"}.items():
        registry.lies["PUT /v2/a/b/manifests/2"] = fake.status(status)
        assert problem(lambda: client.tag(manifest, one(registry, "2"))).kind == kind
    registry.lies["PUT /v2/a/b/manifests/2"] = lambda to: to.answer(
        201, Docker_Content_Digest=digest_of(b"other")
    )
    assert problem(lambda: client.tag(manifest, one(registry, "2"))).kind == "broken"
    for elsewhere in (f"{registry.address}/a/c:2", one(registry, manifest.digest), "a/b:2"):
        assert problem(partial(client.tag, manifest, elsewhere)).kind == "broken"


def test_indexes_without_an_end(registry: FakeRegistry, client: Distribution) -> None:
    found = registry.image()
    for _ in range(5):
        found = registry.manifest({"mediaType": fake.INDEX, "manifests": [found]}, "1")
    assert problem(lambda: client.complete(client.manifest(one(registry)))).kind == "broken"


def test_nobody_answers(client: Distribution) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with ThreadPoolExecutor(8) as pool:  # all at once, and none waits for the others' time as well
            found = list(pool.map(lambda _: problem(lambda: client.digest(f"{address}/a:1")), range(8)))
    assert {one.kind for one in found} == {"down"}
    assert problem(lambda: client.digest("127.0.0.1:9/a:1")).kind == "down"
    assert problem(lambda: client.digest("registry.invalid/a:1")).kind == "down"


def test_closing_ends_open_questions(registry: FakeRegistry) -> None:
    client = Distribution(LIMITS)
    registry.image("1")
    manifest = client.manifest(one(registry))
    waiting = threading.Timer(0.1, client.close)
    for path in [path for path in registry.content if "/blobs/" in path]:
        registry.lies[f"GET {path}"] = lambda to: time.sleep(0.7)
    waiting.start()
    assert problem(lambda: client.complete(manifest)).kind == "down"
    waiting.join()
    client.close()


def test_each_limit_counts_for_itself(registry: FakeRegistry) -> None:
    registry.lies[TAG] = lambda to: time.sleep(1)
    for limits in (Limits(connect=5, read=0.2, whole=5), Limits(connect=5, read=5, whole=0.2)):
        start = time.monotonic()
        with Distribution(limits) as client:
            assert problem(partial(client.manifest, one(registry))).kind == "down"
        assert time.monotonic() - start < 0.8

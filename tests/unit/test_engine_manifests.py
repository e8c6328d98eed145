"""References, manifests and hosts: what is decided about them without asking anybody."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_registry import IMAGE, INDEX, digest_of
from homeport.engine import manifests
from homeport.engine.manifests import Place, is_for, parse_platform, read_manifest
from homeport.engine.registry import is_loopback
from homeport.engine.registry_http import proxy_for
from homeport.engine.registry_problem import RegistryProblem

SAMPLE = digest_of(b"")


@pytest.mark.parametrize(
    ("reference", "place"),
    [
        ("python:3.12-slim", ("registry-1.docker.io", "library/python", "3.12-slim")),
        ("docker.io/me/x", ("registry-1.docker.io", "me/x", "latest")),
        ("127.0.0.1:5000/homeiq/app:1", ("127.0.0.1:5000", "homeiq/app", "1")),
        ("[::1]:5000/a", ("[::1]:5000", "a", "latest")),
        (f"ghcr.io/me/x:1@{SAMPLE}", ("ghcr.io", "me/x", SAMPLE)),
    ],
)
def test_places(reference: str, place: tuple[str, str, str]) -> None:
    assert dataclasses.astuple(Place.of(reference)) == place


@pytest.mark.parametrize(
    "reference", ["", "r.io/", "r.io/a/../b", "r.io/a@sha256:1", "r.io/a:b/c", "r.io/a?b:1", "r.io/a b", "a@"]
)
def test_no_places(reference: str) -> None:
    with pytest.raises(RegistryProblem):
        Place.of(reference)


def test_a_document_for_two_readers_is_refused() -> None:
    both: dict[str, Any] = {"manifests": [], "layers": [], "config": {}}
    for kind in (IMAGE, INDEX):
        with pytest.raises(RegistryProblem):
            read_manifest("a", "", kind, json.dumps(both).encode())


def test_the_type_of_a_manifest() -> None:
    index = json.dumps({"manifests": []}).encode()
    for kind in manifests.INDEXES:
        assert read_manifest("a", "", f"{kind}; charset=utf-8", index).is_index
    with pytest.raises(RegistryProblem):
        read_manifest("a", "", IMAGE, index)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just(SAMPLE),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["mediaType", "digest", "size", "platform", "os"]), inner, max_size=5
        )
    ),
    max_leaves=10,
)


@given(st.sampled_from([IMAGE, INDEX]), JSON, JSON, JSON, st.sets(st.sampled_from("mcl")))
def test_any_document_is_read_or_refused(
    kind: str, parts: object, config: object, said: object, keys: set[str]
) -> None:
    document = {"mediaType": said, "config": config, "layers": parts, "manifests": parts}
    kept = {key: value for key, value in document.items() if key[0] not in keys}
    with contextlib.suppress(RegistryProblem):
        manifest = read_manifest("a", "", kind, json.dumps(kept).encode())
        found = manifests.children(manifest) if manifest.is_index else manifests.blobs(manifest)
        assert all(manifests.is_digest(part.digest) for part in found)


def test_platforms() -> None:
    assert parse_platform("linux/arm64/v8") == parse_platform("linux/aarch64") == ("linux", "arm64", "")
    assert parse_platform("linux/arm") == parse_platform("linux/arm/7") != parse_platform("linux/arm/v6")
    assert parse_platform("linux/x86_64") == ("linux", "amd64", "")
    assert is_for({"os": "linux", "architecture": "arm"}, parse_platform("linux/arm/v6"))
    assert not is_for({"os": "linux", "architecture": "arm", "variant": "v7"}, parse_platform("linux/arm/v6"))
    assert not is_for({}, parse_platform("linux/amd64"))


def test_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "proxy.test:3128")
    monkeypatch.setenv("no_proxy", "inside.test")
    assert proxy_for("https", "ghcr.io") == "http://proxy.test:3128"
    assert proxy_for("https", "r.inside.test:5000") == ""
    assert proxy_for("https", "127.0.0.1:5000") == ""


def test_this_machine() -> None:
    assert all(
        is_loopback(host) for host in ("LOCALHOST:5000", "[::1]:5000", "[::1]", "127.0.0.2", "127.1.2.3:5")
    )
    assert not any(
        is_loopback(host) for host in ("127.example.org:5000", "127.0.0.1.example.org", "10.0.0.1")
    )

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.model.reference import (
    cache_reference,
    is_registry_prefix,
    normalized,
    registry_host,
    rerooted,
    slug,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nginx", "docker.io/library/nginx:latest"),
        ("homeiq/api", "docker.io/homeiq/api:latest"),
        ("homeiq/api:1", "docker.io/homeiq/api:1"),
        ("docker.io/homeiq/api:1", "docker.io/homeiq/api:1"),
        ("ghcr.io/a/b", "ghcr.io/a/b:latest"),
        ("localhost/x", "localhost/x:latest"),
        ("127.0.0.1:5000/x:2", "127.0.0.1:5000/x:2"),
        ("nginx@sha256:ab", "docker.io/library/nginx@sha256:ab"),
        ("nginx:1@sha256:ab", "docker.io/library/nginx@sha256:ab"),
    ],
)
def test_one_spelling(text: str, expected: str) -> None:
    assert normalized(text) == expected


@pytest.mark.parametrize(
    ("tag", "registry", "expected"),
    [
        ("homeiq/api:1", "ghcr.io/me", "ghcr.io/me/homeiq/api:1"),
        ("api", "127.0.0.1:5000", "127.0.0.1:5000/api"),
        ("ghcr.io/me/api:1", "ghcr.io/me", "ghcr.io/me/api:1"),
        ("quay.io/x/api:1", "ghcr.io/me", "ghcr.io/me/x/api:1"),
    ],
)
def test_rerooted(tag: str, registry: str, expected: str) -> None:
    assert rerooted(tag, registry) == expected


@pytest.mark.parametrize(
    ("prefix", "host"),
    [
        ("ghcr.io/me", "ghcr.io"),
        ("127.0.0.1:5000", "127.0.0.1:5000"),
        ("docker.io/me", "registry-1.docker.io"),
        ("me", "registry-1.docker.io"),
        ("localhost/x", "localhost"),
    ],
)
def test_registry_host(prefix: str, host: str) -> None:
    assert registry_host(prefix) == host


@pytest.mark.parametrize(
    "text", ["ghcr.io/me/stack", "127.0.0.1:5000", "[::1]:5000/a", "docker.io/me", "localhost:5000"]
)
def test_good_prefixes(text: str) -> None:
    assert is_registry_prefix(text)


@pytest.mark.parametrize(
    "text", ["https://x", "ghcr.io/Me", "a b", "ghcr.io/me:tag", "-x", "x/", "", "a,b=c", "x@y"]
)
def test_bad_prefixes(text: str) -> None:
    assert not is_registry_prefix(text)


def test_branches_that_look_alike_as_tags_stay_apart() -> None:
    assert slug("feature/x", 40) != slug("feature-x", 40)
    assert cache_reference("r.io/me", "api", "main") == "r.io/me/cache:api.main"


@given(st.text(), st.text())
def test_a_cache_reference_is_always_a_valid_tag(target: str, branch: str) -> None:
    tag = cache_reference("r.io/me", target, branch).partition(":")[2]
    assert len(tag) <= 128
    assert tag[0].isascii()
    assert tag[0].isalnum() or tag[0] == "_"
    assert all(char.isascii() and (char.isalnum() or char in "_.-") for char in tag)

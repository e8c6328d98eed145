"""Image references: their parts, and where homeport puts caches and pushed images.

Rules: https://github.com/distribution/reference (grammar and the familiar names of Docker Hub).
"""

from __future__ import annotations

import hashlib
import re

DOCKER_HUB = "registry-1.docker.io"
_TAG_MOST = 128
_REFERENCE = re.compile(
    r"^[a-zA-Z0-9][a-zA-Z0-9.-]*(?::\d+)?(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*$"
    r"|^\[[0-9a-fA-F:]+\](?::\d+)?(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*$"
)


def split_host(reference: str) -> tuple[str, str]:
    """A reference's registry host (empty: Docker Hub) and the rest."""
    first, slash, rest = reference.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost" or first != first.lower()):
        return first, rest
    return "", reference


def registry_host(prefix: str) -> str:
    """The host to ask for a registry prefix such as ``ghcr.io/me`` or ``127.0.0.1:5000``."""
    first = prefix.partition("/")[0]
    if first in {"docker.io", "index.docker.io"}:
        return DOCKER_HUB
    if "." in first or ":" in first or first == "localhost":
        return first
    return DOCKER_HUB


def is_registry_prefix(text: str) -> bool:
    """Whether ``text`` can stand before ``/name:tag``: a host, perhaps with a path, no scheme and no tag."""
    return bool(_REFERENCE.match(text))


def normalized(reference: str) -> str:
    """One spelling for references that mean the same: ``nginx`` is ``docker.io/library/nginx:latest``."""
    host, rest = split_host(reference)
    name, digest_mark, digest = rest.partition("@")
    path, _, tag = name.partition(":")
    if host in {"", "index.docker.io", "docker.io"}:
        host = "docker.io"
        path = path if "/" in path else f"library/{path}"
    suffix = f"@{digest}" if digest_mark else f":{tag or 'latest'}"
    return f"{host}/{path}{suffix}"


def familiar(reference: str) -> str:
    """The shortest spelling: ``docker.io/library/nginx:latest`` is ``nginx``.

    By it, and by nothing else, BuildKit finds a named context that takes an image's or a stage's place
    (frontend/dockerui).
    """
    short = normalized(reference).removeprefix("docker.io/").removeprefix("library/")
    return short.removesuffix(":latest")


def rerooted(tag: str, registry: str) -> str:
    """The name under which ``tag`` is pushed to ``registry``: its own if it is there already.

    ``homeiq/data-api:1`` under ``ghcr.io/me`` is ``ghcr.io/me/homeiq/data-api:1``.
    """
    if tag.startswith(f"{registry}/"):
        return tag
    return f"{registry}/{split_host(tag)[1]}"


def slug(text: str, most: int) -> str:
    """``text`` as part of a tag: other characters become ``-``, and a short hash keeps changed ones apart."""
    clean = re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-.") or "x"
    if clean == text and len(clean) <= most:
        return clean
    mark = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"{clean[: most - 9]}-{mark}"


def cache_reference(registry: str, target: str, branch: str) -> str:
    """Where the cache of one target and branch lies: one repository, a tag for each pair.

    One repository because Docker Hub allows no deeper path than ``user/name``; never one tag for several
    targets, which would overwrite each other.
    """
    return f"{registry}/cache:{slug(target, 60)}.{slug(branch, _TAG_MOST - 61)}"


def kept_name(reference: str, image: str) -> str:
    """The name that an image has for as long as a release needs it: ``x/api:homeport-1a2b3c4d5e6f``.

    ``image`` is its id. An image that is only known by its id gets none.
    """
    if reference.startswith("sha256:"):
        return image
    return f"{repository(reference)}:homeport-{image.removeprefix('sha256:')[:12]}"


def repository(reference: str) -> str:
    """A reference without its tag and digest: ``127.0.0.1:5000/app:1`` is in ``127.0.0.1:5000/app``."""
    name = reference.partition("@")[0]
    head, colon, tag = name.rpartition(":")
    return head if colon and "/" not in tag else name

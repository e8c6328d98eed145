"""What registries hold, as data: references, manifests, indexes and their parts; nobody is asked here.

Rules: https://github.com/opencontainers/image-spec (manifest.md, image-index.md, descriptor.md) and
https://distribution.github.io/distribution/spec/manifest-v2-2/ for Docker's own, which mean the same.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from homeport.engine.registry_problem import RegistryProblem, parsed
from homeport.model.reference import DOCKER_HUB, normalized

INDEXES = frozenset(
    {
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    }
)
IMAGES = frozenset(
    {
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    }
)
PARTS_MOST = 1000
"""More blobs than any image has; who sends more keeps us busy."""

_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")

Platform = tuple[str, str, str]
"""Operating system, architecture and variant, as ``platform_of`` spells them."""
_ARCHITECTURES = {"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "i386": "386", "armhf": "arm"}
_VARIANTS = {("arm", ""): "v7", ("arm64", "v8"): "", ("amd64", "v1"): ""}


@dataclass(frozen=True)
class Place:
    """Where a reference leads: host, repository, and a tag or digest as ``name``."""

    host: str
    repository: str
    name: str

    @classmethod
    def of(cls, reference: str) -> Place:
        """From ``python:3.12-slim`` or ``ghcr.io/me/x@sha256:..``; RegistryProblem (broken) if it is none."""
        host, _, rest = normalized(reference).partition("/")
        repository, at, name = rest.partition("@")
        if not at:
            repository, _, name = rest.partition(":")
        if not _REPOSITORY.fullmatch(repository) or not (_DIGEST if at else _TAG).fullmatch(name):
            raise RegistryProblem("broken", f"'{reference}' names no image in a registry")
        return cls(DOCKER_HUB if host == "docker.io" else host.lower(), repository, name)

    @property
    def digest(self) -> str:
        """The digest, if the place is named by one; else empty."""
        return self.name if ":" in self.name else ""


@dataclass(frozen=True)
class Manifest:
    """A manifest or index, byte for byte as the registry sent it, verified against ``digest``."""

    reference: str
    digest: str
    media_type: str
    content: bytes = field(repr=False)

    @property
    def document(self) -> dict[str, Any]:
        """The parsed JSON object."""
        return parsed(self.content, "its manifest")

    @property
    def is_index(self) -> bool:
        """Whether it names manifests (of several platforms) rather than layers."""
        return self.media_type in INDEXES


@dataclass(frozen=True)
class Descriptor:
    """What a manifest names: a blob, or another manifest. ``platform`` only in an index."""

    media_type: str
    digest: str
    size: int
    platform: Platform | None = None

    @property
    def is_foreign(self) -> bool:
        """Layers whose makers allow no copies: registries needn't have them."""
        return ".foreign." in self.media_type or ".nondistributable." in self.media_type


def read_manifest(reference: str, digest: str, content_type: str, content: bytes) -> Manifest:
    """Check what kind of document it is; RegistryProblem (broken) if it is neither manifest nor index.

    The document's own word wins over the header, because the digest covers it; else the header decides.
    One that is both is refused: it would be another image for another reader (CVE-2021-41190).
    """
    document = parsed(content, "its manifest")
    kind = document.get("mediaType") or content_type.partition(";")[0].strip().lower()
    if not isinstance(kind, str) or kind not in INDEXES | IMAGES:
        raise RegistryProblem("broken", "what it sends is no manifest of a known type")
    of_images, of_indexes = "config" in document or "layers" in document, "manifests" in document
    if of_images == of_indexes or of_indexes != (kind in INDEXES):
        raise RegistryProblem("broken", "its manifest isn't what its type says")
    return Manifest(reference, digest, kind, content)


def children(index: Manifest) -> list[Descriptor]:
    """The manifests that an index names, attestations included."""
    return _descriptors(index.document.get("manifests"))


def config_blob(image: Manifest) -> Descriptor:
    """The configuration that a manifest names."""
    return _descriptors([image.document.get("config")])[0]


def blobs(image: Manifest) -> list[Descriptor]:
    """The configuration and layers that a manifest names, without foreign layers."""
    layers = _descriptors(image.document.get("layers"))
    return [config_blob(image), *(layer for layer in layers if not layer.is_foreign)]


def platform_of(system: object, architecture: object, variant: object = "") -> Platform:
    """One spelling for platforms that mean the same: ``arm64/v8`` is ``arm64``, ``arm`` is ``arm/v7``.

    As containerd's ``platforms.Normalize`` (https://github.com/containerd/platforms/blob/main/database.go).
    """
    words = [str(word or "").lower() for word in (system, architecture, variant)]
    kind = _ARCHITECTURES.get(words[1], words[1])
    version = f"v{words[2]}" if words[2].isdigit() else words[2]
    return words[0], kind, _VARIANTS.get((kind, version), version)


def parse_platform(text: str) -> Platform:
    """From ``linux/amd64`` or ``linux/arm64/v8``."""
    system, _, rest = text.partition("/")
    architecture, _, variant = rest.partition("/")
    return platform_of(system, architecture, variant)


def is_for(config: Mapping[str, Any], platform: Platform) -> bool:
    """Whether an image's configuration says that it is for this platform.

    Old builders write no variant there: then only what is written counts.
    """
    found = platform_of(config.get("os"), config.get("architecture"), config.get("variant"))
    return found == platform if config.get("variant") else found[:2] == platform[:2]


def settings(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """What an image's configuration says of its containers: labels, triggers and more; it may be anything."""
    found = config.get("config")
    return found if isinstance(found, dict) else {}


def is_digest(text: str) -> bool:
    """Whether it is a digest of a registered algorithm."""
    return bool(_DIGEST.fullmatch(text))


def verify(content: bytes, digest: str) -> None:
    """RegistryProblem (broken) if the bytes have another digest."""
    algorithm, _, expected = digest.partition(":")
    if hashlib.new(algorithm, content).hexdigest() != expected:
        raise RegistryProblem("broken", "what it sends has another digest than it should")


def _descriptors(found: object) -> list[Descriptor]:
    if not isinstance(found, list):
        raise RegistryProblem("broken", "its manifest names no parts")
    if len(found) > PARTS_MOST:
        raise RegistryProblem("broken", f"its manifest names more than {PARTS_MOST} parts")
    return [_descriptor(part) for part in found]


def _descriptor(found: object) -> Descriptor:
    part = found if isinstance(found, dict) else {}
    kind, digest, size = part.get("mediaType"), part.get("digest"), part.get("size")
    if not (
        isinstance(kind, str) and isinstance(digest, str) and isinstance(size, int) and is_digest(digest)
    ):
        raise RegistryProblem("broken", "its manifest names a part without type, digest or size")
    named = part.get("platform")
    platform = None
    if isinstance(named, dict):
        platform = platform_of(named.get("os"), named.get("architecture"), named.get("variant"))
    return Descriptor(kind, digest, size, platform)

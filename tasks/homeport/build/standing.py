"""How every target stands before a build: its fingerprint, and where an image with it is. Pure data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from homeport.build.options import BuildOptions
from homeport.engine.images import Image
from homeport.engine.manifests import Manifest
from homeport.model.fingerprint import Fingerprint, Recorded
from homeport.model.reference import repository, rerooted
from homeport.model.targets import Target


@dataclass(frozen=True)
class Copy:
    """An image in a registry: its manifest under the content tag, and tags beside it that show elsewhere."""

    manifest: Manifest = field(hash=False)
    moves: tuple[str, ...] = ()


@dataclass(frozen=True)
class Found:
    """Where a target's image is: its id in the engine (empty: not there), its copies in registries.

    ``renames`` are the target's names in the engine that mean another image, or none.
    """

    image: str = ""
    renames: tuple[str, ...] = ()
    copies: tuple[Copy, ...] = field(default=(), hash=False)

    @property
    def digest(self) -> str:
        return self.image or self.copies[0].manifest.digest

    @property
    def in_registry(self) -> str:
        """A name and digest by which it can be fetched; empty if it is in no registry."""
        if not self.copies:
            return ""
        manifest = self.copies[0].manifest
        return f"{repository(manifest.reference)}@{manifest.digest}"


@dataclass(frozen=True)
class Standing:
    """All of it, by target. ``before`` is what the last image was made of, as far as anybody wrote it down;
    ``current`` what the target's first name means in the engine now, where that is not the target's image."""

    fingerprints: Mapping[str, Fingerprint] = field(default_factory=dict, hash=False)
    found: Mapping[str, Found] = field(default_factory=dict, hash=False)
    before: Mapping[str, Recorded] = field(default_factory=dict, hash=False)
    current: Mapping[str, Image | None] = field(default_factory=dict, hash=False)
    warnings: tuple[str, ...] = ()
    tagged: Mapping[str, Mapping[str, str]] | None = field(default=None, hash=False)
    """Which target makes what others name by a tag."""


def push_names(target: Target, options: BuildOptions) -> tuple[str, ...]:
    """The names under which a target is pushed."""
    if not options.registry:
        return target.tags
    return tuple(dict.fromkeys(rerooted(tag, options.registry) for tag in target.tags))


def content_references(
    target: Target, fingerprint: Fingerprint, options: BuildOptions
) -> dict[str, tuple[str, ...]]:
    """By content tag (``repository:fp-...``) the names beside it that a push gives the image."""
    if not options.registry and not options.push:
        return {}
    found: dict[str, list[str]] = {}
    for name in push_names(target, options):
        found.setdefault(f"{repository(name)}:{fingerprint.tag}", []).append(name)
    return {reference: tuple(members) for reference, members in found.items()}

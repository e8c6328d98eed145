"""What is kept of older releases so that they can run again, and what is let go."""

from __future__ import annotations

from collections.abc import Iterable

from homeport.deploy import facts, notes
from homeport.engine import containers, images
from homeport.model.reference import kept_name
from homeport.model.release import Outcome, Release, superseded


def retain(stack: str, keep: int) -> tuple[Release, ...]:
    """Let go of what the last ``keep`` releases don't need; returns the releases that are forgotten.

    Containers that stand still are removed unless a kept release has them, and the names taken away that
    the images of others are kept by. What runs is left alone. Raises ContainerProblem.
    """
    everything = notes.releases(stack)
    gone = superseded(everything, notes.pinned(stack), keep)
    kept = [release for release in everything if release.outcome is Outcome.PASSED and release not in gone]
    others = [release for release in everything if release not in kept]
    sets = {one.replica_set for release in kept for one in release.services.values()}
    fronts: dict[str, set[str]] = {}
    for release in kept:
        for name, deployed in release.services.items():
            fronts.setdefault(name, set()).add(deployed.front_name)
    running, _ = facts.look(stack)
    needless = [
        one.id
        for found in running.values()
        for name, members in found.sets.items()
        for one in members
        if not one.active and name not in sets
    ]
    needless += [
        one.id
        for service, found in running.items()
        for one in found.fronts
        if not one.active and one.service not in fronts.get(service, ())
    ]
    containers.remove(needless)
    images.untag(sorted(kept_names(others) - kept_names(kept) - kept_names(notes.releases_elsewhere(stack))))
    notes.forget(stack, gone)
    return gone


def kept_names(releases: Iterable[Release]) -> set[str]:
    """The names of their own that images of these releases have."""
    found = {
        kept_name(one.image_name, one.image)
        for release in releases
        for one in release.services.values()
        if one.image_name
    }
    return {name for name in found if not name.startswith("sha256:")}

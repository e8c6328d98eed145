"""How an old release was deployed on Swarm, put together again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from homeport.deploy.desired import ReplicaSet
from homeport.deploy.past import check_barrier
from homeport.deploy.swarm import private
from homeport.deploy.swarm.facts import SwarmFacts
from homeport.errors import UsageError
from homeport.model.release import Release

Shared = Mapping[str, Mapping[str, Any]]


def of_release(release: Release, found: SwarmFacts, *, force: bool) -> tuple[dict[str, ReplicaSet], Shared]:
    """The services of that release, and what they share. Raises UsageError where not everything is there.

    ``force``: go past releases that are marked as irreversible.
    """
    check_barrier(found.releases, release, force=force)
    sets, shared = found_again(release, found)
    # What has run to its end has run: an older one doesn't take a migration back.
    wanted = [name for name, one in release.services.items() if not one.one_shot]
    sets = {name: sets[name] for name in wanted if name in sets}
    if missing := [name for name in wanted if name not in sets]:
        revision = release.revision[:12] + (" (which had changes that were not committed)" * release.dirty)
        raise UsageError(
            f"{release.id} can't run again: values of {len(missing)} of its services aren't there any more.",
            cause="A release keeps no values of variables, and Swarm has only those of what runs and of the "
            "last tasks of each service ('docker swarm update --task-history-limit').",
            hint=f"Check out {revision}, and deploy that."
            if revision
            else "No git revision was noted: put the files back as they were, and deploy them.",
            detail="\n".join(missing),
        )
    return sets, shared


def found_again(release: Release, found: SwarmFacts) -> tuple[dict[str, ReplicaSet], Shared]:
    """The services of a release as far as they can be put together, and what they share."""
    kept = (found.documents.get(release.number) or {}).get("services") or {}
    sets = {}
    shared: dict[str, dict[str, Any]] = {}
    for name, deployed in release.services.items():
        if name not in kept:
            continue
        uses = private.uses_again(kept[name], found.shared)
        places = private.sources(found.running.get(name), found.sets.get(name))
        one = private.restore(name, deployed.replica_set, deployed.image, kept[name], uses, places)
        if one is not None:
            sets[name] = one
            for kind, entries in uses.items():
                shared.setdefault(kind, {}).update(entries)
    return sets, shared

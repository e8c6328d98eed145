"""Which target builds on which other one's tag. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from homeport.model.reference import familiar, normalized
from homeport.model.targets import TARGET_SCHEME, Definition, Target

IMAGE_SCHEME = "docker-image://"


def tag_dependencies(
    definition: Definition, images: Mapping[str, tuple[str, ...]], warnings: list[str]
) -> dict[str, dict[str, str]]:
    """By target: the images its Dockerfile names that another target's tag produces, and that target.

    ``images`` are, by target, what its Dockerfile names. A name that the target's own ``contexts`` replace
    is no dependency on a tag. Whatever is ambiguous is told in ``warnings``.
    """
    requested = set(definition.requested)
    producers: dict[str, list[str]] = {}
    for target in definition:
        for tag in target.tags:
            producers.setdefault(normalized(tag), []).append(target.name)
    found: dict[str, dict[str, str]] = {}
    for target in definition:
        found[target.name] = {}
        named = [
            value[len(IMAGE_SCHEME) :] for value in target.contexts.values() if value.startswith(IMAGE_SCHEME)
        ]
        for image in (*images[target.name], *named):
            makers = producers.get(normalized(image), [])
            hidden = familiar(image) in target.contexts and image not in named
            if hidden or not makers or target.name in makers:
                continue
            wanted = [name for name in makers if name in requested] or makers
            found[target.name][image] = wanted[0]
            if len(wanted) > 1 and target.name in requested:
                warnings.append(
                    f"{target.name}: its Dockerfile builds on {image}, which {', '.join(wanted)} all tag; "
                    f"{wanted[0]} is built first."
                )
    return found


def makers(target: Target, tagged: Mapping[str, str]) -> dict[str, str]:
    """By context the target that makes it, ``tagged`` being the target's own of :func:`tag_dependencies`.

    A tag that a Dockerfile names is a context, too: as a tag alone it may mean another image by the time
    that BuildKit looks it up.
    """
    contexts = target.contexts
    found = {familiar(image): maker for image, maker in tagged.items() if familiar(image) not in contexts}
    for key, value in contexts.items():
        if value.startswith(TARGET_SCHEME):
            found[key] = value.removeprefix(TARGET_SCHEME)
        elif value.startswith(IMAGE_SCHEME) and value.removeprefix(IMAGE_SCHEME) in tagged:
            found[key] = tagged[value.removeprefix(IMAGE_SCHEME)]
    return found

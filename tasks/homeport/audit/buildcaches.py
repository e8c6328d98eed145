"""``cache_from`` and ``cache_to`` in the build sections of a Compose project, by the editor of Compose files.

Which cache is configuration: a template such as ``type=registry,ref=registry.example/team/{service}:cache``
(https://docs.docker.com/reference/compose-file/build/#cache_to, .../build/cache/backends/registry/).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from homeport.audit.finding import NO_BUILD_CACHE
from homeport.errors import UsageError
from homeport.model import compose_edit
from homeport.model.compose_edit import Adds, CannotEdit, Edited
from homeport.model.finding import Finding
from homeport.model.project import Service
from homeport.model.yaml_tree import entry
from homeport.sources.compose import ComposeFiles

_NAME = "{service}"


@dataclass(frozen=True)
class Wanted:
    """A service without a cache that another machine could use; ``edit`` mends it, unless it can't be."""

    finding: Finding
    edit: Edited | None


def check(template: str) -> None:
    """Raise UsageError unless each service gets a cache of its own: they would overwrite one another."""
    if template and (_NAME not in template or not template.startswith("type=")):
        raise UsageError(
            f"[audit] build-cache: {template!r} is no cache of its own for each service.",
            hint='For example build-cache = "type=registry,ref=registry.example/team/{service}:cache".',
        )


def find(files: ComposeFiles, template: str) -> Iterator[Wanted]:
    """The services that are built, and name no cache."""
    for service in files.project.services.values():
        build = service.spec.get("build")
        if not build or (isinstance(build, dict) and {"cache_from", "cache_to"} & build.keys()):
            continue
        yield _wanted(files, service, template)


def _wanted(files: ComposeFiles, service: Service, template: str) -> Wanted:
    layer = next((one for one in reversed(service.layers) if entry(one.node, "build")), service.layers[-1])
    found = entry(layer.node, "build")
    line = (found[0] if found else layer.node).start_mark.line + 1
    ref = template.replace(_NAME, service.name)
    # Only BuildKit's "max" keeps what stages leave that are not in the image.
    mode = "" if "mode=" in ref else ",mode=max"
    adds: Adds = {("build", "cache_from"): (ref,), ("build", "cache_to"): (f"{ref}{mode}",)}
    edit = Edited(layer.path, layer.document, service.name, adds)
    fix, by_hand = f"cache_from {ref}, and cache_to the same with mode=max.", ""
    if not template:
        by_hand = "Say which under [audit] build-cache."
    else:
        try:
            document = files.project.documents[layer.path]
            compose_edit.insertions(document, layer.document, service.name, adds)
        except CannotEdit as error:
            by_hand = f"{fix} By hand: {error}."
    finding = Finding(
        NO_BUILD_CACHE,
        files.shown(layer.path),
        line,
        f"{service.name} is built without a cache of its own",
        by_hand or fix,
        about=service.name,
        elsewhere=not by_hand,
    )
    return Wanted(finding, None if by_hand else edit)


def changes(
    files: ComposeFiles, wanted: Collection[Wanted], findings: Collection[Finding]
) -> dict[Path, bytes]:
    """The new bytes of the files in which these findings are mended, proven. Raises CannotEdit."""
    edits = [one.edit for one in wanted if one.edit is not None and one.finding in findings]
    by_path: dict[Path, list[compose_edit.Insertion]] = {}
    for one in edits:
        document = files.project.documents[one.path]
        found = compose_edit.insertions(document, one.document, one.service, one.adds)
        by_path.setdefault(one.path, []).extend(found)
    texts = {
        path: compose_edit.insert(files.project.documents[path].text, found)
        for path, found in by_path.items()
    }
    return compose_edit.prove(files.project, texts, edits, files.environment)

"""What was found before and is known: a sorted JSON file, so that its differences can be read in a review.

An entry means a finding of the image with its digest, and of later builds under the same name as long as
package and version are the same: a rebuild makes no old finding new.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from homeport.errors import UsageError
from homeport.report.document import write_text
from homeport.scan.hits import Hit

SCHEMA = "homeport.scan.baseline/1"
_KEYS = ("image", "digest", "id", "package", "version")

Flaw = tuple[str, str, str]
"""A finding's id, package and version."""


@dataclass(frozen=True)
class Baseline:
    """What a file says: for each finding the images, by digest and by name, that had it."""

    digests: Mapping[Flaw, frozenset[str]] = field(default_factory=dict)
    names: Mapping[Flaw, Mapping[str, str]] = field(default_factory=dict)
    """By finding, the name of the image (or the file) and the digest that it has in the file."""

    def knows(self, hit: Hit) -> str | None:
        """The digest under which a finding is known; empty for one of the repository, None for a new one."""
        flaw = _flaw(hit)
        if hit.image and hit.image in self.digests.get(flaw, ()):
            return hit.image
        return self.names.get(flaw, {}).get(hit.whose)


def read(path: str) -> Baseline:
    """The baseline in a file. Raises UsageError for one that isn't there, and for any other file."""
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(
            f"The baseline {path!r} can't be read: {error}.",
            hint=f"Make it with 'homeport scan --write-baseline {path}'.",
        ) from error
    return parse(document, path)


def parse(document: Any, path: str) -> Baseline:
    """The baseline in a JSON document read from ``path``. Raises UsageError for another one."""
    try:
        if document["schema"] != SCHEMA:
            raise ValueError(f"its schema is {document['schema']!r}")
        entries = [tuple(str(entry[key]) for key in _KEYS) for entry in document["findings"]]
    except (ValueError, TypeError, LookupError) as error:
        raise UsageError(
            f"{path!r} is no baseline of homeport: {error}.",
            hint=f"Make it with 'homeport scan --write-baseline {path}'.",
        ) from error
    digests: dict[Flaw, set[str]] = {}
    names: dict[Flaw, dict[str, str]] = {}
    for image, digest, id_, package, version in entries:
        flaw = (id_, package, version)
        names.setdefault(flaw, {})[image] = digest
        if digest:
            digests.setdefault(flaw, set()).add(digest)
    return Baseline({flaw: frozenset(found) for flaw, found in digests.items()}, names)


def document(hits: Iterable[Hit]) -> dict[str, Any]:
    """The findings as a baseline, each once and in order."""
    entries = sorted({(hit.whose, hit.image, *_flaw(hit)) for hit in hits})
    return {"schema": SCHEMA, "findings": [dict(zip(_KEYS, entry, strict=True)) for entry in entries]}


def write(path: str, hits: Iterable[Hit]) -> None:
    """Write the findings as a baseline. Raises UsageError if the file can't be written."""
    write_text(Path(path), json.dumps(document(hits), indent=2, ensure_ascii=False) + "\n")


def _flaw(hit: Hit) -> Flaw:
    return (hit.weakness.id, hit.weakness.package, hit.weakness.version)

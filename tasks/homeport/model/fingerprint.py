"""The fingerprint of a target: one SHA-256 over everything that decides its image, and what it is made of.

Equal fingerprints mean that no build is due. What can't be known makes a target "always built", with the
reason. Only digests are kept: a value may be a secret.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

VERSION = "1"
"""Part of every fingerprint: a release that looks at more, or otherwise, must not believe an older one's."""

LABEL = "io.homeport.fingerprint"
INPUTS_LABEL = "io.homeport.inputs"
_SHORT = 16
_LABEL_FILES = 60
_OTHERS = ".../"
"""Stands for what there is no room for: no folder is likely to have that name."""


Files = Mapping[str, tuple[str, str]]
"""Path to content (a digest's beginning; ``"/"`` for a directory) and permission bits (octal)."""


class Listing:
    """The files of one context that a target reads.

    They are put together only when somebody wants to see them.
    """

    def __init__(self, digest: str, files: Callable[[], Files]) -> None:
        self.digest = digest
        self._read = files

    @cached_property
    def files(self) -> Files:
        """Each file, link and directory by its path."""
        return self._read()

    @cached_property
    def summary(self) -> Files:
        """The same in few entries."""
        return summary(self.files)


@dataclass(frozen=True)
class Fingerprint:
    """What decides one target's image.

    ``inputs`` are digests by the input's name; ``listings`` the files by context (the main one is ``""``);
    ``unknown`` the reasons why it can't be known, and then ``digest`` identifies nothing.
    """

    digest: str
    inputs: Mapping[str, str] = field(hash=False)
    listings: Mapping[str, Listing] = field(default_factory=dict, hash=False)
    unknown: tuple[str, ...] = ()

    @property
    def known(self) -> bool:
        return not self.unknown

    @property
    def tag(self) -> str:
        """The content tag in a registry."""
        return f"fp-{self.digest}"


@dataclass(frozen=True)
class Change:
    """One input that differs: ``what`` it is, and ``how``: added, changed, removed, or "mode" for files."""

    what: str
    how: str


def digest_of(value: Any) -> str:
    """SHA-256 of a value as canonical JSON, as hexadecimal text."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def make(
    inputs: Mapping[str, str], listings: Mapping[str, Listing], unknown: Iterable[str] = ()
) -> Fingerprint:
    """Put a fingerprint together from digests by name and the files read."""
    everything = {**inputs, **{files_name(context): listing.digest for context, listing in listings.items()}}
    return Fingerprint(
        digest_of({"version": VERSION, "inputs": everything}),
        everything,
        dict(listings),
        tuple(dict.fromkeys(unknown)),
    )


def files_name(context: str) -> str:
    """The name of the input that stands for the files of a context."""
    return f"files of context {context}" if context else "files"


def label(fingerprint: Fingerprint) -> str:
    """What an image carries so that a later build can say what changed: digests only, never much.

    Files one by one where there are few; else folders, as deep as there is room for: every container lists
    its image's labels.
    """
    document = {
        "inputs": {name: digest[:_SHORT] for name, digest in fingerprint.inputs.items()},
        "files": {
            context: {path: list(entry) for path, entry in listing.summary.items()}
            for context, listing in fingerprint.listings.items()
        },
    }
    return json.dumps(document, separators=(",", ":"), ensure_ascii=True)


def summary(files: Files, most: int = _LABEL_FILES) -> Files:
    """At most about ``most`` entries for these files: folders in place of what lies in them (``name/``)."""
    if len(files) <= most:
        return dict(files)
    groups = _by_folder(files, 0)
    depth = 1
    while len(deeper := _by_folder(files, depth)) <= most:
        groups, depth = deeper, depth + 1
    names = sorted(groups)
    if len(names) > most:
        rest = [member for name in names[most - 1 :] for member in groups[name]]
        groups = {name: groups[name] for name in names[: most - 1]} | {_OTHERS: rest}
    return {name: _joined(members) for name, members in sorted(groups.items())}


def _by_folder(files: Files, depth: int) -> dict[str, list[tuple[str, tuple[str, str]]]]:
    groups: dict[str, list[tuple[str, tuple[str, str]]]] = {}
    for path, entry in files.items():
        parts = path.split("/", depth + 1)
        name = path if len(parts) <= depth + 1 else "/".join(parts[: depth + 1]) + "/"
        groups.setdefault(name, []).append((path, entry))
    return groups


def _joined(members: list[tuple[str, tuple[str, str]]]) -> tuple[str, str]:
    if len(members) == 1:
        return members[0][1]
    content = digest_of([(path, entry[0]) for path, entry in members])[:_SHORT]
    return content, digest_of([entry[1] for _, entry in members])[:_SHORT]


@dataclass(frozen=True)
class Recorded:
    """What an image was made of, as somebody wrote it down: short digests, files perhaps only by folder."""

    inputs: Mapping[str, str] = field(default_factory=dict, hash=False)
    files: Mapping[str, Files] = field(default_factory=dict, hash=False)


def recorded(fingerprint: Fingerprint) -> Recorded:
    """A fingerprint as it is written down."""
    return Recorded(
        {name: digest[:_SHORT] for name, digest in fingerprint.inputs.items()},
        {context: dict(listing.files) for context, listing in fingerprint.listings.items()},
    )


def read_label(text: str) -> Recorded | None:
    """What :func:`label` wrote; None for anything else, for labels are anybody's to write."""
    try:
        document = json.loads(text)
        return Recorded(
            {str(name): str(digest) for name, digest in document["inputs"].items()},
            {
                str(context): {str(path): (str(entry[0]), str(entry[1])) for path, entry in files.items()}
                for context, files in document["files"].items()
            },
        )
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def compare(before: Recorded, now: Fingerprint) -> tuple[Change, ...]:
    """What differs between a record and a fingerprint; files in place of the input that stands for them."""
    present = {name: digest[:_SHORT] for name, digest in now.inputs.items()}
    listed = {files_name(context): context for context in {*before.files, *now.listings}}
    found: list[Change] = []
    for name in sorted({*present, *before.inputs}):
        old, new = before.inputs.get(name), present.get(name)
        if old == new:
            continue
        context = listed.get(name)
        files = _file_changes(before, now, context) if context is not None else []
        how = "added" if old is None else "removed" if new is None else "changed"
        found += files or [Change(name, how)]
    return tuple(found)


def _file_changes(before: Recorded, now: Fingerprint, context: str) -> list[Change]:
    old = before.files.get(context, {})
    listing = now.listings.get(context)
    by_folder = any(path.endswith("/") for path in old)
    new: Files = (listing.summary if by_folder else listing.files) if listing else {}
    prefix = f"{context}: " if context else ""
    found = []
    for path in sorted({*old, *new}):
        one, other = old.get(path), new.get(path)
        if one == other:
            continue
        how = "added" if one is None else "removed" if other is None else "changed"
        if one and other and one[0] == other[0]:
            how = f"mode {one[1]} -> {other[1]}" if len(one[1]) < _SHORT else "mode"
        found.append(Change(f"{prefix}{path}", how))
    return found

"""What this machine built on which engine: fingerprint to image id, and what each image was made of.

A cache, and never trusted by itself: a build is skipped only if the engine has that very image. Only an
image that was seen to carry the fingerprint in its label is noted, and since its id is a digest of all it
says, the label needs no second look. Each row is sealed: one that isn't as it was written counts for nothing.
Losing the record costs a build that BuildKit's own cache makes short. It is a SQLite file, so that builds at
the same time and a killed one leave it whole; what can't be read is begun anew.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

from homeport.model.fingerprint import Fingerprint, Recorded, recorded
from homeport.sources import cache
from homeport.sources.disk import Seen

T = TypeVar("T")

KEPT_PER_TARGET = 20
"""So that going back to an older branch finds its images, if the engine still has them."""

_WAIT_SECONDS = 5.0
_FROM_OUTSIDE = ("locked", "readonly", "unable to open", "disk", "permission", "out of memory", "interrupted")
"""Words of SQLite's messages about what isn't the file's fault; all else is no table of ours."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS builds (
    engine TEXT NOT NULL, place TEXT NOT NULL, target TEXT NOT NULL, fingerprint TEXT NOT NULL,
    image TEXT NOT NULL, built REAL NOT NULL, inputs TEXT NOT NULL, files TEXT NOT NULL, seal TEXT NOT NULL,
    PRIMARY KEY (engine, place, target, fingerprint));
CREATE INDEX IF NOT EXISTS by_fingerprint ON builds (engine, fingerprint);
CREATE TABLE IF NOT EXISTS listings (digest TEXT PRIMARY KEY, files BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS sent (
    engine TEXT NOT NULL, place TEXT NOT NULL, files BLOB NOT NULL, PRIMARY KEY (engine, place));
"""


def default_path() -> Path:
    """Where the record lies: in the user's own cache folder, as the system has it.

    A new form gets a new number.
    """
    return cache.folder() / "builds-2.sqlite"


class Record:
    """The record in one file. Nothing raises: what can't be read or written is as if it weren't there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problem = ""
        """Why the last write didn't happen; empty if it did."""

    def images(self, engine: str, fingerprints: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """By fingerprint the ids of the images that were built with it on this engine, the latest first."""
        wanted = list(dict.fromkeys(fingerprints))
        marks = ",".join("?" * len(wanted))
        rows = self._read(
            f"SELECT fingerprint, image, seal FROM builds WHERE engine = ? AND fingerprint IN ({marks})"  # noqa: S608 - marks only
            " ORDER BY built DESC",
            (engine, *wanted),
        )
        found: dict[str, dict[str, None]] = {}
        for fingerprint, image, seal in rows:
            if seal == _seal(engine, str(fingerprint), str(image)):
                found.setdefault(str(fingerprint), {})[str(image)] = None
        return {fingerprint: tuple(images) for fingerprint, images in found.items()}

    def last(self, engine: str, place: str, target: str) -> Recorded | None:
        """What the target's last image was made of."""
        rows = self._read(
            "SELECT inputs, files FROM builds WHERE engine = ? AND place = ? AND target = ?"
            " ORDER BY built DESC LIMIT 1",
            (engine, place, target),
        )
        try:
            inputs, files = (json.loads(text) for text in rows[0]) if rows else ({}, {})
            if not rows:
                return None
            return Recorded(
                {str(name): str(digest) for name, digest in inputs.items()},
                {str(context): self._listing(str(digest)) for context, digest in files.items()},
            )
        except (ValueError, TypeError, AttributeError, LookupError, RecursionError, zlib.error):
            return None

    def write(self, engine: str, place: str, built: Sequence[tuple[str, Fingerprint, str]]) -> None:
        """Note what was built: for each target its name, fingerprint, and the id of an image that was seen to
        carry it."""

        def work(connection: sqlite3.Connection) -> None:
            now = time.time()
            for target, fingerprint, image in built:
                known = recorded(fingerprint)
                listings = {context: found.digest for context, found in fingerprint.listings.items()}
                for context, digest in listings.items():
                    connection.execute(
                        "INSERT OR IGNORE INTO listings VALUES (?, ?)",
                        (digest, zlib.compress(json.dumps(known.files[context]).encode("ascii"), 1)),
                    )
                connection.execute(
                    "INSERT OR REPLACE INTO builds VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        *(engine, place, target, fingerprint.digest, image, now),
                        *(json.dumps(dict(known.inputs)), json.dumps(listings)),
                        _seal(engine, fingerprint.digest, image),
                    ),
                )
                connection.execute(
                    "DELETE FROM builds WHERE rowid IN (SELECT rowid FROM builds WHERE engine = ?"
                    " AND place = ? AND target = ? ORDER BY built DESC LIMIT -1 OFFSET ?)",
                    (engine, place, target, KEPT_PER_TARGET),
                )
            used = {
                digest
                for (text,) in connection.execute("SELECT files FROM builds")
                for digest in json.loads(text).values()
            }
            for (digest,) in connection.execute("SELECT digest FROM listings").fetchall():
                if digest not in used:
                    connection.execute("DELETE FROM listings WHERE digest = ?", (digest,))

        if built:
            self._try(work, writing=True)

    def sent(self, engine: str, place: str) -> dict[str, Seen]:
        """The files that earlier builds sent to the engine, by path, as they were then."""
        rows = self._read("SELECT files FROM sent WHERE engine = ? AND place = ?", (engine, place))
        try:
            files = json.loads(zlib.decompress(rows[0][0])) if rows else {}
            return {str(path): Seen(str(one[0]), int(one[1]), int(one[2])) for path, one in files.items()}
        except (ValueError, TypeError, AttributeError, LookupError, RecursionError, zlib.error):
            return {}

    def write_sent(self, engine: str, place: str, files: Mapping[str, Seen]) -> None:
        """Note which files were sent to the engine, in place of what was noted before."""
        # Names of files need not be text: JSON's escapes keep every one apart.
        packed = zlib.compress(json.dumps(files).encode("ascii"), 1)
        self._try(
            lambda connection: connection.execute(
                "INSERT OR REPLACE INTO sent VALUES (?, ?, ?)", (engine, place, packed)
            ),
            writing=True,
        )

    def _listing(self, digest: str) -> dict[str, tuple[str, str]]:
        rows = self._read("SELECT files FROM listings WHERE digest = ?", (digest,))
        files = json.loads(zlib.decompress(rows[0][0])) if rows else {}
        return {str(path): (str(entry[0]), str(entry[1])) for path, entry in files.items()}

    def _read(self, query: str, values: Sequence[str]) -> list[tuple[Any, ...]]:
        try:
            if not self.path.is_file():
                return []
        except OSError:  # a folder that may not be looked into
            return []
        return self._try(lambda connection: connection.execute(query, values).fetchall()) or []

    def _try(self, work: Callable[[sqlite3.Connection], T], *, writing: bool = False) -> T | None:
        for attempt in (1, 2):
            try:
                if writing:
                    self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                with closing(sqlite3.connect(self.path, timeout=_WAIT_SECONDS)) as connection, connection:
                    if writing:
                        connection.executescript(_SCHEMA)
                    found = work(connection)
                self.problem = ""
                return found
            except (sqlite3.Error, OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
                self.problem = str(error)
                if attempt == 2 or self._is_sound(error, writing=writing) or not self._begin_anew():
                    return None
        return None

    def _is_sound(self, error: Exception, *, writing: bool) -> bool:
        """Whether nothing is wrong with the file itself: locked for too long, a full disk, no permission."""
        if isinstance(error, sqlite3.OperationalError):
            return not writing or any(words in str(error) for words in _FROM_OUTSIDE)
        return isinstance(error, OSError)

    def _begin_anew(self) -> bool:
        """Take away a file that is no record (any more)."""
        try:
            self.path.unlink()
        except OSError:
            return False
        return True


def _seal(engine: str, fingerprint: str, image: str) -> str:
    """What tells a row that was written here from one that is damaged or was changed by hand."""
    return hashlib.sha256(json.dumps([engine, fingerprint, image]).encode("ascii")).hexdigest()

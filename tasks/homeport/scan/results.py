"""What scanners said before, by image, scanner and database: the same three say the same again.

One small file each, in the user's own cache folder, put in its place at once. What can't be read or written
is as if it weren't there: the image is scanned again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
import time
from dataclasses import asdict
from pathlib import Path

from homeport.engine.scanner import Ready, Report
from homeport.model.vulnerability import Level, Weakness
from homeport.sources import cache

_FORM = 2
"""A new number for a new form of what is kept, or of what a scanner is asked."""
_DAYS = 30
"""Databases are replaced several times a day: what is older is of no use to anybody."""


def default_path() -> Path:
    """The folder where results lie."""
    return cache.folder() / "scans"


def read(folder: Path, ready: Ready, image: str) -> Report | None:
    """What this scanner with this database said of an image, by its id; None if that isn't known."""
    try:
        found = json.loads(_path(folder, ready, image).read_text(encoding="utf-8"))
        weaknesses = [Weakness(**{**one, "level": Level(one["level"])}) for one in found["weaknesses"]]
        if found["image"] != image or not all(isinstance(one.id, str) for one in weaknesses):
            return None
        return Report(tuple(weaknesses), bool(found["looked"]))
    except (OSError, ValueError, TypeError, LookupError, RecursionError):
        return None


def write(folder: Path, ready: Ready, image: str, report: Report) -> None:
    """Note what it said; files of long ago go."""
    path = _path(folder, ready, image)
    content = {
        "image": image,
        "looked": report.looked,
        "weaknesses": [{**asdict(one), "level": int(one.level)} for one in report.weaknesses],
    }
    beside = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    with contextlib.suppress(OSError):  # a cache that can't be written costs time, nothing else
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        beside.write_bytes(json.dumps(content).encode())
        try:
            beside.replace(path)
        except OSError:  # on Windows while somebody reads the other one, which says the same
            beside.unlink()
        for old in folder.iterdir():
            if old.stat().st_mtime < time.time() - _DAYS * 86_400:
                old.unlink()


def _path(folder: Path, ready: Ready, image: str) -> Path:
    key = json.dumps([_FORM, ready.name, ready.version, ready.database, image])
    return folder / f"{hashlib.sha256(key.encode('utf-8')).hexdigest()}.json"

"""Files of the repository are replaced by edited ones: all of them or none, and each at once."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import stat
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from homeport.errors import UsageError

_STOPS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
_TRIES = 20
_PAUSE = 0.05
"""Seconds; together a second, as long as a virus scanner looks at a file that was just written."""


def write(files: Mapping[Path, bytes], sources: Mapping[Path, bytes | None]) -> None:
    """Replace files, all or none. ``sources`` are their bytes as they were read; None for a new file.

    Each is written beside the old one first and flushed to the disk; then one after the other is put in its
    place, which no reader sees half done. Raises UsageError where that can't be, with nothing changed.
    """
    ready: list[tuple[Path, Path]] = []
    done: list[Path] = []
    try:
        with _undisturbed() as asked_to_stop:
            for path, data in files.items():
                real = path.resolve()
                _check(real, sources[path])
                ready.append((_beside(real, data), real))
                if asked_to_stop:
                    raise KeyboardInterrupt
            # From here on it is quicker to end than to go back.
            for temporary, real in ready:
                _put(temporary, real)
                done.append(real)
    except BaseException as error:
        _undo(done, {path.resolve(): data for path, data in sources.items()})
        if not isinstance(error, OSError):
            raise
        raise UsageError(
            f"{error.filename2 or error.filename or 'A file'} can't be written: {error.strerror or error}.",
            hint="Nothing was changed. Make it writable, then try again.",
        ) from error
    finally:
        for temporary, _ in ready:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def _undisturbed() -> Iterator[list[int]]:
    """Requests to stop are only noted, in this list: between two lines of ours they would lose a file."""
    noted: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield noted  # signals come to the main thread
        return
    numbers = [number for name in _STOPS if (number := getattr(signal, name, None)) is not None]
    before = {number: signal.signal(number, lambda got, _: noted.append(got)) for number in numbers}
    try:
        yield noted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _check(path: Path, source: bytes | None) -> None:
    if source is None and path.exists():
        raise UsageError(
            f"{path} has been made meanwhile.", hint="Nothing was changed. Look at the plan again."
        )
    if source is None:
        return
    if not path.stat().st_mode & stat.S_IWUSR:
        raise UsageError(
            f"{path} is read-only.", hint="Nothing was changed. Make it writable, then try again."
        )
    if path.read_bytes() != source:
        raise UsageError(
            f"{path} has been changed meanwhile.", hint="Nothing was changed. Look at the plan again."
        )


def _beside(path: Path, data: bytes) -> Path:
    """A new file in the same folder, with the old one's mode and, if possible, its owner.

    Where there is no old one: the folder's owner, and a mode with which everybody may read it.
    """
    there = path.exists()
    before = (path if there else path.parent).stat()
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        opened = temporary.open("xb")
    except OSError as error:
        raise UsageError(
            f"No new file can be made in {path.parent}: {error.strerror or error}.",
            hint=f"Nothing was changed. A new {path.name} is made beside it: make the folder writable.",
        ) from error
    try:
        with opened as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(stat.S_IMODE(before.st_mode) if there else 0o644)
        if sys.platform != "win32" and os.geteuid() == 0:
            os.chown(temporary, before.st_uid, before.st_gid)
    except BaseException:
        # Closed by now: Windows removes no open file.
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def _put(temporary: Path, real: Path) -> None:
    """Put a file in another one's place. Windows refuses as long as somebody has that one open."""
    for attempt in range(1, _TRIES + 1):
        try:
            temporary.replace(real)
            return
        except PermissionError:
            if sys.platform != "win32" or attempt == _TRIES:
                raise
            time.sleep(_PAUSE)


def _undo(done: list[Path], sources: Mapping[Path, bytes | None]) -> None:
    for path in done:
        source = sources[path]
        if source is None:
            path.unlink()
        else:
            _put(_beside(path, source), path)

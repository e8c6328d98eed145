"""Directories and files of this machine, each read at most once.

What counts of a file is what BuildKit's own cache key is made of: kind, permission bits, link target,
content, device numbers and some extended attributes; never times and owners (moby/buildkit cache/contenthash,
and the client resets owners). Times are kept only to notice that a file was touched while a build ran.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

_CHUNK = 1 << 20
_SHORT = 16
_OPEN = (
    os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
)
_OPEN |= getattr(os, "O_BINARY", 0)

_KINDS = {
    stat.S_IFREG: "f",
    stat.S_IFDIR: "d",
    stat.S_IFLNK: "l",
    stat.S_IFIFO: "p",
    stat.S_IFSOCK: "s",
    stat.S_IFBLK: "b",
    stat.S_IFCHR: "c",
}

Signature = tuple[int, ...]


class SourceProblem(Exception):
    """A file or directory of a context that can't be read: where, and why in the system's words."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class Item(NamedTuple):
    """One name in a directory; ``mode`` are its permission bits, ``kind`` is "d", "f", "l" or another letter.

    ``detail`` is what else counts: a link's target, device numbers, extended attributes.
    """

    name: str
    path: str
    kind: str
    mode: int
    size: int
    detail: bytes


class Seen(NamedTuple):
    """A file as it was read: the beginning of its content's digest, its size and time (nanoseconds)."""

    content: str
    size: int
    time: int


class Disk:
    """One look at the file system. What changes later is seen by a new one."""

    def __init__(self) -> None:
        self._listings: dict[str, tuple[Item, ...]] = {}
        self._contents: dict[str, bytes] = {}
        self.signatures: dict[str, Signature] = {}
        """By path of each file, link and folder that was looked at: size, times and inode before it was."""

    def listing(self, folder: str) -> tuple[Item, ...]:
        """What lies in ``folder``, by name. Raises SourceProblem."""
        found = self._listings.get(folder)
        if found is None:
            try:
                # What came into a folder and went again has left no other trace.
                self.note(folder)
                with os.scandir(folder) as entries:
                    found = tuple(sorted(map(self._item, entries), key=lambda item: os.fsencode(item.name)))
            except OSError as error:
                raise _problem(folder, error) from error
            self._listings[folder] = found
        return found

    def note(self, path: str) -> None:
        """Remember how ``path`` is now, to notice later that it was touched; "not there" counts, too."""
        try:
            signature = _signature(os.stat(path))  # noqa: PTH116 - a text that need not be a path
        except OSError:
            signature = ()
        self.signatures.setdefault(path, signature)

    def item(self, path: str) -> Item:
        """The one thing at ``path``. Raises SourceProblem."""
        try:
            return _made(os.path.basename(path), path, os.lstat(path))  # noqa: PTH119 - a name, not a path
        except OSError as error:
            raise _problem(path, error) from error

    def read_contents(self, items: Iterable[Item]) -> None:
        """Hash those of these files that haven't been yet: small ones here, large ones at the same time."""
        new = [item for item in items if item.path not in self._contents]
        for item in new:
            if item.size < _CHUNK:
                self.content(item.path)
        large = [item.path for item in new if item.size >= _CHUNK]
        if len(large) > 1:
            # Hashing a large piece lets other threads run; for small files they'd only cost.
            with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
                list(pool.map(self.content, large))

    def content(self, path: str) -> bytes:
        """SHA-256 of a regular file's content. Raises SourceProblem."""
        found = self._contents.get(path)
        if found is None:
            try:
                found = self._hash(path)
            except OSError as error:
                raise _problem(path, error) from error
            self._contents[path] = found
        return found

    def files(self) -> dict[str, Seen]:
        """Every file that was read, by its path."""
        return {
            path: Seen(digest.hex()[:_SHORT], *self.signatures[path][:2])
            for path, digest in self._contents.items()
        }

    def _item(self, entry: os.DirEntry[str]) -> Item:
        status = entry.stat(follow_symlinks=False)
        if stat.S_ISLNK(status.st_mode):
            self.signatures.setdefault(entry.path, _signature(status))
        return _made(entry.name, entry.path, status)

    def _hash(self, path: str) -> bytes:
        # Never by following a link, and never waiting for a pipe that took the file's place meanwhile.
        descriptor = os.open(path, _OPEN)
        try:
            before = os.fstat(descriptor)
            if not stat.S_ISREG(before.st_mode):
                raise SourceProblem(path, "it was replaced while it was read")
            digest = hashlib.sha256()
            while piece := os.read(descriptor, _CHUNK):
                digest.update(piece)
            after = os.fstat(descriptor)
        finally:
            os.close(descriptor)
        if _signature(before) != _signature(after):
            raise SourceProblem(path, "it changed while it was read")
        self.signatures[path] = _signature(after)
        return digest.digest()


def _made(name: str, path: str, status: os.stat_result) -> Item:
    kind, detail = _kind(status.st_mode), b""
    if kind == "l":
        detail = os.fsencode(_slashed(os.readlink(path), os.sep))  # noqa: PTH115 - it need not be a path
    elif sys.platform != "win32" and kind in "bc":
        detail = f"{status.st_rdev}".encode()
    return Item(name, path, kind, _mode(status.st_mode), status.st_size, detail + _attributes(path))


def _kind(mode: int) -> str:
    return _KINDS.get(stat.S_IFMT(mode), "?")


def _mode(mode: int) -> int:
    if sys.platform == "win32":
        # The client makes everything executable there and knows only "read-only" (tonistiigi/fsutil stat.go).
        return 0o755 if mode & stat.S_IWRITE else 0o555
    return stat.S_IMODE(mode)


def _slashed(aim: str, separator: str) -> str:
    """What a link says as BuildKit's client sends it (tonistiigi/fsutil send.go): on Windows with ``/``, too.

    Python's own mark of a whole path there, which programs don't show, is none of it.
    """
    return aim if separator == "/" else aim.removeprefix("\\\\?\\").replace(separator, "/")


def _attributes(path: str) -> bytes:
    """The extended attributes that BuildKit looks at; the others belong to this machine."""
    if sys.platform != "linux":
        return b""
    try:
        names = os.listxattr(path, follow_symlinks=False)
        return b"".join(
            b"\0%s\0%s" % (os.fsencode(name), os.getxattr(path, name, follow_symlinks=False))
            for name in sorted(names)
            if name == "security.capability" or not name.startswith(("security.", "system.", "com.apple."))
        )
    except OSError:
        # Not every file system has them, and BuildKit's client goes on then, too.
        return b""


def _signature(status: os.stat_result) -> Signature:
    return (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def _problem(path: str, error: OSError) -> SourceProblem:
    return SourceProblem(path, error.strerror or str(error))

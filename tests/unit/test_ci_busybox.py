"""ci/busybox.py: the tar that becomes the tiny base image."""

from __future__ import annotations

import io
import tarfile

import busybox


def members() -> dict[str, tarfile.TarInfo]:
    content = busybox.root_file_system(b"program", ["sh", "busybox", "ls"])
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        return {member.name: member for member in tar.getmembers()}


def test_every_applet_is_a_link_but_the_program_itself() -> None:
    found = members()
    assert [name for name, member in found.items() if member.issym()] == ["bin/ls", "bin/sh"]
    assert found["bin/ls"].linkname == "busybox"
    assert found["bin/busybox"].isreg()
    assert found["bin/busybox"].mode == 0o755


def test_everybody_may_write_to_tmp() -> None:
    assert members()["tmp"].mode == 0o1777


def test_the_same_program_gives_the_same_image() -> None:
    first = busybox.root_file_system(b"program", ["sh", "ls"])
    assert first == busybox.root_file_system(b"program", ["ls", "sh", "ls"])
    assert {(member.mtime, member.uid, member.gid) for member in members().values()} == {(0, 0, 0)}

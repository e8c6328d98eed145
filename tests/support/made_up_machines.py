"""Machines made up for the tests of ci/engine.py and its plans: what there is, as data."""

from __future__ import annotations

import dataclasses
from typing import Any

from apt_sources import AptSource
from engine_facts import Docker, Facts

BOOKWORM = AptSource(
    "http://deb.example.org/debian",
    "bookworm",
    ("main",),
    (("Signed-By", "/usr/share/keyrings/debian-archive-keyring.gpg"),),
    "/etc/apt/sources.list.d/debian.sources",
)
ANSWERS = Docker(cli=True, version="28.5.2", os_type="linux", buildx="0.29.1", compose="2.40.3")
SILENT = Docker(cli=True, buildx="0.29.1", compose="2.40.3", error="Cannot connect to the Docker daemon")
NO_CLI = Docker(error="the docker command can't be run: No such file or directory")
DENIED = Docker(cli=True, error="permission denied while trying to connect to the Docker daemon socket")
# A fresh Debian container with all rights: the case in which this program installs.
BARE = Facts(
    docker=NO_CLI,
    os_id="debian",
    codename="bookworm",
    root=True,
    privileged=True,
    apt=True,
    sources=(BOOKWORM, dataclasses.replace(BOOKWORM, suite="bookworm-updates")),
)


def facts(**changes: Any) -> Facts:
    return dataclasses.replace(BARE, **changes)

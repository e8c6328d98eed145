"""Folders that are built, and what an audit of them finds and would write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from homeport.audit.contexts import Build, FileChange, Review, find, review
from homeport.audit.finding import CONTEXT_HEAVY
from homeport.model.finding import Finding, Rule
from homeport.model.ignore import Ignore, read_patterns
from homeport.sources.disk import Disk
from homeport.sources.tree import Tree

ALL = "FROM alpine:3.20\nCOPY . /app\n"
NODE = "FROM node:22\nWORKDIR /app\nCOPY package.json .\nRUN npm ci\nCOPY . .\n"
KEY = "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n"
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----\n"


def put(root: Path, *names: str, size: int = 100) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x" * size)


def say(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_bytes(text.encode())


def build(root: Path, text: str = ALL, name: str = "Dockerfile", folder: str = ".", **more: Any) -> Build:
    say(root, name, text)
    return Build((root / folder).resolve(), root / name, name, **more)


def one(root: Path, *builds: Build) -> Review:
    found = review(builds, root)
    assert found.problems == ()
    (only,) = found.reviews
    return only


def of(rule: Rule, root: Path, *builds: Build) -> list[Finding]:
    return [each for each in find(builds, root) if each.rule is rule]


def seen(folder: Path) -> set[str]:
    """All files that the ignore file on the disk leaves of a context, worked out anew."""
    file = folder / ".dockerignore"
    patterns = read_patterns(file.read_bytes()) if file.exists() else ()
    tree = Tree(Disk(), str(folder), Ignore(patterns))
    return {node.path for node in tree.walk(tree.root) if not node.is_folder}


def changed(found: Review, rule: Rule = CONTEXT_HEAVY) -> FileChange:
    change = found.change([each for each in found.findings if each.rule is rule])
    assert change is not None
    return change


def write(change: FileChange) -> None:
    assert (change.path.read_bytes() if change.path.exists() else None) == change.old
    change.path.write_bytes(change.new)


def index(root: Path, *names: str) -> None:
    """A repository whose index has these names, as git writes it (version 2)."""
    entries = b""
    for name in sorted(names):
        entry = bytes(60) + len(name).to_bytes(2, "big") + name.encode()
        entries += entry + bytes(8 - len(entry) % 8)
    (root / ".git").mkdir(parents=True, exist_ok=True)
    (root / ".git" / "HEAD").write_text("ref: refs/heads/main\n", encoding="utf-8")
    head = b"DIRC" + (2).to_bytes(4, "big") + len(names).to_bytes(4, "big")
    (root / ".git" / "index").write_bytes(head + entries + bytes(20))

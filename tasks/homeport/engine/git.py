"""What git says about the working tree; a folder without git is no error."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from homeport.engine import process
from homeport.errors import HomeportError, UsageError

# Names that CI systems give the branch, because they check out a detached commit.
_BRANCH_VARIABLES = ("GITHUB_HEAD_REF", "GITHUB_REF_NAME", "CI_COMMIT_REF_NAME", "BUILDKITE_BRANCH")


def branch(cwd: Path, env: Mapping[str, str] = os.environ) -> str | None:
    """The branch, from CI's variables or from git; empty for a detached commit, None for no repository."""
    for variable in _BRANCH_VARIABLES:
        if env.get(variable):
            return env[variable]
    try:
        done = process.run(["git", "symbolic-ref", "--short", "--quiet", "HEAD"], cwd=cwd, timeout=10)
    except HomeportError:
        return None
    # 1 is git's answer for a detached HEAD; anything else says that this is no repository.
    return done.stdout.strip() if done.code in (0, 1) else None


@dataclass(frozen=True)
class Changes:
    """Files that differ from the commit ``base``, as absolute paths; ``warning`` is what is to be known."""

    base: str
    paths: frozenset[str]
    warning: str = ""


def changes_since(cwd: Path, reference: str) -> Changes:
    """What changed since the branch left ``reference``: commits, and whatever isn't committed yet.

    Raises UsageError where there is no repository, no such commit, or not enough history to tell.
    """
    top = _git(cwd, "rev-parse", "--show-toplevel")
    if top.code != 0:
        raise UsageError(
            "--changed-since needs a git repository.",
            cause=_last_line(top.stderr),
            hint="Run it in a clone, or leave --changed-since out.",
        )
    root = Path(os.path.realpath(top.stdout.rstrip("\r\n")))
    shallow = _git(cwd, "rev-parse", "--is-shallow-repository").stdout.strip() == "true"
    commit = _git(cwd, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{reference}^{{commit}}")
    if commit.code != 0:
        raise UsageError(
            f"--changed-since: there is no commit {reference!r} in this clone.",
            cause="It is a shallow clone, which has only the latest commits." if shallow else "",
            hint=f"Fetch it: 'git fetch --depth=1 origin {reference.removeprefix('origin/')}' "
            "(in GitHub Actions 'fetch-depth: 0' of actions/checkout)."
            if shallow
            else "'git branch --all' and 'git tag' list what there is; a remote branch is origin/NAME.",
        )
    base, warning = commit.stdout.strip(), ""
    common = _git(cwd, "merge-base", base, "HEAD")
    if common.code == 0:
        base = common.stdout.strip()
    else:
        reason = "the clone is shallow" if shallow else "they have none"
        warning = (
            f"The commit at which this branch left {reference} isn't here ({reason}): what changed on "
            f"{reference} since then counts as changed, too."
        )
    committed = _names(root, "diff", "--name-only", "-z", "--no-renames", "--no-ext-diff", base, "--")
    new = _names(root, "ls-files", "--others", "--exclude-standard", "-z")
    return Changes(base, frozenset(str(root / name) for name in (*committed, *new)), warning)


def _names(root: Path, *arguments: str) -> list[str]:
    done = _git(root, *arguments)
    if done.code != 0:
        raise UsageError(
            f"git can't say what changed: {_last_line(done.stderr)}",
            hint=f"'git {arguments[0]}' in {root} says more.",
        )
    return [name for name in done.stdout.split("\0") if name]


def _git(cwd: Path, *arguments: str) -> process.Completed:
    return process.run(["git", *arguments], cwd=cwd, errors="surrogateescape")


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[-1]


@dataclass(frozen=True)
class Place:
    """Where a folder is in git's working tree: the top, and the way from there with ``/``, empty for none."""

    top: Path
    folder: str = ""


def place(cwd: Path) -> Place | None:
    """Where ``cwd`` is in git's working tree; None outside of one.

    Raises UsageError where there is a repository that git can't or won't look at.
    """
    try:
        done = _git(cwd, "rev-parse", "--show-cdup", "--show-prefix")
        said = next(iter(done.stderr.strip().splitlines()), "")
    except HomeportError as error:
        done, said = None, error.what
    if done is not None and done.code == 0:
        up, _, rest = done.stdout.partition("\n")
        return Place(Path(os.path.normpath(cwd / up.strip())), rest.rstrip("\r\n").rstrip("/"))
    if any((folder / ".git").exists() for folder in (cwd, *cwd.parents)):
        raise UsageError(
            "Git can't say where this folder is in its repository.",
            cause=said,
            hint="'git status' says more.",
        )
    return None


def inside(cwd: Path) -> str:
    """The way to ``cwd`` from git's top level, with ``/``; empty there, and without git."""
    return _asked(cwd, "rev-parse", "--show-prefix").rstrip("/")


def revision(cwd: Path) -> tuple[str, bool]:
    """The commit that is checked out, and whether files differ from it; empty without git or commits."""
    try:
        head = _git(cwd, "rev-parse", "--verify", "--quiet", "HEAD")
        if head.code != 0:
            return "", False
        changed = _git(cwd, "status", "--porcelain", "--untracked-files=no", "--ignore-submodules")
    except HomeportError:
        return "", False
    return head.stdout.strip(), bool(changed.stdout.strip())


def remote(cwd: Path) -> str:
    """Where ``origin`` is, without a password that stands in it; empty without git or such a remote."""
    return re.sub(r"(?<=//)[^@/]+@", "", _asked(cwd, "remote", "get-url", "origin"))


def main_branch(cwd: Path) -> str:
    """The branch that ``origin`` names as its main one, else ``main`` or ``master``, if it is there; empty
    without: the one that is checked out may be any."""
    named = _asked(cwd, "symbolic-ref", "--short", "--quiet", "refs/remotes/origin/HEAD")
    usual = (
        one
        for one in ("main", "master")
        if _asked(cwd, "rev-parse", "--verify", "--quiet", f"refs/heads/{one}")
    )
    return named.removeprefix("origin/") or next(usual, "")


def top(cwd: Path) -> Path | None:
    """The outermost folder of the working tree around ``cwd``; None without git."""
    try:
        done = _git(cwd, "rev-parse", "--show-toplevel")
    except HomeportError:
        return None
    said = done.stdout.rstrip("\r\n")
    return Path(os.path.realpath(said)) if done.code == 0 and said else None


def files(root: Path) -> list[str]:
    """What git keeps below ``root`` and what is new and not ignored, relative to it, submodules' too.

    Raises UsageError if git doesn't say.
    """
    found: list[str] = []
    for name in dict.fromkeys(_names(root, "ls-files", "--cached", "--others", "--exclude-standard", "-z")):
        inner = root / name
        if inner.is_dir() and not inner.is_symlink():
            # A submodule; one that isn't checked out has nothing to copy. A repository in a repository that
            # isn't one ends with a slash.
            own = files(inner) if (inner / ".git").exists() else []
            found += [f"{name.rstrip('/')}/{one}" for one in own]
        else:
            found.append(name)
    return found


def _asked(cwd: Path, *arguments: str) -> str:
    """What git answers, in one line; empty if it doesn't."""
    try:
        done = _git(cwd, *arguments)
    except HomeportError:
        return ""
    return done.stdout.strip() if done.code == 0 else ""

"""Package managers: what they keep, where, what keeps them from it, and which commands are theirs. Pure.

All of it is in their own documentation:
pip.pypa.io/en/stable/topics/caching, docs.astral.sh/uv/concepts/cache, python-poetry.org/docs/configuration,
docs.npmjs.com/cli/commands/npm-cache, pnpm.io/settings (storeDir),
go.dev/ref/mod (GOMODCACHE), doc.rust-lang.org/cargo/guide/cargo-home.html.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass

from homeport.audit.shell import Command


@dataclass(frozen=True)
class Program:
    """A package manager.

    ``verbs`` are the commands that fetch, ``keeps`` its folders: each a list of where it may be, a variable
    and what is behind it, the first that is set counts. ``against`` are options, ``off`` variables that turn
    its cache off.
    """

    name: str
    verbs: frozenset[str]
    keeps: tuple[tuple[tuple[str, str], ...], ...] = ()
    against: frozenset[str] = frozenset()
    off: frozenset[str] = frozenset()


def _cache(own: str, folder: str) -> tuple[tuple[str, str], ...]:
    return ((own, ""), ("XDG_CACHE_HOME", f"/{folder}"), ("HOME", f"/.cache/{folder}"))


PROGRAMS = (
    Program(
        "pip",
        frozenset({"install", "download", "wheel"}),
        (_cache("PIP_CACHE_DIR", "pip"),),
        frozenset({"--no-cache-dir"}),
        frozenset({"PIP_NO_CACHE_DIR"}),
    ),
    Program(
        "uv",
        frozenset({"sync", "add", "lock", "pip install", "pip sync", "tool install", "run"}),
        (_cache("UV_CACHE_DIR", "uv"),),
        frozenset({"--no-cache", "--no-cache-dir", "-n"}),
        frozenset({"UV_NO_CACHE"}),
    ),
    Program(
        "poetry",
        frozenset({"install", "add", "update", "sync"}),
        (_cache("POETRY_CACHE_DIR", "pypoetry"),),
        frozenset({"--no-cache"}),
    ),
    Program(
        "npm",
        frozenset({"ci", "install", "i", "add", "clean-install"}),
        ((("NPM_CONFIG_CACHE", ""), ("npm_config_cache", ""), ("HOME", "/.npm")),),
    ),
    Program(
        "pnpm",
        frozenset({"install", "i", "add", "fetch"}),
        (
            (
                ("NPM_CONFIG_STORE_DIR", ""),
                ("npm_config_store_dir", ""),
                ("PNPM_HOME", "/store"),
                ("XDG_DATA_HOME", "/pnpm/store"),
                ("HOME", "/.local/share/pnpm/store"),
            ),
        ),
    ),
    Program(
        "apt",
        frozenset({"install", "upgrade", "dist-upgrade", "full-upgrade", "build-dep"}),
    ),
    Program("apk", frozenset({"add", "upgrade"})),
    Program(
        "go",
        frozenset({"build", "install", "test", "get", "run", "generate", "vet", "mod download"}),
        (
            (("GOMODCACHE", ""), ("GOPATH", "/pkg/mod"), ("HOME", "/go/pkg/mod")),
            _cache("GOCACHE", "go-build"),
        ),
    ),
    Program(
        "cargo",
        frozenset({"build", "install", "fetch", "test", "check", "clippy", "chef cook"}),
        (
            (("CARGO_HOME", "/registry"), ("HOME", "/.cargo/registry")),
            (("CARGO_HOME", "/git/db"), ("HOME", "/.cargo/git/db")),
        ),
    ),
)
SYSTEM = {"apt", "apk"}
"""Those of the system, which need more than a mount: see system.py."""
OFFICIAL = {"golang": {"GOPATH": "/go"}, "rust": {"CARGO_HOME": "/usr/local/cargo"}}
"""What the official images set (their Dockerfiles, docker-library/golang and rust-lang/docker-rust)."""
_ALIASES = {"apt-get": "apt", "apt": "apt", "uvx": "uv"}
_PIP = re.compile(r"pip\d*(\.\d+)*")
_PYTHON = re.compile(r"python\d*(\.\d+)*")
_WRAPPERS = {"sudo", "exec", "time", "env", "command", "nice"}
CLEANERS = {
    "pip": (("pip", "cache", "purge"),),
    "uv": (("uv", "cache", "clean"), ("uv", "cache", "prune")),
    "poetry": (("poetry", "cache", "clear"),),
    "npm": (("npm", "cache", "clean"),),
    "pnpm": (("pnpm", "store", "prune"),),
    "apt": (("apt-get", "clean"), ("apt", "clean"), ("apt-get", "autoclean")),
    "go": (("go", "clean", "-modcache"), ("go", "clean", "-cache")),
}
"""Commands that empty a cache."""


@dataclass(frozen=True)
class Use:
    """One command of a package manager that fetches."""

    program: Program
    command: Command
    verb: str


def use_of(command: Command) -> Use | None:
    """The package manager that a command runs to fetch something, if it does."""
    texts = list(command.texts)
    while texts and (texts[0] in _WRAPPERS or re.match(r"[A-Za-z_]\w*=", texts[0])):
        texts.pop(0)
    if not texts:
        return None
    name = posixpath.basename(texts[0])
    rest = texts[1:]
    if _PYTHON.fullmatch(name) and rest[:1] == ["-m"]:
        name, rest = (rest[1] if len(rest) > 1 else ""), rest[2:]
    if _PIP.fullmatch(name):
        name = "pip"
    name = _ALIASES.get(name, name)
    program = next((one for one in PROGRAMS if one.name == name), None)
    if program is None:
        return None
    plain = [word for word in rest if not word.startswith("-")]
    fetches = bool(plain) and (plain[0] in program.verbs or " ".join(plain[:2]) in program.verbs)
    local = program.name == "pip" and plain[1:] and all(_is_local(word) for word in plain[1:])
    verb = f"{program.name} {plain[0]}" if plain else program.name
    return Use(program, command, verb) if fetches and not (local and "--no-deps" in rest) else None


def _is_local(word: str) -> bool:
    return word.startswith((".", "/")) and not word.endswith(".txt")

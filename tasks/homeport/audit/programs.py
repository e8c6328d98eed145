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

from homeport.audit.shell import Command, Word


@dataclass(frozen=True)
class Program:
    """A package manager.

    ``verbs`` are the commands that fetch, ``keeps`` its folders: each a list of where it may be, a variable
    and what is behind it, the first that is set counts. ``against`` are options, ``off`` variables that turn
    its cache off, and ``on`` what each of them is set to so that it doesn't.
    """

    name: str
    verbs: frozenset[str]
    keeps: tuple[tuple[tuple[str, str], ...], ...] = ()
    against: frozenset[str] = frozenset()
    off: frozenset[str] = frozenset()
    on: str = ""


def _cache(own: str, folder: str) -> tuple[tuple[str, str], ...]:
    return ((own, ""), ("XDG_CACHE_HOME", f"/{folder}"), ("HOME", f"/.cache/{folder}"))


PROGRAMS = (
    Program(
        "pip",
        frozenset({"install", "download", "wheel"}),
        (_cache("PIP_CACHE_DIR", "pip"),),
        frozenset({"--no-cache-dir"}),
        frozenset({"PIP_NO_CACHE_DIR"}),
        on="",  # pip takes anything else for a yes: its option has no value that means no
    ),
    Program(
        "uv",
        frozenset({"sync", "add", "lock", "pip install", "pip sync", "tool install", "run"}),
        (_cache("UV_CACHE_DIR", "uv"),),
        frozenset({"--no-cache", "--no-cache-dir", "-n"}),
        frozenset({"UV_NO_CACHE"}),
        on="0",
    ),
    Program(
        "poetry",
        frozenset({"install", "add", "update", "sync"}),
        # Not all of it: its virtual environments lie there, too, and belong into the image.
        tuple(
            tuple((name, f"{behind}/{part}") for name, behind in _cache("POETRY_CACHE_DIR", "pypoetry"))
            for part in ("cache", "artifacts")
        ),
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
    "pip": ("cache purge", "cache remove"),
    "uv": ("cache clean", "cache prune"),
    "poetry": ("cache clear",),
    "npm": ("cache clean",),
    "pnpm": ("store prune",),
    "apt": ("clean", "autoclean", "distclean"),
    "apk": ("cache clean", "cache purge"),
    "go": ("clean",),
}
"""The commands of each that empty its cache."""
_VALUED = {
    "pip": {"--timeout", "--retries", "--proxy", "--python", "--log", "--cache-dir", "--trusted-host",
            "--cert", "--client-cert", "--exists-action"},
    "uv": {"--directory", "--project", "--cache-dir", "--config-file", "--color", "--python-preference"},
    "poetry": {"-C", "--directory", "-P", "--project"},
    "npm": {"--prefix", "--cache", "--registry", "--loglevel", "-w", "--workspace", "--userconfig", "-C"},
    "pnpm": {"-C", "--dir", "--filter", "-F", "--store-dir", "--registry", "--reporter", "--loglevel"},
    "apt": {"-o", "--option", "-t", "--target-release", "--default-release", "-c", "--config-file", "-a",
            "--host-architecture"},
    "apk": {"-p", "--root", "-X", "--repository", "--arch", "--cache-dir", "--keys-dir",
            "--repositories-file", "--wait", "--cache-max-age", "--timeout", "-t", "--virtual"},
    "go": {"-C"},
    "cargo": {"-C", "-Z", "--config", "--color"},
}  # fmt: skip
"""Options of each that may stand before its command, and take the next word with them."""


@dataclass(frozen=True)
class Use:
    """One command of a package manager: ``word`` names it, ``options`` are those that are its own, and not
    of a program that it runs, ``names`` are its words that are no options."""

    program: Program
    command: Command
    word: Word
    options: tuple[Word, ...]
    names: tuple[str, ...]

    @property
    def verb(self) -> str:
        return " ".join((self.program.name, *self.names[:1]))

    @property
    def fetches(self) -> bool:
        """Whether it is one of those that fetch packages."""
        found = {self.names[0], " ".join(self.names[:2])} if self.names else set()
        local = self.program.name == "pip" and self.names[1:] and all(map(_is_local, self.names[1:]))
        alone = local and any(word.text == "--no-deps" for word in self.options)
        return bool(found & self.program.verbs) and not alone

    @property
    def cleans(self) -> bool:
        """Whether it is one of those that empty the cache."""
        said = " ".join(self.names)
        found = CLEANERS.get(self.program.name, ())
        if self.program.name == "go" and said.startswith("clean"):
            return any(word.text.lstrip("-") in {"cache", "modcache"} for word in self.options)
        return any(said == one or said.startswith(f"{one} ") for one in found)


def use_of(command: Command) -> Use | None:
    """The package manager that a command runs, if it does."""
    words = list(command.words)
    while words and (words[0].text in _WRAPPERS or re.match(r"[A-Za-z_]\w*=", words[0].text)):
        words.pop(0)
    if not words:
        return None
    first, rest = words[0], words[1:]
    name = posixpath.basename(first.text)
    if _PYTHON.fullmatch(name) and [word.text for word in rest[:1]] == ["-m"]:
        name, rest = (rest[1].text if len(rest) > 1 else ""), rest[2:]
    if _PIP.fullmatch(name):
        name = "pip"
    name = _ALIASES.get(name, name)
    program = next((one for one in PROGRAMS if one.name == name), None)
    if program is None:
        return None
    options: list[Word] = []
    names: list[str] = []
    left = iter(rest)
    for word in left:
        if word.text == "--":
            break
        if word.text.startswith("-"):
            options.append(word)
            # What follows the command are its own options, of which nothing needs to be known here.
            if not names and word.text in _VALUED.get(name, ()) and (value := next(left, None)):
                options.append(value)
        else:
            names.append(word.text)
            if names[:1] == ["run"] and len(names) == 2:
                break  # from here on it is another program's command line
    return Use(program, command, first, tuple(options), tuple(names))


def _is_local(word: str) -> bool:
    return word.startswith((".", "/")) and not word.endswith(".txt")

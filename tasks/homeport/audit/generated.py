"""What tools leave in a folder and no image needs: caches, installed packages, results of builds.

A kind is recognised by more than its name wherever sources may have that name, too; what git keeps is none.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from homeport.sources.disk import Disk, Item
from homeport.sources.tracked import Tracked

LARGE = 10_000_000
"""Bytes: from here on an archive or a dump is worth a question."""
_LOG = 100_000
"""Bytes: a shorter log may be an example, and costs nothing."""

_NODE = r"\b(node|nodejs|npm|npx|pnpm|pm2|yarn|bun|deno|next|nuxt|vite|nest|node_modules)\b|collectstatic"
_BUILD = (
    r"\b(run|yarn|pnpm|bun|next|nuxt|vite|ng|uv|poetry|turbo|nx)\s+build\b|\b(tsc|webpack|rollup)\b"
    r"|-m\s+build\b|\bpip\s+wheel\b|setup\.py"
)


@dataclass(frozen=True)
class Kind:
    """One kind: ``name`` for people, ``pattern`` ignores all of it (empty: only its own path does).

    An image may need what was made outside of it, and has it brought by a COPY of everything. So where
    ``used`` is found in the instructions, ``made`` must be found, too. Both are regular expressions.
    """

    name: str
    pattern: str = ""
    used: str = ""
    made: str = ""
    asked: bool = False
    """Whether people have to say if it is needed."""

    def needed(self, instructions: str) -> bool:
        """Whether the image may need it; ``instructions`` are those of the stages that are built."""
        if not self.used or not re.search(self.used, instructions, re.IGNORECASE):
            return False
        return not self.made or not re.search(self.made, instructions, re.IGNORECASE)


GIT = Kind(
    ".git",
    "**/.git",
    r"\bgit\s+(-C\s+\S+\s+)?(archive|branch|checkout|describe|diff|fetch|log|ls-files|name-rev|pull|rev-list"
    r"|rev-parse|shortlog|show|status|submodule|symbolic-ref|tag)\b|buildvcs=true"
    r"|\b(semantic-release|goreleaser|git-cliff|gitversion|pre-commit|sentry-cli|enableGitInfo|mkdocs|docusaurus)\b"
    r"|(^|[\s/=])\.git/",
)
VERSIONED = re.compile(
    rb"setuptools[_-]scm|setuptools-git|hatch-vcs|versioneer|dynamic-versioning|versioningit|pdm-backend.*scm"
    rb"|vergen|shadow-rs|built\b.*git|git[_-]rev|git-version|git\s+(describe|rev-parse|log|rev-list)"
)
"""In a file of :data:`VERSION_FILES`: a build that takes its version from git."""
VERSION_FILES = re.compile(
    r"^(pyproject\.toml|setup\.(py|cfg)|_?version\.py|package\.json|.*\.config\.[cm]?[jt]s|Cargo\.toml|build\.rs"
    r"|build\.gradle(\.kts)?|pom\.xml|CMakeLists\.txt|(GNUm|M|m)akefile|[Jj]ustfile|Taskfile\.ya?ml|.*\.(sh|bash))$"
)
_RUN_BY = {
    "makefile": "make",
    "gnumakefile": "make",
    "justfile": "just",
    "taskfile.yml": "task",
    "taskfile.yaml": "task",
}
"""What has to be in an instruction for such a file to count; scripts are called by their own name."""

NODE_MODULES = Kind(
    "node_modules",
    "**/node_modules",
    _NODE,
    r"\b(npm|pnpm|yarn|bun)\b(?![^\n&;|]*\s(-g|--global|global)\b)[^\n&;|]*\s(ci|install|i|add)\b"
    r"|\byarn(\s+--[\w=-]+)*\s*([&;|\n]|$)",
)
_VENV = Kind(
    "a virtual environment",
    "",
    r"venv/|VIRTUAL_ENV",
    r"-m\s+(venv|virtualenv)\b|\bvirtualenv\s|\buv\s+(sync|venv)\b|\b(poetry|pdm|pipenv)\s+(install|sync)\b",
)
PYCACHE = Kind("__pycache__", "**/__pycache__")
_PYC = Kind("*.pyc", "**/*.pyc")
_LOGS = Kind("*.log")
_COVERAGE = Kind("a coverage report")
_OUTPUT = Kind("the result of a build", "", ".", _BUILD)
TARGET = Kind(
    "target", "", r"\bcargo\b|\brust|\btarget/", r"\bcargo\s[^\n&;|]*\b(build|install|run|chef|test)\b"
)
_DUMP = Kind("an archive or a dump", asked=True)

_PYTHON = {".pytest_cache", ".mypy_cache", ".ruff_cache", ".tox", ".nox", ".hypothesis", ".ipynb_checkpoints"}
_CACHES = {*_PYTHON, ".turbo", ".parcel-cache", ".nyc_output", ".gradle"}
_FRAMEWORKS = {".next", ".nuxt", ".svelte-kit"}
_OUTPUTS = {"dist", "build", "out"}
_PROJECTS = {"package.json", "pyproject.toml", "setup.py"}
_REPORTS = {"lcov.info", "lcov-report", "coverage-final.json", "clover.xml", "coverage.xml"}
_SAMPLES = {"test", "tests", "__tests__", "testdata", "fixtures", "examples", "samples", "spec", "docs"}
_DUMPS = re.compile(
    r"\.(tar|tgz|tar\.(gz|bz2|xz|zst)|zip|7z|rar|iso|dump|sql|sql\.(gz|bz2|xz|zst)|bak|qcow2|vmdk|ova)$",
    re.IGNORECASE,
)
LANGUAGES: dict[str, tuple[tuple[str, ...], tuple[Kind, ...]]] = {
    "Python": (
        ("requirements.txt", "pyproject.toml", "setup.py", "Pipfile"),
        (PYCACHE, _PYC, *(Kind(name, f"**/{name}") for name in (".venv", ".pytest_cache", ".mypy_cache",
                                                               ".ruff_cache"))),
    ),
    "Node": (("package.json",), (NODE_MODULES, Kind("npm-debug.log", "**/npm-debug.log*"))),
    "Rust": (("Cargo.toml",), (Kind("target", "target", TARGET.used, TARGET.made),)),
    "Go": (("go.mod",), (Kind("coverage.out", "**/coverage.out"),)),
    "Terraform": (("main.tf",), (Kind(".terraform", "**/.terraform", r"\b(terraform|tofu)\b"),)),
}  # fmt: skip
"""By language: the files in a context's root that show it, and what its tools leave behind."""


class Generated:
    """One look at folders: what of them was generated. Listings come from ``disk``, which keeps them."""

    def __init__(self, disk: Disk, kept: Tracked | None) -> None:
        self._disk = disk
        self._kept = kept
        self._found: dict[str, Kind | None] = {}

    def kind(self, item: Item) -> Kind | None:
        """What a file or folder is; None for sources, and for what can't be told. Raises SourceProblem."""
        if item.path not in self._found:
            found = self._folder(item) if item.kind == "d" else self._file(item) if item.kind == "f" else None
            if found and self._kept and self._kept.holds(item.path):
                found = None
            self._found[item.path] = found
        return self._found[item.path]

    def _folder(self, item: Item) -> Kind | None:
        name = item.name
        if name == ".git":
            return GIT if "HEAD" in self._names(item.path) or "objects" in self._names(item.path) else None
        if name == "node_modules":
            return NODE_MODULES
        if name == "__pycache__":
            pure = all(each.endswith((".pyc", ".pyo")) for each in self._names(item.path))
            return PYCACHE if pure else None
        if name in _CACHES:
            return Kind(name, f"**/{name}")
        if name in _FRAMEWORKS:
            return Kind(name, f"**/{name}", _NODE, _BUILD)
        if name == ".terraform":
            return Kind(name, f"**/{name}", r"\b(terraform|tofu)\b", r"\b(terraform|tofu)\s[^\n&;|]*\binit\b")
        return self._unclear_folder(item)

    def _unclear_folder(self, item: Item) -> Kind | None:
        """A folder whose name sources may have, too."""
        name = item.name
        if name in {".venv", "venv", "env"}:
            inside = self._names(item.path)
            if name == ".venv" or "pyvenv.cfg" in inside or {"bin", "lib"} <= set(inside):
                pattern = f"**/{name}" if name != "env" else ""
                return Kind(_VENV.name, pattern, _VENV.used, _VENV.made)
            return None
        beside = self._names(str(Path(item.path).parent)) if name in {"target", *_OUTPUTS} else ()
        if name == "target" and "Cargo.toml" in beside:
            signs = {"CACHEDIR.TAG", ".rustc_info.json", "debug", "release"}
            return TARGET if signs & set(self._names(item.path)) else None
        if name in _OUTPUTS and _PROJECTS & set(beside):
            return _OUTPUT if self._ignored_by_git(item) else None
        if name in {"coverage", "htmlcov"}:
            pages = set(self._names(item.path))
            report = pages & _REPORTS or (name == "htmlcov" and "index.html" in pages)
            return _COVERAGE if report else None
        return None

    def _file(self, item: Item) -> Kind | None:
        name = item.name
        if name.endswith(".pyc"):
            return _PYC if f"{name[:-1]}" in self._names(str(Path(item.path).parent)) else None
        if name.endswith(".log"):
            sample = self._kept is None and _SAMPLES & set(Path(item.path).parts)
            return _LOGS if item.size >= _LOG and not sample else None
        if item.size >= LARGE and _DUMPS.search(name):
            return _DUMP
        return None

    def _names(self, folder: str) -> tuple[str, ...]:
        return tuple(each.name for each in self._disk.listing(folder))

    def _ignored_by_git(self, item: Item) -> bool:
        """Whether a ``.gitignore`` names it in plain words; patterns aren't worked out."""
        path = Path(item.path)
        for folder in path.parents:
            try:
                lines = (folder / ".gitignore").read_text(encoding="utf-8", errors="replace").splitlines()
            except OSError:
                lines = []
            below = path.relative_to(folder).as_posix()
            names = {item.name, f"**/{item.name}", f"/{below}", *([below] if "/" in below else [])}
            if any(line.startswith("!") and item.name in line for line in lines):
                return False
            if any(line.strip().rstrip("/") in names for line in lines):
                return True
            if self._kept is None or folder == self._kept.root:
                return False  # nothing above speaks of it
        return False


def versioned(files: Iterable[Item], instructions: str) -> bool:
    """Whether a file that the build works with takes a version from git, so that ``.git`` is needed."""
    return any(
        item.size < LARGE // 10
        and _works_with(item.name, instructions)
        and VERSIONED.search(_content(item.path))
        for item in files
    )


def _works_with(name: str, instructions: str) -> bool:
    word = name if name.endswith((".sh", ".bash")) else _RUN_BY.get(name.lower(), "")
    return not word or mentions(instructions, word)


def mentions(instructions: str, word: str) -> bool:
    """Whether instructions have this name in them, and not only as a part of another."""
    return re.search(rf"(?<![\w.-]){re.escape(word)}(?![\w-]|\.\w)", instructions) is not None


def languages(names: Collection[str]) -> list[str]:
    """The languages that the names of files in a folder speak of."""
    return [language for language, (signs, _) in LANGUAGES.items() if set(signs) & set(names)]


def _content(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""

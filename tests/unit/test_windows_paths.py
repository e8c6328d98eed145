"""Paths of Windows through every pure function that reads, compares or shows one.

PureWindowsPath and ntpath are the same code on every system, so all of this means the same here as there.
Where a function asks ``os`` for the system's rules, it is given those of Windows.
"""

from __future__ import annotations

import ntpath
import shlex
from collections.abc import Iterable
from pathlib import PureWindowsPath
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import pytest

from homeport.build import affected as affected_module
from homeport.build import facts
from homeport.build import plan as build_plan
from homeport.build.affected import Touched, affected
from homeport.deploy.hooks import HookFailed, words
from homeport.engine.programs import places, unsafe
from homeport.init.plan import Known, settings
from homeport.model.fingerprint import Listing
from homeport.model.ignore import Ignore
from homeport.model.isolation import Source as Mounted
from homeport.model.isolation import isolate
from homeport.model.reading import Source
from homeport.model.shorthand import Mount, mounts
from homeport.model.targets import Target
from homeport.report.document import file_name
from homeport.scan import subjects
from homeport.sources import compose
from homeport.sources.context import Reads
from homeport.sources.disk import Disk, Item, _slashed
from homeport.sources.tree import Tree

ROOTS = [
    r"C:\repo",
    "C:/repo",
    r"C:\repo/",
    r"d:\Häuser\repo",
    r"\\server\share\repo",
    "//server/share/repo",
    r"\\?\C:\repo",
    r"C:\a folder\repo.git",
]


def with_windows_rules(monkeypatch: pytest.MonkeyPatch, module: ModuleType) -> None:
    """Give a module the rules of Windows in place of ``os``."""
    monkeypatch.setattr(module, "os", SimpleNamespace(path=ntpath, sep=ntpath.sep, pathsep=ntpath.pathsep))


# -- shown ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("root", ROOTS)
@pytest.mark.parametrize("inner", [r"svc\compose.yml", "svc/compose.yml", r".\svc\compose.yml"])
def test_a_file_is_shown_from_the_repository_with_slashes(root: str, inner: str) -> None:
    assert compose.shown(PureWindowsPath(root, inner), PureWindowsPath(root)) == "svc/compose.yml"


@pytest.mark.parametrize(
    ("path", "root", "expected"),
    [
        (
            r"c:\REPO\Svc\c.yml",
            r"C:\repo",
            "Svc/c.yml",
        ),  # a drive and a folder mean the same in other letters
        (r"D:\repo\c.yml", r"C:\repo", r"D:\repo\c.yml"),
        (r"C:\repository\c.yml", r"C:\repo", r"C:\repository\c.yml"),
        (r"\\server\other\c.yml", r"\\server\share", r"\\server\other\c.yml"),
        (r"C:\repo\naïve.yml", r"C:\repo", "naïve.yml"),
    ],
)
def test_what_lies_elsewhere_is_shown_whole(path: str, root: str, expected: str) -> None:
    assert compose.shown(PureWindowsPath(path), PureWindowsPath(root)) == expected


@pytest.mark.parametrize("root", [root for root in ROOTS if "?" not in root])  # those are never resolved
@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        (r"svc\Dockerfile", "svc/Dockerfile"),
        (r"svc\..\other/Dockerfile", "other/Dockerfile"),
        (r"..\repo.d\Dockerfile", ""),
        (r"E:\Dockerfile", ""),
    ],
)
def test_findings_are_shown_at_a_file_of_the_repository(
    monkeypatch: pytest.MonkeyPatch, root: str, inner: str, expected: str
) -> None:
    with_windows_rules(monkeypatch, subjects)
    assert subjects.shown_file(PureWindowsPath(root, inner), PureWindowsPath(root)) == expected


@pytest.mark.parametrize(
    ("context", "dockerfile", "expected"),
    [
        (".", "Dockerfile", "Dockerfile"),
        ("svc", r"docker\Dockerfile", "svc/docker/Dockerfile"),
        (r".\svc\api", "Dockerfile", "svc/api/Dockerfile"),
        ("svc/api", r"..\Dockerfile", "svc/Dockerfile"),
        (r"C:\repo\svc", "Dockerfile", "C:/repo/svc/Dockerfile"),
        ("svc", r"C:\other\Dockerfile", "C:/other/Dockerfile"),
        (r"\\server\share\svc", "Dockerfile", "//server/share/svc/Dockerfile"),
        ("cwd://svc", "Dockerfile", "svc/Dockerfile"),
    ],
)
def test_a_failure_names_its_dockerfile_as_github_does(
    monkeypatch: pytest.MonkeyPatch, context: str, dockerfile: str, expected: str
) -> None:
    with_windows_rules(monkeypatch, build_plan)
    target = Target("api", {"context": context, "dockerfile": dockerfile})
    assert build_plan._dockerfile(target) == expected


# -- read ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("context", [*ROOTS, r"..\svc", r".\svc", "cwd://svc", r"cwd://C:\svc", "C:svc"])
def test_a_path_of_windows_is_no_url(context: str) -> None:
    assert not facts.is_remote(context)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"C:\data:/data", Mount("bind", r"C:\data", "/data")),
        ("C:/data:/data:ro", Mount("bind", "C:/data", "/data", read_only=True)),
        (r"c:\a folder\ä:/data:rw,z", Mount("bind", r"c:\a folder\ä", "/data")),
        (r".\data:/data", Mount("bind", r".\data", "/data")),
        (r"..\data:/data", Mount("bind", r"..\data", "/data")),
        (r"~\data:/data", Mount("bind", r"~\data", "/data")),
        (r"\\server\share:/data", Mount("bind", r"\\server\share", "/data")),
        ("//var/run/docker.sock:/s", Mount("bind", "//var/run/docker.sock", "/s")),
        ("data:/data", Mount("volume", "data", "/data")),
    ],
)
def test_short_mounts(text: str, expected: Mount) -> None:
    assert list(mounts({"volumes": [text]})) == [expected]


@pytest.mark.parametrize(
    ("mount", "commands"),
    [
        ({"type": "bind", "source": "/var/run/docker.sock"}, True),
        ({"type": "bind", "source": "//var/run/docker.sock"}, True),
        ({"type": "bind", "source": "//var/run"}, True),
        ({"type": "npipe", "source": r"\\.\pipe\docker_engine"}, True),
        ({"type": "bind", "source": "//./pipe/docker_engine"}, True),
        ({"type": "bind", "source": r"C:\var\run"}, False),
        ({"type": "bind", "source": r"C:\data"}, False),
    ],
)
def test_who_commands_the_engine_has_no_place_in_a_test(mount: dict[str, str], commands: bool) -> None:
    project = {"name": "p", "services": {"api": {"image": "a", "volumes": [{**mount, "target": "/x"}]}}}
    found = isolate(project, "p-test", {}, ports={}, source=lambda path: Mounted.DATA)
    assert ("api" in found.left_out) is commands


@pytest.mark.parametrize(
    "remote",
    [r"C:\repos\shop.git", "C:/repos/shop.git", r"\\nas.local\repos\shop", "file:///C:/repos/shop.git"],
)
def test_a_remote_on_a_drive_names_no_registry(remote: str) -> None:
    assert "registry.example/team" in settings(Known(frozenset(), remote, "main"))


# -- written -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("api.log", "api.log"),
        ("team/api:1.json", "team_api_1.json"),
        (r"a\b", "a_b"),
        ("con.log", "_con.log"),
        ("NUL", "_NUL"),
        ("aux.tar.gz", "_aux.tar.gz"),
        ("com1.log", "_com1.log"),
        ("console.log", "console.log"),
        ("nullable", "nullable"),
        ("com10", "com10"),
    ],
)
def test_names_of_files_that_every_system_takes(text: str, expected: str) -> None:
    assert file_name(text) == expected


# -- programs ------------------------------------------------------------------------------------------------

PATH = r'C:\Windows\system32;.;;tools;"C:\Program Files\Docker";\\server\bin'


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "docker",
            [
                *(r"C:\Windows\system32\docker.exe", r"C:\Windows\system32\docker.cmd"),
                *(r"C:\Program Files\Docker\docker.exe", r"C:\Program Files\Docker\docker.cmd"),
                *(r"\\server\bin\docker.exe", r"\\server\bin\docker.cmd"),
            ],
        ),
        (
            "npm.CMD",
            [r"C:\Windows\system32\npm.CMD", r"C:\Program Files\Docker\npm.CMD", r"\\server\bin\npm.CMD"],
        ),
        (r".\migrate", [r"D:\repo\migrate.exe", r"D:\repo\migrate.cmd"]),
        ("bin/migrate.cmd", [r"D:\repo\bin\migrate.cmd"]),
        (r"C:\tools\migrate", [r"C:\tools\migrate.exe", r"C:\tools\migrate.cmd"]),
        (r"C:\tools\python3.13", [r"C:\tools\python3.13.exe", r"C:\tools\python3.13.cmd"]),
    ],
)
def test_programs_are_looked_for_by_path_and_never_in_the_repository(name: str, expected: list[str]) -> None:
    found = [str(path) for path in places(name, {"PATH": PATH, "PATHEXT": ".EXE;.CMD"}, r"D:\repo")]
    assert found == expected


def test_without_pathext_the_usual_endings_count() -> None:
    found = [path.suffix for path in places("x", {"PATH": r"C:\bin"}, r"C:\repo")]
    assert found == [".com", ".exe", ".bat", ".cmd"]


@pytest.mark.parametrize(
    ("program", "arguments", "expected"),
    [
        (r"C:\bin\npm.cmd", ["run", "migrate"], ""),
        (r"C:\bin\npm.CMD", ["run", "a&calc.exe"], "&"),
        (r"C:\bin\x.bat", ["100%"], "%"),
        (r"C:\bin\x.bat", ['say "hello"'], '"'),
        (r"C:\bin\x.bat", ["a\nb"], "\n"),
        (r"C:\bin\docker.exe", ["a&b", "100%"], ""),
    ],
)
def test_batch_files_get_only_what_they_take_as_it_is(
    program: str, arguments: list[str], expected: str
) -> None:
    assert unsafe(program, arguments) == expected


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (r"C:\tools\migrate.exe --all", [r"C:\tools\migrate.exe", "--all"]),
        (r'"C:\Program Files\x\y.exe" "a b"', [r"C:\Program Files\x\y.exe", "a b"]),
        (r"'C:\Program Files\x.exe' -v", [r"C:\Program Files\x.exe", "-v"]),
        (r"scripts\migrate.cmd", [r"scripts\migrate.cmd"]),
        (r"\\server\share\x.exe \\", [r"\\server\share\x.exe", "\\\\"]),
        ("python -m x # no comment", ["python", "-m", "x", "#", "no", "comment"]),
    ],
)
def test_commands_of_windows_keep_their_backslashes(command: str, expected: list[str]) -> None:
    assert words(command, windows=True) == expected


@pytest.mark.parametrize("command", [r"sh -c 'echo 1 \"2\"'", r"a\ b c", 'x "a b" # c', "x ''"])
def test_commands_elsewhere_are_split_as_a_shell_would(command: str) -> None:
    assert words(command, windows=False) == shlex.split(command)


@pytest.mark.parametrize("command", ["", "  ", '"', "it's"])
@pytest.mark.parametrize("windows", [True, False])
def test_what_is_no_command(command: str, windows: bool) -> None:
    with pytest.raises(HookFailed):
        words(command, windows=windows)


# -- contexts and fingerprints -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (r"..\lib\x", "../lib/x"),
        ("x", "x"),
        (r"\\?\C:\repo\x", "C:/repo/x"),  # as Python reads a link to a whole path
        (r"C:\repo\x", "C:/repo/x"),
        (r"\\server\share\x", "//server/share/x"),
    ],
)
def test_links_say_what_buildkit_is_sent(said: str, expected: str) -> None:
    assert _slashed(said, "\\") == expected
    assert _slashed(said, "/") == said  # a backslash is part of a name elsewhere


class Listed:
    """A disk of which only this is known: by folder (the last part of its path) what lies in it."""

    def __init__(self, separator: str, root: str) -> None:
        self._separator, self._root = separator, root

    def listing(self, folder: str) -> tuple[Item, ...]:
        inner = folder.rpartition(self._separator)[2]
        names = {"src": ["app.py", "ä.py"]}.get(inner, [".dockerignore", "aim", "src"])
        at = f"{self._root}{self._separator}src" if inner == "src" else self._root
        return tuple(self._item(name, f"{at}{self._separator}{name}") for name in names)

    def _item(self, name: str, path: str) -> Item:
        if name == "src":
            return Item(name, path, "d", 0o755, 0, b"")
        if name == "aim":
            aim = _slashed(self._separator.join(("src", "app.py")), self._separator)
            return Item(name, path, "l", 0o755, 0, aim.encode())
        return Item(name, path, "f", 0o755, 3, b"")

    def read_contents(self, items: Iterable[Item]) -> None:
        """All of it is known."""

    def content(self, path: str) -> bytes:
        return path.rpartition(self._separator)[2].encode()


def tree(separator: str, root: str) -> Tree:
    return Tree(cast(Disk, Listed(separator, root)), root, Ignore(["**/*.md"]))


@pytest.mark.parametrize("root", ROOTS)
def test_the_same_files_have_the_same_digest_on_windows(root: str) -> None:
    here, there = tree("/", "/repo"), tree("\\", root)
    assert there.digest(there.root) == here.digest(here.root)
    assert [node.path for node in there.walk(there.root)] == [
        *("", ".dockerignore", "aim", "src", "src/app.py", "src/ä.py")
    ]
    assert [there.entry(node) for node in there.select("src")] == [("/", "755")]


def test_a_link_of_windows_is_followed() -> None:
    found = tree("\\", r"C:\repo")
    assert [node.path for node in found.resolve("aim")] == ["aim", "src/app.py"]


def reads(folder: str, *sources: str) -> Reads:
    return Reads(
        folder,
        Ignore(["*.md"]),
        tuple(Source("", source) for source in sources),
        (),
        Listing("", dict),
    )


@pytest.mark.parametrize("root", [r"C:\repo", r"\\server\share\repo", r"D:\Häuser\ä b"])
@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (r"svc\src\main.py", "main.py changed"),
        (r"svc\src\gone.py", "gone.py changed"),
        (r"svc\README.md", None),
        (r"svc\other\x.py", None),
        (r"svc2\src\main.py", None),
        (r"svc\Dockerfile", "Dockerfile changed"),
        ("svc", "its context changed"),
    ],
)
def test_changes_are_matched_by_windows_paths(
    monkeypatch: pytest.MonkeyPatch, root: str, changed: str, expected: str | None
) -> None:
    with_windows_rules(monkeypatch, affected_module)
    touched = Touched((reads(rf"{root}\svc", "src"),), (rf"{root}\svc\Dockerfile",))
    found: dict[str, Any] = affected({"api": touched}, {"api": ()}, [rf"{root}\{changed}"])
    assert found.get("api") == expected

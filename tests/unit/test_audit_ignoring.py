"""The ignore file that keeps out what is sent in vain: which one, which lines, and the proof."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from build_contexts import NODE, build, changed, index, of, one, put, say, seen, write
from homeport.audit.contexts import find, review
from homeport.audit.finding import CONTEXT_HEAVY, CONTEXT_NO_IGNORE, CONTEXT_SECRET
from homeport.sources.context import Contexts
from homeport.sources.disk import Disk
from homeport.sources.tree import Node

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links and names of POSIX")


# One ignore file, one place
def test_builds_with_one_ignore_file_are_one_finding(tmp_path: Path) -> None:
    put(tmp_path, "node_modules/x", "a/__pycache__/x.pyc", "b/y")
    say(tmp_path, ".dockerignore", "nothing\n")
    builds = [
        build(tmp_path, f"FROM a:1\nCOPY {place} .\n", f"{place[0]}.Dockerfile") for place in ("a", "b", "./")
    ]
    found = one(tmp_path, *builds)
    (finding,) = found.findings
    assert finding.path == "..Dockerfile", "where it is worst"
    assert "(and 1 other build with this ignore file)" in finding.what
    assert [sent.after_bytes for _, sent in found.sent][:2] == [0, 100]


def test_another_build_that_needs_it_keeps_it(tmp_path: Path) -> None:
    put(tmp_path, "node_modules/x", "web/node_modules/x", "api/__pycache__/x.pyc")
    everything = build(tmp_path)
    web = build(tmp_path, "FROM node:22\nCOPY web .\nCMD node .\n", "web.Dockerfile")
    named = build(tmp_path, "FROM a:1\nCOPY node_modules .\n", "named.Dockerfile")
    found = one(tmp_path, everything, web, named)
    (finding,) = [each for each in found.findings if each.rule is CONTEXT_HEAVY]
    assert "api/__pycache__" in finding.what
    assert "node_modules" not in finding.what
    assert b"node_modules" not in changed(found).new


def test_a_dockerfile_of_its_own_ignore_file(tmp_path: Path) -> None:
    put(tmp_path, "node_modules/x", "src/x")
    say(tmp_path, "a.Dockerfile.dockerignore", "*.md\n")
    one_, other = build(tmp_path, name="a.Dockerfile"), build(tmp_path, name="b.Dockerfile")
    first, second = review([one_, other], tmp_path).reviews
    assert first.ignore == (tmp_path / "a.Dockerfile.dockerignore").resolve()
    assert changed(first).new.startswith(b"*.md\n#")
    assert "a.Dockerfile.dockerignore" in first.findings[0].fix
    assert second.ignore == tmp_path.resolve() / ".dockerignore"
    assert changed(second).old is None


def test_one_ignore_file_for_two_contexts(tmp_path: Path) -> None:
    put(tmp_path, "a/node_modules/x", "b/src/x", "b/__pycache__/x.pyc")
    say(tmp_path, "Dockerfile.dockerignore", "*.md")
    builds = [build(tmp_path, folder=folder) for folder in ("a", "b")]
    found = one(tmp_path, *builds)
    assert changed(found).new.split(b"\n")[2:] == [b"**/node_modules", b"**/__pycache__"]
    assert [sent.after_bytes for _, sent in found.sent] == [0, 100]


def test_a_shared_link_is_one_file(tmp_path: Path) -> None:
    put(tmp_path, "a/node_modules/x", "b/node_modules/x", "b/y")
    say(tmp_path, "shared.ignore", "x.md\n")
    for folder in ("a", "b"):
        (tmp_path / folder / ".dockerignore").symlink_to("../shared.ignore")
    found = one(tmp_path, *(build(tmp_path, name=f"{one}/Dockerfile", folder=one) for one in ("a", "b")))
    assert changed(found).path == (tmp_path / "shared.ignore").resolve()


# No ignore file


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("COPY . .", True),
        ("ADD ./ /x/", True),
        ("COPY ./* /x/", True),
        ("COPY src .", False),
        ("COPY a b ./", False),
    ],
)
def test_no_ignore_file(tmp_path: Path, text: str, *, expected: bool) -> None:
    put(tmp_path, "src/x", "a", "b")
    made = build(tmp_path, f"FROM a:1\n{text}\n")
    assert bool(of(CONTEXT_NO_IGNORE, tmp_path, made)) is expected
    say(tmp_path, ".dockerignore", "")
    assert of(CONTEXT_NO_IGNORE, tmp_path, made) == []


def test_a_new_file_knows_the_languages(tmp_path: Path) -> None:
    put(tmp_path, "pyproject.toml", "package.json", "Cargo.toml", "go.mod", "app.py")
    made = build(tmp_path)
    before = seen(tmp_path)
    change = changed(one(tmp_path, made), CONTEXT_NO_IGNORE)
    assert change.new.decode().splitlines() == [
        "# Not needed in any image, so it isn't sent to the builder (homeport audit).",
        ".dockerignore", "**/__pycache__", "**/*.pyc", "**/.venv", "**/.pytest_cache", "**/.mypy_cache",
        "**/.ruff_cache", "**/node_modules", "**/npm-debug.log*", "target", "**/coverage.out",
    ]  # fmt: skip
    write(change)
    assert seen(tmp_path) == before
    assert find([made], tmp_path) == []


def test_a_new_file_leaves_what_will_be_needed(tmp_path: Path) -> None:
    put(tmp_path, "package.json", "pyproject.toml", "Cargo.toml", "vendor.pyc")
    made = build(tmp_path, "FROM node:22\nCOPY . .\nCOPY target/release/app /app\nCMD node .\n")
    change = changed(one(tmp_path, made), CONTEXT_NO_IGNORE)
    for line in (b"node_modules", b"target", b"*.pyc"):
        assert line not in change.new


def test_nothing_to_write_is_left_to_people(tmp_path: Path) -> None:
    put(tmp_path, "x")
    found = one(tmp_path, build(tmp_path))
    (finding,) = found.findings
    assert (finding.rule, finding.fixable) == (CONTEXT_NO_IGNORE, False)


# The edit and its proof


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("*.md\n", "*.md\n{why}\n**/node_modules\n"),
        ("*.md", "*.md\n{why}\n**/node_modules"),
        ("*.md\r\nx\r\n", "*.md\r\nx\r\n{why}\r\n**/node_modules\r\n"),
        ("*.md\r\nx", "*.md\r\nx\r\n{why}\r\n**/node_modules"),
        ("", "{why}\n**/node_modules\n"),
        ("\ufeff*.md\n", "\ufeff*.md\n{why}\n**/node_modules\n"),
    ],
)
def test_the_style_of_the_file_stays(tmp_path: Path, old: str, new: str) -> None:
    put(tmp_path, "node_modules/x", "src/x", "read.md")
    say(tmp_path, ".dockerignore", old)
    why = "# Not needed in any image, so it isn't sent to the builder (homeport audit)."
    change = changed(one(tmp_path, build(tmp_path)))
    assert (change.old, change.new) == (old.encode(), new.format(why=why).encode())


@pytest.mark.parametrize(
    ("old", "kept"),
    [
        ("*\n!app\n", {"app/x.py"}),
        ("**\n!app/**\n", {"app/x.py"}),
        ("*\n!app\n!web/node_modules\n", {"app/x.py", "web/node_modules/x"}),
        ("**/node_modules\n!web/node_modules/x\n", {"app/x.py", "web/node_modules/x", "web/y"}),
        ("**/*.log\n!**/b.log\n**/node_modules\n", {"app/x.py", "web/y", "web/b.log"}),
    ],
)
def test_exceptions_keep_their_effect(tmp_path: Path, old: str, kept: set[str]) -> None:
    put(tmp_path / "in", "app/x.py", "app/__pycache__/x.pyc", "web/node_modules/x", "web/y", "node_modules/y")
    put(tmp_path / "in", "web/b.log", "web/a.log", size=200_000)
    say(tmp_path / "in", ".dockerignore", old)
    found = one(tmp_path, build(tmp_path, folder="in"))
    write(changed(found))
    assert seen(tmp_path / "in") - {".dockerignore"} == kept


def test_a_general_pattern_that_would_take_more_is_not_used(tmp_path: Path) -> None:
    put(tmp_path, "node_modules/x", "web/node_modules/x", "a.py", "a.pyc", "sold/b.pyc")
    index(tmp_path, "web/node_modules/x")
    say(tmp_path, ".dockerignore", ".git\n")
    change = changed(one(tmp_path, build(tmp_path)))
    assert sorted(change.new.decode().splitlines()[2:]) == ["a.pyc", "node_modules"]


@pytest.mark.parametrize("name", ["[a]", "a*", "a?", "b\\c", "a\nb", " a", "!a"])
def test_a_name_that_no_line_can_say_is_left_to_people(tmp_path: Path, name: str) -> None:
    put(tmp_path / "in" / name, "env/pyvenv.cfg")
    put(tmp_path / "in", "a/env/x", "bc/env/x")
    found = one(tmp_path, build(tmp_path, folder="in"))
    finding = next(each for each in found.findings if each.rule is CONTEXT_HEAVY)
    assert finding.fixable is False
    assert "By hand" in finding.fix


@pytest.mark.parametrize("name", ["a ", "#a", "a b", "ä", "{2}", "a|b", "^a", "a.b"])
def test_strange_names_are_named_exactly(tmp_path: Path, name: str) -> None:
    put(tmp_path / name, "env/pyvenv.cfg", "other")
    put(tmp_path, "a/env/x", "b/env/x")
    before = seen(tmp_path) | {"Dockerfile"}
    found = one(tmp_path, build(tmp_path))
    write(changed(found))
    assert before - seen(tmp_path) == {f"{name}/env/pyvenv.cfg"}


def test_both_findings_are_one_change_and_each_can_be_left_out(tmp_path: Path) -> None:
    put(tmp_path, "node_modules/x", "package.json")
    say(tmp_path, ".env", "PORT=80\nDB_PASSWORD=hunter2\n")
    found = one(tmp_path, build(tmp_path, NODE))
    assert {each.rule for each in found.findings} == {CONTEXT_HEAVY, CONTEXT_SECRET, CONTEXT_NO_IGNORE}
    change = found.change(found.findings)
    assert change is not None
    assert set(change.mends) == set(found.findings)
    assert change.new.decode().splitlines()[1:] == [
        ".dockerignore", "**/node_modules", "**/npm-debug.log*", ".env",
    ]  # fmt: skip
    only = changed(found, CONTEXT_SECRET)
    assert b"node_modules" not in only.new
    write(change)
    assert find([found.sent[0][0]], tmp_path) == []


def test_a_folder_above_that_stays_empty_is_still_sent(tmp_path: Path) -> None:
    put(tmp_path, "a/b/__pycache__/x.pyc")
    before = {node.path for node in _walked(tmp_path)}
    write(changed(one(tmp_path, build(tmp_path))))
    after = {node.path for node in _walked(tmp_path)}
    assert before - after == {"a/b/__pycache__", "a/b/__pycache__/x.pyc"}


def _walked(folder: Path) -> Iterator[Node]:
    chosen = Contexts().choose(folder, None, ())
    return chosen.tree.walk(chosen.tree.root)


def test_many_builds_of_one_context_list_each_folder_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in range(120):
        put(tmp_path, *(f"s{folder}/f{number}" for number in range(95)), size=10)
        put(tmp_path, *(f"s{folder}/__pycache__/f{number}.pyc" for number in range(5)), size=10)
    builds = [
        build(tmp_path, f"FROM a:1\nCOPY s{number} /x\nCOPY . .\n", f"{number}.Dockerfile")
        for number in range(60)
    ]
    listed: list[str] = []
    scandir = os.scandir

    def counted(folder: str) -> object:
        listed.append(folder)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", counted)
    found = one(tmp_path, *builds)
    assert changed(found).new.count(b"__pycache__") == 1
    assert len(listed) == len(set(listed)) == 1 + 120 * 2


def test_no_content_is_hashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "node_modules/x", "x")
    made = build(tmp_path)
    monkeypatch.setattr(Disk, "content", lambda *_: pytest.fail("read"))
    assert len(find([made], tmp_path)) == 2
